"""The bytes of compressed texts: .gz, .bz2, .xz and .zst, of one member or of several that were put together.

Between members and after them there may be zero bytes, with which tapes are filled up and .xz files padded. Anything
else there is damage, and not left out in silence: it may be the text of a member whose head is broken.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import pyarrow as pa

__all__ = ["DAMAGE", "unpacked"]

DAMAGE = (OSError, EOFError, lzma.LZMAError, zlib.error, pa.ArrowException)
"""What reading damaged files raises."""

_INPUT = 1 << 18  # compressed bytes read at once


class _Member(Protocol):
    """One compressed stream, as `bz2.BZ2Decompressor` and `lzma.LZMADecompressor` read it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _GzipMember:
    """The same of `zlib`, which hands back what it has not read yet."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)


_MEMBERS: dict[str, Callable[[], _Member]] = {
    ".gz": _GzipMember,
    ".bz2": bz2.BZ2Decompressor,
    ".xz": lzma.LZMADecompressor,
}


@contextmanager
def unpacked(raw: Any, suffix: str) -> Iterator[Any]:
    """A stream, with `read(size)`, of the bytes in the file `raw` with a name that ends so; `raw` where it is plain."""
    suffix = suffix.lower()
    if suffix == ".zst":
        with pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd") as stream:
            yield _Arrow(stream)
    else:
        yield _Members(raw, _MEMBERS[suffix]) if suffix in _MEMBERS else raw


class _Arrow:
    """A stream of Arrow's, whose own `read` never gives back its memory when it fails."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        data: bytes = self._stream.read_buffer(size).to_pybytes()
        return data


class _Members:
    """The members of a file, one after the other."""

    def __init__(self, raw: Any, new: Callable[[], _Member]) -> None:
        self._raw, self._new = raw, new
        self._member: _Member | None = None
        self._held = b""  # read from the file, and not yet handed to a member
        self._any = False

    def read(self, size: int) -> bytes:
        """`size` bytes, fewer at the end."""
        pieces, wanted = [], size
        while wanted and (self._member is not None or self._begun()):
            piece = self._decompressed(wanted)
            wanted -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def _begun(self) -> bool:
        """Whether there is a next member, whose turn it is then."""
        while True:
            self._held = self._held or self._raw.read(_INPUT)
            if not self._held:
                return False
            if self._any:
                self._held = self._held.lstrip(b"\0")
            if self._held:
                self._member, self._any = self._new(), True
                return True

    def _decompressed(self, most: int) -> bytes:
        member = self._member
        assert member is not None
        data, self._held = self._held, b""
        wants = member.needs_input and not data
        data = self._raw.read(_INPUT) if wants else data
        piece = member.decompress(data, most)
        if member.eof:
            self._held, self._member = member.unused_data, None
        elif wants and not data and not piece:
            msg = "it ends in the middle"
            raise EOFError(msg)
        return piece
