"""Chunks, kept tokens, groups, windows and pairs against loops over Python integers."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests import reference
from tests.conftest import Library
from xw2v.config import Config
from xw2v.errors import FormatError
from xw2v.training import batches
from xw2v.training.batches import (
    Chunk,
    Groups,
    Kept,
    group_tokens,
    keep_tokens,
    list_pairs,
    random_centers,
    read_chunk,
    sentence_begins,
    spread_groups,
    windows_of,
)
from xw2v.training.draws import draw, low_half
from xw2v.training.sampling import keep_thresholds

KEY = 99


def corpus(n: int = 300, V: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Ids and sentence offsets; some sentences are empty, some have one word."""
    rng = np.random.default_rng(4)
    offsets = np.unique(np.concatenate([[0, n], rng.integers(0, n, n // 9)]))
    return rng.integers(0, V, n).astype(np.int32), np.sort(np.concatenate([offsets, offsets[3:5]]))


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SEGMENT", 64)


def kept_of(library: Library, chunk: Chunk, config: Config, counts: np.ndarray, b: int) -> Kept:
    return keep_tokens(
        library.asarray(chunk.ids),
        library.asarray(chunk.sentences),
        chunk.start,
        thresholds=library.asarray(keep_thresholds(counts, config.sample)),
        key=KEY,
        window=config.window,
        shrink=config.shrink_windows,
        pad=config.window + b,
        xp=library.xp,
    )


def expected(chunk: Chunk, config: Config, counts: np.ndarray) -> tuple[list[tuple[int, int]], list[int]]:
    ids = chunk.ids.tolist()
    kept = reference.keep(ids, chunk.start, KEY, keep_thresholds(counts, config.sample), config)
    return kept, chunk.sentences.tolist()


@pytest.mark.parametrize(("start", "stop"), [(0, 300), (64, 192), (256, 300), (64, 65)])
def test_chunk_knows_sentences_and_segments(start: int, stop: int) -> None:
    ids, offsets = corpus()
    chunk = read_chunk(ids, offsets, start, stop)
    assert chunk.ids.tolist() == ids[start:stop].tolist()
    for i in range(start + 1, stop):
        cut = i in set(offsets.tolist()) or (i - start) % 64 == 0
        assert (chunk.sentences[i - start] != chunk.sentences[i - start - 1]) == cut, i


@pytest.mark.parametrize("offsets", [[0, 5, 3, 9, 16], [0, 5, 2, 99, 16], [0, 9, 8, 12, 16], [0, 5, 6, 2, 16]])
def test_offsets_that_do_not_go_up(offsets: list[int]) -> None:
    with pytest.raises(FormatError, match="sentence offsets do not go up between 0 and 16"):
        read_chunk(np.zeros(16, np.int32), np.array(offsets), 0, 16)


@pytest.mark.parametrize("changed", [[63], [80], [67, 80], [70, 67]])
def test_offsets_that_change_between_two_looks(changed: list[int]) -> None:
    class File:
        def searchsorted(self, _: list[int]) -> tuple[int, int]:
            return 1, 2

        def __getitem__(self, _: slice) -> np.ndarray:
            return np.array(changed)

    with pytest.raises(FormatError, match="do not go up between 64 and 80"):
        sentence_begins(File(), 64, 80)


@settings(max_examples=200, deadline=None)
@given(offsets=st.lists(st.integers(-5, 40), min_size=1, max_size=9), start=st.sampled_from([0, 8]))
def test_no_offsets_lead_out_of_a_chunk(offsets: list[int], start: int) -> None:
    with suppress(FormatError):
        begins = sentence_begins(np.array(offsets), start, start + 16)
        assert ((begins >= 0) & (begins < 16)).all()


@pytest.mark.parametrize("shrink", [True, False])
@pytest.mark.parametrize("sample", [0.0, 0.05])
def test_kept_tokens_and_windows(library: Library, sample: float, shrink: bool) -> None:
    ids, offsets = corpus()
    counts = np.bincount(ids)
    config = Config(sample=sample, window=4, shrink_windows=shrink)
    chunk = read_chunk(ids, offsets, 64, 300)
    kept, sentences = expected(chunk, config, counts)
    ours = kept_of(library, chunk, config, counts, b=3)
    inner = slice(ours.pad, ours.ids.shape[0] - ours.pad)
    assert (len(kept) < 236) == (sample > 0)
    assert library.to_host(ours.ids)[inner].tolist() == [chunk.ids[i] for i, _ in kept]
    assert library.to_host(ours.windows)[inner].tolist() == [r for _, r in kept]
    assert library.to_host(ours.positions)[inner].tolist() == [64 + i for i, _ in kept]
    assert library.to_host(ours.sentences)[inner].tolist() == [sentences[i] for i, _ in kept]
    assert all(array.dtype == library.xp.int32 for array in (ours.ids, ours.sentences, ours.windows))
    assert set(library.to_host(ours.sentences)[: ours.pad].tolist()) == {-1}
    assert not library.to_host(ours.windows)[: ours.pad].any()


@pytest.mark.parametrize(("G", "steps"), [(1, 1), (6, 2), (7, 3), (5, 5)])
def test_a_step_takes_every_so_many_th_group(library: Library, G: int, steps: int) -> None:
    first = np.arange(100, 100 + G)
    groups = Groups(library.asarray(first), library.asarray(first + 4))
    spread, ends = spread_groups(groups, steps, xp=library.xp)
    ours, limits = library.to_host(spread.first), library.to_host(spread.limit)
    for step in range(steps):
        np.testing.assert_array_equal(ours[ends[step] : ends[step + 1]], first[step::steps])
    np.testing.assert_array_equal(limits, ours + 4)
    assert ends[-1] == G


@pytest.mark.parametrize("b", [1, 3, 16, 100])
@pytest.mark.parametrize("window", [1, 4])
def test_windows_of_groups(library: Library, b: int, window: int) -> None:
    """Every pair of the chunk stands in exactly one place of one group, and nothing else does."""
    ids, offsets = corpus()
    counts = np.bincount(ids)
    config = Config(sample=0.05, window=window)
    chunk = read_chunk(ids, offsets, 64, 300)
    kept, sentences = expected(chunk, config, counts)
    ours = kept_of(library, chunk, config, counts, b)
    groups = group_tokens(ours, chunk.start, len(chunk.ids), b, xp=library.xp)
    windows = windows_of(ours, groups, b, window, xp=library.xp)
    first, limit = library.to_host(groups.first) - ours.pad, library.to_host(groups.limit) - ours.pad
    center_ids, context_ids = library.to_host(windows.center_ids), library.to_host(windows.context_ids)
    positives = library.to_host(windows.positives)
    centers = []
    for g in range(len(first)):
        size = min(b, limit[g] - first[g])
        assert library.to_host(windows.positions)[g] == 64 + kept[first[g]][0]
        assert len({kept[t][0] // 64 for t in range(first[g], first[g] + size)}) == 1  # one segment
        for row in range(b):
            if row >= size:
                assert not positives[g, row].any()
                continue
            t = first[g] + row
            centers.append(t)
            assert center_ids[g, row] == chunk.ids[kept[t][0]]
            wanted = reference.outside(kept, sentences, t)
            columns = np.flatnonzero(positives[g, row])
            assert (columns + first[g] - window).tolist() == wanted
            assert context_ids[g, columns].tolist() == [chunk.ids[kept[c][0]] for c in wanted]
    assert centers == list(range(len(kept)))


def test_pairs(library: Library) -> None:
    ids, offsets = corpus()
    counts = np.bincount(ids)
    config = Config(sample=0.05, window=4)
    chunk = read_chunk(ids, offsets, 64, 300)
    kept, sentences = expected(chunk, config, counts)
    wanted: list[tuple[Any, ...]] = []
    ends = [0]
    for t, (i, _) in enumerate(kept):
        for c in reference.outside(kept, sentences, t):
            slot = c - t + 4 - (c > t)
            wanted.append((chunk.ids[i], chunk.ids[kept[c][0]], (64 + i) * 8 + slot))
        ends.append(len(wanted))
    ours, xp = kept_of(library, chunk, config, counts, 1), library.xp
    centers, numbers = np.arange(len(kept)), np.array([64 + i for i, _ in kept])
    for some in (slice(None), slice(50, 90)):
        pairs = list_pairs(ours, 4, library.asarray(centers[some]), library.asarray(numbers[some]), xp=xp)
        of_some = ends[some.start or 0 : (some.stop or len(kept)) + 1]
        found = zip(*(library.to_host(x).tolist() for x in pairs[:3]), strict=True)
        assert list(found) == wanted[of_some[0] : of_some[-1]]
        assert library.to_host(pairs.ends).tolist() == [end - of_some[0] for end in of_some]


def test_nothing_kept_is_no_group(library: Library) -> None:
    chunk = Chunk(np.zeros(5, dtype=np.int32), np.ones(5, dtype=np.int32), 0)
    kept = keep_tokens(
        library.asarray(chunk.ids), library.asarray(chunk.sentences), 0, thresholds=library.asarray([0]),
        key=1, window=2, shrink=True, pad=4, xp=library.xp,
    )  # fmt: skip
    groups = group_tokens(kept, 0, 5, 2, xp=library.xp)
    assert groups.first.shape == (0,)
    groups, ends = spread_groups(groups, 0, xp=library.xp)
    assert (groups.first.shape, ends.tolist()) == ((0,), [0])
    none = library.asarray(np.zeros(0, np.int64))
    assert library.to_host(list_pairs(kept, 2, none, none, xp=library.xp).ends).tolist() == [0]
    assert random_centers(kept, 0, key=7, xp=library.xp).shape == (0,)


def test_random_centers(library: Library) -> None:
    """Uniform over sentences, then over the tokens that have an outside word; pairs follow the draws."""
    n = 60_000
    ids = np.arange(n, dtype=np.int32) % 6
    offsets = np.arange(0, n + 1, 6)
    offsets = np.sort(np.concatenate([offsets, offsets[:-1] + 1]))  # sentences of one word and of five
    chunk = read_chunk(ids, offsets, 0, 600)
    config = Config(sample=0, window=1, shrink_windows=False)
    kept = kept_of(library, chunk, config, np.bincount(ids), 1)
    drawn = random_centers(kept, 0, key=7, xp=library.xp)
    host = library.to_host(drawn)
    assert host.shape == (600,)
    assert 0 not in chunk.ids[host]  # the only word of its sentence
    assert stats.chisquare(np.bincount(chunk.ids[host], minlength=6)[1:]).pvalue > 1e-3
    later = library.to_host(random_centers(kept, 100, key=7, xp=library.xp))
    np.testing.assert_array_equal(later[:-100], host[100:])  # the draws belong to places in the corpus
    pairs = list_pairs(kept, 1, drawn, library.asarray(np.arange(1000, 1600)), xp=library.xp)
    centers, outside = library.to_host(pairs.center_ids), library.to_host(pairs.outside_ids)
    assert (np.abs(centers - outside) == 1).all()
    numbers, slots = np.divmod(library.to_host(pairs.counters), 2)
    np.testing.assert_array_equal(centers, chunk.ids[host[numbers - 1000]])
    np.testing.assert_array_equal(outside - centers, 2 * slots - 1)
    ends = library.to_host(pairs.ends)
    assert (np.diff(ends) >= 1).all()
    assert ends[-1] == len(centers)


def test_a_token_is_kept_below_its_threshold_and_not_at_it(library: Library) -> None:
    ids = np.arange(20, dtype=np.int32)  # each a word of its own, whose threshold is its draw, or one more
    thresholds = low_half(draw(KEY, ids.astype(np.int64))) + ids % 2
    kept = keep_tokens(
        library.asarray(ids), library.asarray(np.ones(20, np.int32)), 0, thresholds=library.asarray(thresholds),
        key=KEY, window=2, shrink=False, pad=3, xp=library.xp,
    )  # fmt: skip
    np.testing.assert_array_equal(library.to_host(kept.ids)[3:-3], ids[1::2])
