"""From a run of token ids to the groups and pairs that a step trains on.

The corpus is cut into segments of `SEGMENT` tokens, at fixed positions whatever the number of workers. Windows
and groups stay inside a segment, as they stay inside a sentence: so what belongs together depends on the
corpus and the options alone. In a text without sentence ends that costs some 0.04 % of the pairs, by count, at m = 5.

Letters: R tokens of a chunk, N kept ones, m window, G groups, b centres a group, P pairs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from array_api_compat import device

from xw2v.errors import FormatError
from xw2v.order import falls
from xw2v.training.draws import below, draw, high_half, low_half

__all__ = [
    "SEGMENT",
    "Chunk",
    "Groups",
    "Kept",
    "Pairs",
    "Windows",
    "group_tokens",
    "keep_tokens",
    "keep_tokens_at",
    "list_pairs",
    "random_centers",
    "read_chunk",
    "sentence_begins",
    "spread_groups",
    "take_rows",
    "windows_of",
]

Array = Any

SEGMENT = 8192


class Chunk(NamedTuple):
    """Some whole segments of the corpus, on the host."""

    ids: np.ndarray  # (R,) int32
    sentences: np.ndarray  # (R,) int32, another number in another sentence or segment
    start: int  # position of the first token in the corpus


class Kept(NamedTuple):
    """The tokens that subsampling left, between m + b tokens of padding at either end.

    Padding has sentence -1 and window 0, so it is nobody's outside word and has none itself.
    """

    ids: Array  # (pad + N + pad,) int32
    sentences: Array  # same, int32
    windows: Array  # same, int32: r, drawn from 1 .. m
    positions: Array  # same, int64: in the corpus
    pad: int


class Groups(NamedTuple):
    """Where the groups of a chunk begin, and where their segments end, as indices into `Kept`."""

    first: Array  # (G,) int64
    limit: Array  # (G,) int64


class Windows(NamedTuple):
    """Some groups with their contexts: the b centres, and the b + 2m tokens around them."""

    center_ids: Array  # (G, b) int32
    context_ids: Array  # (G, b + 2m) int32
    positives: Array  # (G, b, b + 2m) bool: is it an outside word of the centre
    positions: Array  # (G,) int64: of the first centre in the corpus


class Pairs(NamedTuple):
    """(centre, outside word) pairs in order, and where each centre's pairs end."""

    center_ids: Array  # (P,) int32
    outside_ids: Array  # (P,) int32
    counters: Array  # (P,) int64: number of the centre x 2m + slot in its window
    ends: Array  # (M + 1,) int64: pairs of the first centres, of none to all


def read_chunk(ids: Array, offsets: Array, start: int, stop: int) -> Chunk:
    """Tokens start .. stop - 1 of a corpus, `start` a multiple of SEGMENT.

    Parameters
    ----------
    ids : (n,) integers, a NumPy array or what reads slices of a file     the corpus
    offsets : (sentences + 1,) int64, the same     where each sentence begins; the last is n
    """
    bounds = np.concatenate([[0], sentence_begins(offsets, start, stop), [stop - start]])
    sentences = np.repeat(np.arange(len(bounds) - 1, dtype=np.int32), np.diff(bounds))
    for segment in range(SEGMENT, stop - start, SEGMENT):
        sentences[segment:] += 1
    return Chunk(np.asarray(ids[start:stop], dtype=np.int32), sentences, start)


def sentence_begins(offsets: Array, start: int, stop: int) -> np.ndarray:
    """Places in start .. stop - 1, counted from `start`, where sentences begin. `offsets` as for `read_chunk`.

    Raises
    ------
    FormatError   those that are read do not go up: their file was changed meanwhile. (Not every change shows here, but
        none leads out of a chunk.)
    """
    first, last = offsets.searchsorted([start, stop])
    begins = np.asarray(offsets[first:last]) - start
    if len(begins) and (begins[0] < 0 or begins[-1] >= stop - start or falls(begins)):
        msg = f"sentence offsets do not go up between {start} and {stop}: the corpus is damaged; encode it again"
        raise FormatError(msg)
    return begins


def keep_tokens(ids: Array, sentences: Array, start: int, *, xp: Any, **how: Any) -> Kept:
    """`keep_tokens_at` of a chunk, whose first token has the place `start` in the corpus."""
    positions = xp.arange(start, start + ids.shape[0], dtype=xp.int64, device=device(ids))
    return keep_tokens_at(ids, sentences, positions, xp=xp, **how)


def keep_tokens_at(
    ids: Array,
    sentences: Array,
    positions: Array,
    *,
    thresholds: Array,
    key: int,
    window: int,
    shrink: bool,
    pad: int,
    xp: Any,
) -> Kept:
    """Draw for each token whether it is kept, and its window.

    Parameters
    ----------
    ids, sentences : (R,) int32 arrays        as in `Chunk`, on the device
    positions : (R,) int64 array              in the corpus
    thresholds : (V + 1,) int64 array         of `keep_thresholds`
    key : int                                 of the stream Purpose.TOKEN of this epoch
    window, shrink : int, bool                m; draw r from 1 .. m, or always m
    pad : int                                 at least m + b
    """
    on = device(ids)
    bits = draw(key, positions)
    kept = low_half(bits) < xp.take(thresholds, ids, axis=0)
    bits = bits[kept]
    if shrink:
        windows = xp.astype(below(high_half(bits), window) + 1, xp.int32)
    else:
        windows = xp.full(bits.shape, window, dtype=xp.int32, device=on)

    def padded(values: Array, filler: int) -> Array:
        edge = xp.full((pad,), filler, dtype=values.dtype, device=on)
        return xp.concat([edge, values, edge])

    return Kept(padded(ids[kept], 0), padded(sentences[kept], -1), padded(windows, 0), padded(positions[kept], 0), pad)


def group_tokens(kept: Kept, start: int, size: int, b: int, *, xp: Any) -> Groups:
    """Groups of b consecutive kept tokens; each segment begins a new one.

    Parameters
    ----------
    start, size : int     position of the chunk's first token, number R of its tokens before subsampling
    """
    on = device(kept.ids)
    segments = -(-size // SEGMENT)
    inner = kept.positions[kept.pad : kept.positions.shape[0] - kept.pad]
    borders = start + SEGMENT * xp.arange(segments + 1, dtype=xp.int64, device=on)
    edges = xp.astype(xp.searchsorted(inner, borders), xp.int64)
    groups = (edges[1:] - edges[:-1] + (b - 1)) // b
    ends = xp.cumulative_sum(groups, dtype=xp.int64)
    number = xp.arange(int(ends[-1]), dtype=xp.int64, device=on)
    segment = xp.searchsorted(ends, number, side="right")
    within = number - xp.take(ends - groups, segment, axis=0)
    return Groups(
        xp.take(edges, segment, axis=0) + within * b + kept.pad, xp.take(edges, segment + 1, axis=0) + kept.pad
    )


def spread_groups(groups: Groups, steps: int, *, xp: Any) -> tuple[Groups, np.ndarray]:
    """The groups in the order in which `steps` steps take them, every so many-th in each, and where each step ends.

    A step has groups from all over the chunk: those of one place repeat its topic's words, whose updates would add up.

    Returns
    -------
    groups
    (steps + 1,) int64 array on the host: step i has the groups ends[i] .. ends[i + 1] - 1
    """
    G = int(groups.first.shape[0])
    rows = -(-G // max(1, steps))
    order = np.arange(rows * steps).reshape(rows, steps).T.reshape(-1)
    order = xp.asarray(order[order < G], device=device(groups.first))
    ends = np.concatenate([[0], np.cumsum(-(-(G - np.arange(steps)) // steps))])
    return Groups(xp.take(groups.first, order, axis=0), xp.take(groups.limit, order, axis=0)), ends


def windows_of(kept: Kept, groups: Groups, b: int, window: int, *, xp: Any) -> Windows:
    """The centres and contexts of some groups, and which context is an outside word of which centre."""
    on = device(kept.ids)
    center_at = xp.arange(b, dtype=xp.int64, device=on)
    context_at = xp.arange(-window, b + window, dtype=xp.int64, device=on)
    distance = xp.astype(xp.abs(context_at[None, :] - center_at[:, None]), xp.int32)
    distance = xp.where(distance == 0, xp.asarray(2 * window + b, dtype=xp.int32, device=on), distance)
    centers = groups.first[:, None] + center_at
    contexts = groups.first[:, None] + context_at
    flat = xp.reshape(centers, (-1,))
    reach = xp.reshape(xp.take(kept.windows, flat, axis=0), centers.shape)
    reach = xp.where(centers < groups.limit[:, None], reach, xp.zeros_like(reach))
    center_sentences = xp.reshape(xp.take(kept.sentences, flat, axis=0), centers.shape)
    around = xp.reshape(contexts, (-1,))
    context_sentences = xp.reshape(xp.take(kept.sentences, around, axis=0), contexts.shape)
    near = distance[None, :, :] <= reach[:, :, None]
    same = context_sentences[:, None, :] == center_sentences[:, :, None]
    return Windows(
        xp.reshape(xp.take(kept.ids, flat, axis=0), centers.shape),
        xp.reshape(xp.take(kept.ids, around, axis=0), contexts.shape),
        near & same,
        xp.take(kept.positions, groups.first, axis=0),
    )


def take_rows(table: Array, ids: Array, *, xp: Any) -> Array:
    """(..., D) rows of a table for (...) ids; the standard's take wants one dimension."""
    return xp.reshape(xp.take(table, xp.reshape(ids, (-1,)), axis=0), (*ids.shape, table.shape[1]))


def list_pairs(kept: Kept, window: int, centers: Array, numbers: Array, *, xp: Any) -> Pairs:
    """Every pair of some centres, in their order and then by place in the window. Takes some 100 m bytes a centre.

    Parameters
    ----------
    centers : (M,) int64 array    which of the kept tokens are centres, which may be one several times
    numbers : (M,) int64 array    what the draws of noise words for each of them are counted by
    """
    steps = xp.arange(1, window + 1, dtype=xp.int64, device=device(kept.ids))
    offsets = xp.concat([-xp.flip(steps), steps])
    centers = centers + kept.pad
    around = xp.reshape(centers[:, None] + offsets, (-1,))
    sentences = xp.reshape(xp.take(kept.sentences, around, axis=0), (centers.shape[0], 2 * window))
    near = xp.abs(offsets)[None, :] <= xp.take(kept.windows, centers, axis=0)[:, None]
    is_pair = near & (sentences == xp.take(kept.sentences, centers, axis=0)[:, None])
    row, slot = xp.nonzero(is_pair)
    center = xp.take(centers, row, axis=0)
    return Pairs(
        xp.take(kept.ids, center, axis=0),
        xp.take(kept.ids, center + xp.take(offsets, slot, axis=0), axis=0),
        xp.take(numbers, row, axis=0) * (2 * window) + slot,
        xp.cumulative_sum(xp.sum(xp.astype(is_pair, xp.int64), axis=1), include_initial=True),
    )


def random_centers(kept: Kept, start: int, *, key: int, xp: Any) -> Array:
    """As many centres as there are kept tokens: a sentence drawn uniformly, then one of its tokens.

    Tokens without an outside word are left out. A word of a short sentence is drawn more often than one of a
    long sentence.

    Parameters
    ----------
    start : int    position of the chunk's first token; the counters of the draws begin there
    key : int      of the stream Purpose.CENTER of this epoch

    Returns
    -------
    (N,) int64 array of indices among the N kept tokens; empty where no token has an outside word

    Source: CS224n a2, getRandomContext of utils/treebank.py.
    """
    on, pad = device(kept.ids), kept.pad
    N = kept.ids.shape[0] - 2 * pad
    before, inner, after = (kept.sentences[pad + i : pad + i + N] for i in (-1, 0, 1))
    # Neighbours in a sentence are a pair, however short the window.
    (tokens,) = xp.nonzero((inner == before) | (inner == after))
    if tokens.shape[0] == 0:
        return tokens
    sentences = xp.take(inner, tokens, axis=0)
    begins = xp.concat([xp.ones((1,), dtype=xp.bool, device=on), sentences[1:] != sentences[:-1]])
    (first,) = xp.nonzero(begins)
    end = xp.concat([first[1:], xp.asarray([tokens.shape[0]], dtype=first.dtype, device=on)])
    counters = xp.arange(start, start + N, dtype=xp.int64, device=on)
    bits = draw(key, counters)
    sentence = below(high_half(bits), first.shape[0])
    begin = xp.take(first, sentence, axis=0)
    token = begin + below(low_half(bits), xp.take(end, sentence, axis=0) - begin)
    return xp.take(tokens, token, axis=0)
