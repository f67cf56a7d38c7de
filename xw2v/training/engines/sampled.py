"""Loss and gradients of a step of groups that share noise words: by any library, or in few launches on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from xw2v.backend import Backend, CupyBackend
from xw2v.kernels import THREADS, blocks_of
from xw2v.losses import signed_sampling
from xw2v.training.batches import take_rows
from xw2v.training.engines import Tables

__all__ = ["CupySampling", "Sampled", "sampled", "sampling_of"]

Array = Any


class Sampled(NamedTuple):
    """What a step of G groups came to; b centres, C contexts and S noise words a group, R = C + S."""

    d_centers: Array  # (G, b, D)
    d_rows: Array  # (G, R, D): of contexts, then of noise words


def sampling_of(backend: Backend) -> Callable[[Tables, Array, Array, Array, float, Array], Sampled]:
    """What computes `sampled(tables, center_ids, outside_ids, positives, share, totals)` on a backend."""
    return CupySampling(backend) if isinstance(backend, CupyBackend) else partial(sampled, xp=backend.xp)


def sampled(
    tables: Tables, center_ids: Array, outside_ids: Array, positives: Array, share: float, totals: Array, *, xp: Any
) -> Sampled:
    """Gradients of a step, at the tables as they are.

    Parameters
    ----------
    center_ids : (G, b) integer array
    outside_ids : (G, R) integer array    contexts, then noise words
    positives : (G, b, C) bool array      is a context an outside word of the centre
    share : float                         K / S: weight of a noise word for each outside word of a centre
    totals : (2,) float64 array           to which the loss, summed over the pairs, and their number are added
    """
    centers = take_rows(tables.center_vectors, center_ids, xp=xp)
    rows = take_rows(tables.outside_vectors, outside_ids, xp=xp)
    C, S = positives.shape[-1], outside_ids.shape[-1] - positives.shape[-1]
    pulls = xp.astype(positives, centers.dtype)
    pairs = xp.sum(pulls, axis=-1, keepdims=True)
    pushes = xp.broadcast_to(pairs * share, (*pairs.shape[:-1], S))
    result = signed_sampling(centers, rows, xp.concat([pulls, pushes], axis=-1), C)
    totals += xp.stack([xp.sum(result.loss, dtype=xp.float64), xp.sum(pairs, dtype=xp.float64)])
    return Sampled(result.d_centers, result.d_rows)


class CupySampling:
    """The same by three products of cuBLAS and kernels of our own: the host, not the GPU, is what many launches tire.

    Elementwise formulas are those of `losses.signed_sampling`, in `kernels.cu`.
    """

    def __init__(self, backend: CupyBackend) -> None:
        self._backend = backend

    def __call__(
        self, tables: Tables, center_ids: Array, outside_ids: Array, positives: Array, share: float, totals: Array
    ) -> Sampled:
        """See `sampled`."""
        xp, multiply = self._backend.xp, self._backend.multiply
        positives = xp.ascontiguousarray(positives)
        (G, b, C), R = positives.shape, outside_ids.shape[-1]
        centers, rows = self._backend.take_rows(tables, (center_ids, outside_ids))
        slopes = xp.empty((G, b, R), dtype=centers.dtype)
        multiply(centers, rows.swapaxes(1, 2), slopes)  # scores yet
        kernels = self._backend.kernels(centers.dtype)
        # Each warp adds to the same two totals: no more of them than work at once.
        blocks = min(blocks_of(G * b), 4 * kernels.multiprocessors)
        kernels.launch("score_slopes", blocks, THREADS, 0, (
            slopes, positives, np.int64(G * b), np.int32(C), np.int32(R - C), np.float64(share), totals,
        ))  # fmt: skip
        d_centers, d_rows = xp.empty_like(centers), xp.empty_like(rows)
        multiply(slopes, rows, d_centers)
        multiply(slopes.swapaxes(1, 2), centers, d_rows)
        return Sampled(d_centers, d_rows)
