"""The loops of random walks, compiled by Numba; see `walks`, which calls them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from xw2v.training.compiled_draws import random_bits

__all__ = ["walk"]

Array = Any

_HALF = np.uint64(0xFFFFFFFF)
_ONE = np.uint64(1)
_UNIT = 2.0**-53


@njit(nogil=True, cache=True)
def _has_edge(starts: Array, targets: Array, node: Any, other: Any) -> bool:
    low, high = starts[node], starts[node + 1]
    while low < high:
        middle = (low + high) // 2
        if targets[middle] < other:
            low = middle + 1
        else:
            high = middle
    return bool(low < starts[node + 1] and targets[low] == other)


@njit(nogil=True, cache=True)
def _neighbour(starts: Array, targets: Array, totals: Array, node: Any, bits: Any) -> Any:
    """A neighbour drawn by weight."""
    low, high = starts[node], starts[node + 1]
    if totals.shape[0] == 0:
        return targets[low + np.int64(((bits & _HALF) * np.uint64(high - low)) >> np.uint64(32))]
    before = totals[low - 1] if low > 0 else 0.0
    wanted = before + (bits >> np.uint64(11)) * _UNIT * (totals[high - 1] - before)
    last = high - 1
    while low < last:
        middle = (low + last) // 2
        if totals[middle] <= wanted:
            low = middle + 1
        else:
            last = middle
    return targets[low]


@njit(nogil=True, cache=True)
def walk(
    starts: Array,
    targets: Array,
    totals: Array,
    first_nodes: Array,
    first_walk: int,
    back: float,
    away: float,
    key: Any,
    walks: Array,
    lengths: Array,
) -> None:
    """Fill `walks` (n, L) and `lengths` (n,) of the walks that have the numbers first_walk, first_walk + 1, ...

    `back` and `away` are 1 / p and 1 / q.
    """
    longest = walks.shape[1]
    highest = max(back, away, 1.0)
    second_order = back != 1.0 or away != 1.0
    for w in range(first_nodes.shape[0]):
        node = first_nodes[w]
        before = np.int64(-1)
        walks[w, 0] = node
        length = 1
        while length < longest and starts[node] < starts[node + 1]:
            # Every step has a stream of its own: how many draws a rejection takes is not known.
            stream = random_bits(key, np.uint64((first_walk + w) * longest + length))
            turn = np.uint64(0)
            while True:
                other = _neighbour(starts, targets, totals, node, random_bits(stream, turn))
                if before < 0 or not second_order:
                    break
                share = 1.0
                if other == before:
                    share = back
                elif not _has_edge(starts, targets, before, other):
                    share = away
                if (random_bits(stream, turn + _ONE) >> np.uint64(11)) * _UNIT * highest < share:
                    break
                turn += np.uint64(2)
            before = node
            node = other
            walks[w, length] = node
            length += 1
        lengths[w] = length
