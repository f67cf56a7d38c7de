"""`draws.draw` of one counter, for loops that Numba compiles."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numba import njit

__all__ = ["inner", "random_bits"]

inner = partial(njit, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For functions that compiled code alone calls: to let Python call them takes a tenth of the time to compile."""


# Compiled into its callers, never cached for itself: see `chunk.py` on what Numba's cache does not notice.
@njit(nogil=True, inline="always")
def random_bits(key: Any, counter: Any) -> Any:
    """64 random bits as uint64: SplitMix64's output number `counter` for the seed `key`, a uint64."""
    z = key + (np.uint64(counter) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
