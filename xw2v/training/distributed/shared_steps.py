"""The array engine of one rank among many, in step: each takes a share of every step, and all add all updates.

The step is that of one process, to rounding: whatever the number of ranks, the result is the same. All of a
step's updates travel, so this is for checking, and for large steps on a fast network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np

from xw2v.backend import Backend
from xw2v.config import Config
from xw2v.errors import ConfigError, NumericalError
from xw2v.training.batches import Chunk
from xw2v.training.distributed.ranks import Ranks
from xw2v.training.distributed.stopping import RankTraining
from xw2v.training.engines import ChunkResult, Rate, Tables
from xw2v.training.engines.array import ArrayEngine
from xw2v.training.walk import Progress

__all__ = ["SharedArrayEngine", "SteppedTraining"]

Array = Any


class SharedArrayEngine(ArrayEngine):
    """See the module, and `ArrayEngine`.

    Raises
    ------
    ConfigError   the backend is not NumPy's, or the options ask for another engine
    """

    def __init__(self, config: Config, counts: np.ndarray, backend: Backend, ranks: Ranks) -> None:
        if backend.name != "numpy" or config.engine not in ("auto", "array"):
            msg = f"sync='step' is done by engine 'array' on backend 'numpy', got {config.engine!r}, {backend.name!r}"
            raise ConfigError(msg)
        super().__init__(config, counts, backend)
        self.ranks = ranks

    def train_chunk(self, tables: Tables, chunk: Chunk, epoch: int, rate: Rate, skip: int = 0) -> ChunkResult:
        """See `Engine.train_chunk`. Loss and pairs are those of all ranks."""
        result = super().train_chunk(tables, chunk, epoch, rate, skip)
        sums = np.array([result.loss, result.pairs])
        self.ranks.sum(sums)
        return result._replace(loss=float(sums[0]), pairs=int(sums[1]))

    def _share(self, some: slice) -> slice:
        rank, size = self.ranks.rank, self.ranks.size
        length = some.stop - some.start
        return slice(some.start + length * rank // size, some.start + length * (rank + 1) // size)

    def _add(self, tables: Sequence[Array], ids: Sequence[Array], rows: Sequence[Array], scale: float) -> None:
        all_ids = [self.ranks.concatenate(some.reshape(-1)) for some in ids]
        all_rows = [self.ranks.concatenate(some.reshape(-1, some.shape[-1])) for some in rows]
        super()._add(tables, all_ids, all_rows, scale)

    def _add_table(self, table: Array, rows: Array, scale: float) -> None:
        self.ranks.sum(rows)
        super()._add_table(table, rows, scale)


class SteppedTraining(RankTraining):
    """The run of one rank whose engine shares every step with the others. Stops after a chunk, as all of them do."""

    def _records(self, pool: Executor) -> Iterator[Progress]:
        try:
            for record in super()._records(pool):
                yield record
                if self._stop_if_asked():
                    return
        except NumericalError:  # all tables are alike, so all ranks see it
            self.ranks.settled = True
            raise
