"""Word vectors (word2vec skip-gram) from one set of formulas, on a CPU or a GPU."""

from xw2v.backend import get_backend
from xw2v.config import Config
from xw2v.conventions import DocumentVectors
from xw2v.errors import XW2VError
from xw2v.estimator import Word2Vec
from xw2v.gradcheck import check_gradient
from xw2v.losses import (
    log_sigmoid,
    log_softmax,
    naive_softmax,
    negative_sampling,
    shared_negative_sampling,
    sigmoid,
    skipgram,
    softmax,
)
from xw2v.text.store import EncodedCorpus, encode
from xw2v.training.epochs import EpochEnd
from xw2v.vectors.epoch_scores import EpochScores
from xw2v.vectors.word_vectors import WordVectors
from xw2v.walks import random_walks

__all__ = [
    "Config",
    "DocumentVectors",
    "EncodedCorpus",
    "EpochEnd",
    "EpochScores",
    "Word2Vec",
    "WordVectors",
    "XW2VError",
    "check_gradient",
    "encode",
    "get_backend",
    "log_sigmoid",
    "log_softmax",
    "naive_softmax",
    "negative_sampling",
    "random_walks",
    "shared_negative_sampling",
    "sigmoid",
    "skipgram",
    "softmax",
]
__version__ = "0.1.0.dev0"
