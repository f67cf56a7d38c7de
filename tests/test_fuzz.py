"""Ten thousand damaged files for every loader: only an XW2VError leaves it, and memory stays in bounds."""

from __future__ import annotations

import os
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import TARGETS, Fuzzer, bounded_memory, damage

EXAMPLES = int(os.environ.get("XW2V_FUZZ_EXAMPLES", "10000"))
AT_ONCE = 20  # files an example of hypothesis: drawing takes longer than loading
PROGRAMS = st.binary(min_size=4 * AT_ONCE, max_size=16 * AT_ONCE)


def split(program: bytes) -> Iterator[bytes]:
    """A long program as twenty short ones."""
    size = len(program) // AT_ONCE
    return (program[place : place + size] for place in range(0, AT_ONCE * size, size))


@pytest.fixture(scope="module", params=TARGETS)
def fuzzer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fuzzer:
    return Fuzzer(request.param, tmp_path_factory.mktemp("fuzz"))


@pytest.mark.slow
def test_damaged_files(fuzzer: Fuzzer) -> None:
    refused = 0

    @settings(max_examples=EXAMPLES // AT_ONCE, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(PROGRAMS)
    def check(program: bytes) -> None:
        nonlocal refused
        for short in split(program):
            refused += not fuzzer.load(damage(fuzzer.valid, short))

    check()
    assert refused > EXAMPLES / 20


@pytest.mark.slow
def test_memory_stays_within_twice_the_file(fuzzer: Fuzzer) -> None:
    """At most 64 MiB more than twice the file. What Arrow takes is its own and counted by it."""
    usual = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(usual)  # counts from here on
    pa.set_memory_pool(pool)

    @settings(max_examples=15, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(PROGRAMS)
    def check(program: bytes) -> None:
        for short in split(program):
            data = damage(fuzzer.valid, short)
            tracemalloc.start()
            try:
                fuzzer.load(data)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert peak + (pool.max_memory() or 0) <= 2 * len(data) + (64 << 20)

    try:
        check()
    finally:
        pa.set_memory_pool(usual)


def test_files_of_nothing_and_of_noise(fuzzer: Fuzzer, tmp_path: Path) -> None:
    for data in (b"", b"\0", b"\0" * 4096, b"\xff" * 4096, b"{", b"[" * 100_000, b"1 " * 5000, fuzzer.valid * 2):
        fuzzer.load(data)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak of memory is read as Linux tells it")
def test_memory_beyond_the_bound_is_noticed() -> None:
    with bounded_memory(1000):
        np.ones(4_000_000).sum()
    with pytest.raises(AssertionError, match="bytes of memory for a file of 1,000"), bounded_memory(1000):
        np.ones(60_000_000).sum()  # far beyond, for what tests before this one left may be given back meanwhile
