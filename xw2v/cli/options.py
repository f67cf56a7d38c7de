"""Options that commands share; those of training are read from `Config`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from xw2v.config import Config

__all__ = [
    "Column",
    "Corpus",
    "Json",
    "Log",
    "Lower",
    "Memory",
    "ModelPath",
    "Quiet",
    "TextErrors",
    "Texts",
    "Top",
    "given_options",
    "with_training_options",
]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value, for programs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, even on a terminal.")]
Log = Annotated[
    bool,
    typer.Option("--progress", help="Progress where there is no terminal, too: every ten seconds, for a log."),
]
ModelPath = Annotated[
    Path,
    typer.Argument(metavar="MODEL", help="A model folder, or a file of word2vec (text or binary) or GloVe, also .gz."),
]
Top = Annotated[int, typer.Option("--topn", "-n", min=1, help="How many.")]
_TEXTS = "Files, folders, patterns or - for standard input: text with a sentence a line (also .gz .bz2 .xz .zst), "
Texts = Annotated[list[str], typer.Argument(metavar="CORPUS", help=f"{_TEXTS}or Parquet.", show_default=False)]
Corpus = Annotated[
    list[str],
    typer.Argument(
        metavar="CORPUS",
        help=f"{_TEXTS}Parquet; or one folder that [bold]xw2v encode[/] wrote.",
        show_default=False,
    ),
]
Lower = Annotated[bool | None, typer.Option("--lower/--no-lower", help="Lower-case the text first.")]
Column = Annotated[str | None, typer.Option(help="The column to read of Parquet or tab-separated text with a header.")]
Memory = Annotated[
    str,
    typer.Option(metavar="SIZE", help="What reading and counting text may take, as 512M; the rest goes to disk."),
]
TextErrors = Annotated[str, typer.Option("--errors", help="Wrong UTF-8: strict stops, replace goes on.")]


# The first option of each group, in the order of Config.
_PANELS = {
    "vector_size": "What is learned",
    "min_count": "Which words",
    "epochs": "How it is learned",
    "workers": "Where it runs",
}


def _training_option(name: str, panel: str) -> Any:
    """The annotation for typer of an option of `Config`.

    Numbers arrive as text, so that `Config` alone says what is right and what is wrong.
    """
    item = Config.__dataclass_fields__[name]
    kind = item.metadata["kind"]
    flag = name.replace("_", "-")
    settings: Any = {"help": _option_help(item), "show_default": False, "rich_help_panel": panel}
    if kind is bool:
        return Annotated[bool | None, typer.Option(f"--{flag}/--no-{flag}", **settings)]
    metavar = {str: "NAME", int: "INT", float: "NUMBER"}[kind]
    return Annotated[str | None, typer.Option(f"--{flag}", metavar=metavar, **settings)]


def _option_help(item: dataclasses.Field[Any]) -> str:
    meta = item.metadata
    bounds = [f"{sign} {meta[key]}" for key, sign in (("low", ">="), ("above", ">")) if meta[key] is not None]
    if meta["choices"]:
        bounds = [" | ".join(meta["choices"])]
    default = "none" if item.default is None else str(item.default).lower()
    return f"{meta['meaning']} [dim]\\[{'; '.join([f'default {default}', *bounds])}][/dim]"


def with_training_options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator that adds options of `Config` to the signature that typer reads; None means not given."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function, eval_str=True)
        parameters = [item for item in own.parameters.values() if item.kind is not inspect.Parameter.VAR_KEYWORD]
        panel = ""
        for name in Config.__dataclass_fields__:
            panel = _PANELS.get(name, panel)
            if name in names:
                kind = _training_option(name, panel)
                parameters.append(
                    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
                )
        function.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        function.__annotations__ = {item.name: item.annotation for item in parameters}
        return function

    return decorate


def given_options(texts: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as Python values; what is no number stays text, for Config to refuse."""
    return {name: _value(name, text) for name, text in texts.items() if text is not None}


def _value(name: str, text: Any) -> Any:
    meta = Config.__dataclass_fields__[name].metadata
    if meta["kind"] in (bool, str):
        return text
    if meta["optional"] and text.lower() == "none":
        return None
    try:
        return meta["kind"](text)
    except ValueError:
        return text
