"""When to take the next checkpoint, so that a run that is killed loses no more than one interval of its work.

What a kill costs is the work since the newest copy that is on the disk. It is largest at the moment before the
next copy is there, so that one is begun earlier by as long as it takes to write. All is counted on one clock,
which shows words or seconds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xw2v.errors import ConfigError

__all__ = ["Interval", "Pace"]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_JITTER = 1.1  # intervals: a line of "60 s and not 60 s" says nothing
_MARGIN = 1.5  # a disk may take so many times as long as the time before


@dataclass(frozen=True)
class Interval:
    """How much work may be lost; one of the two is infinite."""

    words: float
    seconds: float

    @classmethod
    def of(cls, every: int | str) -> Interval:
        """A number of words, or a time as "30s", "5m", "1h".

        Raises
        ------
        ConfigError   it is neither
        """
        text = str(every).strip().lower()
        match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?) ?([smh]?)", text)
        if match is None or isinstance(every, bool) or float(match[1]) <= 0:
            msg = f"checkpoint_every must be a number of words, or a time as '30s', '5m' or '1h'; got {every!r}"
            raise ConfigError(msg)
        number, unit = float(match[1]), match[2]
        return cls(np.inf, number * _UNITS[unit]) if unit else cls(number, np.inf)


class Pace:
    """Asked after every chunk whether a copy is due; notices when the disk cannot keep up.

    Parameters
    ----------
    interval : Interval
    seconds : what shows the time
    """

    def __init__(self, interval: Interval, seconds: Callable[[], float] = time.monotonic) -> None:
        self._by_words, self._seconds = np.isfinite(interval.words), seconds
        self._every = interval.words if self._by_words else interval.seconds
        self.begin(0)

    def begin(self, words: int) -> None:
        """The state after so many words is on the disk, or nothing was done yet."""
        now = self._now(words)
        self._kept = now  # of the newest copy on the disk
        self._copied: float | None = None  # of the copy that is being written
        self._seen, self._chunk, self._write, self._lost = now, 0.0, 0.0, 0.0
        self._early = self._every / 2  # no write was seen yet
        self._told = False

    def due(self, words: int, writing: bool) -> bool:
        """Is a copy to be taken now, when so many words are done, and perhaps the last one is still being written?"""
        now = self._now(words)
        self._chunk, self._seen = now - self._seen, now
        self._lost = now - self._kept
        if writing:
            return False
        if self._copied is not None:
            self._write, self._kept, self._copied = now - self._copied, self._copied, None
            # A write of more than half an interval cannot be made up for by beginning earlier still.
            self._early = min(_MARGIN * self._write, self._every / 2)
        if now + self._chunk + self._early < self._kept + self._every:
            return False
        self._copied = now
        return True

    def complaint(self) -> str | None:
        """One line, once, when a kill before the last question would have cost clearly more than an interval."""
        if self._told or self._lost <= _JITTER * self._every:
            return None
        self._told = True
        slow = f"a chunk takes {self._shown(self._chunk)}"
        if self._chunk < self._every:
            slow = f"writing one takes {self._shown(max(self._write, self._seen - (self._copied or self._seen)))}"
        return (
            f"checkpoints come later than asked for: a kill may cost {self._shown(self._lost)} of work and not "
            f"{self._shown(self._every)}, since {slow}; training goes on"
        )

    def _now(self, words: int) -> float:
        return words if self._by_words else self._seconds()

    def _shown(self, amount: float) -> str:
        return f"{amount:,.0f} words" if self._by_words else f"{amount:.3g} s"
