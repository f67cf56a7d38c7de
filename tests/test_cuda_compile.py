"""The CUDA source compiles for the GPUs that it is meant for, and holds its numbers in registers. No GPU needed."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from bench.nvrtc import CompileError, Nvrtc
from bench.ptxas_report import SIZES, TARGETS, Target, compiled, how, usages
from xw2v import kernels
from xw2v.training.engines.cuda import _FLOAT32, _TF32, _TRAIN_THREADS, Tiles, source

KERNELS = {"keep_tokens", "count_groups", "draw_noise", "train_groups"}
ENGINES = files("xw2v.training.engines")


@pytest.mark.parametrize("D", SIZES)
@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_it_compiles_without_warnings_and_spills(nvrtc: Nvrtc, target: Target, D: int) -> None:
    """NVRTC is what CuPy compiles with at first use; it has no headers of the host."""
    found = usages(compiled(nvrtc, target, D))
    assert set(found) == KERNELS
    for name, usage in found.items():
        assert usage.stack == usage.stores == usage.loads == 0, name
    assert found["train_groups"].registers <= 128  # a multiprocessor has them for 512 threads


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_faster_paths_are_taken_where_the_chip_has_them(nvrtc: Nvrtc, target: Target) -> None:
    text = nvrtc.compile(source(), (f"--gpu-architecture=compute_{target.capability}", *how(target))).code.decode()
    assert ("cp.async.cg.shared.global" in text) == (int(target.capability) >= 80)
    assert ("red.global.add.v4.f32" in text) == (int(target.capability) >= 90)
    assert ("mma.sync.aligned.m16n8k8.row.col.f32.tf32" in text) == target.tf32
    assert re.findall(r"reqnctapercluster (\d)|reqntid", text) == [str(target.cluster)] * (target.cluster > 1)
    assert text.count("barrier.cluster.arrive.release.aligned") == text.count("barrier.cluster.wait.acquire.aligned")
    assert ("barrier.cluster" in text) == ("mapa.u64" in text) == (target.cluster > 1)


@pytest.mark.parametrize("tf32", [False, True])
def test_it_compiles_with_what_cupy_adds(nvrtc: Nvrtc, tf32: bool) -> None:
    """See `_compile_with_cache_cuda` and `compile_using_nvrtc` in cupy/cuda/compiler.py of CuPy 14."""
    added = ("-ftz=true", "-arch=sm_90", "--device-as-default-execution-space")
    assert nvrtc.compile(source(), (*how(Target("90", tf32)), *added)).code


@pytest.mark.parametrize("text", ["this is no program", "__global__ void f(int *x) { int unused; }"])
def test_errors_and_warnings_are_told(nvrtc: Nvrtc, text: str) -> None:
    with pytest.raises(CompileError, match=r"sgns\.cu\(1\): (error|warning)"):
        nvrtc.compile(text, ("--gpu-architecture=sm_80",))


def test_the_report_is_read() -> None:
    report = (
        "ptxas info    : Compiling entry function 'one' for 'sm_90'\nptxas info    : Function properties for one\n"
        "    8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads\n"
        "ptxas info    : Used 118 registers, used 1 barriers\n"
    )
    assert usages(report) == {"one": (118, 8, 4, 12)}


def test_one_text_holds_all_headers() -> None:
    """What CuPy compiles is what the host compiles from the files; none is left out of it or of the package."""
    text = source()
    assert "#include" not in text
    headers = [path for path in ENGINES.joinpath("sgns").iterdir() if path.name.endswith(".cuh")]
    assert len(headers) > 5
    for header in headers:
        assert text.count(f'#line 1 "sgns/{header.name}"\n{header.read_text(encoding="utf-8")}') == 1
    main = [line for line in ENGINES.joinpath("sgns.cu").read_text(encoding="utf-8").splitlines() if "#include" in line]
    assert len(main) == len(headers) + 1
    common = files("xw2v").joinpath("common.cuh").read_text(encoding="utf-8")
    for whole in (text, kernels.source()):
        assert whole.count(f'#line 1 "common.cuh"\n{common}') == 1
        assert "#include" not in whole
    number = int(text.split('#line 1 "sgns/steps.cuh"')[1].split("#line ")[1].split()[0])
    assert (
        ENGINES.joinpath("sgns.cu").read_text(encoding="utf-8").splitlines()[number - 2] == '#include "sgns/steps.cuh"'
    )


def test_blocks_are_no_larger_than_the_source_allows() -> None:
    assert f"__launch_bounds__({_TRAIN_THREADS}, 1)\n" in source()


@pytest.mark.parametrize(("tf32", "tiles"), [(1, _TF32), (0, _FLOAT32)])
def test_tiles_are_those_of_the_source(tf32: int, tiles: Tiles) -> None:
    text = ENGINES.joinpath("sgns", "tiles.cuh").read_text(encoding="utf-8")
    part = text.split("#if TF32")[1].split("#else")[1 - tf32]
    names = {"CENTER_TILE": "centers", "COLUMN_TILE": "columns", "WIDTH_TILE": "width", "PAD": "pad"}
    found = dict(re.findall(r"#define (\w+) (\d+)", part))
    assert Tiles(**{name: int(found[macro]) for macro, name in names.items()}) == tiles
