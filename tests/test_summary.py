"""Frequent words in bounded memory: what the bound promises, and what comes of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xw2v import Word2Vec
from xw2v.errors import ConfigError, CorpusError
from xw2v.text import EncodedCorpus, encode, encoding, parts, readers
from xw2v.text.blocks import TextOptions
from xw2v.text.memory import Shares
from xw2v.text.summary import summarise
from xw2v.text.tokens import from_lists
from xw2v.text.words import unpack

ROWS = st.lists(st.lists(st.sampled_from("aaaabbbccdefghijklmnop"), max_size=8), max_size=20)


@settings(deadline=None, max_examples=300)
@given(rows=ROWS, k=st.integers(1, 8), size=st.integers(1, 20), room=st.sampled_from([1, 40, 1 << 20]))
def test_the_bound_of_misra_and_gries(rows: list[list[str]], k: int, size: int, room: int) -> None:
    found = summarise(from_lists(rows, TextOptions(), size), k, room)
    every = Counter(word for row in rows for word in row)
    words = unpack(found.words)
    n = sum(every.values())
    assert found.tokens == n
    assert len(words) <= k
    assert found.overlooked <= n / (k + 1)
    assert {word for word, count in every.items() if count > found.overlooked} <= set(words)


@settings(deadline=None, max_examples=100)
@given(rows=ROWS, k=st.integers(1, 30), min_count=st.integers(0, 3), room=st.sampled_from([1, 1 << 20]))
def test_the_corpus_is_that_of_the_words_remembered(
    rows: list[list[str]], k: int, min_count: int, room: int
) -> None:  # fmt: skip
    """Counts and ids are exact, for those words; with room for all nothing differs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "shares", lambda *_: Shares(10, room))
        patch.setattr(readers, "BLOCK_TOKENS", 5)
        summary = summarise(readers.open_source(rows).blocks, k, room)
        kept = set(unpack(summary.words))
        left = [[word for word in row if word in kept] for row in rows]
        try:
            wanted = encode(left, min_count=min_count)
        except CorpusError:
            with pytest.raises(CorpusError):
                encode(rows, min_count=min_count, max_vocab_size=k)
            return
        found = encode(rows, min_count=min_count, max_vocab_size=k)
    assert found.fingerprint() == wanted.fingerprint()
    assert found.raw_words == sum(map(len, rows))
    assert found.overlooked == summary.overlooked
    if k >= len({word for row in rows for word in row}):
        assert found.overlooked == 0
        assert found.fingerprint() == encode(rows, min_count=min_count).fingerprint()


def test_files_are_read_twice_and_what_was_overlooked_is_kept(tmp_path: Path) -> None:
    text = tmp_path / "t.txt"
    text.write_text("a a a b c d e\na a b b\n")
    encode(text, tmp_path / "e", min_count=1, max_vocab_size=2)
    corpus = EncodedCorpus.open(tmp_path / "e")
    assert corpus.vocabulary.words == ["a", "b"]
    assert corpus.vocabulary.counts.tolist() == [5, 3]
    assert corpus.overlooked == 1
    assert encode(text, tmp_path / "e", min_count=1, max_vocab_size=2).reused
    assert not encode(text, tmp_path / "e", min_count=1, max_vocab_size=3).reused
    assert not encode(text, tmp_path / "e", min_count=1).reused


def test_parts_of_another_summary_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 1)
    for name, text in (("1.txt", "a a b b c"), ("2.txt", "a c c c c")):
        (tmp_path / name).write_text(text)

    def stop(done: int, total: int | None, words: int) -> None:
        stop.calls += 1  # type: ignore[attr-defined]
        if stop.calls == 7:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    stop.calls = 0  # type: ignore[attr-defined]
    sources = [tmp_path / "1.txt", tmp_path / "2.txt"]
    with pytest.raises(KeyboardInterrupt):
        encode(sources, tmp_path / "e", min_count=1, max_vocab_size=2, progress=stop)
    assert (tmp_path / "e.encoding" / "part-00000.json").exists()
    (tmp_path / "2.txt").write_text("b b b b b")
    found = encode(sources, tmp_path / "e", min_count=1, max_vocab_size=2)
    assert found.vocabulary.words == ["b", "a"]
    assert found.vocabulary.counts.tolist() == [7, 2]


def test_known_words_are_never_overlooked() -> None:
    model = Word2Vec(vector_size=4, min_count=1, epochs=1, workers=1).fit([["x", "y"]] * 5)
    model.max_vocab_size = 1  # type: ignore[attr-defined]
    model.partial_fit([["a"] * 5, ["x", "b", "c"]])
    assert model.wv.index_to_key == ["x", "y", "a"]
    assert model.wv.get_vecattr("x", "count") == 6


def test_what_cannot_be_read_twice(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the iterator can be read only once; write it to a file"):
        encode((row for row in [["a"]]), max_vocab_size=1)
    with pytest.raises(CorpusError, match=r"no word of the iterable surely occurs .* raise max_vocab_size \(1\)"):
        encode([["a", "b"]], max_vocab_size=1)
    with pytest.raises(CorpusError, match="holds no words"):
        encode([[]], max_vocab_size=1)
    with pytest.raises(ConfigError, match="max_vocab_size must be an integer >= 1, got 0"):
        encode([["a"]], max_vocab_size=0)
    assert encode(np.array([[1, 2], [1, 1]]), min_count=1, max_vocab_size=5).vocabulary.words == ["1", "2"]
