"""Where compiled code cannot be kept, or what was kept cannot be read, a run compiles for itself."""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

numba = pytest.importorskip("numba", reason="what is tried here is Numba's cache")

from numba.core import caching  # noqa: E402

from xw2v import Word2Vec, fitting  # noqa: E402
from xw2v.compiled import is_kept  # noqa: E402
from xw2v.training.engines.cpu import CpuEngine  # noqa: E402

SOURCE = """
from xw2v.compiled import compiled

@compiled()
def twice(x):
    return 2 * x
"""

Import = Callable[[], ModuleType]


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Import:
    """What imports a module with one compiled function anew, as another run does."""
    (tmp_path / "of_one_function.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))

    def anew() -> ModuleType:
        monkeypatch.delitem(sys.modules, "of_one_function", raising=False)
        return importlib.import_module("of_one_function")

    return anew


def refuse(number: int) -> Callable[..., None]:
    def refused(*_: Any, **__: Any) -> None:
        raise OSError(number, "refused")

    return refused


def test_the_next_run_finds_it(imported: Import) -> None:
    for hits in (0, 1):
        twice = imported().twice
        assert twice(2) == 4
        assert is_kept(twice)
        assert sum(twice.stats.cache_hits.values()) == hits


def test_no_folder_can_be_written_to(imported: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a package is installed for all users, and this one has no home."""
    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", refuse(errno.EROFS))
    twice = imported().twice
    assert twice(2) == 4
    assert not is_kept(twice)


def test_the_loops_of_numpy_tables_need_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", refuse(errno.EROFS))
    monkeypatch.delitem(sys.modules, "xw2v.backend.scatter", raising=False)
    loops = importlib.import_module("xw2v.backend.scatter")
    table = np.zeros((2, 3), np.float32)
    loops.add_rows(table, np.array([1, 1]), np.ones((2, 3), np.float32), 1.0, None, np.zeros(2, np.int32))
    assert table.tolist() == [[0, 0, 0], [2, 2, 2]]


def test_a_full_disk(imported: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching.IndexDataCacheFile, "_save_data", refuse(errno.ENOSPC))
    assert imported().twice(2) == 4


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "refused"), KeyboardInterrupt()], ids=repr)
def test_what_could_not_be_kept_is_not_taken_for_an_older_versions(
    error: BaseException, imported: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numba notes where code will be before it is there, and an older version's code may still lie there."""

    def stopped(*_: Any) -> None:
        raise error

    assert imported().twice(2) == 4
    (tmp_path / "of_one_function.py").write_text(SOURCE.replace("2 * x", "30 * x"))
    importlib.invalidate_caches()
    with monkeypatch.context() as patch:
        patch.setattr(caching.IndexDataCacheFile, "_save_data", stopped)
        with suppress(KeyboardInterrupt):
            assert imported().twice(2) == 60
    assert imported().twice(2) == 60


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("left", [b"", b"no pickle"])
def test_a_damaged_file_is_written_anew(imported: Import, tmp_path: Path, ending: str, left: bytes) -> None:
    """After a power cut files may be empty."""
    assert imported().twice(2) == 4
    (path,) = (tmp_path / "cache").rglob(f"*.{ending}")
    path.write_bytes(left)
    for hits in (0, 1):
        twice = imported().twice
        assert twice(2) == 4
        assert sum(twice.stats.cache_hits.values()) == hits


def test_a_damaged_file_on_a_full_disk(imported: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be written anew either."""
    assert imported().twice(2) == 4
    (path,) = (tmp_path / "cache").rglob("*.nbi")
    path.write_bytes(b"")
    monkeypatch.setattr(caching.IndexDataCacheFile, "_save_index", refuse(errno.ENOSPC))
    assert imported().twice(2) == 4


def test_whoever_waits_is_told_whether_the_next_run_waits_too(monkeypatch: pytest.MonkeyPatch) -> None:
    said = []

    @contextmanager
    def noted(on_note: Any, text: str) -> Iterator[None]:
        said.append(text)
        yield

    monkeypatch.setattr(fitting, "noted_if_long", noted)
    model = Word2Vec(vector_size=4, min_count=1, sample=0, epochs=1, workers=1, backend="numpy", engine="cpu")
    for kept in (True, False):
        monkeypatch.setattr(CpuEngine, "kept", kept)
        model.fit([["a", "b"]] * 20)
    assert [text.partition("; ")[2] for text in said] == [
        "the next runs find it in the cache",
        "no folder to keep it in for the next runs can be written to: NUMBA_CACHE_DIR names one",
    ]
