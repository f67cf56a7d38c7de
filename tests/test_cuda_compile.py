"""The CUDA source compiles for the GPUs that it is meant for, and holds its numbers in registers. No GPU needed."""

from __future__ import annotations

import shutil
from importlib.resources import files

import pytest

from bench.ptxas_report import ARCHITECTURES, compiled, usages
from xw2v.training.engines.cuda import source

KERNELS = {"keep_tokens", "count_groups", "draw_noise", "train_groups"}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nvcc_compiles_it_without_spills(architecture: str) -> None:
    if shutil.which("nvcc") is None:
        pytest.skip("no nvcc")
    found = usages(compiled(architecture))
    assert set(found) == KERNELS
    for name, usage in found.items():
        assert usage.stack == usage.stores == usage.loads == 0, name
    assert found["train_groups"].registers <= 128  # two blocks of 256 threads on a multiprocessor


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nvrtc_compiles_it(architecture: str) -> None:
    """NVRTC is what CuPy compiles with at first use; it has no headers of the host."""
    nvrtc = pytest.importorskip("cupy.cuda", reason="CuPy is not installed").nvrtc
    try:
        nvrtc.getVersion()
    except Exception as error:
        pytest.skip(f"no NVRTC: {error}")
    program = nvrtc.createProgram(source(), "sgns.cu", (), ())
    try:
        nvrtc.compileProgram(program, (f"--gpu-architecture={architecture}", "--std=c++17"))
    except nvrtc.NVRTCError:
        pytest.fail(nvrtc.getProgramLog(program))


def test_the_report_is_read() -> None:
    report = (
        "ptxas info    : Compiling entry function 'one' for 'sm_90'\nptxas info    : Function properties for one\n"
        "    8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads\n"
        "ptxas info    : Used 118 registers, used 1 barriers\n"
    )
    assert usages(report) == {"one": (118, 8, 4, 12)}


def test_the_source_is_data_of_the_package() -> None:
    """It is read from the installed package: a wheel that leaves it out has no CUDA engine. `.ci/run` lists it."""
    assert files("xw2v.training.engines").joinpath("sgns.cu").is_file()
    assert "train_groups" in source()
