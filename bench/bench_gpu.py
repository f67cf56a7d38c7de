"""What does a GPU reach, and what limits it? Parts that are run one by one; `bench/gpu_check.sh` runs them all.

    python -m bench.bench_gpu PART... [--data FOLDER] [--words N] [--out FOLDER]

    ceilings   copy, rows read by id, rows added by id (Zipf ids), small batched products
    fused      kept tokens/s of the CUDA engine over group size, noise words, groups in flight, blocks of each, products
    tf32       error of products in TF32, beside those of float32
    questions  analogies of a file, and nearest words, answered where the vectors lie
    array      kept tokens/s of the array engine on CuPy
    softmax    centres/s of the exact softmax, V = 68 k, D = 100
    job        from text to saved vectors, and where the time goes
    long       words/s over some seconds of training, and whether it stays as fast
    quality    scores and words/s of some seeds
    losses     the same of the array engine, and of the exact softmax
    gensim     the same of gensim, with a worker a core, and of xw2v without the GPU

FOLDER holds wiki100.txt.xz or any other .txt or .txt.xz, and eval/ with the sets that `quality` wants; without it
ids are drawn from Zipf's law. `--fake` runs a part on the host with few tokens, to see that it runs: its figures
mean nothing and are not kept. Where there is no GPU a part says so and exits 0.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import lzma
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.common import ROOT, append_row, commit, machine, text_of, versions
from xw2v import Word2Vec, WordVectors, encode, get_backend
from xw2v.backend import Backend
from xw2v.config import Config
from xw2v.errors import BackendError, NumericalError, XW2VError
from xw2v.losses import signed_sampling
from xw2v.training.batches import Chunk, read_chunk
from xw2v.training.engines import ChunkResult
from xw2v.training.engines import softmax as blocks
from xw2v.training.engines.array import ArrayEngine
from xw2v.training.engines.cuda import CudaEngine
from xw2v.training.initial import initial_tables
from xw2v.training.sampling import keep_probabilities

V = 68_000
RUNS = 5
_SETTING: dict[str, Any] = {"vector_size": 100, "window": 5, "negative": 5, "min_count": 5, "epochs": 5}


class Bench:
    """A GPU, or what passes for one; the text; where rows go."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.fake = args, args.fake
        self.backend: Backend = get_backend("numpy") if args.fake else get_backend("cupy")
        self.clusters: tuple[int, ...] = (1, 2, 4)  # blocks of a group
        if not args.fake:
            import cupy

            if int(cupy.cuda.Device().compute_capability) < 90:
                print("clusters skipped: they want compute capability 9.0")
                self.clusters = (1,)
        self.words = args.words or (20_000 if args.fake else 16_900_000)
        self._folder = tempfile.TemporaryDirectory()

    def kernels(self, cluster: int) -> Any:
        """What stands in for those of a GPU; None for them."""
        if not self.fake:
            return None
        from tests.cuda_build import HostKernels, build

        library = build(Path(self._folder.name), 1, cluster=cluster)
        if library is None:
            msg = "--fake wants a C++ compiler"
            raise BackendError(msg)
        return HostKernels(library, cluster=cluster)

    @functools.cached_property
    def text(self) -> Path | None:
        """The first words of the text in --data, in lines of 1,000; None where there is none."""
        source = text_of(self.args.data)
        if source is None:
            return None
        data = source.read_bytes()
        words = (lzma.decompress(data) if source.suffix == ".xz" else data).decode().split()[: self.words]
        copy = Path(self._folder.name) / "text.txt"
        copy.write_text("".join(" ".join(words[at : at + 1000]) + "\n" for at in range(0, len(words), 1000)))
        return copy

    @functools.cached_property
    def sets(self) -> Path | None:
        """The folder of the test sets that go with the text; says so where there is no text or none."""
        if self.text is not None and (folder := Path(self.args.data) / "eval").is_dir():
            return folder
        print("skipped: no text or no eval/; give --data FOLDER")
        return None

    @functools.cached_property
    def corpus(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Ids, sentence offsets and counts: of the text, else drawn."""
        if self.text is not None:
            with encode(self.text, min_count=1 if self.fake else 5) as encoded:
                counts = np.asarray(encoded.vocabulary.counts)
                return np.array(encoded.ids), np.array(encoded.offsets), counts
        size = 2000 if self.fake else V
        shares = 1 / np.arange(1, size + 1, dtype=np.float64)
        ids = np.random.default_rng(1).choice(size, self.words, p=shares / shares.sum()).astype(np.int32)
        return ids, np.arange(0, len(ids) + 1, 20), np.bincount(ids, minlength=size)

    def seconds(self, run: Callable[[], Any]) -> tuple[float, float, float]:
        """Median, lowest and highest seconds of some runs after one to warm up."""
        times = []
        run()
        for _ in range(2 if self.fake else RUNS):
            self.backend.synchronize()
            begun = time.perf_counter()
            run()
            self.backend.synchronize()
            times.append(time.perf_counter() - begun)
        return statistics.median(times), min(times), max(times)

    def keep(self, part: str, unit: str, rate: float, spread: tuple[float, float], **what: Any) -> None:
        """Print a figure, and append it to the results."""
        options = ", ".join(f"{name} {value}" for name, value in what.items())
        print(f"{part:9} {options:60} {rate:12.4g} {unit} ({spread[0]:.4g} - {spread[1]:.4g})", flush=True)
        if self.fake or self.args.quick:
            return
        from xw2v.gpu import gpu_facts

        row = {
            "commit": commit(), **machine(), "gpu": json.dumps(gpu_facts()), "versions": json.dumps(versions()),
            "part": part, "what": json.dumps(what), "unit": unit, "rate": f"{rate:.6g}", "lowest": f"{spread[0]:.6g}",
            "highest": f"{spread[1]:.6g}",
        }  # fmt: skip
        for folder in {ROOT / "bench" / "results", *([self.args.out] if self.args.out else [])}:
            append_row(folder / "gpu.csv", row)

    def rate(self, part: str, unit: str, amount: float, run: Callable[[], Any], **what: Any) -> None:
        """Time something that does `amount` of a unit."""
        middle, low, high = self.seconds(run)
        self.keep(part, unit, amount / middle, (amount / high, amount / low), **what)


def ceilings(bench: Bench) -> None:
    backend, xp = bench.backend, bench.backend.xp
    rows = 2000 if bench.fake else 2**22
    big = xp.zeros(rows * 128, dtype=xp.float32)
    copy = xp.zeros_like(big)

    def copied() -> None:
        copy[...] = big

    bench.rate("ceilings", "GB/s", 2 * big.nbytes / 1e9, copied, what="copy, read and written")
    # Kept tokens of Zipf's law: a word's share in the text is 1 / rank, and subsampling leaves its root.
    shares = 1 / np.arange(1, V + 1, dtype=np.float64)
    kept = keep_probabilities(1e9 * shares, 1e-3, "word2vec") * shares
    ids = np.random.default_rng(1).choice(V, rows, p=kept / kept.sum()).astype(np.int32)
    there = backend.from_host(ids)
    for D in (128, 300):
        table = xp.zeros((V, D), dtype=xp.float32)
        if not bench.fake:
            measure_rows(bench, table, there, D)
        some, few = there[: rows // 8], xp.ones((rows // 8, D), dtype=xp.float32)

        def added(table: Any = table, some: Any = some, few: Any = few) -> None:
            backend.add_rows([table], [some], [few])

        bench.rate("ceilings", "GB/s", few.nbytes / 1e9, added, what="rows added, add_rows", D=D)
        for R in (42, 58):
            n = 10 if bench.fake else 2**14
            left, right = xp.ones((n, 16, D), dtype=xp.float32), xp.ones((n, D, R), dtype=xp.float32)

            def products(left: Any = left, right: Any = right) -> None:
                xp.matmul(left, right)

            bench.rate("ceilings", "GFLOP/s", 2e-9 * n * 16 * R * D, products, what="batched products", rows=R, D=D)


def measure_rows(bench: Bench, table: Any, ids: Any, D: int) -> None:
    import cupy

    module = cupy.RawModule(code=(ROOT / "bench" / "ceilings.cu").read_text())
    blocks, threads = 8 * cupy.cuda.Device().attributes["MultiProcessorCount"], 256
    sums = cupy.zeros(blocks * threads, dtype=cupy.float32)
    read, add = module.get_function("gather_rows"), module.get_function("add_rows")
    amount = len(ids) * D * 4 / 1e9

    def gathered() -> None:
        read((blocks,), (threads,), (table, ids, np.int64(len(ids)), np.int32(D), sums))

    bench.rate("ceilings", "GB/s", amount, gathered, what="rows read", D=D)
    for vectors in (0, 1):

        def added(vectors: int = vectors) -> None:
            add((blocks,), (threads,), (table, ids, np.int64(len(ids)), np.int32(D), np.int32(vectors)))

        bench.rate("ceilings", "GB/s", amount, added, what=f"rows added, {'float4' if vectors else 'float'}", D=D)


def fused(bench: Bench) -> None:
    ids, offsets, counts = bench.corpus
    settings = [(128, 16, 32), (300, 16, 32), (128, 16, 16), (128, 32, 32)]
    for D, b, S in settings[: 1 if bench.args.quick else None]:
        for tf32 in (False,) if bench.fake else (False, True):
            config = Config(vector_size=D, group_size=b, group_negatives=S, tf32=tf32)
            for cluster in bench.clusters if (b, S) == (16, 32) else bench.clusters[:1]:
                engine = CudaEngine(config, counts, bench.backend, cluster=cluster, kernels=bench.kernels(cluster))
                most = engine.multiprocessors // cluster
                few = bench.args.quick or (b, S) != (16, 32)
                for groups in sorted({engine.blocks} if few else {engine.blocks, max(1, most)}):
                    engine.set_blocks(groups)
                    tables = initial_tables(len(counts), config, bench.backend)
                    chunk = engine.read_chunk(ids, offsets, 0, len(ids))
                    steady(
                        bench, "fused", engine, tables, chunk, D=D, b=b, S=S, blocks=engine.blocks, tf32=engine.tf32,
                        cluster=cluster,
                    )  # fmt: skip


def tf32(bench: Bench) -> None:
    """Relative errors against float64: of scores, loss and both gradients of some groups."""
    from tests.tf32 import group, tf32_products

    for rounded in (False, True):
        backend = get_backend("cupy", tf32=True) if rounded and not bench.fake else bench.backend
        for D in (128, 300):
            centers, rows, weights = group(D)
            wide = centers.astype(np.float64), rows.astype(np.float64), weights.astype(np.float64)
            exact = signed_sampling(*wide, C=26)
            with tf32_products() if rounded and bench.fake else contextlib.nullcontext():
                there = [backend.from_host(array) for array in (centers, rows, weights)]
                found = signed_sampling(there[0], there[1], there[2], C=26)
                scores = backend.to_host(backend.xp.matmul(there[0], backend.xp.matrix_transpose(there[1])))
            pairs = {"scores": (scores, np.matmul(wide[0], wide[1].swapaxes(1, 2)))}
            for name, ours, theirs in zip(("loss", "d_centers", "d_rows"), found, exact, strict=True):
                pairs[name] = backend.to_host(ours), theirs
            for name, (ours, theirs) in pairs.items():
                error = float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
                bench.keep("tf32", "relative", error, (error, error), tf32=rounded, D=D, of=name)


def questions(bench: Bench) -> None:
    size, D, asked = (200, 8, 2000) if bench.fake else (V, 100, 200_000)
    rng = np.random.default_rng(1)
    words = [f"w{i}" for i in range(size)]
    vectors = rng.standard_normal((size, D)).astype(np.float32)
    wv = WordVectors(words, vectors)
    there = wv.on(bench.backend.name)
    rows = rng.integers(0, size, (asked, 4))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "questions.txt"
        path.write_text(": all\n" + "".join(" ".join(words[i] for i in row) + "\n" for row in rows.tolist()))
        few = Path(folder) / "few.txt"
        few.write_text("".join(line + "\n" for line in path.read_text().splitlines()[:1001]))
        if there.evaluate_word_analogies(few) != wv.evaluate_word_analogies(few):
            msg = "the device counts other answers than the host"
            raise NumericalError(msg)
        bench.rate(
            "questions",
            "1/s",
            asked,
            lambda: there.evaluate_word_analogies(path),
            what="analogies of a file",
            V=size,
            D=D,
        )
    bench.rate(
        "questions",
        "1/s",
        asked,
        lambda: there.nearest(rows[:, 0], 10),
        what="nearest ten",
        V=size,
        D=D,
    )


def array(bench: Bench) -> None:
    ids, offsets, counts = bench.corpus
    n = min(len(ids), 1 << 20)
    for D, tf32 in ((128, False), (300, False), (128, True)):
        backend = bench.backend if bench.fake or not tf32 else get_backend("cupy", tf32=True)
        config = Config(vector_size=D, engine="array", tf32=tf32)
        tables = initial_tables(len(counts), config, backend)
        engine = ArrayEngine(config, counts, backend)
        chunk = read_chunk(ids[:n], offsets, 0, n)
        steady(bench, "array", engine, tables, chunk, D=D, T=engine.batch_size, tf32=tf32)


def softmax(bench: Bench) -> None:
    ids, offsets, counts = bench.corpus
    n = min(len(ids), 1 << 17)
    for tf32 in (False, True):
        backend = bench.backend if bench.fake or not tf32 else get_backend("cupy", tf32=True)
        config = Config(vector_size=100, loss="softmax", engine="array", tf32=tf32)
        tables = initial_tables(len(counts), config, backend)
        engine = ArrayEngine(config, counts, backend)
        chunk = read_chunk(ids[:n], offsets, 0, n)
        steady(bench, "softmax", engine, tables, chunk, V=len(counts), tf32=tf32)
    # How much of the scores is held at a time: a block may stay in the cache, but each adds to the table once more.
    held = blocks._HELD["cupy"]
    for megabytes in () if bench.fake else (128, 512, 4096):
        blocks._HELD["cupy"] = megabytes << 20
        engine = ArrayEngine(config, counts, backend)
        steady(bench, "softmax", engine, tables, chunk, V=len(counts), tf32=True, held_MB=megabytes)
    blocks._HELD["cupy"] = held


def steady(bench: Bench, part: str, engine: Any, tables: Any, chunk: Chunk, **what: Any) -> None:
    """Kept tokens/s of an engine on one chunk."""
    results: list[ChunkResult] = []
    engine.backend.attach()  # one before this may have had TF32

    def train() -> None:
        results.append(engine.train_chunk(tables, chunk, 0, lambda words, step: 0.01))

    middle, low, high = bench.seconds(train)
    kept, loss = results[-1].centers, results[-1].loss / results[-1].pairs
    bench.keep(part, "tokens/s", kept / middle, (kept / high, kept / low), **what, loss=round(loss, 4))


def job(bench: Bench) -> None:
    if bench.text is None:
        print("skipped: no text; give --data FOLDER")
        return
    with tempfile.TemporaryDirectory() as folder:
        for turn in ("first", "again", "third"):  # kernels are compiled in the first
            begun = time.perf_counter()
            with encode(bench.text, min_count=5) as corpus:
                encoded = time.perf_counter()
                backend = "numpy" if bench.fake else "cupy"
                model = Word2Vec(vector_size=100, epochs=5, backend=backend).fit(corpus)
                trained = time.perf_counter()
                model.save(Path(folder) / turn)
                saved = time.perf_counter()
            training = model.history[-1].seconds
            parts = {"encode": encoded - begun, "start": trained - encoded - training, "train": training,
                     "save": saved - trained}  # fmt: skip
            print(f"{model.engine_note}; {model.backend_note}")
            total = saved - begun
            bench.keep("job", "s", total, (total, total), turn=turn, **{k: round(v, 3) for k, v in parts.items()})


def long(bench: Bench) -> None:
    """A hundred epochs, and how fast each tenth of them was."""
    if bench.text is None:
        print("skipped: no text; give --data FOLDER")
        return
    with encode(bench.text, min_count=5) as corpus:
        for D in (100, 300):
            epochs, backend = (10, "numpy") if bench.fake else (100, "cupy")
            history = Word2Vec(vector_size=D, epochs=epochs, backend=backend, seed=1).fit(corpus).history
            last = history[-1]
            ends = [next(some for some in history if 10 * some.words >= k * last.words) for k in range(1, 11)]
            places = [(0, 0.0), *((some.words, some.seconds) for some in ends)]
            rates = [(words - before) / (end - begin) for (before, begin), (words, end) in pairwise(places)]
            how = {"D": D, "epochs": epochs, "seconds": round(last.seconds, 2), "loss": round(last.loss, 4)}
            bench.keep("long", "words/s", last.words_per_second, (min(rates), max(rates)), **how)


def quality(bench: Bench) -> None:
    if bench.sets is None:
        return
    backend = "numpy" if bench.fake else "cupy"
    for seed in bench.args.seeds:
        for tf32 in (False, True)[: 1 if bench.fake else 2]:
            model = Word2Vec(**_SETTING, seed=seed, backend=backend, tf32=tf32).fit(bench.text)
            score(bench, "xw2v" + ", tf32" * tf32, seed, model.history[-1].words_per_second, model.wv)


def losses(bench: Bench) -> None:
    """Both losses by the array engine."""
    if bench.sets is None:
        return
    backend = "numpy" if bench.fake else "cupy"
    for loss, tf32 in (("negative_sampling", False), ("softmax", True)):
        model = Word2Vec(**_SETTING, seed=1, backend=backend, engine="array", loss=loss, tf32=tf32).fit(bench.text)
        score(bench, f"xw2v, {loss}" + ", tf32" * tf32, 1, model.history[-1].words_per_second, model.wv)


def gensim(bench: Bench) -> None:
    """On all cores of the machine, and xw2v on the same ones."""
    if bench.sets is None or bench.text is None:  # `sets` says what is missing
        return
    from bench.bench_train import run_gensim

    for epochs in (2, _SETTING["epochs"]):
        ours = Word2Vec(**{**_SETTING, "epochs": epochs}, seed=1, backend="numpy").fit(bench.text)
        score(bench, f"xw2v, cpu, {epochs} epochs", 1, ours.history[-1].words_per_second, ours.wv)

    for seed in bench.args.seeds[:1]:  # with a worker a core it takes long; two epochs tell its speed
        options = {**_SETTING, "epochs": 2, "seed": seed, "sample": 1e-3, "workers": machine()["cores"]}
        try:
            with tempfile.TemporaryDirectory() as folder:
                done = run_gensim(bench.text, options, Path(folder))
        except ImportError as error:
            print(f"skipped: gensim ({error})")
            return
        score(bench, "gensim, 2 epochs", seed, done.words / done.seconds, WordVectors(done.vocabulary, done.vectors))


def score(bench: Bench, program: str, seed: int, rate: float, wv: Any) -> None:
    sets = bench.sets
    assert sets is not None
    scores = {
        "ws353": float(wv.evaluate_word_pairs(sets / "wordsim353.tsv").spearman),
        "simlex999": float(wv.evaluate_word_pairs(sets / "simlex999.txt").spearman),
        "analogies": float(wv.evaluate_word_analogies(sets / "questions-words.txt", restrict_vocab=30_000).accuracy),
    }
    rounded = {name: round(value, 4) for name, value in scores.items()}
    bench.keep("quality", "words/s", rate, (rate, rate), program=program, seed=seed, **rounded)


PARTS = {
    part.__name__: part
    for part in (ceilings, fused, tf32, array, softmax, questions, job, long, quality, losses, gensim)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=PARTS, metavar="PART")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--words", type=int)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--quick", action="store_true", help="the first setting of `fused` only; figures are not kept")
    parser.add_argument("--fake", action="store_true")
    args = parser.parse_args()
    try:
        bench = Bench(args)
    except BackendError as error:
        print(f"skipped: {error}")
        return
    failed = []
    for part in args.parts:
        try:
            PARTS[part](bench)
        except Exception as error:  # the parts after it are run all the same
            if not isinstance(error, XW2VError):
                traceback.print_exc()
            failed.append(f"{part}: {error}")
    if failed:
        raise SystemExit("\n".join(failed))


if __name__ == "__main__":
    main()
