"""Files past the page cache hold what ordinary ones would."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from xw2v import uncached
from xw2v.files import atomic_write
from xw2v.uncached import UncachedFile

SIZES = [0, 1, 4095, 4096, 4097, 3 * 4096, 70_001]


@pytest.fixture(autouse=True)
def small_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uncached, "_BUFFER", 8192)


def content(size: int) -> bytes:
    return np.random.default_rng(size).bytes(size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("piece", [1000, 4096, 100_000])
def test_what_is_written_is_there(tmp_path: Path, size: int, piece: int) -> None:
    data = content(size)
    with UncachedFile(tmp_path / "f") as file:
        for start in range(0, size, piece):
            assert file.write(data[start : start + piece]) == len(data[start : start + piece])
    assert (tmp_path / "f").read_bytes() == data


def test_flushed_in_between_it_goes_on(tmp_path: Path) -> None:
    data = content(50_000)
    with UncachedFile(tmp_path / "f") as file:
        file.write(data[:9000])
        file.flush()
        assert (tmp_path / "f").read_bytes() == data[:9000]
        file.write(data[9000:])
    assert (tmp_path / "f").read_bytes() == data


def test_arrays_of_any_type(tmp_path: Path) -> None:
    table = np.arange(6000, dtype=np.float32).reshape(60, 100)
    with UncachedFile(tmp_path / "f") as file:
        assert file.write(table.data) == table.nbytes
    np.testing.assert_array_equal(np.fromfile(tmp_path / "f", np.float32).reshape(table.shape), table)


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    file = UncachedFile.__new__(UncachedFile)
    with pytest.raises(FileExistsError):
        file.__init__(tmp_path / "f")  # type: ignore[misc]
    file.close()  # as Python does of one that could not be made
    assert (tmp_path / "f").read_text() == "old"


@pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="this system writes through its cache only")
def test_it_goes_past_the_cache_where_that_is_possible(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl", reason="not on this system")
    with (tmp_path / "probe").open("wb") as probe:
        try:
            fcntl.fcntl(probe, fcntl.F_SETFL, os.O_DIRECT)
        except OSError:
            pytest.skip("this file system writes through the cache only")
    with UncachedFile(tmp_path / "f") as file:
        file.write(content(20_000))
        assert fcntl.fcntl(file.fileno(), fcntl.F_GETFL) & os.O_DIRECT


@pytest.mark.parametrize("moment", ["open", "write"])
def test_file_systems_that_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    fcntl = pytest.importorskip("fcntl", reason="not on this system")
    direct = getattr(os, "O_DIRECT", 0)
    real, real_write = fcntl.fcntl, os.write
    refused = []

    def control(file: int, command: int, flags: int = 0) -> int:
        if moment == "open" and command == fcntl.F_SETFL and flags & direct:
            refused.append(flags)
            raise OSError(errno.EINVAL, "Invalid argument")
        found: int = real(file, command, flags)
        return found

    def write(file: int, data: memoryview) -> int:
        if moment == "write" and real(file, fcntl.F_GETFL) & direct:
            refused.append(len(data))
            raise OSError(errno.EINVAL, "Invalid argument")
        return real_write(file, data[:5000])  # a part only, as a signal may have it

    monkeypatch.setattr(fcntl, "fcntl", control)
    monkeypatch.setattr(os, "write", write)
    with UncachedFile(tmp_path / "f") as file:
        file.write(content(30_000))
    assert len(refused) <= 1
    assert (tmp_path / "f").read_bytes() == content(30_000)


def test_a_full_disk_is_an_error_and_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_text("old")
    wrote: list[int] = []

    def write(file: int, data: memoryview) -> int:
        if wrote:
            raise OSError(errno.ENOSPC, "No space left on device")
        wrote.append(4096)
        return 4096

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(Exception, match="No space left"), atomic_write(tmp_path / "f", cached=False) as file:
        file.write(content(30_000))
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_text() == "old"


def test_bytes_stay_what_they_are_where_lines_would_get_other_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows ends lines of a file by two bytes, unless it is opened as binary."""
    asked, really, binary = [], os.open, 1 << 30

    def note(path: Path, flags: int, mode: int) -> int:
        asked.append(flags)
        return really(path, flags & ~binary, mode)

    monkeypatch.setattr(os, "O_BINARY", binary, raising=False)
    monkeypatch.setattr(os, "open", note)
    UncachedFile(tmp_path / "f").close()
    assert [flags & binary for flags in asked] == [binary]
