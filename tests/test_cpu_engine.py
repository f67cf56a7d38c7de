"""The fused CPU engine against the array engine at a step of one group, on the same draws."""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import reference
from tests.engine_cases import case as any_case
from tests.engine_cases import check as check_case
from xw2v import Word2Vec, encode
from xw2v.backend import NumpyBackend
from xw2v.config import Config
from xw2v.training import batches
from xw2v.training.batches import read_chunk
from xw2v.training.draws import draw, low_half
from xw2v.training.engines import Tables
from xw2v.training.engines.array import ArrayEngine
from xw2v.training.initial import initial_tables
from xw2v.training.sampling import AliasTable, draw_words

numba = pytest.importorskip("numba", reason="Numba is not installed")
chunk = pytest.importorskip("xw2v.training.engines.chunk", reason="Numba is not installed")
cpu = pytest.importorskip("xw2v.training.engines.cpu", reason="Numba is not installed")
group = pytest.importorskip("xw2v.training.engines.group", reason="Numba is not installed")

V, N = 60, 700
# With 8 lanes and with 16: blocks of one, three and four vectors, the last vector whole or in part.
SIZES = [1, 7, 20, 40, 50, 64, 90, 100, 300]
START = 256  # of the chunk in the corpus, what draws are counted from


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SEGMENT", 256)


def from_python(inner: Any) -> Any:
    """A function that compiled code alone may call, to be called from here."""
    return numba.njit(lambda *arguments: inner(*arguments))


def corpus() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Repeated words, sentences of one word, also at both ends of the chunk, a long one, several segments."""
    rng = np.random.default_rng(8)
    ids = np.minimum(rng.geometric(0.1, START + N) - 1, V - 1).astype(np.int32)
    offsets = np.array([-START, 0, 1, 11, 60, 61, 100, 560, N - 1, N]) + START
    return ids, offsets, np.bincount(ids, minlength=V)


def tables(D: int) -> Tables:
    rng = np.random.default_rng(9)
    return Tables(*((rng.standard_normal((V, D)) / np.sqrt(D)).astype(np.float32) for _ in range(2)))


def rate(words: int, step: int) -> float:
    return 0.01 - 0.004 * words / N


def both(config: Config, D: int) -> tuple[tuple[Tables, Any], tuple[Tables, Any]]:
    ids, offsets, counts = corpus()
    config = config.replace(vector_size=D, batch_size=config.group_size, max_update_norm=None)
    results = []
    for engine in (ArrayEngine(config, counts, NumpyBackend("a test")), cpu.CpuEngine(config, counts)):
        ours = tables(D)
        results.append((ours, engine.train_chunk(ours, read_chunk(ids, offsets, START, len(ids)), 3, rate)))
    return results[0], results[1]


@pytest.mark.parametrize("D", SIZES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"window": 1},
        {"window": 20, "group_size": 8},
        {"shrink_windows": False, "window": 3},
        {"group_size": 1, "group_negatives": 1, "negative": 1},
        {"group_size": 32, "group_negatives": 5, "negative": 9},
        {"group_size": 3, "group_negatives": 7, "window": 2},
        {"sample": 0.0, "ns_exponent": 0.0},
        {"negatives": "pair", "group_size": 1},
        {"negatives": "pair", "group_size": 1, "negative": 1, "window": 2, "workers": 1},
        {"workers": 1},
        {"workers": 128},
    ],
    ids=str,
)
def test_engines_agree(D: int, options: dict[str, Any]) -> None:
    config = Config(**({"sample": 0.02, "group_negatives": 16} | options))
    (array_tables, array), (cpu_tables, fused) = both(config, D)
    assert (fused.pairs, fused.centers, fused.steps) == (array.pairs, array.centers, array.steps)
    assert fused.pairs > 300
    before = tables(D)
    for ours, theirs, start in zip(cpu_tables, array_tables, before, strict=True):
        moved = np.abs(theirs - start).max()
        assert moved > 1e-3
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * max(moved, 1), rtol=1e-4)


@pytest.mark.parametrize("seed", range(60))
def test_engines_agree_whatever_the_options(seed: int) -> None:
    case = any_case(seed, batches.SEGMENT, pair=seed % 4 == 0)
    check_case(case, *case.trained(cpu.CpuEngine(case.config, case.counts)))


@pytest.mark.parametrize("D", SIZES)
@pytest.mark.parametrize("bound", [0.02, None])
def test_bounded_steps_are_the_array_engines(D: int, bound: float | None) -> None:
    """No word stands twice in a group, so a step of each place is a step of each word."""
    n, words = 200, 20_000
    ids, offsets = np.random.default_rng(5).permutation(words)[:n].astype(np.int32), np.array([0, n])
    counts = np.full(words, 10)
    config = Config(
        vector_size=D, sample=0, group_size=5, batch_size=5, group_negatives=7, alpha=1.0, max_update_norm=bound
    )
    start = np.random.default_rng(9).standard_normal((2, words, D)).astype(np.float32) / np.sqrt(D, dtype=np.float32)
    moved = []
    for engine in (ArrayEngine(config, counts, NumpyBackend("a test")), cpu.CpuEngine(config, counts)):
        ours = Tables(*start.copy())
        engine.train_chunk(ours, read_chunk(ids, offsets, 0, n), 0, lambda words, step: 0.05)
        moved.append(np.stack(ours) - start)
    np.testing.assert_allclose(moved[1], moved[0], atol=2e-6, rtol=1e-3)
    longest = np.linalg.norm(moved[0], axis=-1).max()
    if bound is None:
        assert longest > 0.1
    else:
        assert bound < longest <= 3.01 * bound  # a word is near the centres of three groups at most


def test_where_steps_are_bounded() -> None:
    counts = np.full(30, 10)

    def options(**changes: Any) -> Any:
        return cpu.CpuEngine(Config(**changes), counts)._options

    assert options().bound is options(window=6).bound is options(alpha=0.125, window=4, negative=1).bound is None
    assert options(window=7).bound == options(alpha=0.1).bound == np.float32(0.5)
    assert options(window=40, max_update_norm=None).bound is None
    assert [options(window=m).S for m in (1, 5, 6, 10, 40)] == [16, 16, 32, 32, 128]
    assert options(window=40, group_negatives=3).S == 3


def test_more_workers_have_fewer_rows_of_their_own_for_a_shorter_time() -> None:
    counts = np.full(1000, 10)

    def own(**changes: Any) -> tuple[int, int]:
        options = cpu.CpuEngine(Config(**changes), counts)._options
        return options.own_words, options.own_groups

    assert [own(workers=many)[0] for many in (1, 4, 16, 256)] == [0, 0, 0, 0]  # alone, or too many of them
    assert own(workers=2, group_size=16) == (128, 64)
    assert own(workers=3, group_size=32) == (85, 21)
    assert own(workers=2, negatives="pair") == (128, 1024)  # a centre is a group


@pytest.mark.parametrize("options", [{"window": 40}, {"alpha": 1.0}, {"negative": 60}], ids=str)
def test_training_stays_finite_where_steps_are_large(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(3)
    ids = np.minimum(rng.zipf(1.3, 60_000) - 1, 2000).astype(np.int32)
    counts = np.bincount(ids, minlength=2001)
    config = Config(vector_size=20, workers=1, **options)
    engine = cpu.CpuEngine(config, counts)
    ours = initial_tables(2001, config, NumpyBackend("a test"))
    for epoch in range(3):
        result = engine.train_chunk(
            ours, read_chunk(ids, np.array([0, len(ids)]), 0, len(ids)), epoch, lambda words, step: config.alpha
        )
        assert np.isfinite(result.loss)
    assert 0 < max(np.abs(table).max() for table in ours) < 100


@pytest.mark.parametrize("S", [16, 2000])
def test_loss_of_every_group_is_the_array_engines(S: int) -> None:
    """Where there is one group only, it is measured, and the measure is exact, however many factors it multiplies."""
    ids, offsets, counts = corpus()
    config = Config(vector_size=7, sample=0, group_size=64, group_negatives=S, batch_size=64, max_update_norm=None)
    losses = []
    for engine in (ArrayEngine(config, counts, NumpyBackend("a test")), cpu.CpuEngine(config, counts)):
        losses.append(engine.train_chunk(tables(7), read_chunk(ids, offsets, 0, 64), 0, rate).loss)
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_mean_loss_is_right_over_many_groups() -> None:
    (_, array), (_, fused) = both(Config(sample=0, group_size=1, group_negatives=16), 7)
    assert fused.loss / fused.pairs == pytest.approx(array.loss / array.pairs, rel=0.1)


def test_stopping() -> None:
    ids, offsets, counts = corpus()
    ours = tables(5)
    engine = cpu.CpuEngine(Config(vector_size=5), counts)
    result = engine.train_chunk(ours, read_chunk(ids, offsets, 0, N), 0, lambda words, step: None)
    assert result == (0.0, 0, 0, 0)
    np.testing.assert_array_equal(ours.center_vectors, tables(5).center_vectors)


def test_sigmoid_within_its_stated_error() -> None:
    x = np.concatenate([np.linspace(-20, 20, 200_001), [-1e4, 1e4, -80, 80, 0]]).astype(np.float32)
    approximate = np.empty_like(x)

    from_python(group.sigmoid)(x, approximate)
    exact = np.array([reference.sigmoid(float(value)) for value in x])
    assert np.abs(approximate - exact).max() < 2e-7


def test_the_loss_of_few_groups_of_which_the_first_have_no_pair() -> None:
    """Where a centre is a group, and none of every so many-th has an outside word: it was 0."""
    ids = np.arange(10, dtype=np.int32)
    offsets = np.array([0, 1, 2, 4, 6, 8, 9, 10])  # centres 0, 1, 8 and 9 stand alone
    config = Config(vector_size=4, negatives="pair", sample=0)
    zeros = Tables(tables(4).center_vectors, np.zeros((10, 4), np.float32))
    result = cpu.CpuEngine(config, np.ones(10)).train_chunk(zeros, read_chunk(ids, offsets, 0, 10), 0, rate)
    assert result.pairs == 6
    assert result.loss == pytest.approx(6 * 6 * np.log(2), rel=1e-6)


def test_nan_stays_nan() -> None:
    """A run that diverged must show."""
    ours = tables(4)
    ours.center_vectors[:] = np.nan
    ids, offsets, counts = corpus()
    engine = cpu.CpuEngine(Config(vector_size=4, sample=0), counts)
    result = engine.train_chunk(ours, read_chunk(ids, offsets, 0, N), 0, rate)
    assert np.isnan(result.loss)
    assert np.isnan(ours.outside_vectors).any()


SCRIPT = """
import numpy as np
from xw2v import Word2Vec
ids = np.random.default_rng(0).integers(0, 20, 500)
print(Word2Vec(vector_size=4, epochs=1, min_count=1, workers=1).fit((ids, np.array([0, 500]))).history[-1].loss)
"""


@pytest.mark.slow
def test_compiled_code_follows_the_text_of_all_its_modules(tmp_path: Path) -> None:
    """Numba's own cache looks at one file; a change in another must not leave the old code in use."""
    package = Path(cpu.__file__).parents[2]
    shutil.copytree(package, tmp_path / "xw2v", ignore=shutil.ignore_patterns("__pycache__"))
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def loss() -> float:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return float(done.stdout)

    once = loss()
    path = tmp_path / "xw2v" / "training" / "engines" / "group.py"
    line = "return loss - math.log(product)"
    text = path.read_text()
    assert text.count(line) == 1
    path.write_text(text.replace(line, "return 2.0 * (loss - math.log(product))"))
    assert loss() == pytest.approx(2 * once)


def test_the_text_of_every_module_with_compiled_functions_is_part_of_what_the_cache_knows() -> None:
    (sources,) = [cell.cell_contents for cell in chunk.TRAIN.py_func.__closure__]
    seen, left = set(), [chunk]
    while left:
        for value in vars(left.pop()).values():
            compiled = hasattr(value, "py_func") or type(value).__name__ == "_Intrinsic"
            home = sys.modules.get(getattr(getattr(value, "py_func", value), "__module__", ""))
            if compiled and home is not None and home not in seen:
                seen.add(home)
                left.append(home)
    assert {home.__name__.rpartition(".")[2] for home in seen} >= {"chunk", "group", "steps", "simd", "compiled_draws"}
    assert all(inspect.getsource(home) in sources for home in seen - {chunk})


def test_every_corpus_is_trained_on_by_the_same_compiled_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba compiles anew, for seconds, for arrays that may not be written to, and for other integers."""
    kinds = set()

    def recorded(*arguments: Any) -> Any:
        kinds.add(tuple(map(numba.typeof, arguments)))
        return chunk.TRAIN(*arguments)

    monkeypatch.setattr(cpu, "TRAIN", recorded)
    sentences = [["a", "b", "c"], ["b", "d"]] * 50
    (tmp_path / "text").write_text("\n".join(map(" ".join, sentences)))
    model = Word2Vec(vector_size=4, min_count=1, epochs=1, engine="cpu", backend="numpy")
    model.fit(sentences)
    model.partial_fit(sentences, checkpoint_dir=tmp_path / "checkpoints")
    model.fit(tmp_path / "text")
    model.fit(encode(sentences, tmp_path / "encoded", min_count=1))
    model.fit(np.arange(40).reshape(4, 10) % 7)
    model.set_params(validation_fraction=0.5, patience=1, workers=1, epochs=2).fit(sentences)
    assert len(kinds) == 1


def test_a_token_is_kept_below_its_threshold_and_not_at_it() -> None:
    ids = np.arange(20, dtype=np.int32)
    thresholds = low_half(draw(99, ids.astype(np.int64))) + ids % 2
    index, reach = np.empty(21, np.int32), np.empty(21, np.int32)
    assert from_python(chunk._keep)(ids, 0, np.uint64(99), thresholds, 2, False, index, reach) == 10
    np.testing.assert_array_equal(index[:10], ids[1::2])


def test_a_noise_word_is_its_columns_below_the_threshold_and_not_at_it() -> None:
    words = np.arange(8)
    bits = draw(99, words) & 0xFFFFFFFF | words << 61  # column n for word n
    noise = AliasTable(low_half(bits) + words % 2, (words + 100).astype(np.int32))
    drawn = [from_python(chunk._noise_word)(number, noise) for number in bits.astype(np.uint64)]
    np.testing.assert_array_equal(drawn, np.where(words % 2, words, words + 100))
    np.testing.assert_array_equal(drawn, draw_words(noise, bits, xp=np))


@pytest.mark.parametrize("bound", [None, 0.02])
def test_nothing_behind_a_table_is_written(bound: float | None) -> None:
    """Not even zeros are added to what lies there."""
    ids, offsets, counts = corpus()
    ids = V - 1 - ids  # the last word is frequent
    config = Config(vector_size=7, sample=0, alpha=1.0, max_update_norm=bound, workers=1)
    engine = cpu.CpuEngine(config, counts[::-1])
    memory = [np.full(V * 7 + 64, -0.0, np.float32) for _ in range(2)]
    ours = Tables(*(room[: V * 7].reshape(V, 7) for room in memory))
    engine.train_chunk(ours, read_chunk(ids, offsets, 0, N), 0, rate)
    for room in memory:
        np.testing.assert_array_equal(room[V * 7 :].view(np.uint32), 1 << 31)


def test_workers_own_rows_are_added_to_the_tables_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """One array is both tables: what a row of its own learns as a centre shows in its other one when it is shared."""
    ids, offsets, counts = corpus()

    def moved(workers: int, own_tokens: int) -> Any:
        monkeypatch.setattr(cpu, "OWN_TOKENS", own_tokens)
        engine = cpu.CpuEngine(Config(vector_size=7, sample=0, workers=workers), counts)
        table = tables(7).center_vectors.copy()
        engine.train_chunk(Tables(table, table), read_chunk(ids, offsets, START, len(ids)), 0, rate)
        return table - tables(7).center_vectors

    shared, often, at_the_end = moved(1, 0), moved(2, 0), moved(2, 10**6)
    assert np.abs(often - shared).max() < 0.2 * np.abs(at_the_end - shared).max()
