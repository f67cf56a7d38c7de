"""What a person sees of calls that take long: a bar on a terminal or in a notebook, lines in a log.

A thread of its own draws, and rich is imported there: whatever goes wrong with it, nothing of it reaches the run.
"""

from __future__ import annotations

import io
import multiprocessing
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any

from xw2v.drawing import drawing, is_drawing, is_terminal

__all__ = ["Display", "Tell", "displayed", "is_watched", "watched"]

Tell = Callable[[int, "int | None"], None]
"""What is called with how many are done, and how many there are; None where nobody knows how far it is."""

_DELAY = 2.0  # seconds that nothing is shown for
_WIDTH = 120  # of what is shown where there is no terminal
_HTML = '<pre style="white-space:pre;overflow-x:auto;line-height:normal">{code}</pre>'
_PATIENCE = 5.0  # seconds for the last drawing, which a terminal that was halted (Ctrl-S) never does
_WAITING = 10_000  # calls that are remembered until they are shown: those of the delay, and to spare


@contextmanager
def watched(stage: str, unit: str, progress: bool | None = None) -> Iterator[Tell]:
    """What to call with how far a thing is; shown until the block ends, as `displayed` says.

    Parameters
    ----------
    stage, unit : what is done ("saving"), and to what ("words")
    """
    with displayed(progress) as display:
        yield _nobody if display is None else partial(display.on_work, stage, unit)


def _nobody(done: int, total: int | None) -> None:
    """Nobody looks."""


@contextmanager
def displayed(progress: bool | None) -> Iterator[Display | None]:
    """A display until the block ends; None where nobody wants it.

    Parameters
    ----------
    progress : True, False, or None for what `is_watched` says
    """
    if not (is_watched() if progress is None else progress):
        yield None
        return
    display = Display()
    try:
        with drawing():
            yield display
    finally:
        display.close()


def is_watched() -> bool:
    """Whether a person looks: at a terminal or a notebook where nobody draws, not at one of many workers or trials."""
    alone = threading.current_thread() is threading.main_thread() and multiprocessing.parent_process() is None
    return alone and not is_drawing() and (_in_notebook() or _on_terminal()) and not _called_by("sklearn")


class Display:
    """Callbacks that show how far things are, once they have taken two seconds.

    None of them waits or raises. See `xw2v.screen.LiveProgress` for what they show.
    """

    def __init__(self) -> None:
        self._calls: deque[tuple[float, str, tuple[Any, ...]]] = deque(maxlen=_WAITING)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="xw2v-display", daemon=True)
        self._thread.start()

    def on_encode(self, done_bytes: int, total_bytes: int | None, words: int) -> None:
        """So much of the corpus is read."""
        self._note("on_encode", done_bytes, total_bytes, words)

    def on_progress(self, record: Any) -> None:
        """So much is trained."""
        self._note("on_progress", record)

    def on_work(self, stage: str, unit: str, done: int, total: int | None) -> None:
        """So much of something else is done."""
        self._note("on_work", stage, unit, done, total)

    def on_note(self, text: str) -> None:
        """What is waited for."""
        self._note("on_note", text)

    def on_epoch(self, end: Any) -> None:
        """What an epoch came to."""
        self._note("on_epoch", end)

    def close(self) -> None:
        """Show the last state where it stays; on a terminal the bar vanishes."""
        self._over.set()
        self._thread.join(_PATIENCE)

    def _note(self, name: str, *arguments: Any) -> None:
        self._calls.append((time.monotonic(), name, arguments))

    def _work(self) -> None:
        if not self._over.wait(_DELAY):
            with suppress(Exception):  # a terminal that was closed, a front end that knows no display
                self._show()

    def _show(self) -> None:
        from xw2v.screen import LiveProgress, bars, console_on

        view, seconds = _view()
        console = console_on("stderr", force_jupyter=False, width=None if view is _terminal else _WIDTH)
        progress = bars(
            console, auto_refresh=False, redirect_stdout=is_terminal(sys.stdout), get_time=lambda: self._time
        )
        live = LiveProgress(progress)
        with closing(view(progress)) as frames:
            while True:
                over = self._over.is_set()
                self._take(live)
                next(frames)
                if over:
                    break
                self._over.wait(seconds)

    def _take(self, live: Any) -> None:
        """Have the calls since last time shown, as of the time when they were made."""
        while self._calls:
            self._time, name, arguments = self._calls.popleft()
            with suppress(Exception):  # a score of a callback may be anything
                getattr(live, name)(*arguments)
        self._time = time.monotonic()


def _view() -> tuple[Callable[[Any], Generator[None]], float]:
    """How to show bars, which are drawn anew for every item, and the seconds between two of them."""
    if _in_notebook():
        return _notebook, 0.5
    return (_terminal, 0.2) if _on_terminal() else (_log, 10.0)


def _notebook(progress: Any) -> Generator[None]:
    """One output of the cell, written over; the last one stays. No widgets, which a saved notebook would not show."""
    from IPython.display import display
    from rich.console import Console

    def drawn() -> dict[str, str]:
        # To the console a notebook is no notebook: it would show outputs of its own.
        console = Console(
            file=io.StringIO(), record=True, width=_WIDTH, color_system="truecolor", force_terminal=True,
            force_jupyter=False,
        )  # fmt: skip
        console.print(progress)
        html = console.export_html(inline_styles=True, code_format=_HTML, clear=False)
        return {"text/plain": console.export_text().rstrip(), "text/html": html}

    handle = display(drawn(), raw=True, display_id=True)
    while True:
        yield
        handle.update(drawn(), raw=True)


def _terminal(progress: Any) -> Generator[None]:
    progress.start()
    progress.console.show_cursor(True)  # it would be gone for good after a kill
    try:
        while True:
            progress.refresh()
            yield
    finally:
        progress.stop()


def _log(progress: Any) -> Generator[None]:
    while True:
        progress.console.print(progress)
        yield


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def _on_terminal() -> bool:
    return is_terminal(sys.stderr)


def _called_by(package: str) -> bool:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] == package:
            return True
        frame = frame.f_back
    return False
