"""Kill ranks at random moments and have others go on: do all of them end, and is each word trained once?

    python -m tests.rank_kills [--kills 100] [--seed 0]

As tests.kills does for one process. Of a run one rank, chosen at random, or the launcher is killed with SIGKILL after a
random time, and as many ranks as chance will have it go on, until the run comes to its end. After every kill no process
of it may be left, and all checkpoints are read. At the end rank 0 has trained what one process would have. Prints a
JSON object.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.kills import COMMON, SLOW, corpus
from xw2v import Word2Vec
from xw2v.files import atomic_write
from xw2v.training.checkpoint import read_checkpoint

MODES: dict[str, dict[str, Any]] = {
    "average": {"epochs": 4, "engine": "cpu"},
    "array": {"epochs": 2, "engine": "array"},
    "step": {"epochs": 1, "engine": "array", "sync": "step"},
}
MOST_RANKS = 4
PATIENCE = 30.0  # seconds that ranks may take to end after one of them, or the launcher, was killed


@dataclasses.dataclass
class Figures:
    """What came of the kills."""

    kills: int = 0
    runs: int = 0  # that were killed at least once and came to their end
    resumed: int = 0  # kills that a checkpoint was there after
    checkpoints_read: int = 0
    unreadable: int = 0
    hanging: int = 0  # kills that other ranks, or the launcher, outlived
    failed: int = 0  # runs that nobody killed and that failed
    differing: int = 0


def facts(model: Word2Vec) -> list[int]:
    last = model.history[-1]
    return [last.words, last.centers, last.pairs]


def rank(mode: str, place: Path) -> None:
    """Train, as one of the ranks; rank 0 notes what was trained."""
    from mpi4py import MPI

    number = MPI.COMM_WORLD.Get_rank()
    (place / f"process-{os.getpid()}").touch()
    model = Word2Vec(**(COMMON | MODES[mode]))
    model.fit(
        corpus(), checkpoint_dir=place / "c", checkpoint_every="0.1s", resume=True, distributed=True,
        on_progress=lambda record: time.sleep(SLOW), on_warning=lambda line: None,
    )  # fmt: skip
    if number == 0:
        with atomic_write(place / "facts") as file:
            file.write(json.dumps(facts(model)).encode())


def start(mode: str, place: Path, mpiexec: str, ranks: int) -> subprocess.Popen[bytes]:
    for old in place.glob("process-*"):
        old.unlink()
    command = [mpiexec, "-n", str(ranks), sys.executable, "-m", "tests.rank_kills", "--rank", mode, str(place)]
    with (place / "said").open("ab") as said:
        return subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)


def processes(place: Path) -> list[int]:
    """The ranks that are alive; those that are dead and not yet waited for are not."""
    found = []
    for path in place.glob("process-*"):
        number = int(path.name.partition("-")[2])
        try:
            state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            continue
        if state != "Z":
            found.append(number)
    return found


def waited_for(gone: Callable[[], bool], seconds: float) -> bool:
    """Whether it has come true within so many seconds."""
    until = time.monotonic() + seconds
    while not gone():
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True


def killed_run(mode: str, wanted: list[int], place: Path, mpiexec: str, rng: random.Random, figures: Figures) -> None:
    """One run, killed again and again until it comes to its end."""
    kills = 0
    while killed(mode, place, mpiexec, rng, figures):
        kills += 1
        look(place / "c", figures)
    figures.kills += kills
    figures.runs += kills > 0
    path = place / "facts"
    found = json.loads(path.read_text()) if path.exists() else None
    if found != wanted:
        print(f"{mode}: {found} words, centres, pairs after {kills} kills, and not {wanted}", file=sys.stderr)
        figures.differing += 1


def killed(mode: str, place: Path, mpiexec: str, rng: random.Random, figures: Figures) -> bool:
    """Start or go on with a run and kill one of its processes; False where it came to its end before."""
    ranks = rng.randint(1, MOST_RANKS)
    launcher = start(mode, place, mpiexec, ranks)

    def over() -> bool:
        return launcher.poll() is not None

    waited_for(lambda: over() or len(processes(place)) == ranks, PATIENCE)
    if waited_for(over, rng.uniform(0, 1.5)):
        if launcher.returncode != 0:
            print(f"{mode}, {ranks} ranks: {(place / 'said').read_text()}", file=sys.stderr)
            figures.failed += 1
        return False
    alive = processes(place)
    target = rng.choice([launcher.pid, *alive, *alive])
    with suppress(ProcessLookupError):
        os.kill(target, signal.SIGKILL)
    if not waited_for(lambda: over() and not processes(place), PATIENCE):
        print(f"{mode}, {ranks} ranks: some are left {PATIENCE} s after {target} was killed", file=sys.stderr)
        figures.hanging += 1
        for number in (launcher.pid, *processes(place)):
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        launcher.wait()
    return True


def look(folder: Path, figures: Figures) -> None:
    """Read all checkpoints of a run that was just killed."""
    paths = sorted(folder.glob("checkpoint-*")) if folder.exists() else []
    figures.resumed += bool(paths)
    for path in paths:
        figures.checkpoints_read += 1
        try:
            read_checkpoint(path)
        except Exception as error:
            print(f"{path}: {error}", file=sys.stderr)
            figures.unreadable += 1


def main(kills: int, seed: int, mpiexec: str) -> Figures:
    rng, figures = random.Random(seed), Figures()
    wanted = {mode: facts(Word2Vec(**(COMMON | options)).fit(corpus())) for mode, options in MODES.items()}
    while figures.kills < kills or not figures.resumed:
        for mode in MODES:
            place = Path(tempfile.mkdtemp())
            try:
                killed_run(mode, wanted[mode], place, mpiexec, rng, figures)
            finally:
                shutil.rmtree(place)
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rank", nargs=2, metavar=("MODE", "PLACE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rank:
        rank(arguments.rank[0], Path(arguments.rank[1]))
    else:
        from tests.test_distributed import launcher

        found = launcher()
        if found is None:
            sys.exit("there is no mpiexec: pip install mpi4py mpich")
        print(json.dumps(dataclasses.asdict(main(arguments.kills, arguments.seed, found))))
