"""The built-in corpora: what the documentation text keeps, and that the world's text holds its analogies."""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xw2v.errors import CorpusError
from xw2v.text import datasets
from xw2v.text.datasets import (
    DATASETS,
    WORLD_ANALOGIES,
    WORLD_CLUSTERS,
    WORLD_PICTURE_WORDS,
    DocstringCorpus,
    built_in_corpus,
    docstring_corpus,
    world_corpus,
)


def _sentences(text: str) -> list[str]:
    return [" ".join(words) for words in datasets._sentences(text)]


# docs: cleaning


def test_sentences_are_split_and_lower_cased() -> None:
    assert _sentences("Return the Sum. It isn't a mean!\nWhat of a new line? none here") == [
        "return the sum",
        "it isn't a mean",
        "what of a new line",
    ]


def test_names_numbers_addresses_and_roles_are_no_words() -> None:
    text = "See :func:`numpy.dot` and ``a @ b``, x_i or np.sum, at https://example.org/x for 12 n2 *fast* `words`."
    assert _sentences(text) == ["see and or at for fast words"]


def test_hyphen_and_slash_part_words() -> None:
    assert _sentences("a non-zero read/write buffer") == ["a non zero read write buffer"]


def test_doctest_code_formula_and_underlines_are_left_out() -> None:
    text = "\n".join(
        [
            "The first sentence stands here.",
            "",
            "Parameters",
            "----------",
            "axis : int, optional along which",
            "    The axis to sum over.",
            "",
            ">>> the code of a doctest",
            "its output is no prose",
            "",
            "Now comes some code::",
            "",
            "    this is not a sentence",
            "",
            "After that block prose again.",
            "",
            ".. math::",
            "    a formula not of words",
            "",
            ".. note:: is a directive line",
            "    A note is kept as prose.",
        ]
    )
    assert _sentences(text) == [
        "the first sentence stands here",
        "the axis to sum over",
        "now comes some code",
        "after that block prose again",
        "a note is kept as prose",
    ]


def test_list_items_are_sentences_of_their_own() -> None:
    assert _sentences("- the first item - is here\n- the second item here\n1. a numbered item here") == [
        "the first item is here",
        "the second item here",
        "a numbered item here",
    ]


# docs: gathering


@pytest.fixture
def fake_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A standard library folder and one package `fakepackage`, both small, in place of the real ones."""
    library = tmp_path / "lib"
    package = tmp_path / "site" / "fakepackage"
    for folder in (library / "test", library / "zeta", package / "tests"):
        folder.mkdir(parents=True)
    (library / "beta.py").write_text('"""Module beta speaks first."""\n', encoding="utf-8")
    (library / "zeta" / "inner.py").write_text(
        'class A:\n    """A class says this."""\n    def f(self):\n        """A method says that."""\n'
        "if True:\n    try:\n        pass\n    except ValueError:\n        def g():\n"
        '            """A hidden function says more."""\n'
        'def h():\n    "a short string says nothing"\n',
        encoding="utf-8",
    )
    (library / "broken.py").write_text('"""Not parsed at all"""\ndef (:\n', encoding="utf-8")
    (library / "odd.py").write_text('"""An odd escape is kept."""\nx = "\\d"\n', encoding="utf-8")
    (library / "test" / "test_beta.py").write_text('"""Tests must stay out."""\n', encoding="utf-8")
    (package / "__init__.py").write_text(
        '"""The package speaks last.\n\nModule beta speaks first."""\nraise RuntimeError("imported!")\n',
        encoding="utf-8",
    )
    (package / "tests" / "test_it.py").write_text('"""These must stay out."""\n', encoding="utf-8")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(library))
    monkeypatch.syspath_prepend(str(package.parent))
    return library


def test_docstrings_of_sources_in_order_without_importing(fake_python: Path) -> None:
    corpus = DocstringCorpus(packages=("fakepackage", "not_installed_anywhere"))
    assert [" ".join(words) for words in corpus] == [
        "module beta speaks first",
        "an odd escape is kept",
        "a class says this",
        "a method says that",
        "a hidden function says more",
        "a short string says nothing",
        "the package speaks last",  # and its second sentence was seen before
    ]
    assert "fakepackage" not in sys.modules


def test_describe_counts_after_a_pass(fake_python: Path) -> None:
    corpus = DocstringCorpus(packages=("fakepackage", "not_installed_anywhere"))
    assert "those installed" in corpus.describe()
    total = sum(len(words) for words in corpus)
    assert corpus.words == {"standard library": 27, "fakepackage": 4}
    assert total == 31
    assert "31 words (standard library 27, fakepackage 4)" in corpus.describe()
    assert [len(words) for words in corpus] == [4, 5, 4, 4, 5, 5, 4]  # a second pass is the same


def test_a_library_without_sources_is_a_clear_error(fake_python: Path) -> None:
    for path in fake_python.rglob("*.py"):
        path.unlink()
    with pytest.raises(CorpusError, match="no Python sources with documentation"):
        list(DocstringCorpus(packages=("fakepackage",)))


def test_the_collector_is_left_as_it_was(fake_python: Path) -> None:
    gc.disable()
    try:
        next(docstring_corpus())
        assert not gc.isenabled()
    finally:
        gc.enable()
    next(docstring_corpus())
    assert gc.isenabled()


def test_the_real_standard_library_gives_english() -> None:
    corpus = DocstringCorpus(packages=())
    sentences = list(corpus)
    words = [word for sentence in sentences for word in sentence]
    assert len(words) > 100_000
    assert corpus.words == {"standard library": len(words)}
    assert all(word.isascii() and word.replace("'", "").isalpha() and word.islower() for word in set(words))
    assert len({" ".join(sentence) for sentence in sentences}) == len(sentences)
    share = words.count("the") / len(words)
    assert 0.04 < share < 0.12  # English has about one "the" in sixteen words


# world


def test_world_text_is_fixed_for_ever() -> None:
    assert [" ".join(words) for words in itertools.islice(world_corpus(12, seed=1), 3)] == [
        "critics cheered at the enjoyable dialogue",
        "the ending of the book is amazing and wonderful",
        "the curious boy said he is playing",
    ]


def test_splitmix64_known_answers() -> None:
    draw = datasets._SplitMix64(1234567)
    assert [draw.next() for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_world_text_does_not_depend_on_the_hash_seed() -> None:
    code = "from xw2v.text.datasets import world_corpus; print([' '.join(s) for s in world_corpus(50)])"
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
    assert len(set(WORLD_PICTURE_WORDS)) == 24
    assert {word for words in WORLD_CLUSTERS.values() for word in words} == set(WORLD_PICTURE_WORDS)
    assert sum(map(len, WORLD_CLUSTERS.values())) == 24
    words = [word for sentence in world_corpus(20_000) for word in sentence]
    counts = {word: words.count(word) for word in {*WORLD_PICTURE_WORDS, *itertools.chain(*WORLD_ANALOGIES)}}
    assert min(counts.values()) > 300


def test_world_analogies_follow_from_the_grammar() -> None:
    features = datasets._PEOPLE
    for a, b, c, d in WORLD_ANALOGIES:
        changes = [(x, y) for x, y in zip(features[a], features[b], strict=True) if x != y]
        assert len(changes) == 1
        assert changes == [(x, y) for x, y in zip(features[c], features[d], strict=True) if x != y]


@pytest.mark.parametrize(("male", "female"), [("he", "she"), ("his", "her"), ("beard", "dress")])
def test_words_of_one_sex_stand_with_its_people_only(male: str, female: str) -> None:
    for word, sex in ((male, "male"), (female, "female")):
        people = {person for words in world_corpus(20_000) if word in words for person in words} & set(datasets._PEOPLE)
        assert people == {person for person, features in datasets._PEOPLE.items() if sex in features}


def test_templates_and_slots_agree() -> None:
    used = {
        token.strip("{}")
        for templates in datasets._TEMPLATES.values()
        for template in templates
        for token in template.split()
        if token.startswith("{")
    }
    assert used - {"person"} == set(datasets._SLOTS)
    assert set(datasets._TOPICS) == set(datasets._TEMPLATES)


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
    rows = vectors[[words.index(word) for word in WORLD_PICTURE_WORDS]]
    scores = rows @ rows.T
    np.fill_diagonal(scores, -np.inf)
    for word, row in zip(WORLD_PICTURE_WORDS, scores, strict=True):
        nearest = WORLD_PICTURE_WORDS[int(row.argmax())]
        assert cluster[nearest] == cluster[word], f"{word} is nearest to {nearest}"


# the list


def test_known_datasets() -> None:
    assert list(DATASETS) == ["docs", "world", "text8", "sst"]
    assert [name for name, dataset in DATASETS.items() if dataset.built_in] == ["docs", "world"]
    for name, dataset in DATASETS.items():
        assert dataset.name == name
        assert dataset.meaning
        assert dataset.built_in or (dataset.sha256 is not None and len(bytes.fromhex(dataset.sha256)) == 32)


def test_built_in_corpus_by_name(fake_python: Path) -> None:
    assert list(built_in_corpus("world")) == list(world_corpus())
    assert next(built_in_corpus("docs")) == ["module", "beta", "speaks", "first"]
    with pytest.raises(CorpusError, match="'text8' is not built in: download it from http"):
        built_in_corpus("text8")
    with pytest.raises(CorpusError, match="no corpus 'novels'; known: docs, world, text8, sst"):
        built_in_corpus("novels")
