"""One run of training on an encoded corpus, with checkpoints: what `Word2Vec.fit` does between text and vectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import closing, nullcontext
from functools import cache
from typing import Any

from xw2v.backend import Backend
from xw2v.config import Config
from xw2v.errors import ConfigError, NumericalError
from xw2v.interrupts import stopped_by_signals
from xw2v.text.store import EncodedCorpus
from xw2v.training.checkpoint import Checkpoint, Checkpoints, check_same_run
from xw2v.training.engines import Engine, Tables
from xw2v.training.trainer import Training
from xw2v.training.walk import Position, Progress

__all__ = ["Fitting"]

Note = Callable[[str], None]


class Fitting:
    """A run that may be stopped and go on.

    Parameters
    ----------
    corpus, config, backend, engine
    tables : Tables       on the backend's device; changed
    first_epoch : int     epochs that these tables were trained before, so that this run draws as others than theirs

    Attributes
    ----------
    tables : Tables              what was learned; of a run that goes on, those of the checkpoint
    history : list of Progress   with words counted as in the source
    usable : bool                False where training diverged and no earlier state was kept
    """

    def __init__(
        self,
        corpus: EncodedCorpus,
        config: Config,
        backend: Backend,
        engine: Engine,
        tables: Tables,
        first_epoch: int = 0,
    ) -> None:
        self.corpus, self.config, self.backend, self.engine = corpus, config, backend, engine
        self.tables, self.first_epoch = tables, first_epoch
        self.history: list[Progress] = []
        self.usable = True
        self._identity = cache(self._make_identity)

    def run(
        self,
        checkpoints: Checkpoints | None = None,
        resume: bool | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_note: Note | None = None,
    ) -> None:
        """Train to the end.

        Parameters
        ----------
        checkpoints : Checkpoints or None
        resume : bool or None
            True: go on from the newest checkpoint, from the start if there is none; False: delete those that are
            there; None: refuse if there is one of a run that is not finished

        Raises
        ------
        ConfigError, CorpusError   the checkpoint is of another run
        KeyboardInterrupt          after Ctrl-C or SIGTERM; the last checkpoint is of that moment
        NumericalError             training diverged; `tables` and `history` are those of the last checkpoint, if any
        """
        with checkpoints.opened() if checkpoints is not None else nullcontext():
            position = self._begin(checkpoints, resume, on_note) if checkpoints is not None else None
            training = Training(
                self.tables,
                self.corpus.ids,
                self.corpus.offsets,
                self.config,
                self.backend,
                self.engine,
                position=position,
                first_epoch=self.first_epoch,
                saver=checkpoints,
            )
            try:
                with stopped_by_signals(training.stop), closing(iter(training)) as records:
                    for record in records:
                        seen = self._in_source_words(record)
                        self.history.append(seen)
                        if on_progress is not None:
                            on_progress(seen)
            except KeyboardInterrupt:
                self._keep(checkpoints, training.position)
                raise
            except NumericalError as error:
                self._go_back(checkpoints, error)
                raise
            # After any other exception the tables may be wrong: the last good checkpoint stays.
            self._keep(checkpoints, training.position)

    def _begin(self, checkpoints: Checkpoints, resume: bool | None, on_note: Note | None) -> Position | None:
        """Take over from a checkpoint, if that is wanted."""
        found = checkpoints.newest() if resume is not False else None
        if found is not None and resume is None and not _is_finished(found):
            msg = (
                f"{checkpoints.folder} holds a checkpoint of a run that is not finished: resume goes on with it; "
                f"to start anew say so (resume=False, --no-resume)"
            )
            raise ConfigError(msg)
        if resume and found is None and on_note is not None:
            on_note(f"no checkpoint in {checkpoints.folder}: training from the start")
        position = None
        if resume and found is not None:
            check_same_run(found, self._identity())
            position, self.history = found.position, found.history
            self.tables = Tables(*map(self.backend.from_host, found.tables))
        else:
            checkpoints.clear()
        words = position.epoch * len(self.corpus.ids) + position.start if position is not None else 0
        checkpoints.begin(self._identity, self.history, self.backend, words)
        return position

    def _keep(self, checkpoints: Checkpoints | None, position: Position) -> None:
        if checkpoints is not None:
            checkpoints.save(self.tables, position)

    def _go_back(self, checkpoints: Checkpoints | None, error: NumericalError) -> None:
        """Take the last good state after training left the finite numbers, and say which it is."""
        if checkpoints is not None:
            checkpoints.wait()
        found = checkpoints.newest() if checkpoints is not None else None
        if found is None:
            self.usable = False
            error.args = (f"{error}; no earlier state was kept",)
            return
        self.tables, self.history = Tables(*map(self.backend.from_host, found.tables)), found.history
        words = self.history[-1].words if self.history else 0
        error.args = (f"{error}; what was learned from the first {words:,} words is kept",)

    def _make_identity(self) -> dict[str, Any]:
        corpus = self.corpus
        sizes = {"words": corpus.raw_words, "words kept": len(corpus.ids), "vocabulary": len(corpus.vocabulary)}
        return {
            "config": self.config.to_dict(),
            "corpus": {**sizes, "fingerprint": corpus.fingerprint()},
            "first_epoch": self.first_epoch,
        }

    def _in_source_words(self, record: Progress) -> Progress:
        """A record in words of the source: those left out by min_count were read, too."""
        factor = self.corpus.raw_words / max(len(self.corpus.ids), 1)
        return dataclasses.replace(
            record,
            words=round(record.words * factor),
            total_words=round(record.total_words * factor),
            words_per_second=record.words_per_second * factor,
        )


def _is_finished(checkpoint: Checkpoint) -> bool:
    """Whether the run of a checkpoint came to its end."""
    config, position = checkpoint.run["config"], checkpoint.position
    if config.get("steps") is not None:
        return position.steps >= int(config["steps"])
    return position.epoch >= int(config["epochs"]) and not position.begun
