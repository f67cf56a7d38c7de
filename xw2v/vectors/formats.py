"""Word vectors as files: the model folder, and word2vec's text and binary formats, both ways.

    model folder:  tables.safetensors  (V, D) float32 tables, "center_vectors" among them
                   vocabulary.json     {"words": [...], "counts": [...] or null}
                   config.json         {"format": "xw2v model", "format_version": 1, "metadata": {...}}
    word2vec:      a line "V D", then V rows: the word, a space, D numbers as text or as float32

V words, D vector size. Whatever is written is written beside, flushed to the disk and renamed over, so a
reader sees the old file or the new one. What is read is not trusted: no pickle, and nothing is allocated
for a header before it was compared with the size of the file.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import re
import secrets
import shutil
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from xw2v.errors import FileAccessError, FormatError, MissingFileError, ShapeError, XW2VError

__all__ = [
    "ModelFolder",
    "atomic_write",
    "first_bad_row",
    "load_model_folder",
    "load_word2vec_format",
    "save_model_folder",
    "save_word2vec_format",
]

FORMAT_NAME = "xw2v model"
FORMAT_VERSION = 1
TABLES, VOCABULARY, CONFIG = "tables.safetensors", "vocabulary.json", "config.json"

_HEADER_LIMIT = 2**20  # bytes of safetensors header; ours has some 200
_CHUNK = 2**20  # bytes read or written at a time; 16 times more is slower, it leaves the cache
_WORD_LIMIT = 2**16  # bytes of one word in a binary file
_GZIP_RATIO = 1040  # deflate cannot shrink by more than 1032, RFC 1951

FloatTable = npt.NDArray[np.float32]
PathLike = str | os.PathLike[str]


class ModelFolder(NamedTuple):
    """What a model folder holds: tables of (V, D) float32 by name, V words, (V,) int64 counts, metadata."""

    tables: dict[str, FloatTable]
    words: list[str]
    counts: npt.NDArray[np.int64] | None
    metadata: dict[str, Any]


# --- files -------------------------------------------------------------------------------------------------


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except XW2VError:
        raise
    except FileNotFoundError as error:
        msg = f"{path} does not exist; check the path"
        raise MissingFileError(msg) from error
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise FileAccessError(msg) from error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except XW2VError:
        raise
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or error}; nothing was changed"
        raise FileAccessError(msg) from error


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename durable, where the system can open folders (Windows cannot and need not)."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def atomic_write(path: PathLike) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends well, and vanishes when it does not.

    Raises
    ------
    FileAccessError   any failure of the file system; `path` is then what it was before.
    """
    shown, target = Path(path), Path(os.path.realpath(path))
    temporary = target.with_name(f".xw2v-{secrets.token_hex(8)}.tmp")
    if target.exists() and not target.is_file():
        # Replacing would remove a folder or a device node.
        msg = f"cannot write {shown}: it exists and is not a regular file; choose another name"
        raise FileAccessError(msg)
    with _writing(shown):
        try:
            with temporary.open("xb") as file:
                yield cast("BinaryIO", file)
                _sync(cast("BinaryIO", file))
            temporary.replace(target)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        _sync_folder(target.parent)


def first_bad_row(vectors: npt.NDArray[Any]) -> int | None:
    """Row of the first NaN or infinite value in a (V, D) array, None where all are finite."""
    rows = max(1, 2**20 // max(1, vectors.shape[1]))
    for start in range(0, len(vectors), rows):
        finite = np.isfinite(vectors[start : start + rows])
        if not finite.all():
            return start + int(np.argmin(finite.all(axis=1)))
    return None


def _as_table(table: npt.ArrayLike, name: str, rows: int) -> FloatTable:
    """`table` as C-ordered little-endian float32 of shape (rows, D)."""
    array = np.asarray(table)
    if array.ndim != 2 or len(array) != rows or array.shape[1] == 0:
        msg = f"{name} must have shape ({rows}, D) with D > 0, one row a word; got {array.shape}"
        raise ShapeError(msg)
    with np.errstate(over="ignore"):  # a float64 too large becomes infinity, which is reported by its word
        return np.ascontiguousarray(array, dtype="<f4")


# --- model folder: writing ----------------------------------------------------------------------------------


def save_model_folder(
    folder: PathLike,
    tables: Mapping[str, npt.ArrayLike],
    words: Sequence[str],
    counts: npt.ArrayLike | None,
    metadata: Mapping[str, Any],
) -> None:
    """Write a model folder; one that an earlier call wrote there is replaced in one step.

    Parameters
    ----------
    tables : {name: (V, D) array}   stored as float32; "center_vectors" must be there
    words : V strings, any characters
    counts : (V,) integers or None
    metadata : whatever JSON can hold, given back by `load_model_folder`

    Raises
    ------
    FileAccessError   the folder cannot be written, or what is there is something else than an xw2v model
                      or holds more than would be written; nothing is changed then.
    ShapeError, FormatError   tables do not match the words; metadata cannot be stored.
    """
    shown, target = Path(folder), Path(os.path.realpath(folder))
    if "center_vectors" not in tables:
        msg = f'a model folder needs a table named "center_vectors"; got {sorted(tables)}'
        raise ShapeError(msg)
    arrays = {name: _as_table(table, name, len(words)) for name, table in tables.items()}
    count_list = None if counts is None else np.asarray(counts, dtype=np.int64).tolist()
    if count_list is not None and len(count_list) != len(words):
        msg = f"counts must have one entry for each of {len(words)} words; got {len(count_list)}"
        raise ShapeError(msg)
    texts = {
        VOCABULARY: _to_json({"words": list(words), "counts": count_list}),
        CONFIG: _to_json(
            {"format": FORMAT_NAME, "format_version": FORMAT_VERSION, "metadata": dict(metadata)}, indent=2
        ),
    }
    _check_replaceable(target, shown, set(arrays))
    temporary = target.with_name(f".xw2v-{secrets.token_hex(8)}.tmp")
    with _writing(shown):
        try:
            temporary.mkdir()
            _write_tables(temporary / TABLES, arrays)
            for name, text in texts.items():
                with (temporary / name).open("xb") as file:
                    file.write(text)
                    _sync(file)
            _sync_folder(temporary)
            _move_in(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _to_json(content: Mapping[str, Any], indent: int | None = None) -> bytes:
    try:
        # ASCII only: JSON's escapes carry every Python string, lone surrogates too.
        return json.dumps(content, indent=indent, allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        msg = f"the metadata cannot be stored as JSON: {error}; use strings, finite numbers, lists and dicts"
        raise FormatError(msg) from error


def _write_tables(path: Path, arrays: Mapping[str, FloatTable]) -> None:
    """Write safetensors: 8 bytes of header length, a JSON header, the arrays end to end."""
    header: dict[str, Any] = {}
    end = 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
    text = json.dumps(header).encode("ascii")
    text += b" " * (-len(text) % 8)  # so that a mapped table is aligned
    with path.open("xb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            # A view, not `tobytes`: the tables may fill half of the memory.
            file.write(array.reshape(-1).view(np.uint8).data)
        _sync(file)


def _check_replaceable(target: Path, shown: Path, names: set[str]) -> None:
    """Refuse to replace anything but an empty folder or a model folder with nothing else in it."""
    with _writing(shown):
        if not os.path.lexists(target):
            return
        if not target.is_dir():
            msg = f"cannot write the folder {shown}: a file of that name exists; choose another name"
            raise FileAccessError(msg)
        extra = sorted({entry.name for entry in target.iterdir()} - {TABLES, VOCABULARY, CONFIG})
        if extra:
            msg = f"will not replace {shown}: it holds {extra[0]!r}, which is no part of a model; choose another folder"
            raise FileAccessError(msg)
        if not any(target.iterdir()):
            return
        try:
            _read_config(target)
        except XW2VError as error:
            msg = f"will not replace {shown}: it exists and is not an xw2v model; choose another folder"
            raise FileAccessError(msg) from error
        old: set[str] = set()
        with suppress(XW2VError):  # a damaged table has nothing left to lose
            old = set(_read_tables(target / TABLES, mmap=True))
        if not old <= names:
            lost = min(old - names)
            msg = f"will not replace {shown}: its table {lost!r} would be lost; choose another folder"
            raise FileAccessError(msg)


def _move_in(temporary: Path, target: Path) -> None:
    """Rename `temporary` to `target`; an older `target` is put back if that fails, else deleted."""
    if not target.exists():
        temporary.rename(target)
        _sync_folder(target.parent)
        return
    old = target.with_name(f".xw2v-{secrets.token_hex(8)}.old")
    target.rename(old)
    try:
        temporary.rename(target)
    except BaseException:
        old.rename(target)
        raise
    _sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)


# --- model folder: reading ----------------------------------------------------------------------------------


def load_model_folder(folder: PathLike, mmap: bool = True) -> ModelFolder:
    """Read what `save_model_folder` wrote.

    Parameters
    ----------
    mmap : map the tables from the file, read-only, instead of reading them into memory

    Raises
    ------
    MissingFileError   the folder or one of its files is not there.
    FormatError   a file is damaged, of a later version, or does not agree with the others.
    """
    path = Path(folder)
    with _reading(path):
        if not path.exists():
            raise FileNotFoundError
        if not path.is_dir():
            msg = f"{path} is a file; wanted a model folder (for word2vec files use load_word2vec_format)"
            raise FileAccessError(msg)
    metadata = _read_config(path)
    words, counts = _read_vocabulary(path / VOCABULARY)
    tables = _read_tables(path / TABLES, mmap)
    if "center_vectors" not in tables:
        msg = f'{path / TABLES} has no table "center_vectors"; it is not the file of an xw2v model'
        raise FormatError(msg)
    for name, table in tables.items():
        if len(table) != len(words):
            msg = f"{path}: table {name!r} has {len(table)} rows and {VOCABULARY} has {len(words)} words; save it again"
            raise FormatError(msg)
    return ModelFolder(tables, words, counts, metadata)


def _read_json(path: Path) -> Any:
    with _reading(path):
        content = path.read_bytes()
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        msg = f"{path} is not JSON ({error}); the file is damaged"
        raise FormatError(msg) from error


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    if not path.exists():
        msg = f"{folder} is not an xw2v model folder: it has no {CONFIG}"
        raise MissingFileError(msg)
    content = _read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT_NAME:
        msg = f'{path} does not say "format": "{FORMAT_NAME}"; it is not the file of an xw2v model'
        raise FormatError(msg)
    version, metadata = content.get("format_version"), content.get("metadata")
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        msg = f"{path} has format version {version!r}; this xw2v reads up to {FORMAT_VERSION}, a newer one may read it"
        raise FormatError(msg)
    if not isinstance(metadata, dict):
        msg = f'{path} has no "metadata" object; the file is damaged'
        raise FormatError(msg)
    return metadata


def _read_vocabulary(path: Path) -> tuple[list[str], npt.NDArray[np.int64] | None]:
    content = _read_json(path)
    words = content.get("words") if isinstance(content, dict) else None
    if not isinstance(words, list) or not all(type(word) is str for word in words):
        msg = f'{path} has no list of strings under "words"; the file is damaged'
        raise FormatError(msg)
    if len(set(words)) != len(words):
        msg = f"{path} names a word twice; the file is damaged"
        raise FormatError(msg)
    counts = content.get("counts")
    if counts is None:
        return words, None
    whole = isinstance(counts, list) and all(type(count) is int and 0 <= count < 2**63 for count in counts)
    if not whole or len(counts) != len(words):
        msg = f'{path} must have {len(words)} counts >= 0 under "counts", one a word; the file is damaged'
        raise FormatError(msg)
    return words, np.array(counts, dtype=np.int64)


def _read_tables(path: Path, mmap: bool) -> dict[str, FloatTable]:
    """The tables of a safetensors file, mapped or read, after every size in its header was checked."""
    with _reading(path), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, _HEADER_LIMIT):
            msg = f"{path} is not a safetensors file: its {size} bytes begin with a header length of {length}"
            raise FormatError(msg)
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            msg = f"{path} is not a safetensors file: its header is not JSON ({error})"
            raise FormatError(msg) from error
        shapes = _check_table_header(header, size - 8 - length, path)
        tables: dict[str, FloatTable] = {}
        for name, (shape, begin) in shapes.items():
            offset = 8 + length + begin
            if shape[0] == 0:
                tables[name] = np.empty(shape, dtype="<f4")
            elif mmap:
                # asarray: a plain view, so that no caller meets np.memmap's own behaviour
                tables[name] = np.asarray(np.memmap(path, dtype="<f4", mode="r", offset=offset, shape=shape))
            else:
                file.seek(offset)
                tables[name] = np.fromfile(file, dtype="<f4", count=math.prod(shape)).reshape(shape)
    return tables


def _check_table_header(header: Any, data_size: int, path: Path) -> dict[str, tuple[tuple[int, int], int]]:
    """{name: (shape, first byte)} of a safetensors header whose tables fill `data_size` bytes exactly."""
    found: dict[str, tuple[tuple[int, int], int]] = {}
    spans = []
    try:
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            (rows, columns), (begin, end) = entry["shape"], entry["data_offsets"]
            sizes = (rows, columns, begin, end)
            if entry["dtype"] != "F32" or any(type(size) is not int or size < 0 for size in sizes) or columns == 0:
                raise ValueError(name)
            if end - begin != 4 * rows * columns:
                raise ValueError(name)
            found[name] = ((rows, columns), begin)
            spans.append((begin, end))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"{path}: a table is not 2-D float32 with a size that fits its shape ({error}); the file is damaged"
        raise FormatError(msg) from error
    edges = sorted(spans)
    if [0, *(end for _, end in edges)] != [*(begin for begin, _ in edges), data_size]:
        msg = f"{path}: the tables do not fill the file's {data_size} bytes of data; it is cut off or damaged"
        raise FormatError(msg)
    return found


# --- word2vec formats: writing ------------------------------------------------------------------------------

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
    table = _as_table(vectors, "vectors", len(words))
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


# --- word2vec formats: reading ------------------------------------------------------------------------------


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
    with _reading(path), path.open("rb") as file:
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
