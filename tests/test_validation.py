"""Sentences kept aside: which ones, that nobody trains on them, the loss on them, and when training ends early."""

from __future__ import annotations

import json
import math
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from threadpoolctl import threadpool_limits

from tests import reference
from tests.conftest import Library
from tests.test_checkpoint import CrashError, assert_same, stopping
from xw2v import EncodedCorpus, Word2Vec
from xw2v.backend import NumpyBackend
from xw2v.cli.runs import training_summary
from xw2v.config import CS224N, Config
from xw2v.errors import ConfigError, FormatError
from xw2v.text.vocabulary import Vocabulary
from xw2v.training import batches, validation
from xw2v.training.batches import read_chunk
from xw2v.training.checkpoint import Checkpoints, read_checkpoint
from xw2v.training.draws import Purpose, stream_key
from xw2v.training.engines import Tables
from xw2v.training.engines.array import ArrayEngine
from xw2v.training.epochs import EpochEnd, EpochEnds
from xw2v.training.records import record_of
from xw2v.training.sampling import alias_table, keep_thresholds, noise_probabilities
from xw2v.training.trainer import Training
from xw2v.training.validation import TrainingIds, Validation, _tokens_aside, kept_aside
from xw2v.vectors.plots import plot_loss
from xw2v.vectors.report import write_report

NUMPY = NumpyBackend("a test")
V = 40
ENGINES: dict[str, dict[str, Any]] = {
    "cpu": {"engine": "cpu"},
    "array": {"engine": "array", "batch_size": 16},
    "pair": {"negatives": "pair", "batch_size": 16},
    "softmax": {"loss": "softmax", "batch_size": 16},
    "random centres": {"negatives": "pair", "centers": "random", "batch_size": 16},
}


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(batches, "SEGMENT", 200)
    with threadpool_limits(1):
        yield


def corpus(n: int = 3000, length: int = 10) -> EncodedCorpus:
    """Words without any sense: what is learned of them does not hold for sentences kept aside."""
    ids = np.minimum(np.random.default_rng(0).geometric(0.1, n), V).astype(np.int32) - 1
    counts = np.bincount(ids, minlength=V)
    return EncodedCorpus(ids, np.arange(0, n + 1, length), Vocabulary([f"w{i}" for i in range(V)], counts), n)


def options(**changes: Any) -> dict[str, Any]:
    return {
        "vector_size": 6, "epochs": 3, "workers": 1, "sample": 0.1, "backend": "numpy", "validation_fraction": 0.3,
        **changes,
    }  # fmt: skip


# Which ones -------------------------------------------------------------------------------------------------


def test_about_the_share_of_whole_sentences_is_kept_aside() -> None:
    sentences = 5000
    ids, offsets = np.zeros(sentences * 7, np.int32), np.arange(0, sentences * 7 + 1, 7)
    batches.SEGMENT = len(ids)
    aside = kept_aside(read_chunk(ids, offsets, 0, len(ids)), Config(validation_fraction=0.1)).reshape(sentences, 7)
    assert (aside.all(axis=1) == aside.any(axis=1)).all()
    assert stats.binomtest(int(aside[:, 0].sum()), sentences, 0.1).pvalue > 1e-3
    other = kept_aside(read_chunk(ids, offsets, 0, len(ids)), Config(validation_fraction=0.1, seed=2))
    assert (other.reshape(sentences, 7)[:, 0] != aside[:, 0]).any()


def test_chunks_of_any_size_keep_the_same_aside() -> None:
    ids, offsets = np.zeros(1950, np.int32), np.array([0, 3, 777, 790, 1000, 1950])
    config = Config(validation_fraction=0.5)
    whole = kept_aside(read_chunk(ids, offsets, 0, 1950), config)
    parts = [kept_aside(read_chunk(ids, offsets, s, min(s + 400, 1950)), config) for s in range(0, 1950, 400)]
    assert whole.tolist() == np.concatenate(parts).tolist()
    for n in (0, 1):
        few = kept_aside(read_chunk(ids, offsets, 0, n), config)
        assert few.dtype == bool
        assert few.tolist() == whole[:n].tolist()
    # The last sentence is longer than a segment: its segments are kept aside or not, each by itself.
    segments = whole[1000:1800].reshape(4, 200)
    assert (segments.all(axis=1) == segments.any(axis=1)).all()
    assert 0 < segments[:, 0].sum() < 4


def test_ids_to_train_on() -> None:
    data, config = corpus(), Config(validation_fraction=0.3)
    trained = TrainingIds(data.ids, data.offsets, V, config)
    aside = kept_aside(read_chunk(data.ids, data.offsets, 400, 1000), config)
    assert len(trained) == len(data.ids)
    assert (trained[400:1000][aside] == V).all()
    assert (trained[400:1000][~aside] == data.ids[400:1000][~aside]).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_nobody_trains_on_them(engine: str) -> None:
    """Every sentence has words of its own: the centre vectors of those kept aside stay as they began."""
    sentences, length = 60, 5
    ids = np.arange(sentences * length, dtype=np.int32)
    data = EncodedCorpus(
        ids, np.arange(0, len(ids) + 1, length), Vocabulary([f"w{i}" for i in ids], np.ones(len(ids), int)), len(ids)
    )
    made = options(sample=0, epochs=1, alpha=0.1, **ENGINES[engine])
    aside = kept_aside(read_chunk(ids, data.offsets, 0, len(ids)), Config(**made))
    first = Word2Vec(**options(sample=0, epochs=1, alpha=1e-12, min_alpha=0, **ENGINES[engine])).fit(data).wv.vectors
    moved = np.abs(Word2Vec(**made).fit(data).wv.vectors - first).max(axis=1) > 1e-9
    assert 0.1 < aside.mean() < 0.5
    assert not moved[aside].any()
    if engine != "random centres":  # which draws some words never
        # The first step moves no centre vector, as the outside vectors begin with zeros.
        assert moved[~aside].mean() > 0.5


# The loss on them -------------------------------------------------------------------------------------------


def some_tables(D: int = 6) -> Tables:
    rng = np.random.default_rng(1)
    return Tables(*((rng.standard_normal((V, D)) / 2).astype(np.float32) for _ in range(2)))


def by_loops(data: EncodedCorpus, config: Config, tables: Tables) -> float:
    """The mean loss of a pair, in float64."""
    chunks = [read_chunk(data.ids, data.offsets, s, s + 200) for s in range(0, len(data.ids), 200)]
    aside = np.concatenate([kept_aside(chunk, config) for chunk in chunks])
    marks = np.concatenate([1000 * i + chunk.sentences for i, chunk in enumerate(chunks)]).tolist()
    key, noise_key = (stream_key(config.seed, purpose, -1) for purpose in (Purpose.TOKEN, Purpose.NOISE))
    counts = data.vocabulary.counts
    thresholds = keep_thresholds(counts, config.sample, config.subsampling)
    masked = np.where(aside, data.ids, V).tolist()
    kept = reference.keep(masked, 0, key, thresholds, config)
    table = alias_table(noise_probabilities(counts, config.ns_exponent))
    V_rows, U_rows = (np.asarray(rows, np.float64) for rows in tables)
    S, loss, pairs = validation._GROUP_NEGATIVES, 0.0, 0
    for first in range(0, len(kept), config.group_size):
        at = kept[first][0] * S
        drawn = [reference.noise(reference.splitmix64(noise_key, at + s), *table) for s in range(S)]
        for t in range(first, min(first + config.group_size, len(kept))):
            v, around = V_rows[masked[kept[t][0]]], reference.outside(kept, marks, t)
            pairs += len(around)
            for c in around:
                o = masked[kept[c][0]]
                if config.loss == "softmax":
                    loss += reference.naive_softmax(v, o, U_rows)[0]
                else:
                    loss -= reference.log_sigmoid(float(U_rows[o] @ v))
                    loss -= config.negative / S * sum(reference.log_sigmoid(-float(U_rows[n] @ v)) for n in drawn)
    return loss / pairs


@pytest.mark.parametrize("loss", ["negative_sampling", "softmax"])
@pytest.mark.parametrize("length", [10, 3000])
def test_loss_equals_loops(loss: str, length: int, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_CENTERS", "_SOFTMAX_CENTERS"):
        monkeypatch.setattr(validation, name, {"numpy": 64})  # several blocks
    monkeypatch.setattr(validation, "_SOFTMAX_TILE", 7)
    monkeypatch.setattr(validation, "_READ", 3)
    data, config = corpus(length=length), Config(**options(loss=loss))
    tables = some_tables()
    found = Validation(data.ids, data.offsets, data.vocabulary.counts, config, library.backend)
    there = Tables(*(library.table(rows) for rows in tables))
    first = found.loss(there)
    assert first == pytest.approx(by_loops(data, config, tables), rel=1e-5)
    assert found.loss(there) == first
    for rows, before in zip(there, tables, strict=True):
        assert library.to_host(rows).tobytes() == before.tobytes()


@pytest.mark.parametrize("loss", ["negative_sampling", "softmax"])
def test_loss_equals_that_of_the_array_engine(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one segment of which all is kept aside, with the same draws and a learning rate of zero."""
    data = corpus(200)
    config = Config(**options(loss=loss, batch_size=16))
    monkeypatch.setattr(validation, "kept_aside", lambda chunk, config: np.arange(len(chunk.ids)) < 199)
    counts, tables = data.vocabulary.counts, some_tables()
    chunk = read_chunk(data.ids, data.offsets, 0, 200)
    chunk = chunk._replace(ids=np.append(chunk.ids[:199], np.int32(V)))
    result = ArrayEngine(config, counts, NUMPY).train_chunk(tables, chunk, -1, lambda words, step: 0.0)
    found = Validation(data.ids, data.offsets, counts, config, NUMPY).loss(tables)
    assert found == pytest.approx(result.loss / result.pairs, rel=1e-6)


def test_what_is_looked_at_together_ends_no_segment_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text without sentence ends: parts of one segment each, whichever segments are looked at together."""
    data, config = corpus(6000, length=6000), Config(validation_fraction=0.5)
    found = []
    for segments in (1, 3, 64):
        monkeypatch.setattr(validation, "_READ", segments)
        found.append(_tokens_aside(data.ids, data.offsets, config))
    for _, sentences, positions in found:
        assert (np.diff(sentences) == (np.diff(positions // 200) > 0)).all()
        assert (positions == found[0][2]).all()


def test_loss_gives_up_when_asked() -> None:
    data = corpus()
    found = Validation(data.ids, data.offsets, data.vocabulary.counts, Config(**options()), NUMPY)
    assert found.loss(some_tables(), stopped=lambda: True) is None


@pytest.mark.parametrize(("n", "fraction", "wanted"), [(200, 0.001, "no pair of words"), (20, 0.9, "all words")])
def test_a_corpus_that_cannot_be_parted(n: int, fraction: float, wanted: str) -> None:
    data = corpus(n, length=n)
    with pytest.raises(ConfigError, match=wanted):
        Word2Vec(**options(validation_fraction=fraction)).fit(data)


# The ends of epochs -----------------------------------------------------------------------------------------


def test_the_loss_is_noted_after_each_epoch_and_the_training_is_that_without() -> None:
    data = corpus()
    model = Word2Vec(**options()).fit(data)
    assert [end.epoch for end in model.epoch_history] == [0, 1, 2]
    assert [end.words for end in model.epoch_history] == [3000, 6000, 9000]
    found = Validation(data.ids, data.offsets, data.vocabulary.counts, Config(**options()), NUMPY)
    assert model.epoch_history[-1].validation_loss == found.loss(Tables(model.wv.vectors, model.outside_vectors))
    seen: list[tuple[Any, np.ndarray]] = []
    again = Word2Vec(**options()).fit(
        data, callbacks=[lambda model, end: seen.append((model.wv, model.wv.vectors.copy()))]
    )
    assert_same(again, model)
    assert len(seen) == 3
    assert (seen[0][1] != seen[1][1]).any()
    assert (seen[2][1] == model.wv.vectors).all()
    for wv, vectors in seen:  # training went on, and what a callback took away stays as it was
        assert (wv.vectors == vectors).all()


def test_chunks_that_are_kept_aside_do_not_count_as_a_loss_of_zero(tmp_path: Path) -> None:
    """A text without sentence ends: whole chunks are kept aside, and have no pair."""
    text = corpus(n=12_000, length=12_000)
    model = Word2Vec(**options(validation_fraction=0.3, epochs=2)).fit(text)
    without = [record for record in model.history if not record.has_loss]
    assert 0 < len(without) < len(model.history)
    assert all(record.loss == 0 for record in without)
    for end in model.epoch_history:
        pairs = np.diff([record.pairs for record in model.history], prepend=0)
        of_epoch = np.array([record.epoch == end.epoch for record in model.history])
        losses = np.array([record.loss for record in model.history])
        assert end.loss == pytest.approx(losses[of_epoch] @ pairs[of_epoch] / pairs[of_epoch].sum())
        assert end.loss > 2
    summary = training_summary(model, tmp_path, 1.0)
    assert summary["loss"] == pytest.approx(model.epoch_history[-1].loss)
    assert summary["center_loss"] > summary["loss"]
    curve = plot_loss(model.history, tmp_path / "loss.svg")
    assert len(curve) == len(model.history) - len(without)
    assert curve[:, 1:].min() > 2
    write_report(tmp_path / "report.html", model.wv, history=model.history, words=4)
    page = (tmp_path / "report.html").read_text()
    shown = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert min(loss for _, loss in shown["curves"][0][1]) > 2


def test_no_record_of_epochs_unless_somebody_asks() -> None:
    assert Word2Vec(**options(validation_fraction=0)).fit(corpus()).epoch_history == []


def test_patience() -> None:
    def after(*losses: float) -> EpochEnds:
        ends = EpochEnds(2)
        for epoch, loss in enumerate(losses):
            ends.records.append(EpochEnd(epoch, 9, 0, 0.0, 0.0, loss, loss < ends.lowest()))
        return ends

    assert not after().out_of_patience()
    assert not after(3, 2, 2.5).out_of_patience()
    assert after(3, 2, 2, 2).out_of_patience()
    assert not after(3, 4, 2, 5).out_of_patience()
    assert after(3, 4, 5).out_of_patience()
    never = after(3, 4, 5)
    never.patience = None
    assert not never.out_of_patience()


# Nonsense is learned by heart: after a few epochs the loss on other nonsense rises.
BY_HEART = {"epochs": 12, "alpha": 0.05, "vector_size": 16, "patience": 2, "sample": 0}


def test_training_ends_early_with_the_best_model() -> None:
    data = corpus()
    kept: list[np.ndarray] = []
    model = Word2Vec(**options(**BY_HEART)).fit(data, callbacks=[lambda m, end: kept.append(m.wv.vectors.copy())])
    ends = model.epoch_history
    losses = [end.validation_loss or 0.0 for end in ends]
    best = losses.index(min(losses))
    assert len(ends) == best + 3 < 12
    assert [end.last for end in ends] == [False] * (len(ends) - 1) + [True]
    assert [end.improved for end in ends] == [loss < min([9e9, *losses[:i]]) for i, loss in enumerate(losses)]
    assert (model.wv.vectors == kept[best]).all()
    assert (model.wv.vectors != kept[-1]).any()
    found = Validation(data.ids, data.offsets, data.vocabulary.counts, model.config, NUMPY)
    assert found.loss(Tables(model.wv.vectors, model.outside_vectors)) == min(losses)


@pytest.mark.parametrize("exception", [CrashError, KeyboardInterrupt])
@pytest.mark.parametrize("engine", ["cpu", "array"])
def test_a_run_that_was_killed_ends_where_it_would_have(
    engine: str, exception: type[BaseException], tmp_path: Path
) -> None:
    made = options(**BY_HEART, **ENGINES[engine])

    def score(model: Word2Vec, end: EpochEnd) -> None:
        end.scores["norm"] = float(np.linalg.norm(model.wv.vectors))

    def untimed(model: Word2Vec) -> list[Any]:
        return [
            (e.epoch, e.words, e.loss, e.validation_loss, e.improved, e.last, e.scores) for e in model.epoch_history
        ]

    wanted = Word2Vec(**made).fit(corpus(), callbacks=[score])
    keep: dict[str, Any] = {"checkpoint_dir": tmp_path / "c", "checkpoint_every": 150, "callbacks": [score]}
    chunks = len(wanted.history)
    for part in range(4):
        with pytest.raises(exception):
            Word2Vec(**made).fit(corpus(), **keep, resume=part > 0, on_progress=stopping(chunks // 5, exception))
    ours = Word2Vec(**made).fit(corpus(), **keep, resume=True)
    assert_same(ours, wanted)
    assert untimed(ours) == untimed(wanted)
    # At its end it stays there, and may be begun anew without being asked.
    assert_same(Word2Vec(**made).fit(corpus(), **keep, resume=True), wanted)
    assert_same(Word2Vec(**made).fit(corpus(), **keep), wanted)


def test_stopped_at_the_end_of_an_epoch_that_end_is_looked_at_by_the_resumed_run(tmp_path: Path) -> None:
    """All chunks of the epoch are done, and a callback was not done with its end."""
    keep: dict[str, Any] = {"checkpoint_dir": tmp_path}

    def interrupted(model: Word2Vec, end: EpochEnd) -> None:
        if end.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**options()).fit(corpus(), **keep, callbacks=[interrupted])
    newest = read_checkpoint(max(tmp_path.glob("*.safetensors")))
    assert (newest.position.epoch, newest.position.start, newest.position.ended) == (2, 0, 1)
    seen: list[int] = []
    model = Word2Vec(**options()).fit(
        corpus(), **keep, resume=True, callbacks=[lambda model, end: seen.append(end.epoch)]
    )
    assert seen == [1, 2]
    assert [end.epoch for end in model.epoch_history] == [0, 1, 2]


@pytest.mark.parametrize("steps", [None, 250])
def test_a_run_whose_last_end_was_not_looked_at_is_not_finished(steps: int | None, tmp_path: Path) -> None:
    made = options(engine="array", batch_size=16, steps=steps, epochs=2)
    keep: dict[str, Any] = {"checkpoint_dir": tmp_path}
    seen: list[int] = []

    def interrupted(model: Word2Vec, end: EpochEnd) -> None:
        seen.append(end.epoch)
        if end.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**made).fit(corpus(), **keep, callbacks=[interrupted])
    assert seen == [0, 1]
    newest = read_checkpoint(max(tmp_path.glob("*.safetensors"))).position
    assert newest.steps == 250 if steps else (newest.epoch, newest.start) == (2, 0)
    with pytest.raises(ConfigError, match="of a run that is not finished"):
        Word2Vec(**made).fit(corpus(), **keep)
    Word2Vec(**made).fit(corpus(), **keep, resume=True, callbacks=[lambda model, end: seen.append(end.epoch)])
    assert seen == [0, 1, 1]
    Word2Vec(**made).fit(corpus(), **keep)


def test_steps_that_run_out_end_an_epoch() -> None:
    made = options(**(CS224N | {"steps": 100, "sample": 0.1, "halve_every": 40}), validation_fraction=0.3)
    made = {**made, "workers": 1}
    model = Word2Vec(**made).fit(corpus())
    assert model.history[-1].step == 100
    assert model.epoch_history[-1].epoch == model.history[-1].epoch
    assert len(model.epoch_history) == model.history[-1].epoch + 1


def test_a_callback_ends_the_training_with_true_alone() -> None:
    seen: list[int] = []

    def truthy(model: Word2Vec, end: EpochEnd) -> int:
        seen.append(end.epoch)
        return 1

    model = Word2Vec(**options(validation_fraction=0)).fit(corpus(), callbacks=[truthy])
    assert seen == [0, 1, 2]
    model = Word2Vec(**options(validation_fraction=0)).fit(corpus(), callbacks=[truthy, lambda m, end: end.epoch == 1])
    assert seen == [0, 1, 2, 0, 1]
    assert [(end.epoch, end.last) for end in model.epoch_history] == [(0, False), (1, True)]
    assert model.epochs_trained == 2


def test_callbacks_that_are_none() -> None:
    with pytest.raises(ConfigError, match=r"callbacks must be a list of functions, as \[f\]; got <"):
        Word2Vec().fit([["a"]], callbacks=print)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="must be a function"):
        Word2Vec(**options()).fit("no such file", callbacks=[3])  # type: ignore[list-item]


def test_scores_of_callbacks_are_kept_where_they_are_finite_numbers(tmp_path: Path) -> None:
    def score(model: Word2Vec, end: EpochEnd) -> None:
        given = {"text": "0.7", "good": np.float32(0.5), "list": [1.0], "none": math.nan, "count": np.int64(3)}
        end.scores.update(given)  # type: ignore[arg-type]

    said: list[str] = []
    model = Word2Vec(**options(validation_fraction=0, epochs=2)).fit(
        corpus(), callbacks=[score], checkpoint_dir=tmp_path / "run", on_warning=said.append
    )
    wanted = "the score {} and is left out: a finite number is wanted"
    assert said == [wanted.format(bad) for bad in ("'text' is '0.7'", "'list' is [1.0]", "'none' is nan")] * 2
    assert [end.scores for end in model.epoch_history] == [{"good": 0.5, "count": 3.0}] * 2
    model.save(tmp_path / "model")
    assert Word2Vec.load(tmp_path / "model").epoch_history == model.epoch_history
    assert Checkpoints(tmp_path / "run").newest().epochs == model.epoch_history  # type: ignore[union-attr]


class Watched:
    """An engine that counts the chunks under way."""

    name = "watched"
    chunk_segments = None

    def __init__(self, engine: Any) -> None:
        self.engine, self.lock, self.busy, self.begun = engine, threading.Lock(), 0, [0] * 9

    def compile(self) -> None: ...

    def train_chunk(self, tables: Any, chunk: Any, epoch: int, rate: Any, skip: int = 0) -> Any:
        with self.lock:
            self.busy += 1
            self.begun[epoch] += 1
        try:
            return self.engine.train_chunk(tables, chunk, epoch, rate, skip)
        finally:
            with self.lock:
                self.busy -= 1


def test_all_of_an_epoch_is_done_and_nothing_of_the_next_when_its_end_is_looked_at() -> None:
    data, config = corpus(), Config(**options(workers=3, engine="array"))
    engine = Watched(ArrayEngine(config, data.vocabulary.counts, NUMPY))
    seen: list[tuple[int, int, list[int]]] = []

    def look(epoch: int) -> bool:
        seen.append((epoch, engine.busy, list(engine.begun)))
        return False

    run = Training(some_tables(), data.ids, data.offsets, config, NUMPY, engine, at_epoch_end=look)
    chunks = len(list(run)) // 3
    assert [(epoch, busy) for epoch, busy, _ in seen] == [(0, 0), (1, 0), (2, 0)]
    for epoch, _, begun in seen:
        assert begun == [chunks] * (epoch + 1) + [0] * (8 - epoch)
    assert run.position.ended == 3


def test_the_time_that_a_look_takes_is_no_time_of_training() -> None:
    data, config = corpus(), Config(**options(engine="array"))
    engine = ArrayEngine(config, data.vocabulary.counts, NUMPY)

    def look(epoch: int) -> bool:
        time.sleep(0.2)
        return False

    run = Training(some_tables(), data.ids, data.offsets, config, NUMPY, engine, at_epoch_end=look)
    began = time.perf_counter()
    seconds = [record.seconds for record in run][-1]
    # Three looks; the last one comes after the last record.
    assert seconds <= time.perf_counter() - began - 0.6
    assert run.position.seconds <= time.perf_counter() - began - 0.6


def test_stopped_while_the_end_of_an_epoch_is_looked_at() -> None:
    """It gave up, so the run that goes on looks at that end first of all."""
    data, config = corpus(), Config(**options(engine="array"))
    engine = ArrayEngine(config, data.vocabulary.counts, NUMPY)
    tables, seen = some_tables(), []

    def give_up(epoch: int) -> None:
        run.stop()

    run = Training(tables, data.ids, data.offsets, config, NUMPY, engine, at_epoch_end=give_up)
    records = len(list(run))
    assert (run.position.epoch, run.position.start, run.position.ended) == (1, 0, 0)

    def look(epoch: int) -> bool:
        seen.append((epoch, len(done)))
        return False

    done: list[Any] = []
    again = Training(tables, data.ids, data.offsets, config, NUMPY, engine, position=run.position, at_epoch_end=look)
    done.extend(again)
    assert seen == [(0, 0), (1, records), (2, 2 * records)]


def test_the_loss_is_measured_on_the_tables_device() -> None:
    data, backend, calls = corpus(), NumpyBackend("a test"), list[str]()
    config = Config(vector_size=4, validation_fraction=0.3)
    kept = Validation(data.ids, data.offsets, data.vocabulary.counts, config, backend)
    backend.attach = lambda: calls.append("attach")  # type: ignore[method-assign]
    kept.loss(Tables(*(np.zeros((len(data.vocabulary), 4), np.float32) for _ in range(2))))
    assert calls == ["attach"]


def test_several_workers_with_patience() -> None:
    model = Word2Vec(**options(**(BY_HEART | {"workers": 3, "epochs": 60}))).fit(corpus())
    losses = [end.validation_loss or 0.0 for end in model.epoch_history]
    data = corpus()
    found = Validation(data.ids, data.offsets, data.vocabulary.counts, model.config, NUMPY)
    # Threads that wait for a core let the loss fall for more than twelve epochs now and then.
    assert len(losses) == losses.index(min(losses)) + 3 < 60
    assert found.loss(Tables(model.wv.vectors, model.outside_vectors)) == min(losses)


def test_more_epochs_go_on_in_the_record(tmp_path: Path) -> None:
    model = Word2Vec(**options()).fit(corpus())
    model.partial_fit(corpus(), epochs=2)
    assert [end.epoch for end in model.epoch_history] == [0, 1, 2, 3, 4]
    assert [end.epochs for end in model.epoch_history] == [3, 3, 3, 5, 5]
    assert [end.words for end in model.epoch_history] == [3000, 6000, 9000, 12000, 15000]
    seconds = [end.seconds for end in model.epoch_history]
    assert seconds == sorted(seconds)
    model.epoch_history[0].scores["a"] = 0.5
    model.save(tmp_path / "m")
    assert Word2Vec.load(tmp_path / "m").epoch_history == model.epoch_history


@pytest.mark.parametrize(
    "damage", [{"epoch": "1"}, {"loss": None}, {"validation_loss": "2"}, {"last": 1}, {"scores": {"a": "b"}}]
)
def test_a_damaged_record_is_refused(damage: dict[str, Any]) -> None:
    good = {"epoch": 0, "epochs": 2, "words": 5, "seconds": 0.5, "loss": 2.0, "validation_loss": None}
    assert record_of(EpochEnd, good) == EpochEnd(0, 2, 5, 0.5, 2.0)
    with pytest.raises(ValueError, match=next(iter(damage))):
        record_of(EpochEnd, {**good, **damage})


def test_a_checkpoint_with_a_damaged_record(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**options(**BY_HEART)).fit(
            corpus(), checkpoint_dir=tmp_path, checkpoint_every=500, on_progress=stopping(40, KeyboardInterrupt)
        )
    path = max(tmp_path.glob("*.safetensors"))
    assert read_checkpoint(path).best is not None
    content = path.read_bytes()
    path.write_bytes(content.replace(b'improved\\": true', b'improved\\": null', 1))
    assert path.read_bytes() != content
    with pytest.raises(FormatError, match="damaged checkpoint"):
        read_checkpoint(path)


def test_patience_needs_sentences_kept_aside() -> None:
    with pytest.raises(ConfigError, match="validation_fraction"):
        Config(patience=1)
