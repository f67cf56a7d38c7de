"""`Word2Vec`: options in, fitted vectors out. Joins text, training and vectors."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np

from xw2v.backend import get_backend
from xw2v.config import Config, documented
from xw2v.conventions import Transformer, mean_vectors
from xw2v.distributed import DistributedFitting, encoded_once_a_node, join, placed
from xw2v.errors import ConfigError, CorpusError, FormatError, NumericalError
from xw2v.fitting import Fitting, Learned, OnEpoch, memory_errors_named
from xw2v.gensim_names import leads_on
from xw2v.tensors import first_bad_row
from xw2v.text.memory import MEMORY
from xw2v.text.store import EncodedCorpus, encode
from xw2v.text.vocabulary import Vocabulary
from xw2v.training.checkpoint import Checkpoints
from xw2v.training.epochs import EpochEnd
from xw2v.training.walk import Progress
from xw2v.vectors.model_folder import load_model_folder, save_model_folder
from xw2v.vectors.word_vectors import WordVectors

__all__ = ["NotFittedError", "Word2Vec"]

Encoding = Callable[[int, "int | None", int], None]
Callback = Callable[["Word2Vec", EpochEnd], Any]

_LEARNED = {
    "wv",
    "outside_vectors",
    "history",
    "epoch_history",
    "corpus_words",
    "epochs_trained",
    "backend_note",
    "engine_note",
}


class NotFittedError(CorpusError, AttributeError):
    """Vectors were asked of a model before `fit`."""


@documented
class Word2Vec(Transformer):
    """Skip-gram word vectors. Parameter names and defaults are gensim's wherever gensim has one.

    Parameters are the fields of `xw2v.config.Config`; `help(xw2v.Word2Vec)` lists them.

    Attributes
    ----------
    wv : WordVectors                        the centre vectors, after `fit`
    outside_vectors : (V, D) float32        the other table, after `fit`
    history : list of Progress              a record per chunk, `words` counted as in the source; of more than
                                            20,000 every other one is dropped
    epoch_history : list of EpochEnd        a record per epoch, where `validation_fraction` or callbacks asked for it
    corpus_words : int                      words of the source, before `min_count`
    epochs_trained : int                    passes begun over any corpus
    backend_note, engine_note : str         what trained, and why

    Raises
    ------
    ConfigError   an option is out of its range

    Examples
    --------
    >>> from xw2v import Word2Vec
    >>> sentences = [["the", "queen", "and", "the", "king"], ["the", "king", "and", "a", "man"]] * 50
    >>> model = Word2Vec(vector_size=8, min_count=1, epochs=2, seed=3).fit(sentences)
    >>> model.wv["queen"].shape
    (8,)
    """

    @leads_on
    def __init__(
        self,
        vector_size: int = 100,
        window: int = 5,
        min_count: int = 5,
        max_final_vocab: int | None = None,
        sample: float = 1e-3,
        negative: int = 5,
        ns_exponent: float = 0.75,
        alpha: float = 0.025,
        min_alpha: float = 0.0001,
        epochs: int = 5,
        seed: int = 1,
        workers: int | None = None,
        loss: str = "negative_sampling",
        negatives: str = "shared",
        backend: str = "auto",
        engine: str = "auto",
        *,
        max_vocab_size: int | None = None,
        deterministic: bool = False,
        device: int = 0,
        tf32: bool = False,
        shrink_windows: bool = True,
        subsampling: str = "word2vec",
        steps: int | None = None,
        schedule: str = "linear",
        halve_every: int = 20_000,
        centers: str = "all",
        reduction: str = "sum",
        batch_size: int | None = None,
        group_size: int = 16,
        group_negatives: int | None = None,
        max_update_norm: float | None = 0.5,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        sync: str = "average",
        sync_every: int | None = None,
    ) -> None:
        options = {name: value for name, value in locals().items() if name != "self"}
        for name, value in options.items():
            setattr(self, name, value)
        _ = self.config  # refuses what is wrong

    @property
    def config(self) -> Config:
        """The parameters, checked."""
        return Config(**self.get_params())

    def __repr__(self) -> str:
        default = Config().to_dict()
        changed = [f"{name}={value!r}" for name, value in self.config.to_dict().items() if value != default[name]]
        return f"Word2Vec({', '.join(changed)})"

    def __getattr__(self, name: str) -> Any:
        # Reached only where the attribute is not there.
        if name in _LEARNED:
            msg = f"the model has no {name} yet: call fit first"
            raise NotFittedError(msg)
        if name in {"build_vocab", "train"}:
            msg = f"Word2Vec has no {name}: fit(corpus) learns anew; partial_fit(corpus) goes on, with new words, too"
            raise AttributeError(msg)
        if name == "get_latest_training_loss":
            msg = "Word2Vec has no get_latest_training_loss: history[-1].loss is the loss of a pair"
            raise AttributeError(msg)
        if hasattr(WordVectors, name) and not name.startswith("_"):
            msg = f"Word2Vec has no {name}: ask its vectors, wv.{name}"
            raise AttributeError(msg)
        raise AttributeError(name)

    def fit(
        self,
        corpus: Any,
        y: Any = None,
        *,
        lower: bool = False,
        errors: str = "strict",
        column: str | None = None,
        encoded_dir: str | os.PathLike[str] | None = None,
        memory: int | str = MEMORY,
        on_encode: Encoding | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_note: Callable[[str], None] | None = None,
        on_warning: Callable[[str], None] | None = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        checkpoint_every: int | str = "60s",
        resume: bool | None = None,
        callbacks: Iterable[Callback] = (),
        distributed: Any = False,
    ) -> Word2Vec:
        """Learn vectors from a corpus, anew.

        Parameters
        ----------
        corpus : path or paths, glob, folder, "-" for standard input, iterable of token lists, table or column of
            pandas, polars or pyarrow, arrays of integer ids, or EncodedCorpus, which keeps its own vocabulary; see
            `xw2v.text.readers.open_source`
        y : whatever a pipeline of scikit-learn has there; not used
        lower, errors, column : bool, str, str or None
            fold case; "strict" or "replace" for wrong UTF-8; the column of a table to read
        encoded_dir : path or None
            keep the encoded corpus there and use it again while the source is unchanged
        memory : int or str                what reading and counting text may take, as "512M"; see `encode`
        on_encode : callable or None       called with (bytes done, bytes in all or None, words) while reading; with
            `distributed` at first about what rank 0 reads itself
        on_progress : callable or None     called with a `Progress` after every chunk
        on_note : callable or None         called with a line of text, from another thread, when a wait wants a reason
        on_warning : callable or None      called, maybe from another thread, when the run survives a failure,
            as a checkpoint for which the disk is too full; None: a RuntimeWarning
        checkpoint_dir : path or None      write the state of the run there now and then, at its end and after Ctrl-C
        checkpoint_every : int or str
            what a kill may cost at most: words of the encoded corpus, or a time as "30s", "5m", "1h"
        resume : bool or None
            go on from the newest checkpoint in `checkpoint_dir`; False: start anew and delete those that are there;
            None: start anew, but not over the checkpoint of a run that is not finished
        callbacks : callables
            each is called with (model, `EpochEnd`) after every epoch, when nothing is training: `wv`, `history` and
            the rest of the model are those of that moment, in memory of their own. What they write to the record's
            `scores` is kept. One that returns True ends the training there
        distributed : bool or mpi4py communicator
            train together with the other processes that mpiexec or srun started (True), or that are in the
            communicator; all call this with the same corpus and options, share the reading of its files, and get the
            model. `on_...` are called, and checkpoints written, on rank 0 alone; `callbacks` and
            `validation_fraction` are refused. If one process fails, all end.

        Returns
        -------
        Word2Vec   itself

        Notes
        -----
        With `validation_fraction` above 0 that share of the sentences is never trained on. They are drawn by their
        place in the corpus and `seed`; of a sentence longer than 8,192 words, or a corpus without sentence ends, parts
        of that length are kept aside. After each epoch the loss on them is measured with the same windows and noise
        words every time, and is in `epoch_history`. Their words count in all else: the vocabulary, subsampling, the
        noise distribution, and the words of a record. With `patience` training ends after so many epochs in a row
        without a lower loss, and the model is that of the lowest; the learning rate falls as for all `epochs`. After
        Ctrl-C the model is the latest.

        Raises
        ------
        XW2VError           in one of its kinds: the corpus, a file, an option or the backend does not do
        NumericalError      training diverged; `wv` is of the last checkpoint, if there is one
        KeyboardInterrupt   after Ctrl-C or SIGTERM; what was learned until then is in `wv`

        Examples
        --------
        >>> from xw2v import Word2Vec
        >>> baskets = [[101, 102, 103], [101, 103], [201, 202]] * 20  # an integer is a word of these digits
        >>> model = Word2Vec(vector_size=4, min_count=1, sample=0, workers=1).fit(baskets)
        >>> sorted(model.wv.index_to_key), model.wv[101].dtype, model.outside_vectors.shape
        (['101', '102', '103', '201', '202'], dtype('float32'), (5, 4))
        """
        how = {name: value for name, value in locals().items() if name not in ("self", "corpus", "y")}
        return self._learn(corpus, self.config, None, **how)

    def partial_fit(
        self,
        corpus: Any,
        *,
        epochs: int | None = None,
        alpha: float | None = None,
        min_alpha: float | None = None,
        **how: Any,
    ) -> Word2Vec:
        """Go on learning, from the same corpus or another one, after `fit` or `load`.

        Words keep their rows and keys; words that are new and frequent enough (`min_count`) get rows after them.
        Counts are those of all texts together, unless this is the old text again. Draws differ from those of
        earlier epochs. `history` goes on. A model that was not fitted is fitted.

        Parameters
        ----------
        corpus : as in `fit`
        epochs, alpha, min_alpha : for this call; None: the model's options
        how : the other keywords of `fit`

        Returns
        -------
        Word2Vec   itself

        Raises
        ------
        As `fit`.

        Examples
        --------
        >>> from xw2v import Word2Vec
        >>> model = Word2Vec(vector_size=4, min_count=1, epochs=2, workers=1).fit([["tea", "milk"]] * 20)
        >>> model.partial_fit([["tea", "sugar"]] * 20, epochs=1).wv.index_to_key, model.epochs_trained
        (['tea', 'milk', 'sugar'], 3)
        """
        given = {"epochs": epochs, "alpha": alpha, "min_alpha": min_alpha}
        config = self.config.replace(**{name: value for name, value in given.items() if value is not None})
        learned = None
        if hasattr(self, "wv"):
            counts = self.wv.counts if self.wv.counts is not None else np.zeros(len(self.wv), np.int64)
            vocabulary = Vocabulary(self.wv.index_to_key, counts)
            learned = Learned(
                vocabulary,
                self.wv.vectors,
                self.outside_vectors,
                self.epochs_trained,
                self.history,
                self.epoch_history,
            )
        return self._learn(corpus, config, learned, **how)

    def _learn(
        self,
        corpus: Any,
        config: Config,
        learned: Learned | None,
        *,
        lower: bool = False,
        errors: str = "strict",
        column: str | None = None,
        encoded_dir: str | os.PathLike[str] | None = None,
        memory: int | str = MEMORY,
        on_encode: Encoding | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_note: Callable[[str], None] | None = None,
        on_warning: Callable[[str], None] | None = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        checkpoint_every: int | str = "60s",
        resume: bool | None = None,
        callbacks: Iterable[Callback] = (),
        distributed: Any = False,
    ) -> Word2Vec:
        ranks = join(distributed) if distributed is not False else None
        callbacks = tuple(callbacks)

        def folder() -> Checkpoints | None:
            if ranks is not None and callbacks:
                msg = "callbacks are not called with distributed: give one of the two"
                raise ConfigError(msg)
            if resume and checkpoint_dir is None:
                msg = "resume needs checkpoint_dir, the folder with the checkpoints"
                raise ConfigError(msg)
            return None if checkpoint_dir is None else Checkpoints(checkpoint_dir, checkpoint_every, on_warning)

        checkpoints = folder() if ranks is None else ranks.together(folder)
        if ranks is not None:
            config, backend = placed(config, ranks)
        else:
            backend = get_backend(config.backend, device=config.device, tf32=config.tf32)
        known = learned.vocabulary if learned is not None else None
        if isinstance(corpus, EncodedCorpus):
            opened: Any = nullcontext(corpus if known is None else corpus.renumbered(known))
        else:
            opened = (encode if ranks is None else partial(encoded_once_a_node, ranks, on_note=on_note))(
                corpus,
                encoded_dir,
                min_count=config.min_count,
                max_final_vocab=config.max_final_vocab,
                max_vocab_size=config.max_vocab_size,
                lower=lower,
                errors=errors,
                column=column,
                progress=on_encode,
                known=known,
                memory=memory,
            )
        guard = nullcontext() if ranks is None else ranks.guarded()
        with guard, opened as encoded, memory_errors_named(backend):
            make = Fitting if ranks is None else partial(DistributedFitting, ranks)
            fitting = make(encoded, config, backend, learned, on_note)
            self.corpus_words, self.engine_note = encoded.raw_words, fitting.engine_note
            self.backend_note = f"{backend.name}: {backend.why}"
            try:
                fitting.run(checkpoints, resume, on_progress, on_note, self._on_epoch(fitting, callbacks))
            except (KeyboardInterrupt, NumericalError):
                self._take(fitting)
                raise
            if not self._take(fitting):
                msg = f"some vectors are not finite: training diverged; lower alpha ({config.alpha}) or sample"
                raise NumericalError(msg)
        return self

    def _on_epoch(self, fitting: Fitting, callbacks: Iterable[Callback]) -> OnEpoch | None:
        """What calls the callbacks with this model as it is then; None where there are none."""
        some: Sequence[Callback] = tuple(callbacks)
        if not all(map(callable, some)):
            msg = "each of callbacks must be a function of (model, record of the epoch); True from it ends the training"
            raise ConfigError(msg)

        def call(record: EpochEnd) -> bool:
            if not self._take(fitting, copy=True):
                msg = f"some vectors are not finite after epoch {record.epoch + 1}: training diverged; lower alpha"
                raise NumericalError(msg)
            answers = [callback(self, record) for callback in some]  # all are called, whatever one says
            return any(answer is True for answer in answers)

        return call if some else None

    def _take(self, fitting: Fitting, copy: bool = False) -> bool:
        """Bring the tables to the host, if they are any good; the history in any case."""
        self.history: list[Progress] = fitting.whole_history
        self.epoch_history: list[EpochEnd] = fitting.whole_epoch_history
        self.epochs_trained: int = fitting.epochs_trained
        # Training goes on after a callback, and the host's tables may be the ones that it changes.
        centers, outside = (
            np.array(table) if copy else table for table in map(fitting.backend.to_host, fitting.tables)
        )
        finite = fitting.usable and first_bad_row(centers) is None and first_bad_row(outside) is None
        if finite:
            vocabulary = fitting.corpus.vocabulary
            self.wv = WordVectors(vocabulary.words, centers, vocabulary.counts)
            self.outside_vectors = outside
        return finite

    def transform(self, documents: Any) -> Any:
        """(n, D) float32: the mean of the vectors of each document's known words, zero where there are none.

        Parameters
        ----------
        documents : n lists of words; `xw2v.DocumentVectors` weighs words by how rare they are

        Raises
        ------
        CorpusError   a document is a string.   NotFittedError   nothing was learned yet.

        Examples
        --------
        >>> from xw2v import Word2Vec
        >>> model = Word2Vec(vector_size=4, min_count=1, epochs=2, workers=1).fit([["tea", "milk"]] * 20)
        >>> model.transform([["tea"], ["tea", "milk", "unknown"], []]).shape
        (3, 4)
        """
        return mean_vectors(self.wv, documents)

    def _vectors(self) -> WordVectors:
        return self.wv

    def __sklearn_is_fitted__(self) -> bool:
        return "wv" in self.__dict__

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write both tables, the vocabulary, the options and the history to a folder, all or nothing.

        Raises
        ------
        FileAccessError   it cannot be written, or something that is not a model lies there
        NotFittedError    there is nothing to save yet

        Examples
        --------
        >>> import tempfile
        >>> from xw2v import Word2Vec
        >>> model = Word2Vec(vector_size=4, min_count=1, epochs=2, workers=1).fit([["tea", "milk"]] * 20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(folder + "/model")
        ...     bool((Word2Vec.load(folder + "/model").wv.vectors == model.wv.vectors).all())
        True
        """
        save_model_folder(
            folder,
            {"center_vectors": self.wv.vectors, "outside_vectors": self.outside_vectors},
            self.wv.index_to_key,
            self.wv.counts,
            {
                "config": self.config.to_dict(),
                "corpus_words": self.corpus_words,
                "epochs_trained": self.epochs_trained,
                "backend": self.backend_note,
                "engine": self.engine_note,
                "history": [dataclasses.asdict(record) for record in self.history],
                "epoch_history": [dataclasses.asdict(record) for record in self.epoch_history],
            },
        )

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Word2Vec:
        """A model as `save` wrote it.

        Raises
        ------
        MissingFileError   there is no such folder;  FormatError   it is not a model, or damaged
        """
        stored = load_model_folder(folder)
        metadata = stored.metadata
        try:
            model = cls(**metadata["config"])
            model.history = [Progress.of(record) for record in metadata["history"]]
            model.epoch_history = [EpochEnd.of(record) for record in metadata.get("epoch_history", [])]
            model.corpus_words = int(metadata["corpus_words"])
            model.epochs_trained = int(metadata.get("epochs_trained", model.config.epochs))
            model.backend_note, model.engine_note = str(metadata["backend"]), str(metadata["engine"])
            model.outside_vectors = stored.tables["outside_vectors"]
            wanted = (len(model.outside_vectors), model.config.vector_size)
            if not model.outside_vectors.shape == stored.tables["center_vectors"].shape == wanted:
                msg = "the tables are not of the options' vector_size"
                raise FormatError(msg)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            msg = f"{folder} is not a whole Word2Vec model ({error}); WordVectors.load reads vectors alone"
            raise FormatError(msg) from error
        model.wv = WordVectors.load(folder)
        return model
