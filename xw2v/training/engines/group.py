"""The arithmetic of one group on the CPU, compiled by Numba: from rows to scores, slopes, and sums added to the tables.

Scores lie in a band: row t has S noise words, a zero, the 2m + 1 places of centre t's window, and zeros. Place j of
row t and place j - 1 of row t + 1 are the same word, and beyond the window's edges there are zeros; so two rows, or two
columns, can always be worked on together, and each row of the other table is read once for both.

Rows are copied into small buffers which the first cache holds, each filled up with zeros to P numbers, a multiple of
LANES. Everything of a group is read before anything is written. A row of a table is known by its address: it may lie in
the table or in a worker's own copy of some rows. Nothing here is cached for itself: see `chunk.py`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xw2v.training.compiled_draws import inner
from xw2v.training.engines.simd import (
    LANES,
    add_at,
    add_first_at,
    fma,
    load,
    load_at,
    load_first_at,
    prefetch,
    splat,
    splat_at,
    store,
    store_totals,
)

__all__ = ["add_steps", "gather", "group_loss", "place", "prefetch_rows", "score", "sigmoid", "slopes"]

Array = Any

_BYTES = 4  # of a float32
_FAST = {"reassoc", "contract", "nsz", "arcp"}  # all but assuming that NaN and infinity never come


@inner(inline="always")
def place(S: int, j: int) -> int:
    """The column of place j of a window. The noise words before it are filled up to a multiple of 4."""
    return (S + 3) // 4 * 4 + 1 + j


@inner()
def prefetch_rows(rows_at: Array, D: int) -> None:
    """Ask for rows that will be wanted soon."""
    for address in rows_at:
        for k in range(0, D, 16):
            prefetch(address + k * _BYTES)
        prefetch(address + (D - 1) * _BYTES)


@inner()
def gather(rows_at: Array, D: int, into: Array, P: int) -> None:
    """Rows side by side, each filled up with zeros to P numbers."""
    for i in range(rows_at.shape[0]):
        address, target = rows_at[i], i * P
        k = 0
        while k + LANES <= D:
            store(into, target + k, load_at(address + k * _BYTES))
            k += LANES
        if k < D:
            store(into, target + k, load_first_at(address + k * _BYTES, D - k))


@inner()
def _dots(V: Array, v: int, U: Array, u: int, P: int, into: Array, at: int, at_other: int) -> None:
    """The products of a row of V with four rows of U, written from `at` on, and of V's next row, from `at_other` on."""
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = splat(np.float32(0))
    for k in range(0, P, LANES):
        a, b = load(V, v + k), load(V, v + P + k)
        x = load(U, u + k)
        a0, b0 = fma(a, x, a0), fma(b, x, b0)
        x = load(U, u + P + k)
        a1, b1 = fma(a, x, a1), fma(b, x, b1)
        x = load(U, u + 2 * P + k)
        a2, b2 = fma(a, x, a2), fma(b, x, b2)
        x = load(U, u + 3 * P + k)
        a3, b3 = fma(a, x, a3), fma(b, x, b3)
    store_totals(into, at, a0, a1, a2, a3)
    store_totals(into, at_other, b0, b1, b2, b3)


@inner()
def score(V_rows: Array, U_rows: Array, n: int, P: int, M: int, low: Array, high: Array, S: int, scores: Array) -> None:
    """The products of centres with noise words, and with the words of their windows and some around them."""
    contexts, zero = place(S, -1), place(S, 0)
    for t in range(0, n, 2):
        for s in range(0, S, 4):
            _dots(V_rows, t * P, U_rows, s * P, P, scores, t * M + s, t * M + M + s)
        t1 = min(t + 1, n - 1)
        for j in range(min(low[t], low[t1] + 1), max(high[t], high[t1] + 1), 4):
            at = t * M + zero + j
            _dots(V_rows, t * P, U_rows, (contexts + t + j) * P, P, scores, at, at + M - 1)


# Python's error model would test each divisor for zero, and LLVM would not vectorise the loop.
@inner(fastmath=_FAST, error_model="numpy")
def sigmoid(x: Array, into: Array) -> None:
    """σ of a float32 vector, within 2e-7: half of 1 + tanh(x / 2), tanh by a rational function.

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
        into[i] = np.float32(0.5) + np.float32(0.5) * (t * p / q)


@inner()
def _loss(scores: Array, sigma: Array, sign: float) -> float:
    """The sum of -log σ(sign · score), in float64.

    Each is max(-sign · score, 0) - log max(σ, 1 - σ). The numbers under the logarithm, a half or more, are multiplied
    first, as long as a float64 holds their product.
    """
    loss, product = 0.0, 1.0
    for i in range(scores.shape[0]):
        loss += max(-sign * scores[i], 0.0)
        product *= max(np.float64(sigma[i]), 1.0 - sigma[i])
        if product < 1e-300:
            loss -= math.log(product)
            product = 1.0
    return loss - math.log(product)


@inner()
def group_loss(
    scores: Array, sigma: Array, n: int, M: int, low: Array, high: Array, weights: Array, S: int, window: int
) -> float:
    """The loss of a group from its scores and their σ, in float64."""
    loss = 0.0
    for t in range(n):
        noise, zero = t * M, t * M + place(S, 0)
        own = zero + window
        loss += weights[t] * _loss(scores[noise : noise + S], sigma[noise : noise + S], -1.0)
        loss += _loss(scores[zero + low[t] : own], sigma[zero + low[t] : own], 1.0)
        loss += _loss(scores[own + 1 : zero + high[t]], sigma[own + 1 : zero + high[t]], 1.0)
    return loss


@inner(fastmath=_FAST)
def slopes(
    sigma: Array, n: int, M: int, low: Array, high: Array, weights: Array, S: int, window: int, alpha: Any
) -> None:
    """From σ(score) to -alpha dJ/dscore in place: alpha (1 - σ) in a window, -alpha w σ for noise, else 0."""
    zero = place(S, 0)
    for t in range(n):
        push = -alpha * weights[t]
        noise, around = sigma[t * M : t * M + S], sigma[t * M + S : (t + 1) * M]
        for s in range(S):
            noise[s] *= push
        begin, end, own = zero - S + low[t], zero - S + high[t], zero - S + window
        # Without a branch, and with numbers of 32 bits, LLVM works on many places at once.
        for j in range(np.int32(around.shape[0])):
            inside = (np.int32(begin) <= j) & (j < np.int32(end)) & (j != np.int32(own))
            around[np.uint32(j)] = alpha * (np.float32(1) - around[np.uint32(j)]) if inside else np.float32(0)
    sigma[n * M : (n + 1) * M] = np.float32(0)


@inner(inline="always")
def _four(slopes: Array, at: int, at_other: int, step: int, rows: Array, source: int, count: int, P: int) -> Any:
    """Four vectors of each of two sums of slopes[at + i step] rows[first + i], of the same rows."""
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = splat(np.float32(0))
    for i in range(count):
        a, b = splat_at(slopes, at + i * step), splat_at(slopes, at_other + i * step)
        x = load(rows, source)
        a0, b0 = fma(a, x, a0), fma(b, x, b0)
        x = load(rows, source + LANES)
        a1, b1 = fma(a, x, a1), fma(b, x, b1)
        x = load(rows, source + 2 * LANES)
        a2, b2 = fma(a, x, a2), fma(b, x, b2)
        x = load(rows, source + 3 * LANES)
        a3, b3 = fma(a, x, a3), fma(b, x, b3)
        source += P
    return a0, a1, a2, a3, b0, b1, b2, b3


@inner(inline="always")
def _three(slopes: Array, at: int, at_other: int, step: int, rows: Array, source: int, count: int, P: int) -> Any:
    """As `_four`, three vectors."""
    a0 = a1 = a2 = b0 = b1 = b2 = splat(np.float32(0))
    for i in range(count):
        a, b = splat_at(slopes, at + i * step), splat_at(slopes, at_other + i * step)
        x = load(rows, source)
        a0, b0 = fma(a, x, a0), fma(b, x, b0)
        x = load(rows, source + LANES)
        a1, b1 = fma(a, x, a1), fma(b, x, b1)
        x = load(rows, source + 2 * LANES)
        a2, b2 = fma(a, x, a2), fma(b, x, b2)
        source += P
    return a0, a1, a2, b0, b1, b2


@inner(inline="always")
def _one(slopes: Array, at: int, at_other: int, step: int, rows: Array, source: int, count: int, P: int) -> Any:
    """As `_four`, one vector."""
    a0 = b0 = splat(np.float32(0))
    for i in range(count):
        x = load(rows, source)
        a0 = fma(splat_at(slopes, at + i * step), x, a0)
        b0 = fma(splat_at(slopes, at_other + i * step), x, b0)
        source += P
    return a0, b0


# Each caller has another step, often 1: as a call of its own this takes a tenth longer.
@inner(forceinline=True)
def _add_sums(
    row_at: int, other_at: int, D: int, slopes: Array, at: int, at_other: int, step: int, rows: Array, first: int,
    count: int, P: int,
) -> None:  # fmt: skip
    """To one row add the sum of slopes[at + i step] rows[first + i], and to another the same from `at_other` on."""
    k, length = 0, LANES * _BYTES
    while k + 4 * LANES <= D:
        a0, a1, a2, a3, b0, b1, b2, b3 = _four(slopes, at, at_other, step, rows, first * P + k, count, P)
        to, to_other = row_at + k * _BYTES, other_at + k * _BYTES
        add_at(to, a0)
        add_at(to + length, a1)
        add_at(to + 2 * length, a2)
        add_at(to + 3 * length, a3)
        add_at(to_other, b0)
        add_at(to_other + length, b1)
        add_at(to_other + 2 * length, b2)
        add_at(to_other + 3 * length, b3)
        k += 4 * LANES
    if k + 2 * LANES < D:
        a0, a1, a2, b0, b1, b2 = _three(slopes, at, at_other, step, rows, first * P + k, count, P)
        to, to_other = row_at + k * _BYTES, other_at + k * _BYTES
        add_at(to, a0)
        add_at(to + length, a1)
        add_first_at(to + 2 * length, D - k - 2 * LANES, a2)
        add_at(to_other, b0)
        add_at(to_other + length, b1)
        add_first_at(to_other + 2 * length, D - k - 2 * LANES, b2)
        k += 3 * LANES
    while k < D:
        a0, b0 = _one(slopes, at, at_other, step, rows, first * P + k, count, P)
        to, to_other = row_at + k * _BYTES, other_at + k * _BYTES
        if k + LANES <= D:
            add_at(to, a0)
            add_at(to_other, b0)
        else:
            add_first_at(to, D - k, a0)
            add_first_at(to_other, D - k, b0)
        k += LANES


@inner(inline="always")
def _keep(sums: Array, at: int, vector: Any, square: Any) -> Any:
    total = fma(splat(np.float32(1)), vector, load(sums, at))
    store(sums, at, total)
    return fma(total, total, square)


@inner(forceinline=True)
def _keep_sums(
    slopes: Array, at: int, at_other: int, step: int, rows: Array, first: int, count: int, P: int, sums: Array
) -> None:
    """Add both sums to `sums`, where they stand one after the other; behind them the squares of their lengths."""
    square = square_other = splat(np.float32(0))
    k = 0
    while k + 4 * LANES <= P:
        a0, a1, a2, a3, b0, b1, b2, b3 = _four(slopes, at, at_other, step, rows, first * P + k, count, P)
        square, square_other = _keep(sums, k, a0, square), _keep(sums, P + k, b0, square_other)
        k += LANES
        square, square_other = _keep(sums, k, a1, square), _keep(sums, P + k, b1, square_other)
        k += LANES
        square, square_other = _keep(sums, k, a2, square), _keep(sums, P + k, b2, square_other)
        k += LANES
        square, square_other = _keep(sums, k, a3, square), _keep(sums, P + k, b3, square_other)
        k += LANES
    if k + 2 * LANES < P:
        a0, a1, a2, b0, b1, b2 = _three(slopes, at, at_other, step, rows, first * P + k, count, P)
        square, square_other = _keep(sums, k, a0, square), _keep(sums, P + k, b0, square_other)
        k += LANES
        square, square_other = _keep(sums, k, a1, square), _keep(sums, P + k, b1, square_other)
        k += LANES
        square, square_other = _keep(sums, k, a2, square), _keep(sums, P + k, b2, square_other)
        k += LANES
    while k < P:
        a0, b0 = _one(slopes, at, at_other, step, rows, first * P + k, count, P)
        square, square_other = _keep(sums, k, a0, square), _keep(sums, P + k, b0, square_other)
        k += LANES
    store_totals(sums, 2 * P, square, square_other, square, square_other)


@inner()
def _add_bounded(row_at: int, D: int, sums: Array, at: int, square: Any, bound: Any) -> None:
    """Add a kept sum to a row, shortened to `bound`. NaN is above no bound and stays NaN."""
    factor = splat(bound / np.float32(math.sqrt(square)) if square > bound * bound else np.float32(1))
    zero = splat(np.float32(0))
    for k in range(0, D, LANES):
        step = fma(factor, load(sums, at + k), zero)
        if k + LANES <= D:
            add_at(row_at + k * _BYTES, step)
        else:
            add_first_at(row_at + k * _BYTES, D - k, step)


@inner()
def _add_both(row_at: int, other_at: int, D: int, sums: Array, P: int, bound: Any) -> None:
    """Add two kept sums to their rows, and make room for the next."""
    _add_bounded(row_at, D, sums, 0, sums[2 * P], bound)
    _add_bounded(other_at, D, sums, P, sums[2 * P + 1], bound)
    sums[:] = np.float32(0)


@inner()
def add_steps(
    centers_at: Array, contexts_at: Array, noise_at: Array, here: int, D: int, V_rows: Array, U_rows: Array, P: int,
    M: int, low: Array, high: Array, slopes: Array, window: int, bound: Any, sums: Array,
) -> None:  # fmt: skip
    """Add the group's steps to its rows; context c is number c - here. An odd last one is paired with zeros.

    A step longer than `bound`, if there is one, is shortened to it; a word that the group holds twice is shortened
    twice. `sums` holds 2 P + 4 zeros. Without a bound (None) sums go from registers to the tables, and Numba, which
    knows None by its type, compiles nothing else.
    """
    n, S, there = centers_at.shape[0], noise_at.shape[0], here + contexts_at.shape[0]
    first_context, zero = place(S, -1), place(S, 0)
    # Numba would compile a function once more for a number that is spelled out.
    none: Any = np.int64(0)
    one: Any = np.int64(1)
    for t in range(0, n, 2):
        t1 = min(t + 1, n - 1)
        row, other, at = centers_at[t], centers_at[t1], t * M
        begin, end = min(low[t], low[t1] + 1), max(high[t], high[t1] + 1)
        around, first = at + zero + begin, first_context + t + begin
        if bound is None:
            _add_sums(row, other, D, slopes, at, at + M, one, U_rows, none, S, P)
            _add_sums(row, other, D, slopes, around, around + M - 1, one, U_rows, first, end - begin, P)
        else:
            _keep_sums(slopes, at, at + M, one, U_rows, none, S, P, sums)
            _keep_sums(slopes, around, around + M - 1, one, U_rows, first, end - begin, P, sums)
            _add_both(row, other, D, sums, P, bound)
    for s in range(0, S, 2):
        row, other = noise_at[s], noise_at[min(s + 1, S - 1)]
        if bound is None:
            _add_sums(row, other, D, slopes, s, s + 1, M, V_rows, none, n, P)
        else:
            _keep_sums(slopes, s, s + 1, M, V_rows, none, n, P, sums)
            _add_both(row, other, D, sums, P, bound)
    for c in range(here, there, 2):
        row, other = contexts_at[c - here], contexts_at[min(c + 1, there - 1) - here]
        begin, end = max(0, c - 2 * window), min(n, c + 2)
        at = begin * M + zero + c - begin
        if bound is None:
            _add_sums(row, other, D, slopes, at, at + 1, M - 1, V_rows, begin, end - begin, P)
        else:
            _keep_sums(slopes, at, at + 1, M - 1, V_rows, begin, end - begin, P, sums)
            _add_both(row, other, D, sums, P, bound)
