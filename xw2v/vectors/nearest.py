"""Cosines with a table of vectors, and the largest of them. Arrays in, arrays out.

V rows of D numbers; Q questions. Nothing here makes a second table: rows are divided by their lengths after
the product, except where lengths are so extreme that the product would leave float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Rows", "cosines", "largest", "nearest", "row_lengths", "scaled", "unit_row", "unit_rows"]

FloatArray = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]

_BLOCK_NUMBERS = 2**24  # float32 of a block of cosines: 64 MB
_CHUNK = 512  # numbers of which only the largest is looked at first


class Rows(NamedTuple):
    """Rows ready for cosines: `table` (V, D) and what to multiply a product with a row by, `factors` (V,)."""

    table: FloatArray
    factors: FloatArray


def unit_row(vector: npt.NDArray[np.number]) -> npt.NDArray[np.float64]:
    """(D,) float64 divided by its length, zero left zero."""
    row = vector.astype(np.float64)
    length = float(np.linalg.norm(row))
    return row / length if length > 0 else row


def unit_rows(vectors: FloatArray) -> FloatArray:
    """Rows divided by their lengths, which are taken in float64 so that no finite float32 over- or underflows."""
    unit = np.empty(vectors.shape, dtype=np.float32)
    step = max(1, 2**18 // vectors.shape[1])
    for start in range(0, len(vectors), step):
        rows = vectors[start : start + step].astype(np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        lengths[lengths == 0] = 1.0
        unit[start : start + step] = rows / lengths[:, None]
    return unit


def row_lengths(vectors: FloatArray) -> npt.NDArray[np.float64]:
    """(V,) lengths; those that float32 squares cannot hold are taken in float64. Not finite where a row is not."""
    squares = np.empty(len(vectors), dtype=np.float64)
    step = max(1, 2**18 // vectors.shape[1])  # stays in the cache
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(vectors), step):
            rows = vectors[start : start + step]
            found = np.vecdot(rows, rows).astype(np.float64)
            odd = np.flatnonzero(~((found > 1e-25) & (found < 1e35)))
            if len(odd):
                wide = rows[odd].astype(np.float64)
                found[odd] = np.einsum("ij,ij->i", wide, wide)
            squares[start : start + step] = found
    return np.sqrt(squares, out=squares)


def scaled(vectors: FloatArray, lengths: npt.NDArray[np.float64]) -> Rows:
    """The rows as they are with the inverse of their lengths; a unit table where lengths are extreme."""
    positive = lengths[lengths > 0]
    if len(positive) and (positive.min() < 1e-15 or positive.max() > 1e15):
        return Rows(unit_rows(vectors), np.ones(len(vectors), dtype=np.float32))
    factors = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return Rows(vectors, factors.astype(np.float32))


def cosines(rows: Rows, unit: npt.NDArray[np.floating], count: int | None = None) -> FloatArray:
    """(count,) cosines of the first rows with a (D,) unit vector; 0 where a row is zero."""
    found: FloatArray = rows.table[:count] @ unit.astype(np.float32)
    found *= rows.factors[:count]
    return found


def largest(values: FloatArray, n: int) -> Places:
    """Positions of the n largest of (V,) values, falling; equal ones by position, so that the answer is fixed.

    The n-th largest of the maxima of chunks is no larger than the n-th largest value, so whatever is below it
    need not be sorted.
    """
    if n < 1:
        return np.empty(0, dtype=np.intp)
    chunks = len(values) // _CHUNK
    if n < chunks:
        maxima = values[: chunks * _CHUNK].reshape(chunks, _CHUNK).max(axis=1)
        candidates = np.flatnonzero(values >= np.partition(maxima, chunks - n)[chunks - n])
    else:
        candidates = np.arange(len(values))
    if n < len(candidates):
        among = values[candidates]
        candidates = candidates[among >= np.partition(among, len(among) - n)[len(among) - n]]
    return candidates[np.argsort(-values[candidates], kind="stable")[:n]]


def nearest(rows: Rows, asked: Places, n: int) -> Iterator[tuple[Places, FloatArray]]:
    """For each of the rows `asked` (Q,): positions of the n nearest other rows, falling, and their cosines.

    Exact, by one matrix product a block of questions.
    """
    step = min(len(asked), max(1, _BLOCK_NUMBERS // max(1, len(rows.table))))
    # One block of memory for all: fresh pages cost more than the products.
    buffer = np.empty((step, len(rows.table)), dtype=np.float32)
    for start in range(0, len(asked), max(1, step)):
        block = asked[start : start + step]
        found = np.matmul(rows.table[block] * rows.factors[block, None], rows.table.T, out=buffer[: len(block)])
        found *= rows.factors
        found[np.arange(len(block)), block] = -np.inf
        for row in found:
            best = largest(row, min(n, len(row) - 1))
            yield best, row[best]
