"""The commands put together, and running one: errors become one line, and a status."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from xw2v import __version__
from xw2v.cli.data import data_get, data_list, data_path, data_write
from xw2v.cli.demo import demo
from xw2v.cli.files import convert, export, info, plot
from xw2v.cli.questions import analogy, evaluate, neighbors
from xw2v.cli.report import report
from xw2v.cli.runs import interrupted_status, let_go
from xw2v.cli.spellings import differs, translated
from xw2v.cli.train import encode, train
from xw2v.cli.walk import walk
from xw2v.errors import ConfigError, XW2VError
from xw2v.screen import Screen

__all__ = ["app", "main"]

_TABLES_FROM = 80  # columns
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def _bytes_or_escapes(error: UnicodeError) -> tuple[str | bytes, int]:
    """Surrogates that stand for the bytes of a file's name as these, all others spelled out."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.backslashreplace_errors(error)


codecs.register_error("xw2v.bytes_or_escapes", _bytes_or_escapes)
# What Python does with letters that standard output does not take, the second in the locales C and C.UTF-8, and what
# is done in its place.
_ESCAPING = {"strict": "backslashreplace", "surrogateescape": "xw2v.bytes_or_escapes"}


def _joined(text: str | None) -> str:
    """Paragraphs of a line each, which the terminal's width breaks; typer joins the lines of the first alone."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in (text or "").split("\n\n"))


app = typer.Typer(
    name="xw2v",
    help=_joined("""Learn word vectors (word2vec, skip-gram) from text and ask them questions.

    Try [bold]xw2v demo[/] first: it needs no file and no network.

    Results go to standard output, progress to a terminal only. Exit status: 0 done, 1 failed, 2 wrong usage,
    130 interrupted, 143 terminated."""),
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(
    help="Corpora that xw2v knows by name.", no_args_is_help=True, rich_markup_mode="rich", add_completion=False
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"xw2v {__version__}")
        raise typer.Exit(0)


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")] = False,
) -> None:  # fmt: skip
    """Take the options of all commands; `main` looks for --debug itself."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    Parameters
    ----------
    arguments : what stands after the program's name; by default sys.argv[1:]
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    _prepare_streams()
    try:
        command = typer.main.get_command(app)
        if Console().width < _TABLES_FROM:
            _without_tables(command)
        note = differs(words)
        words = translated([word for word in words if word != "--debug"], _long_options(command))
        if note is not None:
            Screen().warn(note)
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            status = command.main(args=words, prog_name="xw2v", standalone_mode=False)
        sys.stdout.flush()  # or Python would at its end, with lines of its own about what fails
    except KeyboardInterrupt as interrupt:
        return interrupted_status(interrupt)
    except BrokenPipeError:  # nobody reads on
        let_go(1)
        return 1
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _report(error)
    return status if isinstance(status, int) else 0


def _prepare_streams() -> None:
    """Have standard output and error take all that is written to them."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in _ESCAPING:
        sys.stdout.reconfigure(errors=_ESCAPING[sys.stdout.errors])  # a word that cannot be shown must not end it


def _without_tables(command: Any) -> None:
    """Have the help of commands as plain text: a table cuts the names of options where a terminal is narrow."""
    inner = getattr(command, "commands", {})
    for one in inner.values():
        _without_tables(one)
    if inner:  # the names of commands are short, and plain text would cut what they do
        return
    command.rich_markup_mode = None
    for item in (command, *command.params):
        item.help = Text.from_markup(item.help or "").plain
    command.epilog = Text.from_markup(command.epilog or "").plain


def _long_options(command: Any) -> set[str]:
    """The long options of a command and of those below it."""
    names = {name for item in command.params for name in (*item.opts, *item.secondary_opts) if name.startswith("--")}
    return names.union(*map(_long_options, getattr(command, "commands", {}).values()))


def _show_warning(message: Warning | str, *place: Any, **more: Any) -> None:
    """A warning without the line of code that it is about."""
    Screen().warn(str(message))


def _report(error: Exception) -> int:
    """Print one line for an error; the exit status."""
    if isinstance(error, XW2VError):
        text, status = str(error), 2 if isinstance(error, ConfigError) else 1
    elif hasattr(error, "format_message"):
        # A usage error of typer, whose class differs between its versions. Without a message it is the
        # bare program name, whose help was shown.
        text, status = error.format_message(), 2
        context = getattr(error, "ctx", None)
        if not text:
            return status
        if context is not None:
            text = f"{text.rstrip('.')} (see {context.command_path} --help)"
    elif isinstance(error, typer.Abort):
        if isinstance(error.__cause__, EOFError):  # of a file: nothing is asked here, so nobody ended the input
            return _report(error.__cause__)
        return 130
    elif isinstance(error, OSError) and error.filename is not None:
        text, status = f"{error.filename}: {error.strerror} (--debug shows where)", 1
    elif isinstance(error, OSError) and error.errno in _FULL:  # those of files are XW2VErrors
        text, status = f"cannot write to standard output: {error.strerror}", 1
        let_go(1)
    else:
        text, status = f"{type(error).__name__}: {error} (--debug shows where)", 1
    print(f"xw2v: error: {' '.join(text.split())}", file=sys.stderr)
    return status


def _register(group: typer.Typer, command: Callable[..., None], *examples: str, name: str | None = None) -> None:
    # Paragraphs, because typer joins the lines of one.
    group.command(name, help=_joined(command.__doc__), epilog="\n\n".join(["[bold]Examples[/]", *examples]))(command)


_register(app, demo, "xw2v demo", "xw2v demo --corpus world --output world-demo")
_register(
    app, train,
    "xw2v train text8 -o model",
    "xw2v train part1.txt.gz part2.txt.gz -o vectors.bin --vector-size 300 --epochs 3",
    "xw2v train text8 -o model --epochs 20 --validation-fraction 0.01 --patience 1",
    "xw2v train text8 -o model --evaluate wordsim353.tsv --evaluate questions-words.txt",
    "xw2v train more.txt --from model -o newer --epochs 2",
    "xw2v train datasetSentences.txt -o cs224n --preset cs224n",
)  # fmt: skip
_register(app, encode, "xw2v encode 'wiki/*.txt.gz' -o wiki.encoded --min-count 10", "xw2v train wiki.encoded -o model")
_register(
    app,
    walk,
    "xw2v walk friends.tsv -o walks.txt --p 1 --q 0.5",
    "xw2v train walks.txt -o nodes --min-count 1 --window 10",
)
_register(app, neighbors, "xw2v neighbors model king queen -n 5", "xw2v neighbors vectors.bin king --json")
_register(app, analogy, "xw2v analogy model man king woman", "man is to king as woman is to ... queen")
_register(
    app,
    evaluate,
    "xw2v evaluate model --pairs wordsim353.tsv --analogies questions-words.txt",
    "xw2v evaluate model vectors.bin --pairs wordsim353.tsv --pairs simlex999.txt",
)
_register(
    app,
    plot,
    "xw2v plot model king queen man woman prince -o words.png --analogy man,king,woman,queen",
    "xw2v plot model --near king --near rain --method tsne -o near.png",
    "xw2v plot model --loss -o loss.png",
    "xw2v plot model other --loss -o both.png",
    "xw2v plot model other --scores -o scores.png",
)
_register(
    app, report, "xw2v report model --pairs wordsim353.tsv -o model.html", "xw2v report vectors.bin --method tsne"
)
_register(app, convert, "xw2v convert model vectors.bin", "xw2v convert GoogleNews.bin.gz model")
_register(
    app,
    export,
    "xw2v export model projector --to tensorboard --top 10000",
    "xw2v export model shared --to huggingface --half",
)
_register(app, info, "xw2v info", "xw2v info model --json")
_register(data_app, data_list, "xw2v data list --json", name="list")
_register(data_app, data_get, "xw2v data get text8", name="get")
_register(data_app, data_path, "xw2v train $(xw2v data path text8) -o model", name="path")
_register(data_app, data_write, "xw2v data write docs docs.txt", "xw2v data write world - | head", name="write")
app.add_typer(data_app, name="data")
