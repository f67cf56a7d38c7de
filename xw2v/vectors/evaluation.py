"""All test sets in one call: word pairs and analogies, each with its interval."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from xw2v.files import PathLike
from xw2v.vectors.analogies import METHODS, AnalogyResult, evaluate_word_analogies
from xw2v.vectors.test_sets import holds_questions
from xw2v.vectors.word_pairs import WordPairResult, evaluate_word_pairs

if TYPE_CHECKING:
    from xw2v.vectors.evaluated import Judged

__all__ = ["Score", "evaluate"]


class Score(NamedTuple):
    """One figure of a table.

    `score` is Spearman's correlation or the share of questions answered, `low` and `high` its 95 % interval by
    bootstrap over the items, `used` of `total` items have words that are known, `missing_words` are the others.
    """

    file: str
    measure: str
    score: float
    low: float
    high: float
    used: int
    total: int
    missing_words: tuple[str, ...]
    result: WordPairResult | AnalogyResult


def evaluate(
    wv: Judged, paths: Iterable[PathLike], restrict_vocab: int | None = 300000, progress: bool | None = None
) -> list[Score]:
    """`WordVectors.evaluate`, for vectors on the host or on a device."""
    scores = []
    for path in paths:
        if not holds_questions(Path(path)):
            pairs = evaluate_word_pairs(wv, path, restrict_vocab)
            total = pairs.pairs_used + pairs.pairs_missing
            scores.append(
                Score(str(path), "spearman", pairs.spearman, *pairs.interval, pairs.pairs_used, total,
                      pairs.missing_words, pairs)
            )  # fmt: skip
            continue
        for function, name in METHODS.items():
            found = evaluate_word_analogies(wv, path, restrict_vocab, similarity_function=function, progress=progress)
            found.check(path)
            scores.append(
                Score(str(path), name, found.accuracy, *found.interval, found.total, found.total + found.skipped,
                      found.missing_words, found)
            )  # fmt: skip
    return scores
