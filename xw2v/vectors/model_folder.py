"""The model folder: tables of vectors, words and metadata, in safetensors and JSON.

    tables.safetensors       (V, D) float32 tables, "center_vectors" among them
    vocabulary.safetensors   "words", all of them end to end in UTF-8; "ends" (V,) int64, where each ends;
                             "counts" (V,) int64, if known; "center_lengths" (V, 1) float64, what the rows of
                             "center_vectors" measure, so that a search need not go through a mapped table twice
    config.json              {"format": "xw2v model", "format_version": 1, "metadata": {...}}

V words, D vector size. The words are packed so that a model of a million opens without a million strings. A
reader sees the old folder or the new one. What is read is not trusted: no pickle, and nothing is allocated for
a header before it was compared with the size of the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xw2v.display import watched
from xw2v.errors import FileAccessError, FormatError, MissingFileError, ShapeError, XW2VError
from xw2v.files import PathLike, inside, new_folder, reading, refuse_pickle, refuse_pipe, sync, writing
from xw2v.tensors import read_tensors, write_tensors
from xw2v.vectors.nearest import row_lengths
from xw2v.vectors.packed_words import PackedWords
from xw2v.vectors.tables import FloatTable, as_table

__all__ = ["MODEL_FILES", "ModelFolder", "check_replaceable", "load_model_folder", "save_model_folder"]

FORMAT_NAME = "xw2v model"
FORMAT_VERSION = 1
TABLES, VOCABULARY, CONFIG = MODEL_FILES = "tables.safetensors", "vocabulary.safetensors", "config.json"


class ModelFolder(NamedTuple):
    """What a model folder holds: tables of (V, D) float32 by name, V words, (V,) int64 counts, metadata.

    And (V,) float64 `lengths`, said to be those of the centre vectors; None in folders that do not say.
    """

    tables: dict[str, FloatTable]
    packed_words: PackedWords
    counts: npt.NDArray[np.int64] | None
    metadata: dict[str, Any]
    lengths: npt.NDArray[np.float64] | None = None


def save_model_folder(
    folder: PathLike,
    tables: Mapping[str, npt.ArrayLike],
    words: Sequence[str],
    counts: npt.ArrayLike | None,
    metadata: Mapping[str, Any],
    progress: bool | None = None,
) -> None:
    """Write a model folder; one that an earlier call wrote there is replaced in one step.

    Parameters
    ----------
    tables : {name: (V, D) array}   stored as float32; "center_vectors" must be there
    words : V strings, any characters
    counts : (V,) integers or None
    metadata : whatever JSON can hold, given back by `load_model_folder`
    progress : as in `Word2Vec.fit`

    Raises
    ------
    FileAccessError   the folder cannot be written, or what is there is something else than an xw2v model
                      or holds more than would be written; nothing is changed then.
    ShapeError, FormatError   tables do not match the words; a centre vector is not finite; metadata cannot be stored.
    """
    if "center_vectors" not in tables:
        msg = f'a model folder needs a table named "center_vectors"; got {sorted(tables)}'
        raise ShapeError(msg)
    arrays = {name: as_table(table, name, len(words)) for name, table in tables.items()}
    packed = PackedWords.of(words)
    lengths = row_lengths(arrays["center_vectors"])
    if not np.isfinite(lengths).all():
        bad = words[int(np.isfinite(lengths).argmin())]
        msg = f"the vector of {bad!r} holds NaN or infinity; such vectors cannot be saved"
        raise FormatError(msg)
    vocabulary: dict[str, npt.NDArray[Any]] = {
        "center_lengths": lengths[:, None],
        "ends": packed.ends,
        "words": packed.text,
    }
    if counts is not None:
        vocabulary = {"counts": np.ascontiguousarray(counts, dtype=np.int64), **vocabulary}
        if len(vocabulary["counts"]) != len(words):
            msg = f"counts must have one entry for each of {len(words)} words; got {len(vocabulary['counts'])}"
            raise ShapeError(msg)
    config = _to_json({"format": FORMAT_NAME, "format_version": FORMAT_VERSION, "metadata": dict(metadata)})
    check_replaceable(folder, set(arrays))
    with watched("saving", "bytes", progress) as tell, writing(Path(folder)), new_folder(folder) as temporary:
        with (temporary / TABLES).open("xb") as file:
            write_tensors(file, arrays, tell=tell)
            sync(file)
        with (temporary / VOCABULARY).open("xb") as file:
            write_tensors(file, vocabulary)
            sync(file)
        with (temporary / CONFIG).open("xb") as file:
            file.write(config)
            sync(file)


def _to_json(content: Mapping[str, Any]) -> bytes:
    try:
        # ASCII only: JSON's escapes carry every Python string, lone surrogates too.
        return json.dumps(content, indent=2, allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        msg = f"the metadata cannot be stored as JSON: {error}; use strings, finite numbers, lists and dicts"
        raise FormatError(msg) from error


def check_replaceable(folder: PathLike, names: Set[str] = frozenset({"center_vectors", "outside_vectors"})) -> None:
    """Refuse to replace anything but an empty folder or a model folder with nothing in it but tables of these names.

    Raises
    ------
    FileAccessError   something else is there, or it cannot be looked at.
    """
    shown, target = Path(folder), Path(os.path.realpath(folder))
    with writing(shown):
        if not os.path.lexists(target):
            return
        if not target.is_dir():
            msg = f"cannot write the folder {shown}: a file of that name exists; choose another name"
            raise FileAccessError(msg)
        extra = sorted({entry.name for entry in target.iterdir()} - set(MODEL_FILES))
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
            old = set(read_tensors(target / TABLES, mmap=True)[0])
        if not old <= names:
            lost = min(old - names)
            msg = f"will not replace {shown}: its table {lost!r} would be lost; choose another folder"
            raise FileAccessError(msg)


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
    with reading(path):
        if not path.exists():
            raise FileNotFoundError
        refuse_pipe(path)
        if path.is_file():
            with path.open("rb") as file:
                refuse_pickle(path, file.read(2))
        if not path.is_dir():
            msg = f"{path} is a file; wanted a model folder (in Python, load_word2vec_format reads word2vec's files)"
            raise FileAccessError(msg)
    metadata = _read_config(path)
    words, counts, lengths = _read_vocabulary(inside(path, VOCABULARY), mmap)
    tables, _ = read_tensors(inside(path, TABLES), mmap)
    if "center_vectors" not in tables:
        msg = f'{path / TABLES} has no table "center_vectors"; it is not the file of an xw2v model'
        raise FormatError(msg)
    for name, table in tables.items():
        if len(table) != len(words):
            msg = f"{path}: table {name!r} has {len(table)} rows and {VOCABULARY} has {len(words)} words; save it again"
            raise FormatError(msg)
    return ModelFolder(tables, words, counts, metadata, lengths)


def _read_json(path: Path) -> Any:
    with reading(path):
        content = path.read_bytes()
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        msg = f"{path} is not JSON ({error}); the file is damaged"
        raise FormatError(msg) from error


def _read_config(folder: Path) -> dict[str, Any]:
    path = inside(folder, CONFIG)
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


def _read_vocabulary(
    path: Path, mmap: bool
) -> tuple[PackedWords, npt.NDArray[np.int64] | None, npt.NDArray[np.float64] | None]:
    arrays, _ = read_tensors(path, mmap, kinds=("U8", "I64", "F64"))
    text, ends, counts, lengths = (arrays.get(name) for name in ("words", "ends", "counts", "center_lengths"))
    if text is None or ends is None or text.dtype != np.uint8 or ends.dtype != np.int64:
        msg = f'{path} has no "words" (bytes) and "ends" (64-bit integers); it is not the file of an xw2v model'
        raise FormatError(msg)
    try:
        words = PackedWords(text, ends)
    except FormatError as error:
        msg = f"{path}: {error}; the file is damaged"
        raise FormatError(msg) from error
    if counts is not None and (counts.dtype != np.int64 or len(counts) != len(words) or (counts < 0).any()):
        msg = f"{path} must have {len(words)} counts >= 0, one a word; the file is damaged"
        raise FormatError(msg)
    if lengths is None:
        return words, counts, None
    if lengths.dtype != np.float64 or lengths.shape != (len(words), 1) or not (lengths >= 0).all():
        msg = f"{path} must have {len(words)} lengths >= 0, one a word; the file is damaged"
        raise FormatError(msg)
    return words, counts, lengths[:, 0]
