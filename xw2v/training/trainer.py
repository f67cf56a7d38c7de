"""The trainer: walks the corpus in chunks, hands them to an engine, and reports. Knows no files and no screen."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import Any, Protocol

import numpy as np

from xw2v.backend import Backend
from xw2v.config import Config
from xw2v.errors import CorpusError, NumericalError
from xw2v.parallel import one_blas_thread
from xw2v.training.batches import Chunk, read_chunk
from xw2v.training.engines import AheadEngine, ChunkResult, Engine, Tables
from xw2v.training.reading import ReadAhead
from xw2v.training.walk import Place, Position, Progress, Walk, chunk_size
from xw2v.training.workers import worker_threads

__all__ = ["Saver", "Training"]

Array = Any

_GRACE = 0.5  # seconds that a chunk under way has to come to its end when the run is stopped
_POLL = 0.1  # seconds between two looks at whether the run is to stop
_SAMPLE = 256  # tokens of a chunk whose rows are looked at: frequent words, where training diverges first
_LOOK_EVERY = 16  # chunks: looking at rows makes an engine wait that begins chunks ahead
_LARGEST_NORM = 1e3  # of a row; good vectors stay below 20, and scores saturate long before


class Saver(Protocol):
    """Who keeps the state of a run now and then."""

    def due(self, words: int) -> bool:
        """Is it time, when so many words are done or under way?"""
        ...

    def save(self, tables: Tables, position: Position) -> None:
        """Take a copy; the tables change again when it returns."""
        ...


class Training:
    """A run over a corpus: iterate over it to train the tables in place, a record after every chunk.

    Parameters
    ----------
    tables : Tables                        on the backend's device; changed
    ids : (n,) integers                    the corpus, every id in 0 .. V-1: an array or what reads slices of a file
    offsets : (sentences + 1,) int64       the same
    config, backend, engine
    position : Position or None            where an earlier run stopped, whose tables these are; None: at the start
    first_epoch : int                      draw as in the epochs from this one on, if others came before
    saver : Saver or None                  asked after every chunk, called while no chunk is under way
    at_epoch_end : callable or None
        called with an epoch's number when its chunks are all done and no other is under way. Returns whether the run
        ends there, or None where it gave up because the run is to stop; then it is called again when the run goes on
    trained : array-like or None           ids to train on in place of `ids`, as `validation.TrainingIds`

    Attributes
    ----------
    position : Position   where the run stands; right when the iteration has ended, in whatever way but an error
    at_rest : bool        whether `position` is right: not while the iteration goes on, nor if its end was interrupted
    late : deque          records of chunks that `position` counts and the iteration, left early, has not given

    Raises
    ------
    CorpusError      fewer than two tokens
    ConfigError      the options do not go together
    NumericalError   the loss is not finite any more

    Notes
    -----
    A thread takes the next chunk as soon as it is free, and the tables are updated without locks. A run that is
    stopped, by `stop` or by closing the iterator, lets chunks under way finish for half a second and then cuts
    them after a step; `position` knows how much of them is done.
    """

    def __init__(
        self,
        tables: Tables,
        ids: Array,
        offsets: Array,
        config: Config,
        backend: Backend,
        engine: Engine,
        *,
        position: Position | None = None,
        first_epoch: int = 0,
        saver: Saver | None = None,
        at_epoch_end: Callable[[int], bool | None] | None = None,
        trained: Any = None,
    ) -> None:
        if len(ids) < 2:
            msg = f"a corpus of at least 2 words is wanted, got {len(ids)}"
            raise CorpusError(msg)
        self.tables, self.ids, self.offsets = tables, ids, offsets
        self.config, self.engine, self.saver, self.first_epoch = config, engine, saver, first_epoch
        self.at_epoch_end, self._trained = at_epoch_end, ids if trained is None else trained
        # Asked once: what a protocol is made of is looked up anew each time, up to 0.1 ms of a chunk's ten.
        self._ahead = engine if isinstance(engine, AheadEngine) else None
        self.backend, self.workers = backend, worker_threads(config, backend)
        self.position = (position or Position(0)).resized(chunk_size(len(ids), config, engine, self.workers))
        self._walk = Walk(len(ids), config, self.position)
        self._wanted = threading.Event()  # somebody wants the run to stop
        self._cut = threading.Event()  # engines are to stop after a step
        self._under_way: deque[tuple[Place, Future[tuple[Callable[[], ChunkResult], bool]]]] = deque()
        self._checks = 0
        self._began = 0.0
        self.late: deque[Progress] = deque()
        self.at_rest = True

    def stop(self) -> None:
        """Have the iteration end soon. May be called from a signal handler."""
        self._wanted.set()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._wanted.is_set()

    def __iter__(self) -> Generator[Progress, None, None]:
        self.at_rest = False
        self.backend.synchronize()  # other threads, whose streams need not wait for this one's, train what it made
        with ExitStack() as stack:
            if self.workers > 1:
                # Threads of ours share out the work; BLAS threads on top of them would only get in their way.
                stack.enter_context(one_blas_thread())
            pool = stack.enter_context(
                ThreadPoolExecutor(self.workers, thread_name_prefix="xw2v", initializer=self.backend.attach)
            )
            reader = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="xw2v-ahead"))
            self._reading = ReadAhead(self._read, reader)
            self._began = time.perf_counter() - self.position.seconds
            try:
                yield from self._records(pool)
            finally:
                self.late.extend(self._halt())
            while self.late:
                yield self.late.popleft()

    def _records(self, pool: Executor) -> Iterator[Progress]:
        # Engines that work ahead are handed a chunk while the device has another: it never waits for the host.
        ahead = 2 * self.workers if self.workers > 1 or self._ahead is not None else 1
        places = iter(self._walk)
        while True:
            if self._walk.epoch_is_handed_out():
                if self.at_epoch_end is not None:
                    yield from self._drained()
                if self.stopped or not self._end_epoch():
                    return
            place = next(places, None)
            if place is None:
                break
            self._under_way.append((place, pool.submit(self._work, place)))
            self._read_ahead()
            if len(self._under_way) < ahead:
                continue
            if not self._wait():
                return
            record = self._finished()
            yield record
            if self.saver is not None and self.saver.due(self._walk.words):
                yield from self._drained()
                if self.stopped:
                    return
                self.saver.save(self.tables, self._walk.position([], self._seconds()))
        yield from self._drained()

    def _end_epoch(self) -> bool:
        """Have the end of an epoch looked at, if anybody wants to; whether the run goes on."""
        began = time.perf_counter()
        over = False if self.at_epoch_end is None else self.at_epoch_end(self._walk.ended)
        self._began += time.perf_counter() - began
        self._walk.ended += over is not None
        return over is False

    def _work(self, place: Place) -> tuple[Callable[[], ChunkResult], bool]:
        """Train on a chunk; what gives the result, and whether it was cut short."""
        chunk = self._reading.take(place.start)
        first_word, first_step = place.epoch * len(self.ids) + place.start, self._walk.steps - place.steps
        cut = False

        def rate(words: int, step: int) -> float | None:
            nonlocal cut
            cut = self._cut.is_set()
            return None if cut else self._walk.alpha(first_word + words, first_step + step)

        arguments = self.tables, chunk, self.first_epoch + place.epoch, rate, place.steps
        # What leaves the finite numbers is reported once, by `_check`.
        with np.errstate(all="ignore"):
            if self._ahead is not None:
                return self._ahead.begin_chunk(*arguments), cut
            result = self.engine.train_chunk(*arguments)
        return lambda: result, cut

    def _read(self, start: int) -> Chunk:
        """The chunk that begins at a position."""
        stop = min(start + self._walk.size, len(self.ids))
        read = read_chunk if self._ahead is None else self._ahead.read_chunk
        return read(self._trained, self.offsets, start, stop)

    def _read_ahead(self) -> None:
        """Begin to read the next chunk."""
        if self._ahead is None:  # where a device works while the host reads
            self._reading.begin(self._walk.start)

    def _wait(self) -> bool:
        """Wait for the oldest chunk under way; False where the run is to stop first."""
        future = self._under_way[0][1]
        while not self._wanted.is_set():
            if wait([future], timeout=_POLL).done:
                return True
        return False

    def _drained(self) -> Iterator[Progress]:
        """Wait for all chunks under way, unless the run is to stop."""
        while self._under_way and self._wait():
            yield self._finished()

    def _finished(self) -> Progress:
        """Count the oldest chunk under way, which is done."""
        place, future = self._under_way[0]
        result = future.result()[0]()
        self._under_way.popleft()
        self._walk.add(result)
        self._check(place, result)
        return self._walk.record(place, result, self._seconds())

    def _check(self, place: Place, result: ChunkResult) -> None:
        """Notice within a chunk that training left the finite numbers, or is about to."""
        what = self._exploded(place) if np.isfinite(result.loss) else f"the loss is {result.loss}"
        if what is not None:
            config = self.config
            thinner = f"a lower sample ({config.sample})" if config.sample else "sample=0.001 (with 0 all are kept)"
            msg = (
                f"{what} in epoch {place.epoch + 1}: training diverged; lower alpha ({config.alpha}), or thin out "
                f"frequent words by {thinner}"
                + (", or set max_update_norm=0.5" if config.max_update_norm is None else "")
            )
            raise NumericalError(msg)

    def _exploded(self, place: Place) -> str | None:
        """What is wrong with the rows of some words of a chunk, or None."""
        self._checks += 1
        if self._ahead is not None and self._checks % _LOOK_EVERY:
            return None
        self.backend.attach()  # a callback may have taken another device
        xp = self.backend.xp
        stop = min(place.start + self._walk.size, len(self.ids))
        ids = self.backend.from_host(np.asarray(self.ids[max(place.start, stop - _SAMPLE) : stop], dtype=np.int32))
        for name, table in self.tables._asdict().items():
            rows = xp.take(table, ids, axis=0)
            with np.errstate(all="ignore"):
                square = float(xp.max(xp.vecdot(rows, rows)))
            if not square <= _LARGEST_NORM**2:  # NaN is not
                return f"a row of the {name} has norm {square**0.5:.3g}"
        return None

    def _halt(self) -> list[Progress]:
        """Stop what is under way and note how far it came; the records of chunks that are whole."""
        running = [future for _, future in self._under_way if not future.cancel()]
        try:
            wait(running, timeout=_GRACE)
        finally:  # a second Ctrl-C ends the time of grace
            self._cut.set()
        wait(running)
        begun: list[Place] = []
        late: list[Progress] = []
        for place, future in self._under_way:
            if future.cancelled() or future.exception() is not None:
                begun.append(place)
                continue
            finish, cut = future.result()
            result = finish()
            self._walk.add(result)
            if cut:
                begun.append(place._replace(steps=place.steps + result.steps))
            else:
                late.append(self._walk.record(place, result, self._seconds()))
        self._under_way.clear()
        self.position = self._walk.position(begun, self._seconds())
        self.at_rest = True
        return late

    def _seconds(self) -> float:
        return time.perf_counter() - self._began
