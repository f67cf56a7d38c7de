"""How far a score would move with other test items: intervals by the bootstrap (Efron 1979), with fixed draws."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["share_interval", "spearman_interval"]

DRAWS, SEED, LEVEL = 1000, 1, 0.95

Interval = tuple[float, float]


def spearman_interval(x: npt.ArrayLike, y: npt.ArrayLike) -> Interval:
    """Bounds of the middle 95 % of Spearman's correlation over 1,000 resamples of the pairs (x_i, y_i).

    NaN where a side is constant.

    >>> low, high = spearman_interval([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 4, 3, 5, 7, 6, 8])
    >>> 0 < low < 0.95 < high <= 1
    True
    """
    from scipy.stats import rankdata

    pairs = np.stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)])
    n = pairs.shape[1]
    chosen = np.random.default_rng(SEED).integers(0, n, (DRAWS, n))
    found = []
    for start in range(0, DRAWS, step := max(1, 2**20 // n)):
        ranks = rankdata(pairs[:, chosen[start : start + step]], axis=-1)
        ranks -= ranks.mean(axis=-1, keepdims=True)
        lengths = np.sqrt((ranks**2).sum(axis=-1))
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append(np.clip((ranks[0] * ranks[1]).sum(axis=-1) / (lengths[0] * lengths[1]), -1, 1))
    return _middle(np.concatenate(found))


def share_interval(right: int, total: int) -> Interval:
    """The same of the share of `right` among `total` questions; NaN where there are none.

    >>> low, high = share_interval(30, 100)
    >>> 0.2 <= low < 0.3 < high <= 0.4
    True
    """
    if total == 0:
        return math.nan, math.nan
    return _middle(np.random.default_rng(SEED).binomial(total, right / total, DRAWS) / total)


def _middle(values: npt.NDArray[np.float64]) -> Interval:
    values = values[np.isfinite(values)]  # a resample of one pair alone has no correlation
    if len(values) < DRAWS / 2:
        return math.nan, math.nan
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
