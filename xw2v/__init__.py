"""Word vectors (word2vec skip-gram) from one set of formulas, on a CPU or a GPU.

>>> from xw2v import Word2Vec
>>> sentences = [["tea", "milk", "sugar"], ["rain", "snow", "wind"]] * 300
>>> model = Word2Vec(vector_size=8, min_count=1, sample=0, workers=1).fit(sentences)
>>> model.wv.similarity("tea", "milk") > model.wv.similarity("tea", "snow")
True

What to call; each has a help of its own, as `help(xw2v.Word2Vec.fit)`:

train                   Word2Vec(vector_size=100, window=5, ...).fit(corpus): a text file or many, compressed or not,
                        Parquet, tables of pandas, polars and pyarrow, lists of tokens, integer ids
options                 help(xw2v.Word2Vec), or Config: each with its range, default and meaning
text once, many runs    encode(corpus, folder), then fit(EncodedCorpus.open(folder))
graphs                  fit(random_walks(edges)): DeepWalk, node2vec
save, load              model.save(folder), Word2Vec.load(folder); WordVectors.load(folder) for the vectors alone
learn more              model.partial_fit(corpus): more epochs, other text, new words
see how far it is       fit(corpus, progress=True); after two seconds without, on a terminal and in a notebook
not lose a run          fit(corpus, checkpoint_dir=folder), later resume=True, too
know when to stop       Word2Vec(validation_fraction=0.01, patience=1); fit(corpus, callbacks=[EpochScores(file)]);
                        a callback is given the model and an EpochEnd
ask                     model.wv is a WordVectors: wv["king"], wv.most_similar("king"), wv.similarity("a", "b"),
                        wv.analogy("man", "king", "woman"), wv.most_similar_batch(words)
evaluate                wv.evaluate([files]), wv.evaluate_word_pairs(file), wv.evaluate_word_analogies(file)
exchange                wv.save_word2vec_format(path), WordVectors.load_word2vec_format(path); on the command line
                        xw2v export, for TensorBoard, Hugging Face, NumPy and spaCy
see                     wv.plot(["king", "queen"]) in a notebook; on the command line xw2v plot and xw2v report
documents               model.transform(documents), DocumentVectors(model): steps of a scikit-learn pipeline
a GPU                   Word2Vec(backend="cupy"); wv.on("cupy") for a great many questions; xw2v info says what is there
many processes          fit(corpus, distributed=True) under mpiexec or srun
the formulas            naive_softmax, negative_sampling, skipgram, shared_negative_sampling, sigmoid, softmax,
                        log_sigmoid, log_softmax, for arrays of any library; check_gradient(f, x) looks at a gradient;
                        get_backend("auto") is NumPy or CuPy with what the array API lacks
errors                  each is an XW2VError, whose text is one line

`xw2v --help` lists the commands; `xw2v demo` shows them at work without a file.
"""

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
