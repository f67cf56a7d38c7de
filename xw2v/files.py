"""Files that are replaced whole or not at all, and errors of the file system with the path in them."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from xw2v.errors import FileAccessError, FormatError, MissingFileError, XW2VError
from xw2v.uncached import UncachedFile

__all__ = [
    "PathLike",
    "atomic_write",
    "beside",
    "check_parent",
    "inside",
    "is_number",
    "locked",
    "new_folder",
    "put_right",
    "reading",
    "refuse_pickle",
    "refuse_pipe",
    "remove_leftovers",
    "sync",
    "sync_folder",
    "taking_place",
    "writing",
]

PathLike = str | os.PathLike[str]

_HALF_WRITTEN = re.compile(r"\d+ requested and \d+ written")  # all that NumPy says of a full disk


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


def is_number(text: str | bytes) -> bool:
    """Whether a part of a line is a number, as `float` reads it."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def refuse_pickle(path: Path, head: bytes) -> None:
    """Say what to do with a pickle, known by the first two bytes of a file: gensim's own files are such.

    Raises
    ------
    FormatError   it is one.
    """
    if head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        msg = (
            f"{path} is a pickle, as gensim's save() writes it, which may run code and is never loaded here; "
            "in gensim: model.wv.save_word2vec_format('v.bin', binary=True)"
        )
        raise FormatError(msg)


def refuse_pipe(path: Path) -> None:
    """Say that a pipe will not do for what is looked at before it is read: nothing would be left of it.

    Raises
    ------
    FormatError   it is one.
    """
    with reading(path):
        is_pipe = path.is_fifo()
    if is_pipe:
        msg = f"{path} is a pipe, which can be read only once; give a file"
        raise FormatError(msg)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Errors of the file system while `path` is written become `FileAccessError`."""
    try:
        yield
    except XW2VError:
        raise
    except OSError as error:
        check_parent(path, path)
        reason = error.strerror or str(error)
        if error.errno is None and _HALF_WRITTEN.fullmatch(reason):
            reason = f"only a part of it could be written ({reason}); is the disk full?"
        msg = f"cannot write {path}: {reason}; nothing was changed"
        raise FileAccessError(msg) from error


def check_parent(path: Path, shown: Path) -> None:
    """Refuse a path, `shown` in messages, of which the folder is missing."""
    folder = path.absolute().parent
    if not folder.is_dir():
        msg = f"cannot write {shown}: there is no folder {folder}; make it first"
        raise FileAccessError(msg)


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
def atomic_write(path: PathLike, cached: bool = True) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends well, and vanishes when it does not.

    Not `cached`: it is written past the page cache, for it is large and nobody will read it soon.

    Raises
    ------
    FileAccessError   any failure of the file system; `path` is then what it was before.
    """
    shown, target = Path(path), Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        # Replacing would remove a folder or a device node.
        msg = f"cannot write {shown}: it exists and is not a regular file; choose another name"
        raise FileAccessError(msg)
    with writing(shown), beside(path) as temporary:
        with temporary.open("xb") if cached else UncachedFile(temporary) as file:
            yield cast("BinaryIO", file)
            sync(cast("BinaryIO", file))
        temporary.replace(target)
        sync_folder(target.parent)


@contextmanager
def new_folder(path: PathLike) -> Iterator[Path]:
    """A new folder that takes the place of the folder `path` when the block ends well, and vanishes when it does not.

    What is written into it is brought to the disk by whoever writes it.

    Raises
    ------
    FileAccessError   it cannot be made or put in place; `path` is then what it was before.
    """
    with beside(path) as temporary, taking_place(temporary, path):
        yield temporary


@contextmanager
def taking_place(temporary: Path, path: PathLike) -> Iterator[None]:
    """The part of `new_folder` that makes the folder, of a name that `beside` gave, and puts it in place."""
    shown = Path(path)
    with writing(shown):
        temporary.mkdir()
    yield  # errors of the block are its own
    with writing(shown):
        _publish(temporary, Path(os.path.realpath(path)))


def _publish(temporary: Path, target: Path) -> None:
    """Put a folder in the place of another, which is put back if that fails."""
    sync_folder(temporary)
    old = temporary.with_suffix(".old")
    replaced = target.exists()
    if replaced:
        target.rename(old)
    try:
        temporary.rename(target)
    except BaseException:
        if replaced:
            old.rename(target)
        raise
    sync_folder(target.parent)
    if replaced:
        shutil.rmtree(old, ignore_errors=True)


def put_right(path: PathLike, also: Sequence[Path] = ()) -> None:
    """Delete what a killed writer of `path` left beside it, and `also`, unless another one is at work."""
    target = Path(os.path.realpath(path))
    if also or any(target.parent.glob(f"{_prefix(target)}*")):
        with suppress(FileAccessError), beside(path):
            _remove(also)


def _prefix(target: Path) -> str:
    return f".xw2v-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:12]}"


@contextmanager
def beside(path: PathLike) -> Iterator[Path]:
    """A hidden name beside `path`, nothing of which is left at the end; what killed runs left is put right first.

    Raises
    ------
    FileAccessError   another process is writing to `path`, or there is no folder for it
    """
    shown, target = Path(path), Path(os.path.realpath(path))
    check_parent(target, shown)
    # A digest, because the name with something added may be too long for the file system.
    prefix = _prefix(target)
    with locked(target.with_name(f"{prefix}.lock"), str(shown)):
        for old in target.parent.glob(f"{prefix}-*.old"):
            # Killed between two renames: the old folder is all there is.
            if os.path.lexists(target):
                shutil.rmtree(old, ignore_errors=True)
            else:
                with writing(shown):
                    old.rename(target)
        _remove(target.parent.glob(f"{prefix}-*.tmp"))
        temporary = target.with_name(f"{prefix}-{secrets.token_hex(4)}.tmp")
        try:
            yield temporary
        finally:
            _remove([temporary])


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def inside(folder: Path, name: str) -> Path:
    """The path of a file in a folder that is not trusted.

    Raises
    ------
    FormatError   it is a symbolic link that leads out of the folder.
    """
    path = folder / name
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        msg = f"{path} is a link that leads out of the folder; put the file itself there"
        raise FormatError(msg)
    return path


def remove_leftovers(folder: Path) -> None:
    """Delete what killed runs left half-written in a folder that nobody else writes to now."""
    _remove(folder.glob(".xw2v-*.tmp"))


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
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError as error:
            msg = f"cannot write {what}: {error.strerror}; nothing was changed"
            raise FileAccessError(msg) from error
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
            with suppress(OSError):
                path.unlink()  # nobody holds it
            return None
        os.close(handle)
