"""word2vec's text and binary formats, both ways.

    a line "V D", then V rows: the word, a space, D numbers as text or as float32

V words, D vector size. What is read is not trusted: nothing is allocated for a header before it was compared
with the size of the file.
"""

from __future__ import annotations

import gzip
import os
import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from xw2v.errors import FormatError
from xw2v.files import PathLike, atomic_write, reading
from xw2v.vectors.tables import FloatTable, as_table, first_bad_row

__all__ = ["load_word2vec_format", "save_word2vec_format"]

_CHUNK = 2**20  # bytes read or written at a time; 16 times more is slower, it leaves the cache
_WORD_LIMIT = 2**16  # bytes of one word in a binary file
_GZIP_RATIO = 1040  # deflate cannot shrink by more than 1032, RFC 1951


# What ends a word for word2vec.c (fscanf) or a line for any reader. Others, as a no-break space, are carried.
_SPACE = re.compile(r"[ \t\n\r\v\f]")


def save_word2vec_format(path: PathLike, words: Sequence[str], vectors: npt.ArrayLike, binary: bool = False) -> None:
    """Write word2vec's text or binary format, byte for byte as gensim does; gzipped where `path` ends in .gz.

    Text holds the shortest decimals that give the same float32 again, so no bit is lost either way.

    Parameters
    ----------
    words : V strings without white space
    vectors : (V, D) array, stored as float32

    Raises
    ------
    FormatError   a word is empty or holds white space, which the format cannot carry.
    FileAccessError   the file cannot be written; one that was there is left as it was.
    """
    table = as_table(vectors, "vectors", len(words))
    encoded = [_encode_word(word) for word in words]
    bad = first_bad_row(table)
    if bad is not None:
        msg = f"the vector of {words[bad]!r} holds NaN or infinity; such vectors cannot be saved"
        raise FormatError(msg)
    rows = max(1, _CHUNK // (16 * table.shape[1]))
    with _vector_writer(Path(path)) as file:
        file.write(f"{table.shape[0]} {table.shape[1]}\n".encode("ascii"))
        for start in range(0, len(encoded), rows):
            block = table[start : start + rows]
            if binary:
                numbers = [row.tobytes() for row in block]
                end = b""
            else:
                # Casting float32 to bytes gives str(number), several hundred thousand a second faster by row.
                numbers = [b" ".join(row.astype("S").tolist()) for row in block]
                end = b"\n"
            pairs = zip(encoded[start : start + rows], numbers, strict=True)
            file.write(b"".join(word + b" " + row + end for word, row in pairs))


def _encode_word(word: str) -> bytes:
    if not word or _SPACE.search(word):
        msg = f"the word {word!r} is empty or holds white space, which word2vec's format cannot carry; use save()"
        raise FormatError(msg)
    try:
        return word.encode("utf-8")
    except UnicodeEncodeError as error:
        msg = f"the word {word!r} is not valid Unicode, so word2vec's format cannot carry it; use save()"
        raise FormatError(msg) from error


@contextmanager
def _vector_writer(path: Path) -> Iterator[BinaryIO]:
    with atomic_write(path) as file:
        if path.suffix == ".gz":
            # No name and no time inside: the same vectors give the same bytes.
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as packed:
                yield cast("BinaryIO", packed)
        else:
            yield file


def load_word2vec_format(
    path: PathLike, binary: bool = False, limit: int | None = None, unicode_errors: str = "strict"
) -> tuple[list[str], FloatTable]:
    """Words and vectors of a file in word2vec's text or binary format; unpacked where `path` ends in .gz.

    Of a word that comes twice the first row is kept, with a warning, as gensim does.

    Parameters
    ----------
    limit : read only so many rows, the most frequent words in files of word2vec programs
    unicode_errors : "strict", or "replace" or "ignore" for files whose words are cut inside a character

    Returns
    -------
    (V words, (V, D) float32)

    Raises
    ------
    MissingFileError   there is no such file.
    FormatError   the file is not what its header says, is no UTF-8, or holds NaN or infinity.
    """
    source = Path(path)
    if limit is not None and limit < 1:
        msg = f"limit must be None or at least 1; got {limit}"
        raise FormatError(msg)
    with _vector_reader(source) as (file, most_bytes):
        total, size = _read_header(file, source, most_bytes, binary)
        rows = total if limit is None else min(total, limit)
        try:
            vectors = np.empty((rows, size), dtype="<f4")
        except MemoryError as error:
            msg = f"{source} declares {total} rows of {size} numbers, more than memory holds; pass limit="
            raise FormatError(msg) from error
        read = _read_binary_rows if binary else _read_text_rows
        raw_words = read(file, source, vectors, rows == total)
    return _checked(source, raw_words, vectors, unicode_errors)


@contextmanager
def _vector_reader(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """The open file and the most bytes that it can hold once unpacked."""
    with reading(path), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if path.suffix != ".gz":
            yield cast("BinaryIO", file), size
            return
        try:
            with gzip.GzipFile(fileobj=file, mode="rb") as packed:
                yield cast("BinaryIO", packed), size * _GZIP_RATIO
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            msg = f"{path} is not a whole gzip file ({error}); fetch or write it again"
            raise FormatError(msg) from error


def _read_header(file: BinaryIO, path: Path, most_bytes: int, binary: bool) -> tuple[int, int]:
    line = file.readline(256)
    match = re.fullmatch(rb"\s*(\d{1,15})\s+(\d{1,15})\s*", line)
    if match is None or not line.endswith(b"\n") or int(match[2]) == 0:
        msg = f"{path} does not begin with a line of two numbers, rows and vector size; it is no word2vec file"
        raise FormatError(msg)
    total, size = int(match[1]), int(match[2])
    # The shortest row has an empty word: a space and D floats, or D times a space and a digit and a line end.
    shortest = 1 + 4 * size if binary else 1 + 2 * size
    if total * shortest - 1 > most_bytes - len(line):
        msg = (
            f"{path} declares {total} rows of {size} numbers and is too short to hold them: "
            f"it is cut off, or {'text' if binary else 'binary'}"
        )
        raise FormatError(msg)
    return total, size


def _read_binary_rows(file: BinaryIO, path: Path, vectors: FloatTable, whole: bool) -> list[bytes]:
    """Fill `vectors`, return the words; `whole` asks that the file ends there."""
    rows, row_bytes = len(vectors), 4 * vectors.shape[1]
    words: list[bytes] = []
    target = vectors.reshape(-1).view(np.uint8).data
    rest = b""
    while len(words) < rows:
        chunk = file.read(max(_CHUNK, 2 * row_bytes))
        rest += chunk
        rest = rest[_split_binary_rows(rest, words, rows, row_bytes, target) :]
        if len(words) < rows and (not chunk or len(rest) > row_bytes + _WORD_LIMIT):
            msg = f"{path} has {len(words)} whole rows and declares {rows}; it is cut off, damaged or not binary"
            raise FormatError(msg)
    if whole and (rest + file.read(_WORD_LIMIT)).strip():
        msg = f"{path} has more data than the {rows} rows that it declares; is its header wrong, or is it text?"
        raise FormatError(msg)
    return [word.lstrip(b"\n") for word in words]  # word2vec.c ends each row with a line end, gensim does not


def _split_binary_rows(data: bytes, words: list[bytes], rows: int, row_bytes: int, target: memoryview) -> int:
    """Move the whole rows of `data` to `words` and `target`; the position of the first byte left."""
    view, start, filled = memoryview(data), 0, len(words) * row_bytes
    while len(words) < rows:
        space = data.find(b" ", start)
        stop = space + 1 + row_bytes
        if space < 0 or stop > len(data):
            break
        words.append(data[start:space])
        target[filled : filled + row_bytes] = view[space + 1 : stop]
        filled += row_bytes
        start = stop
    return start


def _read_text_rows(file: BinaryIO, path: Path, vectors: FloatTable, whole: bool) -> list[bytes]:
    """Fill `vectors`, return the words; `whole` asks that the file ends there."""
    rows, size = vectors.shape
    words: list[bytes] = []
    more = b""
    while len(words) < rows:
        lines = file.readlines(_CHUNK)
        more = b"".join(lines[rows - len(words) :])
        del lines[rows - len(words) :]
        if not lines:
            msg = f"{path} has {len(words)} rows and declares {rows}; it is cut off or its header is wrong"
            raise FormatError(msg)
        parts = [line.rstrip().partition(b" ") for line in lines]
        numbers = _parse_numbers([part[2] for part in parts], size)
        if numbers is None:
            bad = next(i for i, part in enumerate(parts) if _parse_numbers([part[2]], size) is None)
            number = len(words) + 2 + bad
            msg = f"{path}, line {number}: wanted a word and {size} numbers, parted by single spaces; is it binary?"
            raise FormatError(msg)
        vectors[len(words) : len(words) + len(lines)] = numbers
        words += [part[0] for part in parts]
    if whole and (more + file.read(_WORD_LIMIT)).strip():
        msg = f"{path} has more lines than the {rows} rows that it declares; its header is wrong"
        raise FormatError(msg)
    return words


def _parse_numbers(texts: list[bytes], size: int) -> FloatTable | None:
    """(rows, size) float32 of rows of text; None where a row has not that many numbers."""
    # Spaces are counted by row, because two wrong rows may add up to a right total.
    if any(text.count(b" ") != size - 1 for text in texts):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # how NumPy reports that it met something else
        try:
            numbers = np.fromstring(b" ".join(texts), dtype="<f4", sep=" ")
        except (DeprecationWarning, ValueError):
            return None
    return numbers.reshape(len(texts), size) if len(numbers) == len(texts) * size else None


def _checked(path: Path, raw: list[bytes], vectors: FloatTable, errors: str) -> tuple[list[str], FloatTable]:
    """Decoded, unique words and finite vectors."""
    try:
        words = [word.decode("utf-8", errors) for word in raw]
    except UnicodeDecodeError as error:
        shown = error.object[:40]
        msg = f'{path} has a word that is not UTF-8, {shown!r}; try unicode_errors="replace", or the other format'
        raise FormatError(msg) from error
    bad = first_bad_row(vectors)
    if bad is not None:
        msg = f"{path}: the vector of {words[bad]!r} (row {bad + 1}) holds NaN or infinity; the file is damaged"
        raise FormatError(msg)
    if len(set(words)) < len(words):
        first = {word: row for row, word in reversed(list(enumerate(words)))}
        keep = sorted(first.values())
        twice = next(word for row, word in enumerate(words) if first[word] != row)
        warnings.warn(f"{path}: {len(words) - len(keep)} rows repeat a word, as {twice!r}; left out", stacklevel=3)
        words, vectors = [words[row] for row in keep], vectors[keep]
    return words, vectors
