"""Random walks: where they go, how often, and that they are the same however they are drawn."""

from __future__ import annotations

import gzip
import subprocess
import sys
import tracemalloc
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse, stats

from xw2v import Word2Vec, cli, random_walks
from xw2v.errors import BackendError, ConfigError, CorpusError, FormatError, ShapeError
from xw2v.graphs import as_graph, read_edges, read_numbered_edges
from xw2v.text import readers
from xw2v.walk_loops import running_sums
from xw2v.walks import WalkOptions, Walks, walk_blocks, walk_lines, write_walks

# Two triangles that share node 2, and a tail 4 - 5.
EDGES = np.array([[0, 1], [0, 2], [1, 2], [2, 3], [2, 4], [3, 4], [4, 5]])


def steps(walks: Walks, length: int) -> np.ndarray:
    """All runs of so many nodes that follow each other in a walk."""
    found = [walks.ids[a:b] for a, b in pairwise(walks.offsets)]
    return np.array([walk[i : i + length] for walk in found for i in range(len(walk) - length + 1)])


def test_walks_start_everywhere_and_follow_edges() -> None:
    walks = random_walks(EDGES, num_walks=7, walk_length=9)
    assert np.bincount(walks.ids[walks.offsets[:-1]]).tolist() == [7] * 6
    assert (np.diff(walks.offsets) == 9).all()
    allowed = {tuple(edge) for edge in EDGES.tolist()} | {tuple(edge[::-1]) for edge in EDGES.tolist()}
    assert {tuple(step) for step in steps(walks, 2).tolist()} == allowed


@pytest.mark.parametrize("options", [{}, {"p": 0.5, "q": 3.0}])
def test_the_number_of_threads_does_not_show(options: dict[str, float]) -> None:
    one = random_walks(EDGES, num_walks=50, walk_length=20, workers=1, **options)  # type: ignore[arg-type]
    for workers in (2, 5):
        other = random_walks(EDGES, num_walks=50, walk_length=20, workers=workers, **options)  # type: ignore[arg-type]
        np.testing.assert_array_equal(one.ids, other.ids)
    assert (random_walks(EDGES, num_walks=50, walk_length=20, seed=2).ids != one.ids).any()


def test_there_are_as_many_threads_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def pool(threads: int) -> ThreadPoolExecutor:
        asked.append(threads)
        return ThreadPoolExecutor(threads)

    asked: list[int] = []
    monkeypatch.setattr("xw2v.walks.ThreadPoolExecutor", pool)
    monkeypatch.setattr("xw2v.walks.usable_cores", lambda: 2)
    for workers in (None, 3):
        random_walks(EDGES, workers=workers)
    assert asked == [2, 3]


@pytest.mark.parametrize(
    ("p", "q"), [(1.0, 1.0), (0.25, 1.0), (4.0, 0.5), (1.0, 3.0), (0.25, 4.0), (0.125, 0.25), (0.5, 0.25)]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_steps_are_as_likely_as_node2vec_says(p: float, q: float, weighted: bool) -> None:
    weights = np.array([1, 2, 3, 1, 4, 2, 5]) if weighted else np.ones(len(EDGES))
    matrix = np.zeros((6, 6))
    for (a, b), weight in zip(EDGES, weights, strict=True):
        matrix[a, b] = matrix[b, a] = weight
    walks = random_walks((EDGES[:, 0], EDGES[:, 1], weights), num_walks=400, walk_length=40, p=p, q=q)
    triples = steps(walks, 3)
    for before, node in {(0, 2), (1, 2), (3, 4), (5, 4), (2, 4), (4, 2)}:
        share = np.where(matrix[before] > 0, 1.0, 1 / q)
        share[before] = 1 / p
        wanted = matrix[node] * share
        seen = np.bincount(triples[(triples[:, 0] == before) & (triples[:, 1] == node), 2], minlength=6)
        kept = wanted > 0
        assert seen[~kept].sum() == 0
        expected = wanted[kept] / wanted.sum() * seen.sum()
        if kept.sum() > 1:
            assert stats.chisquare(seen[kept], expected).pvalue > 1e-4


def test_matrices_and_directed_edges() -> None:
    matrix = sparse.csr_array((np.ones(3), ([0, 1, 2], [1, 2, 0])), shape=(4, 4))
    walks = random_walks(matrix, num_walks=1, walk_length=5)
    by_start = {int(walks.ids[a]): walks.ids[a:b].tolist() for a, b in pairwise(walks.offsets)}
    assert by_start == {0: [0, 1, 2, 0, 1], 1: [1, 2, 0, 1, 2], 2: [2, 0, 1, 2, 0], 3: [3]}
    one_way = random_walks(np.array([[7, 8], [8, 9]]), num_walks=1, walk_length=5, directed=True)
    assert sorted(np.diff(one_way.offsets).tolist()) == [1, 2, 3]
    forced = random_walks(np.array([[7, 8]]), num_walks=1, walk_length=4, p=1e6).ids.reshape(2, 4).tolist()
    assert sorted(forced) == [[7, 8, 7, 8], [8, 7, 8, 7]]  # there is nowhere else to go


def test_parallel_edges_add_their_weights() -> None:
    graph = as_graph((np.array([0, 1, 0]), np.array([1, 0, 2]), np.array([1.0, 2.0, 4.0])))
    assert graph.starts.tolist() == [0, 2, 3, 4]
    assert graph.weights.tolist() == [3, 4, 3, 4]
    small = as_graph((np.array([0, 0, 0]), np.array([1, 1, 2]), np.array([100, 100, 1], np.int8)))
    assert small.weights.tolist() == [200, 1, 200, 1]  # more than the type of the weights holds


def test_running_sums_are_each_nodes_own() -> None:
    starts, weights = np.array([0, 2, 2, 5]), np.array([1e308, 1e308, 1, 2, 4])
    assert running_sums(starts, weights).tolist() == [1, 2, 0.25, 0.75, 1.75]
    assert running_sums(starts, np.empty(0)).tolist() == []


def test_a_heavy_edge_elsewhere_changes_nothing() -> None:
    sources, targets = np.array([0, 1, 1, 1]), np.array([1, 2, 3, 4])
    options = {"num_walks": 300, "walk_length": 3, "directed": True}
    light, heavy = (
        random_walks((sources, targets, np.array([first, 1, 2, 3])), **options)  # type: ignore[arg-type]
        for first in (1.5, 1e20)
    )
    np.testing.assert_array_equal(light.ids, heavy.ids)
    assert set(heavy.ids.tolist()) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize(("p", "weighted"), [(1e100, False), (1e-100, False), (1e100, True)])
def test_steps_that_nearly_all_tries_refuse(p: float, weighted: bool) -> None:
    """A ring walked one way, where no step back is to be had."""
    ring = (np.arange(9), np.roll(np.arange(9), -1), np.arange(1.0, 10) if weighted else np.ones(9))
    walks = random_walks(ring, num_walks=1, walk_length=9, p=p, directed=True)
    assert (np.diff(walks.ids.reshape(9, 9)) % 9 == 1).all()


@pytest.mark.parametrize("weighted", [False, True])
def test_rare_steps_are_as_likely_after_all_tries(weighted: bool) -> None:
    """From 1, come from 0, all have tiny shares: 0 of 1/p, and 2, 3 and 4 of 1/q."""
    weights = np.array([1.0, 2, 1, 2, 3]) if weighted else np.ones(5)
    graph = (np.array([0, 1, 1, 1, 1]), np.array([1, 0, 2, 3, 4]), weights)
    walks = random_walks(graph, num_walks=4000, walk_length=3, p=5e8, q=1e9, directed=True)
    triples = steps(walks, 3)
    seen = np.bincount(triples[(triples[:, 0] == 0) & (triples[:, 1] == 1), 2], minlength=5)[[0, 2, 3, 4]]
    wanted = weights[1:] * np.array([2, 1, 1, 1])
    assert seen.sum() > 1000
    assert stats.chisquare(seen, wanted / wanted.sum() * seen.sum()).pvalue > 1e-4


@pytest.mark.parametrize(
    ("graph", "options", "error", "match"),
    [
        (EDGES, {"num_walks": 0}, ConfigError, "num_walks must be an integer of at least 1, got 0"),
        (EDGES, {"walk_length": 2.5}, ConfigError, "walk_length"),
        (EDGES, {"p": 0}, ConfigError, "p must be a number above 0, from 1e-100 to 1e\\+100, got 0"),
        (EDGES, {"q": np.nan}, ConfigError, "q must be"),
        (np.empty((0, 2), int), {}, ShapeError, "has no edges"),
        (np.array([1, 2, 3]), {}, ShapeError, "a graph must be"),
        ({(1, 2): 3.0, (2, 3): 1.0}, {}, ShapeError, "a graph must be .* got dict"),
        (np.array([[0.5, 1.0]]), {}, ShapeError, "nodes must be integers or strings, got float64"),
        ((np.array([0]), np.array([1]), np.array([-1.0])), {}, ShapeError, "weights of edges"),
        ((np.array([0]), np.array([1, 2])), {}, ShapeError, "of one length"),
        (sparse.csr_array((2, 3)), {}, ShapeError, "must be square"),
        (sparse.csr_array(np.array([[0, 1j], [1, 0]])), {}, ShapeError, "weights must be numbers, got complex128"),
        (sparse.csr_array(np.array([[0, -1], [1, 0]])), {}, ShapeError, "above 0, one is -1; leave edges without"),
        (np.array([[0, 1, 0.5]]), {}, ShapeError, r"got float64 and float64; .* weights as \(sources,"),
        ([("a", None), ("b", "c")], {}, ShapeError, "got None; leave out edges without a node"),
        ([("a", float("nan")), ("b", "c")], {}, ShapeError, "got nan; leave out edges without a node"),
        ([(1, 2, None)], {}, ShapeError, "weights must be numbers, got object"),
        (EDGES, {"p": 1e-320}, ConfigError, "p must be a number above 0"),
        (EDGES, {"q": 10**400}, ConfigError, "q must be a number above 0"),
        (EDGES, {"p": np.complex64(1)}, ConfigError, "p must be a number above 0"),
        (EDGES, {"num_walks": 10**15}, ConfigError, "lower num_walks or walk_length"),
        (EDGES, {"walk_length": 10**15}, ConfigError, "lower num_walks or walk_length"),
        (EDGES, {"walk_length": 10**30}, ConfigError, "lower num_walks or walk_length"),
    ],
)
def test_refusals(graph: Any, options: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        random_walks(graph, **options)


def test_groups_of_friends_become_neighbours() -> None:
    rng = np.random.default_rng(0)
    group = np.arange(60) // 20
    edges = np.array(
        [(a, b) for a in range(60) for b in range(a) if rng.random() < (0.5 if group[a] == group[b] else 0.02)]
    )
    model = Word2Vec(vector_size=16, window=5, min_count=1, sample=0, epochs=3, seed=1, workers=1)
    model.fit(random_walks(edges, num_walks=20, walk_length=40))
    right = [group[int(near)] == group[node] for node in range(60) for near, _ in model.wv.most_similar(node, topn=5)]
    assert np.mean(right) > 0.9


def test_names_and_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "edges").write_text("# who knows whom\nanna bert 2\nbert čeněk 1\n\n")
    walks = random_walks(read_edges(tmp_path / "edges"), num_walks=2, walk_length=3)
    assert set(walks.ids.tolist()) == {"anna", "bert", "čeněk"}
    command = ["walk", str(tmp_path / "edges"), "-o", str(tmp_path / "w.txt"), "--num-walks", "2", "--walk-length", "3"]
    assert cli.main(command) == 0
    assert capsys.readouterr().out.startswith("6 walks, 18 steps")
    assert (tmp_path / "w.txt").read_text().split() == walks.ids.tolist()
    model = Word2Vec(vector_size=4, min_count=1, epochs=1, workers=1)
    assert sorted(model.fit(walks).wv.index_to_key) == sorted(model.fit(tmp_path / "w.txt").wv.index_to_key)
    (tmp_path / "e.gz").write_bytes(gzip.compress((tmp_path / "edges").read_bytes()))
    assert read_edges(tmp_path / "e.gz")[0].tolist() == ["anna", "bert"]
    wrong = [("a b\na b 1\n", "line 2: wanted"), ("a\n", "line 1: wanted")]
    wrong += [(text, "white space, not by commas") for text in ("a,b,1\n", "a;b;1\n")]
    for text, match in (*wrong, ("source target weight\na b 1\n", "line 1: the weight 'weight' is no number")):
        (tmp_path / "edges").write_text(text)
        with pytest.raises(FormatError, match=match):
            read_edges(tmp_path / "edges")
    (tmp_path / "none").write_text("# nothing\n")
    assert [column.tolist() for column in read_edges(tmp_path / "none")] == [[], []]
    assert cli.main(["walk", str(tmp_path / "edges"), "-o", str(tmp_path / "w.txt")]) == 1
    command = [sys.executable, "-m", "xw2v", "walk", "-", "-o", "-", "--num-walks", "1", "--walk-length", "2"]
    done = subprocess.run(command, input="1 2\n", capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "2", "2", "1"]


EDGE_LIST = [(0, 1), (0, 2), (1, 2), (2, 3), (2, 4), (3, 4), (4, 5)]
WEIGHTED = [(0, 1, 0.5), (1, 2, 2.0), (2, 0, 1.5)]


@pytest.mark.parametrize(
    "graph",
    [EDGE_LIST, set(EDGE_LIST), map(list, EDGE_LIST), tuple(EDGES.T.tolist())],
    ids=["list", "set", "iterator", "tuple of lists"],
)
def test_edges_in_other_forms(graph: Any) -> None:
    np.testing.assert_array_equal(random_walks(graph, num_walks=3).ids, random_walks(EDGES, num_walks=3).ids)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_edges_with_weights_in_tables_and_lists(library: str) -> None:
    module = pytest.importorskip(library, reason=f"{library} is not installed")
    columns = dict(zip(("source", "target", "weight"), map(list, zip(*WEIGHTED, strict=True)), strict=True))
    table = module.table(columns) if library == "pyarrow" else module.DataFrame(columns)
    wanted = random_walks(tuple(map(np.array, columns.values())))
    lazy = [table.lazy()] if library == "polars" else []
    for graph in (table, WEIGHTED, *lazy):
        np.testing.assert_array_equal(random_walks(graph).ids, wanted.ids)


def test_missing_nodes_of_a_table() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    table = pandas.DataFrame({"source": [1, 2], "target": [3, None]}, dtype="Int64")
    with pytest.raises(ShapeError, match="got int64 and float64; leave out edges without a node"):
        random_walks(table)


def test_graphs_of_networkx() -> None:
    networkx = pytest.importorskip("networkx", reason="networkx is not installed")
    graph = networkx.Graph(EDGE_LIST)
    for same in (graph, graph.edges):
        np.testing.assert_array_equal(random_walks(same, num_walks=3).ids, random_walks(EDGES, num_walks=3).ids)
    graph = networkx.Graph()
    graph.add_weighted_edges_from(WEIGHTED)
    np.testing.assert_array_equal(random_walks(graph).ids, random_walks(WEIGHTED).ids)
    one_way = as_graph(networkx.DiGraph([("a", "b"), ("b", "c")]))
    assert one_way.starts.tolist() == [0, 1, 2, 2]
    with pytest.raises(ShapeError, match="the graph has no edges"):
        random_walks(networkx.Graph())
    with pytest.raises(ShapeError, match=r"got \(0, 0\); see networkx.convert_node_labels_to_integers"):
        random_walks(networkx.grid_2d_graph(2, 2))
    graph = networkx.Graph([("a", "b")])
    graph.add_node("alone")
    walks = random_walks(graph, num_walks=1, walk_length=3)
    assert sorted(walks.ids[walks.offsets[:-1]].tolist()) == ["a", "alone", "b"]
    assert walks.ids.tolist().count("alone") == 1
    with pytest.raises(CorpusError, match=r"got Graph; give random_walks\(graph\)"):
        Word2Vec().fit(graph)


@pytest.mark.parametrize(
    "graph", [None, 3, "edges.tsv", {0: [1]}, [1, 2], [(0, 1), (2,)], np.arange(4), np.array(None)], ids=repr
)
def test_what_is_no_graph(graph: Any) -> None:
    with pytest.raises(ShapeError, match=f"a networkx graph, got {type(graph).__name__}"):
        random_walks(graph)


@pytest.mark.parametrize(
    ("edges", "nodes"),
    [
        ((np.array([2**63 + 5, 2**60 + 1], np.uint64), np.array([3, 4])), [3, 4, 2**60 + 1, 2**63 + 5]),
        ([(2**63 + 5, 3), (2**60 + 1, 2**60 + 2)], [3, 2**60 + 1, 2**60 + 2, 2**63 + 5]),
        ([(2**63 + 5, -3)], ["-3", str(2**63 + 5)]),
        ([(2**70, 3)], ["1180591620717411303424", "3"]),
        ((np.array([2**53, 2**53 + 1]), np.array(["a", "b"])), ["9007199254740992", "9007199254740993", "a", "b"]),
    ],
    ids=["unsigned", "list", "negative", "huge", "names"],
)
def test_large_ids_stay_what_they_are(edges: Any, nodes: list[Any]) -> None:
    assert as_graph(edges).nodes.astype(object).tolist() == nodes


def test_without_numba_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xw2v.walk_loops", None)
    with pytest.raises(BackendError, match=r"^random walks need Numba \(.*\): pip install numba$"):
        random_walks(EDGES)


def test_the_matrix_given_is_left_as_it_is() -> None:
    parts = np.array([1.0, 2, 3]), np.array([0, 0, 0]), np.array([0, 2, 3])
    for part in parts:
        part.flags.writeable = False
    matrix = sparse.csr_array(parts, shape=(2, 2))
    assert as_graph(matrix).starts.tolist() == [0, 1, 2]
    assert matrix.indptr.tolist() == [0, 2, 3]


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "edges").write_text("\ufeffa b\n", encoding="utf-8")
    assert [part.tolist() for part in read_edges(tmp_path / "edges")] == [["a"], ["b"]]


@pytest.mark.filterwarnings("default:.*looks like a header")
def test_a_header_is_left_out_or_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edges = tmp_path / "edges.tsv"
    edges.write_text("# of friends\n\nfrom\tto\tweight\n1\t2\t0.5\n2\t3\t1e1\n")
    with pytest.raises(FormatError, match=r"edges\.tsv, line 3: the weight 'weight' is no number; .*--header"):
        read_edges(edges)
    sources, targets, weights = read_edges(edges, header=True)
    assert (sources.tolist(), targets.tolist(), weights.tolist()) == (["1", "2"], ["2", "3"], [0.5, 10])
    edges.write_text("#\nsource target\n1 2\n2 3\n")
    with pytest.warns(RuntimeWarning, match="the first edge, 'source target', looks like a header: .*header=True"):
        assert read_edges(edges)[0].tolist() == ["source", "1", "2"]
    command = ["walk", str(edges), "-o", "-", "--num-walks", "1", "--walk-length", "2"]
    assert cli.main(command) == 0
    captured = capsys.readouterr()
    assert "source" in captured.out
    assert "--header" in captured.err
    assert cli.main([*command, "--header"]) == 0
    captured = capsys.readouterr()
    assert "source" not in captured.out
    assert not captured.err
    for names in ("a b\n1 2\nc 3\n", "1 b\n1 2\n", "a b\na b\nc b\n", "a b\na b\n"):  # names may be such
        edges.write_text(names)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read_edges(edges)
    edges.write_text("source target\n")
    with pytest.raises(ShapeError, match="no edges"):
        random_walks(read_edges(edges, header=True))


@pytest.mark.parametrize("size", [7, 64, 1 << 20])
def test_edges_are_read_in_blocks(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BLOCK_BYTES", size)
    rng = np.random.default_rng(1)
    wanted = [(f"n{a}", f"n{b}", str(w)) for a, b, w in rng.integers(0, 30, (200, 3))]
    lines = ["  ".join(edge) + "\r\n" for edge in wanted]
    lines[50:50] = ["\n", "# a comment of many words\n", " \t \n"]
    edges = tmp_path / "edges.zst"
    edges.write_bytes(pa.compress("".join(lines).encode(), codec="zstd", asbytes=True))
    columns = read_edges(edges)
    assert list(zip(*(column.tolist() for column in columns[:2]), strict=True)) == [edge[:2] for edge in wanted]
    assert columns[2].tolist() == [float(edge[2]) for edge in wanted]
    plain = tmp_path / "edges"
    plain.write_text("".join([*lines, "a b 1 2\n"]))
    with pytest.raises(FormatError, match=r"line 204: wanted two names and maybe a weight, .*; got 'a b 1 2'"):
        read_edges(plain)
    plain.write_bytes("".join(lines).encode() + b"a \xff 1\n")
    with pytest.raises(FormatError, match=r"is not UTF-8 text: wrong byte 0xff at byte \d+$"):
        read_edges(plain)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_a_long_name_takes_no_room_in_every_step(tmp_path: Path) -> None:
    """An array of names would have a million letters for each of 40,000 steps."""
    edges, long = tmp_path / "edges", "x" * 1_000_000
    edges.write_text("".join(f"n{i} n{(7 * i + 1) % 1000}\n" for i in range(1000)) + f"n1 {long}\n")
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30)); "
        "from xw2v import cli; raise SystemExit(cli.main())"
    )
    command = [sys.executable, "-c", code, "walk", str(edges), "-o", str(tmp_path / "w"), "--num-walks", "4"]
    done = subprocess.run([*command, "--walk-length", "10"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert long in (tmp_path / "w").read_text().split()


def test_numbered_edges_are_the_edges(tmp_path: Path) -> None:
    edges = tmp_path / "edges"
    edges.write_text("b a 1\n# no edge\na\u3000c 2\nc b 1\nå ä 4\n")  # with a code for c in two ways
    found = read_numbered_edges(edges)
    assert found.names == ["a", "b", "c", "ä", "å"]
    plain = read_edges(edges)
    for numbers, names in zip(found.edges[:2], plain[:2], strict=True):
        assert [found.names[number] for number in numbers.tolist()] == names.tolist()
    assert found.edges[2].tolist() == plain[2].tolist() == [1, 2, 1, 4]
    walks, named = (random_walks(graph, num_walks=3, walk_length=5) for graph in (found.edges, plain))
    assert [found.names[node] for node in walks.ids.tolist()] == named.ids.tolist()


@pytest.mark.parametrize("name", ["New York", "", "a\nb", "a\u3000", "a\ud800"])
def test_names_that_are_no_words_are_not_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be written as one word; rename it"):
        write_walks(tmp_path / "walks", [random_walks([(name, "b")], num_walks=1, walk_length=2)])
    assert not list(tmp_path.iterdir())


def test_a_path_is_no_graph_but_can_be_read() -> None:
    with pytest.raises(ShapeError, match=r"got str; of a file, xw2v\.graphs\.read_edges\(path\)"):
        random_walks("edges.tsv")


@pytest.mark.parametrize(
    "options",
    [{"p": "a"}, {"q": None}, {"p": 0}, {"workers": 0}, {"workers": 1.5}, {"seed": -1}, {"seed": 1.5}],
    ids=str,
)
def test_options_of_walks(options: dict[str, Any]) -> None:
    name = next(iter(options))
    with pytest.raises(ConfigError, match=f"{name} must be .*, got "):
        random_walks(EDGES, **options)


def _peak(work: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("at_once", [1, 25, 60, 1000])
@pytest.mark.parametrize("directed", [False, True])
def test_walks_are_the_same_however_many_are_held(
    at_once: int, directed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = WalkOptions(num_walks=7, walk_length=5, p=1.0, q=0.5, seed=1, workers=2)
    whole = random_walks(EDGES, directed=directed, **options._asdict())
    monkeypatch.setattr("xw2v.walks._STEPS_AT_ONCE", at_once)
    parts = list(walk_blocks(EDGES, options, directed=directed))
    assert len(parts) >= 35 * len(np.unique(EDGES)) // max(at_once, 5)
    np.testing.assert_array_equal(np.concatenate([part.ids for part in parts]), whole.ids)
    np.testing.assert_array_equal(np.concatenate([np.diff(part.offsets) for part in parts]), np.diff(whole.offsets))
    again = random_walks(EDGES, directed=directed, **options._asdict())
    np.testing.assert_array_equal(again.ids, whole.ids)
    np.testing.assert_array_equal(again.offsets, whole.offsets)


def test_walks_take_what_they_are_and_some_in_work(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = np.stack([np.arange(1000), (np.arange(1000) + 1) % 1000], axis=1)
    random_walks(ring, num_walks=1, walk_length=2)  # the loops are compiled
    monkeypatch.setattr("xw2v.walks._STEPS_AT_ONCE", 100_000)
    size = 10 * 1000 * 200 * 8
    assert _peak(lambda: random_walks(ring, num_walks=10, walk_length=200)) < 1.25 * size
    options = WalkOptions(num_walks=10, walk_length=200, p=1.0, q=1.0, seed=1, workers=None)
    assert _peak(lambda: [None for _ in walk_blocks(ring, options)]) < 0.25 * size


def test_options_may_be_small_integers_of_numpy() -> None:
    options: dict[str, Any] = {"num_walks": np.int8(100), "walk_length": np.int8(100), "seed": np.uint8(1)}
    small = random_walks(EDGES, **options)
    np.testing.assert_array_equal(small.ids, random_walks(EDGES, num_walks=100, walk_length=100).ids)


def test_walks_that_end_early_need_no_room_for_long_names() -> None:
    walks = random_walks([("a" * 10_000, "b" * 10_000)], num_walks=1, walk_length=10**7, directed=True)
    assert sorted(np.diff(walks.offsets).tolist()) == [1, 2]
    assert sorted(node[0] for node in walks.ids.tolist()) == ["a", "b", "b"]


@pytest.mark.parametrize("fits", [True, False])
@pytest.mark.parametrize("names", [None, ["ä", "b", "c"]])
def test_lines_of_walks(fits: bool, names: list[str] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fits:  # as names of many letters

        def refuse(*_: Any) -> None:
            raise pa.ArrowCapacityError

        monkeypatch.setattr("pyarrow.compute.binary_join", refuse)
    monkeypatch.setattr("xw2v.walks._STEPS_A_TIME", 4)
    blocks = [Walks(np.array([0, 2, 1, 1, 0]), np.array([0, 2, 3, 5])), Walks(np.array([2]), np.array([0, 1]))]
    text = "".join(walk_lines(blocks, names))
    assert text == ("0 2\n1\n1 0\n2\n" if names is None else "ä c\nb\nb ä\nc\n")


def test_long_walks_become_text_a_few_at_a_time() -> None:
    walks = Walks(np.zeros(400_000, np.int64), np.arange(0, 400_001, 20_000))
    next(walk_lines([Walks(np.zeros(1, np.int64), np.array([0, 1]))]))  # Arrow's functions are loaded
    assert _peak(lambda: next(walk_lines([walks]))) < 20e6
    assert sum(map(len, walk_lines([walks]))) == 2 * 400_000
