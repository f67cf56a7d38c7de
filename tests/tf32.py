"""What a tensor core makes of float32 factors, on the host: TF32 keeps ten bits of the fraction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import array_api_compat.numpy
import numpy as np

Array = np.ndarray

UNIT = 2.0**-11
"""Largest relative error of a rounded factor: half of the last of ten bits."""


def tf32(x: Array) -> Array:
    """Float32 numbers rounded to ten bits of fraction, ties away from zero, as cvt.rna.tf32.f32 does."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    rounded = ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)
    return np.where(np.isfinite(x), rounded, np.asarray(x, dtype=np.float32))


def product(a: Array, b: Array) -> Array:
    """A matrix product of factors in TF32, summed in float32."""
    found: Array = np.matmul(tf32(a), tf32(b))
    return found


@contextmanager
def tf32_products() -> Iterator[Any]:
    """Have the matrix products of negative sampling on NumPy taken in TF32."""
    with mock.patch.object(array_api_compat.numpy, "matmul", product) as patched:
        yield patched


class Tf32Array(np.ndarray):
    """Arrays whose matrix products are taken in TF32, also those that are written as @."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        plain = [np.asarray(one) if isinstance(one, Tf32Array) else one for one in inputs]
        if out is not None:
            options["out"] = tuple(np.asarray(one) for one in out)
        if ufunc is np.matmul and method == "__call__":
            plain = [tf32(one) for one in plain]
        found = getattr(ufunc, method)(*plain, **options)
        return found.view(Tf32Array) if isinstance(found, np.ndarray) else found


def group(D: int) -> tuple[Array, Array, Array]:
    """Centres, rows and weights of 64 groups, with scores up to about 10, as after training."""
    rng = np.random.default_rng(7)
    centers, rows = rng.standard_normal((64, 16, D)), rng.standard_normal((64, 58, D)) * 3 / D**0.5
    return centers.astype(np.float32), rows.astype(np.float32), rng.random((64, 16, 58)).astype(np.float32)
