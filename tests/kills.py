"""Kill runs at random moments and have them go on: are checkpoints always readable, do runs end where they should?

    python -m tests.kills [--kills 500] [--seed 0]

A run is a forked process, so that a kill costs no start of an interpreter. It is killed with SIGKILL after a random
time and started again until it comes to its end. After every kill all checkpoints are read, and what was done and is
in none of them is counted: it must be no more than 1.1 intervals, unless the run had said that its disk is too slow for
that. At the end the vectors are compared, byte for byte, with those of a run that nobody killed. Prints a JSON object.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import itertools
import json
import mmap
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from xw2v import EncodedCorpus, Word2Vec
from xw2v.config import CS224N
from xw2v.files import atomic_write
from xw2v.text.vocabulary import Vocabulary
from xw2v.training.checkpoint import read_checkpoint
from xw2v.training.pace import _JITTER
from xw2v.training.walk import Progress

COMMON: dict[str, Any] = {"vector_size": 16, "workers": 1, "backend": "numpy", "sample": 0.01}
MODES: dict[str, dict[str, Any]] = {
    "cpu": {"epochs": 8, "engine": "cpu"},
    "array": {"epochs": 4, "engine": "array"},
    "pair": {"epochs": 1, "negatives": "pair", "batch_size": 64},
    "softmax": {"epochs": 2, "loss": "softmax", "batch_size": 256},
    "cs224n": CS224N | {"steps": 800, "sample": 0.01, "halve_every": 400, "backend": "numpy"},
}
INTERVALS = {"words": "41000", "seconds": "0.25s"}  # five chunks; time enough for a disk beside other work
SLOW = 0.01  # seconds that a chunk takes longer, so that a checkpoint is written within a few of them
V, N = 300, 60_000


@dataclasses.dataclass
class Figures:
    """What came of the kills."""

    kills: int = 0
    runs: int = 0  # that were killed at least once and came to their end
    checkpoints_read: int = 0
    unreadable: int = 0
    differing: int = 0
    leftovers: int = 0  # half-written files found after a kill; harmless
    # Of what was done when a run was killed and is done again, in parts of the interval:
    most_lost: dict[str, float] = dataclasses.field(default_factory=lambda: dict.fromkeys(INTERVALS, 0.0))
    beyond_interval: int = 0  # kills that cost more than one, after the run had said so
    silently_beyond: int = 0  # and before it had


class Seen(NamedTuple):
    """What a run that may die at any moment leaves in memory that is shared."""

    words: int = 0  # of the last record
    seconds: float = 0.0
    answered: int = 0  # of the one before it, after which a checkpoint was asked for if one was due
    answered_seconds: float = 0.0
    complained: bool = False

    def lost(self, unit: str, kept: Progress | None) -> tuple[float, float]:
        """Words or seconds that are in no checkpoint: of all that was done, and of what was answered for."""
        if kept is None:
            kept_words, kept_seconds = 0, 0.0
        else:
            kept_words, kept_seconds = kept.words, kept.seconds
        if unit == "words":
            return self.words - kept_words, self.answered - kept_words
        return self.seconds - kept_seconds, self.answered_seconds - kept_seconds


class Memory:
    """`Seen` in shared memory."""

    _LAYOUT = struct.Struct("qdqd?")

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self.write(Seen())

    def read(self) -> Seen:
        return Seen(*self._LAYOUT.unpack_from(self._memory))

    def write(self, seen: Seen) -> None:
        self._LAYOUT.pack_into(self._memory, 0, *seen)


def corpus() -> EncodedCorpus:
    ids = np.minimum(np.random.default_rng(0).geometric(0.02, N), V).astype(np.int32) - 1
    counts = np.bincount(ids, minlength=V)
    return EncodedCorpus(ids, np.arange(0, N + 1, 10), Vocabulary([f"w{i}" for i in range(V)], counts), N)


def train(mode: str, folder: Path | None = None, unit: str = "words", memory: Memory | None = None) -> str:
    """The digest of the vectors of a run; how far it has come is noted in shared memory."""

    def note(record: Progress) -> None:
        if memory is not None:
            seen = memory.read()
            memory.write(Seen(record.words, record.seconds, seen.words, seen.seconds, seen.complained))
            time.sleep(SLOW)

    def complain(line: str) -> None:
        assert line.startswith("checkpoints come later than asked for"), line
        if memory is not None:
            memory.write(memory.read()._replace(complained=True))

    keep: dict[str, Any] = {}
    if folder is not None:
        keep = {"checkpoint_dir": folder, "checkpoint_every": INTERVALS[unit], "resume": True}
    model = Word2Vec(**(COMMON | MODES[mode]))
    model.fit(corpus(), **keep, on_progress=note, on_warning=complain)
    return hashlib.sha256(model.wv.vectors.tobytes() + model.outside_vectors.tobytes()).hexdigest()


def start(mode: str, folder: Path, unit: str, memory: Memory) -> int:
    """A process that trains and writes the digest; its number."""
    memory.write(Seen())
    child = os.fork()
    if child == 0:
        try:
            with atomic_write(folder.parent / "digest") as file:  # a kill may come in the middle of this, too
                file.write(train(mode, folder, unit, memory).encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    return child


def killed_run(
    mode: str, unit: str, wanted: str, seconds: float, place: Path, rng: random.Random, figures: Figures
) -> None:
    """One run, killed again and again until it comes to its end."""
    folder, memory = place / "c", Memory()
    kills = 0
    while True:
        child = start(mode, folder, unit, memory)
        deadline = time.monotonic() + rng.uniform(0, seconds)
        while time.monotonic() < deadline and os.waitpid(child, os.WNOHANG)[0] == 0:
            time.sleep(0.0005)
        try:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        if (place / "digest").exists():
            break
        kills += 1
        look(folder, unit, memory.read(), figures)
    figures.kills += kills
    figures.runs += kills > 0
    if (place / "digest").read_text() != wanted:
        print(f"{mode}, {unit}: other vectors after {kills} kills", file=sys.stderr)
        figures.differing += 1


def look(folder: Path, unit: str, seen: Seen, figures: Figures) -> None:
    """Read all checkpoints of a run that was just killed when it had come so far."""
    kept = None
    for path in sorted(folder.glob("checkpoint-*")) if folder.exists() else ():
        figures.checkpoints_read += 1
        try:
            kept = read_checkpoint(path).history[-1]
        except Exception as error:
            print(f"{path}: {error}", file=sys.stderr)
            figures.unreadable += 1
    figures.leftovers += len(list(folder.glob(".xw2v-*.tmp")))
    if seen.words == 0:  # killed before it had done anything
        return
    interval = float(INTERVALS[unit].rstrip("s"))
    lost, answered = seen.lost(unit, kept)
    figures.most_lost[unit] = round(max(figures.most_lost[unit], lost / interval), 3)
    figures.beyond_interval += lost > interval
    figures.silently_beyond += answered > _JITTER * interval and not seen.complained


def main(kills: int, seed: int) -> Figures:
    rng, figures = random.Random(seed), Figures()
    wanted, seconds = {}, {}
    units = itertools.cycle(INTERVALS)
    with threadpool_limits(1):
        for mode in MODES:
            train(mode)  # compiles
            began = time.monotonic()
            wanted[mode] = train(mode, memory=Memory())
            seconds[mode] = time.monotonic() - began
        while figures.kills < kills:
            for mode in MODES:
                place = Path(tempfile.mkdtemp())
                try:
                    killed_run(mode, next(units), wanted[mode], seconds[mode], place, rng, figures)
                finally:
                    shutil.rmtree(place)
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(json.dumps(dataclasses.asdict(main(arguments.kills, arguments.seed)) | {"intervals": INTERVALS}))
