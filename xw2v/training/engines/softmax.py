"""`losses.softmax_expectation` of a step's centres, some of them after the other, so that memory stays bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from xw2v.backend import Backend
from xw2v.losses import SoftmaxExpectation, softmax_expectation

__all__ = ["BufferedExpectation", "expectation_in_blocks", "expectation_of"]

Array = Any

_ROWS = 128  # a product with fewer rows is slow
_FEW = {"cupy": 512 << 20, "numpy": 8 << 20}  # bytes of scores that are worth more rows: a cache holds them
_MOST = 32 << 20  # bytes of scores beyond which words are taken in tiles, though that is a product more


def expectation_of(backend: Backend) -> Callable[[Array, Array, Array], SoftmaxExpectation]:
    """What computes `softmax_expectation(centers, weights, outside_vectors)` on a backend."""
    if backend.name == "numpy":
        return BufferedExpectation()
    return partial(expectation_in_blocks, few=_FEW.get(backend.name, _FEW["numpy"]), xp=backend.xp)


def expectation_in_blocks(
    centers: Array, weights: Array, outside_vectors: Array, *, few: int = _FEW["numpy"], xp: Any
) -> SoftmaxExpectation:
    """The same for any library. `few`: bytes of scores at a time that are no trouble."""
    rows = max(_ROWS, few // 4 // outside_vectors.shape[0])
    tile = max(few, _MOST) // 4 // rows
    parts = []
    for start in range(0, centers.shape[0], rows):
        some = slice(start, min(start + rows, centers.shape[0]))
        parts.append(softmax_expectation(centers[some, :], weights[some], outside_vectors, tile))
    d_outside = parts[0].d_outside_vectors
    for part in parts[1:]:
        d_outside += part.d_outside_vectors
    return SoftmaxExpectation(
        xp.concat([part.log_normalizer for part in parts]), xp.concat([part.d_centers for part in parts]), d_outside
    )


class BufferedExpectation:
    """The same for NumPy, in memory that each thread keeps: to fill fresh pages takes as long as a product.

    What it returned last is overwritten when the same thread calls again.
    """

    def __init__(self) -> None:
        self._kept = threading.local()

    def __call__(self, centers: np.ndarray, weights: np.ndarray, outside_vectors: np.ndarray) -> SoftmaxExpectation:
        """See `softmax_expectation`."""
        (T, D), V = centers.shape, outside_vectors.shape[0]
        rows = min(T, max(_ROWS, _MOST // (4 * V)))
        if 4 * rows * V > 2 * _MOST:
            return expectation_in_blocks(centers, weights, outside_vectors, xp=np)
        log_normalizer, d_centers = np.empty(T, centers.dtype), np.empty_like(centers)
        d_outside = self._buffer("d_outside", (V, D), centers.dtype)
        for start in range(0, T, rows):
            some = slice(start, min(start + rows, T))
            part = d_outside if start == 0 else self._buffer("part", (V, D), centers.dtype)
            scores = self._buffer("scores", (some.stop - start, V), centers.dtype)
            np.matmul(centers[some], outside_vectors.T, out=scores)
            maximum = np.max(scores, axis=1, keepdims=True)
            odds = np.exp(np.subtract(scores, maximum, out=scores), out=scores)
            total = np.sum(odds, axis=1, keepdims=True)
            factors = weights[some, None] / total
            np.matmul(odds.T, centers[some] * factors, out=part)
            if start > 0:
                d_outside += part
            d_centers[some] = (odds @ outside_vectors) * factors
            log_normalizer[some] = (maximum + np.log(total))[:, 0]
        return SoftmaxExpectation(log_normalizer, d_centers, d_outside)

    def _buffer(self, name: str, shape: tuple[int, int], dtype: np.dtype[Any]) -> np.ndarray:
        size = shape[0] * shape[1]
        buffer = getattr(self._kept, name, None)
        if buffer is None or buffer.size < size or buffer.dtype != dtype:
            buffer = np.empty(size, dtype)
            setattr(self._kept, name, buffer)
        taken: np.ndarray = buffer[:size].reshape(shape)
        return taken
