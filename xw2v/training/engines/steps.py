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
    add_products,
    add_squares,
    add_to,
    fma,
    load,
    splat,
    splat_at,
    store_totals,
    zeros1,
    zeros3,
    zeros4,
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
def _sums(
    zeros: Any, slopes: Array, at: int, at_other: int, step: int, rows: Array, source: int, count: int, P: int
) -> Any:
    """Of both sums of slopes[at + i step] rows[i] the vectors at `source`, as many as `zeros` has."""
    a = b = zeros
    for i in range(count):
        a, b = add_products(a, b, splat_at(slopes, at + i * step), splat_at(slopes, at_other + i * step), rows, source)
        source += P
    return a, b


@inner(inline="always")
def _add_block(
    zeros: Any, to: int, to_other: int, left: int, slopes: Array, at: int, at_other: int, step: int, rows: Array,
    source: int, count: int, P: int,
) -> None:  # fmt: skip
    """Add these vectors of both sums to two rows, of which so many numbers are left."""
    a, b = _sums(zeros, slopes, at, at_other, step, rows, source, count, P)
    add_first_at(to, left, a)
    add_first_at(to_other, left, b)


# Each caller has another step, often 1: as a call of its own this takes a tenth longer.
@inner(forceinline=True)
def _add_sums(
    row_at: int, other_at: int, D: int, slopes: Array, at: int, at_other: int, step: int, rows: Array, first: int,
    count: int, P: int,
) -> None:  # fmt: skip
    """To one row add the sum of slopes[at + i step] rows[first + i], and to another the same from `at_other` on."""
    k = 0
    while k < D:
        vectors, left, source = (D - k + LANES - 1) // LANES, D - k, first * P + k
        to, to_other = row_at + k * BYTES, other_at + k * BYTES
        if _in_fours(vectors):
            _add_block(zeros4(), to, to_other, left, slopes, at, at_other, step, rows, source, count, P)
            k += 4 * LANES
        elif _in_threes(vectors):
            _add_block(zeros3(), to, to_other, left, slopes, at, at_other, step, rows, source, count, P)
            k += 3 * LANES
        else:
            _add_block(zeros1(), to, to_other, left, slopes, at, at_other, step, rows, source, count, P)
            k += LANES


@inner(inline="always")
def _keep_block(
    zeros: Any, sums: Array, k: int, squares: Any, slopes: Array, at: int, at_other: int, step: int, rows: Array,
    source: int, count: int, P: int,
) -> Any:  # fmt: skip
    """Add these vectors of both sums to those that are kept; both `squares` plus those of what is there then."""
    a, b = _sums(zeros, slopes, at, at_other, step, rows, source, count, P)
    return add_squares(squares[0], add_to(sums, k, a)), add_squares(squares[1], add_to(sums, P + k, b))


@inner(forceinline=True)
def _keep_sums(
    slopes: Array, at: int, at_other: int, step: int, rows: Array, first: int, count: int, P: int, sums: Array
) -> None:
    """Add both sums to `sums`, where they stand one after the other; behind them the squares of their lengths."""
    squares = zeros1(), zeros1()
    k = 0
    while k < P:
        vectors, source = (P - k) // LANES, first * P + k
        if _in_fours(vectors):
            squares = _keep_block(zeros4(), sums, k, squares, slopes, at, at_other, step, rows, source, count, P)
            k += 4 * LANES
        elif _in_threes(vectors):
            squares = _keep_block(zeros3(), sums, k, squares, slopes, at, at_other, step, rows, source, count, P)
            k += 3 * LANES
        else:
            squares = _keep_block(zeros1(), sums, k, squares, slopes, at, at_other, step, rows, source, count, P)
            k += LANES
    store_totals(sums, 2 * P, squares[0], squares[1], squares[0], squares[1])


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
