"""`xw2v data`: the corpora that xw2v knows by name."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from xw2v.cli.options import Json, Quiet
from xw2v.cli.outputs import check_text_output, print_json
from xw2v.files import atomic_write
from xw2v.screen import Screen
from xw2v.text.datasets import DATASETS, built_in_corpus

__all__ = ["data_get", "data_list", "data_path", "data_write"]

Folder = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Where corpora are kept; by default $XW2V_DATA or the user's cache folder."),
]


def data_list(as_json: Json = False) -> None:
    """The corpora that xw2v knows."""
    if as_json:
        print_json([dataclasses.asdict(dataset) for dataset in DATASETS.values()])
        return
    rows = [[item.name, "built in" if item.built_in else str(item.url), item.meaning] for item in DATASETS.values()]
    Screen().table("", ["name", "where", "what"], rows)


def data_get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="text8 or sst.", show_default=False)],
    folder: Folder = None,
    quiet: Quiet = False,
) -> None:
    """Download a known corpus, check and unpack it; one that broke off goes on where it was."""
    from xw2v.text.downloads import download

    screen = Screen(quiet)
    with screen.bytes(f"downloading {name}") as report:
        path = download(name, folder, report)
    screen.line(str(path))


def data_path(
    name: Annotated[str, typer.Argument(metavar="NAME", help="text8 or sst.", show_default=False)],
    folder: Folder = None,
) -> None:
    """Where the text of a downloaded corpus lies."""
    from xw2v.text.downloads import downloaded_path

    Screen().line(str(downloaded_path(name, folder)))


def data_write(
    name: Annotated[str, typer.Argument(metavar="NAME", help="docs or world.", show_default=False)],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; - is standard output.", show_default=False)],
) -> None:
    """Write a built-in corpus as text, a sentence a line."""
    if str(file) != "-":
        check_text_output(file)
    sentences = built_in_corpus(name)
    if str(file) == "-":
        for sentence in sentences:
            print(*sentence)
        return
    lengths = []
    with atomic_write(file) as stream:
        for sentence in sentences:
            stream.write((" ".join(sentence) + "\n").encode())
            lengths.append(len(sentence))
    Screen().line(f"{sum(lengths):,} words in {len(lengths):,} sentences\nwrote {file}")
