"""How many threads train."""

from __future__ import annotations

import os
from pathlib import Path

from xw2v.config import Config

__all__ = ["is_ordered", "usable_cores", "worker_count"]


def usable_cores() -> int:
    """How many cores this process may use: its affinity, and the CPU quota of its control group."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cores = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()[:2]
        if quota != "max":
            cores = min(cores, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):
        pass
    return max(1, cores)


def is_ordered(config: Config) -> bool:
    """Whether the options count steps, one after the other."""
    return config.steps is not None or config.schedule == "halving"


def worker_count(config: Config) -> int:
    """Threads that train on the CPU: one where the order of steps has a meaning."""
    if is_ordered(config) or config.deterministic:
        return 1
    return config.workers if config.workers is not None else usable_cores()
