"""Central differences against an analytic gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from xw2v.errors import ConfigError, GradientError, MixedArraysError, ShapeError

__all__ = ["check_gradient"]

Array = Any


def check_gradient(
    f: Callable[[Array], tuple[Array, Array]],
    x: Array,
    *,
    step: float = 1e-5,
    tolerance: float = 1e-6,
    directions: int | None = None,
    seed: int = 0,
) -> float:
    """The largest relative error of f's gradient at x against central differences.

    Compares (f(x + h e) - f(x - h e)) / 2h with gradient·e, for every unit vector e, or for some random
    directions where x is large. The error is relative to the larger of 1 and both values.

    Parameters
    ----------
    f : callable                takes an array like x, returns (loss (), gradient of x's shape)
    x : (...) float64 array     of any library that follows the array API standard
    step : float                h
    tolerance : float           the largest error that passes
    directions : int or None    how many random directions; None: every component of x
    seed : int                  of the random directions

    Returns
    -------
    float   the largest error found, at most `tolerance`

    Raises
    ------
    GradientError      the gradient is wrong; the text says where and by how much
    ShapeError         the gradient has another shape than x
    MixedArraysError   x is not float64: differences in less precision prove nothing
    ConfigError        fewer than one direction, or no step

    Source: CS224n a2, utils/gradcheck.py; the error measure is its own.

    Examples
    --------
    >>> import numpy as np
    >>> check_gradient(lambda x: ((x**2).sum(), 2 * x), np.array([1.0, -3.0])) < 1e-6
    True
    """
    xp = array_namespace(x)
    if x.dtype != xp.float64:
        msg = f"x must be float64 for central differences, got {x.dtype}"
        raise MixedArraysError(msg)
    if directions is not None and directions < 1:
        msg = f"directions must be at least 1, got {directions}"
        raise ConfigError(msg)
    if not 0 < abs(step) < np.inf:
        msg = f"step must be a number other than 0, got {step}"
        raise ConfigError(msg)
    gradient = f(x)[1]
    if gradient.shape != x.shape:
        msg = f"the gradient must have x's shape {tuple(x.shape)}, got {tuple(gradient.shape)}"
        raise ShapeError(msg)
    size = int(np.prod(x.shape))
    random = np.random.default_rng(seed)
    worst, where = 0.0, ""
    for trial in range(size if directions is None else directions):
        host = np.zeros(size)
        if directions is None:
            host[trial] = 1.0
        else:
            host = random.standard_normal(size)
            host /= np.linalg.norm(host)
        direction = xp.asarray(host.reshape(x.shape), dtype=xp.float64, device=device(x))
        numeric = float((f(x + step * direction)[0] - f(x - step * direction)[0]) / (2 * step))
        analytic = float(xp.sum(gradient * direction))
        error = abs(numeric - analytic) / max(1.0, abs(numeric), abs(analytic))
        if not error <= worst:  # a NaN is the worst of all
            worst = error
            if directions is None:
                place = f"component {tuple(map(int, np.unravel_index(trial, x.shape)))}"
            else:
                place = f"random direction {trial}"
            where = f"{place}: analytic {analytic:.9g}, by differences {numeric:.9g}"
        if not worst <= tolerance:
            msg = f"gradient is wrong at {where}; error {worst:.3g}, at most {tolerance:.3g} is allowed"
            raise GradientError(msg)
    return worst
