"""Subsampling probabilities by hand, and the distribution of noise words."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from tests.conftest import Library
from xw2v.training.draws import Purpose, draw, low_half, stream_key
from xw2v.training.sampling import (
    AliasTable,
    alias_table,
    draw_words,
    keep_probabilities,
    keep_thresholds,
    noise_probabilities,
)


def test_keep_probabilities_by_hand() -> None:
    """Shares 0.9, 0.09, 0.01 and t = 0.01."""
    counts = np.array([90, 9, 1])
    f = counts / 100
    np.testing.assert_allclose(
        keep_probabilities(counts, 0.01), np.minimum(1, (np.sqrt(f / 0.01) + 1) * 0.01 / f), rtol=1e-12
    )
    np.testing.assert_allclose(keep_probabilities(counts, 0.01, "paper"), [1 / np.sqrt(90), 1 / 3, 1], rtol=1e-12)
    np.testing.assert_allclose(keep_probabilities(counts, 0.01)[1], 4 / 9, rtol=1e-12)


def test_counts_whose_sum_no_integer_holds_are_kept_by_their_shares() -> None:
    kept = keep_probabilities(np.array([2**62] * 4), 0.0025)
    np.testing.assert_allclose(kept, [np.sqrt(0.01) + 0.01] * 4, rtol=1e-12)


def test_a_word_that_never_occurs_is_no_division_by_zero() -> None:
    kept = keep_probabilities(np.array([100, 0]), 0.01)
    np.testing.assert_allclose(kept, [0.11, 1.0], rtol=1e-12)


def test_sample_zero_keeps_everything() -> None:
    assert keep_probabilities(np.array([5, 1]), 0.0).tolist() == [1, 1]
    assert keep_thresholds(np.array([5, 1]), 0.0).tolist() == [2**32, 2**32, 0]


def test_share_of_kept_tokens() -> None:
    counts = np.array([1000, 10])
    thresholds = keep_thresholds(counts, 0.01)
    bits = low_half(draw(stream_key(3, Purpose.TOKEN), np.arange(100_000)))
    kept = int((bits < thresholds[0]).sum())
    assert stats.binomtest(kept, 100_000, keep_probabilities(counts, 0.01)[0]).pvalue > 1e-3


def test_noise_probabilities_by_hand() -> None:
    np.testing.assert_allclose(noise_probabilities(np.array([16, 1, 1])), [0.8, 0.1, 0.1], rtol=1e-12)
    np.testing.assert_allclose(noise_probabilities(np.array([7, 1]), 0.0), [0.5, 0.5], rtol=1e-12)
    for exponent in (-10.0, 10.0):
        assert np.isfinite(noise_probabilities(np.array([2**62, 1]), exponent)).all()


def shares(table: AliasTable) -> np.ndarray:
    """The distribution that an alias table stands for, exactly."""
    V = len(table.thresholds)
    result = table.thresholds / 2.0**32
    for column in range(V):
        result[table.alias[column]] += 1 - table.thresholds[column] / 2.0**32
    return np.asarray(result / V)


@pytest.mark.parametrize("seed", range(60))
def test_alias_table_is_exact_in_units_of_a_draw(seed: int) -> None:
    """But for one word, which takes what rounding the others has left."""
    rng = np.random.default_rng(seed)
    V = int(rng.integers(1, 400))
    weights = rng.pareto(rng.uniform(0.3, 3), V) * (rng.random(V) < rng.uniform(0.2, 1.1))
    weights = np.round(weights) if seed % 3 == 0 else weights
    p = weights / weights.sum() if weights.any() else np.full(V, 1 / V)
    table = alias_table(p)
    assert ((table.thresholds >= 0) & (table.thresholds <= 2**32)).all()
    found = table.thresholds.copy()
    np.add.at(found, table.alias, 2**32 - table.thresholds)
    wanted = np.round(p * V * 2.0**32).astype(np.int64)
    wanted[np.argmax(wanted)] += V * 2**32 - wanted.sum()
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("V", [1, 2, 3, 1000])
def test_alias_table_stands_for_its_distribution(V: int) -> None:
    p = noise_probabilities(np.arange(V, 0, -1) ** 2)
    table = alias_table(p)
    assert [column.dtype for column in table] == [np.int64, np.int32]  # compiled loops read them as such
    np.testing.assert_allclose(shares(table), p, atol=1e-9)


def test_alias_tables_of_shares_that_are_whole_columns_or_half_ones() -> None:
    for eighths in product(range(9), repeat=4):
        if sum(eighths) == 8:
            p = np.array(eighths) / 8
            np.testing.assert_array_equal(shares(alias_table(p)), p)


def test_drawn_words_follow_the_distribution() -> None:
    p = noise_probabilities(np.array([1000, 300, 100, 30, 10, 1]))
    bits = draw(stream_key(1, Purpose.NOISE), np.arange(300_000))
    counts = np.bincount(draw_words(alias_table(p), bits, xp=np), minlength=6)
    assert stats.chisquare(counts, p * 300_000).pvalue > 1e-3


def test_every_backend_draws_the_same_words(library: Library) -> None:
    host = alias_table(noise_probabilities(np.arange(50, 0, -1)))
    counters = np.arange(600).reshape(20, 30)
    wanted = draw_words(host, draw(9, counters), xp=np)
    there = AliasTable(*map(library.asarray, host))
    words = draw_words(there, draw(9, library.asarray(counters)), xp=library.xp)
    assert library.same_kind(words)
    assert words.dtype == library.xp.int32
    np.testing.assert_array_equal(library.to_host(words), wanted)


def test_a_word_is_drawn_below_its_threshold_and_its_alias_from_there_on() -> None:
    table = AliasTable(np.array([2**31, 2**32, 5]), np.array([1, 1, 0], dtype=np.int32))
    column = [-(-(number << 32) // 3) for number in range(3)]  # the least upper half that chooses it
    low = [0, 2**31 - 1, 2**31, 2**32 - 1, 0, 2**32 - 1, 4, 5]
    upper = [column[0]] * 4 + [column[1]] * 2 + [column[2]] * 2
    bits = np.array([high << 32 | rest for high, rest in zip(upper, low, strict=True)], dtype=np.uint64)
    assert draw_words(table, bits.astype(np.int64), xp=np).tolist() == [0, 0, 1, 1, 1, 1, 2, 0]
    before = np.array([(column[1] - 1) << 32 | 1], dtype=np.int64)
    assert draw_words(table, before, xp=np).tolist() == [0]


@pytest.mark.parametrize("counts", [[2**62, 1], [1, 0], [0, 0, 5], [10**12, 3, 3], [7, 7, 7]])
def test_tables_of_extreme_counts(counts: list[int]) -> None:
    """To 2^-32, the unit of a draw; a word that never occurs is drawn as one that occurs once."""
    p = noise_probabilities(np.array(counts))
    weights = np.maximum(np.array(counts, dtype=np.float64), 1) ** 0.75
    np.testing.assert_allclose(p, weights / weights.sum(), rtol=1e-12)
    np.testing.assert_allclose(shares(alias_table(p)), p, atol=2.0**-32)
