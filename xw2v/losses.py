"""The mathematics of word2vec: pure functions, arrays in, loss and gradients out.

Every function takes arrays of any one library that follows the Python array API standard (NumPy, CuPy,
PyTorch, JAX, array-api-strict, ...) and answers in the same library, dtype and device. Nothing here knows
tables, learning rates or files.

Letters: B pairs, K negatives a pair, V words, D vector size; b centres, C contexts and S noise words of a
group. "..." stands for any leading dimensions, or none. Losses are in nats.

Sources: Stanford CS224n assignment 2, written part (a) to (f); Mikolov et al. 2013, "Distributed
Representations of Words and Phrases and their Compositionality" (arXiv:1310.4546), eq. 2 and 4.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from array_api_compat import array_namespace, device

from xw2v.errors import IdRangeError, MixedArraysError, ShapeError

__all__ = [
    "NaiveSoftmax",
    "NegativeSampling",
    "SharedNegativeSampling",
    "SignedSampling",
    "SkipGram",
    "SoftmaxExpectation",
    "log_sigmoid",
    "log_softmax",
    "naive_softmax",
    "negative_sampling",
    "shared_negative_sampling",
    "sigmoid",
    "signed_loss",
    "signed_sampling",
    "skipgram",
    "softmax",
    "softmax_expectation",
]

Array = Any  # an array of any library that follows the standard; docstrings give the shape


class NaiveSoftmax(NamedTuple):
    """What `naive_softmax` returns."""

    loss: Array
    d_center: Array
    d_outside_vectors: Array


class NegativeSampling(NamedTuple):
    """What `negative_sampling` returns."""

    loss: Array
    d_center: Array
    d_outside: Array
    d_negatives: Array


class SkipGram(NamedTuple):
    """What `skipgram` returns."""

    loss: Array
    d_center_vectors: Array
    d_outside_vectors: Array


class SharedNegativeSampling(NamedTuple):
    """What `shared_negative_sampling` returns."""

    loss: Array
    d_centers: Array
    d_contexts: Array
    d_negatives: Array


class SignedSampling(NamedTuple):
    """What `signed_sampling` returns."""

    loss: Array
    d_centers: Array
    d_rows: Array


class SoftmaxExpectation(NamedTuple):
    """What `softmax_expectation` returns."""

    log_normalizer: Array
    d_centers: Array
    d_outside_vectors: Array


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), elementwise, without overflow for any finite x.

    Parameters
    ----------
    x : (...) float array

    Returns
    -------
    (...) array of x's dtype, in [0, 1]. Its derivative is sigmoid(x) (1 - sigmoid(x)): CS224n a2 (d).

    Examples
    --------
    >>> import numpy as np
    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return _logistic(-x, xp=_namespace(x=x))[1]


def log_sigmoid(x: Array) -> Array:
    """log(sigmoid(x)), elementwise, exact to rounding where sigmoid(x) itself would be 0 or 1.

    Parameters
    ----------
    x : (...) float array

    Returns
    -------
    (...) array of x's dtype, at most 0

    Examples
    --------
    >>> import numpy as np
    >>> log_sigmoid(np.array([-1000.0, 1000.0])).tolist()
    [-1000.0, 0.0]
    """
    return _log_logistic(x, xp=_namespace(x=x))[0]


def softmax(x: Array, axis: int = -1) -> Array:
    """exp(x) / sum(exp(x)) along an axis, without overflow for any finite x.

    Parameters
    ----------
    x : (...) float array of at least one dimension
    axis : int

    Returns
    -------
    (...) array of x's dtype; sums to 1 along the axis

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.array([[1000.0, 1000.0], [0.0, -1000.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    xp = _namespace(x=x)
    powers = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return powers / xp.sum(powers, axis=axis, keepdims=True)


def log_softmax(x: Array, axis: int = -1) -> Array:
    """log(softmax(x)) along an axis, exact to rounding where softmax(x) itself would be 0.

    Parameters
    ----------
    x : (...) float array of at least one dimension
    axis : int

    Returns
    -------
    (...) array of x's dtype

    Examples
    --------
    >>> import numpy as np
    >>> log_softmax(np.array([0.0, 0.0])).round(4).tolist()
    [-0.6931, -0.6931]
    """
    xp = _namespace(x=x)
    shifted = x - xp.max(x, axis=axis, keepdims=True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=axis, keepdims=True))


def naive_softmax(center: Array, outside_ids: Array, outside_vectors: Array) -> NaiveSoftmax:
    """Naive softmax loss and gradients of each (centre, outside word) pair.

    J = -log softmax(U v)_o = logsumexp(U v) - u_o·v;  dJ/dv = Uᵀ(ŷ - y);  dJ/dU = (ŷ - y) vᵀ.

    Parameters
    ----------
    center : (..., D) float array            v_c of each pair
    outside_ids : (...) integer array        o, in 0 .. V-1
    outside_vectors : (V, D) float array     U, a word a row

    Returns
    -------
    NaiveSoftmax(loss (...), d_center (..., D), d_outside_vectors (V, D) summed over "...")

    Raises
    ------
    ShapeError   shapes do not agree;  MixedArraysError   other libraries, devices or not floating point
    IdRangeError   an id outside 0 .. V-1

    Source: CS224n a2 (a), (b), (c); Mikolov et al. 2013 eq. 2.

    Examples
    --------
    >>> import numpy as np
    >>> v, U = np.array([0.0, 0.0]), np.eye(4, 2)
    >>> result = naive_softmax(v, np.array(1), U)
    >>> round(float(result.loss), 4), result.d_center.tolist()  # log 4; expected minus observed
    (1.3863, [0.25, -0.75])
    """
    xp = _namespace(center=center, outside_vectors=outside_vectors)
    _same_library(center=center, outside_ids=outside_ids)
    _check_ndim("outside_vectors", outside_vectors, 2)
    _check_shape("center", center, (*center.shape[:-1], outside_vectors.shape[1]))
    _check_shape("outside_ids", outside_ids, center.shape[:-1])
    outside_ids = _checked_ids("outside_ids", outside_ids, outside_vectors.shape[0], xp=xp)
    rows = xp.reshape(center, (-1, center.shape[-1]))
    scores = rows @ outside_vectors.T
    observed = _one_hot(xp.reshape(outside_ids, (-1,)), outside_vectors.shape[0], like=scores, xp=xp)
    log_probabilities = log_softmax(scores)
    loss = -xp.sum(observed * log_probabilities, axis=-1)
    surplus = xp.exp(log_probabilities) - observed
    return NaiveSoftmax(
        xp.reshape(loss, outside_ids.shape),
        xp.reshape(surplus @ outside_vectors, center.shape),
        surplus.T @ rows,
    )


def softmax_expectation(
    centers: Array, weights: Array, outside_vectors: Array, tile: int | None = None
) -> SoftmaxExpectation:
    """The part of the exact softmax that runs over the whole vocabulary, in bounded memory.

    A centre with n outside words costs J = n logsumexp(U v) - Σ_o u_o·v. This is its first term: the
    log-normalizer of each centre, and the gradients of Σ_t n_t logsumexp(U v_t), which are
    n_t Σ_w ŷ_w u_w for a centre and Σ_t n_t ŷ_tw v_t for word w. The vocabulary is taken in tiles with a
    running maximum and sum, so memory grows with B·tile, not B·V.

    Parameters
    ----------
    centers : (B, D) float array
    weights : (B,) float array              n_t, how many outside words each centre has
    outside_vectors : (V, D) float array
    tile : int or None                      words a tile; None: all at once

    Returns
    -------
    SoftmaxExpectation(log_normalizer (B,), d_centers (B, D), d_outside_vectors (V, D))

    Source: CS224n a2 (b), (c); the running sum is Milakov and Gimelshein 2018 (arXiv:1805.02867).
    """
    xp = _namespace(centers=centers, weights=weights, outside_vectors=outside_vectors)
    V = outside_vectors.shape[0]
    tile = V if tile is None else max(1, min(tile, V))
    tiles = [outside_vectors[start : min(start + tile, V), :] for start in range(0, V, tile)]
    maximum = None
    for words in tiles:
        scores = centers @ words.T
        top = xp.max(scores, axis=1, keepdims=True)
        if maximum is None:
            maximum, total = top, xp.zeros_like(top)
        higher = xp.maximum(maximum, top)
        scores -= higher
        odds = xp.exp(scores)
        total = total * xp.exp(maximum - higher) + xp.sum(odds, axis=1, keepdims=True)
        maximum = higher
    # ŷ is odds / total: the factor n / total is put to the smaller operands of the products.
    factors = weights[:, None] / total
    scaled = centers * factors
    d_centers = xp.zeros_like(centers)
    d_words = []
    for words in tiles:
        if len(tiles) > 1:  # the odds of a single tile are still at hand
            odds = xp.exp(centers @ words.T - maximum)
        d_centers += odds @ words
        d_words.append(odds.T @ scaled)
    d_outside = d_words[0] if len(d_words) == 1 else xp.concat(d_words, axis=0)
    log_normalizer = maximum + xp.log(total)
    return SoftmaxExpectation(log_normalizer[:, 0], d_centers * factors, d_outside)


def negative_sampling(center: Array, outside: Array, negatives: Array) -> NegativeSampling:
    """Negative sampling loss and gradients of each pair, not reduced over the batch.

    J = -log σ(u_o·v) - Σ_k log σ(-u_k·v);  dJ/dv = (σ(u_o·v) - 1) u_o + Σ_k σ(u_k·v) u_k;
    dJ/du_o = (σ(u_o·v) - 1) v;  dJ/du_k = σ(u_k·v) v, once for every time a word was drawn.

    A circulated solution of the assignment prints 1 - σ(u_k·v) in the last line; 1 - σ(-u_k·v) = σ(u_k·v)
    is meant, as central differences show.

    Parameters
    ----------
    center, outside : (..., D) float array      v_c and u_o of each pair
    negatives : (..., K, D) float array         u_k of the drawn noise words; K may be 0

    Returns
    -------
    NegativeSampling(loss (...), d_center (..., D), d_outside (..., D), d_negatives (..., K, D))

    Raises
    ------
    ShapeError   shapes do not agree;  MixedArraysError   other libraries, devices or not floating point

    Source: CS224n a2 (e); Mikolov et al. 2013 eq. 4, sign changed so that it is minimised.

    Examples
    --------
    >>> import numpy as np
    >>> v, u, noise = np.zeros(2), np.array([1.0, 0.0]), np.array([[0.0, 1.0], [0.0, 1.0]])
    >>> result = negative_sampling(v, u, noise)
    >>> round(float(result.loss), 4), result.d_center.tolist()  # 3 log 2
    (2.0794, [-0.5, 1.0])
    """
    xp = _namespace(center=center, outside=outside, negatives=negatives)
    _check_shape("outside", outside, center.shape)
    _check_group("negatives", negatives, center.shape[:-1], center.shape[-1:])
    log_observed, surprise = _logistic(xp.sum(outside * center, axis=-1), xp=xp)
    log_refused, push = _logistic(-xp.matmul(negatives, center[..., None])[..., 0], xp=xp)
    pull = -surprise[..., None]
    return NegativeSampling(
        -log_observed - xp.sum(log_refused, axis=-1),
        pull * outside + xp.matmul(push[..., None, :], negatives)[..., 0, :],
        pull * center,
        push[..., None] * center[..., None, :],
    )


def shared_negative_sampling(
    centers: Array, contexts: Array, positives: Array, negatives: Array, negative_weights: Array
) -> SharedNegativeSampling:
    """Negative sampling of a group of centres that share their noise words, as matrix products.

    J_t = Σ_c P_tc (-log σ(u_c·v_t)) + w_t Σ_s (-log σ(-u_s·v_t)). With P_tc = 1 where context c is an
    outside word of centre t, and w_t = K n_t / S for n_t such words, its expectation over the noise is the
    textbook loss summed over the pairs of t. With b = 1, one outside word and S = K it is that loss itself.

    Parameters
    ----------
    centers : (..., b, D) float array              v_t
    contexts : (..., C, D) float array             u_c, every row that some centre of the group may see
    positives : (..., b, C) float or bool array    P: how often c is an outside word of t (0 or 1 in a window)
    negatives : (..., S, D) float array            u_s of the noise words drawn for the group
    negative_weights : (..., b) float array        w_t

    Returns
    -------
    SharedNegativeSampling(loss (..., b), d_centers (..., b, D), d_contexts (..., C, D), d_negatives (..., S, D))

    Raises
    ------
    ShapeError   shapes do not agree;  MixedArraysError   other libraries, devices or not floating point

    Source: the objective of Mikolov et al. 2013 eq. 4; noise shared in a window as in Ji et al. 2016
    (arXiv:1604.04661), here over a group of windows and with weights that keep the expectation.

    Examples
    --------
    >>> import numpy as np
    >>> centers, contexts, noise = np.zeros((2, 3)), np.ones((4, 3)), np.ones((5, 3))
    >>> positives = np.array([[1.0, 0, 0, 0], [0, 1.0, 0, 0]])  # one outside word each
    >>> result = shared_negative_sampling(centers, contexts, positives, noise, np.full(2, 1 / 5))
    >>> result.loss.round(4).tolist()  # 2 log 2
    [1.3863, 1.3863]
    """
    xp = _namespace(centers=centers, contexts=contexts, negatives=negatives)
    _same_library(centers=centers, positives=positives, negative_weights=negative_weights)
    if xp.isdtype(positives.dtype, "bool"):
        positives = xp.astype(positives, centers.dtype)
    _namespace(positives=positives)
    lead, D = centers.shape[:-2], centers.shape[-1:]
    _check_group("contexts", contexts, lead, D)
    _check_group("negatives", negatives, lead, D)
    _check_shape("positives", positives, (*centers.shape[:-1], contexts.shape[-2]))
    _check_shape("negative_weights", negative_weights, centers.shape[:-1])
    C, S = contexts.shape[-2], negatives.shape[-2]
    pushes = xp.broadcast_to(negative_weights[..., None], (*centers.shape[:-1], S))
    result = signed_sampling(
        centers,
        xp.concat([contexts, negatives], axis=-2),
        xp.concat([positives, xp.astype(pushes, positives.dtype)], axis=-1),
        C,
    )
    d_contexts, d_negatives = result.d_rows[..., :C, :], result.d_rows[..., C:, :]
    return SharedNegativeSampling(result.loss, result.d_centers, d_contexts, d_negatives)


def signed_sampling(centers: Array, rows: Array, weights: Array, C: int) -> SignedSampling:
    """Weighted logistic losses of every centre with every row: the first C rows attract, the others repel.

    J_t = -Σ_{r < C} W_tr log σ(u_r·v_t) - Σ_{r >= C} W_tr log σ(-u_r·v_t), as three matrix products.
    `shared_negative_sampling` is this with its two kinds of rows laid side by side.

    Parameters
    ----------
    centers : (..., b, D) float array     v_t
    rows : (..., R, D) float array        u_r: contexts, then noise words
    weights : (..., b, R) float array     W
    C : int                               how many of the rows are contexts

    Returns
    -------
    SignedSampling(loss (..., b), d_centers (..., b, D), d_rows (..., R, D))
    """
    xp = array_namespace(centers, rows, weights)
    signed, signs = _signed_scores(centers, rows, C, xp=xp)
    log_right, wrong = _logistic(signed, xp=xp)
    slopes = wrong * weights * -signs
    return SignedSampling(
        -xp.sum(weights * log_right, axis=-1),
        xp.matmul(slopes, rows),
        xp.matmul(xp.matrix_transpose(slopes), centers),
    )


def signed_loss(centers: Array, rows: Array, weights: Array, C: int) -> Array:
    """The loss of `signed_sampling` alone, (..., b): a third of the products. Arguments as there."""
    xp = array_namespace(centers, rows, weights)
    log_right, _ = _log_logistic(_signed_scores(centers, rows, C, xp=xp)[0], xp=xp)
    return -xp.sum(weights * log_right, axis=-1)


def skipgram(
    center_id: int,
    outside_ids: Array,
    center_vectors: Array,
    outside_vectors: Array,
    negative_ids: Array | None = None,
) -> SkipGram:
    """Skip-gram loss and gradients of one centre and the words of its window, for both tables.

    J = Σ_o J(v_c, o, U) with the naive softmax, or with negative sampling where noise words are given.
    Gradients of the pairs add up; dJ/dv_w = 0 for every w other than the centre.

    Parameters
    ----------
    center_id : int                                 c, in 0 .. V-1
    outside_ids : (C,) integer array                the words of the window; repeats count twice
    center_vectors, outside_vectors : (V, D) float array
    negative_ids : (C, K) integer array or None     noise words of each pair; None: naive softmax

    Returns
    -------
    SkipGram(loss (), d_center_vectors (V, D), d_outside_vectors (V, D))

    Raises
    ------
    ShapeError   shapes do not agree;  MixedArraysError   other libraries, devices or not floating point
    IdRangeError   an id outside 0 .. V-1

    Source: CS224n a2 (f).

    Examples
    --------
    >>> import numpy as np
    >>> V, U = np.zeros((4, 2)), np.eye(4, 2)
    >>> result = skipgram(2, np.array([0, 1]), V, U)
    >>> round(float(result.loss), 4), result.d_center_vectors.any(axis=1).tolist()  # only the centre's row moves
    (2.7726, [False, False, True, False])
    """
    xp = _namespace(center_vectors=center_vectors, outside_vectors=outside_vectors)
    _same_library(center_vectors=center_vectors, outside_ids=outside_ids)
    _check_ndim("outside_vectors", outside_vectors, 2)
    _check_shape("center_vectors", center_vectors, outside_vectors.shape)
    _check_ndim("outside_ids", outside_ids, 1)
    V, C = outside_vectors.shape[0], outside_ids.shape[0]
    if not 0 <= center_id < V:
        msg = f"center_id must be in 0 .. {V - 1}, got {center_id}"
        raise IdRangeError(msg)
    center = xp.broadcast_to(center_vectors[center_id, :], (C, center_vectors.shape[1]))
    if negative_ids is None:
        loss, d_center, d_outside_vectors = naive_softmax(center, outside_ids, outside_vectors)
    else:
        _same_library(center_vectors=center_vectors, negative_ids=negative_ids)
        _check_ndim("negative_ids", negative_ids, 2)
        _check_shape("negative_ids", negative_ids, (C, negative_ids.shape[1]))
        outside_ids = _checked_ids("outside_ids", outside_ids, V, xp=xp)
        negative_ids = _checked_ids("negative_ids", negative_ids, V, xp=xp)
        ids = xp.concat([outside_ids[:, None], negative_ids], axis=1)
        loss, d_center, d_outside_vectors = _sampled_pairs(center, ids, outside_vectors, xp=xp)
    this_row = xp.arange(V, device=device(center_vectors)) == center_id
    d_center_vectors = xp.astype(this_row, center_vectors.dtype)[:, None] * xp.sum(d_center, axis=0)[None, :]
    return SkipGram(xp.sum(loss), d_center_vectors, d_outside_vectors)


def _sampled_pairs(center: Array, ids: Array, outside_vectors: Array, *, xp: Any) -> NaiveSoftmax:
    """Negative sampling of (C,) pairs in the form of `naive_softmax`; `ids` (C, 1 + K) are o and the noise words."""
    V, D = outside_vectors.shape
    flat = xp.reshape(ids, (-1,))
    rows = xp.reshape(xp.take(outside_vectors, flat, axis=0), (*ids.shape, D))
    pairs = negative_sampling(center, rows[:, 0, :], rows[:, 1:, :])
    d_rows = xp.concat([pairs.d_outside[:, None, :], pairs.d_negatives], axis=1)
    d_outside_vectors = _one_hot(flat, V, like=rows, xp=xp).T @ xp.reshape(d_rows, (-1, D))
    return NaiveSoftmax(pairs.loss, pairs.d_center, d_outside_vectors)


def _signed_scores(centers: Array, rows: Array, C: int, *, xp: Any) -> tuple[Array, Array]:
    """(..., b, R) u_r·v_t, the other way round for the rows that repel, and (R,) the signs."""
    place = xp.arange(rows.shape[-2], device=device(rows))
    signs = xp.astype(place < C, rows.dtype) * 2 - 1
    return xp.matmul(centers, xp.matrix_transpose(rows)) * signs, signs


def _logistic(x: Array, *, xp: Any) -> tuple[Array, Array]:
    """Log σ(x), and σ(-x) = 1 - σ(x) without the cancellation; no step overflows."""
    log_right, shared = _log_logistic(x, xp=xp)
    return log_right, xp.exp(xp.minimum(-x, _zero(x, xp=xp)) - shared)


def _log_logistic(x: Array, *, xp: Any) -> tuple[Array, Array]:
    """Log σ(x), and what it has in common with log σ(-x): log(1 + e^-|x|)."""
    shared = xp.log1p(xp.exp(-xp.abs(x)))
    return xp.minimum(x, _zero(x, xp=xp)) - shared, shared


def _zero(x: Array, *, xp: Any) -> Array:
    return xp.zeros((), dtype=x.dtype, device=device(x))


def _one_hot(ids: Array, V: int, *, like: Array, xp: Any) -> Array:
    """(N, V) rows that are 1 at their id: the portable way to add rows with repeats is a product with it."""
    return xp.astype(ids[:, None] == xp.arange(V, dtype=ids.dtype, device=device(ids)), like.dtype)


def _namespace(**arrays: Array) -> Any:
    """The one library of floating-point arrays given by name."""
    xp = _same_library(**arrays)
    for name, array in arrays.items():
        if not xp.isdtype(array.dtype, "real floating"):
            msg = f"{name} must be a floating-point array, got {array.dtype}"
            raise MixedArraysError(msg)
    return xp


def _same_library(**arrays: Array) -> Any:
    """The one library and device of arrays given by name, whatever their dtype."""
    try:
        xp = array_namespace(*arrays.values())
    except TypeError:
        kinds = ", ".join(f"{name}: {type(array).__module__}.{type(array).__name__}" for name, array in arrays.items())
        msg = f"arrays of one array library are wanted, got {kinds}"
        raise MixedArraysError(msg) from None
    # An array that JAX traces is on no device yet.
    devices = {name: on for name, array in arrays.items() if (on := device(array)) is not None}
    if len(set(map(str, devices.values()))) > 1:
        msg = "arrays on one device are wanted, got " + ", ".join(f"{name}: {on}" for name, on in devices.items())
        raise MixedArraysError(msg)
    return xp


def _check_ndim(name: str, array: Array, ndim: int) -> None:
    if array.ndim != ndim:
        msg = f"{name} must have {ndim} dimensions, got shape {tuple(array.shape)}"
        raise ShapeError(msg)


def _check_shape(name: str, array: Array, wanted: tuple[int, ...]) -> None:
    if tuple(array.shape) != tuple(wanted):
        msg = f"{name} must have shape {tuple(wanted)}, got {tuple(array.shape)}"
        raise ShapeError(msg)


def _check_group(name: str, array: Array, lead: tuple[int, ...], tail: tuple[int, ...]) -> None:
    """`lead`, then one free dimension, then `tail`."""
    if array.ndim != len(lead) + 2 or tuple(array.shape[:-2]) != tuple(lead) or tuple(array.shape[-1:]) != tuple(tail):
        wanted = ", ".join(map(str, (*lead, "n", *tail)))
        msg = f"{name} must have shape ({wanted}) with any n, got {tuple(array.shape)}"
        raise ShapeError(msg)


def _checked_ids(name: str, ids: Array, V: int, *, xp: Any) -> Array:
    """The ids, once each of them is in 0 .. V-1, in the library's own type of integers: theirs may not hold V."""
    if not xp.isdtype(ids.dtype, "integral"):
        msg = f"{name} must be an integer array, got {ids.dtype}"
        raise MixedArraysError(msg)
    low, high = (int(xp.min(ids)), int(xp.max(ids))) if 0 not in ids.shape else (0, -1)
    if low < 0 or high >= V:
        msg = f"{name} must be in 0 .. {V - 1}, got {low if low < 0 else high}"
        raise IdRangeError(msg)
    return xp.astype(ids, xp.arange(0, device=device(ids)).dtype)
