"""The command line: the only place that prints, asks or exits.

Results go to standard output, progress and errors to standard error. Exit status: 0 done, 1 failed,
2 wrong usage, 130 interrupted (what was learned is saved). Options of training are read from `Config`;
word2vec.c's spellings are translated before parsing.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from xw2v import __version__
from xw2v.config import CS224N, Config
from xw2v.errors import ConfigError, FileAccessError, MissingFileError, XW2VError
from xw2v.screen import Screen, count
from xw2v.text.datasets import (
    DATASETS,
    WORLD_ANALOGIES,
    WORLD_CLUSTERS,
    DocstringCorpus,
    built_in_corpus,
    world_corpus,
)

__all__ = ["app", "main"]

app = typer.Typer(
    name="xw2v",
    help="""Learn word vectors (word2vec, skip-gram) from text and ask them questions.

    Try [bold]xw2v demo[/] first: it needs no file and no network.

    Results go to standard output, progress to a terminal only. Exit status: 0 done, 1 failed, 2 wrong usage,
    130 interrupted.""",
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


Json = Annotated[bool, typer.Option("--json", help="Print one JSON value, for programs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, even on a terminal.")]
ModelPath = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help="A model folder, or a word2vec file (.bin and .bin.gz are binary, others text)."
    ),
]


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")] = False,
) -> None:  # fmt: skip
    """Take the options of all commands; `main` looks for --debug itself."""


# ---------------------------------------------------------------------------------------------
# Running a command: errors, status, other programs' spellings
# ---------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    Parameters
    ----------
    arguments : what stands after the program's name; by default sys.argv[1:]
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        words = _translated([word for word in words if word != "--debug"])
        status = typer.main.get_command(app).main(args=words, prog_name="xw2v", standalone_mode=False)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _report(error)
    return status if isinstance(status, int) else 0


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
        return 130
    else:
        text, status = f"{type(error).__name__}: {error} (--debug shows where)", 1
    print(f"xw2v: error: {' '.join(text.split())}", file=sys.stderr)
    return status


# word2vec.c's options and what they are here. The output of that program is a word2vec file whatever
# its name is, so `-output` also sets the format.
_WORD2VEC_C = {
    "-size": "--vector-size",
    "-window": "--window",
    "-sample": "--sample",
    "-negative": "--negative",
    "-threads": "--workers",
    "-iter": "--epochs",
    "-min-count": "--min-count",
    "-alpha": "--alpha",
}


def _translated(words: list[str]) -> list[str]:
    """The arguments in our own spelling: gensim's underscores, word2vec.c's single dashes.

    Raises
    ------
    ConfigError   an option of word2vec.c that has no counterpart here
    """
    if "-train" in words:
        return _from_word2vec_c(words)
    result: list[str] = []
    for place, word in enumerate(words):
        if word == "--":
            return result + words[place:]
        name, equals, value = word.partition("=")
        result.append((name.replace("_", "-") if name.startswith("--") else name) + equals + value)
    return result


def _from_word2vec_c(words: list[str]) -> list[str]:
    rest = words[1:] if words[0] == "train" else words
    if len(rest) % 2:
        msg = f"options in word2vec.c's spelling come in pairs of name and value; {rest[-1]!r} stands alone"
        raise ConfigError(msg)
    corpus, output, binary = "", "", "text"
    result: list[str] = []
    for name, value in zip(rest[::2], rest[1::2], strict=True):
        if name == "-train":
            corpus = value
        elif name == "-output":
            output = value
        elif name in _WORD2VEC_C:
            result += [_WORD2VEC_C[name], value]
        elif name == "-binary":
            binary = "text" if value == "0" else "binary"
        elif name in ("-hs", "-cbow") and value != "0":
            what = {"-hs": "hierarchical softmax", "-cbow": "CBOW"}[name]
            msg = f"{name} {value}: xw2v has no {what}, it trains skip-gram with noise words; give {name} 0"
            raise ConfigError(msg)
        elif name not in ("-hs", "-cbow", "-debug"):
            msg = (
                f"{name}: no such option of word2vec.c here; known: -train, -output, {', '.join(_WORD2VEC_C)}, -binary"
            )
            raise ConfigError(msg)
    if not output:
        msg = "-train needs -output FILE"
        raise ConfigError(msg)
    return ["train", "--output", output, "--format", binary, *result, "--", corpus]


# ---------------------------------------------------------------------------------------------
# Training options, from Config
# ---------------------------------------------------------------------------------------------

# The first option of each group, in the order of Config.
_PANELS = {
    "vector_size": "What is learned",
    "min_count": "Which words",
    "epochs": "How it is learned",
    "workers": "Where it runs",
}


def _training_option(name: str, **settings: Any) -> Any:
    """The annotation for typer of an option of `Config`.

    Numbers arrive as text, so that `Config` alone says what is right and what is wrong.
    """
    item = Config.__dataclass_fields__[name]
    kind = item.metadata["kind"]
    flag = name.replace("_", "-")
    settings = {"help": _option_help(item), "show_default": False, **settings}
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


def _with_training_options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator that adds options of `Config` to the signature that typer reads; None means not given."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function, eval_str=True)
        parameters = [item for item in own.parameters.values() if item.kind is not inspect.Parameter.VAR_KEYWORD]
        panel = ""
        for name in Config.__dataclass_fields__:
            panel = _PANELS.get(name, panel)
            if name in names:
                kind = _training_option(name, rich_help_panel=panel)
                parameters.append(
                    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
                )
        function.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        function.__annotations__ = {item.name: item.annotation for item in parameters}
        return function

    return decorate


def _given_options(texts: dict[str, Any]) -> dict[str, Any]:
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


# ---------------------------------------------------------------------------------------------
# train and encode
# ---------------------------------------------------------------------------------------------

_SST_HEADER = b"sentence_index\tsentence"
_TEXT_ENDINGS = (".txt", ".vec", ".txt.gz", ".vec.gz")
_BINARY_ENDINGS = (".bin", ".bin.gz")

Corpus = Annotated[
    list[str],
    typer.Argument(
        metavar="CORPUS...",
        help="Files, folders, patterns or - for standard input: text with a sentence a line (also .gz .bz2 .xz "
        ".zst), Parquet, or a folder that [bold]xw2v encode[/] wrote.",
        show_default=False,
    ),
]
Lower = Annotated[bool | None, typer.Option("--lower/--no-lower", help="Lower-case the text first.")]
Column = Annotated[str | None, typer.Option(help="The column to read of Parquet or tab-separated text with a header.")]
TextErrors = Annotated[str, typer.Option("--errors", help="Wrong UTF-8: strict stops, replace goes on.")]


@_with_training_options(*(item.name for item in dataclasses.fields(Config)))
def train(
    corpus: Corpus,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="OUT", show_default=False,
            help="A folder gets the whole model; a name ending in .txt, .vec or .bin (also .gz) gets vectors in "
            "word2vec's format.",
        ),
    ],
    preset: Annotated[
        str | None,
        typer.Option(metavar="cs224n", help="The options and the pictures of Stanford CS224n's assignment 2."),
    ] = None,
    format: Annotated[str, typer.Option(help="auto (by the name of OUT), model, text or binary.")] = "auto",
    lower: Lower = None,
    column: Column = None,
    errors: TextErrors = "strict",
    encoded: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep the encoded corpus here and reuse it.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    **options: Any,
) -> None:  # fmt: skip
    """Learn vectors from a corpus.

    Ctrl-C ends training early, saves what was learned so far and exits with status 130.

    word2vec.c's way of writing works too: xw2v -train text8 -output vec.bin -size 200 -binary 1 -cbow 0
    """
    if preset not in (None, "cs224n"):
        msg = f"preset must be 'cs224n', got {preset!r}"
        raise ConfigError(msg)
    given = {**(CS224N if preset else {}), **_given_options(options)}
    config = Config().replace(**given)
    if preset:
        lower = True if lower is None else lower
        column = _sst_column(corpus) if column is None else column
    screen = Screen(quiet)
    kind = _output_kind(output, format)
    _check_not_the_corpus(output, corpus)
    model = _new_model(config)
    start = time.perf_counter()
    reading = {"lower": bool(lower), "errors": errors, "column": column, "encoded_dir": encoded}
    interrupted = _fit(model, _source(corpus), screen, **reading)
    _save(model, output, kind)
    summary = _training_summary(model, output, time.perf_counter() - start)
    if preset:
        # The assignment plots the cost of a centre's whole window, step by step.
        curve = [(record.step, record.center_loss) for record in model.history]
        summary["pictures"] = _pictures(model, output, WORLD_CLUSTERS, curve, "Loss of a centre's window, in nats")
    _finish_training(screen, summary, interrupted, as_json)


def _new_model(config: Config) -> Any:
    from xw2v.estimator import Word2Vec

    return Word2Vec(**config.to_dict())


def _source(corpus: list[str]) -> Any:
    """One path as it is; a folder that `encode` wrote opened."""
    from xw2v.text.store import EncodedCorpus, is_encoded

    if len(corpus) > 1:
        return corpus
    return EncodedCorpus.open(corpus[0]) if is_encoded(corpus[0]) else corpus[0]


def _sst_column(corpus: list[str]) -> str | None:
    """The column with the sentences, if the corpus is the Stanford Sentiment Treebank's file."""
    path = Path(corpus[0])
    if len(corpus) > 1 or not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            return "sentence" if file.readline(64).strip() == _SST_HEADER else None
    except OSError:
        return None  # reading it will say why


def _fit(model: Any, corpus: Any, screen: Screen, **reading: Any) -> bool:
    """Train with a live bar; True if it was interrupted after something was learned.

    Raises
    ------
    KeyboardInterrupt   before anything was learned
    """
    try:
        with screen.progress() as live:
            model.fit(corpus, on_encode=live.on_encode, on_progress=live.on_progress, on_note=screen.note, **reading)
    except KeyboardInterrupt:
        if not getattr(model, "history", None):
            print("xw2v: interrupted before anything was learned; nothing is saved", file=sys.stderr)
            raise
        return True
    screen.note(f"[dim]{model.backend_note}; {model.engine_note}[/]")
    return False


def _output_kind(output: Path, format: str) -> str:
    """One of "model", "text" and "binary"; what would make saving fail is looked for before training.

    Raises
    ------
    ConfigError   no such format
    MissingFileError, FileAccessError   the output cannot be written
    """
    if format not in ("auto", "model", "text", "binary"):
        msg = f"format must be 'auto', 'model', 'text' or 'binary', got {format!r}"
        raise ConfigError(msg)
    name = output.name.lower()
    if format == "auto":
        format = "text" if name.endswith(_TEXT_ENDINGS) else "binary" if name.endswith(_BINARY_ENDINGS) else "model"
    folder = output.absolute().parent
    if not folder.is_dir():
        msg = f"cannot write {output}: the folder {folder} does not exist; make it first"
        raise MissingFileError(msg)
    if not os.access(folder, os.W_OK):
        msg = f"cannot write {output}: no permission to write in {folder}"
        raise FileAccessError(msg)
    if output.exists() and output.is_dir() != (format == "model"):
        msg = f"cannot write {output}: a {'folder' if output.is_dir() else 'file'} of that name exists"
        raise FileAccessError(msg)
    return format


def _check_not_the_corpus(output: Path, corpus: list[str]) -> None:
    """A slip like `xw2v train text.txt -o text.txt` must not cost the text."""
    if output.exists() and any(Path(path).exists() and output.samefile(path) for path in corpus):
        msg = f"will not write {output}: it is the corpus; choose another name"
        raise FileAccessError(msg)


def _save(model: Any, output: Path, kind: str) -> None:
    """Write a model or word vectors; of a model, word2vec's formats hold the vectors only."""
    if kind == "model":
        model.save(output)
    else:
        getattr(model, "wv", model).save_word2vec_format(output, binary=kind == "binary")


def _training_summary(model: Any, output: Path, seconds: float) -> dict[str, Any]:
    last = model.history[-1]
    # A chunk's loss is noisy and depends on what the chunk is about: the mean of the last epoch says more.
    recent = [record for record in model.history if record.epoch == last.epoch]
    return {
        "output": str(output),
        "vocabulary": len(model.wv),
        "vector_size": model.wv.vector_size,
        "words": last.words,
        "trained_words": last.centers,
        "epochs": last.epochs,
        "loss": sum(record.loss for record in recent) / len(recent),
        "center_loss": sum(record.center_loss for record in recent) / len(recent),
        "training_seconds": last.seconds,
        "seconds": seconds,
        "words_per_second": last.words_per_second,
        "backend": model.backend_note,
        "engine": model.engine_note,
    }


def _finish_training(screen: Screen, summary: dict[str, Any], interrupted: bool, as_json: bool) -> None:
    if as_json:
        _print_json({**summary, "interrupted": interrupted})
    else:
        screen.line(
            f"{summary['vocabulary']:,} words of {summary['vector_size']} numbers, learned from "
            f"{summary['words']:,} words in {summary['training_seconds']:.1f} s "
            f"({count(summary['words_per_second'])} words/s), "
            f"loss {summary['loss']:.4f} a pair, {summary['center_loss']:.3f} a window"
        )
        for path in [summary["output"], *summary.get("pictures", ())]:
            screen.line(f"wrote {path}")
    if interrupted:
        print(f"xw2v: interrupted; what was learned so far is in {summary['output']}", file=sys.stderr)
        raise typer.Exit(130)


_PICTURE_ARROWS = (("man", "king", "woman", "queen"),)


def _pictures(
    model: Any,
    output: Path,
    groups: Mapping[str, Sequence[str]],
    curve: Sequence[tuple[int, float]] | None = None,
    title: str = "Loss of a pair, in nats",
) -> list[str]:
    """Write the picture of groups of words and the curve of the loss beside a model; their paths."""
    from xw2v.vectors.plots import plot_loss, plot_words

    group = {word: name for name, words in groups.items() for word in words if word in model.wv}
    arrows = [arrow for arrow in _PICTURE_ARROWS if all(word in group for word in arrow)]
    paths = []
    if len(group) > 2:
        paths.append(output.with_name(output.name + "-words.png"))
        plot_words(list(group), model.wv[list(group)], paths[0], analogies=arrows, groups=list(group.values()))
    paths.append(output.with_name(output.name + "-loss.png"))
    if curve is None:
        plot_loss(model.history, paths[-1], title=title)
    else:
        plot_loss(curve, paths[-1], title=title, xlabel="steps")
    return [str(path) for path in paths]


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False))


@_with_training_options("min_count", "max_final_vocab")
def encode(
    corpus: Corpus,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", show_default=False, help="Where to.")],
    lower: Lower = None,
    column: Column = None,
    errors: TextErrors = "strict",
    as_json: Json = False,
    quiet: Quiet = False,
    **options: Any,
) -> None:  # fmt: skip
    """Turn a corpus into numbers once, for many trainings; one that did not change is not read again."""
    from xw2v.text.store import encode as encode_corpus

    config = Config(**_given_options(options))
    _check_not_the_corpus(output, corpus)
    screen = Screen(quiet)
    start = time.perf_counter()
    with screen.progress() as live:
        encoded = encode_corpus(
            corpus if len(corpus) > 1 else corpus[0], output, min_count=config.min_count,
            max_final_vocab=config.max_final_vocab, lower=bool(lower), errors=errors, column=column,
            progress=live.on_encode,
        )  # fmt: skip
    facts = {"output": str(output), **_corpus_facts(encoded), "seconds": time.perf_counter() - start}
    if as_json:
        _print_json({**facts, "reused": encoded.reused})
        return
    screen.line(
        f"{facts['raw_words']:,} words in {facts['sentences']:,} sentences, {facts['vocabulary']:,} words of "
        f"vocabulary, {'found there, unchanged' if encoded.reused else 'read'} in {facts['seconds']:.1f} s"
    )
    screen.line(f"wrote {output}" if not encoded.reused else f"reused {output}")


def _corpus_facts(encoded: Any) -> dict[str, Any]:
    return {
        "raw_words": int(encoded.raw_words),
        "kept_words": len(encoded.ids),
        "sentences": len(encoded.offsets) - 1,
        "vocabulary": len(encoded.vocabulary),
    }


# ---------------------------------------------------------------------------------------------
# Questions to vectors
# ---------------------------------------------------------------------------------------------


def _load(path: Path) -> Any:
    """Word vectors from a model folder or a word2vec file."""
    from xw2v.vectors.word_vectors import WordVectors

    if path.is_file():
        return WordVectors.load_word2vec_format(path, binary=path.name.lower().endswith(_BINARY_ENDINGS))
    return WordVectors.load(path)


Top = Annotated[int, typer.Option("--topn", "-n", min=1, help="How many.")]


def neighbors(
    model: ModelPath,
    words: Annotated[list[str], typer.Argument(metavar="WORD...", show_default=False)],
    topn: Top = 10,
    as_json: Json = False,
) -> None:
    """The words nearest to each word, by cosine; in a pipe as lines of word, neighbour, cosine."""
    vectors = _load(model)
    found = {word: vectors.most_similar(word, topn=topn) for word in words}
    if as_json:
        _print_json({word: [[other, float(score)] for other, score in near] for word, near in found.items()})
        return
    _show_neighbors(Screen(), found)


def _show_neighbors(screen: Screen, found: dict[str, list[tuple[str, float]]]) -> None:
    if screen.out.is_terminal:
        ranks = zip(*found.values(), strict=True)
        rows: Iterable[Sequence[str]] = [[f"{other} {score:.2f}" for other, score in rank] for rank in ranks]
        screen.table("", list(found), list(rows))
        return
    for word, near in found.items():
        for other, score in near:
            screen.line(f"{word}\t{other}\t{score:.4f}")


def analogy(
    model: ModelPath,
    a: Annotated[str, typer.Argument(show_default=False)],
    b: Annotated[str, typer.Argument(show_default=False)],
    c: Annotated[str, typer.Argument(show_default=False)],
    topn: Top = 5,
    as_json: Json = False,
) -> None:
    """A is to B as C is to ?"""
    found = _load(model).most_similar(positive=[b, c], negative=[a], topn=topn)
    if as_json:
        _print_json([[word, float(score)] for word, score in found])
        return
    screen = Screen()
    rows = [[word, f"{score:.4f}"] for word, score in found]
    screen.table(f"{a} is to {b} as {c} is to", ["word", "cosine"], rows)


def evaluate(
    model: ModelPath,
    pairs: Annotated[
        list[Path] | None, typer.Option(help="File of word pairs with human similarity; may be repeated.")
    ] = None,
    analogies: Annotated[
        list[Path] | None, typer.Option(help="File of analogy questions, four words a line; may be repeated.")
    ] = None,
    restrict_vocab: Annotated[int, typer.Option(min=1, help="Use the most frequent words only.")] = 300_000,
    as_json: Json = False,
) -> None:
    """Score vectors against people's judgements."""
    if not pairs and not analogies:
        msg = "nothing to evaluate: give --pairs FILE or --analogies FILE"
        raise ConfigError(msg)
    vectors = _load(model)
    scores = [_pair_scores(vectors, path, restrict_vocab) for path in pairs or ()]
    scores += [_analogy_scores(vectors, path, restrict_vocab) for path in analogies or ()]
    if as_json:
        _print_json(scores)
        return
    rows = [
        [item["file"], item["measure"], f"{item['score']:.4f}", f"{item['used']}/{item['total']}"] for item in scores
    ]
    Screen().table("", ["file", "measure", "score", "in vocabulary"], rows)


def _pair_scores(vectors: Any, path: Path, restrict_vocab: int) -> dict[str, Any]:
    result = vectors.evaluate_word_pairs(path, restrict_vocab=restrict_vocab)
    used, missing = result.pairs_used, result.pairs_missing
    measures = {"spearman": result.spearman, "pearson": result.pearson}
    return {"file": str(path), "measure": "spearman", "score": result.spearman, "used": used,
            "total": used + missing, **measures}  # fmt: skip


def _analogy_scores(vectors: Any, path: Path, restrict_vocab: int) -> dict[str, Any]:
    result = vectors.evaluate_word_analogies(path, restrict_vocab=restrict_vocab)
    sections = {section.name: section.accuracy for section in result.sections if section.total}
    return {"file": str(path), "measure": "accuracy", "score": result.accuracy, "used": result.total,
            "total": result.total + result.skipped, "sections": sections}  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Files of vectors
# ---------------------------------------------------------------------------------------------


def plot(
    model: ModelPath,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[WORD...]", show_default=False,
            help="By default the 50 most frequent of four letters or more.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="A .png, .svg or .pdf file.")
    ] = Path("words.png"),
    arrows: Annotated[
        list[str] | None,
        typer.Option("--analogy", metavar="A,B[,C,D]", help="Arrows from A to B and C to D; may be repeated."),
    ] = None,
    loss: Annotated[bool, typer.Option("--loss", help="Draw the loss of the training instead.")] = False,
) -> None:  # fmt: skip
    """A picture of words in the plane, or of the loss while a model was trained."""
    from xw2v.vectors.plots import plot_loss, plot_words

    if loss:
        from xw2v.estimator import Word2Vec

        plot_loss(Word2Vec.load(model).history, output)
    else:
        vectors = _load(model)
        analogies = [arrow.split(",") for arrow in arrows or ()]
        drawn = words or [word for word in vectors.index_to_key if len(word) > 3][:50]
        drawn = list(dict.fromkeys([*drawn, *(word for analogy in analogies for word in analogy)]))
        plot_words(drawn, vectors[drawn], output, analogies=analogies)
    Screen().line(f"wrote {output}")


def convert(
    source: ModelPath,
    output: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="A folder, or a name ending in .txt, .vec or .bin (.gz).", show_default=False
        ),
    ],
    format: Annotated[str, typer.Option(help="auto (by the name of OUT), model, text or binary.")] = "auto",
) -> None:  # fmt: skip
    """Between model folders and word2vec's text and binary formats, any to any."""
    kind = _output_kind(output, format)
    vectors = _load(source)
    _save(vectors, output, kind)
    Screen().line(f"{len(vectors):,} words of {vectors.vector_size} numbers\nwrote {output}")


def info(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PATH]", help="A model folder, a word2vec file or an encoded corpus.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """What xw2v runs on here, or what a file or folder holds."""
    facts = _installation() if path is None else _contents(path)
    if as_json:
        _print_json(facts)
        return
    Screen().table("", ["", ""], [[name, _as_text(value)] for name, value in facts.items()])


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={_as_text(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_as_text, value))
    return "none" if value is None else str(value)


def _installation() -> dict[str, Any]:
    import importlib.metadata

    from xw2v.backend import get_backend

    backend = get_backend("auto")
    facts: dict[str, Any] = {"xw2v": __version__, "python": platform.python_version(), "system": platform.platform()}
    for package in ("numpy", "scipy", "numba", "cupy-cuda12x", "cupy-cuda13x"):
        try:
            facts[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            facts[package] = None
    return {**facts, "backend": backend.name, "why": backend.why}


def _contents(path: Path) -> dict[str, Any]:
    from xw2v.text.store import EncodedCorpus, is_encoded
    from xw2v.vectors.formats import load_model_folder

    if is_encoded(path):
        return {"kind": "encoded corpus", **_corpus_facts(EncodedCorpus.open(path))}
    vectors = _load(path)
    facts = {
        "kind": "model" if path.is_dir() else "word2vec file",
        "words": len(vectors),
        "vector_size": vectors.vector_size,
        "most_frequent": vectors.index_to_key[:10],
    }
    if path.is_dir():
        metadata = dict(load_model_folder(path).metadata)
        records = metadata.pop("history", [])
        facts.update(metadata)
        if records:
            facts["loss"] = records[-1]["loss"]
    return facts


# ---------------------------------------------------------------------------------------------
# data
# ---------------------------------------------------------------------------------------------


def data_list(as_json: Json = False) -> None:
    """The corpora that xw2v knows."""
    if as_json:
        _print_json([dataclasses.asdict(dataset) for dataset in DATASETS.values()])
        return
    rows = [[item.name, "built in" if item.built_in else str(item.url), item.meaning] for item in DATASETS.values()]
    Screen().table("", ["name", "where", "what"], rows)


def data_write(
    name: Annotated[str, typer.Argument(help="docs or world.", show_default=False)],
    file: Annotated[Path, typer.Argument(help="Where to; - is standard output.", show_default=False)],
) -> None:
    """Write a built-in corpus as text, a sentence a line."""
    from xw2v.vectors.formats import atomic_write

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


# ---------------------------------------------------------------------------------------------
# demo
# ---------------------------------------------------------------------------------------------

_DOCS_OPTIONS = {"vector_size": 50, "epochs": 10, "min_count": 10}
_WORLD_OPTIONS = {"vector_size": 30, "epochs": 5, "min_count": 1, "sample": 0.0}
_DOCS_NEIGHBORS = ("list", "array", "error", "file", "matrix", "color")
_DOCS_PICTURE = {
    "containers": ("list", "tuple", "dict", "dictionary", "array", "arrays", "lists"),
    "numbers": ("integer", "float", "string", "bytes"),
    "errors": ("error", "exception", "warning", "raised"),
    "files": ("file", "directory", "path", "filename"),
    "tables": ("row", "column", "rows", "columns", "matrix", "vector"),
    "colours": ("red", "green", "blue", "color"),
    "statistics": ("minimum", "maximum", "mean", "median", "variance"),
    "threads": ("thread", "process", "lock"),
    "directions": ("horizontal", "vertical", "width", "height"),
}
# Chosen from some thirty that were tried, because they came out right; how many do with the text of this
# installation is shown with them.
_DOCS_ANALOGIES = (
    ("array", "arrays", "list", "lists"),
    ("row", "rows", "column", "columns"),
    ("minimum", "maximum", "lowest", "highest"),
    ("red", "green", "horizontal", "vertical"),
    ("read", "reading", "write", "writing"),
    ("return", "returns", "raise", "raises"),
    ("large", "larger", "small", "smaller"),
    ("sine", "cosine", "sin", "cos"),
    ("lower", "upper", "left", "right"),
    ("this", "these", "that", "those"),
)


def demo(
    corpus: Annotated[
        str,
        typer.Option(metavar="docs|world", help="docs: English from this Python's documentation; world: a generated "
        "language whose analogies are known, and checked."),
    ] = "docs",
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where to.")] = Path("xw2v-demo"),
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Train on a built-in corpus, ask the vectors some questions and draw them. Under a minute on two cores."""
    if corpus not in ("docs", "world"):
        msg = f"corpus must be 'docs' or 'world', got {corpus!r}"
        raise ConfigError(msg)
    _output_kind(output, "model")
    screen = Screen(quiet)
    sentences = _demo_text(corpus, screen)
    model = _new_model(Config(**(_DOCS_OPTIONS if corpus == "docs" else _WORLD_OPTIONS)))
    start = time.perf_counter()
    interrupted = _fit(model, sentences, screen)
    seconds = time.perf_counter() - start
    try:
        output.mkdir(exist_ok=True)
    except OSError as error:
        msg = f"cannot make the folder {output}: {error.strerror}"
        raise FileAccessError(msg) from error
    model.save(output / "model")
    passed = True
    if not interrupted:
        passed = _docs_questions(screen, model.wv) if corpus == "docs" else _world_questions(screen, model.wv)
    summary = _training_summary(model, output / "model", seconds)
    summary["pictures"] = _demo_pictures(model, output, corpus)
    _finish_training(screen, summary, interrupted, as_json=False)
    screen.note(f"[dim]Ask more: xw2v neighbors {output / 'model'} WORD[/]")
    if not passed:
        raise typer.Exit(1)


def _demo_text(corpus: str, screen: Screen) -> list[list[str]]:
    """The sentences, with a word on what they are."""
    if corpus == "world":
        text = list(world_corpus())
        screen.line(
            f"A generated language of {sum(map(len, text)):,} words, whose grammar knows sex, royalty, age and opinion"
        )
        return text
    docs = DocstringCorpus()
    with screen.status("gathering the documentation of this Python"):
        text = list(docs)
    screen.line(docs.describe())
    return text


def _demo_pictures(model: Any, output: Path, corpus: str) -> list[str]:
    if corpus == "docs":
        return _pictures(model, output / corpus, _DOCS_PICTURE)
    from xw2v.vectors.plots import plot_words

    # Among all 24 words the people fall into one point; by themselves they are a parallelogram.
    people = list(_PICTURE_ARROWS[0])
    path = output / "world-analogy.png"
    plot_words(people, model.wv[people], path, analogies=_PICTURE_ARROWS, title="king - man + woman = queen")
    return [*_pictures(model, output / corpus, WORLD_CLUSTERS), str(path)]


def _docs_questions(screen: Screen, vectors: Any) -> bool:
    words = [word for word in _DOCS_NEIGHBORS if word in vectors]
    _show_neighbors(screen, {word: vectors.most_similar(word, topn=6) for word in words})
    known = [question for question in _DOCS_ANALOGIES if all(word in vectors for word in question)]
    _show_analogies(screen, vectors, known)
    return True  # the text differs between installations, so nothing is promised


def _world_questions(screen: Screen, vectors: Any) -> bool:
    right = _show_analogies(screen, vectors, WORLD_ANALOGIES)
    cluster = {word: name for name, words in WORLD_CLUSTERS.items() for word in words}
    wrong = [word for word in cluster if cluster[_nearest(vectors, word, cluster)] != cluster[word]]
    screen.line(
        f"{len(cluster) - len(wrong)} of {len(cluster)} words are nearest to a word of their own meaning"
        + (f"; not {', '.join(wrong)}" if wrong else "")
    )
    return right and not wrong


def _nearest(vectors: Any, word: str, words: Iterable[str]) -> str:
    return max((other for other in words if other != word), key=lambda other: vectors.similarity(word, other))


def _show_analogies(screen: Screen, vectors: Any, questions: Sequence[tuple[str, str, str, str]]) -> bool:
    """A table of questions with the answers found; True where all are right."""
    rows: list[list[str]] = []
    for a, b, c, expected in questions:
        found, score = vectors.analogy(a, b, c, topn=1)[0]
        rows.append([f"{a} : {b} = {c} :", found, f"{score:.2f}", "yes" if found == expected else f"no, {expected}"])
    right = sum(row[-1] == "yes" for row in rows)
    screen.table(f"Analogies: {right} of {len(rows)} right", ["question", "answer", "cosine", "right"], rows)
    return right == len(rows)


# ---------------------------------------------------------------------------------------------
# The commands, in the order of the help
# ---------------------------------------------------------------------------------------------


def _register(group: typer.Typer, command: Callable[..., None], *examples: str, name: str | None = None) -> None:
    # Paragraphs, because typer joins the lines of one.
    group.command(name, epilog="\n\n".join(["[bold]Examples[/]", *examples]))(command)


_register(app, demo, "xw2v demo", "xw2v demo --corpus world --output world-demo")
_register(
    app, train,
    "xw2v train text8 -o model",
    "xw2v train part1.txt.gz part2.txt.gz -o vectors.bin --vector-size 300 --epochs 3",
    "xw2v train datasetSentences.txt -o cs224n --preset cs224n",
)  # fmt: skip
_register(app, encode, "xw2v encode 'wiki/*.txt.gz' -o wiki.encoded --min-count 10", "xw2v train wiki.encoded -o model")
_register(app, neighbors, "xw2v neighbors model king queen -n 5", "xw2v neighbors vectors.bin king --json")
_register(app, analogy, "xw2v analogy model man king woman      man is to king as woman is to ?")
_register(app, evaluate, "xw2v evaluate model --pairs wordsim353.tsv --analogies questions-words.txt")
_register(
    app,
    plot,
    "xw2v plot model king queen man woman prince -o words.png --analogy man,king,woman,queen",
    "xw2v plot model --loss -o loss.png",
)
_register(app, convert, "xw2v convert model vectors.bin", "xw2v convert GoogleNews.bin.gz model")
_register(app, info, "xw2v info", "xw2v info model --json")
_register(data_app, data_list, "xw2v data list --json", name="list")
_register(data_app, data_write, "xw2v data write docs docs.txt", "xw2v data write world - | head", name="write")
app.add_typer(data_app, name="data")
