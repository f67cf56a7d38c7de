"""One run of training on an encoded corpus, with checkpoints: what `Word2Vec.fit` does between text and vectors."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from xw2v.backend import Backend
from xw2v.config import Config
from xw2v.errors import ConfigError, CorpusError, FileAccessError, FormatError, NumericalError
from xw2v.interrupts import stopped_by_signals
from xw2v.text.store import EncodedCorpus
from xw2v.text.vocabulary import Vocabulary
from xw2v.training.checkpoint import Checkpoint, Checkpoints, check_same_run
from xw2v.training.engines import Engine, Tables, choose_engine
from xw2v.training.epochs import EpochEnd, EpochEnds
from xw2v.training.initial import initial_tables
from xw2v.training.records import record_after
from xw2v.training.room import check_memory
from xw2v.training.sampling import keep_probabilities
from xw2v.training.trainer import Training
from xw2v.training.validation import TrainingIds, Validation
from xw2v.training.walk import Position, Progress, mean_loss

__all__ = ["Fitting", "Learned", "OnEpoch", "noted_if_long"]

Note = Callable[[str], None]
OnEpoch = Callable[[EpochEnd], bool]
"""Called at the end of an epoch; whether training ends there."""

_FOUND = "the next runs find it in the cache"
_LOST = "no folder to keep it in for the next runs can be written to: NUMBA_CACHE_DIR names one"
_MOST_RECORDS = 20_000  # of a history: some megabytes
_LITTLE_KEPT = 0.1  # of the tokens: the corpora of a tutorial; ordinary text keeps most
_FEW_PAIRS = 100  # a word of the vocabulary and epoch


class Learned(NamedTuple):
    """What a model knows before it learns more."""

    vocabulary: Vocabulary
    center_vectors: np.ndarray  # (V, D)
    outside_vectors: np.ndarray  # (V, D)
    epochs: int  # passes that were begun
    history: list[Progress]
    epoch_history: list[EpochEnd]


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
    ends : EpochEnds             of the epochs, where sentences are kept aside or `run` is asked to call somebody
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
        self.engine, why = self._prepare()
        self.engine_note = f"{self.engine.name}: {why}"
        later = _FOUND if getattr(self.engine, "kept", True) else _LOST
        with noted_if_long(on_note, f"compiling the CPU engine; {later}"):
            self._compile()
        check_memory(len(counts), len(corpus.ids), config, backend, self.engine, copies=self._copies())
        self.tables = self._first_tables()
        self.first_epoch = learned.epochs if learned is not None else 0
        self.history: list[Progress] = []
        self.ends = EpochEnds(config.patience)
        self.usable = True
        self._validation, self._trained = None, None
        if config.validation_fraction > 0:
            self._validation = Validation(*corpus.stored, counts, config, backend)
            self._trained = TrainingIds(*corpus.stored, len(counts), config)
        self._identity = cache(self._make_identity)

    # What many processes do in another way: see `distributed.DistributedFitting`.

    def _prepare(self) -> tuple[Engine, str]:
        """The engine and why it was chosen, for a corpus that there is something to learn from."""
        corpus, counts = self.corpus, self.corpus.vocabulary.counts
        if len(counts) < 2:
            if len(counts) == 1 and len(corpus.ids) == corpus.raw_words:  # min_count left nothing out
                msg = f"the text has one distinct word, {corpus.vocabulary.words[0]!r}; at least 2 words are wanted"
                raise CorpusError(msg)
            least, most = self.config.min_count, self.config.max_final_vocab
            way = "raise max_final_vocab (1)" if most == 1 else f"lower min_count ({least})"
            msg = f"a vocabulary of at least 2 words is wanted, got {len(counts)}; {way}"
            raise CorpusError(msg)
        if len(corpus) == len(corpus.ids):
            msg = (
                f"each of the {len(corpus):,} sentences holds one word of the vocabulary alone, and one word has no "
                "neighbours to learn from: a sentence is a list of all that belong together"
            )
            raise CorpusError(msg)
        return self._choose_engine(counts)

    def _choose_engine(self, counts: np.ndarray) -> tuple[Engine, str]:
        return choose_engine(self.config, counts, self.backend)

    def _compile(self) -> None:
        self.engine.compile()

    def _copies(self) -> int:
        """How often the tables are there while they are trained."""
        return 1

    def _opened(self, checkpoints: Checkpoints | None) -> AbstractContextManager[Any]:
        return checkpoints.opened() if checkpoints is not None else nullcontext()

    def _start(self, checkpoints: Checkpoints | None, resume: bool | None, on_note: Note | None) -> Position | None:
        return self._begin(checkpoints, resume, on_note) if checkpoints is not None else None

    def _training(self, **settings: Any) -> Training:
        return Training(self.tables, *self.corpus.stored, self.config, self.backend, self.engine, **settings)

    def _first_tables(self) -> Tables:
        """New rows as every run begins with, below those that were learned."""
        new = initial_tables(len(self.corpus.vocabulary), self.config, self.backend)
        if self.learned is not None:
            self._fill(new, Tables(self.learned.center_vectors, self.learned.outside_vectors))
        return new

    def _fill(self, tables: Tables, rows: Tables) -> None:
        """Overwrite tables where they are: a GPU may have no room for others beside them."""
        for table, some in zip(tables, rows, strict=True):
            self.backend.fill(table, some)

    @property
    def epochs_trained(self) -> int:
        """Passes begun over any corpus."""
        return self.first_epoch + (self.history[-1].epoch + 1 if self.history else 0)

    @property
    def whole_history(self) -> list[Progress]:
        """The records of this run after those of earlier ones."""
        earlier = self.learned.history if self.learned is not None else []
        whole = earlier + [record_after(record, earlier[-1]) if earlier else record for record in self.history]
        _thin(whole)
        return whole

    @property
    def whole_epoch_history(self) -> list[EpochEnd]:
        """The ends of this run's epochs after those of earlier ones."""
        if self.learned is None or not self.learned.history:
            return list(self.ends.records)
        return self.learned.epoch_history + [
            record_after(record, self.learned.history[-1]) for record in self.ends.records
        ]

    def complaint(self) -> str | None:
        """What is to be said of a run from which next to nothing was learned; None where all is well."""
        pairs = self.history[-1].pairs if self.history else 0
        if self.config.sample == 0:
            nothing = "no two words that are trained on stand in one sentence: the vectors are as they began"
            return None if pairs else nothing
        known = len(self.learned.vocabulary) if self.learned is not None else 0
        if pairs < max(len(self.corpus.vocabulary) - known, 1):
            left = f"{pairs:,} pairs of words"
        else:
            counts, epochs = self.corpus.vocabulary.counts, max(self.epochs_trained - self.first_epoch, 1)
            kept = keep_probabilities(counts, self.config.sample, self.config.subsampling) @ counts / counts.sum()
            if kept >= _LITTLE_KEPT or pairs >= epochs * len(counts) * _FEW_PAIRS:
                return None
            left = f"{kept:.0%} of the words and {pairs / epochs:,.0f} pairs an epoch for {len(counts)} words"
        return (
            f"subsampling left {left} to learn from, so the vectors are hardly more than their "
            f"random start: sample=0 keeps all words, a value above {self.config.sample:g} more of them"
        )

    def run(
        self,
        checkpoints: Checkpoints | None = None,
        resume: bool | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_note: Note | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> None:
        """Train to the end, or until patience or `on_epoch` ends it.

        Parameters
        ----------
        checkpoints : Checkpoints or None
        resume : bool or None
            True: go on from the newest checkpoint, from the start if there is none; False: delete those that are
            there; None: refuse if there is one of a run that is not finished

        Raises
        ------
        ConfigError, CorpusError   the checkpoint is of another run
        KeyboardInterrupt          after Ctrl-C, SIGTERM or SIGHUP; the last checkpoint is of that moment
        FormatError, FileAccessError   the corpus was cut short or cannot be read; the last checkpoint is of that moment
        NumericalError             training diverged; `tables` and `history` are those of the last checkpoint, if any
        """
        with self._opened(checkpoints):
            position = self._start(checkpoints, resume, on_note)

            def at_epoch_end(epoch: int) -> bool | None:
                return self._end_epoch(epoch, on_epoch, lambda: training.stopped)

            training = self._training(
                position=position,
                first_epoch=self.first_epoch,
                saver=checkpoints,
                at_epoch_end=at_epoch_end if self._validation is not None or on_epoch is not None else None,
                trained=self._trained,
            )
            if self.ends.over():
                self._take_best()
                return
            try:
                with stopped_by_signals(training.stop), closing(iter(training)) as records:
                    for record in records:
                        seen = self._in_source_words(record)
                        self.history.append(seen)
                        _thin(self.history)
                        if on_progress is not None:
                            on_progress(seen)
            except (KeyboardInterrupt, FormatError, FileAccessError):
                # Stopped, or the corpus cannot be read any more: the tables are whole in both cases.
                self.history.extend(map(self._in_source_words, training.late))
                if training.at_rest:
                    self._keep(checkpoints, training.position)
                raise
            except NumericalError as error:
                self._go_back(checkpoints, error)
                raise
            # After any other exception the tables may be wrong: the last good checkpoint stays.
            self._keep(checkpoints, training.position)
        self._take_best()

    def _end_epoch(self, epoch: int, on_epoch: OnEpoch | None, stopped: Callable[[], bool]) -> bool | None:
        """Note the end of an epoch. Whether the run ends there; None where it is to stop before that is known."""
        loss = self._validation.loss(self.tables, stopped) if self._validation is not None else None
        if self._validation is not None and loss is None:
            return None
        if loss is not None and not math.isfinite(loss):
            msg = f"the loss on the sentences kept aside is {loss} after epoch {epoch + 1}: training diverged"
            raise NumericalError(msg)
        # A run that was stopped while its callbacks were at work comes here again.
        self.ends.records[:] = [record for record in self.ends.records if record.epoch < epoch]
        improved = loss is not None and loss < self.ends.lowest()
        mean, last = mean_loss(self.history, epoch).loss, self.history[-1]
        self.ends.records.append(EpochEnd(epoch, last.epochs, last.words, last.seconds, mean, loss, improved))
        if improved and self.config.patience is not None:
            self.ends.best = Tables(*(np.array(self.backend.to_host(table)) for table in self.tables))
        wants_end = on_epoch is not None and on_epoch(self.ends.records[-1])
        if wants_end or self.ends.out_of_patience():
            self.ends.end()
        return self.ends.over()

    def _take_best(self) -> None:
        """Go back to the best tables, if later ones were not better."""
        if self.ends.best is not None and not self.ends.records[-1].improved:
            self._fill(self.tables, self.ends.best)

    def _begin(self, checkpoints: Checkpoints, resume: bool | None, on_note: Note | None) -> Position | None:
        """Take over from a checkpoint, if that is wanted."""
        found = checkpoints.newest() if resume is not False else None
        if found is not None and resume is None and not _is_finished(found):
            msg = (
                f"{checkpoints.folder} holds a checkpoint of a run that is not finished: resume goes on with it; "
                "to start anew say so (resume=False, --no-resume)"
            )
            raise ConfigError(msg)
        if resume and found is None and on_note is not None:
            on_note(f"no checkpoint in {checkpoints.folder}: training from the start")
        position = None
        if resume and found is not None:
            check_same_run(found, self._identity())
            self._check_whole(found)
            position, self.history = _position(found, self._identity()["batch_size"]), found.history
            self._fill(self.tables, found.tables)
            self.ends = EpochEnds(self.config.patience, found.epochs, found.best)
        else:
            checkpoints.clear()
        words = position.epoch * len(self.corpus.ids) + position.start if position is not None else 0
        checkpoints.begin(self._identity, self.history, self.backend, self.tables, words, self.ends)
        return position

    def _check_whole(self, found: Checkpoint) -> None:
        """Refuse what would lead training out of its tables or its corpus.

        Raises
        ------
        FormatError   the checkpoint does not fit the run that it says it is of
        """
        shape, n = tuple(self.tables.center_vectors.shape), len(self.corpus.ids)
        place = found.position
        if found.tables.center_vectors.shape != shape:
            what = f"its tables are {found.tables.center_vectors.shape}, and those of the run {shape}"
        elif any(start >= n for start in (place.start, *(begun.start for begun in place.begun))):
            what = f"a place past the corpus of {n} words"
        else:
            return
        msg = f"{found.path} is a damaged checkpoint: {what}"
        raise FormatError(msg)

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
        self._fill(self.tables, found.tables)
        self.history = found.history
        self.ends = EpochEnds(self.config.patience, found.epochs, found.best)
        words = self.history[-1].words if self.history else 0
        error.args = (f"{error}; what was learned from the first {words:,} words is kept",)

    def _make_identity(self) -> dict[str, Any]:
        corpus = self.corpus
        sizes = {"words": corpus.raw_words, "words kept": len(corpus.ids), "vocabulary": len(corpus.vocabulary)}
        return {
            "config": self.config.to_dict(),
            "corpus": {**sizes, "fingerprint": corpus.fingerprint()},
            "first_epoch": self.first_epoch,
            "batch_size": getattr(self.engine, "batch_size", None),
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


def _thin(history: list[Progress]) -> None:
    """Drop every other record of too many, so that memory and checkpoints do not grow with the corpus."""
    while len(history) > _MOST_RECORDS:
        del history[: _MOST_RECORDS // 2 * 2 : 2]


def _position(checkpoint: Checkpoint, batch_size: int | None) -> Position:
    """Where a run goes on with steps of this size. With others a chunk that was begun is trained as a whole."""
    place = checkpoint.position
    if checkpoint.run.get("batch_size", batch_size) == batch_size:
        return place
    return dataclasses.replace(place, begun=tuple(begun._replace(steps=0) for begun in place.begun))


def _is_finished(checkpoint: Checkpoint) -> bool:
    """Whether the run of a checkpoint came to its end, and those who look at the ends of epochs saw it."""
    config, position = checkpoint.run["config"], checkpoint.position
    if checkpoint.epochs and checkpoint.epochs[-1].last:
        return True
    epochs, steps = config.get("epochs"), config.get("steps")  # of a file, where they may be anything
    if isinstance(steps, int):
        done = position.steps >= steps
    else:
        done = isinstance(epochs, int) and position.epoch >= epochs and not position.begun
    return done and position.ended >= position.epoch + (position.start > 0)


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
