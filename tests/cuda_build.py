"""sgns.cu and kernels.cu built for the host, behind the interface of `xw2v.training.engines.cuda.Kernels`."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

TESTS = Path(__file__).parent
ENGINES = TESTS.parent / "xw2v" / "training" / "engines"
FAILURES = {
    1: "threads wait for each other for ever",
    2: "wrote behind its shared memory",
    3: "wants more shared memory than there is",
    4: "no such kernel",
    5: "has a part of a cluster",
    6: "wrote to a block that had not begun or was done",
}


def build(
    folder: Path,
    lanes: int,
    *,
    tf32: bool = False,
    cluster: int = 1,
    shape: Sequence[int] = (),
    types: Sequence[str] = (),
) -> Path | None:
    """The path of the library; None where there is no C++ compiler. With `tf32` tensor cores are stood in for.

    With `types`, options that say REAL and ID, it is kernels.cu, else sgns.cu.
    """
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        return None
    name = "".join(filter(str.isalnum, "".join(types))) or "sgns"
    library = folder / ("-".join(map(str, (name, lanes, "tf32" * tf32, cluster, *shape))) + ".so")
    # Some compilers would end what jumps from one stack to another.
    command = [compiler, "-O2", "-U_FORTIFY_SOURCE", "-std=c++17", "-shared", "-fPIC"]
    command += [f"-DLANES={lanes}", f"-DTF32={tf32:d}", *types]
    command += [f"-DCLUSTER={cluster}", f"-I{TESTS}", f"-I{ENGINES}", f"-I{ENGINES.parents[1]}"]
    command += [f"-DSHAPE={','.join(map(str, shape))}" for _ in shape[:1]]
    command += ["-Wall", "-Werror", "-Wno-unknown-pragmas", "-o", str(library), str(TESTS / "cuda_host.cpp")]
    subprocess.run(command, check=True)
    return library


class HostKernels:
    """The kernels on the host: blocks one after the other, threads of a block in the order given.

    Parameters
    ----------
    threads : int    of a block, a multiple of the lanes the library was built with; 0: as many as are asked for
    order : int      of the threads: 0 rising, 1 falling, else the seed of a shuffle
    tf32, cluster    what the library was built with
    shape : ints     what it was built for; empty: for any
    """

    multiprocessors = 1
    clusters = False  # none unless asked for

    def __init__(
        self,
        library: Path,
        *,
        threads: int = 1,
        order: int = 0,
        shared_bytes: int = 200 << 10,
        tf32: bool = False,
        cluster: int = 1,
        shape: Sequence[int] = (),
    ) -> None:
        self._launch = ctypes.CDLL(str(library)).launch_kernel
        self.tf32 = tf32
        self.threads, self.order, self.shared_bytes = threads, order, shared_bytes
        self._shape, self.cluster = tuple(shape), cluster
        self.launched: list[str] = []

    def compile(self, shape: Sequence[int], cluster: int = 1) -> None:
        """See `Kernels.compile`: a library for any shape does."""
        assert self._shape in ((), tuple(shape))
        assert self.cluster == cluster

    def launch(self, name: str, grid: int, threads: int, shared_bytes: int, arguments: Sequence[Any]) -> None:
        """See `Kernels.launch`; `threads` is replaced by our own, if there are any."""
        self.launched.append(name)
        kept = [_as_argument(argument) for argument in arguments]
        pointers = (ctypes.c_void_p * len(kept))(*(ctypes.addressof(one) for one in kept))
        status = self._launch(
            name.encode(), ctypes.c_int(grid), ctypes.c_int(self.threads or threads), ctypes.c_size_t(shared_bytes),
            ctypes.c_uint(self.order), pointers,
        )  # fmt: skip
        assert status == 0, f"{name} {FAILURES[status]}"


class FakeCupy:
    """A CuPy that compiles nothing and notes how kernels are launched: name, grid, block, arguments, shared memory."""

    def __init__(self, *, capability: str = "90") -> None:
        attributes = {"MultiProcessorCount": 132, "MaxSharedMemoryPerBlockOptin": 227 << 10}
        device = SimpleNamespace(compute_capability=capability, attributes=attributes)
        self.cuda = SimpleNamespace(Device=lambda: device)
        self.launched: list[tuple[Any, ...]] = []
        self.kernels: list[Any] = []

    def RawModule(self, *, code: str, options: Sequence[str]) -> Any:  # noqa: N802
        """As CuPy has it."""
        return SimpleNamespace(compile=lambda: None, get_function=partial(FakeKernel, self))


class FakeKernel:
    """A kernel of `FakeCupy`; what is beyond 48 KiB must have been allowed."""

    max_dynamic_shared_size_bytes = 48 << 10

    def __init__(self, cupy: FakeCupy, name: str) -> None:
        self._cupy, self._name = cupy, name
        cupy.kernels.append(self)

    def __call__(self, grid: Any, block: Any, arguments: Any, *, shared_mem: int = 0) -> None:
        assert shared_mem <= self.max_dynamic_shared_size_bytes
        self._cupy.launched.append((self._name, grid, block, arguments, shared_mem))


def _as_argument(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        assert value.flags.c_contiguous
        return ctypes.c_void_p(value.ctypes.data)
    assert isinstance(value, np.generic), type(value)  # a Python number has no size that a kernel could count on
    # As on a GPU, nobody knows what lies behind a number that is shorter than what the kernel reads.
    return (ctypes.c_char * 16).from_buffer_copy(value.tobytes().ljust(16, b"\xa5"))
