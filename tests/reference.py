"""The same mathematics as slow loops in float64, and training as loops over Python integers: the oracle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xw2v.config import Config

Floats = np.ndarray


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x)) if x >= 0 else x - math.log1p(math.exp(x))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def naive_softmax(v: Floats, o: int, U: Floats) -> tuple[float, Floats, Floats]:
    """One pair: J, dJ/dv, dJ/dU."""
    scores = [float(np.dot(u, v)) for u in U]
    top = max(scores)
    total = sum(math.exp(score - top) for score in scores)
    loss = top + math.log(total) - scores[o]
    d_v, d_U = np.zeros_like(v), np.zeros_like(U)
    for w, score in enumerate(scores):
        surplus = math.exp(score - top) / total - (w == o)
        d_v += surplus * U[w]
        d_U[w] += surplus * v
    return loss, d_v, d_U


def negative_sampling(v: Floats, u_o: Floats, negatives: Floats) -> tuple[float, Floats, Floats, Floats]:
    """One pair: J, dJ/dv, dJ/du_o, dJ/du_k."""
    x = float(np.dot(u_o, v))
    loss, d_v, d_o = -log_sigmoid(x), (sigmoid(x) - 1) * u_o, (sigmoid(x) - 1) * v
    d_n = np.zeros_like(negatives)
    for k, u_k in enumerate(negatives):
        y = float(np.dot(u_k, v))
        loss -= log_sigmoid(-y)
        d_v = d_v + sigmoid(y) * u_k
        d_n[k] = sigmoid(y) * v
    return loss, d_v, d_o, d_n


MASK = (1 << 64) - 1


def splitmix64(seed: int, n: int) -> int:
    """Output number n of SplitMix64, written from its published C code with Python's integers."""
    z = (seed + (n + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def keep(ids: list[int], start: int, key: int, thresholds: Any, config: Config) -> list[tuple[int, int]]:
    """(index in ids, window) of each token that is kept."""
    kept = []
    for i, word in enumerate(ids):
        bits = splitmix64(key, start + i)
        if (bits & 0xFFFFFFFF) < int(thresholds[word]):
            r = 1 + ((bits >> 32) * config.window >> 32) if config.shrink_windows else config.window
            kept.append((i, r))
    return kept


def noise(bits: int, thresholds: Any, alias: Any) -> int:
    column = (bits >> 32) * len(thresholds) >> 32
    return column if (bits & 0xFFFFFFFF) < int(thresholds[column]) else int(alias[column])


def outside(kept: list[tuple[int, int]], sentences: list[int], t: int) -> list[int]:
    """Indices into `kept` of the outside words of centre t, in order."""
    i, r = kept[t]
    near = range(max(0, t - r), min(len(kept), t + r + 1))
    return [c for c in near if c != t and sentences[kept[c][0]] == sentences[i]]
