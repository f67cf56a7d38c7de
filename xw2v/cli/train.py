"""`xw2v train` and `xw2v encode`."""

from __future__ import annotations

import dataclasses
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from xw2v.cli.options import (
    Column,
    Corpus,
    Json,
    Log,
    Lower,
    Memory,
    Quiet,
    TextErrors,
    Texts,
    given_options,
    with_training_options,
)
from xw2v.cli.outputs import (
    check_not_in_the_corpus,
    check_not_the_input,
    check_output,
    check_vectors_output,
    output_kind,
    print_json,
    save,
)
from xw2v.cli.ranks import company
from xw2v.cli.runs import finish_training, fit, pictures, training_summary
from xw2v.cli.saved import Known, capitals_note, kept_aside_note, saved_model
from xw2v.config import CS224N, Config
from xw2v.errors import ConfigError, FileAccessError, NumericalError
from xw2v.estimator import Word2Vec
from xw2v.files import locked
from xw2v.screen import Screen
from xw2v.text.manifest import FILES, PARTS_ENDING, is_encoded
from xw2v.text.memory import MEMORY
from xw2v.text.places import lies_in
from xw2v.text.store import EncodedCorpus
from xw2v.text.store import encode as encode_corpus
from xw2v.text.vocabulary import Vocabulary
from xw2v.text.world import WORLD_CLUSTERS
from xw2v.training.checkpoint import holds_checkpoints, remove_checkpoints
from xw2v.training.distributed.ranks import many_started
from xw2v.vectors.curves import plot_scores
from xw2v.vectors.epoch_scores import EpochScores
from xw2v.vectors.model_folder import MODEL_FILES, check_replaceable
from xw2v.vectors.word2vec_format import check_words

__all__ = ["corpus_facts", "encode", "train"]

_SST_HEADER = b"sentence_index\tsentence"


@with_training_options(*(item.name for item in dataclasses.fields(Config)))
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
    from_model: Annotated[
        Path | None,
        typer.Option("--from", metavar="MODEL", show_default=False,
                     help="Go on training this model folder: its words keep their rows, new ones come after them. "
                     "Options that are not given are those of the model."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(metavar="cs224n", help="The options and the pictures of Stanford CS224n's assignment 2."),
    ] = None,
    format: Annotated[str, typer.Option(help="auto (by the name of OUT), model, text or binary.")] = "auto",
    lower: Lower = None,
    column: Column = None,
    errors: TextErrors = "strict",
    memory: Memory = MEMORY,
    encoded: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep the encoded corpus here and reuse it.")
    ] = None,
    checkpoint_dir: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where a killed run can go on from; by default OUT.checkpoints. It is "
                     "deleted when OUT is written.", show_default=False),
    ] = None,
    checkpoint_every: Annotated[
        str, typer.Option(metavar="TIME", help="What a kill may cost at most: a time as 30s, 5m or 1h, or a number of "
                          "words.")
    ] = "60s",
    resume: Annotated[
        bool | None,
        typer.Option("--resume/--no-resume", show_default=False,
                     help="Go on from the newest checkpoint, or delete it and start anew."),
    ] = None,
    evaluate: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", show_default=False,
                     help="Score on this file of word pairs or analogy questions after each epoch, and draw the scores "
                     "against time to OUT-scores.png; may be repeated."),
    ] = None,
    distributed: Annotated[
        bool,
        typer.Option("--distributed", help="Train together with the other processes that mpiexec or srun started."),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = False,
    **options: Any,
) -> None:  # fmt: skip
    """Learn vectors from a corpus.

    Ctrl-C ends training early, saves what was learned so far and exits with status 130. Later the same command
    with --resume goes on there, or after a crash where the last checkpoint was written.

    word2vec.c's way of writing works too: xw2v -train text8 -output vec.bin -size 200 -binary 1 -cbow 0
    """
    start = time.perf_counter()
    folder = checkpoint_dir or output.parent / f"{output.name}.checkpoints"
    beside = {"--encoded": encoded, "--checkpoint-dir": checkpoint_dir}
    keeping = {"checkpoint_dir": folder, "checkpoint_every": checkpoint_every, "resume": resume}
    with company(distributed) as here, ExitStack() as stack:
        screen = Screen(quiet or not here.first)
        here.by_all(lambda: _check_one(quiet, log))
        kind = here.by_all(lambda: output_kind(output, format))
        given = given_options(options)
        model, once = here.by_all(lambda: _model(from_model, preset, given))
        known = Known.of(model)
        if from_model is not None and (note := kept_aside_note(model, given)):
            screen.note(note)
        if preset:
            lower = True if lower is None else lower
            column = _sst_column(corpus) if column is None else column
        reading: dict[str, Any] = {"errors": errors, "column": column, "encoded_dir": encoded, "memory": memory}
        if lower is not None:  # else as the model that is gone on with
            reading["lower"] = lower
        scores = here.by_all(lambda: _epoch_scores(evaluate, distributed))
        here.by_first(lambda: stack.enter_context(_reserved(output, kind, corpus, from_model, beside, distributed)))
        source = here.by_all(lambda: _source(corpus, given | ({} if lower is None else {"lower": lower})))

        def look(vocabulary: Vocabulary) -> None:
            if kind != "model":
                here.by_all(lambda: check_words(vocabulary.words))
            if from_model is not None and lower is None and here.first:
                note = capitals_note(vocabulary.words, known.vocabulary)
                if note is not None:
                    screen.warn(note)

        model._before_training = look
        if resume and here.first and not holds_checkpoints(folder):
            screen.warn(f"no checkpoint in {folder}: training from the start")
            keeping["resume"] = None  # or it would be noted once more
        try:
            how = {**once, **reading, **keeping, "distributed": here.ranks or False}
            status = fit(model, source, screen, scores, log, **how)
        except NumericalError:
            if hasattr(model, "wv") and Known.of(model) != known and here.first:
                save(model, output, kind, screen.live)
            raise
        here.by_first(lambda: _save(model, output, kind, screen, folder))
        if not status:
            here.by_first(lambda: remove_checkpoints(folder))
    if not here.first:
        raise typer.Exit(status)
    summary = training_summary(model, output, time.perf_counter() - start, known)
    drawn: list[str] = []
    try:
        if preset:
            # The assignment plots the cost of a centre's whole window, step by step.
            curve = [(record.step, record.center_loss) for record in model.history]
            drawn += pictures(model, output, WORLD_CLUSTERS, curve, "Loss of a centre's window, in nats")
        if any(end["scores"] for end in summary["epoch_history"]):
            picture = output.with_name(output.name + "-scores.png")
            plot_scores({output.name: model.epoch_history}, picture)
            drawn.append(str(picture))
    except FileAccessError as error:  # the model, which is what was asked for, is there
        screen.warn(f"{error}; the model is in {output}")
    if drawn:
        summary["pictures"] = drawn
    finish_training(screen, summary, status, as_json, hint="; the same command with --resume goes on")


def _save(model: Any, output: Path, kind: str, screen: Screen, checkpoints: Path) -> None:
    """As `save`. Where that fails a checkpoint holds what was learned, or else the folder for temporary files does."""
    try:
        save(model, output, kind, screen.live)
    except FileAccessError as error:
        if holds_checkpoints(checkpoints):
            where = f"what was learned up to the last checkpoint is in {checkpoints}: "
            where += "the same command with --resume goes on from there"
        else:
            where = f"what was learned is in {_saved_elsewhere(model, output.name, kind, error)}: move it from there"
        msg = f"{error}; {where}"
        raise FileAccessError(msg) from error


def _saved_elsewhere(model: Any, name: str, kind: str, error: FileAccessError) -> Path:
    """Where a model lies now that could not be saved where it was wanted.

    Raises
    ------
    FileAccessError   the error that is given: there is no room for it elsewhere, either
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="xw2v-"))
    except OSError:
        raise error from None
    try:
        save(model, folder / name, kind)
    except FileAccessError:
        shutil.rmtree(folder, ignore_errors=True)
        raise error from None
    return folder / name


def _check_one(quiet: bool, log: bool) -> None:
    if quiet and log:
        msg = "--quiet and --progress: give one of them"
        raise ConfigError(msg)


def _model(from_model: Path | None, preset: str | None, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A new model of the options given over the preset's, or a saved one with those given, and those for one call."""
    if preset not in (None, "cs224n"):
        msg = f"preset must be 'cs224n', got {preset!r}"
        raise ConfigError(msg)
    if from_model is None:
        return Word2Vec(**{**(CS224N if preset else {}), **given}), {}
    if preset:
        msg = (
            f"--preset does not go with --from: the options of {from_model} hold, and those that are given beside them"
        )
        raise ConfigError(msg)
    return saved_model(from_model, given)


def _epoch_scores(files: list[Path] | None, distributed: bool) -> EpochScores | None:
    if files and distributed:
        msg = "--evaluate does not go with --distributed: run xw2v evaluate on the model afterwards"
        raise ConfigError(msg)
    return EpochScores(*files) if files else None


@contextmanager
def _reserved(
    output: Path,
    kind: str,
    corpus: list[str],
    from_model: Path | None,
    beside: dict[str, Path | None],
    distributed: bool,
) -> Iterator[None]:
    """OUT, which may be written and which no other run is going to write.

    Parameters
    ----------
    beside : by the option, what else is written
    """
    check_not_in_the_corpus(output, corpus, MODEL_FILES if kind == "model" else ())
    _check_apart(output, beside)
    if from_model is not None:
        # After Ctrl-C OUT is written, and --resume wants the model that the run began with.
        check_not_the_input(output, from_model, "the model to go on from")
    if kind == "model":
        check_replaceable(output)
    else:
        check_vectors_output(output)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(output.absolute().with_name(f".{output.name}.training"), str(output)))
        except FileAccessError as error:
            if distributed or many_started() is None:
                raise
            msg = f"{error}; processes that mpiexec or srun started together need --distributed"
            raise FileAccessError(msg) from error
        yield


def _check_apart(output: Path, beside: dict[str, Path | None]) -> None:
    """Refuse folders in each other: a model, like an encoded corpus, is replaced only where nothing else lies in it.

    Raises
    ------
    ConfigError   one lies in another.
    """
    for option, folder in beside.items():
        if folder is None:
            continue
        if lies_in(folder, output):
            msg = f"{option} {folder} lies in -o {output}, which is to be the result alone: give it a place of its own"
            raise ConfigError(msg)
        if option == "--encoded" and lies_in(output, folder):
            msg = (
                f"-o {output} lies in --encoded {folder}, which is to be the encoded corpus alone: choose another place"
            )
            raise ConfigError(msg)


def _source(corpus: list[str], given: dict[str, Any]) -> Any:
    """One path as it is; a folder that `encode` wrote opened, if the options given are those that it was encoded with.

    Raises
    ------
    ConfigError   they are not.
    """
    if len(corpus) > 1:
        return corpus
    if not is_encoded(corpus[0]):
        return corpus[0]
    encoded = EncodedCorpus.open(corpus[0])
    encoded.check_options(given)
    return encoded


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


@with_training_options("min_count", "max_final_vocab", "max_vocab_size")
def encode(
    corpus: Texts,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", show_default=False, help="Where to.")],
    lower: Lower = None,
    column: Column = None,
    errors: TextErrors = "strict",
    memory: Memory = MEMORY,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = False,
    **options: Any,
) -> None:  # fmt: skip
    """Turn a corpus into numbers once, for many trainings; one that did not change is not read again."""
    _check_one(quiet, log)
    config = Config(**given_options(options))
    check_not_in_the_corpus(output, corpus, FILES)
    check_output(output, is_folder=True)
    screen = Screen(quiet)
    start = time.perf_counter()
    try:
        with screen.progress() as live:
            encoded = encode_corpus(
                corpus if len(corpus) > 1 else corpus[0], output, min_count=config.min_count,
                max_final_vocab=config.max_final_vocab, max_vocab_size=config.max_vocab_size, lower=bool(lower),
                errors=errors, column=column, memory=memory,
                progress=True if log and not screen.live else live.on_encode,
            )  # fmt: skip
    except KeyboardInterrupt:
        parts = output.with_name(output.name + PARTS_ENDING)
        if parts.exists():
            print(f"xw2v: interrupted; what is done is in {parts}; the same command goes on with it", file=sys.stderr)
        raise
    if encoded.overlooked >= max(config.min_count, 1):
        screen.warn(f"words that occur up to {encoded.overlooked:,} times may be missing; raise max_vocab_size")
    facts = {"output": str(output), **corpus_facts(encoded), "seconds": time.perf_counter() - start}
    if as_json:
        print_json({**facts, "reused": encoded.reused})
        return
    noun = "sentence" if facts["sentences"] == 1 else "sentences"
    screen.line(
        f"{facts['raw_words']:,} words in {facts['sentences']:,} {noun}, {facts['vocabulary']:,} words of vocabulary"
    )
    screen.line(f"{'found there, unchanged, ' if encoded.reused else 'read '}in {facts['seconds']:.1f} s")
    screen.line(f"wrote {output}" if not encoded.reused else f"reused {output}")


def corpus_facts(encoded: Any) -> dict[str, Any]:
    """Sizes of an `EncodedCorpus`."""
    return {
        "raw_words": int(encoded.raw_words),
        "kept_words": len(encoded.ids),
        "sentences": len(encoded.offsets) - 1,
        "vocabulary": len(encoded.vocabulary),
    }
