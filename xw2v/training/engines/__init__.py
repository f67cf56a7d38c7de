"""What an engine is. Engines do the same arithmetic; the array engine's result is the definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from xw2v.training.batches import Chunk

__all__ = ["ChunkResult", "Engine", "Rate", "Tables"]

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

    def train_chunk(self, tables: Tables, chunk: Chunk, epoch: int, rate: Rate) -> ChunkResult:
        """Update the tables from one chunk of the corpus."""
        ...
