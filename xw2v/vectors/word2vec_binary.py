"""Rows of word2vec's binary format: the word, a space, D float32; word2vec.c adds a line end, gensim does not."""

from __future__ import annotations

import gzip
import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from xw2v.errors import FormatError
from xw2v.vectors.tables import FloatTable

__all__ = ["binary_blocks", "read_binary_rows"]

CHUNK = 2**20  # bytes read or written at a time; 16 times more is slower, it leaves the cache
_WORD_LIMIT = 2**16  # bytes of one word


def binary_blocks(words: Sequence[bytes], table: FloatTable) -> Iterator[bytes]:
    """The rows of a (V, D) table, some at a time."""
    rows = max(1, CHUNK // (4 * table.shape[1]))
    for start in range(0, len(words), rows):
        numbers = [row.tobytes() for row in table[start : start + rows]]
        yield b"".join(word + b" " + row for word, row in zip(words[start : start + rows], numbers, strict=True))


def read_binary_rows(file: BinaryIO, path: Path, vectors: FloatTable, whole: bool) -> list[bytes]:
    """Fill `vectors`, return the words; `whole` asks that the file ends there.

    A plain file is mapped, so that its numbers are copied once, from the page cache to their place.
    """
    words: list[bytes] = []
    target = vectors.reshape(-1).view(np.uint8).data
    read = _read_stream if isinstance(file, gzip.GzipFile) else _read_mapped
    rest = read(file, words, target, 4 * vectors.shape[1])
    if len(words) < len(vectors):
        msg = f"{path} has {len(words)} whole rows and declares {len(vectors)}; it is cut off, damaged or not binary"
        raise FormatError(msg)
    if whole and rest.strip():
        msg = f"{path} has more data than the {len(words)} rows that it declares; is its header wrong, or is it text?"
        raise FormatError(msg)
    # word2vec.c ends each row with a line end, gensim does not
    return [word.lstrip(b"\n") for word in words] if b"\n" in b"".join(words) else words


def _read_mapped(file: BinaryIO, words: list[bytes], target: memoryview, row_bytes: int) -> bytes:
    """Fill `words` and `target` as far as the file goes; some bytes of what comes after."""
    start = file.tell()
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if hasattr(mmap, "MADV_SEQUENTIAL"):
            data.madvise(mmap.MADV_SEQUENTIAL)
        end = _split(data, start, words, target, row_bytes)
        return data[end : end + _WORD_LIMIT]


def _read_stream(file: BinaryIO, words: list[bytes], target: memoryview, row_bytes: int) -> bytes:
    """`_read_mapped` of what cannot be mapped."""
    rest = b""
    while len(words) * row_bytes < len(target):
        chunk = file.read(max(CHUNK, 2 * row_bytes))
        rest += chunk
        rest = rest[_split(rest, 0, words, target[len(words) * row_bytes :], row_bytes) :]
        if not chunk or len(rest) > row_bytes + _WORD_LIMIT:
            break
    return rest + file.read(_WORD_LIMIT)


def _split(data: bytes | mmap.mmap, start: int, words: list[bytes], target: memoryview, row_bytes: int) -> int:
    """Move the whole rows of `data` from `start` on to `words` and `target`; the position of the first byte left.

    A compiled loop was slower: importing Numba takes half as long as a million rows take here.
    """
    find, append, size = data.find, words.append, len(data)
    filled = 0
    with memoryview(data) as view:  # let go of: a map cannot be closed while somebody looks at it
        while filled < len(target):
            space = find(b" ", start, start + _WORD_LIMIT) + 1
            stop = space + row_bytes
            if space == 0 or stop > size:
                break
            append(data[start : space - 1])
            target[filled : filled + row_bytes] = view[space:stop]
            filled += row_bytes
            start = stop
    return start
