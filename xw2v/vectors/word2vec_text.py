"""Rows of word2vec's text format: the word and D numbers, parted by spaces.

Numbers are written and read by Arrow, many rows at a time. Whatever Arrow refuses is read again row by row, which
takes what is odd and right, or says which line is wrong.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np

from xw2v.display import Tell
from xw2v.errors import FormatError
from xw2v.vectors.tables import FloatTable

__all__ = ["read_text_rows", "text_blocks"]

CHUNK = 2**22  # bytes read at a time
_BLOCK_NUMBERS = 2**18
_BLOCKS_AHEAD = 4
_BOM = b"\xef\xbb\xbf"  # Arrow leaves it out at the start of what it is given


def text_blocks(words: Sequence[bytes] | None, table: FloatTable, between: str = " ") -> Iterator[tuple[int, bytes]]:
    """The rows of a (V, D) table, some at a time: the shortest decimals that give the same float32 again.

    Each row begins with its word, if there are words. Each block comes with how many rows there were, itself included.
    """
    rows = max(1, _BLOCK_NUMBERS // table.shape[1])
    waiting: deque[tuple[int, Future[bytes]]] = deque()
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(table), rows):
            some = slice(start, min(start + rows, len(table)))
            named = None if words is None else words[some]
            waiting.append((some.stop, pool.submit(_as_text, named, table[some], between)))
            if len(waiting) > _BLOCKS_AHEAD:
                done, block = waiting.popleft()
                yield done, block.result()
        for done, block in waiting:
            yield done, block.result()


def _as_text(words: Sequence[bytes] | None, block: FloatTable, between: str) -> bytes:
    import pyarrow as pa
    import pyarrow.compute as pc

    rows, size = block.shape
    numbers = pc.cast(pa.array(block.reshape(-1)), pa.string())
    bounds = pa.array(np.arange(0, rows * size + 1, size, dtype=np.int32))
    lines = pc.binary_join(pa.ListArray.from_arrays(bounds, numbers), between)
    if words is not None:
        starts = pa.array([word.decode() for word in words], pa.string())
        lines = pc.binary_join_element_wise(starts, lines, between)
    return "".join(line + "\n" for line in lines.to_pylist()).encode()


def read_text_rows(
    file: BinaryIO, path: Path, vectors: FloatTable, whole: bool, first_line: int, tell: Tell
) -> list[bytes]:
    """Fill `vectors`, return the words; `whole` asks that the file ends there.

    `first_line` is the number in the file of the first row's line, for errors.
    """
    rows = len(vectors)
    words: list[bytes] = []
    left = b""
    while len(words) < rows:
        chunk = left + file.read(CHUNK) + file.readline()
        if not chunk:
            msg = f"{path} has {len(words)} rows and declares {rows}; it is cut off or its header is wrong"
            raise FormatError(msg)
        chunk, left = _first_lines(chunk, rows - len(words))
        block = vectors[len(words) :]
        found = _parse_quickly(chunk, block)
        words += found if found is not None else _parse_carefully(chunk, block, path, first_line + len(words))
        tell(len(words), rows)
    if whole and (left + file.read(2**16)).strip():
        msg = f"{path} has more lines than the {rows} rows that it declares; its header is wrong"
        raise FormatError(msg)
    return words


def _first_lines(chunk: bytes, most: int) -> tuple[bytes, bytes]:
    """The first `most` lines, and the rest."""
    if chunk.count(b"\n") + (not chunk.endswith(b"\n")) <= most:
        return chunk, b""
    end = 0
    for _ in range(most):
        end = chunk.index(b"\n", end) + 1
    return chunk[:end], chunk[end:]


def _parse_quickly(chunk: bytes, vectors: FloatTable) -> list[bytes] | None:
    """Fill the first rows of `vectors`, return their words; None where a line is not quite as it should be."""
    import pyarrow as pa
    from pyarrow import csv

    size = vectors.shape[1]
    if chunk.startswith(_BOM):
        return None
    chunk = chunk.replace(b" \n", b"\n")  # word2vec.c ends its rows with a space
    names = [str(column) for column in range(size + 1)]
    types = {name: pa.float32() for name in names[1:]} | {names[0]: pa.binary()}
    try:
        table = csv.read_csv(
            pa.py_buffer(chunk),
            read_options=csv.ReadOptions(column_names=names, block_size=len(chunk) + 1),
            parse_options=csv.ParseOptions(delimiter=" ", quote_char=False, double_quote=False),
            convert_options=csv.ConvertOptions(column_types=types, null_values=[], strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None
    rows = table.num_rows
    if rows != chunk.count(b"\n") + (not chunk.endswith(b"\n")):
        return None
    for column in range(size):
        vectors[:rows, column] = table.column(column + 1).to_numpy()
    words: list[bytes] = table.column(0).to_pylist()
    return words


def _parse_carefully(chunk: bytes, vectors: FloatTable, path: Path, first_line: int) -> list[bytes]:
    """As `_parse_quickly`, a row at a time; spaces at the ends of lines are no fault.

    Raises
    ------
    FormatError   a line is no word and D numbers.
    """
    size = vectors.shape[1]
    words = []
    for row, line in enumerate(chunk.removesuffix(b"\n").split(b"\n")):
        word, _, numbers = line.rstrip().partition(b" ")
        parsed = _parse_numbers(numbers, size)
        if parsed is None:
            number = first_line + row
            msg = f"{path}, line {number}: wanted a word and {size} numbers, parted by single spaces; is it binary?"
            raise FormatError(msg)
        vectors[row] = parsed
        words.append(word)
    return words


def _parse_numbers(text: bytes, size: int) -> FloatTable | None:
    """(size,) float32 of a row of text; None where it has not that many numbers."""
    if text.count(b" ") != size - 1:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # how NumPy reports that it met something else
        try:
            numbers = np.fromstring(text, dtype="<f4", sep=" ")
        except (DeprecationWarning, ValueError):
            return None
    return numbers if len(numbers) == size else None
