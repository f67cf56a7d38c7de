"""The backend matrix: every array library that a test of the mathematics runs on, listed always."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from bench.nvrtc import Nvrtc
from xw2v.backend import Backend, CupyBackend, NumpyBackend
from xw2v.errors import BackendError

Array = Any
T = TypeVar("T")

# What terminals show must not depend on where the tests run; typer looks at these when it is imported.
for _name in (
    "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "GITHUB_ACTIONS", "LINES", "NO_COLOR", "PY_COLORS",
    "TTY_COMPATIBLE", "TTY_INTERACTIVE",
):  # fmt: skip
    os.environ.pop(_name, None)
os.environ["TERM"] = "xterm-256color"

# Nor on how they were started: `nohup` and the `&` of a script leave signals ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

LIBRARIES = ("numpy", "numpy-readonly", "strict", "strict-device1", "torch", "cupy")


@dataclass(frozen=True)
class Library:
    """One case of the matrix: how to make its arrays and to read them."""

    name: str
    backend: Backend

    @property
    def xp(self) -> Any:
        return self.backend.xp

    def asarray(self, values: Any, dtype: str | None = None) -> Array:
        """An input array: read-only where the case says so."""
        host = np.array(values, dtype=dtype)
        if self.name == "numpy-readonly":
            host.flags.writeable = False
            return host
        return self.backend.from_host(host)

    def table(self, values: Any, dtype: str | None = None) -> Array:
        """An array that a test changes in place, so never read-only."""
        return self.backend.from_host(np.array(values, dtype=dtype))

    def to_host(self, array: Array) -> np.ndarray:
        return self.backend.to_host(array)

    def same_kind(self, array: Array) -> bool:
        """Is it an array of this library on this device?"""
        from array_api_compat import array_namespace, device

        return array_namespace(array) is self.xp and str(device(array)) == str(self.backend.device)


def _make(name: str) -> Library:
    if name.startswith("numpy"):
        return Library(name, NumpyBackend("a test"))
    if name.startswith("strict"):
        import array_api_strict

        device = array_api_strict.Device("device1" if name.endswith("1") else "CPU_DEVICE")
        return Library(name, Backend("array_api_strict", array_api_strict, device, "a test"))
    if name == "torch":
        import array_api_compat.torch as xp
        import torch

        return Library(name, Backend("torch", xp, torch.device("cpu"), "a test"))
    return Library(name, CupyBackend("a test"))


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Library:
    """Every array library; one that cannot run is skipped with its reason, or fails where it is required."""
    name = str(request.param)
    return _had(name, lambda: _make(name))


@pytest.fixture(scope="session")
def gpu() -> CupyBackend:
    """A real one. `XW2V_NO_POOL=1` has CuPy ask the driver for each array's memory, for compute-sanitizer."""
    backend = _had("cupy", lambda: CupyBackend("a test"))
    if "XW2V_NO_POOL" in os.environ:  # a sanitizer sees arrays only where each has memory of its own
        import cupy

        cupy.cuda.set_allocator(None)
    return backend


@pytest.fixture(scope="session")
def nvrtc() -> Nvrtc:
    """The compiler of CUDA source that needs no GPU."""
    return _had("nvrtc", Nvrtc)


def _had(name: str, make: Callable[[], T]) -> T:
    """What `make` makes; where it cannot be had the test is skipped, or fails where XW2V_REQUIRE has the name."""
    try:
        return make()
    except (ImportError, BackendError, FileNotFoundError) as error:
        if name.split("-")[0] in os.environ.get("XW2V_REQUIRE", "").split(","):
            pytest.fail(f"{name} is required by XW2V_REQUIRE: {error}")
        pytest.skip(f"{name}: {error}")


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def small_disk_on(folder: Path, size: str) -> Iterator[Path]:
    """A file system of so many bytes, as "1m", on a new folder; where none can be mounted the test is skipped."""
    folder.mkdir()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True,
                              text=True, check=False)  # fmt: skip
    except OSError as error:
        pytest.skip(f"no mount here: {error}")
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
