"""Scores after each epoch, for a picture of score against time."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

from xw2v.caller import warn_caller
from xw2v.errors import ConfigError, FormatError
from xw2v.files import PathLike
from xw2v.vectors.analogies import evaluate_word_analogies
from xw2v.vectors.test_sets import first_words, holds_questions
from xw2v.vectors.word_pairs import evaluate_word_pairs

__all__ = ["EpochScores"]


class EpochScores:
    r"""A callback of `fit`: evaluates the vectors after each epoch and writes to the `scores` of the epoch's record.

    A score is Spearman's correlation with people's judgements, or the share of analogies answered right, and has the
    name of its file, without suffix.

    Parameters
    ----------
    paths : files of word pairs or of analogy questions, found out by what they hold
    restrict_vocab : use the most frequent words only

    Raises
    ------
    ConfigError                     no files, or two of one name
    MissingFileError, FormatError   a file is not there, or not text; before training, not after an epoch of it

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from xw2v import Word2Vec
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "pairs.txt"
    ...     _ = path.write_text("king queen 9\nking tree 1\nqueen tree 2\n")
    ...     model = Word2Vec(vector_size=8, min_count=1, sample=0, epochs=2).fit(
    ...         [["king", "queen", "rule"], ["tree", "grows", "slowly"]] * 50, callbacks=[EpochScores(path)]
    ...     )
    >>> [list(end.scores) for end in model.epoch_history]
    [['pairs'], ['pairs']]
    """

    def __init__(self, *paths: PathLike, restrict_vocab: int | None = 300_000) -> None:
        self._files = {_name(path): Path(path) for path in paths}
        if not paths or len(self._files) < len(paths):
            twice = [name for name, n in Counter(map(_name, paths)).items() if n > 1]
            msg = f"two files are named {twice[0]!r}; rename one" if twice else "EpochScores needs a file to score on"
            raise ConfigError(msg)
        self._has_questions = {name: holds_questions(path) for name, path in self._files.items()}
        self._most = first_words(restrict_vocab)

    def __call__(self, model: Any, end: Any) -> None:
        """Evaluate `model.wv`; a file that gives no score, as no word of it is known, is warned of and left out."""
        for name, path in tuple(self._files.items()):
            try:
                if self._has_questions[name]:
                    score = evaluate_word_analogies(model.wv, path, self._most, progress=False).check(path).accuracy
                else:
                    score = evaluate_word_pairs(model.wv, path, self._most).spearman
            except FormatError as error:  # hours of training are worth more than a score
                warn_caller(f"no score on {path}: {error}")
                del self._files[name]
                continue
            if math.isfinite(score):
                end.scores[name] = float(score)


def _name(path: PathLike) -> str:
    """The name of a file without its suffix, and without .gz."""
    return Path(Path(path).name.removesuffix(".gz")).stem
