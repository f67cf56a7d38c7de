"""Where a screen is, and who draws on it: one at a time, for bars would be written over each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["drawing", "is_drawing", "is_terminal"]

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
