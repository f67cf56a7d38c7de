"""How fast do vectors load, answer and save? xw2v against gensim on the same random vectors.

- load the word2vec binary format, V x 300; and the same as a mapped model folder, to the first vector of a word, the
  first cosine of two words, the first search with opening in it, and the second search; beside them what only moving
  or reading the bytes takes
- 1,000 questions of the nearest ten over V x 100: `most_similar_batch` against gensim's loop of `most_similar`
- save and load the text format, V / 10 x 300

    python -m bench.bench_vectors [--words V] [--repeats N] [--parts load ask text]

Each time is taken in a process of its own, without the imports, files in the page cache, the programs in turn.
First the results are compared: the same words and bits, the same neighbours.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.common import ROOT, append_row, commit, machine, versions

QUESTIONS, TOPN = 1000, 10


def make(folder: Path, words: int, size: int) -> None:
    """The same vectors as a word2vec binary file and as a model folder."""
    from xw2v import WordVectors

    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((words, size), dtype=np.float32)
    names = [f"word{i:07d}" if i % 3 else f"wört{i}" for i in range(words)]
    wv = WordVectors(names, vectors, counts=np.arange(words, 0, -1))
    wv.save(folder / "model")
    wv.save_word2vec_format(folder / "vectors.bin", binary=True)


def _keyed(folder: Path) -> Any:
    from gensim.models import KeyedVectors

    return KeyedVectors.load_word2vec_format(str(folder / "vectors.bin"), binary=True)


def _ours(folder: Path) -> Any:
    from xw2v import WordVectors

    return WordVectors.load_word2vec_format(folder / "vectors.bin", binary=True)


def _asked(names: list[str]) -> list[str]:
    return [names[row] for row in np.random.default_rng(1).choice(len(names), QUESTIONS, replace=False).tolist()]


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def copy_once(path: Path) -> float:
    """Seconds to move the bytes of a file from the page cache to fresh memory: no loader is faster."""
    start = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        into = np.empty(path.stat().st_size, np.uint8).data
        done = 0
        while count := file.readinto(into[done : done + 2**24]):
            done += count
    return time.perf_counter() - start


def run(task: str, folder: Path) -> dict[str, Any]:
    """One task: seconds and something to compare."""
    from gensim.models import KeyedVectors

    from xw2v import WordVectors

    if task == "binary xw2v":
        seconds, wv = timed(lambda: _ours(folder))
        return {"seconds": seconds, "check": [len(wv), wv[wv.index_to_key[-1]].tolist()[:5]]}
    if task == "binary gensim":
        seconds, wv = timed(lambda: _keyed(folder))
        return {"seconds": seconds, "check": [len(wv), wv[wv.index_to_key[-1]].tolist()[:5]]}
    if task == "mapped xw2v":
        seconds, row = timed(lambda: WordVectors.load(folder / "model")["word0000500"])
        wv = WordVectors.load(folder / "model")
        similarity, _ = timed(lambda: wv.similarity("word0000500", "word0000700"))
        first, found = timed(lambda: WordVectors.load(folder / "model").most_similar("word0000500"))
        wv.most_similar("word0000500")
        second, _ = timed(lambda: wv.most_similar("word0000700"))
        times = {"first_similarity": similarity, "first_most_similar": first, "second_most_similar": second}
        return {"seconds": seconds, **times, "check": [row.tolist()[:5], found[0][0]]}
    if task == "floor: copy the file":
        return {"seconds": copy_once(folder / "vectors.bin"), "check": None}
    if task == "floor: read the table":
        table = np.memmap(folder / "model" / "tables.safetensors", mode="r")
        return {"seconds": timed(lambda: int(np.bitwise_or.reduce(table[: len(table) // 8 * 8].view(np.int64))))[0],
                "check": None}  # fmt: skip
    if task == "ask xw2v":
        wv = WordVectors.load(folder / "model", mmap=False)
        seconds, answers = timed(lambda: wv.most_similar_batch(_asked(wv.index_to_key), topn=TOPN))
        return {"seconds": seconds, "check": [[word for word, _ in answer] for answer in answers[:20]]}
    if task == "ask gensim":
        wv = _keyed(folder)
        asked = _asked(wv.index_to_key)
        wv.most_similar(asked[0])  # the lengths are taken once
        seconds, answers = timed(lambda: [wv.most_similar(word, topn=TOPN) for word in asked])
        return {"seconds": seconds, "check": [[word for word, _ in answer] for answer in answers[:20]]}
    program = task.split()[-1]
    wv = _ours(folder) if program == "xw2v" else _keyed(folder)
    text = folder / f"{program}.txt"
    saved, _ = timed(lambda: wv.save_word2vec_format(str(text), binary=False))
    load = (WordVectors if program == "xw2v" else KeyedVectors).load_word2vec_format
    seconds, back = timed(lambda: load(str(text), binary=False))
    same = bool((back.vectors == wv.vectors).all())
    return {"seconds": seconds, "save_seconds": saved, "check": [len(back), same, back.index_to_key[-1]]}


FLOORS = ("floor: copy the file", "floor: read the table")
PARTS = {"load": ("binary xw2v", "binary gensim", "mapped xw2v", *FLOORS), "ask": ("ask xw2v", "ask gensim"),
         "text": ("text xw2v", "text gensim")}  # fmt: skip


LABELS = {"seconds": "", "save_seconds": ", save", "first_similarity": ", first cosine",
          "first_most_similar": ", to the first search", "second_most_similar": ", second search"}  # fmt: skip


def measure(task: str, folder: Path) -> dict[str, Any]:
    """One task in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--child", task, str(folder)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def part(name: str, words: int, size: int, repeats: int) -> None:
    """Measure the tasks of a part in turn, print, append rows."""
    with tempfile.TemporaryDirectory(prefix="xw2v-bench-") as folder:
        make(Path(folder), words, size)
        runs: dict[str, list[dict[str, Any]]] = {task: [] for task in PARTS[name]}
        for _ in range(repeats):
            for task, found in runs.items():
                found.append(measure(task, Path(folder)))
    checks = [found[0]["check"] for task, found in runs.items() if task not in ("mapped xw2v", *FLOORS)]
    if any(check != checks[0] for check in checks):
        sys.exit(f"{name}: the programs disagree, so no time means anything: {checks}")
    for task, found in runs.items():
        for key, suffix in LABELS.items():
            if key in found[0]:
                report(task + suffix, words, size, [run[key] for run in found], max(run["peak_mib"] for run in found))


def report(label: str, words: int, size: int, seconds: list[float], peak_mib: float) -> None:
    """Print a line and append a row."""
    median, least, most = statistics.median(seconds), min(seconds), max(seconds)
    print(f"{label:28}{words:>9} x {size:<4}{median:8.3f} s  ({least:.3f}-{most:.3f}), {peak_mib:.0f} MiB")
    row = {"commit": commit(), **machine(), "versions": json.dumps(versions("numpy", "pyarrow", "gensim"))}
    row |= {"task": label, "words": words, "vector_size": size, "repeats": len(seconds)}
    row |= {"median_s": round(median, 4), "least_s": round(least, 4), "most_s": round(most, 4)}
    append_row(ROOT / "bench" / "results" / "vectors.csv", {**row, "peak_mib": round(peak_mib)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        task, folder = options.child
        result = run(task, Path(folder))
        print(json.dumps({**result, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    for name in options.parts:
        words = options.words // 10 if name == "text" else options.words
        part(name, words, 100 if name == "ask" else 300, options.repeats)


if __name__ == "__main__":
    main()
