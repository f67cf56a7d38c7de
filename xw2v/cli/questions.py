"""`xw2v neighbors`, `analogy` and `evaluate`: questions to vectors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from xw2v.cli.options import Json, ModelPath, Top
from xw2v.cli.outputs import load, print_json
from xw2v.errors import ConfigError, FormatError
from xw2v.screen import Screen
from xw2v.vectors.evaluation import Score
from xw2v.vectors.test_sets import holds_questions
from xw2v.vectors.word_pairs import WordPairResult

__all__ = ["analogy", "evaluate", "neighbors", "show_analogies", "show_neighbors"]


def neighbors(
    model: ModelPath,
    words: Annotated[list[str], typer.Argument(metavar="WORD", show_default=False, help="Words of the model.")],
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
        screen.table("", list(found), list(rows), repeat=0)
        return
    for word, near in found.items():
        for other, score in near:
            screen.line(f"{word}\t{other}\t{score:.4f}")


def analogy(
    model: ModelPath,
    a: Annotated[str, typer.Argument(metavar="A", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", show_default=False)],
    c: Annotated[str, typer.Argument(metavar="C", show_default=False)],
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
    models: Annotated[
        list[Path],
        typer.Argument(metavar="MODEL", show_default=False,
                       help="A model folder or a word2vec file; several are shown side by side."),
    ],
    pairs: Annotated[
        list[Path] | None, typer.Option(help="File of word pairs with human similarity; may be repeated.")
    ] = None,
    analogies: Annotated[
        list[Path] | None, typer.Option(help="File of analogy questions, four words a line; may be repeated.")
    ] = None,
    restrict_vocab: Annotated[int, typer.Option(min=1, help="Use the most frequent words only.")] = 300_000,
    common: Annotated[
        bool, typer.Option("--common", help="Use the words that all the models have: all are asked the same.")
    ] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Score vectors against people's judgements, with 95 % intervals; several models side by side."""
    files = [*(pairs or ()), *(analogies or ())]
    if not files:
        msg = "nothing to evaluate: give --pairs FILE or --analogies FILE"
        raise ConfigError(msg)
    for file in analogies or ():
        if not holds_questions(file):
            msg = f"{file} holds no analogy questions: wanted a line ': name' and four words a line below it"
            raise FormatError(msg)
    loaded = {str(model): load(model) for model in models}
    if common:
        loaded = _of_common_words(loaded, restrict_vocab)
    several = len(models) > 1
    found = {}
    for model, vectors in loaded.items():
        try:
            found[model] = vectors.evaluate(files, restrict_vocab)
        except FormatError as error:  # it knows too little of a file; or the file is at fault
            msg = f"{model}: {error}" if several else str(error)
            raise FormatError(msg) from error
    for model, scores in found.items():
        for score in scores:
            if math.isnan(score.score):
                why = "all scores in it, or all cosines, are equal"
                Screen().warn(f"{score.file} with {model}: no correlation, for {why}")
    if as_json:
        values = {model: [_score_facts(score) for score in scores] for model, scores in found.items()}
        print_json(values if several else next(iter(values.values())))
        return
    rows = []
    for scores in zip(*found.values(), strict=True):
        # Models may know other pairs or questions: of several each has a count of its own.
        figures = [f"{score.score:.4f} ({score.low:.3f} to {score.high:.3f})" for score in scores]
        counts = [f"{score.used}/{score.total}" for score in scores]
        cells = map(" ".join, zip(figures, counts, strict=True)) if several else figures + counts
        rows.append([scores[0].file, scores[0].measure, *cells])
    columns = found if several else ("score", "in vocabulary")
    Screen().table("", ["file", "measure", *columns], rows, repeat=2 if several else None)


def _of_common_words(models: dict[str, Any], most: int) -> dict[str, Any]:
    """The models without the words that some of them have not among their first so many; each in its own order."""
    words = set.intersection(*(set(vectors.index_to_key[:most]) for vectors in models.values()))
    if not words:
        msg = f"--common: {' and '.join(models)} have no word in common"
        raise ConfigError(msg)
    return {
        name: vectors.vectors_for_all(word for word in vectors.index_to_key if word in words)
        for name, vectors in models.items()
    }


def _score_facts(score: Score) -> dict[str, Any]:
    facts = {name: value for name, value in score._asdict().items() if name != "result"}
    if isinstance(score.result, WordPairResult):
        return {**facts, "spearman": score.result.spearman, "pearson": score.result.pearson}
    return {**facts, "sections": {part.name: part.accuracy for part in score.result.sections if part.total}}
