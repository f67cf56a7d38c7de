"""What ranks send each other: the array functions on every library, and the compiled ones beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conftest import Library
from xw2v.backend import NumpyBackend
from xw2v.training.distributed import averaging, row_loops, row_moves

Floats = np.ndarray[Any, np.dtype[np.float64]]


def tables(V: int, D: int, dtype: str = "float64") -> tuple[Floats, Floats, np.ndarray]:
    rng = np.random.default_rng(V * 1000 + D)
    base = rng.standard_normal((V, D))
    table = base + rng.standard_normal((V, D)) * (rng.random((V, 1)) < 0.7)  # some rows stay
    return table.astype(dtype), base.astype(dtype), rng.permutation(V)[: max(1, V // 2)]


def test_a_packet_holds_steps_and_their_squared_lengths(library: Library, dtype: str) -> None:
    table, base, ids = tables(9, 5, dtype)
    packet = row_moves.pack_steps(library.asarray(table), library.asarray(base), library.asarray(ids, dtype="int64"))
    assert library.same_kind(packet)
    host = library.to_host(packet)
    assert host.dtype == dtype
    step = table[ids].astype(np.float64) - base[ids]
    np.testing.assert_allclose(host[:, :5], step, rtol=1e-6)
    np.testing.assert_allclose(host[:, 5], (step**2).sum(axis=1), rtol=1e-5)


def test_rows_meet(library: Library) -> None:
    if library.name.startswith("strict"):
        pytest.skip(f"{library.name}: array-api-strict sets no rows by their numbers, which the standard leaves open")
    host_table, host_base, host_ids = tables(9, 5)
    table, base = (library.table(host) for host in (host_table, host_base))
    packet = sums_of_steps(len(host_ids), 5)
    factors = np.minimum(1, np.maximum(1.5 / np.linalg.norm(packet[:, :5], axis=1), 0.3))
    assert len(set(factors)) > 2  # some by the first ratio, some by the second
    wanted = host_base[host_ids] + packet[:, :5] * factors[:, None]
    ids = library.asarray(host_ids, dtype="int64")
    row_moves.add_steps(table, base, ids, library.asarray(packet), 1.5)
    for array, was in ((table, host_table), (base, host_base)):
        np.testing.assert_allclose(library.to_host(array)[host_ids], wanted, rtol=1e-12)
        others = np.setdiff1d(np.arange(9), host_ids)
        np.testing.assert_array_equal(library.to_host(array)[others], was[others])


def sums_of_steps(n: int, D: int) -> Floats:
    """A packet of which half are long, with 0.3 for the second ratio of a share."""
    steps = np.random.default_rng(3).standard_normal((n, D)) * np.where(np.arange(n) % 2, 4.0, 0.6)[:, None]
    return np.concatenate([steps, 0.3 * (steps**2).sum(axis=1)[:, None]], axis=1)


@pytest.mark.parametrize("D", [1, 7, 100, 300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_compiled_loops_do_the_same(D: int, dtype: str) -> None:
    table, base, ids = tables(40, D, dtype)
    packets = [moves.pack_steps(table, base, ids) for moves in (row_loops, row_moves)]
    close: dict[str, Any] = {"rtol": 1e-5 if dtype == "float32" else 1e-12}
    assert packets[0].dtype == packets[1].dtype == dtype
    np.testing.assert_array_equal(packets[0][:, :D], packets[1][:, :D])
    np.testing.assert_allclose(packets[0][:, D], packets[1][:, D], **close)
    packet = sums_of_steps(len(ids), D).astype(dtype)
    packet[0] = 0  # a row that no rank met
    results = []
    for moves in (row_loops, row_moves):
        ours, bases = table.copy(), base.copy()
        moves.add_steps(ours, bases, ids, packet, 1.5 * D**0.5)
        np.testing.assert_array_equal(ours[ids], bases[ids])
        np.testing.assert_array_equal(ours[ids[0]], base[ids[0]])
        results.append(ours)
    np.testing.assert_allclose(results[0], results[1], atol=1e-6 if dtype == "float32" else 1e-13, **close)


def test_the_share_of_a_sum_that_is_taken(library: Library, dtype: str) -> None:
    lengths_of_sums = np.array([0.0, 0.5, 4.0, 4.0, 2.0])
    sums_of_squares = np.array([0.0, 0.25, 4.0, 16.0, 0.5])
    packet = np.stack([0.6 * lengths_of_sums, -0.8 * lengths_of_sums, sums_of_squares], axis=1)
    # Nothing; shorter than B; alike, so shortened to B; across, so whole; B again, for the second ratio is below it.
    found = row_moves.shares_of_sums(library.asarray(packet, dtype=dtype), 1.5)
    assert library.same_kind(found)
    np.testing.assert_allclose(library.to_host(found), [1.0, 1.0, 0.375, 1.0, 0.75], rtol=1e-6)


def test_who_uses_which() -> None:
    assert averaging._moves(NumpyBackend("a test")) is row_loops
