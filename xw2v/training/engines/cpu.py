"""The fused CPU engine: one group of centres after the other, in loops that Numba compiles. Holds no GIL.

Equals the array engine at a step of one group without `max_update_norm`, up to float rounding: groups are small
enough that no row needs a bound. The same draws are made inside the loops. For each group:

    gather   b rows of V and S + b + 2m rows of U into small buffers, which the first cache holds
    scores   products of the centres with the noise words and with the words of their windows, no others
    slopes   -alpha dJ/dscore
    add      sums of rows, weighted by the slopes, kept in registers and added to the rows of the tables

The loss is taken of every `LOSS_EVERY`-th group of a chunk and scaled to all pairs.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numba import njit

from xw2v.config import Config
from xw2v.training import batches, compiled_draws
from xw2v.training.batches import Chunk
from xw2v.training.compiled_draws import random_bits
from xw2v.training.draws import Purpose, stream_key
from xw2v.training.engines import ChunkResult, Rate, Tables, group, simd
from xw2v.training.engines.group import add_steps, gather, group_loss, place, prefetch_rows, score, sigmoid, slopes
from xw2v.training.engines.simd import LANES
from xw2v.training.sampling import alias_table, keep_thresholds, noise_probabilities

__all__ = ["LOSS_EVERY", "CpuEngine"]

Array = Any

LOSS_EVERY = 8
_GROUP_NEGATIVES = 16


class CpuEngine:
    """See the module. One object serves several threads: it holds nothing that changes."""

    name = "cpu"

    def __init__(self, config: Config, counts: np.ndarray) -> None:
        self.config = config
        self._thresholds = keep_thresholds(counts, config.sample, config.subsampling)
        self._noise = alias_table(noise_probabilities(counts, config.ns_exponent))

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
        loss, measured, pairs, centers, steps = _TRAIN(
            tables.center_vectors,
            tables.outside_vectors,
            chunk.ids,
            chunk.sentences,
            chunk.start,
            batches.SEGMENT,
            np.uint64(stream_key(config.seed, Purpose.TOKEN, epoch)),
            np.uint64(stream_key(config.seed, Purpose.NOISE, epoch)),
            self._thresholds,
            self._noise.thresholds,
            self._noise.alias,
            config.window,
            config.shrink_windows,
            config.negative,
            config.group_size,
            config.group_negatives or _GROUP_NEGATIVES,
            first,
            last,
        )
        return ChunkResult(loss * pairs / max(measured, 1), pairs, centers, steps)


@njit(nogil=True)
def _keep(
    ids: Array, start: int, key: Any, thresholds: Array, window: int, shrink: bool, index: Array, reach: Array
) -> int:
    """Fill in the chunk index and the window of each kept token; how many there are. See `keep_tokens`."""
    kept = 0
    for i in range(ids.shape[0]):
        bits = random_bits(key, start + i)
        index[kept] = i
        reach[kept] = 1 + (((bits >> np.uint64(32)) * np.uint64(window)) >> np.uint64(32)) if shrink else window
        kept += np.int64(bits & np.uint64(0xFFFFFFFF)) < thresholds[ids[i]]
    return kept


@njit(nogil=True)
def _windows(sentences: Array, window: int, reach: Array, low: Array, high: Array) -> None:
    """Where each kept token's window begins and ends: low .. high - 1, itself being at `window`."""
    N = sentences.shape[0]
    begin = 0
    for i in range(N):
        if i > 0 and sentences[i] != sentences[i - 1]:
            begin = i
        low[i] = window - min(reach[i], i - begin)
    end = N
    for i in range(N - 1, -1, -1):
        if i < N - 1 and sentences[i] != sentences[i + 1]:
            end = i + 1
        high[i] = window + min(reach[i] + 1, end - i)


@njit(nogil=True)
def _draw_noise(key: Any, position: int, thresholds: Array, alias: Array, into: Array) -> None:
    """The noise words of the group that begins at a corpus position. See `draw_words`."""
    S = into.shape[0]
    V = np.uint64(thresholds.shape[0])
    for s in range(S):
        bits = random_bits(key, position * S + s)
        column = np.int64(((bits >> np.uint64(32)) * V) >> np.uint64(32))
        itself = np.int64(bits & np.uint64(0xFFFFFFFF)) < thresholds[column]
        into[s] = column if itself else alias[column]


@njit(nogil=True)
def _aligned(size: int) -> Array:
    """Zeros that begin where a cache line does."""
    room = np.zeros(size + 16, np.float32)
    skip = (-(room.ctypes.data // 4)) % 16
    return room[skip : skip + size]


@njit(nogil=True)
def _train(
    center_vectors: Array, outside_vectors: Array, ids: Array, sentences: Array, start: int, segment: int,
    token_key: Any, noise_key: Any, keep_below: Array, noise_below: Array, noise_alias: Array, window: int,
    shrink: bool, negative: int, b: int, S: int, alpha_first: float, alpha_last: float,
) -> Any:  # fmt: skip
    """Train on a chunk. Returns (loss measured, pairs it was measured on, pairs, centres, groups)."""
    R, D = ids.shape[0], center_vectors.shape[1]
    V_table, U_table = center_vectors.reshape(-1), outside_vectors.reshape(-1)
    index, reach = np.empty(R + 1, np.int32), np.empty(R + 1, np.int32)
    N = _keep(ids, start, token_key, keep_below, window, shrink, index, reach)
    index = index[:N]
    low, high = np.empty(N, np.int32), np.empty(N, np.int32)
    _windows(sentences[index], window, reach, low, high)
    # Context c of a group stands `window` tokens before its centre c, also where there is no such token.
    words = np.zeros(N + 2 * window, np.int32)
    words[window : window + N] = ids[index]
    P = (D + LANES - 1) // LANES * LANES
    contexts_at = place(S, -1)
    M = (place(S, 2 * window) + 5 + 15) // 16 * 16
    # One row more for an odd number of centres; five for blocks of four that begin at a window's last word.
    V_rows, U_rows = _aligned((b + 1) * P), _aligned((contexts_at + b + 2 * window + 5) * P)
    scores, sigma = np.empty((b + 1) * M, np.float32), _aligned((b + 1) * M)
    noise, next_noise = np.empty(S, np.int32), np.empty(S, np.int32)
    weights = np.empty(b, np.float32)
    loss, measured, pairs, groups = 0.0, 0, 0, 0
    first = 0
    if N > 0:
        _draw_noise(noise_key, start + index[0], noise_below, noise_alias, next_noise)
    while first < N:
        border = (index[first] // segment + 1) * segment
        last = min(first + b, N)
        while index[last - 1] >= border:
            last -= 1
        n = last - first
        noise, next_noise = next_noise, noise
        if last < N:
            _draw_noise(noise_key, start + index[last], noise_below, noise_alias, next_noise)
            prefetch_rows(U_table, D, next_noise)
            prefetch_rows(V_table, D, words[window + last : window + min(last + b, N)])
            prefetch_rows(U_table, D, words[2 * window + last : window + min(last + b + window, N)])
        here, there = max(0, window - first), min(n + 2 * window, N + window - first)
        centers, contexts = words[window + first : window + last], words[first + here : first + there]
        group_low, group_high = low[first:last], high[first:last]
        group_pairs = 0
        for t in range(n):
            n_pairs = group_high[t] - group_low[t] - 1
            weights[t] = np.float32(n_pairs * negative / S)
            group_pairs += n_pairs
        gather(V_table, D, centers, V_rows, P)
        gather(U_table, D, noise, U_rows, P)
        gather(U_table, D, contexts, U_rows[(contexts_at + here) * P :], P)
        score(V_rows, U_rows, n, P, M, group_low, group_high, S, sigma)
        is_measured = groups % LOSS_EVERY == 0
        if is_measured:
            scores[:] = sigma
        sigmoid(sigma[: n * M])
        if is_measured:
            loss += group_loss(scores, sigma, n, M, group_low, group_high, weights, S, window)
            measured += group_pairs
        # The array engine asks for the rate at R·done // N words; the two ends of the chunk give all between.
        alpha = np.float32(alpha_first + (alpha_last - alpha_first) * ((R * first // N) / R))
        slopes(sigma, n, M, group_low, group_high, weights, S, window, alpha)
        add_steps(
            V_table, U_table, D, centers, contexts, noise, here, V_rows, U_rows, P, M, group_low, group_high, sigma,
            window,
        )  # fmt: skip
        pairs += group_pairs
        groups += 1
        first = last
    return loss, measured, pairs, N, groups


def _cached(sources: str) -> Any:
    """`_train`, whose compiled code is kept between runs.

    Numba compiles anew where the file of a cached function changed, but does not look at the files of what it calls:
    so this one function alone is cached, and the text of all of them is part of what it is cached under.
    """

    @njit(nogil=True, cache=True)
    def train(*options: Any) -> Any:
        _ = sources
        return _train(*options)

    return train


_TRAIN = _cached("".join(inspect.getsource(module) for module in (group, simd, compiled_draws)))
