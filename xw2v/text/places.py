"""Whether what is about to be written would be read as text the next time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from glob import has_magic
from pathlib import Path
from typing import Any

from xw2v.errors import FileAccessError
from xw2v.files import PathLike
from xw2v.text.manifest import is_encoded
from xw2v.text.paths import as_paths, fits, folders_below

__all__ = ["check_not_read", "lies_in"]


def check_not_read(place: PathLike, source: Any, names: Sequence[str] = (), what: str = "the corpus") -> None:
    """Refuse to write where a source is read from: the same call would take its own result for text the next time.

    Parameters
    ----------
    place : a file, or a folder
    source : as in `xw2v.text.readers.open_source`; of what is no path nothing is refused
    names : of the files in the folder
    what : the source, in the message

    Raises
    ------
    FileAccessError   it would be read.
    """
    for path in as_paths(source) or ():
        if not isinstance(path, Path):  # an address, or standard input
            continue
        if os.path.isdir(path):  # noqa: PTH112  where it may not be looked at, reading will say so
            if _is_below(place, path) and not is_encoded(path):  # where no other files are taken for its own
                msg = f"will not write {os.fspath(place)}: it lies in {path}, all of which is {what}; {_ELSEWHERE}"
                raise FileAccessError(msg)
        elif has_magic(str(path)) and not os.path.exists(path):  # noqa: PTH110
            files = [found / name for found in _places(place) for name in names or ("",)]
            if any(_has_pattern(file, path) for file in files):
                msg = f"will not write {os.fspath(place)}: the pattern {path}, which is {what}, fits it; {_ELSEWHERE}"
                raise FileAccessError(msg)


_ELSEWHERE = "choose a place outside"


def lies_in(place: PathLike, folder: PathLike) -> bool:
    """Whether a place is a folder, or is in it."""
    outer = Path(os.path.realpath(folder))
    return any(outer in (found, *found.parents) for found in _places(place))


def _places(place: PathLike) -> Iterator[Path]:
    """Where a link leads, and where it lies, as it is read from there, too; of what is no link twice the same."""
    path = Path(place)
    with suppress(ValueError):  # a zero byte: it cannot be written, as whoever tries will say
        yield Path(os.path.realpath(path))
        yield Path(os.path.realpath(path.parent), path.name)


def _is_below(place: PathLike, folder: Path) -> bool:
    """Whether a place is a folder of texts or lies in it, and is not hidden there."""
    inner = {os.path.realpath(path) for path in folders_below(os.fspath(folder))}
    return any(
        str(found) in inner or (str(found.parent) in inner and not found.name.startswith("."))
        for found in _places(place)
    )


def _has_pattern(file: Path, pattern: Path) -> bool:
    """Whether a file, which need not be there, would be found by a pattern."""
    parts = pattern.parts
    fixed = next(i for i, part in enumerate(parts) if has_magic(part))
    try:
        inner = file.relative_to(os.path.realpath(Path(*parts[:fixed])))
    except ValueError:
        return False
    # On Windows case does not count.
    return fits([*map(os.path.normcase, inner.parts)], [*map(os.path.normcase, parts[fixed:])])
