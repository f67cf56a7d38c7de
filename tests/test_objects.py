"""Python objects as corpora: what works as one would expect, and what the line says where nothing does."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from tests.test_readers import sentences
from xw2v.errors import ConfigError, CorpusError, MissingFileError
from xw2v.text.columns import evened, token_slices
from xw2v.text.memory import Shares
from xw2v.text.readers import open_source
from xw2v.text.store import encode

TOKENS = [["the", "cat"], ["the", "dog"], ["a", "cat", "the"]]
LINES = [" ".join(row) for row in TOKENS]


def objects(rows: list[Any]) -> np.ndarray:
    """The rows as an array of Python objects."""
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


@pytest.fixture
def polars() -> Any:
    return pytest.importorskip("polars", reason="polars is not installed")


@pytest.fixture
def pandas() -> Any:
    return pytest.importorskip("pandas", reason="pandas is not installed")


# Arrays and lists ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        (objects(TOKENS), TOKENS),
        (np.array([["a", "b"], ["c", "d"]]), [["a", "b"], ["c", "d"]]),
        (np.array([["a", 1], ["c", 2]], object), [["a", "1"], ["c", "2"]]),
        ([pa.array(row) for row in TOKENS], TOKENS),
        ([np.array([-1, 2]), np.array([-3])], [["-1", "2"], ["-3"]]),
        ((np.array([5, 6, 7]), [0, 1, 3]), [["5"], ["6", "7"]]),
        ((np.array(["x", "y"]), ["z"]), [["x", "y"], ["z"]]),
        ([[np.str_("a"), np.int64(3)]], [["a", "3"]]),
        ({"a": ["x", "y"]}.values(), [["x", "y"]]),
        (map(str.split, LINES), TOKENS),
    ],
)
def test_what_is_read(source: Any, wanted: list[list[str]]) -> None:
    assert sentences(source) == wanted


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"the cat", r"got bytes; of text in memory give \[line\.split\(\) for line in text\.decode\(\)"),
        (bytearray(b"the cat"), "got bytearray; of text in memory give"),
        (memoryview(b"the cat"), "got memoryview; of text in memory give"),
        ({"a": ["b"]}, r"got dict; .* list\(corpus\.values\(\)\)"),
        (
            sparse.csr_matrix(np.eye(2)),
            r"csr_matrix; .*random_walks\(matrix\).*\(matrix\.indices, matrix\.indptr\)",
        ),
        (sparse.coo_array(np.eye(2)), r"got coo_array; .*random_walks\(matrix\)"),
        (lambda: TOKENS, "got function; call it"),
        (np.array(LINES), "sentence 0 is a string"),
        (objects(LINES), "sentence 0 is a string"),
        (np.array(None), r"must be 2-D, .* got shape \(\)"),
        ((np.arange(3), [0, 2]), r"offsets must go from 0 up to the number of ids \(3\)"),
        (iter([]), "the iterator holds no words; one that was read before is at its end"),
        ([], "the iterable holds no words"),
    ],
)
def test_what_is_no_corpus_and_what_to_do(source: Any, message: str) -> None:
    with pytest.raises(CorpusError, match=message) as caught:
        encode(source, min_count=1)
    assert "\n" not in str(caught.value)


def test_a_list_of_words_is_not_taken_for_paths_without_a_word() -> None:
    with pytest.raises(MissingFileError, match="no file 'cat'; in Python sentences must be lists of tokens"):
        open_source(["cat", "dog"])
    with pytest.raises(MissingFileError, match=r"no file 'cat\.txt'$"):
        open_source(["cat.txt", "dog.txt"])


def test_a_generator_that_was_read_is_named() -> None:
    corpus = (row for row in TOKENS)
    assert encode(corpus, min_count=1).raw_words == 7
    with pytest.raises(CorpusError, match="the iterator holds no words; one that was read before is at its end"):
        encode(corpus, min_count=1)
    with pytest.raises(ConfigError, match="the iterator can be read only once"):
        encode(iter(TOKENS), min_count=1, max_vocab_size=10)


def test_sets_are_the_same_in_every_process() -> None:
    code = (
        "from xw2v import encode; c = encode([set('the quick brown fox jumps'.split())] * 2, min_count=1);"
        "print(c.ids.tolist(), c.vocabulary.words)"
    )
    seen = {
        subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed},
                       capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(seen) == 1, seen


# Tables ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [LINES, TOKENS], ids=["text", "tokens"])
@pytest.mark.parametrize(
    "of",
    [pa.array, lambda rows: pa.chunked_array([rows[:1], rows[1:]]), lambda rows: pa.record_batch({"x": rows}),
     lambda rows: pa.table({"x": rows, "n": [1, 2, 3]}), lambda rows: pa.table({"x": rows}).to_reader()],
    ids=["array", "chunked", "batch", "table", "reader"],
)  # fmt: skip
def test_arrow(of: Callable[[Any], Any], rows: list[Any]) -> None:
    assert sentences(of(rows)) == TOKENS


class Word(str):
    """A string of which one can see whether it is still there."""


def test_a_block_of_lists_leaves_nothing() -> None:
    gone: list[weakref.ref[Word]] = []

    def rows() -> Iterator[list[Word]]:
        for _ in range(3):
            row = [Word("a"), Word("b")]
            gone.extend([weakref.ref(word) for word in row])
            yield row

    gc.collect()
    gc.disable()  # circles would be found some day, and memory grow until then
    try:
        stream = open_source(rows(), share=Shares(1, 1, 1)).blocks
        for _ in range(2):
            next(stream)
        assert [word() for word in gone[:2]] == [None, None]
        assert len(list(stream)) == 1
    finally:
        gc.enable()


LONG = pa.array(["ab " * 100] * 2000)
MANY = pa.array([["ab"] * 100] * 2000)


@pytest.mark.parametrize(
    "rows", [LONG, LONG.dictionary_encode(), MANY, MANY.to_pylist()], ids=["text", "dictionary", "lists", "Python"]
)
@pytest.mark.parametrize("in_file", [False, True])
def test_a_block_takes_no_more_than_its_share(rows: Any, in_file: bool, tmp_path: Path) -> None:
    """However long rows are, and however little of that the file tells."""
    source: Any = rows
    if in_file:
        if isinstance(rows, list):
            source = (row for row in rows)
        else:
            source = tmp_path / "t.parquet"
            pq.write_table(pa.table({"x": rows}), source)
    sizes = [len(block.codes) for block in open_source(source, share=Shares(block=3000, words=1, tokens=500)).blocks]
    assert sum(sizes) == 200_000
    assert max(sizes) <= 1100


@given(chunks=st.lists(st.binary(max_size=20)), size=st.integers(1, 9))
def test_evened(chunks: list[bytes], size: int) -> None:
    pieces = list(evened(((chunk, place) for place, chunk in enumerate(chunks)), size))
    assert b"".join(piece for piece, _ in pieces) == b"".join(chunks)
    assert all(len(piece) == size for piece, _ in pieces[:-1])
    assert all(1 <= len(piece) <= size for piece, _ in pieces)
    assert [done for _, done in pieces] == sorted(done for _, done in pieces)


@given(
    rows=st.lists(st.none() | st.lists(st.integers(0, 9), max_size=5)), tokens=st.integers(1, 9), skip=st.integers(0, 3)
)
def test_token_slices(rows: list[list[int] | None], tokens: int, skip: int) -> None:
    parts = [part.to_pylist() for part in token_slices(pa.array(rows, pa.list_(pa.int64()))[skip:], tokens)]
    assert [row for part in parts for row in part] == rows[skip:]
    assert all(len(part) == 1 or sum(map(len, filter(None, part))) <= tokens for part in parts)


def test_tables_may_be_read_again_but_not_streams() -> None:
    table = pa.table({"x": LINES})
    assert open_source(table).again
    assert not open_source(table.to_reader()).again
    assert encode(table, min_count=1, max_vocab_size=10).raw_words == 7


@pytest.mark.parametrize("rows", [LINES, TOKENS], ids=["text", "tokens"])
def test_lazy_tables_are_collected(polars: Any, rows: list[Any]) -> None:
    def never(_: Any) -> Any:
        msg = "a column that nobody asked for was worked out"
        raise AssertionError(msg)

    table = polars.DataFrame({"n": [1, 2, 3], "x": rows, "m": [1, 2, 3]}).lazy()
    table = table.with_columns(polars.col("m").map_batches(never, return_dtype=polars.Int64))
    assert sentences(table.drop("m")) == TOKENS
    assert sentences(table, column="x") == TOKENS
    with pytest.raises(CorpusError, match=r"the table has no column 'y'; .*: 'x'"):
        sentences(table, column="y")


def test_categories(polars: Any, tmp_path: Any) -> None:
    text, tokens = polars.Series(LINES, dtype=polars.Categorical), polars.Series(TOKENS)
    tokens = tokens.cast(polars.List(polars.Categorical))
    assert sentences(text) == sentences(tokens) == TOKENS
    assert sentences(tokens, lower=True)[:1] == [["the", "cat"]]
    polars.DataFrame({"x": tokens}).write_parquet(tmp_path / "t.parquet")
    pq.write_table(pa.table({"x": pa.array(LINES).dictionary_encode()}), tmp_path / "u.parquet")
    assert sentences(tmp_path / "t.parquet") == sentences(tmp_path / "u.parquet") == TOKENS


def test_a_category_without_a_row_is_no_word() -> None:
    tokens = pa.DictionaryArray.from_arrays([1, 1, 2], pa.array(["unused", "a", "b"]))
    corpus = encode(pa.ListArray.from_arrays([0, 2, 3], tokens), min_count=1)
    assert corpus.vocabulary.words == ["a", "b"]


def test_series(pandas: Any) -> None:
    assert sentences(pandas.Series(LINES)) == TOKENS
    assert sentences(pandas.Series(LINES, dtype="category")) == TOKENS
    assert sentences(pandas.Series([TOKENS[0], None, float("nan"), TOKENS[1]])) == TOKENS[:2]
    with pytest.raises(CorpusError, match=r"the table cannot be read: .*; give rows that are all strings or all lists"):
        sentences(pandas.Series([TOKENS[0], "a b"]))


def test_other_columns_of_a_frame_may_hold_anything(pandas: Any) -> None:
    frame = pandas.DataFrame({"x": TOKENS, "odd": ["1", 2, object()]})
    assert sentences(frame, column="x") == TOKENS
    with pytest.raises(CorpusError, match=r'cannot be read: .*, or name a column \(column="\.\.\."\)'):
        sentences(frame)


@pytest.mark.parametrize("rows", [[1, 2], [[1.5], [2.5]], [[["a"]]]], ids=str)
def test_rows_that_are_no_sentences(rows: list[Any]) -> None:
    for source, name in ((pa.array(rows), "the column"), (pa.table({"x": rows}), "the table")):
        with pytest.raises(CorpusError, match=f"^{name} holds .*, wanted strings or lists of .* group what belongs"):
            sentences(source)
    with pytest.raises(CorpusError, match=r"^column 'x' of the table holds "):
        sentences(pa.table({"x": rows, "y": LINES[: len(rows)]}), column="x")
