"""kernels.cu and what launches it, against the array-API definition: built for the host here, and on a GPU."""

from __future__ import annotations

import ctypes
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import array_api_compat.numpy
import numpy as np
import pytest

from bench.nvrtc import Nvrtc
from bench.ptxas_report import usages
from tests.conftest import Library
from tests.cuda_build import FakeCupy, HostKernels, build
from tests.test_array_engine import MODES, by_engine, by_loops
from tests.test_backend import summed
from tests.test_large_numbers import sparse
from xw2v.backend import Backend, CupyBackend, NumpyBackend, cublas
from xw2v.config import Config
from xw2v.kernels import ArrayKernels, blocks_of, options, source
from xw2v.losses import softmax_expectation
from xw2v.training import batches
from xw2v.training.engines import Tables, softmax
from xw2v.training.engines.array import ArrayEngine
from xw2v.training.engines.sampled import CupySampling, sampled, sampling_of
from xw2v.training.walk import chunk_size

TYPES = [(real, ids) for real in ("float32", "float64") for ids in ("int32", "int64")]

ROW_KERNELS = ("take_rows", "claim_slots", "sum_rows", "sum_repeats", "add_shortened")

BUILT: dict[tuple[int, tuple[str, ...]], Path | None] = {}  # by lanes of a warp and types: each takes a second


class HostCupy(CupyBackend):
    """CuPy's backend with NumPy's arrays and kernels built for the host; products are NumPy's."""

    def __init__(self, folder: Path, threads: int, order: int) -> None:
        Backend.__init__(self, "cupy", array_api_compat.numpy, "cpu", "a test")
        self._cupy, self._tf32 = np, False
        self._folder, self._threads, self._order = folder, threads, order
        self._set_up()

    def kernels(self, real: Any, ids: Any = "int32") -> Any:
        wanted = str(real), str(ids)
        if wanted not in self._compiled:
            given = tuple(option for option in options(*wanted) if option.startswith("-D"))
            lanes = 1 if self._threads == 1 else 32
            if (lanes, given) not in BUILT:
                BUILT[lanes, given] = build(self._folder, lanes, types=given)
            library = BUILT[lanes, given]
            if library is None:
                pytest.skip("no C++ compiler (g++ or clang++)")
            self._compiled[wanted] = HostKernels(library, threads=self._threads, order=self._order)
            self._compiled[wanted].multiprocessors = 3  # so that blocks share out rows
        return self._compiled[wanted]

    def multiply(self, a: Any, b: Any, out: Any, *, add: bool = False) -> None:
        out[...] = np.matmul(a, b) + (out if add else 0)

    def memory(self) -> None:
        return None

    def to_host(self, array: Any) -> np.ndarray:
        return np.asarray(array)

    def from_host(self, array: np.ndarray) -> Any:
        return array.copy()


@pytest.fixture(scope="module", params=[(1, 0), (64, 0), (64, 1), (96, 7), "gpu"], ids=str)
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> CupyBackend:
    """By threads of a block and their order on the host, and a real GPU."""
    if request.param == "gpu":
        real: CupyBackend = request.getfixturevalue("gpu")
        return real
    return HostCupy(tmp_path_factory.mktemp("kernels"), *request.param)


def close(found: Any, wanted: Any, dtype: str) -> None:
    assert found.dtype == dtype
    rtol, atol = (1e-4, 1e-5) if dtype == "float32" else (1e-9, 0)
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=atol)


@pytest.mark.parametrize("D", [1, 7, 33, 128])
@pytest.mark.parametrize("max_norm", [None, 0.3, 1e9])
@pytest.mark.parametrize("types", TYPES, ids=str)
def test_rows_are_added(backend: CupyBackend, types: tuple[str, str], D: int, max_norm: float | None) -> None:
    rng, (real, kind) = np.random.default_rng(D), types
    table, rows, ids = rng.standard_normal((9, D)), rng.standard_normal((40, D)), rng.integers(1, 9, 40)
    rows[ids == 3] = 0
    ours = backend.from_host(table.astype(real))
    there, at = backend.from_host(rows.astype(real)), backend.from_host(ids.astype(kind))
    backend.scatter_add(ours, at[:0], there[:0], max_norm=max_norm)
    backend.scatter_add(ours, at, there, scale=-0.5, max_norm=max_norm)
    wanted = summed(table, ids, rows, -0.5, max_norm)
    close(backend.to_host(ours), wanted, real)
    close(backend.to_host(there), rows.astype(real), real)
    np.testing.assert_array_equal(
        backend.to_host(backend.take_rows([ours], [at[4:]])[0]), backend.to_host(ours)[ids[4:]]
    )
    backend.add_table(ours, there[:9, :], scale=-0.5, max_norm=max_norm)
    close(backend.to_host(ours), summed(wanted, range(9), rows[:9], -0.5, max_norm), real)


def test_slots_grow_with_the_table(backend: CupyBackend) -> None:
    for V in (3, 500, 7):
        ours, ids = backend.from_host(np.zeros((V, 2))), backend.from_host(np.array([V - 1, 0, V - 1]))
        backend.scatter_add(ours, ids, backend.from_host(np.ones((3, 2))), max_norm=100.0)
        assert backend.to_host(ours)[[0, V - 1]].tolist() == [[1, 1], [2, 2]]
    assert backend._scratch.slots_0.shape[0] == 500


def test_rows_behind_two_to_the_32_numbers(tmp_path: Path) -> None:
    """A place that is cut to 32 bits is another row's."""
    backend, V, D = HostCupy(tmp_path, 64, 0), 2**18 + 4, 2**14
    table = sparse(tmp_path / "table", np.float32, (V, D))
    ids, rows = np.arange(V - 4, V, dtype=np.int32), np.ones((4, D), np.float32)
    table[ids] = np.arange(4)[:, None]
    np.testing.assert_array_equal(backend.take_rows([table], [ids])[0], table[ids])
    backend.scatter_add(table, ids, rows)
    backend.scatter_add(table, ids, rows, max_norm=1e9)
    np.testing.assert_array_equal(table[ids[0] :].T - 2, np.broadcast_to(np.arange(4), (D, 4)))
    assert not table[:4].any()


@pytest.mark.parametrize("max_norm", [None, 0.3])
@pytest.mark.parametrize("sizes", [(40, 7), (0, 7), (40, 0), (0, 0)], ids=str)
@pytest.mark.parametrize("kinds", [("int32", "int32"), ("int32", "int64"), ("uint16", "uint16")], ids=str)
def test_rows_of_two_tables_at_once(
    backend: CupyBackend, dtype: str, sizes: tuple[int, int], kinds: tuple[str, str], max_norm: float | None
) -> None:
    """Ids of any dimensions and dtypes; the tables have sizes of their own."""
    rng = np.random.default_rng(2)
    tables = [rng.standard_normal((V, 33)) for V in (9, 12)]
    ids = [rng.integers(0, len(table), (n, 2)) for table, n in zip(tables, sizes, strict=True)]
    rows = [rng.standard_normal((*some.shape, 33)) for some in ids]
    ours = [backend.from_host(table.astype(dtype)) for table in tables]
    at = [backend.from_host(some.astype(kind)) for some, kind in zip(ids, kinds, strict=True)]
    for taken, table, some in zip(backend.take_rows(ours, at), tables, ids, strict=True):
        np.testing.assert_array_equal(backend.to_host(taken), table.astype(dtype)[some])
    there = [backend.from_host(added.astype(dtype)) for added in rows]
    backend.add_rows(ours, at, there, scale=-0.5, max_norm=max_norm)
    for found, table, some, added in zip(ours, tables, ids, rows, strict=True):
        wanted = summed(table, some.reshape(-1), added.reshape(-1, 33), -0.5, max_norm)
        close(backend.to_host(found), wanted, dtype)


@pytest.mark.parametrize("max_norm", [None, 0.3])
def test_tables_ids_and_rows_that_are_not_contiguous(backend: CupyBackend, dtype: str, max_norm: float | None) -> None:
    rng = np.random.default_rng(1)
    table, rows, ids = rng.standard_normal((9, 14)), rng.standard_normal((40, 14)), rng.integers(0, 9, 40)
    ours, there = backend.from_host(table.astype(dtype)), backend.from_host(rows.astype(dtype))
    at = backend.from_host(ids.astype("int16"))
    backend.scatter_add(ours[:, ::2], at[::2], there[::2, ::2], max_norm=max_norm)
    wanted = table.copy()
    wanted[:, ::2] = summed(table[:, ::2], ids[::2], rows[::2, ::2], 1.0, max_norm)
    close(backend.to_host(ours), wanted, dtype)
    backend.add_table(ours[:, ::2], there[:9, ::2], max_norm=max_norm)
    wanted[:, ::2] = summed(wanted[:, ::2], range(9), rows[:9, ::2], 1.0, max_norm)
    close(backend.to_host(ours), wanted, dtype)


def test_nan_is_above_no_bound_and_stays_where_it_is(backend: CupyBackend, dtype: str) -> None:
    ours = backend.from_host(np.ones((3, 4), dtype))
    rows = np.full((2, 4), 9, dtype)
    rows[1, 2] = np.nan
    backend.scatter_add(ours, backend.from_host(np.array([0, 1])), backend.from_host(rows), max_norm=0.5)
    wanted = np.array([[1.25] * 4, [10, 10, np.nan, 10], [1] * 4])
    np.testing.assert_allclose(backend.to_host(ours), wanted, rtol=1e-6)


@pytest.mark.parametrize(("G", "b", "C", "S", "D"), [(1, 1, 1, 1, 1), (5, 4, 7, 3, 33), (9, 16, 26, 32, 128)])
def test_a_step_is_the_definitions(backend: CupyBackend, dtype: str, G: int, b: int, C: int, S: int, D: int) -> None:
    """Also where ids are a view of every other group, and scores are large."""
    rng = np.random.default_rng(G)
    tables = Tables(*(rng.standard_normal((50, D)) * 4 / D**0.25 for _ in range(2)))
    center_ids, outside_ids = (rng.integers(0, 50, (2 * G, n)).astype("int32") for n in (b, C + S))
    positives = rng.random((2 * G, b, C)) < 0.4
    totals = np.ones(2)
    given = center_ids[::2], outside_ids[::2], positives[::2], 5 / S, totals
    wanted = sampled(tables, *given, xp=array_api_compat.numpy)
    there = Tables(*(backend.from_host(table.astype(dtype)) for table in tables))
    arrays = [backend.from_host(array)[::2] for array in (center_ids, outside_ids, positives)]
    found_totals = backend.from_host(np.ones(2))
    found = sampling_of(backend)(there, arrays[0], arrays[1], arrays[2], 5 / S, found_totals)
    assert found_totals.tolist() == pytest.approx(totals.tolist(), rel=1e-5 if dtype == "float32" else 1e-12)
    close(backend.to_host(found.d_centers), wanted.d_centers, dtype)
    close(backend.to_host(found.d_rows), wanted.d_rows, dtype)


def test_the_loss_of_a_step_is_a_sum_in_float64(backend: CupyBackend) -> None:
    """A large one and many small ones, of float32 rows."""
    rows = (np.array(table, np.float32) for table in ([[1]], [[1e7], [0]]))
    there = Tables(*map(backend.from_host, rows))
    ids = np.ones((1, 641), dtype="int32")
    ids[0, 1] = 0
    arrays = [backend.from_host(array) for array in (np.zeros((1, 1), "int32"), ids, np.ones((1, 1, 1), dtype=bool))]
    totals = backend.from_host(np.zeros(2))
    sampling_of(backend)(there, arrays[0], arrays[1], arrays[2], 1.0, totals)
    assert totals.tolist() == pytest.approx([1e7 + 640 * np.log(2), 1], rel=1e-8)


def test_scores_that_exp_does_not_hold(backend: CupyBackend, dtype: str) -> None:
    """Scores of ±1000, in a step and in the softmax."""
    tables = Tables(np.array([[40.0], [-40.0]]), np.array([[25.0], [24.0]]))
    ids, positives = np.array([[0, 1]], dtype="int32"), np.array([[[True], [True]]])
    there = Tables(*(backend.from_host(table.astype(dtype)) for table in tables))
    arrays = [backend.from_host(array) for array in (ids, ids, positives)]
    totals, found_totals = np.zeros(2), backend.from_host(np.zeros(2))
    wanted = sampled(tables, ids, ids, positives, 0.5, totals, xp=array_api_compat.numpy)
    found = sampling_of(backend)(there, arrays[0], arrays[1], arrays[2], 0.5, found_totals)
    assert found_totals.tolist() == pytest.approx(totals.tolist(), rel=1e-6)
    close(backend.to_host(found.d_centers), wanted.d_centers, dtype)
    close(backend.to_host(found.d_rows), wanted.d_rows, dtype)
    weights = backend.from_host(np.array([2.0, 3.0], dtype))
    expected = softmax.expectation_of(backend)(there.center_vectors, weights, there.outside_vectors)
    for ours, theirs in zip(expected, softmax_expectation(tables[0], np.array([2.0, 3.0]), tables[1]), strict=True):
        close(backend.to_host(ours), theirs, dtype)


@pytest.mark.parametrize(("T", "V", "D"), [(1, 1, 1), (20, 30, 5), (20, 1500, 33), (0, 9, 4)])
@pytest.mark.parametrize("few", [4 * 3 * 1500, 1 << 29])
def test_softmax_in_place_is_the_definitions(
    backend: CupyBackend, dtype: str, T: int, V: int, D: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(softmax, "_ROWS", 3)
    monkeypatch.setattr(softmax, "_HELD", {"cupy": few, "numpy": few})
    rng = np.random.default_rng(T + V)
    arrays = rng.standard_normal((T, D)), rng.integers(0, 4, T).astype(float), 2 * rng.standard_normal((V, D))
    centers, weights = (backend.from_host(np.repeat(array, 2, axis=0).astype(dtype))[::2] for array in arrays[:2])
    found = softmax.expectation_of(backend)(centers, weights, backend.from_host(arrays[2].astype(dtype)))
    for ours, theirs in zip(found, softmax_expectation(*arrays), strict=True):
        assert ours.dtype == dtype
        atol = 1e-4 if dtype == "float32" else 1e-10
        np.testing.assert_allclose(backend.to_host(ours), theirs, rtol=1e-4 if dtype == "float32" else 1e-9, atol=atol)


@pytest.mark.parametrize("far", [-150.0, 70.0, 300.0])
def test_scores_far_above_those_before_them(backend: CupyBackend, dtype: str, far: float) -> None:
    """Words far behind the first ones, which the others are compared with, have the largest scores, or the smallest."""
    rng = np.random.default_rng(8)
    T, V = 3, 40_000
    centers, outside = np.abs(rng.standard_normal((T, 2))) + 0.5, np.zeros((V, 2))
    outside[::7] = rng.standard_normal((len(outside[::7]), 2))
    outside[V // 2 :: 11] += far / 2
    outside[V - 3] += far
    arrays = [array.astype(dtype) for array in (centers, np.array([1.0, 0, 4]), outside)]
    found = softmax.expectation_of(backend)(*map(backend.from_host, arrays))
    v, weights, U = (array.astype("float64") for array in arrays)
    wanted = softmax_expectation(v, weights, U)
    for ours, theirs in zip(found, wanted, strict=True):
        # One thread adds 40,000 numbers up here, one after the other.
        rtol, atol = (1e-3, 1e-5) if dtype == "float32" else (1e-9, 1e-12)
        np.testing.assert_allclose(backend.to_host(ours), theirs, rtol=rtol, atol=atol)


@pytest.mark.parametrize("options", MODES, ids=lambda o: ",".join(map(str, o.values())))
def test_the_engine_equals_loops(
    backend: CupyBackend, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole chunks by the array engine, as tests/test_array_engine.py has it for each library."""
    monkeypatch.setattr(batches, "SEGMENT", 64)
    defaults = {"vector_size": 7, "window": 3, "negative": 2, "sample": 0.2, "max_update_norm": None, "seed": 5}
    config = Config(**(defaults | options))
    centers, outside, loss, pairs = by_loops(config, 7, epoch=2)
    ours_centers, ours_outside, result = by_engine(Library("cupy", backend), config, 7, epoch=2)
    assert (result.pairs, result.loss) == (pairs, pytest.approx(loss, rel=1e-9))
    np.testing.assert_allclose(ours_centers, centers, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours_outside, outside, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("loss", ["negative_sampling", "softmax"])
def test_chunks_are_long_on_a_gpu(backend: CupyBackend, loss: str) -> None:
    config, counts = Config(vector_size=100, loss=loss, engine="array"), np.ones(9, dtype=np.int64)
    there, here = (ArrayEngine(config, counts, one) for one in (backend, NumpyBackend("a test")))
    assert chunk_size(10**8, config, there) == 64 * batches.SEGMENT
    assert chunk_size(10**8, config, here) == (1 if loss == "softmax" else 8) * batches.SEGMENT
    assert chunk_size(10**5, config, there) == batches.SEGMENT


def test_a_step_asks_for_few_things(backend: CupyBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels and products of each step: a GPU is as fast as the host asks."""
    if not isinstance(backend, HostCupy):
        pytest.skip("launches are noted on the host")
    monkeypatch.setattr(batches, "SEGMENT", 256)
    ids = np.random.default_rng(0).integers(0, 50, 1000).astype(np.int32)
    config = Config(vector_size=8, engine="array", batch_size=256, sample=0)
    engine = ArrayEngine(config, np.bincount(ids), backend)
    tables = Tables(*(np.zeros((50, 8), np.float32) for _ in range(2)))
    kernels, products = backend.kernels(np.dtype("float32"), np.dtype("int32")), []
    monkeypatch.setattr(backend, "multiply", lambda *arrays, **how: products.append(arrays))
    before = len(kernels.launched)
    steps = engine.train_chunk(tables, batches.read_chunk(ids, np.array([0, 1000]), 0, 1000), 0, lambda *_: 0.01).steps
    assert steps == 4
    step = ["take_rows", "score_slopes", "claim_slots", "sum_repeats", "add_shortened"]
    assert kernels.launched[before:] == step * steps
    assert len(products) == 3 * steps


def test_which_backend_takes_which_way(backend: CupyBackend) -> None:
    assert isinstance(sampling_of(backend), CupySampling)
    assert isinstance(softmax.expectation_of(backend), softmax.CupyExpectation)
    assert not isinstance(sampling_of(NumpyBackend("a test")), CupySampling)


def test_words_are_taken_in_tiles_where_their_scores_are_too_many(
    backend: CupyBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(softmax, "_ROWS", 3)
    monkeypatch.setattr(softmax, "_HELD", {"cupy": 4, "numpy": 4})
    monkeypatch.setattr(softmax, "_MOST", 4 * 3 * 29)
    in_blocks = mock.Mock(wraps=softmax.expectation_in_blocks)
    monkeypatch.setattr(softmax, "expectation_in_blocks", in_blocks)
    for V, calls in ((29, 0), (30, 1)):
        softmax.expectation_of(backend)(*(backend.from_host(np.ones(shape)) for shape in ((6, 2), 6, (V, 2))))
        assert in_blocks.call_count == calls


def test_blocks_are_no_larger_than_the_source_allows() -> None:
    assert re.findall(r"__launch_bounds__\((\d+)", source()) == [str(softmax._ODDS_THREADS)]


def test_how_kernels_are_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = FakeCupy()
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    kernels = ArrayKernels("float64", "int32")
    for arguments in ([1, 2], [3]):
        kernels.launch("f", 7, 64, 128, arguments)
    assert kernels.multiprocessors == 132
    assert cupy.launched == [("f", (7,), (64,), (1, 2), 128), ("f", (7,), (64,), (3,), 128)]
    assert len(cupy.kernels) == 1
    assert [blocks_of(rows) for rows in (0, 1, 8, 9, 2**40)] == [1, 1, 1, 2, 2**20]


SHAPES = [
    ((4, 3), (3, 5)), ((1, 3), (3, 5)), ((4, 1), (1, 5)), ((4, 3), (3, 1)), ((1, 1), (1, 1)), ((1, 4), (4, 1)),
    ((2, 4, 3), (2, 3, 5)), ((2, 1, 3), (2, 3, 1)), ((2, 4, 1), (2, 1, 5)),
]  # fmt: skip


def operand(rng: Any, shape: tuple[int, ...], how: str, dtype: str) -> np.ndarray:
    """An array as it is, the transpose of one, or the head of longer rows."""
    *lead, n, k = shape
    lines, length = (k, n) if how == "transposed" else (n, k + 3 * (how == "padded"))
    numbers: np.ndarray = rng.standard_normal((*lead, lines, length)).astype(dtype)
    return numbers.swapaxes(-1, -2) if how == "transposed" else numbers[..., :k]


def test_products(backend: CupyBackend, dtype: str) -> None:
    if isinstance(backend, HostCupy):
        pytest.skip("a GPU's; what cuBLAS is asked for is tested below")
    for shapes in SHAPES:
        for add in (False, True):
            check_products(backend, dtype, shapes, add)


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("add", [False, True])
def test_what_cublas_is_asked_for(dtype: str, shapes: Any, add: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    library = SimpleNamespace(gemmEx=fake_gemm, gemmStridedBatchedEx=fake_batched)
    monkeypatch.setattr(cublas, "library", lambda: (library, lambda: 42))
    backend = HostCupy(Path(), 1, 0)
    for tf32 in (False, True):
        backend._tf32 = tf32
        ASKED.clear()
        check_products(backend, dtype, shapes, add)
        assert set(ASKED) == {70 if dtype == "float64" else 77 if tf32 else 68}


class Pointed(np.ndarray):
    """NumPy's array with CuPy's way to tell its address."""

    @property
    def data(self) -> Any:
        return SimpleNamespace(ptr=self.ctypes.data)


def check_products(backend: CupyBackend, dtype: str, shapes: Any, add: bool) -> None:
    rng = np.random.default_rng(3)
    on_host = isinstance(backend, HostCupy)
    for how in ("plain", "transposed", "padded"):
        for other in ("plain", "transposed", "padded"):
            a, b = operand(rng, shapes[0], how, dtype), operand(rng, shapes[1], other, dtype)
            whole = rng.standard_normal((*a.shape[:-1], b.shape[-1] + 5)).astype(dtype)
            before = whole.copy()
            if on_host:
                CupyBackend.multiply(
                    backend, *(one.view(Pointed) for one in (a, b, whole[..., : b.shape[-1]])), add=add
                )
                found = whole
            else:
                there = there_as(backend, a), there_as(backend, b), backend.from_host(whole)
                backend.multiply(there[0], there[1], there[2][..., : b.shape[-1]], add=add)
                found = backend.to_host(there[2])
            wanted = before.copy()
            wanted[..., : b.shape[-1]] = a @ b + (before[..., : b.shape[-1]] if add else 0)
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def there_as(backend: CupyBackend, array: np.ndarray) -> Any:
    """The array on the device, its numbers as far apart as here."""
    base = array.base if array.base is not None else array
    there = backend.from_host(np.asarray(base))
    if array.shape[:-1] == base.shape[:-1] and array.shape[-1] <= base.shape[-1]:
        return there[..., : array.shape[-1]]
    return there.swapaxes(-1, -2)


ASKED: list[int] = []


def fake_gemm(
    handle: int, op_a: int, op_b: int, m: int, n: int, k: int, alpha: int, a: int, a_type: int, lda: int, b: int,
    b_type: int, ldb: int, beta: int, c: int, c_type: int, ldc: int, computed: int, how: int,
) -> None:  # fmt: skip
    """C = alpha op(A) op(B) + beta C by addresses, in columns, as cuBLAS's manual has it."""
    assert handle == 42
    assert a_type == b_type == c_type
    assert how == -1
    ASKED.append(computed)

    def matrix(address: int, rows: int, columns: int, lead: int) -> np.ndarray:
        assert lead >= max(1, rows)
        kind: Any = ctypes.c_double if c_type == 1 else ctypes.c_float
        size = lead * (columns - 1) + rows
        flat = np.ctypeslib.as_array((kind * size).from_address(address))
        return np.lib.stride_tricks.as_strided(flat, (rows, columns), (flat.itemsize, lead * flat.itemsize))

    def factor(address: int, op: int, rows: int, columns: int, lead: int) -> np.ndarray:
        return matrix(address, columns, rows, lead).T if op else matrix(address, rows, columns, lead)

    one, other = matrix(alpha, 1, 1, 1)[0, 0], matrix(beta, 1, 1, 1)[0, 0]
    to = matrix(c, m, n, ldc)
    to[...] = one * (factor(a, op_a, m, k, lda) @ factor(b, op_b, k, n, ldb)) + (other * to if other else 0)


def fake_batched(
    handle: int, op_a: int, op_b: int, m: int, n: int, k: int, alpha: int, a: int, a_type: int, lda: int, a_next: int,
    b: int, b_type: int, ldb: int, b_next: int, beta: int, c: int, c_type: int, ldc: int, c_next: int, count: int,
    computed: int, how: int,
) -> None:  # fmt: skip
    size = 8 if c_type == 1 else 4
    for i in range(count):
        at = [address + i * step * size for address, step in ((a, a_next), (b, b_next), (c, c_next))]
        fake_gemm(handle, op_a, op_b, m, n, k, alpha, at[0], a_type, lda, at[1], b_type, ldb, beta, at[2], c_type, ldc,
                  computed, how)  # fmt: skip


@pytest.mark.parametrize("capability", ["75", "80", "90", "100"])
@pytest.mark.parametrize("types", TYPES, ids=str)
def test_it_compiles_without_warnings_and_spills(nvrtc: Nvrtc, capability: str, types: tuple[str, str]) -> None:
    given = (f"--gpu-architecture=sm_{capability}", "--ptxas-options=-v", *options(*types))
    found = usages(nvrtc.compile(source(), given).log)
    assert set(found) == {*ROW_KERNELS, "score_slopes", "odds_of_scores"}
    for name, usage in found.items():
        assert usage.stack == usage.stores == usage.loads == 0, name
    assert found["odds_of_scores"].registers <= 64  # two blocks of 512 threads


def test_it_compiles_with_what_cupy_adds(nvrtc: Nvrtc) -> None:
    added = ("-ftz=true", "-arch=sm_90", "--device-as-default-execution-space")
    assert nvrtc.compile(source(), (*options("float32", "int32"), *added)).code
