"""Adding rows with repeated ids to a NumPy table, compiled by Numba. Holds no GIL, so threads do not wait for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from xw2v.compiled import compiled

__all__ = ["add_rows", "add_table"]

Array = Any


def add_rows(table: Array, ids: Array, rows: Array, scale: float, max_norm: float | None, slots: Array) -> None:
    """Add `scale` times the sum of each id's rows to its row of the table, shortened to `max_norm`.

    Parameters
    ----------
    table : (V, D) C-contiguous float array     changed
    ids : (N,) integer array                    in 0 .. V-1
    rows : (N, D) C-contiguous array of table's dtype
    max_norm : float or None                    longest step of one row; None: no bound
    slots : (V,) int32 array                    scratch of any content, one a thread
    """
    kind = table.dtype.type
    if max_norm is None:
        _add(table, ids, rows, kind(scale))
    else:
        _add_bounded(table, ids, rows, kind(scale), kind(max_norm), slots)


def add_table(table: Array, rows: Array, scale: float, max_norm: float | None) -> None:
    """Add `scale` times a row, shortened to `max_norm`, to every row of the table. Shapes as in `add_rows`, N = V."""
    kind = table.dtype.type
    _add_table(table, rows, kind(scale), kind(np.inf if max_norm is None else max_norm))


# Rows are taken as views and ids as unsigned numbers: with either left out LLVM does not vectorise the loops.


@compiled()
def _add(table: Array, ids: Array, rows: Array, scale: Any) -> None:
    for i in range(ids.shape[0]):
        target = table[np.uint32(ids[i])]
        row = rows[i]
        for d in range(row.shape[0]):
            target[d] += scale * row[d]


# Sums may be taken in any order, so that they can be vectorised; NaN and infinity keep their meaning.
@compiled(fastmath={"reassoc", "contract"})
def _add_shortened(target: Array, row: Array, scale: Any, max_norm: Any) -> None:
    square = scale * 0
    for d in range(row.shape[0]):
        square += row[d] * row[d]
    square *= scale * scale
    bound = max_norm * max_norm
    factor = scale * np.sqrt(bound / square) if square > bound else scale
    for d in range(row.shape[0]):
        target[d] += factor * row[d]


@compiled(fastmath={"reassoc", "contract"})
def _add_bounded(table: Array, ids: Array, rows: Array, scale: Any, max_norm: Any, slots: Array) -> None:
    N, D = rows.shape
    sums = np.empty((N, D), dtype=table.dtype)
    owners = np.empty(N, dtype=np.uint32)
    distinct = np.uint32(0)
    for i in range(N):
        word = np.uint32(ids[i])
        slot = np.uint32(slots[word])
        row = rows[i]
        # A slot is this word's own if the owner written there says so; anything else is an old value.
        if slot < distinct and owners[slot] == word:
            total = sums[slot]
            for d in range(D):
                total[d] += row[d]
        else:
            slots[word] = distinct
            owners[distinct] = word
            total = sums[distinct]
            for d in range(D):
                total[d] = row[d]
            distinct += np.uint32(1)
    for slot in range(distinct):  # type: ignore[assignment]
        _add_shortened(table[owners[slot]], sums[slot], scale, max_norm)


@compiled(fastmath={"reassoc", "contract"})
def _add_table(table: Array, rows: Array, scale: Any, max_norm: Any) -> None:
    for i in range(table.shape[0]):
        _add_shortened(table[i], rows[i], scale, max_norm)
