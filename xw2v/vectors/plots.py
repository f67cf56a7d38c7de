"""Pictures: words in two dimensions, and the course of the loss.

matplotlib is imported when a picture is drawn, and pyplot never: figures are made and dropped here, so no window
opens, and the caller's figures and settings are left alone.
"""

from __future__ import annotations

import io
import logging
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xw2v.errors import ConfigError, FileAccessError, ShapeError, UnknownWordError
from xw2v.files import PathLike, atomic_write
from xw2v.vectors.projection import METHODS, project, project_2d

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

__all__ = ["plot_loss", "plot_runs", "plot_words", "project_2d", "words_figure"]

Points = npt.NDArray[np.float64]

# Okabe and Ito's colours, told apart by colour-blind readers too; yellow is left out, it is pale on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_INK, _GREY, _PALE = "#222222", "#8a8a8a", "#e6e6e6"
_DPI = 160
_SUFFIXES = (".png", ".svg", ".pdf")
# Looked for, in this order, for characters that DejaVu Sans lacks.
_WIDE_FONTS = (
    "Noto Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans JP",
    "Noto Sans SC",
    "WenQuanYi Zen Hei",
    "Arial Unicode MS",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Noto Sans Devanagari",
    "Nirmala UI",
)


@contextmanager
def _own_settings() -> Iterator[None]:
    """The defaults of matplotlib while drawing, and the caller's settings again after it."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams["svg.hashsalt"] = "xw2v"  # or an .svg would name its parts anew every time
        yield


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
    Characters that no installed font has are drawn as boxes, and a line is logged.
    """
    if path is None:
        return project(vectors, method)
    _check_suffix(Path(path))
    figure, coordinates = words_figure(words, vectors, title=title, analogies=analogies, groups=groups, method=method)
    _save(figure, Path(path))
    return coordinates


@_own_settings()
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
    scale = 1.0
    while True:
        figure, axes, texts = _draw_words(words, vectors, coordinates, arrows, groups, title, scale, method)
        if _place_labels(figure, axes, texts, coordinates, arrows) or scale > 3:
            return figure, coordinates
        scale *= 1.25  # too little room: a larger picture has more of it, letters stay as they are


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
            arrows.append((rows[a], rows[b], number % len(_COLOURS)))
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
    figure, axes = _new_figure(width, 0.75 * width, title)
    for name, label in zip(("x", "y"), _axis_labels(vectors, coordinates, method), strict=True):
        axes.set(**{f"{name}label": label})
        getattr(axes, f"{name}axis").label.set(color=_GREY, fontsize=9)
    kinds: list[object] = list(dict.fromkeys(groups if groups is not None else ()))
    numbers = [kinds.index(group) for group in groups] if groups is not None else [0] * len(words)
    colours = [_COLOURS[number % len(_COLOURS)] for number in numbers]
    for start, end, colour in arrows:
        style: dict[str, Any] = {"arrowstyle": "-|>", "color": _COLOURS[colour], "lw": 1.3, "alpha": 0.75}
        style |= {"shrinkA": 4, "shrinkB": 4, "mutation_scale": 11}
        axes.annotate("", xy=tuple(coordinates[end]), xytext=tuple(coordinates[start]), arrowprops=style, zorder=2)
    axes.scatter(coordinates[:, 0], coordinates[:, 1], s=26, c=colours, edgecolors="white", linewidths=0.6, zorder=3)
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    margin = np.where(high > low, 0.10 * (high - low), 1.0)
    axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
    axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
    shown = [_printable(word) for word in words]
    fonts = _fonts(set().union(*shown))
    texts = [
        axes.text(0, 0, word, color=_INK, fontsize=9, family=fonts, parse_math=False, usetex=False, zorder=5)
        for word in shown
    ]
    return figure, axes, texts


def _axis_labels(vectors: npt.ArrayLike, coordinates: Points, method: str) -> tuple[str, str]:
    if method != "pca":
        return f"{METHODS[method]}: what is near is alike, far says little", ""
    total = float(np.var(np.asarray(vectors, dtype=np.float64), axis=0).sum())
    shares = np.var(coordinates, axis=0) / total if total > 0 else np.zeros(2)
    return f"component 1 ({shares[0]:.0%} of the variance)", f"component 2 ({shares[1]:.0%})"


def _new_figure(width: float, height: float, title: str | None) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    # Margins in inches, so that a large picture has no wide frame.
    axes = figure.add_axes((0.8 / width, 0.55 / height, 1 - 0.95 / width, 1 - (1.0 if title else 0.7) / height))
    axes.set_facecolor("white")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GREY)
    axes.tick_params(colors=_GREY, labelsize=8, length=3)
    axes.grid(visible=True, color=_PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    if title:
        shown = _printable(title)
        axes.set_title(
            shown, color=_INK, fontsize=12, loc="left", family=_fonts(set(shown)), parse_math=False, usetex=False
        )
    return figure, axes


def _printable(word: str) -> str:
    """`word` with line ends, tabs and the like spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in word)


def _fonts(characters: set[str]) -> list[str]:
    """Font families to try in turn: DejaVu Sans, which comes with matplotlib, and more where it lacks a character."""
    from matplotlib import font_manager

    default = font_manager.get_font(font_manager.findfont("DejaVu Sans"))
    lacking = sorted(c for c in characters if not default.get_char_index(ord(c)))
    if not lacking:
        return ["DejaVu Sans"]
    installed = {font.name for font in font_manager.fontManager.ttflist}
    families = ["DejaVu Sans", *(name for name in _WIDE_FONTS if name in installed)]
    if len(families) == 1:
        logging.getLogger("xw2v").warning("no installed font is known to have %s; install Noto Sans", lacking[:5])
    return families


# --- labels -------------------------------------------------------------------------------------------------


def _place_labels(
    figure: Figure, axes: Axes, texts: list[Text], coordinates: Points, arrows: list[tuple[int, int, int]]
) -> bool:
    """Move each label next to its point where it covers no other; False where some found no room.

    Greedy and without chance: the most crowded points choose first, each among places around it, near ones
    before far ones. A label that had to go far is tied to its point by a thin line.
    """
    with _boxes_for_missing_glyphs():
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
    boxes = np.empty((0, 4))
    for i in np.argsort(-crowding, kind="stable").tolist():
        places = _candidates(points[i], sizes[i])
        cost = _costs(places, points[i], boxes, obstacles, weights, bounds)
        best = int(cost.argmin())
        if not np.isfinite(cost[best]):
            return False
        boxes = np.vstack([boxes, places[best]])
        _move(figure, axes, texts[i], places[best], points[i])
    return True


def _along(start: Points, end: Points) -> Points:
    """Points every 8 pixels of an arrow."""
    steps = np.linspace(0, 1, 2 + int(np.linalg.norm(end - start) / 8))[:, None]
    result: Points = start + steps * (end - start)
    return result


def _candidates(point: Points, size: Points) -> Points:
    """(places, 4) boxes x0, y0, x1, y1 of a label around a point, nearest ring first, right and above first."""
    unit = _DPI / 72
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
    pad = 3.0 * _DPI / 72
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
        axes.plot(ends[:, 0], ends[:, 1], color=_GREY, linewidth=0.5, zorder=1)


# --- loss ---------------------------------------------------------------------------------------------------


@_own_settings()
def plot_loss(records: Iterable[Any], path: PathLike, *, title: str | None = None, xlabel: str | None = None) -> Points:
    """Draw the course of the loss: the values pale, and a moving average over them.

    Parameters
    ----------
    records : (x, loss) pairs, or records (objects or dicts) with "loss" and one of "words", "pairs", "step", "epoch"
    path : picture to write, .png, .svg or .pdf
    xlabel : below the axis; the name of the record's field where it is not given

    Returns
    -------
    (n, 3) float64: x, loss and the moving average of the finite records, by x

    Raises
    ------
    ConfigError   no finite record, or records of another form; a suffix that is not known.
    FileAccessError   the picture cannot be written; an older one stays.
    """
    from matplotlib.ticker import EngFormatter

    _check_suffix(Path(path))
    name, curve = _curve(records)
    figure, axes = _new_figure(7.5, 4.6, title)
    if len(curve) > 10:
        axes.plot(curve[:, 0], curve[:, 1], color=_COLOURS[5], linewidth=0.7, alpha=0.6, label="loss")
        axes.plot(curve[:, 0], curve[:, 2], color=_COLOURS[0], linewidth=1.8, label="moving average")
        axes.legend(frameon=False, fontsize=9, labelcolor=_INK)
    else:
        axes.plot(curve[:, 0], curve[:, 1], color=_COLOURS[0], linewidth=1.8, marker="o", markersize=4)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel(xlabel if xlabel is not None else name, color=_INK, fontsize=10)
    axes.set_ylabel("loss", color=_INK, fontsize=10)
    _save(figure, Path(path))
    return curve


@_own_settings()
def plot_runs(runs: Mapping[str, Iterable[Any]], path: PathLike, *, title: str | None = None) -> dict[str, Points]:
    """Draw the moving averages of the losses of several runs in one picture.

    Parameters
    ----------
    runs : by name, what `plot_loss` takes of each

    Returns
    -------
    by name, (n, 3) float64 as `plot_loss`

    Raises
    ------
    ConfigError, FileAccessError   as `plot_loss`
    """
    from matplotlib.ticker import EngFormatter

    _check_suffix(Path(path))
    curves = {run: _curve(records) for run, records in runs.items()}
    figure, axes = _new_figure(7.5, 4.6, title)
    for number, (run, (_, curve)) in enumerate(curves.items()):
        line = ("-", "--", ":")[number // len(_COLOURS) % 3]
        axes.plot(curve[:, 0], curve[:, 2], line, color=_COLOURS[number % len(_COLOURS)], linewidth=1.8, label=run)
    axes.legend(frameon=False, fontsize=9, labelcolor=_INK)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel(next((name for name, _ in curves.values()), ""), color=_INK, fontsize=10)
    axes.set_ylabel("loss, moving average", color=_INK, fontsize=10)
    _save(figure, Path(path))
    return {run: curve for run, (_, curve) in curves.items()}


def _curve(records: Iterable[Any]) -> tuple[str, Points]:
    """Name of x, and (n, 3) x, loss, moving average."""
    name, pairs = "", []
    for record in records:
        name, pair = _pair(record)
        if all(math.isfinite(value) for value in pair):
            pairs.append(pair)
    if not pairs:
        msg = "no record with a finite loss to draw; train first, or pass (x, loss) pairs"
        raise ConfigError(msg)
    table = np.array(sorted(pairs))
    window = max(1, len(table) // 60)
    kernel = np.ones(2 * window + 1)
    # Divided by the number of values under the window, so that the ends are averages too.
    smooth = np.convolve(table[:, 1], kernel)[window:-window] / np.convolve(np.ones(len(table)), kernel)[window:-window]
    return name, np.column_stack([table, smooth])


def _pair(record: Any) -> tuple[str, tuple[float, float]]:
    fields = (
        record
        if isinstance(record, dict)
        else {
            name: getattr(record, name) for name in ("loss", "words", "pairs", "step", "epoch") if hasattr(record, name)
        }
    )
    try:
        for name in ("words", "pairs", "step", "epoch"):
            if "loss" in fields and name in fields:
                return name, (float(fields[name]), float(fields["loss"]))
        x, loss = record
        return "", (float(x), float(loss))
    except (TypeError, ValueError) as error:
        msg = f"wanted (x, loss) pairs, or records with a loss and words, pairs, step or epoch; got {record!r:.80}"
        raise ConfigError(msg) from error


# --- files --------------------------------------------------------------------------------------------------


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in _SUFFIXES:
        msg = f"cannot draw to {path}: the name must end in .png, .svg or .pdf"
        raise ConfigError(msg)
    if not path.parent.is_dir():
        msg = f"cannot write {path}: there is no folder {path.parent}; make it first"
        raise FileAccessError(msg)


@contextmanager
def _boxes_for_missing_glyphs() -> Iterator[None]:
    """`_fonts` has said what is lacking; matplotlib's warning for each glyph adds nothing."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support", category=UserWarning)
        yield


@_own_settings()
def _save(figure: Figure, path: Path) -> None:
    kind = path.suffix.lower()[1:]
    # No date inside: the same words give the same picture.
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    buffer = io.BytesIO()
    with _boxes_for_missing_glyphs():
        figure.savefig(buffer, format=kind, dpi=_DPI, metadata=metadata, facecolor="white")
    with atomic_write(path) as file:
        file.write(buffer.getvalue())
