"""Files that are replaced whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.vector_files import (
    names,
    save_small,
)
from xw2v.errors import FileAccessError, MissingFileError
from xw2v.files import atomic_write
from xw2v.vectors.word2vec_format import load_word2vec_format, save_word2vec_format


def test_paths_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="does not exist"):
        load_word2vec_format(tmp_path / "none")
    with pytest.raises(FileAccessError, match="is a folder; wanted a file"):
        load_word2vec_format(tmp_path)
    with pytest.raises(FileAccessError, match="is not a regular file"):
        save_word2vec_format(tmp_path, ["a"], [[1.0]])
    with pytest.raises(FileAccessError, match=r"there is no folder .*no; make it first"):
        save_word2vec_format(tmp_path / "no" / "v", ["a"], [[1.0]])
    with pytest.raises(FileAccessError, match=r"there is no folder .*no; make it first"):
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


def test_where_there_are_no_locks_none_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with atomic_write(tmp_path / "f") as file:
        file.write(b"new")
    assert names(tmp_path) == ["f"]
