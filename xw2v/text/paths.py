"""The files that paths, folders, patterns and addresses stand for."""

from __future__ import annotations

import glob
import os
import re
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol

from xw2v.errors import CorpusError, FileAccessError, FormatError, MissingFileError
from xw2v.files import reading
from xw2v.text.manifest import IDS_NAME, is_encoded

__all__ = [
    "File",
    "LocalFile",
    "StandardInput",
    "as_paths",
    "find_files",
    "fits",
    "folders_below",
    "shortened",
    "split_options",
    "stamps_of",
    "without_secrets",
]

STDIN = "-"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


class File(Protocol):
    """A file to be read from its head to its end."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    @property
    def suffix(self) -> str:
        """The ending of its name, with the dot."""
        ...

    def stamp(self) -> dict[str, Any] | None:
        """Path, bytes and time of change, by which a change is seen; None where there is no such thing."""
        ...

    def opened(self) -> Any:
        """A context manager that gives a binary stream with `read` and `tell`."""
        ...

    def random_access(self) -> Any:
        """What `pyarrow.parquet.ParquetFile` reads."""
        ...


@dataclass(frozen=True)
class LocalFile:
    """A file of this machine."""

    path: Path

    @property
    def suffix(self) -> str:
        """The ending of its name, with the dot."""
        return self.path.suffix

    def stamp(self) -> dict[str, Any] | None:
        """None for pipes and devices."""
        with reading(self.path):  # it may have gone since it was found
            status = self.path.stat()
        if not stat.S_ISREG(status.st_mode):
            return None
        return {"path": str(self.path.resolve()), "bytes": status.st_size, "mtime_ns": status.st_mtime_ns}

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """A stream of its bytes."""
        try:
            raw = self.path.open("rb")
        except OSError as error:
            msg = f"{self.path} cannot be read: {error.strerror}"
            raise FileAccessError(msg) from error
        with raw:
            yield raw

    def random_access(self) -> Any:
        """A file of Arrow's. Of a path it would want text, and names may be any bytes."""
        import pyarrow as pa

        return pa.OSFile(os.fsencode(self.path))


@dataclass(frozen=True)
class StandardInput:
    """What is piped into this process."""

    name: str = "standard input"
    suffix: str = ""

    def stamp(self) -> None:
        """None: it is read once."""
        return

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """A stream of its bytes."""
        # Absent under a windowed interpreter, and without a buffer where something stands in for it.
        stream = getattr(sys.stdin, "buffer", None)
        if stream is None:
            msg = "there is no standard input to read; give a file"
            raise FileAccessError(msg)
        yield stream

    def random_access(self) -> Any:
        """Not to be had."""
        raise NotImplementedError


def as_paths(source: Any) -> list[Path | str] | None:
    """The paths that a source consists of, or None where it is no path; a str is "-" or an address.

    Raises
    ------
    MissingFileError   one is an empty string, which would be this folder.
    """
    items = source if isinstance(source, (list, tuple)) and source else [source]
    if not all(isinstance(item, (str, os.PathLike)) for item in items):
        return None
    if "" in items:
        msg = "a path is an empty string; this folder is '.'"
        raise MissingFileError(msg)
    return [item if isinstance(item, str) and (item == STDIN or _ADDRESS.match(item)) else Path(item) for item in items]


def find_files(path: Path | str, *, alone: bool = True) -> list[File]:
    """The files that a path, folder, pattern or address stands for, sorted; `alone` if it is the only one given.

    Raises
    ------
    MissingFileError    there is none
    FileAccessError     it cannot be looked at
    CorpusError         it is a folder with an encoded corpus in it
    FormatError         it is a folder with tables of numbers in it, as a model has
    """
    if isinstance(path, str):
        if path == STDIN:
            return [StandardInput()]
        from xw2v.text.remote import find_remote

        return list(find_remote(path))
    if _exists(path):
        if not path.is_dir():
            return [LocalFile(path)]
        files = sorted(_files_below(path))
        numbers = next((file for file in files if file.suffix == ".safetensors"), None)
        encoded = next((file.parent for file in files if file.name == IDS_NAME and is_encoded(file.parent)), None)
        if encoded is not None:
            msg = f"{encoded} is an encoded corpus already: train on it alone, by xw2v train or EncodedCorpus.open"
            raise CorpusError(msg)
        if numbers is not None:
            msg = (
                f"{path} is no corpus but perhaps a model: it holds {numbers.name}; give texts, or an encoded corpus; "
                "to go on with a model: partial_fit, or xw2v train TEXT --from MODEL"
            )
            raise FormatError(msg)
        msg = f"the folder {path} holds no file (hidden ones are left out)"
    elif glob.has_magic(str(path)):
        files = sorted(file for file in map(Path, set(_fitting(path.parts))) if _is_file(file))
        msg = f"no file has the pattern {path}"
    else:
        files = []
        msg = f"there is no file {shortened(str(path))!r}"
        if len(str(path).split()) > 1 or not (alone or set(str(path)) & set("./\\")):  # a text, or a word of one
            msg += "; in Python sentences must be lists of tokens, not strings (text.split())"
    if not files:
        raise MissingFileError(msg)
    return list(map(LocalFile, files))


def _files_below(folder: Path) -> Iterator[Path]:
    """The files of a folder and of inner ones."""
    for inner in map(Path, folders_below(os.fspath(folder))):
        with reading(inner):
            shown = [path for path in inner.iterdir() if not path.name.startswith(".")]
        yield from filter(_is_file, shown)


def _fitting(pattern: Sequence[str]) -> Iterator[str]:
    """The paths that the parts of a pattern fit, some of them twice.

    ** is made of folders here: `glob` would go round where a link leads back, 40 times through each such link.
    """
    if "**" not in pattern:
        yield from glob.glob(str(Path(*pattern)))  # noqa: PTH207
        return
    place = pattern.index("**")
    rest = pattern[place + 1 :] or ("*",)
    for top in _fitting(pattern[:place]) if place else [os.curdir]:
        for folder in folders_below(top):
            yield from _fitting([glob.escape(folder), *rest])


def fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether parts of a path fit those of a pattern, of which ** is any number of folders; hidden ones want a dot."""
    if not pattern or not parts:
        return not pattern and not parts
    first, rest = pattern[0], pattern[1:]
    if first == "**":
        shown = next((i for i, part in enumerate(parts) if part.startswith(".")), len(parts) - 1)
        return any(fits(parts[i:], rest or ("*",)) for i in range(shown + 1))
    hidden = parts[0].startswith(".") and not first.startswith(".")
    return not hidden and fnmatchcase(parts[0], first) and fits(parts[1:], rest)


def folders_below(folder: str, above: Sequence[str] = ()) -> Iterator[str]:
    """A folder and the inner ones, links followed, hidden ones left out; none back to a folder that lies `above`."""
    yield folder
    above = [*above, os.path.realpath(folder)]
    try:
        with os.scandir(folder) as entries:
            inner = [entry.path for entry in entries if not entry.name.startswith(".") and _is_folder(entry)]
    except OSError:  # whoever is given it sees that for himself
        return
    for path in inner:
        if os.path.realpath(path) not in above:
            yield from folders_below(path, above)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(path: Path) -> bool:
    """Whether this is a regular file, or a link to one.

    Raises
    ------
    MissingFileError   it is a link to what is not there, so some of the text is missing.
    """
    if path.is_symlink() and not path.exists():
        msg = f"{path} is a link to a file that is not there; put the file there, or delete the link"
        raise MissingFileError(msg)
    return path.is_file()


def split_options(address: str) -> tuple[str, str]:
    """An address without its options, and those; a question mark without = after it stands for any letter."""
    bare, _, options = address.partition("?")
    return (bare, options) if "=" in options else (address, "")


def without_secrets(path: Path | str) -> str:
    """A path as messages and manifests may show it; of an address without user, password and options."""
    return re.sub(r"(?<=://)[^/@]*@", "", split_options(path)[0]) if isinstance(path, str) else str(path)


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:  # no permission, a name too long, a zero byte
        if isinstance(error, PermissionError):
            msg = f"{path} cannot be read: {error.strerror}"
            raise FileAccessError(msg) from error
        return False
    return True


def shortened(text: str) -> str:
    """At most 200 characters of a text."""
    return text if len(text) <= 200 else text[:197] + "..."


def stamps_of(files: list[File]) -> list[dict[str, Any]] | None:
    """What to know the files' state by; None where one of them has no stamp."""
    stamps = [stamp for file in files if (stamp := file.stamp()) is not None]
    return stamps if len(stamps) == len(files) else None
