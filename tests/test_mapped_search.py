"""Searches of a mapped model: by the lengths in its folder, which are believed no further than they can be seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.vector_files import Floats
from xw2v.conventions import mean_vectors
from xw2v.errors import NumericalError
from xw2v.tensors import read_tensors, write_tensors
from xw2v.vectors import lookup, nearest
from xw2v.vectors.model_folder import TABLES, VOCABULARY
from xw2v.vectors.nearest import agree, largest
from xw2v.vectors.packed_words import PackedWords
from xw2v.vectors.word_vectors import WordVectors

V, D = 700, 12
ODD = ["new york", "žluťoučký", "国王", "a\u00a0b", "🙂", "17", "-3", "", "\n", "nan"]
WORDS = ODD + [f"w{i}" for i in range(V - len(ODD))]
UNSEEN = 13  # a row that is not among those compared with the lengths of the file


def some_rows() -> Floats:
    rows = np.random.default_rng(5).standard_normal((V, D)).astype(np.float32)
    rows[20:40] *= 50  # so that lengths matter where they should not, and the other way round
    return rows


@pytest.fixture
def ours(tmp_path: Path) -> WordVectors:
    wv = WordVectors(WORDS, some_rows(), counts=np.arange(V)[::-1] // 3 + 1)
    wv.save(tmp_path / "m")
    return wv


def rewrite(path: Path, change: Any) -> None:
    arrays, metadata = read_tensors(path, mmap=False, kinds=("F32", "F64", "I64", "U8"))
    change(arrays)
    path.unlink()
    with path.open("xb") as file:
        write_tensors(file, arrays, metadata)


def test_a_mapped_model_answers_as_one_in_memory(ours: WordVectors, tmp_path: Path) -> None:
    for word in ODD:
        mapped = WordVectors.load(tmp_path / "m")
        np.testing.assert_array_equal(mapped[word], ours[word])
        assert mapped._rows is None  # no dict of all words for one
        assert "nowhere" not in mapped
        assert mapped.most_similar(word, topn=3) == ours.most_similar(word, topn=3)
        assert mapped._names is None
        assert mapped.index_to_key == WORDS
    mapped = WordVectors.load(tmp_path / "m")
    for word in WORDS[:200]:
        assert mapped.get_index(word) == ours.get_index(word)
    assert mapped._rows is not None  # made once it pays


QUESTIONS = {
    "most_similar": lambda wv: wv.most_similar(["国王", "w3"], ["🙂"], topn=700),
    "most_similar_cosmul": lambda wv: wv.most_similar_cosmul(["国王", "w3"], ["🙂"], topn=700),
    "restricted": lambda wv: wv.most_similar("w25", topn=9, restrict_vocab=60),
    "distances": lambda wv: wv.distances("w3").tolist(),
    "closer_than": lambda wv: wv.closer_than("w3", "w25"),
    "batch": lambda wv: wv.most_similar_batch(["国王", "w3", "w25"], topn=700),
    "unit_vectors": lambda wv: wv.unit_vectors.tolist(),
    "rank_by_centrality": lambda wv: wv.rank_by_centrality(["w25", "国王", "w3"]),
    "documents": lambda wv: mean_vectors(wv, [["w25", "w3"], []]).tolist(),
    "on": lambda wv: wv.on("numpy").most_similar_batch(["w25", "w3"]),
}


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("after", [None, *QUESTIONS])
def test_every_question_is_answered_alike(name: str, after: str | None, ours: WordVectors, tmp_path: Path) -> None:
    mapped = WordVectors.load(tmp_path / "m")
    if after is not None:
        QUESTIONS[after](mapped)
    assert QUESTIONS[name](mapped) == QUESTIONS[name](ours)


class _Counted:
    """An array that counts how often it is looked into."""

    def __init__(self, array: Any) -> None:
        self.array, self.looks = array, 0

    def __getitem__(self, where: Any) -> Any:
        self.looks += 1
        return self.array[where]


def test_a_long_word_is_not_looked_for_letter_by_letter() -> None:
    long = ["a" * 5000, "b" + "a" * 4999]
    words = PackedWords.of(["a", *long, "b", long[1]])
    assert [words.find(word) for word in (*long, "a", "b", "c", "", "c" * 5000)] == [1, 2, 0, 3, None, None, None]
    words = PackedWords.of(["a", long[0]])
    words.text = counted = _Counted(words.text)  # type: ignore[assignment]
    assert [words.find(word) for word in (long[0], long[1], "c" * 1_000_000)] == [1, None, None]
    assert counted.looks < 10


def test_lengths_in_the_folder_save_the_pass_over_all_rows(
    ours: WordVectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted(vectors: Floats) -> npt.NDArray[np.float64]:
        passes.append(len(vectors))
        return really(vectors)

    passes: list[int] = []
    really = nearest.row_lengths
    monkeypatch.setattr(nearest, "row_lengths", counted)
    monkeypatch.setattr(lookup, "row_lengths", counted)
    expected = ours.most_similar("w3")
    for mmap in (True, False):
        assert WordVectors.load(tmp_path / "m", mmap=mmap).most_similar("w3") == expected
    assert passes == [nearest._LOOKED_AT] * 2
    rewrite(tmp_path / "m" / VOCABULARY, lambda arrays: arrays.pop("center_lengths"))  # a folder of an older version
    assert WordVectors.load(tmp_path / "m").most_similar("w3") == expected
    assert passes[2:] == [V]


def test_lengths_that_are_not_of_these_rows_are_not_used(ours: WordVectors, tmp_path: Path) -> None:
    def normalize(arrays: dict[str, Any]) -> None:
        arrays["center_vectors"] = ours.unit_vectors

    rewrite(tmp_path / "m" / TABLES, normalize)
    unit = WordVectors(WORDS, ours.unit_vectors)
    assert WordVectors.load(tmp_path / "m").most_similar("w3", topn=700) == unit.most_similar("w3", topn=700)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", [name for name in QUESTIONS if name != "restricted"])
def test_a_row_that_is_not_finite_is_named_by_the_first_search(
    bad: float, name: str, ours: WordVectors, tmp_path: Path
) -> None:
    def spoil(arrays: dict[str, Any]) -> None:
        arrays["center_vectors"][UNSEEN, 4] = bad

    rewrite(tmp_path / "m" / TABLES, spoil)
    mapped = WordVectors.load(tmp_path / "m")
    assert mapped._said_lengths is not None
    assert agree(mapped._said_lengths, mapped.vectors)  # so only the search can tell
    for _ in range(2):
        with pytest.raises(NumericalError, match=rf"'w3' \(row {UNSEEN}\) is not"):
            QUESTIONS[name](mapped)


def test_lengths_so_wrong_that_a_cosine_is_none_are_taken_anew(ours: WordVectors, tmp_path: Path) -> None:
    def lengthen(arrays: dict[str, Any]) -> None:
        arrays["center_vectors"][UNSEEN] *= 50

    rewrite(tmp_path / "m" / TABLES, lengthen)
    rows = some_rows()
    rows[UNSEEN] *= 50
    query = rows[UNSEEN] + 0.1
    found = WordVectors.load(tmp_path / "m").most_similar([query], topn=700)
    assert found == WordVectors(WORDS, rows).most_similar([query], topn=700)


@pytest.mark.parametrize("V", [0, 1, 99, 100, 101, 5000])
def test_rows_looked_at_are_spread_over_the_table(V: int) -> None:
    rows = np.random.default_rng(V).standard_normal((V, 3)).astype(np.float32)
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    assert agree(lengths, rows)
    for row in {0, V - 1} if V else ():
        wrong = lengths.copy()
        wrong[row] *= 1.001
        assert not agree(wrong, rows)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 5000, 20_000])
@pytest.mark.parametrize("n", [0, 1, 3, 600, 30_000])
def test_largest_is_a_stable_sort(size: int, n: int) -> None:
    rng = np.random.default_rng(size)
    for numbers in (rng.standard_normal(size), rng.integers(0, 4, size), np.zeros(size)):
        values = numbers.astype(np.float32)
        found = largest(values, n)
        assert found.tolist() == np.argsort(-values, kind="stable")[:n].tolist()
