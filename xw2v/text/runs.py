"""The first pass over a corpus: its tokens as ids of their block's own words, and runs of distinct words with counts.

A run ends where its distinct words fill the memory they may take. They are then sorted by their bytes and spilled,
so that runs can be merged piece by piece, as in an external merge sort (Knuth, The Art of Computer Programming,
vol. 3, section 5.4).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from xw2v.errors import FormatError
from xw2v.order import falls
from xw2v.text.blocks import TokenBlock
from xw2v.text.spool import Spool
from xw2v.text.words import WordPile, Words, from_parts, parts_of

__all__ = ["CODE", "BlockPlace", "CountedWords", "Part", "Run", "RunPlace", "block_codes"]

CODE = np.dtype("<i4")
_COUNT = np.dtype("<i8")


class BlockPlace(NamedTuple):
    """Where the parts of a block lie in a spool: codes and sentence ends together, later each word's number."""

    tokens: int
    ends: int
    words: int
    codes_at: int
    numbers_at: int  # the number in its run of each of the block's words


class RunPlace(NamedTuple):
    """Where the sorted words of a run lie in a spool."""

    words: int
    offsets_at: int
    letters_at: int
    counts_at: int
    numbers_at: int


class CountedWords(NamedTuple):
    """Some distinct words of a run.

    words : Arrow array; counts : (n,) int64; numbers : (n,) int64, their numbers in the run, by first occurrence
    """

    words: Words
    counts: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]


@dataclass
class Run:
    """Consecutive blocks whose words are numbered together.

    words : the distinct words, as long as they are in memory; else they lie at `place`
    """

    spool: Spool
    blocks: list[BlockPlace] = field(default_factory=list)
    words: CountedWords | None = None
    place: RunPlace | None = None

    @property
    def size(self) -> int:
        """How many distinct words there are."""
        if self.place is not None:
            return self.place.words
        return len(self.words.words) if self.words is not None else 0

    @property
    def letters(self) -> int:
        """How many bytes the distinct words have together."""
        if self.place is not None:
            return self.place.counts_at - self.place.letters_at
        return len(parts_of(self.words.words)[1]) if self.words is not None else 0

    def read(self, start: int, stop: int) -> CountedWords:
        """Some of the words in the order of their bytes; where none were spilled all of them in any order.

        Raises
        ------
        FormatError   what was spilled is damaged.
        """
        if self.words is not None:
            return self.words
        place, spool = self.place, self.spool
        assert place is not None
        stop = min(stop, place.words)
        if start >= stop:
            return CountedWords(pa.array([], pa.binary()), np.zeros(0, np.int64), np.zeros(0, np.int64))
        offsets = spool.read(place.offsets_at + start * CODE.itemsize, stop - start + 1, CODE)
        if offsets[0] < 0 or falls(offsets):
            msg = f"{spool.place} is damaged: spilled words do not follow each other; encode the corpus again"
            raise FormatError(msg)
        data = spool.read(place.letters_at + int(offsets[0]), int(offsets[-1] - offsets[0]), np.uint8)
        return CountedWords(
            from_parts(offsets - offsets[0], data),
            spool.read(place.counts_at + start * _COUNT.itemsize, stop - start, _COUNT),
            spool.read(place.numbers_at + start * CODE.itemsize, stop - start, CODE).astype(np.int64),
        )

    def spill(self) -> None:
        """Write the words to the spool and forget them."""
        assert self.words is not None
        order = pc.sort_indices(self.words.words)
        places = order.to_numpy()
        offsets, data = parts_of(self.words.words.take(order))
        spool = self.spool
        self.place = RunPlace(
            len(places),
            spool.append(offsets, CODE),
            spool.append(data, np.uint8),
            spool.append(self.words.counts[places], _COUNT),
            spool.append(self.words.numbers[places], CODE),
        )
        self.words = None


class Part:
    """Some blocks of a corpus, and their words in one run or more.

    Parameters
    ----------
    spool : Spool   takes what is not kept in memory
    room : int      bytes that distinct words may take, as `words.weight` counts them

    Attributes
    ----------
    runs : list of Run   those that are ended
    tokens : int
    """

    def __init__(self, spool: Spool, room: int) -> None:
        self.spool, self.room, self.tokens = spool, room, 0
        self.runs: list[Run] = []
        self._pile = WordPile()
        self._run = Run(spool)
        self._waiting: list[tuple[int, int, int, int]] = []  # blocks whose words have no numbers yet

    def add(self, block: TokenBlock) -> None:
        """Write a block's codes and sentence ends, and count its words."""
        at = self.spool.append(block.codes, CODE)
        self.spool.append(block.ends, CODE)
        self._waiting.append((len(block.codes), len(block.ends), len(block.words), at))
        self._pile.add(block.words, np.bincount(block.codes, minlength=len(block.words)))
        self.tokens += len(block.codes)
        if self._pile.settled + self._pile.waiting > self.room:
            self._settle()
            if self._pile.settled > self.room // 2:
                self._end_run()
                self.runs[-1].spill()

    def finish(self, *, spill: bool) -> None:
        """End the last run. With `spill`, and where there are several, no words stay in memory."""
        self._settle()
        if self._run.blocks:
            self._end_run()
        for run in self.runs:
            if run.words is not None and (spill or len(self.runs) > 1):
                run.spill()
        self.spool.flush()

    def _settle(self) -> None:
        numbers = self._pile.settle()
        at = self.spool.append(numbers, CODE)
        for tokens, ends, words, codes_at in self._waiting:
            self._run.blocks.append(BlockPlace(tokens, ends, words, codes_at, at))
            at += words * CODE.itemsize
        self._waiting = []

    def _end_run(self) -> None:
        numbers = np.arange(len(self._pile.words))
        self._run.words = CountedWords(self._pile.words, self._pile.counts, numbers)
        self.runs.append(self._run)
        self._run, self._pile = Run(self.spool), WordPile()


def block_codes(run: Run, place: BlockPlace) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Codes, sentence ends and the words' numbers of a block, checked.

    Raises
    ------
    FormatError   they are damaged.
    """
    both = run.spool.read(place.codes_at, place.tokens + place.ends, CODE)
    codes, ends = both[: place.tokens], both[place.tokens :]
    numbers = run.spool.read(place.numbers_at, place.words, CODE)
    # One comparison for both ends: a negative number is a large one without its sign.
    for values, limit in ((codes, place.words), (numbers, run.size), (ends, place.tokens + 1)):
        if len(values) and int(values.view(np.uint32).max()) >= limit:
            msg = f"{run.spool.place} is damaged: a number of a block is out of its range; encode the corpus again"
            raise FormatError(msg)
    return codes, ends, numbers
