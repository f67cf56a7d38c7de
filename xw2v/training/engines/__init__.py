"""What an engine is, and which one is taken. Engines do the same arithmetic; the array engine is the definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from xw2v.backend import Backend
from xw2v.config import Config
from xw2v.errors import BackendError, ConfigError
from xw2v.training.batches import Chunk

__all__ = ["ChunkResult", "Engine", "Rate", "Tables", "choose_engine"]

Array = Any

Rate = Callable[[int, int], "float | None"]
"""(tokens of the chunk done, steps of the chunk done) -> learning rate, or None: stop here."""


class Tables(NamedTuple):
    """The two tables of word vectors, changed in place by an engine."""

    center_vectors: Array  # (V, D) float32
    outside_vectors: Array  # (V, D) float32


class ChunkResult(NamedTuple):
    """What a chunk's training came to."""

    loss: float  # sum over the pairs, in nats
    pairs: int
    centers: int  # tokens kept by subsampling and trained as centres
    steps: int


class Engine(Protocol):
    """Code that trains on one chunk of tokens after the other. Called by several threads at once."""

    name: str

    def compile(self) -> None:
        """Do now what else the first chunk would wait for."""
        ...

    def train_chunk(self, tables: Tables, chunk: Chunk, epoch: int, rate: Rate, skip: int = 0) -> ChunkResult:
        """Update the tables from one chunk of the corpus.

        `skip` steps at its head were trained before; the result counts those after them. An engine that always
        trains a chunk as a whole is never asked to skip.
        """
        ...


def choose_engine(config: Config, counts: np.ndarray, backend: Backend) -> tuple[Engine, str]:
    """The engine of the options, and why it was taken.

    Raises
    ------
    ConfigError    engine="cpu" with options that only the array engine knows; the text names one
    BackendError   engine="cpu" without Numba
    """
    reason = _only_array(config, backend)
    if config.engine == "cpu" and reason is not None:
        msg = f"engine 'cpu' does not do {reason}; use engine='array' or 'auto'"
        raise ConfigError(msg)
    if config.engine != "array" and reason is None:
        try:
            from xw2v.training.engines.cpu import CpuEngine

            return CpuEngine(config, counts), "compiled by Numba"
        except ImportError as error:
            if config.engine == "cpu":
                msg = f"engine 'cpu' needs Numba ({error}): pip install numba, or use engine='array'"
                raise BackendError(msg) from None
            reason = "want of Numba"
    from xw2v.training.engines.array import ArrayEngine

    return ArrayEngine(config, counts, backend), f"for {reason}" if config.engine == "auto" else "asked for"


def _only_array(config: Config, backend: Backend) -> str | None:
    """The first thing in the options that the fused engine does not do, or None."""
    wanted = {
        f"backend {backend.name}": backend.name != "numpy",
        f"loss={config.loss!r}": config.loss != "negative_sampling",
        f"negatives={config.negatives!r}": config.negatives != "shared",
        f"reduction={config.reduction!r}": config.reduction != "sum",
        f"schedule={config.schedule!r}": config.schedule != "linear",
        "steps": config.steps is not None,
        "batch_size": config.batch_size is not None,
    }
    return next((thing for thing, is_wanted in wanted.items() if is_wanted), None)
