"""The world's text: it is fixed, and holds its analogies."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xw2v.errors import CorpusError
from xw2v.text import world
from xw2v.text.world import WORLD_ANALOGIES, WORLD_CLUSTERS, world_corpus

PICTURE_WORDS = [word for words in WORLD_CLUSTERS.values() for word in words]


def test_world_text_is_fixed_for_ever() -> None:
    assert [" ".join(words) for words in itertools.islice(world_corpus(12, seed=1), 3)] == [
        "critics cheered at the enjoyable dialogue",
        "the ending of the book is amazing and wonderful",
        "the curious boy said he is playing",
    ]


def test_splitmix64_known_answers() -> None:
    draw = world._SplitMix64(1234567)
    assert [draw.next() for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_world_text_does_not_depend_on_the_hash_seed() -> None:
    code = "from xw2v.text.world import world_corpus; print([' '.join(s) for s in world_corpus(50)])"
    root = Path(__file__).parent.parent
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


def test_world_sizes_and_seeds() -> None:
    text = list(world_corpus(500, seed=3))
    assert len(text) == 500
    assert {len(words) for words in text} <= set(range(6, 12))
    assert text == list(world_corpus(500, seed=3))
    assert text != list(world_corpus(500, seed=4))
    assert text[:100] == list(world_corpus(100, seed=3))
    with pytest.raises(CorpusError, match="sentences must be >= 1, got 0"):
        world_corpus(0)


def test_world_knows_the_words_of_the_picture_and_of_the_analogies() -> None:
    assert len(set(PICTURE_WORDS)) == len(PICTURE_WORDS) == 24
    words = [word for sentence in world_corpus(20_000) for word in sentence]
    counts = {word: words.count(word) for word in {*PICTURE_WORDS, *itertools.chain(*WORLD_ANALOGIES)}}
    assert min(counts.values()) > 300


def test_world_analogies_follow_from_the_grammar() -> None:
    features = world._PEOPLE
    for a, b, c, d in WORLD_ANALOGIES:
        changes = [(x, y) for x, y in zip(features[a], features[b], strict=True) if x != y]
        assert len(changes) == 1
        assert changes == [(x, y) for x, y in zip(features[c], features[d], strict=True) if x != y]


@pytest.mark.parametrize(("male", "female"), [("he", "she"), ("his", "her"), ("beard", "dress")])
def test_words_of_one_sex_stand_with_its_people_only(male: str, female: str) -> None:
    for word, sex in ((male, "male"), (female, "female")):
        people = {person for words in world_corpus(20_000) if word in words for person in words} & set(world._PEOPLE)
        assert people == {person for person, features in world._PEOPLE.items() if sex in features}


def test_templates_and_slots_agree() -> None:
    used = {
        token.strip("{}")
        for templates in world._TEMPLATES.values()
        for template in templates
        for token in template.split()
        if token.startswith("{")
    }
    assert used - {"person"} == set(world._SLOTS)
    assert set(world._TOPICS) == set(world._TEMPLATES)


@pytest.fixture(scope="module")
def count_vectors() -> tuple[list[str], Any]:
    """Word vectors of the world by counting (PPMI and SVD): what any good training should also find.

    Source: Levy & Goldberg 2014, Neural word embedding as implicit matrix factorization.
    """
    text = list(world_corpus(20_000))
    words = sorted({word for sentence in text for word in sentence})
    ids = {word: i for i, word in enumerate(words)}
    pairs = np.zeros((len(words), len(words)))
    for sentence in text:
        for i, word in enumerate(sentence):
            for j in range(max(0, i - 5), min(len(sentence), i + 6)):
                if i != j:
                    pairs[ids[word], ids[sentence[j]]] += 1
    expected = pairs.sum(1, keepdims=True) * pairs.sum(0, keepdims=True) / pairs.sum()
    ppmi = np.log(np.maximum(pairs / expected, 1))
    left, values, _ = np.linalg.svd(ppmi)
    vectors = left[:, :30] * np.sqrt(values[:30])
    return words, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("analogy", WORLD_ANALOGIES, ids="-".join)
def test_world_analogies_are_in_the_text(
    analogy: tuple[str, str, str, str], count_vectors: tuple[list[str], Any]
) -> None:
    words, vectors = count_vectors
    a, b, c, d = (words.index(word) for word in analogy)
    scores = vectors @ (vectors[b] - vectors[a] + vectors[c])
    scores[[a, b, c]] = -np.inf
    assert words[int(scores.argmax())] == words[d]


def test_world_clusters_are_in_the_text(count_vectors: tuple[list[str], Any]) -> None:
    words, vectors = count_vectors
    cluster = {word: name for name, members in WORLD_CLUSTERS.items() for word in members}
    rows = vectors[[words.index(word) for word in PICTURE_WORDS]]
    scores = rows @ rows.T
    np.fill_diagonal(scores, -np.inf)
    for word, row in zip(PICTURE_WORDS, scores, strict=True):
        nearest = PICTURE_WORDS[int(row.argmax())]
        assert cluster[nearest] == cluster[word], f"{word} is nearest to {nearest}"
