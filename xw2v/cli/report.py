"""`xw2v report`: a model on one page."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from xw2v.cli.options import ModelPath
from xw2v.cli.outputs import check_output, load
from xw2v.errors import ConfigError, XW2VError
from xw2v.estimator import Word2Vec
from xw2v.screen import Screen

__all__ = ["report"]


def report(
    model: ModelPath,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="An .html file.")
    ] = Path("report.html"),
    pairs: Annotated[list[Path] | None, typer.Option(help="Score on this file of word pairs; may be repeated.")] = None,
    analogies: Annotated[
        list[Path] | None, typer.Option(help="Score on this file of analogy questions; may be repeated.")
    ] = None,
    words: Annotated[int, typer.Option(min=1, help="How many words are on the map.")] = 400,
    method: Annotated[str, typer.Option(help="pca; tsne or umap where scikit-learn or umap-learn is there.")] = "pca",
) -> None:  # fmt: skip
    """One HTML file of a model: scores, a map with search, neighbours, curves, options. It needs no network."""
    from xw2v.vectors.report import write_report

    check_output(output)
    if output.suffix.lower() not in (".html", ".htm"):
        msg = f"cannot write {output}: the name of a report must end in .html or .htm"
        raise ConfigError(msg)
    vectors = load(model)
    options, history, epochs = {}, [], []
    if model.is_dir():
        with suppress(XW2VError):  # a folder of vectors alone
            trained = Word2Vec.load(model)
            options, history, epochs = trained.config.to_dict(), trained.history, trained.epoch_history
            options |= {"corpus words": trained.corpus_words, "backend": trained.backend_note}
    scores = vectors.evaluate([*(pairs or ()), *(analogies or ())])
    write_report(output, vectors, title=model.name, options=options, history=history, epochs=epochs, scores=scores,
                 words=words, method=method)  # fmt: skip
    Screen().line(f"wrote {output}")
