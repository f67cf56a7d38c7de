"""What the compiler says of sgns.cu: registers, stack and spills of each kernel, by architecture, for D = 128.

With products in TF32 too, for those that have tensor cores for them. NVRTC compiles, as CuPy has it do at first use.

    python -m bench.ptxas_report       writes bench/results/ptxas_sm_*.txt; no GPU needed
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import NamedTuple

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.common import ROOT
from bench.nvrtc import Nvrtc
from xw2v.training.engines.cuda import block_columns, options, source


class Target(NamedTuple):
    """A GPU, and how the source is to be compiled for it."""

    capability: str
    tf32: bool
    cluster: int = 1

    def __str__(self) -> str:
        return f"sm_{self.capability}" + "_tf32" * self.tf32 + f"_cluster{self.cluster}" * (self.cluster > 1)


TARGETS = (
    *(Target(capability, False) for capability in ("75", "80", "90", "100")),
    *(Target(capability, True) for capability in ("80", "90", "100")),
    *(Target("90", tf32, cluster) for tf32 in (False, True) for cluster in (2, 4)),
    *(Target("100", tf32, cluster) for tf32 in (False, True) for cluster in (2, 4)),
)
SIZES = (128, 1023)  # D: rows at once and steps bounded; rows in three parts, of no multiple of four, not bounded


class Usage(NamedTuple):
    """Of one kernel: registers a thread, and bytes of stack, spill stores and spill loads."""

    registers: int
    stack: int
    stores: int
    loads: int


def how(target: Target, D: int = SIZES[0]) -> tuple[str, ...]:
    """The engine's options for groups of the usual shape."""
    tile = block_columns(D, target.cluster)
    whole = SIZES.index(D) == 0
    shape = (D, 5, 16, 32, tile if whole else -(-tile // 12) * 4, int(whole))  # SHAPE of sgns.cu
    return options(target.tf32, shape, target.cluster)


def compiled(nvrtc: Nvrtc, target: Target, D: int = SIZES[0]) -> str:
    """The compiler's report. Raises CompileError where the source does not compile."""
    given = (f"--gpu-architecture=sm_{target.capability}", "--ptxas-options=-v", *how(target, D))
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
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    nvrtc = Nvrtc()
    print("NVRTC {}.{}".format(*nvrtc.version))
    for target in TARGETS:
        report = compiled(nvrtc, target)
        (ROOT / "bench" / "results" / f"ptxas_{target}.txt").write_text(report)
        for name, usage in usages(report).items():
            print(f"{target!s:20} {name:14} {usage}")


if __name__ == "__main__":
    main()
