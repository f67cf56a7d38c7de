"""Blocks of tokens that are taken as they are: Arrow lists, arrays of ids, Python lists."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from xw2v.errors import CorpusError
from xw2v.text.blocks import TextOptions, TokenBlock, spelled_out
from xw2v.text.words import pack

__all__ = ["from_ids", "from_lists", "from_rows", "in_order"]

_TOKENS = (str, int, np.integer)


def from_rows(rows: Any, options: TextOptions, done: int, name: str) -> TokenBlock:
    """A block from an Arrow list array of strings or integers; null rows and null items are left out."""
    lengths = pc.fill_null(pc.list_value_length(rows), 0).to_numpy(zero_copy_only=False)
    return _from_values(spelled_out(rows.flatten()), np.cumsum(lengths, dtype=np.int64), options, done, name)


def from_ids(ids: npt.NDArray[Any], ends: npt.NDArray[np.int64]) -> TokenBlock:
    """A block from integer ids (n,), whose words are their decimal numbers, or from strings."""
    try:
        values = pa.array(ids.astype(ids.dtype.newbyteorder("="), copy=False))
    except UnicodeDecodeError:  # half surrogates, which Arrow's strings cannot hold
        return _from_tokens(ids.tolist(), ends.tolist(), 0, TextOptions())
    return _from_values(values, ends, TextOptions(), 0, "ids")


def _from_values(values: Any, ends: npt.NDArray[np.int64], options: TextOptions, done: int, name: str) -> TokenBlock:
    if values.null_count:
        if pa.types.is_string_view(values.type):  # of polars; Arrow leaves nothing out of one
            values = values.cast(pa.large_string())
        before = np.zeros(len(values) + 1, np.int64)
        np.cumsum(values.is_valid().to_numpy(zero_copy_only=False), out=before[1:])
        values, ends = values.drop_null(), before[ends]
    encoded = values.dictionary_encode()
    try:
        words = [str(value) for value in encoded.dictionary.to_pylist()]
    except UnicodeDecodeError as error:
        msg = f"{name} holds a string that is not UTF-8 ({error.reason})"
        raise CorpusError(msg) from error
    if options.lower:
        words = [word.lower() for word in words]
    return TokenBlock(encoded.indices.to_numpy(), pack(words), ends, done)


def from_lists(sentences: Iterable[Any], options: TextOptions, size: int) -> Iterator[TokenBlock]:
    """Blocks of at least `size` tokens from lists of strings or integers; read once, in order.

    Raises
    ------
    CorpusError   a sentence is a string or no list, or a token is neither a string nor an integer.
    """
    tokens: list[Any] = []
    ends: list[int] = []
    first = 0  # number of the block's first sentence
    for number, sentence in enumerate(sentences):
        # Nearly all are lists, and to look closer takes longer than their tokens do.
        tokens.extend(sentence if type(sentence) in (list, tuple) else _tokens_of(sentence, number))
        ends.append(len(tokens))
        if len(tokens) >= size:
            yield _from_tokens(tokens, ends, first, options)
            tokens, ends, first = [], [], number + 1
    if tokens:
        yield _from_tokens(tokens, ends, first, options)


def in_order(items: Iterable[Any]) -> Iterable[Any]:
    """A set in an order that is the same in every run; all else as it is."""
    return sorted(items, key=repr) if isinstance(items, (set, frozenset)) else items


def _tokens_of(sentence: Any, number: int) -> Iterable[Any]:
    """The sentence as something to iterate over, refusing what only looks like a list of tokens."""
    if isinstance(sentence, (str, bytes)):
        msg = (
            f"sentence {number} is a string, wanted a list of tokens: split it first "
            "(text.split()); for a file give its path"
        )
        raise CorpusError(msg)
    if hasattr(sentence, "tolist"):  # arrays and columns: Python's numbers and strings in place of their scalars
        sentence = [sentence.tolist()] if getattr(sentence, "ndim", 1) == 0 else sentence.tolist()
    if not isinstance(sentence, Iterable) or isinstance(sentence, Mapping):
        msg = f"sentence {number} is of type {type(sentence).__name__}, wanted a list of tokens"
        raise CorpusError(msg)
    return in_order(sentence)


def _from_tokens(tokens: list[Any], ends: list[int], first: int, options: TextOptions) -> TokenBlock:
    # All of them are looked at, for 1.0 and True are equal to 1.
    wrong = {kind for kind in set(map(type, tokens)) if kind is bool or not issubclass(kind, _TOKENS)}
    if wrong:
        place = next(i for i, token in enumerate(tokens) if type(token) in wrong)
        token, number = tokens[place], first + bisect_right(ends, place)
        msg = (
            f"sentence {number} holds a token of type {type(token).__name__}, wanted strings or integers"
            f"{_way_to_a_token(token)}"
        )
        raise CorpusError(msg)
    # Not the length of the dictionary itself, which would make a circle of it, freed when Python next looks for such.
    index: defaultdict[Any, int] = defaultdict(count().__next__)
    codes = np.fromiter(map(index.__getitem__, tokens), np.int32, len(tokens))
    words = [str(token) for token in index]
    if options.lower:
        words = [word.lower() for word in words]
    return TokenBlock(codes, pack(words), np.array(ends, np.int64), 0)


def _way_to_a_token(token: Any) -> str:
    """What to do about something that is none."""
    if token is None or (isinstance(token, float) and math.isnan(token)):
        return ": leave out what is missing"
    if isinstance(token, bytes):
        return ": token.decode() makes a word of it"
    return ": lists lie too deep" if isinstance(token, Iterable) else ": str(token) makes a word of it"
