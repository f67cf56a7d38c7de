"""Where the first pass over a corpus keeps its parts: temporary files, or a folder from which an encoding can go on.

In such a folder a part is a file of numbers, `part-00000.data`, and, written when it is whole, `part-00000.json`:
what it was read from, where everything lies in the first file, and checksums of both. A part that is not as its
checksum says is read from the source again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from xw2v.errors import FileAccessError
from xw2v.files import atomic_write
from xw2v.text.runs import BlockPlace, Part, Run, RunPlace
from xw2v.text.spool import MEMORY_BYTES, Spool, reporting

__all__ = ["FolderWorkspace", "Workspace", "folder_workspace", "temporary_workspace"]

PART_BYTES = 256 << 20
"""Least bytes of whole files in a part: what an encoding that goes on may have to read again."""
MOST_PARTS = 64
"""In a larger corpus parts are larger."""

_FORMAT, _VERSION = "xw2v part of an encoding", 1


class Workspace:
    """Parts in temporary files, which nothing can go on from.

    Attributes
    ----------
    room : int           bytes that distinct words in memory may take
    done : list of Part  what an earlier encoding finished
    files_done : int     how many files of the source those hold
    """

    def __init__(self, room: int, stack: ExitStack) -> None:
        self.room, self._stack = room, stack
        self.done: list[Part] = []
        self.files_done = 0

    def begin(self, reading: dict[str, Any]) -> None:
        """To be called once before all else, with what else the parts depend on."""

    def new_part(self) -> Part:
        """An empty part."""
        place = Path(tempfile.gettempdir())
        file: Any = self._stack.enter_context(tempfile.SpooledTemporaryFile(MEMORY_BYTES))  # noqa: SIM115
        return Part(Spool(file, place), self.room)

    def keep(self, part: Part, stop: int | None) -> bool:
        """Add a part of all files before number `stop` (None: of all) to those that are done, if it is worth it."""
        del part, stop
        return False


@contextmanager
def temporary_workspace(room: int) -> Iterator[Workspace]:
    """A workspace that leaves nothing."""
    with ExitStack() as stack:
        yield Workspace(room, stack)


class FolderWorkspace(Workspace):
    """Parts in a folder, those of an earlier encoding among them.

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
        total = sum(stamp["bytes"] for stamp in stamps or ())
        self._least = max(PART_BYTES, total // MOST_PARTS)

    def begin(self, reading: dict[str, Any]) -> None:
        """Take over the parts of an earlier encoding that were read in the same way."""
        self.reading, self.begun = self.reading | reading, True
        with reporting("read", self.folder):
            if self.stamps is not None:
                self._take_over(self.stamps)
            self.tidy()

    def tidy(self) -> None:
        """Delete what belongs to no part that is done."""
        kept = {path for number in range(len(self.done)) for path in self._paths(number)}
        for path in self.folder.iterdir():
            if path not in kept:
                path.unlink()

    def new_part(self) -> Part:
        """An empty part."""
        path = self._paths(len(self.done))[0]
        with reporting("written", path):
            file = self._stack.enter_context(_closing(path.open("w+b")))
        return Part(Spool(file, path, checked=True), self.room)

    def keep(self, part: Part, stop: int | None) -> bool:
        """Add a part of all files before number `stop` (None: of all) to those that are done, if it is large."""
        sources = (self.stamps or [])[self.files_done : stop]
        if sum(stamp["bytes"] for stamp in sources) < self._least:
            return False
        part.finish(spill=True)
        index = {
            "format": _FORMAT,
            "version": _VERSION,
            "reading": self.reading,
            "sources": sources,
            "tokens": part.tokens,
            "runs": [{"blocks": run.blocks, "words": run.place} for run in part.runs],
            "data": part.spool.entry(),
        }
        with atomic_write(self._paths(len(self.done))[1]) as file:
            file.write(json.dumps({"index": index, "sha256": _digest(index)}).encode())
        self.done.append(part)
        self.files_done += len(sources)
        return True

    def _paths(self, number: int) -> tuple[Path, Path]:
        return self.folder / f"part-{number:05}.data", self.folder / f"part-{number:05}.json"

    def _take_over(self, stamps: list[dict[str, Any]]) -> None:
        """Take the parts of an earlier encoding as far as they are whole and of the same files."""
        while True:
            data, record = self._paths(len(self.done))
            index = _read_index(record)
            if index is None or index["reading"] != self.reading:
                return
            sources = index["sources"]
            if not sources or stamps[self.files_done : self.files_done + len(sources)] != sources:
                return
            part = self._opened(data, index)
            if part is None:
                return
            self.done.append(part)
            self.files_done += len(sources)

    def _opened(self, path: Path, index: dict[str, Any]) -> Part | None:
        """A part as it was written, or None."""
        try:
            file = path.open("rb")
        except OSError:
            return None
        with reporting("read", path):
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != index["data"]["sha256"]:
            file.close()
            return None
        part = Part(Spool(self._stack.enter_context(_closing(file)), path), self.room)
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
        if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and all(map(_is_ours, folder.iterdir())))):
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
                keep = bool(workspace.done) if workspace.begun else any(folder.iterdir())
                if workspace.begun:
                    with suppress(OSError):
                        workspace.tidy()
                raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _is_ours(path: Path) -> bool:
    return path.name.startswith(("part-", ".xw2v-")) and not path.is_dir()


@contextmanager
def _closing(file: Any) -> Iterator[Any]:
    """Close a file; after a failed write that fails once more, which is not what is to be reported."""
    try:
        yield file
    finally:
        with suppress(OSError):
            file.close()
