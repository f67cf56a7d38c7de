"""Random walks on a graph, as sentences to train on: DeepWalk (p = q = 1) and node2vec.

Letters: V nodes, E edges, W walks of at most L nodes. A step is a pure function of (seed, walk, step), so the walks
are the same for any number of workers. Walks run in loops that Numba compiles.

Sources: Perozzi et al. 2014 (arXiv:1403.6652); Grover and Leskovec 2016 (arXiv:1607.00653), its second-order step
drawn by rejection as in Yang et al. 2019 (KnightKing), which needs no table for each edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xw2v.display import watched
from xw2v.errors import BackendError, ConfigError, FormatError
from xw2v.files import PathLike, atomic_write
from xw2v.parallel import usable_cores
from xw2v.training.draws import Purpose, draw, stream_key

if TYPE_CHECKING:
    from xw2v.graphs import Graph

__all__ = ["WalkOptions", "Walks", "random_walks", "walk_blocks", "walk_lines", "write_walks"]

Ids = npt.NDArray[np.int64]


_STEPS_AT_ONCE = 1 << 22  # of walks that are held: 16 MB
_STEPS_A_TIME = 1 << 16  # as text

LEAST_SHARE, MOST_SHARE = 1e-100, 1e100
"""Between these p and q are such that no weight of a step goes to zero or infinity."""


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
    progress: bool | None = None,
) -> Walks:
    """`num_walks` walks from every node, in random order.

    Parameters
    ----------
    graph : an (E, 2) array of edges (integers or strings), a list of pairs (source, target) or of triples (source,
        target, weight), a table with these columns in this order, a tuple of arrays (sources, targets) or (sources,
        targets, weights), a (V, V) scipy.sparse matrix whose entries are weights, or a graph of networkx, whose
        edges have the weight "weight", or 1
    num_walks : how many begin at each node
    walk_length : nodes of a walk; one that meets a node without edges ends there
    p : a step back to where the walk came from has the weight 1 / p
    q : a step to a node that is no neighbour of where it came from has the weight 1 / q
    directed : take edges one way only; a matrix is always taken as it is, and a directed graph of networkx, too
    seed : of every draw, an integer from 0
    workers : threads; by default as many as this process has cores
    progress : as in `Word2Vec.fit`

    Returns
    -------
    Walks   ids (N,) of the nodes' own type, one walk after the other, and offsets (W + 1,) int64 of where each begins

    Raises
    ------
    ConfigError   an option is out of its range.
    ShapeError    the graph is none of these, has no edges, or weights that are not positive.
    BackendError  there is no Numba.

    Examples
    --------
    >>> import numpy as np
    >>> walks = random_walks(np.array([[1, 2], [2, 3]]), num_walks=2, walk_length=4)
    >>> len(walks.offsets) - 1, sorted(set(walks.ids.tolist()))
    (6, [1, 2, 3])
    """
    options = WalkOptions(num_walks, walk_length, p, q, seed, workers).checked()
    found, steps = _graph(graph, directed), options.walk_length
    number = len(found.nodes) * options.num_walks
    # Room for names would be that of the longest one in each step, and walks may end early.
    are_names = found.nodes.dtype.kind == "U"
    walked = found._replace(nodes=np.arange(len(found.nodes), dtype=np.int32)) if are_names else found
    ids = _room((number * steps,), walked.nodes.dtype, number, steps)  # of which the system gives what is written to
    offsets = np.zeros(number + 1, np.int64)
    walks = filled = 0
    for block in _blocks(walked, options, progress):
        n, k = len(block.offsets) - 1, len(block.ids)
        ids[filled : filled + k] = block.ids
        offsets[walks + 1 : walks + n + 1] = block.offsets[1:] + filled
        walks, filled = walks + n, filled + k
    return Walks(found.nodes[ids[:filled]] if are_names else ids[:filled], offsets)


class WalkOptions(NamedTuple):
    """Those of `random_walks`."""

    num_walks: int
    walk_length: int
    p: float
    q: float
    seed: int
    workers: int | None

    def checked(self) -> WalkOptions:
        """The same, with Python's integers; a ConfigError where one is out of its range."""
        least = {"num_walks": 1, "walk_length": 1, "seed": 0, "workers": 1}
        for name, low in least.items():
            value = getattr(self, name)
            if name == "workers" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
                msg = f"{name} must be an integer of at least {low}, got {value!r}"
                raise ConfigError(msg)
        for name in ("p", "q"):
            share = getattr(self, name)
            is_number = isinstance(share, (int, float, np.integer, np.floating))
            if not is_number or not LEAST_SHARE <= share <= MOST_SHARE:
                msg = f"{name} must be a number above 0, from {LEAST_SHARE:g} to {MOST_SHARE:g}, got {share!r}"
                raise ConfigError(msg)
        # Those of NumPy could not hold what is counted with them.
        whole = {name: int(getattr(self, name)) for name in least if getattr(self, name) is not None}
        return self._replace(**whole)


def walk_blocks(
    graph: Any, options: WalkOptions, *, directed: bool = False, progress: bool | None = None
) -> Iterator[Walks]:
    """The walks of `random_walks`, some at a time: for more of them than memory holds."""
    options = options.checked()
    return _blocks(_graph(graph, directed), options, progress)


def _graph(graph: Any, directed: bool) -> Graph:
    from xw2v.graphs import as_graph  # which loads Arrow

    return as_graph(graph, directed)


def _room(shape: tuple[int, ...], kind: npt.DTypeLike, number: int, length: int) -> npt.NDArray[Any]:
    try:
        return np.empty(shape, kind)
    except (MemoryError, ValueError, OverflowError) as error:
        msg = f"{number:,} walks of {length:,} nodes do not fit in memory; lower num_walks or walk_length"
        raise ConfigError(msg) from error


def _blocks(graph: Graph, options: WalkOptions, progress: bool | None) -> Iterator[Walks]:
    try:
        from xw2v.walk_loops import running_sums, walk
    except ImportError as error:
        msg = f"random walks need Numba ({error}): pip install numba"
        raise BackendError(msg) from error
    V, length, key = len(graph.nodes), options.walk_length, np.uint64(stream_key(options.seed, Purpose.WALK))
    kind = np.int32 if V < 2**31 else np.int64  # half of the memory, and of what a step waits for
    targets, totals = graph.targets.astype(kind, copy=False), running_sums(graph.starts, graph.weights)
    many, cores = max(1, _STEPS_AT_ONCE // length), options.workers or usable_cores()
    total = V * options.num_walks

    def part(first: int, order: npt.NDArray[Any], walks: npt.NDArray[Any], lengths: Ids) -> None:
        walk(graph.starts, targets, totals, order, first, 1.0 / options.p, 1.0 / options.q, key, walks, lengths)

    with watched("walking", "walks", progress) as tell, ThreadPoolExecutor(cores) as pool:
        tell(0, total)
        for first, order in _orders(V, options, many):
            walks, lengths = _room((len(order), length), kind, total, length), np.empty(len(order), np.int64)
            part(0, order[:0].astype(kind), walks[:0], lengths[:0])  # compiled once, before the threads ask for it
            # More parts than threads, so that none waits long for the last one.
            bounds = np.linspace(0, len(order), min(len(order), 4 * cores) + 1).astype(int).tolist()
            jobs = [
                pool.submit(part, first + low, order[low:high].astype(kind), walks[low:high], lengths[low:high])
                for low, high in pairwise(bounds)
            ]
            for done, job in zip(bounds[1:], jobs, strict=True):
                job.result()
                tell(first + done, total)
            offsets = np.concatenate([[0], np.cumsum(lengths)])
            is_full = walks.size == offsets[-1]  # as on a graph whose nodes all have edges that lead on
            ids = walks.reshape(-1) if is_full else walks[np.arange(length) < lengths[:, None]]
            yield Walks(graph.nodes[ids], offsets)


def _orders(V: int, options: WalkOptions, many: int) -> Iterator[tuple[int, Ids]]:
    """(number of the first, the nodes that they begin at) of at most `many` walks, one block after the other."""
    key, turns = partial(stream_key, options.seed, Purpose.START), max(1, many // V)
    for first in range(0, options.num_walks, turns):
        some = range(first, min(first + turns, options.num_walks))
        order = np.concatenate([np.argsort(draw(key(turn), np.arange(V))) for turn in some])
        for low in range(0, len(order), many):
            yield first * V + low, order[low : low + many]


def write_walks(path: PathLike, blocks: Iterable[Walks], names: Sequence[str] | None = None) -> None:
    """Write a walk a line, names parted by spaces.

    Parameters
    ----------
    blocks : as `walk_blocks` gives them
    names : of nodes that are numbers from 0 on; words, which is not looked at

    Raises
    ------
    FileAccessError   it cannot be written; a file that was there is left as it was.
    FormatError       as `walk_lines`
    """
    with atomic_write(path) as file:
        for lines in walk_lines(blocks, names):
            file.write(lines.encode())


def walk_lines(blocks: Iterable[Walks], names: Sequence[str] | None = None) -> Iterator[str]:
    """A walk a line, names parted by spaces, many lines at a time; arguments as of `write_walks`.

    Raises
    ------
    FormatError   a name has white space, is empty or half a character: it would be read as other words.
    """
    import pyarrow as pa

    known = None if names is None else pa.array(names, pa.large_string())
    for walks in blocks:
        if walks.ids.dtype.kind == "U":
            _check_words(np.unique(walks.ids).tolist())
        number = len(walks.offsets) - 1
        many = max(1, _STEPS_A_TIME * number // max(1, len(walks.ids)))
        for start in range(0, number, many):
            bounds = walks.offsets[start : start + many + 1]
            ids = pa.array(walks.ids[bounds[0] : bounds[-1]])
            shown = ids if known is None else known.take(ids)
            yield from _lines(shown, bounds - bounds[0])


def _check_words(nodes: list[str]) -> None:
    for node in nodes:
        if node.split() != [node] or node.encode(errors="replace") != node.encode(errors="surrogatepass"):
            msg = f"the node {node!r} cannot be written as one word; rename it, or fit the walks without a file"
            raise FormatError(msg)


def _lines(shown: Any, bounds: Ids) -> Iterator[str]:
    """The walks of some lines, given an Arrow array of nodes; one at a time where Arrow could not hold their text."""
    import pyarrow as pa
    from pyarrow import compute as pc

    try:
        walks = pa.ListArray.from_arrays(pa.array(bounds, pa.int32()), shown.cast(pa.string()))
        lines = pc.binary_join(walks, " ")
        yield pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "\n")[0].as_py() + "\n"
    except (pa.ArrowInvalid, pa.ArrowCapacityError):  # names of tens of thousands of letters
        for low, high in pairwise(bounds.tolist()):
            yield " ".join(map(str, shown[low:high].to_pylist())) + "\n"
