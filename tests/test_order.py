"""Numbers that go up, and those that only seem to where their differences overflow."""

from __future__ import annotations

import numpy as np
import pytest

from xw2v.errors import FormatError
from xw2v.order import falls
from xw2v.training.batches import sentence_begins

WRAPPING = np.array([0, 6, 4 - 2**63, 3])  # each minus the one before it is positive in 64 bits


@pytest.mark.parametrize(
    ("numbers", "down", "not_up"),
    [([], False, False), ([5], False, False), ([1, 2], False, False), ([1, 1], False, True), ([2, 1], True, True)],
)
def test_falls(numbers: list[int], down: bool, not_up: bool) -> None:
    array = np.array(numbers, np.int64)
    assert falls(array) == down
    assert falls(array, or_stays=True) == not_up


def test_differences_that_overflow() -> None:
    assert (np.diff(WRAPPING) > 0).all()
    assert falls(WRAPPING)


def test_begins_of_sentences_stay_within_their_chunk() -> None:
    class Changed:
        """Offsets that were others when their places were looked for."""

        def searchsorted(self, _: object) -> tuple[int, int]:
            return 0, 4

        def __getitem__(self, places: slice) -> np.ndarray:
            return WRAPPING[places]

    with pytest.raises(FormatError, match="do not go up between 0 and 9"):
        sentence_begins(Changed(), 0, 9)
