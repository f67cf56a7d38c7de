"""The gradient check passes what is right and refuses what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conftest import Library
from xw2v.errors import ConfigError, GradientError, MixedArraysError, ShapeError
from xw2v.gradcheck import check_gradient


@pytest.mark.parametrize("directions", [None, 1, 5])
def test_right_gradient_passes(library: Library, directions: int | None) -> None:
    x = library.asarray(np.arange(6.0).reshape(2, 3))
    assert check_gradient(lambda y: (library.xp.sum(y**3), 3 * y**2), x, directions=directions) < 1e-6


@pytest.mark.parametrize("directions", [None, 5])
def test_wrong_gradient_is_refused(library: Library, directions: int | None) -> None:
    x = library.asarray(np.arange(1.0, 7.0).reshape(2, 3))
    with pytest.raises(GradientError, match="gradient is wrong at"):
        check_gradient(lambda y: (library.xp.sum(y**3), 3.01 * y**2), x, directions=directions)


def test_the_place_is_named() -> None:
    def f(y: np.ndarray) -> tuple[Any, Any]:
        gradient = 2 * y
        gradient[1, 2] += 1
        return (y**2).sum(), gradient

    with pytest.raises(GradientError, match=r"component \(1, 2\): analytic 6, by differences 5"):
        check_gradient(f, np.arange(6.0).reshape(2, 3) / 2)


def test_nan_is_refused() -> None:
    with pytest.raises(GradientError, match="nan"):
        check_gradient(lambda y: (y.sum(), y * np.nan), np.ones(2))


def test_wrong_shape_and_dtype_are_refused() -> None:
    with pytest.raises(ShapeError, match="x's shape"):
        check_gradient(lambda y: (y.sum(), np.ones(3)), np.ones(2))
    with pytest.raises(MixedArraysError, match="float64"):
        check_gradient(lambda y: (y.sum(), y), np.ones(2, dtype="float32"))


@pytest.mark.parametrize("shape", [(), (2,)])
def test_more_directions_than_components(shape: tuple[int, ...]) -> None:
    x = np.full(shape, 3.0)
    assert 0 < check_gradient(lambda y: ((y**3).sum(), 3 * y**2), x, directions=20) < 1e-6
    with pytest.raises(GradientError, match="random direction"):
        check_gradient(lambda y: ((y**3).sum(), 3.01 * y**2), x, directions=20)


@pytest.mark.parametrize("directions", [0, -1])
def test_no_direction_at_all_proves_nothing(directions: int) -> None:
    with pytest.raises(ConfigError, match=f"directions must be at least 1, got {directions}"):
        check_gradient(lambda y: ((y**2).sum(), 2 * y), np.ones(2), directions=directions)


@pytest.mark.parametrize("step", [0.0, float("nan"), float("inf")])
def test_no_step_at_all_proves_nothing(step: float) -> None:
    with pytest.raises(ConfigError, match="step must be a number other than 0, got"):
        check_gradient(lambda x: ((x**2).sum(), 2 * x), np.ones(2), step=step)


@pytest.mark.parametrize("directions", [None, 3])
def test_f_is_asked_one_step_away_on_both_sides(directions: int | None) -> None:
    asked: list[np.ndarray] = []

    def f(y: np.ndarray) -> tuple[Any, Any]:
        asked.append(y)
        return y.sum(), np.ones(4)

    check_gradient(f, np.zeros(4), step=0.25, directions=directions)
    np.testing.assert_allclose([np.linalg.norm(y) for y in asked[1:]], 0.25)
    np.testing.assert_allclose(asked[1::2], -np.array(asked[2::2]))


@pytest.mark.parametrize(("slope", "wanted"), [(99.0, 1 / 100), (-101.0, 1 / 101), (-0.75, 1.0)])
def test_the_error_is_relative_to_the_larger_value_and_to_1_at_least(slope: float, wanted: float) -> None:
    found = check_gradient(lambda y: (slope * y.sum(), np.full(1, slope + 1)), np.zeros(1), step=0.5, tolerance=2.0)
    assert found == pytest.approx(wanted)


def test_an_error_of_just_the_tolerance_passes() -> None:
    assert check_gradient(lambda y: (y.sum(), np.ones(2)), np.zeros(2), step=0.5, tolerance=0.0) == 0.0
