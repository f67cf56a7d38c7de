"""Chunks of a corpus, of which the next one is read while this one is trained on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from xw2v.training.batches import Chunk

__all__ = ["ReadAhead"]


class ReadAhead:
    """A thread that reads chunks before they are asked for.

    Parameters
    ----------
    read : callable            gets the position of a chunk's first token; called from any thread
    pool : ThreadPoolExecutor  of the thread
    """

    def __init__(self, read: Callable[[int], Chunk], pool: ThreadPoolExecutor) -> None:
        self._read, self._pool = read, pool
        self._begun: dict[int, Future[Chunk]] = {}

    def begin(self, start: int) -> None:
        """Read the chunk at `start` in the background, unless that is done already."""
        if start not in self._begun:
            self._begun[start] = self._pool.submit(self._read, start)

    def take(self, start: int) -> Chunk:
        """The chunk at `start`, as soon as it is read; what reading it raised is raised here."""
        begun = self._begun.pop(start, None)
        return self._read(start) if begun is None else begun.result()
