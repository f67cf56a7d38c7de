"""What stands in for GPUs, `cupy.cuda.nccl` and `cupyx.distributed` (CuPy 14.2), over mpi4py and with NumPy's arrays.

Where NCCL would hang, mix numbers up or write past an array, this raises on all ranks, or ends them:

- calls of the ranks that differ in kind, count, dtype, operation or root
- arrays that are not contiguous, dtypes and operations that CuPy does not know; an output unlike the input
- a thread whose current GPU is not the communicator's
- two ranks on one GPU, unless NCCL_HOSTID passes them off as of two hosts
- `destroy`, also by the garbage collector, on one rank while the others of its node do something else: NCCL calls it a
  collective of the node, and its thread for the node's other ranks does not end before they have let go of it

What it cannot show: that a GPU has not finished yet. Everything is done when a call returns.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from mpi4py import MPI

from xw2v.backend import NumpyBackend
from xw2v.training.batches import read_chunk
from xw2v.training.engines.array import ArrayEngine

PATIENCE = 10.0  # seconds that a collective of a node waits for the others
HANGS = 99  # exit status where NCCL would hang

_current = threading.local()  # .gpu: as cudaSetDevice keeps it for each thread; 0 where nobody set it
_DTYPES = ("int8", "uint8", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64")
_OPS = {0: MPI.SUM, 1: MPI.PROD, 2: MPI.MAX, 3: MPI.MIN}
_ERRORS = {1: "NCCL_ERROR_UNHANDLED_CUDA_ERROR", 4: "NCCL_ERROR_INVALID_ARGUMENT", 5: "NCCL_ERROR_INVALID_USAGE"}
_TEXTS = {1: "unhandled cuda error", 4: "invalid argument", 5: "invalid usage"}

visible: list[str] = []  # of this process, as CUDA_VISIBLE_DEVICES leaves them: names of GPUs of its node
made: list[str] = []  # what became of communicators, in order


class NcclError(RuntimeError):
    def __init__(self, status: int, text: str = "") -> None:
        self.status = status
        details = "run with NCCL_DEBUG=WARN for details"
        super().__init__(f"{_ERRORS[status]}: {_TEXTS[status]} ({details})" + (f" [{text}]" if text else ""))


def get_unique_id() -> tuple[int, ...]:
    return tuple(range(-64, 64))


def _gpu() -> int:
    return int(getattr(_current, "gpu", 0))


class NcclCommunicator:
    """Made, called and destroyed by all ranks together."""

    def __init__(self, ndev: int, commId: tuple[int, ...], rank: int) -> None:
        self._comm: Any = None
        assert len(commId) == 128
        assert type(commId) is tuple
        if ndev != MPI.COMM_WORLD.size or rank != MPI.COMM_WORLD.rank:
            raise NcclError(4, "ranks of this stand-in are those of MPI.COMM_WORLD")
        self._gpu = _gpu()
        if self._gpu >= len(visible):
            raise NcclError(1, "no such GPU")
        host = os.environ.get("NCCL_HOSTID") or MPI.Get_processor_name()
        places = MPI.COMM_WORLD.allgather((host, visible[self._gpu]))
        if len(set(places)) < len(places):
            raise NcclError(5)
        self._comm = MPI.COMM_WORLD.Dup()
        made.append("made")

    def _agreed(self, *call: Any) -> None:
        said = self._comm.allgather((call, _gpu() == self._gpu))
        if len({call for call, _ in said}) > 1:
            raise NcclError(4, f"ranks do not call the same: {said}")
        if not all(here for _, here in said):
            raise NcclError(1, "of some rank the thread has another GPU than the communicator")

    def allReduce(self, sendbuf: int, recvbuf: int, count: int, datatype: int, op: int, stream: int) -> None:  # noqa: N802
        self._agreed("allReduce", count, datatype, op)
        sent, got = _memory(sendbuf, count, datatype), _memory(recvbuf, count, datatype)
        self._comm.Allreduce(sent.copy(), got, _OPS[op])

    def broadcast(self, sendbuff: int, recvbuff: int, count: int, datatype: int, root: int, stream: int) -> None:
        self._agreed("broadcast", count, datatype, root)
        got = _memory(recvbuff, count, datatype)
        got[:] = _memory(sendbuff, count, datatype)
        self._comm.Bcast(got, root)

    def destroy(self) -> None:
        comm, self._comm = self._comm, None
        if comm is None or MPI.Is_finalized():
            return
        others, until = comm.Ibarrier(), time.monotonic() + PATIENCE
        while not others.Test():
            if time.monotonic() > until:
                sys.stderr.write(f"rank {comm.rank}: ncclCommDestroy waits for a rank that does something else\n")
                sys.stderr.flush()
                comm.Abort(HANGS)
            time.sleep(1e-3)
        comm.Free()
        made.append("destroyed")

    abort = destroy  # on one rank alone it is no way out either: NVIDIA/nccl issues 863 and 1777

    def __del__(self) -> None:
        self.destroy()


def _memory(at: int, count: int, datatype: int) -> np.ndarray:
    dtype = np.dtype(_DTYPES[datatype])
    return np.ctypeslib.as_array((ctypes.c_uint8 * (count * dtype.itemsize)).from_address(at)).view(dtype)


class NCCLBackend:
    """CuPy's, as far as dense arrays are summed up, compared and sent from one to all."""

    def __init__(
        self, n_devices: int, rank: int, host: str = "127.0.0.1", port: int = 13333, use_mpi: bool = False
    ) -> None:
        assert use_mpi, "the TCP store of rank 0 is at 127.0.0.1: of one node alone"
        self._n_devices, self.rank, self._use_mpi = n_devices, rank, use_mpi
        MPI.COMM_WORLD.Barrier()
        nccl = sys.modules["cupy.cuda.nccl"]  # what is missing there is missed when it is called, as in CuPy
        unique = nccl.get_unique_id() if MPI.COMM_WORLD.rank == 0 else None
        self._comm = nccl.NcclCommunicator(n_devices, MPI.COMM_WORLD.bcast(unique), rank)

    def all_reduce(self, in_array: Any, out_array: Any, op: str = "sum", stream: Any = None) -> None:
        _check_contiguous(in_array, out_array)
        datatype, count = _datatype(in_array), in_array.size
        if op not in ("sum", "prod", "max", "min"):
            msg = f"Unknown op {op} for NCCL"
            raise RuntimeError(msg)
        if (out_array.dtype, out_array.size) != (in_array.dtype, in_array.size):
            msg = "out_array is unlike in_array, which nobody would notice"
            raise AssertionError(msg)
        numbers = {"sum": 0, "prod": 1, "max": 2, "min": 3}
        self._comm.allReduce(in_array.ctypes.data, out_array.ctypes.data, count, datatype, numbers[op], 0)

    def broadcast(self, in_out_array: Any, root: int = 0, stream: Any = None) -> None:
        _check_contiguous(in_out_array)
        datatype, at = _datatype(in_out_array), in_out_array.ctypes.data
        self._comm.broadcast(at, at, in_out_array.size, datatype, root, 0)

    def barrier(self) -> None:
        MPI.COMM_WORLD.Barrier()

    def stop(self) -> None: ...


def _check_contiguous(*arrays: Any) -> None:
    for array in arrays:
        if not array.flags.c_contiguous and not array.flags.f_contiguous:
            msg = "NCCL requires arrays to be either c- or f-contiguous"
            raise RuntimeError(msg)
        assert array.flags.writeable


def _datatype(array: Any) -> int:
    chars = {"b": 0, "B": 1, "i": 2, "I": 3, "l": 4, "L": 5, "q": 4, "Q": 5, "e": 6, "f": 7, "d": 8}
    if array.dtype.char not in chars:
        msg = f"Unknown dtype {array.dtype} for NCCL"
        raise TypeError(msg)
    return chars[array.dtype.char]


# GPUs -----------------------------------------------------------------------------------------------------


class GpuBackend(NumpyBackend):
    """Passes for CuPy's: each thread has a current GPU, which `attach` sets."""

    def __init__(self, gpu: int) -> None:
        super().__init__("a test")
        self.name, self.gpu = "cupy", gpu
        self.attach()

    def attach(self) -> None:
        _current.gpu = self.gpu

    def to_host(self, array: Any) -> np.ndarray:
        assert _gpu() == self.gpu
        return np.array(array)

    def from_host(self, array: np.ndarray) -> Any:
        assert _gpu() == self.gpu
        return np.array(array)

    def memory(self) -> None:
        return None


class GpuEngine(ArrayEngine):
    """Passes for the CUDA engine: it is handed a chunk while it has another."""

    name = "cuda"
    chunks_an_epoch = 8

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.chunk_segments = 4

    def read_chunk(self, ids: Any, offsets: Any, start: int, stop: int) -> Any:
        return read_chunk(ids, offsets, start, stop)

    def begin_chunk(self, tables: Any, chunk: Any, epoch: int, rate: Any, skip: int = 0) -> Any:
        assert _gpu() == self.backend.gpu  # type: ignore[attr-defined]
        result = self.train_chunk(tables, chunk, epoch, rate, skip)
        return lambda: result


def install(gpus: list[str], *, nccl: bool = True, engine: bool = True) -> None:
    """Have this process see these GPUs, and train on them."""
    import xw2v.distributed
    import xw2v.fitting

    visible[:] = gpus
    library = ModuleType("cupy.cuda.nccl")
    library.available = nccl  # type: ignore[attr-defined]
    if nccl:
        for thing in (NcclError, NcclCommunicator, get_unique_id):
            setattr(library, thing.__name__, thing)
    runtime = SimpleNamespace(getDeviceCount=lambda: len(visible), deviceGetPCIBusId=lambda gpu: visible[gpu])
    cuda, cupy = ModuleType("cupy.cuda"), ModuleType("cupy")
    cuda.nccl, cuda.runtime = library, runtime  # type: ignore[attr-defined]
    cupy.cuda = cuda  # type: ignore[attr-defined]
    cupy.ndarray, cupy.generic = type("ndarray", (), {}), type("generic", (), {})  # type: ignore[attr-defined]
    cupyx, distributed = ModuleType("cupyx"), ModuleType("cupyx.distributed")
    cupyx.distributed = distributed  # type: ignore[attr-defined]
    distributed.NCCLBackend = NCCLBackend  # type: ignore[attr-defined]
    for module in (cupy, cuda, library, cupyx, distributed):
        sys.modules[module.__name__] = module
    setattr(xw2v.distributed, "get_backend", lambda name, device=0, tf32=False: GpuBackend(device))  # noqa: B010
    if engine:
        setattr(xw2v.fitting, "choose_engine", lambda *of: (GpuEngine(*of), "a test"))  # noqa: B010
