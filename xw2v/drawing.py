"""Where a screen is, who draws on it, and what can be shown there.

One at a time draws, for bars would be written over each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["drawing", "is_drawing", "is_terminal", "printable"]

_JOINERS = "\u200c\u200d"

_drawing: list[None] = []  # an entry for everybody who draws


@contextmanager
def drawing() -> Iterator[None]:
    """Until the block ends somebody draws, and only who is asked to draws as well."""
    _drawing.append(None)
    try:
        yield
    finally:
        _drawing.pop()


def is_drawing() -> bool:
    """Whether somebody draws."""
    return bool(_drawing)


def is_terminal(stream: Any) -> bool:
    """Whether somebody looks at what is written to a stream, which may be none at all."""
    with suppress(Exception):  # it is closed
        return bool(stream.isatty())
    return False


def printable(text: str) -> str:
    r"""`text` with line ends, tabs, escapes of terminals and the like spelled out.

    The joiners stay that Persian and Indian spelling has inside of words.

    >>> printable("two\nlines"), printable("\x1b[31m")
    ('two\\nlines', '\\x1b[31m')
    """
    return "".join(c if c.isprintable() or c in _JOINERS else c.encode("unicode_escape").decode("ascii") for c in text)
