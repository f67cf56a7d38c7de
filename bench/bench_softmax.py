"""How near does training with the exact softmax come to the machine's rate of matrix products?

A centre takes three products of 2 V D operations. Their rate is put beside that of large square products on as many
threads, measured in turn.

    python -m bench.bench_softmax [--vocabulary 20000] [--vector-size 100] [--workers N] [--runs 7]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.common import ROOT, append_row, commit, machine, versions
from xw2v.backend import NumpyBackend
from xw2v.config import Config
from xw2v.training.batches import Chunk, read_chunk
from xw2v.training.engines.array import ArrayEngine
from xw2v.training.initial import initial_tables

_SIDE = 3000
_TOKENS = 8192


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=int, default=20_000)
    parser.add_argument("--vector-size", type=int, default=100)
    parser.add_argument("--workers", type=int, default=machine()["cores"])
    parser.add_argument("--runs", type=int, default=7)
    args = parser.parse_args()
    V, D, workers = args.vocabulary, args.vector_size, args.workers

    ids = np.minimum(np.random.default_rng(1).zipf(1.1, workers * _TOKENS) - 1, V - 1).astype(np.int32)
    config = Config(loss="softmax", vector_size=D, sample=0)
    engine = ArrayEngine(config, np.bincount(ids, minlength=V), NumpyBackend("a bench"))
    tables = initial_tables(V, config, engine.backend)
    offsets = np.array([0, len(ids)])
    chunks = [read_chunk(ids, offsets, at, at + _TOKENS) for at in range(0, len(ids), _TOKENS)]
    square = np.random.default_rng(2).standard_normal((_SIDE, _SIDE)).astype(np.float32)

    def train(chunk: Chunk) -> int:
        result = engine.train_chunk(tables, chunk, 0, lambda words, step: 0.025)
        if not np.isfinite(result.loss) or result.centers != _TOKENS:
            msg = f"the loss of {result.centers} centres came out as {result.loss}"
            raise SystemExit(msg)
        return result.centers

    rates: dict[str, list[float]] = {"products": [], "softmax": []}
    with threadpool_limits(1), ThreadPoolExecutor(workers) as pool:
        for run in range(args.runs + 1):
            start = time.perf_counter()
            list(pool.map(lambda _: square @ square, range(workers)))
            middle = time.perf_counter()
            centers = sum(pool.map(train, chunks))
            end = time.perf_counter()
            if run:  # the first is to warm up
                rates["products"].append(workers * 2 * _SIDE**3 / (middle - start) / 1e9)
                rates["softmax"].append(centers * 6 * V * D / (end - middle) / 1e9)
    middle_rates = {name: statistics.median(values) for name, values in rates.items()}
    share = statistics.median(s / p for s, p in zip(rates["softmax"], rates["products"], strict=True))
    for name, values in rates.items():
        print(f"{name:9} {middle_rates[name]:7.1f} GFLOP/s ({min(values):.1f}-{max(values):.1f})")
    print(f"share {share:.2f}; {middle_rates['softmax'] * 1e9 / (6 * V * D):,.0f} centres/s")
    row = {
        "commit": commit(), **machine(), "versions": json.dumps(versions()), "vocabulary": V, "vector_size": D,
        "workers": workers,
        "runs": args.runs, "products_gflops": round(middle_rates["products"], 1),
        "softmax_gflops": round(middle_rates["softmax"], 1), "lowest": round(min(rates["softmax"]), 1),
        "highest": round(max(rates["softmax"]), 1), "share": round(share, 3),
    }  # fmt: skip
    append_row(ROOT / "bench" / "results" / "softmax.csv", row)


if __name__ == "__main__":
    main()
