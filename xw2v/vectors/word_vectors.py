"""`WordVectors`: words with their vectors, the questions one asks of them, their scores and files.

V words, D vector size. It is built in three steps: words and rows (`lookup`), questions about given words
(`similarities`), questions that go through all words (`searches`). Scores are in `evaluated`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from xw2v.errors import ConfigError
from xw2v.files import PathLike
from xw2v.gensim_names import OF_VECTORS, arguments_lead_on
from xw2v.vectors import model_folder, word2vec_format
from xw2v.vectors.evaluated import Evaluated
from xw2v.vectors.lookup import Key
from xw2v.vectors.searches import Searches

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["WordVectors"]

_READ_ONLY = "vectors stay as they are; make others: WordVectors(words, vectors, counts)"
_ELSEWHERE = {  # names of gensim, of today or before its version 4
    "add_vector": _READ_ONLY,
    "add_vectors": _READ_ONLY,
    "set_vecattr": _READ_ONLY,
    "vocab": "use key_to_index, or get_vecattr(word, 'count')",
    "index2word": "use index_to_key",
    "index2entity": "use index_to_key",
    "syn0": "use vectors",
    "norms": "use numpy.linalg.norm(wv.vectors, axis=1)",
    "expandos": "use counts",
    "accuracy": "use evaluate_word_analogies",
    "vectors_norm": "use get_normed_vectors()",
    "init_sims": "nothing needs it",
    "fill_norms": "nothing needs it",
    "wv": "these are the vectors",
    "get": "use wv[word], where word in wv, or get_index(word, -1)",
    "word_vec": "use get_vector",
    "words_closer_than": "use closer_than",
    "similarity_unseen_docs": "use n_similarity, which leaves unknown words out",
    "intersect_word2vec_format": _READ_ONLY,
}


@arguments_lead_on(OF_VECTORS)
class WordVectors(Searches, Evaluated):
    """Words and their vectors, in the order given (by falling count where a training made them).

    Parameters
    ----------
    words : V different strings; an integer stands for its decimal digits, as keys do everywhere
    vectors : (V, D) array of finite numbers; kept as float32, without a copy where it is float32 already
    counts : (V,) integers, how often each word occurs; optional

    Attributes
    ----------
    vectors : (V, D) float32, read-only
    index_to_key : list of the V words, read-only
    key_to_index : dict from word to row, read-only
    vector_size : D
    counts : (V,) int64 or None

    Raises
    ------
    ShapeError   not two-dimensional, or not one row and one count a word.
    ConfigError   a word that is no string, or comes twice.
    NumericalError   NaN or infinity.
    MixedArraysError   an array that is not in the host's memory, or not of numbers.

    Examples
    --------
    >>> wv = WordVectors(["man", "woman", "king", "queen"], [[1, 0], [1, 1], [4, 0], [4, 4]])
    >>> wv
    WordVectors(4 words, vector_size=2: 'man', 'woman', 'king', 'queen')
    >>> wv["queen"]
    array([4., 4.], dtype=float32)
    >>> wv[["man", "king"]].shape
    (2, 2)
    >>> "king" in wv, 2 in wv, len(wv), list(wv)[:2]
    (True, False, 4, ['man', 'woman'])
    """

    def __getattr__(self, name: str) -> Any:
        # Reached only where the attribute is not there.
        way = f": {_ELSEWHERE[name]}" if name in _ELSEWHERE else ""
        msg = f"{type(self).__name__} has no attribute {name!r}{way}"
        raise AttributeError(msg)

    # --- pictures -------------------------------------------------------------------------------------------

    def plot(
        self,
        words: Iterable[Key] | None = None,
        path: PathLike | None = None,
        *,
        near: Iterable[Key] = (),
        analogies: Sequence[Sequence[Key]] = (),
        title: str | None = None,
        method: str = "pca",
    ) -> Figure:
        """A picture of words in the plane, as `xw2v plot` draws it.

        Parameters
        ----------
        words : by default, where `near` is not given, the 50 most frequent of four letters or more, or of any length
            where few are
        path : picture to write, .png, .svg or .pdf; by default none
        near : adds the 15 nearest to each of these words, in a colour for each
        analogies : pairs (a, b) or quadruples (a, b, c, d) of words; arrows go from a to b and from c to d
        title : above the picture
        method : "pca"; "tsne" or "umap" where scikit-learn or umap-learn is there

        Returns
        -------
        matplotlib Figure   which a notebook shows; `figure.savefig(path)` writes it

        Raises
        ------
        UnknownWordError   a word has no vector.   ConfigError   a suffix or a method that is not known.
        FileAccessError    the picture cannot be written; an older one stays.

        Examples
        --------
        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["man", "woman", "king", "queen"], [[1, 0], [1, 1], [4, 0], [4, 4]])
        >>> figure = wv.plot(["man", "king", "queen"])
        """
        from xw2v.vectors import plots

        return plots.plot_vectors(self, words, path, near=near, analogies=analogies, title=title, method=method)

    # --- files ----------------------------------------------------------------------------------------------

    def save(self, folder: PathLike, *, progress: bool | None = None) -> None:
        """Write a model folder with words, vectors and counts, all or nothing; `load` reads it.

        Parameters
        ----------
        progress : as in `Word2Vec.fit`

        Raises
        ------
        FileAccessError   it cannot be written, or what is there is no model or holds more than this would write.
        """
        tables = {"center_vectors": self.vectors}
        facts = {"kind": "word vectors"}
        model_folder.save_model_folder(folder, tables, self.index_to_key, self.counts, facts, progress)

    @classmethod
    def load(cls, folder: PathLike, mmap: bool = True) -> Self:
        """The word vectors of a model folder, its centre vectors where it holds a whole model.

        With `mmap` the vectors stay in the file and are shared by all processes that map it, and nothing is gone
        through before it is asked for: NaN in the file or a word that comes twice is reported then.

        Raises
        ------
        MissingFileError   there is no such folder.   FormatError   it is no model, or damaged.

        >>> import tempfile
        >>> from xw2v import WordVectors
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     WordVectors(["a", "b"], [[1, 2], [3, 4]]).save(folder)
        ...     WordVectors.load(folder, mmap=False)["b"]
        array([3., 4.], dtype=float32)
        """
        return cls._mapped(model_folder.load_model_folder(folder, mmap))

    def save_word2vec_format(
        self,
        path: PathLike,
        binary: bool = False,
        fvocab: PathLike | None = None,
        write_header: bool = True,
        *,
        progress: bool | None = None,
    ) -> None:
        """Write word2vec's text or binary format, gzipped where `path` ends in .gz; outside vectors are not in it.

        Parameters
        ----------
        binary : little-endian float32; else decimal numbers that are the same float32
        fvocab : also write the counts there, "word count" a line, as word2vec.c's -save-vocab does
        write_header : False leaves out the first line, as GloVe's files do
        progress : as in `Word2Vec.fit`

        Raises
        ------
        FileAccessError   it cannot be written; a file that was there is left as it was.
        FormatError       the format cannot hold a word, as one with a space in it.
        ConfigError       there are no counts to write.

        Examples
        --------
        >>> import tempfile
        >>> from xw2v import WordVectors
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     WordVectors(["a", "b"], [[1, 2], [3, 4]]).save_word2vec_format(folder + "/v.txt")
        ...     WordVectors.load_word2vec_format(folder + "/v.txt")["b"]
        array([3., 4.], dtype=float32)
        """
        if fvocab is not None and self.counts is None:
            msg = "fvocab wants counts, and these vectors have none"
            raise ConfigError(msg)
        word2vec_format.save_word2vec_format(path, self.index_to_key, self.vectors, binary, write_header, progress)
        if fvocab is not None and self.counts is not None:
            word2vec_format.save_counts(fvocab, self.index_to_key, self.counts)

    @classmethod
    def load_word2vec_format(
        cls,
        path: PathLike,
        binary: bool = False,
        limit: int | None = None,
        unicode_errors: str = "strict",
        *,
        fvocab: PathLike | None = None,
        no_header: bool = False,
        progress: bool | None = None,
    ) -> Self:
        """Word vectors from word2vec's text or binary format, of any program; unpacked where `path` ends in .gz.

        Parameters
        ----------
        binary : the format; a name's ending is not looked at
        limit : read only so many rows, which are the most frequent words in the files of most programs
        unicode_errors : "strict", or "replace" or "ignore" for files whose words are cut inside a character
        fvocab : a file of counts, "word count" a line; words that it does not name get 0
        no_header : there is no first line "V D", as in GloVe's files; text only
        progress : as in `Word2Vec.fit`

        Raises
        ------
        MissingFileError, FileAccessError   the file cannot be read.
        FormatError   it is not what its header says, is no UTF-8, or holds NaN or infinity.
        """
        rows, vectors = word2vec_format.load_word2vec_format(
            os.fspath(path), binary, limit, unicode_errors, no_header, progress
        )
        counts = None
        if fvocab is not None:
            known = word2vec_format.load_counts(fvocab, unicode_errors)
            counts = np.array([known.get(word, 0) for word in rows], dtype=np.int64)
        return cls._checked(rows, vectors, counts)
