"""Fifty kills at random moments; `python -m tests.kills` does more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_killed_runs_lose_nothing() -> None:
    command = [sys.executable, "-m", "tests.kills", "--kills", "50"]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=300)
    figures = json.loads(done.stdout)
    assert figures["kills"] >= 50
    assert figures["runs"] >= 5
    assert figures["checkpoints_read"] > 10
    assert (figures["unreadable"], figures["differing"], figures["silently_beyond"]) == (0, 0, 0)
