"""How long does a small job take, the very first time on a machine and ever after? xw2v beside gensim.

The first words of a text, one epoch, from starting Python to saved vectors: so it is imports, and for xw2v the
compiling of its loops, that are timed here. "first" has an empty cache of compiled code, "again" what "first" left
there. Each run is a process of its own, the programs in turn; vocabularies of different sizes end the bench.

    python -m bench.bench_first_run [TEXT] [--words 500000] [--turns 5] [--without-gensim]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.bench_train import SHARED, prepared
from bench.common import ROOT, append_row, commit, machine, versions

RESULTS = ROOT / "bench" / "results" / "first_run.csv"
SAVED = "vectors.txt"
XW2V = f"""
import sys
from xw2v import Word2Vec
Word2Vec(epochs=1, backend="numpy").fit(sys.argv[1]).wv.save_word2vec_format("{SAVED}")
"""
GENSIM = f"""
import os, sys
from gensim.models import Word2Vec
model = Word2Vec(corpus_file=sys.argv[1], sg=1, epochs=1, workers=len(os.sched_getaffinity(0)))
model.wv.save_word2vec_format("{SAVED}")
"""


def timed(script: str, text: Path, folder: Path, cache: Path) -> tuple[float, int]:
    """Seconds of a process, and the words whose vectors it saved."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", script, str(text)], cwd=folder, env=environment, check=True)
    seconds = time.perf_counter() - start
    with (folder / SAVED).open() as file:
        return seconds, int(file.readline().split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="?", default=SHARED / "wiki100.txt.xz")
    parser.add_argument("--words", type=int, default=500_000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--without-gensim", action="store_true")
    args = parser.parse_args()
    programs = {"xw2v, first": XW2V, "xw2v, again": XW2V} | ({} if args.without_gensim else {"gensim": GENSIM})
    seconds: dict[str, list[float]] = defaultdict(list)
    with prepared(args.text, args.words) as text, tempfile.TemporaryDirectory() as place:
        for turn in range(args.turns):
            learned = set()
            for name, script in programs.items():
                took, words = timed(script, text, Path(place), Path(place) / f"cache-{turn}")
                seconds[name].append(took)
                learned.add(words)
            if len(learned) != 1:
                msg = f"vocabularies of {learned} words; they must be the same"
                raise SystemExit(msg)
    print("| program | seconds (least-most) |\n|---|---|")
    for name, runs in seconds.items():
        print(f"| {name} | {statistics.median(runs):.2f} ({min(runs):.2f}-{max(runs):.2f}) |")
        append_row(RESULTS, {
            "commit": commit(), **machine(), "versions": json.dumps(versions()), "program": name, "words": args.words,
            "turns": args.turns, "seconds": round(statistics.median(runs), 3), "least": round(min(runs), 3),
            "most": round(max(runs), 3),
        })  # fmt: skip


if __name__ == "__main__":
    main()
