"""`xw2v neighbors`, `analogy` and `evaluate`: questions to vectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from xw2v.cli.options import Json, ModelPath, Top
from xw2v.cli.outputs import load, print_json
from xw2v.errors import ConfigError
from xw2v.screen import Screen

__all__ = ["analogy", "evaluate", "neighbors", "show_analogies", "show_neighbors"]


def neighbors(
    model: ModelPath,
    words: Annotated[list[str], typer.Argument(metavar="WORD...", show_default=False)],
    topn: Top = 10,
    as_json: Json = False,
) -> None:
    """The words nearest to each word, by cosine; in a pipe as lines of word, neighbour, cosine."""
    vectors = load(model)
    found = {word: vectors.most_similar(word, topn=topn) for word in words}
    if as_json:
        print_json({word: [[other, float(score)] for other, score in near] for word, near in found.items()})
        return
    show_neighbors(Screen(), found)


def show_neighbors(screen: Screen, found: dict[str, list[tuple[str, float]]]) -> None:
    """A table on a terminal, else lines of word, neighbour, cosine."""
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
    found = load(model).most_similar(positive=[b, c], negative=[a], topn=topn)
    if as_json:
        print_json([[word, float(score)] for word, score in found])
        return
    screen = Screen()
    rows = [[word, f"{score:.4f}"] for word, score in found]
    screen.table(f"{a} is to {b} as {c} is to", ["word", "cosine"], rows)


def show_analogies(screen: Screen, vectors: Any, questions: Sequence[tuple[str, str, str, str]]) -> bool:
    """A table of questions with the answers found; True where all are right."""
    rows: list[list[str]] = []
    for a, b, c, expected in questions:
        found, score = vectors.analogy(a, b, c, topn=1)[0]
        rows.append([f"{a} : {b} = {c} :", found, f"{score:.2f}", "yes" if found == expected else f"no, {expected}"])
    right = sum(row[-1] == "yes" for row in rows)
    screen.table(f"Analogies: {right} of {len(rows)} right", ["question", "answer", "cosine", "right"], rows)
    return right == len(rows)


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
    vectors = load(model)
    scores = [_pair_scores(vectors, path, restrict_vocab) for path in pairs or ()]
    scores += [_analogy_scores(vectors, path, restrict_vocab) for path in analogies or ()]
    if as_json:
        print_json(scores)
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
