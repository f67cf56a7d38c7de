"""What TF32 costs, simulated by rounding factors on the host: tensor cores were never at hand.

Each factor is rounded to ten bits of fraction, so it is off by at most 2^-11 of itself, a product of two by 2^-10
(and 2^-22), and a sum of products by 2^-10 of the sum of their sizes, beside what float32 sums lose anyway.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.tf32 import UNIT, Tf32Array, group, product, tf32, tf32_products
from xw2v.losses import signed_sampling, softmax_expectation

BOUND = 2 * UNIT + UNIT**2


def sum_loss(n: int) -> float:
    """What n float32 additions lose at most, as a share of the sum of sizes."""
    return n * 2.0**-24 / (1 - n * 2.0**-24)


def test_rounding_by_hand() -> None:
    given = [1.0, 1 + 2**-11, 1 + 2**-11 - 2**-20, -1 - 2**-11, 1 + 3 * 2**-11, 2 - 2**-20, 0.0, np.inf, np.nan]
    wanted = [1.0, 1 + 2**-10, 1.0, -1 - 2**-10, 1 + 2**-9, 2.0, 0.0, np.inf, np.nan]
    np.testing.assert_array_equal(tf32(np.array(given, dtype=np.float32)), wanted)


def test_rounding_keeps_ten_bits() -> None:
    x = np.random.default_rng(1).standard_normal(10_000).astype(np.float32)
    rounded = tf32(x)
    assert not (rounded.view(np.uint32) & 0x1FFF).any()
    errors = np.abs(rounded.astype(np.float64) - x) / np.abs(x)
    assert 0.9 * UNIT < errors.max() <= UNIT


@pytest.mark.parametrize("D", [1, 100, 300, 1024])
def test_a_product_stays_within_the_bound(D: int) -> None:
    rng = np.random.default_rng(D)
    a, b = rng.standard_normal((20, D)).astype(np.float32), rng.standard_normal((D, 30)).astype(np.float32)
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    error = np.abs(product(a, b) - wide_a @ wide_b)
    sizes = np.abs(wide_a) @ np.abs(wide_b)
    assert (error <= (BOUND + sum_loss(D)) * sizes).all()
    assert error.max() > 0.01 * UNIT * sizes.max()  # something was rounded


def test_the_bound_is_reached() -> None:
    """Factors just below the middle between two numbers of ten bits, all rounded the same way."""
    x = np.full((1, 100), 1 + UNIT * (1 - 2**-10), dtype=np.float32)
    exact = 100 * float(x[0, 0]) ** 2
    assert 0.99 * BOUND < abs(float(product(x, x.T)[0, 0]) - exact) / exact <= BOUND + sum_loss(100)


@pytest.mark.parametrize("D", [100, 300])
def test_negative_sampling_in_tf32(D: int) -> None:
    """A score is off by at most 2^-10 of the sizes of its summands; loss and gradients by about 2^-11 on average."""
    centers, rows, weights = group(D)
    exact = signed_sampling(centers.astype(np.float64), rows.astype(np.float64), weights.astype(np.float64), 26)
    with tf32_products():
        found = signed_sampling(centers, rows, weights, 26)
    scores = np.abs(
        np.matmul(tf32(centers), tf32(rows).swapaxes(1, 2)) - centers.astype(np.float64) @ rows.swapaxes(1, 2)
    )
    off = (BOUND + sum_loss(D)) * np.matmul(np.abs(centers), np.abs(rows).swapaxes(1, 2))
    assert (scores <= off).all()
    # log σ has a slope of at most 1, so a loss is off by no more than its scores are.
    assert (np.abs(found.loss - exact.loss) <= (weights * off).sum(-1) + 1e-4).all()
    for one, other in ((found.d_centers, exact.d_centers), (found.d_rows, exact.d_rows)):
        assert 1e-5 < np.linalg.norm(one - other) / np.linalg.norm(other) < UNIT


@pytest.mark.parametrize("tile", [None, 64])
def test_softmax_in_tf32(tile: int | None) -> None:
    rng = np.random.default_rng(3)
    centers, outside = rng.standard_normal((40, 100)).astype(np.float32), rng.standard_normal((300, 100)) / 3
    weights, words = rng.random(40).astype(np.float32), outside.astype(np.float32)
    exact = softmax_expectation(centers.astype(np.float64), weights.astype(np.float64), words.astype(np.float64), tile)
    found = softmax_expectation(centers.view(Tf32Array), weights.view(Tf32Array), words.view(Tf32Array), tile)
    off = (BOUND + sum_loss(100)) * np.max(np.abs(centers) @ np.abs(words).T, axis=1)
    # A mean of scores' errors, so no larger than the largest of them.
    assert (np.abs(found.log_normalizer - exact.log_normalizer) <= off + 1e-5).all()
    for one, other in zip(found[1:], exact[1:], strict=True):
        assert 1e-5 < np.linalg.norm(one - other) / np.linalg.norm(other) < 2 * UNIT
