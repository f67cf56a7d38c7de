"""`Evaluated`: scores on files of human judgements, for vectors on the host or on a device."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from xw2v.files import PathLike
from xw2v.vectors.nearest import Places

if TYPE_CHECKING:
    from xw2v.vectors.analogies import AnalogyResult
    from xw2v.vectors.evaluation import Score
    from xw2v.vectors.word_pairs import WordPairResult

__all__ = ["Evaluated", "Judged"]

Array = Any


class Judged(Protocol):
    """What an evaluation looks at."""

    @property
    def index_to_key(self) -> list[str]:
        """The V words."""
        ...

    def _units(self, rows: Places | slice) -> Array:
        """(n, D) some of the rows, brought to length 1, of any array library."""
        ...


class Evaluated:
    """The scores of `WordVectors`, and of vectors on a device, which are worked out there."""

    def evaluate(
        self: Judged,
        paths: PathLike | Iterable[PathLike],
        restrict_vocab: int | None = 300000,
        *,
        progress: bool | None = None,
    ) -> list[Score]:
        r"""A `Score` for each file of word pairs, two (3CosAdd, 3CosMul) for each of analogy questions.

        Parameters
        ----------
        paths : files as `evaluate_word_pairs` and `evaluate_word_analogies` read them, told apart by what they hold
        restrict_vocab : use only the first so many words; None: all
        progress : as in `Word2Vec.fit`

        Returns
        -------
        list of Score   with score (from -1 to 1, or a share), low and high of a 95 % interval, used and total pairs or
            questions, and the words that are missing

        Raises
        ------
        MissingFileError, FileAccessError   a file cannot be read.   FormatError   it holds neither, or none is usable.
        ConfigError   `restrict_vocab` is no number of words.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["man", "woman", "king", "queen"], [[2, 0, 1], [0, 2, 1], [2, 0, 8], [0, 2, 8]])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "questions.txt")
        ...     _ = file.write_text(": family\nman king woman queen\n")
        ...     [(found.measure, found.score) for found in wv.evaluate(file)]
        [('3CosAdd', 1.0), ('3CosMul', 1.0)]
        """
        from xw2v.vectors.evaluation import evaluate

        several = [paths] if isinstance(paths, (str, os.PathLike)) else paths
        return evaluate(self, several, restrict_vocab, progress=progress)

    def evaluate_word_pairs(
        self: Judged, path: PathLike, restrict_vocab: int | None = 300000, case_insensitive: bool = True
    ) -> WordPairResult:
        r"""Correlation of the cosines of word pairs with human judgements of similarity.

        Parameters
        ----------
        path : a file such as WordSim-353 or SimLex-999: two words and a number a line; "#" begins a comment
        restrict_vocab : use only the first so many words; None: all
        case_insensitive : "King" in the file is "king", too

        Returns
        -------
        WordPairResult   with spearman and pearson, how many pairs were used, and the words that are missing

        Raises
        ------
        MissingFileError, FileAccessError   the file cannot be read.
        FormatError   a line is not UTF-8 or its number is not finite, or fewer than two pairs can be used.
        ConfigError   `restrict_vocab` is no number of words.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["tea", "coffee", "rain"], [[4, 1], [4, 2], [0, 3]])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "pairs.tsv")
        ...     _ = file.write_text("tea coffee 9\ntea rain 1\ncoffee rain 2\n")
        ...     wv.evaluate_word_pairs(file).spearman
        1.0
        """
        from xw2v.vectors.word_pairs import evaluate_word_pairs

        return evaluate_word_pairs(self, path, restrict_vocab, case_insensitive)

    def evaluate_word_analogies(
        self: Judged,
        path: PathLike,
        restrict_vocab: int | None = 300000,
        case_insensitive: bool = True,
        similarity_function: str = "most_similar",
        *,
        progress: bool | None = None,
    ) -> AnalogyResult:
        r"""Share of the questions "a is to b as c is to ?" that are answered by the expected word.

        Parameters
        ----------
        path : a file such as questions-words.txt: four words a line, below a line ": name of the section"
        restrict_vocab : use and search only the first so many words; None: all
        case_insensitive : "King" in the file is "king", too
        similarity_function : "most_similar", sums of cosines (3CosAdd), or "most_similar_cosmul", products (3CosMul)
        progress : as in `Word2Vec.fit`

        Returns
        -------
        AnalogyResult   with accuracy, how many questions were asked and skipped, and its sections

        Raises
        ------
        MissingFileError, FileAccessError   the file cannot be read.
        ConfigError   no such similarity_function; `restrict_vocab` is no number of words.
        FormatError   a line is not UTF-8 or stands before the first section, or there is no question.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> from xw2v import WordVectors
        >>> wv = WordVectors(["man", "woman", "king", "queen"], [[2, 0, 1], [0, 2, 1], [2, 0, 8], [0, 2, 8]])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "questions.txt")
        ...     _ = file.write_text(": family\nman king woman queen\n")
        ...     wv.evaluate_word_analogies(file).accuracy
        1.0
        """
        from xw2v.vectors.analogies import evaluate_word_analogies

        return evaluate_word_analogies(self, path, restrict_vocab, case_insensitive, similarity_function, progress)
