"""Blocks of text: bytes in, local word ids and sentence ends out.

Words are found without a Python object for each: NumPy finds the white space, Arrow reads the bytes
between as an array of strings without a copy and numbers the distinct ones. Everything that needs Python
(UTF-8, lower case, white space beyond ASCII) is then done on the distinct words of a block only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from xw2v.errors import CorpusError
from xw2v.text.words import Words, from_lines, from_parts, pack, parts_of

__all__ = ["LONGEST", "RawBlock", "TextOptions", "TokenBlock", "cut_blocks", "joined", "spelled_out", "tokenise"]

LONGEST = 64 << 20
"""Most bytes of one word (of one line, where a column of a table is read): a block holds at least one."""

# The white space of str.split(): ten ASCII characters, and those beyond.
ASCII_SPACES = b"\t\n\v\f\r\x1c\x1d\x1e\x1f "
UNICODE_SPACES = (
    "\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
_IS_SPACE = np.isin(np.arange(256), list(ASCII_SPACES))
_TO_NEWLINE = bytes.maketrans(ASCII_SPACES, b"\n" * len(ASCII_SPACES))
_NEWLINE = ord("\n")
_TAIL = 4096  # where the last white space of a chunk is looked for first


class RawBlock(NamedTuple):
    """Bytes of a source that end at white space, so that no word or character is cut."""

    data: bytes
    name: str
    start: int  # place of data[0] in the (uncompressed) source
    done: int  # bytes of all sources read so far
    field: int | None = None  # the column to read where the lines are tab-separated


class TokenBlock(NamedTuple):
    """Some tokens of a source, as ids of the block's own word list.

    codes : (n,) int32, the place of each token in `words`
    words : Arrow array, the block's words by first occurrence; one may stand in it twice
    ends : (s,) int64, non-decreasing: a sentence ends after so many tokens of the block. One that is open
        at the end of the block goes on in the next.
    done : bytes read so far of the sources that are being read
    file : number of the file that it comes from, where the source is files
    """

    codes: npt.NDArray[np.int32]
    words: Words
    ends: npt.NDArray[np.int64]
    done: int
    file: int = 0


@dataclass(frozen=True)
class TextOptions:
    """How text is read: lower-cased or not; wrong UTF-8 an error ("strict") or U+FFFD ("replace")."""

    lower: bool = False
    errors: str = "strict"


def cut_blocks(
    chunks: Iterable[tuple[bytes, int]], name: str, start: int = 0, *, field: int | None = None
) -> Iterator[RawBlock]:
    """Chunks of bytes, each with the bytes read so far, as blocks that end at white space.

    With `field` blocks end at the ends of lines. The last block gets a line end, which closes its sentence.

    Raises
    ------
    CorpusError   no white space in `LONGEST` bytes.
    """
    pieces: list[bytes] = []
    held = done = 0
    is_open = False  # whether a sentence is, of what was handed out
    for chunk, done in chunks:
        cut = (chunk.rfind(b"\n") + 1) if field is not None else _last_space(chunk)
        if cut:
            data = b"".join([*pieces, chunk[:cut]])
            yield RawBlock(data, name, start, done, field)
            start += len(data)
            is_open = not data.endswith(b"\n")
            pieces, held = [chunk[cut:]], len(chunk) - cut
        else:
            pieces.append(chunk)
            held += len(chunk)
        if held > LONGEST:
            what = "white space" if field is None else "line end"
            msg = f"{name} is not text: no {what} in {held} bytes from byte {start}"
            raise CorpusError(msg)
    data = b"".join(pieces)
    if data:
        yield RawBlock(data + b"\n", name, start, done, field)
    elif is_open:
        # All of it was handed out, up to a space: the sentence still has to end.
        yield RawBlock(b"\n", name, start, done, None)


def _last_space(chunk: bytes) -> int:
    """The place after the last white space of `chunk`, 0 if there is none."""
    low = max(0, len(chunk) - _TAIL)
    for begin in (low, 0):
        cut = max(chunk.rfind(space, begin) for space in ASCII_SPACES) + 1
        if cut:
            return cut
    # Text may be spaced by other characters alone, as by U+3000.
    return max(chunk.rfind(space) + len(space) if space in chunk else 0 for space in map(str.encode, UNICODE_SPACES))


def tokenise(block: RawBlock, options: TextOptions) -> TokenBlock:
    """The words of a raw block, split as `str.split()` does; a line is a sentence.

    Raises
    ------
    CorpusError   wrong UTF-8 or a zero byte, and `options.errors` is "strict"; a line has too few columns.
    """
    data = block.data if block.field is None else _column_of(block, options)
    if not _IS_SPACE[data[-1]]:
        data += b" "  # the block ends in a space that is not ASCII
    places = np.flatnonzero(np.frombuffer(data, np.uint8) <= ord(" "))
    separators = np.frombuffer(data, np.uint8)[places]
    is_space = _IS_SPACE[separators]
    if not is_space.all():  # control characters are parts of words
        places, separators = places[is_space], separators[is_space]
    # Each string is a word and the one white-space byte after it: no gaps, so offsets alone say it all.
    offsets = np.zeros(len(places) + 1, np.int32)
    np.add(places, 1, out=offsets[1:], casting="unsafe")
    strings = pa.Array.from_buffers(
        pa.binary(), len(places), [None, pa.py_buffer(offsets), pa.py_buffer(data)], null_count=0
    )
    encoded = strings.dictionary_encode()
    text = _decoded(joined(encoded.dictionary), data, block, options)
    codes, words, after = _words(encoded.indices.to_numpy(), text)
    ends = np.flatnonzero(separators == _NEWLINE) + 1
    return TokenBlock(codes, words, ends if after is None else after[ends], block.done)


def joined(strings: Any) -> bytes:
    """The bytes of an Arrow array of binary or large_binary, one after the other."""
    kind = np.dtype(np.int64 if pa.types.is_large_binary(strings.type) else np.int32)
    if not len(strings):
        return b""
    offsets = np.frombuffer(strings.buffers()[1], kind, len(strings) + 1, strings.offset * kind.itemsize)
    return bytes(memoryview(strings.buffers()[2])[offsets[0] : offsets[-1]])


def spelled_out(strings: Any) -> Any:
    """An Arrow array whose values are numbers of a dictionary's strings, as these strings; any other as it is."""
    if not pa.types.is_dictionary(strings.type):
        return strings
    # Arrow has no function that takes from views of strings, which are what polars hands over.
    known = strings.dictionary.cast(pa.large_string())
    return pa.DictionaryArray.from_arrays(strings.indices, known).dictionary_decode()


def _decoded(distinct: bytes, data: bytes, block: RawBlock, options: TextOptions) -> str:
    """The distinct words as text, a line each. Wrong bytes are looked for here, not in the whole block."""
    lines = distinct.translate(_TO_NEWLINE)
    if options.errors == "replace":
        text = lines.decode(errors="replace").replace("\0", "\ufffd")
    else:
        _check_text(lines, data, block)
        text = lines.decode()
    return text.lower() if options.lower else text


def _check_text(lines: bytes, data: bytes, block: RawBlock) -> None:
    """Raise a CorpusError for the first wrong byte of `data` if `lines`, its distinct words, hold one."""
    if b"\0" in lines:
        place = block.start + data.index(b"\0")
        msg = (
            f"{block.name} is not UTF-8 text: zero byte at byte {place}; is it binary, or UTF-16 to be converted? "
            'Where it is a slip, put U+FFFD for it with errors="replace" (--errors replace)'
        )
        raise CorpusError(msg)
    with suppress(UnicodeDecodeError):
        lines.decode()
        return
    try:
        data.decode()
    except UnicodeDecodeError as error:
        place, byte = block.start + error.start, data[error.start]
        msg = (
            f"{block.name} is not UTF-8 text: wrong byte 0x{byte:02x} at byte {place}; "
            'convert it, or put U+FFFD for wrong bytes with errors="replace" (--errors replace)'
        )
        raise CorpusError(msg) from error


def _words(
    codes: npt.NDArray[np.int32], text: str
) -> tuple[npt.NDArray[np.int32], Words, npt.NDArray[np.int64] | None]:
    """Codes and words after empty strings are dropped and strings with further white space are split.

    Also, where that changed anything, how many tokens stand before each string: (n + 1,) int64.
    """
    if any(space in text for space in UNICODE_SPACES):
        split = [line.split() for line in text.split("\n")[:-1]]
        counts = np.fromiter(map(len, split), np.int64, len(split))
        words = pack(chain.from_iterable(split))
    else:
        words = from_lines(text.encode())
        offsets, data = parts_of(words)
        is_word = np.diff(offsets) > 0
        counts = is_word.astype(np.int64)
        if not is_word.all():
            words = from_parts(np.concatenate([offsets[:1], offsets[1:][is_word]]), data)
    if (counts == 1).all():
        return codes, words, None
    repeats = counts[codes]
    after = np.zeros(len(codes) + 1, np.int64)
    np.cumsum(repeats, out=after[1:])
    first = (np.cumsum(counts) - counts).astype(np.int32)
    if counts.max() <= 1:
        return first[codes[repeats > 0]], words, after
    within = np.arange(after[-1]) - np.repeat(after[:-1], repeats)
    return np.repeat(first[codes], repeats) + within.astype(np.int32), words, after


def _column_of(block: RawBlock, options: TextOptions) -> bytes:
    """Column `block.field` of each tab-separated line, lines kept apart."""
    if options.errors == "strict":
        _check_text(block.data, block.data, block)  # here, where the places of bytes are still the file's
    field = block.field or 0
    chosen = []
    place = block.start
    for line in block.data.split(b"\n")[:-1]:
        fields = line.split(b"\t", field + 1)
        if line.strip() and len(fields) <= field:
            msg = f"{block.name}: the line at byte {place} has {len(fields)} tab-separated columns, wanted {field + 1}"
            raise CorpusError(msg)
        chosen.append(fields[field] if len(fields) > field else b"")
        place += len(line) + 1
    return b"\n".join([*chosen, b""])
