"""What every bench writes beside its figures: the machine, the versions, the commit."""

from __future__ import annotations

import csv
import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def machine() -> dict[str, Any]:
    """The processor's name, the cores this process may use and the memory in GiB."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line[:10] == "model name"]
        name = models[0] if models else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0.0
    return {"cpu": name, "cores": cores, "memory_gib": round(memory, 1)}


def versions(*packages: str) -> dict[str, str]:
    """The versions of Python and of those of `packages` (default: all a bench may use) that are installed."""
    found = {"python": platform.python_version()}
    for package in packages or ("numpy", "scipy", "pyarrow", "numba", "gensim", "cupy-cuda12x", "cupy-cuda13x"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The short hash of the commit, with "+" where tracked files outside bench/results differ from it.

    A copy without its history is told in XW2V_COMMIT.
    """
    if "XW2V_COMMIT" in os.environ:
        return os.environ["XW2V_COMMIT"]

    def git(*words: str) -> str:
        try:
            done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return ""
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench/results")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Add `row` to a CSV file, with the time in front; rows that stand there are never changed.

    Raises
    ------
    ValueError   the file has other columns.
    """
    row = {"date": datetime.now(UTC).isoformat(timespec="seconds"), **row}
    path.parent.mkdir(parents=True, exist_ok=True)
    head = None
    if path.exists():
        with path.open(newline="") as file:
            head = next(csv.reader(file), None)
    if head is not None and head != list(row):
        msg = f"{path} has the columns {head}, the row has {list(row)}; give it another file"
        raise ValueError(msg)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if head is None:
            writer.writeheader()
        writer.writerow(row)


def text_of(folder: Path | None) -> Path | None:
    """The text in a folder: wiki100 if it is there."""
    if folder is None:
        return None
    found = sorted([*folder.glob("*.txt.xz"), *folder.glob("*.txt")], key=lambda path: not path.name.startswith("wiki"))
    return found[0] if found else None
