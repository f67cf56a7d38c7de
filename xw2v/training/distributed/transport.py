"""What brings arrays of tables together: MPI those of the host, NCCL or MPI those of GPUs.

NCCL wants a GPU of its own for each rank of a host, and all ranks that were started. MPI wants neither, and is slower:
arrays of GPUs travel by way of the host's memory where the environment says XW2V_GPU_RANKS=mpi.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from xw2v.backend import Backend
from xw2v.errors import BackendError, ConfigError
from xw2v.training.distributed.ranks import MpiRanks, Ranks, TableRanks

__all__ = ["HostTables", "NcclTables", "between_gpus", "gpu_host", "table_ranks"]

Array = Any

_VARIABLE = "XW2V_GPU_RANKS"


def between_gpus() -> str:
    """How arrays of GPUs travel, "nccl" or "mpi".

    Raises
    ------
    ConfigError   the environment says something else
    """
    way = os.environ.get(_VARIABLE) or "nccl"
    if way not in ("nccl", "mpi"):
        msg = f"{_VARIABLE} must be nccl or mpi, got {way!r}"
        raise ConfigError(msg)
    return way


def gpu_host(ranks: Ranks) -> str:
    """The host of this rank's GPU as NCCL tells hosts apart: of two ranks with one GPU on one host NCCL takes none."""
    return os.environ.get("NCCL_HOSTID") or str(ranks.leader)


def table_ranks(ranks: Ranks, backend: Backend) -> TableRanks:
    """What brings arrays of a backend together. All ranks call it."""
    if backend.name != "cupy":
        return ranks
    if ranks.size == 1:
        return _Alone()
    if between_gpus() == "mpi":
        return HostTables(ranks, backend)
    if not isinstance(ranks, MpiRanks):
        msg = f"NCCL is introduced by MPI, got {type(ranks).__name__}"
        raise BackendError(msg)
    return ranks.once(NcclTables)


class NcclTables:
    """Arrays of CuPy, between GPUs, by NCCL; MPI introduces them to each other. Has run with one GPU alone.

    Calls are queued on the current stream: what follows there waits for them, the host does not.
    """

    def __init__(self, ranks: MpiRanks) -> None:
        ranks.together(lambda: _check_nccl(ranks))
        try:
            from cupyx.distributed import NCCLBackend

            self._nccl = NCCLBackend(ranks.size, ranks.rank, use_mpi=True)
        except Exception as error:  # the others may wait in NCCL: they are ended
            msg = f"NCCL could not begin: {error}; NCCL_DEBUG=WARN has it say why"
            raise BackendError(msg) from None

    def close(self) -> None:
        """Give the communicator back; all ranks call it. The garbage collector would do it when it likes."""
        self._nccl._comm.destroy()

    def sum(self, array: Array) -> None:
        """See `TableRanks.sum`."""
        self.begin_sum(array)()

    def begin_sum(self, array: Array) -> Callable[[], None]:
        """See `TableRanks.begin_sum`."""
        self._nccl.all_reduce(array, array, op="sum")
        return lambda: None

    def maximum(self, array: Array) -> None:
        """See `TableRanks.maximum`."""
        self._nccl.all_reduce(array, array, op="max")

    def broadcast(self, array: Array) -> None:
        """See `TableRanks.broadcast`."""
        self._nccl.broadcast(array, root=0)


def _check_nccl(ranks: MpiRanks) -> None:
    instead = f"or set {_VARIABLE}=mpi, which is slower"
    if not ranks.world:
        msg = f"NCCL brings all ranks together that were started: give distributed=True, no communicator, {instead}"
        raise ConfigError(msg)
    try:
        import cupyx.distributed  # noqa: F401  # where there is no NCCL it warns, with the command that installs it
        from cupy.cuda import nccl
    except Exception as error:
        msg = f"GPUs of several ranks need CuPy's cupyx.distributed: {' '.join(str(error).split())}; {instead}"
        raise BackendError(msg) from None
    if not nccl.available:
        msg = f"GPUs of several ranks need NCCL: pip install nvidia-nccl-cu12, or -cu13, as the CuPy is, {instead}"
        raise BackendError(msg)


class HostTables:
    """Arrays of a device, copied to the host, brought together there by MPI, and copied back."""

    def __init__(self, ranks: Ranks, backend: Backend) -> None:
        self._ranks, self._backend = ranks, backend

    def sum(self, array: Array) -> None:
        """See `TableRanks.sum`."""
        self.begin_sum(array)()

    def begin_sum(self, array: Array) -> Callable[[], None]:
        """See `TableRanks.begin_sum`. Waits for the device."""
        here = self._backend.to_host(array)
        arrived = self._ranks.begin_sum(here)

        def finish() -> None:
            arrived()
            array[...] = self._backend.from_host(here)

        return finish

    def maximum(self, array: Array) -> None:
        """See `TableRanks.maximum`."""
        here = self._backend.to_host(array)
        self._ranks.maximum(here)
        array[...] = self._backend.from_host(here)

    def broadcast(self, array: Array) -> None:
        """See `TableRanks.broadcast`."""
        here = self._backend.to_host(array)
        self._ranks.broadcast(here)
        if self._ranks.rank:
            self._backend.fill(array, here)


class _Alone:
    """The only rank: what it has is what all have."""

    def sum(self, array: Array) -> None: ...

    def begin_sum(self, array: Array) -> Callable[[], None]:
        return lambda: None

    def maximum(self, array: Array) -> None: ...

    def broadcast(self, array: Array) -> None: ...
