"""How fast are vectors learned, and how good are they? xw2v against gensim in corpus_file mode.

Same text (lines of 1,000 words: of longer ones gensim leaves out a part), same options, same cores; training
alone is timed, without reading the vocabulary. The programs run in processes of their own, in turn, a seed after
the other. Scores: WordSim-353 and SimLex-999 (Spearman) and Google analogies among the 30,000 most
frequent words, counted the same way for both.

    python -m bench.bench_train [TEXT] [--seeds 1 2 3] [--epochs N] [--option name=value ...] [--without gensim]

TEXT may be compressed with xz. `--option` goes to xw2v alone.
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
from typing import Any

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.common import ROOT, append_row, commit, machine, versions

SHARED = ROOT.parent / "shared" / "data"
SCORES = ("ws353", "simlex999", "analogies")


def run_xw2v(text: Path, options: dict[str, Any], extra: dict[str, Any]) -> tuple[float, int, list[str], Any]:
    """Seconds of training, words trained on, words of the vocabulary, vectors."""
    from xw2v import Word2Vec, encode

    corpus = encode(text, min_count=options["min_count"])
    model = Word2Vec(**(options | extra)).fit(corpus)
    print(f"xw2v: {model.engine_note} engine, {model.backend_note}", file=sys.stderr)
    return model.history[-1].seconds, model.history[-1].words, model.wv.index_to_key, model.wv.vectors


def run_gensim(text: Path, options: dict[str, Any], extra: dict[str, Any]) -> tuple[float, int, list[str], Any]:
    """The same of gensim."""
    from gensim.models import Word2Vec

    del extra
    model = Word2Vec(sg=1, hs=0, **options)
    model.build_vocab(corpus_file=str(text))
    words = model.corpus_total_words
    start = time.perf_counter()
    model.train(corpus_file=str(text), total_examples=model.corpus_count, total_words=words, epochs=options["epochs"])
    seconds = time.perf_counter() - start
    return seconds, words * options["epochs"], model.wv.index_to_key, model.wv.vectors


PROGRAMS = {"xw2v": run_xw2v, "gensim": run_gensim}


def child(program: str, text: Path, options: dict[str, Any], extra: dict[str, Any]) -> None:
    """One run in this process; prints its figures as JSON."""
    import numpy as np

    from xw2v import WordVectors

    seconds, words, vocabulary, vectors = PROGRAMS[program](text, options, extra)
    if not np.isfinite(vectors).all():
        msg = f"{program} learned numbers that are not finite"
        raise SystemExit(msg)
    wv = WordVectors(vocabulary, vectors)
    scores = [
        float(wv.evaluate_word_pairs(SHARED / "eval" / "wordsim353.tsv").spearman),
        float(wv.evaluate_word_pairs(SHARED / "eval" / "simlex999.txt").spearman),
        float(wv.evaluate_word_analogies(SHARED / "eval" / "questions-words.txt", restrict_vocab=30_000).accuracy),
    ]
    print(json.dumps({"words_per_second": words / seconds, **dict(zip(SCORES, scores, strict=True))}))


def measured(program: str, text: Path, options: dict[str, Any], extra: dict[str, Any]) -> dict[str, float]:
    """One run in a process of its own."""
    command = [sys.executable, "-m", "bench.bench_train", str(text), "--child", program]
    command += ["--options", json.dumps([options, extra])]
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


def option(text: str) -> tuple[str, Any]:
    """`name=value` with a value in JSON, or a plain string."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="?", default=SHARED / "wiki100.txt.xz")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--vector-size", type=int, default=100)
    parser.add_argument("--sample", type=float, default=1e-3)
    parser.add_argument("--workers", type=int, default=machine()["cores"])
    parser.add_argument("--words", type=int, help="only the first so many words of the text")
    parser.add_argument("--option", type=option, action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--without", choices=sorted(PROGRAMS), action="append", default=[])
    parser.add_argument("--child", choices=sorted(PROGRAMS), help=argparse.SUPPRESS)
    parser.add_argument("--options", help=argparse.SUPPRESS)
    return parser.parse_args()


def report(args: argparse.Namespace, runs: dict[str, list[dict[str, float]]], extra: dict[str, Any]) -> None:
    """Print the table and append its rows."""
    speeds = {program: [run["words_per_second"] for run in done] for program, done in runs.items()}
    middle = {program: statistics.median(values) for program, values in speeds.items()}
    print(f"{'program':8} {'M words/s':>10} {'spread':>13} {'ratio':>6}  " + "  ".join(f"{s:>9}" for s in SCORES))
    for program, done in runs.items():
        ratio = middle[program] / middle["gensim"] if "gensim" in middle else float("nan")
        means = {score: statistics.fmean(run[score] for run in done) for score in SCORES}
        low, high = min(speeds[program]) / 1e6, max(speeds[program]) / 1e6
        print(
            f"{program:8} {middle[program] / 1e6:10.3f} {low:6.3f}-{high:6.3f} {ratio:6.2f}  "
            + "  ".join(f"{means[score]:9.3f}" for score in SCORES)
        )
        row = {
            "commit": commit(), **machine(), "versions": json.dumps(versions()), "text": args.text.name,
            "words": args.words, "program": program, "vector_size": args.vector_size, "epochs": args.epochs,
            "sample": args.sample, "workers": args.workers, "options": json.dumps(extra if program == "xw2v" else {}),
            "seeds": len(args.seeds), "words_per_second": round(middle[program]), "lowest": round(low * 1e6),
            "highest": round(high * 1e6), "ratio_to_gensim": round(ratio, 3),
            **{score: round(value, 4) for score, value in means.items()},
        }  # fmt: skip
        append_row(ROOT / "bench" / "results" / "train.csv", row)


def main() -> None:
    args = parsed()
    if args.child:
        child(args.child, args.text, *json.loads(args.options))
        return
    extra = dict(args.option)
    programs = [program for program in PROGRAMS if program not in args.without]
    runs: dict[str, list[dict[str, float]]] = {program: [] for program in programs}
    with prepared(args.text, args.words) as text:
        for turn, seed in enumerate(args.seeds):
            options = {
                "vector_size": args.vector_size, "window": 5, "negative": 5, "sample": args.sample,
                "min_count": 5, "epochs": args.epochs, "seed": seed, "workers": args.workers,
            }  # fmt: skip
            for program in programs if turn % 2 == 0 else reversed(programs):
                figures = measured(program, text, options, extra)
                print(f"seed {seed} {program}: " + json.dumps({k: round(v, 4) for k, v in figures.items()}))
                runs[program].append(figures)
    report(args, runs, extra)


if __name__ == "__main__":
    main()
