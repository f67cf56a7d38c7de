"""The arithmetic of one group on the CPU, compiled by Numba: from rows to scores and slopes. `steps.py` has the rest.

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
    fma,
    load,
    load_at,
    load_first_at,
    prefetch,
    splat,
    store,
    store_totals,
)

__all__ = ["BYTES", "gather", "group_loss", "place", "prefetch_rows", "score", "sigmoid", "slopes"]

Array = Any

BYTES = 4  # of a float32
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
            prefetch(address + k * BYTES)
        prefetch(address + (D - 1) * BYTES)


@inner()
def gather(rows_at: Array, D: int, into: Array, P: int) -> None:
    """Rows side by side, each filled up with zeros to P numbers."""
    for i in range(rows_at.shape[0]):
        address, target = rows_at[i], i * P
        k = 0
        while k + LANES <= D:
            store(into, target + k, load_at(address + k * BYTES))
            k += LANES
        if k < D:
            store(into, target + k, load_first_at(address + k * BYTES, D - k))


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
