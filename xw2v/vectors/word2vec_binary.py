"""Rows of word2vec's binary format: the word, a space, D float32; word2vec.c adds a line end, gensim does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from xw2v.errors import FormatError
from xw2v.vectors.tables import FloatTable

__all__ = ["binary_blocks", "read_binary_rows"]

CHUNK = 2**20  # bytes read or written at a time; 16 times more is slower, it leaves the cache
COMPILED_BYTES = 2**26
_WORD_LIMIT = 2**16  # bytes of one word

Split = Callable[[bytearray, int, npt.NDArray[np.uint8]], tuple[list[bytes], int]]


def binary_blocks(words: Sequence[bytes], table: FloatTable) -> Iterator[bytes]:
    """The rows of a (V, D) table, some at a time."""
    rows = max(1, CHUNK // (4 * table.shape[1]))
    for start in range(0, len(words), rows):
        numbers = [row.tobytes() for row in table[start : start + rows]]
        yield b"".join(word + b" " + row for word, row in zip(words[start : start + rows], numbers, strict=True))


def read_binary_rows(file: BinaryIO, path: Path, vectors: FloatTable, whole: bool) -> list[bytes]:
    """Fill `vectors`, return the words; `whole` asks that the file ends there."""
    rows, row_bytes = len(vectors), 4 * vectors.shape[1]
    split = _splitter(vectors.nbytes)
    words: list[bytes] = []
    target = vectors.reshape(-1).view(np.uint8).reshape(rows, row_bytes)
    buffer = bytearray(max(CHUNK, 2 * row_bytes) + row_bytes + _WORD_LIMIT + 2)
    view, left = memoryview(buffer), 0
    while len(words) < rows:
        read = file.readinto(view[left:])  # type: ignore[attr-defined]
        left += read
        found, used = split(buffer, left, target[len(words) :])
        words += found
        left -= used
        buffer[:left] = buffer[used : used + left]
        if len(words) < rows and (not read or left > row_bytes + _WORD_LIMIT):
            msg = f"{path} has {len(words)} whole rows and declares {rows}; it is cut off, damaged or not binary"
            raise FormatError(msg)
    if whole and (bytes(buffer[:left]) + file.read(_WORD_LIMIT)).strip():
        msg = f"{path} has more data than the {rows} rows that it declares; is its header wrong, or is it text?"
        raise FormatError(msg)
    # word2vec.c ends each row with a line end, gensim does not
    return [word.lstrip(b"\n") for word in words] if b"\n" in b"".join(words) else words


def _splitter(table_bytes: int) -> Split:
    """Compiled for large files only: importing Numba takes longer than reading a small one."""
    if table_bytes >= COMPILED_BYTES:
        with suppress(ImportError):
            from xw2v.vectors.binary_split import split_rows

            return partial(_split_compiled, split_rows)
    return _split


def _split(buffer: bytearray, size: int, target: npt.NDArray[np.uint8]) -> tuple[list[bytes], int]:
    """Move the whole rows of `size` bytes of the buffer to `target`; their words, and how many bytes they took."""
    rows, row_bytes = target.shape
    view, out, start = memoryview(buffer), target.reshape(-1).data, 0
    words: list[bytes] = []
    while len(words) < rows:
        space = buffer.find(b" ", start, size)
        stop = space + 1 + row_bytes
        if space < 0 or stop > size:
            break
        out[len(words) * row_bytes : (len(words) + 1) * row_bytes] = view[space + 1 : stop]
        words.append(bytes(view[start:space]))
        start = stop
    return words, start


def _split_compiled(
    split_rows: Callable[..., tuple[int, int]], buffer: bytearray, size: int, target: npt.NDArray[np.uint8]
) -> tuple[list[bytes], int]:
    """As `_split`."""
    target = target[: size // target.shape[1]]
    bounds = np.empty((len(target), 2), dtype=np.int64)
    found, used = split_rows(np.frombuffer(buffer, dtype=np.uint8, count=size), target, bounds)
    data = bytes(buffer)
    return [data[start:end] for start, end in bounds[:found].tolist()], used
