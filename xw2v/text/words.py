"""Many words at once: Arrow arrays of their bytes, numbered, counted and sorted without a Python object for each.

A word's bytes are UTF-8. Half surrogates, which a token from a list may hold, are let through.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["WordPile", "Words", "from_lines", "from_parts", "pack", "parts_of", "unpack", "weight"]

Words = Any  # a pyarrow.BinaryArray without nulls

_BESIDE = 12  # bytes a word takes beside its letters: an offset and a count


def pack(words: Iterable[str]) -> Words:
    """Strings as an array of words."""
    return pa.array([word.encode("utf-8", "surrogatepass") for word in words], pa.binary())


def unpack(words: Words) -> list[str]:
    """The words as strings."""
    return [word.decode("utf-8", "surrogatepass") for word in words.to_pylist()]


def from_parts(offsets: npt.NDArray[np.int32], data: Any) -> Words:
    """Words from the places where they begin in `data`, and where the last one ends: (n + 1,) int32."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets)), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers, null_count=0)


def parts_of(words: Words) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """The reverse of `from_parts`; offsets begin at 0, whatever the array is a slice of."""
    if not len(words):
        return np.zeros(1, np.int32), np.empty(0, np.uint8)
    _, offset_buffer, data_buffer = words.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32, len(words) + 1, words.offset * 4)
    if data_buffer is None:
        return offsets - offsets[0], np.empty(0, np.uint8)
    return offsets - offsets[0], np.frombuffer(data_buffer, np.uint8)[offsets[0] : offsets[-1]]


def from_lines(lines: bytes) -> Words:
    """The words that stand on a line each; every line has its end, and empty ones are empty words."""
    ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n"))
    offsets = np.zeros(len(ends) + 1, np.int32)
    np.subtract(ends, np.arange(len(ends)), out=offsets[1:], casting="unsafe")
    return from_parts(offsets, lines.replace(b"\n", b""))


def weight(words: Words) -> int:
    """About how many bytes the words and their counts take."""
    return len(parts_of(words)[1]) + _BESIDE * len(words)


class WordPile:
    """The distinct words of many arrays of words, numbered by first occurrence, and their counts.

    Attributes
    ----------
    words, counts : of what is settled
    settled, waiting : int   about how many bytes those take, and those that were added since
    """

    def __init__(self) -> None:
        self.words: Words = pack([])
        self.counts = np.zeros(0, np.int64)
        self.settled = self.waiting = 0
        self._added: list[tuple[Words, npt.NDArray[np.int64]]] = []

    def add(self, words: Words, counts: npt.NDArray[np.int64]) -> None:
        """Add words, of which one may stand there twice, and how often each occurs."""
        self._added.append((words, counts))
        self.waiting += weight(words)

    def settle(self) -> npt.NDArray[np.int32]:
        """Find the distinct words; the number of each that was added since the last time, one after the other."""
        known = len(self.words)
        # What is known comes first, so that it keeps its numbers.
        encoded = pa.concat_arrays([self.words, *(words for words, _ in self._added)]).dictionary_encode()
        numbers: npt.NDArray[np.int32] = encoded.indices.to_numpy()[known:]
        counts = np.zeros(len(encoded.dictionary), np.int64)
        counts[:known] = self.counts
        if self._added:
            np.add.at(counts, numbers, np.concatenate([counts for _, counts in self._added]))
        self.words, self.counts = encoded.dictionary, counts
        self.settled, self.waiting, self._added = weight(self.words), 0, []
        return numbers

    def keep(self, mask: npt.NDArray[np.bool_]) -> None:
        """Forget settled words; the others are numbered anew."""
        self.words, self.counts = self.words.filter(pa.array(mask)), self.counts[mask]
        self.settled = weight(self.words)
