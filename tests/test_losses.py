"""The mathematics: hand numbers, slow loops, central differences, extremes, and what is refused."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

from tests import reference
from tests.conftest import Library
from xw2v.errors import IdRangeError, MixedArraysError, ShapeError
from xw2v.gradcheck import check_gradient
from xw2v.losses import (
    log_sigmoid,
    log_softmax,
    naive_softmax,
    negative_sampling,
    shared_negative_sampling,
    sigmoid,
    signed_loss,
    signed_sampling,
    skipgram,
    softmax,
    softmax_expectation,
)

TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


def close(library: Library, actual: Any, wanted: Any, dtype: str) -> None:
    """Values, shape, dtype, library and device."""
    assert library.same_kind(actual)
    host = library.to_host(actual)
    assert host.dtype == dtype
    assert host.shape == np.shape(wanted)
    np.testing.assert_allclose(host, wanted, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


# --- elementwise functions


@pytest.mark.parametrize(("x", "wanted"), [(0.0, 0.5), (2.0, 0.8807970779778823), (-2.0, 0.11920292202211757)])
def test_sigmoid_by_hand(library: Library, dtype: str, x: float, wanted: float) -> None:
    close(library, sigmoid(library.asarray([x], dtype)), [wanted], dtype)


def test_extreme_scores_stay_finite(library: Library, dtype: str) -> None:
    x = library.asarray([-1e4, -80.0, 0.0, 80.0, 1e4], dtype)
    close(library, sigmoid(x), [0.0, math.exp(-80), 0.5, 1.0, 1.0], dtype)
    close(library, log_sigmoid(x), [-1e4, -80.0, -math.log(2), 0.0, 0.0], dtype)
    close(library, softmax(x), [0.0, 0.0, 0.0, 0.0, 1.0], dtype)
    close(library, log_softmax(x), [-2e4, -10080.0, -1e4, -9920.0, 0.0], dtype)


def test_log_sigmoid_keeps_its_relative_precision(library: Library) -> None:
    """Where sigmoid is 1 to rounding, its logarithm still is -exp(-x)."""
    host = library.to_host(log_sigmoid(library.asarray([30.0, 60.0], "float64")))
    np.testing.assert_allclose(host, [-math.exp(-30), -math.exp(-60)], rtol=1e-12)


def test_sigmoid_keeps_its_relative_precision(library: Library) -> None:
    host = library.to_host(sigmoid(library.asarray([-30.0, -300.0], "float64")))
    np.testing.assert_allclose(host, [math.exp(-30), math.exp(-300)], rtol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_along_an_axis(library: Library, dtype: str, axis: int) -> None:
    x = random(3, 4)
    powers = np.exp(x)
    wanted = powers / powers.sum(axis=axis, keepdims=True)
    close(library, softmax(library.asarray(x, dtype), axis=axis), wanted, dtype)
    close(library, log_softmax(library.asarray(x, dtype), axis=axis), np.log(wanted), dtype)


def test_derivative_of_sigmoid(library: Library) -> None:
    """CS224n a2 (d)."""

    def f(x: Any) -> tuple[Any, Any]:
        s = sigmoid(x)
        return library.xp.sum(s), s * (1 - s)

    check_gradient(f, library.asarray([-3.0, -0.5, 0.0, 0.7, 4.0], "float64"))


# --- naive softmax


@pytest.mark.parametrize("lead", [(), (4,), (2, 3), (0,)])
def test_naive_softmax_equals_loops(library: Library, dtype: str, lead: tuple[int, ...]) -> None:
    """CS224n a2 (a), (b), (c)."""
    V, D = 6, 3
    v, U = random(*lead, D), random(V, D, seed=1)
    o = np.random.default_rng(2).integers(0, V, lead)
    loss, d_v, d_U = np.zeros(lead), np.zeros_like(v), np.zeros_like(U)
    for at in np.ndindex(*lead):
        loss[at], d_v[at], one = reference.naive_softmax(v[at], int(o[at]), U)
        d_U += one
    result = naive_softmax(library.asarray(v, dtype), library.asarray(o), library.asarray(U, dtype))
    close(library, result.loss, loss, dtype)
    close(library, result.d_center, d_v, dtype)
    close(library, result.d_outside_vectors, d_U, dtype)


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_ids_of_a_type_that_does_not_hold_the_number_of_words(library: Library, kind: str) -> None:
    V, D = 600, 3
    v, U, o, n = random(2, D), random(V, D, seed=1), [5, 100], [[7, 5, 90], [1, 100, 100]]
    small, wide = ((library.asarray(o, dtype), library.asarray(n, dtype)) for dtype in (kind, "int64"))
    tables = library.asarray(v), library.asarray(U)
    whole = tables[1], tables[1]
    for ours, wanted in (
        (naive_softmax(tables[0], small[0], tables[1]), naive_softmax(tables[0], wide[0], tables[1])),
        (skipgram(3, small[0], *whole, small[1]), skipgram(3, wide[0], *whole, wide[1])),
        (skipgram(3, small[0], *whole, wide[1]), skipgram(3, wide[0], *whole, wide[1])),
    ):
        for array, right in zip(ours, wanted, strict=True):
            np.testing.assert_array_equal(library.to_host(array), library.to_host(right))


def test_ids_without_a_sign() -> None:
    """NumPy makes floats of uint64 and int64 together."""
    U, o, n = random(6, 3), np.array([1, 4]), np.array([[0, 5], [2, 2]])
    ours, wanted = skipgram(3, o.astype(np.uint64), U, U, n), skipgram(3, o, U, U, n)
    np.testing.assert_array_equal(ours.d_outside_vectors, wanted.d_outside_vectors)


def test_naive_softmax_by_hand(library: Library) -> None:
    """Two words with scores 0 and log 3: probabilities 1/4 and 3/4."""
    result = naive_softmax(
        library.asarray([1.0], "float64"), library.asarray(0), library.asarray([[0.0], [math.log(3)]], "float64")
    )
    close(library, result.loss, math.log(4), "float64")
    close(library, result.d_center, [0.75 * math.log(3)], "float64")
    close(library, result.d_outside_vectors, [[-0.75], [0.75]], "float64")


def test_naive_softmax_gradients_by_differences(library: Library) -> None:
    o = library.asarray([3, 0, 3])
    v, U = library.asarray(random(3, 4), "float64"), library.asarray(random(5, 4), "float64")
    xp = library.xp

    def of_center(x: Any) -> tuple[Any, Any]:
        result = naive_softmax(x, o, U)
        return xp.sum(result.loss), result.d_center

    def of_outside(x: Any) -> tuple[Any, Any]:
        result = naive_softmax(v, o, x)
        return xp.sum(result.loss), result.d_outside_vectors

    check_gradient(of_center, v)
    check_gradient(of_outside, U)


def test_naive_softmax_of_one_word(library: Library, dtype: str) -> None:
    """A vocabulary of one word is certain of it."""
    result = naive_softmax(
        library.asarray([[2.0, 1.0]], dtype), library.asarray([0]), library.asarray([[3.0, 4.0]], dtype)
    )
    close(library, result.loss, [0.0], dtype)
    close(library, result.d_outside_vectors, [[0.0, 0.0]], dtype)


def test_naive_softmax_of_huge_scores(library: Library, dtype: str) -> None:
    result = naive_softmax(library.asarray([1e2], dtype), library.asarray(1), library.asarray([[1e2], [-1e2]], dtype))
    close(library, result.loss, 2e4, dtype)
    close(library, result.d_center, [200.0], dtype)


@pytest.mark.parametrize("tile", [None, 0, 1, 3, 7, 100])
def test_softmax_expectation_equals_naive_softmax(library: Library, dtype: str, tile: int | None) -> None:
    """The loss and gradients of two centres with 2 and 1 outside words, whatever the tile."""
    v, U, o = random(2, 3), 3 * random(7, 3, seed=1), [[2, 5], [5]]
    pairs = [(t, w) for t in range(2) for w in o[t]]
    singles = [reference.naive_softmax(v[t], w, U) for t, w in pairs]
    result = softmax_expectation(
        library.asarray(v, dtype), library.asarray([2.0, 1.0], dtype), library.asarray(U, dtype), tile
    )
    observed = np.zeros_like(U)
    for t, w in pairs:
        observed[w] += v[t]
    close(library, result.d_outside_vectors, sum(s[2] for s in singles) + observed, dtype)
    d_v = [singles[0][1] + singles[1][1] + U[2] + U[5], singles[2][1] + U[5]]
    close(library, result.d_centers, d_v, dtype)
    normalizers = [singles[0][0] + v[0] @ U[2], singles[2][0] + v[1] @ U[5]]
    close(library, result.log_normalizer, normalizers, dtype)


# --- negative sampling


@pytest.mark.parametrize("K", [0, 1, 5])
@pytest.mark.parametrize("lead", [(), (4,), (2, 3), (0,)])
def test_negative_sampling_equals_loops(library: Library, dtype: str, lead: tuple[int, ...], K: int) -> None:
    """CS224n a2 (e)."""
    v, u, n = random(*lead, 3), random(*lead, 3, seed=1), random(*lead, K, 3)
    loss, d_v, d_o, d_n = np.zeros(lead), np.zeros_like(v), np.zeros_like(u), np.zeros_like(n)
    for at in np.ndindex(*lead):
        loss[at], d_v[at], d_o[at], d_n[at] = reference.negative_sampling(v[at], u[at], n[at])
    result = negative_sampling(library.asarray(v, dtype), library.asarray(u, dtype), library.asarray(n, dtype))
    for actual, wanted in zip(result, (loss, d_v, d_o, d_n), strict=True):
        close(library, actual, wanted, dtype)


def test_negative_sampling_by_hand(library: Library) -> None:
    """Scores log 3 and log 3: sigma is 3/4."""
    a = math.log(3)
    result = negative_sampling(
        library.asarray([1.0], "float64"), library.asarray([a], "float64"), library.asarray([[a]], "float64")
    )
    close(library, result.loss, -math.log(0.75) - math.log(0.25), "float64")
    close(library, result.d_center, [0.5 * a], "float64")
    close(library, result.d_outside, [-0.25], "float64")
    close(library, result.d_negatives, [[0.75]], "float64")


@pytest.mark.parametrize("argument", [0, 1, 2])
def test_negative_sampling_gradients_by_differences(library: Library, argument: int) -> None:
    """Settles the circulated slip: dJ/du_k is sigma(u_k·v) v."""
    xp = library.xp
    arrays = [library.asarray(random(*shape), "float64") for shape in ((3, 4), (3, 4), (3, 2, 4))]

    def f(x: Any) -> tuple[Any, Any]:
        inputs = list(arrays)
        inputs[argument] = x
        result = negative_sampling(*inputs)
        return xp.sum(result.loss), result[argument + 1]

    check_gradient(f, arrays[argument])


def test_negative_sampling_of_huge_scores(library: Library, dtype: str) -> None:
    result = negative_sampling(
        library.asarray([1e2], dtype), library.asarray([-1e2], dtype), library.asarray([[1e2], [-1e2]], dtype)
    )
    close(library, result.loss, 2e4, dtype)
    close(library, result.d_center, [200.0], dtype)
    close(library, result.d_negatives, [[100.0], [0.0]], dtype)


# --- shared negative sampling


def group(lead: tuple[int, ...], b: int, C: int, S: int, D: int) -> list[np.ndarray]:
    positives = np.random.default_rng(5).integers(0, 3, (*lead, b, C)).astype(float)
    weights = np.random.default_rng(6).random((*lead, b))
    return [random(*lead, b, D), random(*lead, C, D, seed=1), positives, random(*lead, S, D, seed=2), weights]


@pytest.mark.parametrize(("lead", "b", "C", "S"), [((), 3, 4, 2), ((2,), 2, 5, 3), ((2, 2), 1, 1, 1), ((), 2, 3, 0)])
def test_shared_negative_sampling_equals_loops(
    library: Library, dtype: str, lead: tuple[int, ...], b: int, C: int, S: int
) -> None:
    v, u, P, n, w = group(lead, b, C, S, 3)
    loss, d_v, d_u, d_n = np.zeros((*lead, b)), np.zeros_like(v), np.zeros_like(u), np.zeros_like(n)
    for at in np.ndindex(*lead):
        for t in range(b):
            for c in range(C):
                one = reference.negative_sampling(v[at][t], u[at][c], n[at][:0])
                loss[at][t] += P[at][t, c] * one[0]
                d_v[at][t] += P[at][t, c] * one[1]
                d_u[at][c] += P[at][t, c] * one[2]
            for s in range(S):
                one = reference.negative_sampling(v[at][t], 0 * n[at][s], n[at][s : s + 1])
                loss[at][t] += w[at][t] * (one[0] - math.log(2))
                d_v[at][t] += w[at][t] * one[1]
                d_n[at][s] += w[at][t] * one[3][0]
    result = shared_negative_sampling(*(library.asarray(x, dtype) for x in (v, u, P, n, w)))
    for actual, wanted in zip(result, (loss, d_v, d_u, d_n), strict=True):
        close(library, actual, wanted, dtype)


def test_positives_may_be_a_mask(library: Library, dtype: str) -> None:
    v, u, P, n, w = (library.asarray(x, dtype) for x in group((2,), 3, 4, 2, 3))
    mask = P > 0
    wanted = shared_negative_sampling(v, u, library.xp.astype(mask, P.dtype), n, w)
    for ours, theirs in zip(shared_negative_sampling(v, u, mask, n, w), wanted, strict=True):
        close(library, ours, library.to_host(theirs), dtype)


@pytest.mark.parametrize("C", [0, 2, 5])
def test_the_loss_alone_is_that_which_comes_with_gradients(library: Library, dtype: str, C: int) -> None:
    arrays = random(2, 3, 4), random(2, 5, 4, seed=1), np.random.default_rng(2).random((2, 3, 5))
    centers, rows, weights = (library.asarray(array, dtype) for array in arrays)
    wanted = signed_sampling(centers, rows, weights, C).loss
    close(library, signed_loss(centers, rows, weights, C), library.to_host(wanted), dtype)


def test_shared_is_the_textbook_for_one_centre_one_word_and_s_equal_k(library: Library, dtype: str) -> None:
    v, u, n = random(4, 3), random(4, 3, seed=1), random(4, 5, 3)
    inputs = [library.asarray(x, dtype) for x in (v, u, n)]
    textbook = negative_sampling(*inputs)
    one = library.asarray(np.ones((4, 1, 1)), dtype)
    result = shared_negative_sampling(
        inputs[0][:, None, :], inputs[1][:, None, :], one, inputs[2], library.asarray(np.ones((4, 1)), dtype)
    )
    close(library, result.loss[:, 0], library.to_host(textbook.loss), dtype)
    close(library, result.d_centers[:, 0, :], library.to_host(textbook.d_center), dtype)
    close(library, result.d_contexts[:, 0, :], library.to_host(textbook.d_outside), dtype)
    close(library, result.d_negatives, library.to_host(textbook.d_negatives), dtype)


@pytest.mark.parametrize(("argument", "gradient"), [(0, 1), (1, 2), (3, 3)])
def test_shared_gradients_by_differences(library: Library, argument: int, gradient: int) -> None:
    arrays = [library.asarray(x, "float64") for x in group((2,), 3, 4, 2, 3)]

    def f(x: Any) -> tuple[Any, Any]:
        inputs = list(arrays)
        inputs[argument] = x
        result = shared_negative_sampling(*inputs)
        return library.xp.sum(result.loss), result[gradient]

    check_gradient(f, arrays[argument])


def test_expectation_of_shared_is_the_textbook() -> None:
    """Over every possible draw of the noise words, weighted, both losses have one mean."""
    V, D, K, S = 3, 2, 2, 1
    rng = np.random.default_rng(0)
    v, u, U = rng.standard_normal(D), rng.standard_normal(D), rng.standard_normal((V, D))
    p = np.array([0.5, 0.3, 0.2])
    textbook = sum(p[i] * p[j] * float(negative_sampling(v, u, U[[i, j]]).loss) for i in range(V) for j in range(V))
    one = np.ones((1, 1))
    weight = np.full(1, K / S)
    shared = sum(
        p[i] * float(shared_negative_sampling(v[None], u[None], one, U[[i]], weight).loss[0]) for i in range(V)
    )
    assert shared == pytest.approx(textbook, rel=1e-12)


# --- skip-gram


@pytest.mark.parametrize("K", [None, 0, 3])
def test_skipgram_equals_loops(library: Library, dtype: str, K: int | None) -> None:
    """CS224n a2 (f), with repeated outside words, repeated noise words, and noise equal to the outside word."""
    V, D, c = 5, 3, 2
    centers, outside = random(V, D), random(V, D, seed=1)
    o = np.array([1, 4, 1])
    n = None if K is None else np.array([[1, 1, 0], [4, 3, 3], [2, 1, 1]])[:, :K]
    loss, d_V, d_U = 0.0, np.zeros_like(centers), np.zeros_like(outside)
    for row, word in enumerate(o):
        if n is None:
            one_loss, d_v, one = reference.naive_softmax(centers[c], int(word), outside)
            d_U += one
        else:
            one_loss, d_v, d_o, d_n = reference.negative_sampling(centers[c], outside[word], outside[n[row]])
            d_U[word] += d_o
            for k, noise in enumerate(n[row]):
                d_U[noise] += d_n[k]
        loss += one_loss
        d_V[c] += d_v
    tables = library.asarray(centers, dtype), library.asarray(outside, dtype)
    result = skipgram(c, library.asarray(o), *tables, negative_ids=None if n is None else library.asarray(n))
    close(library, result.loss, loss, dtype)
    close(library, result.d_center_vectors, d_V, dtype)
    close(library, result.d_outside_vectors, d_U, dtype)
    others = [w for w in range(V) if w != c]
    assert not library.to_host(result.d_center_vectors)[others].any()


@pytest.mark.parametrize("K", [None, 0, 3])
def test_skipgram_without_outside_words(library: Library, dtype: str, K: int | None) -> None:
    table = library.asarray(random(3, 2), dtype)
    noise = None if K is None else library.asarray(np.zeros((0, K)), "int64")
    result = skipgram(1, library.asarray([], "int64"), table, table, noise)
    close(library, result.loss, 0.0, dtype)
    close(library, result.d_center_vectors, np.zeros((3, 2)), dtype)
    close(library, result.d_outside_vectors, np.zeros((3, 2)), dtype)


@pytest.mark.parametrize("negative", [True, False])
def test_skipgram_gradients_by_differences(library: Library, negative: bool) -> None:
    o = library.asarray([1, 4, 1])
    n = library.asarray([[1, 1], [0, 3], [2, 2]]) if negative else None
    V, U = library.asarray(random(5, 3), "float64"), library.asarray(random(5, 3, seed=1), "float64")

    def of_centers(x: Any) -> tuple[Any, Any]:
        result = skipgram(2, o, x, U, n)
        return result.loss, result.d_center_vectors

    def of_outside(x: Any) -> tuple[Any, Any]:
        result = skipgram(2, o, V, x, n)
        return result.loss, result.d_outside_vectors

    check_gradient(of_centers, V)
    check_gradient(of_outside, U)


# --- what is refused


def test_wrong_shapes_are_refused(library: Library) -> None:
    def a(*shape: int) -> Any:
        return library.asarray(np.zeros(shape))

    ids = library.asarray([0, 1])
    with pytest.raises(ShapeError, match=r"outside must have shape \(2, 3\), got \(2, 4\)"):
        negative_sampling(a(2, 3), a(2, 4), a(2, 1, 3))
    with pytest.raises(ShapeError, match=r"negatives must have shape \(2, n, 3\) with any n, got \(1, 3\)"):
        negative_sampling(a(2, 3), a(2, 3), a(1, 3))
    with pytest.raises(ShapeError, match=r"negatives must have shape \(2, n, 3\) with any n, got \(1, 4, 3\)"):
        negative_sampling(a(2, 3), a(2, 3), a(1, 4, 3))
    with pytest.raises(ShapeError, match=r"center must have shape \(2, 3\), got \(2, 4\)"):
        naive_softmax(a(2, 4), ids, a(5, 3))
    with pytest.raises(ShapeError, match=r"outside_ids must have shape \(3,\), got \(2,\)"):
        naive_softmax(a(3, 3), ids, a(5, 3))
    with pytest.raises(ShapeError, match=r"outside_ids must have shape \(1,\), got \(2,\)"):
        naive_softmax(a(1, 3), ids, a(5, 3))
    with pytest.raises(ShapeError, match="negative_weights"):
        shared_negative_sampling(a(2, 3), a(4, 3), a(2, 4), a(1, 3), a(1))
    with pytest.raises(ShapeError, match="outside_vectors must have 2 dimensions"):
        naive_softmax(a(2, 3), ids, a(3))
    with pytest.raises(ShapeError, match="center_vectors"):
        skipgram(0, ids, a(5, 3), a(5, 4))
    with pytest.raises(ShapeError, match="negative_ids"):
        skipgram(0, ids, a(5, 3), a(5, 3), library.asarray([[0, 1]]))
    with pytest.raises(ShapeError, match="negative_ids must have 2 dimensions"):
        skipgram(0, ids, a(5, 3), a(5, 3), ids)
    with pytest.raises(ShapeError, match="positives"):
        shared_negative_sampling(a(2, 3), a(4, 3), a(2, 5), a(1, 3), a(2))


def test_jax_has_the_gradients_that_it_finds_itself() -> None:
    """Another oracle; its arrays are on no device while they are traced, and its integers have 32 bits."""
    jax = pytest.importorskip("jax")
    v, u, n = (jax.numpy.asarray(random(*shape), "float32") for shape in ((4, 3), (4, 3), (4, 5, 3)))
    result = jax.jit(negative_sampling)(v, u, n)
    found = jax.grad(lambda *arrays: negative_sampling(*arrays).loss.sum(), argnums=(0, 1, 2))(v, u, n)
    for ours, theirs in zip(result[1:], found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)
    ids = jax.numpy.asarray([1, 0, 4, 1])
    softmaxed = naive_softmax(v, ids, n[0])
    found = jax.grad(lambda U: -log_softmax(v @ U.T)[np.arange(4), ids].sum())(n[0])
    np.testing.assert_allclose(softmaxed.d_outside_vectors, found, rtol=2e-5, atol=2e-5)
    assert isinstance(softmaxed.loss, jax.Array)


@pytest.mark.parametrize("bad", [-1, 5])
def test_ids_out_of_range_are_refused(library: Library, bad: int) -> None:
    U = library.asarray(np.zeros((5, 3)))
    good, wrong = library.asarray([0]), library.asarray([bad])
    message = f"must be in 0 .. 4, got {bad}"
    with pytest.raises(IdRangeError, match=f"outside_ids {message}"):
        naive_softmax(library.asarray(np.zeros((1, 3))), wrong, U)
    with pytest.raises(IdRangeError, match=f"center_id {message}"):
        skipgram(bad, good, U, U)
    with pytest.raises(IdRangeError, match=f"negative_ids {message}"):
        skipgram(0, good, U, U, wrong[:, None])


def test_other_kinds_of_arrays_are_refused(library: Library) -> None:
    x = library.asarray(np.zeros((1, 3)))
    with pytest.raises(MixedArraysError, match="one array library"):
        negative_sampling(x, [[0.0, 0.0, 0.0]], x[:, None, :])
    whole = library.asarray(np.zeros((1, 3), dtype="int32"))
    with pytest.raises(MixedArraysError, match="outside must be a floating-point array"):
        negative_sampling(x, whole, x[:, None, :])
    with pytest.raises(MixedArraysError, match="outside_ids must be an integer array"):
        naive_softmax(x, x[:, 0], x)


@pytest.mark.parametrize("function", [naive_softmax, softmax_expectation, skipgram, shared_negative_sampling])
def test_whole_numbers_in_place_of_any_vectors_are_refused(function: Any, library: Library) -> None:
    x, square, ids = library.asarray(np.zeros((2, 3))), library.asarray(np.zeros((2, 2))), library.asarray([0, 1])
    arguments, vectors = {
        naive_softmax: ((x, ids, x), (0, 2)),
        softmax_expectation: ((x, x[:, 0], x), (0, 1, 2)),
        skipgram: ((0, ids, x, x), (2, 3)),
        shared_negative_sampling: ((x, x, square, x, x[:, 0]), (0, 1, 2, 3)),
    }[function]
    for place in vectors:
        given: list[Any] = list(arguments)
        given[place] = library.xp.astype(given[place], library.xp.int32)
        name = list(inspect.signature(function).parameters)[place]
        with pytest.raises(MixedArraysError, match=f"^{name} must be a floating-point array, got"):
            function(*given)


def test_mixed_libraries_and_devices_are_refused() -> None:
    import array_api_strict

    x = np.zeros((1, 3))
    strict = array_api_strict.asarray(x)
    with pytest.raises(MixedArraysError, match="one array library"):
        negative_sampling(x, strict, x[:, None, :])
    with pytest.raises(MixedArraysError, match="one array library"):
        shared_negative_sampling(x, x, x[:, :1], x, strict[0, :1])
    ids = np.zeros(2, dtype=np.int64)
    for first, second in ((array_api_strict.asarray(ids), ids[:, None]), (ids, array_api_strict.asarray(ids)[:, None])):
        with pytest.raises(MixedArraysError, match="one array library"):
            skipgram(0, first, x, x, second)
    with pytest.raises(MixedArraysError, match="one array library"):
        naive_softmax(x, strict[0, :1], x)
    elsewhere = array_api_strict.asarray(x, device=array_api_strict.Device("device1"))
    with pytest.raises(MixedArraysError, match="one device"):
        negative_sampling(strict, elsewhere, strict[:, None, :])
