"""Scores of word vectors on files of human judgements, counted exactly as gensim's `KeyedVectors` counts them.

Word pairs: lines "word TAB word TAB similarity", "#" begins a comment. Analogies: lines of four words, a is to
b as c is to d, in sections that begin with ": name" (Google's questions-words.txt).

What gensim does and is kept: only the first `restrict_vocab` words take part; case is ignored by comparing
upper case, the first of several variants standing for all; lines that do not parse are left out of every count.
"""

from __future__ import annotations

import gzip
import math
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from xw2v.errors import FileAccessError, FormatError, MissingFileError
from xw2v.files import PathLike

if TYPE_CHECKING:
    from xw2v.vectors.word_vectors import WordVectors

__all__ = [
    "AnalogyResult",
    "AnalogySection",
    "WordPairResult",
    "evaluate_word_analogies",
    "evaluate_word_pairs",
]

_BLOCK_NUMBERS = 2**23  # float32 of a block of similarities: 32 MB
_TRIED = 5  # answers looked at before a question counts as wrong, gensim's number


class WordPairResult(NamedTuple):
    """Correlations with the judgements, each with its two-sided p-value; NaN where a side is constant."""

    spearman: float
    pearson: float
    spearman_pvalue: float
    pearson_pvalue: float
    pairs_used: int
    pairs_missing: int  # a word is unknown
    lines_invalid: int  # not three fields, or no number

    @property
    def oov_ratio(self) -> float:
        """Share of the valid pairs with an unknown word, 0 to 1 (gensim gives percent)."""
        return self.pairs_missing / (self.pairs_used + self.pairs_missing)


class AnalogySection(NamedTuple):
    """Counts of one section; `skipped` questions have an unknown word."""

    name: str
    correct: int
    incorrect: int
    skipped: int

    @property
    def total(self) -> int:
        """Questions that were asked."""
        return self.correct + self.incorrect

    @property
    def accuracy(self) -> float:
        """Share of the questions asked that were answered rightly; 0 where none was."""
        return self.correct / self.total if self.total else 0.0


class AnalogyResult(NamedTuple):
    """Sections in the file's order, and the lines that were no question."""

    sections: tuple[AnalogySection, ...]
    lines_invalid: int

    @property
    def correct(self) -> int:
        """Questions answered rightly, over all sections."""
        return sum(section.correct for section in self.sections)

    @property
    def total(self) -> int:
        """Questions asked, over all sections."""
        return sum(section.total for section in self.sections)

    @property
    def skipped(self) -> int:
        """Questions with an unknown word, over all sections."""
        return sum(section.skipped for section in self.sections)

    @property
    def accuracy(self) -> float:
        """Share of all questions asked that were answered rightly; 0 where none was."""
        return self.correct / self.total if self.total else 0.0

    @property
    def oov_ratio(self) -> float:
        """Share of the valid questions with an unknown word, 0 to 1 (gensim logs percent)."""
        return self.skipped / (self.skipped + self.total)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line, UTF-8, unpacked where the name ends in .gz."""
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield number, line.decode("utf-8")
    except FileNotFoundError as error:
        msg = f"{path} does not exist; check the path"
        raise MissingFileError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path}, line {number}: not UTF-8; convert the file"
        raise FormatError(msg) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = f"{path}, after line {number}: not a whole gzip file ({error})"
        raise FormatError(msg) from error
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise FileAccessError(msg) from error


def _known(wv: WordVectors, restrict_vocab: int | None, case_insensitive: bool) -> dict[str, int]:
    """Row of each word that takes part, by its upper case where case does not count."""
    words = wv.index_to_key[:restrict_vocab]
    rows = range(len(words) - 1, -1, -1)  # backwards, so that the first of several variants stays
    return {words[row].upper() if case_insensitive else words[row]: row for row in rows}


# --- word pairs ---------------------------------------------------------------------------------------------


def evaluate_word_pairs(
    wv: WordVectors, path: PathLike, restrict_vocab: int | None = 300000, case_insensitive: bool = True
) -> WordPairResult:
    """Correlation of the cosines of word pairs with human judgements (WordSim-353, SimLex-999).

    Parameters
    ----------
    path : lines of word, word and a number, parted by tabs; "#" begins a comment
    restrict_vocab : use only the first so many words

    Raises
    ------
    FormatError   a line is not UTF-8 or its number is not finite, or fewer than two pairs can be used.
    MissingFileError, FileAccessError   the file cannot be read.
    """
    known = _known(wv, restrict_vocab, case_insensitive)
    pairs: list[tuple[int, int]] = []
    gold: list[float] = []
    missing = invalid = 0
    for number, line in _lines(Path(path)):
        if line.startswith("#"):
            continue
        fields = (line.upper() if case_insensitive else line).split("\t")
        try:
            first, second, value = fields[0], fields[1], float(fields[2])
        except (IndexError, ValueError):
            invalid += 1
            continue
        if len(fields) != 3:
            invalid += 1
        elif not math.isfinite(value):
            msg = f"{path}, line {number}: the similarity must be a finite number; got {fields[2].strip()!r}"
            raise FormatError(msg)
        elif first in known and second in known:
            pairs.append((known[first], known[second]))
            gold.append(value)
        else:
            missing += 1
    if len(pairs) < 2:
        msg = (
            f"{path}: {len(pairs)} usable word pairs, wanted at least 2 "
            f"({missing} with unknown words, {invalid} lines not of the form word TAB word TAB number)"
        )
        raise FormatError(msg)
    return _correlate(wv, np.array(pairs), np.array(gold), missing, invalid)


def _correlate(
    wv: WordVectors, pairs: npt.NDArray[np.intp], gold: npt.NDArray[np.float64], missing: int, invalid: int
) -> WordPairResult:
    from scipy import stats

    unit = wv.unit_vectors
    # float32 as in gensim: rounding makes ties, and ties count in a rank correlation
    cosines = np.vecdot(unit[pairs[:, 0]], unit[pairs[:, 1]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        warnings.simplefilter("ignore", stats.NearConstantInputWarning)
        spearman = stats.spearmanr(gold, cosines)
        pearson = stats.pearsonr(gold, cosines)
    return WordPairResult(
        spearman=float(spearman.statistic),
        pearson=float(pearson.statistic),
        spearman_pvalue=float(spearman.pvalue),
        pearson_pvalue=float(pearson.pvalue),
        pairs_used=len(pairs),
        pairs_missing=missing,
        lines_invalid=invalid,
    )


# --- analogies ----------------------------------------------------------------------------------------------


def evaluate_word_analogies(
    wv: WordVectors, path: PathLike, restrict_vocab: int | None = 300000, case_insensitive: bool = True
) -> AnalogyResult:
    """Share of the questions "a is to b as c is to ?" whose nearest word to b - a + c is the expected one.

    As in gensim, a, b and c are no answers, and of the five nearest others the first counts whose upper case is
    none of theirs.

    Parameters
    ----------
    path : lines of four words; a line ": name" begins a section, and one must come first
    restrict_vocab : use and search only the first so many words

    Raises
    ------
    FormatError   a line is not UTF-8 or stands before the first section, or there is no question.
    MissingFileError, FileAccessError   the file cannot be read.
    """
    known = _known(wv, restrict_vocab, case_insensitive)
    names: list[str] = []
    questions: list[tuple[int, int, int, int, int]] = []  # section, and rows of a, b, c, expected
    skipped: list[int] = []
    invalid = 0
    for number, line in _lines(Path(path)):
        if line.startswith(": "):
            names.append(line.lstrip(": ").strip())
            skipped.append(0)
            continue
        words = (line.upper() if case_insensitive else line).split()
        if not names and words:
            msg = f'{path}, line {number}: a question before the first section; wanted a line ": name" first'
            raise FormatError(msg)
        if len(words) != 4:
            invalid += bool(words)
        elif all(word in known for word in words):
            a, b, c, expected = (known[word] for word in words)
            questions.append((len(names) - 1, a, b, c, expected))
        else:
            skipped[-1] += 1
    if not questions and not any(skipped):
        msg = f"{path} holds no question; wanted lines of four words, in sections that begin with ': name'"
        raise FormatError(msg)
    asked = np.array(questions, dtype=np.intp).reshape(-1, 5)
    keys = [word.upper() if case_insensitive else word for word in wv.index_to_key[:restrict_vocab]]
    right = _answered(wv.unit_vectors[: len(keys)], keys, asked[:, 1:])
    totals = np.bincount(asked[:, 0], minlength=len(names)).tolist()
    rights = np.bincount(asked[right, 0], minlength=len(names)).tolist()
    sections = zip(names, rights, totals, skipped, strict=True)
    return AnalogyResult(tuple(AnalogySection(n, r, t - r, s) for n, r, t, s in sections), invalid)


def _answered(unit: npt.NDArray[np.float32], keys: list[str], rows: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Which of (Q, 4) questions are answered rightly, by one matrix product a block.

    `unit` (V, D) are the unit vectors, `keys` the V words as they are compared.
    """
    right = np.zeros(len(rows), dtype=np.bool_)
    step = max(1, _BLOCK_NUMBERS // max(1, len(unit)))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        a, b, c, expected = block.T
        cosines = (unit[b] + unit[c] - unit[a]) @ unit.T  # up to a factor for each question
        each = np.arange(len(block))[:, None]
        cosines[each, block[:, :3]] = -np.inf
        nearest = cosines.argmax(axis=1)
        for i, row in enumerate(nearest.tolist()):
            asked = {keys[j] for j in (a[i], b[i], c[i])}
            # Variants of a word in other case are rare; only then is more than the nearest looked at.
            answer = keys[row] if keys[row] not in asked else _later_answer(cosines[i], keys, asked)
            right[start + i] = answer == keys[expected[i]]
    return right


def _later_answer(cosines: npt.NDArray[np.float32], keys: list[str], asked: set[str]) -> str | None:
    """The first of the five nearest that is not `asked`; the last of them if there is none, as in gensim."""
    answer = None
    left = int(np.isfinite(cosines).sum())  # all but a, b and c
    for row in np.argsort(-cosines, kind="stable")[: min(_TRIED, left)].tolist():
        answer = keys[row]
        if answer not in asked:
            break
    return answer
