"""The folder of an encoded corpus: its files, and the manifest that says what they are.

It holds `ids.int32` and `offsets.int64` (little-endian numbers and nothing else), `vocabulary.json`, and
`manifest.json` with sizes, checksums, and what was encoded how.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from xw2v.errors import FileAccessError, FormatError, MissingFileError
from xw2v.files import inside, sync
from xw2v.text.spool import reporting
from xw2v.text.vocabulary import Vocabulary

__all__ = [
    "FILES",
    "IDS_NAME",
    "OFFSETS_NAME",
    "PARTS_ENDING",
    "VOCABULARY_NAME",
    "check_target",
    "finish_folder",
    "is_encoded",
    "read_manifest",
    "vocabulary_options",
]

IDS_NAME, OFFSETS_NAME, VOCABULARY_NAME = "ids.int32", "offsets.int64", "vocabulary.json"
PARTS_ENDING = ".encoding"
"""What the name of the folder ends with in which an encoding that is under way keeps its parts."""

_MANIFEST = "manifest.json"
_CHECKED = {IDS_NAME, OFFSETS_NAME, VOCABULARY_NAME}  # files of which the manifest has size and checksum
FILES = (*sorted(_CHECKED), _MANIFEST)
"""The names of all files in the folder."""

_OPTIONS = ("min_count", "max_final_vocab", "max_vocab_size", "lower")
_FORMAT, _VERSION = "xw2v encoded corpus", 1


def is_encoded(folder: str | os.PathLike[str]) -> bool:
    """True if `folder` holds an encoded corpus, of any version, perhaps damaged."""
    try:
        manifest = json.loads((Path(folder) / _MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == _FORMAT


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest, its form and the sizes of the files checked."""
    path = inside(folder, _MANIFEST)
    if not path.exists():
        what = "is no encoded corpus, it has no" if folder.is_dir() else "does not exist, so there is no"
        msg = f"{folder} {what} {_MANIFEST}; make it with xw2v encode"
        raise MissingFileError(msg)
    with reporting("read", path):
        text = path.read_bytes()
    try:
        manifest: dict[str, Any] = json.loads(text)
        version, files = manifest["version"], manifest["files"]
        sizes = {name: entry["bytes"] for name, entry in files.items()}
        sane = manifest["format"] == _FORMAT and set(files) == _CHECKED and type(manifest["raw_words"]) is int
        sane = sane and type(manifest.get("overlooked", 0)) is int
        sane = sane and all(isinstance(entry["sha256"], str) for entry in files.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        version, sizes, sane = _VERSION, {}, False
    if version != _VERSION:
        msg = f"{path} has version {version}, this program reads version {_VERSION}; encode the corpus again"
        raise FormatError(msg)
    if not sane:
        msg = f"{path} is not the manifest of an encoded corpus, or damaged; encode the corpus again"
        raise FormatError(msg)
    for name, size in sizes.items():
        _check_size(inside(folder, name), size)
    return manifest


def vocabulary_options(record: dict[str, Any]) -> dict[str, Any]:
    """The options that decided which words there are, as far as a manifest has them."""
    return {name: record[name] for name in _OPTIONS if name in record and _is_option(name, record[name])}


def _is_option(name: str, value: Any) -> bool:
    if name == "lower":
        return isinstance(value, bool)
    if value is None:
        return name != "min_count"
    return type(value) is int and value >= (0 if name == "min_count" else 1)


def _check_size(path: Path, wanted: Any) -> None:
    if not path.exists():
        msg = f"{path} is missing; encode the corpus again"
        raise MissingFileError(msg)
    size = path.stat().st_size
    if size != wanted or not size:
        msg = f"{path} is damaged: {size} bytes, the manifest says {wanted}; encode the corpus again"
        raise FormatError(msg)


def check_target(folder: Path, stamps: list[dict[str, Any]] | None) -> None:
    """Refuse to write where something lies that is not ours, or where a source lies."""
    for written in (folder, folder.with_name(folder.name + PARTS_ENDING)):
        sources = [stamp["path"] for stamp in stamps or [] if written in Path(stamp["path"]).parents]
        if sources:
            msg = f"{sources[0]} is to be read, but lies in {written}, which is to be written; choose another folder"
            raise FileAccessError(msg)
    if not folder.parent.is_dir():
        msg = f"{folder} cannot be written: there is no folder {folder.parent}"
        raise MissingFileError(msg)
    with reporting("written", folder):  # a name may be too long even to look
        if not folder.exists():
            return
        others = {path.name for path in folder.iterdir()} - _CHECKED - {_MANIFEST} if folder.is_dir() else {""}
        empty = not others and not any(folder.iterdir())
    if others or not (empty or is_encoded(folder)):
        msg = f"{folder} is not an encoded corpus and stays as it is; choose another folder"
        raise FileAccessError(msg)


def finish_folder(
    part: Path, folder: Path, vocabulary: Vocabulary, record: dict[str, Any], entries: dict[str, dict[str, Any]]
) -> None:
    """Add the vocabulary and the manifest and have the disk take everything."""
    with reporting("written", folder):
        text = vocabulary.to_json().encode("ascii")
        (part / VOCABULARY_NAME).write_bytes(text)
        entries[VOCABULARY_NAME] = {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
        manifest = {"format": _FORMAT, "version": _VERSION, "files": dict(sorted(entries.items())), **record}
        (part / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="ascii")
        for name in (*entries, _MANIFEST):
            with (part / name).open("r+b") as file:  # Windows wants it to be writable
                sync(file)
