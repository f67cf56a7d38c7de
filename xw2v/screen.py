"""What a person sees while `xw2v` works: a live bar on a terminal, nothing where output goes elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from typing import Any

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

from xw2v.drawing import drawing

__all__ = ["LiveProgress", "Screen", "bars", "count", "spark"]

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
        self._remember(record.loss)
        shown = (
            f"epoch [bold]{record.epoch + 1}[/]/{record.epochs} "
            f"[green]{count(record.words_per_second)} words/s[/] "
            f"loss [bold]{record.loss:.3f}[/] [cyan]{spark(self._losses)}[/] {self._epoch}rate {record.alpha:.4f}"
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
        if self._records % self._every == 0:
            self._losses.append(loss)
        self._records += 1
        if len(self._losses) == _MOST_LOSSES:
            self._losses, self._every = self._losses[::2], 2 * self._every

    def on_epoch(self, end: Any) -> None:
        """Show, from now on, the loss on sentences kept aside and the scores at the end of an epoch."""
        kept_aside = [] if end.validation_loss is None else [("kept aside", end.validation_loss)]
        self._epoch = "".join(
            f"{escape(name)} [bold]{value:.3f}[/] " for name, value in [*kept_aside, *end.scores.items()]
        )


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
        self.out = Console(highlight=False)
        self.err = Console(stderr=True, highlight=False)
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

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table on standard output: drawn on a terminal, tab-separated without its title elsewhere."""
        if not self.out.is_terminal:
            for row in rows:
                self.line("\t".join(row))
            return
        table = Table(
            title=Text(title) if title else None, title_justify="left", title_style="bold", header_style="bold cyan"
        )
        for column in columns:
            table.add_column(Text(column), overflow="fold")  # plain: a word may look like markup
        for row in rows:
            table.add_row(*map(Text, row))
        self.out.print(table)

    def line(self, text: str) -> None:
        """A line of result, as it is: rich would expand its tabs."""
        self.out.file.write(text + "\n")
        self.out.file.flush()
