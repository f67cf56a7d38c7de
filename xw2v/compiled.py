"""Functions that Numba compiles, and finds on disk in later runs where there is a place to keep them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache

__all__ = ["compiled", "is_kept"]

Function = Callable[..., Any]


class _Cache(FunctionCache):
    """Numba's cache, without which a run compiles for itself: a full disk or a damaged file must not end it."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What was compiled before; None where that is not there, or cannot be read, which is then written anew."""
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:  # whatever pickle makes of a damaged file
            with suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled, if the disk takes it."""
        with suppress(Exception):  # of a damaged index, too, in whose place none could be written
            self._forget_older()
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]

    def _forget_older(self) -> None:
        """Remove code that no index names: an older version of the function.

        Numba numbers files from 1 again then, and names one before it writes it. A run that is stopped between the
        two, or finds the disk full, would leave the older version to be taken for this one.
        """
        if not self._cache_file._load_index():  # type: ignore[no-untyped-call]
            for path in Path(self.cache_path).glob(f"{escape(self._impl.filename_base)}.*.nbc"):
                path.unlink(missing_ok=True)


def compiled(**how: Any) -> Callable[[Function], Any]:
    """`numba.njit` of a function, without the GIL and with its code kept in Numba's cache.

    Where neither the package's folder nor the user's can be written to, nothing is kept.

    Parameters
    ----------
    how : options of `numba.njit`
    """

    def decorate(function: Function) -> Any:
        made = njit(nogil=True, **how)(function)
        with suppress(RuntimeError):  # there is no such folder, for which Numba would refuse the function
            made._cache = _Cache(function)  # type: ignore[no-untyped-call]
        return made

    return decorate


def is_kept(function: Any) -> bool:
    """Whether the next runs find what is compiled of a function."""
    return function.stats.cache_path is not None
