"""Cosines with a table of vectors, and the largest of them. Arrays in, arrays out.

V rows of D numbers; Q questions. Nothing here makes a second table: rows are divided by their lengths after
the product, except where lengths are so extreme that the product would leave float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from array_api_compat import device, is_cupy_array, is_torch_array

from xw2v.parallel import in_parallel, usable_cores

__all__ = [
    "Places",
    "Rows",
    "agree",
    "cosines",
    "largest",
    "nearest",
    "row_lengths",
    "scaled",
    "struck_out",
    "unit_row",
    "unit_rows",
]

FloatArray = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]

_BLOCK_NUMBERS = 2**22  # float32 of a block of cosines: 16 MB
_CHUNK = 512  # numbers of which only the largest is looked at first
_QUESTIONS = 1024  # asked at once
_AT_ONCE = 16  # blocks of rows that a thread goes through before it takes the next ones
_LOOKED_AT = 100  # rows; each is a page to fetch
_MARGIN = np.float32(1e-5)


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
    jobs = (partial(_squares, vectors, squares, start, step) for start in range(0, len(vectors), _AT_ONCE * step))
    for _ in in_parallel(jobs, usable_cores() if len(vectors) > _AT_ONCE * step else 1):
        pass
    return np.sqrt(squares, out=squares)


def _squares(vectors: FloatArray, squares: npt.NDArray[np.float64], start: int, step: int) -> None:
    """The squared lengths of `_AT_ONCE` blocks of rows."""
    with np.errstate(over="ignore", invalid="ignore"):
        for begin in range(start, min(start + _AT_ONCE * step, len(vectors)), step):
            rows = vectors[begin : begin + step]
            found = np.vecdot(rows, rows).astype(np.float64)
            odd = np.flatnonzero(~((found > 1e-25) & (found < 1e35)))
            if len(odd):
                wide = rows[odd].astype(np.float64)
                found[odd] = np.einsum("ij,ij->i", wide, wide)
            squares[begin : begin + step] = found


def agree(lengths: npt.NDArray[np.float64], vectors: FloatArray) -> bool:
    """Whether (V,) numbers are the lengths of those rows, spread over the table, that are looked at."""
    rows = np.linspace(0, len(vectors) - 1, min(len(vectors), _LOOKED_AT), dtype=np.intp)
    return np.allclose(lengths[rows], row_lengths(vectors[rows]), rtol=1e-6, atol=0.0)


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


def struck_out(values: Any, rows: Any, *, xp: Any) -> Any:
    """(Q, V) values of any array library with -inf in the columns (Q, k) of their row; they may be changed."""
    if isinstance(values, np.ndarray):
        np.put_along_axis(values, rows, -np.inf, axis=1)
        return values
    on = device(values)
    if is_cupy_array(values) or is_torch_array(values):  # others may not be changed at chosen places
        values[xp.arange(len(rows), device=on)[:, None], rows] = -xp.inf
        return values
    place = xp.arange(values.shape[1], dtype=rows.dtype, device=on)[None, :]
    nothing = xp.asarray(-xp.inf, dtype=values.dtype, device=on)
    for i in range(rows.shape[1]):
        values = xp.where(place == rows[:, i : i + 1], nothing, values)
    return values


def nearest(rows: Rows, asked: Places, n: int) -> Iterator[tuple[Places, FloatArray]]:
    """For each of the rows `asked` (Q,): positions of the n nearest other rows, falling, and their cosines.

    Exact. One product of many questions with a tile of rows after the other gives the largest cosine of every
    chunk of rows; then only the chunks that may hold one of the n nearest are looked at again.
    """
    for start in range(0, len(asked), _QUESTIONS):
        block = asked[start : start + _QUESTIONS]
        units = rows.table[block] * rows.factors[block, None]
        for place, unit, maxima in zip(block.tolist(), units, _chunk_maxima(rows, units), strict=True):
            yield _among(rows, unit, maxima, n, place)


def _chunk_maxima(rows: Rows, units: FloatArray) -> FloatArray:
    """(Q, chunks) largest cosine of each chunk of `_CHUNK` rows with each of (Q, D) unit vectors."""
    V, Q = len(rows.table), len(units)
    maxima = np.empty((Q, -(-V // _CHUNK)), dtype=np.float32)
    tile = max(1, _BLOCK_NUMBERS // (Q * _CHUNK)) * _CHUNK
    # One block of memory for all tiles: fresh pages cost more than the products.
    buffer = np.empty(Q * min(tile, V), dtype=np.float32)
    for start in range(0, V, tile):
        part = rows.table[start : start + tile] * rows.factors[start : start + tile, None]
        found = np.matmul(units, part.T, out=buffer[: Q * len(part)].reshape(Q, len(part)))
        whole, first = len(part) // _CHUNK, start // _CHUNK
        found[:, : whole * _CHUNK].reshape(Q, whole, _CHUNK).max(axis=2, out=maxima[:, first : first + whole])
        if whole * _CHUNK < len(part):
            maxima[:, first + whole] = found[:, whole * _CHUNK :].max(axis=1)
    return maxima


def _among(rows: Rows, unit: FloatArray, maxima: FloatArray, n: int, place: int) -> tuple[Places, FloatArray]:
    """The n nearest rows to one of them, from the chunks whose largest cosine is among the n + 1 largest."""
    chunks = np.arange(len(maxima))
    if n + 1 < len(maxima):
        # The margin is for the rounding of another product; whoever is within it is looked at.
        chunks = np.flatnonzero(maxima >= np.partition(maxima, -(n + 1))[-(n + 1)] - _MARGIN)
    places = (chunks[:, None] * _CHUNK + np.arange(_CHUNK)).ravel()
    places = places[: np.searchsorted(places, len(rows.table))]
    # vecdot, for BLAS would start threads for so little
    found: FloatArray = np.vecdot(rows.table[places], unit) * rows.factors[places]
    found[np.searchsorted(places, place) : np.searchsorted(places, place, side="right")] = -np.inf
    best = largest(found, min(n, len(rows.table) - 1))
    return places[best], found[best]
