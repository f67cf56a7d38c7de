"""CuPy on an NVIDIA GPU: rows are moved by kernels of our own, products are asked of cuBLAS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from xw2v.backend import cublas
from xw2v.backend.base import Backend
from xw2v.errors import BackendError
from xw2v.gpu import gpu_problem
from xw2v.kernels import NOTHING, THREADS, ArrayKernels, blocks_of

__all__ = ["CupyBackend"]

Array = Any

_LOOK_AGAIN = 5e-5  # seconds
_INT32, _ID_TYPES = np.dtype("int32"), (np.dtype("int32"), np.dtype("int64"))


class RowSet(NamedTuple):
    """Rows of a table, as the kernels take them; NOTHING where there are no ids (row i is that of word i) or slots."""

    table: Any  # (V, D), contiguous
    ids: Any  # (...), contiguous
    slots: Any  # (V,) int32
    rows: Any  # (..., D), contiguous


_NO_ROWS = RowSet(NOTHING, NOTHING, NOTHING, NOTHING)


class CupyBackend(Backend):
    """CuPy on an NVIDIA GPU. Rows are added by atomics, so the last bits of a sum may differ between runs.

    Raises
    ------
    BackendError   no GPU works here; the text says why and what to do
    """

    _had_tf32 = False  # whether a backend of this process ever asked for it: CuPy keeps it until the next one

    def __init__(self, why: str = "asked for", device: int = 0, *, tf32: bool = False) -> None:
        try:
            import array_api_compat.cupy as xp
            import cupy
        except ImportError as error:
            msg = f"backend 'cupy' needs CuPy ({error}): pip install 'xw2v[cuda12]', or 'xw2v[cuda13]' for CUDA 13"
            raise BackendError(msg) from None
        try:
            # An import proves nothing and neither does a device count: only a sum does, and a handle of cuBLAS.
            with cupy.cuda.Device(device) as on:
                if int(cupy.ones(8, dtype=cupy.int32).sum()) != 8:
                    msg = "a sum came out wrong"
                    raise RuntimeError(msg)
                cublas.library()[1]()
        except Exception as error:
            msg = f"backend 'cupy' {gpu_problem(cupy, device, error)}"
            raise BackendError(msg) from None
        super().__init__("cupy", xp, on, why)
        self._cupy = cupy
        self._side_stream: Any = None
        self._tf32 = tf32 and int(on.compute_capability) >= 80
        self._set_up()
        self.attach()

    def _set_up(self) -> None:
        """Nothing is kept yet: scratch of each thread, kernels by their dtypes."""
        self._scratch = threading.local()
        self._compiled: dict[tuple[Any, Any], Any] = {}

    def kernels(self, real: Any, ids: Any = _INT32) -> Any:
        """The hand-written kernels for a dtype of numbers and one of ids; compiled at first use."""
        wanted = real, ids
        if wanted not in self._compiled:
            self._compiled[wanted] = ArrayKernels(str(real), str(ids))
        return self._compiled[wanted]

    def scatter_add(
        self, table: Array, ids: Array, rows: Array, *, scale: float = 1.0, max_norm: float | None = None
    ) -> None:
        """See `Backend.scatter_add`. Never waits for the device."""
        if not table.flags.c_contiguous:
            whole = self._cupy.ascontiguousarray(table)
            self.scatter_add(whole, ids, rows, scale=scale, max_norm=max_norm)
            table[...] = whole
            return
        rows = rows.astype(table.dtype, copy=max_norm is not None)
        self.add_rows([table], [ids], [rows], scale=scale, max_norm=max_norm)

    def add_rows(
        self, tables: Sequence[Array], ids: Sequence[Array], rows: Sequence[Array], *, scale: float = 1.0,
        max_norm: float | None = None,
    ) -> None:  # fmt: skip
        """See `Backend.add_rows`; of contiguous tables of one dtype, all in the same launches. Never waits."""
        sets = []
        for number, (table, some, added) in enumerate(zip(tables, self._alike(ids), rows, strict=True)):
            slots = NOTHING if max_norm is None else self._slots(number, table.shape[0])
            sets.append(RowSet(table, some, slots, self._cupy.ascontiguousarray(added)))
        if max_norm is None:
            self._launch_rows("sum_rows", sets, scale)
            return
        # How many ids are distinct stays unknown to the host: an id's sum is gathered in its representative's row.
        self._launch_rows("claim_slots", sets)
        self._launch_rows("sum_repeats", sets)
        self._launch_rows("add_shortened", sets, scale, max_norm)

    def take_rows(self, tables: Sequence[Array], ids: Sequence[Array]) -> list[Array]:
        """(..., D) rows of one or two contiguous tables of a dtype, for (...) ids in each."""
        sets = [
            RowSet(table, some, NOTHING, self._cupy.empty((*some.shape, table.shape[1]), dtype=table.dtype))
            for table, some in zip(tables, self._alike(ids), strict=True)
        ]
        self._launch_rows("take_rows", sets)
        return [some.rows for some in sets]

    def _alike(self, ids: Sequence[Array]) -> list[Array]:
        """Ids of one dtype that there is a kernel for, contiguous."""
        dtypes = {some.dtype for some in ids}
        dtype = None if len(dtypes) == 1 and dtypes <= {*_ID_TYPES} else "int64"
        return [self._cupy.ascontiguousarray(some, dtype=dtype) for some in ids]

    def _launch_rows(self, name: str, sets: Sequence[RowSet], scale: float = 1.0, max_norm: float = -1.0) -> None:
        """Launch a kernel of rows for one table or two; see ROWS in `kernels.cu`."""
        rows = sets[0].rows
        D = rows.shape[-1]
        first, second = rows.size // D, sets[1].rows.size // D if len(sets) > 1 else 0
        if first + second == 0:
            return
        ids = sets[0].ids
        kernels = self.kernels(rows.dtype, _INT32 if ids is NOTHING else ids.dtype)
        kernels.launch(name, blocks_of(first + second), THREADS, 0, (
            np.int64(first), np.int64(second), np.int32(D), np.float64(scale), np.float64(max_norm),
            *sets[0], *(sets[1] if len(sets) > 1 else _NO_ROWS),
        ))  # fmt: skip

    def add_table(self, table: Array, rows: Array, *, scale: float = 1.0, max_norm: float | None = None) -> None:
        """See `Backend.add_table`."""
        if not table.flags.c_contiguous:
            super().add_table(table, rows, scale=scale, max_norm=max_norm)
            return
        rows = self._cupy.ascontiguousarray(rows, dtype=table.dtype)
        one = [RowSet(table, NOTHING, NOTHING, rows)]
        self._launch_rows("add_shortened", one, scale, -1.0 if max_norm is None else max_norm)

    def _slots(self, number: int, V: int) -> Array:
        """A number for each word of the first table or of a second, of any content, for this thread alone."""
        slots = getattr(self._scratch, f"slots_{number}", None)
        if slots is None or slots.shape[0] < V:
            slots = self._cupy.empty(V, dtype="int32")
            setattr(self._scratch, f"slots_{number}", slots)
        return slots

    def multiply(self, a: Array, b: Array, out: Array, *, add: bool = False) -> None:
        """Have `out` be a b, or get it added; see `cublas.multiply`."""
        cublas.multiply(a, b, out, add=add, tf32=self._tf32)

    def to_host(self, array: Array) -> np.ndarray:
        """A copy on the host; waits for the device."""
        host: np.ndarray = self._cupy.asnumpy(array)
        return host

    def from_host(self, array: np.ndarray) -> Array:
        """A copy on the device, by way of page-locked memory of CuPy's own: nobody waits for the device."""
        return self._cupy.asarray(array)

    @contextmanager
    def beside(self) -> Iterator[None]:
        """See `Backend.beside`: on a stream of its own, to which the memory that is freed inside goes back."""
        if self._side_stream is None:
            self._side_stream = self._cupy.cuda.Stream(non_blocking=True)
        with self._side_stream as stream:
            yield
            event = stream.record()
        self._cupy.cuda.get_current_stream().wait_event(event)

    def read_later(self, array: Array) -> Callable[[], np.ndarray]:
        """See `Backend.read_later`: kernels started afterwards are not waited for."""
        import cupyx

        pinned: np.ndarray = cupyx.empty_pinned(array.shape, array.dtype)
        array.get(out=pinned, blocking=False)
        event = self._cupy.cuda.get_current_stream().record()

        def wait() -> np.ndarray:
            event.synchronize()
            return pinned

        return wait

    def attach(self) -> None:
        """See `Backend.attach`: CuPy keeps a current device for each thread, and a handle of cuBLAS."""
        self.device.use()
        if self._tf32 or CupyBackend._had_tf32:
            CupyBackend._had_tf32 = True
            cublas.set_tf32(self._tf32)

    def synchronize(self) -> None:
        """Wait until the device has done what it was asked.

        Signals are heeded meanwhile: one that waits for other ranks' GPUs may wait for ever.
        """
        event = self._cupy.cuda.get_current_stream().record()
        while not event.done:
            time.sleep(_LOOK_AGAIN)

    def memory(self) -> tuple[int, int] | None:
        """Free and total bytes of the GPU, or of what CuPy's memory pool may take of it."""
        with self.device:
            free, total = map(int, self._cupy.cuda.runtime.memGetInfo())
            pool = self._cupy.get_default_memory_pool()
            free += int(pool.free_bytes())
            limit = int(pool.get_limit())
            if limit > 0:  # 0: none is set
                free, total = min(free, limit - int(pool.used_bytes())), min(total, limit)
        return free, total

    def free_memory(self) -> None:
        """Give the memory pool's unused blocks back to the driver."""
        self._cupy.get_default_memory_pool().free_all_blocks()
