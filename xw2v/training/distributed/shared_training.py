"""The trainer of one rank among many: it trains its share of a round, then meets the others."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np

from xw2v.config import Config
from xw2v.errors import ConfigError
from xw2v.training.distributed.averaging import Averager
from xw2v.training.distributed.ranks import Ranks
from xw2v.training.distributed.shared_walk import SharedWalk, chunks_a_round, shared_rounds
from xw2v.training.distributed.stopping import RankTraining
from xw2v.training.distributed.transport import table_ranks
from xw2v.training.sampling import keep_probabilities
from xw2v.training.walk import Progress
from xw2v.training.workers import counts_steps

__all__ = ["SharedTraining", "check_order"]


class SharedTraining(RankTraining):
    """A run of several ranks over one corpus; see `RankTraining`. A record after every round, the same on all ranks.

    The run stops between two rounds: `position` is then the same on all ranks, nothing is begun, and the tables are
    equal. If one rank fails in a round, the others hear of it when they meet, and all raise its error; `at_rest` is
    False after a round that did not end well.

    Parameters
    ----------
    arguments, ranks, settings    as for `RankTraining`
    counts : (V,) integer array   of the words
    """

    def __init__(self, *arguments: Any, counts: np.ndarray, ranks: Ranks, **settings: Any) -> None:
        super().__init__(*arguments, ranks=ranks, **settings)
        check_order(self.config)
        most = np.array([self.workers], np.int64)
        ranks.maximum(most)
        n, workers = len(self.ids), int(most[0])
        size, words = shared_rounds(n, self.config, self.engine, ranks.size, workers)
        self.position = self.position.resized(size)
        size = self.position.size
        chunks = chunks_a_round(n, size, words, ranks.size, workers)
        self._walk: SharedWalk = SharedWalk(n, self.config, self.position, ranks.rank, ranks.size, chunks)
        kept = counts * keep_probabilities(counts, self.config.sample, self.config.subsampling)
        expected = kept * (ranks.size * chunks * size / counts.sum())
        self._met = True
        self.averager = Averager(self.tables, table_ranks(ranks, self.backend), ranks.size, self.backend, expected)

    def _records(self, pool: Executor) -> Iterator[Progress]:
        saver, self.saver = self.saver, None  # which the chunks of a round are not to call
        if self.workers == 1 and self._ahead is None:
            pool = _Here()
        while self._walk.next_round():
            self._met = False
            failure = self._train_round(pool)
            record, save = self._meet(failure, saver)
            yield record
            if save and saver is not None:
                saver.save(self.tables, self._walk.position([], self._seconds()))
            if self.stopped:
                return
        # Who was asked to stop since the last round told the others nothing yet.
        self._stop_if_asked()

    def _read_ahead(self) -> None:
        """The chunk after those that were dealt out may be another rank's."""

    def _halt(self) -> list[Progress]:
        late = super()._halt()
        # Within a round the tables are this rank's alone, and what the others have done of it is not known here. After
        # it they are the same on all ranks only where all rows met.
        self.at_rest = self._met
        return late

    def _train_round(self, pool: Executor) -> Exception | None:
        """Train this rank's chunks; what went wrong, if anything did."""
        try:
            for _ in super()._records(pool):
                pass
        except Exception as error:
            return error
        return None

    def _meet(self, failure: Exception | None, saver: Any) -> tuple[Progress, bool]:
        """Count and bring the tables together; the record of the round, and whether it is time to save."""
        walk = self._walk
        due = saver is not None and saver.due(walk.words)
        told = np.array([failure is not None, self._stop_asked, due, *walk.sums])
        heard = self.ranks.begin_sum(told)
        with np.errstate(all="ignore"):  # the rank that failed may have left the finite numbers
            self.averager.meet()
        heard()
        failed, stop, save = (number > 0 for number in told[:3])
        if failed:
            self.ranks.agree(failure)
        if stop:
            self._stop_with_all()
        if stop or save or walk.over:
            self.averager.meet(everything=True)
            self._met = True
        result = walk.end_round(told[3:])
        return walk.record(walk.last, result, self._seconds()), bool(save)


class _Here(Executor):
    """Does what it is given at once, in the thread that gives it.

    A thread that wakes up for each round may find itself on the core where another rank is at work, while its own
    stands idle: two ranks on two cores were 2 to 14 % slower (bench/README.md).
    """

    def submit(self, work: Any, /, *arguments: Any, **more: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*arguments, **more))
        except Exception as error:
            done.set_exception(error)
        return done


def check_order(config: Config) -> None:
    """Refuse options whose steps have an order that ranks do not keep.

    Raises
    ------
    ConfigError
    """
    if counts_steps(config):
        msg = "steps and schedule='halving' count steps in order, which ranks keep with sync='step' only"
        raise ConfigError(msg)
