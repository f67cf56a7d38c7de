"""Kill encodings at random moments and have them go on: do they end with the same bytes, and leave nothing?

    python -m tests.encode_kills [--kills 100] [--seed 0]

As tests.kills does for training: a forked process is killed with SIGKILL after a random time, again and again until it
comes to its end. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import tempfile
import time
from pathlib import Path

from xw2v.text import encode, encoding, manifest, parts
from xw2v.text.memory import Shares

FILES, LINES = 12, 3000


def text(folder: Path, rng: random.Random) -> None:
    folder.mkdir()
    for number in range(FILES):
        lines = (" ".join(str(int(rng.paretovariate(0.5))) for _ in range(8)) for _ in range(LINES))
        (folder / f"{number:02}.txt").write_text("\n".join(lines))


def run(source: Path, target: Path) -> None:
    """Encode with little memory and a part a file."""
    parts.PART_BYTES, parts.MOST_PARTS = 1, 1000
    vars(encoding)["shares"] = lambda *_: Shares(20_000, 60_000)
    encode(source, target, min_count=2)


def begun(source: Path, target: Path) -> int:
    """A process that encodes; no thread of this one may be about when it forks."""
    child = os.fork()
    if child == 0:
        try:
            run(source, target)
        finally:
            os._exit(0)
    return child


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def killed_until_done(source: Path, target: Path, seconds: float, rng: random.Random) -> tuple[int, int]:
    """Kills, and how many of them left parts to go on from."""
    kills = useful = 0
    while True:
        child = begun(source, target)
        deadline = time.monotonic() + rng.uniform(
            0, seconds * (1 + kills / 5)
        )  # on a busy machine, too, it comes to its end
        while time.monotonic() < deadline and os.waitpid(child, os.WNOHANG)[0] == 0:
            time.sleep(0.0005)
        try:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        if (target / "manifest.json").exists():
            return kills, useful
        if target.exists():
            msg = "something lies under the final name before all is done"
            raise AssertionError(msg)
        kills += 1
        useful += any(target.with_name(target.name + manifest.PARTS_ENDING).glob("part-*.json"))


def main(kills: int, seed: int) -> dict[str, int]:
    rng = random.Random(seed)
    place = Path(tempfile.mkdtemp())
    figures = {"kills": 0, "useful": 0, "runs": 0, "differing": 0, "leftovers": 0}
    try:
        text(place / "text", rng)
        began = time.monotonic()
        os.waitpid(begun(place / "text", place / "wanted"), 0)
        seconds = time.monotonic() - began
        wanted = content(place / "wanted")
        while figures["kills"] < kills:
            more, useful = killed_until_done(place / "text", place / "found", seconds, rng)
            figures["kills"] += more
            figures["useful"] += useful
            figures["runs"] += more > 0
            figures["differing"] += content(place / "found") != wanted
            # What was killed between the last rename and the end is put right by the next encoding.
            os.waitpid(begun(place / "text", place / "found"), 0)
            figures["differing"] += content(place / "found") != wanted
            shutil.rmtree(place / "found")
            figures["leftovers"] += len(list(place.iterdir())) - 2
    finally:
        shutil.rmtree(place)
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(json.dumps(main(arguments.kills, arguments.seed)))
