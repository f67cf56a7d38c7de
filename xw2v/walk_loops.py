"""The loops of random walks, compiled by Numba; see `walks`, which calls them."""

from __future__ import annotations

from typing import Any

import numpy as np

from xw2v.compiled import compiled
from xw2v.training.compiled_draws import random_bits

__all__ = ["running_sums", "walk"]

Array = Any

_HALF = np.uint64(0xFFFFFFFF)
_ONE = np.uint64(1)
_UNIT = 2.0**-53
_TOGETHER = 16  # walks that take a step in turn: while one waits for memory the others go on
_MOST_TRIES = 64  # of a step drawn by rejection; then all neighbours are looked at


@compiled()
def running_sums(starts: Array, weights: Array) -> Array:
    """Sums (E,) of each node's weights up to every edge; empty where `weights` are, for all are equal then.

    They are in shares of the node's largest weight. A sum over all nodes would lose the weights of those after a large
    one, and could go to infinity.
    """
    totals = np.empty_like(weights)
    if weights.shape[0] == 0:
        return totals
    for node in range(starts.shape[0] - 1):
        low, high = starts[node], starts[node + 1]
        if low == high:
            continue
        largest = weights[low:high].max()
        total = 0.0
        for edge in range(low, high):
            total += weights[edge] / largest
            totals[edge] = total
    return totals


@compiled()
def _edge(starts: Array, targets: Array, node: Any, other: Any) -> Any:
    """Where the edge from a node to another stands, or -1."""
    low, left = starts[node], starts[node + 1] - starts[node]
    while left > 1:
        half = left >> 1
        # A choice between two numbers, not a branch: half of the branches would be guessed wrong.
        low = low + half if targets[low + half - 1] < other else low
        left -= half
    return low if left == 1 and targets[low] == other else -1


@compiled()
def _neighbour(starts: Array, targets: Array, totals: Array, node: Any, bits: Any) -> Any:
    """A neighbour drawn by weight."""
    low, high = starts[node], starts[node + 1]
    if totals.shape[0] == 0:
        return targets[low + np.int64(((bits & _HALF) * np.uint64(high - low)) >> np.uint64(32))]
    wanted = (bits >> np.uint64(11)) * _UNIT * totals[high - 1]
    last = high - 1
    while low < last:
        middle = (low + last) // 2
        if totals[middle] <= wanted:
            low = middle + 1
        else:
            last = middle
    return targets[low]


@compiled()
def _share(starts: Array, targets: Array, before: Any, other: Any, back: float, away: float) -> float:
    """What the weight of a step to `other` is multiplied by, after one from `before`."""
    if other == before:
        return back
    return 1.0 if _edge(starts, targets, before, other) >= 0 else away


@compiled()
def _neighbour_by_share(
    starts: Array, targets: Array, totals: Array, node: Any, before: Any, back: float, away: float, bits: Any
) -> Any:
    """A neighbour drawn by weight times share, of which all are looked at."""
    low, high = starts[node], starts[node + 1]
    wanted = -1.0
    # Once for the sum, once for the neighbour at which the sum passes what was drawn.
    for _ in range(2):
        total = last = 0.0
        for edge in range(low, high):
            until = totals[edge] if totals.shape[0] else edge - low + 1.0
            total += (until - last) * _share(starts, targets, before, targets[edge], back, away)
            last = until
            if 0.0 <= wanted < total:
                return targets[edge]
        wanted = (bits >> np.uint64(11)) * _UNIT * total
    return targets[high - 1]


@compiled()
def _part(starts: Array, totals: Array, node: Any, edge: Any) -> float:
    """An edge's weight over that of all its node's; 0 for no edge (-1)."""
    low, high = starts[node], starts[node + 1]
    if edge < 0:
        return 0.0
    if totals.shape[0] == 0:
        return float(1.0 / (high - low))
    weight = totals[edge] - (totals[edge - 1] if edge > low else 0.0)
    return float(weight / totals[high - 1])


@compiled()
def _second_order(
    starts: Array, targets: Array, totals: Array, node: Any, before: Any, back: float, away: float, stream: Any
) -> Any:  # fmt: skip
    """A neighbour drawn by weight times share: by weight, and taken as often as its share is of the largest one.

    Where the way back has by far the largest share, hardly any other neighbour would be taken. So that one has the
    share of the others here, and what it has more is drawn for itself: the outliers of Yang et al. 2019 (KnightKing).
    """
    lowest, highest, beyond = min(1.0, away), max(1.0, away), 0.0
    if back > highest:
        beyond = (back - highest) * _part(starts, totals, node, _edge(starts, targets, node, before))
    turn = np.uint64(0)
    while turn < np.uint64(2 * _MOST_TRIES):
        drawn = (random_bits(stream, turn + _ONE) >> np.uint64(11)) * _UNIT * (highest + beyond)
        if drawn >= highest:
            return before
        other = _neighbour(starts, targets, totals, node, random_bits(stream, turn))
        # Below both shares that it may have nobody needs to look which one it is.
        if (other != before and drawn < lowest) or drawn < _share(starts, targets, before, other, back, away):
            return other
        turn += np.uint64(2)
    # The tries that failed say nothing about the next one: the distribution stays the same.
    return _neighbour_by_share(starts, targets, totals, node, before, back, away, random_bits(stream, turn))


@compiled()
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
    second_order = back != 1.0 or away != 1.0
    for begin in range(0, first_nodes.shape[0], _TOGETHER):
        end = min(begin + _TOGETHER, first_nodes.shape[0])
        for w in range(begin, end):
            walks[w, 0] = first_nodes[w]
            lengths[w] = 1
        for length in range(1, longest):
            for w in range(begin, end):
                node = walks[w, length - 1]
                if lengths[w] < length or starts[node] == starts[node + 1]:
                    continue  # this walk has ended
                # Every step has a stream of its own: how many draws a rejection takes is not known.
                stream = random_bits(key, np.uint64((first_walk + w) * longest + length))
                if second_order and length > 1:
                    before = walks[w, length - 2]
                    other = _second_order(starts, targets, totals, node, before, back, away, stream)
                else:
                    other = _neighbour(starts, targets, totals, node, random_bits(stream, np.uint64(0)))
                walks[w, length] = other
                lengths[w] = length + 1
