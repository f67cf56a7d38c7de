"""Vectors in two dimensions: by their directions of largest variance, or so that neighbours stay neighbours."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from xw2v.display import watched
from xw2v.errors import ConfigError, NumericalError, ShapeError

__all__ = ["METHODS", "project", "project_2d"]

METHODS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}

Points = npt.NDArray[np.float64]


def project(vectors: npt.ArrayLike, method: str = "pca") -> Points:
    """Coordinates (n, 2) of (n, D) vectors.

    Parameters
    ----------
    method : "pca", directions of largest variance, where distances mean something; "tsne" or "umap", neighbours of
        the unit vectors, where they do not. These need scikit-learn or umap-learn and 5 vectors; fewer are "pca".

    Raises
    ------
    ConfigError   no such method, or its library is not installed.
    ShapeError, NumericalError   as `project_2d`

    >>> project([[0.0, 0.0], [3.0, 0.0], [6.0, 0.0]]).tolist()
    [[-3.0, 0.0], [0.0, 0.0], [3.0, 0.0]]
    """
    if method not in METHODS:
        msg = f"the method must be one of {', '.join(METHODS)}; got {method!r}"
        raise ConfigError(msg)
    flat = project_2d(vectors)
    if method == "pca" or len(flat) < 5:
        return flat
    table = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(table, axis=1, keepdims=True)
    unit = table / np.where(lengths > 0, lengths, 1.0)
    near = min(15, (len(unit) - 1) // 3 + 1)
    start = project_2d(unit)
    start *= 1e-4 / max(float(start.std()), 1e-12)
    with watched("placing", "words") as tell, warnings.catch_warnings():
        tell(len(unit), None)
        warnings.simplefilter("ignore")  # theirs, about seeds and threads
        try:
            if method == "tsne":
                from sklearn.manifold import TSNE

                found = TSNE(perplexity=near, init=start.astype(np.float32), random_state=1).fit_transform(unit)
            else:
                from umap import UMAP

                found = UMAP(n_neighbors=near, metric="cosine", random_state=1).fit_transform(unit)
        except ImportError as error:
            package = "scikit-learn" if method == "tsne" else "umap-learn"
            msg = f"{METHODS[method]} needs {package}: pip install {package}"
            raise ConfigError(msg) from error
    result: Points = np.asarray(found, dtype=np.float64)
    return result


def project_2d(vectors: npt.ArrayLike) -> Points:
    """Coordinates of vectors on the two directions in which they vary most.

    The mean is taken off and the rest multiplied by the first two right singular vectors, which are the
    eigenvectors of the covariance (CS224n assignment 2 takes the SVD of that). A direction's sign is free: its
    entry of largest size is made positive, so that a picture comes out the same every time.

    Parameters
    ----------
    vectors : (n, D) finite numbers, n > 0

    Returns
    -------
    (n, 2) float64; zeros in a direction that does not exist (n <= 2 or D = 1, say)

    Raises
    ------
    ShapeError   not two-dimensional, or empty.  NumericalError   NaN or infinity.
    """
    table = np.asarray(vectors, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        msg = f"vectors to project must have shape (n, D), n and D > 0; got {table.shape}"
        raise ShapeError(msg)
    if not np.isfinite(table).all():
        msg = "vectors to project must be finite; some hold NaN or infinity"
        raise NumericalError(msg)
    centred = table - table.mean(axis=0)
    _, amounts, rows = np.linalg.svd(centred, full_matrices=False)
    directions = rows[:2]
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.where(directions[np.arange(len(directions)), largest] < 0, -1.0, 1.0)[:, None]
    coordinates = np.zeros((len(table), 2))
    coordinates[:, : len(directions)] = centred @ directions.T
    coordinates[:, np.flatnonzero(amounts[:2] <= 1e-12 * amounts[0])] = 0.0  # rounding, which a picture would blow up
    return coordinates
