"""Random bits: known answers, equality over backends, and distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests import reference
from tests.conftest import Library
from xw2v.training.draws import Purpose, below, draw, high_half, low_half, stream_key

# First outputs of SplitMix64 for the seed 1234567, as published with the generator's C code.
KNOWN = [
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]


def unsigned(bits: np.ndarray) -> list[int]:
    return [int(x) for x in np.ascontiguousarray(bits).view(np.uint64)]


def test_known_answers(library: Library) -> None:
    counters = library.asarray(np.arange(5, dtype="int64"))
    assert unsigned(library.to_host(draw(1234567, counters))) == KNOWN


def test_compiled_draws_are_the_draws() -> None:
    compiled = pytest.importorskip("xw2v.training.compiled_draws", reason="Numba is not installed")
    for key in (0, 12345, 2**64 - 1):
        counters = np.array([0, 1, 77, 2**40])
        found = [int(compiled.random_bits(np.uint64(key), counter)) for counter in counters]
        assert found == unsigned(draw(key, counters))


@pytest.mark.parametrize("key", [0, 1, 2**63, 2**64 - 1])
def test_large_keys_and_counters_equal_python_integers(library: Library, key: int) -> None:
    counters = [0, 1, 2**31, 2**40 + 7, 2**62]
    bits = library.to_host(draw(key, library.asarray(counters, "int64")))
    assert unsigned(bits) == [reference.splitmix64(key, n) for n in counters]


def test_halves_are_the_bits(library: Library) -> None:
    bits = draw(7, library.asarray(np.arange(100, dtype="int64")))
    low, high = library.to_host(low_half(bits)), library.to_host(high_half(bits))
    assert low.min() >= 0
    assert high.min() >= 0
    assert [int(h) << 32 | int(lo) for h, lo in zip(high, low, strict=True)] == unsigned(library.to_host(bits))


@pytest.mark.parametrize("n", [1, 5, 1000])
def test_below_is_uniform(n: int) -> None:
    bits = draw(stream_key(1, Purpose.NOISE), np.arange(200_000))
    for half in (low_half(bits), high_half(bits)):
        numbers = below(half, n)
        counts = np.bincount(numbers, minlength=n)
        assert len(counts) == n
        if n > 1:
            assert stats.chisquare(counts).pvalue > 1e-3


def test_below_at_its_ends() -> None:
    assert below(np.array([0, 2**32 - 1]), 2**31 - 1).tolist() == [0, 2**31 - 2]


def test_keys_differ() -> None:
    keys = {stream_key(seed, purpose, epoch) for seed in range(5) for purpose in Purpose for epoch in range(5)}
    assert len(keys) == 5 * len(Purpose) * 5
    assert stream_key(1, Purpose.TOKEN, 0) == stream_key(1, Purpose.TOKEN)


def test_keys_stay_what_they_are() -> None:
    """A run that goes on with another version goes on with the same draws."""
    numbers = {"TOKEN": 1, "NOISE": 2, "INITIAL": 3, "CENTER": 4, "WALK": 5, "START": 6, "ASIDE": 7}
    assert {purpose.name: purpose.value for purpose in Purpose} == numbers
    for seed in (0, 1, 2**63 - 1):
        mixed = reference.splitmix64(seed - 0x9E3779B97F4A7C15, 0)
        for purpose in Purpose:
            for epoch in (-1, 0, 7):
                wanted = reference.splitmix64(reference.splitmix64(mixed, purpose), epoch)
                assert stream_key(seed, purpose, epoch) == wanted


def test_streams_are_uncorrelated() -> None:
    counters = np.arange(100_000)
    streams = [
        high_half(draw(stream_key(1, purpose, epoch), counters))
        for purpose, epoch in ((Purpose.TOKEN, 0), (Purpose.TOKEN, 1), (Purpose.NOISE, 0))
    ]
    correlation = np.corrcoef([*streams, low_half(draw(stream_key(1, Purpose.TOKEN), counters))])
    assert np.abs(correlation - np.eye(4)).max() < 0.015
