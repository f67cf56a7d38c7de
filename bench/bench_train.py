"""How fast are vectors learned, and how good are they? xw2v against gensim in corpus_file mode.

Same text (lines of 1,000 words: of longer ones gensim leaves out a part), same options, same cores; training
alone is timed, without reading the vocabulary. The programs run in processes of their own, in turn, a seed after
the other. Scores: WordSim-353 and SimLex-999 (Spearman) and Google analogies among the 30,000 most
frequent words, counted the same way for both.

    python -m bench.bench_train [TEXT] [--seeds 1 2 3] [--epochs N] [--xw2v NAME=VALUE,... ...] [--without-gensim]

TEXT may be compressed with xz. Each `--xw2v` is one more set of options to run xw2v with, such as engine=array; without
any its defaults run. The whole job, from text file to saved vectors, is timed as well: see results/whole.csv.
"""

from __future__ import annotations

import argparse
import json
import lzma
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.common import ROOT, append_row, commit, machine, versions

SHARED = ROOT.parent / "shared" / "data"
SCORES = ("ws353", "simlex999", "analogies")


class Run(NamedTuple):
    """What a program did."""

    seconds: float  # of training
    words: int  # trained on, over all epochs
    vocabulary: list[str]
    vectors: Any
    whole_seconds: float  # from text file to saved vectors


def run_xw2v(text: Path, options: dict[str, Any], folder: Path) -> Run:
    from xw2v import Word2Vec

    start = time.perf_counter()
    model = Word2Vec(**options).fit(text)
    model.wv.save(folder / "vectors")
    whole = time.perf_counter() - start
    print(f"xw2v: {model.engine_note} engine, {model.backend_note}", file=sys.stderr)
    return Run(model.history[-1].seconds, model.history[-1].words, model.wv.index_to_key, model.wv.vectors, whole)


def run_gensim(text: Path, options: dict[str, Any], folder: Path) -> Run:
    from gensim.models import Word2Vec

    whole_start = time.perf_counter()
    model = Word2Vec(sg=1, hs=0, **options)
    model.build_vocab(corpus_file=str(text))
    words = model.corpus_total_words
    start = time.perf_counter()
    model.train(corpus_file=str(text), total_examples=model.corpus_count, total_words=words, epochs=options["epochs"])
    end = time.perf_counter()
    model.wv.save(str(folder / "vectors"))
    whole = time.perf_counter() - whole_start
    return Run(end - start, words * options["epochs"], model.wv.index_to_key, model.wv.vectors, whole)


def child(program: str, text: Path, options: dict[str, Any]) -> None:
    """One run in this process; prints its figures as JSON."""
    import numpy as np

    from xw2v import WordVectors

    with tempfile.TemporaryDirectory() as folder:
        done = (run_gensim if program == "gensim" else run_xw2v)(text, options, Path(folder))
    if not np.isfinite(done.vectors).all():
        msg = f"{program} learned numbers that are not finite"
        raise SystemExit(msg)
    wv = WordVectors(done.vocabulary, done.vectors)
    scores = [
        float(wv.evaluate_word_pairs(SHARED / "eval" / "wordsim353.tsv").spearman),
        float(wv.evaluate_word_pairs(SHARED / "eval" / "simlex999.txt").spearman),
        float(wv.evaluate_word_analogies(SHARED / "eval" / "questions-words.txt", restrict_vocab=30_000).accuracy),
    ]
    figures = {"words_per_second": done.words / done.seconds, "whole_seconds": done.whole_seconds}
    print(json.dumps(figures | dict(zip(SCORES, scores, strict=True))))


def measured(program: str, text: Path, options: dict[str, Any]) -> dict[str, float]:
    """One run in a process of its own."""
    command = [sys.executable, "-m", "bench.bench_train", str(text), "--child", program]
    command += ["--options", json.dumps(options)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


@contextmanager
def prepared(source: Path, most_words: int | None) -> Iterator[Path]:
    """The text in lines of 1,000 words."""
    with tempfile.TemporaryDirectory() as folder:
        data = source.read_bytes()
        words = (lzma.decompress(data) if source.suffix == ".xz" else data).decode().split()[:most_words]
        path = Path(folder) / "text.txt"
        with path.open("w") as out:
            for start in range(0, len(words), 1_000):
                out.write(" ".join(words[start : start + 1_000]) + "\n")
        yield path


def option_set(text: str) -> dict[str, Any]:
    """`name=value,name=value` with values in JSON, or plain strings."""
    options = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        try:
            options[name] = json.loads(value)
        except json.JSONDecodeError:
            options[name] = value
    return options


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="?", default=SHARED / "wiki100.txt.xz")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--vector-size", type=int, default=100)
    parser.add_argument("--sample", type=float, default=1e-3)
    parser.add_argument("--workers", type=int, default=machine()["cores"])
    parser.add_argument("--words", type=int, help="only the first so many words of the text")
    parser.add_argument("--xw2v", type=option_set, action="append", metavar="NAME=VALUE,...")
    parser.add_argument("--without-gensim", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--options", help=argparse.SUPPRESS)
    return parser.parse_args()


def report(args: argparse.Namespace, runs: dict[str, list[dict[str, float]]], extra: dict[str, dict[str, Any]]) -> None:
    """Print the table and append its rows."""

    def middle(program: str, figure: str) -> float:
        return statistics.median(run[figure] for run in runs[program])

    width = max(map(len, runs))
    head = f"{'program':{width}} {'M words/s':>10} {'spread':>13} {'ratio':>6} {'whole s':>8} {'ratio':>6}  "
    print(head + "  ".join(f"{s:>9}" for s in SCORES))
    for program, done in runs.items():
        ratio = whole_ratio = float("nan")
        if "gensim" in runs:
            ratio = middle(program, "words_per_second") / middle("gensim", "words_per_second")
            whole_ratio = middle("gensim", "whole_seconds") / middle(program, "whole_seconds")
        speed, whole = middle(program, "words_per_second"), middle(program, "whole_seconds")
        low, high = (pick(run["words_per_second"] for run in done) for pick in (min, max))
        means = {score: statistics.fmean(run[score] for run in done) for score in SCORES}
        print(
            f"{program:{width}} {speed / 1e6:10.3f} {low / 1e6:6.3f}-{high / 1e6:6.3f} {ratio:6.2f} "
            f"{whole:8.1f} {whole_ratio:6.2f}  " + "  ".join(f"{means[score]:9.3f}" for score in SCORES)
        )
        row = {
            "commit": commit(), **machine(), "versions": json.dumps(versions()), "text": args.text.name,
            "words": args.words, "program": program.split()[0], "vector_size": args.vector_size, "epochs": args.epochs,
            "sample": args.sample, "workers": args.workers, "options": json.dumps(extra[program]),
            "seeds": len(args.seeds), "words_per_second": round(speed), "lowest": round(low), "highest": round(high),
            "ratio_to_gensim": round(ratio, 3), **{score: round(value, 4) for score, value in means.items()},
        }  # fmt: skip
        append_row(ROOT / "bench" / "results" / "train.csv", row)
        seconds = [round(run["whole_seconds"], 2) for run in done]
        row = {name: row[name] for name in row if name not in (*SCORES, "words_per_second", "lowest", "highest")}
        row |= {
            "seconds": round(whole, 2),
            "all_seconds": json.dumps(seconds),
            "ratio_to_gensim": round(whole_ratio, 3),
        }
        append_row(ROOT / "bench" / "results" / "whole.csv", row)


def main() -> None:
    args = parsed()
    if args.child:
        child(args.child, args.text, json.loads(args.options))
        return
    sets = args.xw2v or [{}]
    extra = {" ".join(["xw2v", *(f"{k}={v}" for k, v in options.items())]): options for options in sets}
    if not args.without_gensim:
        extra["gensim"] = {}
    runs: dict[str, list[dict[str, float]]] = {program: [] for program in extra}
    with prepared(args.text, args.words) as text:
        for turn, seed in enumerate(args.seeds):
            options = {
                "vector_size": args.vector_size, "window": 5, "negative": 5, "sample": args.sample,
                "min_count": 5, "epochs": args.epochs, "seed": seed, "workers": args.workers,
            }  # fmt: skip
            for program in extra if turn % 2 == 0 else reversed(extra):
                figures = measured(program.split()[0], text, options | extra[program])
                print(f"seed {seed} {program}: " + json.dumps({k: round(v, 4) for k, v in figures.items()}), flush=True)
                runs[program].append(figures)
    report(args, runs, extra)


if __name__ == "__main__":
    main()
