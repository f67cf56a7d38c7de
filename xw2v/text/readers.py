"""Sources of text as streams of token blocks: files, folders, globs, standard input, Parquet, lists, ids.

A line of a text file is a sentence, of any length; blank lines are ignored. Words are what `str.split()`
gives. Lines end at a line feed; a carriage return is white space.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from xw2v.caller import warn_caller
from xw2v.errors import ConfigError, CorpusError, FileAccessError, XW2VError
from xw2v.parallel import in_parallel, usable_cores
from xw2v.text.blocks import LONGEST, TextOptions, TokenBlock, cut_blocks, tokenise
from xw2v.text.columns import MOST_ROWS, choose_column, evened, is_text, lines_of, listed, slices, token_slices
from xw2v.text.compressed import DAMAGE, unpacked
from xw2v.text.memory import Shares
from xw2v.text.objects import read_object
from xw2v.text.paths import File, as_paths, find_files, stamps_of, without_secrets
from xw2v.text.tokens import from_rows

__all__ = ["Source", "default_workers", "open_source"]

BLOCK_BYTES = 8 << 20
"""Most bytes read at once. A larger block looks up fewer words twice, a smaller one takes less memory."""
BLOCK_TOKENS = 1 << 20
"""Most tokens of a block where the source is lists or ids."""

_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe\0\0", b"\0\0\xfe\xff", b"\xff\xfe", b"\xfe\xff")  # two of UTF-32, two of UTF-16
_TABLE = re.compile(r"(?i)\.(csv|tsv|json|jsonl|ndjson)(\.(gz|bz2|xz|zst))?$")  # names of what is no running text
_MOST_WORKERS = 8

Job: TypeAlias = Callable[[], TokenBlock]


class _Reading(NamedTuple):
    """How files are read."""

    options: TextOptions
    column: str | None
    size: int  # bytes read at once
    tokens: int  # the same where tokens are not text


@dataclass(frozen=True)
class Source:
    """A corpus that is ready to be read.

    name : for messages
    read : gives the token blocks in order: of the files with these numbers, None: of all, and of what is not files in
        any case. Nothing is read before the first is asked for
    total_bytes : size of the files as they lie on disk, None where unknown
    stamps : path, size and time of change of each file, by which a change is seen; None where the source
        is not regular files alone
    again : whether it may be read more than once
    """

    name: str
    read: Callable[[Sequence[int] | None], Iterator[TokenBlock]]
    total_bytes: int | None = None
    stamps: list[dict[str, Any]] | None = None
    again: bool = False

    @property
    def blocks(self) -> Iterator[TokenBlock]:
        """All token blocks."""
        return self.read(None)


def default_workers() -> int:
    """Threads that split text: the cores this process may use, at most 8: more would wait for the one that writes."""
    return min(_MOST_WORKERS, usable_cores())


def open_source(
    source: Any,
    *,
    lower: bool = False,
    errors: str = "strict",
    column: str | None = None,
    workers: int | None = None,
    share: Shares | None = None,
    fields: bool = False,
) -> Source:
    """Any corpus as a stream of token blocks.

    Parameters
    ----------
    source : one of
        a path, a glob pattern, a folder (its files, also those of inner folders, in sorted order; hidden ones
        are left out), "-" for standard input, an address such as s3://bucket/folder/*.txt (see
        `xw2v.text.remote`), or a list of these. Files named .gz, .bz2, .xz or .zst are decompressed, .parquet
        and .pq read as Parquet, all others as UTF-8 text; of the ending, case does not matter;
        an iterable of sentences, each a list (array, column) of strings or integers, read once, tokens taken as they
        are; a set, which has no order of its own, in one that is the same in every run;
        a table of pandas, polars or pyarrow, or a column of one, with text or tokens as in Parquet. Of a lazy table
        of polars the column alone is collected;
        integer ids: (ids (N,), offsets (n + 1,)), two NumPy arrays in a tuple, as a CSR matrix has them
        (indices, indptr), or a NumPy array with a sentence a row. An id's word is its decimal number; or they are
        strings.
    lower : lower-case the words of text (not of integer arrays)
    errors : "strict", wrong UTF-8 and zero bytes are an error, or "replace", they become U+FFFD
    column : of Parquet the column with the text (a string: split at white space) or the tokens (a list of
        strings or integers); not needed where there is one such column. Of a text file: it is tab-separated,
        has a header line, and this column is read; quotes have no meaning. Null rows and items are left out.
    workers : threads that split text, None: `default_workers()`; each holds a block, and one more is in memory
    share : how much is read at once; at most and by default 8 MiB of text, or 2^20 tokens
    fields : the lines of a text are fields and no sentences: nobody is warned where a file is named as a table

    Raises
    ------
    MissingFileError   nothing has that path or pattern
    FileAccessError    a file cannot be read
    CorpusError        not a corpus; while blocks are read: not UTF-8, damaged, no such column
    ConfigError        `errors` is neither of the two

    Warns
    -----
    RuntimeWarning     a file named .csv, .tsv, .json or .jsonl is read as text
    """
    if errors not in ("strict", "replace"):
        msg = f"errors must be 'strict' or 'replace', got {errors!r}"
        raise ConfigError(msg)
    options = TextOptions(bool(lower), errors)
    size, tokens = (BLOCK_BYTES, BLOCK_TOKENS) if share is None else (share.block, share.tokens)
    how = _Reading(options, column, min(size, BLOCK_BYTES), min(tokens, BLOCK_TOKENS))
    paths = as_paths(source)
    if paths is not None:
        return _files_source(paths, how, workers or default_workers(), fields)
    found = read_object(source, column, options, how.tokens, how.size)
    return Source(found.name, lambda _: found.blocks(), again=found.again)


# Files ---------------------------------------------------------------------------------------------------


def _files_source(paths: list[Any], how: _Reading, workers: int, fields: bool) -> Source:
    files = [file for path in paths for file in find_files(path, alone=len(paths) == 1)]
    table = next((file.name for file in files if _TABLE.search(file.name)), None)
    if table is not None and how.column is None and not fields:
        text = (
            f"{table} is read as text, so that its header, names, commas and quotes become words: give the column of a "
            "tab-separated file (column=, --column), Parquet, or a table of pandas or polars"
        )
        warn_caller(text)
    name = without_secrets(paths[0])
    name = name if len(paths) == 1 else f"{len(paths)} paths, the first {name},"
    stamps = stamps_of(files)
    sizes = [0] * len(files) if stamps is None else [int(stamp["bytes"]) for stamp in stamps]

    def read(numbers: Sequence[int] | None) -> Iterator[TokenBlock]:
        return in_parallel(_file_jobs(files, sizes, range(len(files)) if numbers is None else numbers, how), workers)

    return Source(name, read, None if stamps is None else sum(sizes), stamps, again=stamps is not None)


def _file_jobs(files: list[File], sizes: list[int], numbers: Sequence[int], how: _Reading) -> Iterator[Job]:
    """One call a block of the files with these numbers, to be made in any thread."""
    before = 0
    for number in numbers:
        make_jobs = _parquet_jobs if files[number].suffix.lower() in (".parquet", ".pq") else _text_jobs
        for job in make_jobs(files[number], how, before, sizes[number]):
            yield partial(_of_file, job, number)
        before += sizes[number]


def _of_file(job: Job, number: int) -> TokenBlock:
    return job()._replace(file=number)


# Text ----------------------------------------------------------------------------------------------------


def _text_jobs(file: File, how: _Reading, before: int, size: int) -> Iterator[Job]:
    with file.opened() as raw, unpacked(raw, file.suffix) as stream:
        chunks = _chunks(stream, raw, file.name, before, how.size, size)
        data, done = _head(chunks, before, whole_line=how.column is not None)
        if data.startswith(_WIDE_BOMS):
            wide = "UTF-32" if data[:4] in _WIDE_BOMS[:2] else "UTF-16"
            msg = f"{file.name} is {wide} text: convert it, iconv -f {wide} -t UTF-8 OLD > NEW"
            raise CorpusError(msg)
        start = len(_BOM) if data.startswith(_BOM) else 0
        data = data[start:]
        field = None
        if how.column is not None and data:
            header, data = data.split(b"\n", 1) if b"\n" in data else (data, b"")
            field = _field(header, how.column, file.name)
            start += len(header) + 1
        for block in cut_blocks(chain([(data, done)], chunks), file.name, start, field=field):
            yield partial(tokenise, block, how.options)


def _head(chunks: Iterator[tuple[bytes, int]], done: int, *, whole_line: bool) -> tuple[bytes, int]:
    """The first chunks together, enough to hold a byte order mark or, if wanted, a line."""
    data = b""
    chunk: bytes
    while len(data) < len(_WIDE_BOMS[0]) or (whole_line and b"\n" not in data and len(data) <= LONGEST):
        chunk, done = next(chunks, (b"", done))
        if not chunk:
            break
        data += chunk
    return data, done


def _field(header: bytes, column: str, name: str) -> int:
    names = header.decode(errors="replace").rstrip("\r").split("\t")
    if column in names:
        return names.index(column)
    msg = f"{name} has no column {column!r}; its header line has, tab-separated: {listed(names)}"
    raise CorpusError(msg)


def _chunks(stream: Any, raw: Any, name: str, before: int, size: int, least: int) -> Iterator[tuple[bytes, int]]:
    """Bytes in pieces of `size`, each with the bytes read from all files so far; `least` is what the file had."""
    read = 0
    while True:
        try:
            chunk: bytes = stream.read(size)
        except XW2VError:
            raise
        except DAMAGE as error:
            if stream is raw or getattr(error, "errno", None) is not None:
                msg = f"{name} cannot be read: {error}"
                raise FileAccessError(msg) from error
            msg = f"{name} is truncated, damaged or not compressed as its name says: {error}"
            raise CorpusError(msg) from error
        if not chunk:
            if stream is raw and read < least:  # a compressed one ends in the middle then
                msg = f"{name} became shorter while it was in use: {least:,} bytes before, {read:,} now; read it again"
                raise CorpusError(msg)
            return
        read += len(chunk)
        yield chunk, before + (read if stream is raw else _place(raw, read))


def _place(raw: Any, otherwise: int) -> int:
    try:
        place: int = raw.tell()
    except OSError:  # a pipe
        return otherwise
    return place


# Parquet -------------------------------------------------------------------------------------------------


def _parquet_jobs(source: File, how: _Reading, before: int, size: int) -> Iterator[Job]:
    name = source.name
    try:
        # A buffer size lets pages be read as needed; else a whole row group's column is loaded.
        with pq.ParquetFile(source.random_access(), pre_buffer=False, buffer_size=1 << 20) as file:
            chosen = choose_column(file.schema_arrow, how.column, name)
            batches = _batches(file, chosen, before, size, how)
            if is_text(file.schema_arrow.field(chosen).type):
                lines = ((lines_of(part), done) for rows, done in batches for part in slices(rows, how.size))
                for block in cut_blocks(evened(lines, how.size), f"column {chosen!r} of {name}"):
                    yield partial(tokenise, block, how.options)
            else:
                for rows, done in batches:
                    for part in token_slices(rows, how.tokens):
                        yield partial(from_rows, part, how.options, done, name)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # names that are no UTF-8 are ValueErrors
        if isinstance(error, XW2VError):
            raise
        kind = FileAccessError if isinstance(error, PermissionError) else CorpusError
        msg = f"{name} cannot be read as Parquet: {' '.join(str(error).split())[:200]}"
        raise kind(msg) from error


def _batches(file: Any, column: str, before: int, size: int, how: _Reading) -> Iterator[tuple[Any, int]]:
    """The column in batches of about the bytes or tokens that are wanted, each with the bytes read so far.

    Those are taken to be in proportion to the rows.
    """
    meta = file.metadata
    groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
    width = sum(group.total_byte_size for group in groups) // max(1, meta.num_rows)
    seen = 0
    most = min(1 << 16, how.size // (width + 1))
    if is_text(file.schema_arrow.field(column).type):
        most = min(most, MOST_ROWS)  # of text in a dictionary the width says little
    else:
        # So it does of tokens that are few, or stand there many times one after the other.
        places = [j for j in range(meta.num_columns) if meta.schema.column(j).path.startswith(f"{column}.")]
        tokens = sum(group.column(j).num_values for group in groups for j in places)
        most = min(most, how.tokens * max(1, meta.num_rows) // max(1, tokens))
    for batch in file.iter_batches(max(1, most), columns=[column]):
        seen += len(batch)
        # By its name: a struct "a" with a field "b" is handed over, too, where the column "a.b" is wanted.
        yield batch.column(column), before + size * seen // max(1, meta.num_rows)
    if seen != meta.num_rows:  # which Arrow says of a whole table only
        msg = f"of {meta.num_rows:,} rows of column {column!r} Arrow gave {seen:,}; write the file anew"
        raise ValueError(msg)
