"""The tables that every run begins with."""

from __future__ import annotations

from xw2v.backend import Backend
from xw2v.config import Config
from xw2v.training.draws import Purpose, draw, high_half, stream_key
from xw2v.training.engines import Tables

__all__ = ["initial_tables"]

# Drawn at a time: their int64 bits take many times what the table does. A GPU is to have something to do.
_NUMBERS, _GPU_NUMBERS = 2**18, 2**23


def initial_tables(V: int, config: Config, backend: Backend) -> Tables:
    """Centre vectors uniform in ±1 / 2D by counter-based draws, outside vectors zero, as word2vec.c begins."""
    xp, D = backend.xp, config.vector_size
    key = stream_key(config.seed, Purpose.INITIAL)
    centers = xp.empty((V, D), dtype=xp.float32, device=backend.device)
    rows = max(1, (_GPU_NUMBERS if backend.name == "cupy" else _NUMBERS) // D)
    for first in range(0, V, rows):
        last = min(first + rows, V)
        bits = draw(key, xp.arange(first * D, last * D, dtype=xp.int64, device=backend.device))
        # 24 bits are what a float32 holds exactly, so that every backend computes the same number.
        uniform = xp.astype(high_half(bits) >> 8, xp.float32) * 2.0**-24
        centers[first:last, :] = xp.reshape((uniform - 0.5) / D, (last - first, D))
    return Tables(centers, xp.zeros((V, D), dtype=xp.float32, device=backend.device))
