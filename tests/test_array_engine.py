"""The array engine against the same training as loops: same draws, same order, float64 arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests import reference
from tests.conftest import Library
from xw2v.backend import NumpyBackend
from xw2v.config import Config
from xw2v.training import batches
from xw2v.training.batches import read_chunk
from xw2v.training.draws import Purpose, stream_key
from xw2v.training.engines import Tables, scratch
from xw2v.training.engines.array import ArrayEngine, default_batch_size
from xw2v.training.engines.sampled import sampling_of
from xw2v.training.sampling import alias_table, keep_thresholds, noise_probabilities

ALPHA = 0.1
V, N = 9, 150


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SEGMENT", 64)
    monkeypatch.setattr(scratch, "_SLOTS", 256)  # so that pairs are listed for some of the steps at a time


def corpus() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    ids = np.minimum(rng.geometric(0.3, N) - 1, V - 1).astype(np.int32)
    return ids, np.array([0, 10, 11, 60, 61, 100, N]), np.bincount(ids, minlength=V)


def tables(D: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(9)
    return rng.standard_normal((V, D)) / 4, rng.standard_normal((V, D)) / 4


def clipped(total: np.ndarray, bound: float | None) -> np.ndarray:
    norms = np.linalg.norm(total, axis=1, keepdims=True)
    return total if bound is None else total * np.minimum(1, bound / np.maximum(norms, bound))


def by_loops(config: Config, D: int, epoch: int) -> tuple[np.ndarray, np.ndarray, float, int]:
    """Train one chunk as the definition says: read all of a step, then write."""
    ids, offsets, counts = corpus()
    chunk = read_chunk(ids, offsets, 0, N)
    sentences = chunk.sentences.tolist()
    key = stream_key(config.seed, Purpose.TOKEN, epoch)
    noise_key = stream_key(config.seed, Purpose.NOISE, epoch)
    kept = reference.keep(ids.tolist(), 0, key, keep_thresholds(counts, config.sample, config.subsampling), config)
    noise_table = alias_table(noise_probabilities(counts, config.ns_exponent))
    centers, outside = tables(D)
    words = [int(ids[i]) for i, _ in kept]
    assert config.batch_size is not None
    b = config.group_size
    if config.negatives == "shared" or config.loss == "softmax":
        segments = [[t for t in range(len(kept)) if kept[t][0] // 64 == s] for s in range(-(-N // 64))]
        groups = [s[g : g + b] for s in segments for g in range(0, len(s), b)]
        n_steps = -(-len(groups) // (config.batch_size // b))
        steps = [groups[first::n_steps] for first in range(n_steps)]
    else:
        singles = [[t] for t in range(len(kept))]
        steps = [singles[s : s + config.batch_size] for s in range(0, len(kept), config.batch_size)]
    loss, pairs = 0.0, 0
    for step in steps:
        d_V, d_U = np.zeros_like(centers), np.zeros_like(outside)
        for group in step:
            drawn: list[int] = []
            if config.loss != "softmax" and config.negatives == "shared":
                assert config.group_negatives is not None
                S = config.group_negatives
                first = kept[group[0]][0] * S
                drawn = [reference.noise(reference.splitmix64(noise_key, first + s), *noise_table) for s in range(S)]
            for t in group:
                around = reference.outside(kept, sentences, t)
                pairs += len(around)
                v = centers[words[t]]
                for c in around:
                    o = words[c]
                    if config.loss == "softmax":
                        one = reference.naive_softmax(v, o, outside)
                        loss += one[0]
                        d_V[words[t]] += one[1]
                        d_U += one[2]
                        continue
                    negatives, weight = drawn, config.negative / max(len(drawn), 1)
                    if config.negatives == "pair":
                        slot = c - t + config.window - (c > t)
                        at = (kept[t][0] * 2 * config.window + slot) * config.negative
                        weight = 1.0
                        negatives = [
                            reference.noise(reference.splitmix64(noise_key, at + k), *noise_table)
                            for k in range(config.negative)
                        ]
                    first_part = reference.negative_sampling(v, outside[o], outside[:0])
                    loss += first_part[0]
                    d_V[words[t]] += first_part[1]
                    d_U[o] += first_part[2]
                    for n in negatives:
                        x = float(v @ outside[n])
                        loss -= weight * reference.log_sigmoid(-x)
                        d_V[words[t]] += weight * reference.sigmoid(x) * outside[n]
                        d_U[n] += weight * reference.sigmoid(x) * v
        scale = ALPHA / sum(map(len, step)) if config.reduction == "mean" else ALPHA
        centers = centers - clipped(scale * d_V, config.max_update_norm)
        outside = outside - clipped(scale * d_U, config.max_update_norm)
    return centers, outside, loss, pairs


def by_engine(library: Library, config: Config, D: int, epoch: int) -> tuple[np.ndarray, np.ndarray, Any]:
    ids, offsets, counts = corpus()
    engine = ArrayEngine(config, counts, library.backend)
    ours = Tables(*(library.table(table, "float64") for table in tables(D)))
    result = engine.train_chunk(ours, read_chunk(ids, offsets, 0, N), epoch, lambda words, step: ALPHA)
    return library.to_host(ours.center_vectors), library.to_host(ours.outside_vectors), result


MODES: list[dict[str, Any]] = [
    {"group_size": 4, "group_negatives": 3, "batch_size": 4},  # one group after the other
    {"group_size": 4, "group_negatives": 3, "batch_size": 12},
    {"group_size": 1, "group_negatives": 1, "batch_size": 1},
    {"group_size": 16, "group_negatives": 5, "batch_size": 64, "max_update_norm": 0.05},
    {"group_size": 4, "group_negatives": 3, "batch_size": 8, "reduction": "mean"},
    {"negatives": "pair", "batch_size": 1, "group_size": 1},
    {"negatives": "pair", "batch_size": 50, "reduction": "mean", "subsampling": "paper"},
    {"negatives": "pair", "batch_size": 20, "max_update_norm": 0.05},
    {"loss": "softmax", "group_size": 4, "batch_size": 8},
    {"loss": "softmax", "group_size": 4, "batch_size": 8, "reduction": "mean", "max_update_norm": 0.01},
]


@pytest.mark.parametrize("options", MODES, ids=lambda o: ",".join(map(str, o.values())))
@pytest.mark.parametrize("D", [1, 7])
def test_engine_equals_loops(library: Library, options: dict[str, Any], D: int) -> None:
    defaults = {"vector_size": D, "window": 3, "negative": 2, "sample": 0.2, "max_update_norm": None, "seed": 5}
    config = Config(**(defaults | options))
    centers, outside, loss, pairs = by_loops(config, D, epoch=2)
    ours_centers, ours_outside, result = by_engine(library, config, D, epoch=2)
    assert result.pairs == pairs > 100
    assert result.loss == pytest.approx(loss, rel=1e-9)
    np.testing.assert_allclose(ours_centers, centers, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours_outside, outside, rtol=1e-9, atol=1e-12)


def test_shared_mode_with_windows_of_one_word_is_the_textbook_step() -> None:
    """One centre, one outside word, S = K and the same noise: both modes take the same step."""
    ids = np.array([3, 5], dtype=np.int32)
    counts = np.ones(V, dtype=np.int64)
    results = []
    for mode in ("shared", "pair"):
        config = Config(
            window=1, negative=1, negatives=mode, group_negatives=1, group_size=1, batch_size=1, sample=0,
            max_update_norm=None, vector_size=4,
        )  # fmt: skip
        engine = ArrayEngine(config, counts, NumpyBackend("a test"))
        # One word takes all the noise, so that both modes draw it.
        engine._noise = alias_table(np.eye(V)[7])
        ours = Tables(*(table.copy() for table in tables(4)))
        result = engine.train_chunk(ours, read_chunk(ids, np.array([0, 2]), 0, 2), 0, lambda w, s: ALPHA)
        results.append((*ours, result.loss))
    for shared, pair in zip(*results, strict=True):
        np.testing.assert_allclose(shared, pair, rtol=1e-13)


@pytest.mark.parametrize("group_size", [4, 16])
def test_stopping_in_the_middle(group_size: int) -> None:
    """Also with steps of less than a group."""
    ids, offsets, counts = corpus()
    config = Config(vector_size=3, group_size=group_size, batch_size=4, sample=0)
    engine = ArrayEngine(config, counts, NumpyBackend("a test"))
    seen: list[tuple[int, int]] = []

    def rate(words: int, step: int) -> float | None:
        seen.append((words, step))
        return ALPHA if step < 5 else None

    result = engine.train_chunk(Tables(*tables(3)), read_chunk(ids, offsets, 0, N), 0, rate)
    assert (result.steps, result.centers) == (5, 20)
    assert seen == [(4 * step, step) for step in range(6)]


def test_batch_size_follows_the_hottest_word() -> None:
    config = Config(sample=0)
    uniform, hot = np.ones(10**5), np.array([1000] + [1] * 1000)
    assert default_batch_size(config, uniform, "numpy") == 1024
    assert default_batch_size(config, uniform, "cupy") == 8192
    assert default_batch_size(config, hot, "numpy") == 256
    assert default_batch_size(config.replace(max_update_norm=None), hot, "numpy") == 32
    assert default_batch_size(config.replace(sample=1e-3), hot, "numpy") == 1024
    assert default_batch_size(config.replace(group_size=64), np.ones(1), "numpy") == 128


def test_a_step_of_pairs_is_bounded_however_wide_the_windows() -> None:
    config, counts = Config(sample=0, negatives="pair"), np.ones(10**5)
    sizes = [default_batch_size(config.replace(window=window), counts, "cupy") for window in (5, 15, 16, 500, 10**4)]
    assert sizes == [8192, 8192, 4096, 256, 16]
    assert default_batch_size(config.replace(window=500, negatives="shared"), counts, "cupy") == 8192
    whole = config.replace(window=500, shrink_windows=False)
    assert default_batch_size(whole, counts, "numpy") == 128


def test_the_loss_of_a_step_is_a_sum_in_float64(library: Library) -> None:
    """A large one and many small ones, of float32 rows."""
    ours = Tables(library.table([[1], [0]], "float32"), library.table([[50], [1e7]], "float32"))
    center_ids, outside_ids = library.asarray([[0] + 640 * [1]], "int32"), library.asarray([[0, 1]], "int32")
    positives, totals = library.asarray(np.ones((1, 641, 1), dtype=bool)), library.table([0, 0], "float64")
    sampling_of(library.backend)(ours, center_ids, outside_ids, positives, 1.0, totals)
    wanted = [1e7 + 1280 * np.log(2), 641]  # the large one's is 1e7 in float32 and in float64
    np.testing.assert_allclose(library.to_host(totals), wanted, rtol=2e-9)


def test_noise_words_of_a_group_by_default() -> None:
    counts = corpus()[2]
    assert ArrayEngine(Config(), counts, NumpyBackend("a test")).group_negatives == 32
    assert ArrayEngine(Config(group_negatives=5), counts, NumpyBackend("a test")).group_negatives == 5
