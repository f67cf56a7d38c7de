"""Files of human judgements: their lines, and which words of a vocabulary take part."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from xw2v.errors import ConfigError, FormatError
from xw2v.files import reading, refuse_pipe
from xw2v.vectors.arguments import as_number

if TYPE_CHECKING:
    from xw2v.vectors.evaluated import Judged

__all__ = ["first_words", "holds_questions", "known_words", "lines"]


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line, UTF-8 with a mark or without, unpacked where the name ends in .gz."""
    number = 0
    with reading(path), gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        try:
            for number, line in enumerate(file, start=1):
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            msg = f"{path}, line {number}: not UTF-8; convert the file"
            raise FormatError(msg) from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            msg = f"{path}, after line {number}: not a whole gzip file ({error})"
            raise FormatError(msg) from error


def holds_questions(path: Path) -> bool:
    """Whether a file has a section of analogy questions, a line ": name"; otherwise it is one of word pairs.

    Raises
    ------
    FormatError   it is a pipe.
    """
    refuse_pipe(path)
    return any(line.startswith(": ") for _, line in lines(path))


def first_words(restrict_vocab: int | None) -> int | None:
    """`restrict_vocab`, where it is a number of words; a slice would take -5 for all but the last five.

    Raises
    ------
    ConfigError   it is none.
    """
    most = as_number(restrict_vocab, "restrict_vocab", "all words")
    if most is not None and most < 1:
        msg = f"restrict_vocab must be None or at least 1; got {restrict_vocab}"
        raise ConfigError(msg)
    return most


def known_words(wv: Judged, restrict_vocab: int | None, case_insensitive: bool) -> dict[str, int]:
    """Row of each word that takes part, by its upper case where case does not count."""
    words = wv.index_to_key[: first_words(restrict_vocab)]
    rows = range(len(words) - 1, -1, -1)  # backwards, so that the first of several variants stays
    return {words[row].upper() if case_insensitive else words[row]: row for row in rows}
