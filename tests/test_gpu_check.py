"""`bench/gpu_check.sh` runs to its end on a machine without a GPU, and the benches of a GPU run at all."""

from __future__ import annotations

import os
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
    for name in ("engines", "quality", "gensim", "job", "losses", "ceilings"):
        assert steps[name].startswith("done"), name
    assert (tmp_path / "log.txt").read_text().count("skipped: backend 'cupy'") >= 5


@pytest.mark.parametrize("part", ["ceilings", "fused", "tf32", "questions", "array", "softmax"])
def test_benches_run_on_the_host(part: str) -> None:
    if part == "fused" and not (shutil.which("g++") or shutil.which("clang++")):
        pytest.skip("no C++ compiler")
    command = [sys.executable, "-m", "bench.bench_gpu", part, "--fake", "--quick", "--words", "2000"]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert part in done.stdout
    assert "skipped" not in done.stdout
