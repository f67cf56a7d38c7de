"""Model folders: round trips, replacing, and files that lie."""

from __future__ import annotations

import errno
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
from hypothesis import given
from hypothesis import strategies as st

from tests.vector_files import (
    Floats,
    assert_bits_equal,
    damaged,
    names,
    only_clean_errors,
    quick,
    save_small,
    some_vectors,
    words_and_vectors,
)
from xw2v.errors import FileAccessError, FormatError, MissingFileError, ShapeError
from xw2v.tensors import read_tensors, write_tensors
from xw2v.vectors.model_folder import CONFIG, TABLES, VOCABULARY, load_model_folder, save_model_folder
from xw2v.vectors.word_vectors import WordVectors


@quick
@given(content=words_and_vectors(st.characters(), 0))
def test_model_folder_round_trip(tmp_path: Path, content: tuple[list[str], Floats]) -> None:
    words, vectors = content
    metadata = {"words": words, "none": None, "π": [1.5, True]}
    save_model_folder(tmp_path / "m", {"center_vectors": vectors, "outside_vectors": -vectors}, words, None, metadata)
    for mmap in (True, False):
        model = load_model_folder(tmp_path / "m", mmap=mmap)
        assert model.packed_words.tolist() == words
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
    assert load_model_folder(tmp_path / "m").packed_words.tolist() == ["z"]
    np.testing.assert_array_equal(kept, before)  # who mapped the old tables keeps them
    assert names(tmp_path) == ["m"]


def test_saving_into_an_empty_folder_and_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    save_small(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert load_model_folder(tmp_path / "empty").packed_words.tolist() == ["a", "b", "c"]


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
    assert load_model_folder(tmp_path / "m").packed_words.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("tables", "counts", "metadata", "error", "match"),
    [
        ({"other": np.ones((1, 1))}, None, {}, ShapeError, "center_vectors"),
        ({"center_vectors": np.ones((2, 1))}, None, {}, ShapeError, r"shape \(1, D\)"),
        ({"center_vectors": np.ones(1)}, None, {}, ShapeError, r"got \(1,\)"),
        ({"center_vectors": np.ones((1, 1))}, [1, 2], {}, ShapeError, "counts must have one entry"),
        ({"center_vectors": [[np.nan, 1]]}, None, {}, FormatError, "vector of 'a' holds NaN or infinity"),
        ({"center_vectors": [[1e39, 1]]}, None, {}, FormatError, "vector of 'a' holds NaN or infinity"),
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
    ],
)
def test_damaged_texts(tmp_path: Path, name: str, content: bytes, match: str) -> None:
    save_small(tmp_path / "m")
    (tmp_path / "m" / name).write_bytes(content)
    with pytest.raises(FormatError, match=match):
        load_model_folder(tmp_path / "m")


def write(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    with path.open("xb") as file:
        write_tensors(file, arrays)


TEXT, ENDS = np.frombuffer(b"abc", np.uint8), np.array([1, 2, 3])


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"words": TEXT}, 'no "words"'),
        ({"words": ENDS, "ends": ENDS}, 'no "words"'),
        ({"words": TEXT, "ends": TEXT}, 'no "words"'),
        ({"words": TEXT, "ends": np.array([1, 3, 2])}, "do not rise to the 3 bytes"),
        ({"words": TEXT, "ends": np.array([1, 2, 4])}, "do not rise to the 3 bytes"),
        ({"words": TEXT, "ends": np.array([-1, 2, 3])}, "do not rise to the 3 bytes"),
        ({"words": TEXT, "ends": np.array([6, 4 - 2**63, 3])}, "do not rise to the 3 bytes"),
        ({"words": TEXT, "ends": np.array([1, 3])}, r"3 rows and vocabulary\.safetensors has 2 words"),
        ({"words": TEXT, "ends": ENDS, "counts": np.array([1, 2])}, "3 counts"),
        ({"words": TEXT, "ends": ENDS, "counts": np.array([1, 2, -3])}, "3 counts"),
        ({"words": TEXT, "ends": ENDS, "counts": np.ones((3, 1), np.float32)}, "not 1-D uint8 or 1-D int64"),
        ({"words": TEXT, "ends": ENDS, "counts": np.ones((3, 1))}, "3 counts"),
        ({"center_lengths": np.ones((2, 1)), "words": TEXT, "ends": ENDS}, "3 lengths"),
        ({"center_lengths": np.ones((3, 2)), "words": TEXT, "ends": ENDS}, "3 lengths"),
        ({"center_lengths": np.array([1, 2, 3]), "words": TEXT, "ends": ENDS}, "3 lengths"),
        ({"center_lengths": np.array([[1], [-2.0], [3]]), "words": TEXT, "ends": ENDS}, "3 lengths"),
        ({"center_lengths": np.array([[1], [np.nan], [3]]), "words": TEXT, "ends": ENDS}, "3 lengths"),
    ],
)
def test_damaged_vocabularies(tmp_path: Path, arrays: Any, match: str) -> None:
    save_small(tmp_path / "m")
    (tmp_path / "m" / VOCABULARY).unlink()
    write(tmp_path / "m" / VOCABULARY, arrays)
    with pytest.raises(FormatError, match=match):
        load_model_folder(tmp_path / "m")


@pytest.mark.parametrize(
    ("text", "match"), [(b"aba", "'a' comes more than once"), (b"a\xffc", "not UTF-8"), (b"ab\x80", "not UTF-8")]
)
def test_words_that_are_wrong_are_reported_when_they_are_needed(tmp_path: Path, text: bytes, match: str) -> None:
    save_small(tmp_path / "m")
    (tmp_path / "m" / VOCABULARY).unlink()
    write(tmp_path / "m" / VOCABULARY, {"words": np.frombuffer(text, np.uint8), "ends": ENDS})
    wv = WordVectors.load(tmp_path / "m")
    with pytest.raises(FormatError, match=match):
        _ = wv.key_to_index


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


def test_a_name_with_a_line_break_stays_on_its_line(tmp_path: Path) -> None:
    header = b'{"a\\nb":{"dtype":"F32","shape":[-1,1],"data_offsets":[0,4]}}'
    path = tmp_path / "t.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(FormatError, match=r"fits its shape \('a\\nb'\); the file is damaged$"):
        read_tensors(path, mmap=False)
