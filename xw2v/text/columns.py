"""Columns of tables with a sentence a row, in Parquet files or in memory: which one is read, and its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xw2v.errors import CorpusError
from xw2v.text.blocks import TextOptions, TokenBlock, cut_blocks, joined, spelled_out, tokenise
from xw2v.text.paths import shortened
from xw2v.text.tokens import from_rows

__all__ = [
    "MOST_ROWS",
    "choose_column",
    "evened",
    "is_text",
    "lines_of",
    "listed",
    "slices",
    "table_blocks",
    "token_slices",
]

MOST_ROWS = 1 << 10
"""Rows of text in a Parquet file that are read at once."""

_MEASURED = 1 << 16  # rows whose lengths are looked at at once
_ALONE = "the column"  # the name of one that comes without a table


def listed(names: list[str]) -> str:
    """Names for a message."""
    return shortened(", ".join(map(repr, names)))


def is_text(kind: Any) -> Any:
    """Whether an Arrow type is one of strings."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _is_tokens(kind: Any) -> Any:
    views = (pa.types.is_list_view, pa.types.is_large_list_view)
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list, *views)
    return any(test(kind) for test in lists) and (pa.types.is_integer(kind.value_type) or is_text(kind.value_type))


def lines_of(rows: Any) -> bytes:
    """A string array as bytes with a line for each row; null rows are left out."""
    rows = spelled_out(rows)
    rows = pc.replace_substring(rows.cast(pa.large_binary()), b"\n", b" ")
    lines = pc.binary_join_element_wise(rows, pa.scalar(b"", pa.large_binary()), pa.scalar(b"\n", pa.large_binary()))
    return joined(lines)


def choose_column(schema: Any, column: str | None, name: str) -> str:
    """The name of the column to read.

    Raises
    ------
    CorpusError   there is no such column, or its rows are no sentences; none was named and not just one would do.
    """
    usable = [field.name for field in schema if is_text(field.type) or _is_tokens(field.type)]
    chosen = usable[0] if column is None and len(usable) == 1 else column
    if chosen in usable:
        if schema.names.count(chosen) > 1:
            msg = f"{name} has {schema.names.count(chosen)} columns {chosen!r}; give them different names"
            raise CorpusError(msg)
        return str(chosen)
    wanted = "strings or lists of strings or integers"
    had = f"columns of {wanted}: {listed(usable) or 'none'}"
    if column is not None and column not in schema.names:
        msg = f"{name} has no column {column!r}; {had}"
    elif usable and column is None:
        msg = f'{name} needs a column named (column="..."); {had}'
    else:
        types = [str(field.type) for field in schema if column in (None, field.name)]
        which = f"column {column!r} of {name}" if column is not None else name
        msg = (
            f"{which} holds {shortened(', '.join(types)) or 'no columns'}, wanted {wanted}: "
            "a row is a sentence, so group what belongs to one into a list"
        )
    raise CorpusError(msg)


def table_blocks(source: Any, column: str | None, options: TextOptions, tokens: int, size: int) -> Iterator[TokenBlock]:
    """Blocks of a column of what speaks Arrow: tables, lazy ones and columns of pandas, polars and pyarrow.

    Parameters
    ----------
    tokens, size : of a block, where rows are lists, and bytes of it where they are text
    """
    rows, name = _rows(source, column)
    if is_text(rows.type):
        lines = ((lines_of(part), 0) for chunk in rows.chunks for part in slices(chunk, size))
        for block in cut_blocks(evened(lines, size), name):
            yield tokenise(block, options)
    else:
        for chunk in rows.chunks:
            for part in token_slices(chunk, tokens):
                yield from_rows(part, options, 0, name)


def slices(rows: Any, size: int) -> Iterator[Any]:
    """Rows of text, so many at a time that they have no more than so many bytes, if there is more than one."""
    return _cut(rows, _bytes_of, size)


def _bytes_of(rows: Any) -> Any:
    """How many bytes each row of text has, null where it is."""
    if pa.types.is_dictionary(rows.type):
        return pc.binary_length(rows.dictionary.cast(pa.large_string())).take(rows.indices)
    if pa.types.is_string_view(rows.type):
        # Arrow cannot say, and would copy them all into strings. It is the first of the four numbers of each view.
        views = np.frombuffer(rows.buffers()[1], np.int32).reshape(-1, 4)
        lengths = pa.array(views[rows.offset : rows.offset + len(rows), 0])
        return pc.if_else(rows.is_valid(), lengths, 0)
    return pc.binary_length(rows)


def token_slices(rows: Any, tokens: int) -> Iterator[Any]:
    """Rows that are lists, so many at a time that they hold no more than so many tokens, if there is more than one."""
    return _cut(rows, pc.list_value_length, tokens)


def _cut(rows: Any, measured: Callable[[Any], Any], most: int) -> Iterator[Any]:
    """The rows in slices that measure no more than so much together, if there is more than one; null measures 0."""
    for first in range(0, len(rows), _MEASURED):
        some = rows[first : first + _MEASURED]
        lengths = pc.fill_null(measured(some), 0).to_numpy(zero_copy_only=False)
        ends = np.cumsum(lengths, dtype=np.int64)
        low = 0
        while low < len(some):
            before = ends[low - 1] if low else 0
            high = max(low + 1, int(np.searchsorted(ends, before + most, side="right")))
            yield some[low:high]
            low = high


def evened(chunks: Iterable[tuple[bytes, int]], size: int) -> Iterator[tuple[bytes, int]]:
    """The bytes of chunks of any length, in pieces of `size`."""
    held: list[bytes] = []
    length = done = 0
    for chunk, done in chunks:
        held.append(chunk)
        length += len(chunk)
        if length >= size:
            data, length = b"".join(held), length % size
            for low in range(0, len(data) - length, size):
                yield data[low : low + size], done
            held = [data[len(data) - length :]]
    if length:
        yield b"".join(held), done


def _rows(source: Any, column: str | None) -> tuple[Any, str]:
    """The rows of the column, chunked, and what messages call it."""
    if hasattr(source, "collect"):  # a lazy table: no other column of it is worked out
        chosen = choose_column(pa.table(source.limit(0).collect()).schema, column, "the table")
        source, column = source.select(chosen).collect(), chosen
    elif hasattr(source, "iloc") and column is not None and column in getattr(source, "columns", ()):
        source = source[[column]]  # pandas: other columns may hold what Arrow cannot
    table = _as_table(source, column)
    alone = table.schema.names == [_ALONE]
    chosen = choose_column(table.schema, column, _ALONE if alone else "the table")
    return table[chosen], _ALONE if alone else f"column {chosen!r}"


def _as_table(source: Any, column: str | None) -> Any:
    refused = (pa.ArrowException, TypeError, ValueError)
    try:
        return pa.table(source)
    except refused:  # a column alone
        try:
            values = pa.array(source) if hasattr(source, "__arrow_c_array__") else pa.chunked_array(source)
        except refused as error:
            text = " ".join(" ".join(map(str, error.args)).split())[:200]
            other = "" if column is not None or not hasattr(source, "columns") else ', or name a column (column="...")'
            msg = f"the table cannot be read: {text}; give rows that are all strings or all lists of tokens{other}"
            raise CorpusError(msg) from error
        return pa.table({_ALONE: values})
