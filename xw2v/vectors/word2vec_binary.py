"""Rows of word2vec's binary format: the word, a space, D float32; word2vec.c adds a line end, gensim does not."""

from __future__ import annotations

import gzip
import mmap
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt

from xw2v.display import Tell
from xw2v.errors import FormatError
from xw2v.parallel import in_parallel, usable_cores
from xw2v.vectors.tables import FloatTable

__all__ = ["binary_blocks", "read_binary_rows"]

Names = TypeVar("Names")

CHUNK = 2**20  # bytes written, copied or unpacked at a time; 16 times more is slower, it leaves the cache
_SEARCHED = 2**24  # bytes of a file in which words are looked for at a time
_AT_ONCE = 16  # chunks that a thread copies before it takes the next ones
_WORD_LIMIT = 2**20  # bytes of one word, which is shorter
_LONGEST_ROW = 2**31  # bytes of one row; a regular expression cannot skip twice as many


def binary_blocks(words: Sequence[bytes], table: FloatTable) -> Iterator[tuple[int, bytes]]:
    """The rows of a (V, D) table, some at a time; each comes with how many rows there were, itself included."""
    longest = max(map(len, words), default=0)
    if longest >= _WORD_LIMIT:
        msg = f"a word has {longest:,} bytes, and binary files may have words below {_WORD_LIMIT:,} bytes; use save()"
        raise FormatError(msg)
    rows = max(1, CHUNK // (4 * table.shape[1]))
    for start in range(0, len(words), rows):
        numbers = [row.tobytes() for row in table[start : start + rows]]
        named = zip(words[start : start + rows], numbers, strict=True)
        yield start + len(numbers), b"".join(word + b" " + row for word, row in named)


def read_binary_rows(
    file: BinaryIO, path: Path, vectors: FloatTable, whole: bool, name: Callable[[list[bytes]], Names], tell: Tell
) -> Names:
    """Fill `vectors`, return what `name` makes of the words; `whole` asks that the file ends there.

    A plain file is mapped, so that its numbers are copied once, from the page cache to their place. The system takes
    longer to hand out the table's pages than the copy takes, so threads ask for them while words are found and named.
    """
    if 4 * vectors.shape[1] > _LONGEST_ROW:
        msg = f"{path} declares rows of {vectors.shape[1]} numbers; rows of up to {_LONGEST_ROW // 4} can be read"
        raise FormatError(msg)
    if isinstance(file, gzip.GzipFile):
        words, rest = _read_stream(file, vectors, tell)
        return name(_checked(path, words, rest, len(vectors), whole))
    cores = usable_cores()
    with (
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ThreadPoolExecutor(cores, thread_name_prefix="xw2v-read") as pool,
    ):
        if hasattr(mmap, "MADV_WILLNEED"):
            data.madvise(mmap.MADV_WILLNEED)
        touched = [pool.submit(_touch, part) for part in np.array_split(vectors, cores)]
        words, places, end = _find_all(data, file.tell(), vectors)
        names = name(_checked(path, words, data[end : end + _WORD_LIMIT], len(vectors), whole))
        wait(touched)  # or what is copied would be written over
        _copy_rows(data, places, vectors, tell)
    return names


def _touch(vectors: FloatTable) -> None:
    """Have the system hand out the pages of a table. Holds no GIL."""
    vectors.fill(0.0)


def _checked(path: Path, words: list[bytes], rest: bytes, declared: int, whole: bool) -> list[bytes]:
    """The words, if there are as many as declared; `rest` comes after them."""
    if len(words) < declared:
        msg = f"{path} has {len(words)} whole rows and declares {declared}; it is cut off, damaged or not binary"
        raise FormatError(msg)
    if whole and rest.strip():
        msg = f"{path} has more data than the {len(words)} rows that it declares; is its header wrong, or is it text?"
        raise FormatError(msg)
    # word2vec.c ends each row with a line end, gensim does not
    return [word.lstrip(b"\n") for word in words] if b"\n" in b"".join(words) else words


def _read_stream(file: BinaryIO, vectors: FloatTable, tell: Tell) -> tuple[list[bytes], bytes]:
    """Fill `vectors` as far as the file goes; the words, and some bytes of what comes after."""
    words: list[bytes] = []
    rest, row_bytes = b"", 4 * vectors.shape[1]
    while len(words) < len(vectors):
        chunk = file.read(max(CHUNK, 2 * row_bytes))
        rest += chunk
        done = len(words)
        found, places = _find_rows(rest, 0, len(rest), len(vectors) - done, row_bytes)
        if found:
            words += found
            _copy_rows(rest, places, vectors[done:])
            tell(len(words), len(vectors))
            rest = rest[int(places[-1]) + row_bytes :]
        if not chunk or len(rest) > row_bytes + _WORD_LIMIT:
            break
    return words, rest + file.read(_WORD_LIMIT)


def _find_all(data: mmap.mmap, start: int, vectors: FloatTable) -> tuple[list[bytes], npt.NDArray[np.int64], int]:
    """The words of at most as many rows as there are vectors, where their numbers begin, where the last of them end."""
    words: list[bytes] = []
    places, end, row_bytes = [np.zeros(0, np.int64)], start, 4 * vectors.shape[1]
    while len(words) < len(vectors):
        stop = min(len(data), end + max(_SEARCHED, 2 * row_bytes + _WORD_LIMIT))
        found = _find_rows(data, end, stop, len(vectors) - len(words), row_bytes)
        if not found[0]:
            break
        words += found[0]
        places.append(found[1])
        end = int(found[1][-1]) + row_bytes
    return words, np.concatenate(places), end


def _find_rows(
    data: bytes | mmap.mmap, start: int, stop: int, most: int, row_bytes: int
) -> tuple[list[bytes], npt.NDArray[np.int64]]:
    """The words of at most so many whole rows of data[start:stop], and where the numbers of each begin.

    A compiled loop was slower: importing Numba takes longer than a million rows take here.
    """
    # The second choice swallows what is no row, so that the search does not begin anew at each byte of it.
    rows = re.compile(rb"(?s)([^ ]{0,%d}) .{%d}|.+" % (_WORD_LIMIT - 1, row_bytes))
    words = rows.findall(data, start, stop)
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    places = start + np.cumsum(lengths + 1 + row_bytes) - row_bytes
    if words and not words[-1] and (places[-1] + row_bytes > stop or data[places[-1] - 1 : places[-1]] != b" "):
        words.pop()  # what was swallowed counts as a row without a word
    return words[:most], places[: min(most, len(words))]


def _copy_rows(
    data: bytes | mmap.mmap, places: npt.NDArray[np.int64], vectors: FloatTable, tell: Tell | None = None
) -> None:
    """Copy the rows of float32 that begin at `places` into the first rows of a table, by several threads."""
    row = np.dtype((np.void, 4 * vectors.shape[1]))
    if not len(places):
        return
    # Row i is the bytes from i on: they overlap, for the file's rows are not equally far apart.
    windows = np.ndarray((len(data) - row.itemsize + 1,), row, data, strides=(1,))
    target = vectors[: len(places)].view(row)[:, 0]
    step = max(1, CHUNK // row.itemsize)

    def copy(start: int) -> int:
        stop = min(start + _AT_ONCE * step, len(places))
        for low in range(start, stop, step):
            target[low : low + step] = windows[places[low : low + step]]
        return stop

    jobs = (partial(copy, start) for start in range(0, len(places), _AT_ONCE * step))
    for done in in_parallel(jobs, usable_cores()):
        if tell is not None:
            tell(done, len(places))
