"""NumPy on the CPU: rows are added by compiled loops."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np

from xw2v.backend.base import Backend, shortening

__all__ = ["NumpyBackend"]

Array = Any


class NumpyBackend(Backend):
    """NumPy on the CPU. Safe to call from several threads.

    Rows are added by compiled loops, or where Numba is not to be had by SciPy's sparse product.
    """

    def __init__(self, why: str, *, compiled: bool = True) -> None:
        import array_api_compat.numpy as xp

        super().__init__("numpy", xp, "cpu", why)
        self._scratch = threading.local()
        self._may_compile = compiled

    @cached_property
    def _compiled(self) -> Any:
        """The module of compiled loops, or None. Imported when rows are added: who searches need not wait for Numba."""
        with suppress(ImportError):
            return import_module("xw2v.backend.scatter") if self._may_compile else None
        return None

    def scatter_add(
        self, table: Array, ids: Array, rows: Array, *, scale: float = 1.0, max_norm: float | None = None
    ) -> None:
        """See `Backend.scatter_add`."""
        if ids.shape[0] == 0:
            return
        if self._compiled is not None:
            slots = self._slots(table.shape[0])
            self._compiled.add_rows(table, ids, np.ascontiguousarray(rows), scale, max_norm, slots)
        else:
            self._add_product(table, ids, rows, scale, max_norm)

    def add_table(self, table: Array, rows: Array, *, scale: float = 1.0, max_norm: float | None = None) -> None:
        """See `Backend.add_table`."""
        if self._compiled is not None:
            self._compiled.add_table(table, rows, scale, max_norm)
        else:
            super().add_table(table, rows, scale=scale, max_norm=max_norm)

    def _add_product(self, table: Array, ids: Array, rows: Array, scale: float, max_norm: float | None) -> None:
        from scipy.sparse import csc_array

        unique, inverse = self._unique(ids, table.shape[0])
        # Column j of this matrix holds a single 1 in the row of id j: its product with the rows sums repeats.
        columns = np.arange(ids.shape[0] + 1, dtype=np.int32)
        one_hot = csc_array(
            (np.ones(ids.shape[0], dtype=rows.dtype), inverse, columns), shape=(unique.shape[0], ids.shape[0])
        )
        sums = scale * (one_hot @ rows)
        if max_norm is not None:
            sums *= shortening(sums, max_norm, xp=self.xp)
        sums += np.take(table, unique, axis=0)
        table[unique] = sums

    def _unique(self, ids: Array, V: int) -> tuple[Array, Array]:
        """The distinct ids and each id's index among them, in linear time: a sort takes twice as long.

        Every id writes its position into a slot of its own; who reads its own position back represents it.
        """
        slots = self._slots(V)
        positions = np.arange(ids.shape[0], dtype=np.int32)
        slots[ids] = positions
        representative = slots[ids]
        represents = representative == positions
        rank = np.cumsum(represents, dtype=np.int32)
        rank -= 1
        return ids[represents], rank[representative]

    def _slots(self, V: int) -> Array:
        """A number for each word, of any content, for this thread alone."""
        slots = getattr(self._scratch, "slots", None)
        if slots is None or slots.shape[0] < V:
            slots = self._scratch.slots = np.zeros(V, dtype=np.int32)
        return slots

    def to_host(self, array: Array) -> np.ndarray:
        """The array itself."""
        return np.asarray(array)

    def memory(self) -> tuple[int, int] | None:
        """Free and total bytes of the machine, where the system tells."""
        try:
            page = os.sysconf("SC_PAGE_SIZE")
            return os.sysconf("SC_AVPHYS_PAGES") * page, os.sysconf("SC_PHYS_PAGES") * page
        except (ValueError, OSError, AttributeError):
            return None
