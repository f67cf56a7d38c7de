"""Random bits as a pure function of (seed, epoch, purpose, counter), the same on every backend.

The generator is SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators",
OOPSLA): its n-th output is a mix of seed + (n + 1)·0x9E3779B97F4A7C15 alone, so any output can be had
without those before it. All arithmetic is on integers: whoever asks, in whatever order, gets the same ids.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

__all__ = ["Purpose", "below", "draw", "high_half", "low_half", "stream_key"]

Array = Any

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
_MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


class Purpose(IntEnum):
    """What a draw is for; every purpose has a stream of its own."""

    TOKEN = 1  # counter: token position; low half: kept or not, high half: window
    NOISE = 2  # counter: token position x draws a token + index
    INITIAL = 3  # counter: row x D + column
    CENTER = 4  # counter: number of the draw; high half: sentence, low half: token
    WALK = 5  # counter: walk x its length + step; gives the key of the step's own stream
    START = 6  # epoch: turn, counter: node; the order in which walks start
    ASIDE = 7  # counter: place of a sentence's first token; low half: kept aside from training or not


def stream_key(seed: int, purpose: Purpose, epoch: int = 0) -> int:
    """The 64-bit key of a stream, in 0 .. 2^64 - 1: the seed, epoch and purpose mixed one after the other."""
    key = _mix(seed & _MASK)
    for part in (int(purpose), epoch):
        key = _mix((key + _GAMMA * (part + 1)) & _MASK)
    return key


def draw(key: int, counters: Array) -> Array:
    """64 random bits for each counter.

    Parameters
    ----------
    key : int                    as `stream_key` gives it
    counters : int64 array       any shape

    Returns
    -------
    int64 array of the same shape: the bits of SplitMix64's output number `counter` for the seed `key`
    """
    # Signed integers, since not every library has arithmetic on uint64: sums and products are the same
    # modulo 2^64, and a shift to the right has its copied sign bits masked off.
    z = counters * _signed(_GAMMA) + _signed((key + _GAMMA) & _MASK)
    for shift, factor in _MIX:
        z = (z ^ ((z >> shift) & (_MASK >> shift))) * _signed(factor)
    return z ^ ((z >> 31) & (_MASK >> 31))


def low_half(bits: Array) -> Array:
    """The lower 32 of 64 bits, as int64 in 0 .. 2^32 - 1."""
    return bits & 0xFFFFFFFF


def high_half(bits: Array) -> Array:
    """The upper 32 of 64 bits, as int64 in 0 .. 2^32 - 1."""
    return (bits >> 32) & 0xFFFFFFFF


def below(half: Array, n: int) -> Array:
    """32 random bits as a number in 0 .. n-1, n < 2^31; none is likelier than another by more than n / 2^32.

    Source: Lemire 2019, "Fast random integer generation in an interval" (arXiv:1805.10941), without its
    rejection step, which would need a draw of unknown number.
    """
    return (half * n) >> 32


def _mix(z: int) -> int:
    for shift, factor in _MIX:
        z = ((z ^ (z >> shift)) * factor) & _MASK
    return z ^ (z >> 31)


def _signed(bits: int) -> int:
    """64 bits read as a signed number."""
    return bits - (1 << 64) if bits >> 63 else bits
