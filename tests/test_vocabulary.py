from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xw2v.errors import FormatError, ShapeError
from xw2v.text.vocabulary import Vocabulary, choose_vocabulary

WORDS = ["a", "b", "c", "d", "e"]
COUNTS = np.array([2, 7, 2, 9, 1])


def test_words_go_by_descending_count_and_ties_by_first_occurrence() -> None:
    vocabulary, lookup = choose_vocabulary(WORDS, COUNTS, min_count=1)
    assert vocabulary.words == ["d", "b", "a", "c", "e"]
    assert vocabulary.counts.tolist() == [9, 7, 2, 2, 1]
    assert vocabulary.counts.dtype == np.int64
    assert lookup.tolist() == [2, 1, 3, 0, 4]
    assert lookup.dtype == np.int32


@pytest.mark.parametrize(
    ("min_count", "limit", "words"),
    [
        (0, None, "dbace"),
        (2, None, "dbac"),
        (3, None, "db"),
        (10, None, ""),
        (1, 3, "dba"),  # ties at the border: the earlier word stays
        (3, 4, "db"),
        (1, 9, "dbace"),
    ],
)
def test_min_count_and_max_final_vocab(min_count: int, limit: int | None, words: str) -> None:
    vocabulary, lookup = choose_vocabulary(WORDS, COUNTS, min_count, limit)
    assert vocabulary.words == list(words)
    assert [WORDS[i] for i in np.flatnonzero(lookup >= 0)] == sorted(words)
    assert all(vocabulary.words[new] == word for word, new in zip(WORDS, lookup, strict=True) if new >= 0)


def test_ties_stay_in_order_where_there_are_many() -> None:
    words = [str(i) for i in range(5000)]
    counts = np.arange(5000) % 3
    vocabulary, _ = choose_vocabulary(words, counts, min_count=1)
    assert vocabulary.words == words[2::3] + words[1::3]


def test_index_and_length() -> None:
    vocabulary = Vocabulary(["x", "y"], np.array([3, 1]))
    assert len(vocabulary) == 2
    assert vocabulary.index == {"x": 0, "y": 1}
    assert vocabulary.index is vocabulary.index


def test_counts_are_a_read_only_copy() -> None:
    counts = np.array([3, 1])
    vocabulary = Vocabulary(["x", "y"], counts)
    counts[0] = 8
    assert vocabulary.counts.tolist() == [3, 1]
    with pytest.raises(ValueError, match="read-only"):
        vocabulary.counts[0] = 5


def test_counts_of_another_length_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"each of the 2 words, got shape \(1,\)"):
        Vocabulary(["x", "y"], np.array([3]))


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.integers(0, 2**63 - 1)))
def test_json_keeps_any_words(counts: dict[str, int]) -> None:
    vocabulary = Vocabulary(list(counts), np.array(list(counts.values()), np.int64))
    text = vocabulary.to_json()
    again = Vocabulary.from_json(text)
    assert text.isascii()
    assert again.words == vocabulary.words
    assert again.counts.tolist() == vocabulary.counts.tolist()


def test_json_keeps_lone_surrogates() -> None:
    assert Vocabulary.from_json(Vocabulary(["\ud800 \n"], np.array([1])).to_json()).words == ["\ud800 \n"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "Expecting value"),
        ("[" * 100_000, "(recursion|Stack overflow)"),
        ("[]", "two lists"),
        ('{"words": ["a"]}', "two lists"),
        ('{"words": "ab", "counts": [1, 2]}', "two lists"),
        ('{"words": ["a"], "counts": [1, 2]}', "1 words and 2 counts"),
        ('{"words": [3], "counts": [1]}', "not a string"),
        ('{"words": ["a", "a"], "counts": [1, 1]}', "twice"),
        ('{"words": ["a"], "counts": [-1]}', "not an integer"),
        ('{"words": ["a"], "counts": [true]}', "not an integer"),
        ('{"words": ["a"], "counts": [1.5]}', "not an integer"),
        (json.dumps({"words": ["a"], "counts": [2**63]}), "not an integer"),
    ],
)
def test_wrong_json_is_one_line_with_the_name(text: str, fault: str) -> None:
    with pytest.raises(FormatError, match=fault) as caught:
        Vocabulary.from_json(text, "some/file.json")
    assert str(caught.value).startswith("some/file.json is not a vocabulary: ")
    assert "\n" not in str(caught.value)
