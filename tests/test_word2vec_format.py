"""word2vec files: round trips, gensim both ways, and files that lie."""

from __future__ import annotations

import gzip
import os
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vector_files import (
    WORDS,
    Floats,
    as_gensim,
    assert_bits_equal,
    damaged,
    names,
    only_clean_errors,
    quick,
    some_vectors,
    words_and_vectors,
)
from xw2v.errors import ConfigError, FileAccessError, FormatError, ShapeError
from xw2v.vectors import word2vec_binary, word2vec_text
from xw2v.vectors.word2vec_format import load_word2vec_format, save_word2vec_format
from xw2v.vectors.word_vectors import WordVectors


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("suffix", ["", ".gz"])
@quick
@given(content=words_and_vectors(st.characters(exclude_categories=["Cs"], exclude_characters=" \t\n\r\v\f"), 1))
def test_word2vec_round_trip(tmp_path: Path, content: tuple[list[str], Floats], binary: bool, suffix: str) -> None:
    words, vectors = content
    path = tmp_path / f"vectors{suffix}"
    save_word2vec_format(path, words, vectors, binary)
    words_back, vectors_back = load_word2vec_format(path, binary)
    assert list(words_back) == words
    assert_bits_equal(vectors_back, vectors)


def gensim_vectors(V: int = len(WORDS)) -> Any:
    return as_gensim(WordVectors(WORDS[:V], some_vectors(V)))


def test_binary_files_are_gensims_byte_for_byte(tmp_path: Path) -> None:
    gensim_vectors().save_word2vec_format(str(tmp_path / "theirs"), binary=True)
    save_word2vec_format(tmp_path / "ours", WORDS, some_vectors(), binary=True)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_gensim_and_we_read_each_other(tmp_path: Path, binary: bool, suffix: str) -> None:
    keyed = gensim_vectors()
    keyed.save_word2vec_format(str(tmp_path / f"theirs{suffix}"), binary=binary)
    words, vectors = load_word2vec_format(tmp_path / f"theirs{suffix}", binary)
    assert list(words) == WORDS
    assert_bits_equal(vectors, some_vectors())
    save_word2vec_format(tmp_path / f"ours{suffix}", WORDS, some_vectors(), binary)
    back = type(keyed).load_word2vec_format(str(tmp_path / f"ours{suffix}"), binary=binary)
    assert back.index_to_key == WORDS
    assert_bits_equal(back.vectors, some_vectors())


@pytest.mark.parametrize("chunk", [1, 7, 2**20])
@pytest.mark.parametrize("binary", [False, True])
def test_chunks_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, binary: bool) -> None:
    save_word2vec_format(tmp_path / "whole", WORDS, some_vectors(), binary)
    monkeypatch.setattr(word2vec_binary, "CHUNK", chunk)
    monkeypatch.setattr(word2vec_text, "CHUNK", chunk)
    monkeypatch.setattr(word2vec_text, "_BLOCK_NUMBERS", chunk)
    save_word2vec_format(tmp_path / "parts", WORDS, some_vectors(), binary)
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()
    words, vectors = load_word2vec_format(tmp_path / "parts", binary)
    assert list(words) == WORDS
    assert_bits_equal(vectors, some_vectors())
    assert list(load_word2vec_format(tmp_path / "parts", binary, limit=4)[0]) == WORDS[:4]


def rows_by_a_loop(data: bytes, start: int, most: int, row_bytes: int, longest: int) -> tuple[list[bytes], list[int]]:
    words: list[bytes] = []
    places: list[int] = []
    while len(words) < most:
        space = data.find(b" ", start, start + longest)
        if space < 0 or space + 1 + row_bytes > len(data):
            break
        words.append(data[start:space])
        places.append(space + 1)
        start = space + 1 + row_bytes
    return words, places


pieces = st.sampled_from([b" ", b"a", b"bc", b"\n", b"\xc3\xa4", b"x" * 7, b" 1234", b"w 5 78"])


@settings(quick, max_examples=400)
@given(data=st.lists(pieces, max_size=20).map(b"".join), start=st.integers(0, 3), cut=st.integers(0, 9),
       most=st.integers(0, 9), row_bytes=st.sampled_from([4, 8]))  # fmt: skip
def test_rows_are_found_as_by_a_loop(data: bytes, start: int, cut: int, most: int, row_bytes: int) -> None:
    stop = max(0, len(data) - cut)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(word2vec_binary, "_WORD_LIMIT", 6)
        words, places = word2vec_binary._find_rows(data, start, stop, most, row_bytes)
    assert (words, places.tolist()) == rows_by_a_loop(data[:stop], start, most, row_bytes, 6)


def test_a_long_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["a" * 2**16, "b"]
    for name in ("b", "b.gz"):
        save_word2vec_format(tmp_path / name, words, np.eye(2), binary=True)
        assert list(load_word2vec_format(tmp_path / name, binary=True)[0]) == words
    monkeypatch.setattr(word2vec_binary, "_WORD_LIMIT", 2**16)
    with pytest.raises(FormatError, match="a word has 65,536 bytes, and binary files may have words below 65,536"):
        save_word2vec_format(tmp_path / "c", words, np.eye(2), binary=True)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("load", [load_word2vec_format, WordVectors.load])
def test_a_pickle_is_named_and_not_loaded(tmp_path: Path, load: Callable[[Path], Any]) -> None:
    (tmp_path / "g.kv").write_bytes(b"\x80\x04\x95\n")  # as gensim's begin
    with pytest.raises(FormatError, match=r"is a pickle, .* never loaded here; in gensim: model\.wv\.save_word2vec"):
        load(tmp_path / "g.kv")


def test_files_of_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words, vectors = [f"w{'x' * (i % 7)}{i}" for i in range(500)], some_vectors(500, 3)
    save_word2vec_format(tmp_path / "b", words, vectors, binary=True)
    monkeypatch.setattr(word2vec_binary, "_SEARCHED", 1)
    monkeypatch.setattr(word2vec_binary, "_WORD_LIMIT", 16)
    monkeypatch.setattr(word2vec_binary, "CHUNK", 40)
    rows, back = load_word2vec_format(tmp_path / "b", binary=True)
    assert list(rows) == words
    assert_bits_equal(back, vectors)
    assert list(load_word2vec_format(tmp_path / "b", binary=True, limit=123)[0]) == words[:123]


def test_numbers_are_copied_after_their_pages_were_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch = word2vec_binary._touch

    def slow(vectors: Floats) -> None:
        time.sleep(0.3)
        touch(vectors)

    monkeypatch.setattr(word2vec_binary, "_touch", slow)
    save_word2vec_format(tmp_path / "b", WORDS, some_vectors(), binary=True)
    assert_bits_equal(load_word2vec_format(tmp_path / "b", binary=True)[1], some_vectors())


def test_rows_too_long_to_be_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_word2vec_format(tmp_path / "b", WORDS, some_vectors(), binary=True)
    monkeypatch.setattr(word2vec_binary, "_LONGEST_ROW", 16)
    with pytest.raises(FormatError, match="rows of 5 numbers; rows of up to 4 can be read"):
        load_word2vec_format(tmp_path / "b", binary=True)


def test_files_of_the_c_program(tmp_path: Path) -> None:
    # It ends each line of text with a space, and each binary row with a line end.
    (tmp_path / "t").write_bytes(b"2 2\n</s> 0.004003 -1e-03 \nthe 1 2 \n")
    assert list(load_word2vec_format(tmp_path / "t")[0]) == ["</s>", "the"]
    rows = np.array([[0.5, 1], [2, -3]], dtype="<f4")
    (tmp_path / "b").write_bytes(b"2 2\n</s> " + rows[0].tobytes() + b"\nthe " + rows[1].tobytes() + b"\n")
    words, vectors = load_word2vec_format(tmp_path / "b", binary=True)
    assert list(words) == ["</s>", "the"]
    assert_bits_equal(vectors, rows)


def test_last_line_end_may_lack_and_others_may_be_of_windows(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"2 2\r\na 1 2\r\nb 3 4")
    words, vectors = load_word2vec_format(tmp_path / "t")
    assert list(words) == ["a", "b"]
    assert vectors.tolist() == [[1, 2], [3, 4]]


def test_a_repeated_word_keeps_its_first_row_as_in_gensim(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"4 1\na 1\nb 2\na 3\nc 4\n")
    with pytest.warns(UserWarning, match="1 rows repeat a word, as 'a'"):
        words, vectors = load_word2vec_format(tmp_path / "t")
    assert list(words) == ["a", "b", "c"]
    assert vectors.tolist() == [[1], [2], [4]]


def test_same_vectors_give_the_same_gzip_file(tmp_path: Path) -> None:
    save_word2vec_format(tmp_path / "a.gz", WORDS, some_vectors())
    save_word2vec_format(tmp_path / "b.gz", WORDS, some_vectors())
    content = (tmp_path / "a.gz").read_bytes()
    assert content == (tmp_path / "b.gz").read_bytes()
    assert content[3:8] == bytes(5)  # flags and time, RFC 1952: no name, no date


@pytest.mark.parametrize("word", ["new york", "", "a\n", "\tb", "\ud800", "a\rb"])
def test_words_that_the_format_cannot_carry(tmp_path: Path, word: str) -> None:
    for binary in (False, True):
        with pytest.raises(FormatError, match=r"write a model folder, in Python by save\(\)") as caught:
            save_word2vec_format(tmp_path / "v", ["a", word], np.ones((2, 1)), binary)
        assert repr(word) in str(caught.value)
    assert names(tmp_path) == []


def test_vectors_that_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="'b' holds NaN"):
        save_word2vec_format(tmp_path / "v", ["a", "b"], [[1.0], [np.nan]])
    with pytest.raises(FormatError, match="'a' holds NaN or infinity"):
        save_word2vec_format(tmp_path / "v", ["a", "b"], [[1e300], [1.0]])
    with pytest.raises(ShapeError, match=r"shape \(2, D\)"):
        save_word2vec_format(tmp_path / "v", ["a", "b"], [[1.0]])


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "does not begin with a line of two numbers"),
        (b"2 2", "does not begin"),
        (b"a 1 2\n", "does not begin"),
        (b"2 0\na\nb\n", "does not begin"),
        (b"-2 2\na 1 2\n", "does not begin"),
        (b"1" * 5000 + b" 2\na 1 2\n", "does not begin"),
        (b"3 2\nabcdefgh 1 2\nb 3 4\n", "has 2 rows and declares 3"),
        (b"1 2\na 1 2\nb 3 4\n", "more lines than the 1 rows"),
        (b"2 3\nabcdefgh 1 2\nb 3 4\n", "line 2: wanted a word and 3 numbers"),
        (b"2 1\na 1 2\nb 3 4\n", "line 2: wanted a word and 1 numbers"),
        (b"2 2\na 1 2\nb 3\n", "line 3: wanted a word and 2 numbers"),
        (b"2 2\na 1 2 3\nb 4\n", "line 2"),  # the total is right, the rows are not
        (b"2 2\na 1 2\nb 3 x\n", "line 3"),
        (b"2 2\na 1 2\nb 3 4x\n", "line 3"),
        (b"2 2\na 1 2\nb 3  4\n", "line 3"),
        (b"2 2\na 1 2\n\nb 3 4\n", "line 3"),
        (b"1 2\na 1,5 2\n", "line 2"),
        (b"2 2\na 1 2\nb 3 nan\n", r"'b' \(row 2\) holds NaN"),
        (b"2 2\na 1 -inf\nb 3 4\n", r"'a' \(row 1\)"),
        (b"1 1\na 1e60\n", "'a'"),
        (b"1 1\na 1e600\n", "'a'"),
        (b"1 1\ncaf\xe9 1\n", "not UTF-8, b'caf"),
        (b"999999999999999 300\na 1 2\n", "too short to hold them"),
        (b"1 999999999999999\na 1 2\n", "too short to hold them"),
    ],
)
def test_text_files_that_lie(tmp_path: Path, content: bytes, match: str) -> None:
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(FormatError, match=match):
        load_word2vec_format(tmp_path / "t")
    (tmp_path / "t.gz").write_bytes(gzip.compress(content))
    with pytest.raises(FormatError):
        load_word2vec_format(tmp_path / "t.gz")


@pytest.mark.filterwarnings("ignore")
def test_junk_after_the_last_number_is_seen_whatever_the_callers_filters(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"1 2\na 1 2x\n")
    with pytest.raises(FormatError, match="line 2"):
        load_word2vec_format(tmp_path / "t")


def row(word: bytes, *numbers: float) -> bytes:
    return word + b" " + np.array(numbers, dtype="<f4").tobytes()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"3 2\n" + row(b"a", 1, 2) + row(b"b", 3, 4), "too short"),
        (b"2 2\n" + row(b"a" * 20, 1, 2), "has 1 whole rows and declares 2"),
        (b"1 2\n" + row(b"a", 1, 2) + row(b"b", 3, 4), "more data than the 1 rows"),
        (b"2 1\n" + row(b"a", 1, 2) + row(b"b", 3, 4), "more data|UTF-8"),
        (b"2 3\n" + row(b"a", 1, 2) + row(b"b", 3, 4), "too short"),
        (b"1 2\n" + b"x" * 200_000, "has 0 whole rows"),
        (b"1 2\n" + b"x" * 20_000_000, "has 0 whole rows"),
        (b"1 2\n" + row(b"a", 1, np.nan), "'a' .row 1. holds NaN"),
        (b"1 2\n" + row(b"\xc3", 1, 2), "not UTF-8"),
        (b"999999999999999 300\n" + row(b"a", 1, 2), "too short"),
        (b"1 999999999999999\n" + row(b"a", 1, 2), "too short"),
    ],
)
def test_binary_files_that_lie(tmp_path: Path, content: bytes, match: str) -> None:
    (tmp_path / "b").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(FormatError, match=match):
        load_word2vec_format(tmp_path / "b", binary=True)
    assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    tracemalloc.stop()


def test_the_wrong_format_is_a_clean_error(tmp_path: Path) -> None:
    for written in (False, True):
        save_word2vec_format(tmp_path / "v", WORDS, some_vectors(), written)
        with pytest.raises(FormatError):
            load_word2vec_format(tmp_path / "v", not written)


def test_unicode_errors(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"1 1\ncaf\xc3 1\n")
    assert list(load_word2vec_format(tmp_path / "t", unicode_errors="replace")[0]) == ["caf\ufffd"]
    assert list(load_word2vec_format(tmp_path / "t", unicode_errors="ignore")[0]) == ["caf"]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.filterwarnings("ignore:.*repeat a word")
def test_any_damage_to_vectors_is_a_clean_error_or_harmless(tmp_path: Path, binary: bool, suffix: str) -> None:
    path = tmp_path / f"v{suffix}"
    save_word2vec_format(path, ["a", "žc"], [[1.5, -2.0], [0.25, 3.0]], binary)
    content = path.read_bytes()

    def attempt(data: bytes) -> Callable[[], object]:
        def load() -> object:
            path.write_bytes(data)
            return load_word2vec_format(path, binary)

        return load

    failed, passed = only_clean_errors([attempt(data) for data in damaged(content)])
    assert failed > len(content) * 0.9
    assert passed > 0 or suffix


@pytest.mark.parametrize("limit", [0, -1])
def test_limit_must_be_positive(tmp_path: Path, limit: int) -> None:
    with pytest.raises(FormatError, match="limit must be None or at least 1"):
        load_word2vec_format(tmp_path / "v", limit=limit)


def test_files_without_a_header_both_ways(tmp_path: Path) -> None:
    save_word2vec_format(tmp_path / "ours", WORDS, some_vectors(), write_header=False)
    words, vectors = load_word2vec_format(tmp_path / "ours", no_header=True)
    assert list(words) == WORDS
    assert_bits_equal(vectors, some_vectors())
    (tmp_path / "glove.txt").write_text("the 1 2\nof 3 x\n")
    with pytest.raises(FormatError, match="line 2: wanted a word and 2 numbers"):
        load_word2vec_format(tmp_path / "glove.txt", no_header=True)
    (tmp_path / "empty").touch()
    with pytest.raises(FormatError, match="does not begin with a word and numbers"):
        load_word2vec_format(tmp_path / "empty", no_header=True)
    for attempt in (
        lambda: load_word2vec_format(tmp_path / "ours", binary=True, no_header=True),
        lambda: save_word2vec_format(tmp_path / "b", ["a"], [[1.0]], binary=True, write_header=False),
    ):
        with pytest.raises(FormatError, match=r"without (a|one)"):
            attempt()


@pytest.mark.filterwarnings("ignore:unclosed file")  # by gensim
def test_files_without_a_header_are_gensims(tmp_path: Path) -> None:
    keyed = gensim_vectors()
    keyed.save_word2vec_format(str(tmp_path / "theirs"), write_header=False)
    words, vectors = load_word2vec_format(tmp_path / "theirs", no_header=True)
    assert list(words) == WORDS
    assert_bits_equal(vectors, some_vectors())
    save_word2vec_format(tmp_path / "ours", WORDS, some_vectors(), write_header=False)
    assert type(keyed).load_word2vec_format(str(tmp_path / "ours"), no_header=True).index_to_key == WORDS


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_counts_both_ways_and_as_gensim_reads_them(tmp_path: Path, suffix: str) -> None:
    words = [word.replace("\u00a0", "_") for word in WORDS]  # gensim parts the lines of counts at any space
    wv = WordVectors(words, some_vectors(), counts=range(len(WORDS), 0, -1))
    wv.save_word2vec_format(tmp_path / "v", binary=True, fvocab=tmp_path / f"c{suffix}")
    back = WordVectors.load_word2vec_format(tmp_path / "v", binary=True, fvocab=tmp_path / f"c{suffix}")
    assert [back.get_vecattr(word, "count") for word in words] == list(range(len(words), 0, -1))
    theirs = type(gensim_vectors()).load_word2vec_format(
        str(tmp_path / "v"), fvocab=str(tmp_path / f"c{suffix}"), binary=True
    )
    assert theirs.get_vecattr(words[2], "count") == back.get_vecattr(words[2], "count")
    for bad in (b"of", b"of -1", b"of 9223372036854775808", b"of 2.0"):
        (tmp_path / "bad").write_bytes(b"the 3\n" + bad + b"\n")
        with pytest.raises(FormatError, match="line 2: wanted a word and its count"):
            WordVectors.load_word2vec_format(tmp_path / "v", binary=True, fvocab=tmp_path / "bad")


@pytest.mark.parametrize(("given", "match"), [({"limit": "3"}, "limit must be"), ({"unicode_errors": "no"}, "'no'")])
def test_arguments_that_are_none(tmp_path: Path, given: dict[str, Any], match: str) -> None:
    (tmp_path / "v").write_bytes(b"1 2\n\xff 1 2\n")
    with pytest.raises(ConfigError, match=match):
        WordVectors.load_word2vec_format(tmp_path / "v", **given)


@pytest.mark.parametrize(
    "content",
    [
        b"2 2\na 1 2 \nb 3 4 \n",  # word2vec.c
        b"2 2\r\na 1 2\r\nb 3 4\r\n",
        b"2 2\na 1 2   \nb 3 4",
        b"2 2\n\xef\xbb\xbfa 1 2\nb 3 4\n",
        b'2 2\n"a 1 2\nb" 3 4\n',
    ],
)
def test_odd_text_is_read_as_gensim_reads_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t").write_bytes(content)
    words, vectors = load_word2vec_format(tmp_path / "t")
    theirs = type(gensim_vectors()).load_word2vec_format(str(tmp_path / "t"))
    assert list(words) == theirs.index_to_key
    np.testing.assert_array_equal(vectors, theirs.vectors)


def test_what_gensim_has_in_the_second_and_third_place(tmp_path: Path) -> None:
    """A file of counts is no answer to whether a file is binary, and True is no number of rows."""
    wv = WordVectors(["a", "b"], [[1, 2], [3, 4]], [2, 1])
    path, counts = tmp_path / "v.txt", tmp_path / "v.counts"
    with pytest.raises(ConfigError, match=r"binary must be True or False; got PosixPath.*fvocab="):
        wv.save_word2vec_format(path, counts)  # type: ignore[arg-type]
    assert not path.exists()
    wv.save_word2vec_format(path, np.True_)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="fvocab="):
        WordVectors.load_word2vec_format(path, str(counts), True)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"limit must be an integer, .*; got True \(binary=True goes by its name\)"):
        WordVectors.load_word2vec_format(path, True, True)
    assert len(WordVectors.load_word2vec_format(path, 1)) == 2  # type: ignore[arg-type]


def test_a_model_folder_is_no_file(tmp_path: Path) -> None:
    WordVectors(["a", "b"], [[1, 2], [3, 4]]).save(tmp_path / "model")
    with pytest.raises(FileAccessError, match=r"model is a folder; .*WordVectors\.load reads model folders"):
        WordVectors.load_word2vec_format(tmp_path / "model")


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="the system has no /dev/fd")
@pytest.mark.parametrize("how", [{}, {"binary": True}, {"no_header": True}], ids=str)
def test_a_pipe_is_refused(how: dict[str, Any]) -> None:
    """It has no size, by which a header is judged, and is empty the second time it is opened."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as file:
        file.write("2 2\nking 1 2\nqueen 2 1\n")
    with (
        os.fdopen(reader),
        pytest.raises(FormatError, match=r"/dev/fd/\d+ is a pipe, which can be read only once; give a file"),
    ):
        WordVectors.load_word2vec_format(f"/dev/fd/{reader}", **how)
