"""Bringing the tables of all ranks together: by frequency, and only rows that changed.

Ranks begin with equal tables. When they meet, a row becomes what it was plus f times the sum of the ranks' changes.
f = 1, the sum, is right for a rare word: the ranks' steps are those that one process would take one after the other.
f = 1 / N, the mean, is right for a frequent one, whose row goes all the way to where its words pull it on each of the
N ranks: the sum would go N times as far. In between, a row that goes the share x of its way on one rank goes
1 - (1 - x)^N of it in N times as many steps, so `step_factor` takes f = (1 - (1 - x)^N) / (N x).

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

__all__ = ["Averager", "row_limits", "step_factor"]

Array = Any

_OCCURRENCES = 2.0  # of a word on one rank, between two meetings that include it
_STIFFNESS = 2.0  # how much of the way to its place a row goes with an occurrence, over the learning rate
_PACKET = 1 << 20  # numbers sent at once: bounds the memory for copies, and stays in a cache


def row_limits(expected: np.ndarray) -> list[int]:
    """How many rows, the first ones, a meeting includes: entry z for every 2^z-th meeting.

    Parameters
    ----------
    expected : (V,) float array   occurrences of each word on one rank from one meeting to the next; frequent words
        come first (others cost traffic, no more)

    Returns
    -------
    list of int, rising; the last is V
    """
    V = len(expected)
    limits: list[int] = []
    while not limits or limits[-1] < V:
        often = np.flatnonzero(expected * 2.0 ** len(limits) >= _OCCURRENCES)
        # Words that no rank ever meets wait for the end of the run.
        limits.append(V if len(limits) > 40 else int(often[-1]) + 1 if len(often) else 0)
    return limits


def step_factor(occurrences: np.ndarray, alpha: float, ranks: int) -> np.ndarray:
    """What to multiply the sum of the ranks' changes of rows with; between 1 / ranks and 1.

    Parameters
    ----------
    occurrences : float array   of the rows' words on one rank since they were brought together
    alpha : float               learning rate
    """
    share = np.maximum(-np.expm1(-_STIFFNESS * alpha * np.asarray(occurrences, np.float64)), 1e-9)
    factor: np.ndarray = -np.expm1(ranks * np.log1p(-np.minimum(share, 1 - 1e-9))) / (ranks * share)
    return factor


class Averager:
    """The tables as they were at the last meeting, and the next meeting.

    Parameters
    ----------
    tables : Tables               equal on all ranks; changed by `meet`
    ranks : TableRanks            of the backend's arrays
    size : int                    how many ranks there are
    backend : Backend             NumPy's or CuPy's
    expected : (V,) float array   as for `row_limits`

    Attributes
    ----------
    meetings, bytes, seconds   how many there were, what a rank had to bring (a ring sends and receives 2 (N - 1) / N
        times as much), and how long they took, the waiting for slower ranks not counted
    """

    def __init__(self, tables: Tables, ranks: TableRanks, size: int, backend: Backend, expected: np.ndarray) -> None:
        self.tables, self.ranks, self.size, self.backend = tables, ranks, size, backend
        self.meetings = self.bytes = 0
        self.seconds = 0.0
        self._expected, self._limits = np.asarray(expected, np.float64), row_limits(expected)
        self._last = np.zeros(len(expected), np.int64)  # the meeting that included a row
        self._base = Tables(*(backend.xp.asarray(table, copy=True) for table in tables))
        self._rows = max(1, _PACKET // tables.center_vectors.shape[1])

    def meet(self, alpha: float, *, everything: bool = False) -> None:
        """Bring rows together: those whose turn it is, or all. `alpha` is the learning rate until now."""
        begun = time.perf_counter()
        self.meetings += 1
        turn = (self.meetings & -self.meetings).bit_length() - 1  # how often 2 divides the number of the meeting
        rows = self._limits[-1 if everything else min(turn, len(self._limits) - 1)]
        occurrences = self._expected[:rows] * (self.meetings - self._last[:rows])
        self._last[:rows] = self.meetings
        factor = self.backend.from_host(step_factor(occurrences, alpha, self.size).astype(np.float32))
        for table, base in zip(self.tables, self._base, strict=True):
            self._combine(table, base, factor)
        self.backend.synchronize()
        self.seconds += time.perf_counter() - begun

    def _combine(self, table: Array, base: Array, factor: Array) -> None:
        take = self.backend.xp.take
        ids = self._changed(table, base, factor.shape[0])
        for first in range(0, ids.shape[0], self._rows):
            some = ids[first : first + self._rows]
            old = take(base, some, axis=0)
            step = take(table, some, axis=0) - old
            self.ranks.sum(step)
            self.bytes += 4 * step.shape[0] * step.shape[1]
            step *= take(factor, some, axis=0)[:, None]
            old += step
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
