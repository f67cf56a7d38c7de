"""word2vec's text and binary formats, both ways.

    a line "V D", then V rows: the word, a space, D numbers as text or as float32

V words, D vector size. What is read is not trusted: nothing is allocated for a header before it was compared
with the size of the file. GloVe's files are the text format without its first line.
"""

from __future__ import annotations

import codecs
import gzip
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from xw2v.caller import warn_caller
from xw2v.display import watched
from xw2v.errors import ConfigError, FileAccessError, FormatError
from xw2v.files import PathLike, atomic_write, is_number, reading, refuse_pickle, refuse_pipe
from xw2v.parallel import usable_cores
from xw2v.tensors import first_bad_row
from xw2v.vectors.arguments import as_number, brief
from xw2v.vectors.tables import FloatTable, as_table
from xw2v.vectors.word2vec_binary import binary_blocks, read_binary_rows
from xw2v.vectors.word2vec_text import read_text_rows, text_blocks

__all__ = [
    "check_words",
    "has_header",
    "layout",
    "load_counts",
    "load_word2vec_format",
    "save_counts",
    "save_word2vec_format",
]

_GZIP_RATIO = 1040  # deflate cannot shrink by more than 1032, RFC 1951

# What ends a word for word2vec.c (fscanf) or a line for any reader. Others, as a no-break space, are carried.
_SPACE = re.compile(r"[ \t\n\r\v\f]")
_HEADER = re.compile(rb"\s*(\d{1,15})\s+(\d{1,15})\s*")
_NUMBERS = re.compile(rb"[-+.0-9eEinfatyINFATY \t\r\n]+")
_FIRST_BYTES = 2**20  # of a file, that show what it is


def save_word2vec_format(
    path: PathLike,
    words: Sequence[str],
    vectors: npt.ArrayLike,
    binary: bool = False,
    write_header: bool = True,
    progress: bool | None = None,
) -> None:
    """Write word2vec's text or binary format; gzipped where `path` ends in .gz.

    Binary files are byte for byte gensim's. Text holds the shortest decimals that give the same float32 again,
    so no bit is lost either way; it spells some numbers otherwise than gensim does (1 for 1.0).

    Parameters
    ----------
    words : V strings without white space
    vectors : (V, D) array, stored as float32
    write_header : False leaves the first line out, as in GloVe's files; text only
    progress : as in `Word2Vec.fit`

    Raises
    ------
    FormatError   a word is empty or holds white space, which the format cannot carry; binary without a header.
    FileAccessError   the file cannot be written; one that was there is left as it was.
    ConfigError   `binary` is neither True nor False.
    """
    _check_binary(binary)
    table = as_table(vectors, "vectors", len(words))
    encoded = [_encode_word(word) for word in words]
    bad = first_bad_row(table)
    if bad is not None:
        msg = f"the vector of {words[bad]!r} holds NaN or infinity; such vectors cannot be saved"
        raise FormatError(msg)
    if binary and not write_header:
        msg = "a binary file needs its header; write text without one"
        raise FormatError(msg)
    with watched("saving", "words", progress) as tell, _vector_writer(Path(path)) as file:
        if write_header:
            file.write(f"{table.shape[0]} {table.shape[1]}\n".encode("ascii"))
        for done, block in (binary_blocks if binary else text_blocks)(encoded, table):
            file.write(block)
            tell(done, len(words))


def save_counts(path: PathLike, words: Sequence[str], counts: npt.NDArray[np.int64]) -> None:
    """Write "word count" a line, as word2vec.c's -save-vocab.

    Raises
    ------
    FormatError, FileAccessError   as `save_word2vec_format`
    """
    with _vector_writer(Path(path)) as file:
        for word, count in zip(words, counts.tolist(), strict=True):
            file.write(_encode_word(word) + f" {count}\n".encode("ascii"))


def load_counts(path: PathLike, unicode_errors: str = "strict") -> dict[str, int]:
    """The counts that `save_counts` or another program wrote.

    Raises
    ------
    MissingFileError   there is no such file.   FormatError   a line is no word and whole number, or not UTF-8.
    """
    counts = {}
    with _vector_reader(Path(path)) as (file, _):
        for number, line in enumerate(file, start=1):
            word, _, text = line.strip().rpartition(b" ")
            try:
                count = int(text)
                if not 0 <= count < 1 << 63:
                    raise ValueError(count)
                counts[word.decode("utf-8", unicode_errors)] = count
            except ValueError as error:  # UnicodeDecodeError is one
                msg = f"{path}, line {number}: wanted a word and its count; got {line[:40]!r}"
                raise FormatError(msg) from error
    return counts


def check_words(words: Sequence[str]) -> None:
    """Look before the training for words that could not be saved after it.

    Raises
    ------
    FormatError   a word is empty, holds white space or is not valid Unicode
    """
    for word in words:
        _encode_word(word)


def _check_binary(binary: object) -> None:
    """Refuse what gensim has in its place: a file of counts there would be taken for True."""
    if not isinstance(binary, (bool, np.bool_, int)):
        msg = f"binary must be True or False; got {brief(binary)} (a file of counts goes by its name, fvocab=)"
        raise ConfigError(msg)


def _encode_word(word: str) -> bytes:
    if not word or _SPACE.search(word):
        msg = (
            f"the word {word!r} is empty or holds white space, which word2vec's format cannot carry; write a model "
            "folder, in Python by save()"
        )
        raise FormatError(msg)
    try:
        return word.encode("utf-8")
    except UnicodeEncodeError as error:
        msg = (
            f"the word {word!r} is not valid Unicode, so word2vec's format cannot carry it; write a model folder, "
            "in Python by save()"
        )
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
    path: PathLike,
    binary: bool = False,
    limit: int | None = None,
    unicode_errors: str = "strict",
    no_header: bool = False,
    progress: bool | None = None,
) -> tuple[dict[str, int], FloatTable]:
    """Words and vectors of a file in word2vec's text or binary format; unpacked where `path` ends in .gz.

    Of a word that comes twice the first row is kept, with a warning, as gensim does.

    Parameters
    ----------
    limit : read only so many rows, the most frequent words in files of word2vec programs
    unicode_errors : "strict", or "replace" or "ignore" for files whose words are cut inside a character
    no_header : there is no first line "V D", as in GloVe's files; text only
    progress : as in `Word2Vec.fit`

    Returns
    -------
    (V words with their rows 0 .. V-1 in order, (V, D) finite float32)

    Raises
    ------
    MissingFileError   there is no such file.   FileAccessError   it is a folder, or cannot be read.
    FormatError   the file is not what its header says, is no UTF-8, or holds NaN or infinity.
    ConfigError   `limit` is no integer, `binary` neither True nor False, or there is no such `unicode_errors`.
    """
    source = Path(path)
    _check_binary(binary)
    if isinstance(limit, bool):
        msg = f"limit must be an integer, or None for all rows; got {limit} (binary={limit} goes by its name)"
        raise ConfigError(msg)
    limit = as_number(limit, "limit", "all rows")
    try:
        codecs.lookup_error(unicode_errors)
    except LookupError as error:
        msg = f'unicode_errors must be "strict", "replace" or "ignore"; got {unicode_errors!r}'
        raise ConfigError(msg) from error
    if limit is not None and limit < 1:
        msg = f"limit must be None or at least 1; got {limit}"
        raise FormatError(msg)
    if source.is_dir():
        msg = f"{source} is a folder; wanted a file in word2vec's format (WordVectors.load reads model folders)"
        raise FileAccessError(msg)
    refuse_pipe(source)
    counted = _count_lines(source, binary) if no_header else None
    with watched("loading", "words", progress) as tell, _vector_reader(source) as (file, most_bytes):
        total, size = counted or _read_header(file, source, most_bytes, binary)
        rows = total if limit is None else min(total, limit)
        try:
            vectors = np.empty((rows, size), dtype="<f4")
        except MemoryError as error:
            msg = f"{source} declares {total} rows of {size} numbers, more than memory holds; pass limit="
            raise FormatError(msg) from error
        if binary:
            name = partial(_named, source, unicode_errors)
            names = read_binary_rows(file, source, vectors, rows == total, name, tell)
        else:
            raw_words = read_text_rows(file, source, vectors, rows == total, 1 if no_header else 2, tell)
            names = _named(source, unicode_errors, raw_words)
    return _checked(source, names, vectors)


def has_header(path: Path) -> bool:
    """Whether a file begins as one of word2vec's, by a line of two numbers."""
    with suppress(FormatError), _vector_reader(path) as (file, _):
        return _HEADER.fullmatch(file.readline(256)) is not None
    return False


def layout(path: Path) -> tuple[bool, bool]:
    """Whether a file is binary, and whether it is text without a header, by how it begins.

    What is neither word2vec's nor GloVe's is said to be text, so that reading it says what is wrong.
    """
    named_binary = path.name.lower().endswith((".bin", ".bin.gz"))
    with _vector_reader(path) as (file, _):
        first = file.readline(_FIRST_BYTES)
        header = _HEADER.fullmatch(first)
        if header is None:
            numbers = first.split()[1:]
            return (False, True) if len(numbers) > 1 and all(map(is_number, numbers)) else (named_binary, False)
        size = int(header[2])
        # No row of text has fewer bytes after its word than a digit for each number and spaces between them.
        row = file.read(_FIRST_BYTES).partition(b" ")[2][: 2 * size - 1]
    if size < 3 or not row:  # too few bytes to tell by
        return named_binary, False
    return _NUMBERS.fullmatch(row) is None, False


def _count_lines(path: Path, binary: bool) -> tuple[int, int]:
    """Rows and vector size of a text file without a header."""
    if binary:
        msg = f"{path}: a binary file without a header cannot be read; no_header is for text"
        raise FormatError(msg)
    with _vector_reader(path) as (file, _):
        first = file.readline()
        size = len(first.split()) - 1
        rows = 1 + sum(1 for line in file if line.strip())
    if size < 1:
        msg = f"{path} does not begin with a word and numbers"
        raise FormatError(msg)
    return rows, size


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
    refuse_pickle(path, line)
    match = _HEADER.fullmatch(line)
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


class _Names(NamedTuple):
    """The words of a file, and the last row of each."""

    words: list[str]
    rows: dict[str, int]


def _named(path: Path, errors: str, raw: list[bytes]) -> _Names:
    try:
        words = b"\n".join(raw).decode("utf-8", errors).split("\n")  # three times as fast as one by one
        if len(words) != len(raw):  # a word holds a line end
            words = [word.decode("utf-8", errors) for word in raw]
    except UnicodeDecodeError as error:
        shown = error.object[:40]
        msg = f'{path} has a word that is not UTF-8, {shown!r}; in Python unicode_errors="replace" reads it'
        raise FormatError(msg) from error
    return _Names(words, dict(zip(words, range(len(words)), strict=True)))


def _checked(path: Path, names: _Names, vectors: FloatTable) -> tuple[dict[str, int], FloatTable]:
    """Words, each once, with their rows, and finite vectors."""
    words, rows = names
    bad = first_bad_row(vectors, usable_cores())
    if bad is not None:
        msg = f"{path}: the vector of {words[bad]!r} (row {bad + 1}) holds NaN or infinity; the file is damaged"
        raise FormatError(msg)
    if len(rows) == len(words):
        return rows, vectors
    first = {word: row for row, word in reversed(list(enumerate(words)))}
    keep = sorted(first.values())
    twice = next(word for row, word in enumerate(words) if first[word] != row)
    warn_caller(f"{path}: {len(words) - len(keep)} rows repeat a word, as {twice!r}; left out", UserWarning)
    return {words[row]: place for place, row in enumerate(keep)}, vectors[keep]
