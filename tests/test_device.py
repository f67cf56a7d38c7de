"""Questions answered on a device against the same questions to `WordVectors`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Library
from xw2v import WordVectors
from xw2v.errors import ConfigError, IdRangeError, MixedArraysError, NumericalError, ShapeError, UnknownWordError
from xw2v.vectors import analogies, device

V, D = 50, 6
WORDS = [f"w{i}" for i in range(V)]


def vectors() -> np.ndarray:
    rng = np.random.default_rng(4)
    table = rng.standard_normal((V, D)).astype(np.float32)
    table[7] = 0  # no direction
    table[8] *= 1e30  # squares that leave float32
    table[9] *= 1e-30
    return table


def same(found: list[list[tuple[str, float]]], wanted: list[list[tuple[str, float]]]) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert [word for word, _ in one] == [word for word, _ in other]
        np.testing.assert_allclose([value for _, value in one], [value for _, value in other], atol=2e-6)


def test_neighbours_are_those_of_the_host(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_BLOCK_NUMBERS", 7 * V)  # several blocks, the last one smaller
    wv = WordVectors(WORDS, vectors())
    there = wv.on(library.asarray(vectors()))
    assert library.same_kind(there.unit_vectors)
    words = [word for word in WORDS if word != "w7"]
    same(there.most_similar_batch(words, topn=5), wv.most_similar_batch(words, topn=5))
    assert there.most_similar_batch([], topn=5) == []
    assert there.most_similar_batch(["w1"], topn=0) == there.most_similar_batch(["w1"], topn=-1) == [[]]
    assert len(there.most_similar_batch(["w1"], topn=99)[0]) == V - 1


def test_vectors_come_to_length_1_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    wv = WordVectors(WORDS, vectors())
    wanted = wv.on("numpy").unit_vectors
    monkeypatch.setattr(device, "_BLOCK_NUMBERS", 7 * D)
    np.testing.assert_array_equal(wv.on("numpy").unit_vectors, wanted)
    lengths = np.linalg.norm(wanted, axis=1)
    np.testing.assert_allclose(lengths, np.arange(V) != 7, rtol=1e-6)


def test_questions_are_asked_on_the_vectors_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may have taken another device meanwhile."""
    there = WordVectors(WORDS, vectors()).on("numpy")
    calls: list[str] = []
    monkeypatch.setattr(there._backend, "attach", lambda: calls.append("attach"))
    from_host = there._backend.from_host

    def asked(array: np.ndarray) -> Any:
        calls.append("asked")
        return from_host(array)

    monkeypatch.setattr(there._backend, "from_host", asked)
    there.nearest([1], 2)
    assert calls == ["attach", "asked"]


def test_analogies_are_those_of_the_host(library: Library) -> None:
    wv = WordVectors(WORDS, vectors())
    rng = np.random.default_rng(5)
    questions = [tuple(WORDS[i] for i in rng.choice(V, 3, replace=False)) for _ in range(40)]
    there = wv.on(library.asarray(vectors()))
    same(there.analogies(questions, topn=3), [wv.analogy(a, b, c, topn=3) for a, b, c in questions])
    assert len(there.analogies(questions[:1], topn=99)[0]) == V - 3


@pytest.mark.parametrize("struck_out", [64, 0])
def test_analogies_that_name_a_word_twice(library: Library, monkeypatch: pytest.MonkeyPatch, struck_out: int) -> None:
    monkeypatch.setattr(device, "_MOST_STRUCK_OUT", struck_out)
    for some in (1, 2, 3, 5):
        words = WORDS[:some]
        wv = WordVectors(words, vectors()[:some])
        questions = [(a, b, c) for a in words for b in words for c in words]
        there = wv.on(library.asarray(vectors()[:some]))
        for topn in (1, 3, 99):
            same(there.analogies(questions, topn), [wv.analogy(a, b, c, topn) for a, b, c in questions])
        same(there.analogies(questions, None), there.analogies(questions, some))


def test_questions_without_a_direction(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cosines with nothing are zero; and a block has a question, however many words there are."""
    monkeypatch.setattr(device, "_BLOCK_NUMBERS", V - 1)
    there = WordVectors(WORDS, vectors()).on(library.asarray(vectors()))
    found = there.most_similar_batch(["w7", "w1"], topn=3)
    assert [value for _, value in found[0]] == [0, 0, 0]
    assert found[1][0][1] > 0.5


def test_a_backend_takes_the_vectors_along() -> None:
    wv = WordVectors(WORDS, vectors())
    places, cosines = wv.on("numpy").nearest([3, 4], 2)
    assert places.shape == cosines.shape == (2, 2)
    assert wv.most_similar(WORDS[3], topn=1)[0][0] == WORDS[places[0, 0]]


def test_all_other_words(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    wv = WordVectors(WORDS, vectors())
    on_device = wv.on(library.asarray(vectors()))
    sorted_at_once = on_device.most_similar_batch(WORDS[:4], topn=None)
    assert [len(row) for row in sorted_at_once] == [V - 1] * 4
    monkeypatch.setattr(device, "_MOST_STRUCK_OUT", 5)
    assert on_device.most_similar_batch(WORDS[:4], topn=None) == sorted_at_once
    assert on_device.most_similar_batch(WORDS[:4], topn=7) == [row[:7] for row in sorted_at_once]
    question = (WORDS[1], WORDS[2], WORDS[3])
    assert len(on_device.analogies([question], topn=None)[0]) == V - 3


def test_what_is_no_question() -> None:
    on_device = WordVectors(WORDS, vectors()).on("numpy")
    for questions in ([tuple(WORDS[:4])] * 3, [tuple(WORDS[:2]), tuple(WORDS[:4])]):
        with pytest.raises(ConfigError, match="a question is three words"):
            on_device.analogies(questions)  # type: ignore[arg-type]
    for row in (-1, V):
        with pytest.raises(IdRangeError, match=rf"rows must be in 0 .. {V - 1}, one is {row}"):
            on_device.nearest([0, row], 1)
    with pytest.raises(ConfigError, match="topn must be an integer"):
        on_device.most_similar_batch(WORDS[:2], topn=2.5)  # type: ignore[arg-type]
    assert WordVectors([], np.zeros((0, 3))).on("numpy").most_similar_batch([]) == []


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_an_array_that_is_not_finite_is_refused(library: Library, number: float) -> None:
    table = vectors()
    table[3, 2] = number
    with pytest.raises(NumericalError, match="NaN or infinity"):
        WordVectors(WORDS, vectors()).on(library.asarray(table))


def test_what_does_not_fit_is_refused() -> None:
    wv = WordVectors(WORDS, vectors())
    with pytest.raises(ShapeError, match=r"\(50, D\), one row a word; got \(3, 6\)"):
        wv.on(np.ones((3, 6), np.float32))
    with pytest.raises(MixedArraysError, match="floating-point numbers; got an array of int64"):
        wv.on(np.ones((V, D), np.int64))
    with pytest.raises(UnknownWordError, match="nobody"):
        wv.on("numpy").most_similar_batch(["nobody"])


def test_files_are_scored_as_on_the_host(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs, and questions by sums and by products, some with words of which there are variants in other case."""
    monkeypatch.setattr(analogies, "_BLOCK_NUMBERS", 7 * V)
    monkeypatch.setattr(analogies, "_DEVICE_BLOCK_NUMBERS", 9 * V)
    words = [*WORDS[:40], *(word.upper() for word in WORDS[:10])]
    table = vectors()
    table[40:] = table[:10] * 2 + 0.01  # variants come nearest to their words
    table[7] = table[8]
    rng = np.random.default_rng(6)
    offsets = table[20:40:2] - table[21:40:2]
    table[20:40:2] -= 0.8 * (offsets - offsets[0])  # so that some answers are right
    wv = WordVectors(words, table)
    pairs, questions = tmp_path / "pairs.tsv", tmp_path / "questions.txt"
    # Words 7 and 8 are one vector, a word is its own: such pairs tie, or all but, by the order in which a library sums.
    pairs_of_words = [(i, j) for i, j in rng.integers(0, V, (80, 2)) if i != j and 8 not in (i, j)]
    pairs.write_text("".join(f"{words[i]}\t{words[j]}\t{rng.random():.3f}\n" for i, j in pairs_of_words))
    asked = [rng.choice(V, 4, replace=False) for _ in range(40)]
    asked += [np.array([i, i + 1, j, j + 1]) for i in range(20, 40, 2) for j in range(20, 40, 2) if i != j]
    questions.write_text(": all\n" + "".join(" ".join(words[i] for i in rows) + "\n" for rows in asked))
    there = wv.on(library.asarray(table))
    found, wanted = there.evaluate([pairs, questions]), wv.evaluate([pairs, questions])
    assert [one[:2] + one[5:8] for one in found] == [one[:2] + one[5:8] for one in wanted]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one[2:5], other[2:5], atol=1e-6)
    assert all(0.1 < one.score < 0.99 for one in wanted[1:]), [one.score for one in wanted]
    assert there.evaluate_word_analogies(questions, restrict_vocab=30) == wv.evaluate_word_analogies(
        questions, restrict_vocab=30
    )


def test_vectors_on_a_device_are_shown_with_where_they_are() -> None:
    assert repr(WordVectors(["a", "b"], [[1, 2], [3, 4]]).on("numpy")) == "DeviceVectors(2 words on numpy)"
