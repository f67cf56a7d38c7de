"""Files written past the page cache: for what is large and will hardly be read again.

The system copies what is written into pages of its own, which it must find first; while all cores compute that costs
more of their time than the disk does. Where a file system cannot do without, the file is an ordinary one.
"""

from __future__ import annotations

import io
import mmap
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["UncachedFile"]

_BUFFER = 4 << 20  # bytes written at once; must be a multiple of any disk's block
_DIRECT = getattr(os, "O_DIRECT", 0)  # not everywhere


class UncachedFile(io.RawIOBase):
    """A new file to write to from front to end.

    Parameters
    ----------
    path : Path     what must not be there yet

    Raises
    ------
    OSError     as `open(path, "xb")` does, here and in `write`, `flush` and `close`
    """

    def __init__(self, path: Path) -> None:
        self._file, self._filled, self._view = -1, 0, memoryview(b"")  # Python closes it also where this fails
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        self._file = os.open(path, flags, 0o666)
        self._direct = bool(_DIRECT) and self._set_direct(True)
        self._view = memoryview(mmap.mmap(-1, _BUFFER))  # begins with a page, as a direct write wants

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The system's number of it."""
        return self._file

    def write(self, data: ReadableBuffer) -> int:
        """Take all bytes; they are on their way once the buffer is full."""
        rest = memoryview(data).cast("B")
        total = len(rest)
        while rest:
            part = rest[: _BUFFER - self._filled]
            self._view[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            rest = rest[len(part) :]
            if self._filled == _BUFFER:
                self._put()
        return total

    def flush(self) -> None:
        """Send off what is left. From then on the file is an ordinary one, for its end lies within a block."""
        super().flush()
        self._put()

    def close(self) -> None:
        """Send off what is left and let go of the file."""
        if self.closed:
            return
        try:
            super().close()  # flushes
        finally:
            if self._file >= 0:
                os.close(self._file)

    def _put(self) -> None:
        rest = self._view[: self._filled]
        self._filled = 0
        while rest:
            try:
                rest = rest[os.write(self._file, rest) :]
            except OSError:
                # No whole blocks, as at the end of the file or of a full disk; or a file system that says only now
                # that it cannot.
                if not self._direct or not self._set_direct(False):
                    raise
                self._direct = False

    def _set_direct(self, on: bool) -> bool:
        """Whether the file writes past the cache, or no longer does, as asked."""
        with suppress(ImportError, OSError):
            import fcntl

            flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
            fcntl.fcntl(self._file, fcntl.F_SETFL, flags | _DIRECT if on else flags & ~_DIRECT)
            return True
        return False
