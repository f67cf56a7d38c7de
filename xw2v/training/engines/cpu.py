"""The fused CPU engine: one group of centres after the other, in loops that Numba compiles. Holds no GIL.

Equals the array engine at a step of one group, up to float rounding. With noise words of its own for every pair, a
centre is a group. The same draws are made inside the loops. For each group:

    gather   b rows of V and S + b + 2m rows of U into small buffers, which the first cache holds
    scores   products of the centres with the noise words and with the words of their windows, no others
    slopes   -alpha dJ/dscore
    add      sums of rows, weighted by the slopes, kept in registers and added to the rows of the tables

A group is small: with the default options no step comes near `max_update_norm`, and looking at its length takes a tenth
of the time. So steps are bounded only where `alpha`, windows and noise words are large enough (`UNBOUNDED`), and then
for each place in the group, not for each word. Larger windows have more noise words, so that none of them has to stand
for more draws.

The loss is taken of every `LOSS_EVERY`-th group of a chunk, and of each until one has a pair, and scaled to all pairs.

Several workers write to the tables without locks. The most frequent words are in nearly every group, and each write
takes their rows out of the other cores' caches: so each of a few workers has rows of its own for them, and adds what
they changed to the tables after some groups. What others do to such a word is unseen for that long, by as many workers
as there are; so the time and the number of such words go down with the workers (`OWN_WORDS`, `OWN_TOKENS`), and many
workers have none, for it costs scores (`_FEW_WORKERS`; bench/README.md).
"""

from __future__ import annotations

import numpy as np

from xw2v.compiled import is_kept
from xw2v.config import Config
from xw2v.training import batches
from xw2v.training.batches import Chunk
from xw2v.training.draws import Purpose, stream_key
from xw2v.training.engines import ChunkResult, Rate, Tables
from xw2v.training.engines.chunk import TRAIN, Options
from xw2v.training.sampling import alias_table, keep_thresholds, noise_probabilities
from xw2v.training.workers import worker_count

__all__ = ["OWN_TOKENS", "OWN_WORDS", "UNBOUNDED", "CpuEngine"]


OWN_WORDS = 256  # most frequent words of which all workers together have rows of their own
OWN_TOKENS = 2048  # centres that all workers together train before they add up those rows
_FEW_WORKERS = 3  # at most, that have them
UNBOUNDED = 1.0  # alpha · window · (1 + negative), what a centre's slopes may sum up to, that needs no bound
_GROUP_NEGATIVES = 16
_DRAWS = 25  # window · negative, noise words of a centre in the textbook, that so many are enough for


class CpuEngine:
    """See the module. One object serves several threads: it holds nothing that changes."""

    name = "cpu"
    chunk_segments = None
    kept = is_kept(TRAIN)  # what is compiled, for the next runs

    def __init__(self, config: Config, counts: np.ndarray) -> None:
        self.config = config
        self._thresholds = keep_thresholds(counts, config.sample, config.subsampling)
        self._noise = alias_table(noise_probabilities(counts, config.ns_exponent))
        pair = config.negatives == "pair"
        workers, b = worker_count(config), 1 if pair else config.group_size
        self._options = Options(
            window=config.window,
            shrink=config.shrink_windows,
            negative=config.negative,
            b=b,
            S=0 if pair else config.group_negatives or _group_negatives(config),
            segment=batches.SEGMENT,
            bound=_bound(config),
            own_words=min(OWN_WORDS // workers, len(counts)) if 1 < workers <= _FEW_WORKERS else 0,
            own_groups=max(1, OWN_TOKENS // workers // b),
        )

    def compile(self) -> None:
        """Have the loops compiled, or fetched from Numba's cache, by training on no token."""
        tables = Tables(*(np.zeros((1, self.config.vector_size), np.float32) for _ in range(2)))
        self.train_chunk(tables, Chunk(np.zeros(0, np.int32), np.zeros(0, np.int32), 0), 0, lambda words, step: 0.0)

    def train_chunk(self, tables: Tables, chunk: Chunk, epoch: int, rate: Rate, skip: int = 0) -> ChunkResult:
        """See `Engine.train_chunk`. Trains a chunk as a whole."""
        config = self.config
        first, last = rate(0, 0), rate(len(chunk.ids), 0)
        if first is None or last is None:
            return ChunkResult(0.0, 0, 0, 0)
        keys = tuple(np.uint64(stream_key(config.seed, of, epoch)) for of in (Purpose.TOKEN, Purpose.NOISE))
        constant = Chunk(_constant(chunk.ids), _constant(chunk.sentences), chunk.start)
        loss, measured, pairs, centers, steps = TRAIN(
            self._options, tables, constant, keys, self._thresholds, self._noise, (first, last)
        )
        return ChunkResult(loss * pairs / max(measured, 1), pairs, centers, steps)


def _group_negatives(config: Config) -> int:
    return _GROUP_NEGATIVES * max(1, -(-config.window * config.negative // _DRAWS))


def _bound(config: Config) -> np.float32 | None:
    """The longest step of a row; None where no step is long."""
    reach = config.alpha * config.window * (1 + config.negative)
    return None if config.max_update_norm is None or reach <= UNBOUNDED else np.float32(config.max_update_norm)


def _constant(numbers: np.ndarray) -> np.ndarray:
    """A view that cannot be written to: Numba would compile once for arrays that can and once for those that cannot."""
    view = numbers.view()
    view.flags.writeable = False
    return view
