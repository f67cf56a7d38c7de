"""A figure that a notebook shows where matplotlib's own way, which wants pyplot, is not set up. Imports matplotlib."""

from __future__ import annotations

from matplotlib.figure import Figure

from xw2v.vectors.figures import figure_bytes

__all__ = ["ShownFigure"]


class ShownFigure(Figure):
    """A matplotlib figure that is its own picture in a notebook."""

    def _repr_png_(self) -> bytes:
        return figure_bytes(self, "png")
