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
from xw2v.training.engines.simd import LANES, add_first_to, add_to, fma, load, load_first, prefetch, splat, store, store_totals
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
def _keep(ids: Array, start: int, key: Any, thresholds: Array, window: int, shrink: bool, index: Array, reach: Array) -> int:
    """Fill in the chunk index and the window of each kept token; how many there are. See `keep_tokens`."""
    kept = 0
    for i in range(ids.shape[0]):
        bits = _bits(key, start + i)
        index[kept] = i
        reach[kept] = 1 + (((bits >> np.uint64(32)) * np.uint64(window)) >> np.uint64(32)) if shrink else window
        kept += np.int64(bits & np.uint64(0xFFFFFFFF)) < thresholds[ids[i]]
    return kept


@njit(nogil=True, cache=True)
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


# Python's error model would test each divisor for zero, and LLVM would not vectorise the loop.
@njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")
def _sigmoid(x: Array) -> None:
    """σ of a float32 vector in place, within 2e-7: half of 1 + tanh(x / 2), tanh by a rational function.

    The coefficients are those of Eigen's ptanh (generic_fast_tanh_float), whose argument is held in ±7.9.
    """
    for i in range(x.shape[0]):
        t = x[i] * np.float32(0.5)
        t = np.float32(7.90531110763549805) if t > np.float32(7.90531110763549805) else t
        t = np.float32(-7.90531110763549805) if t < np.float32(-7.90531110763549805) else t
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
def _gather(table: Array, D: int, ids: Array, into: Array, P: int) -> None:
    """Rows of a table, side by side, each filled up with zeros to P numbers."""
    for i in range(ids.shape[0]):
        source, target = np.int64(ids[i]) * D, i * P
        k = 0
        while k + LANES <= D:
            store(into, target + k, load(table, source + k))
            k += LANES
        if k < D:
            store(into, target + k, load_first(table, source + k, D - k))


@njit(nogil=True, cache=True)
def _dots(V: Array, v: int, U: Array, u: int, P: int, into: Array, at: int, at2: int) -> None:
    """The products of two rows of V with four rows of U."""
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = splat(np.float32(0))
    for k in range(0, P, LANES):
        x, y = load(V, v + k), load(V, v + P + k)
        z = load(U, u + k)
        a0, b0 = fma(x, z, a0), fma(y, z, b0)
        z = load(U, u + P + k)
        a1, b1 = fma(x, z, a1), fma(y, z, b1)
        z = load(U, u + 2 * P + k)
        a2, b2 = fma(x, z, a2), fma(y, z, b2)
        z = load(U, u + 3 * P + k)
        a3, b3 = fma(x, z, a3), fma(y, z, b3)
    store_totals(into, at, a0, a1, a2, a3)
    store_totals(into, at2, b0, b1, b2, b3)


@njit(nogil=True, cache=True)
def _add_weighted(
    table: Array, row: int, other: int, D: int, weights: Array, w: int, w2: int, stride: int, rows: Array, first: int, count: int, P: int
) -> None:
    """table[row] += the sum of weights[w + i stride] rows[first + i]; table[other] likewise, weights beginning at w2."""
    k, target, target2 = 0, row * D, other * D
    while k + 4 * LANES <= D:
        a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = splat(np.float32(0))
        at = first * P + k
        for i in range(count):
            x, y = splat(weights[w + i * stride]), splat(weights[w2 + i * stride])
            z = load(rows, at)
            a0, b0 = fma(x, z, a0), fma(y, z, b0)
            z = load(rows, at + LANES)
            a1, b1 = fma(x, z, a1), fma(y, z, b1)
            z = load(rows, at + 2 * LANES)
            a2, b2 = fma(x, z, a2), fma(y, z, b2)
            z = load(rows, at + 3 * LANES)
            a3, b3 = fma(x, z, a3), fma(y, z, b3)
            at += P
        add_to(table, target + k, a0)
        add_to(table, target + k + LANES, a1)
        add_to(table, target + k + 2 * LANES, a2)
        add_to(table, target + k + 3 * LANES, a3)
        add_to(table, target2 + k, b0)
        add_to(table, target2 + k + LANES, b1)
        add_to(table, target2 + k + 2 * LANES, b2)
        add_to(table, target2 + k + 3 * LANES, b3)
        k += 4 * LANES
    while k + 2 * LANES <= D:
        a0 = a1 = b0 = b1 = splat(np.float32(0))
        at = first * P + k
        for i in range(count):
            x, y = splat(weights[w + i * stride]), splat(weights[w2 + i * stride])
            z = load(rows, at)
            a0, b0 = fma(x, z, a0), fma(y, z, b0)
            z = load(rows, at + LANES)
            a1, b1 = fma(x, z, a1), fma(y, z, b1)
            at += P
        add_to(table, target + k, a0)
        add_to(table, target + k + LANES, a1)
        add_to(table, target2 + k, b0)
        add_to(table, target2 + k + LANES, b1)
        k += 2 * LANES
    while k < D:
        a0 = b0 = splat(np.float32(0))
        at = first * P + k
        for i in range(count):
            z = load(rows, at)
            a0 = fma(splat(weights[w + i * stride]), z, a0)
            b0 = fma(splat(weights[w2 + i * stride]), z, b0)
            at += P
        if k + LANES <= D:
            add_to(table, target + k, a0)
            add_to(table, target2 + k, b0)
        else:
            add_first_to(table, target + k, D - k, a0)
            add_first_to(table, target2 + k, D - k, b0)
        k += LANES


@njit(nogil=True, cache=True)
def _group_loss(scores: Array, n: int, M: int, low: Array, high: Array, weights: Array, S: int, S4: int, m: int) -> float:
    """The loss of a group from its scores, in float64."""
    loss = 0.0
    for t in range(n):
        row = scores[t * M : (t + 1) * M]
        for j in range(low[t], high[t]):
            if j != m:
                loss -= _log_sigmoid(row[S4 + 1 + j])
        noise = 0.0
        for s in range(S):
            noise += _log_sigmoid(-row[s])
        loss -= weights[t] * noise
    return loss


@njit(nogil=True, cache=True, fastmath=_FAST)
def _slopes(sigma: Array, n: int, M: int, low: Array, high: Array, weights: Array, S: int, S4: int, m: int, alpha: Any) -> None:
    """From σ(score) to -alpha dJ/dscore in place: alpha (1 - σ) in a window, -alpha w σ for noise, else 0."""
    for t in range(n):
        row = sigma[t * M : (t + 1) * M]
        push = -alpha * weights[t]
        for s in range(S):
            row[s] *= push
        row[S:S4] = np.float32(0)
        l, h = S4 + 1 + low[t], S4 + 1 + high[t]
        own = S4 + 1 + m
        for j in range(S4, M):
            inside = l <= j < h and j != own
            row[j] = alpha * (np.float32(1) - row[j]) if inside else np.float32(0)
    sigma[n * M : (n + 1) * M] = np.float32(0)


@njit(nogil=True, cache=True)
def _aligned(size: int) -> Array:
    """Zeros that begin where a cache line does."""
    room = np.zeros(size + 16, np.float32)
    skip = (-(room.ctypes.data // 4)) % 16
    return room[skip : skip + size]


@njit(nogil=True, cache=True)
def _prefetch(table: Array, D: int, ids: Array) -> None:
    for i in range(ids.shape[0]):
        row = np.int64(ids[i]) * D
        for k in range(0, D, 16):
            prefetch(table, row + k)
        prefetch(table, row + D - 1)


@njit(nogil=True, cache=True)
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
    S4 = (S + 3) // 4 * 4
    M = (S4 + 2 * window + 6 + 15) // 16 * 16
    V_rows, U_rows = _aligned((b + 1) * P), _aligned((S4 + b + 2 * window + 5) * P)
    flat = _aligned((b + 1) * M)
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
            _prefetch(U_table, D, next_noise)
            _prefetch(V_table, D, words[window + last : min(window + last + b, window + N)])
            _prefetch(U_table, D, words[2 * window + last : min(2 * window + last + b, window + N)])
        l, h = low[first:last], high[first:last]
        here, there = max(0, window - first), min(n + 2 * window, N + window - first)
        centers, contexts = words[window + first : window + last], words[first + here : first + there]
        group_pairs = 0
        for t in range(n):
            weights[t] = np.float32((h[t] - l[t] - 1) * negative / S)
            group_pairs += h[t] - l[t] - 1
        _gather(V_table, D, centers, V_rows, P)
        _gather(U_table, D, noise, U_rows, P)
        _gather(U_table, D, contexts, U_rows[(S4 + here) * P :], P)
        for t in range(0, n, 2):
            for s in range(0, S4, 4):
                _dots(V_rows, t * P, U_rows, s * P, P, flat, t * M + s, t * M + M + s)
        for t in range(0, n, 2):
            j0, j1 = l[t], h[t]
            if t + 1 < n:
                j0, j1 = min(j0, l[t + 1] + 1), max(j1, h[t + 1] + 1)
            for j in range(j0, j1, 4):
                at = t * M + S4 + 1 + j
                _dots(V_rows, t * P, U_rows, (S4 + t + j) * P, P, flat, at, at + M - 1)
        if groups % LOSS_EVERY == 0:
            loss += _group_loss(flat, n, M, l, h, weights, S, S4, window)
            measured += group_pairs
        _sigmoid(flat[: n * M])
        # The array engine asks for the rate at R·done // N words; the two ends of the chunk give all between.
        alpha = alpha_first + (alpha_last - alpha_first) * ((R * first // N) / R)
        _slopes(flat, n, M, l, h, weights, S, S4, window, np.float32(alpha))
        for t in range(0, n, 2):
            t1 = min(t + 1, n - 1)
            row, other = np.int64(centers[t]), np.int64(centers[t1])
            at = t * M
            _add_weighted(V_table, row, other, D, flat, at, at + M, 1, U_rows, 0, S, P)
            j0, j1 = min(l[t], l[t1] + 1), max(h[t], h[t1] + 1)
            at += S4 + 1 + j0
            _add_weighted(V_table, row, other, D, flat, at, at + M - 1, 1, U_rows, S4 + t + j0, j1 - j0, P)
        for s in range(0, S, 2):
            row, other = np.int64(noise[s]), np.int64(noise[min(s + 1, S - 1)])
            _add_weighted(U_table, row, other, D, flat, s, s + 1, M, V_rows, 0, n, P)
        for c in range(here, there, 2):
            row, other = np.int64(contexts[c - here]), np.int64(contexts[min(c + 1, there - 1) - here])
            t0, t1 = max(0, c - 2 * window), min(n, c + 2)
            at = t0 * M + S4 + 1 + c - t0
            _add_weighted(U_table, row, other, D, flat, at, at + 1, M - 1, V_rows, t0, t1 - t0, P)
        pairs += group_pairs
        groups += 1
        first = last
    return loss, measured, pairs, N, groups
