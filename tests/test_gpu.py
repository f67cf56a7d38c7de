"""What `xw2v info` says of GPUs, and how kernels are compiled, with a CuPy that is not there."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from xw2v.errors import BackendError
from xw2v.gpu import gpu_facts
from xw2v.training.engines.cuda import CupyKernels, source


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


@pytest.mark.parametrize(
    ("capability", "wanted", "tf32"),
    [("75", True, False), ("80", True, True), ("90", False, False), ("100", True, True)],
)
def test_tensor_cores_are_taken_where_there_are_any(
    capability: str, wanted: bool, tf32: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    device = SimpleNamespace(
        compute_capability=capability,
        attributes={"MultiProcessorCount": 132, "MaxSharedMemoryPerBlockOptin": 232448},
    )

    def module(*, code: str, options: tuple[str, ...]) -> Any:
        asked.append((code, options))
        return SimpleNamespace(compile=lambda: None)

    fake = SimpleNamespace(cuda=SimpleNamespace(Device=lambda: device), RawModule=module)
    monkeypatch.setitem(sys.modules, "cupy", fake)
    kernels = CupyKernels(tf32=wanted)
    assert (kernels.tf32, kernels.multiprocessors, kernels.shared_bytes) == (tf32, 132, 232448)
    kernels.compile((100, 5, 16, 32, 100, 1))
    assert asked == [(source(), ("--std=c++17", f"-DTF32={int(tf32)}", "-DCLUSTER=1", "-DSHAPE=100,5,16,32,100,1"))]


def test_a_source_that_does_not_compile_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def compile_it() -> None:
        msg = "sgns/rows.cuh(3): error\n  something"
        raise RuntimeError(msg)

    device = SimpleNamespace(
        compute_capability="90", attributes={"MultiProcessorCount": 1, "MaxSharedMemoryPerBlockOptin": 1}
    )
    fake = SimpleNamespace(
        cuda=SimpleNamespace(Device=lambda: device), RawModule=lambda **_: SimpleNamespace(compile=compile_it)
    )
    monkeypatch.setitem(sys.modules, "cupy", fake)
    with pytest.raises(
        BackendError, match=r"compile its kernels: sgns/rows.cuh\(3\): error something; use engine='array'"
    ):
        CupyKernels().compile((100,))


def test_all_engines_may_have_all_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """CuPy has one kernel for equal sources: what one engine asks for must not be less than another's."""
    kernel = type(
        "Kernel", (), {"__call__": lambda *_, **how: launched.append(how), "max_dynamic_shared_size_bytes": 0}
    )()
    launched: list[Any] = []
    device = SimpleNamespace(
        compute_capability="90", attributes={"MultiProcessorCount": 1, "MaxSharedMemoryPerBlockOptin": 232448}
    )
    module = SimpleNamespace(compile=lambda: None, get_function=lambda name: kernel)
    fake = SimpleNamespace(cuda=SimpleNamespace(Device=lambda: device), RawModule=lambda **_: module)
    monkeypatch.setitem(sys.modules, "cupy", fake)
    large, small = CupyKernels(), CupyKernels()
    large.compile((300,))
    small.compile((100,))
    for kernels, size in ((large, 200_000), (small, 60_000), (large, 200_000)):
        kernels.launch("train_groups", 1, 256, size, ())
        assert kernel.max_dynamic_shared_size_bytes >= size
    assert [how["shared_mem"] for how in launched] == [200_000, 60_000, 200_000]
