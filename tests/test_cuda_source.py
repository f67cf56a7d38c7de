"""The CUDA engine's source, built for the host, against the array engine at a step of one group.

What is compared is the source that a GPU compiles, run through the engine's own launches; the GPU itself is not
here. `tests/cuda_host.h` says what stands in for it.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cuda_build import FakeCupy, HostKernels, build
from tests.engine_cases import case as any_case
from tests.engine_cases import check as check_case
from tests.test_large_numbers import sparse
from tests.tf32 import tf32_products
from xw2v.backend import NumpyBackend
from xw2v.config import Config
from xw2v.errors import BackendError, ConfigError
from xw2v.training import batches
from xw2v.training.batches import read_chunk
from xw2v.training.draws import Purpose, draw, low_half, stream_key
from xw2v.training.engines import Rate, Tables, choose_engine
from xw2v.training.engines.array import ArrayEngine
from xw2v.training.engines.cuda import _FLOAT32, _TF32, CudaEngine, CupyKernels, _shared_bytes, update_bounds
from xw2v.training.room import check_memory
from xw2v.training.sampling import AliasTable, draw_words, keep_probabilities, noise_probabilities
from xw2v.training.trainer import Training

V, N = 60, 700

Make = Callable[..., HostKernels]


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SEGMENT", 256)


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, bool], Path]:
    """By lanes of a warp, and whether products are in TF32, which takes the 32 lanes of a tensor core."""
    folder = tmp_path_factory.mktemp("cuda")
    built = {(lanes, tf32): build(folder, lanes, tf32=tf32) for lanes, tf32 in ((1, False), (32, False), (32, True))}
    found = {which: path for which, path in built.items() if path is not None}
    if not found:
        pytest.skip("no C++ compiler (g++ or clang++)")
    return found


@pytest.fixture
def kernels(libraries: dict[tuple[int, bool], Path]) -> Make:
    def make(threads: int = 1, *, tf32: bool = False, **options: Any) -> HostKernels:
        library = libraries[1 if threads == 1 else 32, tf32]
        return HostKernels(library, threads=threads, tf32=tf32, **options)

    return make


def corpus() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Repeated words, sentences of one word and of none, a long one, several segments."""
    rng = np.random.default_rng(8)
    ids = np.minimum(rng.geometric(0.1, N) - 1, V - 1).astype(np.int32)
    return ids, np.array([0, 10, 11, 60, 60, 61, 100, 560, N]), np.bincount(ids, minlength=V)


def tables(D: int) -> Tables:
    rng = np.random.default_rng(9)
    return Tables(*((rng.standard_normal((V, D)) / np.sqrt(D)).astype(np.float32) for _ in range(2)))


def rate(words: int, step: int) -> float:
    return 0.01 - 0.004 * words / N


def binary_rate(words: int, step: int) -> float:
    """One that rounding in TF32 does not see: the engines multiply by it before and after."""
    return 2.0**-7


def exact(D: int, **options: Any) -> Config:
    """Options under which the array engine takes one group after the other and bounds nothing."""
    config = Config(**({"vector_size": D, "sample": 0.02, "group_negatives": 16, "max_update_norm": None} | options))
    return config.replace(batch_size=config.group_size)


def by_array_engine(config: Config, ours: Tables, rate: Rate = rate) -> Any:
    ids, offsets, counts = corpus()
    return ArrayEngine(config, counts, NumpyBackend("a test")).train_chunk(
        ours, read_chunk(ids, offsets, 0, N), 3, rate
    )


def by_cuda_engine(config: Config, ours: Tables, kernels: HostKernels, blocks: int = 1, rate: Rate = rate) -> Any:
    ids, offsets, counts = corpus()
    engine = CudaEngine(config, counts, NumpyBackend("a test"), blocks=blocks, cluster=kernels.cluster, kernels=kernels)
    return engine.train_chunk(ours, engine.read_chunk(ids, offsets, 0, N), 3, rate)


def check(config: Config, kernels: HostKernels, blocks: int = 1) -> None:
    D = config.vector_size
    theirs, ours, before = tables(D), tables(D), tables(D)
    alpha = binary_rate if kernels.tf32 else rate
    with tf32_products() if kernels.tf32 else nullcontext():
        array = by_array_engine(config, theirs, alpha)
    cuda = by_cuda_engine(config, ours, kernels, blocks, alpha)
    assert (cuda.pairs, cuda.centers, cuda.steps) == (array.pairs, array.centers, array.steps)
    assert cuda.pairs > 300
    for table, other, start in zip(ours, theirs, before, strict=True):
        moved = np.abs(other - start).max()
        assert moved > 1e-3
        # With TF32 the last bit of a sum may round a factor the other way, by a thousandth of it; but rarely.
        np.testing.assert_allclose(table, other, atol=(1e-4 if kernels.tf32 else 1e-5) * max(moved, 1), rtol=1e-4)
        assert np.abs(table - other).mean() < 2e-4 * np.abs(other - start).mean()


OPTIONS: list[dict[str, Any]] = [
    {},
    {"window": 1},
    {"window": 20, "group_size": 8},
    {"shrink_windows": False, "window": 3},
    {"group_size": 1, "group_negatives": 1, "negative": 1},
    {"group_size": 32, "group_negatives": 5, "negative": 9},
    {"sample": 0.0, "ns_exponent": 0.0},
]


@pytest.mark.parametrize("D", [1, 7, 100, 128, 300, 1024])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_one_thread_equals_the_array_engine(D: int, options: dict[str, Any], kernels: Make) -> None:
    check(exact(D, **options), kernels())


@pytest.mark.parametrize("order", [0, 1, 5])
@pytest.mark.parametrize(
    ("threads", "D", "options"),
    [
        (32, 7, {}),
        (64, 100, {}),
        (256, 128, {"group_size": 16, "group_negatives": 16}),
        (96, 300, {"window": 20, "group_size": 8}),
        (64, 130, {"group_size": 32, "group_negatives": 5}),
        (0, 100, {}),  # as many as on a GPU
        (0, 33, {"group_size": 9, "window": 13, "group_negatives": 3}),
    ],
)
def test_threads_equal_the_array_engine(
    threads: int, order: int, D: int, options: dict[str, Any], kernels: Make
) -> None:
    """Shuffles, barriers and the shares of the threads; a missing barrier shows in one of the orders."""
    check(exact(D, **options), kernels(threads, order=order))


@pytest.mark.parametrize("D", [1, 7, 100, 128, 300, 1024])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_tensor_cores_equal_the_array_engine_in_tf32(D: int, options: dict[str, Any], kernels: Make) -> None:
    check(exact(D, **options), kernels(64, tf32=True, order=5))


@pytest.fixture(scope="session", params=[2, 4])
def cluster(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="session")
def cluster_libraries(cluster: int, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, bool], Path]:
    """As `libraries`, for so many blocks a group."""
    folder = tmp_path_factory.mktemp("clusters")
    kinds = ((1, False), (32, False), (32, True))
    built = {(lanes, tf32): build(folder, lanes, tf32=tf32, cluster=cluster) for lanes, tf32 in kinds}
    found = {which: path for which, path in built.items() if path is not None}
    if not found:
        pytest.skip("no C++ compiler (g++ or clang++)")
    return found


@pytest.mark.parametrize("order", [0, 1, 5])  # 1: what goes to another block arrives as late as it may
@pytest.mark.parametrize(
    ("threads", "tf32", "D", "options"),
    [
        *((1, False, D, {}) for D in (1, 7, 100, 128, 300, 1024)),  # of 1 and 7 some blocks have no column
        (64, False, 100, {}),
        (64, False, 129, {"window": 1}),
        (96, False, 300, {"window": 20, "group_size": 8}),
        (0, False, 128, {}),  # as many as on a GPU
        (0, False, 33, {"group_size": 9, "window": 13, "group_negatives": 3}),
        (64, True, 7, {}),
        (64, True, 100, {"group_size": 32, "group_negatives": 5}),
        (64, True, 300, {"window": 20, "group_size": 8}),
    ],
)
def test_clusters_equal_the_array_engine(
    threads: int,
    tf32: bool,
    D: int,
    options: dict[str, Any],
    order: int,
    cluster: int,
    cluster_libraries: dict[tuple[int, bool], Path],
) -> None:
    """Blocks that share a group take its scores together; a missing barrier shows in one of the orders."""
    library = cluster_libraries[1 if threads == 1 else 32, tf32]
    kernels = HostKernels(library, threads=threads, tf32=tf32, order=order, cluster=cluster)
    check(exact(D, **options), kernels)
    check(exact(D, **options), kernels, 3)


@pytest.mark.parametrize("seed", range(30))
def test_engines_agree_whatever_the_options(
    seed: int, kernels: Make, cluster: int, cluster_libraries: dict[tuple[int, bool], Path]
) -> None:
    case, tf32 = any_case(seed, batches.SEGMENT), seed % 3 == 0
    how: dict[str, Any] = {"threads": 32 * (1 + seed % 4), "tf32": tf32, "order": seed % 5}
    for device in (kernels(**how), HostKernels(cluster_libraries[32, tf32], cluster=cluster, **how)):
        engine = CudaEngine(
            case.config, case.counts, NumpyBackend("a test"), blocks=1, cluster=device.cluster, kernels=device
        )
        with tf32_products() if tf32 else nullcontext():
            check_case(case, *case.trained(engine, engine.read_chunk), tolerance=2e-2 if tf32 else 3e-3)


@pytest.mark.parametrize("tf32", [False, True])
def test_clusters_with_rows_in_parts(tf32: bool, cluster: int, cluster_libraries: dict[tuple[int, bool], Path]) -> None:
    config = exact(1024)
    least = _shared_bytes(_TF32 if tf32 else _FLOAT32, config, 16, cluster, 1024 // cluster)
    kernels = HostKernels(
        cluster_libraries[32, tf32], threads=64, tf32=tf32, order=5, cluster=cluster, shared_bytes=least // 2
    )
    check(config, kernels)
    engine = CudaEngine(config, corpus()[2], NumpyBackend("a test"), cluster=cluster, kernels=kernels)
    assert 4 <= engine.tile < 1024 // cluster


@pytest.mark.parametrize(("D", "tf32", "max_update_norm"), [(100, False, None), (130, False, 0.005), (300, True, None)])
def test_code_for_one_shape_equals_that_for_any(
    D: int, tf32: bool, max_update_norm: float | None, libraries: dict[tuple[int, bool], Path], tmp_path: Path
) -> None:
    """A GPU runs the first: on the host they do the same, to the last bit."""
    config = exact(D, max_update_norm=max_update_norm)
    shape = (D, config.window, config.group_size, 16, D, int(max_update_norm is not None))
    fixed = build(tmp_path, 32, tf32=tf32, shape=shape)
    assert fixed is not None
    found = []
    for library, what in ((libraries[32, tf32], ()), (fixed, shape)):
        ours = tables(D)
        kernels = HostKernels(library, threads=128, tf32=tf32, shape=what)
        found.append((by_cuda_engine(config, ours, kernels, 3), ours))
    assert found[0][0] == found[1][0]
    for table, other in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_array_equal(table, other)
    with pytest.raises(AssertionError):
        CudaEngine(exact(D + 1), corpus()[2], NumpyBackend("a test"), kernels=kernels)


@pytest.mark.parametrize("blocks", [2, 5, 1000])
@pytest.mark.parametrize("D", [1, 7, 100, 128, 300, 1024])
def test_blocks_in_turn_equal_the_array_engine(blocks: int, D: int, kernels: Make) -> None:
    """Blocks take runs of groups in order: one after the other they are the sequence itself."""
    check(exact(D), kernels(), blocks)


def test_blocks_with_tensor_cores_in_turn(kernels: Make) -> None:
    check(exact(100), kernels(64, tf32=True), 5)


@pytest.mark.parametrize("tf32", [False, True])
@pytest.mark.parametrize(("threads", "D"), [(1, 100), (1, 301), (64, 300), (64, 301), (64, 1024)])
def test_rows_in_parts_equal_the_array_engine(threads: int, D: int, tf32: bool, kernels: Make) -> None:
    """Where shared memory does not hold whole rows, parts of them are taken one after the other."""
    config = exact(D)
    if tf32 and threads == 1:
        pytest.skip("a tensor core has 32 lanes")
    small = kernels(threads, tf32=tf32, shared_bytes=_shared_bytes(_TF32 if tf32 else _FLOAT32, config, 16, 1, D) // 3)
    check(config, small)
    engine = CudaEngine(config, corpus()[2], NumpyBackend("a test"), kernels=small)
    assert 4 <= engine.tile < D
    assert engine.tile % 4 == 0


def test_centres_in_flight(kernels: Make) -> None:
    def blocks(multiprocessors: int, cluster: int = 1, **options: Any) -> int:
        device = kernels()
        device.multiprocessors, device.cluster = multiprocessors, cluster
        config = Config(vector_size=4, backend="cupy", **options)
        return CudaEngine(config, corpus()[2], NumpyBackend("a test"), cluster=cluster, kernels=device).blocks

    assert [blocks(132), blocks(40)] == [66, 40]
    assert [blocks(132, batch_size=size) for size in (8, 1600, 4096)] == [1, 100, 132]
    assert blocks(132, batch_size=1600, group_size=32) == 50
    assert [blocks(132, 2), blocks(100, 2), blocks(132, 4), blocks(3, 4)] == [66, 50, 33, 1]
    assert blocks(132, 2, batch_size=4096) == 66


@pytest.mark.parametrize(
    ("multiprocessors", "clusters", "options", "cluster"),
    [
        (132, True, {}, 2),
        (131, True, {}, 1),
        (132, False, {}, 1),
        (132, True, {"batch_size": 67 * 16}, 1),
        (20, True, {"batch_size": 160}, 2),
        (132, True, {"tf32": True}, 1),
        (132, True, {"tf32": True, "vector_size": 132}, 2),
    ],
    ids=str,
)
def test_two_blocks_share_a_group_where_there_are_enough(
    multiprocessors: int, clusters: bool, options: dict[str, Any], cluster: int, kernels: Make
) -> None:
    device, config = kernels(), Config(**{"vector_size": 4, "backend": "cupy", **options})
    device.tf32 = config.tf32
    device.multiprocessors, device.clusters, device.cluster = multiprocessors, clusters, cluster
    engine = CudaEngine(config, corpus()[2], NumpyBackend("a test"), kernels=device)
    assert engine.cluster == cluster
    assert engine.blocks == min(multiprocessors // cluster, options.get("batch_size", 66 * 16) // 16)


def test_noise_words_of_a_group_by_default(kernels: Make) -> None:
    engine = CudaEngine(Config(vector_size=4), corpus()[2], NumpyBackend("a test"), kernels=kernels())
    assert engine.group_negatives == 32


def test_what_chunks_take_is_what_two_of_them_hold(kernels: Make) -> None:
    ids, offsets, counts = corpus()
    engine = CudaEngine(exact(5), counts, NumpyBackend("a test"), kernels=kernels())
    chunk = engine.read_chunk(ids, offsets, 0, N)
    held = sum(array.nbytes for array in (chunk.ids, chunk.sentences, *engine._keep(chunk, 0)))
    assert 2 * held <= engine.scratch_bytes(V, 5, N) <= 4 * held


def test_too_little_shared_memory(kernels: Make) -> None:
    with pytest.raises(ConfigError, match=r"group_size=512.* KiB"):
        CudaEngine(exact(100, group_size=512), corpus()[2], NumpyBackend("a test"), kernels=kernels())


def shortened(engine: ArrayEngine, bounds: Tables, ours: Tables, slices: list[int]) -> None:
    """Have the array engine shorten each row's step by itself, slice by slice, before repeats are summed."""
    add = engine.backend.scatter_add

    def scatter_add(table: Any, ids: Any, rows: Any, *, scale: float, max_norm: None) -> None:
        bound = bounds.center_vectors if table is ours.center_vectors else bounds.outside_vectors
        step, D = scale * rows, rows.shape[1]
        for start, stop in pairwise(slices):
            part = step[:, start:stop]
            norms = np.maximum(np.linalg.norm(part, axis=1), 1e-30)
            part *= np.minimum(1, bound[ids] * np.sqrt(part.shape[1] / D) / norms)[:, None]
        add(table, ids, step)

    engine.backend.scatter_add = scatter_add  # type: ignore[method-assign,assignment]


@pytest.mark.parametrize(("threads", "tf32", "slice_width"), [(64, False, 128), (64, True, 64), (1, False, 4)])
@pytest.mark.parametrize("D", [7, 128, 300])
def test_steps_are_shortened_to_each_words_bound(
    D: int, threads: int, tf32: bool, slice_width: int, kernels: Make
) -> None:
    check_shortened(D, [*range(0, D, slice_width), D], kernels(threads, tf32=tf32))


@pytest.mark.parametrize("tf32", [False, True])
@pytest.mark.parametrize("D", [128, 300])
def test_clusters_shorten_steps(
    D: int, tf32: bool, cluster: int, cluster_libraries: dict[tuple[int, bool], Path]
) -> None:
    """Of each block's columns the slices."""
    part, width = {128: 128 // cluster, 300: {2: 152, 4: 76}[cluster]}[D], 32 if tf32 else 128 // cluster
    slices = sorted({*(place + at for place in range(0, D, part) for at in range(0, part, width)), D})
    kernels = HostKernels(cluster_libraries[32, tf32], threads=64, tf32=tf32, cluster=cluster)
    check_shortened(D, [at for at in slices if at <= D], kernels)


def check_shortened(D: int, slices: list[int], kernels: HostKernels) -> None:
    """The steps of rows are bounded by these slices of columns."""
    tf32 = kernels.tf32
    ids, offsets, counts = corpus()
    config = exact(D)
    theirs, ours = tables(D), tables(D)
    fused = CudaEngine(
        config.replace(max_update_norm=0.005), counts, NumpyBackend("a test"), blocks=3, cluster=kernels.cluster,
        kernels=kernels,
    )  # fmt: skip
    alpha = binary_rate if tf32 else rate
    fused.train_chunk(ours, read_chunk(ids, offsets, 0, N), 3, alpha)
    array = ArrayEngine(config, counts, NumpyBackend("a test"))
    shortened(array, fused._bounds, theirs, slices)
    with tf32_products() if tf32 else nullcontext():
        array.train_chunk(theirs, read_chunk(ids, offsets, 0, N), 3, alpha)
    free = tables(D)
    by_array_engine(config, free)
    for table, other, unbounded in zip(ours, theirs, free, strict=True):
        np.testing.assert_allclose(table, other, atol=1e-5, rtol=1e-4)
        assert np.abs(other - unbounded).max() > 0.01


def test_bounds_follow_the_groups_in_flight() -> None:
    config = Config(group_size=16, window=5, max_update_norm=0.125)
    shares, noise = np.array([0.5, 0.01, 0.0]), np.array([0.25, 0.0, 0.5])
    center, outside = update_bounds(config, shares, noise, 16, 1)
    np.testing.assert_allclose(center, [0.5 / 8, 0.5, 0.5])
    np.testing.assert_allclose(outside, [0.5 / (26 * 0.5 + 16 * 0.25), 0.5, 0.5 / 8])
    center, outside = update_bounds(config, shares, noise, 16, 100)
    np.testing.assert_allclose(center, [0.5 / 800, 0.5 / 16, 0.5])
    assert np.isinf(update_bounds(config.replace(max_update_norm=None), shares, noise, 16, 1)).all()


def test_loss_is_the_array_engines(kernels: Make) -> None:
    """Every 16th group is measured; with one group a chunk the measure is exact."""
    ids, offsets, counts = corpus()
    for threads in (1, 64):
        config = exact(7, sample=0, group_size=64)
        losses = []
        for engine in (
            ArrayEngine(config, counts, NumpyBackend("a test")),
            CudaEngine(config, counts, NumpyBackend("a test"), kernels=kernels(threads)),
        ):
            losses.append(engine.train_chunk(tables(7), read_chunk(ids, offsets, 0, 64), 0, rate).loss)
        assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    config = exact(7, sample=0, group_size=1)
    array, cuda = by_array_engine(config, tables(7)), by_cuda_engine(config, tables(7), kernels())
    assert cuda.loss / cuda.pairs == pytest.approx(array.loss / array.pairs, rel=0.1)


@pytest.mark.parametrize(("threads", "order"), [(1, 0), (64, 1)])
def test_every_16th_group_is_measured(threads: int, order: int, kernels: Make) -> None:
    check_measured(kernels(threads, order=order))


def test_one_block_of_a_cluster_measures(cluster: int, cluster_libraries: dict[tuple[int, bool], Path]) -> None:
    check_measured(HostKernels(cluster_libraries[32, False], threads=64, cluster=cluster))


def check_measured(host: HostKernels) -> None:
    """A centre a group, with a word on each side, but for the first of a segment."""
    counts, measured = corpus()[2], []
    launch = host.launch

    def launch_and_look(name: str, grid: int, threads: int, shared_bytes: int, arguments: Any) -> None:
        launch(name, grid, threads, shared_bytes, arguments)
        measured.append(arguments[-1])

    host.launch = launch_and_look  # type: ignore[method-assign]
    config = exact(4, sample=0, group_size=1, window=1)
    engine = CudaEngine(config, counts, NumpyBackend("a test"), blocks=1, cluster=host.cluster, kernels=host)
    engine.train_chunk(tables(4), read_chunk(corpus()[0], np.array([0, N]), 0, N), 0, rate)
    assert measured[-1] == 2 * len(range(0, N, 16)) - 3


def test_stopping(kernels: Make) -> None:
    ids, offsets, counts = corpus()
    ours = tables(5)
    engine = CudaEngine(exact(5), counts, NumpyBackend("a test"), kernels=kernels())
    assert engine.train_chunk(ours, read_chunk(ids, offsets, 0, N), 0, lambda words, step: None) == (0.0, 0, 0, 0)
    rates = iter([0.01, None])  # the end comes between two questions
    result = engine.train_chunk(ours, read_chunk(ids, offsets, 0, N), 0, lambda words, step: next(rates))
    assert result == (0.0, 0, 0, 0)
    np.testing.assert_array_equal(ours.center_vectors, tables(5).center_vectors)


def test_nan_stays_nan(kernels: Make) -> None:
    """A run that diverged must show."""
    ids, offsets, counts = corpus()
    ours = tables(4)
    ours.center_vectors[:] = np.nan
    engine = CudaEngine(Config(vector_size=4, sample=0), counts, NumpyBackend("a test"), kernels=kernels(32))
    result = engine.train_chunk(ours, read_chunk(ids, offsets, 0, N), 0, rate)
    assert np.isnan(result.loss)
    assert np.isnan(ours.outside_vectors).any()


def test_chunks_in_a_later_place_and_a_corpus_without_a_kept_word(kernels: Make) -> None:
    ids, offsets, counts = corpus()
    config = exact(7)
    theirs, ours = tables(7), tables(7)
    array = ArrayEngine(config, counts, NumpyBackend("a test"))
    cuda = CudaEngine(config, counts, NumpyBackend("a test"), kernels=kernels(32))
    for start, stop in ((256, N), (0, 256)):
        expected = array.train_chunk(theirs, read_chunk(ids, offsets, start, stop), 1, rate)
        result = cuda.train_chunk(ours, cuda.read_chunk(ids, offsets, start, stop), 1, rate)
        assert result[1:] == expected[1:]
    np.testing.assert_allclose(ours.center_vectors, theirs.center_vectors, atol=1e-5, rtol=1e-4)
    cuda._keep_below[:] = 0
    assert cuda.train_chunk(ours, read_chunk(ids, offsets, 0, N), 1, rate) == (0.0, 0, 0, 0)


def test_chunks_are_read_as_the_host_reads_them_and_once(kernels: Make) -> None:
    ids, offsets, counts = corpus()
    engine = CudaEngine(exact(5), counts, NumpyBackend("a test"), kernels=kernels())
    for start, stop in ((512, N), (0, 512)):
        ours, theirs = engine.read_chunk(ids, offsets, start, stop), read_chunk(ids, offsets, start, stop)
        np.testing.assert_array_equal(ours.ids, theirs.ids)
        # Which numbers stand for sentences is left open, not where another begins.
        np.testing.assert_array_equal(np.diff(ours.sentences) > 0, np.diff(theirs.sentences) > 0)
        assert np.diff(ours.sentences).any()
        assert ours.start == theirs.start == start
        assert engine.read_chunk(ids, offsets, start, stop) is ours
    assert engine.read_chunk(ids.copy(), offsets, 0, 512) is not ours


def test_chunks_stay_while_half_of_what_the_tables_left_is_enough(kernels: Make) -> None:
    ids, offsets, counts = corpus()
    gpu = FakeGpu(2 * 8 * 512 + 2)
    engine = CudaEngine(exact(5), counts, gpu, kernels=kernels())
    places = ((0, 256), (256, 512), (512, N))
    first = [engine.read_chunk(ids, offsets, *place) for place in places]
    gpu.free = 10**9  # later on it says nothing: chunks are in it themselves
    again = [engine.read_chunk(ids, offsets, *place) is chunk for place, chunk in zip(places, first, strict=True)]
    assert again == [True, True, False]


def test_the_host_build_finds_what_it_is_for(libraries: dict[tuple[int, bool], Path]) -> None:
    """Too little shared memory asked for is an overrun, and an unknown kernel an error."""
    ids, offsets, counts = corpus()
    kernels = HostKernels(libraries[32, False], threads=32)
    engine = CudaEngine(exact(5), counts, NumpyBackend("a test"), kernels=kernels)
    launch = kernels.launch

    def stingy(name: str, grid: int, threads: int, shared_bytes: int, arguments: Any) -> None:
        launch(name, grid, threads, shared_bytes - 16 * (name == "train_groups"), arguments)

    kernels.launch = stingy  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match="behind its shared memory"):
        engine.train_chunk(tables(5), read_chunk(ids, offsets, 0, N), 0, rate)
    with pytest.raises(AssertionError, match="no such kernel"):
        launch("nothing", 1, 1, 0, ())


def test_no_row_is_carried_into_the_next_segment(kernels: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the last group of a segment is whole, and one of its columns alone stands for nothing."""
    monkeypatch.setattr(batches, "SEGMENT", 240)
    check(exact(7, group_size=6, window=1, sample=0), kernels())


def test_a_segment_without_a_kept_word(kernels: Make) -> None:
    ids, offsets, counts = corpus()
    ids[250:520] = V - 1
    theirs, ours = tables(7), tables(7)
    array = ArrayEngine(exact(7), counts, NumpyBackend("a test"))
    cuda = CudaEngine(exact(7), counts, NumpyBackend("a test"), kernels=kernels(32))
    array._thresholds[V - 1] = cuda._keep_below[V - 1] = 0
    expected = array.train_chunk(theirs, read_chunk(ids, offsets, 0, N), 1, rate)
    assert cuda.train_chunk(ours, read_chunk(ids, offsets, 0, N), 1, rate)[1:] == expected[1:]
    for table, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(table, other, atol=1e-5, rtol=1e-4)


def test_a_token_is_kept_and_a_noise_word_its_columns_below_the_threshold_and_not_at_it(kernels: Make) -> None:
    config, ids = exact(5, group_size=1, group_negatives=1), np.arange(V, dtype=np.int32)
    engine = CudaEngine(config, np.ones(V), NumpyBackend("a test"), kernels=kernels())
    places = np.arange(V, dtype=np.int64)
    bits = draw(stream_key(config.seed, Purpose.TOKEN, 3), places)
    engine._keep_below = low_half(bits) + places % 2
    bits = draw(stream_key(config.seed, Purpose.NOISE, 3), places[1::2])
    columns = ((bits.view(np.uint64) >> np.uint64(32)) * np.uint64(V) >> np.uint64(32)).astype(np.int64)
    engine._noise_below[columns], engine._noise_alias[:] = low_half(bits), V - 1 - ids
    kept = engine._keep(read_chunk(ids, np.array([0, V]), 0, V), 3)
    np.testing.assert_array_equal(kept.ids[: kept.before[-1]], ids[1::2])
    noise = AliasTable(engine._noise_below, engine._noise_alias)
    np.testing.assert_array_equal(kept.noise_ids[: V // 2], draw_words(noise, bits, xp=np))


def test_there_is_room_for_the_noise_words_of_all_groups(kernels: Make) -> None:
    ids, offsets, counts = corpus()
    engine = CudaEngine(exact(5, group_size=24, sample=0), counts, NumpyBackend("a test"), kernels=kernels())
    kept = engine._keep(read_chunk(ids, offsets, 0, 512), 0)
    assert kept.groups_before[-1] == 11 + 11
    assert len(kept.noise_ids) >= 22 * 16


@pytest.mark.parametrize("tf32", [False, True])
@pytest.mark.parametrize("D", [5, 7, 100])
def test_nothing_behind_a_table_is_written(D: int, tf32: bool, kernels: Make) -> None:
    """Not even zeros are added to what lies there."""
    ids, offsets, counts = corpus()
    memory = [np.full(V * D + 128, -0.0, np.float32) for _ in range(2)]
    ours = Tables(*(room[: V * D].reshape(V, D) for room in memory))
    engine = CudaEngine(exact(D, sample=0), counts[::-1], NumpyBackend("a test"), kernels=kernels(32, tf32=tf32))
    engine.train_chunk(ours, read_chunk(V - 1 - ids, offsets, 0, N), 0, rate)
    for room in memory:
        np.testing.assert_array_equal(room[V * D :].view(np.uint32), 1 << 31)


def test_windows_end_where_noise_words_begin(kernels: Make) -> None:
    """Where a centre's window and those of its neighbours in the tile fill more columns than there are."""
    check(exact(7, group_size=1, window=3), kernels())


def test_rows_behind_two_to_the_32_numbers(kernels: Make, tmp_path: Path) -> None:
    """A place that is cut to 32 bits is another row's."""
    large, D = 2**18 + 4, 2**14
    ours = Tables(*(sparse(tmp_path / name, np.float32, (large, D)) for name in ("center", "outside")))
    ids, counts = np.arange(large - 4, large, dtype=np.int32), np.zeros(large, dtype=np.int64)
    counts[ids] = 1
    for table in ours:
        table[ids] = 1 / np.sqrt(D)
    config = exact(D, sample=0, group_size=4, group_negatives=4)
    engine = CudaEngine(config, counts, NumpyBackend("a test"), kernels=kernels(64))
    engine.train_chunk(ours, read_chunk(ids, np.array([0, 4]), 0, 4), 0, rate)
    for table in ours:
        assert (table[ids] != np.float32(1 / np.sqrt(D))).any(axis=1).all()
        assert not table[:4].any()


def test_bounds_are_those_of_the_corpus_and_the_groups_in_flight(kernels: Make) -> None:
    config, counts = exact(5, max_update_norm=0.5), corpus()[2]
    kept = counts * keep_probabilities(counts, config.sample, config.subsampling)
    noise = noise_probabilities(counts, config.ns_exponent)
    engine = CudaEngine(config, counts, NumpyBackend("a test"), blocks=7, kernels=kernels())
    for ours, theirs in zip(engine._bounds, update_bounds(config, kept / kept.sum(), noise, 16, 7), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_how_kernels_are_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    cupy = FakeCupy()
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    kernels = CupyKernels(tf32=True)
    for _ in range(2):  # what was compiled for another shape is not used again
        kernels.compile((100, 5, 16, 32, 100, 1))
        for arguments in ([1, 2], [3]):
            kernels.launch("f", 7, 64, 100 << 10, arguments)
    assert cupy.launched == 2 * [("f", (7,), (64,), (1, 2), 100 << 10), ("f", (7,), (64,), (3,), 100 << 10)]
    assert len(cupy.kernels) == 2
    assert (kernels.tf32, kernels.multiprocessors, kernels.shared_bytes) == (True, 132, 227 << 10)
    monkeypatch.setitem(sys.modules, "cupy", FakeCupy(capability="75"))
    assert not CupyKernels(tf32=True).tf32


def test_training_hands_over_chunks_ahead(kernels: Make) -> None:
    """The trainer's results are those of one chunk after the other; chunks are begun before the last has ended."""
    ids, offsets, counts = corpus()
    config = exact(7).replace(epochs=2, workers=1)
    backend = NumpyBackend("a test")
    engine = CudaEngine(config.replace(), counts, backend, kernels=kernels())
    engine.chunk_segments, engine.chunks_an_epoch = 1, 2
    second = threading.Event()
    started: list[bool] = []
    waited: list[bool] = []
    begin = engine.begin_chunk

    def begin_chunk(*arguments: Any) -> Callable[[], Any]:
        finish = begin(*arguments)
        if started:
            second.set()
        started.append(True)

        def after_the_second() -> Any:
            waited.append(second.wait(10))
            return finish()

        return after_the_second

    engine.begin_chunk = begin_chunk  # type: ignore[method-assign,assignment]
    ours = tables(7)
    records = list(Training(ours, ids, offsets, config, backend, engine))
    assert len(records) == 6
    assert waited[0], "the first chunk's result was wanted before the second was begun"
    theirs = tables(7)
    array = ArrayEngine(config, counts, backend)
    list(Training(theirs, ids, offsets, config, backend, array))
    for table, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(table, other, atol=1e-5, rtol=1e-4)


class FakeGpu(NumpyBackend):
    """NumPy that passes for a GPU."""

    def __init__(self, free: int) -> None:
        super().__init__("a test")
        self.name, self.free = "cupy", free

    def memory(self) -> tuple[int, int]:
        return self.free, 2 * self.free


def test_tables_that_do_not_fit_are_refused(kernels: Make) -> None:
    config = exact(100)
    backend = FakeGpu(2**30)
    engine = CudaEngine(config, corpus()[2], backend, kernels=kernels())
    check_memory(10**6, 10**6, config, backend, engine)
    with pytest.raises(BackendError, match=r"2,000,000 words x 100 take 1.5 GiB .* 1.0 of 2.0 GiB free") as error:
        check_memory(2 * 10**6, 10**6, config, backend, engine)
    size, words = (int(n) for n in re.findall(r"vector_size=(\d+) or max_final_vocab=(\d+)", str(error.value))[0])
    check_memory(2 * 10**6, 10**6, config.replace(vector_size=size), backend, engine)
    check_memory(words, 10**6, config, backend, engine)
    assert size > 60
    with pytest.raises(BackendError, match="what fits: nothing"):
        check_memory(10**6, 10**6, config, FakeGpu(10**5), engine)
    check_memory(10**9, 10**6, config, NumpyBackend("a test"), engine)


def test_the_engine_of_a_gpu(monkeypatch: pytest.MonkeyPatch, kernels: Make) -> None:
    counts, gpu = corpus()[2], FakeGpu(2**30)
    monkeypatch.setattr("xw2v.training.engines.cuda.CupyKernels", lambda *, tf32: kernels(32, tf32=tf32))
    for engine in ("auto", "cuda"):
        chosen, why = choose_engine(Config(engine=engine), counts, gpu)
        assert (chosen.name, why) == ("cuda", "compiled by CuPy")
    chosen, why = choose_engine(Config(tf32=True), counts, gpu)
    assert (chosen.name, why) == ("cuda", "compiled by CuPy, products in TF32")
    assert choose_engine(Config(engine="array"), counts, gpu)[0].name == "array"
    chosen, why = choose_engine(Config(loss="softmax"), counts, gpu)
    assert (chosen.name, why) == ("array", "for loss='softmax'")
    chosen, why = choose_engine(Config(group_size=512), counts, gpu)
    assert chosen.name == "array"
    assert "KiB of shared memory" in why
    with pytest.raises(ConfigError, match="KiB of shared memory"):
        choose_engine(Config(group_size=512, engine="cuda"), counts, gpu)
    with pytest.raises(ConfigError, match="engine 'cuda' does not do backend numpy"):
        choose_engine(Config(engine="cuda"), counts, NumpyBackend("a test"))
    with pytest.raises(ConfigError, match="engine 'cpu' does not do backend cupy"):
        choose_engine(Config(engine="cpu"), counts, gpu)
