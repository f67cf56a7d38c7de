"""`Evaluated`: scores on files of human judgements, for vectors on the host or on a device."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from xw2v.backend import get_backend
from xw2v.files import PathLike

if TYPE_CHECKING:
    from xw2v.vectors.analogies import AnalogyResult
    from xw2v.vectors.evaluation import Score
    from xw2v.vectors.word_pairs import WordPairResult

__all__ = ["Carrier", "Evaluated", "Judged"]

Array = Any


class Judged(Protocol):
    """What an evaluation looks at."""

    @property
    def index_to_key(self) -> list[str]:
        """The V words."""
        ...

    @property
    def unit_vectors(self) -> Array:
        """(V, D) rows of length 1, of any array library."""
        ...


class Evaluated:
    """The scores of `WordVectors`, and of vectors on a device, which are worked out there."""

    def evaluate(self: Judged, paths: Iterable[PathLike], restrict_vocab: int = 300000) -> list[Score]:
        """All test sets at once, word pairs and analogies, with intervals; see `xw2v.vectors.evaluation.evaluate`."""
        from xw2v.vectors.evaluation import evaluate

        return evaluate(self, paths, restrict_vocab)

    def evaluate_word_pairs(
        self: Judged, path: PathLike, restrict_vocab: int = 300000, case_insensitive: bool = True
    ) -> WordPairResult:
        """Correlation with human judgements of similarity; see `xw2v.vectors.word_pairs.evaluate_word_pairs`."""
        from xw2v.vectors.word_pairs import evaluate_word_pairs

        return evaluate_word_pairs(self, path, restrict_vocab, case_insensitive)

    def evaluate_word_analogies(
        self: Judged,
        path: PathLike,
        restrict_vocab: int = 300000,
        case_insensitive: bool = True,
        similarity_function: str = "most_similar",
    ) -> AnalogyResult:
        """Share of analogy questions answered; see `xw2v.vectors.analogies.evaluate_word_analogies`."""
        from xw2v.vectors.analogies import evaluate_word_analogies

        return evaluate_word_analogies(self, path, restrict_vocab, case_insensitive, similarity_function)


class Carrier:
    """Carries rows to the device of some vectors and answers back; on NumPy it hands them on."""

    def __init__(self, vectors: Array) -> None:
        self._backend = None if isinstance(vectors, np.ndarray) else get_backend(vectors)

    def there(self, array: np.ndarray) -> Array:
        """An array on the device."""
        return array if self._backend is None else self._backend.from_host(array)

    def back(self, array: Array) -> np.ndarray:
        """An array of the device on the host."""
        return np.asarray(array) if self._backend is None else self._backend.to_host(array)
