"""The trainer: order, progress, threads, stopping, and what it refuses."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.conftest import Library
from xw2v.backend import NumpyBackend
from xw2v.config import Config
from xw2v.errors import ConfigError, CorpusError, NumericalError
from xw2v.training import batches
from xw2v.training.engines import ChunkResult, Tables, choose_engine
from xw2v.training.engines.array import ArrayEngine
from xw2v.training.initial import initial_tables
from xw2v.training.reading import ReadAhead
from xw2v.training.records import record_after, record_of
from xw2v.training.trainer import Training
from xw2v.training.walk import MeanLoss, Place, Position, Progress, Walk, chunk_size, mean_loss

NUMPY = NumpyBackend("a test")


def corpus(n: int = 3000, V: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Words of two topics that never share a sentence."""
    rng = np.random.default_rng(0)
    topic = np.repeat(np.arange(n // 10) % 2, 10)
    ids = (rng.integers(0, V // 2, n) + topic * (V // 2)).astype(np.int32)
    return ids, np.arange(0, n + 1, 10), np.bincount(ids, minlength=V)


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SEGMENT", 100)


def run(config: Config, backend: Any = NUMPY) -> tuple[Tables, list[Progress]]:
    ids, offsets, counts = corpus()
    tables = initial_tables(len(counts), config, backend)
    engine = ArrayEngine(config, counts, backend)
    return tables, list(Training(tables, ids, offsets, config, backend, engine))


def test_initial_tables(library: Library) -> None:
    """Uniform in ±1/2D, the same on every backend; outside vectors zero."""
    config = Config(vector_size=8, seed=3)
    tables = initial_tables(500, config, library.backend)
    centers = library.to_host(tables.center_vectors)
    assert library.same_kind(tables.center_vectors)
    assert centers.dtype == np.float32
    assert centers.shape == (500, 8)
    assert np.abs(centers).max() <= 1 / 16
    assert abs(centers.mean()) < 1e-3
    assert centers.std() == pytest.approx(1 / 16 / np.sqrt(3), rel=0.05)
    assert not library.to_host(tables.outside_vectors).any()
    np.testing.assert_array_equal(centers, initial_tables(500, config, NUMPY).center_vectors)
    assert (centers != initial_tables(500, config.replace(seed=4), NUMPY).center_vectors).mean() > 0.99


@pytest.mark.parametrize("mode", [{}, {"negatives": "pair"}, {"loss": "softmax"}], ids=str)
def test_it_learns_who_stands_with_whom(mode: dict[str, Any]) -> None:
    config = Config(vector_size=8, epochs=10, sample=0, alpha=0.05, workers=1, batch_size=64, **mode)
    tables, records = run(config)
    assert records[-1].loss < records[0].loss
    unit = tables.center_vectors / np.linalg.norm(tables.center_vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    within = (cosines[:20, :20].sum() - 20) / 380
    assert within > cosines[:20, 20:].mean() + 0.5


def test_progress_counts_everything_once() -> None:
    config = Config(vector_size=4, epochs=2, sample=0, workers=1, window=2, shrink_windows=False, min_alpha=0.0)
    _, records = run(config)
    last = records[-1]
    assert last.words == last.total_words == 6000
    assert last.centers == 6000
    assert last.pairs == 2 * 300 * (2 * 8 + 2 * 9)  # a sentence of ten: 16 at distance one less, 18 in all
    assert [r.words for r in records] == sorted({r.words for r in records})
    assert {r.epoch for r in records} == {0, 1}
    alphas = [r.alpha for r in records]
    assert alphas == sorted(alphas, reverse=True)
    assert records[len(records) // 2 - 1].alpha == pytest.approx(0.0125, rel=0.05)
    assert last.alpha == pytest.approx(0.0)
    assert all(r.seconds > 0 and r.words_per_second == pytest.approx(r.words / r.seconds) for r in records)


def test_first_loss_is_that_of_knowing_nothing() -> None:
    """Outside vectors begin at zero: every score is 0 and a pair costs (1 + K) log 2."""
    config = Config(vector_size=4, epochs=1, sample=0, workers=1, negative=5, alpha=1e-9, min_alpha=0.0)
    _, records = run(config)
    assert records[0].loss == pytest.approx(6 * np.log(2), rel=1e-5)
    assert records[0].center_loss == pytest.approx(6 * np.log(2) * records[0].pairs / records[0].centers, rel=1e-5)


def test_one_worker_is_bit_identical() -> None:
    config = Config(vector_size=4, epochs=2, workers=1)
    (first, _), (second, _) = run(config), run(config)
    np.testing.assert_array_equal(first.center_vectors, second.center_vectors)
    np.testing.assert_array_equal(first.outside_vectors, second.outside_vectors)


def test_deterministic_with_many_workers() -> None:
    """The vectors of four workers are those of one, to the bit."""
    one = run(Config(vector_size=4, epochs=2, workers=1))[0]
    for _ in range(3):
        many = run(Config(vector_size=4, epochs=2, workers=4, deterministic=True))[0]
        for ours, theirs in zip(many, one, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_deterministic_is_refused_on_a_gpu() -> None:
    backend = NumpyBackend("a test")
    backend.name = "cupy"
    with pytest.raises(ConfigError, match="deterministic=True is for the CPU"):
        run(Config(deterministic=True), backend)


def test_workers_train_the_same_pairs() -> None:
    one, many = (run(Config(vector_size=4, epochs=2, workers=w))[1][-1] for w in (1, 4))
    assert (many.pairs, many.centers, many.words) == (one.pairs, one.centers, one.words)
    assert many.loss == pytest.approx(one.loss, rel=0.05)


def test_backends_agree(library: Library) -> None:
    """float32 training comes out the same on every library, up to rounding."""
    config = Config(vector_size=5, epochs=1, workers=1, negative=2)
    wanted, records = run(config)
    tables, ours = run(config, library.backend)
    assert ours[-1].pairs == records[-1].pairs
    np.testing.assert_allclose(library.to_host(tables.center_vectors), wanted.center_vectors, atol=1e-5)
    np.testing.assert_allclose(library.to_host(tables.outside_vectors), wanted.outside_vectors, atol=1e-5)


def test_steps_end_the_run() -> None:
    config = Config(vector_size=4, steps=123, batch_size=50, negatives="pair", sample=0, schedule="halving",
                    halve_every=50, alpha=0.3)  # fmt: skip
    _, records = run(config)
    last = records[-1]
    assert last.step == 123
    assert last.centers == 123 * 50
    assert last.alpha == pytest.approx(0.3 / 4)
    assert 2 < last.words / 3000 < 2.1
    assert abs(last.total_words - last.words) < 100


def test_steps_that_never_come_are_an_error() -> None:
    ids, offsets = np.zeros(1000, dtype=np.int32), np.array([0, 1000])
    counts = np.array([10**9, 1])
    config = Config(vector_size=4, steps=10, sample=1e-30)
    engine = ArrayEngine(config, counts, NUMPY)
    with pytest.raises(ConfigError, match="subsampling with sample=1e-30 left no word"):
        list(Training(initial_tables(2, config, NUMPY), ids, offsets, config, NUMPY, engine))


def test_one_epoch_without_a_step_is_enough_to_know() -> None:
    places = iter(Walk(100, Config(steps=10), Position(size=100)))
    next(places)
    with pytest.raises(ConfigError, match="no step in a whole epoch"):
        next(places)


def test_an_epoch_without_a_step_is_not_laid_to_subsampling_where_there_is_none() -> None:
    with pytest.raises(ConfigError, match="no two words that are trained on stand in one sentence"):
        next(iter(Walk(100, Config(steps=10, sample=0), Position(size=100, epoch=1))))


@pytest.mark.parametrize(("epoch", "start", "ends"), [(0, 50, True), (1, 0, False), (1, 50, True)])
def test_an_epoch_in_which_the_steps_run_out_ends_there(epoch: int, start: int, ends: bool) -> None:
    """And one that has not begun does not end."""
    position = Position(size=50, epoch=epoch, start=start, steps=10, ended=epoch)
    assert Walk(100, Config(steps=10), position).epoch_is_handed_out() is ends


@pytest.mark.parametrize("option", [{"steps": 5}, {"schedule": "halving"}])
def test_ordered_steps_want_one_worker(option: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="workers must be 1, got 2"):
        run(Config(workers=2, **option))
    one, many = run(Config(**option))[0], run(Config(workers=2, deterministic=True, **option))[0]
    for ours, theirs in zip(many, one, strict=True):  # one thread trains then
        np.testing.assert_array_equal(ours, theirs)


def test_a_corpus_of_one_word_is_refused() -> None:
    config = Config()
    with pytest.raises(CorpusError, match="at least 2 words is wanted, got 1"):
        list(Training(initial_tables(2, config, NUMPY), np.zeros(1, np.int32), np.array([0, 1]), config, NUMPY,
                   ArrayEngine(config, np.ones(2), NUMPY)))  # fmt: skip


class Fake:
    """An engine that does what a test tells it."""

    name = "fake"
    chunk_segments = None

    def __init__(self, loss: float = 1.0) -> None:
        self.loss = loss
        self.threads: set[int] = set()
        self.stopped = threading.Event()

    def compile(self) -> None: ...

    def train_chunk(self, tables: Any, chunk: Any, epoch: int, rate: Any, skip: int = 0) -> ChunkResult:
        self.threads.add(threading.get_ident())
        if rate(0, 0) is None:
            self.stopped.set()
        return ChunkResult(self.loss, 1, 1, 1)


def test_the_tables_are_there_before_other_threads_train_them() -> None:
    """On a GPU they may have been made on a stream that those of the threads do not wait for."""
    ids, offsets, _ = corpus()
    calls: list[str] = []

    class Noted(Fake):
        def train_chunk(self, *arguments: Any) -> ChunkResult:
            calls.append("train")
            return super().train_chunk(*arguments)

    backend = NumpyBackend("a test")
    backend.synchronize = lambda: calls.append("synchronize")  # type: ignore[method-assign]
    tables = Tables(np.zeros((9, 2), np.float32), np.zeros((9, 2), np.float32))
    list(Training(tables, ids % 9, offsets, Config(workers=1, epochs=1), backend, Noted()))
    assert calls[:2] == ["synchronize", "train"]


def test_rows_are_looked_at_on_the_tables_device() -> None:
    """A callback may have made another device the current one of this thread."""
    ids, offsets, _ = corpus()
    backend, threads = NumpyBackend("a test"), list[int]()
    backend.attach = lambda: threads.append(threading.get_ident())  # type: ignore[method-assign]
    tables = Tables(np.zeros((9, 2), np.float32), np.zeros((9, 2), np.float32))
    records = list(Training(tables, ids % 9, offsets, Config(workers=1, epochs=1), backend, Fake()))
    assert threads.count(threading.get_ident()) == len(records) > 0


@pytest.mark.parametrize(
    ("sample", "thinner"), [(1e-3, r"a lower sample \(0.001\)$"), (0, r"sample=0.001 \(with 0 all are kept\)$")]
)
def test_divergence_is_one_clear_line(sample: float, thinner: str) -> None:
    ids, offsets, _ = corpus()
    config = Config(workers=1, sample=sample)
    advice = r"lower alpha \(0.025\), or thin out frequent words by "
    with pytest.raises(NumericalError, match=f"the loss is nan in epoch 1: training diverged; {advice}{thinner}"):
        list(Training(Tables(0, 0), ids, offsets, config, NUMPY, Fake(float("nan"))))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2e3, 3e38])
@pytest.mark.parametrize("name", ["center_vectors", "outside_vectors"])
def test_rows_that_explode_are_noticed_in_their_chunk(name: str, bad: float, library: Library) -> None:
    ids, offsets, counts = corpus()
    config = Config(workers=1, vector_size=4)
    tables = initial_tables(len(counts), config, library.backend)

    class Exploding(Fake):
        chunks = 0

        def train_chunk(self, tables: Any, chunk: Any, epoch: int, rate: Any, skip: int = 0) -> ChunkResult:
            self.chunks += 1
            if self.chunks == 3:
                getattr(tables, name)[int(chunk.ids[-1]), 2] = bad
            return super().train_chunk(tables, chunk, epoch, rate)

    seen: list[Progress] = []
    with pytest.raises(NumericalError, match=f"a row of the {name} has norm .* in epoch 1: training diverged"):
        seen.extend(Training(tables, ids, offsets, config, library.backend, Exploding()))
    assert len(seen) == 2


@pytest.mark.parametrize("options", [{}, {"engine": "array"}, {"engine": "array", "max_update_norm": None}], ids=str)
@pytest.mark.parametrize("alpha", [1.0, 1e6])
def test_a_large_alpha_is_a_clear_stop_or_finite(options: dict[str, Any], alpha: float) -> None:
    ids, offsets, counts = corpus(20_000)
    config = Config(workers=1, vector_size=20, alpha=alpha, **options)
    tables = initial_tables(len(counts), config, NUMPY)
    engine, _ = choose_engine(config, counts, NUMPY)
    try:
        list(Training(tables, ids, offsets, config, NUMPY, engine))
    except NumericalError as error:
        assert "training diverged; lower alpha" in str(error)  # noqa: PT017
    else:
        assert all(np.isfinite(table).all() for table in tables)


@pytest.mark.parametrize("sample", [1e-3, 0.0])
@pytest.mark.parametrize("mode", [{}, {"engine": "array"}, {"negatives": "pair"}, {"loss": "softmax"}], ids=str)
def test_a_run_with_alpha_1_ends_finite(mode: dict[str, Any], sample: float) -> None:
    """On text by Zipf's law, whose first word is a seventh of all."""
    V, n = 500, 4_000 if mode.keys() & {"negatives", "loss"} else 40_000
    share = np.cumsum(1 / np.arange(1, V + 1))
    ids = np.searchsorted(share / share[-1], np.random.default_rng(0).random(n)).astype(np.int32)
    counts = np.maximum(np.bincount(ids, minlength=V), 1)
    config = Config(workers=1, vector_size=20, alpha=1.0, epochs=2, sample=sample, **mode)
    tables = initial_tables(V, config, NUMPY)
    engine, _ = choose_engine(config, counts, NUMPY)
    records = list(Training(tables, ids, np.arange(0, n + 1, 20), config, NUMPY, engine))
    assert records[-1].words == 2 * n
    for table in tables:
        assert np.isfinite(table).all()
        assert np.linalg.norm(table, axis=1).max() < 100


def test_closing_the_generator_stops_the_threads() -> None:
    ids, offsets, counts = corpus(50_000)
    config = Config(vector_size=4, epochs=1000, workers=3)
    engine = ArrayEngine(config, counts, NUMPY)
    running = iter(Training(initial_tables(40, config, NUMPY), ids, offsets, config, NUMPY, engine))
    next(running)
    running.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("xw2v")]


@pytest.mark.parametrize(
    ("options", "segments"),
    [
        ({}, 8),
        ({"vector_size": 300}, 8),
        ({"vector_size": 1024, "negatives": "pair"}, 3),
        ({"vector_size": 1024, "window": 100}, 1),
        ({"vector_size": 100_000}, 1),
        ({"loss": "softmax"}, 1),
    ],
    ids=str,
)
def test_chunks_are_short_where_tokens_take_long(
    options: dict[str, Any], segments: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "SEGMENT", 8192)
    assert chunk_size(10**9, Config(**options), Fake()) == segments * 8192
    assert chunk_size(8192 * 64, Config(**options), Fake()) == min(segments, 2) * 8192  # a small corpus has 32 chunks


def test_many_workers_have_larger_chunks_where_there_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SEGMENT", 100)

    def segments(tokens: int, workers: int) -> int:
        return chunk_size(tokens, Config(), Fake(), workers) // 100

    assert [segments(10**9, workers) for workers in (1, 31, 32, 64)] == [8, 8, 16, 32]
    assert [segments(100 * 32 * 8, workers) for workers in (1, 16, 32, 64)] == [8, 8, 8, 8]  # not smaller, either
    assert [segments(100 * 64 * 12, workers) for workers in (1, 32, 64)] == [8, 12, 8]
    ids, config = np.zeros(10**6, np.int32), Config(vector_size=4, workers=32)
    engine, offsets = ArrayEngine(config, np.array([10**6]), NUMPY), np.array([0, 10**6])
    tables = initial_tables(1, config, NUMPY)
    assert Training(tables, ids, offsets, config, NUMPY, engine).position.size == 16 * 100


@pytest.mark.parametrize(("tokens", "segments"), [(1, 1), (15 * 100, 1), (24 * 100, 3), (10**6, 5)])
def test_chunks_of_an_engine_that_reads_ahead(tokens: int, segments: int) -> None:
    members = ("name", "compile", "train_chunk", "scratch_bytes", "read_chunk", "begin_chunk")
    engine: Any = SimpleNamespace(chunk_segments=5, chunks_an_epoch=8, **dict.fromkeys(members, print))
    assert chunk_size(tokens, Config(), engine) == segments * batches.SEGMENT


# Reading ahead -------------------------------------------------------------------------------------------


class SlowIds:
    """Ids on a slow disk: who reads a slice is noted, and waits until that is allowed."""

    def __init__(self, ids: np.ndarray) -> None:
        self.ids = ids
        self.asked = {start: threading.Event() for start in range(0, len(ids), 100)}

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, part: slice) -> np.ndarray:
        if part.start in self.asked:  # not the few that are looked at again after training
            self.asked[part.start].set()
        return self.ids[part]


class WaitingEngine:
    """Trains a chunk only when the next one is being read."""

    name = "waiting"
    chunk_segments = None

    def __init__(self, ids: SlowIds) -> None:
        self.ids, self.seen = ids, []  # type: tuple[SlowIds, list[tuple[int, bool]]]

    def compile(self) -> None:
        pass

    def train_chunk(self, tables: Tables, chunk: batches.Chunk, epoch: int, rate: Any, skip: int = 0) -> ChunkResult:
        following = self.ids.asked.get(chunk.start + len(chunk.ids))
        self.seen.append((chunk.start, following is None or following.wait(10)))
        return ChunkResult(1.0, 1, 1, 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_next_chunk_is_read_while_this_one_is_trained(workers: int) -> None:
    ids, offsets, counts = corpus(1000)
    slow = SlowIds(ids)
    engine = WaitingEngine(slow)
    config = Config(vector_size=4, epochs=1, workers=workers)
    tables = initial_tables(len(counts), config, NUMPY)
    records = list(Training(tables, slow, offsets, config, NUMPY, engine))
    assert len(records) == 10
    assert sorted(engine.seen) == [(start, True) for start in range(0, 1000, 100)]


def test_what_reading_ahead_raises_comes_when_the_chunk_is_taken() -> None:
    def read(start: int) -> Any:
        if start == 5:
            msg = "gone"
            raise OSError(msg)
        return start

    with ThreadPoolExecutor(1) as pool:
        ahead = ReadAhead(read, pool)
        ahead.begin(5)
        ahead.begin(7)
        assert [ahead.take(start) for start in (7, 9)] == [7, 9]  # type: ignore[comparison-overlap]
        with pytest.raises(OSError, match="gone"):
            ahead.take(5)


# Records -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [{"epoch": 1.5}, {"step": "1"}, {"words": True}, {"loss": "1"}, {"alpha": None}, {"seconds": False}],
    ids=str,
)
def test_a_record_of_a_file_holds_numbers(damage: dict[str, Any]) -> None:
    values = dataclasses.asdict(run(Config(vector_size=4, epochs=1, workers=1))[1][0])
    assert dataclasses.asdict(record_of(Progress, values)) == values
    (name,) = damage
    with pytest.raises(ValueError, match=f"^{name} is "):
        record_of(Progress, values | damage)


def test_a_record_after_another_run_counts_on() -> None:
    _, records = run(Config(vector_size=4, epochs=2, workers=1))
    earlier, last = records[-1], records[3]
    after = record_after(last, earlier)
    assert (after.epoch, after.epochs) == (2, 4)
    for name in ("step", "words", "total_words", "centers", "pairs", "seconds"):
        assert getattr(after, name) == getattr(last, name) + getattr(earlier, name)
    assert (after.loss, after.alpha) == (last.loss, last.alpha)


def test_a_run_that_went_on_and_stops_again_keeps_the_chunks_that_it_did_not_take() -> None:
    begun = (Place(0, 0, 3), Place(0, 512), Place(0, 768))
    walk = Walk(10_000, Config(), Position(256, epoch=0, start=1280, begun=begun))
    taken = next(iter(walk))
    assert taken == begun[0]
    assert walk.position([taken], 0.0).begun == begun
    assert walk.position([], 0.0).begun == begun[1:]


@pytest.mark.parametrize(
    ("begun", "epoch", "start", "left"),
    [
        ([Place(0, 512), Place(0, 768), Place(1, 0)], 0, 512, 0),
        ([Place(0, 512, 3), Place(0, 768), Place(1, 0)], 0, 768, 1),
        ([Place(0, 512), Place(0, 768)], 1, 256, 2),
        ([Place(0, 768), Place(1, 0, 3)], 1, 256, 2),
    ],
)
def test_chunks_that_nobody_began_are_not_under_way(begun: list[Place], epoch: int, start: int, left: int) -> None:
    """So that who goes on need not take them as they were cut."""
    walk = Walk(1000, Config(epochs=2), Position(256))
    assert len(list(islice(walk, 5))) == 5
    position = walk.position(begun, 0.0)
    assert (position.epoch, position.start, position.begun) == (epoch, start, tuple(begun[:left]))
    again = Walk(1000, Config(epochs=2), position)
    assert list(again) == [*begun, Place(1, 256), Place(1, 512), Place(1, 768)]


def test_the_last_chunk_of_an_epoch_is_counted_as_long_as_it_is() -> None:
    walk = Walk(1000, Config(epochs=2), Position(256))
    done = ChunkResult(1.0, 1, 1, 1)
    assert [walk.record(Place(epoch, 768), done, 1.0).words for epoch in (0, 1)] == [1000, 2000]


@pytest.mark.parametrize(
    ("done", "losses"),
    [(ChunkResult(3.0, 1, 1, 1), (3.0, 3.0)), (ChunkResult(0.0, 0, 2, 0), (0.0, 0.0))],
    ids=["one pair", "none"],
)
def test_the_loss_of_a_chunk_with_hardly_a_pair(done: ChunkResult, losses: tuple[float, float]) -> None:
    record = Walk(1000, Config(), Position(256)).record(Place(0, 0), done, 1.0)
    assert (record.loss, record.center_loss) == losses
    assert record.has_loss == (done.pairs > 0)


def test_a_record_after_a_run_that_ended_early_counts_what_that_run_did() -> None:
    walk = Walk(1000, Config(epochs=2), Position(256))
    done = ChunkResult(1.0, 1, 1, 1)
    earlier, later = (walk.record(Place(0, start), done, 1.0) for start in (0, 256))
    assert earlier.total_words == later.total_words == 2000
    joined = record_after(later, earlier)
    assert (joined.words, joined.total_words, joined.epoch, joined.epochs) == (256 + 512, 256 + 2000, 1, 3)


def test_a_chunk_that_was_read_ahead_is_forgotten_once_it_is_taken() -> None:
    read: list[int] = []

    def chunk(start: int) -> Any:
        read.append(start)
        return start

    with ThreadPoolExecutor(1) as pool:
        ahead = ReadAhead(chunk, pool)
        ahead.begin(8)
        assert [ahead.take(start) for start in (8, 8)] == [8, 8]  # type: ignore[comparison-overlap]
    assert read == [8, 8]  # it is not kept, so a second time it is read anew


def test_the_mean_loss_of_an_epoch_weighs_chunks_by_their_pairs() -> None:
    def record(epoch: int, pairs: int, loss: float) -> Progress:
        return Progress(epoch, 2, 1, 9, 9, pairs // 2, pairs, loss, 10 * loss, 0.1, 1.0, 9.0)

    history = [record(0, 100, 5.0), record(0, 400, 3.0), record(0, 400, 0.0), record(1, 500, 2.0)]
    assert mean_loss(history, 0) == MeanLoss(3.5, 35.0)
    assert mean_loss(history, 1) == MeanLoss(2.0, 20.0)
    assert mean_loss(history, 7) == MeanLoss(2.0, 20.0)  # the last record's, for want of others
    assert mean_loss(history[:3], 1) == MeanLoss(0.0, 0.0)
