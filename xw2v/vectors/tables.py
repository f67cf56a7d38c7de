"""Tables of vectors as they are stored: C-ordered little-endian float32, all finite."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from xw2v.errors import ShapeError

__all__ = ["FloatTable", "as_table"]

FloatTable = npt.NDArray[np.float32]


def as_table(table: npt.ArrayLike, name: str, rows: int) -> FloatTable:
    """`table` as C-ordered little-endian float32 of shape (rows, D)."""
    array = np.asarray(table)
    if array.ndim != 2 or len(array) != rows or array.shape[1] == 0:
        msg = f"{name} must have shape ({rows}, D) with D > 0, one row a word; got {array.shape}"
        raise ShapeError(msg)
    with np.errstate(over="ignore"):  # a float64 too large becomes infinity, which is reported by its word
        return np.ascontiguousarray(array, dtype="<f4")
