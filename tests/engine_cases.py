"""Options, texts and tables at random, for engines that are to do the same with all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from xw2v.backend import NumpyBackend
from xw2v.config import Config
from xw2v.training.batches import read_chunk
from xw2v.training.engines import Tables
from xw2v.training.engines.array import ArrayEngine

ALPHA = 2.0**-12  # steps so small that sums stay near one another whatever the options; TF32 does not round it
SIZES = (1, 2, 3, 8, 16, 17, 31, 33, 50, 64, 90, 100, 128, 200, 300)


class Case(NamedTuple):
    """What an engine is given; a step is a group, and no step is bounded."""

    config: Config
    counts: np.ndarray
    source: tuple[np.ndarray, np.ndarray, int, int]  # ids, offsets, and where the chunk begins and ends
    epoch: int
    tables: Tables

    def trained(self, engine: Any, read_chunk: Callable[..., Any] = read_chunk) -> tuple[Tables, Any]:
        """The tables after an engine trained the chunk, and what it counted."""
        ours = Tables(*(table.copy() for table in self.tables))
        return ours, engine.train_chunk(ours, read_chunk(*self.source), self.epoch, lambda words, step: ALPHA)


def case(seed: int, segment: int, *, pair: bool = False) -> Case:
    """Few words and many, in sentences of none, one and many; a chunk at the text's start or later.

    Parameters
    ----------
    segment : tokens of one
    pair : with noise words for each pair
    """
    rng = np.random.default_rng(seed)
    V, n, start = int(rng.integers(2, 80)), int(rng.integers(2, 600)), segment * int(rng.integers(0, 3))
    ids = np.minimum(rng.geometric(rng.uniform(0.02, 0.6), start + n) - 1, V - 1).astype(np.int32)
    ends = np.sort(rng.integers(0, start + n + 1, int(rng.integers(0, 60))))
    size = 1 if pair else int(rng.choice([1, 2, 3, 5, 8, 16, 17, 32]))
    config = Config(
        vector_size=int(rng.choice(SIZES)),
        window=int(rng.integers(1, 20)),
        negative=int(rng.integers(1, 12)),
        sample=float(rng.choice([0.0, 0.001, 0.02, 0.2])),
        ns_exponent=float(rng.choice([-1.0, 0.0, 0.5, 0.75, 1.0])),
        shrink_windows=bool(rng.integers(0, 2)),
        subsampling=str(rng.choice(["word2vec", "paper"])),
        seed=int(rng.integers(0, 2**31)),
        negatives="pair" if pair else "shared",
        group_size=size,
        batch_size=size,
        group_negatives=None if pair else int(rng.choice([1, 2, 5, 7, 16, 32, 33])),
        max_update_norm=None,
    )
    D = config.vector_size
    tables = Tables(*((rng.standard_normal((V, D)) / np.sqrt(D)).astype(np.float32) for _ in range(2)))
    source = ids, np.concatenate([[0], ends, [start + n]]), start, start + n
    return Case(config, np.bincount(ids, minlength=V), source, int(rng.integers(0, 7)), tables)


def check(case: Case, ours: Tables, result: Any, tolerance: float = 3e-3) -> None:
    """Whether an engine counted what the array engine did, and moved the tables as far and in the same way."""
    theirs, wanted = case.trained(ArrayEngine(case.config, case.counts, NumpyBackend("a test")))
    assert (result.pairs, result.centers, result.steps) == (wanted.pairs, wanted.centers, wanted.steps)
    for table, other, start in zip(ours, theirs, case.tables, strict=True):
        moved = np.abs(other - start).max()
        np.testing.assert_allclose(table, other, atol=tolerance * moved + 1e-6, rtol=0)
