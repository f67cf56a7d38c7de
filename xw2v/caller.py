"""Warnings about the line that calls, as `python -W default` and a traceback show them."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import warnings
from pathlib import Path

__all__ = ["warn_caller"]

_PACKAGE = str(Path(__file__).parent) + os.sep


def warn_caller(text: str, category: type[Warning] = RuntimeWarning) -> None:
    """Warn about the line that called into this package, however deep in it the warning comes from.

    In a thread of ours nobody called: then it is about the line that warns.
    """
    # Python 3.12 has `skip_file_prefixes` for it, with which the frames of context managers would have to be named.
    depth, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_passed(frame.f_code.co_filename):
        depth, frame = depth + 1, frame.f_back
    warnings.warn(text, category, stacklevel=2 if frame.f_code.co_filename == threading.__file__ else depth)


def _is_passed(file: str) -> bool:
    return file.startswith(_PACKAGE) or file == contextlib.__file__
