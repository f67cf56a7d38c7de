"""Loaders fed with damaged files: only an XW2VError may leave them.

    python -m tests.fuzz TARGET [libFuzzer options, as -max_total_time=600]     (needs atheris)
    python -m tests.fuzz all [--seconds 300] [TARGET ...]     each target in turn, a line of a table for each

A file that breaks its loader is left as fuzz-TARGET-... where the command was given.

A target is a folder of valid files, one of which is damaged, and what loads it. Damage is a short program of edits,
which hypothesis (tests/test_fuzz.py) and atheris write. Under atheris on Linux the memory of the process is watched,
too: no file may take more than twice its size and 64 MiB on top.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

if __name__ == "__main__" and sys.argv[1:2] != ["all"]:
    # libFuzzer is guided by what it sees of the modules that are imported here.
    import importlib

    import atheris

    with atheris.instrument_imports(include=["xw2v"]):
        for module in ("xw2v.estimator", "xw2v.vectors.word2vec_format", "xw2v.text.readers"):
            importlib.import_module(module)

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from xw2v import EncodedCorpus, Word2Vec, WordVectors, encode
from xw2v.config import Config
from xw2v.errors import XW2VError
from xw2v.text.readers import open_source
from xw2v.text.vocabulary import Vocabulary
from xw2v.training.checkpoint import read_checkpoint
from xw2v.vectors.model_folder import load_model_folder

SENTENCES = [["king", "queen", "man"], ["Ärger", "war", "da"]] * 6
NUMBERS = [b"0", b"1", b"-1", b"7", b"255", b"65536", b"4294967296", b"9223372036854775807", b"99999999999999999999",
           b"1e999", b"NaN", b"-Infinity", b"null", b"true", b'"x"', b"[]", b"{}", b"[[[[[[[["]  # fmt: skip


OPTIONS: dict[str, Any] = {
    "vector_size": 4, "min_count": 1, "epochs": 1, "workers": 1, "backend": "numpy", "engine": "array", "sample": 0,
    "validation_fraction": 0.5, "patience": 1,
}  # fmt: skip


class Target(NamedTuple):
    """What is fuzzed."""

    make: Callable[[Path], Any]  # writes the valid files into a folder
    damaged: str  # the file in it that is damaged
    load: Callable[[Path], Any]  # gets the folder


def _model(folder: Path) -> None:
    Word2Vec(**OPTIONS).fit(SENTENCES).save(folder / "m")


def _checkpoint(folder: Path) -> None:
    Word2Vec(**OPTIONS).fit(SENTENCES, checkpoint_dir=folder / "c")
    (folder / "c" / "checkpoint-000001.safetensors").rename(folder / "c.safetensors")


def _vectors(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        vectors = WordVectors(["king", "queen", "Ärger"], np.arange(12, dtype=np.float32).reshape(3, 4) / 3)
        vectors.save_word2vec_format(folder / name, binary=".bin" in name)

    return make


def _parquet(folder: Path) -> None:
    columns = {"text": [" ".join(sentence) for sentence in SENTENCES], "n": list(range(12))}
    pq.write_table(pa.table(columns), folder / "t.parquet", compression="snappy")


def _read_all(path: Path, **how: Any) -> None:
    for block in open_source(path, workers=1, **how).blocks:
        assert block.codes.max(initial=-1) < len(block.words)


def _load_both_ways(folder: Path) -> None:
    for mmap in (True, False):
        stored = load_model_folder(folder / "m", mmap=mmap)
        assert all(len(table) == len(stored.packed_words) for table in stored.tables.values())
    vectors = WordVectors.load(folder / "m")
    for word in vectors.index_to_key:
        assert vectors[word].shape == (vectors.vector_size,)
        assert np.abs(vectors.most_similar(word, topn=None)).max() < 1.01
    assert len(vectors.key_to_index) == len(vectors)  # a word that comes twice is refused here at the latest
    assert np.isfinite(vectors.unit_vectors).all()


def _open_encoded(folder: Path) -> None:
    corpus = EncodedCorpus.open(folder / "e")
    assert corpus.ids.max(initial=0) < len(corpus.vocabulary)
    assert corpus.offsets[-1] == len(corpus.ids)


def _config(folder: Path) -> None:
    values = json.loads((folder / "config.json").read_text(encoding="utf-8", errors="replace"))
    Config.from_dict(values)


TARGETS = {
    "word2vec-text": Target(_vectors("v.txt"), "v.txt", lambda f: WordVectors.load_word2vec_format(f / "v.txt")),
    "word2vec-binary": Target(
        _vectors("v.bin"), "v.bin", lambda f: WordVectors.load_word2vec_format(f / "v.bin", binary=True)
    ),
    "word2vec-gzip": Target(
        _vectors("v.bin.gz"), "v.bin.gz", lambda f: WordVectors.load_word2vec_format(f / "v.bin.gz", binary=True)
    ),
    "model-tables": Target(_model, "m/tables.safetensors", _load_both_ways),
    "model-vocabulary": Target(_model, "m/vocabulary.safetensors", _load_both_ways),
    "model-config": Target(_model, "m/config.json", lambda f: Word2Vec.load(f / "m")),
    "vocabulary": Target(
        lambda f: (f / "v.json").write_text(Vocabulary(["a", "b"], np.array([3, 2])).to_json()),
        "v.json",
        lambda f: Vocabulary.from_json((f / "v.json").read_bytes()),
    ),
    "manifest": Target(
        lambda f: encode(SENTENCES, f / "e", min_count=1), "e/manifest.json", _open_encoded
    ),
    "encoded-ids": Target(lambda f: encode(SENTENCES, f / "e", min_count=1), "e/ids.int32", _open_encoded),
    "encoded-offsets": Target(lambda f: encode(SENTENCES, f / "e", min_count=1), "e/offsets.int64", _open_encoded),
    "parquet": Target(_parquet, "t.parquet", lambda f: _read_all(f / "t.parquet", column="text")),
    "text": Target(
        lambda f: (f / "t.txt").write_text("\n".join(map(" ".join, SENTENCES))), "t.txt",
        lambda f: _read_all(f / "t.txt"),
    ),
    "text-gzip": Target(
        lambda f: (f / "t.txt.gz").write_bytes(gzip.compress("\n".join(map(" ".join, SENTENCES)).encode())), "t.txt.gz",
        lambda f: _read_all(f / "t.txt.gz"),
    ),
    "checkpoint": Target(_checkpoint, "c.safetensors", lambda f: read_checkpoint(f / "c.safetensors")),
}  # fmt: skip


def damage(data: bytes, program: bytes) -> bytes:
    """`data` after a program of edits, four bytes each: what, where (two bytes), with what."""
    for place in range(0, len(program) - 3, 4):
        what, where, value = program[place], int.from_bytes(program[place + 1 : place + 3], "big"), program[place + 3]
        data = _edited(data, what % 9, where % (len(data) + 1), value)
    return data


def _edited(data: bytes, what: int, at: int, value: int) -> bytes:
    head, few, number = data[:at], value % 9, NUMBERS[value % len(NUMBERS)]
    match what:
        case 0:
            return head + bytes([value]) + data[at + 1 :]
        case 1:  # one bit
            return head + bytes(byte ^ (1 << value % 8) for byte in data[at : at + 1]) + data[at + 1 :]
        case 2:
            return head + bytes(few) + data[at + few :]
        case 3:
            return head + b"\xff" * few + data[at + few :]
        case 4:
            return head + data[at + value :]
        case 5:
            return head
        case 6:  # something twice
            return head + data[at : at + value] + data[at:]
        case 7:
            return head + number + data[at:]
        case _:
            return _other_number(data, at, number)


def _other_number(data: bytes, at: int, number: bytes) -> bytes:
    """The digits at or after a place replaced."""
    while at < len(data) and not 48 <= data[at] < 58:
        at += 1
    end = at
    while end < len(data) and 48 <= data[end] < 58:
        end += 1
    return data[:at] + number + data[end:]


class Fuzzer:
    """A target made ready in a folder."""

    def __init__(self, name: str, folder: Path) -> None:
        self.target, self.folder = TARGETS[name], folder
        self.target.make(folder)
        self.path = folder / self.target.damaged
        self.valid = self.path.read_bytes()
        self.target.load(folder)

    def load(self, data: bytes) -> bool:
        """Load a file of these bytes; whether that went well.

        Raises
        ------
        Whatever leaves the loader and is no XW2VError.
        """
        self.path.write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self.target.load(self.folder)
            except XW2VError as error:
                assert str(error)  # noqa: PT017
                assert "\n" not in str(error)  # noqa: PT017
                return False
        return True


@contextmanager
def bounded_memory(size: int) -> Iterator[None]:
    """The process's resident memory grows by at most twice a file's size and 64 MiB while it is loaded (Linux)."""
    if not sys.platform.startswith("linux"):
        yield
        return
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak to what is resident now
    before = _peak()
    yield
    grown = _peak() - before
    assert grown <= 2 * size + (64 << 20), f"{grown:,} bytes of memory for a file of {size:,}"


def _peak() -> int:
    """Bytes that were resident at most."""
    status = Path("/proc/self/status").read_bytes()
    return 1024 * int(status[status.index(b"VmHWM:") + 6 :].split(None, 1)[0])


def fuzz(name: str, options: list[str]) -> None:
    """Fuzz a target with atheris until it is stopped; ends the process."""
    with tempfile.TemporaryDirectory() as place:
        # libFuzzer ends its process itself, so that what it leaves is swept up by this one.
        child = os.fork()
        if child == 0:
            try:
                _fuzz_in(Path(place), name, options)
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sys.exit(status)


def _fuzz_in(place: Path, name: str, options: list[str]) -> None:
    import atheris

    for folder in ("target", "seeds"):
        (place / folder).mkdir()
    fuzzer = Fuzzer(name, place / "target")
    # The first byte says whether the rest is a file or a program that damages the valid one.
    (place / "seeds" / "whole").write_bytes(b"\xff" + fuzzer.valid)
    (place / "seeds" / "edited").write_bytes(bytes(9))

    def one(data: bytes) -> None:
        file = data[1:] if data[:1] > b"\xc0" else damage(fuzzer.valid, data[1:])
        try:
            with bounded_memory(len(file)):
                fuzzer.load(file)
        except BaseException:
            Path(f"fuzz-{name}-{hashlib.sha256(file).hexdigest()[:12]}").write_bytes(file)
            raise

    atheris.Setup([name, *options, str(place / "seeds")], one)
    atheris.Fuzz()


def fuzz_in_turn(names: list[str], seconds: int) -> None:
    """Fuzz each target for so long; prints a line of a table for each."""
    print("| loader | files | seconds | inputs that reached new code | largest memory, MB | result |", flush=True)
    for name in names:
        command = [sys.executable, "-m", "tests.fuzz", name, f"-max_total_time={seconds}", "-print_final_stats=1"]
        # What atheris puts into the modules to watch comparisons leaves some 800 bytes of numbers and strings behind
        # for each file of some targets; without it nothing is left. Each file's own memory is bounded above.
        command.append("-rss_limit_mb=12288")
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        stats = dict(re.findall(r"^stat::(\w+):\s+(\d+)", done.stderr, re.MULTILINE))
        took = re.search(r"Done \d+ runs in (\d+) second", done.stderr)
        columns = [stats.get("number_of_executed_units"), took and took[1], stats.get("new_units_added")]
        columns += [stats.get("peak_rss_mb"), "no crash" if done.returncode == 0 else f"exit {done.returncode}"]
        print(f"| {name} | " + " | ".join(map(str, columns)) + " |", flush=True)
        if done.returncode != 0:
            print(done.stderr[-3000:], file=sys.stderr)


def main(arguments: list[str]) -> None:
    """One target with libFuzzer's options, or all in turn."""
    if arguments[:1] != ["all"]:
        fuzz(arguments[0], arguments[1:])
        return
    parser = argparse.ArgumentParser(prog="tests.fuzz all")
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("target", nargs="*", default=list(TARGETS))
    options = parser.parse_args(arguments[1:])
    fuzz_in_turn(options.target, options.seconds)


if __name__ == "__main__":
    main(sys.argv[1:])
