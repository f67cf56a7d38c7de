"""What the array API standard lacks, for each array library, and the choice between them.

The standard has no scatter-add, no transfer to the host, no synchronisation and no question about memory.
A `Backend` adds just these to a namespace `xp`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, NamedTuple

import array_api_compat
import numpy as np

from xw2v.errors import BackendError
from xw2v.gpu import gpu_problem
from xw2v.kernels import NOTHING, THREADS, ArrayKernels, blocks_of

__all__ = ["Backend", "CupyBackend", "NumpyBackend", "get_backend"]

Array = Any

_DEFAULT_MATH, _TF32_TENSOR_OP_MATH = 0, 3  # of cublasMath_t; CuPy has no name for the second
_CUBLAS_TYPES = {np.dtype("float32"): (0, 68), np.dtype("float64"): (1, 70)}  # cudaDataType_t, cublasComputeType_t
_COMPUTE_TF32 = 77
_GEMM_DEFAULT = -1
_COEFFICIENTS = np.array([0, 1], dtype=np.float32), np.array([0, 1], dtype=np.float64)
_ZERO_AND_ONE = tuple((array.ctypes.data, array.ctypes.data + array.itemsize) for array in _COEFFICIENTS)
_LOOK_AGAIN = 5e-5  # seconds
_FILLED_AT_ONCE = 1 << 24  # numbers: CuPy keeps page-locked memory of the size of the largest upload
_INT32, _ID_TYPES = np.dtype("int32"), (np.dtype("int32"), np.dtype("int64"))


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
        max_norm : float or None            longest scaled sum that one id may get: longer ones are shortened to it
        """
        xp = self.xp
        unique, inverse = xp.unique_inverse(ids)
        to_unique = xp.arange(unique.shape[0], dtype=inverse.dtype, device=self.device)[:, None] == inverse[None, :]
        sums = scale * (xp.astype(to_unique, rows.dtype) @ rows)
        if max_norm is not None:
            sums = sums * _shortening(sums, max_norm, xp=xp)
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
            steps *= _shortening(steps, max_norm, xp=self.xp)
        table += steps

    def from_host(self, array: np.ndarray) -> Array:
        """A NumPy array as an array of this backend, on its device."""
        return self.xp.asarray(array, device=self.device)

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Have the device do what is asked for inside beside its other work; what comes after waits for it there.

        Arrays that are made inside, and used after it, must be kept until the device has done what uses them.
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


class NumpyBackend(Backend):
    """NumPy on the CPU. Safe to call from several threads.

    Rows are added by compiled loops, or where Numba is not to be had by SciPy's sparse product.
    """

    def __init__(self, why: str, *, compiled: bool = True) -> None:
        import array_api_compat.numpy as xp

        super().__init__("numpy", xp, "cpu", why)
        self._scratch = threading.local()
        self._compiled = _compiled_loops() if compiled else None

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
            sums *= _shortening(sums, max_norm, xp=self.xp)
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
                _cublas()[1]()
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
        """Have `out` be a b, or get it added, by cuBLAS. Nothing is copied, and rows may be padded.

        Parameters
        ----------
        a, b, out : (n, k), (k, m), (n, m) arrays, or (batch, ...)
            of one dtype, float32 or float64; in `out` the last axis is contiguous, in `a` and `b` one of the last two
        """
        cublas, get_cublas_handle = _cublas()
        kind, computed = _CUBLAS_TYPES[out.dtype]
        if self._tf32 and kind == 0:
            computed = _COMPUTE_TF32
        one, beta = _ZERO_AND_ONE[kind][1], _ZERO_AND_ONE[kind][add]
        # cuBLAS counts along columns: what lies in rows is the transpose to it, so it is asked for out' = b' a'.
        (first, b_step), (second, a_step), (_, step) = (
            _layout(array.shape[-2:], array.strides[-2:], array.itemsize) for array in (b, a, out)
        )
        sizes = (first, second, out.shape[-1], out.shape[-2], a.shape[-1])
        left, right, to = (b.data.ptr, kind, b_step), (a.data.ptr, kind, a_step), (out.data.ptr, kind, step)
        handle, how = get_cublas_handle(), (computed, _GEMM_DEFAULT)
        if out.ndim == 2:
            cublas.gemmEx(handle, *sizes, one, *left, *right, beta, *to, *how)
            return
        b_next, a_next, next_one = (array.strides[0] // array.itemsize for array in (b, a, out))
        cublas.gemmStridedBatchedEx(
            handle, *sizes, one, *left, b_next, *right, a_next, beta, *to, next_one, out.shape[0], *how
        )

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
            from cupy._core import _routines_linalg as products

            CupyBackend._had_tf32 = True
            cublas, get_cublas_handle = _cublas()
            # The type is heeded in products of two dimensions only; those of more do as the handle says.
            of = products.COMPUTE_TYPE_TF32 if self._tf32 else products.COMPUTE_TYPE_DEFAULT
            products.set_compute_type(np.float32, of)
            cublas.setMathMode(get_cublas_handle(), _TF32_TENSOR_OP_MATH if self._tf32 else _DEFAULT_MATH)

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


def get_backend(which: Any = "auto", *, device: int = 0, tf32: bool = False) -> Backend:
    """The backend of a name, or of an array.

    Parameters
    ----------
    which : "auto", "numpy", "cupy", or an array of any library that follows the standard
        "auto" takes a GPU where one really works, else NumPy; its `why` says which and why.
    device : int
        number of the GPU, for "cupy" and "auto"
    tf32 : bool
        CuPy's float32 matrix products in TF32, 10 bits of each factor's fraction, until another backend is made. A
        product of rows u and v is off by at most 2^-10 Σ|u_i v_i|

    Raises
    ------
    BackendError   the name is unknown, or no GPU works here

    Examples
    --------
    >>> get_backend("numpy").name
    'numpy'
    """
    if isinstance(which, str):
        return _by_name(which, device, tf32)
    try:
        xp = array_api_compat.array_namespace(which)
    except TypeError:
        msg = f"backend must be 'auto', 'numpy', 'cupy' or an array, got {type(which).__name__}"
        raise BackendError(msg) from None
    if array_api_compat.is_numpy_namespace(xp):
        return NumpyBackend("the arrays are NumPy's")
    if array_api_compat.is_cupy_namespace(xp):
        return CupyBackend("the arrays are CuPy's", device=which.device.id)
    name = xp.__name__.removeprefix("array_api_compat.")
    return Backend(name, xp, array_api_compat.device(which), f"the arrays are of {name}")


def _by_name(name: str, device: int, tf32: bool) -> Backend:
    if name == "numpy":
        return NumpyBackend("asked for")
    if name == "cupy":
        return CupyBackend(device=device, tf32=tf32)
    if name != "auto":
        msg = f"backend must be 'auto', 'numpy' or 'cupy', got {name!r}"
        raise BackendError(msg)
    try:
        return CupyBackend("a GPU works here", device=device, tf32=tf32)
    except BackendError as error:
        reason = str(error).removeprefix("backend 'cupy' ").split(";")[0].split(" (No module")[0]
        return NumpyBackend(f"no GPU backend: it {reason}")


def _compiled_loops() -> Any:
    """The module of compiled loops, or None where there is no Numba."""
    try:
        return import_module("xw2v.scatter")
    except ImportError:
        return None


@cache
def _cublas() -> tuple[Any, Callable[[], int]]:
    """CuPy's cuBLAS, and what gives the calling thread's handle."""
    from cupy.cuda.device import get_cublas_handle
    from cupy_backends.cuda.libs import cublas

    return cublas, get_cublas_handle


@lru_cache(1024)  # the same few matrices are multiplied thousands of times
def _layout(shape: tuple[int, int], strides: tuple[int, int], itemsize: int) -> tuple[int, int]:
    """For cuBLAS: whether a matrix is contiguous along its columns, not its rows, and how far apart these lie."""
    (rows, columns), (down, along) = shape, (step // itemsize for step in strides)
    if along == 1 or columns == 1 == rows:
        return 0, max(down, columns)
    if columns == 1 and down != 1:
        return 0, down
    return 1, max(along, rows)


def _shortening(sums: Array, max_norm: float, *, xp: Any) -> Array:
    """(N, 1) factors, at most 1, that bring each row of `sums` to a norm of at most `max_norm`."""
    squares = xp.vecdot(sums, sums)[:, None]
    bound = xp.asarray(max_norm * max_norm, dtype=sums.dtype, device=array_api_compat.device(sums))
    # max(square, bound) is never 0, so a zero row divides nothing by zero.
    return xp.sqrt(bound / xp.maximum(squares, bound))
