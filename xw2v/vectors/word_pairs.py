"""Scores of word vectors on pairs of words that people judged, counted as gensim's `KeyedVectors` counts them.

Lines "word word similarity", parted by tabs, else by commas or semicolons where those give three columns, else
by spaces; "#" begins a comment. Other columns are left alone: the first number after the two words is the
judgement (SimLex's file has one behind a part of speech).

What gensim does and is kept: only the first `restrict_vocab` words take part; case is ignored by comparing
upper case, the first of several variants standing for all; lines that do not parse are left out of every count.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace

from xw2v.backend import get_backend
from xw2v.errors import FormatError
from xw2v.files import PathLike
from xw2v.vectors.bootstrap import spearman_interval
from xw2v.vectors.evaluated import Judged
from xw2v.vectors.test_sets import known_words, lines

__all__ = ["WordPairResult", "evaluate_word_pairs"]


class WordPairResult(NamedTuple):
    """Correlations with the judgements, each with its two-sided p-value; NaN where a side is constant."""

    spearman: float
    pearson: float
    spearman_pvalue: float
    pearson_pvalue: float
    pairs_used: int
    pairs_missing: int  # a word is unknown
    lines_invalid: int  # not two words and a number
    missing_words: tuple[str, ...] = ()
    interval: tuple[float, float] = (math.nan, math.nan)  # of Spearman, by bootstrap over the pairs

    @property
    def oov_ratio(self) -> float:
        """Share of the valid pairs with an unknown word, 0 to 1 (gensim gives percent)."""
        return self.pairs_missing / (self.pairs_used + self.pairs_missing)


def evaluate_word_pairs(
    wv: Judged, path: PathLike, restrict_vocab: int | None = 300000, case_insensitive: bool = True
) -> WordPairResult:
    """`WordVectors.evaluate_word_pairs`, for vectors on the host or on a device."""
    return _correlate(wv, _read_pairs(path, known_words(wv, restrict_vocab, case_insensitive), case_insensitive))


class _Pairs(NamedTuple):
    """What a file says of n pairs whose words are both known, and how many others there are."""

    rows: npt.NDArray[np.intp]  # (n, 2)
    gold: npt.NDArray[np.float64]  # (n,): the judgements
    missing: int
    invalid: int
    missing_words: tuple[str, ...]


def _read_pairs(path: PathLike, known: dict[str, int], case_insensitive: bool) -> _Pairs:
    pairs: list[tuple[int, int]] = []
    gold: list[float] = []
    unknown: dict[str, None] = {}
    missing = invalid = 0
    for number, line in lines(Path(path)):
        if line.startswith("#"):
            continue
        parsed = _parse(line)
        if parsed is None:
            invalid += 1
            continue
        *words, value = parsed
        if not math.isfinite(value):
            msg = f"{path}, line {number}: the similarity must be a finite number; got {line.strip()!r}"
            raise FormatError(msg)
        rows = [known.get(word.upper() if case_insensitive else word) for word in words]
        if None in rows:
            missing += 1
            unknown |= {word: None for word, row in zip(words, rows, strict=True) if row is None}
        else:
            pairs.append((rows[0], rows[1]))  # type: ignore[arg-type]
            gold.append(value)
    if len(pairs) < 2:
        msg = (
            f"{path}: {len(pairs)} usable word pairs, wanted at least 2 "
            f"({missing} with unknown words, {invalid} lines not of the form word, word, number)"
        )
        raise FormatError(msg)
    return _Pairs(np.array(pairs), np.array(gold), missing, invalid, tuple(unknown))


def _parse(line: str) -> tuple[str, str, float] | None:
    """Two words and the first number after them."""
    fields = [*map(str.strip, line.split("\t"))] if "\t" in line else _columns(line)
    for field in fields[2:]:
        try:
            return fields[0], fields[1], float(field)
        except ValueError:
            continue
    return None


def _columns(line: str) -> list[str]:
    """The columns of a line without tabs."""
    for mark in ",;":
        fields = [field.strip() for field in line.split(mark)]
        if len(fields) >= 3:
            return fields
    return line.split()


def _correlate(wv: Judged, pairs: _Pairs) -> WordPairResult:
    from scipy import stats

    left, right = (wv._units(np.ascontiguousarray(rows)) for rows in pairs.rows.T)
    # float32 as in gensim: rounding makes ties, and ties count in a rank correlation
    cosines = get_backend(left).to_host(array_namespace(left).vecdot(left, right))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        warnings.simplefilter("ignore", stats.NearConstantInputWarning)
        spearman = stats.spearmanr(pairs.gold, cosines)
        pearson = stats.pearsonr(pairs.gold, cosines)
    return WordPairResult(
        spearman=float(spearman.statistic),
        pearson=float(pearson.statistic),
        spearman_pvalue=float(spearman.pvalue),
        pearson_pvalue=float(pearson.pvalue),
        pairs_used=len(pairs.gold),
        pairs_missing=pairs.missing,
        lines_invalid=pairs.invalid,
        missing_words=pairs.missing_words,
        interval=spearman_interval(pairs.gold, cosines),
    )
