"""What does a checkpoint every 30 s cost? Training with and without, in turn, at V = 1 M and D = 100.

The corpus is made up: words drawn by Zipf's law, in sentences of 20. A run is long enough for two checkpoints and is
timed without its last one; the share of throughput that is lost is the difference of the medians of words a second.

    python -m bench.bench_checkpoint [--seconds 65] [--every 30s] [--runs 2] [--vocabulary 1000000]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from bench.common import ROOT, append_row, commit, machine, versions
from xw2v.backend import NumpyBackend
from xw2v.config import Config
from xw2v.training.checkpoint import Checkpoints, read_checkpoint
from xw2v.training.engines import choose_engine
from xw2v.training.trainer import Training, initial_tables


def corpus(V: int, N: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids by Zipf's law, sentence ends, counts; the most frequent word first."""
    share = np.cumsum(1 / np.arange(1, V + 1))
    ids = np.searchsorted(share / share[-1], np.random.default_rng(0).random(N)).astype(np.int32)
    counts = np.bincount(ids, minlength=V)
    return ids, np.arange(0, N + 1, 20), np.maximum(counts, 1)


def run(data: Any, config: Config, seconds: float, folder: Path | None, every: str) -> tuple[float, int, float]:
    """Words a second of a run of so many seconds, checkpoints written in it, seconds that training stood still."""
    ids, offsets, counts = data
    backend = NumpyBackend("a bench")
    engine, _ = choose_engine(config, counts, backend)
    engine.compile()
    tables = initial_tables(len(counts), config, backend)
    stood = [0.0]
    saver = None
    if folder is not None:

        class Timed(Checkpoints):
            def save(self, *arguments: Any) -> None:
                began = time.perf_counter()
                super().save(*arguments)
                stood.append(time.perf_counter() - began)
                print(f"  stood still for {stood[-1]:.3f} s", file=sys.stderr)

        saver = Timed(folder, every)
        run = {"config": config.to_dict(), "corpus": {"words": len(ids)}}
        saver.begin(lambda: run, [], backend, tables)
    training = Training(tables, ids, offsets, config, backend, engine, saver=saver)
    began = time.perf_counter()
    words = 0
    for record in training:
        words = record.words
        if time.perf_counter() - began > seconds:
            training.stop()
    rate = words / (time.perf_counter() - began)
    if saver is not None:
        saver.wait()
        for path in saver.folder.glob("checkpoint-*"):
            read_checkpoint(path)
    return rate, len(stood) - 1, sum(stood)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=65.0)
    parser.add_argument("--every", default="30s")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--vocabulary", type=int, default=1_000_000)
    parser.add_argument("--vector-size", type=int, default=100)
    args = parser.parse_args()
    config = Config(vector_size=args.vector_size, epochs=1000, backend="numpy")
    data = corpus(args.vocabulary, 20_000_000)
    rates: dict[bool, list[float]] = {False: [], True: []}
    stood, written = [], 0
    for turn in range(args.runs):
        for with_checkpoints in (False, True) if turn % 2 == 0 else (True, False):
            with tempfile.TemporaryDirectory(dir=ROOT / "bench") as folder:
                where = Path(folder) if with_checkpoints else None
                rate, count, still = run(data, config, args.seconds, where, args.every)
            rates[with_checkpoints].append(rate)
            if with_checkpoints:
                stood.append(still / max(count, 1))
                written += count
            print(
                f"{'with' if with_checkpoints else 'without'} checkpoints: {rate / 1e6:.3f} M words/s, {count} written"
            )
    without, beside = statistics.median(rates[False]), statistics.median(rates[True])
    print(f"cost {1 - beside / without:.2%}; training stood still for {statistics.median(stood):.2f} s a checkpoint")
    row = {
        "commit": commit(), **machine(), "versions": json.dumps(versions()), "vocabulary": args.vocabulary,
        "vector_size": args.vector_size, "every": args.every, "runs": args.runs, "seconds": args.seconds,
        "checkpoints": written, "words_per_second_without": round(without), "words_per_second_with": round(beside),
        "lowest_without": round(min(rates[False])), "lowest_with": round(min(rates[True])),
        "cost": round(1 - beside / without, 4), "stood_still_seconds": round(statistics.median(stood), 3),
    }  # fmt: skip
    append_row(ROOT / "bench" / "results" / "checkpoint.csv", row)


if __name__ == "__main__":
    main()
