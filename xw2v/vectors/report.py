"""A report of word vectors: one HTML file that needs no network to be looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from xw2v.errors import ConfigError
from xw2v.files import PathLike, atomic_write
from xw2v.vectors.curves import has_loss
from xw2v.vectors.projection import METHODS, project

if TYPE_CHECKING:
    from xw2v.vectors.evaluation import Score
    from xw2v.vectors.word_vectors import WordVectors

__all__ = ["write_report"]

_POINTS = 600  # of a curve


def write_report(
    path: PathLike,
    wv: WordVectors,
    *,
    title: str = "Word vectors",
    options: Mapping[str, Any] | None = None,
    history: Sequence[Any] = (),
    epochs: Sequence[Any] = (),
    scores: Sequence[Score] = (),
    words: int = 400,
    neighbors: int = 10,
    method: str = "pca",
) -> None:
    """Write the report: scores, a map with search and the nearest words, curves of the training, options.

    Parameters
    ----------
    path : an .html file
    options : name and value of whatever should be said of the model
    history : `history` of a model
    epochs : `epoch_history` of a model: the loss on sentences kept aside and scores, where there are some
    scores : of `WordVectors.evaluate`
    words : how many on the map, the first, which are the most frequent where a training made them
    method : of the map; see `xw2v.vectors.projection.project`

    Raises
    ------
    ConfigError       no words, or no such method.
    FileAccessError   it cannot be written; an older one stays.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from xw2v import WordVectors
    >>> wv = WordVectors(["a", "b", "c"], [[1, 2], [3, 4], [5, 7]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(Path(folder) / "report.html", wv)
    ...     (Path(folder) / "report.html").read_text(encoding="utf-8")[:15]
    '<!doctype html>'
    """
    shown = wv.index_to_key[:words]
    if not shown:
        msg = "there are no words to report on"
        raise ConfigError(msg)
    data = {
        "title": f"{title}: {len(wv):,} words, {wv.vector_size} numbers each",
        "words": shown,
        "points": [[float(f"{number:.5g}") for number in point] for point in project(wv[shown], method).tolist()],
        "near": [[[word, round(cosine, 4)] for word, cosine in row] for row in wv.most_similar_batch(shown, neighbors)],
        "method": f"{METHODS[method]} of the {len(shown)} most frequent words; click on one, or search",
        "options": [[name, str(value)] for name, value in (options or {}).items()],
        "scores": [
            [s.file, s.measure, f"{s.score:.4f}", f"{s.low:.3f} to {s.high:.3f}", f"{s.used}/{s.total}"] for s in scores
        ],
        "ending": _ending(history, epochs, patient=(options or {}).get("patience") is not None),
        "curves": _curves(history) + _epoch_curves(epochs),
    }
    # "<" in a word must not end the script that holds the data.
    text = json.dumps(data).replace("<", "\\u003c")
    page = files("xw2v.vectors").joinpath("report.html").read_text(encoding="utf-8").replace("DATA", text, 1)
    with atomic_write(path) as file:
        file.write(page.encode())


def _ending(history: Sequence[Any], epochs: Sequence[Any], patient: bool) -> str:
    """Where a training ended before its time, and of which epoch the vectors are if not of the last; or nothing."""
    if not history:
        return ""
    last, said = history[-1], []
    end = epochs[-1] if epochs and epochs[-1].words >= last.words else None
    if last.words < last.total_words:
        where = f"in epoch {last.epoch + 1}" if end is None else f"after epoch {end.epoch + 1}"
        said.append(f"Ended {where} of {last.epochs}.")
    if end is not None and patient and not end.improved and (end.last or last.words == last.total_words):
        best = max(end.epoch for end in epochs if end.improved)
        said.append(f"The vectors are those of epoch {best + 1}, with the lowest loss on the sentences kept aside.")
    return " ".join(said)


def _epoch_curves(epochs: Sequence[Any]) -> list[list[Any]]:
    aside = [[end.words, round(end.validation_loss, 6)] for end in epochs if end.validation_loss is not None]
    curves: list[list[Any]] = [["loss of a pair kept aside", aside]]
    for name in dict.fromkeys(name for end in epochs for name in end.scores):
        curves.append([name, [[end.words, round(end.scores[name], 6)] for end in epochs if name in end.scores]])
    return [curve for curve in curves if len(curve[1]) > 1]


def _curves(history: Sequence[Any]) -> list[list[Any]]:
    history = [record for record in history if has_loss(record)]
    if len(history) < 2:
        return []
    some = history[:: -(-len(history) // _POINTS)]
    return [
        [title, [[record.words, round(float(getattr(record, field)), 6)] for record in some]]
        for title, field in (("loss of a pair, in nats", "loss"), ("learning rate", "alpha"))
    ]
