"""Numbers in a file, read a slice at a time.

A memory map of a file that another program cuts short ends the process (SIGBUS) when a page beyond the new end is
touched, and no look at the size beforehand can rule that out. A read returns fewer bytes, which is an error like
any other. It copies what a map would show: 256 KiB for a chunk of training.
"""

from __future__ import annotations

import mmap
import os
import weakref
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xw2v.errors import FormatError
from xw2v.files import reading

__all__ = ["StoredNumbers", "out_of_range"]

_FEW = 1024  # numbers that are read as fast as one


def out_of_range(ids: npt.NDArray[Any], below: int) -> int | None:
    """One of the ids that are not in 0 .. below - 1, None where all are."""
    # One comparison for both ends: a negative id is a large one without its sign.
    unsigned = ids.view(f"u{ids.dtype.itemsize}")
    if unsigned.max(initial=0) < below:
        return None
    return int(ids[unsigned.argmax()])


class StoredNumbers:
    """A one-dimensional array in a file. The file is held open: one of the same name that takes its place is not seen.

    Parameters
    ----------
    path : path
    dtype : of the numbers, with a byte order
    below : int or None   they are ids, each of which must be in 0 .. below - 1; None: any numbers

    Raises
    ------
    MissingFileError, FileAccessError   the file cannot be opened or read
    FormatError                         it is damaged, or became shorter since it was opened
    """

    def __init__(self, path: Path, dtype: np.dtype[Any], below: int | None = None) -> None:
        self._path, self._dtype, self._below = path, dtype, below
        with reading(path):
            self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
            weakref.finalize(self, os.close, self._descriptor)
            size = os.fstat(self._descriptor).st_size
        self._size = size // dtype.itemsize
        if size != self._size * dtype.itemsize:
            msg = f"{path} is damaged: {size} bytes are no whole number of {dtype.name}"
            raise FormatError(msg)

    def __len__(self) -> int:
        return self._size

    @cached_property
    def array(self) -> npt.NDArray[Any]:
        """All of it, memory-mapped; for those who can wait until the file is only read."""
        if self._size == 0:
            return np.empty(0, self._dtype)
        try:
            view = mmap.mmap(self._descriptor, self._size * self._dtype.itemsize, access=mmap.ACCESS_READ)
        except ValueError as error:  # longer than the file is now
            raise FormatError(self._shorter()) from error
        return np.frombuffer(view, self._dtype)

    def __getitem__(self, where: slice) -> npt.NDArray[Any]:
        """The numbers of a slice without a step, read-only."""
        start, stop, _ = where.indices(self._size)
        numbers = self._read(start, max(stop - start, 0))
        if self._below is not None:
            outside = out_of_range(numbers, self._below)
            if outside is not None:
                wanted = f"ids must be in 0 .. {self._below - 1}, one is {outside}"
                msg = f"{self._path} is damaged: {wanted}; encode the corpus again"
                raise FormatError(msg)
        return numbers

    def searchsorted(self, values: Any) -> npt.NDArray[np.int64]:
        """As of an array in ascending order, by reading a few numbers: where each value would stand."""
        return np.array([self._place(value) for value in values], np.int64)

    def _place(self, value: int) -> int:
        low, high = 0, self._size
        while high - low > _FEW:
            middle = (low + high) // 2
            if self._read(middle, 1)[0] < value:
                low = middle + 1
            else:
                high = middle
        return low + int(self._read(low, high - low).searchsorted(value))

    def _read(self, start: int, count: int) -> npt.NDArray[Any]:
        if not hasattr(os, "pread"):  # Windows, where a file that is mapped cannot be cut short
            return self.array[start : start + count]
        width = self._dtype.itemsize
        parts, at, end = [], start * width, (start + count) * width
        while at < end:
            with reading(self._path):
                part = os.pread(self._descriptor, end - at, at)  # at most 2 GiB at once
            if not part:
                raise FormatError(self._shorter())
            parts.append(part)
            at += len(part)
        return np.frombuffer(parts[0] if len(parts) == 1 else b"".join(parts), self._dtype)

    def _shorter(self) -> str:
        size = os.fstat(self._descriptor).st_size
        wanted = self._size * self._dtype.itemsize
        return (
            f"{self._path} became shorter while it was in use: {wanted:,} bytes before, {size:,} now; "
            f"put it back or encode the corpus again"
        )
