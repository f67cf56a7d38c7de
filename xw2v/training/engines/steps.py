"""The steps of one group on the CPU, compiled by Numba: sums of rows, weighted by slopes, added to the tables.

See `group.py` for how scores, slopes and rows lie in memory. Two sums of the same rows are taken at once, and several
vectors of each: the sum of one vector alone takes as long as those of four side by side, for each addition waits for
the one before. So a row is cut into as few blocks as may be, of four vectors or three.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xw2v.training.compiled_draws import inner
from xw2v.training.engines.group import BYTES, place
from xw2v.training.engines.simd import (
    LANES,
    add_at,
    add_first_at,
    fma,
    load,
    splat,
    splat_at,
    store,
    store_totals,
)

__all__ = ["add_steps"]

Array = Any


@inner(inline="always")
def _in_fours(vectors: int) -> bool:
    """Whether the next four of so many vectors are summed at once."""
    return vectors % 4 == 0


@inner(inline="always")
def _in_threes(vectors: int) -> bool:
    """Whether the next three are, where they are not four; of five one comes first, and of two each by itself."""
    return vectors > 2 and vectors != 5


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
    k, length = 0, LANES * BYTES
    while k < D:
        vectors, to, to_other = (D - k + LANES - 1) // LANES, row_at + k * BYTES, other_at + k * BYTES
        if _in_fours(vectors):
            a0, a1, a2, a3, b0, b1, b2, b3 = _four(slopes, at, at_other, step, rows, first * P + k, count, P)
            add_at(to, a0)
            add_at(to + length, a1)
            add_at(to + 2 * length, a2)
            add_first_at(to + 3 * length, D - k - 3 * LANES, a3)
            add_at(to_other, b0)
            add_at(to_other + length, b1)
            add_at(to_other + 2 * length, b2)
            add_first_at(to_other + 3 * length, D - k - 3 * LANES, b3)
            k += 4 * LANES
        elif _in_threes(vectors):
            a0, a1, a2, b0, b1, b2 = _three(slopes, at, at_other, step, rows, first * P + k, count, P)
            add_at(to, a0)
            add_at(to + length, a1)
            add_first_at(to + 2 * length, D - k - 2 * LANES, a2)
            add_at(to_other, b0)
            add_at(to_other + length, b1)
            add_first_at(to_other + 2 * length, D - k - 2 * LANES, b2)
            k += 3 * LANES
        else:
            a0, b0 = _one(slopes, at, at_other, step, rows, first * P + k, count, P)
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
    while k < P:
        vectors, source = (P - k) // LANES, first * P + k
        if _in_fours(vectors):
            a0, a1, a2, a3, b0, b1, b2, b3 = _four(slopes, at, at_other, step, rows, source, count, P)
            square, square_other = _keep(sums, k, a0, square), _keep(sums, P + k, b0, square_other)
            k += LANES
            square, square_other = _keep(sums, k, a1, square), _keep(sums, P + k, b1, square_other)
            k += LANES
            square, square_other = _keep(sums, k, a2, square), _keep(sums, P + k, b2, square_other)
            k += LANES
            square, square_other = _keep(sums, k, a3, square), _keep(sums, P + k, b3, square_other)
            k += LANES
        elif _in_threes(vectors):
            a0, a1, a2, b0, b1, b2 = _three(slopes, at, at_other, step, rows, source, count, P)
            square, square_other = _keep(sums, k, a0, square), _keep(sums, P + k, b0, square_other)
            k += LANES
            square, square_other = _keep(sums, k, a1, square), _keep(sums, P + k, b1, square_other)
            k += LANES
            square, square_other = _keep(sums, k, a2, square), _keep(sums, P + k, b2, square_other)
            k += LANES
        else:
            a0, b0 = _one(slopes, at, at_other, step, rows, source, count, P)
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
            add_at(row_at + k * BYTES, step)
        else:
            add_first_at(row_at + k * BYTES, D - k, step)


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
