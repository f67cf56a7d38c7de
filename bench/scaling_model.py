"""How far does training scale? The tables of SCALING.md, from constants and the rows that the averager really takes.

    python -m bench.scaling_model                all tables, in Markdown
    python -m bench.scaling_model --rate 50e6    with another speed of one GPU, in words a second
    python -m bench.scaling_model --run 1e9      a run of so many words: shorter ones meet more often

A rank trains w words, then meets the others: rows by `row_limits`, Zipf counts. Time of a meeting: for each of both
tables a collective of log2 N steps of LATENCY, the ring's 2 (N - 1) / N times the bytes over the network, and passes
over the rows in the rank's own memory. Nothing is hidden behind training, as in the code.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from xw2v.config import Config
from xw2v.training.distributed.averaging import row_limits
from xw2v.training.distributed.shared_walk import words_a_round
from xw2v.training.sampling import keep_probabilities

LATENCY = 5e-6  # seconds a step of a collective: of a fast fabric; assumed, not measured
RANKS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
NETWORKS = (10, 100, 400)  # Gbit/s, each way


@dataclass(frozen=True)
class Rank:
    """One rank of a kind."""

    name: str
    words: float  # trained a second
    most: int | None  # words between two meetings at most; None: that of a CPU's ranks
    passes: int  # reads and writes of a row on its way into a packet and back, counted from the code
    memory: float  # bytes a second, of packing rows
    run: float = 100e9  # words of the whole run, over all epochs
    round: int | None = None  # words between two meetings; None: the default


CPU = Rank("CPU core", 1.54e6, None, 7, 17e9)
GPU = Rank("GPU", 150e6, 32 * 512 * 8192, 12, 4.3e12)


def zipf(V: int) -> np.ndarray:
    """(V,) counts as 1 / (rank + 2.7), the rarest word five times, as min_count leaves them."""
    counts = 1 / (np.arange(V) + 2.7)
    whole: np.ndarray = np.rint(counts * (5 / counts[-1])).astype(np.int64)
    return whole


def rows_met(counts: np.ndarray, round_words: int, N: int, sample: float = 1e-3) -> float:
    """Rows of one table that a meeting includes, on average, after so many words of all ranks."""
    expected = counts * keep_probabilities(counts, sample) * (round_words / counts.sum())
    limits = row_limits(expected, N)
    shares = [2.0 ** -(z + 1) for z in range(len(limits))]
    shares[-1] *= 2  # all higher powers of 2
    return float(np.dot(shares, limits))


@cache
def rows_a_meeting(V: int, round_words: int, N: int) -> float:
    return rows_met(zipf(V), round_words, N)


def round_of(rank: Rank, N: int) -> int:
    """Words that each of N ranks trains between two meetings."""
    return rank.round or words_a_round(Config(vector_size=300), N, int(rank.run), rank.most)


def meeting(rank: Rank, N: int, gigabits: float, V: int, D: int) -> tuple[float, float]:
    """(bytes that a rank brings to a meeting, seconds it takes), on average."""
    if N == 1:
        return 0.0, 0.0
    size = packets(rows_a_meeting(V, N * round_of(rank, N), N), D)
    return size, seconds_a_meeting(rank, N, gigabits, size)


def packets(rows: float, D: int) -> float:
    """Bytes of so many rows of each table, a float32 for the weight of each with them."""
    return 2 * rows * 4 * (D + 1)


def seconds_a_meeting(rank: Rank, N: int, gigabits: float, size: float) -> float:
    """What N ranks take that bring `size` bytes each."""
    steps = 2 * math.ceil(math.log2(N)) * LATENCY
    return steps + 2 * (N - 1) / N * size / (gigabits * 1e9 / 8) + rank.passes * size / rank.memory


def speed(rank: Rank, N: int, gigabits: float, V: int, D: int) -> tuple[float, float]:
    """(words a second of N ranks, share of the time that they train)."""
    training = round_of(rank, N) / rank.words
    share = training / (training + meeting(rank, N, gigabits, V, D)[1])
    return N * rank.words * share, share


def table(rank: Rank, V: int, D: int) -> str:
    """M words a second and the share of the time in training, ranks down and networks across."""
    size = meeting(rank, 2, 100, V, D)[0]
    times = ", ".join(f"{1e3 * meeting(rank, 256, g, V, D)[1]:.2f} ms at {g} Gbit/s" for g in NETWORKS)
    words = round_of(rank, 2)
    lines = [
        f"{rank.name}, V = {V:,}, D = {D}: two ranks bring {size / 1e6:.1f} MB to a meeting, one every {words:,} words "
        f"a rank ({1e3 * words / rank.words:.1f} ms); one of 256 ranks takes {times}.",
        "",
        "| ranks | " + " | ".join(f"{g} Gbit/s" for g in NETWORKS) + " |",
        "|---" * (len(NETWORKS) + 1) + "|",
    ]
    for N in RANKS:
        cells = [speed(rank, N, g, V, D) for g in NETWORKS]
        lines.append(f"| {N} | " + " | ".join(f"{words / 1e6:,.1f} M ({100 * s:.0f} %)" for words, s in cells) + " |")
    return "\n".join(lines)


def gpu_hours(rank: Rank, words: float, V: int, D: int) -> str:
    """A line on a corpus of so many words, one epoch, 400 Gbit/s."""
    cells = []
    for N in (1, 8, 64, 256):
        seconds = words / speed(rank, N, 400, V, D)[0]
        cells.append(f"{N} GPUs: {seconds * N / 3600:.2f} GPU-hours, {seconds:,.0f} s")
    return f"{words / 1e9:.0f} G words, V = {V:,}, D = {D}, one epoch, 400 Gbit/s: " + "; ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=GPU.words, help="words a second of one GPU")
    parser.add_argument("--core", type=float, default=CPU.words, help="words a second of one CPU core")
    parser.add_argument("--run", type=float, default=GPU.run, help="words of the whole run")
    parser.add_argument("--round", type=int, help="words a GPU trains between two meetings")
    args = parser.parse_args()
    gpu = replace(GPU, words=args.rate, run=args.run, round=args.round)
    for rank in (replace(CPU, words=args.core, run=args.run), gpu):
        for V in (1_000_000, 10_000_000):
            print(table(rank, V, 300), end="\n\n")
    for V in (1_000_000, 10_000_000):
        print(gpu_hours(gpu, args.run, V, 300))


if __name__ == "__main__":
    main()
