"""Graphs in one form: from arrays, lists and tables of edges, matrices, networkx and text files.

Letters: V nodes, E edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from xw2v.caller import warn_caller
from xw2v.errors import CorpusError, FormatError, ShapeError
from xw2v.files import PathLike, is_number
from xw2v.text.readers import open_source
from xw2v.text.words import Words, pack, unpack

__all__ = ["Graph", "NumberedEdges", "as_graph", "read_edges", "read_numbered_edges"]

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
    if hasattr(graph, "collect"):  # a lazy table of polars, as a corpus may be one
        graph = graph.collect()
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


def read_edges(path: PathLike, *, header: bool = False) -> tuple[npt.NDArray[Any], ...]:
    """(sources, targets) or (sources, targets, weights) of a text: two names and maybe a number a line.

    White space parts them. Lines whose first name begins with # are left out, and with `header` the first line as well.
    Where the text may lie, and how it may be compressed, is as for a corpus; a folder's files are read as one.

    Raises
    ------
    MissingFileError, FileAccessError   it cannot be read.
    FormatError   a line has other fields than the first, a weight is no number, or it is not UTF-8 text.

    Warns
    -----
    RuntimeWarning   the first line looks like a header, and `header` is not given.
    """
    found = read_numbered_edges(path, header=header)
    names = np.array(found.names, dtype=str)
    sources, targets, *weights = found.edges
    return names[sources], names[targets], *weights


class NumberedEdges(NamedTuple):
    """The names of nodes, each once and rising, and edges as `read_edges` has them, with places in `names` for nodes.

    An array of names has room for the longest one in each place; so many steps of walks may not fit in memory.
    """

    names: list[str]
    edges: tuple[npt.NDArray[Any], ...]


def read_numbered_edges(path: PathLike, *, header: bool = False) -> NumberedEdges:
    """As `read_edges`, of which the walks are the same, in numbers."""
    lines = _read_lines(path)
    kept = lines.rest(1) if header else lines
    columns = kept.columns(path)
    if not header and len(columns[0]) > 1 and _is_header(lines.names, columns[0][0], columns[1][0]):
        first = f"'{lines.names[columns[0][0]]} {lines.names[columns[1][0]]}'"
        text = f"{path}: the first edge, {first}, looks like a header: leave it out by header=True (--header)"
        warn_caller(text)
    weights = [kept.weights(path, codes) for codes in columns[2:]]
    names, number = _in_order(lines.words, columns[:2])
    return NumberedEdges(names, (number[columns[0]], number[columns[1]], *weights))


def _in_order(words: Words, used: Sequence[Ids]) -> tuple[list[str], Ids]:
    """Those words whose codes are used, each once and rising, and for every code its place among them."""
    flags = np.zeros(len(words), dtype=bool)
    for codes in used:
        flags[codes] = True
    codes = np.flatnonzero(flags)
    codes = codes[pc.sort_indices(words.take(pa.array(codes))).to_numpy()]
    rising = words.take(pa.array(codes))
    is_new = np.ones(len(codes), dtype=bool)
    is_new[1:] = pc.not_equal(rising[1:], rising[:-1]).to_numpy(zero_copy_only=False)
    places = np.zeros(len(words), np.int64)
    places[codes] = np.cumsum(is_new) - 1
    return unpack(rising.filter(pa.array(is_new))), places


class _Lines(NamedTuple):
    """The lines of a text that have fields: those of line i are `codes[begins[i] : begins[i] + lengths[i]]`."""

    words: Words  # the distinct fields, by their codes
    names: list[str]  # the same as strings
    codes: Ids
    begins: Ids
    lengths: Ids
    numbers: Ids  # of the lines in the text, from 1 on

    def rest(self, first: int) -> _Lines:
        """Without the lines before `first`."""
        return self._replace(begins=self.begins[first:], lengths=self.lengths[first:], numbers=self.numbers[first:])

    def columns(self, path: PathLike) -> list[Ids]:
        """The codes of two or three fields a line; a FormatError where that is not what they have."""
        wanted = int(self.lengths[0]) if len(self.lengths) else 2
        wrong = np.flatnonzero((self.lengths != wanted) | (wanted not in (2, 3)))
        if len(wrong):
            got = self._text(int(wrong[0]))
            hint = "; part them by white space, not by commas" if "," in got or ";" in got else ""
            msg = (
                f"{path}, line {self.numbers[wrong[0]]}: wanted two names and maybe a weight, as on every line{hint}; "
                f"got {got!r}"
            )
            raise FormatError(msg)
        return [self.codes[self.begins + place] for place in range(wanted)]

    def weights(self, path: PathLike, codes: Ids) -> npt.NDArray[np.float64]:
        """The numbers that fields stand for, each distinct one looked at once."""
        values = np.zeros(len(self.names))
        distinct = np.unique(codes)
        for code in distinct.tolist():
            if not is_number(self.names[code]):
                number = self.numbers[int(np.argmax(codes == code))]
                msg = (
                    f"{path}, line {number}: the weight {self.names[code][:60]!r} is no number; a header begins with "
                    "#, or is left out by header=True (--header)"
                )
                raise FormatError(msg)
            values[code] = float(self.names[code])
        return values[codes]

    def _text(self, line: int) -> str:
        codes = self.codes[self.begins[line] : self.begins[line] + self.lengths[line]]
        return " ".join(self.names[code] for code in codes[:60].tolist())[:60]


def _read_lines(path: PathLike) -> _Lines:
    """A text by the reader of corpora, for which a line is a sentence; without comments."""
    blocks = [pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pack([]))]  # of a text without a word, too
    ends, done = [np.zeros(1, np.int64)], 0
    try:
        for block in open_source(path, fields=True).blocks:
            blocks.append(pa.DictionaryArray.from_arrays(block.codes, block.words))
            ends.append(done + block.ends)
            done += len(block.codes)
    except CorpusError as error:
        raise FormatError(str(error).split(";")[0]) from error  # what follows is advice about a corpus
    blocks = pa.chunked_array(blocks).unify_dictionaries().chunks
    words, places = blocks[0].dictionary, np.concatenate(ends)
    names = unpack(words)
    fields = np.concatenate([block.indices.to_numpy() for block in blocks])
    is_comment = np.array([name.startswith("#") for name in names], dtype=bool)
    numbers = np.flatnonzero(np.diff(places))  # a blank line ends where the one before it does
    numbers = numbers[~is_comment[fields[places[numbers]]]]
    return _Lines(words, names, fields, places[numbers], places[numbers + 1] - places[numbers], numbers + 1)


def _is_header(names: list[str], source: int, target: int) -> bool:
    """Whether the names of the first edge are no numbers, and those of all others, which there are, are numbers."""
    first = {source, target}
    others = (name for code, name in enumerate(names) if code not in first and not name.startswith("#"))
    return (
        not any(is_number(names[code]) for code in first)
        and is_number(next(others, ""))
        and all(map(is_number, others))
    )
