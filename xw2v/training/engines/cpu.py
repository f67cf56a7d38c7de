"""The fused CPU engine: one group of centres after the other, in loops that Numba compiles. Holds no GIL.

Equals the array engine at a step of one group without `max_update_norm`, up to float rounding: groups are small
enough that no row needs a bound. The same draws are made inside the loops. For each group:

    gather   b rows of V and b + 2m + S rows of U into small contiguous buffers
    scores   (b, D)·(D, b + 2m + S)                      one BLAS product
    slopes   -alpha dJ/dscore, zero outside the windows  one pass, vectorised
    steps    slopes · U rows, slopesᵀ · V rows           two BLAS products
    add      the steps to the rows of the tables

The loss is taken of every `LOSS_EVERY`-th group of a chunk and scaled to all pairs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from xw2v.config import Config
from xw2v.training import batches
from xw2v.training.batches import Chunk
from xw2v.training.draws import Purpose, stream_key
from xw2v.training.engines import ChunkResult, Rate, Tables
from xw2v.training.sampling import alias_table, keep_thresholds, noise_probabilities

__all__ = ["LOSS_EVERY", "CpuEngine"]

Array = Any

LOSS_EVERY = 16
_GROUP_NEGATIVES = 16


class CpuEngine:
    """See the module. One object serves several threads: it holds nothing that changes."""

    name = "cpu"

    def __init__(self, config: Config, counts: np.ndarray) -> None:
        self.config = config
        self._thresholds = keep_thresholds(counts, config.sample, config.subsampling)
        self._noise = alias_table(noise_probabilities(counts, config.ns_exponent))

    def compile(self) -> None:
        """Have the loops compiled, or fetched from Numba's cache, by training on one token: nothing is learned."""
        tables = Tables(*(np.zeros((len(self._thresholds), self.config.vector_size), np.float32) for _ in range(2)))
        one = Chunk(np.zeros(1, np.int32), np.ones(1, np.int32), 0)
        self.train_chunk(tables, one, 0, lambda words, step: 0.0)

    def train_chunk(self, tables: Tables, chunk: Chunk, epoch: int, rate: Rate, skip: int = 0) -> ChunkResult:
        """See `Engine.train_chunk`. Trains a chunk as a whole."""
        config = self.config
        first, last = rate(0, 0), rate(len(chunk.ids), 0)
        if first is None or last is None:
            return ChunkResult(0.0, 0, 0, 0)
        loss, measured, pairs, centers, steps = _train(
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


_FAST = {"reassoc", "contract", "nsz", "arcp"}  # all but assuming that NaN and infinity never come


@njit(nogil=True, cache=True, inline="always")
def _bits(key: Any, counter: Any) -> Any:
    """64 random bits: `draws.draw` of one counter."""
    z = key + (np.uint64(counter) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(nogil=True, cache=True)
def _keep(
    ids: Array, start: int, key: Any, thresholds: Array, window: int, shrink: bool, index: Array, reach: Array
) -> int:
    """Fill in the chunk index and the window of each kept token; how many there are. See `keep_tokens`."""
    kept = 0
    for i in range(ids.shape[0]):
        bits = _bits(key, start + i)
        if np.int64(bits & np.uint64(0xFFFFFFFF)) < thresholds[ids[i]]:
            index[kept] = i
            reach[kept] = 1 + (((bits >> np.uint64(32)) * np.uint64(window)) >> np.uint64(32)) if shrink else window
            kept += 1
    return kept


@njit(nogil=True, cache=True)
def _draw_noise(key: Any, position: int, thresholds: Array, alias: Array, into: Array) -> None:
    """The noise words of the group that begins at a corpus position. See `draw_words`."""
    S = into.shape[0]
    V = np.uint64(thresholds.shape[0])
    for s in range(S):
        bits = _bits(key, position * S + s)
        column = np.int64(((bits >> np.uint64(32)) * V) >> np.uint64(32))
        itself = np.int64(bits & np.uint64(0xFFFFFFFF)) < thresholds[column]
        into[s] = column if itself else alias[column]


@njit(nogil=True, cache=True, fastmath=_FAST)
def _sigmoid(x: Array) -> None:
    """σ of a float32 vector in place, within 2e-7: half of 1 + tanh(x / 2), tanh by a rational function.

    The coefficients are those of Eigen's ptanh (generic_fast_tanh_float), whose argument is held in ±7.9.
    """
    for i in range(x.shape[0]):
        t = min(max(x[i] * np.float32(0.5), np.float32(-7.90531110763549805)), np.float32(7.90531110763549805))
        s = t * t
        p = np.float32(-2.76076847742355e-16)
        p = p * s + np.float32(2.00018790482477e-13)
        p = p * s + np.float32(-8.60467152213735e-11)
        p = p * s + np.float32(5.12229709037114e-08)
        p = p * s + np.float32(1.48572235717979e-05)
        p = p * s + np.float32(6.37261928875436e-04)
        p = p * s + np.float32(4.89352455891786e-03)
        q = np.float32(1.19825839466702e-06)
        q = q * s + np.float32(1.18534705686654e-04)
        q = q * s + np.float32(2.26843463243900e-03)
        q = q * s + np.float32(4.89352518554385e-03)
        x[i] = np.float32(0.5) + np.float32(0.5) * (t * p / q)


@njit(nogil=True, cache=True)
def _log_sigmoid(x: float) -> float:
    return min(x, 0.0) - math.log1p(math.exp(-abs(x)))


@njit(nogil=True, cache=True)
def _group_loss(scores: Array, low: Array, high: Array, own: Array, weights: Array, contexts: int) -> float:
    """The loss of a group from its scores, in float64."""
    loss = 0.0
    for t in range(scores.shape[0]):
        for c in range(low[t], high[t]):
            if c != own[t]:
                loss -= _log_sigmoid(scores[t, c])
        noise = 0.0
        for s in range(contexts, scores.shape[1]):
            noise += _log_sigmoid(-scores[t, s])
        loss -= weights[t] * noise
    return loss


@njit(nogil=True, cache=True, fastmath=_FAST)
def _slopes(sigma: Array, low: Array, high: Array, own: Array, weights: Array, contexts: int, alpha: Any) -> None:
    """From σ(score) to -alpha dJ/dscore in place: alpha (1 - σ) in a window, -alpha w σ for noise, else 0."""
    for t in range(sigma.shape[0]):
        row = sigma[t]
        for c in range(contexts):
            inside = low[t] <= c < high[t] and c != own[t]
            row[c] = alpha * (np.float32(1) - row[c]) if inside else np.float32(0)
        push = -alpha * weights[t]
        for s in range(contexts, row.shape[0]):
            row[s] *= push


@njit(nogil=True, cache=True, fastmath=_FAST)
def _gather(table: Array, ids: Array, into: Array) -> None:
    for i in range(ids.shape[0]):
        source, target = table[np.uint32(ids[i])], into[i]
        for d in range(target.shape[0]):
            target[d] = source[d]


@njit(nogil=True, cache=True, fastmath=_FAST)
def _scatter(table: Array, ids: Array, rows: Array) -> None:
    for i in range(ids.shape[0]):
        target, source = table[np.uint32(ids[i])], rows[i]
        for d in range(source.shape[0]):
            target[d] += source[d]


@njit(nogil=True, cache=True)
def _train(
    center_vectors: Array, outside_vectors: Array, ids: Array, sentences: Array, start: int, segment: int,
    token_key: Any, noise_key: Any, keep_below: Array, noise_below: Array, noise_alias: Array, window: int,
    shrink: bool, negative: int, b: int, S: int, alpha_first: float, alpha_last: float,
) -> Any:  # fmt: skip
    """Train on a chunk. Returns (loss measured, pairs it was measured on, pairs, centres, groups)."""
    R, D = ids.shape[0], center_vectors.shape[1]
    index, reach = np.empty(R, np.int32), np.empty(R, np.int32)
    N = _keep(ids, start, token_key, keep_below, window, shrink, index, reach)
    most = b + 2 * window + S
    V_rows, V_steps = np.empty((b, D), np.float32), np.empty((b, D), np.float32)
    U_rows, U_steps = np.empty((most, D), np.float32), np.empty((most, D), np.float32)
    flat = np.empty(b * most, np.float32)
    row_ids, center_ids = np.empty(most, np.int32), np.empty(b, np.int32)
    low, high, own = np.empty(b, np.int32), np.empty(b, np.int32), np.empty(b, np.int32)
    weights = np.empty(b, np.float32)
    loss, measured, pairs, groups = 0.0, 0, 0, 0
    first = 0
    while first < N:
        border = (index[first] // segment + 1) * segment
        last = first
        while last < N and last < first + b and index[last] < border:
            last += 1
        begin, end = max(0, first - window), min(N, last + window)
        n, C = last - first, end - begin
        group_pairs = 0
        for t in range(n):
            i = first + t
            sentence = sentences[index[i]]
            left, right = i, i + 1
            while left > begin and i - left < reach[i] and sentences[index[left - 1]] == sentence:
                left -= 1
            while right < end and right - i <= reach[i] and sentences[index[right]] == sentence:
                right += 1
            low[t], high[t], own[t] = left - begin, right - begin, i - begin
            weights[t] = np.float32((right - left - 1) * negative / S)
            group_pairs += right - left - 1
            center_ids[t] = ids[index[i]]
        for c in range(C):
            row_ids[c] = ids[index[begin + c]]
        _draw_noise(noise_key, start + index[first], noise_below, noise_alias, row_ids[C : C + S])
        rows = C + S
        _gather(center_vectors, center_ids[:n], V_rows)
        _gather(outside_vectors, row_ids[:rows], U_rows)
        slopes = flat[: n * rows].reshape((n, rows))
        np.dot(V_rows[:n], U_rows[:rows].T, slopes)
        if groups % LOSS_EVERY == 0:
            loss += _group_loss(slopes, low, high, own, weights, C)
            measured += group_pairs
        _sigmoid(flat[: n * rows])
        # The array engine asks for the rate at R·done // N words; the two ends of the chunk give all between.
        alpha = alpha_first + (alpha_last - alpha_first) * ((R * first // N) / R)
        _slopes(slopes, low, high, own, weights, C, np.float32(alpha))
        np.dot(slopes, U_rows[:rows], V_steps[:n])
        np.dot(slopes.T, V_rows[:n], U_steps[:rows])
        _scatter(center_vectors, center_ids[:n], V_steps)
        _scatter(outside_vectors, row_ids[:rows], U_steps)
        pairs += group_pairs
        groups += 1
        first = last
    return loss, measured, pairs, N, groups
