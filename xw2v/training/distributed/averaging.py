"""Bringing the tables of all ranks together: by frequency, and only rows that changed.

Ranks begin with equal tables. When they meet, a row becomes what it was plus f times the sum of the ranks' changes:

    f = min(1, max(B / |Σ change|, Σ |change|² / |Σ change|²))

f = 1, the sum, takes all the steps that one process would take one after the other. For a frequent word it is too
much: its row goes all the way to where its words pull it on each of N ranks, and N times as far in the sum. So the
sum is shortened to the length B, but no further than by the second ratio, which is 1 where changes point different
ways and 1 / N, the mean, where all are alike. That ratio is the gradient diversity of Yin et al. 2018
(arXiv:1706.05699). What was tried beside it: bench/README.md.

Frequent rows are brought together often and rare ones seldom, as in Ji et al. 2016 (arXiv:1604.04661), here so that
each row is expected in the text about equally often between two meetings that include it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

import numpy as np

from xw2v.backend import Backend
from xw2v.training.distributed import row_moves
from xw2v.training.distributed.ranks import TableRanks
from xw2v.training.engines import Tables

__all__ = ["Averager", "row_limits"]

Array = Any

# Of a word on all ranks together, between two meetings that include it: these over the number of ranks, within bounds.
_OCCURRENCES, _FEWEST, _MOST = 32.0, 4.0, 8.0
_LONGEST = 1.0  # B of up to four ranks, of more 4 / N of it; vectors of words are 2 to 10 long
_PACKET = 1 << 18  # numbers sent at once: bounds the memory for copies, and stays in a cache
_GPU_PACKET = 1 << 24  # 64 MB: some 30 kernels are started for each, whatever its size


def row_limits(expected: np.ndarray, ranks: int) -> list[int]:
    """How many rows, the first ones, a meeting includes: entry z for every 2^z-th meeting.

    Parameters
    ----------
    expected : (V,) float array   occurrences of each word on all ranks from one meeting to the next; frequent words
        come first (others cost traffic, no more)
    ranks : int   how many there are

    Returns
    -------
    list of int, rising; the last is V
    """
    V, occurrences = len(expected), min(_MOST, max(_FEWEST, _OCCURRENCES / ranks))
    limits: list[int] = []
    while not limits or limits[-1] < V:
        often = np.flatnonzero(expected * 2.0 ** len(limits) >= occurrences)
        # Words that no rank ever meets wait for the end of the run.
        limits.append(V if len(limits) > 40 else int(often[-1]) + 1 if len(often) else 0)
    return limits


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
        times as much), and how long they took, waiting for slower ranks included
    """

    def __init__(self, tables: Tables, ranks: TableRanks, size: int, backend: Backend, expected: np.ndarray) -> None:
        self.tables, self.ranks, self.backend = tables, ranks, backend
        self._longest = _LONGEST * min(1.0, 4 / size)
        self.meetings = self.bytes = 0
        self.seconds = 0.0
        self._limits = row_limits(expected, size)
        self._base = Tables(*(backend.xp.asarray(table, copy=True) for table in tables))
        self._all = backend.xp.arange(len(expected), device=backend.device)
        self._moves = _moves(backend)
        self._rows = max(
            1, (_GPU_PACKET if backend.name == "cupy" else _PACKET) // (tables.center_vectors.shape[1] + 1)
        )

    def meet(self, *, everything: bool = False) -> None:
        """Bring rows together: those whose turn it is, which have hardly one that no rank met, or all that changed."""
        begun = time.perf_counter()
        self.meetings += 1
        turn = (self.meetings & -self.meetings).bit_length() - 1  # how often 2 divides the number of the meeting
        rows = self._limits[min(turn, len(self._limits) - 1)]
        under_way: deque[Callable[[], None]] = deque()
        for table, base in zip(self.tables, self._base, strict=True):
            ids = self._changed(table, base) if everything else self._all[:rows]
            for first in range(0, ids.shape[0], self._rows):
                under_way.append(self._begin(table, base, ids[first : first + self._rows]))
                if len(under_way) > 1:  # while one travels, the one before is added up
                    under_way.popleft()()
        while under_way:
            under_way.popleft()()
        self.backend.synchronize()
        self.seconds += time.perf_counter() - begun

    def _begin(self, table: Array, base: Array, ids: Array) -> Callable[[], None]:
        """Send a packet; what is returned waits for it and adds it up."""
        packet = self._moves.pack_steps(table, base, ids)
        arrived = self.ranks.begin_sum(packet)
        self.bytes += 4 * packet.shape[0] * packet.shape[1]

        def finish() -> None:
            arrived()
            self._moves.add_steps(table, base, ids, packet, self._longest)

        return finish

    def _changed(self, table: Array, base: Array) -> Array:
        """Which rows changed on any rank."""
        xp = self.backend.xp
        changed = xp.zeros((table.shape[0],), dtype=xp.uint8, device=self.backend.device)
        for first in range(0, table.shape[0], self._rows):
            some = slice(first, min(first + self._rows, table.shape[0]))
            changed[some] = xp.astype(xp.any(table[some, :] != base[some, :], axis=1), xp.uint8)
        self.ranks.maximum(changed)
        self.backend.synchronize()  # `nonzero` would wait, too, but for no signal
        self.bytes += table.shape[0]
        return xp.nonzero(changed)[0]


def _moves(backend: Backend) -> Any:
    """The module of `row_moves`' functions for a backend."""
    if backend.name == "numpy":
        with suppress(ImportError):  # where there is no Numba
            return import_module("xw2v.training.distributed.row_loops")
    return row_moves
