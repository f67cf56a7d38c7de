"""Kill runs at random moments and have them go on: are checkpoints always readable, do runs end where they should?

    python -m tests.kills [--kills 500] [--seed 0]

A run is a forked process, so that a kill costs no start of an interpreter. It is killed with SIGKILL after a random
time and started again until it comes to its end. After every kill all checkpoints are read; at the end the vectors
are compared, byte for byte, with those of a run that nobody killed. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
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
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from xw2v import EncodedCorpus, Word2Vec
from xw2v.config import CS224N
from xw2v.text.vocabulary import Vocabulary
from xw2v.training.checkpoint import read_checkpoint

COMMON: dict[str, Any] = {"vector_size": 16, "workers": 1, "backend": "numpy", "sample": 0.01}
MODES: dict[str, dict[str, Any]] = {
    "cpu": {"epochs": 8, "engine": "cpu"},
    "array": {"epochs": 4, "engine": "array"},
    "pair": {"epochs": 1, "negatives": "pair", "batch_size": 64},
    "softmax": {"epochs": 2, "loss": "softmax", "batch_size": 256},
    "cs224n": CS224N | {"steps": 800, "sample": 0.01, "halve_every": 400, "backend": "numpy"},
}
INTERVAL = 20_000  # words
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
    most_words_lost: int = 0  # done when a run was killed, and done again


def corpus() -> EncodedCorpus:
    ids = np.minimum(np.random.default_rng(0).geometric(0.02, N), V).astype(np.int32) - 1
    counts = np.bincount(ids, minlength=V)
    return EncodedCorpus(ids, np.arange(0, N + 1, 10), Vocabulary([f"w{i}" for i in range(V)], counts), N)


def train(mode: str, folder: Path | None, done: Any = None) -> str:
    """The digest of the vectors of a run; words done are noted in shared memory."""

    def note(record: Any) -> None:
        if done is not None:
            done[:8] = struct.pack("q", record.words)

    keep: dict[str, Any] = {} if folder is None else {"checkpoint_dir": folder, "resume": True}
    model = Word2Vec(**(COMMON | MODES[mode]))
    model.fit(corpus(), **keep, checkpoint_every=INTERVAL, on_progress=note)
    return hashlib.sha256(model.wv.vectors.tobytes() + model.outside_vectors.tobytes()).hexdigest()


def start(mode: str, folder: Path, done: Any) -> int:
    """A process that trains and writes the digest; its number."""
    child = os.fork()
    if child == 0:
        try:
            (folder.parent / "digest").write_text(train(mode, folder, done))
        finally:
            os._exit(0)
    return child


def killed_run(mode: str, wanted: str, seconds: float, place: Path, rng: random.Random, figures: Figures) -> None:
    """One run, killed again and again until it comes to its end."""
    folder, done = place / "c", mmap.mmap(-1, 8)
    kills = 0
    while True:
        child = start(mode, folder, done)
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
        look(folder, struct.unpack("q", done[:8])[0], figures)
    figures.kills += kills
    figures.runs += kills > 0
    figures.differing += (place / "digest").read_text() != wanted


def look(folder: Path, words: int, figures: Figures) -> None:
    """Read all checkpoints of a run that was just killed when so many words were done."""
    kept = []
    for path in sorted(folder.glob("checkpoint-*")) if folder.exists() else ():
        figures.checkpoints_read += 1
        try:
            kept.append(read_checkpoint(path).history[-1].words)
        except Exception as error:
            print(f"{path}: {error}", file=sys.stderr)
            figures.unreadable += 1
    figures.leftovers += len(list(folder.glob(".xw2v-*.tmp")))
    figures.most_words_lost = max(figures.most_words_lost, words - max(kept, default=0))


def main(kills: int, seed: int) -> Figures:
    rng, figures = random.Random(seed), Figures()
    wanted, seconds = {}, {}
    with threadpool_limits(1):
        for mode in MODES:
            train(mode, None)  # compiles
            began = time.monotonic()
            wanted[mode] = train(mode, None)
            seconds[mode] = time.monotonic() - began
        while figures.kills < kills:
            for mode in MODES:
                place = Path(tempfile.mkdtemp())
                try:
                    killed_run(mode, wanted[mode], seconds[mode], place, rng, figures)
                finally:
                    shutil.rmtree(place)
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(json.dumps(dataclasses.asdict(main(arguments.kills, arguments.seed)) | {"interval": INTERVAL}))
