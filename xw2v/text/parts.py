"""Where the first pass over a corpus keeps its parts: temporary files, or a folder from which an encoding can go on.

In such a folder a part is a file of numbers, `part-00000.data`, and, written when it is whole, `part-00000.json`:
what it was read from, where everything lies in the first file, and checksums of both. A part that is not as its
checksum says is read from the source again. Which files make up which part follows from their sizes alone (`planned`),
so several processes may each write some of the parts.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from xw2v.errors import FileAccessError
from xw2v.files import atomic_write
from xw2v.parallel import in_parallel, usable_cores
from xw2v.text.runs import BlockPlace, Part, Run, RunPlace
from xw2v.text.spool import MEMORY_BYTES, Spool, reporting, temporary_place

__all__ = ["FolderWorkspace", "Workspace", "folder_workspace", "left_parts", "planned", "temporary_workspace"]

PART_BYTES = 256 << 20
"""Least bytes of whole files in a part: what an encoding that goes on may have to read again."""
MOST_PARTS = 64
"""In a larger corpus parts are larger."""

_FORMAT, _VERSION = "xw2v part of an encoding", 1


def planned(sizes: Sequence[int]) -> list[range]:
    """The numbers of the files that make up each part: consecutive ones, until they have the least bytes of a part.

    Files without bytes belong to the part before them. The last part has what is left.

    Parameters
    ----------
    sizes : bytes of each file
    """
    least = max(PART_BYTES, sum(sizes) // MOST_PARTS)
    cuts, held = [0], 0
    for number, size in enumerate(sizes):
        if size and held >= least:
            cuts.append(number)
            held = 0
        held += size
    return [range(first, stop) for first, stop in pairwise([*cuts, len(sizes)])]


class Workspace:
    """A single part in a temporary file, which nothing can go on from.

    Attributes
    ----------
    room : int   bytes that distinct words in memory may take
    done : dict from the number of a part that is finished to the Part
    """

    _sizes: Sequence[int] = ()  # of the source's files
    _plan: Sequence[range] | None = None  # the files of each part; None: one part has all that there is

    def __init__(self, room: int, stack: ExitStack) -> None:
        self.room, self._stack = room, stack
        self.done: dict[int, Part] = {}

    def begin(self, reading: dict[str, Any]) -> None:
        """To be called before all else, with what else the parts depend on."""

    @property
    def missing(self) -> list[int]:
        """The numbers of the parts that are not done."""
        return [number for number in range(self.count) if number not in self.done]

    @property
    def count(self) -> int:
        """How many parts there are to be."""
        return 1 if self._plan is None else len(self._plan)

    def files_of(self, numbers: Iterable[int]) -> list[int] | None:
        """The numbers of the files that make up some parts; None: all that there is to read."""
        return None if self._plan is None else [file for number in numbers for file in self._plan[number]]

    def bytes_of(self, numbers: Iterable[int]) -> int:
        """The size of those files."""
        return sum(self._sizes[file] for file in self.files_of(numbers) or ())

    def part_of(self, file: int) -> int:
        """The number of the part that a file belongs to."""
        return 0 if self._plan is None else bisect_right(self._plan, file, key=lambda files: files.start) - 1

    def new_part(self, number: int) -> Part:
        """The part with this number, empty."""
        del number
        place = temporary_place()
        file: Any = self._stack.enter_context(tempfile.SpooledTemporaryFile(MEMORY_BYTES))  # noqa: SIM115
        return Part(Spool(file, place), self.room)

    def keep(self, number: int, part: Part) -> None:
        """Finish a part, to which all of its files were added."""
        part.finish(spill=False)
        self.done[number] = part


@contextmanager
def temporary_workspace(room: int) -> Iterator[Workspace]:
    """A workspace that leaves nothing."""
    with ExitStack() as stack:
        yield Workspace(room, stack)


class FolderWorkspace(Workspace):
    """Parts in a folder, those of an earlier encoding or of other processes among them.

    Parameters
    ----------
    folder : Path     there is nothing else in it
    reading : dict    how the source is read; a part that was read in another way is not used
    stamps : list of dict or None   of the source's files; None: it cannot be read from the middle
    """

    def __init__(
        self, room: int, stack: ExitStack, folder: Path, reading: dict[str, Any], stamps: list[dict[str, Any]] | None
    ) -> None:
        super().__init__(room, stack)
        self.folder, self.reading, self.stamps = folder, reading, stamps
        self.begun = False
        self._sizes = [int(stamp["bytes"]) for stamp in stamps or ()]
        self._plan = None if stamps is None else planned(self._sizes)
        self._lasting = sum(self._sizes) >= PART_BYTES  # it is worth a record that another process can go on from

    def begin(self, reading: dict[str, Any]) -> None:
        """Take over what earlier encodings read in the same way, delete the rest; a second time do nothing."""
        if self.begun:
            return
        self.reading, self.begun = self.reading | reading, True
        self.take_over(self._recorded())
        with reporting("read", self.folder):
            self._tidy(self.done)

    def end_early(self) -> None:
        """Delete what nothing can go on from."""
        if self.begun:
            with suppress(OSError, FileAccessError):
                self._tidy(self._recorded())

    def new_part(self, number: int) -> Part:
        """The part with this number, empty."""
        path = self._paths(number)[0]
        with reporting("written", path):
            # A new file: a process that is being killed may still write to one of that name.
            path.unlink(missing_ok=True)
            file = self._stack.enter_context(_closing(path.open("x+b")))
        return Part(Spool(file, path, checked=True), self.room)

    def keep(self, number: int, part: Part) -> None:
        """Finish a part, to which all of its files were added, and write its record."""
        part.finish(spill=self._lasting)
        if self._lasting:
            index = {
                "format": _FORMAT,
                "version": _VERSION,
                "reading": self.reading,
                "sources": self._sources(number),
                "tokens": part.tokens,
                "runs": [{"blocks": run.blocks, "words": run.place} for run in part.runs],
                "data": part.spool.entry(),
            }
            with atomic_write(self._paths(number)[1]) as file:
                file.write(json.dumps({"index": index, "sha256": _digest(index)}).encode())
        self.done[number] = part

    def take_over(self, numbers: Iterable[int]) -> None:
        """Take those of these parts that are whole in the folder, of the same files, and read in the same way."""
        jobs = (partial(self._whole, number) for number in numbers)
        for number, index in in_parallel(jobs, usable_cores()):
            if index is not None:
                self.done[number] = self._opened(self._paths(number)[0], index)

    def _tidy(self, kept: Collection[int]) -> None:
        """Delete all but the parts with these numbers."""
        paths = {path for number in kept for path in self._paths(number)}
        for path in self.folder.iterdir():
            if path not in paths:
                path.unlink(missing_ok=True)

    def _recorded(self) -> list[int]:
        """The numbers of the parts that have a record, damaged or not."""
        with reporting("read", self.folder):
            there = set(self.folder.iterdir())
        return [number for number in range(self.count) if self._paths(number)[1] in there]

    def _sources(self, number: int) -> list[dict[str, Any]]:
        return [] if self.stamps is None else [self.stamps[file] for file in self.files_of([number]) or ()]

    def _paths(self, number: int) -> tuple[Path, Path]:
        return self.folder / f"part-{number:05}.data", self.folder / f"part-{number:05}.json"

    def _whole(self, number: int) -> tuple[int, dict[str, Any] | None]:
        """A part's number and what its record says, or None where the part cannot be used."""
        data, record = self._paths(number)
        index = _read_index(record)
        if index is None or index["reading"] != self.reading or index["sources"] != self._sources(number):
            return number, None
        try:
            with data.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return number, None
        return number, index if digest == index["data"]["sha256"] else None

    def _opened(self, path: Path, index: dict[str, Any]) -> Part:
        """A part as it was written."""
        with reporting("read", path):
            file = self._stack.enter_context(_closing(path.open("rb")))
        part = Part(Spool(file, path), self.room)
        part.tokens = index["tokens"]
        for run in index["runs"]:
            blocks = [BlockPlace(*block) for block in run["blocks"]]
            part.runs.append(Run(part.spool, blocks, place=RunPlace(*run["words"])))
        return part


def _read_index(path: Path) -> dict[str, Any] | None:
    """What a part's record says, or None where there is none, or not as it was written."""
    try:
        record = json.loads(path.read_bytes())
        index: dict[str, Any] = record["index"]
        whole = record["sha256"] == _digest(index) and (index["format"], index["version"]) == (_FORMAT, _VERSION)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return index if whole else None


def _digest(index: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(index, sort_keys=True).encode()).hexdigest()


@contextmanager
def folder_workspace(
    folder: Path, room: int, reading: dict[str, Any], stamps: list[dict[str, Any]] | None
) -> Iterator[FolderWorkspace]:
    """A folder for parts. It vanishes when the block ends well, or when no part of it is whole.

    Raises
    ------
    FileAccessError   it cannot be made, or something else lies there.
    """
    with reporting("written", folder):
        if os.path.lexists(folder) and not _holds_parts(folder):
            msg = f"{folder} is in the way: encoded parts are to be kept there; move it"
            raise FileAccessError(msg)
        folder.mkdir(exist_ok=True)
    keep = False
    try:
        with ExitStack() as stack:
            workspace = FolderWorkspace(room, stack, folder, reading, stamps)
            try:
                yield workspace
            except BaseException:
                workspace.end_early()
                keep = any(folder.iterdir())
                raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def left_parts(folder: Path, corpus: Path) -> list[Path]:
    """The folder, where it holds what an encoding left that had made a file of the corpus; or nothing.

    Newer parts are those of an encoding with other options that was interrupted: it may go on from them.
    """
    with suppress(OSError):
        made = corpus.stat().st_mtime_ns
        if _holds_parts(folder) and all(path.stat().st_mtime_ns <= made for path in folder.iterdir()):
            return [folder]
    return []


def _holds_parts(folder: Path) -> bool:
    return folder.is_dir() and not folder.is_symlink() and all(map(_is_ours, folder.iterdir()))


def _is_ours(path: Path) -> bool:
    return re.fullmatch(r"part-\d{5,}\.(data|json)|\.xw2v-.*", path.name) is not None and not path.is_dir()


@contextmanager
def _closing(file: Any) -> Iterator[Any]:
    """Close a file; after a failed write that fails once more, which is not what is to be reported."""
    try:
        yield file
    finally:
        with suppress(OSError):
            file.close()
