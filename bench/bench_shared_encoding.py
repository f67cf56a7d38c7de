"""How fast is a text in several files encoded by ranks that share the reading, beside one process on the same cores?

    python -m bench.bench_shared_encoding [TEXT] [--files 16] [--ranks 2] [--turns 5] [--least 4]

TEXT, which may be compressed with xz, is cut into files at white space. Parts are of --least MiB and more rather than
256, so that a small text has some. All run in turn, in processes of their own; times are taken inside, without the
imports, and end when rank 0 has the corpus. The corpora are compared, byte for byte. On one node a single process has
threads on all cores, too, so what ranks add shows on many cores, or nodes. Rows: results/shared_encoding.csv.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

if __package__ in (None, ""):  # started as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.bench_ingest import DEFAULT, MIN_COUNT, spread, unpacked
from bench.common import ROOT, append_row, commit, machine, versions

RESULTS = ROOT / "bench" / "results" / "shared_encoding.csv"


def cut(text: Path, folder: Path, files: int) -> None:
    """The text as so many files of about the same size."""
    folder.mkdir()
    least = text.stat().st_size // files
    with text.open("rb") as source:
        for number in range(files):
            with (folder / f"{number:04}.txt").open("wb") as target:
                target.write(source.read() if number == files - 1 else source.read(least))
                while (byte := source.read(1)) and not byte.isspace():
                    target.write(byte)


def child(texts: Path, folder: Path, least: int, mpi: bool) -> None:
    """Encode once; rank 0 prints the seconds and what it was told."""
    from xw2v.distributed import encoded_once_a_node, join
    from xw2v.text import encode, parts

    parts.PART_BYTES = least
    notes: list[str] = []
    ranks = join(True) if mpi else None
    if ranks is not None:
        ranks.texts("")  # all are here
    start = time.perf_counter()
    if ranks is None:
        encode(texts, folder, min_count=MIN_COUNT)
    else:
        with encoded_once_a_node(ranks, texts, folder, notes.append, min_count=MIN_COUNT):
            pass
    if ranks is None or ranks.rank == 0:
        print(json.dumps([time.perf_counter() - start, notes]))


def launched(ranks: int, texts: Path, folder: Path, least: int) -> float:
    """Seconds of one run in processes of its own; ranks = 0: one process without MPI."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "bench.bench_shared_encoding", "--least", str(least), "--child", texts, folder]
    if ranks:
        beside = Path(sys.executable).with_name("mpiexec")
        mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
        if mpiexec is None:
            msg = "there is no mpiexec: pip install mpi4py mpich, or use the cluster's own MPI"
            raise SystemExit(msg)
        command = [mpiexec, "-n", str(ranks), *command, "--mpi"]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    seconds, notes = json.loads(done.stdout.splitlines()[-1])
    if ranks > 1 and not notes:
        msg = "the ranks did not share the reading: give more text, or a smaller --least"
        raise SystemExit(msg)
    return float(seconds)


def compare(args: argparse.Namespace) -> None:
    """Run in turn, print the medians and append rows."""
    with unpacked(args.text) as (plain, folder):
        size = plain.stat().st_size
        cut(plain, folder / "texts", args.files)
        runs: dict[int, list[float]] = {ranks: [] for ranks in (0, *args.ranks)}
        for _ in range(args.turns):
            for ranks, seconds in runs.items():
                seconds.append(launched(ranks, folder / "texts", folder / f"corpus{ranks}", args.least))
        corpora = [{path.name: path.read_bytes() for path in (folder / f"corpus{n}").iterdir()} for n in runs]
        if any(corpus != corpora[0] for corpus in corpora):
            msg = "the corpora differ"
            raise SystemExit(msg)
    for ranks, seconds in runs.items():
        middle = statistics.median(seconds)
        row = {
            "commit": commit(), **machine(), "versions": json.dumps(versions("numpy", "pyarrow", "mpi4py", "mpich")),
            "text": args.text.name, "mb": round(size / 1e6, 1), "files": args.files, "least_mib": args.least,
            "ranks": ranks, "runs": len(seconds), "seconds": round(middle, 3), "spread": spread(seconds),
            "mb_per_second": round(size / 1e6 / middle, 1),
        }  # fmt: skip
        append_row(RESULTS, row)
        print(f"{ranks or 'no'} ranks: {middle:.2f} s ({row['spread']}), {row['mb_per_second']} MB/s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--ranks", type=int, nargs="+", default=[2])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--least", type=int, default=4, help="MiB of a part")
    parser.add_argument("--child", type=Path, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--mpi", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child[0], args.child[1], args.least << 20, args.mpi)
    else:
        compare(args)


if __name__ == "__main__":
    main()
