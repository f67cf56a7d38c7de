"""Whether numbers go up, as offsets into something must."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["falls"]


def falls(numbers: npt.NDArray[np.integer], or_stays: bool = False) -> bool:
    """Whether an integer is below the one before it, or equal to it.

    They are compared and not subtracted: the difference of numbers from a damaged file may not fit into 64 bits.
    """
    before, after = numbers[:-1], numbers[1:]
    return bool((after <= before if or_stays else after < before).any())
