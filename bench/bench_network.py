"""Do ranks on hosts of their own take the time that the model of SCALING.md says?

Hosts are network namespaces of this machine, with a host name and /dev/shm each, on a bridge; each sends at most so
many Gbit/s. They share this machine's cores, so it is the time in meetings that counts, and slow networks that tell.
Wants Linux, root, iproute2 and MPICH's mpiexec.

    python -m bench.bench_network [TEXT] [--hosts 2 4] [--gigabits 0.1 1 10] [--vector-size 100] [--turns 3]

Rows: results/network.csv.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from bench.bench_distributed import launched
from bench.bench_train import SHARED, prepared
from bench.common import ROOT, append_row, commit, machine, versions
from bench.scaling_model import CPU, packets, round_of, rows_met, seconds_a_meeting

RESULTS = ROOT / "bench" / "results" / "network.csv"
BRIDGE = "xw2vbench"  # with a number, a host and its link
OWN = ("unshare", "--uts", "--ipc", "--mount", "sh", "-c")
# What mpiexec calls in place of ssh: options, the host's address, a command.
LAUNCHER = """#!/bin/bash
while [[ $1 == -* ]]; do shift; done
host=xw2vbench${1##*.}; shift
exec ip netns exec "$host" unshare --uts --ipc --mount sh -c "hostname $host; mount -t tmpfs none /dev/shm; exec $*"
"""


def ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, stderr=None if check else subprocess.DEVNULL)


def removed(hosts: int) -> None:
    for i in range(1, hosts + 1):
        ip("link", "del", f"{BRIDGE}{i}", check=False)  # what a namespace takes with it goes a while later
        ip("netns", "del", f"{BRIDGE}{i}", check=False)
    ip("link", "del", BRIDGE, check=False)


@contextmanager
def network(hosts: int, gigabits: float) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """What to put before and after `mpiexec`, while that many hosts are there."""
    removed(hosts)
    try:
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("link", "set", BRIDGE, "up")
        for i in range(1, hosts + 1):
            ip("netns", "add", f"{BRIDGE}{i}")
            ip("link", "add", f"{BRIDGE}{i}", "type", "veth", "peer", "name", "e0", "netns", f"{BRIDGE}{i}")
            ip("link", "set", f"{BRIDGE}{i}", "master", BRIDGE, "up")
            ip("-n", f"{BRIDGE}{i}", "addr", "add", f"10.77.0.{i}/24", "dev", "e0")
            for device in ("e0", "lo"):
                ip("-n", f"{BRIDGE}{i}", "link", "set", device, "up")
            limit = ["root", "tbf", "rate", f"{round(gigabits * 1e6)}kbit", "burst", "256kb", "latency", "50ms"]
            ip("netns", "exec", f"{BRIDGE}{i}", "tc", "qdisc", "add", "dev", "e0", *limit)
        with tempfile.TemporaryDirectory() as folder:
            launcher, names = Path(folder, "launch"), Path(folder, "hosts")
            launcher.write_text(LAUNCHER)
            launcher.chmod(0o755)
            names.write_text("".join(f"10.77.0.{i}:1\n" for i in range(1, hosts + 1)))
            first = f'hostname {BRIDGE}1; mount -t tmpfs none /dev/shm; exec "$0" "$@"'
            around = ("ip", "netns", "exec", f"{BRIDGE}1", *OWN, first)
            yield around, ("-launcher", "ssh", "-launcher-exec", str(launcher), "-iface", "e0", "-f", str(names))
    finally:
        removed(hosts)


def row_of(
    args: argparse.Namespace, hosts: int, gigabits: float, counts: np.ndarray, runs: list[Any]
) -> dict[str, Any]:
    """A line of the results: medians, and the model's figures for as many meetings."""
    seconds = sorted(run["meeting_seconds"] for run in runs)
    words = round_of(replace(CPU, run=float(counts.sum())), hosts)
    size = packets(rows_met(counts, hosts * words, hosts), args.vector_size)
    meetings = runs[0]["meetings"]
    return {
        "commit": commit(), **machine(), "versions": json.dumps(versions("numpy", "numba", "mpi4py", "mpich")),
        "text": args.text.name, "hosts": hosts, "gigabits": gigabits, "vector_size": args.vector_size,
        "runs": len(runs), "meetings": meetings, "megabytes": round(runs[0]["megabytes"], 1),
        "model_megabytes": round(meetings * size / 1e6, 1), "seconds": round(statistics.median(seconds), 2),
        "lowest": round(seconds[0], 2), "highest": round(seconds[-1], 2),
        "model_seconds": round(meetings * seconds_a_meeting(CPU, hosts, gigabits, size), 2),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="?", default=SHARED / "wiki100.txt.xz")
    parser.add_argument("--hosts", type=int, nargs="+", default=[2])
    parser.add_argument("--gigabits", type=float, nargs="+", default=[0.1, 1, 10])
    parser.add_argument("--vector-size", type=int, default=100)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--words", type=int, help="only the first so many words of the text")
    args = parser.parse_args()
    for tool in ("ip", "tc", "unshare"):
        if shutil.which(tool) is None:
            parser.error(f"there is no {tool}: install iproute2 and util-linux")
    from xw2v import encode

    options = {"vector_size": args.vector_size, "epochs": 1, "workers": 1}
    cases = [(hosts, gigabits) for hosts in args.hosts for gigabits in args.gigabits]
    with prepared(args.text, args.words) as text:
        corpus = encode(text, text.with_name("encoded"))
        counts = np.asarray(corpus.vocabulary.counts)
        runs: dict[tuple[int, float], list[Any]] = {case: [] for case in cases}
        for _ in range(args.turns):
            for case in cases:
                with network(*case) as (around, how):
                    runs[case].append(launched(case[0], text.with_name("encoded"), options, None, around, how))
    for case in cases:
        row = row_of(args, *case, counts, runs[case])
        append_row(RESULTS, row)
        print(
            f"{row['hosts']} hosts, {row['gigabits']:g} Gbit/s: {row['meetings']} meetings, "
            f"{row['megabytes']} MB (model {row['model_megabytes']}), {row['seconds']} s "
            f"({row['lowest']}-{row['highest']}; model {row['model_seconds']})",
            flush=True,
        )


if __name__ == "__main__":
    main()
