"""Pictures of words in two dimensions. Those of a training are drawn by `curves`."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xw2v.drawing import printable
from xw2v.errors import ConfigError, ShapeError, UnknownWordError
from xw2v.files import PathLike
from xw2v.vectors.arguments import as_key, as_list
from xw2v.vectors.curves import plot_loss, plot_runs, plot_scores
from xw2v.vectors.figures import (
    COLOURS,
    DPI,
    GREY,
    INK,
    boxes_for_missing_glyphs,
    check_suffix,
    fonts_for,
    new_figure,
    own_settings,
    save_figure,
)
from xw2v.vectors.projection import METHODS, project, project_2d

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    from xw2v.vectors.lookup import Key
    from xw2v.vectors.word_vectors import WordVectors

__all__ = ["plot_loss", "plot_runs", "plot_scores", "plot_vectors", "plot_words", "project_2d", "words_figure"]

Points = npt.NDArray[np.float64]

_LONGEST_LABEL = 40  # characters


# --- vectors ------------------------------------------------------------------------------------------------


def plot_vectors(
    wv: WordVectors,
    words: Iterable[Key] | None,
    path: PathLike | None,
    *,
    near: Iterable[Key] = (),
    analogies: Sequence[Sequence[Key]] = (),
    title: str | None = None,
    method: str = "pca",
) -> Figure:
    """The figure of `WordVectors.plot`, also written where there is a path."""
    if path is not None:
        check_suffix(Path(path))
    arrows = [analogy if isinstance(analogy, str) else _words(analogy) for analogy in analogies]
    around = {word: [word, *(other for other, _ in wv.most_similar(word, topn=15))] for word in _words(near)}
    drawn = ([] if around else _most_frequent(wv.index_to_key)) if words is None else _words(words)
    drawn = list(dict.fromkeys([*drawn, *chain(*arrows), *chain(*around.values())]))
    home = {word: centre for centre, found in reversed(around.items()) for word in found}
    groups = [home.get(word, "") for word in drawn] if around else None
    figure, _ = words_figure(drawn, wv[drawn], title=title, analogies=arrows, groups=groups, method=method)
    if path is not None:
        save_figure(figure, Path(path))
    return figure


def _words(given: Iterable[Key] | Key) -> list[str]:
    """A list of words, integers by their digits; one word may be given alone."""
    alone = as_key(given)
    return [str(word) for word in as_list(given)] if alone is None else [alone]


def _most_frequent(words: list[str]) -> list[str]:
    """Some words for a picture: not the shortest, which say little in English; any where others are few."""
    longer = [word for word in words if len(word) > 3][:50]
    return longer if len(longer) >= 10 else words[:50]


# --- words --------------------------------------------------------------------------------------------------


def plot_words(
    words: Sequence[str],
    vectors: npt.ArrayLike,
    path: PathLike | None,
    *,
    title: str | None = None,
    analogies: Sequence[Sequence[str]] = (),
    groups: Sequence[object] | None = None,
    method: str = "pca",
) -> Points:
    """Draw words in two dimensions, with labels that do not overlap, and return their coordinates.

    Parameters
    ----------
    words : n words, 5 to 150 read best
    vectors : (n, D) their vectors
    path : picture to write, .png, .svg or .pdf; None to return the coordinates only
    title : above the picture
    analogies : pairs (a, b) or quadruples (a, b, c, d) of the words; arrows go from a to b and from c to d
    groups : n values; words of one value get one colour
    method : "pca", "tsne" or "umap"; see `xw2v.vectors.projection.project`

    Returns
    -------
    (n, 2) float64 of `xw2v.vectors.projection.project`

    Raises
    ------
    ShapeError, ConfigError, NumericalError   arguments do not agree; a suffix that is not known.
    UnknownWordError   an analogy has a word that is not among `words`.
    FileAccessError   the picture cannot be written; an older one stays.

    Notes
    -----
    A dot that others would hide is a ring around them. Characters that no installed font has are drawn as boxes, and a
    line is logged; so it is where labels are left out because not even a larger picture has room for them. Labels of
    more than 40 characters are cut.
    """
    if path is None:
        return project(vectors, method)
    check_suffix(Path(path))
    figure, coordinates = words_figure(words, vectors, title=title, analogies=analogies, groups=groups, method=method)
    save_figure(figure, Path(path))
    return coordinates


@own_settings()
def words_figure(
    words: Sequence[str],
    vectors: npt.ArrayLike,
    *,
    title: str | None = None,
    analogies: Sequence[Sequence[str]] = (),
    groups: Sequence[object] | None = None,
    method: str = "pca",
) -> tuple[Figure, Points]:
    """The matplotlib figure of `plot_words` and the (n, 2) coordinates, nothing written."""
    coordinates = project(vectors, method)
    if len(coordinates) != len(words) or (groups is not None and len(groups) != len(words)):
        given = f"{len(coordinates)} vectors" + ("" if groups is None else f" and {len(groups)} groups")
        msg = f"each of {len(words)} words needs one vector and one group; got {given}"
        raise ShapeError(msg)
    arrows = _arrows(words, analogies)
    scale, without = 1.0, len(words) + 1
    while True:
        figure, axes, texts = _draw_words(words, vectors, coordinates, arrows, groups, title, scale, method)
        left_out = _place_labels(figure, axes, texts, coordinates, arrows)
        if not left_out or len(left_out) >= without or scale > 3:
            break
        # Too little room: a larger picture has more of it, letters stay as they are.
        scale, without = 1.25 * scale, len(left_out)
    if left_out:
        shown = ", ".join(text.get_text() for text in left_out[:3])
        logging.getLogger("xw2v").warning("no room for the labels of %d words, as %s; draw fewer", len(left_out), shown)
    return figure, coordinates


def _arrows(words: Sequence[str], analogies: Sequence[Sequence[str]]) -> list[tuple[int, int, int]]:
    """(row from, row to, colour) of each arrow; the two arrows of a quadruple have one colour."""
    rows = {word: row for row, word in reversed(list(enumerate(words)))}
    arrows = []
    for number, analogy in enumerate(analogies):
        if isinstance(analogy, str) or len(analogy) not in (2, 4):
            msg = f"an analogy to draw is 2 or 4 words; got {analogy!r}"
            raise ConfigError(msg)
        for word in analogy:
            if word not in rows:
                msg = f"{word!r} of the analogy {tuple(analogy)} is not among the {len(words)} words to draw; add it"
                raise UnknownWordError(msg)
        for a, b in zip(analogy[::2], analogy[1::2], strict=True):
            arrows.append((rows[a], rows[b], number % len(COLOURS)))
    return arrows


def _draw_words(
    words: Sequence[str],
    vectors: npt.ArrayLike,
    coordinates: Points,
    arrows: list[tuple[int, int, int]],
    groups: Sequence[object] | None,
    title: str | None,
    scale: float,
    method: str,
) -> tuple[Figure, Axes, list[Text]]:
    """Points, arrows and labels, these not yet in place."""
    width = scale * min(16.0, 6.5 + 0.06 * len(words))
    figure, axes = new_figure(width, 0.75 * width, title)
    for name, label in zip(("x", "y"), _axis_labels(vectors, coordinates, method), strict=True):
        axes.set(**{f"{name}label": label})
        getattr(axes, f"{name}axis").label.set(color=GREY, fontsize=9)
    kinds: list[object] = list(dict.fromkeys(groups if groups is not None else ()))
    numbers = [kinds.index(group) for group in groups] if groups is not None else [0] * len(words)
    colours = [COLOURS[number % len(COLOURS)] for number in numbers]
    for start, end, colour in arrows:
        style: dict[str, Any] = {"arrowstyle": "-|>", "color": COLOURS[colour], "lw": 1.3, "alpha": 0.75}
        style |= {"shrinkA": 4, "shrinkB": 4, "mutation_scale": 11}
        axes.annotate("", xy=tuple(coordinates[end]), xytext=tuple(coordinates[start]), arrowprops=style, zorder=2)
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    margin = np.where(high > low, 0.10 * (high - low), 1.0)
    axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
    axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
    sizes = _dot_sizes(axes.transData.transform(coordinates) * 72 / DPI)
    order = np.argsort(-sizes, kind="stable")
    colours = [colours[i] for i in order]
    x, y = coordinates[order].T
    axes.scatter(x, y, s=sizes[order] ** 2, c=colours, edgecolors="white", linewidths=0.6, zorder=3)
    shown = [_cut(printable(word)) for word in words]
    fonts = fonts_for(set().union(*shown))
    texts = [
        axes.text(0, 0, word, color=INK, fontsize=9, family=fonts, parse_math=False, usetex=False, zorder=5)
        for word in shown
    ]
    return figure, axes, texts


def _dot_sizes(places: Points) -> Points:
    """Diameters of dots, in points as their places: one that others would hide is larger, a ring around them."""
    from scipy.spatial import cKDTree

    near = cKDTree(places).query_pairs(2.0, output_type="ndarray")[:, 0]
    sizes: Points = 5.0 + 3.5 * np.minimum(np.bincount(near, minlength=len(places)), 3)
    return sizes


def _cut(word: str) -> str:
    return word if len(word) <= _LONGEST_LABEL else f"{word[: _LONGEST_LABEL - 3]}..."


def _axis_labels(vectors: npt.ArrayLike, coordinates: Points, method: str) -> tuple[str, str]:
    if method != "pca":
        return f"{METHODS[method]}: what is near is alike, far says little", ""
    total = float(np.var(np.asarray(vectors, dtype=np.float64), axis=0).sum())
    shares = np.var(coordinates, axis=0) / total if total > 0 else np.zeros(2)
    return f"component 1 ({shares[0]:.0%} of the variance)", f"component 2 ({shares[1]:.0%})"


# --- labels -------------------------------------------------------------------------------------------------


def _place_labels(
    figure: Figure, axes: Axes, texts: list[Text], coordinates: Points, arrows: list[tuple[int, int, int]]
) -> list[Text]:
    """Move each label next to its point where it covers no other; those that found no room are taken away.

    Greedy and without chance: the most crowded points choose first, each among places around it, near ones
    before far ones. A label that had to go far is tied to its point by a thin line.
    """
    with boxes_for_missing_glyphs():
        renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
        sizes = np.array([text.get_window_extent(renderer).size for text in texts]) + 2.0
    points = axes.transData.transform(coordinates)
    frame = axes.get_window_extent(renderer)
    bounds = np.array([frame.x0, frame.y0, frame.x1, frame.y1])
    obstacles = np.vstack([points, *(_along(points[a], points[b]) for a, b, _ in arrows)])
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    # A point that a label hides is worse than a piece of an arrow.
    weights = np.where(np.arange(len(obstacles)) < len(points), 90.0, 25.0)
    crowding = (1 / (1 + distances / sizes[:, 0].mean())).sum(axis=1)
    boxes, left_out = np.empty((0, 4)), []
    for i in np.argsort(-crowding, kind="stable").tolist():
        places = _candidates(points[i], sizes[i])
        cost = _costs(places, points[i], boxes, obstacles, weights, bounds)
        best = int(cost.argmin())
        if not np.isfinite(cost[best]):
            texts[i].set_visible(False)
            left_out.append(texts[i])
            continue
        boxes = np.vstack([boxes, places[best]])
        _move(figure, axes, texts[i], places[best], points[i])
    return left_out


def _along(start: Points, end: Points) -> Points:
    """Points every 8 pixels of an arrow."""
    steps = np.linspace(0, 1, 2 + int(np.linalg.norm(end - start) / 8))[:, None]
    result: Points = start + steps * (end - start)
    return result


def _candidates(point: Points, size: Points) -> Points:
    """(places, 4) boxes x0, y0, x1, y1 of a label around a point, nearest ring first, right and above first."""
    unit = DPI / 72
    boxes = []
    for ring in range(14):
        gap = (4.0 + 7.0 * ring) * unit
        for step in range(8 if ring == 0 else 16):
            angle = math.tau * step / (8 if ring == 0 else 16) + math.pi / 8 * (ring == 0)
            x, y = math.cos(angle), math.sin(angle)
            # The side of the box that faces the point lies on the ring.
            centre = point + gap * np.array([x, y]) + size / 2 * np.clip(1.5 * np.array([x, y]), -1, 1)
            boxes.append([*(centre - size / 2), *(centre + size / 2)])
    return np.array(boxes)


def _costs(places: Points, point: Points, boxes: Points, obstacles: Points, weights: Points, bounds: Points) -> Points:
    """Cost of each place: the way from its point, more over points and arrows; infinite over a label or outside."""
    x0, y0, x1, y1 = places.T
    nearest = np.clip(point, places[:, :2], places[:, 2:])
    cost: Points = np.linalg.norm(nearest - point, axis=1)
    pad = 3.0 * DPI / 72
    inside = (
        (obstacles[:, 0] > x0[:, None] - pad)
        & (obstacles[:, 0] < x1[:, None] + pad)
        & (obstacles[:, 1] > y0[:, None] - pad)
        & (obstacles[:, 1] < y1[:, None] + pad)
    )
    cost += inside @ weights
    left, bottom, right, top = bounds
    cost[(x0 < left) | (y0 < bottom) | (x1 > right) | (y1 > top)] = np.inf
    over = (
        (boxes[:, 0] < x1[:, None])
        & (boxes[:, 2] > x0[:, None])
        & (boxes[:, 1] < y1[:, None])
        & (boxes[:, 3] > y0[:, None])
    )
    cost[over.any(axis=1)] = np.inf
    return cost


def _move(figure: Figure, axes: Axes, text: Text, box: Points, point: Points) -> None:
    to_data = axes.transData.inverted().transform
    text.set(horizontalalignment="center", verticalalignment="center")
    text.set_position(tuple(to_data((box[:2] + box[2:]) / 2)))
    edge = np.clip(point, box[:2], box[2:])
    if np.linalg.norm(edge - point) > 9 * figure.dpi / 72:
        ends = to_data(np.array([point, edge]))
        axes.plot(ends[:, 0], ends[:, 1], color=GREY, linewidth=0.5, zorder=1)
