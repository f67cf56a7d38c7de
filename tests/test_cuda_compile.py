"""The CUDA source compiles for the GPUs that it is meant for, and holds its numbers in registers. No GPU needed."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from bench.ptxas_report import SOURCE, TARGETS, compiled, usages
from xw2v.training.engines.cuda import _FLOAT32, _TF32, Tiles, source

KERNELS = {"keep_tokens", "count_groups", "draw_noise", "train_groups"}
ENGINES = files("xw2v.training.engines")


@pytest.mark.parametrize(("architecture", "tf32"), TARGETS)
def test_nvcc_compiles_it_without_spills(architecture: str, tf32: bool) -> None:
    if shutil.which("nvcc") is None:
        pytest.skip("no nvcc")
    found = usages(compiled(architecture, tf32))
    assert set(found) == KERNELS
    for name, usage in found.items():
        assert usage.stack == usage.stores == usage.loads == 0, name
    assert found["train_groups"].registers <= 128  # two blocks of 256 threads on a multiprocessor


@pytest.mark.parametrize(("architecture", "tf32"), TARGETS)
def test_faster_paths_are_taken_where_the_chip_has_them(architecture: str, tf32: bool, tmp_path: Path) -> None:
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("no nvcc")
    command = [
        nvcc,
        f"-arch={architecture}",
        "-std=c++17",
        f"-DTF32={tf32:d}",
        "-ptx",
        "-o",
        str(tmp_path / "sgns.ptx"),
    ]
    subprocess.run([*command, str(SOURCE)], check=True)
    text, capability = (tmp_path / "sgns.ptx").read_text(), int(architecture.removeprefix("sm_"))
    assert ("cp.async.cg.shared.global" in text) == (capability >= 80)
    assert ("red.global.add.v4.f32" in text) == (capability >= 90)
    assert ("mma.sync.aligned.m16n8k8.row.col.f32.tf32" in text) == ("cvt.rna.tf32.f32" in text) == tf32


@pytest.mark.parametrize(("architecture", "tf32"), TARGETS)
def test_nvrtc_compiles_it(architecture: str, tf32: bool) -> None:
    """NVRTC is what CuPy compiles with at first use; it has no headers of the host."""
    nvrtc = pytest.importorskip("cupy.cuda", reason="CuPy is not installed").nvrtc
    try:
        nvrtc.getVersion()
    except Exception as error:
        pytest.skip(f"no NVRTC: {error}")
    program = nvrtc.createProgram(source(), "sgns.cu", (), ())
    try:
        nvrtc.compileProgram(program, (f"--gpu-architecture={architecture}", "--std=c++17", f"-DTF32={tf32:d}"))
    except nvrtc.NVRTCError:
        pytest.fail(nvrtc.getProgramLog(program))


def test_the_report_is_read() -> None:
    report = (
        "ptxas info    : Compiling entry function 'one' for 'sm_90'\nptxas info    : Function properties for one\n"
        "    8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads\n"
        "ptxas info    : Used 118 registers, used 1 barriers\n"
    )
    assert usages(report) == {"one": (118, 8, 4, 12)}


def test_one_text_holds_all_headers() -> None:
    """What CuPy compiles is what nvcc and the host compile from the files; none is left out of it or of the package."""
    text = source()
    assert "#include" not in text
    headers = [path for path in ENGINES.joinpath("sgns").iterdir() if path.name.endswith(".cuh")]
    assert len(headers) > 5
    for header in headers:
        assert text.count(f'#line 1 "sgns/{header.name}"\n{header.read_text(encoding="utf-8")}') == 1
    main = [line for line in ENGINES.joinpath("sgns.cu").read_text(encoding="utf-8").splitlines() if "#include" in line]
    assert len(main) == len(headers)
    number = int(text.split('#line 1 "sgns/steps.cuh"')[1].split("#line ")[1].split()[0])
    assert (
        ENGINES.joinpath("sgns.cu").read_text(encoding="utf-8").splitlines()[number - 2] == '#include "sgns/steps.cuh"'
    )


@pytest.mark.parametrize(("tf32", "tiles"), [(1, _TF32), (0, _FLOAT32)])
def test_tiles_are_those_of_the_source(tf32: int, tiles: Tiles) -> None:
    text = ENGINES.joinpath("sgns", "tiles.cuh").read_text(encoding="utf-8")
    part = text.split("#if TF32")[1].split("#else")[1 - tf32]
    names = {"CENTER_TILE": "centers", "STEP_TILE": "steps", "WIDTH_TILE": "width", "PAD": "pad"}
    found = dict(re.findall(r"#define (\w+) (\d+)", part))
    assert Tiles(**{name: int(found[macro]) for macro, name in names.items()}) == tiles
