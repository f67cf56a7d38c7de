"""Learning rates by hand."""

from __future__ import annotations

import pytest

from xw2v.training.schedule import halving, linear


@pytest.mark.parametrize(("progress", "wanted"), [(0, 0.025), (0.5, 0.0125), (1, 0.0), (2, 0.0), (-1, 0.025)])
def test_linear(progress: float, wanted: float) -> None:
    assert linear(0.025, 0.0, progress) == pytest.approx(wanted)


def test_linear_ends_at_min_alpha() -> None:
    assert linear(0.1, 0.02, 0.25) == pytest.approx(0.08)
    assert linear(0.1, 0.02, 1.0) == pytest.approx(0.02)


@pytest.mark.parametrize(("step", "wanted"), [(0, 0.3), (19_999, 0.3), (20_000, 0.15), (40_000, 0.075)])
def test_halving(step: int, wanted: float) -> None:
    assert halving(0.3, 20_000, step) == wanted
