"""The CUDA engine on a GPU. Skipped where there is none; `XW2V_REQUIRE=cupy` makes that a failure."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from tests.test_cuda_source import OPTIONS, V, binary_rate, by_array_engine, corpus, exact, rate, tables
from tests.tf32 import UNIT, tf32_products
from xw2v.backend import Backend
from xw2v.config import Config
from xw2v.training import batches
from xw2v.training.batches import read_chunk
from xw2v.training.engines import Rate, Tables
from xw2v.training.engines.array import ArrayEngine
from xw2v.training.engines.cuda import CudaEngine


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SEGMENT", 256)


def on_gpu(config: Config, gpu: Backend, blocks: int | None, rate: Rate = rate, cluster: int = 1) -> tuple[Tables, Any]:
    import cupy

    if cluster > 1 and int(cupy.cuda.Device().compute_capability) < 90:
        pytest.skip("clusters want compute capability 9.0")
    ids, offsets, counts = corpus()
    engine = CudaEngine(config, counts, gpu, blocks=blocks, cluster=cluster)
    if engine.tf32 != config.tf32:
        pytest.skip("products in TF32 want compute capability 8.0")
    ours = Tables(*map(gpu.from_host, tables(config.vector_size)))
    result = engine.train_chunk(ours, engine.read_chunk(ids, offsets, 0, len(ids)), 3, rate)
    return Tables(*map(gpu.to_host, ours)), result


@pytest.mark.parametrize("D", [1, 7, 100, 128, 300, 1024])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_one_block_equals_the_array_engine_on_the_host(D: int, options: dict[str, Any], gpu: Backend) -> None:
    config, theirs = exact(D, **options), tables(D)
    array = by_array_engine(config, theirs)
    ours, cuda = on_gpu(config, gpu, 1)
    assert (cuda.pairs, cuda.centers, cuda.steps) == (array.pairs, array.centers, array.steps)
    for table, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(table, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("D", [1, 7, 100, 128, 300, 1024])
@pytest.mark.parametrize("options", OPTIONS[:4], ids=str)
def test_one_block_on_tensor_cores_equals_the_array_engine_in_tf32(
    D: int, options: dict[str, Any], gpu: Backend
) -> None:
    """The host rounds the factors as the chip does; how the chip rounds its sums is not written down."""
    config, theirs = exact(D, tf32=True, **options), tables(D)
    with tf32_products():
        array = by_array_engine(config, theirs, binary_rate)
    ours, cuda = on_gpu(config, gpu, 1, binary_rate)
    assert (cuda.pairs, cuda.centers, cuda.steps) == (array.pairs, array.centers, array.steps)
    for table, other, before in zip(ours, theirs, tables(D), strict=True):
        np.testing.assert_allclose(table, other, atol=1e-3, rtol=1e-3)
        assert np.abs(table - other).mean() < UNIT * np.abs(other - before).mean()


@pytest.mark.parametrize("cluster", [2, 4])
@pytest.mark.parametrize("tf32", [False, True])
@pytest.mark.parametrize("D", [7, 100, 128, 300, 1024])
def test_one_cluster_equals_the_array_engine_on_the_host(D: int, tf32: bool, cluster: int, gpu: Backend) -> None:
    config, theirs = exact(D, tf32=tf32), tables(D)
    alpha, tolerance = (binary_rate, 1e-3) if tf32 else (rate, 1e-4)
    with tf32_products() if tf32 else nullcontext():
        array = by_array_engine(config, theirs, alpha)
    ours, cuda = on_gpu(config, gpu, 1, alpha, cluster)
    assert (cuda.pairs, cuda.centers, cuda.steps) == (array.pairs, array.centers, array.steps)
    assert cuda.loss == pytest.approx(array.loss, rel=0.1)
    for table, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(table, other, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("options", [{}, {"negatives": "pair"}, {"loss": "softmax"}], ids=str)
def test_the_array_engine_takes_no_more_memory_than_it_says(options: dict[str, Any], gpu: Backend) -> None:
    import cupy

    large, tokens = 20_000, 8192
    ids = np.random.default_rng(1).integers(0, large, tokens).astype(np.int32)
    config = Config(vector_size=100, sample=0, **options)
    engine = ArrayEngine(config, np.bincount(ids, minlength=large) + 1, gpu)
    ours = Tables(*(gpu.xp.zeros((large, 100), dtype=gpu.xp.float32) for _ in range(2)))
    pool = cupy.get_default_memory_pool()
    pool.free_all_blocks()
    before = pool.total_bytes()
    chunk = read_chunk(ids, np.arange(0, tokens + 1, 16), 0, tokens)
    engine.train_chunk(ours, chunk, 0, lambda words, step: 0.01 if step < 2 else None)
    assert pool.total_bytes() - before <= engine.scratch_bytes(large, 100, tokens) + (64 << 20)


@pytest.mark.parametrize("cluster", [1, 2, 4])
@pytest.mark.parametrize("D", [7, 128, 300])
def test_many_blocks_draw_the_same_and_go_the_same_way(D: int, cluster: int, gpu: Backend) -> None:
    """In what order they add is not fixed, and they read what others have not added to yet."""
    config, theirs = exact(D), tables(D)
    array = by_array_engine(config, theirs)
    ours, cuda = on_gpu(config.replace(batch_size=None), gpu, None, cluster=cluster)
    assert (cuda.pairs, cuda.centers, cuda.steps) == (array.pairs, array.centers, array.steps)
    for table, other, before in zip(ours, theirs, tables(D), strict=True):
        moved, wanted = (table - before).ravel(), (other - before).ravel()
        assert moved @ wanted > 0.5 * np.linalg.norm(moved) * np.linalg.norm(wanted)
        assert 0.5 < np.linalg.norm(moved) / np.linalg.norm(wanted) < 2


def test_chunks_on_the_device_are_the_hosts(gpu: Backend) -> None:
    ids, offsets, counts = corpus()
    engine = CudaEngine(exact(5), counts, gpu)
    ours, theirs = engine.read_chunk(ids, offsets, 0, len(ids)), read_chunk(ids, offsets, 0, len(ids))
    np.testing.assert_array_equal(gpu.to_host(ours.ids), theirs.ids)
    # Which numbers stand for sentences is left open, not where another begins.
    begins = np.diff(gpu.to_host(ours.sentences)) > 0
    np.testing.assert_array_equal(begins, np.diff(theirs.sentences) > 0)
    assert begins.any()


def test_rows_behind_two_to_the_31_floats(gpu: Backend) -> None:
    """Row offsets need 64 bits: the last rows of a large table are the ones that change."""
    D, large = 1024, 2**21 + 64
    memory = gpu.memory()
    if memory is None or memory[0] < 3 * 4 * D * large:
        pytest.skip("a GPU with 26 GB free is wanted")
    ids, offsets, _ = corpus()
    counts = np.zeros(large, dtype=np.int64)
    counts[-V:] = np.bincount(ids, minlength=V)
    engine = CudaEngine(exact(D), counts, gpu, blocks=1)
    ours = Tables(*(gpu.xp.zeros((large, D), dtype=gpu.xp.float32) for _ in range(2)))
    for table, start in zip(ours, tables(D), strict=True):
        table[-V:, :] = gpu.from_host(start)
    shifted = (ids + (large - V)).astype(np.int32)
    result = engine.train_chunk(ours, engine.read_chunk(shifted, offsets, 0, len(ids)), 3, rate)
    assert np.isfinite(result.loss)
    for table, start in zip(ours, tables(D), strict=True):
        assert np.abs(gpu.to_host(table[-V:, :]) - start).max() > 1e-3
