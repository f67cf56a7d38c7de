"""Graphs in one form: from arrays, lists and tables of edges, matrices, networkx and text files.

Letters: V nodes, E edges.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xw2v.errors import FormatError, ShapeError
from xw2v.files import PathLike, is_number, reading

__all__ = ["Graph", "as_graph", "read_edges"]

Ids = npt.NDArray[np.int64]


class Graph(NamedTuple):
    """Edges from node i: `targets[starts[i]:starts[i + 1]]`, rising, and their weights in the same places.

    `nodes` (V,) are the ids or names that the caller gave; `weights` is empty where all are equal.
    """

    nodes: npt.NDArray[Any]
    starts: Ids
    targets: Ids
    weights: npt.NDArray[np.float64]


def as_graph(graph: Any, directed: bool = False) -> Graph:
    """The graph in one form; see `xw2v.random_walks`. What was given is left as it is."""
    from scipy import sparse

    if sparse.issparse(graph):
        given: Any = graph  # the check narrows it to a class that csr_array is not declared for
        _check_weights(given.dtype)
        matrix = sparse.csr_array(given.astype(np.float64))
        if matrix.shape[0] != matrix.shape[1]:
            msg = f"a graph's matrix must be square, got {matrix.shape}"
            raise ShapeError(msg)
        nodes: npt.NDArray[Any] = np.arange(matrix.shape[0])
    else:
        alone: list[Any] = []
        if hasattr(graph, "is_directed"):  # of networkx
            graph, directed, alone = _of_networkx(graph, directed)
        sources, targets, weights = _edges(graph)
        nodes, places = np.unique(_together([sources, targets, *alone]), return_inverse=True)
        rows, columns = places[: len(sources)], places[len(sources) : 2 * len(sources)]
        if not directed:
            loops = rows == columns  # once is enough
            rows, columns = np.concatenate([rows, columns[~loops]]), np.concatenate([columns, rows[~loops]])
            weights = np.concatenate([weights, weights[~loops]])
        matrix = sparse.coo_array((weights, (rows, columns)), shape=(len(nodes), len(nodes))).tocsr()
    matrix.sum_duplicates()
    if matrix.nnz == 0:
        msg = "the graph has no edges"
        raise ShapeError(msg)
    weights = matrix.data
    bad = weights[~(np.isfinite(weights) & (weights > 0))]
    if len(bad):
        msg = f"the weights of edges must be finite and above 0, one is {bad[0]:g}; leave edges without a weight out"
        raise ShapeError(msg)
    kept = np.empty(0) if (weights == weights[0]).all() else weights
    return Graph(nodes, matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), kept)


def _of_networkx(graph: Any, directed: bool) -> tuple[Any, bool, list[Any]]:
    """Its edges with weights, whether they go one way, and an array of its nodes without edges, if there are any."""
    other = next((node for node in graph.nodes if not _is_name(node)), None)
    if other is not None:
        msg = f"nodes must be integers or strings, got {other!r}; see networkx.convert_node_labels_to_integers"
        raise ShapeError(msg)
    alone = [node for node, degree in graph.degree if degree == 0]
    return (
        graph.edges(data="weight", default=1),
        directed or graph.is_directed(),
        [_names(alone)] if alone and graph.size() else [],
    )


def _columns(graph: Any) -> list[Any]:
    """Sources, targets and maybe weights; not checked."""
    if isinstance(graph, tuple):
        return list(graph)
    if isinstance(graph, np.ndarray):
        return list(graph.T) if graph.ndim else []
    names = getattr(graph, "column_names", None) or getattr(graph, "columns", None)
    if names is not None:  # a table; its columns may be of different types, as edges with weights are
        return [graph[name] for name in names]
    if not isinstance(graph, Iterable) or isinstance(graph, (str, bytes, dict)):
        return []
    try:
        return list(zip(*graph, strict=True)) or [np.empty(0, np.int64)] * 2
    except (TypeError, ValueError):  # not pairs, or of different lengths
        return []


def _edges(graph: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.float64]]:
    columns = _columns(graph)
    parts = [*map(_names, columns[:2]), *map(np.asarray, columns[2:])]
    if len(parts) not in (2, 3) or any(part.ndim != 1 or len(part) != len(parts[0]) for part in parts):
        msg = (
            "a graph must be an (E, 2) array, a list of pairs, a tuple of two or three arrays of one length (sources, "
            f"targets, weights), a square scipy.sparse matrix or a networkx graph, got {type(graph).__name__}"
            f"{'; of a file, xw2v.graphs.read_edges(path)' if isinstance(graph, (str, Path)) else ''}"
        )
        raise ShapeError(msg)
    if any(part.dtype.kind not in "iuU" for part in parts[:2]):
        floats = "f" in (parts[0].dtype.kind, parts[1].dtype.kind)
        advice = "; leave out edges without a node, and give weights as (sources, targets, weights)" if floats else ""
        msg = f"nodes must be integers or strings, got {parts[0].dtype} and {parts[1].dtype}{advice}"
        raise ShapeError(msg)
    weights = parts[2] if len(parts) == 3 else np.ones(len(parts[0]))
    _check_weights(weights.dtype)
    return parts[0], parts[1], weights.astype(np.float64)


def _names(column: Any) -> npt.NDArray[Any]:
    """Nodes as an array of integers, or of strings where there are others among them; what is neither is kept."""
    array = np.asarray(column)
    if array.dtype.kind in "fU" and isinstance(column, (list, tuple)):
        array = np.array(column, dtype=object)  # NumPy makes "nan" of what is missing, and floats of large integers
    if array.dtype.kind != "O" or array.ndim != 1:
        return array
    other = next((repr(value) for value in array if not _is_name(value)), None)
    if other is not None:
        advice = "; leave out edges without a node" if other in ("None", "nan", "<NA>", "NaT") else ""
        msg = f"nodes must be integers or strings, got {other}{advice}"
        raise ShapeError(msg)
    if len(array) and not any(isinstance(value, str) for value in array) and 0 <= min(array) <= max(array) < 1 << 64:
        return array.astype(np.uint64)
    return array.astype(str)


def _is_name(node: Any) -> bool:
    return isinstance(node, (str, int, np.integer)) and not isinstance(node, bool)


def _together(parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Nodes of several arrays in one. Signed and unsigned integers have no common type that holds all of both."""
    if np.result_type(*parts).kind != "f":
        return np.concatenate(parts)
    negative = any(part.min(initial=0) < 0 for part in parts)
    return np.concatenate([part.astype(str if negative else np.uint64) for part in parts])


def _check_weights(kind: np.dtype[Any]) -> None:
    if kind.kind not in "biuf":
        msg = f"weights must be numbers, got {kind}"
        raise ShapeError(msg)


def read_edges(path: PathLike) -> tuple[npt.NDArray[Any], ...]:
    """(sources, targets) or (sources, targets, weights) of a text file: two names and maybe a number a line.

    White space parts them. A file named .gz is decompressed; lines that begin with # are left out.

    Raises
    ------
    MissingFileError, FileAccessError   it cannot be read.
    FormatError   a line has other fields than the first, or a weight is no number.
    """
    rows: list[list[str]] = []
    unpack = gzip.open if Path(path).suffix.lower() == ".gz" else open
    with reading(Path(path)), unpack(path, "rt", encoding="utf-8-sig") as file:
        try:
            for number, line in enumerate(file, start=1):
                fields = line.split()
                if not fields or line.startswith("#"):
                    continue
                rows.append(fields)
                if len(fields) not in (2, 3) or len(fields) != len(rows[0]):
                    got = line.strip()[:60]
                    hint = "; part them by white space, not by commas" if "," in got or ";" in got else ""
                    wanted = f"wanted two names and maybe a weight, as on every line{hint}"
                    msg = f"{path}, line {number}: {wanted}; got {got!r}"
                    raise FormatError(msg)
                if len(fields) == 3 and not is_number(fields[2]):
                    msg = f"{path}, line {number}: the weight {fields[2][:60]!r} is no number; a header begins with #"
                    raise FormatError(msg)
            columns = list(zip(*rows, strict=True)) or [(), ()]
            weights = [np.array(columns[2], dtype=np.float64)] if len(columns) == 3 else []
        except UnicodeDecodeError as error:
            msg = f"{path}: not UTF-8 ({error})"
            raise FormatError(msg) from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            msg = f"{path} is not a whole gzip file ({error})"
            raise FormatError(msg) from error
    return np.array(columns[0], dtype=str), np.array(columns[1], dtype=str), *weights
