"""`xw2v plot`, `convert`, `export` and `info`: pictures, formats, and what a file holds."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path
from typing import Annotated, Any

import typer

from xw2v import __version__
from xw2v.backend import get_backend
from xw2v.cli.options import Json, ModelPath
from xw2v.cli.outputs import (
    check_not_the_input,
    check_output,
    check_vectors_output,
    load,
    output_kind,
    print_json,
    save,
)
from xw2v.cli.train import corpus_facts
from xw2v.errors import BackendError, ConfigError
from xw2v.estimator import Word2Vec
from xw2v.gpu import gpu_facts
from xw2v.screen import Screen
from xw2v.text.manifest import is_encoded
from xw2v.text.store import EncodedCorpus
from xw2v.vectors.model_folder import load_model_folder

__all__ = ["convert", "export", "info", "plot"]


def plot(
    model: ModelPath,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORD", show_default=False,
            help="By default the 50 most frequent of four letters or more, or of any length where few are.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", show_default=False,
            help="A .png, .svg or .pdf file; by default words.png, loss.png or scores.png.")
    ] = None,
    arrows: Annotated[
        list[str] | None,
        typer.Option("--analogy", metavar="A,B[,C,D]", help="Arrows from A to B and C to D; may be repeated."),
    ] = None,
    near: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help="Add the 15 nearest to this word; may be repeated.")
    ] = None,
    method: Annotated[str, typer.Option(help="pca; tsne or umap where scikit-learn or umap-learn is there.")] = "pca",
    loss: Annotated[
        bool,
        typer.Option("--loss", help="Draw loss and learning rate of the training; with more models in place of words."),
    ] = False,
    scores: Annotated[
        bool, typer.Option("--scores", help="Draw scores of xw2v train --evaluate against time, of one model or more.")
    ] = False,
) -> None:  # fmt: skip
    """A picture of words in the plane, or of the loss or the scores while a model was trained."""
    from xw2v.vectors.plots import plot_loss, plot_runs, plot_scores

    if loss and scores:
        msg = "--loss and --scores are two pictures: give one of them"
        raise ConfigError(msg)
    if (loss or scores) and (near or arrows or method != "pca"):
        msg = "--near, --analogy and --method are of a picture of words: leave them out, or --loss and --scores"
        raise ConfigError(msg)
    if output is None:
        output = Path("loss.png" if loss else "scores.png" if scores else "words.png")
    check_output(output)
    if loss or scores:
        models = {str(path): Word2Vec.load(path) for path in [model, *map(Path, words or ())]}
        if scores:
            plot_scores({name: model.epoch_history for name, model in models.items()}, output)
        elif len(models) == 1:
            (only,) = models.values()
            plot_loss(only.history, output, epochs=only.epoch_history)
        else:
            plot_runs({name: model.history for name, model in models.items()}, output)
    else:
        analogies = [[word.strip() for word in arrow.split(",")] for arrow in arrows or ()]
        load(model).plot(words or None, output, near=near or (), analogies=analogies, method=method)
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
    check_not_the_input(output, source, "what is to be converted")
    kind = output_kind(output, format)
    if kind != "model":
        check_vectors_output(output)
    vectors = load(source)
    save(vectors, output, kind)
    Screen().line(f"{len(vectors):,} words of {vectors.vector_size} numbers\nwrote {output}")


def export(
    source: ModelPath,
    output: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.", show_default=False)],
    to: Annotated[str, typer.Option("--to", metavar="KIND", show_default=False,
                                    help="tensorboard, huggingface, npy or spacy.")],
    top: Annotated[int | None, typer.Option(min=1, help="Only the most frequent words.")] = None,
    half: Annotated[bool, typer.Option("--half", help="Numbers of 16 bits (huggingface, npy).")] = False,
) -> None:  # fmt: skip
    """Vectors for other tools: the embedding projector, Hugging Face, NumPy, spaCy."""
    from xw2v.vectors.exports import export as write

    check_output(output, is_folder=True)
    vectors = load(source)
    write(vectors, output, to, top=top, half=half)
    Screen().line(f"{min(len(vectors), top or len(vectors)):,} words of {vectors.vector_size} numbers\nwrote {output}")


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
        print_json(facts)
        return
    Screen().table("", ["", ""], [[name, _as_text(value)] for name, value in facts.items()])


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={_as_text(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_as_text, value))
    return "none" if value is None else str(value)


def _installation() -> dict[str, Any]:
    backend = get_backend("auto")
    facts: dict[str, Any] = {"xw2v": __version__, "python": platform.python_version(), "system": platform.platform()}
    for package in ("numpy", "scipy", "numba", "cupy-cuda12x", "cupy-cuda13x"):
        try:
            facts[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            facts[package] = None
    return {**facts, **_gpu(), "backend": backend.name, "why": backend.why}


def _gpu() -> dict[str, Any]:
    try:
        get_backend("cupy")
    except BackendError as error:
        return {"gpu": "none: it " + str(error).removeprefix("backend 'cupy' ")}
    return gpu_facts()


def _contents(path: Path) -> dict[str, Any]:
    if is_encoded(path):
        return {"kind": "encoded corpus", **corpus_facts(EncodedCorpus.open(path))}
    vectors = load(path)
    facts = {
        "kind": "model" if path.is_dir() else "word2vec file",
        "words": len(vectors),
        "vector_size": vectors.vector_size,
        "most_frequent": vectors.index_to_key[:10],
    }
    if path.is_dir():
        metadata = dict(load_model_folder(path).metadata)
        records, ends = metadata.pop("history", []), metadata.pop("epoch_history", [])
        facts.update(metadata)
        if records:
            facts["loss"] = records[-1]["loss"]
        losses = [end["validation_loss"] for end in ends if end["validation_loss"] is not None]
        if losses:
            facts["loss_kept_aside"] = min(losses)
    return facts
