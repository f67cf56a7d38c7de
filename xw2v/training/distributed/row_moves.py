"""Rows of tables into a packet that ranks add up, and back. Arrays of any library.

`table` is where this rank is, `base` where all ranks were when they met last, both (V, D); `ids` are n rows of them. A
packet is (n, D + 1): the step of each row since then, and its squared length.
"""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

__all__ = ["add_steps", "pack_steps", "squares_of_steps"]

Array = Any


def pack_steps(table: Array, base: Array, ids: Array) -> Array:
    """The packet of this rank."""
    xp = array_namespace(table)
    step = xp.take(table, ids, axis=0) - xp.take(base, ids, axis=0)
    return xp.concat([step, xp.vecdot(step, step)[:, None]], axis=1)


def squares_of_steps(packet: Array) -> Array:
    """(n,) squared lengths of the sums of steps in a packet that was added up."""
    steps = packet[:, :-1]
    squares: Array = array_namespace(packet).vecdot(steps, steps)
    return squares


def add_steps(table: Array, base: Array, ids: Array, packet: Array, factors: Array) -> None:
    """Put table and base where they meet: base plus the sums of steps, each times its factor (n,)."""
    met = array_namespace(table).take(base, ids, axis=0) + packet[:, :-1] * factors[:, None]
    table[ids] = met
    base[ids] = met
