"""How many threads train."""

from __future__ import annotations

from xw2v.config import Config
from xw2v.parallel import usable_cores

__all__ = ["is_ordered", "worker_count"]


def is_ordered(config: Config) -> bool:
    """Whether the options count steps, one after the other."""
    return config.steps is not None or config.schedule == "halving"


def worker_count(config: Config) -> int:
    """Threads that train on the CPU: one where the order of steps has a meaning."""
    if is_ordered(config) or config.deterministic:
        return 1
    return config.workers if config.workers is not None else usable_cores()
