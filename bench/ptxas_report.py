"""What the compiler says of sgns.cu: registers, stack and spills of each kernel, for three architectures.

With products in TF32 too, for the two that have tensor cores for them.

python -m bench.ptxas_report       writes bench/results/ptxas_sm_*.txt; no GPU needed
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.common import ROOT

TARGETS = (("sm_75", False), ("sm_80", False), ("sm_90", False), ("sm_80", True), ("sm_90", True))
SOURCE = ROOT / "xw2v" / "training" / "engines" / "sgns.cu"


class Usage(NamedTuple):
    """Of one kernel: registers a thread, and bytes of stack, spill stores and spill loads."""

    registers: int
    stack: int
    stores: int
    loads: int


def compiled(architecture: str, tf32: bool = False) -> str:
    """The compiler's report. Raises CalledProcessError where the source does not compile."""
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        msg = "no nvcc"
        raise FileNotFoundError(msg)
    with tempfile.TemporaryDirectory() as folder:
        command = [nvcc, f"-arch={architecture}", "-std=c++17", "-cubin", "-Xptxas", "-v", "-Werror", "all-warnings"]
        command += [f"-DTF32={tf32:d}", "-o", str(Path(folder) / "sgns.cubin"), str(SOURCE)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line for line in done.stderr.splitlines() if "Compile time" not in line]
    return "\n".join(lines) + "\n"


def usages(report: str) -> dict[str, Usage]:
    """The figures of a report by kernel."""
    found = {}
    for part in report.split("Compiling entry function '")[1:]:
        name = part.split("'")[0]
        stack, stores, loads = re.findall(
            r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", part
        )[0]
        found[name] = Usage(int(re.findall(r"Used (\d+) registers", part)[0]), int(stack), int(stores), int(loads))
    return found


def main() -> None:
    for architecture, tf32 in TARGETS:
        report, target = compiled(architecture, tf32), architecture + "_tf32" * tf32
        (ROOT / "bench" / "results" / f"ptxas_{target}.txt").write_text(report)
        for name, usage in usages(report).items():
            print(f"{target:10} {name:14} {usage}")


if __name__ == "__main__":
    main()
