"""Python objects as corpora: tables, arrays of ids, lists of tokens; and a line for what looks like one and is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from xw2v.errors import CorpusError
from xw2v.order import falls
from xw2v.text.blocks import TextOptions, TokenBlock
from xw2v.text.columns import table_blocks
from xw2v.text.tokens import from_ids, from_lists, in_order

__all__ = ["ObjectBlocks", "read_object"]


class ObjectBlocks(NamedTuple):
    """How an object is read: its name for messages, its blocks, and whether they may be asked for again."""

    name: str
    blocks: Callable[[], Iterator[TokenBlock]]
    again: bool


def read_object(source: Any, column: str | None, options: TextOptions, size: int, bytes_: int) -> ObjectBlocks:
    """What gives the blocks, of `size` tokens or `bytes_` of text, of any corpus but a path.

    Raises
    ------
    CorpusError   it is no corpus.
    """
    if any(hasattr(source, name) for name in ("__arrow_c_stream__", "__arrow_c_array__", "collect_schema")):
        once = hasattr(source, "read_next_batch")  # a stream
        return ObjectBlocks("the table", lambda: table_blocks(source, column, options, size, bytes_), again=not once)
    if column is not None:
        msg = f"column={column!r} needs a file or a table, got {type(source).__name__}"
        raise CorpusError(msg)
    if _is_ids(source):
        ids, offsets = _ids_and_offsets(source)
        return ObjectBlocks("the id array", lambda: _id_blocks(ids, offsets, size), again=True)
    _refuse(source)
    if iter(source) is source:
        return ObjectBlocks("the iterator", lambda: _once(from_lists(source, options, size)), again=False)
    return ObjectBlocks("the iterable", lambda: from_lists(in_order(source), options, size), again=True)


def _refuse(source: Any) -> None:
    """Raise a CorpusError with the way to a corpus if `source` is none."""
    kind = type(source).__name__
    wanted = f"a corpus must be a path, paths, lists of tokens or arrays of ids, got {kind}"
    if isinstance(source, (bytes, bytearray, memoryview)):
        msg = f"{wanted}; of text in memory give [line.split() for line in text.decode().splitlines()]"
    elif isinstance(source, Mapping):
        msg = f"{wanted}; if its values are lists of tokens, give these: list(corpus.values())"
    elif hasattr(source, "tocsr"):
        msg = (
            f"{wanted}; of a graph's matrix give random_walks(matrix); of one with a sentence a row and an item "
            "a column, in CSR form, (matrix.indices, matrix.indptr)"
        )
    elif hasattr(source, "adjacency"):
        msg = f"{wanted}; give random_walks(graph)"
    elif isinstance(source, Iterable):
        return
    else:
        msg = f"{wanted}; call it and give what it returns" if callable(source) else wanted
    raise CorpusError(msg)


def _once(blocks: Iterator[TokenBlock]) -> Iterator[TokenBlock]:
    """The blocks of an iterator, of which there must be one."""
    first = next(blocks, None)
    if first is None:
        msg = "the iterator holds no words; one that was read before is at its end: give a list, or make it anew"
        raise CorpusError(msg)
    yield first
    yield from blocks


# Arrays of ids ---------------------------------------------------------------------------------------------


def _is_ids(source: Any) -> bool:
    """Whether this is an array of ids or (ids, offsets). Arrays of strings and of objects are read as lists are."""
    if isinstance(source, np.ndarray):
        return source.dtype.kind not in "OTUS" or not source.ndim
    if not (isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], np.ndarray)):
        return False
    offsets = source[1]
    numbers = isinstance(offsets, list) and all(isinstance(offset, (int, np.integer)) for offset in offsets)
    return numbers or isinstance(offsets, np.ndarray)


def _ids_and_offsets(source: Any) -> tuple[Any, Any]:
    """(ids (N,), offsets (n + 1,)), checked."""
    if isinstance(source, np.ndarray):
        if source.ndim != 2 or source.dtype.kind not in "iu":
            msg = (
                f"an id array must be 2-D, a sentence a row, and of integers, got shape {source.shape}, "
                f"dtype {source.dtype}; for others give (ids, offsets)"
            )
            raise CorpusError(msg)
        return source.reshape(-1), np.arange(len(source) + 1, dtype=np.int64) * source.shape[1]
    ids, offsets = source[0], np.asarray(source[1])
    for array, what, kinds in ((ids, "ids", "iuU"), (offsets, "offsets", "iu")):
        if array.ndim != 1 or array.dtype.kind not in kinds:
            msg = f"{what} must be 1-D and of integers, got shape {array.shape}, dtype {array.dtype}"
            raise CorpusError(msg)
    if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(ids) or falls(offsets):
        msg = f"offsets must go from 0 up to the number of ids ({len(ids)}) and never down"
        raise CorpusError(msg)
    return ids, offsets.astype(np.int64)


def _id_blocks(ids: Any, offsets: Any, size: int) -> Iterator[TokenBlock]:
    for low in range(0, len(ids), size):
        part = ids[low : low + size]
        first, last = np.searchsorted(offsets, [low, low + len(part)], side="right")
        yield from_ids(part, offsets[first:last] - low)
