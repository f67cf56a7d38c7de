"""Model folders and word2vec files: round trips, gensim both ways, and files that lie."""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xw2v.errors import FileAccessError, FormatError, MissingFileError, ShapeError, XW2VError
from xw2v.vectors import formats
from xw2v.vectors.formats import (
    CONFIG,
    TABLES,
    VOCABULARY,
    atomic_write,
    load_model_folder,
    load_word2vec_format,
    save_model_folder,
    save_word2vec_format,
)

Floats = npt.NDArray[np.float32]
WORDS = ["the", "žluťoučký", "国王", "a\u00a0b", "🙂", "c,d\"e'", "#", "12", "nan"]
SPECIAL = [0.0, -0.0, 1e-45, -1e-38, 3.4028235e38, 0.1, 1 / 3, 1e16, 123456.79]
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def some_vectors(V: int = len(WORDS), D: int = 5) -> Floats:
    vectors = np.random.default_rng(0).standard_normal((V, D)).astype(np.float32)
    vectors[: len(SPECIAL), 0] = SPECIAL[:V]
    return vectors


def words_and_vectors(alphabet: st.SearchStrategy[str], min_size: int) -> st.SearchStrategy[tuple[list[str], Floats]]:
    words = st.lists(st.text(alphabet, min_size=min_size, max_size=8), max_size=6, unique=True)
    number = st.floats(width=32, allow_nan=False, allow_infinity=False)

    def with_rows(names: list[str]) -> st.SearchStrategy[tuple[list[str], Floats]]:
        table = st.integers(1, 4).flatmap(
            lambda D: st.lists(st.lists(number, min_size=D, max_size=D), min_size=len(names), max_size=len(names)).map(
                lambda rows: np.array(rows, dtype=np.float32).reshape(len(names), D)
            )
        )
        return st.tuples(st.just(names), table)

    return words.flatmap(with_rows)


def assert_bits_equal(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> None:
    assert a.dtype == b.dtype == np.float32
    assert a.shape == b.shape
    assert a.tobytes() == b.tobytes()  # -0.0 and 0.0 differ here


# --- model folder -----------------------------------------------------------


def save_small(folder: Path, **tables: Floats) -> None:
    save_model_folder(folder, {"center_vectors": some_vectors(3), **tables}, ["a", "b", "c"], [3, 2, 1], {"x": 1})


@quick
@given(content=words_and_vectors(st.characters(), 0))
def test_model_folder_round_trip(tmp_path: Path, content: tuple[list[str], Floats]) -> None:
    words, vectors = content
    metadata = {"words": words, "none": None, "π": [1.5, True]}
    save_model_folder(tmp_path / "m", {"center_vectors": vectors, "outside_vectors": -vectors}, words, None, metadata)
    for mmap in (True, False):
        model = load_model_folder(tmp_path / "m", mmap=mmap)
        assert model.words == words
        assert model.counts is None
        assert model.metadata == metadata
        assert_bits_equal(model.tables["center_vectors"], vectors)
        assert_bits_equal(model.tables["outside_vectors"], -vectors)


def test_model_folder_files_and_counts(tmp_path: Path) -> None:
    save_small(tmp_path / "m")
    assert names(tmp_path) == ["m"]
    assert names(tmp_path / "m") == sorted([TABLES, VOCABULARY, CONFIG])
    model = load_model_folder(tmp_path / "m")
    assert model.counts is not None
    assert model.counts.dtype == np.int64
    assert model.counts.tolist() == [3, 2, 1]
    mapped = model.tables["center_vectors"]
    assert type(mapped) is np.ndarray
    assert not mapped.flags.writeable
    assert mapped.flags.aligned


def test_tables_are_real_safetensors_both_ways(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy", reason="safetensors is the reference here")
    save_small(tmp_path / "m", outside_vectors=some_vectors(3, 2))
    tables = library.load_file(tmp_path / "m" / TABLES)
    assert set(tables) == {"center_vectors", "outside_vectors"}
    assert_bits_equal(tables["center_vectors"], some_vectors(3))
    swapped = {"outside_vectors": some_vectors(3, 4), "center_vectors": some_vectors(3, 2)}
    library.save_file(swapped, tmp_path / "m" / TABLES, metadata={"made": "elsewhere"})
    for name, table in load_model_folder(tmp_path / "m").tables.items():
        assert_bits_equal(table, swapped[name])


def test_saving_again_replaces(tmp_path: Path) -> None:
    save_small(tmp_path / "m")
    kept = load_model_folder(tmp_path / "m").tables["center_vectors"]
    before = kept.copy()
    save_model_folder(tmp_path / "m", {"center_vectors": np.zeros((1, 2))}, ["z"], None, {})
    assert load_model_folder(tmp_path / "m").words == ["z"]
    np.testing.assert_array_equal(kept, before)  # who mapped the old tables keeps them
    assert names(tmp_path) == ["m"]


def test_saving_into_an_empty_folder_and_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    save_small(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert load_model_folder(tmp_path / "empty").words == ["a", "b", "c"]


def test_what_is_not_a_model_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / CONFIG).write_text("{}")
    with pytest.raises(FileAccessError, match="exists and is not an xw2v model"):
        save_small(tmp_path / "mine")
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(FileAccessError, match=r"holds 'thesis\.txt', which is no part of a model"):
        save_small(tmp_path / "mine")
    with pytest.raises(FileAccessError, match="a file of that name exists"):
        save_small(tmp_path / "mine" / "thesis.txt")
    save_small(tmp_path / "m", outside_vectors=some_vectors(3))
    with pytest.raises(FileAccessError, match="'outside_vectors' would be lost"):
        save_small(tmp_path / "m")
    assert names(tmp_path) == ["m", "mine"]
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


@pytest.mark.parametrize("failing", ["fsync", "rename in"])
def test_a_full_disk_leaves_the_old_model_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    save_small(tmp_path / "m")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    rename = Path.rename

    def fail(*_: object) -> None:
        raise full

    def fail_to_m(self: Path, target: Path) -> Path:
        if Path(target).name == "m" and self.suffix == ".tmp":
            raise full
        return rename(self, target)

    with monkeypatch.context() as patch:
        if failing == "fsync":
            patch.setattr(os, "fsync", fail)
        else:
            patch.setattr(Path, "rename", fail_to_m)
        with pytest.raises(FileAccessError, match=r"cannot write .*m: No space left on device; nothing was changed"):
            save_model_folder(tmp_path / "m", {"center_vectors": np.zeros((1, 2))}, ["z"], None, {})
    assert names(tmp_path) == ["m"]
    assert load_model_folder(tmp_path / "m").words == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("tables", "counts", "metadata", "error", "match"),
    [
        ({"other": np.ones((1, 1))}, None, {}, ShapeError, "center_vectors"),
        ({"center_vectors": np.ones((2, 1))}, None, {}, ShapeError, r"shape \(1, D\)"),
        ({"center_vectors": np.ones(1)}, None, {}, ShapeError, r"got \(1,\)"),
        ({"center_vectors": np.ones((1, 1))}, [1, 2], {}, ShapeError, "counts must have one entry"),
        ({"center_vectors": np.ones((1, 1))}, None, {"x": float("nan")}, FormatError, "metadata"),
        ({"center_vectors": np.ones((1, 1))}, None, {"x": object()}, FormatError, "metadata"),
    ],
)
def test_models_that_cannot_be_saved(
    tmp_path: Path, tables: Any, counts: Any, metadata: Any, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        save_model_folder(tmp_path / "m", tables, ["a"], counts, metadata)
    assert names(tmp_path) == []


def test_missing_parts(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="none does not exist"):
        load_model_folder(tmp_path / "none")
    with pytest.raises(MissingFileError, match=r"has no config\.json"):
        load_model_folder(tmp_path)
    for name in (TABLES, VOCABULARY):
        save_small(tmp_path / "m")
        (tmp_path / "m" / name).unlink()
        with pytest.raises(MissingFileError, match=name):
            load_model_folder(tmp_path / "m")
        shutil.rmtree(tmp_path / "m")
    (tmp_path / "file").touch()
    with pytest.raises(FileAccessError, match="is a file; wanted a model folder"):
        load_model_folder(tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        (CONFIG, b"{", "not JSON"),
        (CONFIG, b"[" * 100_000, "not JSON"),
        (CONFIG, b"[]", "does not say"),
        (CONFIG, b'{"format": "xw2v model", "format_version": 2, "metadata": {}}', "reads up to 1"),
        (CONFIG, b'{"format": "xw2v model", "format_version": true, "metadata": {}}', "version True"),
        (CONFIG, b'{"format": "xw2v model", "format_version": 1}', "metadata"),
        (VOCABULARY, b"\xff", "not JSON"),
        (VOCABULARY, b"{}", "no list of strings"),
        (VOCABULARY, b'{"words": ["a", "b", 3]}', "no list of strings"),
        (VOCABULARY, b'{"words": ["a", "b", "b"]}', "twice"),
        (VOCABULARY, b'{"words": ["a", "b"]}', "3 rows and vocabulary.json has 2 words"),
        (VOCABULARY, b'{"words": ["a", "b", "c"], "counts": [1, 2]}', "3 counts"),
        (VOCABULARY, b'{"words": ["a", "b", "c"], "counts": [1, 2, -3]}', "3 counts"),
        (VOCABULARY, b'{"words": ["a", "b", "c"], "counts": [1, 2, 1e3]}', "3 counts"),
        (VOCABULARY, b'{"words": ["a", "b", "c"], "counts": [1, 2, 99999999999999999999]}', "3 counts"),
    ],
)
def test_damaged_texts(tmp_path: Path, name: str, content: bytes, match: str) -> None:
    save_small(tmp_path / "m")
    (tmp_path / "m" / name).write_bytes(content)
    with pytest.raises(FormatError, match=match):
        load_model_folder(tmp_path / "m")


HUGE = 2**40


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        ({"dtype": "F32", "shape": [3, 5], "data_offsets": [0, 60]}, None),
        ({"dtype": "F64", "shape": [3, 5], "data_offsets": [0, 60]}, "not 2-D float32"),
        ({"dtype": "F32", "shape": [15], "data_offsets": [0, 60]}, "not 2-D float32"),
        ({"dtype": "F32", "shape": [3, 5]}, "not 2-D float32"),
        ({"dtype": "F32", "shape": [3, -5], "data_offsets": [0, -60]}, "not 2-D float32"),
        ({"dtype": "F32", "shape": [3.0, 5], "data_offsets": [0, 60]}, "not 2-D float32"),
        ({"dtype": "F32", "shape": [HUGE, HUGE], "data_offsets": [0, 60]}, "not 2-D float32"),
        ({"dtype": "F32", "shape": [HUGE, 1], "data_offsets": [0, 4 * HUGE]}, "do not fill"),
        ({"dtype": "F32", "shape": [2, 5], "data_offsets": [0, 40]}, "do not fill"),
        ({"dtype": "F32", "shape": [3, 4], "data_offsets": [12, 60]}, "do not fill"),
        ({"dtype": "F32", "shape": [0, 0], "data_offsets": [0, 0]}, "not 2-D float32"),
        ([], "not 2-D float32"),
    ],
)
@pytest.mark.parametrize("mmap", [True, False])
def test_headers_that_lie(tmp_path: Path, entry: Any, match: str | None, mmap: bool) -> None:
    save_small(tmp_path / "m")
    header = json.dumps({"center_vectors": entry}).encode()
    (tmp_path / "m" / TABLES).write_bytes(len(header).to_bytes(8, "little") + header + bytes(60))
    if match is None:
        load_model_folder(tmp_path / "m", mmap)
        return
    with pytest.raises(FormatError, match=match):
        load_model_folder(tmp_path / "m", mmap)


def test_a_header_length_that_lies_allocates_nothing(tmp_path: Path) -> None:
    save_small(tmp_path / "m")
    path = tmp_path / "m" / TABLES
    for length in (2**63, 2**34, path.stat().st_size - 7):
        path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
        tracemalloc.start()
        with pytest.raises(FormatError, match=f"header length of {length}"):
            load_model_folder(tmp_path / "m")
        assert tracemalloc.get_traced_memory()[1] < 2**20
        tracemalloc.stop()


def damaged(content: bytes) -> list[bytes]:
    """`content` cut at every length, and with every byte turned in two ways."""
    flipped = [
        content[:i] + bytes([content[i] ^ bit]) + content[i + 1 :] for i in range(len(content)) for bit in (1, 128)
    ]
    return [content[:length] for length in range(len(content))] + flipped


def only_clean_errors(attempts: list[Callable[[], object]]) -> tuple[int, int]:
    """How many attempts failed with one line of ours and how many passed; anything else is raised."""
    failed = 0
    for attempt in attempts:
        try:
            attempt()
        except XW2VError as error:
            failed += "\n" not in str(error)
    return failed, len(attempts) - failed


@pytest.mark.parametrize("name", [TABLES, VOCABULARY, CONFIG])
def test_any_damage_to_a_model_is_a_clean_error_or_harmless(tmp_path: Path, name: str) -> None:
    save_model_folder(tmp_path / "m", {"center_vectors": some_vectors(2, 2)}, ["a", "b"], [2, 1], {"x": 1})
    path = tmp_path / "m" / name
    content = path.read_bytes()

    def attempt(data: bytes) -> Callable[[], object]:
        def load() -> None:
            path.write_bytes(data)
            load_model_folder(tmp_path / "m")

        return load

    failed, _ = only_clean_errors([attempt(data) for data in damaged(content)])
    assert failed > len(content) / 2


# --- word2vec formats -------------------------------------------------------


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("suffix", ["", ".gz"])
@quick
@given(content=words_and_vectors(st.characters(exclude_categories=["Cs"], exclude_characters=" \t\n\r\v\f"), 1))
def test_word2vec_round_trip(tmp_path: Path, content: tuple[list[str], Floats], binary: bool, suffix: str) -> None:
    words, vectors = content
    path = tmp_path / f"vectors{suffix}"
    save_word2vec_format(path, words, vectors, binary)
    words_back, vectors_back = load_word2vec_format(path, binary)
    assert words_back == words
    assert_bits_equal(vectors_back, vectors)


def gensim_vectors(V: int = len(WORDS)) -> Any:
    models = pytest.importorskip("gensim.models", reason="gensim is the reference here and is not installed")
    keyed = models.KeyedVectors(5)
    keyed.add_vectors(WORDS[:V], some_vectors(V))
    return keyed


@pytest.mark.parametrize("binary", [False, True])
def test_files_are_gensims_byte_for_byte(tmp_path: Path, binary: bool) -> None:
    gensim_vectors().save_word2vec_format(str(tmp_path / "theirs"), binary=binary)
    save_word2vec_format(tmp_path / "ours", WORDS, some_vectors(), binary)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_gensim_and_we_read_each_other(tmp_path: Path, binary: bool, suffix: str) -> None:
    keyed = gensim_vectors()
    keyed.save_word2vec_format(str(tmp_path / f"theirs{suffix}"), binary=binary)
    words, vectors = load_word2vec_format(tmp_path / f"theirs{suffix}", binary)
    assert words == WORDS
    assert_bits_equal(vectors, some_vectors())
    save_word2vec_format(tmp_path / f"ours{suffix}", WORDS, some_vectors(), binary)
    back = type(keyed).load_word2vec_format(str(tmp_path / f"ours{suffix}"), binary=binary)
    assert back.index_to_key == WORDS
    assert_bits_equal(back.vectors, some_vectors())


@pytest.mark.parametrize("chunk", [1, 7, 2**20])
@pytest.mark.parametrize("binary", [False, True])
def test_chunks_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, binary: bool) -> None:
    save_word2vec_format(tmp_path / "whole", WORDS, some_vectors(), binary)
    monkeypatch.setattr(formats, "_CHUNK", chunk)
    save_word2vec_format(tmp_path / "parts", WORDS, some_vectors(), binary)
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()
    words, vectors = load_word2vec_format(tmp_path / "parts", binary)
    assert words == WORDS
    assert_bits_equal(vectors, some_vectors())
    assert load_word2vec_format(tmp_path / "parts", binary, limit=4)[0] == WORDS[:4]


def test_files_of_the_c_program(tmp_path: Path) -> None:
    # It ends each line of text with a space, and each binary row with a line end.
    (tmp_path / "t").write_bytes(b"2 2\n</s> 0.004003 -1e-03 \nthe 1 2 \n")
    assert load_word2vec_format(tmp_path / "t")[0] == ["</s>", "the"]
    rows = np.array([[0.5, 1], [2, -3]], dtype="<f4")
    (tmp_path / "b").write_bytes(b"2 2\n</s> " + rows[0].tobytes() + b"\nthe " + rows[1].tobytes() + b"\n")
    words, vectors = load_word2vec_format(tmp_path / "b", binary=True)
    assert words == ["</s>", "the"]
    assert_bits_equal(vectors, rows)


def test_last_line_end_may_lack_and_others_may_be_of_windows(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"2 2\r\na 1 2\r\nb 3 4")
    words, vectors = load_word2vec_format(tmp_path / "t")
    assert words == ["a", "b"]
    assert vectors.tolist() == [[1, 2], [3, 4]]


def test_a_repeated_word_keeps_its_first_row_as_in_gensim(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"4 1\na 1\nb 2\na 3\nc 4\n")
    with pytest.warns(UserWarning, match="1 rows repeat a word, as 'a'"):
        words, vectors = load_word2vec_format(tmp_path / "t")
    assert words == ["a", "b", "c"]
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
        with pytest.raises(FormatError, match=r"use save\(\)") as caught:
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
    assert load_word2vec_format(tmp_path / "t", unicode_errors="replace")[0] == ["caf\ufffd"]
    assert load_word2vec_format(tmp_path / "t", unicode_errors="ignore")[0] == ["caf"]


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


# --- atomic writing ---------------------------------------------------------


def test_paths_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="does not exist"):
        load_word2vec_format(tmp_path / "none")
    with pytest.raises(FileAccessError, match="cannot read"):
        load_word2vec_format(tmp_path)
    with pytest.raises(FileAccessError, match="is not a regular file"):
        save_word2vec_format(tmp_path, ["a"], [[1.0]])
    with pytest.raises(FileAccessError, match="No such file or directory"):
        save_word2vec_format(tmp_path / "no" / "v", ["a"], [[1.0]])
    with pytest.raises(FileAccessError, match="No such file or directory"):
        save_small(tmp_path / "no" / "m")
    assert names(tmp_path) == []


def test_atomic_write_keeps_the_old_file_when_anything_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def interrupted() -> None:
        with atomic_write(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(FileAccessError, match="No space left"):
            save_word2vec_format(path, ["a"], [[1.0]])
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["f"]


def test_atomic_write_follows_a_link_and_keeps_usual_rights(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    with atomic_write(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    (tmp_path / "plain").touch()
    assert (tmp_path / "real").stat().st_mode == (tmp_path / "plain").stat().st_mode
