"""Is a corpus larger than memory counted, encoded and trained on within that memory, and how fast?

A generated text (Zipf words, and a long tail of rare ones, of which most occur once or twice) is written, encoded to a
folder and trained on for one epoch, each in a process of its own under a limit of memory: by a control group where one
may be made (as root on Linux), which counts cached pages of files too and takes them back; else it is only watched.
Beside it a small corpus of the same words is trained on. Peaks are of anonymous memory, so without cached pages.

    python -m bench.bench_large --words 1e9                       a billion words (6.5 GB of text)
    python -m bench.bench_large --bytes 20G --memory 512M --limit 1G      a corpus of 20 times the limit

Give --place a folder on a disk with room for three times the text.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.common import ROOT, append_row, commit, machine, versions

HEAD = 200_000  # words drawn by Zipf's law
RARE = 0.01  # share of tokens that are rare words
SENTENCE = 25  # words a line
BLOCK = 1 << 20  # words written at once
SMALL = 20_000_000  # words of the text beside it


def write_text(path: Path, words: int, *, head: int = HEAD, rare: float = RARE, seed: int = 0) -> None:
    """Write a text of so many words, some ten million a second; the same for the same numbers."""
    rng = np.random.default_rng(seed)
    # Each word with the space after it: taken together they are the text.
    common = pa.array([f"w{i:04x} ".encode() for i in range(head)], pa.binary())
    # Words by their shares, in a table from which an even draw is a draw by Zipf's law.
    repeats = np.ceil(2**22 / np.log(head) / np.arange(1, head + 1)).astype(np.int64)
    table = np.repeat(np.arange(head, dtype=np.int32), repeats)
    fresh = 0
    with path.open("wb") as file:
        for start in range(0, words, BLOCK):
            count = min(BLOCK, words - start)
            codes = table[rng.integers(0, len(table), count)]
            (at,) = np.nonzero(rng.random(count) < rare)
            # Every other rare word is new, the others are of the latest million: most occur once or twice.
            old = rng.integers(max(0, fresh - 10**6), fresh + 1, len(at))
            tail = np.where(rng.random(len(at)) < 0.5, fresh + np.arange(len(at)), old)
            fresh += len(at)
            distinct, places = np.unique(tail, return_inverse=True)
            codes[at] = head + places
            rares = pa.array([b"r%x " % number for number in distinct.tolist()], pa.binary())
            taken = pa.concat_arrays([common, rares]).take(pa.array(codes))
            ends = np.frombuffer(taken.buffers()[1], np.int32, count + 1)
            data = np.frombuffer(taken.buffers()[2], np.uint8, ends[-1]).copy()
            data[ends[SENTENCE::SENTENCE] - 1] = ord("\n")
            file.write(data.data)


def anonymous_memory() -> int:
    """Bytes of this process that are no pages of files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    msg = "the system does not tell anonymous memory"
    raise OSError(msg)


@contextlib.contextmanager
def watched() -> Iterator[dict[str, float]]:
    """Seconds of the body, and by how much anonymous memory grew at most, in MiB."""
    figures = {"seconds": 0.0, "peak_mib": 0.0}
    before, over = anonymous_memory(), threading.Event()

    def watch() -> None:
        while not over.wait(0.005):
            figures["peak_mib"] = max(figures["peak_mib"], (anonymous_memory() - before) / 2**20)

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    try:
        yield figures
    finally:
        figures["seconds"] = time.perf_counter() - began
        over.set()
        watcher.join()


def child_encode(options: argparse.Namespace) -> dict[str, float]:
    from xw2v.text import encode

    with watched() as figures:
        corpus = encode(options.text, options.encoded, memory=options.memory)
    return {**figures, "words": corpus.raw_words, "vocabulary": len(corpus.vocabulary)}


def child_train(options: argparse.Namespace) -> dict[str, float]:
    from xw2v import EncodedCorpus, Word2Vec

    corpus = EncodedCorpus.open(options.encoded)
    model = Word2Vec(vector_size=options.vector_size, epochs=1, backend="numpy")
    first = Word2Vec(vector_size=options.vector_size, epochs=1, sample=0, backend="numpy")
    first.fit([["a", "b"]] * 50)  # compiles, or finds what was compiled
    with watched() as figures:
        model.fit(corpus)
    return {**figures, "words": model.history[-1].words, "rate": model.history[-1].words_per_second}


CHILDREN = {"encode": child_encode, "train": child_train}


@contextlib.contextmanager
def control_group(limit: int) -> Iterator[Path | None]:
    """A control group (version 2, or 1) of so many bytes; None where none can be made."""
    root, name = Path("/sys/fs/cgroup"), f"xw2v-bench-{os.getpid()}"
    for place, file in ((root / "memory", "memory.limit_in_bytes"), (root, "memory.max")):
        folder = place / name
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            if (folder / file).exists():
                (folder / file).write_text(str(limit))
                yield folder
                return
        finally:
            with contextlib.suppress(OSError):
                folder.rmdir()
    yield None


def run(kind: str, options: argparse.Namespace, group: Path | None) -> dict[str, Any]:
    """One step in a process of its own."""

    def enter() -> None:
        if group is not None:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    command = [sys.executable, str(Path(__file__).resolve()), "--child", kind]
    for name in ("text", "encoded", "memory", "vector_size"):
        command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False, preexec_fn=enter)
    if done.returncode:
        sys.exit(f"{kind} ended with {done.returncode}" + (": past its memory" if done.returncode == -9 else ""))
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def steps(name: str, words: int, options: argparse.Namespace, folder: Path, group: Path | None) -> dict[str, Any]:
    """Write, encode and train on one text; the figures, with `name` before each."""
    options.text, options.encoded = folder / f"{name}.txt", folder / name
    began = time.perf_counter()
    write_text(options.text, words)
    seconds = time.perf_counter() - began
    print(
        f"{name}: {words:,} words, {options.text.stat().st_size / 1e9:.2f} GB, written in {seconds:.1f} s", flush=True
    )
    encoded = run("encode", options, group)
    if encoded["words"] != words:
        sys.exit(f"{encoded['words']} words were encoded; no time means anything then")
    options.text.unlink()
    trained = run("train", options, group)
    shutil.rmtree(options.encoded)
    rates = {"encode": encoded["words"] / encoded["seconds"], "train": trained["rate"]}
    row = {f"{name}_words": words, f"{name}_vocabulary": encoded["vocabulary"]}
    for step, figures in (("encode", encoded), ("train", trained)):
        print(f"  {step}: {rates[step] / 1e6:.2f} M words/s, peak {figures['peak_mib']:.0f} MiB", flush=True)
        row |= {f"{name}_{step}_words_s": round(rates[step]), f"{name}_{step}_mib": round(figures["peak_mib"])}
    return row


def bench(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All steps; the row."""
    row: dict[str, Any] = {"commit": commit(), **machine()}
    row |= {"versions": json.dumps(versions("numpy", "pyarrow", "numba"))}
    row |= {"memory": options.memory, "limit": options.limit, "vector_size": options.vector_size}
    with control_group(size(options.limit)) as group:
        row["limited_by"] = "control group" if group is not None else "nothing, watched only"
        for name, words in (("small", min(options.words, SMALL)), ("large", options.words)):
            row |= steps(name, words, options, folder, group)
    return row


def size(text: str) -> int:
    from xw2v.text.memory import memory_bytes

    return memory_bytes(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=float, default=1e9)
    parser.add_argument("--bytes", help="size of the text in place of --words, as 20G")
    parser.add_argument("--memory", default="512M", help="what xw2v is told")
    parser.add_argument("--limit", default="1G", help="what the process gets")
    parser.add_argument("--vector-size", type=int, default=100)
    parser.add_argument("--place", type=Path, help="folder for the files; default: TMPDIR")
    parser.add_argument("--child", choices=CHILDREN, help=argparse.SUPPRESS)
    parser.add_argument("--text", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--encoded", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(CHILDREN[options.child](options)))
        return
    options.words = int(size(options.bytes) / 6 if options.bytes else options.words)
    with tempfile.TemporaryDirectory(prefix="xw2v-bench-", dir=options.place) as name:
        row = bench(options, Path(name))
    append_row(ROOT / "bench" / "results" / "large.csv", row)


if __name__ == "__main__":
    main()
