"""Hand-written kernels for CuPy's arrays: `kernels.cu`, compiled at first use for a type of numbers and one of ids."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np

__all__ = ["NOTHING", "THREADS", "ArrayKernels", "Module", "blocks_of", "options", "source", "with_headers"]

THREADS = 256  # of a block whose warps take a row each
NOTHING = np.uint64(0)
"""An array that is not there, as an argument of a kernel."""

_WARPS = THREADS // 32
_MOST_BLOCKS = 1 << 20  # a grid has fewer than 2^31; a warp takes more rows then
_REALS = {"float32": "float", "float64": "double"}
_IDS = {"int32": "int", "int64": "long long"}


def source() -> str:
    """The text of `kernels.cu` with its header in its place."""
    return with_headers("kernels.cu", files("xw2v"))


def with_headers(name: str, folder: Traversable) -> str:
    """The text of a CUDA source with the headers that it includes, from its folder or the package's, in their places.

    As one text it needs no folder to look in, and CuPy, whose cache goes by the text alone, sees every change.
    """
    parts = []
    for number, line in enumerate(folder.joinpath(name).read_text(encoding="utf-8").splitlines(), start=1):
        header = line.removeprefix('#include "').removesuffix('"')
        if header == line:
            parts.append(line)
        else:  # a compiler's message names the file that a reader knows
            path = folder.joinpath(*header.split("/"))
            path = path if path.is_file() else files("xw2v").joinpath(header)
            parts.append(f'#line 1 "{header}"\n{path.read_text(encoding="utf-8")}#line {number + 1} "{name}"')
    return "\n".join(parts) + "\n"


def options(real: str, ids: str) -> tuple[str, ...]:
    """What NVRTC is told beside the architecture, for dtypes by name."""
    return ("--std=c++17", f"-DREAL={_REALS[real]}", f"-DID={_IDS[ids]}")


class Module:
    """The kernels of a source, on the current CuPy device. CuPy keeps what it compiled in a cache on disk.

    Parameters
    ----------
    code, options : what NVRTC is given
    shared_bytes : int or None    most shared memory that a block may ask for; None: 48 KiB
    """

    def __init__(self, code: str, options: tuple[str, ...], *, shared_bytes: int | None = None) -> None:
        import cupy

        self._module = cupy.RawModule(code=code, options=options)
        self._shared_bytes = shared_bytes
        self._kernels: dict[str, Any] = {}

    def compile(self) -> None:
        """Compile it now, not when the first kernel is launched; raises what CuPy raises."""
        self._module.compile()

    def launch(self, name: str, grid: int, threads: int, shared_bytes: int, arguments: Sequence[Any]) -> None:
        """Start a kernel; contiguous arrays and NumPy scalars are its arguments."""
        kernel = self._kernels.get(name)
        if kernel is None:
            kernel = self._kernels[name] = self._module.get_function(name)
            if self._shared_bytes is not None:
                # Two modules may share a kernel in CuPy: none may lower it for another.
                kernel.max_dynamic_shared_size_bytes = self._shared_bytes
        kernel((grid,), (threads,), tuple(arguments), shared_mem=shared_bytes)


class ArrayKernels(Module):
    """The kernels of `kernels.cu` for one pair of dtypes.

    Parameters
    ----------
    real : str    "float32" or "float64"
    ids : str     "int32" or "int64"
    """

    def __init__(self, real: str, ids: str) -> None:
        import cupy

        super().__init__(source(), options(real, ids))
        self.multiprocessors = int(cupy.cuda.Device().attributes["MultiProcessorCount"])


def blocks_of(rows: int) -> int:
    """Blocks that give each of so many rows a warp."""
    return max(1, min(-(-rows // _WARPS), _MOST_BLOCKS))
