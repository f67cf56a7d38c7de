"""What `xw2v info` says of GPUs, from a CuPy that is not there."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from xw2v.gpu import gpu_facts


def test_facts_of_two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    properties = {"name": b"NVIDIA H200", "totalGlobalMem": 141 * 2**30, "major": 9, "minor": 0}
    runtime = SimpleNamespace(
        getDeviceCount=lambda: 2,
        getDeviceProperties=lambda number: properties,
        memGetInfo=lambda: (140 * 2**30, 141 * 2**30),
        driverGetVersion=lambda: 13000,
        runtimeGetVersion=lambda: 12090,
    )
    fake = SimpleNamespace(cuda=SimpleNamespace(runtime=runtime), __version__="14.2.0")
    monkeypatch.setitem(sys.modules, "cupy", fake)
    assert gpu_facts() == {
        "gpu": [f"{number}: NVIDIA H200, 141.0 GiB, compute capability 9.0" for number in (0, 1)],
        "free_memory": "140.0 of 141.0 GiB",
        "cupy": "14.2.0",
        "driver": "CUDA 13.0",
        "runtime": "CUDA 12.9",
    }
