"""Ranks beside one process: are they as fast on the same cores, and as good?

Speed: one process with as many workers as cores, and as many ranks with one worker each, in turn; medians, the
median of the turns' ratios, and what the ranks' meetings cost. Quality: scores of one process and of 2, 4 and 8
ranks, over seeds; ranks may share cores for that, so its speeds mean nothing.

    python -m bench.bench_distributed speed [TEXT] [--turns 5] [--epochs 2] [--vector-size 100]
    python -m bench.bench_distributed quality [TEXT] [--ranks 1 2 4 8] [--seeds 1 2 3] [--epochs 5]

Both take `--option NAME=VALUE,...` for the ranks, such as sync_every=8192, and `--backend cupy`. With `--share-gpu mpi`
ranks share a GPU, for scores, and with `--share-gpu nccl`, too: it takes them for ranks of as many hosts, and what they
tell each other goes over a network. Rows: results/distributed.csv, or the same under --out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.bench_train import SCORES, SHARED, option_set, prepared
from bench.common import ROOT, append_row, commit, machine, text_of, versions

RESULTS = ROOT / "bench" / "results"
CUPY = ("cupy-cuda12x", "cupy-cuda13x")


def launched(
    ranks: int,
    corpus: Path,
    options: dict[str, Any],
    scores: Path | None,
    around: tuple[str, ...] = (),
    how: tuple[str, ...] = (),
    share_gpu: str | None = None,
) -> dict[str, Any]:
    """One run in processes of its own; ranks = 0: one process without MPI. `around`, mpiexec, `how` is the order.

    `scores`: a folder of test sets, where they are wanted.
    """
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None:
        msg = "there is no mpiexec: pip install mpi4py mpich, or use the cluster's own MPI"
        raise SystemExit(msg)
    command = [sys.executable, "-m", "bench.bench_distributed", "child", str(corpus), "--child", json.dumps(options)]
    command += ["--mpi"] * bool(ranks) + (["--scores", str(scores)] if scores else [])
    command += ["--share-gpu", share_gpu] if share_gpu else []
    start = [*around, mpiexec, *how, "-n", str(ranks)] if ranks else []
    done = subprocess.run(start + command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def child(corpus_folder: str, options: dict[str, Any], mpi: bool, scores: Path | None) -> None:
    """Train on an encoded corpus; rank 0 prints the figures as JSON."""
    from xw2v import EncodedCorpus, WordVectors
    from xw2v.backend import get_backend
    from xw2v.config import Config
    from xw2v.distributed import DistributedFitting, join, placed
    from xw2v.fitting import Fitting
    from xw2v.training.distributed.shared_training import SharedTraining

    config, corpus = Config(**({"backend": "numpy"} | options)), EncodedCorpus.open(corpus_folder, check_ids=False)
    figures: dict[str, Any] = {"meetings": 0, "megabytes": 0.0, "meeting_seconds": 0.0}
    if mpi:
        ranks = join(True)
        with ranks.guarded():
            config, backend = placed(config, ranks)
            together = DistributedFitting(ranks, corpus, config, backend)
            together.run()
        if ranks.rank:
            return
        fitting: Fitting = together
        if isinstance(together.training, SharedTraining):
            averager = together.training.averager
            figures |= {"meetings": averager.meetings, "megabytes": averager.bytes / 1e6}
            figures["meeting_seconds"] = averager.seconds
    else:
        fitting = Fitting(corpus, config, get_backend(config.backend))
        fitting.run()
    last = fitting.history[-1]
    figures |= {"words_per_second": last.words_per_second, "seconds": last.seconds, "loss": last.loss}
    if scores:
        wv = WordVectors(corpus.vocabulary.words, fitting.backend.to_host(fitting.tables.center_vectors))
        found = [
            float(wv.evaluate_word_pairs(scores / "wordsim353.tsv").spearman),
            float(wv.evaluate_word_pairs(scores / "simlex999.txt").spearman),
            float(wv.evaluate_word_analogies(scores / "questions-words.txt", restrict_vocab=30_000).accuracy),
        ]
        figures |= dict(zip(SCORES, found, strict=True))
    print(json.dumps(figures))


def row_of(args: argparse.Namespace, ranks: int, workers: int, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """A line of the results: medians of times, means of scores."""

    def middle(name: str) -> float:
        return float(statistics.median(run[name] for run in runs))

    speeds = [run["words_per_second"] for run in runs]
    meetings = max(middle("meetings"), 1)
    shared = {"share_gpu": args.share_gpu} if args.share_gpu else {}
    return {
        "commit": commit(), **machine(), "versions": json.dumps(versions("numpy", "numba", "mpi4py", "mpich", *CUPY)),
        "text": args.text.name, "what": args.what, "ranks": ranks, "workers": workers, "vector_size": args.vector_size,
        "epochs": args.epochs, "options": json.dumps({**args.option, **args.on, **shared}), "runs": len(runs),
        "words_per_second": round(middle("words_per_second")), "lowest": round(min(speeds)),
        "highest": round(max(speeds)), "meetings": round(middle("meetings")),
        "megabytes_a_meeting": round(middle("megabytes") / meetings, 3),
        "milliseconds_a_meeting": round(1e3 * middle("meeting_seconds") / meetings, 3),
        "share_of_time_met": round(middle("meeting_seconds") / middle("seconds"), 4),
        **{name: round(statistics.fmean(run.get(name, float("nan")) for run in runs), 4) for name in SCORES},
    }  # fmt: skip


def shown(row: dict[str, Any], out: Path) -> None:
    append_row(out / "distributed.csv", row)
    print(
        f"{row['ranks'] or 'no'} ranks x {row['workers']} workers: {row['words_per_second'] / 1e6:.3f} M words/s "
        f"({row['lowest'] / 1e6:.3f}-{row['highest'] / 1e6:.3f}), {row['meetings']} meetings of "
        f"{row['megabytes_a_meeting']} MB and {row['milliseconds_a_meeting']} ms "
        f"({100 * row['share_of_time_met']:.1f} % of the time), " + ", ".join(f"{s} {row[s]:.3f}" for s in SCORES),
        flush=True,
    )


def speed(args: argparse.Namespace, corpus: Path, options: dict[str, Any]) -> None:
    cores = len(os.sched_getaffinity(0))
    cases = {0: {"workers": cores}, cores: {"workers": 1, **args.option}}
    runs: dict[int, list[dict[str, Any]]] = {ranks: [] for ranks in cases}
    for turn in range(args.turns):
        for ranks in list(cases)[:: 1 if turn % 2 == 0 else -1]:
            runs[ranks].append(launched(ranks, corpus, options | cases[ranks], None))
    rows = {ranks: row_of(args, ranks, cases[ranks]["workers"], runs[ranks]) for ranks in cases}
    for row in rows.values():
        shown(row, args.out)
    pairs = zip(runs[cores], runs[0], strict=True)  # the machine's speed changes from turn to turn
    ratios = sorted(ranks["words_per_second"] / one["words_per_second"] for ranks, one in pairs)
    print(f"ratio {statistics.median(ratios):.3f} ({ratios[0]:.3f}-{ratios[-1]:.3f}; wanted: 0.85)")


def quality(args: argparse.Namespace, corpus: Path, options: dict[str, Any]) -> None:
    for ranks in args.ranks:
        one = {"workers": 2} if ranks == 1 else {"workers": 1, **args.option}
        sets = args.data / "eval"
        seeds = [
            launched(ranks - (ranks == 1), corpus, options | one | {"seed": seed}, sets, share_gpu=args.share_gpu)
            for seed in args.seeds
        ]
        shown(row_of(args, ranks, one["workers"], seeds), args.out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "quality", "child"], metavar="speed|quality")
    parser.add_argument("text", type=Path, nargs="?", help="by default that of --data")
    parser.add_argument("--data", type=Path, default=SHARED, help="a folder with a text, wiki100, and eval/")
    parser.add_argument("--backend", default="numpy")
    parser.add_argument("--share-gpu", choices=["mpi", "nccl"], help="ranks may have one GPU")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--vector-size", type=int, default=100)
    parser.add_argument("--words", type=int, help="only the first so many words of the text")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--option", type=option_set, default={}, metavar="NAME=VALUE,...")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--mpi", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--scores", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.on = {} if args.backend == "numpy" else {"backend": args.backend}
    if args.what == "child":
        if args.share_gpu:
            os.environ["XW2V_GPU_RANKS"] = args.share_gpu
            os.environ["NCCL_HOSTID"] = str(os.getpid())
        child(str(args.text), args.child, args.mpi, args.scores)
        return
    args.text = args.text or text_of(args.data)
    if args.text is None or (args.what == "quality" and not (args.data / "eval").is_dir()):
        print("skipped: no text or no eval/; give --data FOLDER")
        return
    args.epochs = args.epochs or (2 if args.what == "speed" else 5)
    from xw2v import encode

    with prepared(args.text, args.words) as text:
        corpus = text.with_name("encoded")
        encode(text, corpus)
        options = {"vector_size": args.vector_size, "epochs": args.epochs, **args.on}
        (speed if args.what == "speed" else quality)(args, corpus, options)


if __name__ == "__main__":
    main()
