"""Which chunks each rank trains: the walk of one process, dealt out like cards, in rounds that end with a meeting."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xw2v.config import Config
from xw2v.training import batches
from xw2v.training.engines import AheadEngine, ChunkResult, Engine
from xw2v.training.walk import Place, Position, Walk, chunk_size, segments_for

__all__ = ["SharedWalk", "chunks_a_round", "shared_rounds", "words_a_round"]

# Tokens of a rank between two meetings in a short run: at most, and times the fourth power of the number of ranks. Two
# lose nothing by more of them, four do. A longer run bears more: what counts is how many meetings there are, of four
# ranks and more; of fewer they go down with their third power (bench/README.md).
_SYNC_EVERY, _SYNC_EVERY_FOURTH = 262_144, 4_194_304
_MEETINGS = 2560
_MOST_WORK = 1e10  # multiply-adds of a worker in a round, as for a chunk: a second, for Ctrl-C waits for its end
_MOST_CHUNKS = 32  # of a GPU, the same
_ROUNDS_AN_EPOCH = 8  # at least, where there are chunks enough: a small corpus has its meetings, too


def words_a_round(config: Config, ranks: int, words: int, most: int | None = None) -> int:
    """Words that each rank trains between two meetings, roughly, where the options do not say.

    Parameters
    ----------
    config : Config
    ranks : int    how many there are
    words : int    of the whole run, over all epochs
    most : int or None    words of a round at most; None: as many as a CPU trains in a second or so
    """
    if most is None:
        most = batches.SEGMENT * segments_for(config, _MOST_WORK)
    of_a_short_run = min(_SYNC_EVERY, _SYNC_EVERY_FOURTH // ranks**4)
    meetings = _MEETINGS * min(1, ranks / 4) ** 3
    wanted = max(of_a_short_run, int(words / (ranks * meetings)))
    return config.sync_every or max(batches.SEGMENT, min(most, wanted))


def shared_rounds(n: int, config: Config, engine: Engine, ranks: int, workers: int) -> tuple[int, int]:
    """(tokens of a chunk, tokens of a rank between two meetings) for a corpus of n tokens.

    A round has a chunk for every worker of a rank.
    """
    usual = chunk_size(n, config, engine, workers)
    most = _MOST_CHUNKS * batches.SEGMENT * engine.chunk_segments if isinstance(engine, AheadEngine) else None
    words = words_a_round(config, ranks, config.epochs * n, most)
    return min(usual, batches.SEGMENT * max(1, words // (batches.SEGMENT * workers))), words


def chunks_a_round(n: int, size: int, words: int, ranks: int, workers: int) -> int:
    """Chunks that each rank trains between two meetings: so many that all its workers end about together.

    Parameters
    ----------
    n, size : int         tokens of the corpus, and of a chunk
    words : int           tokens of a rank that are wanted between two meetings
    ranks, workers : int  how many ranks, and the most workers of one
    """
    most = max(1, -(-n // size) // (_ROUNDS_AN_EPOCH * ranks))
    wanted = max(1, round(words / size))
    return min(most, -(-wanted // workers) * workers)


class SharedWalk(Walk):
    """A `Walk` whose chunks are dealt out to ranks. Iterating gives this rank's chunks of the round under way.

    All ranks go from round to round together, so `position` between two rounds is that of the whole run and does not
    depend on how many ranks there are.

    Parameters
    ----------
    n, config, position    as for `Walk`
    rank, ranks : int      this one's number, and how many there are
    chunks : int           of each rank in a round

    Attributes
    ----------
    sums : (4,) float64    loss, pairs, centres and steps of this rank's chunks of the round
    """

    def __init__(self, n: int, config: Config, position: Position, rank: int, ranks: int, chunks: int) -> None:
        super().__init__(n, config, position)
        self.rank, self.ranks, self.chunks = rank, ranks, chunks
        self.last = Place(self.epoch, self.start)
        self._mine: list[Place] = []
        self.sums = np.zeros(4)

    def next_round(self) -> bool:
        """Deal out the next chunks; False where there are none."""
        whole: list[Place] = []
        for place in super().__iter__():
            whole.append(place)
            if len(whole) == self.ranks * self.chunks:
                break
        if not whole:
            return False
        self._mine, self.last = whole[self.rank :: self.ranks], whole[-1]
        self.sums[:] = 0
        return True

    def __iter__(self) -> Iterator[Place]:
        yield from self._mine

    @property
    def over(self) -> bool:
        """Whether this round is the last one."""
        return not self.begun and self._over()

    def add(self, result: ChunkResult) -> None:
        """Count what was trained of one of this rank's chunks."""
        self.sums += (result.loss, result.pairs, result.centers, result.steps)

    def end_round(self, sums: np.ndarray) -> ChunkResult:
        """Count what all ranks trained in the round, given the sums over all ranks."""
        loss, pairs, centers, steps = sums.tolist()
        result = ChunkResult(loss, int(pairs), int(centers), int(steps))
        super().add(result)
        self.ended = self.epoch  # nobody looks at the ends of epochs
        return result
