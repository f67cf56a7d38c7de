"""What every picture has: its frame, colours that all readers can tell apart, fonts, and being written whole or not.

matplotlib is imported when a picture is drawn, and pyplot never: figures are made and dropped here, so no window
opens, and the caller's figures and settings are left alone.
"""

from __future__ import annotations

import io
import logging
import warnings
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from xw2v.drawing import printable
from xw2v.errors import ConfigError, FileAccessError
from xw2v.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

__all__ = [
    "COLOURS",
    "DPI",
    "GREY",
    "INK",
    "boxes_for_missing_glyphs",
    "check_suffix",
    "figure_bytes",
    "fonts_for",
    "new_figure",
    "own_settings",
    "save_figure",
    "strip_below",
]

# Okabe and Ito's colours, told apart by colour-blind readers too; yellow is left out, it is pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK, GREY, PALE = "#222222", "#8a8a8a", "#e6e6e6"
DPI = 160
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
def own_settings() -> Iterator[None]:
    """The defaults of matplotlib while drawing, and the caller's settings again after it."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams["svg.hashsalt"] = "xw2v"  # or an .svg would name its parts anew every time
        yield


def new_figure(width: float, height: float, title: str | None) -> tuple[Figure, Axes]:
    """A figure of so many inches, and its axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from xw2v.vectors.shown_figure import ShownFigure

    figure = ShownFigure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    # Margins in inches, so that a large picture has no wide frame.
    axes = figure.add_axes((0.8 / width, 0.55 / height, 1 - 0.95 / width, 1 - (1.0 if title else 0.7) / height))
    _dress(axes)
    if title:
        shown = printable(title)
        text = axes.set_title(
            shown, color=INK, fontsize=12, loc="left", family=fonts_for(set(shown)), parse_math=False, usetex=False
        )
        _cut_to_fit(figure, text)
    return figure, axes


def strip_below(figure: Figure, axes: Axes) -> Axes:
    """Other axes with the same x, in the lowest fifth of the place of those that are given."""
    place = axes.get_position()
    fifth = place.height / 5
    axes.set_position((place.x0, place.y0 + 1.2 * fifth, place.width, place.height - 1.2 * fifth))
    axes.tick_params(labelbottom=False)
    strip = figure.add_axes((place.x0, place.y0, place.width, fifth), sharex=axes)
    _dress(strip)
    return strip


def _dress(axes: Axes) -> None:
    axes.set_facecolor("white")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(colors=GREY, labelsize=8, length=3)
    axes.grid(visible=True, color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)


def _cut_to_fit(figure: Figure, text: Text) -> None:
    """Cut a text that would go beyond the right edge of the picture."""
    whole, edge = text.get_text(), figure.bbox.x1 - 0.15 * DPI

    def is_over(length: int) -> bool:
        text.set_text(whole if length == len(whole) else f"{whole[:length].rstrip()}...")
        renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
        return bool(text.get_window_extent(renderer).x1 > edge)

    with boxes_for_missing_glyphs():
        if is_over(len(whole)):
            is_over(max(0, bisect_left(range(len(whole)), True, key=is_over) - 1))


def fonts_for(characters: set[str]) -> list[str]:
    """Font families to try in turn: DejaVu Sans, which comes with matplotlib, and more where it lacks a character."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    families: list[str] = []
    lacking = characters
    for name in ("DejaVu Sans", *(name for name in _WIDE_FONTS if name in installed)):
        if families and not lacking:
            break
        font = font_manager.get_font(font_manager.findfont(name))
        left = {c for c in lacking if not font.get_char_index(ord(c))}
        if not families or len(left) < len(lacking):
            families.append(name)
        lacking = left
    if lacking:
        advice = "install Noto Sans, or Noto Sans CJK for Chinese, Japanese and Korean"
        logging.getLogger("xw2v").warning("no installed font is known to have %s; %s", sorted(lacking)[:5], advice)
    return families


def check_suffix(path: Path) -> None:
    """Refuse a file that is no picture by its name, or has no folder."""
    if path.suffix.lower() not in _SUFFIXES:
        msg = f"cannot draw to {path}: the name must end in .png, .svg or .pdf"
        raise ConfigError(msg)
    if not path.parent.is_dir():
        msg = f"cannot write {path}: there is no folder {path.parent}; make it first"
        raise FileAccessError(msg)


@contextmanager
def boxes_for_missing_glyphs() -> Iterator[None]:
    """No warnings: `fonts_for` has said what is lacking; matplotlib's warning for each glyph adds nothing."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support", category=UserWarning)
        yield


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as the suffix of its path says."""
    picture = figure_bytes(figure, path.suffix.lower()[1:])
    with atomic_write(path) as file:
        file.write(picture)


@own_settings()
def figure_bytes(figure: Figure, kind: str) -> bytes:
    """What a file of a figure holds: "png", "svg" or "pdf"."""
    # No date inside: the same words give the same picture.
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    buffer = io.BytesIO()
    with boxes_for_missing_glyphs():
        figure.savefig(buffer, format=kind, dpi=DPI, metadata=metadata, facecolor="white")
    return buffer.getvalue()
