"""Kills at random moments; `python -m tests.kills` and `python -m tests.rank_kills` do more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.test_distributed import needs_mpi


def figures_of(module: str, *options: str) -> dict[str, Any]:
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", module, *options]
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_killed_runs_lose_nothing() -> None:
    figures = figures_of("tests.kills", "--kills", "50")
    assert figures["kills"] >= 50
    assert figures["runs"] >= 5
    assert figures["checkpoints_read"] > 10
    assert (figures["unreadable"], figures["differing"], figures["silently_beyond"]) == (0, 0, 0)


@pytest.mark.slow
@needs_mpi
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_killed_ranks_end_all_and_others_go_on() -> None:
    figures = figures_of("tests.rank_kills", "--kills", "6")
    assert figures["kills"] >= 6
    assert figures["resumed"] >= 1
    wrong = {name: figures[name] for name in ("unreadable", "hanging", "failed", "differing")}
    assert set(wrong.values()) == {0}, wrong
