"""The documentation text: what of it is kept, and where it is looked for."""

from __future__ import annotations

import gc
import sys
import sysconfig
from pathlib import Path

import pytest

from xw2v.errors import CorpusError
from xw2v.text import docstrings
from xw2v.text.docstrings import DocstringCorpus


def _sentences(text: str) -> list[str]:
    return [" ".join(words) for words in docstrings._sentences(text)]


# cleaning


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


# gathering


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
        next(iter(DocstringCorpus()))
        assert not gc.isenabled()
    finally:
        gc.enable()
    next(iter(DocstringCorpus()))
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
