"""Learning more: further epochs, other text, new words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xw2v import EncodedCorpus, Word2Vec, encode
from xw2v.errors import ConfigError, CorpusError, FormatError
from xw2v.text.vocabulary import Vocabulary, counted_together, extend_vocabulary
from xw2v.training.walk import Progress

OLD = [["a", "b", "c", "d"]] * 60
NEW = [["d", "e", "f", "a"]] * 40 + [["g"]]
OPTIONS: dict[str, Any] = {"vector_size": 6, "min_count": 2, "epochs": 2, "workers": 1, "backend": "numpy", "sample": 0}


def test_extend_vocabulary() -> None:
    known = Vocabulary(["a", "b"], np.array([7, 5]))
    grown, lookup = extend_vocabulary(known, ["c", "b", "d", "e"], np.array([4, 1, 9, 2]), min_count=3)
    assert grown.words == ["a", "b", "d", "c"]
    assert grown.counts.tolist() == [0, 1, 9, 4]
    assert counted_together(known, grown).counts.tolist() == [7, 6, 9, 4]
    assert lookup.tolist() == [3, 1, 2, -1]
    grown, lookup = extend_vocabulary(known, ["c", "b", "d"], np.array([4, 1, 9]), min_count=3, max_final_vocab=3)
    assert grown.words == ["a", "b", "d"]
    assert lookup.tolist() == [-1, 1, 2]
    assert extend_vocabulary(known, ["c"], np.array([9]), max_final_vocab=1)[0].words == ["a", "b"]


def test_the_old_text_does_not_count_twice() -> None:
    known = Vocabulary(["a", "b"], np.array([7, 5]))
    grown, lookup = extend_vocabulary(known, ["b", "rare", "a"], np.array([5, 1, 7]), min_count=2)
    assert counted_together(known, grown).counts.tolist() == [7, 5]
    assert lookup.tolist() == [1, -1, 0]


def test_new_text_with_new_words() -> None:
    model = Word2Vec(**OPTIONS).fit(OLD)
    before = model.wv
    outside = model.outside_vectors.copy()
    model.partial_fit(NEW)
    assert model.wv.index_to_key == ["a", "b", "c", "d", "e", "f"]  # g is too rare
    assert model.wv.counts is not None
    assert model.wv.counts.tolist() == [100, 60, 60, 100, 40, 40]
    assert model.outside_vectors.shape == (6, 6)
    for word in "bc":  # not in the new text, so no centre of a window there
        np.testing.assert_array_equal(model.wv[word], before[word])
    assert (model.wv["a"] != before["a"]).any()
    assert (model.outside_vectors[:4] != outside).any()
    assert np.abs(model.wv["e"]).max() > 0


@pytest.mark.parametrize("lower", [True, False])
def test_words_are_lower_cased_as_at_first(tmp_path: Path, lower: bool) -> None:
    (tmp_path / "old.txt").write_text("Tea and Milk\n" * 20)
    (tmp_path / "new.txt").write_text("TEA and Sugar\n" * 20)
    model = Word2Vec(**OPTIONS).fit(tmp_path / "old.txt", lower=lower)
    model.save(tmp_path / "m")
    assert Word2Vec.load(tmp_path / "m").lowered is lower
    others = {True: ["tea", "sugar"], False: ["TEA", "Sugar"]}
    for how in ({}, {"lower": not lower}):
        wanted = {*model.wv.index_to_key, *others[how.get("lower", lower)]}
        for going_on in (Word2Vec(**OPTIONS).fit(tmp_path / "old.txt", lower=lower), Word2Vec.load(tmp_path / "m")):
            going_on.partial_fit(tmp_path / "new.txt", **how)
            assert {*going_on.wv.index_to_key} == wanted
            assert going_on.lowered is lower


def test_a_model_that_does_not_say_whether_it_was_lower_cased(tmp_path: Path) -> None:
    Word2Vec(**OPTIONS).fit(OLD).save(tmp_path / "m")
    path = tmp_path / "m" / "config.json"
    stored = json.loads(path.read_text())
    del stored["metadata"]["lower"]
    path.write_text(json.dumps(stored))
    assert Word2Vec.load(tmp_path / "m").lowered is False


def test_more_epochs_of_a_loaded_model(tmp_path: Path) -> None:
    model = Word2Vec(**OPTIONS).fit(OLD)
    model.save(tmp_path / "m")
    loaded = Word2Vec.load(tmp_path / "m")
    assert loaded.epochs_trained == 2
    for each in (model, loaded):
        each.partial_fit(OLD, epochs=3, alpha=0.01, min_alpha=0.005)
    assert loaded.wv.vectors.tobytes() == model.wv.vectors.tobytes()
    assert loaded.config == Word2Vec(**OPTIONS).config
    assert loaded.epochs_trained == 5
    assert loaded.wv.counts is not None
    assert loaded.wv.counts.tolist() == [60] * 4
    assert [record.epoch for record in loaded.history] == sorted(record.epoch for record in loaded.history)
    assert loaded.history[-1].epoch == 4
    assert loaded.history[-1].words == loaded.history[-1].total_words == 5 * 240
    assert loaded.history[-1].alpha == pytest.approx(0.005, rel=0.1)
    loaded.save(tmp_path / "m")
    assert Word2Vec.load(tmp_path / "m").epochs_trained == 5


def test_further_epochs_draw_anew() -> None:
    """Two epochs and two more are not the same two epochs twice: with sample they keep other words."""
    options = OPTIONS | {"sample": 0.05}
    model = Word2Vec(**options).fit(OLD)
    first = [record.centers for record in model.history]
    model.partial_fit(OLD)
    second = [record.centers - first[-1] for record in model.history[len(first) :]]
    assert first != second
    whole = Word2Vec(**(options | {"epochs": 4})).fit(OLD)
    assert whole.history[-1].centers == model.history[-1].centers


def test_a_model_that_was_not_fitted_is_fitted() -> None:
    model = Word2Vec(**OPTIONS).partial_fit(OLD)
    assert model.wv.vectors.tobytes() == Word2Vec(**OPTIONS).fit(OLD).wv.vectors.tobytes()


@pytest.mark.parametrize("kind", ["text", "encoded", "folder"])
def test_every_source(kind: str, tmp_path: Path) -> None:
    wanted = Word2Vec(**OPTIONS).fit(OLD).partial_fit(NEW[:-1])
    text = tmp_path / "new.txt"
    text.write_text("\n".join(map(" ".join, NEW[:-1])))
    how: dict[str, Any] = {"encoded_dir": tmp_path / "e"} if kind == "folder" else {}
    for _ in range(2):
        source: Any = encode(text, min_count=2) if kind == "encoded" else text
        ours = Word2Vec(**OPTIONS).fit(OLD).partial_fit(source, **how)
        assert ours.wv.index_to_key == wanted.wv.index_to_key
        assert ours.wv.vectors.tobytes() == wanted.wv.vectors.tobytes()
    if kind == "folder":
        assert len(EncodedCorpus.open(tmp_path / "e").vocabulary) == 6
        # The folder was encoded for other words: it is not taken for a corpus of its own.
        assert not encode(text, tmp_path / "e", min_count=2).reused


@pytest.mark.parametrize("kept", [False, True])
def test_counts_of_another_encoded_text_with_the_same_words_add_up(kept: bool, tmp_path: Path) -> None:
    old, new = [["a", "a", "b"]] * 10, [["a", "a", "a", "b"]] * 7
    corpora = [encode(text, tmp_path / name if kept else None, min_count=2) for text, name in ((old, "o"), (new, "n"))]
    model = Word2Vec(**OPTIONS).fit(corpora[0])
    for corpus, wanted in ((corpora[0], [20, 10]), (corpora[1], [41, 17])):
        model.partial_fit(corpus)
        assert model.wv.counts is not None
        assert model.wv.counts.tolist() == wanted
    known = Vocabulary(["a", "b"], np.array([20, 10]))
    same, other = (corpus.renumbered(known).counted_with(known) for corpus in corpora)
    assert same.fingerprint() == corpora[0].fingerprint()
    assert other.fingerprint() not in (same.fingerprint(), corpora[1].fingerprint())
    assert other.ids is corpora[1].ids  # nothing is copied


def test_a_corpus_that_was_encoded_for_a_model_counts_its_own_text_alone(tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text("d e a\n" * 7)
    model = Word2Vec(**OPTIONS).fit(OLD)
    first = Word2Vec(**OPTIONS).fit(OLD).partial_fit(tmp_path / "new.txt", encoded_dir=tmp_path / "e")
    corpus = EncodedCorpus.open(tmp_path / "e")
    for going_on in (model, Word2Vec(**OPTIONS).fit([["e", "z"]] * 3)):
        going_on.partial_fit(corpus)
    assert model.wv.index_to_key == first.wv.index_to_key == ["a", "b", "c", "d", "e"]
    assert model.wv.vectors.tobytes() == first.wv.vectors.tobytes()
    assert going_on.wv.index_to_key == ["e", "z", "a", "d"]  # and no word that is not in the text
    anew = Word2Vec(**OPTIONS).fit(corpus)
    for counts, wanted in (
        (model.wv.counts, [67, 60, 60, 67, 7]),
        (first.wv.counts, [67, 60, 60, 67, 7]),
        (going_on.wv.counts, [10, 3, 7, 7]),
        (anew.wv.counts, [7, 0, 0, 7, 7]),
    ):
        assert counts is not None
        assert counts.tolist() == wanted


def test_a_corpus_made_by_hand_whose_counts_are_not_its_own() -> None:
    model = Word2Vec(**OPTIONS).fit([["a", "b"]] * 20)
    corpus = EncodedCorpus(
        np.array([0, 1, 2] * 9), np.arange(0, 28, 3), Vocabulary(["a", "c", "d"], np.array([9, 9, 0])), 27
    )
    model.partial_fit(corpus)
    assert sorted(model.wv.index_to_key) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("name", ["build_vocab", "train"])
def test_gensims_calls_say_what_to_call(name: str) -> None:
    assert not hasattr(Word2Vec(), name)
    with pytest.raises(AttributeError, match=rf"Word2Vec has no {name}: fit\(corpus\) learns anew; partial_fit"):
        getattr(Word2Vec(**OPTIONS).fit(OLD), name)


def test_text_without_any_word_of_ours() -> None:
    with pytest.raises(CorpusError, match=r"no word of .* occurs 2 times"):
        Word2Vec(**OPTIONS).fit(OLD).partial_fit([["x", "y", "z"]])


def test_it_goes_on_from_checkpoints_too(tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop(record: Progress) -> None:
        if record.epoch == 1:
            raise StopError

    wanted = Word2Vec(**OPTIONS).fit(OLD).partial_fit(NEW, epochs=4)
    keep: dict[str, Any] = {"checkpoint_dir": tmp_path, "checkpoint_every": 10}
    with pytest.raises(StopError):
        Word2Vec(**OPTIONS).fit(OLD).partial_fit(NEW, epochs=4, **keep, on_progress=stop)
    ours = Word2Vec(**OPTIONS).fit(OLD).partial_fit(NEW, epochs=4, **keep, resume=True)
    assert ours.wv.vectors.tobytes() == wanted.wv.vectors.tobytes()
    assert ours.history[-1].words == wanted.history[-1].words


def test_a_keyword_that_is_none_is_named_as_pythons_own() -> None:
    with pytest.raises(TypeError, match=r"partial_fit\(\) got an unexpected keyword argument 'epoch'"):
        Word2Vec(**OPTIONS).partial_fit(OLD, epoch=1)


def test_it_takes_what_a_pipeline_gives() -> None:
    assert Word2Vec(**OPTIONS).partial_fit(OLD, None).epochs_trained == OPTIONS["epochs"]


def test_a_checkpoint_of_a_run_that_began_elsewhere_is_refused(tmp_path: Path) -> None:
    """The finished run of `fit` is no run of `partial_fit` that has nothing left to do, though options are alike."""
    keep: dict[str, Any] = {"checkpoint_dir": tmp_path, "resume": True}
    model = Word2Vec(**OPTIONS).fit(OLD, **keep)
    before = model.wv.vectors.copy()
    epochs = model.epochs_trained
    message = f"run that began with a model of 0 epochs, and this one has {epochs}: give the model as it was"
    with pytest.raises(ConfigError, match=message):
        model.partial_fit(OLD, **keep)
    assert (model.wv.vectors == before).all()
    assert model.epochs_trained == epochs


def test_a_model_of_another_size_is_no_model(tmp_path: Path) -> None:
    model = Word2Vec(**OPTIONS).fit(OLD)
    model.save(tmp_path / "m")
    config = tmp_path / "m" / "config.json"
    config.write_text(config.read_text().replace('"vector_size": 6', '"vector_size": 7'))
    with pytest.raises(FormatError, match="vector_size"):
        Word2Vec.load(tmp_path / "m")


@pytest.mark.parametrize("kind", ["lists", "encoded"])
def test_an_option_that_is_changed_after_fit_is_saved(kind: str, tmp_path: Path) -> None:
    model = Word2Vec(**OPTIONS).fit(OLD if kind == "lists" else encode(OLD, min_count=2))
    model.set_params(min_count=1)
    model.partial_fit(NEW)
    assert "g" in model.wv
    model.save(tmp_path / "m")
    assert Word2Vec.load(tmp_path / "m").min_count == 1
    model = Word2Vec(**OPTIONS | {"min_count": 5}).fit(encode(OLD, min_count=3))
    model.save(tmp_path / "m")
    assert Word2Vec.load(tmp_path / "m").min_count == 3  # that of the vocabulary, as nobody asked for another
    model.set_params(min_count=1).save(tmp_path / "m")
    assert Word2Vec.load(tmp_path / "m").min_count == 1
