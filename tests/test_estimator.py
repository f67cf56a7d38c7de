"""`Word2Vec` as a user meets it."""

from __future__ import annotations

import copy
import inspect
import pickle
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xw2v import Config, EncodedCorpus, Word2Vec, WordVectors, encode, tensors
from xw2v.errors import (
    BackendError,
    ConfigError,
    CorpusError,
    FormatError,
    IdRangeError,
    MissingFileError,
    NumericalError,
    UnknownWordError,
)
from xw2v.estimator import NotFittedError
from xw2v.fitting import noted_if_long
from xw2v.preparation import FitOptions
from xw2v.text.vocabulary import Vocabulary
from xw2v.training import batches, trainer
from xw2v.training.engines import ChunkResult
from xw2v.training.engines.array import ArrayEngine
from xw2v.training.walk import Progress
from xw2v.vectors import model_folder

SENTENCES = [["a", "b", "c", "rare"] if i == 0 else ["a", "b", "c"] for i in range(100)]
OPTIONS: dict[str, Any] = {"vector_size": 6, "min_count": 2, "epochs": 2, "workers": 1, "backend": "numpy"}


@pytest.mark.parametrize("no", [None, np.False_])
def test_what_is_as_good_as_false_is_one_process(no: Any) -> None:
    assert FitOptions(distributed=no).distributed is False
    assert FitOptions(distributed=np.True_).distributed is True
    assert Word2Vec(**OPTIONS).fit(SENTENCES, distributed=no).wv.index_to_key == ["a", "b", "c"]


def test_fit_from_lists() -> None:
    seen: list[Progress] = []
    model = Word2Vec(**OPTIONS).fit(SENTENCES, on_progress=seen.append)
    assert model.wv.index_to_key == ["a", "b", "c"]
    assert model.wv.vectors.shape == model.outside_vectors.shape == (3, 6)
    assert model.outside_vectors.any()
    assert model.history == seen
    assert model.corpus_words == 301
    assert model.history[-1].words == model.history[-1].total_words == 602  # words that min_count drops were read
    assert model.backend_note == "numpy: asked for"
    assert model.engine_note == "cpu: compiled by Numba"
    unheeded = Word2Vec(**OPTIONS, tf32=True, device=3, sync="step").fit(SENTENCES).backend_note
    assert unheeded == "numpy: asked for; no GPU, so device and tf32 mean nothing; one process, so sync means nothing"


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({"engine": "array"}, "array: asked for"),
        ({"loss": "softmax"}, "array: for loss='softmax'"),
        ({"negatives": "pair"}, "cpu: compiled by Numba"),
        ({"negatives": "pair", "centers": "random"}, "array: for centers='random'"),
        ({"batch_size": 32}, "array: for batch_size"),
    ],
)
def test_engine_follows_the_options(options: dict[str, Any], note: str) -> None:
    assert Word2Vec(**(OPTIONS | options)).fit(SENTENCES).engine_note == note


def test_the_compiled_engine_refuses_what_it_does_not_do() -> None:
    with pytest.raises(ConfigError, match="engine 'cpu' does not do loss='softmax'; use engine='array' or 'auto'"):
        Word2Vec(**OPTIONS, engine="cpu", loss="softmax").fit(SENTENCES)


def test_without_numba_the_array_engine_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xw2v.training.engines.cpu", None)
    model = Word2Vec(**OPTIONS).fit(SENTENCES)
    assert model.engine_note.startswith("array: for want of a fused one: engine 'cpu' needs Numba")
    with pytest.raises(BackendError, match="engine 'cpu' needs Numba"):
        Word2Vec(**OPTIONS, engine="cpu").fit(SENTENCES)


def test_every_source_gives_the_same_vectors(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("\n".join(map(" ".join, SENTENCES)))
    wanted = Word2Vec(**OPTIONS).fit(SENTENCES).wv.vectors
    folder = tmp_path / "encoded"
    for source in (text, str(text), [text], encode(text, min_count=2), (s for s in SENTENCES)):
        np.testing.assert_array_equal(Word2Vec(**OPTIONS).fit(source).wv.vectors, wanted)
    for _ in range(2):
        np.testing.assert_array_equal(Word2Vec(**OPTIONS).fit(text, encoded_dir=folder).wv.vectors, wanted)
    assert (folder / "manifest.json").exists()


def test_save_and_load(tmp_path: Path) -> None:
    model = Word2Vec(**OPTIONS).fit(SENTENCES)
    model.save(tmp_path / "model")
    again = Word2Vec.load(tmp_path / "model")
    np.testing.assert_array_equal(again.wv.vectors, model.wv.vectors)
    np.testing.assert_array_equal(again.outside_vectors, model.outside_vectors)
    assert again.wv.index_to_key == model.wv.index_to_key
    assert again.config == model.config
    assert again.history == model.history
    assert again.corpus_words == 301
    np.testing.assert_array_equal(WordVectors.load(tmp_path / "model").vectors, model.wv.vectors)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("min_count", r"m\n_count", r"unknown option 'm\\n_count'"), ("centers", r"cen\nters", "argument 'cen ters'")],
)
def test_a_name_with_a_line_break_in_a_damaged_model(old: str, new: str, message: str, tmp_path: Path) -> None:
    """Found by fuzzing: the error was two lines."""
    Word2Vec(**OPTIONS).fit(SENTENCES).save(tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    before, name, after = path.read_text().rpartition(f'"{old}":')  # of the record of a chunk, not the option
    path.write_text(before + name.replace(old, new) + after)
    with pytest.raises(FormatError, match=rf"^[^\n]* is not a whole Word2Vec model \(.*{message}[^\n]*$"):
        Word2Vec.load(tmp_path / "model")


def test_a_model_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may put another model in its place meanwhile: tables of two would not go together."""
    Word2Vec(**OPTIONS).fit(SENTENCES).save(tmp_path / "m")
    read: list[str] = []
    really = tensors.read_tensors

    def noted(path: Path, *how: Any, **more: Any) -> Any:
        read.append(path.name)
        return really(path, *how, **more)

    monkeypatch.setattr(model_folder, "read_tensors", noted)
    Word2Vec.load(tmp_path / "m")
    assert sorted(read) == ["tables.safetensors", "vocabulary.safetensors"]


def test_other_options_after_fit_neither_spoil_what_is_saved_nor_mix_sizes(tmp_path: Path) -> None:
    model = Word2Vec(**OPTIONS).fit(SENTENCES).set_params(vector_size=7, window=3)
    with pytest.raises(ConfigError, match=r"vector_size is 7 .* have 6 numbers: .* fit learns anew"):
        model.partial_fit(SENTENCES)
    model.save(tmp_path / "model")
    again = Word2Vec.load(tmp_path / "model")
    assert (again.vector_size, again.window) == (6, 3)
    np.testing.assert_array_equal(again.wv.vectors, model.wv.vectors)


class Narrow(Word2Vec):
    """A model with fewer options, as people derive one."""

    def __init__(self, vector_size: int = 6) -> None:
        super().__init__(vector_size=vector_size, window=2, min_count=1, workers=1)


def test_options_that_a_subclass_sets_count(tmp_path: Path) -> None:
    model = Narrow()
    assert (model.config.window, model.config.workers) == (2, 1)
    assert model.get_params() == {"vector_size": 6}
    assert repr(model) == "Narrow(vector_size=6)"
    assert model.fit(SENTENCES).wv.vector_size == 6
    model.save(tmp_path / "narrow")
    again = Narrow.load(tmp_path / "narrow")
    assert isinstance(again, Narrow)
    assert (again.config, again.wv.most_similar("a")) == (model.config, model.wv.most_similar("a"))


def test_a_fit_that_diverged_does_not_leave_the_vectors_of_the_one_before() -> None:
    model = Word2Vec(**OPTIONS).fit(SENTENCES)
    model.set_params(alpha=1e6, max_update_norm=None, epochs=20)
    with pytest.raises(NumericalError):
        model.fit(SENTENCES)
    assert not hasattr(model, "wv")
    assert not hasattr(model, "outside_vectors")


def test_a_partial_fit_that_diverged_leaves_the_model_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Word2Vec(**OPTIONS).fit(SENTENCES)
    before, records, epochs = model.wv, list(model.history), model.epochs_trained
    monkeypatch.setattr("xw2v.estimator.first_bad_row", lambda table: 0)
    with pytest.raises(NumericalError):
        model.partial_fit(SENTENCES)
    assert (model.wv, model.history, model.epochs_trained) == (before, records, epochs)


def test_a_copy_is_read_only_too(tmp_path: Path) -> None:
    model = Word2Vec(**OPTIONS).fit(SENTENCES)
    model.save(tmp_path / "model")
    for one in (model, Word2Vec.load(tmp_path / "model")):
        for again in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
            assert not again.wv.vectors.flags.writeable
            assert again.wv.most_similar("a") == one.wv.most_similar("a")
            assert again.partial_fit(SENTENCES).epochs_trained == 4


def test_vectors_alone_are_not_a_model(tmp_path: Path) -> None:
    WordVectors(["a", "b"], np.eye(2)).save(tmp_path / "vectors")
    with pytest.raises(FormatError, match="not a whole Word2Vec model"):
        Word2Vec.load(tmp_path / "vectors")
    with pytest.raises(MissingFileError):
        Word2Vec.load(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["wv", "outside_vectors", "history"])
def test_before_fit(name: str) -> None:
    with pytest.raises(NotFittedError, match=f"no {name} yet: call fit first"):
        getattr(Word2Vec(), name)
    assert not hasattr(Word2Vec(), name)


def test_an_interrupt_keeps_what_was_learned() -> None:
    def interrupt(record: Progress) -> None:
        if record.epoch == 1:
            raise KeyboardInterrupt

    model = Word2Vec(**(OPTIONS | {"epochs": 50}))
    with pytest.raises(KeyboardInterrupt):
        model.fit(SENTENCES, on_progress=interrupt)
    assert model.wv["a"].shape == (6,)
    assert model.history[-1].epoch == 1


def test_a_vocabulary_of_one_word_is_refused() -> None:
    with pytest.raises(CorpusError, match=r"at least 2 words is wanted, got 1; lower min_count \(2\)"):
        Word2Vec(**OPTIONS).fit([["a", "a", "b"]])


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ConfigError, match="engine must be one of"):
        Word2Vec(engine="tpu")


def test_repr_shows_what_differs_from_the_defaults() -> None:
    assert repr(Word2Vec(window=3, seed=7)) == "Word2Vec(window=3, seed=7)"
    assert repr(Word2Vec(**OPTIONS).fit(SENTENCES)).endswith(") of 3 words, vector_size=6")


def test_a_long_wait_is_explained_and_a_short_one_is_not() -> None:
    notes: list[str] = []
    with noted_if_long(notes.append, "short", seconds=60):
        pass
    with noted_if_long(notes.append, "long", seconds=0.01):
        time.sleep(0.3)
    assert notes == ["long"]


def test_after_divergence_the_last_checkpoint_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SEGMENT", 30)
    calls = 0
    train = ArrayEngine.train_chunk

    def diverging(self: Any, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        time.sleep(0.01)
        result = train(self, *arguments)
        return result if calls < 15 else result._replace(loss=float("nan"))

    monkeypatch.setattr(ArrayEngine, "train_chunk", diverging)
    model = Word2Vec(**OPTIONS, engine="array")
    with pytest.raises(NumericalError, match=r"; what was learned from the first \d+ words is kept"):
        model.fit(SENTENCES, checkpoint_dir=tmp_path / "c", checkpoint_every=60)
    assert np.isfinite(model.wv.vectors).all()
    assert 0 < len(model.history) < 15
    calls = 0
    fresh = Word2Vec(**OPTIONS, engine="array")
    with pytest.raises(NumericalError, match="no earlier state was kept"):
        fresh.fit(SENTENCES)
    assert not hasattr(fresh, "wv")


@pytest.mark.parametrize("how", ["fit", "partial_fit"])
def test_a_training_that_fails_leaves_the_model_as_it_was(how: str, tmp_path: Path) -> None:
    """All of it: one with the old vectors and the new text's `lowered` would lower-case what comes after."""
    other: Any = [["A", "B", "C", "D"]] * 50

    def fail(record: Progress) -> None:
        raise RuntimeError

    model = Word2Vec(**OPTIONS).fit(SENTENCES)
    model.save(tmp_path / "before")
    Word2Vec(**OPTIONS).fit(SENTENCES, checkpoint_dir=tmp_path / "c")
    for keywords in ({"on_progress": fail}, {"checkpoint_dir": tmp_path / "c", "resume": True}):
        with pytest.raises((RuntimeError, ConfigError, CorpusError)):
            getattr(model, how)(other, lower=True, **keywords)
        model.save(tmp_path / "after")
        for name in ("config.json", "vocabulary.safetensors", "tables.safetensors"):
            assert (tmp_path / "after" / name).read_bytes() == (tmp_path / "before" / name).read_bytes()


def test_vectors_that_are_not_finite_at_the_end_are_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    def poison(self: Any, tables: Any, *_: Any) -> ChunkResult:
        tables.outside_vectors[0, 0] = np.inf
        return ChunkResult(1.0, 1, 1, 1)

    monkeypatch.setattr(ArrayEngine, "train_chunk", poison)
    monkeypatch.setattr(trainer.Training, "_check", lambda *_: None)
    with pytest.raises(NumericalError, match="some vectors are not finite: training diverged"):
        Word2Vec(**OPTIONS, engine="array").fit(SENTENCES)


def test_keywords_of_fit_are_those_it_hands_on() -> None:
    def keywords(function: Any) -> dict[str, Any]:
        found = inspect.signature(function).parameters.values()
        return {item.name: item.default for item in found if item.kind is inspect.Parameter.KEYWORD_ONLY}

    assert keywords(Word2Vec.fit) == keywords(FitOptions)


def test_a_long_history_is_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of too many records every other one goes; the last one stays, and so does the order."""
    from xw2v import fitting

    sentences = [["a", "b", "c", "d"]] * 30_000
    options: dict[str, Any] = {"vector_size": 4, "min_count": 1, "epochs": 3, "workers": 1, "backend": "numpy"}
    whole = Word2Vec(**options).fit(sentences).history
    assert len(whole) > 30
    monkeypatch.setattr(fitting, "_MOST_RECORDS", 10)
    thin = Word2Vec(**options).fit(sentences).history
    assert 5 <= len(thin) <= 10
    assert thin[-1].words == whole[-1].words
    assert [record.words for record in thin] == sorted({record.words for record in thin})
    assert {record.loss for record in thin} <= {record.loss for record in whole}


def test_the_history_of_many_trainings_is_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    from xw2v import fitting

    monkeypatch.setattr(fitting, "_MOST_RECORDS", 10)
    model = Word2Vec(vector_size=4, min_count=1, epochs=3, workers=1, backend="numpy", sample=0).fit([["a", "b"]] * 20)
    for _ in range(7):
        model.partial_fit([["a", "b"]] * 20)
    words = [record.words for record in model.history]
    assert 5 <= len(words) <= 10
    assert words == sorted(set(words))
    assert words[-1] == 8 * 3 * 40


@pytest.mark.parametrize("wrong", [2, 50_000_000, -1])
@pytest.mark.parametrize("engine", ["cpu", "array"])
def test_ids_of_a_corpus_made_by_hand_are_looked_at(wrong: int, engine: str) -> None:
    """Compiled loops would read where no table is."""
    ids = np.array([0, 1, 0, 1, wrong], np.int32)
    corpus = EncodedCorpus(ids, np.array([0, 5]), Vocabulary(["a", "b"], np.array([3, 2])), 5)
    with pytest.raises(IdRangeError, match=rf"ids must be in 0 \.\. 1, one is {wrong}"):
        Word2Vec(engine=engine, backend="numpy", sample=0).fit(corpus)


def test_a_corpus_of_which_no_two_words_are_trained_on() -> None:
    """The only sentence of two words is kept aside."""
    options: dict[str, Any] = {
        "vector_size": 4, "min_count": 1, "sample": 0, "epochs": 1, "validation_fraction": 0.2, "seed": 2,
        "backend": "numpy", "workers": 1,
    }  # fmt: skip
    sentences = [["a"]] * 50 + [["a", "b"]]
    with pytest.warns(RuntimeWarning, match="no two words that are trained on stand in one sentence"):
        model = Word2Vec(**options).fit(sentences)
    assert model.history[-1].pairs == 0
    with pytest.raises(ConfigError, match="no step in a whole epoch: no two words that are trained on"):
        Word2Vec(**options, steps=5, negatives="pair", centers="random").fit(sentences)


def test_sentences_of_one_word_are_nothing_to_learn_from() -> None:
    items = [["tea"], ["milk"]] * 50
    with pytest.raises(CorpusError, match="each of the 100 sentences holds one word of the vocabulary alone"):
        Word2Vec(min_count=1).fit(items)
    with pytest.raises(CorpusError, match="each of the 50 sentences holds one word"):
        Word2Vec(min_count=5).fit([["tea", f"rare{i}"] for i in range(25)] + [["milk", f"rarer{i}"] for i in range(25)])
    assert Word2Vec(vector_size=4, min_count=1, epochs=1, sample=0).fit([*items, ["tea", "milk"]]).history[-1].pairs


@pytest.fixture(scope="module")
def three_words() -> Word2Vec:
    return Word2Vec(**OPTIONS | {"alpha": 0.5}).fit(SENTENCES)


def test_words_that_stand_among_others(three_words: Word2Vec) -> None:
    wv = three_words.wv
    scores = three_words.outside_vectors.astype(np.float64) @ (2 * wv["a"].astype(np.float64) + wv["b"]) / 3
    odds = np.exp(scores) / np.exp(scores).sum()
    found = three_words.predict_output_word(["a", "unknown", "b", "a"], topn=2)
    assert [word for word, _ in found] == [wv.index_to_key[row] for row in np.argsort(-odds)[:2]]
    np.testing.assert_allclose([p for _, p in found], np.sort(odds)[:0:-1], rtol=1e-5)
    np.testing.assert_allclose(three_words.predict_output_word(["b", "a", "a"], topn=None), odds, rtol=1e-5)
    assert three_words.predict_output_word(["a"], topn=0) == []
    with pytest.raises(UnknownWordError, match="'unknown' is not in the vocabulary of 3 words"):
        three_words.predict_output_word(["unknown"])
    with pytest.raises(ConfigError, match="a list of words is wanted; got 'a'"):
        three_words.predict_output_word("a")
    with pytest.raises(NotFittedError, match="call fit first"):
        Word2Vec().predict_output_word(["a"])


def test_words_that_stand_among_others_are_gensims(three_words: Word2Vec) -> None:
    theirs = pytest.importorskip("gensim.models", reason="gensim is the reference here and is not installed")
    other = theirs.Word2Vec(SENTENCES, vector_size=6, min_count=2, sg=1, workers=1)
    rows = [three_words.wv.get_index(word) for word in other.wv.index_to_key]  # equally frequent words in another order
    other.wv.vectors[:], other.syn1neg[:] = three_words.wv.vectors[rows], three_words.outside_vectors[rows]
    found, wanted = (model.predict_output_word(["a", "c", "c"]) for model in (three_words, other))
    assert [word for word, _ in found] == [word for word, _ in wanted]
    np.testing.assert_allclose([p for _, p in found], [p for _, p in wanted], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("most_similar", r"ask its vectors, wv\.most_similar"),
        ("index_to_key", r"ask its vectors, wv\.index_to_key"),
        ("get_latest_training_loss", r"history\[-1\]\.loss"),
        ("layer1_size", "use vector_size"),
        ("train", r"partial_fit\(corpus\) goes on"),
        ("init_sims", "nothing needs it"),
        ("vocab", r"wv\.key_to_index"),
        ("nonsense", "has no attribute 'nonsense'"),
    ],
)
def test_names_of_gensim_that_are_elsewhere(name: str, way: str) -> None:
    with pytest.raises(AttributeError, match=way):
        getattr(Word2Vec(), name)


@pytest.mark.parametrize(
    ("option", "way"),
    [
        ({"sentences": [["a"]]}, r"'sentences': a corpus is given to fit"),
        ({"corpus_file": "t.txt"}, r"fit\(path\)"),
        ({"size": 100}, "'size': use vector_size"),
        ({"iter": 5}, "'iter': use epochs"),
        ({"sg": 1}, "'sg': it trains skip-gram"),
        ({"callbacks": []}, "they are given to fit"),
        ({"random_state": 1}, "'random_state': use seed"),
        ({"hashfxn": hash}, "seed makes them all"),
        ({"vector_siz": 50}, "'vector_siz': use vector_size"),
    ],
    ids=str,
)
def test_options_of_gensim_lead_on(option: dict[str, Any], way: str) -> None:
    with pytest.raises(ConfigError, match=f"Word2Vec has no option .*{way}"):
        Word2Vec(**option)
    with pytest.raises(TypeError, match="nonsense"):
        Word2Vec(nonsense=1)  # type: ignore[call-arg]
    assert next(iter(inspect.signature(Word2Vec).parameters)) == "vector_size"


@pytest.mark.parametrize(
    ("call", "way"),
    [
        (lambda model: model.fit(sentences=[["a"]]), "fit has no argument 'sentences': use corpus=, or give it first"),
        (lambda model: model.fit([["a"]], epochs=3), r"fit has no argument 'epochs': .* Word2Vec\(epochs=...\).fit\("),
        (lambda model: model.fit([["a"]], end_alpha=1), r"'end_alpha': it is an option, Word2Vec\(min_alpha=...\)"),
        (lambda model: model.fit([["a"]], progress_per=1), "use progress=True"),
        (
            lambda model: model.partial_fit(corpus_file="t.txt"),
            "partial_fit has no argument 'corpus_file': use corpus=",
        ),
        (lambda model: model.partial_fit([["a"]], total_examples=3), "'total_examples': nothing needs it"),
        (lambda model: model.partial_fit([["a"]], start_alpha=1), "'start_alpha': use alpha="),
        (
            lambda model: model.partial_fit([["a"]], vector_size=3),
            r"keep .* Word2Vec\(vector_size=...\).fit\(corpus\) learns",
        ),
        (lambda model: model.partial_fit([["a"]], window=3), r"it is an option, model.set_params\(window=...\)"),
    ],
)
def test_arguments_of_gensim_lead_on(call: Callable[[Word2Vec], object], way: str) -> None:
    with pytest.raises(ConfigError, match=way):
        call(Word2Vec())


def test_of_several_arguments_of_gensim_the_first_is_answered() -> None:
    given: dict[str, Any] = dict.fromkeys(("update", "report", "total_words", "word_count", "queue_factor", "window"))
    for first in given:
        with pytest.raises(ConfigError, match=f"partial_fit has no argument '{first}'"):
            Word2Vec().partial_fit([["a"]], **{first: 1} | given)


def test_arguments_that_are_nobodys_are_pythons_to_refuse() -> None:
    for name in ("fit", "partial_fit"):
        with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
            getattr(Word2Vec(), name)([["a"]], nonsense=1)


def test_every_option_of_gensim_is_ours_or_answered() -> None:
    models = pytest.importorskip("gensim.models", reason="gensim is the reference here and is not installed")
    for name in list(inspect.signature(models.Word2Vec).parameters):
        option: dict[str, Any] = {name: None}
        if name not in Config().to_dict():
            with pytest.raises(ConfigError, match=f"Word2Vec has no option '{name}': "):
                Word2Vec(**option)


def test_an_encoded_corpus_refuses_other_options_of_the_vocabulary(tmp_path: Path) -> None:
    corpus = encode(SENTENCES, min_count=1)
    with pytest.raises(ConfigError, match="the corpus was encoded with min_count=1, which min_count=2 cannot change"):
        Word2Vec(**OPTIONS).fit(corpus)
    model = Word2Vec(**OPTIONS | {"min_count": 5})  # the default, which nobody may have asked for
    with pytest.raises(ConfigError, match="with lower=False, which lower=True cannot change"):
        model.fit(corpus, lower=True)
    assert "rare" in model.fit(corpus).wv
    model.save(tmp_path / "m")
    assert (model.min_count, Word2Vec.load(tmp_path / "m").min_count) == (5, 1)


def test_a_run_that_learns_next_to_nothing_says_so() -> None:
    options: dict[str, Any] = {"vector_size": 4, "min_count": 1, "epochs": 2, "workers": 1}
    sentences = [["tea", "milk", "sugar"], ["rain", "snow", "wind"]] * 5
    with pytest.warns(RuntimeWarning, match=r"subsampling left 0 pairs .* sample=0 keeps .* above 1e-09") as found:
        model = Word2Vec(**options, sample=1e-9).fit(sentences)
    assert found[0].filename == __file__
    with pytest.warns(RuntimeWarning, match=r"left 8% of the words and \d+ pairs an epoch for 6 words .* sample=0"):
        Word2Vec(**options).fit(sentences * 20)
    said: list[str] = []
    model.partial_fit(sentences, on_warning=said.append)  # which has no new words, and no pair either
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Word2Vec(**options, sample=0).fit(sentences).set_params(sample=0.3).partial_fit(sentences)


def test_a_corpus_in_place_of_an_option_and_a_word_asked_of_the_model() -> None:
    with pytest.raises(ConfigError, match=r"a corpus is given to fit: Word2Vec\(\.\.\.\)\.fit\(sentences\)"):
        Word2Vec([["tea", "milk"]] * 20, min_count=1)  # type: ignore[arg-type]
    for ask in (lambda model: model["tea"], lambda model: "tea" in model, list):
        with pytest.raises(
            TypeError, match=r"ask the model's vectors for words: model\.wv\[word\], word in model\.wv$"
        ):
            ask(Word2Vec())
