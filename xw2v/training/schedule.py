"""Learning rates as pure functions of how far training has come."""

from __future__ import annotations

__all__ = ["halving", "linear"]


def linear(alpha: float, min_alpha: float, progress: float) -> float:
    """From `alpha` at progress 0 in a straight line to `min_alpha` at progress 1. Source: word2vec.c."""
    return alpha - (alpha - min_alpha) * min(max(progress, 0.0), 1.0)


def halving(alpha: float, every: int, step: int) -> float:
    """`alpha`, halved each time that `every` steps are done. Source: CS224n a2, sgd.py (ANNEAL_EVERY)."""
    return float(alpha * 0.5 ** (step // every))
