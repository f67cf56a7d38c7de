"""What do groups that are in flight at once cost in quality? Simulated on the CPU; the CUDA engine's bounds on trial.

The array engine reads the rows of all the groups in flight, from places all over a chunk, and then adds to them:
the worst that a GPU with so many blocks can do. Each group's step of a row is shortened as `cuda.update_bounds` has
it. One run a line; scores as in `bench_train`.

    python -m bench.bench_stale [TEXT] [--blocks 132] [--group 16] [--noise 32] [--bound 2.0] [--seed 1] [--words N]

With `--tf32` the factors of the three products are rounded as tensor cores round them: the same draws in the same
order as without, so what differs is the rounding.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.bench_train import prepared
from bench.common import ROOT, append_row, commit, machine, versions
from tests.tf32 import tf32_products
from xw2v import WordVectors, encode, get_backend
from xw2v.config import Config
from xw2v.training.engines.array import ArrayEngine
from xw2v.training.engines.cuda import SLACK, update_bounds
from xw2v.training.initial import initial_tables
from xw2v.training.sampling import keep_probabilities, noise_probabilities
from xw2v.training.trainer import Training
from xw2v.training.walk import Position

SHARED = ROOT.parent / "shared" / "data"


def shortened(engine: ArrayEngine, bounds: tuple[Any, Any], tables: Any) -> None:
    """Have the engine shorten each row's step by itself, before those of a word are summed."""
    add = engine.backend.scatter_add

    def scatter_add(table: Any, ids: Any, rows: Any, *, scale: float, max_norm: None) -> None:
        bound = bounds[0] if table is tables.center_vectors else bounds[1]
        norms = np.maximum(abs(scale) * np.sqrt(np.vecdot(rows, rows)), 1e-30)
        add(table, ids, rows * (scale * np.minimum(1, bound[ids] / norms))[:, None].astype(rows.dtype))

    engine.backend.scatter_add = scatter_add  # type: ignore[method-assign,assignment]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="?", default=SHARED / "wiki100.txt.xz")
    for name, default in (("blocks", 132), ("group", 16), ("noise", 32), ("seed", 1), ("words", 10**9), ("epochs", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--bound", type=float, default=2.0, help="of a word's row that is in flight once")
    parser.add_argument("--tf32", action="store_true", help="products as tensor cores take them")
    args = parser.parse_args()
    config = Config(
        group_size=args.group, group_negatives=args.noise, batch_size=args.blocks * args.group, workers=1,
        max_update_norm=None, seed=args.seed, epochs=args.epochs, engine="array",
    )  # fmt: skip
    with prepared(args.text, args.words) as text, encode(text, min_count=5) as corpus:
        counts, backend = np.asarray(corpus.vocabulary.counts), get_backend("numpy")
        engine, tables = ArrayEngine(config, counts, backend), initial_tables(len(counts), config, backend)
        kept, noise = counts * keep_probabilities(counts, config.sample), noise_probabilities(counts)
        bounded = config.replace(max_update_norm=args.bound / SLACK)
        shortened(engine, update_bounds(bounded, kept / kept.sum(), noise, args.noise, args.blocks), tables)
        begun = time.perf_counter()
        # Chunks so large that groups of one place are not in flight at once, as the runs of blocks are.
        position = Position(8192 * max(1, len(corpus.ids) // 8192 // 8))
        run = Training(tables, corpus.ids, corpus.offsets, config, backend, engine, position=position)
        with tf32_products() if args.tf32 else nullcontext():
            loss = [record.loss for record in run][-1]
        wv = WordVectors(corpus.vocabulary.words, tables.center_vectors)
    sets = SHARED / "eval"
    scores = {
        "ws353": float(wv.evaluate_word_pairs(sets / "wordsim353.tsv").spearman),
        "simlex999": float(wv.evaluate_word_pairs(sets / "simlex999.txt").spearman),
        "analogies": float(wv.evaluate_word_analogies(sets / "questions-words.txt", restrict_vocab=30_000).accuracy),
    }
    row = {
        "commit": commit(), **machine(), "versions": json.dumps(versions()), "text": args.text.name,
        "blocks": args.blocks, "group": args.group, "noise": args.noise, "bound": args.bound, "seed": args.seed,
        "epochs": args.epochs, "loss": round(loss, 4), **{name: round(value, 4) for name, value in scores.items()},
    }  # fmt: skip
    print(json.dumps(row | {"seconds": round(time.perf_counter() - begun)}))
    if args.words == 10**9:
        append_row(ROOT / "bench" / "results" / ("stale_tf32.csv" if args.tf32 else "stale.csv"), row)


if __name__ == "__main__":
    main()
