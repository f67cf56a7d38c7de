"""Names of gensim's classes that are others here, or are not there: a line says what to do."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np

from xw2v.errors import ConfigError

__all__ = ["ATTRIBUTES", "OF_VECTORS", "arguments_lead_on", "leads_on", "of_training"]

F = TypeVar("F", bound=Callable[..., None])
C = TypeVar("C", bound=type)

_NOTHING = "nothing needs it: leave it out"

_SKIP_GRAM = "it trains skip-gram, with noise words or the exact softmax: leave it out"
_OTHERWISE = {
    "sentences": "a corpus is given to fit: Word2Vec(...).fit(sentences)",
    "corpus_file": "a corpus is given to fit: Word2Vec(...).fit(path)",
    "size": "use vector_size",
    "iter": "use epochs",
    "sg": _SKIP_GRAM,
    "hs": _SKIP_GRAM,
    "cbow_mean": _SKIP_GRAM,
    "compute_loss": "history always has the loss: leave it out",
    "callbacks": "they are given to fit: Word2Vec(...).fit(corpus, callbacks=[...])",
    "trim_rule": "use min_count and max_final_vocab",
    "random_state": "use seed",
    "n_jobs": "use workers",
    "batch_words": _NOTHING,
    "comment": _NOTHING,
    "hashfxn": "no draw needs a hash, seed makes them all: leave it out",
    "null_word": _NOTHING,
    "sorted_vocab": "words are always in the order of their counts: leave it out",
}

ATTRIBUTES = {
    "build_vocab": "fit(corpus) learns anew; partial_fit(corpus) goes on, with new words, too",
    "train": "fit(corpus) learns anew; partial_fit(corpus) goes on, with new words, too",
    "get_latest_training_loss": "history[-1].loss is the loss of a pair",
    "running_training_loss": "history[-1].loss is the loss of a pair",
    "build_vocab_from_freq": "fit(corpus) counts the words",
    "corpus_count": "nothing needs it; corpus_words counts the words of the corpus",
    "total_train_time": "use history[-1].seconds",
    "init_sims": "nothing needs it",
    "delete_temporary_training_data": "nothing needs it",
    "accuracy": "ask its vectors, wv.evaluate_word_analogies",
    "vocab": "ask its vectors, wv.key_to_index",
    "syn0": "use wv.vectors",
    "layer1_size": "use vector_size",
    "syn1neg": "use outside_vectors",
    "corpus_total_words": "use corpus_words",
    "score": "it is not there; validation_fraction measures the loss on sentences kept aside",
    "intersect_word2vec_format": "it is not there; training begins with random vectors, or goes on by partial_fit",
}


def leads_on(init: F) -> F:
    """An `__init__` that answers a name of gensim's with the way to go.

    Raises
    ------
    ConfigError   a keyword is such a name, or nearly one of ours, or the first argument a corpus.
    """
    ours = list(inspect.signature(init).parameters)[1:]

    @wraps(init)
    def checked(self: Any, *given: Any, **options: Any) -> None:
        if given and not isinstance(given[0], (int, float, np.number)):  # gensim's first one is the corpus
            msg = f"the first option, vector_size, must be an integer; {_OTHERWISE['sentences']}"
            raise ConfigError(msg)
        for name in options:
            if name in _OTHERWISE:
                msg = f"{type(self).__name__} has no option {name!r}: {_OTHERWISE[name]}"
                raise ConfigError(msg)
            near = [] if name in ours else get_close_matches(name, ours, 1, 0.8)
            if near:
                msg = f"{type(self).__name__} has no option {name!r}: use {near[0]}"
                raise ConfigError(msg)
        init(self, *given, **options)

    return cast("F", checked)


# --- arguments of methods -----------------------------------------------------------------------------------

Ways = Mapping[str, str]

_UTF8 = "files are UTF-8: leave it out"
_UNKNOWN = "unknown words are left out, and counted in the result: leave it out"
_FIRST_WORDS = "restrict_vocab=n searches the first n words"
_PAIR = {"w1": "use a=", "w2": "use b="}
_TWO = {"key1": "use word=", "key2": "use other="}
OF_VECTORS: dict[str, Ways] = {
    "__init__": dict.fromkeys(
        ("vector_size", "count", "dtype", "mapfile_path"),
        "words and vectors are given at once, WordVectors(words, vectors)",
    ),
    "similarity": _PAIR,
    "distance": _PAIR,
    "relative_cosine_similarity": {"wa": "use a=", "wb": "use b="},
    "n_similarity": {"ws1": "use words=", "ws2": "use others="},
    "closer_than": _TWO,
    "rank": _TWO,
    "most_similar_to_given": {"key1": "use word=", "keys_list": "use words="},
    "rank_by_centrality": {"use_norm": "words always enter as unit vectors: leave it out"},
    "cosine_similarities": {"vector_1": "use vector=", "vectors_all": "use vectors="},
    "most_similar": {
        "clip_start": _FIRST_WORDS,
        "clip_end": _FIRST_WORDS,
        "indexer": "searches are exact: leave it out",
    },
    "similar_by_word": {"key": "use word="},
    "similar_by_key": {"key": "use word="},
    "vectors_for_all": {"allow_inference": "unknown words get no vectors: leave it out"},
    "evaluate_word_pairs": {
        "pairs": "use path=",
        "delimiter": "it is found out: leave it out",
        "encoding": _UTF8,
        "dummy4unknown": _UNKNOWN,
    },
    "evaluate_word_analogies": {"analogies": "use path=", "dummy4unknown": _UNKNOWN},
    "load": {"fname": "use folder="},
    "save": {"fname": "use folder="}
    | dict.fromkeys(("fname_or_handle", "separately", "sep_limit", "ignore", "pickle_protocol"), _NOTHING),
    "load_word2vec_format": {
        "fname": "use path=",
        "encoding": _UTF8,
        "datatype": "vectors are float32: leave it out",
    },
    "save_word2vec_format": {
        "fname": "use path=",
        "total_vec": _NOTHING,
        "prefix": "it is not there",
        "append": "it is not there",
        "sort_attr": "words are written in their order; sort_by_descending_frequency() changes it",
    },
}
"""The arguments of methods of gensim's KeyedVectors that are others in `WordVectors`."""


def of_training(options: Iterable[str], own: Iterable[str]) -> dict[str, Ways]:
    """The arguments of gensim's `train` and `build_vocab` that are others in `fit` and `partial_fit`.

    Parameters
    ----------
    options : those of the model, which are no arguments of `fit`
    own : those of them that `partial_fit` takes
    """
    both = dict.fromkeys(
        ("total_examples", "total_words", "word_count", "queue_factor", "report_delay", "keep_raw_vocab", "update"),
        _NOTHING,
    )
    both |= dict.fromkeys(("sentences", "corpus_iterable", "corpus_file"), "use corpus=, or give it first")
    both |= {"compute_loss": _OTHERWISE["compute_loss"], "trim_rule": _OTHERWISE["trim_rule"]}
    both |= {"progress_per": "use progress=True", "report": "use progress=True"}
    first = {name: f"it is an option, Word2Vec({name}=...).fit(corpus)" for name in options}
    later = {name: f"it is an option, model.set_params({name}=...)" for name in set(options) - set(own)}
    # Setting it would be refused by the next `partial_fit` of a model that has vectors.
    later["vector_size"] = "vectors keep the size of the first fit; Word2Vec(vector_size=...).fit(corpus) learns anew"
    starts = {"start_alpha": "alpha", "end_alpha": "min_alpha"}
    return {
        "fit": both | first | {theirs: first[ours] for theirs, ours in starts.items()},
        "partial_fit": both | later | {theirs: f"use {ours}=" for theirs, ours in starts.items()},
    }


def arguments_lead_on(methods: Mapping[str, Ways]) -> Callable[[C], C]:
    """A class whose methods answer arguments of gensim's by the way to go, where they would not know them.

    Parameters
    ----------
    methods : of each the arguments, and what to do instead
    """

    def around(owner: C) -> C:
        for name, ways in methods.items():
            called = owner.__name__ if name == "__init__" else name
            setattr(owner, name, _answering(inspect.getattr_static(owner, name), called, ways))
        return owner

    return around


def _answering(method: Any, called: str, ways: Ways) -> Any:
    if isinstance(method, (classmethod, staticmethod)):
        return type(method)(_answering(method.__func__, called, ways))

    @wraps(method)
    def checked(*given: Any, **named: Any) -> Any:
        for name in named:
            if name in ways:
                msg = f"{called} has no argument {name!r}: {ways[name]}"
                raise ConfigError(msg)
        return method(*given, **named)

    return checked
