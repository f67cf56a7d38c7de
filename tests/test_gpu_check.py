"""`bench/gpu_check.sh` runs to its end on a machine without a GPU, and the benches of a GPU run at all."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable}


def test_it_runs_to_its_end_without_a_gpu(tmp_path: Path) -> None:
    if shutil.which("bash") is None or os.name != "posix":
        pytest.skip("no bash")
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has a GPU: the check would take minutes")
    command = ["bash", str(ROOT / "bench" / "gpu_check.sh"), "--out", str(tmp_path), "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = (tmp_path / "summary.txt").read_text().splitlines()
    steps = dict(line.split(maxsplit=1) for line in summary)
    assert steps["machine"] == "skipped: no nvidia-smi"
    for name in ("equal", "matrix", "memcheck", "initcheck", "racecheck", "synccheck", "ncu", "tests"):
        assert steps[name].startswith("skipped: backend 'cupy'"), name
    for name in ("engines", "array", "quality", "gensim", "job", "long", "losses", "ceilings"):
        assert steps[name].startswith("done"), name
    assert (tmp_path / "log.txt").read_text().count("skipped: backend 'cupy'") >= 5


@pytest.mark.parametrize(("flag", "status"), [("--help", 0), ("-h", 0), ("--nonsense", 2)])
def test_it_says_how_it_is_called(flag: str, status: int) -> None:
    if shutil.which("bash") is None or os.name != "posix":
        pytest.skip("no bash")
    command = ["bash", str(ROOT / "bench" / "gpu_check.sh"), flag]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == status
    said = done.stdout if status == 0 else done.stderr
    assert "bench/gpu_check.sh [--data FOLDER]" in said
    assert "--only" in said
    assert "pipefail" not in said


BENCHES = [path.stem for path in sorted((ROOT / "bench").glob("*.py")) if b"__main__" in path.read_bytes()]


@pytest.mark.parametrize("name", BENCHES)
def test_every_bench_says_what_it_does(name: str) -> None:
    """Without doing it."""
    command = [sys.executable, "-m", f"bench.{name}", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    assert f"python -m bench.{name}" in done.stdout
    assert "child" not in done.stdout


@pytest.mark.parametrize("part", ["job", "long", "quality", "losses", "gensim"])
def test_a_part_without_a_text_says_so(part: str) -> None:
    command = [sys.executable, "-m", "bench.bench_gpu", part, "--fake"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=ENVIRONMENT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("skipped: no text")


@pytest.mark.parametrize("there", [[], ["some.txt"]])
def test_ranks_without_a_text_or_test_sets_say_so(there: list[str], tmp_path: Path) -> None:
    for name in there:
        (tmp_path / name).write_text("a b c")
    command = [sys.executable, "-m", "bench.bench_distributed", "quality", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=ENVIRONMENT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("skipped: no text")


def test_what_it_runs_where_there_is_a_gpu(tmp_path: Path) -> None:
    """Python and the sanitizer are stood in for by a program that notes what it is asked for."""
    if shutil.which("bash") is None or os.name != "posix":
        pytest.skip("no bash")
    asked = tmp_path / "asked.txt"
    for name in ("python", "compute-sanitizer", "mpiexec"):
        stub = tmp_path / name
        stub.write_text(f'#!/bin/sh\necho "{name} $*" >>"{asked}"\n')
        stub.chmod(0o755)
    environment = {**ENVIRONMENT, "PYTHON": str(tmp_path / "python"), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = ["bash", str(ROOT / "bench" / "gpu_check.sh"), "--out", str(tmp_path / "out"), "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in asked.read_text().splitlines() if "-m pytest" in line]
    names = ["equal", "initcheck", "matrix", "memcheck", "racecheck", "synccheck"]
    folders = re.findall(rf"--basetemp .*?/({'|'.join(names)}) ", "\n".join(lines))
    assert sorted(folders) == names
    for name in names:
        (line,) = [line for line in lines if f"/{name} " in line]
        assert ("tests/test_cuda_gpu.py" in line) == (name != "matrix")
        assert line.startswith("compute-sanitizer --tool " + name if name.endswith("check") else "python -m pytest")
        assert "-n 5" in line or name.endswith("check")
    assert sum("-m not slow" in line for line in lines) == 2
    assert "bench.bench_gpu fused softmax " in asked.read_text()
    assert "tests/test_gpu_ranks.py" in asked.read_text()
    assert "--share-gpu nccl" in asked.read_text()


@pytest.mark.parametrize("part", ["ceilings", "fused", "tf32", "questions", "array", "softmax"])
def test_benches_run_on_the_host(part: str) -> None:
    if part == "fused" and not (shutil.which("g++") or shutil.which("clang++")):
        pytest.skip("no C++ compiler")
    command = [sys.executable, "-m", "bench.bench_gpu", part, "--fake", "--quick", "--words", "2000"]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert part in done.stdout
    assert "skipped" not in done.stdout
