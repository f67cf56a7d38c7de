"""Words counted in runs that spill, and merged: as all at once would have it."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xw2v.errors import FormatError
from xw2v.text.blocks import TokenBlock
from xw2v.text.merging import Choice, choose, merged
from xw2v.text.runs import CountedWords, Part, Run, block_codes
from xw2v.text.spool import Spool
from xw2v.text.vocabulary import Vocabulary, choose_vocabulary, extend_vocabulary
from xw2v.text.words import WordPile, from_lines, from_parts, pack, parts_of, unpack

WORDS = st.sampled_from(["", "a", "ab", "abc", "b", "é", "日本", "\ud800", "\n", "z" * 40]) | st.text(max_size=3)
TOKENS = st.lists(WORDS, max_size=40)


def spool() -> Spool:
    return Spool(io.BytesIO(), Path("spool"))


def block(tokens: list[str]) -> TokenBlock:
    """A block whose list of words holds its first word twice."""
    words = list(dict.fromkeys(tokens))
    codes = np.array([words.index(token) for token in tokens], np.int32)
    if words:
        codes[-1:] = np.where(codes[-1:] == 0, len(words), codes[-1:])
        words.append(words[0])
    return TokenBlock(codes, pack(words), np.array([len(tokens)]), 0)


def part_of(tokens: list[str], size: int, room: int, *, spill: bool = True) -> Part:
    part = Part(spool(), room)
    for place in range(0, len(tokens), size):
        part.add(block(tokens[place : place + size]))
    part.finish(spill=spill)
    return part


# Arrays of words -----------------------------------------------------------------------------------------


@settings(deadline=None)
@given(TOKENS)
def test_words_there_and_back(words: list[str]) -> None:
    packed = pack(words)
    assert unpack(packed) == words
    assert unpack(from_parts(*parts_of(packed))) == words
    cut = packed[1 : len(words) - 1]
    assert unpack(from_parts(*parts_of(cut))) == words[1 : len(words) - 1]


def test_words_of_lines() -> None:
    assert unpack(from_lines("a\n\nbé\n".encode())) == ["a", "", "bé"]
    assert unpack(from_lines(b"")) == []


@settings(deadline=None)
@given(st.lists(TOKENS, max_size=5), st.booleans())
def test_a_pile_numbers_and_counts(lists: list[list[str]], settle_often: bool) -> None:
    pile, numbers = WordPile(), []
    for words in lists:
        pile.add(pack(words), np.arange(1, len(words) + 1))
        if settle_often:
            numbers += pile.settle().tolist()
    numbers += pile.settle().tolist()
    every = [word for words in lists for word in words]
    wanted: Counter[str] = Counter()
    for words in lists:
        for count, word in enumerate(words, 1):
            wanted[word] += count
    distinct = list(dict.fromkeys(every))
    assert unpack(pile.words) == distinct
    assert [distinct[number] for number in numbers] == every
    assert pile.counts.tolist() == [wanted[word] for word in distinct]


# Runs ----------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(tokens=TOKENS, size=st.integers(1, 9), room=st.sampled_from([1, 50, 200, 1 << 20]), spill=st.booleans())
def test_runs_hold_every_token(tokens: list[str], size: int, room: int, spill: bool) -> None:
    part = part_of(tokens, size, room, spill=spill)
    found = []
    for run in part.runs:
        counted = run.read(0, run.size)
        assert run.size == len(counted.words)
        word = dict(zip(counted.numbers.tolist(), unpack(counted.words), strict=True))
        for place in run.blocks:
            codes, ends, numbers = block_codes(run, place)
            found += [word[int(numbers[code])] for code in codes]
            assert ends.tolist() == [place.tokens]
    assert found == tokens
    assert part.tokens == len(tokens)
    if room == 1 and tokens:
        assert len(part.runs) == -(-len(tokens) // size)


@settings(deadline=None, max_examples=300)
@given(
    lists=st.lists(TOKENS, min_size=1, max_size=4),
    size=st.integers(1, 9),
    room=st.sampled_from([1, 100, 1 << 20]),
    buffer=st.sampled_from([1, 300, 1000, 1 << 20]),
)
def test_merged_runs_are_one_count(lists: list[list[str]], size: int, room: int, buffer: int) -> None:
    runs = [run for tokens in lists for run in part_of(tokens, size, room).runs]
    every = [word for tokens in lists for word in tokens]
    pieces = list(merged(runs, buffer)) if runs else []
    words = [word for piece in pieces for word in unpack(piece.words)]
    counts = [int(count) for piece in pieces for count in piece.counts]
    numbers = [int(number) for piece in pieces for number in piece.numbers]
    assert dict(zip(words, counts, strict=True)) == Counter(every)
    assert len(words) == len(set(words))
    assert [word for _, word in sorted(zip(numbers, words, strict=True))] == list(dict.fromkeys(every))
    if buffer == 1 and len(runs) > 1:
        assert max(len(piece.words) for piece in pieces) <= len(runs)


@settings(deadline=None, max_examples=300)
@given(
    tokens=st.lists(st.sampled_from("abcdefghijkl"), min_size=1, max_size=60),
    known=st.none() | st.lists(st.sampled_from("abcxyz"), unique=True, min_size=1, max_size=4),
    min_count=st.integers(0, 3),
    limit=st.none() | st.integers(1, 8),
    room=st.sampled_from([1, 60, 1 << 20]),
)
def test_the_choice_is_that_of_all_words_at_once(
    tokens: list[str], known: list[str] | None, min_count: int, limit: int | None, room: int
) -> None:
    before = None if known is None else Vocabulary(known, np.arange(len(known)) + 1)
    every = Counter(tokens)
    words, counts = list(every), np.array(list(every.values()))
    if before is None:
        wanted, lookup = choose_vocabulary(words, counts, min_count, limit)
    else:
        wanted, lookup = extend_vocabulary(before, words, counts, min_count, limit)
    runs = part_of(tokens, 3, room).runs
    if not (lookup >= 0).any():
        with pytest.raises(ValueError, match=rf"of its {len(every)} distinct words .* occurs {max(counts)} times"):
            choose(runs, room, Choice(min_count, limit, before), "x")
        return
    found = choose(runs, room, Choice(min_count, limit, before), "x")
    assert found.words == wanted.words
    assert found.counts.tolist() == wanted.counts.tolist()


def test_counts_and_places_beyond_32_bits() -> None:
    runs = []
    for words, counts in ((["a", "b"], [2**40, 1]), (["b", "c"], [2**33, 2**62])):
        run = Run(spool(), words=CountedWords(pack(words), np.array(counts), np.array([0, 1])))
        run.spill()
        runs.append(run)
    found = choose(runs, 1, Choice(2), "x")
    assert found.words == ["c", "a", "b"]
    assert found.counts.tolist() == [2**62, 2**40, 2**33 + 1]


def test_damage_of_what_was_spilled() -> None:
    part = part_of(["a", "bb", "a", "ccc"], 2, 1 << 20)
    (run,) = part.runs
    assert run.place is not None
    data = part.spool.file.getvalue()
    places = {"codes": run.blocks[0].codes_at, "numbers": run.blocks[0].numbers_at, "offsets": run.place.offsets_at + 4}
    for name, at in places.items():
        part.spool.file = io.BytesIO(data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :])
        with pytest.raises(FormatError, match="spool is damaged"):  # noqa: PT012
            run.read(0, run.size)
            block_codes(run, run.blocks[0])
        assert name
    part.spool.file = io.BytesIO(data[:-1])
    with pytest.raises(FormatError, match="numbers that were written there are gone"):
        run.read(0, run.size)


def test_a_spool_counts_and_checks() -> None:
    numbers = Spool(io.BytesIO(), Path("x"), checked=True)
    assert numbers.append(np.array([1, 2]), "<i4") == 0
    assert numbers.append(np.array([], np.int64), "<i8") == 8
    assert numbers.append(np.array([2**40])[::-1], "<i8") == 8
    assert numbers.read(8, 1, "<i8").tolist() == [2**40]
    assert numbers.entry()["bytes"] == 16
    assert pa.types.is_binary(pack([]).type)
