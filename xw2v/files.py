"""Files that are replaced whole or not at all, and errors of the file system with the path in them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from xw2v.errors import FileAccessError, MissingFileError, XW2VError

__all__ = ["PathLike", "atomic_write", "locked", "reading", "remove_leftovers", "sync", "sync_folder", "writing"]

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


def remove_leftovers(folder: Path) -> None:
    """Delete what killed runs left half-written in a folder that nobody else writes to now."""
    for path in folder.glob(".xw2v-*.tmp"):
        with suppress(OSError):
            path.unlink()


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold a lock file while the block runs; the system lets go of it when the process ends, however it ends.

    Where locks are not to be had (Windows, some network file systems) nobody is kept out.

    Raises
    ------
    FileAccessError   another process holds it: it is working on `what`.
    """
    handle = _take_lock(path, what)
    try:
        yield
    finally:
        if handle is not None:
            # Deleted while it is held: who waits for it looks whether it is still there.
            with suppress(OSError):
                path.unlink()
            os.close(handle)


def _take_lock(path: Path, what: str) -> int | None:
    try:
        import fcntl
    except ImportError:
        return None
    with writing(path):
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(handle).st_nlink:  # else its last holder has just deleted it
                    return handle
            except BlockingIOError:
                os.close(handle)
                msg = f"another process is working on {what}; wait for it, or choose another name"
                raise FileAccessError(msg) from None
            except OSError:
                os.close(handle)
                return None
            os.close(handle)
