"""Rows of tables into a packet that ranks add up, and back. Arrays of any library.

`table` is where this rank is, `base` where all ranks were when they met last, both (V, D); `ids` are n rows of them. A
packet is (n, D + 1): the step of each row since then, and its squared length.
"""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace, device

__all__ = ["add_steps", "pack_steps", "shares_of_sums"]

Array = Any


def pack_steps(table: Array, base: Array, ids: Array) -> Array:
    """The packet of this rank."""
    xp = array_namespace(table)
    step = xp.take(table, ids, axis=0) - xp.take(base, ids, axis=0)
    return xp.concat([step, xp.vecdot(step, step)[:, None]], axis=1)


def add_steps(table: Array, base: Array, ids: Array, packet: Array, longest: float) -> None:
    """Put table and base where they meet: base plus the share of each sum of steps, of a packet that was added up."""
    factors = shares_of_sums(packet, longest)
    met = array_namespace(table).take(base, ids, axis=0) + packet[:, :-1] * factors[:, None]
    table[ids] = met
    base[ids] = met


def shares_of_sums(packet: Array, longest: float) -> Array:
    """(n,) the f of each row, how much of the sum of the ranks' steps is taken; see `averaging`.

    Parameters
    ----------
    packet : (n, D + 1) float array   Σ change and Σ |change|²
    longest : float                   B
    """
    xp = array_namespace(packet)
    steps = packet[:, :-1]
    least = xp.asarray(1e-30, dtype=packet.dtype, device=device(packet))  # of rows of zeros
    squares = xp.maximum(xp.vecdot(steps, steps), least)
    one = xp.asarray(1.0, dtype=packet.dtype, device=device(packet))
    # Not `clip`, which array_api_compat makes of masks: a GPU's host would wait for each.
    return xp.minimum(xp.maximum(longest / xp.sqrt(squares), packet[:, -1] / squares), one)
