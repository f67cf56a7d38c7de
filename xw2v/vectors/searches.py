"""`Searches`: the nearest of all words, to words, vectors and sums of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xw2v.backend import get_backend
from xw2v.display import watched
from xw2v.errors import ConfigError
from xw2v.vectors.arguments import as_items, as_number, as_weight, brief
from xw2v.vectors.lookup import FloatArray, Key
from xw2v.vectors.nearest import Places, largest, nearest, unit_row
from xw2v.vectors.similarities import Query, Similarities

if TYPE_CHECKING:
    from xw2v.vectors.device import DeviceVectors

__all__ = ["Searches"]

Answers = list[tuple[str, float]]


class Searches(Similarities):
    """The questions of `WordVectors` that go through all words."""

    def most_similar(
        self,
        positive: Query | Sequence[Query] = (),
        negative: Query | Sequence[Query] = (),
        topn: int | None = 10,
        restrict_vocab: int | None = None,
    ) -> Any:
        """The `topn` words nearest to the sum of the positive minus the negative ones, with their cosines.

        Words enter the sum as unit vectors, given vectors as they are. The words of the question are left
        out of the answer. Equal cosines come in the vocabulary's order.

        Parameters
        ----------
        positive, negative : a word, a (D,) vector, or a list of these; in a list, a tuple (word or vector,
            weight) is counted with that weight in place of 1 (positive) or -1 (negative); an array of integers is a
            list of keys
        topn : how many; None for the (V,) cosines of all words, in place of a list
        restrict_vocab : search only the first so many words; None or 0 for all

        Returns
        -------
        list of at most `topn` (word, cosine), falling; empty where `topn` < 1

        Raises
        ------
        UnknownWordError   a word is not in the vocabulary.
        ConfigError   nothing was asked, or a number is none.  ShapeError   a vector is not of shape (D,).

        Examples
        --------
        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["man", "woman", "king", "queen"], [[2, 0, 1], [0, 2, 1], [2, 0, 8], [0, 2, 8]])
        >>> [word for word, cosine in wv.most_similar(["king", "woman"], "man", topn=1)]
        ['queen']
        """
        vectors, weights, asked = self._terms(positive, negative)
        mean = unit_row(np.sum([weight * vector for weight, vector in zip(weights, vectors, strict=True)], axis=0))
        return self._answer(self._cosines(mean, self._limit(restrict_vocab)), asked, topn)

    def most_similar_cosmul(
        self,
        positive: Query | Sequence[Query] = (),
        negative: Query | Sequence[Query] = (),
        topn: int | None = 10,
        restrict_vocab: int | None = None,
    ) -> Any:
        """As `most_similar`, by products of cosines rather than their sum: 3CosMul.

        The score is the product of (1 + cosine) / 2 with each positive over that with each negative
        (Levy and Goldberg 2014, eq. 4; 1e-6 is added below). At least one must be positive; weights are not used, and
        neither is the length of a given vector (gensim multiplies the cosine by it).
        `topn` and `restrict_vocab` are as in `most_similar`.

        Raises
        ------
        UnknownWordError, ConfigError, ShapeError   as `most_similar`.

        Examples
        --------
        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["man", "woman", "king", "queen"], [[2, 0, 1], [0, 2, 1], [2, 0, 8], [0, 2, 8]])
        >>> [word for word, score in wv.most_similar_cosmul(["king", "woman"], "man", topn=1)]
        ['queen']
        """
        attracting, repelling = as_items(positive), as_items(negative)
        if not attracting:
            msg = "most_similar_cosmul needs at least one positive word or vector; got none"
            raise ConfigError(msg)
        vectors, _, asked = self._terms(attracting, repelling)
        count = self._limit(restrict_vocab)
        above, below = np.ones(count, dtype=np.float32), np.ones(count, dtype=np.float32)
        for place, vector in enumerate(vectors):
            into = above if place < len(attracting) else below
            into *= (1 + self._cosines(unit_row(vector), count)) / 2
        return self._answer(above / (below + np.float32(1e-6)), asked, topn)

    def similar_by_word(self, word: Key, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """`most_similar(word, topn=topn, restrict_vocab=restrict_vocab)`, by gensim's name.

        >>> from xw2v import WordVectors
        >>> WordVectors(["a", "b", "c"], [[1, 0], [2, 1], [0, 1]]).similar_by_word("a", topn=1)[0][0]
        'b'
        """
        return self.most_similar([word], topn=topn, restrict_vocab=restrict_vocab)

    similar_by_key = similar_by_word

    def similar_by_vector(
        self, vector: npt.NDArray[Any], topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Any:
        """`most_similar([vector], topn=topn, restrict_vocab=restrict_vocab)`, by gensim's name.

        >>> import numpy as np
        >>> from xw2v import WordVectors
        >>> WordVectors(["a", "b"], [[1, 0], [0, 1]]).similar_by_vector(np.array([0.0, 5.0]), topn=1)
        [('b', 1.0)]
        """
        return self.most_similar([vector], topn=topn, restrict_vocab=restrict_vocab)

    def most_similar_batch(
        self, words: Iterable[Key], topn: int | None = 10, *, progress: bool | None = None
    ) -> list[Answers]:
        """`most_similar(word, topn=topn)` of each word, many at a time by one matrix product a block.

        Exact. `topn` None is all other words. Memory beyond the vectors stays below some 100 MB, however many words
        are asked. `progress` is as in `Word2Vec.fit`.

        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["a", "b", "c"], [[1, 0], [3, 1], [0, 1]])
        >>> [[word for word, cosine in row] for row in wv.most_similar_batch(["a", "c"], topn=1)]
        [['b'], ['b']]

        Raises
        ------
        UnknownWordError   a word is unknown.
        """
        rows = np.array(self._rows_of(words), dtype=np.intp)
        most = as_number(topn, "topn", "all words")
        most = len(self) if most is None else most
        if most < 1:
            return [[] for _ in rows]
        names = self.index_to_key
        answers: list[Answers] = []
        with watched("searching", "questions", progress) as tell:
            for best, near in nearest(self._search_rows(), rows, most):
                answers.append([(names[row], score) for row, score in zip(best.tolist(), near.tolist(), strict=True)])
                tell(len(answers), len(rows))
        return answers

    def on(self, where: Any = "auto", *, device: int = 0) -> DeviceVectors:
        """These vectors on a device, for a great many questions at once.

        Parameters
        ----------
        where : "auto", "numpy", "cupy", or an array (V, D) of any library that follows the array API
            An array stays where it is; its rows stand for the words.
        device : int
            number of the GPU

        Raises
        ------
        BackendError   no such backend works here.   NumericalError   the array or a mapped file holds NaN or infinity.
        ShapeError, MixedArraysError   an array has not one row a word, or no floating-point numbers.

        Examples
        --------
        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["a", "b", "c"], [[1, 0], [3, 1], [0, 1]])
        >>> wv.on("numpy").nearest([0, 2], 1)[0].tolist()
        [[1], [1]]
        """
        from xw2v.vectors.device import DeviceVectors

        if not isinstance(where, str):
            return DeviceVectors(self, where)
        self._check_finite()
        backend, rows = get_backend(where, device=device), self.vectors
        if backend.name == "numpy":
            return DeviceVectors(self, rows)
        backend.attach()
        vectors = backend.xp.empty(rows.shape, dtype=backend.xp.float32, device=backend.device)
        backend.fill(vectors, rows)
        return DeviceVectors(self, vectors)

    def analogy(self, a: Key, b: Key, c: Key, topn: int = 10) -> Answers:
        """The answers to "a is to b as c is to ?": `most_similar([b, c], [a], topn=topn)`.

        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["man", "woman", "king", "queen"], [[2, 0, 1], [0, 2, 1], [2, 0, 8], [0, 2, 8]])
        >>> wv.analogy("man", "king", "woman")[0][0]
        'queen'

        Raises
        ------
        UnknownWordError   a word is unknown.
        """
        found: Answers = self.most_similar([b, c], [a], topn=topn)
        return found

    def closer_than(self, word: Key, other: Key) -> list[str]:
        """The words that are nearer to `word` than `other` is, in the vocabulary's order.

        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["a", "b", "c"], [[1, 0], [2, 1], [0, 1]])
        >>> wv.closer_than("a", "c")
        ['b']

        Raises
        ------
        UnknownWordError   a word is unknown.
        """
        return [self._word(row) for row in self._nearer(word, other).tolist()]

    def rank(self, word: Key, other: Key) -> int:
        """1 where `other` is the nearest to `word`, 2 where one word is nearer, and so on.

        >>> from xw2v import WordVectors
        >>> WordVectors(["a", "b", "c"], [[1, 0], [2, 1], [0, 1]]).rank("a", "c")
        2

        Raises
        ------
        UnknownWordError   a word is unknown.
        """
        return len(self._nearer(word, other)) + 1

    def _nearer(self, word: Key, other: Key) -> Places:
        """The rows of the other words that are nearer to `word` than `other` is."""
        row = self._row(word)
        found = self._cosines(unit_row(self._at(row)))
        nearer = found > found[self._row(other)]
        nearer[row] = False
        return np.flatnonzero(nearer)

    def relative_cosine_similarity(self, a: Key, b: Key, topn: int = 10) -> float:
        """The cosine of two words over the sum of those of the `topn` nearest to `a`; 0 where that is 0.

        Above 1 / topn they are likely synonyms (Leeuwenberg et al. 2016).

        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["a", "b", "c"], [[1, 0], [1, 1], [1, -1]])
        >>> round(wv.relative_cosine_similarity("a", "b", topn=2), 3)
        0.5

        Raises
        ------
        UnknownWordError   a word is unknown.   ConfigError   `topn` is no integer above 0.
        """
        if not isinstance(topn, (int, np.integer)) or topn < 1:
            msg = f"topn must be an integer of at least 1; got {brief(topn)}"
            raise ConfigError(msg)
        total = float(sum(cosine for _, cosine in self.most_similar(a, topn=topn)))
        return self.similarity(a, b) / total if total else 0.0

    def _terms(self, positive: Any, negative: Any) -> tuple[list[npt.NDArray[Any]], list[float], set[int]]:
        """The vectors of a question, words as unit ones, their weights, and the rows of its words."""
        items = [(item, 1.0) for item in as_items(positive)] + [(item, -1.0) for item in as_items(negative)]
        if not items:
            msg = "most_similar needs at least one word or vector; got none"
            raise ConfigError(msg)
        vectors, weights, asked = [], [], set()
        for item, sign in items:
            query, weight = item if isinstance(item, tuple) and len(item) == 2 else (item, sign)
            if isinstance(query, (np.ndarray, list)):
                vectors.append(self._check_vector(query).astype(np.float64))
            else:
                row = self._row(query)
                asked.add(row)
                vectors.append(unit_row(self._at(row)))
            weights.append(as_weight(weight))
        return vectors, weights, asked

    def _answer(self, scores: FloatArray, asked: set[int], topn: int | None) -> Any:
        most = as_number(topn, "topn", "the scores of all words")
        if most is None:
            return scores
        best = largest(scores, most + len(asked)).tolist() if most > 0 else []
        return [(self._word(row), float(scores[row])) for row in best if row not in asked][:most]

    def _limit(self, restrict_vocab: int | None) -> int:
        """How many words to search."""
        most = as_number(restrict_vocab, "restrict_vocab", "all words")
        if most is not None and most < 0:
            msg = f"restrict_vocab must be None or at least 0; got {restrict_vocab}"
            raise ConfigError(msg)
        return min(len(self), most) if most else len(self)
