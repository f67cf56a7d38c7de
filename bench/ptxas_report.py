"""What the compiler says of sgns.cu: registers, stack and spills of each kernel, by architecture, for D = 128.

With products in TF32 too, for those that have tensor cores for them. NVRTC compiles, as CuPy has it do at first use.

python -m bench.ptxas_report       writes bench/results/ptxas_sm_*.txt; no GPU needed
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.common import ROOT
from bench.nvrtc import Nvrtc
from xw2v.training.engines.cuda import options, source

SHAPES = ((128, 5, 16, 32, 128, 1), (1023, 5, 16, 32, 344, 0))  # SHAPE of sgns.cu
TARGETS = (("75", False), ("80", False), ("90", False), ("100", False), ("80", True), ("90", True), ("100", True))


class Usage(NamedTuple):
    """Of one kernel: registers a thread, and bytes of stack, spill stores and spill loads."""

    registers: int
    stack: int
    stores: int
    loads: int


def compiled(nvrtc: Nvrtc, capability: str, tf32: bool = False, shape: tuple[int, ...] = SHAPES[0]) -> str:
    """The compiler's report. Raises CompileError where the source does not compile."""
    given = (f"--gpu-architecture=sm_{capability}", "--ptxas-options=-v", *options(tf32, shape))
    lines = nvrtc.compile(source(), given).log.splitlines()
    return "\n".join(line for line in lines if line and "Compile time" not in line) + "\n"


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
    nvrtc = Nvrtc()
    print("NVRTC {}.{}".format(*nvrtc.version))
    for capability, tf32 in TARGETS:
        report, target = compiled(nvrtc, capability, tf32), f"sm_{capability}" + "_tf32" * tf32
        (ROOT / "bench" / "results" / f"ptxas_{target}.txt").write_text(report)
        for name, usage in usages(report).items():
            print(f"{target:11} {name:14} {usage}")


if __name__ == "__main__":
    main()
