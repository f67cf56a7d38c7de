"""How fast is text made into ids? xw2v's encode, to a folder on disk, against gensim's build_vocab alone.

gensim only counts words here: its trainer reads and splits the text again in every epoch. xw2v does all of it.

    python -m bench.bench_ingest [TEXT] [--repeats N]

TEXT may be compressed with xz. Both programs run in processes of their own, in turn; times are taken inside,
without the imports. First the vocabularies are compared, words and counts.
"""

from __future__ import annotations

import argparse
import json
import lzma
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.common import ROOT, append_row, commit, machine, versions

DEFAULT = ROOT.parent / "shared" / "data" / "wiki100.txt.xz"
MIN_COUNT = 5


def run_xw2v(text: Path, folder: Path) -> tuple[float, dict[str, int]]:
    """Seconds for encode, and the counts."""
    from xw2v.text import encode

    shutil.rmtree(folder / "encoded", ignore_errors=True)
    start = time.perf_counter()
    corpus = encode(text, folder / "encoded", min_count=MIN_COUNT)
    seconds = time.perf_counter() - start
    return seconds, dict(zip(corpus.vocabulary.words, corpus.vocabulary.counts.tolist(), strict=True))


def run_gensim(text: Path, folder: Path) -> tuple[float, dict[str, int]]:
    """Seconds for build_vocab, and the counts. The file is read in place; gensim writes nothing."""
    from gensim.models import Word2Vec

    del folder
    model = Word2Vec(min_count=MIN_COUNT, workers=2)
    start = time.perf_counter()
    model.build_vocab(corpus_file=str(text))
    seconds = time.perf_counter() - start
    return seconds, {word: int(model.wv.get_vecattr(word, "count")) for word in model.wv.index_to_key}


PROGRAMS = {"xw2v": run_xw2v, "gensim": run_gensim}


def child(program: str, text: Path, folder: Path, counts_file: Path) -> None:
    """One run, its figures printed as JSON."""
    seconds, counts = PROGRAMS[program](text, folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    counts_file.write_text(json.dumps(counts, sort_keys=True))
    print(json.dumps({"seconds": seconds, "peak_mib": peak, "words": len(counts)}))


def measure(program: str, text: Path, folder: Path) -> dict[str, Any]:
    """One run in a process of its own."""
    counts = folder / f"{program}.json"
    command = [sys.executable, str(Path(__file__).resolve()), str(text), "--child", program, str(folder), str(counts)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@contextmanager
def unpacked(text: Path) -> Iterator[tuple[Path, Path]]:
    """The text as a plain file, and a folder to work in."""
    with tempfile.TemporaryDirectory(prefix="xw2v-bench-") as name:
        folder = Path(name)
        if text.suffix == ".xz":
            plain = folder / text.stem
            with lzma.open(text) as source, plain.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            text = plain
        yield text, folder


def spread(values: list[float]) -> str:
    return f"{min(values):.2f}-{max(values):.2f}"


def compare(text: Path, repeats: int) -> None:
    """Run, print the table and append a row."""
    with unpacked(text) as (plain, folder):
        size = plain.stat().st_size
        plain.read_bytes()  # both programs find it in memory
        runs: dict[str, list[dict[str, Any]]] = {program: [measure(program, plain, folder)] for program in PROGRAMS}
        counts = [(folder / f"{program}.json").read_bytes() for program in PROGRAMS]
        if counts[0] != counts[1]:
            sys.exit("the vocabularies differ; no time means anything then")
        for _ in range(repeats - 1):
            for program, found in runs.items():
                found.append(measure(program, plain, folder))
    seconds = {program: [run["seconds"] for run in found] for program, found in runs.items()}
    peaks = {program: max(run["peak_mib"] for run in found) for program, found in runs.items()}
    medians = {program: statistics.median(values) for program, values in seconds.items()}
    ratios = [slow / fast for slow, fast in zip(seconds["gensim"], seconds["xw2v"], strict=True)]
    ratio = statistics.median(ratios)
    words = runs["xw2v"][0]["words"]
    print(f"{text.name}: {size / 1e6:.1f} MB, {words} words at min_count {MIN_COUNT}, the same in both; {repeats} runs")
    print(f"{'':8}{'median s':>10}{'least-most':>14}{'MB/s':>8}{'peak MiB':>10}")
    for program in PROGRAMS:
        rate = size / 1e6 / medians[program]
        print(f"{program:8}{medians[program]:10.2f}{spread(seconds[program]):>14}{rate:8.1f}{peaks[program]:10.0f}")
    print(f"gensim's time over xw2v's, run by run: {ratio:.1f} ({spread(ratios)})")
    row = {"commit": commit(), **machine(), "versions": json.dumps(versions("numpy", "pyarrow", "gensim"))}
    row |= {"text": text.name, "bytes": size, "words": words, "repeats": repeats}
    for program in PROGRAMS:
        row |= {f"{program}_median_s": round(medians[program], 3), f"{program}_spread_s": spread(seconds[program])}
        row[f"{program}_peak_mib"] = round(peaks[program])
    row |= {"ratio": round(ratio, 2), "ratio_spread": spread(ratios)}
    append_row(ROOT / "bench" / "results" / "ingest.csv", row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        program, folder, counts = options.child
        child(program, options.text, Path(folder), Path(counts))
        return
    if not options.text.exists():
        sys.exit(f"there is no file {options.text}; name a text file")
    compare(options.text.resolve(), options.repeats)


if __name__ == "__main__":
    main()
