"""`xw2v walk`: a graph as sentences."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from xw2v.cli.options import Quiet
from xw2v.cli.outputs import check_not_in_the_corpus, check_text_output
from xw2v.screen import Screen
from xw2v.walks import WalkOptions, Walks, walk_blocks, walk_lines, write_walks

__all__ = ["walk"]


def walk(
    edges: Annotated[
        str,
        typer.Argument(metavar="EDGES", show_default=False,
                       help="A text (also .gz .bz2 .xz .zst, or - for standard input) with an edge a line: two names "
                       "and maybe a weight; lines with # are left out."),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", show_default=False,
                     help="Text with a walk a line; - is standard output."),
    ],
    num_walks: Annotated[int, typer.Option(help="Walks from each node.")] = 10,
    walk_length: Annotated[int, typer.Option(help="Nodes of a walk.")] = 80,
    p: Annotated[float, typer.Option("--p", help="Above 1: walks seldom turn back.")] = 1.0,
    q: Annotated[float, typer.Option("--q", help="Above 1: walks stay near where they were.")] = 1.0,
    header: Annotated[bool, typer.Option("--header", help="The first line names the columns: leave it out.")] = False,
    directed: Annotated[bool, typer.Option("--directed", help="Take edges one way only.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same walks.")] = 1,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; by default one a core.")] = None,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Draw random walks on a graph (DeepWalk; node2vec with --p and --q), a text for xw2v train."""
    from xw2v.graphs import read_numbered_edges

    to_stdout = str(output) == "-"
    if not to_stdout:
        check_not_in_the_corpus(output, [edges], what="the graph")
        check_text_output(output)
    screen = Screen(quiet)
    start = time.perf_counter()
    with screen.status("reading the graph"):
        graph = read_numbered_edges(edges, header=header)
    progress = False if to_stdout and sys.stdout.isatty() else screen.live  # a bar among the walks
    options = WalkOptions(num_walks, walk_length, p, q, seed, workers)
    blocks = walk_blocks(graph.edges, options, directed=directed, progress=progress)
    if to_stdout:
        for lines in walk_lines(blocks, graph.names):
            print(lines, end="")
        return
    walks = steps = 0

    def counted() -> Iterator[Walks]:
        nonlocal walks, steps
        for block in blocks:
            walks, steps = walks + len(block.offsets) - 1, steps + len(block.ids)
            yield block

    write_walks(output, counted(), graph.names)
    seconds = time.perf_counter() - start
    screen.line(f"{walks:,} walks, {steps:,} steps, in {seconds:.1f} s\nwrote {output}")
