"""Ctrl-C, SIGTERM and SIGHUP while something runs that wants to end in good order."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Terminated", "stopped_by_signals"]


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP came, and what was learned until then was kept."""


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C, SIGTERM or SIGHUP calls `stop` and is raised when the block has ended; a second one at once.

    Only where signals have Python's own handlers (nohup has SIGHUP ignored), and in the main thread; elsewhere nothing
    changes. A process that is forked in the block, as a pool of a callback, does with signals what it always does.

    Raises
    ------
    KeyboardInterrupt   after Ctrl-C;  Terminated   after SIGTERM or SIGHUP
    """
    came: list[int] = []
    process = os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        came.append(number)
        if len(came) > 1:
            raise _interrupt(number)
        stop()

    usual: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    if hasattr(signal, "SIGHUP"):  # not on Windows
        usual[signal.SIGHUP] = signal.SIG_DFL
    taken = [number for number, handler in usual.items() if signal.getsignal(number) is handler]
    if threading.current_thread() is not threading.main_thread():
        taken = []
    for number in taken:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, usual[number])
    if came:
        raise _interrupt(came[0])


def _interrupt(number: int) -> KeyboardInterrupt:
    return KeyboardInterrupt() if number == signal.SIGINT else Terminated()
