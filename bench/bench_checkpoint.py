"""What does a checkpoint every 30 s cost? One run at V = 1 M and D = 100, checkpoints switched on and off in turn.

The corpus is made up: words drawn by Zipf's law, in sentences of 20. Stretches of the run without and with
checkpoints lie next to each other, in the order off, on, on, off, off, on, on, off; a stretch ends when nothing is
being written any more. A pair of neighbours gives a cost, the share of words a second that is lost; the median of the
pairs is the result. The defaults take some six minutes.

    python -m bench.bench_checkpoint [--every 30s] [--pairs 4] [--seconds 40] [--vocabulary 1000000]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from bench.common import ROOT, append_row, commit, machine, versions
from xw2v.backend import NumpyBackend
from xw2v.config import Config
from xw2v.training.checkpoint import Checkpoints, read_checkpoint
from xw2v.training.engines import choose_engine
from xw2v.training.epochs import EpochEnds
from xw2v.training.initial import initial_tables
from xw2v.training.trainer import Training

WARM_UP = 5.0  # seconds of training before the first stretch


class Stretch(NamedTuple):
    """A part of the run."""

    checkpoints: bool
    words: int
    seconds: float

    @property
    def rate(self) -> float:
        """Words a second."""
        return self.words / self.seconds


class Switched(Checkpoints):
    """Checkpoints that may be switched off, and are timed."""

    def __init__(self, folder: Path, every: str) -> None:
        super().__init__(folder, every, lambda line: print(f"  {line}"))
        self.on = False
        self.stood: list[float] = []  # seconds from the wish for a copy, chunks under way included, until it was taken
        self.copied: list[float] = []  # seconds of the copy alone
        self.written: list[float] = []  # seconds of each write
        self._asked = 0.0

    def switch(self, on: bool, words: int) -> None:
        """Begin a stretch, with checkpoints or without."""
        self.on = on
        self._pace.begin(words)

    def due(self, words: int) -> bool:
        """As of `Checkpoints` in a stretch with them."""
        self._asked = time.perf_counter()
        return self.on and super().due(words)

    def save(self, *arguments: Any) -> None:
        """Timed."""
        began = time.perf_counter()
        super().save(*arguments)
        now = time.perf_counter()
        self.copied.append(now - began)
        self.stood.append(now - self._asked)

    def _write(self, *arguments: Any) -> None:
        began = time.perf_counter()
        super()._write(*arguments)
        self.written.append(time.perf_counter() - began)


def corpus(V: int, N: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids by Zipf's law, sentence ends, counts; the most frequent word first."""
    share = np.cumsum(1 / np.arange(1, V + 1))
    ids = np.searchsorted(share / share[-1], np.random.default_rng(0).random(N)).astype(np.int32)
    counts = np.bincount(ids, minlength=V)
    return ids, np.arange(0, N + 1, 20), np.maximum(counts, 1)


def stretches(data: Any, config: Config, saver: Switched, pairs: int, seconds: float) -> list[Stretch]:
    """Train until all stretches are done."""
    ids, offsets, counts = data
    backend = NumpyBackend("a bench")
    engine, _ = choose_engine(config, counts, backend)
    engine.compile()
    tables = initial_tables(len(counts), config, backend)
    run = {"config": config.to_dict(), "corpus": {"words": len(ids)}}
    saver.begin(lambda: run, [], backend, tables, 0, EpochEnds(None))
    training = Training(tables, ids, offsets, config, backend, engine, saver=saver)
    # Neighbours in turn, so that a machine that grows faster or slower favours neither.
    order = [on for pair in range(pairs) for on in ((False, True) if pair % 2 == 0 else (True, False))]
    done: list[Stretch] = []
    began, words, length = time.perf_counter(), 0, WARM_UP
    for record in training:
        now = time.perf_counter()
        if now - began < length or saver.writing:
            continue
        if length == seconds:
            done.append(Stretch(saver.on, record.words - words, now - began))
            print(f"{'with' if saver.on else 'without'}: {done[-1].rate / 1e6:.3f} M words/s", flush=True)
        if len(done) == len(order):
            training.stop()
            break
        saver.switch(order[len(done)], record.words)
        began, words, length = now, record.words, seconds
    return done


def costs(done: list[Stretch]) -> list[float]:
    """The share of throughput that is lost, of each pair of neighbours."""
    found = []
    for pair in zip(done[::2], done[1::2], strict=True):
        without, beside = sorted(pair, key=lambda stretch: stretch.checkpoints)
        found.append(1 - beside.rate / without.rate)
    return found


def shown(values: list[float], form: str) -> str:
    """The median with the least and the largest."""
    if not values:
        return "none"
    return f"{format(statistics.median(values), form)} ({format(min(values), form)} to {format(max(values), form)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", default="30s")
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=40.0, help="of a stretch")
    parser.add_argument("--vocabulary", type=int, default=1_000_000)
    parser.add_argument("--vector-size", type=int, default=100)
    args = parser.parse_args()
    config = Config(vector_size=args.vector_size, epochs=1000, backend="numpy")
    with tempfile.TemporaryDirectory(dir=ROOT / "bench") as folder:
        saver = Switched(Path(folder), args.every)
        done = stretches(corpus(args.vocabulary, 20_000_000), config, saver, args.pairs, args.seconds)
        saver.wait()
        for path in Path(folder).glob("checkpoint-*"):
            read_checkpoint(path)
    lost = costs(done)
    rates = [[stretch.rate for stretch in done if stretch.checkpoints == on] for on in (False, True)]
    print(
        f"cost {shown(lost, '.2%')}, {len(saver.written)} checkpoints; written in {shown(saver.written, '.2f')} s, "
        f"training stood still for {shown(saver.stood, '.3f')} s, of it the copy {shown(saver.copied, '.3f')} s"
    )
    if not saver.written:
        sys.exit("no checkpoint was written: give longer stretches")
    row = {
        "commit": commit(), **machine(), "versions": json.dumps(versions()), "vocabulary": args.vocabulary,
        "vector_size": args.vector_size, "every": args.every, "pairs": args.pairs, "seconds": args.seconds,
        "checkpoints": len(saver.written), "words_per_second_without": round(statistics.median(rates[0])),
        "words_per_second_with": round(statistics.median(rates[1])), "cost": round(statistics.median(lost), 4),
        "lowest_cost": round(min(lost), 4), "highest_cost": round(max(lost), 4),
        "stood_still_seconds": round(statistics.median(saver.stood), 3),
        "longest_still_seconds": round(max(saver.stood), 3), "copy_seconds": round(statistics.median(saver.copied), 3),
        "write_seconds": round(statistics.median(saver.written), 2),
        "longest_write_seconds": round(max(saver.written), 2),
    }  # fmt: skip
    append_row(ROOT / "bench" / "results" / "checkpoint_cost.csv", row)


if __name__ == "__main__":
    main()
