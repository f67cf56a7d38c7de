"""The memory that the array engine says it wants, beside what NumPy allocates in a run of it."""

from __future__ import annotations

import re
import tracemalloc
from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.test_cuda_source import FakeGpu
from xw2v.backend import NumpyBackend
from xw2v.config import Config
from xw2v.errors import BackendError
from xw2v.training.batches import read_chunk
from xw2v.training.engines import Tables, scratch
from xw2v.training.engines.array import ArrayEngine
from xw2v.training.engines.softmax import expectation_in_blocks
from xw2v.training.room import check_memory


def allocated(config: Config, V: int, tokens: int) -> tuple[int, int]:
    """Most bytes that two steps of a chunk held at once, and what the engine said."""
    rng = np.random.default_rng(1)
    ids = rng.integers(0, V, tokens).astype(np.int32)
    counts = np.bincount(ids, minlength=V) + 1
    engine = ArrayEngine(config, counts, NumpyBackend("a test"))
    # What a GPU runs; NumPy alone keeps buffers.
    engine._expectation = partial(expectation_in_blocks, backend=engine.backend)
    D = config.vector_size
    tables = Tables(*(rng.standard_normal((V, D)).astype(np.float32) / 10 for _ in range(2)))
    chunk = read_chunk(ids, np.arange(0, tokens + 1, 20), 0, tokens)

    def train() -> None:
        engine.train_chunk(tables, chunk, 0, lambda words, step: 0.01 if step < 2 else None)

    train()  # what is made once and kept
    tracemalloc.start()
    try:
        train()
        return tracemalloc.get_traced_memory()[1], engine.scratch_bytes(V, D, tokens)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("V", "tokens", "options"),
    [
        (1000, 32768, {"vector_size": 4, "batch_size": 16}),  # the chunk alone
        (1000, 32768, {"vector_size": 4, "batch_size": 16, "window": 20}),
        (1000, 32768, {"vector_size": 4, "batch_size": 16, "group_negatives": 64}),
        (1000, 8192, {"vector_size": 100, "batch_size": 4096}),  # the step
        (1000, 8192, {"vector_size": 200, "batch_size": 2048, "group_size": 64}),
        (1000, 8192, {"vector_size": 8, "batch_size": 8192}),
        (1000, 8192, {"vector_size": 100, "batch_size": 1024, "negatives": "pair"}),
        (1000, 8192, {"vector_size": 50, "batch_size": 512, "negatives": "pair", "shrink_windows": False}),
        (1000, 32768, {"vector_size": 4, "batch_size": 16, "negatives": "pair"}),
        (1000, 8192, {"vector_size": 100, "batch_size": 1024, "loss": "softmax"}),
        (20_000, 8192, {"vector_size": 100, "batch_size": 512, "loss": "softmax"}),
        (100_000, 8192, {"vector_size": 50, "batch_size": 512, "loss": "softmax"}),  # words in tiles
    ],
    ids=str,
)
def test_what_it_says_is_enough_and_not_far_off(V: int, tokens: int, options: dict[str, Any]) -> None:
    held, said = allocated(Config(**({"sample": 0} | options)), V, tokens)
    assert held <= said <= 2 * held, (held, said)


@pytest.mark.parametrize("slots", [1, 50_000])
def test_pairs_of_wide_windows_are_listed_for_some_steps_at_a_time(slots: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a whole chunk would take 300 MB here."""
    monkeypatch.setattr(scratch, "_SLOTS", slots)
    config = Config(vector_size=4, batch_size=16, window=400, negatives="pair", sample=0)
    held, said = allocated(config, 1000, 8192)
    assert held <= said < 20e6, (held, said)


@pytest.mark.parametrize("options", [{}, {"loss": "softmax"}, {"negatives": "pair", "window": 100}], ids=str)
def test_chunks_are_short_where_windows_are_wide(options: dict[str, Any]) -> None:
    """Whole baskets as windows: a long chunk of them would fill a GPU."""
    counts = np.ones(68_000, dtype=np.int64)
    wide: dict[str, Any] = {"window": 5000, "engine": "array"}
    config = Config(**(wide | options))
    gpu = FakeGpu(23 << 30)
    check_memory(len(counts), 10**8, config, gpu, ArrayEngine(config, counts, gpu))


def test_tables_that_are_there_twice_are_counted_twice() -> None:
    V, n, config = 500_000, 10**6, Config(vector_size=200)
    gpu = FakeGpu(12 * V * 200)
    engine = ArrayEngine(config, np.ones(V, dtype=np.int64), NumpyBackend("a test"))
    check_memory(V, n, config, gpu, engine)
    with pytest.raises(BackendError, match="what fits"):
        check_memory(V, n, config, gpu, engine, copies=2)


def test_what_a_run_before_left_behind_is_given_back_first(monkeypatch: pytest.MonkeyPatch) -> None:
    V, n, config = 500_000, 10**6, Config(vector_size=200)
    gpu = FakeGpu(0)
    monkeypatch.setattr(gpu, "free_memory", lambda: setattr(gpu, "free", 12 * V * 200))
    check_memory(V, n, config, gpu, ArrayEngine(config, np.ones(V, dtype=np.int64), NumpyBackend("a test")))


@pytest.mark.parametrize("options", [{}, {"negatives": "pair"}, {"loss": "softmax"}], ids=str)
def test_what_training_takes_counts_before_it_begins(options: dict[str, Any]) -> None:
    """Tables that would fit alone are refused where a step beside them does not; what the text offers does fit."""
    V, n, config = 500_000, 10**6, Config(vector_size=200, **options)
    counts = np.ones(V, dtype=np.int64)
    engine = ArrayEngine(config, counts, NumpyBackend("a test"))
    gpu = FakeGpu(8 * V * 200 + 10**6)
    with pytest.raises(BackendError, match=r"take 0.7 GiB and training on them \d.\d") as error:
        check_memory(V, n, config, gpu, engine)
    size, words = (int(n) for n in re.findall(r"vector_size=(\d+) or max_final_vocab=(\d+)", str(error.value))[0])
    assert size < 200
    assert words < V
    for fits, less, more in ((size, (V, size), (V, size + 1)), (words, (words, 200), (words + 1, 200))):
        assert fits > 0
        check_memory(less[0], n, config.replace(vector_size=less[1]), gpu, engine)
        with pytest.raises(BackendError, match="what fits"):
            check_memory(more[0], n, config.replace(vector_size=more[1]), gpu, engine)
