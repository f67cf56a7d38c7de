"""The array engine: any array library, a few large array operations a step. It is the definition.

A step reads the rows of `batch_size` centres, their contexts and their noise words, and then writes them all.
With as many centres as a group has, that is one group after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from xw2v.backend import Backend
from xw2v.config import Config
from xw2v.losses import negative_sampling
from xw2v.training.batches import (
    SEGMENT,
    Chunk,
    Kept,
    Pairs,
    group_tokens,
    keep_tokens,
    list_pairs,
    random_centers,
    spread_groups,
    take_rows,
    windows_of,
)
from xw2v.training.draws import Purpose, draw, stream_key
from xw2v.training.engines import ChunkResult, Rate, Tables
from xw2v.training.engines.sampled import sampling_of
from xw2v.training.engines.scratch import bytes_a_token, centers_at_once, in_pairs, pairs_a_center, scratch_bytes
from xw2v.training.engines.softmax import block_size, bytes_held, expectation_of
from xw2v.training.sampling import (
    AliasTable,
    alias_table,
    draw_words,
    keep_probabilities,
    keep_thresholds,
    noise_probabilities,
)

__all__ = ["ArrayEngine", "default_batch_size"]

Array = Any

# Of a GPU: to begin a chunk takes it as long as several steps; half a second of exact softmax.
_CHUNK_SEGMENTS, _CHUNK_BYTES, _CHUNK_PAIRS = 64, 1 << 30, 1 << 23
_GROUP_NEGATIVES = 32  # with steps of many groups, fewer cost SimLex a little (bench/README.md)
_MOST_PAIRS = 1 << 17  # of a step, unless `batch_size` says otherwise: their rows are all held at once


class ArrayEngine:
    """See the module. One object serves several threads: what it holds that changes, each of them has for itself."""

    name = "array"

    def __init__(self, config: Config, counts: np.ndarray, backend: Backend) -> None:
        self.config = config
        self.backend = backend
        self.batch_size = config.batch_size or default_batch_size(config, counts, backend.name)
        self.group_negatives = config.group_negatives or _GROUP_NEGATIVES
        self._thresholds = backend.from_host(keep_thresholds(counts, config.sample, config.subsampling))
        noise = alias_table(noise_probabilities(counts, config.ns_exponent))
        self._noise = AliasTable(*map(backend.from_host, noise))
        self.chunk_segments: int | None = None
        if backend.name == "cupy":
            fitting = _CHUNK_BYTES // (SEGMENT * bytes_a_token(config, self.group_negatives))
            if in_pairs(config):
                fitting = _CHUNK_PAIRS // (SEGMENT * pairs_a_center(config))
            self.chunk_segments = max(1, min(_CHUNK_SEGMENTS, fitting))
        self._sampling, self._expectation = sampling_of(backend), expectation_of(backend)

    def compile(self) -> None:
        """Nothing: the backend's arrays are ready."""

    def scratch_bytes(self, V: int, D: int, tokens: int) -> int:
        """See `DeviceEngine.scratch_bytes`."""
        block = block_size(bytes_held(self.backend), V) if self.config.loss == "softmax" else None
        return scratch_bytes(self.config, self.batch_size, self.group_negatives, V, D, tokens, block)

    def train_chunk(self, tables: Tables, chunk: Chunk, epoch: int, rate: Rate, skip: int = 0) -> ChunkResult:
        """See `Engine.train_chunk`. The device is waited for before the first step and after the last."""
        config, xp = self.config, self.backend.xp
        b = min(config.group_size, self.batch_size)
        kept = keep_tokens(
            self.backend.from_host(chunk.ids),
            self.backend.from_host(chunk.sentences),
            chunk.start,
            thresholds=self._thresholds,
            key=stream_key(config.seed, Purpose.TOKEN, epoch),
            window=config.window,
            shrink=config.shrink_windows,
            pad=config.window + b,
            xp=xp,
        )
        if in_pairs(config):
            steps = self._pair_steps(tables, kept, chunk, epoch)
        else:
            steps = self._group_steps(tables, kept, chunk, epoch, b)
        N = int(kept.ids.shape[0]) - 2 * kept.pad
        totals = xp.zeros((2,), dtype=xp.float64, device=self.backend.device)  # loss and pairs
        done = skipped = taken = 0
        for step, (centers, train) in enumerate(steps):
            if step < skip:
                done = skipped = done + centers
                continue
            # The corpus positions of kept tokens are on the device; their share of the chunk is as good.
            alpha = rate(len(chunk.ids) * done // max(N, 1), step)
            if alpha is None:
                break
            train(alpha, totals)
            done += centers
            taken += 1
        loss, pairs = self.backend.to_host(totals).tolist()
        return ChunkResult(loss, int(pairs), done - skipped, taken)

    def _group_steps(self, tables: Tables, kept: Kept, chunk: Chunk, epoch: int, b: int) -> Iterator[Any]:
        """(number of centres, what trains them) for each step of whole groups."""
        config, xp = self.config, self.backend.xp
        groups = group_tokens(kept, chunk.start, len(chunk.ids), b, xp=xp)
        n_steps = -(-int(groups.first.shape[0]) // max(1, self.batch_size // b))
        groups, ends = spread_groups(groups, n_steps, xp=xp)
        windows = windows_of(kept, groups, b, config.window, xp=xp)
        outside_ids = windows.context_ids
        if config.loss != "softmax":
            places = xp.arange(self.group_negatives, dtype=xp.int64, device=self.backend.device)
            counters = windows.positions[:, None] * self.group_negatives + places
            bits = draw(stream_key(config.seed, Purpose.NOISE, epoch), counters)
            outside_ids = xp.concat([outside_ids, draw_words(self._noise, bits, xp=xp)], axis=1)
        sizes = self.backend.to_host(groups.limit - groups.first).clip(max=b)
        for first, last in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
            some = slice(first, last)
            centers = int(sizes[some].sum())

            def train(alpha: float, totals: Array, some: slice = some, centers: int = centers) -> None:
                take_step = self._softmax_step if config.loss == "softmax" else self._shared_step
                scale = -alpha / centers if config.reduction == "mean" else -alpha
                some = self._share(some)
                center_ids, positives = windows.center_ids[some, ...], windows.positives[some, ...]
                take_step(tables, center_ids, outside_ids[some, ...], positives, scale, totals)

            yield centers, train

    def _shared_step(
        self, tables: Tables, center_ids: Array, outside_ids: Array, positives: Array, scale: float, totals: Array
    ) -> None:
        """One step of groups that share noise words, which stand behind the contexts in `outside_ids`."""
        share = self.config.negative / self.group_negatives
        step = self._sampling(tables, center_ids, outside_ids, positives, share, totals)
        self._add(tables, (center_ids, outside_ids), (step.d_centers, step.d_rows), scale)

    def _softmax_step(
        self, tables: Tables, center_ids: Array, context_ids: Array, positives: Array, scale: float, totals: Array
    ) -> None:
        """One step of exact softmax: for each centre, J = n logsumexp(U v) - Σ_o u_o·v."""
        xp = self.backend.xp
        centers = take_rows(tables.center_vectors, center_ids, xp=xp)
        contexts = take_rows(tables.outside_vectors, context_ids, xp=xp)
        pulls = xp.astype(positives, centers.dtype)
        pairs = xp.reshape(xp.sum(pulls, axis=-1), (-1,))
        observed = xp.matmul(pulls, contexts)
        flat = xp.reshape(centers, (-1, centers.shape[-1]))
        expected = self._expectation(flat, pairs, tables.outside_vectors)
        loss = pairs * expected.log_normalizer - xp.sum(flat * xp.reshape(observed, flat.shape), axis=-1)
        d_contexts = -xp.matmul(xp.matrix_transpose(pulls), centers)
        d_outside = expected.d_outside_vectors
        self.backend.add_rows([d_outside], [context_ids], [d_contexts])
        d_centers = xp.reshape(expected.d_centers, centers.shape) - observed
        self._add([tables.center_vectors], [center_ids], [d_centers], scale)
        self._add_table(tables.outside_vectors, d_outside, scale)
        totals += xp.stack([xp.sum(loss, dtype=xp.float64), xp.sum(pairs, dtype=xp.float64)])

    def _pair_steps(self, tables: Tables, kept: Kept, chunk: Chunk, epoch: int) -> Iterator[Any]:
        """(number of centres, what trains them) for each step of pairs, with noise words of their own."""
        config, xp = self.config, self.backend.xp
        numbers = kept.positions[kept.pad : kept.positions.shape[0] - kept.pad]
        centers = xp.arange(numbers.shape[0], dtype=xp.int64, device=self.backend.device)
        if config.centers == "random":
            # A token that is drawn twice gets other noise words each time.
            numbers = chunk.start + centers
            centers = random_centers(kept, chunk.start, key=stream_key(config.seed, Purpose.CENTER, epoch), xp=xp)
        at_once = centers_at_once(config, self.batch_size)
        for first in range(0, centers.shape[0], at_once):
            some = slice(first, min(first + at_once, centers.shape[0]))
            pairs = list_pairs(kept, config.window, centers[some], numbers[some], xp=xp)
            yield from self._steps_of(pairs, tables, epoch)

    def _steps_of(self, pairs: Pairs, tables: Tables, epoch: int) -> Iterator[Any]:
        """See `_pair_steps`."""
        config, xp = self.config, self.backend.xp
        ends = self.backend.to_host(pairs.ends)
        key = stream_key(config.seed, Purpose.NOISE, epoch)
        places = xp.arange(config.negative, dtype=xp.int64, device=self.backend.device)
        N = len(ends) - 1
        for start in range(0, N, self.batch_size):
            stop = min(start + self.batch_size, N)
            some = slice(int(ends[start]), int(ends[stop]))

            def train(alpha: float, totals: Array, some: slice = some, centers: int = stop - start) -> None:
                some = self._share(some)
                counters = pairs.counters[some][:, None] * config.negative + places
                noise_ids = draw_words(self._noise, draw(key, counters), xp=xp)
                center_ids, outside_ids = pairs.center_ids[some], pairs.outside_ids[some]
                result = negative_sampling(
                    take_rows(tables.center_vectors, center_ids, xp=xp),
                    take_rows(tables.outside_vectors, outside_ids, xp=xp),
                    take_rows(tables.outside_vectors, noise_ids, xp=xp),
                )
                scale = -alpha / centers if config.reduction == "mean" else -alpha
                # A word may be drawn and observed in one step: its rows belong in one sum.
                ids = xp.concat([outside_ids[:, None], noise_ids], axis=1)
                rows = xp.concat([result.d_outside[:, None, :], result.d_negatives], axis=1)
                self._add(tables, (center_ids, ids), (result.d_center, rows), scale)
                loss = xp.sum(result.loss, dtype=xp.float64)
                totals += xp.stack([loss, xp.full_like(loss, some.stop - some.start)])

            yield stop - start, train

    def _share(self, some: slice) -> slice:
        """What of a step's groups or pairs is trained here: all of it."""
        return some

    def _add(self, tables: Sequence[Array], ids: Sequence[Array], rows: Sequence[Array], scale: float) -> None:
        """Add `scale` times gradient rows of any leading dimensions to each table; they are not needed afterwards."""
        self.backend.add_rows(tables, ids, rows, scale=scale, max_norm=self.config.max_update_norm)

    def _add_table(self, table: Array, rows: Array, scale: float) -> None:
        """Add `scale` times a gradient row to each row of the table."""
        self.backend.add_table(table, rows, scale=scale, max_norm=self.config.max_update_norm)


def default_batch_size(config: Config, counts: np.ndarray, backend: str) -> int:
    """How many centres a step reads before it writes.

    A row's stale updates add up: a step that holds too many occurrences of the hottest word learns less, and
    diverges where nothing bounds a row's step; so the number follows from that word's share of the kept tokens. With
    wide windows pairs are many, and centres are fewer.
    """
    kept = counts * keep_probabilities(counts, config.sample, config.subsampling)
    hottest = float(kept.max() / kept.sum())
    largest = 8192 if backend == "cupy" else 1024
    if in_pairs(config):
        largest = min(largest, _MOST_PAIRS // pairs_a_center(config))
    occurrences = 16 if config.max_update_norm is None else 128
    size = config.group_size
    while 2 * size <= min(largest, occurrences / hottest):
        size *= 2
    return size
