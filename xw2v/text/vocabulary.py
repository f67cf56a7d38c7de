"""The vocabulary: words by descending count, and how they are chosen from a corpus' counts.

Letters: V words in the vocabulary, W distinct words in the corpus.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from xw2v.errors import FormatError, ShapeError

__all__ = ["Vocabulary", "choose_vocabulary", "counted_together", "extend_vocabulary"]

_INT64_MAX = 2**63 - 1


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The words that have vectors; a word's id is its place.

    Parameters
    ----------
    words : V strings, each once; any characters, spaces and line ends too
    counts : (V,) int64, how often each word occurs in the corpus; read-only here

    Raises
    ------
    ShapeError   `counts` is not one number a word.

    Notes
    -----
    `choose_vocabulary` orders words by descending count, equal counts by their first place in the corpus.
    """

    words: list[str]
    counts: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        counts = np.array(self.counts, dtype=np.int64)
        if counts.shape != (len(self.words),):
            msg = f"counts must have one number for each of the {len(self.words)} words, got shape {counts.shape}"
            raise ShapeError(msg)
        counts.flags.writeable = False
        object.__setattr__(self, "counts", counts)

    def __repr__(self) -> str:
        more = ", ..." if len(self.words) > 4 else ""
        return f"{type(self).__name__}({len(self)} words: {', '.join(map(repr, self.words[:4]))}{more})"

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def index(self) -> dict[str, int]:
        """Word to id; made at the first use."""
        return {word: place for place, word in enumerate(self.words)}

    def to_json(self) -> str:
        """The vocabulary as JSON text, pure ASCII, so that any word survives."""
        return json.dumps({"words": self.words, "counts": self.counts.tolist()})

    @classmethod
    def from_json(cls, text: str | bytes, name: str = "vocabulary") -> Vocabulary:
        """The reverse of `to_json`; `name` says in errors where the text came from.

        Raises
        ------
        FormatError   not JSON, or not one list of unique strings and one of counts >= 0, equally long.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            msg = f"{name} is not a vocabulary: {error}"
            raise FormatError(msg) from error
        fault = _fault(data)
        if fault is not None:
            msg = f"{name} is not a vocabulary: {fault}"
            raise FormatError(msg)
        return cls(data["words"], np.array(data["counts"], dtype=np.int64))


def _fault(data: Any) -> str | None:
    """What is wrong with the parsed JSON of a vocabulary, or None."""
    if not isinstance(data, dict) or not all(isinstance(data.get(key), list) for key in ("words", "counts")):
        return "wanted an object with two lists, 'words' and 'counts'"
    words, counts = data["words"], data["counts"]
    if len(words) != len(counts):
        return f"{len(words)} words and {len(counts)} counts"
    if not all(isinstance(word, str) for word in words):
        return "a word is not a string"
    if len(set(words)) != len(words):
        return "a word stands in it twice"
    # `type`, not isinstance: true and false are ints in Python and no counts.
    if not all(type(count) is int and 0 <= count <= _INT64_MAX for count in counts):
        return "a count is not an integer from 0 to 2**63 - 1"
    return None


def choose_vocabulary(
    words: Sequence[str],
    counts: npt.NDArray[np.int64],
    min_count: int = 5,
    max_final_vocab: int | None = None,
) -> tuple[Vocabulary, npt.NDArray[np.int32]]:
    """The words frequent enough, the most frequent first, and where each given word went.

    Parameters
    ----------
    words : W distinct words in the order of their first occurrence
    counts : (W,) int64
    min_count : words that occur less often are left out
    max_final_vocab : of the rest keep at most this many, the most frequent; None keeps all

    Returns
    -------
    vocabulary : V words; equal counts stay in the order of first occurrence
    lookup : (W,) int32, the new id of each given word, -1 where it was left out

    Notes
    -----
    gensim's `max_final_vocab` raises `min_count` until at most so many words remain, so it drops all words
    that tie at the border; here the earliest of them fill the places, and exactly that many words remain
    wherever the corpus has them.
    """
    counts = np.asarray(counts, dtype=np.int64)
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] >= min_count][:max_final_vocab]
    lookup = np.full(len(counts), -1, dtype=np.int32)
    lookup[order] = np.arange(len(order), dtype=np.int32)
    return Vocabulary([words[place] for place in order.tolist()], counts[order]), lookup


def extend_vocabulary(
    known: Vocabulary,
    words: Sequence[str],
    counts: npt.NDArray[np.int64],
    min_count: int = 5,
    max_final_vocab: int | None = None,
) -> tuple[Vocabulary, npt.NDArray[np.int32]]:
    """The known words under their ids, then the new ones that are frequent enough; where each given word went.

    Parameters
    ----------
    known : the words so far, all of which stay
    words, counts : as in `choose_vocabulary`, of the new text
    min_count, max_final_vocab : for new words; there are no new ones beyond `max_final_vocab` words in all

    Returns
    -------
    vocabulary : counts are those of the new text alone, 0 for known words that are not in it; see `counted_together`
    lookup : (W,) int32, the new id of each given word, -1 where it was left out
    """
    counts = np.asarray(counts, dtype=np.int64)
    lookup = np.fromiter((known.index.get(word, -1) for word in words), np.int32, len(words))
    (others,) = np.nonzero(lookup < 0)
    room = None if max_final_vocab is None else max(0, max_final_vocab - len(known))
    new, places = choose_vocabulary([words[other] for other in others.tolist()], counts[others], min_count, room)
    seen = np.zeros(len(known), np.int64)
    seen[lookup[lookup >= 0]] = counts[lookup >= 0]
    lookup[others] = np.where(places >= 0, places + len(known), -1)
    return Vocabulary([*known.words, *new.words], np.concatenate([seen, new.counts])), lookup


def counted_together(known: Vocabulary, extended: Vocabulary) -> Vocabulary:
    """An extended vocabulary with the counts of the old text and the new together.

    A text in which every known word occurs as often as before, and no other is new, is taken for the old text, and the
    counts stay.

    Parameters
    ----------
    known : the words so far and how often they occurred
    extended : as `extend_vocabulary` gives it
    """
    counts = extended.counts.copy()
    if np.array_equal(counts, known.counts):
        return extended
    counts[: len(known)] += known.counts
    return Vocabulary(extended.words, counts)
