"""WordVectors against gensim, hand-made answers and misuse."""

from __future__ import annotations

import copy
import doctest
import inspect
import math
import pickle
import time
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.vector_files import as_gensim
from xw2v.errors import (
    ConfigError,
    FormatError,
    MixedArraysError,
    NumericalError,
    ShapeError,
    UnknownWordError,
    XW2VError,
)
from xw2v.gensim_names import OF_VECTORS
from xw2v.tensors import first_bad_row
from xw2v.vectors import lookup, nearest, searches, similarities, word_vectors
from xw2v.vectors.model_folder import save_model_folder
from xw2v.vectors.word_vectors import WordVectors


def make(V: int = 50, D: int = 8, seed: int = 0) -> WordVectors:
    rng = np.random.default_rng(seed)
    return WordVectors([f"w{i}" for i in range(V)], rng.standard_normal((V, D)).astype(np.float32))


def assert_same_answers(ours: list[tuple[str, float]], theirs: list[tuple[str, float]]) -> None:
    assert [word for word, _ in ours] == [word for word, _ in theirs]
    np.testing.assert_allclose([c for _, c in ours], [c for _, c in theirs], atol=1e-6)


def test_examples_in_docstrings() -> None:
    attempted = 0
    for module in (word_vectors, lookup, similarities, searches):
        result = doctest.testmod(module)
        assert result.failed == 0
        attempted += result.attempted
    assert attempted > 60


# --- construction and lookup ---


def test_attributes() -> None:
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    wv = WordVectors(["a", "b", "c"], vectors, counts=[5, 3, 2])
    assert (len(wv), wv.vector_size) == (3, 2)
    assert wv.index_to_key == ["a", "b", "c"]
    assert wv.key_to_index == {"a": 0, "b": 1, "c": 2}
    assert wv.vectors.dtype == np.float32
    assert np.shares_memory(wv.vectors, vectors)
    assert wv.counts is not None
    assert wv.counts.dtype == np.int64
    assert wv.counts.tolist() == [5, 3, 2]
    assert WordVectors(["a"], [[1.0]]).counts is None


def test_lookup() -> None:
    wv = make()
    np.testing.assert_array_equal(wv["w3"], wv.vectors[3])
    np.testing.assert_array_equal(wv[["w3", "w1", "w3"]], wv.vectors[[3, 1, 3]])
    assert wv[[]].shape == (0, 8)
    assert "w3" in wv
    assert "x" not in wv
    assert 3 not in wv
    assert ["w3"] not in wv  # unhashable, and still only False


def test_a_change_of_the_vectors_is_refused_since_unit_vectors_would_not_follow() -> None:
    source = np.ones((2, 2), dtype=np.float32)
    wv = WordVectors(["a", "b"], source)
    with pytest.raises(ValueError, match="read-only"):
        wv["a"][0] = 9
    source[0] = 2  # the caller's own array stays writable
    assert source.flags.writeable


@pytest.mark.parametrize("key", [3.0, None, True])
def test_only_strings_and_integers_are_keys(key: Any) -> None:
    with pytest.raises(UnknownWordError, match="is not a word; wanted a string or an integer key"):
        make()[key]


@pytest.mark.parametrize("key", [3, np.int64(3), np.uint8(3)])
def test_an_integer_is_a_key_and_never_a_row(key: Any) -> None:
    with pytest.raises(UnknownWordError, match=r"3\)? is not in the vocabulary.*never a row"):
        make()[key]
    items = WordVectors([30, "3", np.int64(-2)], np.eye(3))
    assert items.index_to_key == ["30", "3", "-2"]
    assert items.get_index(key) == 1
    assert key in items
    assert -2 in items
    assert 0 not in items
    assert items[[key, 30]].tolist() == [[0, 1, 0], [1, 0, 0]]
    assert [word for word, _ in items.most_similar(key)] == ["30", "-2"]


@pytest.mark.parametrize(
    ("words", "vectors", "error", "match"),
    [
        (["a", "b"], np.ones(2), ShapeError, r"shape \(2, D\)"),
        (["a", "b"], np.ones((3, 2)), ShapeError, r"got \(3, 2\)"),
        (["a", "b"], np.ones((2, 0)), ShapeError, "D > 0"),
        (["a", "b"], [[1.0], [1.0, 2.0]], ShapeError, "differ in length"),
        (["a", "a"], np.ones((2, 2)), ConfigError, "'a' comes more than once"),
        (["a", 1.5], np.ones((2, 2)), ConfigError, "must be strings or integers; got 1.5 of type float"),
        (["a", "b"], np.array([[1, 2], [np.nan, 1]]), NumericalError, r"'b' \(row 1\)"),
        (["a", "b"], np.array([[1, np.inf], [1, 1]]), NumericalError, r"'a' \(row 0\)"),
        (["a", "b"], np.array([[1, 1e300], [1, 1]]), NumericalError, r"'a' \(row 0\)"),
        (["a", "b"], np.ones((2, 2), dtype=complex), MixedArraysError, "complex128"),
        (["a", "b"], [["x"], ["y"]], MixedArraysError, "real numbers"),
    ],
)
def test_bad_arguments(words: Any, vectors: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        WordVectors(words, vectors)


def test_an_array_that_will_not_come_to_the_host() -> None:
    class OnDevice:
        shape = (2, 2)

        def __array__(self, *args: Any, **kwargs: Any) -> Any:
            raise TypeError

    with pytest.raises(MixedArraysError, match=r"OnDevice of shape \(2, 2\), copy it to the host"):
        WordVectors(["a", "b"], OnDevice())


@pytest.mark.parametrize("counts", [[3, -1], np.array([3, 2**63], np.uint64)])
def test_counts_that_no_file_would_be_read_with(counts: Any) -> None:
    with pytest.raises(
        ShapeError, match=r"counts must be integers from 0 to 2\*\*63 - 1; got (-1|9223372036854775808)"
    ):
        WordVectors(["a", "b"], np.ones((2, 2)), counts)


@pytest.mark.parametrize("counts", [[1], [1.5, 2.0], [[1, 2]]])
def test_bad_counts(counts: Any) -> None:
    with pytest.raises(ShapeError, match="counts must be 2 integers"):
        WordVectors(["a", "b"], np.ones((2, 2)), counts)


def test_first_bad_row_is_found_beyond_the_first_block() -> None:
    vectors = np.ones((3000, 1000), dtype=np.float32)
    vectors[2500, 999] = np.nan
    with pytest.raises(NumericalError, match="row 2500"):
        WordVectors([str(i) for i in range(3000)], vectors)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_first_bad_row_is_the_first_whoever_looks(workers: int) -> None:
    vectors = np.ones((40_000, 500), dtype=np.float32)
    assert first_bad_row(vectors, workers) is None
    vectors[[39_999, 8_390, 30_000], 7] = [np.inf, np.nan, -np.inf]
    assert first_bad_row(vectors, workers) == 8_390


def test_lengths_of_a_table_of_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((40_000, 300), dtype=np.float32)
    vectors[[0, 20_000, 39_999]] *= np.float32(1e-30)
    vectors[[1, 20_001, 39_998]] *= np.float32(1e30)
    wanted = np.linalg.norm(vectors.astype(np.float64), axis=1)
    for cores in (1, 3):
        monkeypatch.setattr(nearest, "usable_cores", lambda cores=cores: cores)
        np.testing.assert_allclose(nearest.row_lengths(vectors), wanted, rtol=1e-5)


def test_rows_wider_than_a_block() -> None:
    wide = np.full((3, 2**18 + 1), 0.5, dtype=np.float32)
    np.testing.assert_allclose(nearest.row_lengths(wide), 256.0, rtol=1e-5)
    np.testing.assert_allclose(nearest.unit_rows(wide), 1 / 512, rtol=1e-5)


def test_no_second_table_is_made_where_lengths_are_ordinary() -> None:
    rows = make().vectors
    assert nearest.scaled(rows, nearest.row_lengths(rows)).table is rows
    for factor in (1e-20, 1e20):
        extreme = rows * np.float32(factor)
        unit, factors = nearest.scaled(extreme, nearest.row_lengths(extreme))
        np.testing.assert_allclose(unit * factors[:, None], nearest.unit_rows(rows), atol=1e-6)
        np.testing.assert_array_equal(factors, np.ones(50, np.float32), strict=True)


def test_words_of_an_array_are_plain_strings() -> None:
    wv = WordVectors(np.array(["a", "b"]), np.eye(2))
    assert repr(wv) == "WordVectors(2 words, vector_size=2: 'a', 'b')"
    assert repr(wv.most_similar("a")) == "[('b', 0.0)]"


def test_repr() -> None:
    assert repr(make()) == "WordVectors(50 words, vector_size=8: 'w0', 'w1', 'w2', 'w3', ...)"


def test_no_words_at_all() -> None:
    wv = WordVectors([], np.empty((0, 3)))
    assert len(wv) == 0
    assert wv.most_similar(np.ones(3)) == []
    with pytest.raises(UnknownWordError, match="vocabulary of 0 words"):
        wv["a"]


# --- unknown words ---


def test_unknown_word_names_near_spellings() -> None:
    wv = WordVectors(["king", "queen", "quiet", "Paris"], np.eye(4))
    with pytest.raises(UnknownWordError) as caught:
        wv["quene"]
    assert str(caught.value).startswith("'quene' is not in the vocabulary of 4 words; nearest spellings: queen")
    with pytest.raises(KeyError, match="nearest spellings: Paris"):
        wv.similarity("paris", "king")
    with pytest.raises(UnknownWordError, match=r"ndarray of shape \(4,\) is not a word; .*similar_by_vector"):
        wv.similarity("king", wv.vectors[0])
    with pytest.raises(
        UnknownWordError,
        match=r"float32\(1\.0\) is not a word; wanted a string or an integer key; a vector is an array",
    ):
        wv[wv.vectors[0]]
    with pytest.raises(UnknownWordError, match=r"nearest spellings: 'king\\n'$"):
        WordVectors(["king\n"], np.eye(1))["king"]
    with pytest.raises(UnknownWordError, match=r"vocabulary of 4 words$"):
        wv["xyzzyxyzzy"]


def test_a_text_that_is_no_word_is_not_repeated_whole() -> None:
    with pytest.raises(KeyError) as caught:
        WordVectors(["a"], [[1.0]])["a text " * 10_000]
    assert str(caught.value).startswith("'a text a text")
    assert str(caught.value).endswith("'... (70,000 characters) is not in the vocabulary of 1 words")
    assert len(str(caught.value)) < 200


def test_unknown_word_error_pickles_without_the_vocabulary() -> None:
    wv = WordVectors([f"word{i}" for i in range(5000)], np.ones((5000, 1)))
    with pytest.raises(UnknownWordError) as caught:
        wv["word5000"]
    packed = pickle.dumps(caught.value)
    assert len(packed) < 500
    assert str(pickle.loads(packed)) == str(caught.value)


def test_spellings_are_looked_for_only_when_read() -> None:
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = list(dict.fromkeys("".join(rng.choice(letters, 7)) for _ in range(20_000)))
    wv = WordVectors(words, np.ones((len(words), 1)))
    start = time.perf_counter()
    for _ in range(1000):
        with pytest.raises(UnknownWordError):
            wv["aaaaaaab"]
    assert time.perf_counter() - start < 1.0  # read each time, this takes some ten seconds


# --- most_similar ---


@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        ("w1", ()),
        (["w1"], ["w2"]),
        (["w1", "w2", "w3"], "w4"),
        ([("w1", 0.5), "w2"], [("w3", -2.0)]),
        (["w1", "w1"], []),
        ([], ["w5"]),
    ],
)
@pytest.mark.parametrize("topn", [1, 10, 100])
def test_most_similar_is_gensims(positive: Any, negative: Any, topn: int) -> None:
    wv = make()
    theirs = as_gensim(wv).most_similar(positive=positive, negative=negative or None, topn=topn)
    assert_same_answers(wv.most_similar(positive, negative, topn=topn), theirs)


def test_most_similar_to_vectors_is_gensims() -> None:
    wv = make()
    keyed = as_gensim(wv)
    vector = 3 * wv["w7"] + 1
    assert_same_answers(wv.most_similar(vector), keyed.most_similar(vector))
    assert_same_answers(wv.most_similar([vector, "w2"], [wv["w3"]]), keyed.most_similar([vector, "w2"], [wv["w3"]]))
    assert wv.most_similar(wv["w7"], topn=1)[0][0] == "w7"  # only words are left out, not vectors


@pytest.mark.parametrize("limit", [None, 0, 1, 7, 1000])
def test_restrict_vocab_is_gensims(limit: int | None) -> None:
    wv = make()
    theirs = as_gensim(wv).most_similar("w3", restrict_vocab=limit)
    assert_same_answers(wv.most_similar("w3", restrict_vocab=limit), theirs)


def test_most_similar_by_hand() -> None:
    wv = WordVectors(["a", "b", "c", "d"], [[1, 0], [1, 1], [0, 3], [-2, 0]])
    answer = wv.most_similar("a")
    assert [word for word, _ in answer] == ["b", "c", "d"]
    np.testing.assert_allclose([cosine for _, cosine in answer], [0.5**0.5, 0, -1], atol=1e-7)
    assert all(type(cosine) is float for _, cosine in answer)
    assert wv.most_similar("a", topn=0) == []


def test_cosines_are_those_of_longer_vectors() -> None:
    wv, short = make(), WordVectors(make().index_to_key, make().vectors / 1000)
    assert_same_answers(short.most_similar(["w1", "w2"], "w3"), wv.most_similar(["w1", "w2"], "w3"))
    assert_same_answers(short.most_similar(short["w7"]), wv.most_similar(wv["w7"]))


def test_products_are_of_cosines_whatever_the_length_of_a_given_vector() -> None:
    wv = WordVectors(["east", "north", "west"], [[1, 0], [0, 1], [-1, 0]])
    for length in (1e-9, 1, 10):
        east = np.array([length, 0.0])
        found = wv.most_similar_cosmul([east, east], [np.array([0.0, length])])
        assert [word for word, _ in found] == ["east", "north", "west"]
        np.testing.assert_allclose([score for _, score in found], [2, 0.25, 0], atol=1e-5)


def test_equal_cosines_come_in_the_vocabularys_order() -> None:
    wv = WordVectors([f"w{i}" for i in range(100)], np.ones((100, 3)))
    assert [word for word, _ in wv.most_similar("w50", topn=5)] == ["w0", "w1", "w2", "w3", "w4"]
    assert [word for word, _ in wv.most_similar_batch(["w0"], topn=3)[0]] == ["w1", "w2", "w3"]
    three = WordVectors([f"w{i}" for i in range(500)], [[i % 3, 1] for i in range(500)])
    expected = [f"w{i}" for rest in (2, 1, 0) for i in range(500) if i % 3 == rest]
    assert [word for word, _ in three.most_similar(np.array([1.0, 0.0]), topn=400)] == expected[:400]


def test_zero_and_extreme_vectors_give_no_nan() -> None:
    wv = WordVectors(["zero", "huge", "tiny", "one"], [[0.0, 0.0], [3e38, 3e38], [1e-40, 0.0], [1.0, 1.0]])
    for word in wv.index_to_key:
        assert np.isfinite([cosine for _, cosine in wv.most_similar(word)]).all()
    assert wv.similarity("zero", "one") == 0.0
    assert wv.similarity("zero", "zero") == 0.0
    assert wv.similarity("huge", "one") == pytest.approx(1)
    assert wv.similarity("tiny", "one") == pytest.approx(0.5**0.5)
    assert wv.most_similar("zero", topn=1)[0][1] == 0.0
    assert wv.most_similar(["one"], ["one"], topn=1) == [("zero", 0.0)]
    assert WordVectors.cosine_similarities([3.0, 4.0], [[0.0, 0.0], [6.0, 8.0]]).tolist() == [0.0, 1.0]
    assert WordVectors.cosine_similarities([0.0, 0.0], [[6.0, 8.0]]).tolist() == [0.0]
    found = wv.cosine_similarities(wv["huge"], wv.vectors)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [0, 1, 0.5**0.5, 1], rtol=1e-6)
    small = np.array([[100, 100], [100, -100]], np.int8)
    np.testing.assert_allclose(WordVectors.cosine_similarities(small[0], small), [1, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("positive", "error", "match"),
    [
        ((), ConfigError, "at least one"),
        (None, ConfigError, "at least one"),
        (5.5, ConfigError, "got 5.5"),
        ([5], UnknownWordError, "never a row"),
        ("nowhere", UnknownWordError, "'nowhere' is not in"),
        (np.ones(3), ShapeError, r"8 finite numbers; got ndarray of shape \(3,\)"),
        (np.full(8, np.nan), ShapeError, "8 finite"),
        ([("w1", np.nan)], ConfigError, "weight"),
        ([("w1", "w2")], ConfigError, "weight"),
    ],
)
def test_most_similar_refuses(positive: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        make().most_similar(positive)


def test_negative_restrict_vocab_is_refused() -> None:
    with pytest.raises(ConfigError, match="restrict_vocab must be None or at least 0; got -1"):
        make().most_similar("w1", restrict_vocab=-1)


@pytest.mark.parametrize("chunk", [4, 7, 512])
@pytest.mark.parametrize("block", [1, 120, 2**24])
def test_batch_gives_the_single_answers(block: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "_BLOCK_NUMBERS", block)
    monkeypatch.setattr(nearest, "_CHUNK", chunk)
    wv = make()
    words = ["w3", "w49", "w3", "w0", "w20"]
    answers = wv.most_similar_batch(words, topn=4)
    assert len(answers) == 5
    for word, answer in zip(words, answers, strict=True):
        assert_same_answers(answer, wv.most_similar(word, topn=4))
    assert [len(row) for row in wv.most_similar_batch(words, topn=500)] == [49] * 5
    assert wv.most_similar_batch(words, topn=0) == [[]] * 5
    assert wv.most_similar_batch([]) == []


def test_similarity_doesnt_match_and_analogy_are_gensims() -> None:
    wv = make()
    keyed = as_gensim(wv)
    assert wv.similarity("w1", "w2") == pytest.approx(float(keyed.similarity("w1", "w2")), abs=1e-6)
    for start in range(0, 45, 5):
        words = [f"w{i}" for i in range(start, start + 5)]
        assert wv.doesnt_match(words) == keyed.doesnt_match(words)
    assert wv.analogy("w1", "w2", "w3", topn=3) == wv.analogy("w1", "w2", "w3")[:3]
    assert_same_answers(wv.analogy("w1", "w2", "w3"), keyed.most_similar(positive=["w2", "w3"], negative=["w1"]))
    with pytest.raises(ConfigError, match="at least one word"):
        wv.doesnt_match([])


def shortest_moves(a: list[int], b: list[int], costs: np.ndarray) -> float:
    """The word mover's distance by trying every way to pair as many copies of both lists' words as either has."""
    many = math.lcm(len(a), len(b))
    left, right = a * (many // len(a)), b * (many // len(b))
    return min(float(costs[left, order].sum()) for order in map(list, permutations(right))) / many


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize(
    ("a", "b"), [([1], [2]), ([1, 1, 2], [3]), ([1, 2, 3], [3, 1, 4]), ([5, 6], [7, 8, 5, 5, 9, 5])]
)
def test_word_movers_distance(a: list[int], b: list[int], norm: bool) -> None:
    wv = make()
    rows = wv.vectors.astype(np.float64)
    if norm:
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    costs = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    found = wv.wmdistance([f"w{i}" for i in a], [*(f"w{i}" for i in b), "unknown"], norm=norm)
    assert found == pytest.approx(shortest_moves(a, b, costs), rel=1e-9)


def test_word_movers_distance_of_odd_lists() -> None:
    wv = WordVectors(["a", "b", "c"], [[1e30, 0], [0, 1e30], [1e-30, 0]])
    assert wv.wmdistance(["a", "b"], ["b", "a", "b", "a"], norm=False) == 0.0
    assert wv.wmdistance(["c"], ["c"]) == 0.0
    assert wv.wmdistance(["a"], ["b"], norm=False) == pytest.approx(2**0.5 * 1e30)
    assert wv.wmdistance(["a"], ["unknown"]) == wv.wmdistance([], ["a"]) == np.inf
    with pytest.raises(ConfigError, match="a list of words is wanted; got 'a b'"):
        wv.wmdistance("a b", ["a"])


# --- files ---


def test_save_and_load(tmp_path: Path) -> None:
    wv = WordVectors(["new york", "\n", "žluť"], [[1, 2], [3, 4], [5, 6]], counts=[3, 2, 1])
    wv.save(tmp_path / "m")
    for mmap in (True, False):
        back = WordVectors.load(tmp_path / "m", mmap=mmap)
        assert back.index_to_key == wv.index_to_key
        np.testing.assert_array_equal(back.vectors, wv.vectors)
        assert back.counts is not None
        assert back.counts.tolist() == [3, 2, 1]
        assert back.similarity("new york", "žluť") == pytest.approx(wv.similarity("new york", "žluť"))
    back.save(tmp_path / "m")  # onto the folder that it is mapped from
    np.testing.assert_array_equal(WordVectors.load(tmp_path / "m").vectors, wv.vectors)


def test_save_counts_that_are_a_view(tmp_path: Path) -> None:
    WordVectors(["a", "b"], [[1, 2], [3, 4]], counts=np.array([1, 7])[::-1]).save(tmp_path / "m")
    assert WordVectors.load(tmp_path / "m").get_vecattr("a", "count") == 7


def test_load_takes_the_centre_vectors_of_a_whole_model_and_never_overwrites_it(tmp_path: Path) -> None:
    tables = {"center_vectors": np.ones((2, 3)), "outside_vectors": np.zeros((2, 3))}
    save_model_folder(tmp_path / "m", tables, ["a", "b"], None, {})
    wv = WordVectors.load(tmp_path / "m")
    np.testing.assert_array_equal(wv.vectors, np.ones((2, 3)))
    with pytest.raises(XW2VError, match="table 'outside_vectors' would be lost"):
        wv.save(tmp_path / "m")


@pytest.mark.parametrize("binary", [False, True])
def test_word2vec_format(tmp_path: Path, binary: bool) -> None:
    wv = make()
    wv.save_word2vec_format(tmp_path / "v", binary=binary)
    back = WordVectors.load_word2vec_format(tmp_path / "v", binary=binary)
    assert back.index_to_key == wv.index_to_key
    np.testing.assert_array_equal(back.vectors, wv.vectors)
    assert len(WordVectors.load_word2vec_format(tmp_path / "v", binary=binary, limit=7)) == 7
    with pytest.raises(FormatError, match="new york"):
        WordVectors(["new york"], [[1.0]]).save_word2vec_format(tmp_path / "w", binary=binary)


def small() -> WordVectors:
    return WordVectors(["a", "b", "c", "d"], [[1, 0], [2, 1], [0, 1], [-1, 1]])


@pytest.mark.parametrize("topn", [2.5, 2.0, "3", [1]], ids=repr)
def test_how_many_is_an_integer(topn: Any) -> None:
    for ask in (small().most_similar, small().most_similar_cosmul, small().similar_by_word):
        with pytest.raises(ConfigError, match="topn must be an integer, or None for the scores of all words; got"):
            ask("a", topn=topn)
        with pytest.raises(ConfigError, match="restrict_vocab must be an integer, or None for all words; got"):
            ask("a", restrict_vocab=topn)
    with pytest.raises(ConfigError, match="topn must be an integer, or None for all words; got"):
        small().most_similar_batch(["a"], topn=topn)


@pytest.mark.parametrize("method", ["most_similar", "most_similar_cosmul"])
def test_words_that_can_be_gone_through_once(method: str) -> None:
    ask = getattr(small(), method)
    assert ask(iter(["a", "c"]), iter(["b"])) == ask(["a", "c"], ["b"])


@pytest.mark.parametrize("method", ["most_similar", "most_similar_cosmul"])
def test_the_scores_of_all_words_are_float32(method: str) -> None:
    scores = getattr(small(), method)(["a", "b"], ["c"], topn=None)
    assert (scores.dtype, scores.shape) == (np.float32, (4,))


def test_integers_of_numpy_and_none() -> None:
    two: Any = np.int64(2)
    assert small().most_similar("a", topn=two) == small().most_similar("a", topn=2)
    assert small().most_similar("a", restrict_vocab=two) == small().most_similar("a", restrict_vocab=2)
    assert small().most_similar("a", topn=-1) == small().most_similar("a", topn=0) == []
    assert small().most_similar_batch(["a"], topn=None) == [small().most_similar("a", topn=3)]


@pytest.mark.parametrize("words", ["a b c", b"a", 3, None], ids=repr)
def test_a_string_is_no_list_of_words(words: Any) -> None:
    for ask in (small().doesnt_match, small().rank_by_centrality, small().most_similar_batch):
        with pytest.raises(ConfigError, match="a list of words is wanted; got "):
            ask(words)
    if isinstance(words, bytes):
        with pytest.raises(ConfigError, match="wanted a word, a vector or a list of these; got b'a'"):
            small().most_similar(words)


def test_words_are_what_one_iterates_over(tmp_path: Path) -> None:
    assert list(small()) == ["a", "b", "c", "d"]
    small().save(tmp_path / "v")
    assert [word in small() for word in WordVectors.load(tmp_path / "v")] == [True] * 4


def test_words_and_rows_are_not_changed_from_outside() -> None:
    wv = small()
    assert (wv.index_to_key, wv.key_to_index) == (["a", "b", "c", "d"], {"a": 0, "b": 1, "c": 2, "d": 3})
    assert type(copy.copy(wv.index_to_key)) is type(wv.index_to_key.copy()) is list
    assert type(pickle.loads(pickle.dumps(wv)).key_to_index["d"]) is int
    for change in (
        lambda: wv.index_to_key.sort(),
        lambda: wv.index_to_key.__setitem__(0, "z"),
        lambda: wv.key_to_index.update(a=3),
        lambda: wv.key_to_index.pop("a"),
    ):
        with pytest.raises(TypeError, match=r"stay as they are: change a copy, list\(wv.index_to_key\)"):
            change()


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("vocab", "use key_to_index"),
        ("index2word", "use index_to_key"),
        ("add_vector", r"make others: WordVectors\(words, vectors, counts\)"),
        ("words_closer_than", "use closer_than"),
        ("word_vec", "use get_vector"),
        ("similarity_unseen_docs", "n_similarity, which leaves unknown words out"),
        ("nonsense", "has no attribute 'nonsense'$"),
    ],
)
def test_names_of_gensim_that_are_not_there(name: str, way: str) -> None:
    with pytest.raises(AttributeError, match=way):
        getattr(small(), name)


@pytest.mark.parametrize(
    ("call", "way"),
    [
        (lambda wv: wv.similarity(w1="a", w2="b"), "similarity has no argument 'w[12]': use [ab]=$"),
        (lambda wv: wv.rank("a", key2="b"), "rank has no argument 'key2': use other=$"),
        (lambda wv: wv.n_similarity(ws1=["a"], others=["b"]), "'ws1': use words=$"),
        (lambda wv: wv.most_similar("a", clip_end=5), "restrict_vocab=n searches the first n words$"),
        (lambda wv: wv.similar_by_key(key="a"), "similar_by_key has no argument 'key': use word=$"),
        (lambda wv: wv.evaluate_word_pairs(pairs="p.tsv"), "evaluate_word_pairs has no argument 'pairs': use path=$"),
        (lambda wv: wv.cosine_similarities(vector_1=[1], vectors=[[1]]), "'vector_1': use vector=$"),
        (lambda wv: type(wv).load_word2vec_format(fname="v.txt"), "'fname': use path=$"),
        (lambda wv: type(wv)(vector_size=5), r"^WordVectors has no argument .* WordVectors\(words, vectors\)$"),
    ],
)
def test_arguments_of_gensim_lead_on(call: Callable[[WordVectors], object], way: str) -> None:
    with pytest.raises(ConfigError, match=way):
        call(small())


def test_every_argument_of_gensims_is_taken_or_leads_on() -> None:
    keyed = pytest.importorskip("gensim.models", reason="gensim is the reference here").KeyedVectors
    ways = OF_VECTORS
    for name, theirs in inspect.getmembers(keyed, inspect.isroutine):
        if not hasattr(WordVectors, name) or (name.startswith("_") and name != "__init__"):
            continue
        ours = inspect.signature(getattr(WordVectors, name)).parameters
        for argument, given in inspect.signature(theirs).parameters.items():
            if given.kind in (given.VAR_POSITIONAL, given.VAR_KEYWORD):
                continue
            assert (argument in ours) != (argument in ways.get(name, {})), (name, argument)


def test_ways_name_arguments_that_are_there() -> None:
    for name, ways in OF_VECTORS.items():
        for way in ways.values():
            if way.startswith("use ") and way.endswith("="):
                assert way[4:-1] in inspect.signature(getattr(WordVectors, name)).parameters


def test_a_list_of_numbers_is_no_question() -> None:
    with pytest.raises(UnknownWordError, match=r"^0.5 is not a word; .* a vector is an array: numpy.array\(numbers\)"):
        small().most_similar([0.5, 1.0])
