"""The exact softmax in blocks and in kept memory, against the function of all at once."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.conftest import Library
from xw2v.backend import NumpyBackend
from xw2v.losses import softmax_expectation
from xw2v.training.engines import softmax


def problem(T: int, V: int, D: int = 5) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(T * V)
    return rng.standard_normal((T, D)), rng.integers(0, 4, T).astype(float), 3 * rng.standard_normal((V, D))


def compare(found: Any, wanted: Any, dtype: str, to_host: Any = np.asarray) -> None:
    for ours, theirs in zip(found, wanted, strict=True):
        host = to_host(ours)
        assert host.dtype == dtype
        np.testing.assert_allclose(host, theirs, rtol=1e-4, atol=1e-4 if dtype == "float32" else 1e-10)


@pytest.mark.parametrize("few", [1, 4 * 7 * 30, 1 << 20])
def test_blocks(library: Library, dtype: str, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few rows, tiles of a few words, and all at once."""
    monkeypatch.setattr(softmax, "_ROWS", 3)
    monkeypatch.setattr(softmax, "_MOST", few)
    monkeypatch.setattr(softmax, "_HELD", {"numpy": few})
    arrays = problem(20, 30)
    ours = [library.asarray(array, dtype) for array in arrays]
    found = softmax.expectation_in_blocks(*ours, backend=library.backend)
    compare(found, softmax_expectation(*arrays), dtype, library.to_host)


@pytest.mark.parametrize("most", [4 * 3 * 30, 4 * 7 * 30, 1 << 20, 1])
def test_buffers(dtype: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of three rows, of seven, all rows, and too many words for buffers; one object for all shapes."""
    monkeypatch.setattr(softmax, "_ROWS", 2)
    monkeypatch.setattr(softmax, "_MOST", most)
    expectation = softmax.BufferedExpectation(NumpyBackend("a test"))
    for T, V in ((20, 30), (3, 8), (0, 9), (1, 30), (21, 29)):
        arrays = problem(T, V)
        before = [array.astype(dtype) for array in arrays]
        ours = [array.copy() for array in before]
        compare(expectation(*ours), softmax_expectation(*arrays), dtype)
        scores = getattr(expectation._kept, "scores", None)
        assert (scores is None) == (most == 1)
        assert scores is None or 4 * scores.size <= 2 * most
        for array, untouched in zip(ours, before, strict=True):
            np.testing.assert_array_equal(array, untouched)


def test_numpy_has_buffers_and_other_libraries_blocks(library: Library) -> None:
    chosen = softmax.expectation_of(library.backend)
    assert isinstance(chosen, softmax.BufferedExpectation) == (library.backend.name == "numpy")


def test_each_thread_and_type_has_buffers_of_its_own() -> None:
    expectation = softmax.BufferedExpectation(NumpyBackend("a test"))
    arrays = problem(20, 30)
    found = expectation(*(array.astype("float32") for array in arrays))
    other = threading.Thread(target=expectation, args=[array.astype("float32") for array in problem(21, 30)])
    other.start()
    other.join()
    compare(found, softmax_expectation(*arrays), "float32")
    compare(expectation(*arrays), softmax_expectation(*arrays), "float64")


def test_scores_that_exp_does_not_hold(library: Library, dtype: str) -> None:
    """Scores of ±1000."""
    arrays = np.array([[40.0], [-40.0]]), np.array([2.0, 3.0]), np.array([[25.0], [24.0]])
    found = softmax.expectation_of(library.backend)(*(library.asarray(array, dtype) for array in arrays))
    compare(found, softmax_expectation(*arrays), dtype, library.to_host)


@pytest.mark.parametrize("V", [1000, 10**6, 10**8])
@pytest.mark.parametrize("few", [8 << 20, 2 << 30])
def test_how_many_scores_are_held(few: int, V: int) -> None:
    rows, tile = softmax.block_size(few, V)
    assert rows >= 128
    room = max(few, 32 << 20)
    assert 4 * rows * min(tile, V) <= room
    assert rows == max(128, few // (4 * V))
    assert tile == room // 4 // rows if V == 10**8 else tile > 0


@pytest.mark.parametrize(
    ("name", "memory", "held"),
    [
        ("cupy", (1, 140 << 30), 2 << 30),
        ("cupy", (1, 8 << 30), 256 << 20),
        ("cupy", None, 2 << 30),
        ("numpy", None, 8 << 20),
        ("other", (1, 1), 8 << 20),
    ],
)
def test_a_small_gpu_holds_fewer_scores(name: str, memory: tuple[int, int] | None, held: int) -> None:
    backend: Any = SimpleNamespace(name=name, memory=lambda: memory)
    assert softmax.bytes_held(backend) == held
