"""Files of numbers: appended to once, then read back by place, from any thread."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xw2v.errors import FileAccessError, FormatError, XW2VError

__all__ = ["ID", "MEMORY_BYTES", "OFFSET", "Spool", "reporting", "spool_file", "temporary_place"]

ID, OFFSET = np.dtype("<i4"), np.dtype("<i8")
MEMORY_BYTES = 64 << 20
"""Temporary files are kept in memory up to this size."""


@contextmanager
def reporting(action: str, path: Path) -> Iterator[None]:
    """Turn an OSError of the body into a FileAccessError: `path` cannot be `action`."""
    try:
        yield
    except XW2VError:
        raise
    except OSError as error:
        msg = f"{path} cannot be {action}: {error.strerror or error}"
        raise FileAccessError(msg) from error


def temporary_place() -> Path:
    """Where temporary files lie, for errors; a computer without such a folder does as long as memory does."""
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        return Path("a temporary file")


class Spool:
    """Arrays of numbers in a file.

    Parameters
    ----------
    file : binary, open for reading and writing, empty
    place : the file or folder that an error names
    checked : bool   keep a checksum of what is appended
    """

    def __init__(self, file: Any, place: Path, *, checked: bool = False) -> None:
        self.file, self.place, self.size = file, place, 0
        self._digest = hashlib.sha256() if checked else None
        self._lock = threading.Lock()

    def append(self, numbers: npt.NDArray[Any], dtype: Any) -> int:
        """Write at the end, as `dtype`; the place in bytes."""
        data = np.ascontiguousarray(numbers, dtype).view(np.uint8)
        at = self.size
        with reporting("written", self.place), self._lock:
            self.file.seek(at)
            self.file.write(data)
        self.size += len(data)
        if self._digest is not None:
            self._digest.update(data.data)
        return at

    def read(self, at: int, count: int, dtype: Any) -> npt.NDArray[Any]:
        """`count` numbers from a place.

        Raises
        ------
        FormatError   they are not there any more.
        """
        dtype = np.dtype(dtype)
        with reporting("read", self.place), self._lock:
            self.file.seek(at)
            data = self.file.read(count * dtype.itemsize)
        if len(data) != count * dtype.itemsize:
            msg = f"{self.place} is damaged: numbers that were written there are gone; encode the corpus again"
            raise FormatError(msg)
        return np.frombuffer(data, dtype)

    def flush(self) -> None:
        """Hand everything to the operating system."""
        with reporting("written", self.place):
            self.file.flush()

    def entry(self) -> dict[str, Any]:
        """Size and checksum, for a manifest."""
        assert self._digest is not None
        return {"bytes": self.size, "sha256": self._digest.hexdigest()}


@contextmanager
def spool_file(path: Path, shown: Path) -> Iterator[Spool]:
    """A new file as a spool with a checksum.

    Closing it after a failed write fails once more, which is not what is to be reported.
    """
    with reporting("written", shown):
        file = path.open("w+b")
    try:
        yield Spool(file, shown, checked=True)
    except BaseException:
        with suppress(OSError):
            file.close()
        raise
    with reporting("written", shown):
        file.close()
