"""Who draws on the screen: one at a time, for bars would be written over each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["drawing", "is_drawing"]

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
