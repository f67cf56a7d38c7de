"""A run that was stopped and goes on ends where an uninterrupted one does, to the last bit."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from xw2v.backend import NumpyBackend
from xw2v.config import CS224N, Config
from xw2v.training import batches, trainer
from xw2v.training.engines import ChunkResult, Tables, choose_engine
from xw2v.training.initial import initial_tables
from xw2v.training.trainer import Training
from xw2v.training.walk import Place, Position, Walk

NUMPY = NumpyBackend("a test")
V = 40

MODES = {
    "cpu": Config(vector_size=6, epochs=3, workers=1, engine="cpu", sample=0.1),
    "array": Config(vector_size=6, epochs=3, workers=1, engine="array", sample=0.1, batch_size=16),
    "halving": Config(
        vector_size=6,
        epochs=2,
        workers=1,
        engine="array",
        sample=0.1,
        batch_size=16,
        schedule="halving",
        halve_every=10,
        alpha=0.3,
    ),
    "pair": Config(vector_size=6, epochs=2, workers=1, negatives="pair", sample=0.1, batch_size=16),
    "softmax": Config(vector_size=6, epochs=2, workers=1, loss="softmax", sample=0.1, batch_size=16),
    "cs224n": Config(**(CS224N | {"steps": 150, "sample": 0.1, "halve_every": 40})),
}


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(batches, "SEGMENT", 200)
    with threadpool_limits(1):  # products this small are slower on two threads
        yield


def corpus(n: int = 3000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    ids = np.minimum(rng.geometric(0.1, n), V).astype(np.int32) - 1
    return ids, np.arange(0, n + 1, 10), np.bincount(ids, minlength=V)


def training(config: Config, tables: Tables | None = None, **settings: Any) -> Training:
    ids, offsets, counts = corpus()
    engine, _ = choose_engine(config, counts, NUMPY)
    tables = tables or initial_tables(V, config, NUMPY)
    return Training(tables, ids, offsets, config, NUMPY, engine, **settings)


def finished(run: Training) -> Training:
    for _ in run:
        pass
    return run


def assert_same(run: Training, wanted: Training) -> None:
    for ours, theirs in zip(run.tables, wanted.tables, strict=True):
        assert ours.tobytes() == theirs.tobytes()
    ours, theirs = run.position, wanted.position
    assert (ours.steps, ours.centers, ours.pairs, ours.begun) == (theirs.steps, theirs.centers, theirs.pairs, ())


@pytest.mark.parametrize("mode", MODES)
def test_going_on_after_any_chunk(mode: str) -> None:
    wanted = finished(training(MODES[mode]))
    for records in (1, 4, 17):
        run = training(MODES[mode])
        steps = iter(run)
        for _ in range(records):
            next(steps)
        steps.close()
        assert run.position.steps < wanted.position.steps
        assert_same(finished(training(MODES[mode], run.tables, position=run.position)), wanted)


@pytest.mark.parametrize("mode", ["cpu", "array"])
def test_going_on_in_chunks_of_another_size(mode: str) -> None:
    """As where a GPU began, whose chunks are larger, and a CPU goes on."""
    wanted = finished(training(MODES[mode])).position
    run = training(MODES[mode])
    run._walk = Walk(len(run.ids), run.config, Position(600))
    steps = iter(run)
    for _ in range(2):
        next(steps)
    steps.close()
    assert (run.position.size, run.position.start) == (600, 1200)
    again = training(MODES[mode], run.tables, position=run.position)
    assert again.position.size == 200
    done = finished(again).position
    assert (done.epoch, done.centers, done.pairs) == (wanted.epoch, wanted.centers, wanted.pairs)


def test_a_chunk_that_is_under_way_keeps_its_end() -> None:
    begun = Position(600, start=1200, begun=(Place(0, 600, 3),))
    assert training(MODES["array"], position=begun).position == begun


def test_the_time_of_all_parts_is_counted() -> None:
    run = training(MODES["array"], position=Position(size=200, seconds=1000.0))
    assert 1000 < next(iter(run)).seconds < 1900


def test_a_saver_and_the_one_who_stops_a_run_learn_how_long_it_took() -> None:
    saver = Saved(900)
    run = training(MODES["array"], saver=saver, position=Position(size=200, seconds=1000.0))
    seconds = [record.seconds for record in run]
    kept = [position.seconds for _, position in saver.kept]
    assert len(kept) > 3
    assert 1000 < kept[0] < kept[-1] <= run.position.seconds
    assert seconds[0] < kept[0]
    assert seconds[-1] <= run.position.seconds < 1900


class Slow:
    """An engine that stops the run inside its chunks, after so many calls for a rate."""

    name = "slow"
    chunk_segments = None

    def __init__(self, engine: Any, after: int) -> None:
        self.engine, self.after = engine, after
        self.run: Any = None

    def compile(self) -> None: ...

    def train_chunk(self, tables: Any, chunk: Any, epoch: int, rate: Any, skip: int = 0) -> ChunkResult:
        def counted(words: int, step: int) -> float | None:
            self.after -= 1
            if self.after == 0:
                self.run.stop()
                self.run._cut.wait(10)
            return rate(words, step)  # type: ignore[no-any-return]

        return self.engine.train_chunk(tables, chunk, epoch, counted, skip)  # type: ignore[no-any-return]


@pytest.mark.parametrize("mode", MODES)
def test_going_on_inside_a_chunk(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped again and again, always after a few steps."""
    monkeypatch.setattr(trainer, "_GRACE", 0.0)
    wanted = finished(training(MODES[mode]))
    tables, position, stops = None, None, 0
    while True:
        run = training(MODES[mode], tables, position=position)
        slow = Slow(run.engine, after=23)
        run.engine, slow.run = slow, run
        finished(run)
        if not run.stopped:
            break
        stops += 1
        tables, position = run.tables, run.position
        assert [place.steps > 0 for place in position.begun] in ([], [True])
    assert stops > 3
    assert_same(run, wanted)


def test_workers_train_every_word_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "_GRACE", 0.0)
    config = MODES["array"].replace(workers=3)
    wanted = finished(training(config)).position
    tables, position, stops = None, None, 0
    while True:
        run = training(config, tables, position=position)
        slow = Slow(run.engine, after=30)
        run.engine, slow.run = slow, run
        finished(run)
        if not run.stopped:
            break
        stops += 1
        tables, position = run.tables, run.position
    assert stops > 3
    ours = run.position
    assert (ours.steps, ours.centers, ours.pairs, ours.begun) == (wanted.steps, wanted.centers, wanted.pairs, ())


class Sleeper:
    """An engine whose steps take a while."""

    name = "sleeper"
    chunk_segments = None

    def compile(self) -> None: ...

    def train_chunk(self, tables: Any, chunk: Any, epoch: int, rate: Any, skip: int = 0) -> ChunkResult:
        step = 0
        while rate(0, step) is not None and step < 1000:
            time.sleep(0.01)
            step += 1
        return ChunkResult(1.0, 1, 1, step)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_stop_is_noticed_within_a_second(workers: int) -> None:
    run = training(Config(workers=workers))
    run.engine = Sleeper()
    threading.Timer(0.2, run.stop).start()
    began = time.perf_counter()
    finished(run)
    assert time.perf_counter() - began < 0.2 + 1.0
    assert 0 < run.position.steps < workers * 1000
    assert len(run.position.begun) == workers  # and not those that wait for a worker


class Saved:
    """A saver that keeps everything in memory."""

    def __init__(self, every: int) -> None:
        self.every, self.next = every, every
        self.kept: list[tuple[Tables, Position]] = []

    def due(self, words: int) -> bool:
        return words >= self.next

    def save(self, tables: Tables, position: Position) -> None:
        self.next += self.every
        self.kept.append((Tables(*(table.copy() for table in tables)), position))


@pytest.mark.parametrize("mode", MODES)
def test_every_state_a_saver_got_leads_to_the_same_end(mode: str) -> None:
    saver = Saved(900)
    wanted = finished(training(MODES[mode], saver=saver))
    assert len(saver.kept) > 3
    for tables, position in saver.kept:
        assert_same(finished(training(MODES[mode], tables, position=position)), wanted)


def test_with_workers_a_saver_gets_whole_chunks_only() -> None:
    saver = Saved(500)
    wanted = finished(training(MODES["cpu"].replace(workers=3), saver=saver)).position
    for _, position in saver.kept:
        assert position.begun == ()
        run = finished(training(MODES["cpu"].replace(workers=2), position=position))
        assert (run.position.steps, run.position.pairs) == (wanted.steps, wanted.pairs)


@pytest.mark.parametrize(
    ("begun", "wanted"),
    [
        ((Place(0, 2800, 1),), ["chunk 0", "end 0", *["chunk 1"] * 15, "end 1"]),
        ((Place(1, 0),), ["end 0", *["chunk 1"] * 15, "end 1"]),
        ((), ["end 0", *["chunk 1"] * 14, "end 1"]),
    ],
    ids=str,
)
def test_an_epoch_ends_after_the_chunks_that_were_begun(begun: tuple[Place, ...], wanted: list[str]) -> None:
    start = 0 if begun and begun[0].epoch == 0 else 200
    position = Position(200, epoch=1, start=start, begun=begun)
    events: list[str] = []

    def at_epoch_end(epoch: int) -> bool:
        events.append(f"end {epoch}")
        return False

    config = MODES["array"].replace(epochs=2)
    for record in training(config, position=position, at_epoch_end=at_epoch_end):
        events.append(f"chunk {record.epoch}")
    assert events == wanted
