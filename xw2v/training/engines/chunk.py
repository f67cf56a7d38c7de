"""One chunk of training on the CPU, compiled by Numba: what is drawn, group after group, and workers' own rows.

See `cpu.py` for what this does, and `group.py` and `steps.py` for the arithmetic of a group.
"""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import numpy as np

from xw2v.compiled import compiled
from xw2v.training import compiled_draws
from xw2v.training.batches import Chunk
from xw2v.training.compiled_draws import inner, random_bits
from xw2v.training.engines import Tables, group, simd, steps
from xw2v.training.engines.group import (
    gather,
    group_loss,
    place,
    prefetch_rows,
    score,
    sigmoid,
    slopes,
)
from xw2v.training.engines.simd import LANES
from xw2v.training.engines.steps import add_steps
from xw2v.training.sampling import AliasTable

__all__ = ["LOSS_EVERY", "TRAIN", "Options"]

Array = Any

LOSS_EVERY = 8


class Options(NamedTuple):
    """What the loops do, the same for every chunk."""

    window: int
    shrink: bool
    negative: int
    b: int  # centres of a group
    S: int  # noise words of a group; 0: `negative` for every pair
    segment: int
    bound: np.float32 | None  # longest step of a row
    own_words: int
    own_groups: int  # after which a worker's own rows are added to the tables


@inner()
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


@inner()
def _take(numbers: Array, index: Array, into: Array) -> None:
    """`into[:] = numbers[index]`, whose errors Numba would compile for two seconds."""
    for i in range(index.shape[0]):
        into[i] = numbers[index[i]]


@inner()
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


@inner()
def _noise_word(bits: Any, noise: AliasTable) -> Any:
    """See `draw_words`."""
    column = np.int64(((bits >> np.uint64(32)) * np.uint64(noise.thresholds.shape[0])) >> np.uint64(32))
    itself = np.int64(bits & np.uint64(0xFFFFFFFF)) < noise.thresholds[column]
    return column if itself else noise.alias[column]


@inner()
def _draw_noise(options: Options, key: Any, position: int, low: int, high: int, noise: AliasTable, into: Array) -> int:
    """The noise words of the group that begins at a corpus position, or of that centre's pairs; how many they are."""
    S, K, window = options.S, options.negative, options.window
    if S > 0:
        for s in range(S):
            into[s] = _noise_word(random_bits(key, position * S + s), noise)
        return S
    drawn = 0
    for j in range(low, high):
        if j != window:
            slot = j if j < window else j - 1
            for k in range(K):
                into[drawn] = _noise_word(random_bits(key, (position * 2 * window + slot) * K + k), noise)
                drawn += 1
    return drawn


@inner()
def _locate(words: Array, table: Array, own: Array, rows_at: Array) -> None:
    """The addresses of words' rows: those of the most frequent words in a worker's own copy."""
    shared_at, own_at, length = np.int64(table.ctypes.data), np.int64(own.ctypes.data), 4 * table.shape[1]
    for i in range(words.shape[0]):
        begin = own_at if words[i] < own.shape[0] else shared_at
        rows_at[i] = begin + np.int64(words[i]) * length


@inner()
def _share(table: Array, own: Array, before: Array) -> None:
    """Add to the table what a worker's own rows have changed, and take what others have."""
    for w in range(own.shape[0]):
        for k in range(own.shape[1]):
            own[w, k] = before[w, k] = table[w, k] = table[w, k] + (own[w, k] - before[w, k])


@inner()
def _aligned(size: int) -> Array:
    """Zeros that begin where a cache line does."""
    room = np.zeros(size + 16, np.float32)
    skip = (-(room.ctypes.data // 4)) % 16
    return room[skip : skip + size]


# Inlined into the one function that calls it: compiled for itself it would be compiled twice.
@inner(inline="always")
def _train(
    options: Options, tables: Tables, chunk: Chunk, keys: Any, keep_below: Array, noise: AliasTable, alphas: Any
) -> Any:
    """Train on a chunk. Returns (loss measured, pairs it was measured on, pairs, centres, groups).

    `keys` are those of the streams of tokens and of noise, `alphas` the learning rates at both ends of the chunk.
    """
    center_vectors, outside_vectors = tables
    ids, sentences, start = chunk
    token_key, noise_key = keys
    alpha_first, alpha_last = alphas
    window, b = options.window, options.b
    R, D = ids.shape[0], center_vectors.shape[1]
    index, reach = np.empty(R + 1, np.int32), np.empty(R + 1, np.int32)
    N = _keep(ids, start, token_key, keep_below, window, options.shrink, index, reach)
    index = index[:N]
    low, high, kept_sentences = np.empty(N, np.int32), np.empty(N, np.int32), np.empty(N, np.int32)
    _take(sentences, index, kept_sentences)
    _windows(kept_sentences, window, reach, low, high)
    # Context c of a group stands `window` tokens before its centre c, also where there is no such token.
    words = np.zeros(N + 2 * window, np.int32)
    _take(ids, index, words[window:])
    own_V, own_U = center_vectors[: options.own_words].copy(), outside_vectors[: options.own_words].copy()
    before_V, before_U = own_V.copy(), own_U.copy()
    V_at, U_at = np.empty(words.shape[0], np.int64), np.empty(words.shape[0], np.int64)
    _locate(words, center_vectors, own_V, V_at)
    _locate(words, outside_vectors, own_U, U_at)

    most = options.S if options.S > 0 else 2 * window * options.negative
    P = (D + LANES - 1) // LANES * LANES
    M = (place(most, 2 * window) + 5 + 15) // 16 * 16
    # One row more for an odd number of centres; five for blocks of four that begin at a window's last word.
    V_rows, U_rows = _aligned((b + 1) * P), _aligned((place(most, -1) + b + 2 * window + 5) * P)
    scores, sigma = _aligned((b + 1) * M), _aligned((b + 1) * M)
    noise_words, noise_at, next_noise_at = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    weights, sums = np.empty(b, np.float32), _aligned(2 * P + 4)
    loss, measured, pairs, groups = 0.0, 0, 0, 0
    first = next_S = 0
    if N > 0:
        next_S = _draw_noise(options, noise_key, start + index[0], low[0], high[0], noise, noise_words)
        _locate(noise_words[:next_S], outside_vectors, own_U, next_noise_at)
    while first < N:
        border = (index[first] // options.segment + 1) * options.segment
        last = min(first + b, N)
        while index[last - 1] >= border:
            last -= 1
        n, S = last - first, next_S
        noise_at, next_noise_at = next_noise_at, noise_at
        if last < N:
            next_S = _draw_noise(options, noise_key, start + index[last], low[last], high[last], noise, noise_words)
            _locate(noise_words[:next_S], outside_vectors, own_U, next_noise_at)
            prefetch_rows(next_noise_at[:next_S], D)
            prefetch_rows(V_at[window + last : window + min(last + b, N)], D)
            prefetch_rows(U_at[2 * window + last : window + min(last + b + window, N)], D)
        here, there = max(0, window - first), min(n + 2 * window, N + window - first)
        centers_at, contexts_at = V_at[window + first : window + last], U_at[first + here : first + there]
        group_low, group_high = low[first:last], high[first:last]
        group_pairs = 0
        for t in range(n):
            n_pairs = group_high[t] - group_low[t] - 1
            weights[t] = np.float32(n_pairs * options.negative / S) if S > 0 else np.float32(0)
            group_pairs += n_pairs
        gather(centers_at, D, V_rows, P)
        gather(noise_at[:S], D, U_rows, P)
        gather(contexts_at, D, U_rows[(place(S, -1) + here) * P :], P)
        score(V_rows, U_rows, n, P, M, group_low, group_high, S, scores)
        sigmoid(scores[: n * M], sigma)
        if groups % LOSS_EVERY == 0 or measured == 0:
            loss += group_loss(scores, sigma, n, M, group_low, group_high, weights, S, window)
            measured += group_pairs
        # The array engine asks for the rate at R·done // N words; the two ends of the chunk give all between.
        alpha = np.float32(alpha_first + (alpha_last - alpha_first) * ((R * first // N) / R))
        slopes(sigma, n, M, group_low, group_high, weights, S, window, alpha)
        add_steps(
            centers_at, contexts_at, noise_at[:S], here, D, V_rows, U_rows, P, M, group_low, group_high, sigma, window,
            options.bound, sums,
        )  # fmt: skip
        pairs += group_pairs
        groups += 1
        if groups % options.own_groups == 0 or last == N:
            _share(center_vectors, own_V, before_V)
            _share(outside_vectors, own_U, before_U)
        first = last
    return loss, measured, pairs, N, groups


def _cached(sources: str) -> Any:
    """`_train`, whose compiled code is kept between runs.

    Numba compiles anew where the file of a cached function changed, but does not look at the files of what it calls:
    so this one function alone is cached, and the text of all of them is part of what it is cached under.
    """

    @compiled()
    def train(
        options: Options, tables: Tables, chunk: Chunk, keys: Any, keep_below: Array, noise: AliasTable, alphas: Any
    ) -> Any:
        _ = sources
        return _train(options, tables, chunk, keys, keep_below, noise, alphas)

    return train


TRAIN = _cached("".join(inspect.getsource(module) for module in (group, steps, simd, compiled_draws)))
