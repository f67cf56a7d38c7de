"""`xw2v demo`: train on a built-in corpus, ask, draw."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from xw2v.cli.options import Quiet
from xw2v.cli.outputs import output_kind
from xw2v.cli.questions import show_analogies, show_neighbors
from xw2v.cli.runs import PICTURE_ARROWS, finish_training, fit, pictures, training_summary
from xw2v.errors import ConfigError, FileAccessError
from xw2v.estimator import Word2Vec
from xw2v.screen import Screen
from xw2v.text.datasets import WORLD_ANALOGIES, WORLD_CLUSTERS, DocstringCorpus, world_corpus

__all__ = ["demo"]

DOCS_OPTIONS = {"vector_size": 50, "epochs": 10, "min_count": 10}
WORLD_OPTIONS = {"vector_size": 30, "epochs": 5, "min_count": 1, "sample": 0.0}
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
    output_kind(output, "model")
    screen = Screen(quiet)
    sentences = _demo_text(corpus, screen)
    model = Word2Vec(**(DOCS_OPTIONS if corpus == "docs" else WORLD_OPTIONS))
    start = time.perf_counter()
    interrupted = fit(model, sentences, screen)
    seconds = time.perf_counter() - start
    try:
        output.mkdir(exist_ok=True)
    except OSError as error:
        msg = f"cannot make the folder {output}: {error.strerror}"
        raise FileAccessError(msg) from error
    model.save(output / "model", progress=screen.live)
    passed = True
    if not interrupted:
        passed = _docs_questions(screen, model.wv) if corpus == "docs" else _world_questions(screen, model.wv)
    summary = training_summary(model, output / "model", seconds)
    summary["pictures"] = _demo_pictures(model, output, corpus)
    finish_training(screen, summary, interrupted, as_json=False)
    screen.note(f"Ask more: xw2v neighbors {output / 'model'} WORD")
    if not passed:
        raise typer.Exit(1)


def _demo_text(corpus: str, screen: Screen) -> list[list[str]]:
    """The sentences, with a word on what they are."""
    if corpus == "world":
        text = list(world_corpus())
        screen.sentence(
            f"A generated language of {sum(map(len, text)):,} words, whose grammar knows sex, royalty, age and opinion"
        )
        return text
    docs = DocstringCorpus()
    with screen.status("gathering the documentation of this Python"):
        text = list(docs)
    screen.sentence(docs.describe())
    return text


def _demo_pictures(model: Any, output: Path, corpus: str) -> list[str]:
    if corpus == "docs":
        return pictures(model, output / corpus, _DOCS_PICTURE)
    from xw2v.vectors.plots import plot_words

    # Among all 24 words the people fall into one point; by themselves they are a parallelogram.
    people = list(PICTURE_ARROWS[0])
    path = output / "world-analogy.png"
    plot_words(people, model.wv[people], path, analogies=PICTURE_ARROWS, title="king - man + woman = queen")
    return [*pictures(model, output / corpus, WORLD_CLUSTERS), str(path)]


def _docs_questions(screen: Screen, vectors: Any) -> bool:
    words = [word for word in _DOCS_NEIGHBORS if word in vectors]
    show_neighbors(screen, {word: vectors.most_similar(word, topn=6) for word in words})
    known = [question for question in _DOCS_ANALOGIES if all(word in vectors for word in question)]
    show_analogies(screen, vectors, known)
    return True  # the text differs between installations, so nothing is promised


def _world_questions(screen: Screen, vectors: Any) -> bool:
    right = show_analogies(screen, vectors, WORLD_ANALOGIES)
    cluster = {word: name for name, words in WORLD_CLUSTERS.items() for word in words}
    wrong = [word for word in cluster if cluster[_nearest(vectors, word, cluster)] != cluster[word]]
    screen.sentence(
        f"{len(cluster) - len(wrong)} of {len(cluster)} words are nearest to a word of their own meaning"
        + (f"; not {', '.join(wrong)}" if wrong else "")
    )
    return right and not wrong


def _nearest(vectors: Any, word: str, words: Iterable[str]) -> str:
    return max((other for other in words if other != word), key=lambda other: vectors.similarity(word, other))
