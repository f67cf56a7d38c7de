"""Files that are replaced whole or not at all, and errors of the file system with the path in them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from xw2v.errors import FileAccessError, MissingFileError, XW2VError

__all__ = ["PathLike", "atomic_write", "reading", "sync", "sync_folder", "writing"]

PathLike = str | os.PathLike[str]


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Errors of the file system while `path` is read become `MissingFileError` and `FileAccessError`."""
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
def writing(path: Path) -> Iterator[None]:
    """Errors of the file system while `path` is written become `FileAccessError`."""
    try:
        yield
    except XW2VError:
        raise
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or error}; nothing was changed"
        raise FileAccessError(msg) from error


def sync(file: BinaryIO) -> None:
    """Bring what was written to the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
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
    with writing(shown):
        try:
            with temporary.open("xb") as file:
                yield cast("BinaryIO", file)
                sync(cast("BinaryIO", file))
            temporary.replace(target)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        sync_folder(target.parent)
