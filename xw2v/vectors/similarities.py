"""`Similarities`: how near given words are to each other, by the cosine. Names and arithmetic are gensim's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from xw2v.errors import ConfigError, ShapeError
from xw2v.vectors.arguments import as_items, as_list, as_weight, brief
from xw2v.vectors.lookup import FloatArray, Key, Lookup
from xw2v.vectors.nearest import unit_row
from xw2v.vectors.transport import least_work

__all__ = ["Query", "Similarities"]

Query = Any  # a word, a (D,) vector, or a tuple of one of these and its weight


class Similarities(Lookup):
    """The questions of `WordVectors` about words that are named."""

    def similarity(self, a: Key, b: Key) -> float:
        """Cosine of the vectors of two words, from -1 to 1; 0 where one of them is zero.

        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["man", "woman", "king"], [[1, 0], [1, 1], [4, 0]])
        >>> wv.similarity("man", "king")
        1.0

        Raises
        ------
        UnknownWordError   a word is unknown.
        """
        return _cosine(self._at(self._row(a)), self._at(self._row(b)))

    def distance(self, a: Key, b: Key) -> float:
        """1 - `similarity`, from 0 to 2.

        >>> from xw2v import WordVectors
        >>> WordVectors(["left", "up"], [[-1, 0], [0, 2]]).distance("left", "up")
        1.0

        Raises
        ------
        UnknownWordError   a word is unknown.
        """
        return 1.0 - self.similarity(a, b)

    def n_similarity(self, words: Iterable[Key], others: Iterable[Key]) -> float:
        """Cosine of the mean vectors of two sets of words; unknown words are left out, as in gensim.

        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["a", "b", "c"], [[1, 0], [0, 1], [1, 1]])
        >>> round(wv.n_similarity(["a", "b"], ["c"]), 6)
        1.0

        Raises
        ------
        UnknownWordError   no word of a set is known.   ConfigError   a set is empty.
        """
        return _cosine(*(self.get_mean_vector(keys, pre_normalize=False) for keys in (words, others)))

    def wmdistance(self, document1: Iterable[Key], document2: Iterable[Key], norm: bool = True) -> float:
        """Word mover's distance of two lists of words: how far their words lie apart, each moved to the nearest it can.

        Every word has a share of its list, and the shares of one list are moved onto those of the other by the
        shortest ways, straight lines between vectors (Kusner et al. 2015). Two lists of 50 words take 0.02 s, of 400
        one second. Unknown words are left out.

        Parameters
        ----------
        norm : between unit vectors

        Returns
        -------
        float   0 for the same words equally often; infinity where a list has no known word, as in gensim

        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["tea", "milk", "car"], [[4, 0], [3, 4], [0, 5]])
        >>> wv.wmdistance(["tea", "milk"], ["milk", "tea", "?"])
        0.0
        >>> round(wv.wmdistance(["tea", "milk"], ["car"], norm=False), 3)  # (sqrt(41) + sqrt(10)) / 2
        4.783

        Raises
        ------
        ConfigError   a document is one string.
        """
        from scipy.spatial.distance import cdist

        heaps = [
            Counter(row for key in as_list(document) if (row := self._find(key)) is not None)
            for document in (document1, document2)
        ]
        if not all(heaps):
            return np.inf
        shares = [np.array(list(heap.values())) / heap.total() for heap in heaps]
        places = [self._at(list(heap)).astype(np.float64) for heap in heaps]
        if norm:
            places = [np.array([unit_row(row) for row in rows]) for rows in places]
        return least_work(shares[0], shares[1], cdist(places[0], places[1]))

    def distances(self, word_or_vector: Query, other_words: Iterable[Key] = ()) -> FloatArray:
        """(n,) 1 - cosine of a word or vector with n `other_words`, with all V where none are named.

        >>> from xw2v import WordVectors
        >>> WordVectors(["a", "b"], [[1, 0], [0, 2]]).distances("a").tolist()
        [0.0, 1.0]

        Raises
        ------
        UnknownWordError   a word is unknown.   ShapeError   a vector is not of shape (D,).
        """
        given = isinstance(word_or_vector, (np.ndarray, list))
        unit = unit_row(self._check_vector(word_or_vector) if given else self._at(self._row(word_or_vector)))
        found = self._cosines(unit)
        rows = self._rows_of(other_words)
        result: FloatArray = np.float32(1) - (found[rows] if rows else found)
        return result

    @staticmethod
    def cosine_similarities(vector: npt.ArrayLike, vectors: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """(n,) cosines of a (D,) vector with (n, D) vectors; 0 where one is zero.

        >>> from xw2v import WordVectors
        >>> WordVectors.cosine_similarities([1.0, 0.0], [[2.0, 0.0], [0.0, 3.0]]).tolist()
        [1.0, 0.0]

        Raises
        ------
        ShapeError   these are no numbers of such shapes.
        """
        one, many = np.asarray(vector), np.asarray(vectors)
        if (
            one.ndim != 1
            or many.ndim != 2
            or many.shape[1] != len(one)
            or {one.dtype.kind, many.dtype.kind} - set("fiu")
        ):
            msg = f"wanted numbers of shapes (D,) and (n, D); got {one.dtype} {one.shape} and {many.dtype} {many.shape}"
            raise ShapeError(msg)
        # Sums in float64: those of large or small numbers would leave float32, those of small integers their own kind.
        unit = unit_row(one)
        lengths = np.sqrt(np.einsum("ij,ij->i", many, many, dtype=np.float64))
        products = np.einsum("ij,j->i", many, unit, dtype=np.float64)
        found: npt.NDArray[np.floating] = np.divide(products, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        return found.astype(np.result_type(one, many, np.float32), copy=False)

    def get_mean_vector(
        self,
        keys: Iterable[Query],
        weights: npt.ArrayLike | None = None,
        pre_normalize: bool = True,
        post_normalize: bool = False,
        ignore_missing: bool = True,
    ) -> FloatArray:
        """(D,) weighted mean of words and vectors, over the sum of the absolute weights.

        Parameters
        ----------
        weights : a number a key; 1 by default
        pre_normalize : words enter as unit vectors; given vectors always as they are
        post_normalize : divide the mean by its length
        ignore_missing : leave unknown words out, unless all are

        >>> from xw2v import WordVectors
        >>> WordVectors(["a", "b"], [[2, 0], [0, 3]]).get_mean_vector(["a", "b", "?"]).tolist()
        [0.5, 0.5]

        Raises
        ------
        UnknownWordError   a word is unknown and must not be, or all are; or it comes with its weight in a tuple.
        ConfigError        there are no keys, or not a weight for each.
        """
        items = as_items(keys)
        amounts = [1.0] * len(items) if weights is None else _weights(weights)
        if not items or len(amounts) != len(items):
            msg = f"a mean needs at least one key and a weight for each; got {len(items)} and {len(amounts)}"
            raise ConfigError(msg)
        total, size, known = np.zeros(self.vector_size), 0.0, False
        for item, amount in zip(items, amounts, strict=True):
            if isinstance(item, (np.ndarray, list)):
                vector = self._check_vector(item)
            elif not ignore_missing or item in self or isinstance(item, tuple):  # (word, weight) is no unknown word
                vector = self._at(self._row(item))
                vector = unit_row(vector) if pre_normalize else vector
            else:
                continue
            total += amount * vector.astype(np.float64)
            size, known = size + abs(amount), True
        if not known and any(amounts):
            self._row(items[0])  # raises, with near spellings
        mean = total / size if size > 0 else total
        return (unit_row(mean) if post_normalize else mean).astype(np.float32)

    def doesnt_match(self, words: Iterable[Key]) -> str:
        """The word farthest, by cosine, from the mean of the unit vectors of all the words.

        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], [[4, 1], [4, 2], [0, 3]])
        >>> wv.doesnt_match(["cat", "dog", "car"])
        'car'

        Raises
        ------
        UnknownWordError   a word is unknown.   ConfigError   there are none.
        """
        return self.rank_by_centrality(words)[-1][1]

    def rank_by_centrality(self, words: Iterable[Key]) -> list[tuple[float, str]]:
        """(cosine, word) of each word with the mean of the unit vectors of all of them, falling.

        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["cat", "dog", "car"], [[4, 1], [4, 2], [0, 3]])
        >>> [word for _, word in wv.rank_by_centrality(["car", "cat", "dog"])]
        ['dog', 'cat', 'car']

        Raises
        ------
        UnknownWordError   a word is unknown.   ConfigError   there are none.
        """
        rows = self._rows_of(words)
        if not rows:
            msg = "at least one word is wanted; got none"
            raise ConfigError(msg)
        units = [unit_row(self._at(row)) for row in rows]
        mean = unit_row(np.mean(units, axis=0))
        ranked = [(float(unit @ mean), self._word(row)) for unit, row in zip(units, rows, strict=True)]
        return sorted(ranked, key=lambda item: -item[0])

    def most_similar_to_given(self, word: Key, words: Sequence[Key]) -> Key:
        """The one of `words` that is nearest to `word`.

        >>> from xw2v import WordVectors
        >>> WordVectors(["a", "b", "c"], [[1, 0], [2, 1], [0, 1]]).most_similar_to_given("a", ["c", "b"])
        'b'

        Raises
        ------
        UnknownWordError   a word is unknown.   ConfigError   there are none to choose from.
        """
        words = as_list(words)
        if not words:
            msg = "at least one word to choose from is wanted; got none"
            raise ConfigError(msg)
        nearest: Key = max(words, key=lambda other: self.similarity(word, other))
        return nearest

    def _check_vector(self, query: object) -> npt.NDArray[Any]:
        vector = np.asarray(query)
        if vector.shape != (self.vector_size,) or vector.dtype.kind not in "fiu" or not np.isfinite(vector).all():
            msg = f"a vector to search with must be {self.vector_size} finite numbers; got {brief(query)}"
            raise ShapeError(msg)
        return vector


def _weights(given: Any) -> list[float]:
    try:
        return [as_weight(weight) for weight in given]
    except TypeError as error:
        msg = f"weights must be a list with a number a key; got {brief(given)}"
        raise ConfigError(msg) from error


def _cosine(a: FloatArray, b: FloatArray) -> float:
    """Cosine of two (D,) vectors; exactly 1 for a vector with itself, 0 where one is zero."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    lengths = float(np.sqrt((x @ x) * (y @ y)))
    return float(np.clip((x @ y) / lengths, -1.0, 1.0)) if lengths > 0 else 0.0
