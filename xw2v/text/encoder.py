"""One pass over token blocks: words numbered and counted, then numbered anew by frequency.

The first pass writes provisional ids, in order of first occurrence, and sentence ends to two files. When all
counts are known both files are rewritten in place, so that memory does not grow with the corpus.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xw2v.errors import CorpusError, FileAccessError, XW2VError
from xw2v.text.blocks import TokenBlock
from xw2v.text.readers import Source
from xw2v.text.vocabulary import Vocabulary, choose_vocabulary, extend_vocabulary

__all__ = ["ID", "OFFSET", "NumberFile", "Progress", "encode_blocks", "reporting"]

ID, OFFSET = np.dtype("<i4"), np.dtype("<i8")
CHUNK = 1 << 20
"""Numbers in memory at once while the files are rewritten."""

Progress = Callable[[int, int | None, int], None]


@contextmanager
def reporting(action: str, path: Path) -> Iterator[None]:
    """Turn an OSError of the body into a FileAccessError: `path` cannot be `action`."""
    try:
        yield
    except XW2VError:
        raise
    except OSError as error:
        msg = f"{path} cannot be {action}: {error.strerror or error}"
        raise FileAccessError(msg) from error


class NumberFile:
    """A file of numbers that is appended to, then read from its head and rewritten behind the reading.

    file : binary, open for reading and writing, empty
    dtype : of the numbers, with a byte order
    place : the file or folder that an error names
    """

    def __init__(self, file: Any, dtype: np.dtype[Any], place: Path) -> None:
        self.file, self.dtype, self.place = file, dtype, place
        self.read_at = self.written = 0

    def append(self, numbers: npt.NDArray[Any]) -> None:
        """Write at the end."""
        with reporting("written", self.place):
            self.file.write(np.ascontiguousarray(numbers, self.dtype).data)

    def read(self, count: int) -> npt.NDArray[Any]:
        """The next `count` numbers, fewer at the end."""
        with reporting("read", self.place):
            self.file.seek(self.read_at)
            data = self.file.read(count * self.dtype.itemsize)
        self.read_at += len(data)
        return np.frombuffer(data, self.dtype)

    def rewrite(self, numbers: npt.NDArray[Any]) -> None:
        """Write over numbers that were read already, from the head on."""
        with reporting("written", self.place):
            self.file.seek(self.written)
            self.file.write(np.ascontiguousarray(numbers, self.dtype).data)
        self.written += numbers.nbytes

    def finish(self) -> None:
        """Cut off what was not rewritten, and hand everything to the operating system."""
        with reporting("written", self.place):
            self.file.truncate(self.written)
            self.file.flush()


def encode_blocks(
    source: Source,
    ids: NumberFile,
    offsets: NumberFile,
    min_count: int,
    max_final_vocab: int | None,
    progress: Progress | None,
    known: Vocabulary | None = None,
) -> tuple[Vocabulary, int]:
    """Read all of `source` into the two files.

    Returns
    -------
    vocabulary : the V words chosen
    raw_words : words of the source, before any was left out

    Raises
    ------
    CorpusError   there are no words, or none is as frequent as `min_count`.
    """
    counter = _Counter(ids, offsets)
    for block in source.blocks:
        counter.add(block)
        if progress is not None:
            progress(block.done, source.total_bytes, counter.total)
    counter.end_sentences(np.array([counter.total]))
    if not counter.total:
        msg = f"{source.name} holds no words"
        raise CorpusError(msg)
    counts = counter.counts[: len(counter.index)]
    words = list(counter.index)
    if known is None:
        vocabulary, lookup = choose_vocabulary(words, counts, min_count, max_final_vocab)
    else:
        vocabulary, lookup = extend_vocabulary(known, words, counts, min_count, max_final_vocab)
    if not (lookup >= 0).any():
        top = int(counts.max())
        msg = (
            f"no word of {source.name} occurs {min_count} times (min_count): of its {len(counts)} distinct words "
            f"the most frequent occurs {top} times; set min_count to {top} or less"
        )
        raise CorpusError(msg)
    _renumber(ids, offsets, lookup)
    return vocabulary, counter.total


class _Counter:
    """Numbers words by first occurrence, counts them, and appends ids and sentence ends to two files."""

    def __init__(self, ids: NumberFile, offsets: NumberFile) -> None:
        self.ids, self.offsets = ids, offsets
        self.index: defaultdict[str, int] = defaultdict()
        self.index.default_factory = self.index.__len__  # a word not seen before gets the next number
        self.counts = np.zeros(1 << 16, np.int64)
        self.total = 0
        self.last_end = -1
        self.end_sentences(np.array([0]))

    def add(self, block: TokenBlock) -> None:
        lookup = np.fromiter(map(self.index.__getitem__, block.words), np.int32, len(block.words))
        if len(self.index) > len(self.counts):
            self.counts = np.concatenate([self.counts, np.zeros(len(self.index), np.int64)])
        # add.at, because a word may stand in the block's list twice.
        np.add.at(self.counts, lookup, np.bincount(block.codes, minlength=len(lookup)))
        self.end_sentences(self.total + block.ends)
        self.ids.append(lookup.take(block.codes))
        self.total += len(block.codes)

    def end_sentences(self, ends: npt.NDArray[np.int64]) -> None:
        """Write those ends that close a sentence with words in it."""
        ends = _rising(ends, self.last_end)
        if len(ends):
            self.offsets.append(ends)
            self.last_end = int(ends[-1])


def _rising(ends: npt.NDArray[np.int64], last: int) -> npt.NDArray[np.int64]:
    """The non-decreasing `ends` without repeats of their own and of `last`."""
    return ends[np.diff(ends, prepend=last) > 0]


def _renumber(ids: NumberFile, offsets: NumberFile, lookup: npt.NDArray[np.int32]) -> None:
    """Replace every id by lookup[id], drop those that become -1, and move the sentence ends accordingly.

    In place: ids and ends only vanish, so that what is written stays behind what was read.
    """
    ends = np.empty(0, OFFSET)
    start = kept = 0  # provisional ids before this chunk, and those of them that stay
    last = -1
    while len(chunk := ids.read(CHUNK)):
        stop = start + len(chunk)
        new = lookup.take(chunk)
        keep = new >= 0
        while not len(ends) or ends[-1] < stop:
            more = offsets.read(CHUNK)
            if not len(more):
                break
            ends = np.concatenate([ends, more])
        here = int(np.searchsorted(ends, stop, side="right"))
        if here:
            before = np.zeros(len(chunk) + 1, np.int64)
            np.cumsum(keep, out=before[1:])
            moved = _rising(kept + before[ends[:here] - start], last)
            last = int(moved[-1]) if len(moved) else last
            offsets.rewrite(moved)
            ends = ends[here:]
        new = new.compress(keep)
        ids.rewrite(new)
        start, kept = stop, kept + len(new)
    ids.finish()
    offsets.finish()
