"""One run of training on an encoded corpus, with checkpoints: what `Word2Vec.fit` does between text and vectors."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from xw2v.backend import Backend
from xw2v.config import Config
from xw2v.errors import BackendError, ConfigError, CorpusError, NumericalError
from xw2v.interrupts import stopped_by_signals
from xw2v.text.store import EncodedCorpus
from xw2v.text.vocabulary import Vocabulary
from xw2v.training.checkpoint import Checkpoint, Checkpoints, check_same_run
from xw2v.training.engines import Engine, Tables, choose_engine
from xw2v.training.trainer import Training, check_memory, initial_tables
from xw2v.training.walk import Position, Progress

__all__ = ["Fitting", "Learned", "memory_errors_named", "noted_if_long"]

Note = Callable[[str], None]


class Learned(NamedTuple):
    """What a model knows before it learns more."""

    vocabulary: Vocabulary
    center_vectors: np.ndarray  # (V, D)
    outside_vectors: np.ndarray  # (V, D)
    epochs: int  # passes that were begun
    history: list[Progress]


class Fitting:
    """A run that may be stopped and go on.

    Parameters
    ----------
    corpus : EncodedCorpus      of a vocabulary that begins with the learned one, if there is one
    config, backend
    learned : Learned or None   where to begin; None: anew
    on_note : callable or None  called with a line of text when a wait wants a reason

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
        learned: Learned | None = None,
        on_note: Note | None = None,
    ) -> None:
        self.corpus, self.config, self.backend, self.learned = corpus, config, backend, learned
        counts = corpus.vocabulary.counts
        if len(counts) < 2:
            msg = f"a vocabulary of at least 2 words is wanted, got {len(counts)}; lower min_count ({config.min_count})"
            raise CorpusError(msg)
        self.engine, why = self._choose_engine(counts)
        self.engine_note = f"{self.engine.name}: {why}"
        with noted_if_long(on_note, "compiling the CPU engine; the next runs find it in the cache"):
            self._compile()
        check_memory(len(counts), len(corpus.ids), config, backend, self.engine)
        self.tables = self._first_tables()
        self.first_epoch = learned.epochs if learned is not None else 0
        self.history: list[Progress] = []
        self.usable = True
        self._identity = cache(self._make_identity)

    # What many processes do in another way: see `distributed.DistributedFitting`.

    def _choose_engine(self, counts: np.ndarray) -> tuple[Engine, str]:
        return choose_engine(self.config, counts, self.backend)

    def _compile(self) -> None:
        self.engine.compile()

    def _opened(self, checkpoints: Checkpoints | None) -> AbstractContextManager[Any]:
        return checkpoints.opened() if checkpoints is not None else nullcontext()

    def _start(self, checkpoints: Checkpoints | None, resume: bool | None, on_note: Note | None) -> Position | None:
        return self._begin(checkpoints, resume, on_note) if checkpoints is not None else None

    def _training(self, **settings: Any) -> Training:
        corpus = self.corpus
        return Training(
            self.tables, corpus.ids, corpus.offsets, self.config, self.backend, self.engine, **settings
        )  # fmt: skip

    def _first_tables(self) -> Tables:
        """New rows as every run begins with, below those that were learned."""
        new = initial_tables(len(self.corpus.vocabulary), self.config, self.backend)
        if self.learned is None:
            return new
        old = Tables(self.learned.center_vectors, self.learned.outside_vectors)
        for table, rows in zip(new, old, strict=True):
            table[: len(rows), :] = self.backend.from_host(np.array(rows, dtype=np.float32))
        return new

    @property
    def epochs_trained(self) -> int:
        """Passes begun over any corpus."""
        return self.first_epoch + (self.history[-1].epoch + 1 if self.history else 0)

    @property
    def whole_history(self) -> list[Progress]:
        """The records of this run after those of earlier ones."""
        earlier = self.learned.history if self.learned is not None else []
        return earlier + [record.after(earlier[-1]) if earlier else record for record in self.history]

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
        with self._opened(checkpoints):
            position = self._start(checkpoints, resume, on_note)
            training = self._training(position=position, first_epoch=self.first_epoch, saver=checkpoints)
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
        checkpoints.begin(self._identity, self.history, self.backend, self.tables, words)
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


@contextmanager
def memory_errors_named(backend: Backend) -> Iterator[None]:
    """One line in place of the traceback of whoever asked for too much memory."""
    try:
        yield
    except MemoryError as error:
        text = " ".join(str(error).split())
        msg = f"backend {backend.name!r} ran out of memory: {text}; lower vector_size, max_final_vocab or batch_size"
        raise BackendError(msg) from error


@contextmanager
def noted_if_long(on_note: Callable[[str], None] | None, text: str, seconds: float = 1.0) -> Iterator[None]:
    """Say what is waited for, if it takes long."""
    timer = threading.Timer(seconds, on_note or (lambda text: None), [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
