"""How much memory reading, counting and encoding may take, and how it is shared out."""

from __future__ import annotations

import re
from fractions import Fraction
from numbers import Integral
from typing import Any, NamedTuple

from xw2v.errors import ConfigError

__all__ = ["LEAST", "MEMORY", "Shares", "memory_bytes", "shares"]

MEMORY = "1G"
LEAST = 32 << 20

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_BLOCK_COST = 20  # times its bytes a block of 1 MiB takes while it is made into ids, what the allocator keeps included
_WORD_COST = 6  # times what `words.weight` says that words take while they are numbered, or merged
_TOKEN_COST = 512  # bytes a token from a list takes while a block of them is made into ids
_MOST_LETTERS = 1 << 30  # of an Arrow array, with room to spare below 2^31


class Shares(NamedTuple):
    """What each part of the work may take, in bytes."""

    block: int  # text read at once by each worker
    words: int  # distinct words in memory, as `words.weight` counts them
    tokens: int = 1 << 20  # read at once where the source is lists or ids


def memory_bytes(memory: Any) -> int:
    """Bytes from a number, or a string such as "512M" or "2 GiB" (of 1024 each).

    Raises
    ------
    ConfigError   it is neither, or less than 32 MiB.
    """
    found = None
    if isinstance(memory, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", memory.strip().lower())
        found = int(Fraction(match[1]) * _UNITS[match[2]]) if match else None
    elif isinstance(memory, Integral) and not isinstance(memory, bool):
        found = int(memory)
    if found is None or found < LEAST:
        msg = f"memory must be a size of at least {LEAST >> 20}M, such as 512M or 2G, got {memory!r}"
        raise ConfigError(msg)
    return found


def shares(memory: int, workers: int) -> Shares:
    """Half of the memory for blocks under way, half for distinct words."""
    block = memory // 2 // (_BLOCK_COST * (workers + 1))
    words = min(memory // 2 // _WORD_COST, _MOST_LETTERS)
    return Shares(max(1, block), max(1, words), max(1, memory // 2 // _TOKEN_COST))
