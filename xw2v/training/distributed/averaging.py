"""Bringing the tables of all ranks together: by frequency, and only rows that changed.

Ranks begin with equal tables. When they meet, a row becomes what it was plus f times the sum of the ranks' changes:

    f = min(1, Σ |change|² / |Σ change|²)

which is 1 where one rank alone changed the row or where changes point different ways (their steps add up, as in one
process), and 1 / N where all N ranks changed it alike (they all went to the same place: the mean). Taking the
mean in any case would shorten the steps of rare words, which few ranks meet, to a fraction; taking the sum would
overshoot for frequent ones. The ratio is the gradient diversity of Yin et al. 2018 (arXiv:1706.05699).

Frequent rows are brought together often and rare ones seldom, as in Ji et al. 2016 (arXiv:1604.04661), here so that
each row is expected in the text about equally often between two meetings that include it.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from xw2v.backend import Backend
from xw2v.training.distributed.ranks import TableRanks
from xw2v.training.engines import Tables

__all__ = ["Averager", "row_limits"]

Array = Any

_OCCURRENCES = 8  # of a word on one rank, between two meetings that include it
_PACKET = 1 << 20  # numbers sent at once: bounds the memory for copies, and stays in a cache


def row_limits(counts: np.ndarray, words: int) -> list[int]:
    """How many rows, the first ones, a meeting includes: entry z for every 2^z-th meeting.

    Parameters
    ----------
    counts : (V,) integer array   of the words, frequent ones first (others cost traffic, no more)
    words : int                   that a rank trains from one meeting to the next

    Returns
    -------
    list of int, rising; the last is V
    """
    V = len(counts)
    expected = np.asarray(counts, np.float64) * (words / max(1, int(counts.sum())))
    limits: list[int] = []
    while not limits or limits[-1] < V:
        often = np.flatnonzero(expected * 2.0 ** len(limits) >= _OCCURRENCES)
        limits.append(int(often[-1]) + 1 if len(often) else 0)
        if 2.0 ** len(limits) * words > 2**62:  # words that the corpus does not hold
            limits.append(V)
    return limits


class Averager:
    """The tables as they were at the last meeting, and the next meeting.

    Parameters
    ----------
    tables : Tables          equal on all ranks; changed by `meet`
    ranks : TableRanks       of the backend's arrays
    backend : Backend        NumPy's or CuPy's
    limits : list of int     as `row_limits` gives it

    Attributes
    ----------
    meetings, bytes, seconds   how many there were, what a rank had to send (before the transport's own factor, which
        is 2 (N - 1) / N for a ring), and how long they took, the waiting for slower ranks not counted
    """

    def __init__(self, tables: Tables, ranks: TableRanks, backend: Backend, limits: list[int]) -> None:
        self.tables, self.ranks, self.backend, self.limits = tables, ranks, backend, limits
        self.meetings = self.bytes = 0
        self.seconds = 0.0
        self._base = Tables(*(backend.xp.asarray(table, copy=True) for table in tables))
        self._rows = max(1, _PACKET // (tables.center_vectors.shape[1] + 1))

    def meet(self, *, everything: bool = False) -> None:
        """Bring rows together: those whose turn it is, or all."""
        begun = time.perf_counter()
        self.meetings += 1
        turn = (self.meetings & -self.meetings).bit_length() - 1  # how often 2 divides the number of the meeting
        rows = self.limits[-1] if everything else self.limits[min(turn, len(self.limits) - 1)]
        for table, base in zip(self.tables, self._base, strict=True):
            self._combine(table, base, rows)
        self.backend.synchronize()
        self.seconds += time.perf_counter() - begun

    def _combine(self, table: Array, base: Array, rows: int) -> None:
        ids = self._changed(table, base, rows)
        for first in range(0, ids.shape[0], self._rows):
            some = ids[first : first + self._rows]
            old = self.backend.xp.take(base, some, axis=0)
            old += self._common_step(self.backend.xp.take(table, some, axis=0) - old)
            table[some] = old
            base[some] = old

    def _changed(self, table: Array, base: Array, rows: int) -> Array:
        """Which of the first rows changed on any rank."""
        xp = self.backend.xp
        changed = xp.zeros((rows,), dtype=xp.uint8, device=self.backend.device)
        for first in range(0, rows, self._rows):
            some = slice(first, min(first + self._rows, rows))
            changed[some] = xp.astype(xp.any(table[some, :] != base[some, :], axis=1), xp.uint8)
        self.ranks.maximum(changed)
        self.bytes += rows
        return xp.nonzero(changed)[0]

    def _common_step(self, step: Array) -> Array:
        """f times the sum of the ranks' steps, (n, D) each."""
        xp, D = self.backend.xp, step.shape[1]
        packet = xp.concat([step, xp.vecdot(step, step)[:, None]], axis=1)
        self.ranks.sum(packet)
        self.bytes += 4 * packet.shape[0] * packet.shape[1]
        total, squares = packet[:, :D], packet[:, D]
        square = xp.vecdot(total, total)
        # Where nothing changed, or changes cancel, any factor up to 1 does.
        factor = xp.where(square > squares, squares / xp.maximum(square, xp.asarray(1e-30, dtype=square.dtype)), 1.0)
        return total * xp.astype(factor, total.dtype)[:, None]
