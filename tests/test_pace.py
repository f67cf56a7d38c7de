"""The pace of checkpoints: a run that is killed at any moment loses at most one interval, or has said that it may."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from xw2v.errors import ConfigError
from xw2v.training.pace import Interval, Pace


@pytest.mark.parametrize(
    ("every", "words", "seconds"),
    [(500, 500, np.inf), ("2000000", 2e6, np.inf), ("30s", np.inf, 30), ("1.5m", np.inf, 90), ("2 H", np.inf, 7200)],
)
def test_interval(every: Any, words: float, seconds: float) -> None:
    assert Interval.of(every) == Interval(words, seconds)


@pytest.mark.parametrize("every", [0, -1, "0s", "soon", "5 days", True, "1e3", "nan", ""])
def test_no_interval(every: Any) -> None:
    with pytest.raises(ConfigError, match="checkpoint_every must be a number of words, or a time"):
        Interval.of(every)


class Run(NamedTuple):
    """What came of a made-up run."""

    most_lost: float  # by a kill at the worst moment, in seconds
    silently_lost: float  # the same, before the run complained
    copies: int
    complaints: list[str]


def simulate(
    every: str, chunk: Callable[[], float], write: Callable[[], float], seconds: float = 1000, speed: int = 0
) -> Run:
    """Train in chunks and write beside it, on a made-up clock; `speed` words a second."""
    now = 0.0
    pace = Pace(Interval.of(every), lambda: now)
    pace.begin(0)
    kept, copied, done = 0.0, 0.0, 0.0  # of the newest copy on the disk; of the one that is written; when that is there
    most = silent = 0.0
    complaints: list[str] = []
    copies = 0
    while now < seconds:
        step = chunk()
        if copied > kept and done <= now + step:  # it comes to the disk inside this chunk
            most = max(most, done - kept)
            silent = silent if complaints else max(silent, done - kept)
            kept = copied
        most = max(most, now + step - kept)
        silent = silent if complaints else max(silent, now - kept)
        now += step
        if pace.due(int(now * speed), writing=copied > kept):
            copied, done, copies = now, now + write(), copies + 1
        line = pace.complaint()
        complaints += [line] if line is not None else []
    return Run(most, silent, copies, complaints)


@pytest.mark.parametrize("write", [0.01, 1.0, 5.0, 10.0, 14.0])
@pytest.mark.parametrize("chunk", [0.05, 0.9])
def test_no_more_than_an_interval_is_lost(chunk: float, write: float) -> None:
    """Where a write takes less than half of the interval; it is taken hardly more often than that asks for."""
    run = simulate("30s", lambda: chunk, lambda: write)
    assert run.most_lost <= 30
    assert run.complaints == []
    assert 1000 // 30 <= run.copies <= 1000 / (30 - 1.5 * write - 2 * chunk if write < 10 else 15 - 2 * chunk) + 1


@pytest.mark.parametrize("seed", range(5))
def test_with_a_disk_that_is_not_even(seed: int) -> None:
    rng = random.Random(seed)
    run = simulate("30s", lambda: rng.uniform(0.01, 0.5), lambda: rng.uniform(4.0, 6.0))
    assert run.most_lost <= 30.5
    assert run.complaints == []


def test_a_little_more_than_an_interval_is_not_complained_of() -> None:
    run = simulate("30s", lambda: 0.5, lambda: 15.5)
    assert 30 < run.most_lost < 33
    assert run.complaints == []


@pytest.mark.parametrize("write", [17.0, 29.0, 31.0, 100.0])
def test_a_disk_that_cannot_keep_up_is_complained_of_once(write: float) -> None:
    run = simulate("30s", lambda: 0.5, lambda: write)
    assert run.most_lost <= 2 * write + 3 * 0.5  # one write after the other: it cannot be less
    assert run.silently_lost <= 1.1 * 30 + 0.5
    (line,) = run.complaints
    assert line.startswith("checkpoints come later than asked for: a kill may cost ")
    assert "of work and not 30 s, since writing one takes " in line


def test_chunks_longer_than_the_interval_are_named() -> None:
    run = simulate("1s", lambda: 4.0, lambda: 0.1)
    (line,) = run.complaints
    assert line.endswith("a kill may cost 4 s of work and not 1 s, since a chunk takes 4 s; training goes on")
    assert run.copies >= 240  # after each


def test_an_interval_in_words() -> None:
    run = simulate("30000", lambda: 0.5, lambda: 10.0, speed=1000)
    assert run.most_lost <= 30
    assert run.complaints == []
    run = simulate("30000", lambda: 0.5, lambda: 40.0, speed=1000)
    assert "a kill may cost 33,500 words of work and not 30,000 words" in run.complaints[0]


def test_a_run_that_goes_on_has_lost_nothing_yet() -> None:
    pace = Pace(Interval.of("1000"))
    pace.begin(50_000)
    assert not pace.due(50_100, writing=False)
    assert pace.complaint() is None
    assert pace.due(50_900, writing=False)


def test_a_complaint_tells_how_long_the_write_under_way_takes() -> None:
    now = 0.0
    pace = Pace(Interval.of("10s"), lambda: now)
    now = 1.0
    assert not pace.due(0, writing=False)
    now = 4.0
    assert pace.due(0, writing=False)
    now = 8.0
    assert not pace.due(0, writing=True)
    assert pace.complaint() is None
    now = 12.0
    assert not pace.due(0, writing=True)
    line = "a kill may cost 12 s of work and not 10 s, since writing one takes 8 s; training goes on"
    assert (pace.complaint() or "").endswith(line)
    assert pace.complaint() is None
