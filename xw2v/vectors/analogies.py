"""Scores of word vectors on analogy questions, counted as gensim's `KeyedVectors` counts them.

Lines of four words, a is to b as c is to d, in sections that begin with ": name" (Google's questions-words.txt).

What gensim does and is kept: only the first `restrict_vocab` words take part and are answers; case is ignored by
comparing upper case, the first of several variants standing for all; lines that do not parse are left out of every
count.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace

from xw2v.backend import get_backend
from xw2v.display import Tell, watched
from xw2v.errors import ConfigError, FormatError
from xw2v.files import PathLike
from xw2v.vectors.bootstrap import share_interval
from xw2v.vectors.evaluated import Judged
from xw2v.vectors.nearest import struck_out
from xw2v.vectors.test_sets import known_words, lines

__all__ = ["METHODS", "AnalogyResult", "AnalogySection", "evaluate_word_analogies"]

Array = Any
Places = npt.NDArray[np.intp]

METHODS = {"most_similar": "3CosAdd", "most_similar_cosmul": "3CosMul"}
"""gensim's name of each way to answer, and its usual one."""

_BLOCK_NUMBERS = 2**23  # float32 of a block of similarities: 32 MB
_DEVICE_BLOCK_NUMBERS = 2**26  # 256 MB: a GPU wants more work at a time
_TRIED = 5  # answers looked at before a question counts as wrong, gensim's number


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
    missing_words: tuple[str, ...] = ()

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

    def check(self, path: PathLike) -> AnalogyResult:
        """Itself, if any question could be asked, so that there is a score.

        Raises
        ------
        FormatError   none could.
        """
        if self.total:
            return self
        msg = f"{path}: no usable question, each of {self.skipped:,} has an unknown word, as {self.missing_words[0]!r}"
        raise FormatError(msg)

    @property
    def interval(self) -> tuple[float, float]:
        """Where the accuracy would lie in 95 of 100 other draws of as many questions, by bootstrap."""
        return share_interval(self.correct, self.total)

    @property
    def oov_ratio(self) -> float:
        """Share of the valid questions with an unknown word, 0 to 1 (gensim logs percent)."""
        return self.skipped / (self.skipped + self.total)


def evaluate_word_analogies(
    wv: Judged,
    path: PathLike,
    restrict_vocab: int | None = 300000,
    case_insensitive: bool = True,
    similarity_function: str = "most_similar",
    progress: bool | None = None,
) -> AnalogyResult:
    """`WordVectors.evaluate_word_analogies`, for vectors on the host or on a device.

    As in gensim, a, b and c are no answers, and of the five nearest others the first counts whose upper case is
    none of theirs.
    """
    if similarity_function not in METHODS:
        msg = f"similarity_function must be one of {', '.join(METHODS)}; got {similarity_function!r}"
        raise ConfigError(msg)
    found = _read_questions(path, known_words(wv, restrict_vocab, case_insensitive), case_insensitive)
    keys = [word.upper() if case_insensitive else word for word in wv.index_to_key[:restrict_vocab]]
    product = similarity_function == "most_similar_cosmul"
    with watched("evaluating", "questions", progress) as tell:
        right = _answered(wv._units(slice(len(keys))), keys, found.rows, product, tell)
    totals = np.bincount(found.section, minlength=len(found.names)).tolist()
    rights = np.bincount(found.section[right], minlength=len(found.names)).tolist()
    sections = zip(found.names, rights, totals, found.skipped, strict=True)
    return AnalogyResult(
        tuple(AnalogySection(n, r, t - r, s) for n, r, t, s in sections), found.lines_invalid, found.missing_words
    )


class _Questions(NamedTuple):
    """What a file asks: Q questions whose words are all known, and how many others there are."""

    names: list[str]  # of the sections
    section: Places  # (Q,)
    rows: Places  # (Q, 4): of a, b, c and the expected word
    skipped: list[int]  # of each section: with an unknown word
    lines_invalid: int
    missing_words: tuple[str, ...]


def _read_questions(path: PathLike, known: dict[str, int], case_insensitive: bool) -> _Questions:
    names: list[str] = []
    questions: list[tuple[int, ...]] = []  # the section, and the rows of the four words
    skipped: list[int] = []
    unknown: dict[str, None] = {}
    invalid = 0
    for number, line in lines(Path(path)):
        if line.startswith(": "):
            names.append(line.lstrip(": ").strip())
            skipped.append(0)
            continue
        given = line.split()
        words = [word.upper() for word in given] if case_insensitive else given
        if not names and words:
            msg = f'{path}, line {number}: a question before the first section; wanted a line ": name" first'
            raise FormatError(msg)
        if len(words) != 4:
            invalid += bool(words)
        elif all(word in known for word in words):
            questions.append((len(names) - 1, *(known[word] for word in words)))
        else:
            skipped[-1] += 1
            unknown |= {name: None for name, word in zip(given, words, strict=True) if word not in known}
    if not questions and not any(skipped):
        msg = f"{path} holds no question; wanted lines of four words, in sections that begin with ': name'"
        raise FormatError(msg)
    table = np.array(questions, dtype=np.intp).reshape(-1, 5)
    return _Questions(names, table[:, 0], table[:, 1:], skipped, invalid, tuple(unknown))


def _answered(unit: Array, keys: list[str], rows: Places, product: bool, tell: Tell) -> npt.NDArray[np.bool_]:
    """Which of (Q, 4) questions are answered rightly, by one matrix product a block, where the vectors lie.

    `unit` (V, D) are the unit vectors, `keys` the V words as they are compared. Scores are right up to a factor
    for each question.
    """
    xp, backend = array_namespace(unit), get_backend(unit)
    right = np.zeros(len(rows), dtype=np.bool_)
    numbers = _BLOCK_NUMBERS if isinstance(unit, np.ndarray) else _DEVICE_BLOCK_NUMBERS
    step = max(1, numbers // max(1, len(keys)))
    for start in range(0, len(rows), step):
        tell(start, len(rows))
        block = rows[start : start + step]
        asked = backend.from_host(np.ascontiguousarray(block[:, :3]))
        scores = _products(unit, asked, xp=xp) if product else _sums(unit, asked, xp=xp)
        scores = struck_out(scores, asked, xp=xp)
        nearest = backend.to_host(xp.argmax(scores, axis=1))
        for i, (row, (a, b, c, expected)) in enumerate(zip(nearest.tolist(), block.tolist(), strict=True)):
            known = {keys[a], keys[b], keys[c]}
            # Variants of a word in other case are rare; only then is more than the nearest looked at.
            answer = keys[row] if keys[row] not in known else _later_answer(backend.to_host(scores[i, :]), keys, known)
            right[start + i] = answer == keys[expected]
    return right


def _sums(unit: Array, asked: Array, *, xp: Any) -> Array:
    """(n, V) scores of 3CosAdd for (n, 3) rows a, b, c."""
    a, b, c = (xp.take(unit, asked[:, i], axis=0) for i in range(3))
    return xp.matmul(b + c - a, xp.matrix_transpose(unit))


def _products(unit: Array, asked: Array, *, xp: Any) -> Array:
    """(n, V) scores of 3CosMul; see `xw2v.vectors.searches.Searches.most_similar_cosmul`."""
    rows = (xp.take(unit, asked[:, i], axis=0) for i in range(3))
    x, y, z = ((1 + xp.matmul(row, xp.matrix_transpose(unit))) / 2 for row in rows)
    return y * z / (x + 1e-6)


def _later_answer(cosines: npt.NDArray[np.float32], keys: list[str], asked: set[str]) -> str | None:
    """The first of the five nearest that is not `asked`; the last of them if there is none, as in gensim."""
    answer = None
    left = int(np.isfinite(cosines).sum())  # all but a, b and c
    for row in np.argsort(-cosines, kind="stable")[: min(_TRIED, left)].tolist():
        answer = keys[row]
        if answer not in asked:
            break
    return answer
