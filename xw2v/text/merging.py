"""Runs of sorted, counted words merged in bounded memory, and the vocabulary chosen from them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from xw2v.errors import CorpusError
from xw2v.text.runs import CountedWords, Run
from xw2v.text.vocabulary import Vocabulary, choose_vocabulary, extend_vocabulary
from xw2v.text.words import Words, pack, unpack

__all__ = ["Choice", "choose", "merged"]

_BESIDE = 48  # bytes that a word in a buffer takes beside its letters, copies and hashes included


class Choice(NamedTuple):
    """Which words of a corpus become a vocabulary, as given by the user."""

    min_count: int = 5
    max_final_vocab: int | None = None
    known: Vocabulary | None = None
    max_vocab_size: int | None = None


def merged(runs: Sequence[Run], room: int) -> Iterator[CountedWords]:
    """Every distinct word of the runs once, with the sum of its counts, some at a time.

    Parameters
    ----------
    room : int   bytes that the words in memory may take, more or less

    Returns
    -------
    Pieces whose `numbers` are the place of the first occurrence: those of the first run come before those of the
    second, and so on.
    """
    if len(runs) == 1:
        yield runs[0].read(0, runs[0].size)
        return
    bases = np.cumsum([0, *(run.size for run in runs)])
    cursors = [_Cursor(run, int(base), room // len(runs)) for run, base in zip(runs, bases, strict=False) if run.size]
    while cursors:
        for cursor in cursors:
            cursor.fill()
        # Below the least of the last words that are in memory every run's words are.
        limit = min((cursor.last() for cursor in cursors if cursor.unread), default=None)
        pieces = [cursor.take(limit) for cursor in cursors]
        yield _summed([piece for piece in pieces if len(piece.words)])
        cursors = [cursor for cursor in cursors if cursor.unread or len(cursor.held.words)]


class _Cursor:
    """A run of sorted words that is read from its head."""

    def __init__(self, run: Run, base: int, room: int) -> None:
        self.run, self.base = run, base
        each = _BESIDE + 3 * run.letters // max(run.size, 1)
        self.words = max(1, room // each)  # in memory at once
        self.at = 0
        self.held = run.read(0, 0)

    @property
    def unread(self) -> bool:
        return self.at < self.run.size

    def fill(self) -> None:
        """Read on until there are as many words as there may be."""
        wanted = self.words - len(self.held.words)
        if wanted > 0 and self.unread:
            more = self.run.read(self.at, self.at + wanted)
            self.at += len(more.words)
            more = more._replace(numbers=more.numbers + self.base)
            self.held = more if not len(self.held.words) else _joined([self.held, more])

    def last(self) -> bytes:
        """The last word that is in memory."""
        word: bytes = self.held.words[-1].as_py()
        return word

    def take(self, limit: bytes | None) -> CountedWords:
        """The words up to `limit`, or all of them."""
        words = self.held.words
        stop = len(words) if limit is None else bisect_right(range(len(words)), limit, key=lambda i: words[i].as_py())
        taken = CountedWords(*(part[:stop] for part in self.held))
        self.held = CountedWords(*(part[stop:] for part in self.held))
        return taken


def _joined(pieces: list[CountedWords]) -> CountedWords:
    words, counts, numbers = zip(*pieces, strict=True)
    return CountedWords(pa.concat_arrays(words), np.concatenate(counts), np.concatenate(numbers))


def _summed(pieces: list[CountedWords]) -> CountedWords:
    """Pieces of several runs, in their order, as one: counts added, the first occurrence kept."""
    every = _joined(pieces)
    encoded = every.words.dictionary_encode()
    places = encoded.indices.to_numpy()
    counts = np.zeros(len(encoded.dictionary), np.int64)
    np.add.at(counts, places, every.counts)
    numbers = np.empty(len(counts), np.int64)
    numbers[places[::-1]] = every.numbers[::-1]  # of equal places the last one written stays: the first run's
    return CountedWords(encoded.dictionary, counts, numbers)


def choose(runs: Sequence[Run], room: int, choice: Choice, name: str) -> Vocabulary:
    """The vocabulary of a corpus, as `choose_vocabulary` or `extend_vocabulary` gives it for all words at once.

    Memory grows with the vocabulary and not with the distinct words.

    Raises
    ------
    CorpusError   no word is as frequent as `min_count`; `name` says of what.
    """
    known = None if choice.known is None else pack(choice.known.words)
    candidates = _Candidates(choice.max_final_vocab)
    distinct = top = 0
    for piece in merged(runs, room):
        distinct += len(piece.words)
        top = max(top, int(piece.counts.max(initial=0)))
        is_known = np.zeros(len(piece.words), bool) if known is None else _is_in(piece.words, known)
        candidates.add(piece, (piece.counts >= choice.min_count) | is_known, is_known)
    words, counts = candidates.by_first_occurrence()
    if choice.known is None:
        vocabulary, lookup = choose_vocabulary(words, counts, choice.min_count, choice.max_final_vocab)
    else:
        limits = choice.min_count, choice.max_final_vocab
        vocabulary, lookup = extend_vocabulary(choice.known, words, counts, *limits)
    if not (lookup >= 0).any():
        msg = (
            f"no word of {name} occurs {choice.min_count} times (min_count): of its {distinct} distinct words "
            f"the most frequent occurs {top} times; set min_count to {top} or less"
        )
        raise CorpusError(msg)
    return vocabulary


def _is_in(words: Words, known: Words) -> npt.NDArray[np.bool_]:
    mask: npt.NDArray[np.bool_] = pc.is_in(words, value_set=known).to_numpy(zero_copy_only=False)
    return mask


class _Candidates:
    """Words that may become the vocabulary; of those that are not known no more than twice `limit` are kept."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._pieces: list[CountedWords] = []
        self._is_known: list[npt.NDArray[np.bool_]] = []
        self._new = 0

    def add(self, piece: CountedWords, chosen: npt.NDArray[np.bool_], is_known: npt.NDArray[np.bool_]) -> None:
        """Add the chosen words of a piece."""
        self._pieces.append(_where(piece, chosen))
        self._is_known.append(is_known[chosen])
        self._new += int((chosen & ~is_known).sum())
        if self.limit is not None and self._new > 2 * self.limit:
            self._trim(self.limit)

    def _trim(self, limit: int) -> None:
        """Keep the known words, and the most frequent others; of equal counts the earliest."""
        every, is_known = _joined(self._pieces), np.concatenate(self._is_known)
        (new,) = np.nonzero(~is_known)
        best = new[np.lexsort((every.numbers[new], -every.counts[new]))[:limit]]
        kept = is_known.copy()
        kept[best] = True
        self._pieces, self._is_known, self._new = [_where(every, kept)], [is_known[kept]], len(best)

    def by_first_occurrence(self) -> tuple[list[str], npt.NDArray[np.int64]]:
        every = _joined(self._pieces)
        order = np.argsort(every.numbers)
        return unpack(every.words.take(pa.array(order))), every.counts[order]


def _where(piece: CountedWords, mask: npt.NDArray[np.bool_]) -> CountedWords:
    return CountedWords(piece.words.filter(pa.array(mask)), piece.counts[mask], piece.numbers[mask])
