"""Where commands read vectors from and write results to."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xw2v.errors import ConfigError, FileAccessError, FormatError, MissingFileError
from xw2v.text.manifest import is_encoded
from xw2v.text.places import check_not_read
from xw2v.vectors.word2vec_format import has_header, layout
from xw2v.vectors.word_vectors import WordVectors

__all__ = [
    "check_not_in_the_corpus",
    "check_not_the_input",
    "check_output",
    "check_text_output",
    "check_vectors_output",
    "load",
    "output_kind",
    "print_json",
    "save",
]

_TEXT_ENDINGS = (".txt", ".vec", ".txt.gz", ".vec.gz")
_BINARY_ENDINGS = (".bin", ".bin.gz")
_PACKED_ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zip")
# Who gives such a name does not mean a model folder.
_OTHER_ENDINGS = (
    *_PACKED_ENDINGS, ".arrow", ".csv", ".feather", ".h5", ".htm", ".html", ".json", ".kv", ".npy", ".npz", ".parquet",
    ".pdf", ".pickle", ".pkl", ".png", ".pt", ".safetensors", ".svg", ".tar", ".tsv",
)  # fmt: skip


def output_kind(output: Path, format: str) -> str:
    """One of "model", "text" and "binary"; what would make saving fail is looked for before training.

    Raises
    ------
    ConfigError   no such format, or the name says another one
    MissingFileError, FileAccessError   the output cannot be written
    """
    if format not in ("auto", "model", "text", "binary"):
        msg = f"format must be 'auto', 'model', 'text' or 'binary', got {format!r}"
        raise ConfigError(msg)
    if format == "auto":
        name = output.name.lower()
        format = "text" if name.endswith(_TEXT_ENDINGS) else "binary" if name.endswith(_BINARY_ENDINGS) else "model"
        if format == "model" and name.endswith(_OTHER_ENDINGS) and not output.is_dir():
            msg = (
                f"cannot write {output}: nothing that is written here ends in {output.suffix}; give --format, the name "
                "of a model folder, or for vectors in word2vec's format one in .txt, .vec or .bin (also .gz)"
            )
            raise ConfigError(msg)
    check_output(output, is_folder=format == "model")
    return format


def check_output(output: Path, is_folder: bool = False) -> None:
    """Look before the work is done for what would keep its result from being written.

    Raises
    ------
    MissingFileError, FileAccessError   the output cannot be written
    """
    if str(output) == "-":
        msg = "cannot write to standard output here (-); give a name"
        raise FileAccessError(msg)
    if not output.name:
        msg = f"cannot write {output}: that is this folder; give a name"
        raise FileAccessError(msg)
    folder = output.absolute().parent
    if not folder.is_dir():
        msg = f"cannot write {output}: the folder {folder} does not exist; make it first"
        raise MissingFileError(msg)
    if not os.access(folder, os.W_OK):
        msg = f"cannot write {output}: no permission to write in {folder}"
        raise FileAccessError(msg)
    if output.exists() and output.is_dir() != is_folder:
        msg = f"cannot write {output}: a {'folder' if output.is_dir() else 'file'} of that name exists"
        raise FileAccessError(msg)


def check_not_the_input(output: Path, given: str | Path, what: str) -> None:
    """A slip like `xw2v convert v.bin v.bin` must not cost what is there."""
    if _is_same(output, given):
        msg = f"will not write {output}: it is {what}; choose another name"
        raise FileAccessError(msg)


def check_not_in_the_corpus(
    output: Path, corpus: Sequence[str], names: Sequence[str] = (), what: str = "the corpus"
) -> None:
    """As `check_not_the_input`; nor may it lie where texts are read: the same command would read it next time.

    Parameters
    ----------
    names : of the files in the output, where that is a folder
    """
    for path in corpus:
        check_not_the_input(output, path, what)
    check_not_read(output, list(corpus), names, what)


def _is_same(one: Path, other: str | Path) -> bool:
    try:
        return os.path.samefile(one, other)  # noqa: PTH121  "" is no path, and not this folder
    except OSError:  # nothing is there, or can be
        return False


def check_text_output(output: Path) -> None:
    """As `check_output`, for text of which no file that is there can be an older one.

    Raises
    ------
    ConfigError   the name is that of a compressed file
    MissingFileError, FileAccessError   the output cannot be written, or a file is there that is not empty
    """
    if output.name.lower().endswith(_PACKED_ENDINGS):
        msg = f"cannot write {output}: it would be plain text; leave out {output.suffix} and compress it afterwards"
        raise ConfigError(msg)
    check_output(output)
    if output.is_file() and output.stat().st_size:
        msg = f"will not replace {output}: a file of that name exists; choose another name, or delete it first"
        raise FileAccessError(msg)


def check_vectors_output(output: Path) -> None:
    """A slip like `xw2v train text.txt -o notes.txt` must not cost the notes: only vectors are replaced.

    Raises
    ------
    FileAccessError   a file is there that neither is empty nor begins as one of word2vec's
    """
    if output.is_file() and output.stat().st_size and not has_header(output):
        msg = f"will not replace {output}: it is no word2vec file; choose another name, or delete it first"
        raise FileAccessError(msg)


def save(model: Any, output: Path, kind: str, progress: bool | None = None) -> None:
    """Write a model or word vectors; of a model, word2vec's formats hold the vectors only."""
    if kind == "model":
        model.save(output, progress=progress)
    else:
        getattr(model, "wv", model).save_word2vec_format(output, binary=kind == "binary", progress=progress)


def load(path: Path) -> Any:
    """Word vectors from a model folder or a file of word2vec or GloVe, whose content says which."""
    if path.is_file():
        binary, no_header = layout(path)
        return WordVectors.load_word2vec_format(path, binary=binary, no_header=no_header)
    if is_encoded(path):
        msg = f"{path} is an encoded corpus and has no vectors yet: xw2v train {path} -o MODEL"
        raise FormatError(msg)
    return WordVectors.load(path)


def print_json(value: Any) -> None:
    """One JSON value on standard output: escaped where it cannot be encoded, null for what is not finite."""
    value = _finite(value)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, allow_nan=False)
    print(text)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
