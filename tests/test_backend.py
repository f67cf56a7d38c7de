"""What each backend adds to its library, and the choice between them."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.conftest import Library
from xw2v.backend import CupyBackend, NumpyBackend, base, cublas, get_backend
from xw2v.errors import BackendError


def summed(table: np.ndarray, ids: Any, rows: np.ndarray, scale: float, max_norm: float | None) -> np.ndarray:
    """scatter_add as loops."""
    sums = {int(i): np.zeros(table.shape[1]) for i in ids}
    for i, row in zip(ids, rows, strict=True):
        sums[int(i)] = sums[int(i)] + scale * row
    result = table.copy()
    for i, row in sums.items():
        norm = np.linalg.norm(row)
        result[i] += row * (max_norm / norm if max_norm is not None and norm > max_norm else 1.0)
    return result


@pytest.mark.parametrize("max_norm", [None, 0.3, 1e9])
@pytest.mark.parametrize("ids", [[0, 0, 0], [3, 1, 3, 0, 1, 3], [2], []])
def test_scatter_add_sums_repeats(library: Library, dtype: str, ids: list[int], max_norm: float | None) -> None:
    rng = np.random.default_rng(1)
    table, rows = rng.standard_normal((5, 3)), rng.standard_normal((len(ids), 3))
    ours = library.table(table, dtype)
    library.backend.scatter_add(
        ours, library.asarray(ids, "int32"), library.asarray(rows, dtype), scale=-0.5, max_norm=max_norm
    )
    wanted = summed(table, ids, rows, -0.5, max_norm)
    host = library.to_host(ours)
    assert host.dtype == dtype
    np.testing.assert_allclose(host, wanted, rtol=1e-5, atol=1e-6)
    if max_norm == 0.3 and len(ids) > 1:  # the case is there to see rows shortened
        assert not np.allclose(wanted, summed(table, ids, rows, -0.5, None))


def test_scatter_add_of_zero_rows_makes_no_nan(library: Library, dtype: str) -> None:
    table = library.table(np.ones((2, 2)), dtype)
    library.backend.scatter_add(table, library.asarray([1], "int32"), library.asarray([[0, 0]], dtype), max_norm=0.5)
    np.testing.assert_array_equal(library.to_host(table), np.ones((2, 2)))


def test_nan_is_above_no_bound_and_stays_where_it_is(library: Library, dtype: str) -> None:
    table = library.table(np.ones((2, 4)), dtype)
    library.backend.add_table(table, library.asarray([[9, 9, 9, 9], [9, np.nan, 9, 9]], dtype), max_norm=0.5)
    np.testing.assert_allclose(library.to_host(table), [[1.25] * 4, [10, np.nan, 10, 10]], rtol=1e-6)


@pytest.mark.parametrize(("max_norm", "wanted"), [(1e30, [3.0, 4.0]), (1e-30, [0.0, 0.0])])
def test_bounds_whose_squares_float32_does_not_hold(library: Library, max_norm: float, wanted: list[float]) -> None:
    tables = [library.table(np.zeros((2, 2)), "float32") for _ in range(2)]
    rows = library.asarray([[3, 4], [0, 0]], "float32")
    library.backend.scatter_add(tables[0], library.asarray([0, 1], "int32"), rows, max_norm=max_norm)
    library.backend.add_table(tables[1], rows, max_norm=max_norm)
    for table in tables:
        np.testing.assert_allclose(library.to_host(table), np.array([wanted, [0.0, 0.0]]), atol=1e-20)


@pytest.mark.parametrize("bound", [{}, {"max_norm": 0.3}])
def test_rows_are_added_to_two_tables_at_once(library: Library, dtype: str, bound: dict[str, float]) -> None:
    rng = np.random.default_rng(2)
    tables, ids = rng.standard_normal((2, 5, 3)), np.array([[[0, 2], [2, 4]], [[1, 1], [1, 3]]])
    rows = 9 * rng.standard_normal((2, 2, 2, 3))
    ours = [library.table(table, dtype) for table in tables]
    added = [library.table(some, dtype) for some in rows]  # which may be overwritten
    library.backend.add_rows(ours, [library.asarray(some, "int32") for some in ids], added, scale=-0.5, **bound)
    for table, before, some, row in zip(ours, tables, ids, rows, strict=True):
        wanted = summed(before, some.reshape(-1), row.reshape(-1, 3), -0.5, bound.get("max_norm"))
        np.testing.assert_allclose(library.to_host(table), wanted, rtol=1e-5, atol=1e-5)


def test_rows_are_added_whole_where_nothing_else_is_said(library: Library) -> None:
    table, rows = library.table(np.zeros((2, 2)), "float32"), library.asarray([[3, 4], [6, 8]], "float32")
    library.backend.scatter_add(table, library.asarray([1, 1], "int32"), rows)
    np.testing.assert_array_equal(library.to_host(table), [[0, 0], [9, 12]])
    library.backend.add_table(table, rows)
    np.testing.assert_array_equal(library.to_host(table), [[3, 4], [15, 20]])


@pytest.mark.parametrize("max_norm", [None, 0.3])
def test_add_table_is_scatter_add_of_every_row(library: Library, dtype: str, max_norm: float | None) -> None:
    rng = np.random.default_rng(1)
    table, rows = rng.standard_normal((5, 3)), rng.standard_normal((5, 3))
    rows[2] = 0
    ours = library.table(table, dtype)
    library.backend.add_table(ours, library.asarray(rows, dtype), scale=-0.5, max_norm=max_norm)
    host = library.to_host(ours)
    assert host.dtype == dtype
    np.testing.assert_allclose(host, summed(table, range(5), rows, -0.5, max_norm), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("max_norm", [None, 0.3, 1e30, 1e-30])
def test_product_and_compiled_loops_agree(dtype: str, max_norm: float | None) -> None:
    """The two ways of NumPy's backend; the matrix above runs the compiled one."""
    assert NumpyBackend("a test")._compiled is not None
    rng = np.random.default_rng(2)
    ids, rows = rng.integers(0, 20, 500).astype("int32"), rng.standard_normal((500, 7)).astype(dtype)
    start = rng.standard_normal((20, 7)).astype(dtype)
    tables = []
    for compiled in (True, False):
        backend = NumpyBackend("a test", compiled=compiled)
        assert (backend._compiled is not None) == compiled
        tables.append(start.copy())
        backend.scatter_add(tables[-1], ids, rows, scale=-0.1, max_norm=max_norm)
    np.testing.assert_allclose(tables[0], tables[1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(tables[1], summed(start, ids, rows, -0.1, max_norm), rtol=1e-5, atol=1e-6)
    for compiled in (True, False):
        table = start.copy()
        NumpyBackend("a test", compiled=compiled).add_table(table, rows[:20], scale=-0.1, max_norm=max_norm)
        np.testing.assert_allclose(table, summed(start, range(20), rows[:20], -0.1, max_norm), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("compiled", [True, False])
def test_scatter_add_from_two_tables_of_other_sizes(compiled: bool) -> None:
    """The scratch that a thread keeps grows with the table, and old content does no harm."""
    backend = NumpyBackend("a test", compiled=compiled)
    for V in (3, 50, 7):
        table = np.zeros((V, 2))
        backend.scatter_add(table, np.array([V - 1, 0, V - 1]), np.ones((3, 2)), max_norm=100.0)
        assert len(backend._scratch.slots) >= V  # compiled loops would write past the end unseen
        assert table[V - 1].tolist() == [2, 2]
        assert table.sum() == 6


def test_host_round_trip(library: Library) -> None:
    host = np.arange(6, dtype="float32").reshape(2, 3)
    there = library.backend.from_host(host)
    assert library.same_kind(there)
    np.testing.assert_array_equal(library.to_host(there), host)
    library.backend.synchronize()
    library.backend.free_memory()


def test_memory_is_told_where_it_is_known() -> None:
    memory = get_backend("numpy").memory()
    assert memory is not None
    assert 0 < memory[0] <= memory[1]


def test_backend_of_arrays(library: Library) -> None:
    backend = get_backend(library.asarray([1.0]))
    assert backend.name == library.backend.name
    assert type(backend) is type(library.backend)
    assert str(backend.device) == str(library.backend.device)


def test_unknown_names_and_things_are_refused() -> None:
    with pytest.raises(BackendError, match="'auto', 'numpy' or 'cupy', got 'jax'"):
        get_backend("jax")
    with pytest.raises(BackendError, match="or an array, got list"):
        get_backend([1.0])


def fake_cupy(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    """A CuPy that imports and then fails to allocate, as it does without a GPU."""

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise failure

    cupy = SimpleNamespace(ones=fail, int32="int32", cuda=SimpleNamespace(Device=nullcontext), __name__="cupy")
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(sys.modules, "array_api_compat.cupy", SimpleNamespace())


def test_cupy_without_a_gpu_shows_the_drivers_message(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cupy(monkeypatch, RuntimeError("cudaErrorInsufficientDriver: CUDA driver version\nis insufficient"))
    with pytest.raises(BackendError, match="cudaErrorInsufficientDriver: CUDA driver version is insufficient") as error:
        get_backend("cupy")
    assert "\n" not in str(error.value)


def test_without_numba_rows_are_added_by_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xw2v.backend.scatter", None)
    assert get_backend("numpy")._compiled is None  # type: ignore[attr-defined]


def test_missing_cupy_names_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setitem(sys.modules, "array_api_compat.cupy", None)
    with pytest.raises(BackendError, match=r"pip install 'xw2v\[cuda12\]'"):
        get_backend("cupy")


def test_auto_falls_back_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cupy(monkeypatch, RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected"))
    backend = get_backend("auto")
    assert backend.name == "numpy"
    assert backend.why == (
        "no GPU backend: it found no GPU that works: cudaErrorNoDevice: no CUDA-capable device is detected"
    )


def test_auto_without_cupy_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setitem(sys.modules, "array_api_compat.cupy", None)
    assert get_backend("auto").why.startswith("no GPU backend: it needs CuPy")


@pytest.mark.parametrize(
    ("driver", "count", "device", "text"),
    [
        (12020, 1, 0, r"driver that is too old: it knows CUDA 12\.2, this CuPy wants 13\.0; .*'xw2v\[cuda12\]'"),
        (0, 0, 0, "found no NVIDIA driver"),
        (13000, 2, 5, "no GPU number 5: there are 2, counted from 0"),
        (13010, 1, 0, "found no GPU that works: broken; check the driver with nvidia-smi"),
    ],
)
def test_what_is_wrong_with_the_gpu(
    monkeypatch: pytest.MonkeyPatch, driver: int, count: int, device: int, text: str
) -> None:
    fake_cupy(monkeypatch, RuntimeError("broken"))
    sys.modules["cupy"].cuda.runtime = SimpleNamespace(
        driverGetVersion=lambda: driver, runtimeGetVersion=lambda: 13000, getDeviceCount=lambda: count
    )
    with pytest.raises(BackendError, match=text) as error:
        get_backend("cupy", device=device)
    assert "\n" not in str(error.value)


def test_a_machine_with_a_driver_but_without_cudas_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Any:
        msg = "libcublasLt.so.13: cannot open shared object file"
        raise ImportError(msg)

    fake_cupy(monkeypatch, RuntimeError())
    monkeypatch.setattr(sys.modules["cupy"], "ones", lambda *_, **__: np.ones(8))
    monkeypatch.setattr(cublas, "library", missing)
    with pytest.raises(BackendError, match=r"found no libraries of CUDA: libcublasLt.* pip install 'xw2v\[cuda12\]'"):
        get_backend("cupy")
    assert get_backend("auto").name == "numpy"


def cupy_without_a_gpu(*, tf32: bool = False, **cupy: Any) -> CupyBackend:
    """CuPy's backend over what is given in CuPy's place."""
    backend = object.__new__(CupyBackend)
    backend._cupy, backend._tf32 = SimpleNamespace(**cupy), tf32
    backend.device = Context()
    return backend


class Context(nullcontext[None]):
    def use(self) -> None: ...


@pytest.mark.parametrize(
    ("held", "limit", "wanted"), [(0, 0, (10, 24)), (13, 0, (23, 24)), (2, 8, (5, 8)), (0, 100, (10, 24))]
)
def test_what_the_memory_pool_holds_is_free_and_its_limit_is_one(
    held: int, limit: int, wanted: tuple[int, int]
) -> None:
    pool = SimpleNamespace(free_bytes=lambda: held, get_limit=lambda: limit, used_bytes=lambda: 3)
    runtime = SimpleNamespace(memGetInfo=lambda: (10, 24))
    backend = cupy_without_a_gpu(get_default_memory_pool=lambda: pool, cuda=SimpleNamespace(runtime=runtime))
    assert backend.memory() == wanted


def test_one_that_waits_for_a_gpu_can_be_stopped() -> None:
    class Event:
        looks = 0

        @property
        def done(self) -> bool:
            self.looks += 1
            if self.looks == 3:
                raise KeyboardInterrupt  # as a handler of signals does
            return self.looks > 5

    event = Event()
    stream = SimpleNamespace(record=lambda: event)
    backend = cupy_without_a_gpu(cuda=SimpleNamespace(get_current_stream=lambda: stream))
    with pytest.raises(KeyboardInterrupt):
        backend.synchronize()
    backend.synchronize()
    assert event.looks == 6


def test_tf32_ends_with_the_backend_that_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, int]] = []
    products = SimpleNamespace(
        COMPUTE_TYPE_DEFAULT=1, COMPUTE_TYPE_TF32=7, set_compute_type=lambda dtype, which: asked.append((dtype, which))
    )
    library = SimpleNamespace(setMathMode=lambda handle, mode: asked.append((handle, mode)))
    for name in ("cupy", "cupy._core"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(sys.modules["cupy._core"], "_routines_linalg", products, raising=False)
    monkeypatch.setattr(cublas, "library", lambda: (library, lambda: 42))
    monkeypatch.setattr(CupyBackend, "_had_tf32", False)
    cupy_without_a_gpu().attach()
    assert asked == []
    cupy_without_a_gpu(tf32=True).attach()
    assert asked == [(np.float32, 7), (42, 3)]
    asked.clear()
    cupy_without_a_gpu().attach()
    assert asked == [(np.float32, 1), (42, 0)]


@pytest.mark.parametrize("rows", [0, 5, 7])
def test_a_table_is_filled_a_part_at_a_time(library: Library, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_FILLED_AT_ONCE", 7)  # two rows
    table, new = np.zeros((7, 3), np.float32), np.arange(3.0 * rows).reshape(rows, 3)
    there = library.table(table)
    uploads: list[int] = []
    from_host = library.backend.from_host

    def upload(array: np.ndarray) -> Any:
        uploads.append(array.size)
        return from_host(array)

    monkeypatch.setattr(library.backend, "from_host", upload)
    library.backend.fill(there, new)
    np.testing.assert_array_equal(library.to_host(there), np.concatenate([new, table[rows:]]))
    assert max(uploads, default=0) <= 7


def test_work_on_the_side_and_later_reads(library: Library) -> None:
    with library.backend.beside():
        array = library.backend.from_host(np.arange(5, dtype=np.int32))
    assert library.same_kind(array)
    fetch = library.backend.read_later(array)
    np.testing.assert_array_equal(fetch(), np.arange(5))
