"""How many threads train."""

from __future__ import annotations

from xw2v.backend import Backend
from xw2v.config import Config
from xw2v.errors import ConfigError
from xw2v.parallel import usable_cores

__all__ = ["counts_steps", "worker_count", "worker_threads"]


def worker_threads(config: Config, backend: Backend) -> int:
    """Threads that train: one where a GPU does the work.

    Raises
    ------
    ConfigError   the options do not go together
    """
    if counts_steps(config) and config.workers not in (None, 1) and not config.deterministic:
        msg = f"steps and schedule='halving' count steps in order, so workers must be 1, got {config.workers}"
        raise ConfigError(msg)
    if config.deterministic and backend.name == "cupy":
        msg = "deterministic=True is for the CPU: a GPU adds in no fixed order; use backend='numpy', or False"
        raise ConfigError(msg)
    return worker_count(config) if backend.name == "numpy" else 1


def worker_count(config: Config) -> int:
    """Threads that train on the CPU: one where the order of steps has a meaning."""
    if counts_steps(config) or config.deterministic:
        return 1
    return config.workers if config.workers is not None else usable_cores()


def counts_steps(config: Config) -> bool:
    """Whether the options count steps, one after the other, so that their order has a meaning."""
    return config.steps is not None or config.schedule == "halving"
