"""Matrix products of CuPy's arrays, asked of cuBLAS without a copy."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np

__all__ = ["library", "multiply", "set_tf32"]

Array = Any

_DEFAULT_MATH, _TF32_TENSOR_OP_MATH = 0, 3  # of cublasMath_t; CuPy has no name for the second
_TYPES = {np.dtype("float32"): (0, 68), np.dtype("float64"): (1, 70)}  # cudaDataType_t, cublasComputeType_t
_COMPUTE_TF32 = 77
_GEMM_DEFAULT = -1
_COEFFICIENTS = np.array([0, 1], dtype=np.float32), np.array([0, 1], dtype=np.float64)
_ZERO_AND_ONE = tuple((array.ctypes.data, array.ctypes.data + array.itemsize) for array in _COEFFICIENTS)


@cache
def library() -> tuple[Any, Callable[[], int]]:
    """CuPy's cuBLAS, and what gives the calling thread's handle."""
    from cupy.cuda.device import get_cublas_handle
    from cupy_backends.cuda.libs import cublas

    return cublas, get_cublas_handle


def multiply(a: Array, b: Array, out: Array, *, add: bool, tf32: bool) -> None:
    """Have `out` be a b, or get it added. Nothing is copied, and rows may be padded.

    Parameters
    ----------
    a, b, out : (n, k), (k, m), (n, m) arrays, or (batch, ...)
        of one dtype, float32 or float64; in `out` the last axis is contiguous, in `a` and `b` one of the last two
    tf32 : bool     take products of float32 numbers in TF32
    """
    cublas, get_cublas_handle = library()
    kind, computed = _TYPES[out.dtype]
    if tf32 and kind == 0:
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


def set_tf32(on: bool) -> None:
    """Have CuPy's own products of float32 arrays in this thread taken in TF32, or in float32 again."""
    from cupy._core import _routines_linalg as products

    cublas, get_cublas_handle = library()
    # The type is heeded in products of two dimensions only; those of more do as the handle says.
    products.set_compute_type(np.float32, products.COMPUTE_TYPE_TF32 if on else products.COMPUTE_TYPE_DEFAULT)
    cublas.setMathMode(get_cublas_handle(), _TF32_TENSOR_OP_MATH if on else _DEFAULT_MATH)


@lru_cache(1024)  # the same few matrices are multiplied thousands of times
def _layout(shape: tuple[int, int], strides: tuple[int, int], itemsize: int) -> tuple[int, int]:
    """For cuBLAS: whether a matrix is contiguous along its columns, not its rows, and how far apart these lie."""
    (rows, columns), (down, along) = shape, (step // itemsize for step in strides)
    if along == 1 or columns == 1 == rows:
        return 0, max(down, columns)
    if columns == 1 and down != 1:
        return 0, down
    return 1, max(along, rows)
