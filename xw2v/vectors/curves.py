"""Pictures of a training: the course of the loss, and of scores."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xw2v.drawing import printable
from xw2v.errors import ConfigError
from xw2v.files import PathLike
from xw2v.vectors.figures import (
    COLOURS,
    INK,
    check_suffix,
    fonts_for,
    new_figure,
    own_settings,
    save_figure,
    strip_below,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["has_loss", "plot_loss", "plot_runs", "plot_scores"]

Points = npt.NDArray[np.float64]

_FIELDS = ("words", "pairs", "step", "epoch")  # of a record: the first that it has is x
_LONGEST_NAME = 45  # characters
_LEGEND: dict[str, Any] = {"frameon": False, "fontsize": 9, "labelcolor": INK}


@own_settings()
def plot_loss(
    records: Iterable[Any],
    path: PathLike,
    *,
    title: str | None = None,
    xlabel: str | None = None,
    epochs: Iterable[Any] = (),
) -> Points:
    """Draw the course of the loss: the values pale, and a moving average over them; and that of sentences kept aside.

    The learning rate is drawn below, where the records have it.

    Parameters
    ----------
    records : (x, loss) pairs, or records (objects or dicts) with "loss", one of "words", "pairs", "step", "epoch", and
        maybe "alpha", the learning rate
    path : picture to write, .png, .svg or .pdf
    xlabel : below the axis; the name of the record's field where it is not given
    epochs : `epoch_history` of a model; those with a `validation_loss` are drawn over their `words`, the best marked

    Returns
    -------
    (n, 3) float64: x, loss and the moving average of the finite records, by x; without chunks that had no pair

    Raises
    ------
    ConfigError   no finite record, or records of another form; a suffix that is not known.
    FileAccessError   the picture cannot be written; an older one stays.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plot_loss([(0, 3.0), (1, 2.0)], folder + "/loss.png").tolist()
    [[0.0, 3.0, 2.5], [1.0, 2.0, 2.5]]
    """
    from matplotlib.ticker import EngFormatter

    check_suffix(Path(path))
    held = list(records)
    name, curve = _curve(held)
    figure, axes = new_figure(7.5, 4.6, title)
    if len(curve) > 10:
        axes.plot(curve[:, 0], curve[:, 1], color=COLOURS[5], linewidth=0.7, alpha=0.6, label="loss")
        axes.plot(curve[:, 0], curve[:, 2], color=COLOURS[0], linewidth=1.8, label="moving average")
    else:
        axes.plot(curve[:, 0], curve[:, 1], color=COLOURS[0], linewidth=1.8, marker="o", markersize=4, label="loss")
    aside = [(end.words, end.validation_loss) for end in epochs if end.validation_loss is not None]
    if aside:
        x, y = zip(*aside, strict=True)
        axes.plot(x, y, color=COLOURS[1], linewidth=1.8, marker="o", markersize=4, label="sentences kept aside")
        best = y.index(min(y))
        axes.plot(x[best], y[best], "o", color=COLOURS[1], markersize=10, fillstyle="none", label="the lowest")
    if aside or len(curve) > 10:
        axes.legend(**_LEGEND)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    _draw_rates(figure, axes, [(_rates(held), COLOURS[0], "-")])
    _label_and_save(figure, axes, path, xlabel if xlabel is not None else name, "loss")
    return curve


@own_settings()
def plot_runs(runs: Mapping[str, Iterable[Any]], path: PathLike, *, title: str | None = None) -> dict[str, Points]:
    """Draw the moving averages of the losses of several runs in one picture, and their learning rates below.

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

    check_suffix(Path(path))
    held = {run: list(records) for run, records in runs.items()}
    curves = {run: _curve(records) for run, records in held.items()}
    figure, axes = new_figure(7.5, 4.6, title)
    lines, rates = [], []
    for number, (run, (_, curve)) in enumerate(curves.items()):
        colour, style = COLOURS[number % len(COLOURS)], ("-", "--", ":")[number // len(COLOURS) % 3]
        lines += axes.plot(curve[:, 0], curve[:, 2], style, color=colour, linewidth=1.8)
        rates.append((_rates(held[run]), colour, style))
    _name_lines(axes, lines, curves)
    _draw_rates(figure, axes, rates)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    _label_and_save(figure, axes, path, next((name for name, _ in curves.values()), ""), "loss, moving average")
    return {run: curve for run, (_, curve) in curves.items()}


@own_settings()
def plot_scores(runs: Mapping[str, Iterable[Any]], path: PathLike, *, title: str | None = None) -> dict[str, Points]:
    """Draw scores against the time of training: a colour a test set, a kind of line a run.

    Parameters
    ----------
    runs : by name, the `epoch_history` of a model, whose records have `seconds` and `scores`, see `xw2v.EpochScores`
    path : picture to write, .png, .svg or .pdf

    Returns
    -------
    by "test set" or "run: test set" where there are several runs, (n, 2) float64: seconds and score

    Raises
    ------
    ConfigError       no record has a score; a suffix that is not known.
    FileAccessError   the picture cannot be written; an older one stays.
    """
    check_suffix(Path(path))
    held = {run: list(records) for run, records in runs.items()}
    names = list(dict.fromkeys(name for records in held.values() for end in records for name in end.scores))
    if not names:
        msg = "no scores to draw: train with callbacks=[EpochScores(FILE)], or xw2v train --evaluate FILE"
        raise ConfigError(msg)
    figure, axes = new_figure(7.5, 4.6, title)
    curves: dict[str, Points] = {}
    lines = []
    for style, (run, records) in zip(itertools.cycle(("-", "--", ":", "-.")), held.items()):
        for colour, name in zip(itertools.cycle(COLOURS), names):
            curve = np.array([(end.seconds, end.scores[name]) for end in records if name in end.scores], ndmin=2)
            if curve.size:
                label = name if len(held) == 1 else f"{run}: {name}"
                lines += axes.plot(*curve.T, style, color=colour, linewidth=1.8, marker="o", markersize=4)
                curves[label] = curve
    _name_lines(axes, lines, curves)
    axes.set_xlim(left=0)
    _label_and_save(figure, axes, path, "seconds of training", "score")
    return curves


def _rates(records: Iterable[Any]) -> Points:
    """(n, 2) x and learning rate, by x, of the records that have one."""
    found = []
    for record in records:
        rate = record.get("alpha") if isinstance(record, dict) else getattr(record, "alpha", None)
        if rate is not None:
            found.append((_pair(record)[1][0], float(rate)))
    return np.array(sorted(found), ndmin=2)


def _draw_rates(figure: Figure, axes: Axes, rates: Iterable[tuple[Points, str, str]]) -> None:
    """Learning rates in a strip below the losses, each in the colour and kind of line of its run."""
    held = [(curve, colour, style) for curve, colour, style in rates if curve.size]
    if not held:
        return
    strip = strip_below(figure, axes)
    for curve, colour, style in held:
        strip.plot(*curve.T, style, color=colour, linewidth=1.2)
    strip.set_ylim(bottom=0)
    strip.set_ylabel("learning rate", color=INK, fontsize=8)


def _name_lines(axes: Axes, lines: list[Line2D], names: Iterable[str]) -> None:
    """A legend with names as they are: to matplotlib _ at the beginning means none, and $ a formula."""
    shown = [_cut(printable(name)) for name in names]
    fonts = fonts_for(set().union(*shown))
    legend = axes.legend(lines, list(map(str, range(len(lines)))), **_LEGEND)
    for text, name in zip(legend.get_texts(), shown, strict=True):
        text.set(text=name, family=fonts, parse_math=False, usetex=False)


def _cut(name: str) -> str:
    """A name that leaves room for the curves; paths of runs differ at their ends as well."""
    half = (_LONGEST_NAME - 3) // 2
    return name if len(name) <= _LONGEST_NAME else f"{name[:half]}...{name[-half:]}"


def _curve(records: Iterable[Any]) -> tuple[str, Points]:
    """Name of x, and (n, 3) x, loss, moving average."""
    name = ""
    pairs: list[tuple[float, float]] = []
    without: list[tuple[float, float]] = []
    for record in records:
        name, pair = _pair(record)
        if all(math.isfinite(value) for value in pair):
            (pairs if has_loss(record) else without).append(pair)
    pairs = pairs or without  # a run that trained no pair at all is drawn as it was
    if not pairs:
        msg = "no record with a finite loss to draw; train first, or pass (x, loss) pairs"
        raise ConfigError(msg)
    table = np.array(sorted(pairs))
    window = max(1, len(table) // 60)
    kernel = np.ones(2 * window + 1)
    # Divided by the number of values under the window, so that the ends are averages too.
    smooth = np.convolve(table[:, 1], kernel)[window:-window] / np.convolve(np.ones(len(table)), kernel)[window:-window]
    return name, np.column_stack([table, smooth])


def has_loss(record: Any) -> bool:
    """Whether a record has a loss to draw: that of a chunk without a pair, which says so, is none."""
    return bool(getattr(record, "has_loss", True))


def _pair(record: Any) -> tuple[str, tuple[float, float]]:
    """Name of x, and (x, loss) of a record."""
    fields = record
    if not isinstance(record, dict):
        fields = {name: getattr(record, name) for name in ("loss", *_FIELDS) if hasattr(record, name)}
    try:
        for name in _FIELDS:
            if "loss" in fields and name in fields:
                return name, (float(fields[name]), float(fields["loss"]))
        x, loss = record
        return "", (float(x), float(loss))
    except (TypeError, ValueError) as error:
        msg = f"wanted (x, loss) pairs, or records with a loss and words, pairs, step or epoch; got {record!r:.80}"
        raise ConfigError(msg) from error


def _label_and_save(figure: Figure, axes: Axes, path: PathLike, x: str, y: str) -> None:
    figure.axes[-1].set_xlabel(x, color=INK, fontsize=10)  # the lowest
    axes.set_ylabel(y, color=INK, fontsize=10)
    save_figure(figure, Path(path))
