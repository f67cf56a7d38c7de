"""Names of gensim's Word2Vec that are others here, or are not there: a line says what to do."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np

from xw2v.errors import ConfigError

__all__ = ["ATTRIBUTES", "leads_on"]

F = TypeVar("F", bound=Callable[..., None])

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
    "batch_words": "nothing needs it: leave it out",
    "sorted_vocab": "words are always in the order of their counts: leave it out",
}

ATTRIBUTES = {
    "build_vocab": "fit(corpus) learns anew; partial_fit(corpus) goes on, with new words, too",
    "train": "fit(corpus) learns anew; partial_fit(corpus) goes on, with new words, too",
    "get_latest_training_loss": "history[-1].loss is the loss of a pair",
    "running_training_loss": "history[-1].loss is the loss of a pair",
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
