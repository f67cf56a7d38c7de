"""Before the first step of `Word2Vec.fit`: keywords checked, a backend found, the corpus encoded, a run made."""

from __future__ import annotations

import hashlib
import os
import reprlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from xw2v.backend import Backend, get_backend
from xw2v.config import Config
from xw2v.display import displayed
from xw2v.distributed import DistributedFitting, encoded_once_a_node, join, placed
from xw2v.errors import BackendError, ConfigError
from xw2v.fitting import Fitting, Learned
from xw2v.text.manifest import FILES
from xw2v.text.memory import MEMORY
from xw2v.text.places import check_not_read, lies_in
from xw2v.text.store import EncodedCorpus, encode
from xw2v.text.vocabulary import Vocabulary
from xw2v.training.checkpoint import FIRST_NAME, Checkpoints
from xw2v.training.walk import Progress

__all__ = ["FitOptions", "prepared"]

_EVERY = "60s"


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """The keywords of `Word2Vec.fit`, which says what they mean."""

    lower: bool = False
    errors: str = "strict"
    column: str | None = None
    encoded_dir: str | os.PathLike[str] | None = None
    memory: int | str = MEMORY
    progress: bool | None = None
    on_encode: Callable[[int, int | None, int], None] | None = None
    on_progress: Callable[[Progress], None] | None = None
    on_note: Callable[[str], None] | None = None
    on_warning: Callable[[str], None] | None = None
    checkpoint_dir: str | os.PathLike[str] | None = None
    checkpoint_every: int | str = _EVERY
    resume: bool | None = None
    callbacks: Iterable[Callable[[Any, Any], Any]] = ()
    distributed: Any = False

    def __post_init__(self) -> None:
        if not isinstance(self.callbacks, Iterable):
            msg = f"callbacks must be a list of functions, as [f]; got {reprlib.repr(self.callbacks)}"
            raise ConfigError(msg)
        object.__setattr__(self, "callbacks", tuple(self.callbacks))
        if self.distributed is None or isinstance(self.distributed, np.bool_):
            object.__setattr__(self, "distributed", bool(self.distributed))

    def checkpoints(self) -> Checkpoints | None:
        """Where checkpoints go, once all keywords were looked at.

        Raises
        ------
        ConfigError   one of them does not do, or two of them do not go together
        """
        if not all(map(callable, self.callbacks)):
            msg = "each of callbacks must be a function of (model, record of the epoch); True from it ends the training"
            raise ConfigError(msg)
        if self.callbacks and self.distributed is not False:
            msg = "callbacks are not called with distributed: give one of the two"
            raise ConfigError(msg)
        if self.resume and self.checkpoint_dir is None:
            msg = "resume needs checkpoint_dir, the folder with the checkpoints"
            raise ConfigError(msg)
        if self.checkpoint_dir is None:
            if self.checkpoint_every != _EVERY:
                msg = f"checkpoint_every={self.checkpoint_every!r} needs checkpoint_dir, the folder for the checkpoints"
                raise ConfigError(msg)
            return None
        return Checkpoints(self.checkpoint_dir, self.checkpoint_every, self.on_warning)


@contextmanager
def prepared(
    corpus: Any, config: Config, learned: Learned | None, how: FitOptions
) -> Iterator[tuple[Fitting, Checkpoints | None, FitOptions]]:
    """A run that may begin, where its checkpoints go, and whom it tells what; the corpus is open within the block.

    Parameters
    ----------
    learned : Learned or None   what a model that goes on knows

    Raises
    ------
    XW2VError   in one of its kinds: an option, the corpus or the backend does not do, or memory is too small; from
        within the block, too, and of all ranks where there are many
    """
    ranks = join(how.distributed) if how.distributed is not False else None

    def checked() -> Checkpoints | None:
        if learned is None:
            _check_encoded(corpus, config, how)
        checkpoints = how.checkpoints()
        if ranks is None or ranks.rank == 0:  # the others need not have these folders
            _check_places(corpus, how, checkpoints)
        return checkpoints

    # What one rank alone refuses is refused by all: they would wait for it.
    checkpoints = checked() if ranks is None else ranks.together(checked)
    if ranks is not None:
        _check_kinds(ranks, corpus, learned, how)
        config, backend = placed(config, ranks)
    else:
        backend = get_backend(config.backend, device=config.device, tf32=config.tf32)
    guard = nullcontext() if ranks is None else ranks.guarded()
    known = learned.vocabulary if learned is not None else None
    with (
        guard,
        _shown(how, config, ranks) as shown,
        _opened(corpus, config, known, ranks, shown) as encoded,
        _memory_errors_named(backend),
    ):
        make = Fitting if ranks is None else partial(DistributedFitting, ranks)
        yield make(encoded, config, backend, learned, shown.on_note), checkpoints, shown
    if ranks is not None and ranks is not how.distributed:
        ranks.close()


def _check_encoded(corpus: Any, config: Config, how: FitOptions) -> None:
    """Refuse options that an encoded corpus cannot heed. Whether a default was asked for cannot be seen."""
    if isinstance(corpus, EncodedCorpus):
        defaults = {**Config().to_dict(), "lower": False}
        wanted = {**config.to_dict(), "lower": bool(how.lower)}
        corpus.check_options({name: value for name, value in wanted.items() if value != defaults[name]})


def _check_places(corpus: Any, how: FitOptions, checkpoints: Checkpoints | None) -> None:
    """Refuse folders to be written that would be read as text the next time, or be in each other's way."""
    if how.encoded_dir is not None:
        check_not_read(how.encoded_dir, corpus, FILES)
    if checkpoints is None:
        return
    check_not_read(checkpoints.folder, corpus, [FIRST_NAME])
    if how.encoded_dir is not None and lies_in(checkpoints.folder, how.encoded_dir):
        msg = (
            f"checkpoint_dir={str(checkpoints.folder)!r} lies in encoded_dir={os.fspath(how.encoded_dir)!r}, in which "
            "there may be nothing but the encoded corpus: give it a folder of its own"
        )
        raise ConfigError(msg)
    checkpoints.check_place()


def _check_kinds(ranks: Any, corpus: Any, learned: Learned | None, how: FitOptions) -> None:
    """Refuse ranks that would ask each other different things, or go on with different models."""
    here = "an EncodedCorpus" if isinstance(corpus, EncodedCorpus) else "a corpus to be read"
    here += "" if how.encoded_dir is None else " and an encoded_dir"
    if learned is not None:
        digest = hashlib.sha256(learned.vocabulary.to_json().encode()).hexdigest()
        here += f" for a model of {len(learned.vocabulary):,} words (with their counts {digest[:12]})"
    told = ranks.texts(here)
    other = next((rank for rank, text in enumerate(told) if text != told[0]), None)
    if other is not None:
        msg = f"all ranks must be given the same corpus and model: rank 0 has {told[0]}, rank {other} has {told[other]}"
        ranks.settled = True
        raise ConfigError(msg)


@contextmanager
def _shown(how: FitOptions, config: Config, ranks: Any) -> Iterator[FitOptions]:
    """The keywords, with a display among those who are told; where it is left to us, only if nobody else is."""
    wanted = how.progress
    if (ranks is not None and ranks.rank) or (wanted is None and (how.on_encode or how.on_progress)):
        wanted = False
    with displayed(wanted) as display:
        if display is None:
            yield how
            return
        # Sentences kept aside are looked at for an epoch's end anyway; else that would make training wait.
        at_ends = [lambda _, end: display.on_epoch(end)] if how.callbacks or config.validation_fraction else []
        yield replace(
            how,
            on_encode=_both(how.on_encode, display.on_encode),
            on_progress=_both(how.on_progress, display.on_progress),
            on_note=_both(how.on_note, display.on_note),
            callbacks=(*how.callbacks, *at_ends),
        )


def _both(first: Callable[..., Any] | None, second: Callable[..., Any]) -> Callable[..., None]:
    """Both are called, if there are two."""

    def call(*arguments: Any) -> None:
        for function in (first, second):
            if function is not None:
                function(*arguments)

    return call


@contextmanager
def _opened(
    corpus: Any, config: Config, known: Vocabulary | None, ranks: Any, how: FitOptions
) -> Iterator[EncodedCorpus]:
    """The corpus encoded; with `known` words first, and counted together with the text that they are of."""
    if isinstance(corpus, EncodedCorpus):
        if corpus.folder is None:  # perhaps made by hand; compiled loops look at no id
            corpus.check()
        yield corpus if known is None else corpus.renumbered(known).counted_with(known)
        return
    reader = encode if ranks is None else partial(encoded_once_a_node, ranks, on_note=how.on_note)
    with reader(
        corpus,
        how.encoded_dir,
        min_count=config.min_count,
        max_final_vocab=config.max_final_vocab,
        max_vocab_size=config.max_vocab_size,
        lower=how.lower,
        errors=how.errors,
        column=how.column,
        progress=how.on_encode or False,
        known=known,
        memory=how.memory,
    ) as encoded:
        yield encoded if known is None else encoded.counted_with(known)


@contextmanager
def _memory_errors_named(backend: Backend) -> Iterator[None]:
    """One line in place of the traceback of whoever asked for too much memory."""
    try:
        yield
    except MemoryError as error:
        text = " ".join(str(error).split())
        msg = f"backend {backend.name!r} ran out of memory: {text}; lower vector_size, max_final_vocab or batch_size"
        raise BackendError(msg) from error
