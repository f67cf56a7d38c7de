"""The vectors of the compiled loops, each operation alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

simd = pytest.importorskip("xw2v.training.engines.simd", reason="Numba is not installed")
from numba import njit  # noqa: E402 -- it is there

LANES = simd.LANES
add_at, add_first_at, fma, load, load_at = simd.add_at, simd.add_first_at, simd.fma, simd.load, simd.load_at
load_first_at, prefetch, splat, store = simd.load_first_at, simd.prefetch, simd.splat, simd.store
splat_at, store_totals = simd.splat_at, simd.store_totals
add_products, add_squares, add_to = simd.add_products, simd.add_squares, simd.add_to
ZEROS = {1: simd.zeros1, 3: simd.zeros3, 4: simd.zeros4}


def numbers(n: int) -> np.ndarray:
    return np.random.default_rng(4).standard_normal(n).astype(np.float32)


@pytest.mark.parametrize("index", [0, 1, 5])
def test_store_and_add(index: int) -> None:
    @njit
    def run(x: Any, y: Any, into: Any, index: int) -> None:
        store(into, index, fma(load(x, index), load(y, index), splat(np.float32(2))))
        add_at(np.int64(into.ctypes.data) + 4 * index, load_at(np.int64(x.ctypes.data) + 4 * index))

    x, y, into = numbers(3 * LANES), numbers(3 * LANES)[::-1].copy(), np.zeros(3 * LANES, np.float32)
    run(x, y, into, index)
    expected = np.zeros(3 * LANES, np.float32)
    part = slice(index, index + LANES)
    expected[part] = x[part] * y[part] + 2 + x[part]
    np.testing.assert_allclose(into, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, LANES - 1, LANES])
def test_first_lanes_only(count: int) -> None:
    """Nothing behind the count is read, which could lie outside the array, nor written."""

    @njit
    def run(x: Any, into: Any, index: int, count: int) -> None:
        some = load_first_at(np.int64(x.ctypes.data) + 4 * index, count)
        add_first_at(np.int64(into.ctypes.data) + 4 * index, count, some)
        store(into, 2 * LANES, some)

    x, into = numbers(count + 3), np.ones(3 * LANES, np.float32)
    run(x, into, 3, count)
    expected = np.ones(3 * LANES, np.float32)
    expected[3 : 3 + count] += x[3:]
    expected[2 * LANES :] = 0
    expected[2 * LANES : 2 * LANES + count] = x[3:]
    np.testing.assert_array_equal(into, expected)


@pytest.mark.parametrize("vectors", ZEROS)
def test_blocks(vectors: int) -> None:
    """Sums of rows times numbers, added to what stands somewhere, with a few numbers of the last vector left out."""
    zeros, left = ZEROS[vectors], vectors * LANES - 3

    @njit
    def run(rows: Any, weights: Any, sums: Any, into: Any) -> None:
        a, b = zeros(), zeros()
        for i in range(3):
            a, b = add_products(a, b, splat_at(weights, i), splat_at(weights, i + 3), rows, 1 + i * vectors * LANES)
        store(sums, vectors * LANES, add_squares(splat(np.float32(2)), add_to(sums, 0, a)))
        add_first_at(np.int64(into.ctypes.data) + 4, left, b)

    P = vectors * LANES
    rows, weights, before = numbers(3 * P + 1), numbers(6), numbers(P + LANES)
    sums, into = before.copy(), np.ones(P + 2, np.float32)
    run(rows, weights, sums, into)
    a, b = weights.reshape(2, 3) @ rows[1:].reshape(3, P)
    np.testing.assert_allclose(sums[:P], before[:P] + a, rtol=1e-5, atol=1e-6)
    squares = (sums[:P].reshape(vectors, LANES) ** 2).sum(axis=0)
    np.testing.assert_allclose(sums[P:], 2 + squares, rtol=1e-5)
    expected = np.ones(P + 2, np.float32)
    expected[1 : left + 1] += b[:left]
    np.testing.assert_allclose(into, expected, rtol=1e-5, atol=1e-6)


def test_a_number_in_every_lane() -> None:
    @njit
    def run(x: Any, into: Any) -> None:
        store(into, 1, splat_at(x, 2))

    x, into = numbers(3), np.zeros(LANES + 2, np.float32)
    run(x, into)
    np.testing.assert_array_equal(into, [0, *[x[2]] * LANES, 0])


def test_totals() -> None:
    @njit
    def run(x: Any, into: Any) -> None:
        store_totals(into, 1, load(x, 0), load(x, LANES), load(x, 2 * LANES), load(x, 3 * LANES))
        prefetch(np.int64(into.ctypes.data))

    x, into = numbers(4 * LANES), np.zeros(6, np.float32)
    run(x, into)
    np.testing.assert_allclose(into[1:5], x.reshape(4, LANES).sum(axis=1), rtol=1e-5)
    assert into[0] == into[5] == 0


OLDER = {"haswell": "+avx2,+fma", "x86-64": "+sse2"}


@pytest.fixture(scope="module")
def on_older_processors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """Exit status and output of the engine's tests, compiled for each of them; at once, as compiling takes long."""
    if os.uname().machine != "x86_64":
        pytest.skip("these are x86-64 processors")
    script = "import sys, pytest; from xw2v.training.engines import simd; assert simd.LANES == 8; "
    script += "sys.exit(pytest.main(sys.argv[1:]))"
    tests = ["-q", "-p", "no:cacheprovider", "tests/test_cpu_engine.py", "-k", "agree and 100"]
    running = {}
    for name, features in OLDER.items():
        environment = os.environ | {
            "NUMBA_CPU_NAME": name,
            "NUMBA_CPU_FEATURES": features,
            "NUMBA_CACHE_DIR": str(tmp_path_factory.mktemp("cache")),
        }
        basetemp = f"--basetemp={tmp_path_factory.mktemp('tests')}"
        running[name] = subprocess.Popen(
            [sys.executable, "-c", script, *tests, basetemp],
            cwd=Path(__file__).parents[1], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    outputs = {name: process.communicate()[0] for name, process in running.items()}
    return {name: (running[name].returncode, output) for name, output in outputs.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", OLDER)
def test_engine_on_older_processors(name: str, on_older_processors: dict[str, tuple[int, str]]) -> None:
    """The engine is compiled for a processor with shorter vectors, and still equals the array engine."""
    status, output = on_older_processors[name]
    assert status == 0, output
    assert " passed" in output
