"""Many questions at once, answered where the vectors lie: NumPy, a GPU through CuPy, or any array library.

V rows of D numbers, Q questions. Written against the array API, so that it is tested without a GPU.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace, device

from xw2v.backend import get_backend
from xw2v.display import watched
from xw2v.errors import ConfigError, IdRangeError, MixedArraysError, NumericalError, ShapeError
from xw2v.vectors.arguments import as_list, as_number, brief
from xw2v.vectors.evaluated import Evaluated
from xw2v.vectors.nearest import Places, struck_out

if TYPE_CHECKING:
    from xw2v.vectors.lookup import Key, Lookup

__all__ = ["DeviceVectors"]

Array = Any
Answers = list[tuple[str, float]]

_BLOCK_NUMBERS = 2**26  # cosines held at once: 256 MB
_MOST_STRUCK_OUT = 64  # answers found one after the other; for more a row of cosines is sorted


class DeviceVectors(Evaluated):
    """Words whose unit vectors stay on a device; `WordVectors.on` makes one. Files are evaluated there, too.

    `progress` is everywhere as in `Word2Vec.fit`.

    Parameters
    ----------
    words : WordVectors                 whose words the rows are
    vectors : (V, D) float array of any library that follows the array API

    Raises
    ------
    ShapeError   not one row a word;  MixedArraysError   not floating point;  NumericalError   NaN or infinity
    """

    def __init__(self, words: Lookup, vectors: Array) -> None:
        xp = array_namespace(vectors)
        if vectors.ndim != 2 or vectors.shape[0] != len(words):
            msg = f"vectors must have shape ({len(words)}, D), one row a word; got {tuple(vectors.shape)}"
            raise ShapeError(msg)
        if not xp.isdtype(vectors.dtype, "real floating"):
            msg = f"vectors must be floating-point numbers; got an array of {vectors.dtype}"
            raise MixedArraysError(msg)
        self._words = words
        self._backend = get_backend(vectors)
        self._backend.attach()
        self.unit_vectors = xp.empty_like(vectors)
        some = max(1, _BLOCK_NUMBERS // max(1, vectors.shape[1]))
        for first in range(0, vectors.shape[0], some):  # no other tables beside these two
            block = slice(first, min(first + some, vectors.shape[0]))
            if not bool(xp.all(xp.isfinite(vectors[block, :]))):  # NaN would be nearest to every word
                msg = "vectors must be finite; some of the array hold NaN or infinity"
                raise NumericalError(msg)
            self.unit_vectors[block, :] = _unit(vectors[block, :], xp=xp)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._words)} words on {self._backend.name})"

    @property
    def index_to_key(self) -> list[str]:
        """The V words."""
        return self._words.index_to_key

    def _units(self, rows: Places | slice) -> Array:
        """Some of the unit vectors, where they lie."""
        if isinstance(rows, slice):
            return self.unit_vectors[rows, :]
        xp = array_namespace(self.unit_vectors)
        return xp.take(self.unit_vectors, self._backend.from_host(rows), axis=0)

    def nearest(
        self, rows: Sequence[int] | npt.NDArray[np.integer], n: int, *, progress: bool | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The n nearest other rows of each row, falling, and their cosines; both (Q, n), on the host.

        Raises
        ------
        IdRangeError   there is no such row.
        """
        asked = np.asarray(rows, dtype=np.int64).reshape(-1, 1)
        outside = asked[(asked < 0) | (asked >= len(self._words))]  # which a GPU would take for other rows
        if len(outside):
            msg = f"rows must be in 0 .. {len(self._words) - 1}, one is {outside[0]}"
            raise IdRangeError(msg)
        return self._answered(asked, np.ones(1), n, progress)

    def most_similar_batch(
        self, words: Iterable[Key], topn: int | None = 10, *, progress: bool | None = None
    ) -> list[Answers]:
        """`WordVectors.most_similar_batch`, on the device. Exact. `topn` None is all other words.

        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["a", "b", "c"], [[1, 0], [3, 1], [0, 1]]).on("numpy")
        >>> [[word for word, cosine in row] for row in wv.most_similar_batch(["a", "c"], topn=1)]
        [['b'], ['b']]
        """
        return list(self._named(*self.nearest(self._words._rows_of(words), self._most(topn), progress=progress)))

    def analogies(
        self, questions: Iterable[tuple[Key, Key, Key]], topn: int | None = 1, *, progress: bool | None = None
    ) -> list[Answers]:
        """`WordVectors.analogy` of each (a, b, c): a is to b as c is to ?

        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["man", "woman", "king", "queen"], [[2, 0, 1], [0, 2, 1], [2, 0, 8], [0, 2, 8]])
        >>> wv.on("numpy").analogies([("man", "king", "woman")])[0][0][0]
        'queen'

        Raises
        ------
        UnknownWordError   a word is unknown.   ConfigError   a question is not three words.
        """
        asked = [as_list(question) for question in questions]
        wrong = next((question for question in asked if len(question) != 3), None)
        if wrong is not None:
            msg = f"a question is three words, a is to b as c is to ?; got {brief(wrong)}"
            raise ConfigError(msg)
        rows = np.array(self._words._rows_of(word for question in asked for word in question), np.int64).reshape(-1, 3)
        return list(self._named(*self._answered(rows, np.array([-1.0, 1.0, 1.0]), self._most(topn), progress)))

    def _most(self, topn: int | None) -> int:
        most = as_number(topn, "topn", "all words")
        return len(self._words) if most is None else most

    def _named(self, places: np.ndarray, cosines: np.ndarray) -> Iterator[Answers]:
        names = self._words.index_to_key
        for row, values in zip(places.tolist(), cosines.tolist(), strict=True):
            yield [(names[place], value) for place, value in zip(row, values, strict=True) if value != -np.inf]

    def _answered(
        self, asked: np.ndarray, signs: np.ndarray, n: int, progress: bool | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The n rows nearest to the signed sum of the unit rows `asked` (Q, k), which are no answers themselves.

        Where there are fewer others than n, the last ones have the cosine -inf: questions may name a word twice, so
        that not all have equally many.
        """
        V = len(self._words)
        n = max(0, min(n, V - 1))
        self._backend.attach()
        places, cosines = np.empty((len(asked), n), np.int64), np.empty((len(asked), n), np.float32)
        step = max(1, _BLOCK_NUMBERS // max(1, V))
        with watched("searching", "questions", progress) as tell:
            for start in range(0, len(asked) if n else 0, step):
                tell(start, len(asked))
                block = slice(start, start + step)
                found, values = self._block(self._backend.from_host(asked[block]), signs.tolist(), n)
                places[block], cosines[block] = self._backend.to_host(found), self._backend.to_host(values)
        return places, cosines

    def _block(self, asked: Array, signs: list[float], n: int) -> tuple[Array, Array]:
        """(Q, n) places and cosines, on the device: the largest is taken and struck out, n times, or all are sorted."""
        unit = self.unit_vectors
        xp, on = array_namespace(unit), device(unit)
        Q, V = asked.shape[0], unit.shape[0]
        total = sum(sign * xp.take(unit, asked[:, i], axis=0) for i, sign in enumerate(signs))
        lengths = xp.sqrt(xp.sum(total * total, axis=1, keepdims=True))
        total = total / xp.where(lengths > 0, lengths, xp.ones_like(lengths))
        cosines = struck_out(xp.matmul(total, xp.matrix_transpose(unit)), asked, xp=xp)
        begins = V * xp.arange(Q, dtype=xp.int64, device=on)
        if n > _MOST_STRUCK_OUT:
            order = xp.argsort(cosines, axis=1, descending=True, stable=True)[:, :n]
            order = xp.astype(order, xp.int64)
            flat = xp.reshape(begins[:, None] + order, (-1,))
            return order, xp.reshape(xp.take(xp.reshape(cosines, (-1,)), flat, axis=0), order.shape)
        places, values = [], []
        for _ in range(n):
            best = xp.astype(xp.argmax(cosines, axis=1), xp.int64)
            places.append(best)
            values.append(xp.take(xp.reshape(cosines, (-1,)), begins + best, axis=0))
            cosines = struck_out(cosines, best[:, None], xp=xp)
        return xp.stack(places, axis=1), xp.stack(values, axis=1)


def _unit(rows: Array, *, xp: Any) -> Array:
    """Rows brought to length 1, but for those of zeros."""
    # Divided by the largest number first: squares of large or small numbers would leave float32.
    largest = xp.max(xp.abs(rows), axis=1, keepdims=True)
    one = xp.ones((), dtype=rows.dtype, device=device(rows))
    near_one = rows / xp.where(largest > 0, largest, one)
    lengths = xp.sqrt(xp.sum(near_one * near_one, axis=1, keepdims=True))
    return near_one / xp.where(lengths > 0, lengths, one)
