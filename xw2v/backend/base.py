"""`Backend`: what every array library can do, in terms of the standard alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import array_api_compat
import numpy as np

__all__ = ["Backend", "shortening"]

Array = Any

_FILLED_AT_ONCE = 1 << 24  # numbers: CuPy keeps page-locked memory of the size of the largest upload


class Backend:
    """Any library that follows the standard, slowly: rows are added by a product with a 0/1 matrix.

    Attributes
    ----------
    name : str       "numpy", "cupy" or the library's own name
    xp : module      its array API namespace
    device : object  where new arrays go
    why : str        one line: why this backend was taken
    """

    def __init__(self, name: str, xp: Any, device: Any, why: str) -> None:
        self.name = name
        self.xp = xp
        self.device = device
        self.why = why

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} on {self.device}: {self.why}>"

    def scatter_add(
        self, table: Array, ids: Array, rows: Array, *, scale: float = 1.0, max_norm: float | None = None
    ) -> None:
        """Add `scale` times rows to a table's rows, in place; a repeated id gets the sum of its rows.

        Parameters
        ----------
        table : (V, D) float array          changed
        ids : (N,) integer array            in 0 .. V-1, checked by whoever made them
        rows : (N, D) array of table's dtype
        scale : float                       a factor of all rows
        max_norm : float or None
            longest scaled sum that one id may get: longer ones are shortened to it, one with NaN is not
        """
        xp = self.xp
        unique, inverse = xp.unique_inverse(ids)
        to_unique = xp.arange(unique.shape[0], dtype=inverse.dtype, device=self.device)[:, None] == inverse[None, :]
        sums = scale * (xp.astype(to_unique, rows.dtype) @ rows)
        if max_norm is not None:
            sums = sums * shortening(sums, max_norm, xp=xp)
        to_table = xp.arange(table.shape[0], dtype=unique.dtype, device=self.device)[:, None] == unique[None, :]
        table += xp.astype(to_table, rows.dtype) @ sums

    def add_rows(
        self, tables: Sequence[Array], ids: Sequence[Array], rows: Sequence[Array], *, scale: float = 1.0,
        max_norm: float | None = None,
    ) -> None:  # fmt: skip
        """`scatter_add` to one or two tables, of (...) ids and (..., D) rows in each. May overwrite the rows."""
        for table, some, added in zip(tables, ids, rows, strict=True):
            self.scatter_add(
                table,
                self.xp.reshape(some, (-1,)),
                self.xp.reshape(added, (-1, table.shape[1])),
                scale=scale,
                max_norm=max_norm,
            )

    def add_table(self, table: Array, rows: Array, *, scale: float = 1.0, max_norm: float | None = None) -> None:
        """Add `scale` times a row of its own to each row of a table, in place: `scatter_add` of every id once."""
        steps = scale * rows
        if max_norm is not None:
            steps *= shortening(steps, max_norm, xp=self.xp)
        table += steps

    def from_host(self, array: np.ndarray) -> Array:
        """A NumPy array as an array of this backend, on its device."""
        return self.xp.asarray(array, device=self.device)

    @contextmanager
    def beside(self) -> Iterator[None]:
        """In the block the device works beside what it was asked before; what it is asked after the block waits for it.

        Arrays that are made in the block and used after it must be kept until the device is done with them.
        """
        yield

    def read_later(self, array: Array) -> Callable[[], np.ndarray]:
        """Copy an array to the host as it is now; what is returned waits until the copy is there."""
        host = self.to_host(array)
        return lambda: host

    def fill(self, table: Array, rows: np.ndarray) -> None:
        """Overwrite a float32 table's first rows with those of the host, some at a time, so that no copy is made."""
        at_once = max(1, _FILLED_AT_ONCE // table.shape[1])
        for first in range(0, len(rows), at_once):
            some = slice(first, min(first + at_once, len(rows)))
            table[some, :] = self.from_host(np.array(rows[some], dtype=np.float32))

    def attach(self) -> None:
        """Have the calling thread use this backend's device; each new thread must."""

    def to_host(self, array: Array) -> np.ndarray:
        """An array of this backend as a NumPy array."""
        strict = array_api_compat.is_array_api_strict_namespace(self.xp)
        return np.asarray(array_api_compat.to_device(array, self.xp.Device("CPU_DEVICE") if strict else "cpu"))

    def synchronize(self) -> None:
        """Wait until the device has done what it was asked."""

    def memory(self) -> tuple[int, int] | None:
        """Free and total bytes of the device, or None where nobody can tell."""
        return None

    def free_memory(self) -> None:
        """Give cached memory of the device back."""


def shortening(sums: Array, max_norm: float, *, xp: Any) -> Array:
    """(N, 1) factors, at most 1, that bring each row of `sums` to a norm of at most `max_norm`; 1 for NaN."""
    squares = xp.vecdot(sums, sums)[:, None]
    most = min(max_norm * max_norm, float(xp.finfo(sums.dtype).max))
    bound = xp.asarray(most, dtype=sums.dtype, device=array_api_compat.device(sums))
    # Short rows are left out of the division: a bound may be 0 in the rows' precision, and so may they.
    too_long, one = squares > bound, xp.ones_like(squares)
    return xp.sqrt(xp.where(too_long, bound, one) / xp.where(too_long, squares, one))
