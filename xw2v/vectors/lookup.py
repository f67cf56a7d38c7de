"""`Lookup`: words and their rows. What `WordVectors` is before any question is asked.

V words, D vector size. A key is a word, or an integer that stands for its decimal digits, as item ids do.
It is never a row number.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from xw2v.errors import ConfigError, FormatError, NumericalError, UnknownWordError
from xw2v.tensors import first_bad_row
from xw2v.vectors.arguments import UnknownWordText, as_counts, as_key, as_list, as_vectors
from xw2v.vectors.fixed import FixedDict, FixedList
from xw2v.vectors.model_folder import ModelFolder
from xw2v.vectors.nearest import Places, Rows, agree, cosines, row_lengths, scaled, unit_row, unit_rows
from xw2v.vectors.packed_words import PackedWords

__all__ = ["FloatArray", "Key", "Lookup"]

Key = str | int | np.integer[Any]
FloatArray = npt.NDArray[np.float32]

_LARGEST_COSINE = 1.001  # by rounding
_FOLLOWS = ("_lengths", "_said_lengths", "_scaled", "_unit")
_FIRST_LOOKUPS = 64  # words found in a mapped vocabulary before a dict of all of them is made


class Lookup:
    """Words with one row each; see `WordVectors`, which is what one makes."""

    def __init__(self, words: Iterable[Key], vectors: npt.ArrayLike, counts: npt.ArrayLike | None = None) -> None:
        given = list(words)
        names = [as_key(word) for word in given]
        if None in names:
            word = given[names.index(None)]
            msg = f"words must be strings or integers; got {word!r} of type {type(word).__name__}, use str() on it"
            raise ConfigError(msg)
        self._packed: PackedWords | None = None
        self._names: list[str] | None = [name for name in names if name is not None]
        self._start(as_vectors(vectors, len(self._names)), as_counts(counts, len(self._names)))
        self._rows_by_word()
        self._check_finite()

    def _start(self, vectors: FloatArray, counts: npt.NDArray[np.int64] | None) -> None:
        self.vectors = vectors
        self.counts = counts
        self._rows: dict[str, int] | None = None
        self._lookups = 0
        self._forget()

    def _forget(self) -> None:
        """Let go of what follows from the vectors."""
        self._lengths: npt.NDArray[np.float64] | None = None  # known once all rows were looked at
        self._said_lengths: npt.NDArray[np.float64] | None = None  # by the file that the vectors are in
        self._scaled: Rows | None = None
        self._unit: FloatArray | None = None

    @classmethod
    def _mapped(cls, model: ModelFolder) -> Self:
        """From a model folder: nothing is gone through before it is needed, so a mapped model opens at once."""
        found = cls.__new__(cls)
        found._packed, found._names = model.packed_words, None
        found._start(as_vectors(model.tables["center_vectors"], len(model.packed_words)), model.counts)
        found._said_lengths = model.lengths
        return found

    @classmethod
    def _checked(cls, rows: dict[str, int], vectors: npt.ArrayLike, counts: npt.NDArray[np.int64] | None) -> Self:
        """From words with their rows 0 .. V-1 in order and vectors that are known to be finite."""
        found = cls.__new__(cls)
        found._packed, found._names = None, list(rows)
        found._start(as_vectors(vectors, len(rows)), counts)
        found._rows = rows
        return found

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled or copied: nothing that follows from the vectors."""
        return {name: value for name, value in self.__dict__.items() if name not in _FOLLOWS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.vectors.flags.writeable = False
        self._forget()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Arrays and words, which cannot be changed, are shared: scikit-learn copies what a step has for every fit."""
        return copy.copy(self)

    # --- words and rows -------------------------------------------------------------------------------------

    @property
    def index_to_key(self) -> list[str]:
        """The V words in the order of their rows; not to be changed."""
        if self._names is None:
            self._names = self._packed.tolist() if self._packed is not None else []
        if not isinstance(self._names, FixedList):
            self._names = FixedList(self._names)
        return self._names

    @property
    def key_to_index(self) -> dict[str, int]:
        """The row of each word; not to be changed."""
        rows = self._rows_by_word()
        if not isinstance(rows, FixedDict):
            self._rows = rows = FixedDict(rows)
        return rows

    def _rows_by_word(self) -> dict[str, int]:
        """`key_to_index`, of any kind: a copy of a million words would take time."""
        if self._rows is None:
            words = self.index_to_key
            rows = {word: row for row, word in enumerate(words)}
            if len(rows) < len(words):
                twice = next(word for row, word in enumerate(words) if rows[word] != row)
                msg = f"words must be different; {twice!r} comes more than once"
                raise FormatError(msg) if self._packed is not None else ConfigError(msg)
            self._rows = rows
        return self._rows

    @property
    def vector_size(self) -> int:
        """D, the length of a vector."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.vectors)

    def __contains__(self, key: object) -> bool:
        return self._find(key) is not None

    def __iter__(self) -> Iterator[str]:
        """The words, in the order of their rows."""
        return iter(self.index_to_key)

    def __repr__(self) -> str:
        shown = ", ".join(repr(self._word(row)) for row in range(min(len(self), 4)))
        more = ", ..." if len(self) > 4 else ""
        return f"{type(self).__name__}({len(self)} words, vector_size={self.vector_size}: {shown}{more})"

    def _find(self, key: object) -> int | None:
        word = as_key(key)
        if word is None:
            return None
        if self._rows is None and self._packed is not None and self._lookups < _FIRST_LOOKUPS:
            self._lookups += 1
            return self._packed.find(word)
        return self._rows_by_word().get(word)

    def _row(self, key: object) -> int:
        row = self._find(key)
        if row is None:
            raise UnknownWordError(UnknownWordText(key, self.index_to_key))
        return row

    def _rows_of(self, keys: Iterable[object]) -> list[int]:
        return [self._row(key) for key in as_list(keys)]

    def _word(self, row: int) -> str:
        if self._names is None and self._packed is not None:
            return self._packed[row]
        return self.index_to_key[row]

    def get_index(self, key: Key, default: int | None = None) -> int:
        """The row of a word; `default`, where given, if it is unknown.

        >>> from xw2v import WordVectors
        >>> WordVectors(["a", "b"], [[1], [2]]).get_index("b")
        1

        Raises
        ------
        UnknownWordError   it is unknown and there is no default.
        """
        row = self._find(key)
        if row is None:
            row = default
        return self._row(key) if row is None else row

    def has_index_for(self, key: object) -> bool:
        """Whether a word is known, as `key in wv`.

        >>> from xw2v import WordVectors
        >>> WordVectors(["a", "7"], [[1], [2]]).has_index_for(7)
        True
        """
        return self._find(key) is not None

    # --- vectors --------------------------------------------------------------------------------------------

    def __getitem__(self, keys: Key | Iterable[Key]) -> FloatArray:
        """The (D,) vector of a word, a read-only view, or the (n, D) vectors of n words, a copy.

        Raises
        ------
        UnknownWordError   (a KeyError) a word is not in the vocabulary. A number is never a row: use `.vectors`.
        NumericalError     a row of a mapped file holds NaN or infinity.
        """
        one = isinstance(keys, str) or not isinstance(keys, Iterable)
        return self._at(self._row(keys) if one else self._rows_of(keys))  # type: ignore[arg-type]

    def _at(self, rows: int | list[int] | Places | slice) -> FloatArray:
        """The vectors of rows; of a mapped file they are looked at."""
        found: FloatArray = self.vectors[rows]
        if self._lengths is None and not np.isfinite(found).all():
            self._check_finite()
        return found

    def get_vector(self, key: Key, norm: bool = False) -> FloatArray:
        """The (D,) vector of a word, divided by its length where `norm` is set.

        >>> from xw2v import WordVectors
        >>> WordVectors(["a"], [[3, 4]]).get_vector("a", norm=True)
        array([0.6, 0.8], dtype=float32)
        """
        return unit_row(self[key]).astype(np.float32) if norm else self[key]

    def get_normed_vectors(self) -> FloatArray:
        """`unit_vectors`, by gensim's name.

        >>> from xw2v import WordVectors
        >>> WordVectors(["a"], [[3, 4]]).get_normed_vectors()
        array([[0.6, 0.8]], dtype=float32)
        """
        return self.unit_vectors

    @property
    def unit_vectors(self) -> FloatArray:
        """(V, D) float32, read-only: each row divided by its length, a zero row left zero. Made at first use."""
        if self._unit is None:
            self._check_finite()
            self._unit = unit_rows(self.vectors)
            self._unit.flags.writeable = False
        return self._unit

    def _units(self, rows: Places | slice) -> FloatArray:
        """Unit vectors of some rows, without a table of all, which would take as much memory again."""
        return unit_rows(self._at(rows)) if self._unit is None else self._unit[rows]

    def _check_finite(self) -> None:
        """Take the lengths of all rows; a row that is not finite is named."""
        if self._lengths is None:
            lengths = row_lengths(self.vectors)
            if not np.isfinite(lengths).all():
                bad = first_bad_row(self.vectors)
                if bad is not None:
                    msg = f"vectors must be finite float32; that of {self._word(bad)!r} (row {bad}) is not"
                    raise NumericalError(msg)
            self._lengths, self._scaled = lengths, None

    def _search_rows(self) -> Rows:
        self._check_finite()
        assert self._lengths is not None
        rows = self._scaled  # which another thread may forget meanwhile
        if rows is None:
            rows = self._scaled = scaled(self.vectors, self._lengths)
        return rows

    def _cosines(self, unit: npt.NDArray[np.floating], count: int | None = None) -> FloatArray:
        """(count,) cosines of the first rows with a (D,) unit vector.

        Lengths that the file of a mapped table gives save half of the reading: some are compared with their rows, and
        a row that is not finite or longer than that shows in its cosine.
        """
        rows = self._scaled
        if rows is None and self._said_lengths is not None and agree(self._said_lengths, self.vectors):
            rows = self._scaled = scaled(self.vectors, self._said_lengths)
        with np.errstate(over="ignore", invalid="ignore"):
            found = cosines(self._search_rows() if rows is None else rows, unit, count)
        if self._lengths is None and not np.abs(found).max(initial=0.0) < _LARGEST_COSINE:  # NaN is not
            found = cosines(self._search_rows(), unit, count)
        return found

    # --- attributes of words, order ---------------------------------------------------------------------------

    def get_vecattr(self, key: Key, attr: str) -> int:
        """How often a word occurs: the attribute "count" is the only one.

        >>> from xw2v import WordVectors
        >>> WordVectors(["a", "b"], [[1], [2]], counts=[7, 3]).get_vecattr("b", "count")
        3

        Raises
        ------
        UnknownWordError   no such word, no such attribute, or the counts are not known.
        """
        row = self._row(key)
        if attr != "count":
            msg = f'words have the attribute "count" only, asked for {attr!r}'
            raise UnknownWordError(msg)
        if self.counts is None:
            msg = "the counts of these words are not known: pass counts=, or fvocab= where a word2vec file is loaded"
            raise UnknownWordError(msg)
        return int(self.counts[row])

    def sort_by_descending_frequency(self) -> None:
        """Put the words in falling order of their counts; equal counts keep their order. Vectors move along.

        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["a", "b"], [[1], [2]], counts=[3, 7])
        >>> wv.sort_by_descending_frequency()
        >>> wv
        WordVectors(2 words, vector_size=1: 'b', 'a')

        Raises
        ------
        ConfigError   the counts are not known.
        """
        if self.counts is None:
            msg = "sorting by frequency needs counts, and none are known; pass counts= or fvocab="
            raise ConfigError(msg)
        order = np.argsort(-self.counts, kind="stable")
        if (order == np.arange(len(order))).all():
            return
        self._names = [self.index_to_key[row] for row in order.tolist()]
        self._packed = None
        self._start(as_vectors(self.vectors[order], len(self)), self.counts[order])

    def unit_normalize_all(self) -> None:
        """Divide every vector by its length; what was their length is lost.

        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["a"], [[3, 4]])
        >>> wv.unit_normalize_all()
        >>> wv["a"]
        array([0.6, 0.8], dtype=float32)
        """
        self.vectors = self.unit_vectors
        self._forget()

    def vectors_for_all(self, keys: Iterable[Key], copy_vecattrs: bool = False) -> Any:
        """New vectors of those of `keys` that are known, in the order given; with their counts if `copy_vecattrs`.

        >>> from xw2v import WordVectors
        >>> WordVectors(["a", "b"], [[1], [2]]).vectors_for_all(["b", "c"])
        WordVectors(1 words, vector_size=1: 'b')
        """
        found = (self._find(key) for key in as_list(keys))
        rows = list(dict.fromkeys(row for row in found if row is not None))  # 17 and "17" are one key
        counts = self.counts[rows] if copy_vecattrs and self.counts is not None else None
        return type(self)([self._word(row) for row in rows], self.vectors[rows], counts)
