"""What callers give to `WordVectors`, checked and brought into one form."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from xw2v.errors import ConfigError, MixedArraysError, ShapeError

__all__ = [
    "UnknownWordText",
    "as_counts",
    "as_items",
    "as_key",
    "as_list",
    "as_number",
    "as_vectors",
    "as_weight",
    "brief",
]

_MOST_SHOWN = 100  # characters of a word in an error

FloatArray = npt.NDArray[np.float32]


def as_key(key: object) -> str | None:
    """The word that a key names: itself, an integer's decimal digits, else None.

    >>> as_key("king"), as_key(17), as_key(True), as_key(1.0)
    ('king', '17', None, None)
    """
    if isinstance(key, str):
        return str.__str__(key)  # NumPy's strings would be shown as np.str_('king')
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
        return str(int(key))
    return None


def as_vectors(vectors: npt.ArrayLike, rows: int) -> FloatArray:
    """A read-only (rows, D) float32 view, or copy where the dtype differs."""
    try:
        array = np.asarray(vectors)
    except TypeError as error:  # arrays on a GPU refuse
        msg = f"vectors must be a NumPy array or a list of rows; got {brief(vectors)}, copy it to the host first"
        raise MixedArraysError(msg) from error
    except ValueError as error:
        msg = f"vectors must have shape ({rows}, D), one row a word; the rows given differ in length"
        raise ShapeError(msg) from error
    if array.dtype.kind not in "fiu":
        msg = f"vectors must be real numbers; got an array of {array.dtype}"
        raise MixedArraysError(msg)
    if array.ndim != 2 or array.shape[0] != rows or array.shape[1] == 0:
        msg = f"vectors must have shape ({rows}, D) with D > 0, one row a word; got {array.shape}"
        raise ShapeError(msg)
    with np.errstate(over="ignore"):  # becomes infinity, which is refused by its word
        result = array.astype(np.float32, copy=False).view()
    result.flags.writeable = False  # the unit vectors would not follow a change
    return result


def as_counts(counts: npt.ArrayLike | None, rows: int) -> npt.NDArray[np.int64] | None:
    """(rows,) int64, or None."""
    if counts is None:
        return None
    array = np.asarray(counts)
    if array.shape != (rows,) or (rows and array.dtype.kind not in "iu"):
        msg = f"counts must be {rows} integers, one a word; got {array.dtype} of shape {array.shape}"
        raise ShapeError(msg)
    found = array.astype(np.int64, copy=False)
    if (found < 0).any():  # those above 2^63 are, too; no file would be read with them
        msg = f"counts must be integers from 0 to 2**63 - 1; got {array[found < 0][0]}"
        raise ShapeError(msg)
    return found


def as_items(queries: Any) -> list[Any]:
    """A list of words, vectors and (one of them, weight) tuples, from one or several.

    An array of integers are keys, as the items of a basket, even where it is as long as a vector.
    """
    if queries is None:
        return []
    is_vector = isinstance(queries, np.ndarray) and queries.ndim == 1 and queries.dtype.kind == "f"
    if is_vector or as_key(queries) is not None:
        return [queries]
    if not isinstance(queries, Iterable) or isinstance(queries, (bytes, bytearray)):
        msg = f"wanted a word, a vector or a list of these; got {brief(queries)}"
        raise ConfigError(msg)
    return list(queries)


def as_list(keys: Any) -> list[Any]:
    """A list of keys, of which one alone is none: its letters would be taken for words."""
    if isinstance(keys, (str, bytes)) or not isinstance(keys, Iterable):
        msg = f"a list of words is wanted; got {brief(keys)}"
        raise ConfigError(msg)
    return list(keys)


def as_number(number: Any, name: str, none: str) -> int | None:
    """An integer, or None where the caller gave that, which means `none`."""
    if number is None:
        return None
    if isinstance(number, (int, np.integer)):
        return int(number)
    msg = f"{name} must be an integer, or None for {none}; got {brief(number)}"
    raise ConfigError(msg)


def as_weight(weight: Any) -> float:
    """A finite number."""
    try:
        value = float(weight)
    except (TypeError, ValueError):
        value = np.nan
    if not np.isfinite(value):
        msg = f"a weight must be a finite number, as in ('king', 0.5); got {brief(weight)}"
        raise ConfigError(msg)
    return value


def brief(thing: Any) -> str:
    """A thing in a few characters, for an error."""
    shape = getattr(thing, "shape", None)
    return f"{type(thing).__name__} of shape {shape}" if shape else repr(thing)[:60]


class UnknownWordText:
    """The text of an `UnknownWordError`, made when it is read: the spellings would slow down `except KeyError`."""

    def __init__(self, word: object, words: list[str]) -> None:
        self.word, self.words = word, words

    def __str__(self) -> str:
        word = as_key(self.word)
        if word is None:
            text = f"{brief(self.word)} is not a word; wanted a string or an integer key"
            if isinstance(self.word, np.ndarray):
                return f"{text}; vectors are asked about by similar_by_vector and cosine_similarities"
            if isinstance(self.word, (float, np.floating)):
                return f"{text}; a vector is an array: numpy.array(numbers)"
            return text
        given = repr(self.word) if len(word) <= _MOST_SHOWN else f"{word[:_MOST_SHOWN]!r}... ({len(word):,} characters)"
        text = f"{given} is not in the vocabulary of {len(self.words)} words"
        if not isinstance(self.word, str):
            return f"{text}; an integer is a key here, never a row: use .vectors[row] for that"
        near = _near_spellings(word, self.words)
        shown = (word if word.isprintable() else repr(word) for word in near)
        return f"{text}; nearest spellings: {', '.join(shown)}" if near else text

    __repr__ = __str__

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)  # an error that is pickled must not take the vocabulary along


def _near_spellings(word: str, words: list[str]) -> list[str]:
    """At most three words spelled alike, looked for among the most frequent that share a beginning or an end."""
    if not word or len(word) > 64:
        return []
    lower = word.lower()
    candidates: dict[str, str] = {}  # few enough to compare in some 20 ms
    for candidate in words[:200_000]:
        if abs(len(candidate) - len(word)) > 2:
            continue
        small = candidate.lower()
        if small[:1] == lower[:1] or small[-2:] == lower[-2:]:
            candidates.setdefault(small, candidate)
            if len(candidates) == 1500:
                break
    return [candidates[near] for near in difflib.get_close_matches(lower, list(candidates), n=3, cutoff=0.6)]
