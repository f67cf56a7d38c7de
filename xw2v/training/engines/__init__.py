"""What an engine is, and which one is taken. Engines do the same arithmetic; the array engine is the definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from xw2v.backend import Backend
from xw2v.config import Config
from xw2v.errors import BackendError, ConfigError
from xw2v.training.batches import Chunk

__all__ = ["AheadEngine", "ChunkResult", "DeviceEngine", "Engine", "Rate", "Tables", "choose_engine"]

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

    @property
    def chunk_segments(self) -> int | None:
        """Most segments of a chunk; None: so many that a chunk is no more than half a second's work."""
        ...

    def compile(self) -> None:
        """Do now what else the first chunk would wait for."""
        ...

    def train_chunk(self, tables: Tables, chunk: Chunk, epoch: int, rate: Rate, skip: int = 0) -> ChunkResult:
        """Update the tables from one chunk of the corpus.

        `skip` steps at its head were trained before; the result counts those after them. An engine that always
        trains a chunk as a whole does so here, too: a run that was stopped inside a chunk and goes on with such an
        engine trains the head of that chunk twice.
        """
        ...


@runtime_checkable
class DeviceEngine(Engine, Protocol):
    """An engine whose arrays may lie on a GPU, which has no more memory than it has."""

    def scratch_bytes(self, V: int, D: int, tokens: int) -> int:
        """Memory of the device that chunks of so many tokens, and steps, want beside two (V, D) tables."""
        ...


@runtime_checkable
class AheadEngine(DeviceEngine, Protocol):
    """An engine that is handed the next chunk while the device works on one."""

    chunk_segments: int
    chunks_an_epoch: int  # at least: for those of a small corpus have fewer segments

    def read_chunk(self, ids: np.ndarray, offsets: np.ndarray, start: int, stop: int) -> Chunk:
        """`batches.read_chunk` with arrays on the device, maybe still on their way there."""
        ...

    def begin_chunk(
        self, tables: Tables, chunk: Chunk, epoch: int, rate: Rate, skip: int = 0
    ) -> Callable[[], ChunkResult]:
        """`train_chunk`, of which the rest is what is returned: it waits for the end."""
        ...


def choose_engine(config: Config, counts: np.ndarray, backend: Backend) -> tuple[Engine, str]:
    """The engine of the options, and why it was taken.

    Raises
    ------
    ConfigError    engine="cpu" or "cuda" with options that only the array engine knows; the text names one
    BackendError   that engine does not work here
    """
    reason = _only_array(config, backend)
    if config.engine in ("cpu", "cuda") and (reason is not None or config.engine != _FUSED.get(backend.name)):
        reason = reason or f"backend {backend.name}"
        msg = f"engine {config.engine!r} does not do {reason}; use engine='array' or 'auto'"
        raise ConfigError(msg)
    if config.engine != "array" and reason is None:
        try:
            return _fused(config, counts, backend)
        except (BackendError, ConfigError) as error:
            if config.engine != "auto":
                raise
            reason = f"want of a fused one: {error}"
    from xw2v.training.engines.array import ArrayEngine

    return ArrayEngine(config, counts, backend), f"for {reason}" if config.engine == "auto" else "asked for"


_FUSED = {"numpy": "cpu", "cupy": "cuda"}


def _fused(config: Config, counts: np.ndarray, backend: Backend) -> tuple[Engine, str]:
    """The fused engine of the backend, and how it was made."""
    if backend.name == "cupy":
        from xw2v.training.engines.cuda import CudaEngine

        engine = CudaEngine(config, counts, backend)
        return engine, "compiled by CuPy, products in TF32" if engine.tf32 else "compiled by CuPy"
    try:
        from xw2v.training.engines.cpu import CpuEngine
    except ImportError as error:
        msg = f"engine 'cpu' needs Numba ({error}): pip install numba, or use engine='array'"
        raise BackendError(msg) from None
    return CpuEngine(config, counts), "compiled by Numba"


def _only_array(config: Config, backend: Backend) -> str | None:
    """The first thing in the options that no fused engine does, or None."""
    wanted = {
        f"backend {backend.name}": backend.name not in _FUSED,
        f"loss={config.loss!r}": config.loss != "negative_sampling",
        f"negatives={config.negatives!r}": config.negatives != "shared" and backend.name != "numpy",
        f"centers={config.centers!r}": config.centers != "all",
        f"reduction={config.reduction!r}": config.reduction != "sum",
        f"schedule={config.schedule!r}": config.schedule != "linear",
        "steps": config.steps is not None,
        "batch_size": config.batch_size is not None and backend.name != "cupy",
    }
    return next((thing for thing, is_wanted in wanted.items() if is_wanted), None)
