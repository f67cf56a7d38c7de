"""Random walks on a graph, as sentences to train on: DeepWalk (p = q = 1) and node2vec.

Letters: V nodes, E edges, W walks of at most L nodes. A step is a pure function of (seed, walk, step), so the walks
are the same for any number of workers. Walks run in loops that Numba compiles.

Sources: Perozzi et al. 2014 (arXiv:1403.6652); Grover and Leskovec 2016 (arXiv:1607.00653), its second-order step
drawn by rejection as in Yang et al. 2019 (KnightKing), which needs no table for each edge.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xw2v.errors import ConfigError, FormatError, ShapeError
from xw2v.files import PathLike, atomic_write, reading
from xw2v.parallel import usable_cores
from xw2v.training.draws import Purpose, draw, stream_key

__all__ = ["Graph", "Walks", "as_graph", "random_walks", "read_edges", "write_walks"]

Ids = npt.NDArray[np.int64]


class Graph(NamedTuple):
    """Edges from node i: `targets[starts[i]:starts[i + 1]]`, rising; `totals` are running sums of their weights.

    `nodes` (V,) are the ids or names that the caller gave; `totals` is empty where all weights are equal.
    """

    nodes: npt.NDArray[Any]
    starts: Ids
    targets: Ids
    totals: npt.NDArray[np.float64]


class Walks(NamedTuple):
    """(ids (N,), offsets (W + 1,)), which `Word2Vec.fit` takes as it is: the nodes of walk i are
    `ids[offsets[i]:offsets[i + 1]]`.
    """  # fmt: skip

    ids: npt.NDArray[Any]
    offsets: Ids


def random_walks(
    graph: Any,
    *,
    num_walks: int = 10,
    walk_length: int = 80,
    p: float = 1.0,
    q: float = 1.0,
    directed: bool = False,
    seed: int = 1,
    workers: int | None = None,
) -> Walks:
    """`num_walks` walks from every node, in random order.

    Parameters
    ----------
    graph : an (E, 2) array of edges (integers or strings), a list of pairs (source, target) or of triples (source,
        target, weight), a table with these columns in this order, a tuple of arrays (sources, targets) or (sources,
        targets, weights), a (V, V) scipy.sparse matrix whose entries are weights, or a graph of networkx, whose
        edges have the weight "weight", or 1
    walk_length : nodes of a walk; one that meets a node without edges ends there
    p : a step back to where the walk came from has the weight 1 / p
    q : a step to a node that is no neighbour of where it came from has the weight 1 / q
    directed : take edges one way only; a matrix is always taken as it is, and a directed graph of networkx, too
    workers : threads; by default as many as this process has cores

    Returns
    -------
    Walks   ids (N,) of the nodes' own type, one walk after the other, and offsets (W + 1,) int64 of where each begins

    Raises
    ------
    ConfigError   an option is out of its range.
    ShapeError    the graph is none of these, has no edges, or weights that are not positive.

    Examples
    --------
    >>> import numpy as np
    >>> walks = random_walks(np.array([[1, 2], [2, 3]]), num_walks=2, walk_length=4)
    >>> len(walks.offsets) - 1, sorted(set(walks.ids.tolist()))
    (6, [1, 2, 3])
    """
    whole = {"num_walks": (num_walks, 1), "walk_length": (walk_length, 1), "seed": (seed, 0), "workers": (workers, 1)}
    for name, (value, low) in whole.items():
        if name == "workers" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
            msg = f"{name} must be an integer of at least {low}, got {value!r}"
            raise ConfigError(msg)
    for name, share in (("p", p), ("q", q)):
        if not isinstance(share, (int, float, np.number)) or not share > 0 or not np.isfinite(share):
            msg = f"{name} must be a number above 0, got {share!r}"
            raise ConfigError(msg)
    found = as_graph(graph, directed)
    V = len(found.nodes)
    order = np.concatenate(
        [np.argsort(draw(stream_key(seed, Purpose.START, turn), np.arange(V), xp=np)) for turn in range(num_walks)]
    )
    walks = np.empty((len(order), walk_length), dtype=np.int64)
    lengths = np.empty(len(order), dtype=np.int64)
    _run(found, order, walks, lengths, (p, q), stream_key(seed, Purpose.WALK), workers)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    kept = walks[np.arange(walk_length) < lengths[:, None]]
    return Walks(found.nodes[kept], offsets)


def _run(
    graph: Graph,
    order: Ids,
    walks: Ids,
    lengths: Ids,
    shares: tuple[float, float],
    key: int,
    workers: int | None,
) -> None:
    from xw2v.walk_loops import walk

    cores = workers or usable_cores()
    p, q = shares
    bounds = np.linspace(0, len(order), min(len(order), 4 * cores) + 1).astype(int)

    def part(low: int, high: int) -> None:
        walk(graph.starts, graph.targets, graph.totals, order[low:high], low, 1.0 / p, 1.0 / q, np.uint64(key),
             walks[low:high], lengths[low:high])  # fmt: skip

    part(0, 0)  # compiled once, before the threads ask for it
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(part, bounds[:-1], bounds[1:]))


def as_graph(graph: Any, directed: bool = False) -> Graph:
    """The graph in one form; see `random_walks`."""
    from scipy import sparse

    if hasattr(graph, "is_directed"):  # of networkx
        graph, directed = graph.edges(data="weight", default=1), directed or graph.is_directed()
    if sparse.issparse(graph):
        given: Any = graph  # the check narrows it to a class that csr_array is not declared for
        matrix = sparse.csr_array(given)
        if matrix.shape[0] != matrix.shape[1]:
            msg = f"a graph's matrix must be square, got {matrix.shape}"
            raise ShapeError(msg)
        nodes: npt.NDArray[Any] = np.arange(matrix.shape[0])
    else:
        sources, targets, weights = _edges(graph)
        nodes, places = np.unique(np.concatenate([sources, targets]), return_inverse=True)
        rows, columns = places[: len(sources)], places[len(sources) :]
        if not directed:
            loops = rows == columns  # once is enough
            rows, columns = np.concatenate([rows, columns[~loops]]), np.concatenate([columns, rows[~loops]])
            weights = np.concatenate([weights, weights[~loops]])
        matrix = sparse.coo_array((weights, (rows, columns)), shape=(len(nodes), len(nodes))).tocsr()
    matrix.sum_duplicates()
    if matrix.nnz == 0:
        msg = "the graph has no edges"
        raise ShapeError(msg)
    weights = matrix.data.astype(np.float64)
    if not (np.isfinite(weights) & (weights > 0)).all():
        msg = "the weights of edges must be finite and above 0"
        raise ShapeError(msg)
    totals = np.empty(0) if (weights == weights[0]).all() else np.cumsum(weights)
    return Graph(nodes, matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), totals)


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


def _edges(graph: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    parts = [np.asarray(part) for part in _columns(graph)]
    parts = [part.astype(str) if part.dtype.kind == "O" else part for part in parts]
    if len(parts) not in (2, 3) or any(part.ndim != 1 or len(part) != len(parts[0]) for part in parts):
        msg = (
            "a graph must be an (E, 2) array, a list of pairs, a tuple of two or three arrays of one length (sources, "
            f"targets, weights), a square scipy.sparse matrix or a networkx graph, got {type(graph).__name__}"
            f"{'; of a file, xw2v.walks.read_edges(path)' if isinstance(graph, (str, Path)) else ''}"
        )
        raise ShapeError(msg)
    if any(part.dtype.kind not in "iuU" for part in parts[:2]):
        msg = f"nodes must be integers or strings, got {parts[0].dtype} and {parts[1].dtype}"
        raise ShapeError(msg)
    weights = parts[2] if len(parts) == 3 else np.ones(len(parts[0]))
    if weights.dtype.kind not in "iuf":
        msg = f"weights must be numbers, got {weights.dtype}"
        raise ShapeError(msg)
    return parts[0], parts[1], weights


def read_edges(path: PathLike) -> tuple[npt.NDArray[Any], ...]:
    """(sources, targets) or (sources, targets, weights) of a text file: two names and maybe a number a line.

    Raises
    ------
    MissingFileError, FileAccessError   it cannot be read.
    FormatError   a line has other fields than the first, or a weight is no number.
    """
    rows: list[list[str]] = []
    with reading(Path(path)), Path(path).open(encoding="utf-8") as file:
        try:
            for number, line in enumerate(file, start=1):
                fields = line.split()
                if not fields or line.startswith("#"):
                    continue
                rows.append(fields)
                if len(fields) not in (2, 3) or len(fields) != len(rows[0]):
                    got = line.strip()[:60]
                    msg = f"{path}, line {number}: wanted two names and maybe a weight, as on every line; got {got!r}"
                    raise FormatError(msg)
            columns = list(zip(*rows, strict=True)) or [(), ()]
            weights = [np.array(columns[2], dtype=np.float64)] if len(columns) == 3 else []
        except ValueError as error:
            if isinstance(error, FormatError):
                raise
            msg = f"{path}: not UTF-8, or a weight that is no number ({error})"
            raise FormatError(msg) from error
    return np.array(columns[0], dtype=str), np.array(columns[1], dtype=str), *weights


def write_walks(path: PathLike, walks: Walks) -> None:
    """Write a walk a line, names parted by spaces.

    Raises
    ------
    FileAccessError   it cannot be written; a file that was there is left as it was.
    """
    with atomic_write(path) as file:
        for start in range(0, len(walks.offsets) - 1, 1000):
            bounds = walks.offsets[start : start + 1001].tolist()
            names = walks.ids[bounds[0] : bounds[-1]].astype(str).tolist()
            lines = (" ".join(names[a - bounds[0] : b - bounds[0]]) for a, b in pairwise(bounds))
            file.write(("\n".join(lines) + "\n").encode())
