"""What do group size, noise words, vector size, subsampling and epochs do to the scores?

Runs a grid, one row of results/quality.csv a run; what is there already is not run again, so the study can be stopped
and taken up. Speed is in the rows too, but only means something where the machine was idle: `--table` leaves it out
unless `--speed` is given.

    python -m bench.bench_quality [--groups 16,16 8,16 ...] [--sizes 100 300] [--samples 1e-3 1e-4] [--epochs 1 5]
        [--seeds 1 2 3] [--xw2v NAME=VALUE,...]
    python -m bench.bench_quality --table [--speed]
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.bench_train import SCORES, SHARED, measured, option_set, prepared
from bench.common import ROOT, append_row, commit, machine, versions

RESULTS = ROOT / "bench" / "results" / "quality.csv"
KEYS = ("vector_size", "sample", "epochs", "group_size", "group_negatives", "options")


def key(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in KEYS)


def rows() -> list[dict[str, str]]:
    if not RESULTS.exists():
        return []
    with RESULTS.open(newline="") as file:
        return list(csv.DictReader(file))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", nargs="+", default=["16,16"], metavar="b,S")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100])
    parser.add_argument("--samples", type=float, nargs="+", default=[1e-3])
    parser.add_argument("--epochs", type=int, nargs="+", default=[5])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--workers", type=int, default=machine()["cores"])
    parser.add_argument("--xw2v", type=option_set, default={}, metavar="NAME=VALUE,...")
    parser.add_argument("--table", action="store_true", help="print what is there")
    parser.add_argument("--speed", action="store_true", help="with words a second")
    return parser.parse_args()


def table(speed: bool) -> None:
    """Mean and standard deviation over the seeds, in Markdown."""
    groups: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    for row in rows():
        groups[key(row)].append(row)
    head = ["D", "sample", "epochs", "b", "S", "other", "seeds", *SCORES] + ["M words/s"] * speed
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for (D, sample, epochs, b, S, other), runs in sorted(groups.items(), key=lambda item: [*map(float, item[0][:5])]):
        cells = [D, sample, epochs, b, S, ", ".join(f"{k}={v}" for k, v in json.loads(other).items()), str(len(runs))]
        for score in SCORES:
            values = [float(run[score]) for run in runs]
            spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
            cells.append(f"{statistics.fmean(values):.3f}{spread}")
        if speed:
            cells.append(f"{statistics.median(float(run['words_per_second']) for run in runs) / 1e6:.2f}")
        print("| " + " | ".join(cells) + " |")


def main() -> None:
    args = parsed()
    if args.table:
        table(args.speed)
        return
    there = {(*key(row), row["seed"]) for row in rows()}
    grid = itertools.product(args.epochs, args.seeds, args.samples, args.sizes, args.groups)
    with prepared(SHARED / "wiki100.txt.xz", None) as text:
        for epochs, seed, sample, D, group in grid:
            b, S = map(int, group.split(","))
            point = {
                "vector_size": D, "sample": sample, "epochs": epochs, "group_size": b, "group_negatives": S,
                "options": json.dumps(args.xw2v),
            }  # fmt: skip
            if (*key(point), str(seed)) in there:
                continue
            options = {name: value for name, value in point.items() if name != "options"} | args.xw2v
            figures = measured("xw2v", text, {"window": 5, "negative": 5, "min_count": 5, "seed": seed,
                                              "workers": args.workers, **options})  # fmt: skip
            print(point | {"seed": seed} | figures, flush=True)
            append_row(RESULTS, {
                "commit": commit(), **machine(), "versions": json.dumps(versions()), **point, "seed": seed,
                "workers": args.workers, "words_per_second": round(figures["words_per_second"]),
                **{score: round(figures[score], 4) for score in SCORES},
            })  # fmt: skip


if __name__ == "__main__":
    main()
