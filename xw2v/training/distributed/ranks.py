"""The processes of a distributed run, its ranks, and what they tell each other over MPI.

MPI does all of the transport; for arrays of GPUs see `transport`. Everything here is collective: all ranks call it, in
the same order.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import numpy as np

from xw2v import errors
from xw2v.errors import BackendError, ConfigError, RankError, XW2VError

__all__ = ["MpiRanks", "Ranks", "TableRanks", "join", "many_started", "sharing_cores"]

Array = Any
T = TypeVar("T")

_PATIENCE = 2e-3  # seconds to wait before one sleeps: a rank that is late is late by more
_NAP = 5e-4
_FEW = 1 << 14  # bytes
_yield = getattr(os, "sched_yield", lambda: None)
_BLOCK = 1 << 22  # numbers sent at once where they need not be packed first


class TableRanks(Protocol):
    """What the ranks do with arrays of tables; the arrays are contiguous, and the same size on every rank."""

    def sum(self, array: Array) -> None:
        """Put the sum over all ranks in the place of the array."""
        ...

    def begin_sum(self, array: Array) -> Callable[[], None]:
        """Begin `sum`; what is returned waits for it. The array is not to be touched until then."""
        ...

    def maximum(self, array: Array) -> None:
        """Put the largest over all ranks in the place of each number."""
        ...

    def broadcast(self, array: Array) -> None:
        """Put rank 0's array in the place of the others'."""
        ...


class Ranks(TableRanks, Protocol):
    """The processes of a run; arrays are NumPy's.

    Attributes
    ----------
    rank, size : int               this one's number, and how many there are
    local_rank, local_size : int   the same among those of its node
    leader : int                   rank of the node's first one
    settled : bool                 all ranks know that the run fails or stops: nobody waits for this one
    """

    rank: int
    size: int
    local_rank: int
    local_size: int
    leader: int
    settled: bool

    def concatenate(self, array: np.ndarray) -> np.ndarray:
        """The arrays of all ranks, in their order, along the first axis, in which they may differ."""
        ...

    def texts(self, text: str) -> list[str]:
        """What each rank says."""
        ...

    def agree(self, error: Exception | None) -> None:
        """Return if no rank has an error, else raise one on all: one's own, or that of the first rank that has one."""
        ...

    def together(self, work: Callable[[], T]) -> T:
        """What `work` returns here, once it has succeeded on all ranks."""
        ...

    def in_turn(self, work: Callable[[], T]) -> T:
        """What `work` returns here; rank 0 works first, then each other node's first rank, then the rest."""
        ...

    def abort(self, text: str, status: int = 1) -> None:
        """End all ranks now, with this exit status."""
        ...


class MpiRanks:
    """Ranks over an MPI communicator of mpi4py; see `Ranks`.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm   duplicated, so that messages of others do not get in the way
    """

    def __init__(self, comm: Any) -> None:
        from mpi4py import MPI

        self._mpi, self._comm = MPI, comm.Dup()
        here = comm.Split_type(MPI.COMM_TYPE_SHARED)
        self.rank, self.size = int(comm.Get_rank()), int(comm.Get_size())
        self.local_rank, self.local_size = int(here.Get_rank()), int(here.Get_size())
        leader = np.array([self.rank], np.int64)
        here.Bcast(leader)
        here.Free()
        self.leader = int(leader[0])
        self.world = int(MPI.Comm.Compare(comm, MPI.COMM_WORLD)) in (MPI.IDENT, MPI.CONGRUENT)
        self.settled = False
        self._kept: Any = None

    def once(self, make: Callable[[MpiRanks], T]) -> T:
        """What `make` makes of these ranks, all together: one for the run. `let_go` calls its `close`."""
        if self._kept is None:
            self._kept = make(self)
        kept: T = self._kept
        return kept

    def let_go(self) -> None:
        """Close what was made once, if anything was. All ranks call it: those of a node may wait for each other."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def close(self) -> None:
        """Give MPI's communicator back; nothing may be asked of the ranks any more."""
        self.let_go()
        self._comm.Free()

    # Arrays

    def sum(self, array: Array) -> None:
        """See `TableRanks.sum`."""
        self.begin_sum(array)()

    def begin_sum(self, array: Array) -> Callable[[], None]:
        """See `TableRanks.begin_sum`."""
        request = self._comm.Iallreduce(self._mpi.IN_PLACE, array, self._mpi.SUM)
        return lambda: self._wait(request, array.nbytes)

    def maximum(self, array: Array) -> None:
        """See `TableRanks.maximum`."""
        self._wait(self._comm.Iallreduce(self._mpi.IN_PLACE, array, self._mpi.MAX), array.nbytes)

    def broadcast(self, array: Array) -> None:
        """See `TableRanks.broadcast`."""
        flat = array.reshape(-1)
        for first in range(0, len(flat), _BLOCK):
            some = flat[first : first + _BLOCK]
            self._wait(self._comm.Ibcast(some), some.nbytes)

    def concatenate(self, array: np.ndarray) -> np.ndarray:
        """See `Ranks.concatenate`."""
        array = np.ascontiguousarray(array)
        sizes = np.empty(self.size, np.int64)
        mine = np.array([array.size], np.int64)
        self._wait(self._comm.Iallgather(mine, sizes), 8)
        whole = np.empty(int(sizes.sum()), array.dtype)
        self._wait(self._comm.Iallgatherv(array.reshape(-1), [whole, sizes]), whole.nbytes)
        return whole.reshape(-1, *array.shape[1:])

    def _wait(self, request: Any, size: int) -> None:
        """Wait without keeping a core busy: MPI's own waiting spins, and ranks that share the core stand still.

        Many bytes move a piece at each look, so only a wait for few, which is one for a late rank, may sleep.
        """
        may_sleep = time.perf_counter() + _PATIENCE
        while not request.Test():
            if size > _FEW or time.perf_counter() < may_sleep:
                _yield()
            else:
                time.sleep(_NAP)

    # Words

    def texts(self, text: str) -> list[str]:
        """See `Ranks.texts`."""
        data = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)  # names of files may be any bytes
        sizes = self.concatenate(np.array([len(data)], np.int64))
        whole = self.concatenate(data).tobytes()
        ends = np.cumsum(sizes)
        return [whole[end - size : end].decode("utf-8", "surrogatepass") for size, end in zip(sizes, ends, strict=True)]

    def agree(self, error: Exception | None) -> None:
        """See `Ranks.agree`."""
        told = self.texts("" if error is None else f"{type(error).__name__}\n{error}")
        failed = next((rank for rank, text in enumerate(told) if text), None)
        if failed is None:
            return
        self.settled = True
        if error is not None:
            raise error
        kind, _, text = told[failed].partition("\n")
        known = getattr(errors, kind, None)
        if isinstance(known, type) and issubclass(known, XW2VError):
            msg = f"rank {failed} of {self.size}: {text}"
            raise known(msg)
        msg = f"rank {failed} of {self.size}: {kind}: {text}"
        raise RankError(msg)

    def together(self, work: Callable[[], T]) -> T:
        """See `Ranks.together`."""
        try:
            result = work()
        except Exception as error:
            self.agree(error)
            raise
        self.agree(None)
        return result

    def in_turn(self, work: Callable[[], T]) -> T:
        """See `Ranks.in_turn`."""
        turn = 0 if self.rank == 0 else 1 if self.local_rank == 0 else 2
        results = [self.together(work if now == turn else lambda: None) for now in range(3)]
        return results[turn]  # type: ignore[return-value]

    def abort(self, text: str, status: int = 1) -> None:
        """See `Ranks.abort`. Never returns."""
        sys.stderr.write(f"xw2v: error: rank {self.rank} of {self.size}: {' '.join(text.split())}\n")
        sys.stderr.flush()
        self._comm.Abort(status)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """End all ranks where this one leaves the block by an exception that the others do not know of."""
        try:
            yield
        except BaseException as error:
            if self.settled:
                raise
            if isinstance(error, KeyboardInterrupt):
                self.abort("interrupted", 130)
            self.abort(f"{type(error).__name__}: {error}")
            raise


def sharing_cores(ranks: Ranks) -> int:
    """How many ranks may run on the same cores as this one, itself included."""
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0)))) if hasattr(os, "sched_getaffinity") else ""
    told = ranks.texts(f"{ranks.leader} {cores}")
    return told.count(told[ranks.rank])


def join(distributed: Any) -> MpiRanks:
    """The ranks of this run.

    Parameters
    ----------
    distributed : True, an mpi4py communicator, or MpiRanks
        True: all processes that mpiexec or srun started

    Raises
    ------
    ConfigError    it is something else
    BackendError   mpi4py or an MPI library is missing, or is not the launcher's: it knows of no other process
    """
    if isinstance(distributed, MpiRanks):
        return distributed
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        text = str(error).split("\n")[0]
        msg = (
            f"distributed training needs mpi4py and an MPI library ({text}): pip install 'xw2v[mpi]' mpich, "
            "or pip install 'xw2v[mpi]' where the cluster's own MPI is loaded"
        )
        raise BackendError(msg) from None
    if distributed is True:
        if MPI.COMM_WORLD.size == 1:
            _refuse_singletons()
        return MpiRanks(MPI.COMM_WORLD)
    if isinstance(distributed, MPI.Intracomm):
        return MpiRanks(distributed)
    msg = f"distributed must be True, False or an mpi4py communicator, got {distributed!r}"
    raise ConfigError(msg)


# Where launchers say how many processes they started: Slurm's srun, MPICH's mpiexec, Open MPI's.
_STARTED = ("SLURM_STEP_NUM_TASKS", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE")


def many_started() -> str | None:
    """The variable in which a launcher says that it started several processes; None: nobody says so."""
    for name in _STARTED:
        number = os.environ.get(name, "")
        if number.isascii() and number.isdigit() and int(number) > 1:
            return name
    return None


def _refuse_singletons() -> None:
    """Processes whose MPI library does not know their launcher would each train alone, on the whole corpus."""
    name = many_started()
    if name is not None:
        msg = (
            f"{os.environ[name]} processes were started ({name}), and MPI knows of one: each would train alone; take "
            "the mpiexec of mpi4py's MPI library, or under Slurm srun --mpi=pmi2 or --mpi=pmix (srun --mpi=list)"
        )
        raise BackendError(msg)
