"""What a person sees while `xw2v` works: a live bar on a terminal, nothing where output goes elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from typing import Any

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from xw2v.drawing import drawing, is_terminal, printable

__all__ = ["LiveProgress", "Screen", "bars", "console_on", "count", "spark"]

_MOST_LOSSES = 1024  # remembered for the curve, which is drawn anew for every record
_SPARKS = "▁▂▃▄▅▆▇█"


def count(number: float) -> str:
    """A number in at most five characters and its magnitude: 950, 16.9 k, 4.20 M."""
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if round(1000 * abs(number) / limit) >= 1000:
            size = number / limit
            return f"{size:.3g}{unit}" if abs(size) < 999.5 else f"{size:.0f}{unit}"
    return f"{number:.0f}"


def spark(values: Sequence[float], width: int = 16) -> str:
    """A curve as one line of blocks, each the mean of its share of the values, scaled to their range."""
    edges = [len(values) * i // width for i in range(width + 1)]
    means = [sum(values[low:high]) / (high - low) for low, high in pairwise(edges) if high > low]
    low, high = min(means, default=0.0), max(means, default=0.0)
    span = (high - low) or 1.0
    return "".join(_SPARKS[round((mean - low) / span * (len(_SPARKS) - 1))] for mean in means)


class LiveProgress:
    """Callbacks for reading, training and other work, shown as one bar after the other.

    Nothing is computed or shown where the progress is disabled.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stage = ""
        self._task = TaskID(0)
        self._bytes = 0
        self._losses: list[float] = []  # of every so many records
        self._every, self._records = 1, 0
        self._loss = 0.0
        self._epoch = ""

    def on_encode(self, done_bytes: int, total_bytes: int | None, words: int) -> None:
        """Show how much of the corpus is read, and then numbered: each time the bytes begin anew."""
        if self._progress.disable:
            return
        numbering = done_bytes < self._bytes or self._stage == "numbering"
        self._bytes = done_bytes
        self._show("numbering" if numbering else "reading", done_bytes, total_bytes, f"{count(words)} words")

    def on_work(self, stage: str, unit: str, done: int, total: int | None) -> None:
        """Show how much of something else is done."""
        if not self._progress.disable:
            self._show(stage, done, total, f"{count(done)}{'' if total is None else f' of {count(total)}'} {unit}")

    def on_note(self, text: str) -> None:
        """Show what is waited for, until there is something else to show."""
        if not self._progress.disable and self._stage != "training":
            self._show("waiting", 0, None, escape(text))

    def on_progress(self, record: Any) -> None:
        """Show a record of training."""
        if self._progress.disable:
            return
        if record.loss:  # else the chunk had no pair
            self._remember(record.loss)
        epoch, speed = record.epoch + 1, f"{count(record.words_per_second)} words/s"
        loss, rate = f"{self._loss:.3f}", f"rate {record.alpha:.4f}"
        room = self._progress.console.width - len(f"epoch {epoch}/{record.epochs} {speed} loss {loss}  {rate}")
        shown = (
            f"epoch [bold]{epoch}[/]/{record.epochs} [green]{speed}[/] loss [bold]{loss}[/] "
            f"[cyan]{spark(self._losses, max(1, min(16, room)))}[/] {rate}{self._epoch}"
        )
        self._show("training", record.words, record.total_words, shown)

    def _show(self, stage: str, done: int, total: int | None, shown: str) -> None:
        """One bar, a new one for a new stage."""
        if stage != self._stage:
            if self._stage:
                self._progress.remove_task(self._task)
            self._stage, self._task = stage, self._progress.add_task(stage, total=total, shown=shown)
        self._progress.update(self._task, completed=done, total=total, shown=shown)

    def _remember(self, loss: float) -> None:
        self._loss = loss
        if self._records % self._every == 0:
            self._losses.append(loss)
        self._records += 1
        if len(self._losses) == _MOST_LOSSES:
            self._losses, self._every = self._losses[::2], 2 * self._every

    def on_epoch(self, end: Any) -> None:
        """Show, from now on, the loss on sentences kept aside and the scores at the end of an epoch."""
        kept_aside = [] if end.validation_loss is None else [("kept aside", end.validation_loss)]
        shown = [f"{escape(name)} [bold]{value:.3f}[/]" for name, value in [*kept_aside, *end.scores.items()]]
        self._epoch = "\n" + " ".join(shown) if shown else ""


class _Bars(Progress):
    """Bars with what there is to say below them: a line of both is too long for a terminal of 80 columns."""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            yield Text.from_markup(task.fields["shown"])


def bars(console: Console, **options: Any) -> Progress:
    """What `LiveProgress` fills in; it vanishes when it is stopped. `options` are those of rich's `Progress`."""
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24, complete_style="cyan", finished_style="cyan"),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    return _Bars(*columns, console=console, transient=True, **options)


def console_on(stream: str, **options: Any) -> Console:
    """A console on "stdout" or "stderr", which is a terminal only where that is one.

    To rich FORCE_COLOR makes a terminal of every pipe: programs would get tables and bars.
    """
    force = None if is_terminal(getattr(sys, stream)) else False
    return Console(stderr=stream == "stderr", highlight=False, force_terminal=force, **options)


class Screen:
    """Standard output for results, standard error for everything else.

    Parameters
    ----------
    quiet : show no progress and no notes, even on a terminal

    Attributes
    ----------
    out : rich console on standard output
    live : whether progress and notes are shown
    """

    def __init__(self, quiet: bool = False) -> None:
        self.out, self.err = console_on("stdout"), console_on("stderr")
        self.live = self.err.is_terminal and not quiet

    def note(self, text: str) -> None:
        """A line for a person at the terminal; nobody else gets it."""
        if self.live:
            self.err.print(text, markup=False, style="dim")

    def warn(self, text: str) -> None:
        """A line that everybody gets, on standard error."""
        self.err.print(f"xw2v: warning: {' '.join(text.split())}", markup=False, soft_wrap=True)

    @contextmanager
    def progress(self) -> Iterator[LiveProgress]:
        """A live bar until the block ends, which then vanishes."""
        with drawing(), bars(self.err, disable=not self.live) as progress:
            yield LiveProgress(progress)

    @contextmanager
    def bytes(self, text: str) -> Iterator[Callable[[int, int | None], None]]:
        """A bar of bytes until the block ends; call what is given with those done and those in all."""
        columns = (TextColumn("[bold]{task.description}"), BarColumn(bar_width=24), DownloadColumn(),
                   TransferSpeedColumn(), TextColumn("left"), TimeRemainingColumn())  # fmt: skip
        with drawing(), Progress(*columns, console=self.err, transient=True, disable=not self.live) as progress:
            task = progress.add_task(escape(text), total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)

    @contextmanager
    def status(self, text: str) -> Iterator[None]:
        """A spinner until the block ends, where progress is shown."""
        with drawing(), self.err.status(text) if self.live else nullcontext():
            yield

    def table(
        self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], repeat: int | None = None
    ) -> None:
        """A table on standard output: drawn on a terminal, tab-separated without its title elsewhere.

        One that is too wide for the terminal is broken at the spaces of its cells, and within words where nothing else
        is left. With `repeat` it becomes several below each other, each with that many of the first columns.
        """
        if not self.out.is_terminal:
            for row in rows:
                self.line("\t".join(row))
            return
        # Line ends would break the rows, and escapes reach the terminal: words come from anybody's files.
        title, columns = printable(title), [*map(printable, columns)]
        rows = [[*map(printable, row)] for row in rows]
        cells = [[column, *(row[i] for row in rows)] for i, column in enumerate(columns)]
        wide = [max(map(cell_len, column)) for column in cells]
        least = [max((cell_len(part) for cell in column for part in cell.split()), default=0) for column in cells]
        if title:  # not the table's own, which would be broken where the table is narrower
            self.out.print(Text(title, style="bold"))
        for part in _parts(wide, repeat, self.out.width):
            widths = _narrowed([wide[i] for i in part], [least[i] for i in part], self.out.width)
            table = Table(header_style="bold cyan")
            for i, width in zip(part, widths, strict=True):
                table.add_column(Text(columns[i]), overflow="fold", width=width)  # plain: a word may look like markup
            for row in rows:
                table.add_row(*(Text(row[i]) for i in part))
            self.out.print(table)

    def sentence(self, text: str) -> None:
        """A line of result for people: on a terminal broken between words, where there is no room for it."""
        if self.out.is_terminal:
            self.out.print(Text(text))
        else:
            self.line(text)

    def line(self, text: str) -> None:
        """A line of result, as it is: rich would expand its tabs."""
        self.out.file.write(text + "\n")
        self.out.file.flush()


def _with_frame(widths: Sequence[int]) -> int:
    return sum(widths) + 3 * len(widths) + 1


def _parts(widths: Sequence[int], repeat: int | None, room: int) -> list[list[int]]:
    """The columns of each table, as many as there is room for; all are in one where there is no `repeat`."""
    if repeat is None:
        return [list(range(len(widths)))]
    parts: list[list[int]] = []
    for i in range(repeat, len(widths)):
        if parts and _with_frame([widths[j] for j in (*parts[-1], i)]) <= room:
            parts[-1].append(i)
        else:
            parts.append([*range(repeat), i])
    return parts


def _narrowed(widths: list[int], least: Sequence[int], room: int) -> Sequence[int | None]:
    """Widths that fit, the widest made narrower, none less than its longest word; None where that is too much."""
    if _with_frame(least) > room:
        return [None] * len(widths)
    while _with_frame(widths) > room:
        widest = max((i for i in range(len(widths)) if widths[i] > least[i]), key=lambda i: widths[i])
        widths[widest] -= 1
    return widths
