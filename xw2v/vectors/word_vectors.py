"""`WordVectors`: words with their vectors, and the questions one asks of them.

V words, D vector size. Similarity is the cosine. The arithmetic of the answers is gensim's.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xw2v.errors import ConfigError, MixedArraysError, NumericalError, ShapeError, UnknownWordError
from xw2v.files import PathLike
from xw2v.vectors import model_folder, word2vec_format
from xw2v.vectors.tables import first_bad_row

if TYPE_CHECKING:
    from xw2v.vectors.evaluation import AnalogyResult, WordPairResult

__all__ = ["WordVectors"]

Query = Any  # a word, a (D,) vector, or a tuple of one of these and its weight
FloatArray = npt.NDArray[np.float32]

_BLOCK_NUMBERS = 2**24  # float32 of a block of similarities: 64 MB


class WordVectors:
    """Words and their vectors, in the order given (by falling count where a training made them).

    Parameters
    ----------
    words : V different strings
    vectors : (V, D) array of finite numbers; kept as float32, without a copy where it is float32 already
    counts : (V,) integers, how often each word occurs; optional

    Attributes
    ----------
    vectors : (V, D) float32, read-only
    index_to_key : list of the V words
    key_to_index : dict from word to row
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
    >>> "king" in wv, 2 in wv, len(wv)
    (True, False, 4)
    """

    def __init__(self, words: Iterable[str], vectors: npt.ArrayLike, counts: npt.ArrayLike | None = None) -> None:
        self.index_to_key: list[str] = list(words)
        self.vectors: FloatArray = _as_vectors(vectors, len(self.index_to_key))
        self.key_to_index: dict[str, int] = {word: row for row, word in enumerate(self.index_to_key)}
        self.counts: npt.NDArray[np.int64] | None = _as_counts(counts, len(self.index_to_key))
        self._unit: FloatArray | None = None
        for word in self.index_to_key:
            if not isinstance(word, str):
                msg = f"words must be strings; got {word!r} of type {type(word).__name__}, use str() on it"
                raise ConfigError(msg)
        if len(self.key_to_index) < len(self.index_to_key):
            twice = next(word for row, word in enumerate(self.index_to_key) if self.key_to_index[word] != row)
            msg = f"words must be different; {twice!r} comes more than once"
            raise ConfigError(msg)
        bad = first_bad_row(self.vectors)
        if bad is not None:
            msg = f"vectors must be finite float32; that of {self.index_to_key[bad]!r} (row {bad}) is not"
            raise NumericalError(msg)

    # --- words and rows -------------------------------------------------------------------------------------

    @property
    def vector_size(self) -> int:
        """D, the length of a vector."""
        return int(self.vectors.shape[1])

    @property
    def unit_vectors(self) -> FloatArray:
        """(V, D) float32, read-only: each row divided by its length, a zero row left zero. Made at first use."""
        if self._unit is None:
            self._unit = _unit_rows(self.vectors)
            self._unit.flags.writeable = False
        return self._unit

    def __len__(self) -> int:
        return len(self.index_to_key)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and word in self.key_to_index

    def __getitem__(self, words: str | Iterable[str]) -> FloatArray:
        """The (D,) vector of a word, a read-only view, or the (n, D) vectors of n words, a copy.

        Raises
        ------
        UnknownWordError   (a KeyError) a word is not in the vocabulary. A number is never a row: use `.vectors`.
        """
        if isinstance(words, str) or not isinstance(words, Iterable):
            row: FloatArray = self.vectors[self._row(words)]
            return row
        return self.vectors[self._rows(words)]

    def __repr__(self) -> str:
        shown = ", ".join(repr(word) for word in self.index_to_key[:4])
        more = ", ..." if len(self) > 4 else ""
        return f"WordVectors({len(self)} words, vector_size={self.vector_size}: {shown}{more})"

    def _row(self, word: object) -> int:
        if isinstance(word, str):
            row = self.key_to_index.get(word)
            if row is not None:
                return row
        raise UnknownWordError(_UnknownWord(word, self.index_to_key))

    def _rows(self, words: Iterable[object]) -> list[int]:
        return [self._row(word) for word in words]

    # --- questions ------------------------------------------------------------------------------------------

    def similarity(self, a: str, b: str) -> float:
        """Cosine of the vectors of two words, from -1 to 1; 0 where one of them is zero.

        >>> wv = WordVectors(["man", "woman", "king"], [[1, 0], [1, 1], [4, 0]])
        >>> wv.similarity("man", "king")
        1.0
        """
        return float(self.unit_vectors[self._row(a)] @ self.unit_vectors[self._row(b)])

    def most_similar(
        self,
        positive: Query | Sequence[Query] = (),
        negative: Query | Sequence[Query] = (),
        topn: int = 10,
        restrict_vocab: int | None = None,
    ) -> list[tuple[str, float]]:
        """The `topn` words nearest to the sum of the positive minus the negative ones, with their cosines.

        Words enter the sum as unit vectors, given vectors as they are. The words of the question are left
        out of the answer. Equal cosines come in the vocabulary's order.

        Parameters
        ----------
        positive, negative : a word, a (D,) vector, or a list of these; in a list, a tuple (word or vector,
            weight) is counted with that weight in place of 1 (positive) or -1 (negative)
        restrict_vocab : search only the first so many words; None or 0 for all

        Returns
        -------
        list of at most `topn` (word, cosine), falling; empty where `topn` < 1

        Raises
        ------
        UnknownWordError   a word is not in the vocabulary.
        ConfigError   nothing was asked.  ShapeError   a vector is not of shape (D,).

        Examples
        --------
        >>> wv = WordVectors(["man", "woman", "king", "queen"], [[2, 0, 1], [0, 2, 1], [2, 0, 8], [0, 2, 8]])
        >>> [word for word, cosine in wv.most_similar(["king", "woman"], "man", topn=1)]
        ['queen']
        """
        mean, asked = self._mean(positive, negative)
        if topn < 1:
            return []
        cosines = self.unit_vectors[: self._limit(restrict_vocab)] @ mean
        best = _largest(cosines, topn + len(asked))
        found = [(self.index_to_key[row], float(cosines[row])) for row in best.tolist() if row not in asked]
        return found[:topn]

    def _mean(self, positive: Any, negative: Any) -> tuple[FloatArray, set[int]]:
        """(D,) unit mean of a question, and the rows of its words."""
        total = np.zeros(self.vector_size, dtype=np.float64)
        asked: set[int] = set()
        items = [(item, 1.0) for item in _as_items(positive)] + [(item, -1.0) for item in _as_items(negative)]
        if not items:
            msg = "most_similar needs at least one word or vector; got none"
            raise ConfigError(msg)
        for item, sign in items:
            query, weight = item if isinstance(item, tuple) and len(item) == 2 else (item, sign)
            if isinstance(query, str):
                row = self._row(query)
                asked.add(row)
                vector = self.unit_vectors[row]
            else:
                vector = self._check_vector(query)
            total += _as_weight(weight) * vector.astype(np.float64)
        length = float(np.linalg.norm(total))
        return (total / length if length > 0 else total).astype(np.float32), asked

    def _check_vector(self, query: object) -> npt.NDArray[Any]:
        if not isinstance(query, (np.ndarray, list)):
            self._row(query)  # says what is wrong with it
        vector = np.asarray(query)
        if vector.shape != (self.vector_size,) or vector.dtype.kind not in "fiu" or not np.isfinite(vector).all():
            msg = f"a vector to search with must be {self.vector_size} finite numbers; got {_brief(query)}"
            raise ShapeError(msg)
        return vector

    def _limit(self, restrict_vocab: int | None) -> int:
        """How many words to search."""
        if restrict_vocab is not None and restrict_vocab < 0:
            msg = f"restrict_vocab must be None or at least 0; got {restrict_vocab}"
            raise ConfigError(msg)
        return min(len(self), restrict_vocab) if restrict_vocab else len(self)

    def most_similar_batch(self, words: Iterable[str], topn: int = 10) -> list[list[tuple[str, float]]]:
        """`most_similar(word, topn=topn)` of each word, many at a time by one matrix product a block.

        Exact. Memory beyond the unit vectors stays below some 100 MB, however many words are asked.

        >>> wv = WordVectors(["a", "b", "c"], [[1, 0], [3, 1], [0, 1]])
        >>> [[word for word, cosine in row] for row in wv.most_similar_batch(["a", "c"], topn=1)]
        [['b'], ['b']]
        """
        rows = self._rows(words)
        unit, names = self.unit_vectors, self.index_to_key
        if topn < 1:
            return [[] for _ in rows]
        answers = []
        step = max(1, _BLOCK_NUMBERS // max(1, len(self)))
        for start in range(0, len(rows), step):
            block = rows[start : start + step]
            cosines = unit[block] @ unit.T
            cosines[np.arange(len(block)), block] = -np.inf
            for row in cosines:
                best = _largest(row, min(topn, len(names) - 1))
                answers.append([(names[i], float(row[i])) for i in best.tolist()])
        return answers

    def analogy(self, a: str, b: str, c: str, topn: int = 10) -> list[tuple[str, float]]:
        """The answers to "a is to b as c is to ?": `most_similar([b, c], [a])`.

        >>> wv = WordVectors(["man", "woman", "king", "queen"], [[2, 0, 1], [0, 2, 1], [2, 0, 8], [0, 2, 8]])
        >>> wv.analogy("man", "king", "woman")[0][0]
        'queen'
        """
        return self.most_similar([b, c], [a], topn=topn)

    def doesnt_match(self, words: Iterable[str]) -> str:
        """The word farthest, by cosine, from the mean of the unit vectors of all the words.

        >>> wv = WordVectors(["cat", "dog", "car"], [[4, 1], [4, 2], [0, 3]])
        >>> wv.doesnt_match(["cat", "dog", "car"])
        'car'
        """
        rows = self._rows(words)
        if not rows:
            msg = "doesnt_match needs at least one word; got none"
            raise ConfigError(msg)
        unit = self.unit_vectors[rows].astype(np.float64)
        return self.index_to_key[rows[int(np.argmin(unit @ unit.mean(axis=0)))]]

    # --- scores ---------------------------------------------------------------------------------------------

    def evaluate_word_pairs(
        self, path: PathLike, restrict_vocab: int = 300000, case_insensitive: bool = True
    ) -> WordPairResult:
        """Correlation with human judgements of similarity; see `xw2v.vectors.evaluation.evaluate_word_pairs`."""
        from xw2v.vectors import evaluation

        return evaluation.evaluate_word_pairs(self, path, restrict_vocab, case_insensitive)

    def evaluate_word_analogies(
        self, path: PathLike, restrict_vocab: int = 300000, case_insensitive: bool = True
    ) -> AnalogyResult:
        """Share of analogy questions answered; see `xw2v.vectors.evaluation.evaluate_word_analogies`."""
        from xw2v.vectors import evaluation

        return evaluation.evaluate_word_analogies(self, path, restrict_vocab, case_insensitive)

    # --- files ----------------------------------------------------------------------------------------------

    def save(self, folder: PathLike) -> None:
        """Write a model folder with words, vectors and counts; see `xw2v.vectors.model_folder.save_model_folder`."""
        tables = {"center_vectors": self.vectors}
        model_folder.save_model_folder(folder, tables, self.index_to_key, self.counts, {"kind": "word vectors"})

    @classmethod
    def load(cls, folder: PathLike, mmap: bool = True) -> WordVectors:
        """The word vectors of a model folder, its centre vectors where it holds a whole model.

        With `mmap` the vectors stay in the file and are shared by all processes that map it.
        """
        model = model_folder.load_model_folder(folder, mmap)
        return cls(model.words, model.tables["center_vectors"], model.counts)

    def save_word2vec_format(self, path: PathLike, binary: bool = False) -> None:
        """Write word2vec's text or binary format, gzipped where `path` ends in .gz."""
        word2vec_format.save_word2vec_format(path, self.index_to_key, self.vectors, binary)

    @classmethod
    def load_word2vec_format(
        cls,
        path: PathLike,
        binary: bool = False,
        limit: int | None = None,
        unicode_errors: str = "strict",
    ) -> WordVectors:
        """Read word2vec's text or binary format; see `xw2v.vectors.word2vec_format.load_word2vec_format`."""
        words, vectors = word2vec_format.load_word2vec_format(os.fspath(path), binary, limit, unicode_errors)
        return cls(words, vectors)


# --- arguments ----------------------------------------------------------------------------------------------


def _as_vectors(vectors: npt.ArrayLike, rows: int) -> FloatArray:
    """A read-only (rows, D) float32 view, or copy where the dtype differs."""
    try:
        array = np.asarray(vectors)
    except TypeError as error:  # arrays on a GPU refuse
        msg = f"vectors must be a NumPy array or a list of rows; got {_brief(vectors)}, copy it to the host first"
        raise MixedArraysError(msg) from error
    except ValueError as error:
        msg = f"vectors must have shape ({rows}, D), one row a word; the rows given differ in length"
        raise ShapeError(msg) from error
    if array.dtype.kind not in "fiu":
        msg = f"vectors must be real numbers; got an array of {array.dtype}"
        raise MixedArraysError(msg)
    if array.ndim != 2 or array.shape[0] != rows or array.shape[1] == 0:
        msg = f"vectors must have shape ({rows}, D) with D > 0, one row a word; got {array.shape}"
        raise ShapeError(msg)
    with np.errstate(over="ignore"):  # becomes infinity, which is refused by its word
        result = array.astype(np.float32, copy=False).view()
    result.flags.writeable = False  # the unit vectors would not follow a change
    return result


def _as_counts(counts: npt.ArrayLike | None, rows: int) -> npt.NDArray[np.int64] | None:
    if counts is None:
        return None
    array = np.asarray(counts)
    if array.shape != (rows,) or (rows and array.dtype.kind not in "iu"):
        msg = f"counts must be {rows} integers, one a word; got {array.dtype} of shape {array.shape}"
        raise ShapeError(msg)
    return array.astype(np.int64, copy=False)


def _as_items(queries: Any) -> list[Any]:
    """A list of words, vectors and (one of them, weight) tuples, from one or several."""
    if queries is None:
        return []
    if isinstance(queries, str) or (
        isinstance(queries, np.ndarray) and queries.ndim == 1 and queries.dtype.kind != "U"
    ):
        return [queries]
    if not isinstance(queries, Iterable):
        msg = f"wanted a word, a vector or a list of these; got {_brief(queries)}"
        raise ConfigError(msg)
    return list(queries)


def _as_weight(weight: Any) -> float:
    try:
        value = float(weight)
    except (TypeError, ValueError):
        value = np.nan
    if not np.isfinite(value):
        msg = f"a weight must be a finite number, as in ('king', 0.5); got {_brief(weight)}"
        raise ConfigError(msg)
    return value


def _brief(thing: Any) -> str:
    shape = getattr(thing, "shape", None)
    return f"{type(thing).__name__} of shape {shape}" if shape is not None else repr(thing)[:60]


# --- arithmetic ---------------------------------------------------------------------------------------------


def _unit_rows(vectors: FloatArray) -> FloatArray:
    """Rows divided by their lengths, which are taken in float64 so that no finite float32 over- or underflows."""
    unit = np.empty(vectors.shape, dtype=np.float32)
    step = max(1, 2**18 // vectors.shape[1])
    for start in range(0, len(vectors), step):
        rows = vectors[start : start + step].astype(np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        lengths[lengths == 0] = 1.0
        unit[start : start + step] = rows / lengths[:, None]
    return unit


def _largest(values: FloatArray, n: int) -> npt.NDArray[np.intp]:
    """Positions of the n largest of (V,) values, falling; equal ones by position, so that the answer is fixed."""
    if n < 1:
        return np.empty(0, dtype=np.intp)
    candidates = np.arange(len(values))
    if n < len(values):
        nth = np.partition(values, len(values) - n)[len(values) - n]
        candidates = np.flatnonzero(values >= nth)
    return candidates[np.argsort(-values[candidates], kind="stable")[:n]]


# --- unknown words ------------------------------------------------------------------------------------------


class _UnknownWord:
    """The text of an `UnknownWordError`, made when it is read: the spellings would slow down `except KeyError`."""

    def __init__(self, word: object, words: list[str]) -> None:
        self.word, self.words = word, words

    def __str__(self) -> str:
        if not isinstance(self.word, str):
            return f"{_brief(self.word)} is not a word; a number is never a row here, use .vectors[row] for that"
        text = f"{self.word!r} is not in the vocabulary of {len(self.words)} words"
        near = _near_spellings(self.word, self.words)
        return f"{text}; nearest spellings: {', '.join(near)}" if near else text

    __repr__ = __str__

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)  # an error that is pickled must not take the vocabulary along


def _near_spellings(word: str, words: list[str]) -> list[str]:
    """At most three words spelled alike, looked for among the most frequent that share a beginning or an end."""
    if not word or len(word) > 64:
        return []
    lower = word.lower()
    candidates: dict[str, str] = {}  # few enough to compare in some 20 ms
    for candidate in words[:200_000]:
        if abs(len(candidate) - len(word)) > 2:
            continue
        small = candidate.lower()
        if small[:1] == lower[:1] or small[-2:] == lower[-2:]:
            candidates.setdefault(small, candidate)
            if len(candidates) == 1500:
                break
    return [candidates[near] for near in difflib.get_close_matches(lower, list(candidates), n=3, cutoff=0.6)]
