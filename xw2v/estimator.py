"""`Word2Vec`: options in, fitted vectors out. Joins text, training and vectors."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NoReturn

import numpy as np

from xw2v.caller import warn_caller
from xw2v.config import Config, documented
from xw2v.conventions import Transformer, mean_vectors
from xw2v.errors import ConfigError, NotFittedError, NumericalError
from xw2v.fitting import Fitting, Learned, OnEpoch
from xw2v.gensim_names import ATTRIBUTES, arguments_lead_on, leads_on, of_training
from xw2v.losses import softmax
from xw2v.preparation import FitOptions, prepared
from xw2v.stored_model import StoredModel, load_model, save_model
from xw2v.tensors import first_bad_row
from xw2v.text.memory import MEMORY
from xw2v.text.vocabulary import Vocabulary
from xw2v.training.epochs import EpochEnd
from xw2v.training.records import settle_scores
from xw2v.training.walk import Progress
from xw2v.vectors.arguments import as_list, as_number
from xw2v.vectors.lookup import Key
from xw2v.vectors.nearest import largest
from xw2v.vectors.word_vectors import WordVectors

__all__ = ["NotFittedError", "Word2Vec"]

Callback = Callable[["Word2Vec", EpochEnd], Any]

_LEARNED = StoredModel._fields[1:]


@arguments_lead_on(of_training([item.name for item in dataclasses.fields(Config)], ["epochs", "alpha", "min_alpha"]))
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
    lowered : bool                          whether `fit` lower-cased the words, as `partial_fit` then does

    Raises
    ------
    ConfigError   an option is out of its range

    Examples
    --------
    >>> from xw2v import Word2Vec
    >>> sentences = [["the", "queen", "and", "the", "king"], ["the", "king", "and", "a", "man"]] * 50
    >>> model = Word2Vec(vector_size=8, min_count=1, sample=0, epochs=2, seed=3).fit(sentences)
    >>> model.wv["queen"].shape
    (8,)
    """

    _before_training: Callable[[Vocabulary], None] | None = None  # may refuse the vocabulary

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
        return Config(**{item.name: getattr(self, item.name) for item in dataclasses.fields(Config)})

    def __repr__(self) -> str:
        default = Config().to_dict()
        changed = [f"{name}={value!r}" for name, value in self.get_params().items() if value != default.get(name)]
        text = f"{type(self).__name__}({', '.join(changed)})"
        if self.__sklearn_is_fitted__():
            text += f" of {len(self.wv):,} words, vector_size={self.wv.vector_size}"
        return text

    def __getattr__(self, name: str) -> Any:
        # Reached only where the attribute is not there.
        if name in _LEARNED:
            msg = f"the model has no {name} yet: call fit first"
            raise NotFittedError(msg)
        if name in ATTRIBUTES:
            msg = f"Word2Vec has no {name}: {ATTRIBUTES[name]}"
            raise AttributeError(msg)
        if hasattr(WordVectors, name) and not name.startswith("_"):
            msg = f"Word2Vec has no {name}: ask its vectors, wv.{name}"
            raise AttributeError(msg)
        msg = f"{type(self).__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)

    def __getitem__(self, word: Any) -> NoReturn:
        del word  # that of `word in model`, which comes here, too, is not told: it is 0
        msg = "ask the model's vectors for words: model.wv[word], word in model.wv"
        raise TypeError(msg)

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
        progress: bool | None = None,
        on_encode: Callable[[int, int | None, int], None] | None = None,
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
            pandas, polars or pyarrow, arrays of integer ids, or EncodedCorpus, which keeps its own vocabulary and
            refuses other options for it than the defaults and its own; see `xw2v.text.readers.open_source`
        y : whatever a pipeline of scikit-learn has there; not used
        lower, errors, column : bool, str, str or None
            fold case; "strict" or "replace" for wrong UTF-8; the column of a table to read
        encoded_dir : path or None
            keep the encoded corpus there and use it again while the source is unchanged
        memory : int or str                what reading and counting text may take, as "512M"; see `encode`
        progress : bool or None            show how far reading, compiling and training are: a bar that vanishes on a
            terminal, one that stays in a notebook, lines where standard error goes elsewhere. None: after two seconds
            on a terminal or in a notebook, unless `on_encode` or `on_progress` is given; not where scikit-learn calls,
            as in a grid search, and not in other threads and processes than the first
        on_encode : callable or None       called with (bytes done, bytes in all or None, words) while reading; with
            `distributed` at first about what rank 0 reads itself
        on_progress : callable or None     called with a `Progress` after every chunk
        on_note : callable or None         called with a line of text, from another thread, when a wait wants a reason
        on_warning : callable or None      called, maybe from another thread, when the run survives a failure,
            as a checkpoint for which the disk is too full, or has learned next to nothing; None: a RuntimeWarning
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
        KeyboardInterrupt   after Ctrl-C, SIGTERM or SIGHUP; what was learned until then is in `wv`

        Examples
        --------
        >>> from xw2v import Word2Vec
        >>> baskets = [[101, 102, 103], [101, 103], [201, 202]] * 20  # an integer is a word of these digits
        >>> model = Word2Vec(vector_size=4, min_count=1, sample=0, workers=1).fit(baskets)
        >>> sorted(model.wv.index_to_key), model.wv[101].dtype, model.outside_vectors.shape
        (['101', '102', '103', '201', '202'], dtype('float32'), (5, 4))
        """
        how = {name: value for name, value in locals().items() if name not in ("self", "corpus", "y")}
        return self._learn(corpus, self.config, None, FitOptions(**how))

    def partial_fit(
        self,
        corpus: Any,
        y: Any = None,
        *,
        epochs: int | None = None,
        alpha: float | None = None,
        min_alpha: float | None = None,
        **how: Any,
    ) -> Word2Vec:
        """Go on learning, from the same corpus or another one, after `fit` or `load`.

        Words keep their rows and keys; words that are new and frequent enough (`min_count`) get rows after them.
        Counts are those of all texts together; they stay where there was one text only, and this is that one again (of
        two texts in turn each is counted every time). Draws differ from those of earlier epochs. `history` goes on. A
        model that was not fitted is fitted.

        Parameters
        ----------
        corpus, y : as in `fit`
        epochs, alpha, min_alpha : for this call; None: the model's options
        how : the other keywords of `fit`; `lower`, where it is not given, is what the first `fit` had

        Returns
        -------
        Word2Vec   itself

        Raises
        ------
        As `fit`.

        Examples
        --------
        >>> from xw2v import Word2Vec
        >>> model = Word2Vec(vector_size=4, min_count=1, sample=0, epochs=2, workers=1).fit([["tea", "milk"]] * 20)
        >>> model.partial_fit([["tea", "sugar"]] * 20, epochs=1).wv.index_to_key, model.epochs_trained
        (['tea', 'milk', 'sugar'], 3)
        """
        del y
        unknown = sorted(set(how) - {item.name for item in dataclasses.fields(FitOptions)})
        if unknown:
            msg = f"partial_fit() got an unexpected keyword argument {unknown[0]!r}"
            raise TypeError(msg)
        if self.__sklearn_is_fitted__():
            how.setdefault("lower", self.lowered)
        given = {"epochs": epochs, "alpha": alpha, "min_alpha": min_alpha}
        config = self.config.replace(**{name: value for name, value in given.items() if value is not None})
        return self._learn(corpus, config, self._learned(config), FitOptions(**how))

    def _learned(self, config: Config) -> Learned | None:
        """What training with these options goes on from; None: nothing was learned yet.

        Raises
        ------
        ConfigError   the vectors are of another size.
        """
        if not self.__sklearn_is_fitted__():
            return None
        if config.vector_size != self.wv.vector_size:
            msg = (
                f"vector_size is {config.vector_size} and the vectors have {self.wv.vector_size} numbers: "
                "set it back to go on with them; fit learns anew"
            )
            raise ConfigError(msg)
        counts = self.wv.counts if self.wv.counts is not None else np.zeros(len(self.wv), np.int64)
        return Learned(
            Vocabulary(self.wv.index_to_key, counts),
            self.wv.vectors,
            self.outside_vectors,
            self.epochs_trained,
            self.history,
            self.epoch_history,
        )

    def _learn(self, corpus: Any, config: Config, learned: Learned | None, how: FitOptions) -> Word2Vec:
        before = {name: self.__dict__[name] for name in _LEARNED} if learned is not None else {}
        with prepared(corpus, config, learned, how) as (fitting, checkpoints, shown):
            if self._before_training is not None:
                self._before_training(fitting.corpus.vocabulary)
            take = partial(self._take, fitting, _about(fitting, config, how.distributed))
            try:
                fitting.run(checkpoints, shown.resume, shown.on_progress, shown.on_note, self._on_epoch(take, shown))
            except (KeyboardInterrupt, NumericalError):
                if not take():
                    self._give_up(before)
                raise
            if not take():
                self._give_up(before)
                msg = f"some vectors are not finite: training diverged; lower alpha ({config.alpha})"
                raise NumericalError(msg)
            if complaint := fitting.complaint():
                _warn(shown, complaint)
        return self

    def _on_epoch(self, take: Callable[..., bool], how: FitOptions) -> OnEpoch | None:
        """What calls the callbacks with this model as it is then; None where there are none."""

        def call(record: EpochEnd) -> bool:
            if not take(copy=True):
                msg = f"some vectors are not finite after epoch {record.epoch + 1}: training diverged; lower alpha"
                raise NumericalError(msg)
            answers = [callback(self, record) for callback in how.callbacks]  # all are called, whatever one says
            for complaint in settle_scores(record):
                _warn(how, complaint)
            return any(answer is True for answer in answers)

        return call if how.callbacks else None

    def _take(self, fitting: Fitting, about: dict[str, Any], copy: bool = False) -> bool:
        """Bring the tables to the host, if they are any good; the history and what else there is to say in any case."""
        self.__dict__.update(about)
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

    def _give_up(self, before: dict[str, Any]) -> None:
        """After a training that left nothing to keep: what was known before, no vectors if that was nothing."""
        for name in ("wv", "outside_vectors"):
            self.__dict__.pop(name, None)
        self.__dict__.update(before)

    def predict_output_word(self, context_words_list: Iterable[Key], topn: int | None = 10) -> Any:
        """The words likeliest to stand among given ones: softmax of the outside vectors with the words' mean vector.

        As in gensim, a use that training does not aim at: it learns from pairs of words, and with noise words rather
        than the softmax where `loss` is "negative_sampling". Unknown words are left out, unless all are.

        Parameters
        ----------
        context_words_list : list of words
        topn : how many; None for the (V,) probabilities of all words, in place of a list

        Returns
        -------
        list of at most `topn` (word, probability), falling

        Raises
        ------
        UnknownWordError   no word is known.   ConfigError   there are none.   NotFittedError   nothing was learned yet.

        Examples
        --------
        >>> from xw2v import Word2Vec
        >>> baskets = [["tea", "milk"], ["beer", "nuts"]] * 200
        >>> model = Word2Vec(vector_size=8, min_count=1, sample=0, alpha=0.1, workers=1).fit(baskets)
        >>> model.predict_output_word(["tea"], topn=1)[0][0]
        'milk'
        """
        words = as_list(context_words_list)
        mean = self.wv.get_mean_vector(words, pre_normalize=False)
        odds = softmax(self.outside_vectors @ mean)
        count = as_number(topn, "topn", "the probabilities of all words")
        if count is None:
            return odds
        return [(self.wv.index_to_key[row], float(odds[row])) for row in largest(odds, count)]

    def transform(self, documents: Any) -> Any:
        """(n, D) float32: the mean of the vectors of each document's known words, zero where there are none.

        A table of pandas or polars after `set_output`.

        Parameters
        ----------
        documents : n lists of words; `xw2v.DocumentVectors` weighs words by how rare they are

        Raises
        ------
        CorpusError   a document is a string.   NotFittedError   nothing was learned yet.

        Examples
        --------
        >>> from xw2v import Word2Vec
        >>> model = Word2Vec(vector_size=4, min_count=1, sample=0, epochs=2, workers=1).fit([["tea", "milk"]] * 20)
        >>> model.transform([["tea"], ["tea", "milk", "unknown"], []]).shape
        (3, 4)
        """
        return self._as_asked(mean_vectors(self.wv, documents), documents)

    def _vectors(self) -> WordVectors:
        return self.wv

    def __sklearn_is_fitted__(self) -> bool:
        return "wv" in self.__dict__

    def save(self, folder: str | os.PathLike[str], *, progress: bool | None = None) -> None:
        """Write both tables, the vocabulary, the options and the history to a folder, all or nothing.

        Parameters
        ----------
        progress : as in `fit`

        Raises
        ------
        FileAccessError   it cannot be written, or something that is not a model lies there
        NotFittedError    there is nothing to save yet

        Examples
        --------
        >>> import tempfile
        >>> from xw2v import Word2Vec
        >>> model = Word2Vec(vector_size=4, min_count=1, sample=0, epochs=2, workers=1).fit([["tea", "milk"]] * 20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(folder + "/model")
        ...     bool((Word2Vec.load(folder + "/model").wv.vectors == model.wv.vectors).all())
        True
        """
        config = self.config
        if "_encoded" in self.__dict__:  # whoever opens the model is told what made its vocabulary
            known = {name: made for name, (given, made) in self._encoded.items() if getattr(config, name) == given}
            config = config.replace(**known)
        save_model(folder, StoredModel(config, *(getattr(self, name) for name in _LEARNED)), progress)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Word2Vec:
        """A model as `save` wrote it.

        Raises
        ------
        MissingFileError   there is no such folder;  FormatError   it is not a model, or damaged
        """
        stored = load_model(folder)
        model = cls()
        for name, value in {**stored.config.to_dict(), **stored._asdict()}.items():
            if name != "config":
                setattr(model, name, value)
        return model


def _about(fitting: Fitting, config: Config, distributed: Any) -> dict[str, Any]:
    """What a model says of a training beside what it learned: attributes by name."""
    corpus, backend = fitting.corpus, fitting.backend
    about = {
        "corpus_words": corpus.raw_words,
        "engine_note": fitting.engine_note,
        "backend_note": f"{backend.name}: {backend.why}{_unheeded(config, backend.name, distributed)}",
    }
    if fitting.learned is None:  # else its first corpus decided
        given = config.to_dict()
        encoded = {name: (given[name], made) for name, made in corpus.options.items() if name in given}
        about |= {"_encoded": encoded, "lowered": bool(corpus.options.get("lower", False))}
    return about


def _unheeded(config: Config, backend: str, distributed: Any) -> str:
    """What was asked for that means nothing to this run, for `backend_note`."""
    names = [name for name in ("device", "tf32") if backend == "numpy" and getattr(config, name)]
    note = f"; no GPU, so {' and '.join(names)} mean{'' if names[1:] else 's'} nothing" if names else ""
    return note + ("; one process, so sync means nothing" if config.sync != "average" and distributed is False else "")


def _warn(how: FitOptions, text: str) -> None:
    """Say what the run survives to whom `fit` was told to, else as a warning about the line that calls `fit`."""
    if how.on_warning is not None:
        how.on_warning(text)
    else:
        warn_caller(text)
