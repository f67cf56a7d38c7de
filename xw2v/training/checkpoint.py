"""Checkpoints: the state of a run in a folder, from which it goes on where it stood.

A checkpoint is written by a thread from a copy of the tables while training goes on, beside its place, flushed to the
disk and renamed; the last two are kept. See `checkpoint_file.py` for what is in one.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import numpy as np

from xw2v.backend import Backend
from xw2v.caller import warn_caller
from xw2v.errors import ConfigError, CorpusError, FileAccessError, XW2VError
from xw2v.files import PathLike, atomic_write, check_parent, inside, locked, remove_leftovers, sync_folder, writing
from xw2v.training.checkpoint_file import Checkpoint, read_checkpoint, write_state
from xw2v.training.engines import Tables
from xw2v.training.epochs import EpochEnds
from xw2v.training.pace import Interval, Pace
from xw2v.training.walk import Position, Progress

__all__ = [
    "FIRST_NAME",
    "Checkpoint",
    "Checkpoints",
    "check_same_run",
    "holds_checkpoints",
    "read_checkpoint",
    "remove_checkpoints",
]

_NAME = re.compile(r"checkpoint-(\d{6,18})\.safetensors")
FIRST_NAME = "checkpoint-000001.safetensors"
"""What the first file in a folder of checkpoints is called."""
_KEPT = 2
_LOCK = ".lock"
# Options that say where a run goes on, not what it learns.
_MAY_CHANGE = {"workers", "backend", "engine", "device", "tf32"}


class Checkpoints:
    """A folder of checkpoints of one run. A context manager: it keeps other processes out, and waits for its thread.

    Parameters
    ----------
    folder : path                      made if it is not there
    every : int or str
        how much work may be lost, in words or as a time, "30s", "5m", "1h". Copies are taken earlier by as long as it
        takes to write one; where that is more than half of it, `on_warning` hears so
    on_warning : callable or None      called with a line of text if one cannot be written or read; None: warn

    Raises
    ------
    ConfigError        `every` is neither words nor a time
    FileAccessError    the folder cannot be made, or another process writes to it
    """

    def __init__(
        self, folder: PathLike, every: int | str = "60s", on_warning: Callable[[str], None] | None = None
    ) -> None:
        self.folder, self._pace, self._warn = Path(folder), Pace(Interval.of(every)), on_warning or warn_caller
        self._idle = threading.Event()  # no thread is at work
        self._idle.set()
        self._copies: tuple[np.ndarray, ...] | None = ()

    @contextmanager
    def opened(self) -> Iterator[Checkpoints]:
        """The folder, made, locked and rid of what killed runs left."""
        self.folder = self.folder.absolute()  # a callback may change the working directory
        made = not self.folder.exists()
        with writing(self.folder):
            self.folder.mkdir(exist_ok=True)
        if made:
            sync_folder(self.folder.absolute().parent)
        try:
            with locked(self.folder / _LOCK, f"the checkpoints in {self.folder}"):
                remove_leftovers(self.folder)
                try:
                    yield self
                finally:
                    self.wait()
        finally:
            if made:
                with suppress(OSError):  # there is something in it
                    self.folder.rmdir()

    def begin(
        self,
        run: Callable[[], dict[str, Any]],
        history: list[Progress],
        backend: Backend,
        tables: Tables,
        words: int,
        ends: EpochEnds,
    ) -> None:
        """Say what is going to be saved: `run` is called when needed, `history` and `ends` grow, `words` are done."""
        self._run, self._history, self._backend, self._ends = run, history, backend, ends
        self._pace.begin(words)
        self._have_done(self._make_room, tables)

    def _make_room(self, tables: Tables) -> None:
        """Memory for the copies, touched before training has to wait for it: fresh pages take longer than a copy."""
        if self._backend.name != "cupy":  # whose `to_host` is a copy; others may show the memory that changes
            try:
                self._copies = tuple(np.empty(tuple(table.shape), np.float32) for table in tables)
            except MemoryError:
                self._copies = None
            for copy in self._copies or ():
                np.copyto(copy, 0.0)

    def check_place(self) -> None:
        """Refuse a folder that cannot be made, before there is something to lose.

        Raises
        ------
        FileAccessError   it cannot.
        """
        if not self.folder.is_dir():
            check_parent(self.folder, self.folder)
            if os.path.lexists(self.folder):
                msg = f"cannot write the folder {self.folder}: a file of that name exists; choose another name"
                raise FileAccessError(msg)

    # Reading

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that can be read, or None where there is none."""
        errors = []
        for path in reversed(self._paths()):
            try:
                return read_checkpoint(inside(self.folder, path.name))
            except XW2VError as error:
                errors.append(error)
                self._warn(f"{error}; trying the one before it")
        if errors:
            raise errors[0]
        return None

    def clear(self) -> None:
        """Delete the checkpoints."""
        with writing(self.folder):
            for path in self._paths():
                path.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        """The checkpoints, oldest first."""
        with writing(self.folder):
            found = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(found, key=_number)

    # Writing

    def due(self, words: int) -> bool:
        """Is it time for the next one, and is the one before it on the disk?"""
        due = self._pace.due(words, writing=self.writing)
        complaint = self._pace.complaint()
        if complaint is not None:
            self._warn(complaint)
        return due

    def save(self, tables: Tables, position: Position) -> None:
        """Copy the tables and have them written while training goes on."""
        self.wait()
        if self._copies is None:
            self._warn("no checkpoints: there is no memory for a copy of the tables; training goes on")
            return
        host = tuple(map(self._backend.to_host, tables))
        if self._copies:
            for copy, table in zip(self._copies, host, strict=True):
                np.copyto(copy, table)
            host = self._copies
        # The best tables are replaced and never changed.
        ends = EpochEnds(None, list(self._ends.records), self._ends.best)
        self._have_done(self._write, Tables(*host), position, list(self._history), ends)

    def wait(self) -> None:
        """Wait until what was saved is on the disk, also where Ctrl-C comes meanwhile, which is raised then.

        Who waits goes on to give up the folder and the corpus, at which the thread still looks.
        """
        interrupt: KeyboardInterrupt | None = None
        while self.writing:
            # Not for the thread itself: until Python 3.13 one whose `join` is interrupted counts as ended.
            try:
                self._idle.wait()
            except KeyboardInterrupt as error:
                interrupt = error
        if interrupt is not None:
            raise interrupt

    @property
    def writing(self) -> bool:
        """Whether the thread is at work."""
        return not self._idle.is_set()

    def _have_done(self, work: Callable[..., None], *arguments: Any) -> None:
        """Have a thread do something."""
        turn = threading.Lock()  # whoever takes it first says whether the work is done

        def run() -> None:
            if turn.acquire(blocking=False):
                try:
                    work(*arguments)
                finally:
                    self._idle.set()

        try:
            self._idle.clear()
            threading.Thread(target=run, name="xw2v checkpoint").start()
        except BaseException:  # as Ctrl-C: nobody is to wait for a thread that may never begin, and then it may not
            if turn.acquire(blocking=False):
                self._idle.set()
            raise

    def _write(self, tables: Tables, position: Position, history: list[Progress], ends: EpochEnds) -> None:
        try:
            paths = self._paths()
            number = _number(paths[-1]) + 1 if paths else 1
            path = self.folder / f"checkpoint-{number:06d}.safetensors"
            with atomic_write(path, cached=False) as file:
                write_state(file, tables, position, history, self._run(), ends)
            for old in [*paths, path][:-_KEPT]:
                old.unlink(missing_ok=True)
            sync_folder(self.folder)
        except Exception as error:  # nobody else hears of it, and training is worth more
            text = str(error) or type(error).__name__
            self._warn(f"no checkpoint this time: {text}; training goes on, the last one stays")


def holds_checkpoints(folder: PathLike) -> bool:
    """Whether there is something in a folder to go on from."""
    path = Path(folder)
    return path.is_dir() and any(_NAME.fullmatch(file.name) for file in path.iterdir())


def remove_checkpoints(folder: PathLike) -> None:
    """Delete the checkpoints in a folder, and the folder if nothing else is in it."""
    with Checkpoints(folder).opened() as checkpoints:
        checkpoints.clear()
    with suppress(OSError):
        checkpoints.folder.rmdir()


_ANEW = "in another folder, or anew (resume=False, --no-resume)"


def check_same_run(checkpoint: Checkpoint, run: dict[str, Any]) -> None:
    """Refuse to go on with another corpus, other options or another model to begin with.

    Raises
    ------
    ConfigError   options differ, but for workers, backend and engine; the text names them. Or the epochs before the run
    CorpusError   the corpus is another one; the text says how it differs
    """
    place = checkpoint.path.parent
    changes = _changes(checkpoint.run["config"], run["config"])
    changed = [text for name, text in changes.items() if name not in _MAY_CHANGE]
    if changed:
        msg = f"cannot go on from {place}: {', '.join(changed)}; give the same options, or start {_ANEW}"
        raise ConfigError(msg)
    before, here = checkpoint.run.get("first_epoch"), run["first_epoch"]
    if before != here:
        msg = (
            f"cannot go on from {place}: it is of a run that began with a model of {before} epochs, and this one has "
            f"{here}: give the model as it was then, or start {_ANEW}"
        )
        raise ConfigError(msg)
    changes = _changes(checkpoint.run["corpus"], run["corpus"])
    if changes:
        msg = f"cannot go on from {place}: the corpus changed, its {', its '.join(changes.values())}; start {_ANEW}"
        raise CorpusError(msg)


def _changes(then: dict[str, Any], now: dict[str, Any]) -> dict[str, str]:
    """By name, what is another value now."""
    names = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    return {name: f"{name} was {then.get(name)!r} and is {now.get(name)!r}" for name in names}


def _number(path: Path) -> int:
    return int(cast("re.Match[str]", _NAME.fullmatch(path.name))[1])
