"""`losses.softmax_expectation` of a step's centres, some of them after the other, so that memory stays bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from xw2v.backend import Backend, CupyBackend
from xw2v.losses import SoftmaxExpectation, softmax_expectation

__all__ = [
    "BufferedExpectation",
    "CupyExpectation",
    "block_size",
    "bytes_held",
    "expectation_in_blocks",
    "expectation_of",
]

Array = Any

_ROWS = 128  # a product with fewer rows is slow
_HELD = {"cupy": 2 << 30, "numpy": 8 << 20}  # bytes of scores: those of a GPU's step, those that a CPU's cache holds
_SHARE = 32  # of a GPU's memory
_PITCH = 32  # rows of scores on a GPU begin at multiples of it: else cuBLAS has no tensor cores for them
_ODDS_THREADS, _ODDS_BLOCKS = 512, 2  # of a multiprocessor, so that one reads while the other computes
_MOST = 32 << 20  # bytes of scores beyond which words are taken in tiles, though that is a product more


def expectation_of(backend: Backend) -> Callable[[Array, Array, Array], SoftmaxExpectation]:
    """What computes `softmax_expectation(centers, weights, outside_vectors)` on a backend."""
    if isinstance(backend, CupyBackend):
        return CupyExpectation(backend)
    return BufferedExpectation(backend) if backend.name == "numpy" else partial(expectation_in_blocks, backend=backend)


def bytes_held(backend: Backend) -> int:
    """How many bytes of scores are held at a time."""
    most, memory = _HELD.get(backend.name, _HELD["numpy"]), backend.memory()
    return min(most, memory[1] // _SHARE) if backend.name == "cupy" and memory is not None else most


def block_size(held: int, V: int) -> tuple[int, int]:
    """How many centres, and how many of the V words, have their scores held at a time, in so many bytes."""
    rows = max(_ROWS, held // 4 // V)
    return rows, max(held, _MOST) // 4 // rows


def expectation_in_blocks(
    centers: Array, weights: Array, outside_vectors: Array, *, backend: Backend
) -> SoftmaxExpectation:
    """The same for any library."""
    xp = backend.xp
    rows, tile = block_size(bytes_held(backend), outside_vectors.shape[0])
    normalizers, d_centers, d_outside = [], [], None
    for start in range(0, max(1, centers.shape[0]), rows):  # of no centres, too, a gradient is wanted
        some = slice(start, min(start + rows, centers.shape[0]))
        part = softmax_expectation(centers[some, :], weights[some], outside_vectors, tile)
        normalizers.append(part.log_normalizer)
        d_centers.append(part.d_centers)
        if d_outside is None:
            d_outside = part.d_outside_vectors
        else:  # at once: a table for every block would be too many
            d_outside += part.d_outside_vectors
    return SoftmaxExpectation(xp.concat(normalizers), xp.concat(d_centers), d_outside)


class BufferedExpectation:
    """The same for NumPy, in memory that each thread keeps: to fill fresh pages takes as long as a product.

    What it returned last is overwritten when the same thread calls again.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._kept = threading.local()

    def __call__(self, centers: np.ndarray, weights: np.ndarray, outside_vectors: np.ndarray) -> SoftmaxExpectation:
        """See `softmax_expectation`."""
        (T, D), V = centers.shape, outside_vectors.shape[0]
        rows = max(1, min(T, max(_ROWS, _MOST // (4 * V))))
        if 4 * rows * V > 2 * _MOST:
            return expectation_in_blocks(centers, weights, outside_vectors, backend=self._backend)
        log_normalizer, d_centers = np.empty(T, centers.dtype), np.empty_like(centers)
        d_outside = self._buffer("d_outside", (V, D), centers.dtype)
        for start in range(0, max(1, T), rows):  # of no centres, too, a gradient is wanted
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


class CupyExpectation:
    """The same on a GPU: scores become odds in place, in one kernel; the rest is three products a block of rows."""

    def __init__(self, backend: CupyBackend) -> None:
        self._backend, self._held = backend, bytes_held(backend)

    def __call__(self, centers: Array, weights: Array, outside_vectors: Array) -> SoftmaxExpectation:
        """See `softmax_expectation`."""
        xp, multiply = self._backend.xp, self._backend.multiply
        (T, D), V = centers.shape, outside_vectors.shape[0]
        most, tile = block_size(self._held, V)
        if tile < V or T == 0:
            return expectation_in_blocks(centers, weights, outside_vectors, backend=self._backend)
        rows = -(-T // -(-T // most))  # blocks of one size, no small one behind them
        centers, weights = xp.ascontiguousarray(centers), xp.ascontiguousarray(weights)
        pitch = -(-V // _PITCH) * _PITCH
        # The last few words by themselves: cuBLAS is slower with tensor cores where a size is no multiple of 4.
        even = V // _PITCH * _PITCH
        parts = [words for words in (slice(0, even), slice(even, V)) if words.start < words.stop]
        scores = xp.empty((rows, pitch), dtype=centers.dtype)
        log_normalizers, factors, scaled = xp.empty_like(weights), xp.empty_like(weights), xp.empty_like(centers)
        d_centers, d_outside = xp.empty_like(centers), xp.empty((V, D), dtype=centers.dtype)
        kernels = self._backend.kernels(centers.dtype)
        for start in range(0, T, rows):
            some = slice(start, min(start + rows, T))
            n = some.stop - start
            for words in parts:
                multiply(centers[some], outside_vectors[words, :].T, scores[:n, words])
            blocks = min(n, _ODDS_BLOCKS * kernels.multiprocessors)
            kernels.launch("odds_of_scores", blocks, _ODDS_THREADS, 32 * centers.itemsize, (
                scores, np.int64(n), np.int32(V), np.int64(pitch), weights[some], centers[some], np.int32(D),
                log_normalizers[some], factors[some], scaled[some],
            ))  # fmt: skip
            for words in parts:
                odds = scores[:n, words]
                multiply(odds, outside_vectors[words, :], d_centers[some], add=words.start > 0)
                multiply(odds.T, scaled[some], d_outside[words, :], add=start > 0)
        d_centers *= factors[:, None]
        return SoftmaxExpectation(log_normalizers, d_centers, d_outside)
