"""WordVectors beside gensim's KeyedVectors: the same answers on the same vectors, and gensim's own tests."""

from __future__ import annotations

import unittest
from typing import Any

import numpy as np
import pytest

from xw2v.errors import ConfigError, ShapeError, UnknownWordError
from xw2v.vectors.word_vectors import WordVectors

gensim_module = pytest.importorskip(
    "gensim.models.keyedvectors", reason="gensim is the reference here and is not installed"
)

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated")  # gensim calls its own

V = 700
ODD = ["new york", "žluťoučký", "国王", "a\u00a0b", "🙂", "17", "-3", "", "\n", "nan"]
WORDS = ODD + [f"w{i}" for i in range(V - len(ODD))]


@pytest.fixture(scope="module")
def ours() -> WordVectors:
    vectors = np.random.default_rng(5).standard_normal((V, 12)).astype(np.float32)
    vectors[20:40] *= 50  # so that lengths matter where they should not, and the other way round
    return WordVectors(WORDS, vectors, counts=np.arange(V)[::-1] // 3 + 1)


@pytest.fixture(scope="module")
def theirs(ours: WordVectors) -> Any:
    keyed = gensim_module.KeyedVectors(ours.vector_size)
    keyed.add_vectors(ours.index_to_key, np.array(ours.vectors))
    assert ours.counts is not None
    for word, count in zip(ours.index_to_key, ours.counts.tolist(), strict=True):
        keyed.set_vecattr(word, "count", count)
    return keyed


def same(a: list[tuple[str, float]], b: list[tuple[str, float]]) -> None:
    assert [word for word, _ in a] == [word for word, _ in b]
    np.testing.assert_allclose([score for _, score in a], [score for _, score in b], rtol=2e-5, atol=2e-6)


QUESTIONS: list[tuple[Any, Any]] = [
    ("国王", None),
    (["new york", "w3"], ["🙂"]),
    (["w30", "w31", "nan"], "17"),
    (["w25"], ["w26", "w27"]),
]


@pytest.mark.parametrize(("positive", "negative"), QUESTIONS)
@pytest.mark.parametrize("topn", [1, 10, 1000])
@pytest.mark.parametrize("method", ["most_similar", "most_similar_cosmul"])
def test_nearest(ours: WordVectors, theirs: Any, method: str, positive: Any, negative: Any, topn: int) -> None:
    same(getattr(ours, method)(positive, negative, topn), getattr(theirs, method)(positive, negative, topn))


@pytest.mark.parametrize("method", ["most_similar", "most_similar_cosmul"])
def test_all_scores_and_given_vectors(ours: WordVectors, theirs: Any, method: str) -> None:
    given = ours.get_vector("w30", norm=True)  # to gensim's products its length would count
    for positive in (["国王"], [given], [given, "w1"]):
        found, wanted = (getattr(wv, method)(positive, topn=None) for wv in (ours, theirs))
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)
        same(getattr(ours, method)(positive, topn=5), getattr(theirs, method)(positive, topn=5))


def test_nearest_by_other_names(ours: WordVectors, theirs: Any) -> None:
    for name in ("similar_by_word", "similar_by_key"):
        same(getattr(ours, name)("国王", 5, 300), getattr(theirs, name)("国王", 5, 300))
    same(ours.similar_by_vector(ours["w2"], 5, 300), theirs.similar_by_vector(ours["w2"], 5, 300))


def test_two_words(ours: WordVectors, theirs: Any) -> None:
    for a, b in (("国王", "w30"), ("w1", "w1"), ("", "\n"), ("w30", "new york")):
        assert ours.similarity(a, b) == pytest.approx(float(theirs.similarity(a, b)), abs=1e-6)
        assert ours.distance(a, b) == pytest.approx(float(theirs.distance(a, b)), abs=1e-6)
        assert ours.closer_than(a, b) == theirs.closer_than(a, b)
        assert ours.rank(a, b) == theirs.rank(a, b)
        assert ours.relative_cosine_similarity(a, b, 10) == pytest.approx(
            float(theirs.relative_cosine_similarity(a, b, 10)), rel=1e-5
        )


def test_several_words(ours: WordVectors, theirs: Any) -> None:
    some, others = ["国王", "w30", "w1"], ["🙂", "w2", "nowhere"]
    assert ours.n_similarity(some, others) == pytest.approx(float(theirs.n_similarity(some, others)), abs=1e-6)
    np.testing.assert_allclose(ours.distances("w1"), theirs.distances("w1"), atol=2e-6)
    np.testing.assert_allclose(ours.distances("w1", some), theirs.distances("w1", some), atol=2e-6)
    np.testing.assert_allclose(
        ours.distances(ours["w30"] * 7, some), theirs.distances(ours["w30"] * 7, some), atol=2e-6
    )
    found = ours.cosine_similarities(ours["w1"], ours.vectors)
    np.testing.assert_allclose(found, theirs.cosine_similarities(ours["w1"], ours.vectors), atol=2e-6)
    assert ours.most_similar_to_given("w1", some) == theirs.most_similar_to_given("w1", some)
    assert ours.doesnt_match([*some, "w9"]) == theirs.doesnt_match([*some, "w9"])
    ranked, wanted = ours.rank_by_centrality([*some, "w9"]), theirs.rank_by_centrality([*some, "w9"])
    same([(word, score) for score, word in ranked], [(word, score) for score, word in wanted])


@pytest.mark.parametrize("pre", [True, False])
@pytest.mark.parametrize("post", [True, False])
@pytest.mark.parametrize("weights", [None, [1, -2, 0.5, 3]])
def test_mean_vector(ours: WordVectors, theirs: Any, pre: bool, post: bool, weights: list[float] | None) -> None:
    keys = ["国王", "nowhere", "w30", ours["w1"]]
    found, wanted = (wv.get_mean_vector(keys, weights, pre, post) for wv in (ours, theirs))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert found.dtype == np.float32
    with pytest.raises(UnknownWordError, match="nowhere"):
        ours.get_mean_vector(keys, ignore_missing=False)


def test_lookup(ours: WordVectors, theirs: Any) -> None:
    for word in (*ODD, "w30"):
        assert ours.get_index(word) == theirs.get_index(word)
        np.testing.assert_array_equal(ours.get_vector(word), theirs.get_vector(word))
        np.testing.assert_allclose(ours.get_vector(word, norm=True), theirs.get_vector(word, norm=True), atol=1e-7)
        assert ours.get_vecattr(word, "count") == theirs.get_vecattr(word, "count")
        assert ours.has_index_for(word)
    assert ours.get_index("nowhere", 5) == theirs.get_index("nowhere", 5) == 5
    assert ours.get_index("w1", 5) == theirs.get_index("w1", 5) != 5
    assert not ours.has_index_for("nowhere")
    np.testing.assert_allclose(ours.get_normed_vectors(), theirs.get_normed_vectors(), atol=1e-6)
    for key in ("nowhere", 10**6):
        with pytest.raises(KeyError):
            theirs.get_index(key)
        with pytest.raises(KeyError):
            ours.get_index(key)


def test_an_integer_is_a_row_to_gensim_and_a_key_here(ours: WordVectors, theirs: Any) -> None:
    np.testing.assert_array_equal(theirs[17], ours.vectors[17])
    np.testing.assert_array_equal(ours[17], ours["17"])
    assert ours.get_index(17) == WORDS.index("17")


def test_attributes(ours: WordVectors) -> None:
    with pytest.raises(KeyError, match="\"count\" only, asked for 'sample_int'"):
        ours.get_vecattr("w1", "sample_int")
    with pytest.raises(UnknownWordError, match=r"^the counts of these words are not known: .* fvocab="):
        WordVectors(["a"], [[1.0]]).get_vecattr("a", "count")


def test_sorting_by_frequency_moves_words_vectors_and_counts() -> None:
    wv = WordVectors(["a", "b", "c", "d"], np.eye(4), counts=[2, 9, 2, 5])
    before = {word: wv[word].tolist() for word in "abcd"}
    wv.most_similar("a")
    wv.sort_by_descending_frequency()
    assert wv.index_to_key == ["b", "d", "a", "c"]
    assert wv.key_to_index == {"b": 0, "d": 1, "a": 2, "c": 3}
    assert [wv.get_vecattr(word, "count") for word in "bdac"] == [9, 5, 2, 2]
    assert {word: wv[word].tolist() for word in "abcd"} == before
    assert wv.similarity("a", "c") == 0
    with pytest.raises(ConfigError, match="needs counts"):
        WordVectors(["a"], [[1.0]]).sort_by_descending_frequency()


def test_unit_normalize_all(ours: WordVectors, theirs: Any) -> None:
    wv = WordVectors(WORDS, ours.vectors)
    wv.most_similar("w1")
    wv.unit_normalize_all()
    np.testing.assert_allclose(np.linalg.norm(wv.vectors, axis=1), 1, atol=1e-6)
    same(wv.most_similar("w1"), ours.most_similar("w1"))
    assert wv.n_similarity(["w25", "w1"], ["w2"]) != pytest.approx(ours.n_similarity(["w25", "w1"], ["w2"]), abs=1e-4)


def test_refusals(ours: WordVectors) -> None:
    for attempt, error, match in (
        (lambda: ours.most_similar_cosmul([], "w1"), ConfigError, "at least one positive"),
        (lambda: ours.n_similarity([], ["w1"]), ConfigError, "at least one key"),
        (lambda: ours.n_similarity(["nowhere"], ["w1"]), UnknownWordError, "nowhere"),
        (lambda: ours.get_mean_vector(["w1"], [1, 2]), ConfigError, "got 1 and 2"),
        (lambda: ours.closer_than("w1", "nowhere"), UnknownWordError, "nowhere"),
        (lambda: ours.rank_by_centrality([]), ConfigError, "at least one word"),
        (lambda: ours.most_similar_to_given("w1", []), ConfigError, "at least one word to choose from"),
        (lambda: ours.most_similar_to_given("w1", "w2"), ConfigError, "a list of words is wanted; got 'w2'"),
        (lambda: ours.vectors_for_all("w1"), ConfigError, "a list of words is wanted; got 'w1'"),
        (lambda: ours.get_mean_vector(["w1"], 2.0), ConfigError, "weights must be a list with a number a key; got 2.0"),
        (lambda: ours.relative_cosine_similarity("w1", "w2", 0), ConfigError, "topn must be an integer of at least 1"),
        (lambda: ours.relative_cosine_similarity("w1", "w2", -1), ConfigError, "of at least 1; got -1"),
        (lambda: ours.distances(("w1", "w2")), UnknownWordError, "is not a word"),
        (lambda: ours.cosine_similarities([1, 2], [1, 2]), ShapeError, r"int64 \(2,\) and int64 \(2,\)"),
        (lambda: ours.cosine_similarities([1, 2], [[1, 2, 3]]), ShapeError, r"\(D,\) and \(n, D\)"),
        (lambda: ours.cosine_similarities("ab", [["a"]]), ShapeError, "wanted numbers"),
    ):
        with pytest.raises(error, match=match):
            attempt()


def test_words_of_length_zero_have_no_relative_similarity() -> None:
    wv = WordVectors(["zero", "a", "b"], [[0, 0], [1, 0], [0, 1]])
    assert [wv.relative_cosine_similarity(*pair) for pair in (("zero", "a"), ("a", "zero"), ("a", "b"))] == [0.0] * 3


def test_a_key_given_twice_is_one() -> None:
    wv = WordVectors(["7", "b"], [[1, 2], [3, 4]], counts=[5, 4])
    some = wv.vectors_for_all([7, "b", "7", "b", "c"], copy_vecattrs=True)
    assert list(some) == ["7", "b"]
    assert some.counts.tolist() == [5, 4]


def test_words_in_arrays_of_objects(ours: WordVectors) -> None:
    words = ["w1", "w2"]
    for kind in (object, "T"):
        same(ours.most_similar(np.array(words, dtype=kind)), ours.most_similar(words))


def test_an_array_of_integers_are_items() -> None:
    wv = WordVectors(range(9), np.random.default_rng(0).standard_normal((9, 4)))
    for some, others in (([1, 2, 3, 4], [5, 6, 7, 8]), ([1, 2], [3])):  # as many as a vector has numbers, or not
        there, here = np.array(some), np.array(others)
        np.testing.assert_array_equal(wv.get_mean_vector(there), wv.get_mean_vector(some))
        assert wv.most_similar(there, here) == wv.most_similar(some, others)
        assert wv.most_similar_cosmul(there, here) == wv.most_similar_cosmul(some, others)
        assert wv.n_similarity(there, here) == wv.n_similarity(some, others)
        assert wv.wmdistance(there, here) == wv.wmdistance(some, others)
        assert wv.plot(there, near=here).axes[0].texts


def test_a_mean_leaves_out_no_vector_and_no_weight(ours: WordVectors) -> None:
    found = ours.get_mean_vector([ours["w1"].tolist(), "w2"])
    np.testing.assert_array_equal(found, ours.get_mean_vector([ours["w1"], "w2"]))
    pairs: list[Any] = [("w1", 2.0), (ours["w1"], 2.0)]
    for pair in pairs:
        with pytest.raises(UnknownWordError, match="is not a word"):
            ours.get_mean_vector([pair, "w2"])


def test_a_known_word_of_weight_zero_is_known(ours: WordVectors) -> None:
    assert not ours.get_mean_vector(["nowhere", "w1"], [1, 0]).any()
    assert (ours.get_mean_vector(["w1", "w2"], np.array([1, 0])) == ours.get_mean_vector(["w1"])).all()


# gensim's own tests, adapted in the import alone.
GENSIMS = [
    "closer_than", "distance", "get_mean_vector", "load_model_and_vocab_file_ignore",
    "load_model_and_vocab_file_replace", "most_similar", "most_similar_cosmul_parameter_types",
    "most_similar_parameter_types", "most_similar_raises_keyerror", "most_similar_restrict_vocab",
    "most_similar_to_given", "most_similar_topn", "most_similar_vector", "most_similar_with_vector_input", "rank",
    "relative_cosine_similarity", "similar_by_vector", "similar_by_word", "similarity", "vectors_for_all_list",
]  # fmt: skip


# Those that are left out, and what in them is not here.
LEFT_OUT = {
    "add_multiple": "vectors are read-only, so what is cached stays true",
    "add_single": "the same",
    "add_type": "the same; there are no vectors without words",
    "load_model_and_vocab_file_strict": "wants a UnicodeDecodeError; ours is a FormatError, also a ValueError",
    "no_header": "the same as add_multiple, to make its file; test_word2vec_format.py has files without a header",
    "save_reload": "the same; test_word2vec_format.py has files that each writes and the other reads",
    "set_item": "the same",
    "vectors_for_all_with_copy_vecattrs": "wants counts that gensim makes up where the file has none",
    "vectors_for_all_without_copy_vecattrs": "the same",
}


def run_gensims(name: str, monkeypatch: pytest.MonkeyPatch) -> unittest.TestResult:
    theirs = pytest.importorskip("gensim.test.test_keyedvectors", reason="this gensim comes without its tests")
    monkeypatch.setattr(theirs, "KeyedVectors", WordVectors)
    monkeypatch.setattr(theirs.gensim.models, "KeyedVectors", WordVectors)
    result = unittest.TestResult()
    theirs.TestKeyedVectors(f"test_{name}").run(result)
    assert result.testsRun == 1
    return result


@pytest.mark.parametrize("name", GENSIMS)
def test_gensims_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_gensims(name, monkeypatch)
    assert not result.errors + result.failures + result.skipped


@pytest.mark.parametrize("name", LEFT_OUT)
def test_gensims_own_that_are_left_out_do_not_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_gensims(name, monkeypatch)
    assert result.errors + result.failures


def test_each_of_gensims_own_is_run_or_left_out_with_a_reason() -> None:
    theirs = pytest.importorskip("gensim.test.test_keyedvectors", reason="this gensim comes without its tests")
    names = unittest.TestLoader().getTestCaseNames(theirs.TestKeyedVectors)
    # Its other classes test a function for the chunks of a file, and an archive of an old version's pickles.
    assert sorted(names) == sorted(f"test_{name}" for name in [*GENSIMS, *LEFT_OUT])
