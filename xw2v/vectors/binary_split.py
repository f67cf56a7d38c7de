"""Splitting rows of word2vec's binary format, compiled by Numba: for files of many rows."""

from __future__ import annotations

from typing import Any

from numba import njit

__all__ = ["split_rows"]

Array = Any


@njit(nogil=True, cache=True)
def split_rows(data: Array, target: Array, bounds: Array) -> tuple[int, int]:
    """Copy the numbers of whole rows (word, space, R bytes) from `data` to `target`.

    Parameters
    ----------
    data : (N,) uint8
    target : (n, R) uint8        filled from the first row on
    bounds : (n, 2) int64        where each word begins and ends in `data`

    Returns
    -------
    (rows found, bytes of `data` used)
    """
    rows, size = target.shape
    found = start = 0
    while found < rows:
        space = start
        while space < data.shape[0] and data[space] != 32:
            space += 1
        if space + 1 + size > data.shape[0]:
            break
        bounds[found, 0] = start
        bounds[found, 1] = space
        target[found] = data[space + 1 : space + 1 + size]
        found += 1
        start = space + 1 + size
    return found, start
