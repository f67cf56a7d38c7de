"""Where commands read vectors from and write results to."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

from xw2v.errors import ConfigError, FileAccessError, FormatError, MissingFileError

__all__ = ["BINARY_ENDINGS", "check_not_the_corpus", "check_output", "load", "output_kind", "print_json", "save"]

_TEXT_ENDINGS = (".txt", ".vec", ".txt.gz", ".vec.gz")
BINARY_ENDINGS = (".bin", ".bin.gz")


def output_kind(output: Path, format: str) -> str:
    """One of "model", "text" and "binary"; what would make saving fail is looked for before training.

    Raises
    ------
    ConfigError   no such format
    MissingFileError, FileAccessError   the output cannot be written
    """
    if format not in ("auto", "model", "text", "binary"):
        msg = f"format must be 'auto', 'model', 'text' or 'binary', got {format!r}"
        raise ConfigError(msg)
    if format == "auto":
        name = output.name.lower()
        format = "text" if name.endswith(_TEXT_ENDINGS) else "binary" if name.endswith(BINARY_ENDINGS) else "model"
    check_output(output, is_folder=format == "model")
    return format


def check_output(output: Path, is_folder: bool = False) -> None:
    """Look before the work is done for what would keep its result from being written.

    Raises
    ------
    MissingFileError, FileAccessError   the output cannot be written
    """
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


def check_not_the_corpus(output: Path, corpus: list[str]) -> None:
    """A slip like `xw2v train text.txt -o text.txt` must not cost the text."""
    if output.exists() and any(Path(path).exists() and output.samefile(path) for path in corpus):
        msg = f"will not write {output}: it is the corpus; choose another name"
        raise FileAccessError(msg)


def save(model: Any, output: Path, kind: str, progress: bool | None = None) -> None:
    """Write a model or word vectors; of a model, word2vec's formats hold the vectors only."""
    if kind == "model":
        model.save(output, progress=progress)
    else:
        getattr(model, "wv", model).save_word2vec_format(output, binary=kind == "binary", progress=progress)


def load(path: Path) -> Any:
    """Word vectors from a model folder or a word2vec file."""
    from xw2v.text.manifest import is_encoded
    from xw2v.vectors.word_vectors import WordVectors

    if path.is_file():
        return WordVectors.load_word2vec_format(path, binary=path.name.lower().endswith(BINARY_ENDINGS))
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
