"""Questions answered on a device against the same questions to `WordVectors`."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import Library
from xw2v import WordVectors
from xw2v.errors import MixedArraysError, ShapeError, UnknownWordError
from xw2v.vectors import device

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
    assert there.most_similar_batch(["w1"], topn=0) == [[]]
    assert len(there.most_similar_batch(["w1"], topn=99)[0]) == V - 1


def test_analogies_are_those_of_the_host(library: Library) -> None:
    wv = WordVectors(WORDS, vectors())
    rng = np.random.default_rng(5)
    questions = [tuple(WORDS[i] for i in rng.choice(V, 3, replace=False)) for _ in range(40)]
    there = wv.on(library.asarray(vectors()))
    same(there.analogies(questions, topn=3), [wv.analogy(a, b, c, topn=3) for a, b, c in questions])


def test_a_backend_takes_the_vectors_along() -> None:
    wv = WordVectors(WORDS, vectors())
    places, cosines = wv.on("numpy").nearest([3, 4], 2)
    assert places.shape == cosines.shape == (2, 2)
    assert wv.most_similar(WORDS[3], topn=1)[0][0] == WORDS[places[0, 0]]


def test_what_does_not_fit_is_refused() -> None:
    wv = WordVectors(WORDS, vectors())
    with pytest.raises(ShapeError, match=r"\(50, D\), one row a word; got \(3, 6\)"):
        wv.on(np.ones((3, 6), np.float32))
    with pytest.raises(MixedArraysError, match="floating-point numbers; got an array of int64"):
        wv.on(np.ones((V, D), np.int64))
    with pytest.raises(UnknownWordError, match="nobody"):
        wv.on("numpy").most_similar_batch(["nobody"])
