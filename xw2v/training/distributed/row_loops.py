"""`row_moves` for NumPy's arrays, in loops that Numba compiles: each row is read and written once. Holds no GIL."""

from __future__ import annotations

from typing import Any

import numpy as np

from xw2v.compiled import compiled

__all__ = ["add_steps", "pack_steps"]

Array = Any


def pack_steps(table: Array, base: Array, ids: Array) -> Array:
    """See `row_moves.pack_steps`."""
    packet = np.empty((len(ids), table.shape[1] + 1), table.dtype)
    _pack(table, base, ids, packet)
    return packet


def add_steps(table: Array, base: Array, ids: Array, packet: Array, longest: float) -> None:
    """See `row_moves.add_steps`."""
    _add(table, base, ids, packet, packet.dtype.type(longest))


# Ids are taken as unsigned numbers, rows as views, sums in any order: with any of it left out LLVM does not vectorise.


@compiled(fastmath={"reassoc", "contract"})
def _pack(table: Array, base: Array, ids: Array, packet: Array) -> None:
    D = table.shape[1]
    for i in range(ids.shape[0]):
        row, old, step = table[np.uint64(ids[i])], base[np.uint64(ids[i])], packet[i]
        square = table.dtype.type(0)
        for d in range(D):
            change = row[d] - old[d]
            step[d] = change
            square += change * change
        step[D] = square


@compiled(fastmath={"reassoc", "contract"})
def _add(table: Array, base: Array, ids: Array, packet: Array, longest: Any) -> None:
    D, one, least = table.shape[1], packet.dtype.type(1), packet.dtype.type(1e-30)
    for i in range(ids.shape[0]):
        row, old, step = table[np.uint64(ids[i])], base[np.uint64(ids[i])], packet[i]
        square = least
        for d in range(D):
            square += step[d] * step[d]
        factor = min(one, max(longest / np.sqrt(square), step[D] / square))
        for d in range(D):
            new = old[d] + factor * step[d]
            row[d] = new
            old[d] = new
