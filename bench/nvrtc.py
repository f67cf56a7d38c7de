"""NVRTC, the compiler that CuPy uses, by ctypes: CUDA source for any GPU, where there is none and no CuPy.

The library comes with CUDA, or as a wheel: `pip install nvidia-cuda-nvrtc` (extra `test` brings it on Linux).
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["CompileError", "Compiled", "Nvrtc"]


class CompileError(Exception):
    """The source does not compile, or not without a warning; the text is the compiler's."""


class Compiled(NamedTuple):
    """What came out: PTX or machine code, and what the compiler said."""

    code: bytes
    log: str


class Nvrtc:
    """The library.

    Raises
    ------
    FileNotFoundError   it is not here
    """

    def __init__(self) -> None:
        for name in _candidates():
            try:
                self._library = ctypes.CDLL(name)
            except OSError:
                continue
            self._library.nvrtcGetErrorString.restype = ctypes.c_char_p
            major, minor = ctypes.c_int(), ctypes.c_int()
            self._call("Version", ctypes.byref(major), ctypes.byref(minor))
            self.version = (major.value, minor.value)
            return
        msg = "no NVRTC: pip install nvidia-cuda-nvrtc"
        raise FileNotFoundError(msg)

    def compile(self, source: str, options: Sequence[str]) -> Compiled:
        """PTX for an architecture "compute_90", machine code for "sm_90".

        Raises
        ------
        CompileError   also for a warning
        """
        program = ctypes.c_void_p()
        self._call("CreateProgram", ctypes.byref(program), source.encode(), b"sgns.cu", 0, None, None)
        try:
            given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
            status = self._library.nvrtcCompileProgram(program, len(options), given)
            log = self._bytes(program, "ProgramLog").rstrip(b"\0").decode()
            if status or ": warning" in log:
                raise CompileError(log or self._library.nvrtcGetErrorString(status).decode())
            kind = "CUBIN" if any("sm_" in option for option in options) else "PTX"
            return Compiled(self._bytes(program, kind), log)
        finally:
            self._call("DestroyProgram", ctypes.byref(program))

    def _bytes(self, program: Any, what: str) -> bytes:
        size = ctypes.c_size_t()
        self._call(f"Get{what}Size", program, ctypes.byref(size))
        found = ctypes.create_string_buffer(size.value)
        self._call(f"Get{what}", program, found)
        return found.raw

    def _call(self, name: str, *arguments: Any) -> None:
        status = self._library[f"nvrtc{name}"](*arguments)
        if status:
            msg = f"nvrtc{name}: {self._library.nvrtcGetErrorString(status).decode()}"
            raise RuntimeError(msg)


def _candidates() -> Iterator[str]:
    """Where the library may lie: in NVIDIA's wheels, newest first, or where the system looks."""
    spec = find_spec("nvidia")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        for path in sorted(Path(folder).glob("*/lib/libnvrtc.so.*"), reverse=True):
            if "builtins" not in path.name:
                yield str(path)
    named = ctypes.util.find_library("nvrtc")
    if named is not None:
        yield named
    yield from ("/usr/local/cuda/lib64/libnvrtc.so",)
