"""A command that many processes run together: rank 0 speaks and writes, the others are silent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from xw2v.errors import ConfigError, XW2VError
from xw2v.training.distributed.ranks import join

__all__ = ["Company", "company"]


class Company:
    """The processes of a command; one that is alone is all of them.

    Attributes
    ----------
    ranks : MpiRanks or None   None: not distributed
    first : bool               whether this one speaks and writes
    """

    def __init__(self, ranks: Any = None) -> None:
        self.ranks = ranks
        self.first = ranks is None or ranks.rank == 0

    def by_all(self, work: Callable[[], Any]) -> Any:
        """What `work` returns here, once it succeeded everywhere."""
        return work() if self.ranks is None else self.ranks.together(work)

    def by_first(self, work: Callable[[], Any]) -> Any:
        """What rank 0's `work` returns, there, once it succeeded; None elsewhere."""
        return self.by_all(work if self.first else lambda: None)


@contextmanager
def company(distributed: bool) -> Iterator[Company]:
    """The processes that run this command. An error that all of them know is left to rank 0 to report.

    Raises
    ------
    BackendError   there is no MPI
    typer.Exit     where rank 0 reports the error
    """
    if not distributed:
        yield Company()
        return
    ranks = join(True)
    here = Company(ranks)
    with ranks.guarded():
        try:
            yield here
        except XW2VError as error:
            if here.first or not ranks.settled:
                raise
            raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from error
