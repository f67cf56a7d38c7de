"""Numbers in a file: the slices and places of an array, and clear errors where the file is not what it was."""

from __future__ import annotations

import gc
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from xw2v import EncodedCorpus, encode
from xw2v.errors import FormatError, MissingFileError
from xw2v.text.stored import StoredNumbers, out_of_range

ID, OFFSET = np.dtype("<i4"), np.dtype("<i8")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    np.arange(0, 3000, 3, dtype=ID).tofile(tmp_path / "n")
    return tmp_path / "n"


def test_slices_are_those_of_the_array(path: Path) -> None:
    array = np.fromfile(path, ID)
    numbers = StoredNumbers(path, ID)
    assert len(numbers) == len(array)
    for start, stop in [(0, 1000), (None, None), (7, 8), (7, 7), (9, 2), (990, 2000), (2000, 3000), (-5, None)]:
        got = numbers[start:stop]
        np.testing.assert_array_equal(got, array[start:stop])
        assert got.dtype == ID
        assert not got.flags.writeable
    np.testing.assert_array_equal(numbers.array, array)
    values = [-1, 0, 1, 3, 1500, 1501, 2997, 2998, 10**6]
    np.testing.assert_array_equal(numbers.searchsorted(values), array.searchsorted(values))


def test_a_place_among_many(tmp_path: Path) -> None:
    """More numbers than are read at once, some of them the same."""
    array = np.sort(np.random.default_rng(1).integers(0, 20_000, 9_000)).astype("<i8")
    array.tofile(tmp_path / "many")
    numbers = StoredNumbers(tmp_path / "many", array.dtype)
    values = np.arange(-3, 20_003, 7)
    np.testing.assert_array_equal(numbers.searchsorted(values), array.searchsorted(values))


def test_reads_that_come_in_parts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of more than 2 GiB."""
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda descriptor, count, at: pread(descriptor, min(count, 101), at))
    np.testing.assert_array_equal(StoredNumbers(path, ID)[3:990], np.fromfile(path, ID)[3:990])


def test_without_reads_by_place_the_map_is_sliced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pread")
    numbers = StoredNumbers(path, ID)
    np.testing.assert_array_equal(numbers[3:990], np.fromfile(path, ID)[3:990])
    assert numbers.searchsorted([30]).tolist() == [10]


def test_a_file_that_is_cut_short(path: Path) -> None:
    mapped, numbers = StoredNumbers(path, ID), StoredNumbers(path, ID)
    assert len(mapped.array) == 1000
    os.truncate(path, 2000)
    for each in (mapped, numbers):
        assert len(each[:500]) == 500
        with pytest.raises(FormatError, match="became shorter while it was in use: 4,000 bytes before, 2,000 now"):
            each[:501]
        with pytest.raises(FormatError, match="became shorter"):
            each.searchsorted([10**6])
    with pytest.raises(FormatError, match="became shorter"):
        _ = numbers.array


def test_ids_are_looked_at_whenever_they_are_read(path: Path) -> None:
    numbers = StoredNumbers(path, ID, below=2998)
    assert len(numbers[:]) == 1000
    with path.open("r+b") as file:
        file.seek(400)
        file.write(np.array([-7], ID).tobytes())
    assert len(numbers[:100]) == 100
    with pytest.raises(FormatError, match=r"n is damaged: ids must be in 0 \.\. 2997, one is -7; encode"):
        numbers[90:110]


def test_out_of_range() -> None:
    ids = np.array([3, 0, 2], ID)
    assert out_of_range(ids, 4) is None
    assert out_of_range(ids[:0], 4) is None
    assert out_of_range(ids, 3) == 3
    assert out_of_range(np.array([0, -1], ID), 2**31 - 1) == -1


def test_files_of_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        StoredNumbers(tmp_path / "n", ID)
    (tmp_path / "n").write_bytes(b"")
    empty = StoredNumbers(tmp_path / "n", ID)
    assert len(empty) == len(empty[:]) == len(empty.array) == 0
    (tmp_path / "n").write_bytes(b"12345")
    with pytest.raises(FormatError, match="5 bytes are no whole number of int32"):
        StoredNumbers(tmp_path / "n", ID)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted as Linux lists them")
def test_files_are_closed_with_their_corpus(tmp_path: Path) -> None:
    encode([["a", "b"]] * 9, tmp_path / "e", min_count=1)
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    corpora = [EncodedCorpus.open(tmp_path / "e") for _ in range(20)]
    assert len(os.listdir("/proc/self/fd")) > before  # noqa: PTH208
    corpora[0].close()
    del corpora
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_corpus_stays_what_it_was_when_it_was_opened(tmp_path: Path) -> None:
    """Numbers and fingerprint, also where another corpus takes its place, or nothing does."""
    encode([["a", "b"]] * 9, tmp_path / "e", min_count=1)
    corpus = EncodedCorpus.open(tmp_path / "e")
    ids, fingerprint = corpus.ids.copy(), corpus.fingerprint()
    corpus = EncodedCorpus.open(tmp_path / "e")
    encode([["c", "d", "e"]] * 9, tmp_path / "e", min_count=1)
    for _ in range(2):
        np.testing.assert_array_equal(corpus.stored[0][:], ids)
        assert corpus.fingerprint() == fingerprint
        shutil.rmtree(tmp_path / "e")
        (tmp_path / "e").mkdir()


def test_arrays_that_were_put_in_place_of_a_file_are_read(tmp_path: Path) -> None:
    encode([["a", "b"]] * 9, tmp_path / "e", min_count=1)
    corpus = EncodedCorpus.open(tmp_path / "e")
    assert all(isinstance(numbers, StoredNumbers) for numbers in corpus.stored)
    corpus.ids = corpus.ids[::-1].copy()
    ids, offsets = corpus.stored
    assert ids is corpus.ids
    assert isinstance(offsets, StoredNumbers)
