"""Faults, injected: disks that fill up at any byte, killed writers, two writers, sources that change, hostile links."""

from __future__ import annotations

import gc
import gzip
import os
import re
import shutil
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import small_disk_on
from xw2v import EncodedCorpus, Word2Vec, WordVectors, cli, encode, fitting
from xw2v.backend import NumpyBackend
from xw2v.errors import BackendError, CorpusError, FileAccessError, FormatError, MissingFileError, XW2VError
from xw2v.files import atomic_write, locked, new_folder
from xw2v.text import encoding
from xw2v.training import batches
from xw2v.training.checkpoint import Checkpoints, read_checkpoint
from xw2v.training.engines.array import ArrayEngine

ROOT = Path(__file__).resolve().parents[1]
OPTIONS: dict[str, Any] = {
    "vector_size": 4, "min_count": 1, "epochs": 1, "workers": 1, "backend": "numpy", "engine": "array",
}  # fmt: skip
SENTENCES = [["king", "queen", "man"], ["woman", "war", "peace"]] * 20


@contextmanager
def disk_with(size: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes: the write that would is cut short or fails."""
    resource = pytest.importorskip("resource", reason="limits of POSIX")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def model() -> Word2Vec:
    return Word2Vec(**OPTIONS).fit(SENTENCES)


WRITERS: dict[str, Callable[[Word2Vec, Path], object]] = {
    "model": lambda model, folder: model.save(folder / "m"),
    "text": lambda model, folder: model.wv.save_word2vec_format(folder / "v.txt"),
    "binary": lambda model, folder: model.wv.save_word2vec_format(folder / "v.bin", binary=True),
    "gzip": lambda model, folder: model.wv.save_word2vec_format(folder / "v.txt.gz"),
    "corpus": lambda model, folder: encode(SENTENCES, folder / "e", min_count=1),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_write_that_fails_at_any_byte(kind: str, model: Word2Vec, tmp_path: Path) -> None:
    """What was there stays, to the byte, and nothing is left beside it; the next attempt goes through."""
    write = WRITERS[kind]
    write(model, tmp_path)
    before = content(tmp_path)
    largest = max(map(len, before.values()))
    refused = 0
    for size in {*range(0, largest, max(1, largest // 40)), largest - 1}:
        try:
            with disk_with(size):
                write(model, tmp_path)
        except FileAccessError as error:
            refused += 1
            assert "File too large" in str(error)  # noqa: PT017
        assert content(tmp_path) == before
    assert refused > 10
    write(model, tmp_path)
    assert content(tmp_path) == before


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["model", "corpus", "text"])
def test_what_a_killed_writer_leaves_is_put_right(kind: str, model: Word2Vec, tmp_path: Path) -> None:
    """Killed while it wrote, and between the two renames that put a folder in another's place."""
    write = WRITERS[kind]
    write(model, tmp_path)
    before = content(tmp_path)
    (name,) = (path.name for path in tmp_path.iterdir())
    # What is there is read in a process that dies at each of its file system's doings.
    for call in ("os.fsync", "pathlib.Path.rename", "pathlib.Path.replace"):
        for survived in (0, 1):
            code = f"""
import os, pathlib, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.test_faults import WRITERS, Word2Vec, OPTIONS, SENTENCES
model = Word2Vec(**OPTIONS).fit(SENTENCES)
real, left = {call}, iter(range({survived}))
def dying(*arguments):
    if next(left, None) is None:
        os.kill(os.getpid(), 9)
    return real(*arguments)
{call} = dying
WRITERS[{kind!r}](model, pathlib.Path({str(tmp_path)!r}))
"""
            subprocess.run([sys.executable, "-c", code], cwd=tmp_path.parent, check=False, capture_output=True)
            write(model, tmp_path)
            assert content(tmp_path) == before, (call, survived)
            assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_old_folder_comes_back_if_it_is_all_there_is(tmp_path: Path) -> None:
    with new_folder(tmp_path / "f") as part:
        (part / "a").write_text("old")
    # As a kill between the two renames leaves it.
    with pytest.raises(KeyError), new_folder(tmp_path / "f") as part:  # noqa: PT012
        (tmp_path / "f").rename(part.with_suffix(".old"))
        raise KeyError
    assert not (tmp_path / "f").exists()
    with pytest.raises(KeyError), new_folder(tmp_path / "f"):
        raise KeyError
    assert content(tmp_path) == {"f/a": b"old"}


def test_two_processes_on_one_output(model: Word2Vec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                     capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    """The second is refused, and what the first writes is whole."""
    with atomic_write(tmp_path / "v.txt") as file:
        file.write(b"half")
        with pytest.raises(FileAccessError, match="another process is working on .*v.txt; wait for it"):  # noqa: RUF043
            model.wv.save_word2vec_format(tmp_path / "v.txt")
    assert content(tmp_path) == {"v.txt": b"half"}
    with new_folder(tmp_path / "e"):
        with pytest.raises(FileAccessError, match="another process is working on"):
            encode(SENTENCES, tmp_path / "e", min_count=1)
        encode(SENTENCES, tmp_path / "other", min_count=1)
    monkeypatch.chdir(tmp_path)
    Path("c.txt").write_text("a b c\n" * 10)
    with locked(tmp_path / ".m.training", "m"):
        assert cli.main(["train", "c.txt", "-o", "m", "--min-count", "1"]) == 1
    assert capsys.readouterr().err == (
        "xw2v: error: another process is working on m; wait for it, or choose another name\n"
    )
    assert not Path("m").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk_on(tmp_path / "disk", "1m") as disk:
        yield disk


@pytest.mark.parametrize("kind", WRITERS)
def test_a_disk_that_is_full(kind: str, model: Word2Vec, small_disk: Path) -> None:
    """What was there stays, and the next attempt goes through once there is room."""
    write = WRITERS[kind]
    write(model, small_disk)
    before = content(small_disk)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    with pytest.raises(FileAccessError, match="No space left on device"):
        write(model, small_disk)
    filler.unlink()
    assert content(small_disk) == before
    write(model, small_disk)
    assert content(small_disk) == before


def test_a_disk_too_small_for_a_second_checkpoint(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run comes to its end; what it could keep is read and gone on from when there is room."""
    monkeypatch.setattr(batches, "SEGMENT", 16)
    options = OPTIONS | {"vector_size": 15_000, "epochs": 3}  # 0.7 of 1.0 MiB
    keep: dict[str, Any] = {"checkpoint_dir": small_disk / "c", "checkpoint_every": 32}
    lines: list[str] = []
    ended = Word2Vec(**options).fit(SENTENCES, **keep, on_warning=lines.append)
    full = [line for line in lines if not line.startswith(("checkpoints come later", "subsampling left"))]
    assert full
    assert all(line.startswith("no checkpoint this time: ") for line in full)
    assert all("No space left on device; nothing was changed; training goes on, the last" in line for line in full)
    (kept,) = (small_disk / "c").iterdir()
    assert kept.name == "checkpoint-000001.safetensors"
    assert read_checkpoint(kept).position.epoch < 3
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    ours = Word2Vec(**options).fit(SENTENCES, **keep, resume=True)
    assert ours.wv.vectors.tobytes() == ended.wv.vectors.tobytes()


class OutOfDeviceMemoryError(MemoryError):
    """As CuPy has it."""


@pytest.mark.parametrize("when", ["in a chunk", "tables", "upload"])
def test_a_device_out_of_memory(when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line; the last checkpoint stays, and the run goes on from it."""
    monkeypatch.setattr(batches, "SEGMENT", 16)
    options = OPTIONS | {"epochs": 8}
    wanted = Word2Vec(**options).fit(SENTENCES)
    keep: dict[str, Any] = {"checkpoint_dir": tmp_path, "checkpoint_every": 100}
    calls = iter(range(20))

    def fail(*_: Any, **__: Any) -> Any:
        msg = "Out of memory allocating 1,024 bytes\n(allocated so far: 512 bytes)."
        raise OutOfDeviceMemoryError(msg)

    def later(usual: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *a, **k: usual(*a, **k) if next(calls, None) is not None else fail()

    with monkeypatch.context() as patch:
        if when == "in a chunk":
            patch.setattr(ArrayEngine, "train_chunk", later(ArrayEngine.train_chunk))
        elif when == "upload":
            patch.setattr(NumpyBackend, "from_host", later(NumpyBackend.from_host))
        else:
            patch.setattr(fitting, "initial_tables", fail)
        line = (
            r"^backend 'numpy' ran out of memory: Out of memory allocating 1,024 bytes \(allocated so far: 512 bytes\)"
        )
        with pytest.raises(BackendError, match=line + r"\.; lower vector_size, max_final_vocab or batch_size$"):
            Word2Vec(**options).fit(SENTENCES, **keep, on_progress=lambda _: time.sleep(0.005))
    assert len(list(tmp_path.iterdir())) in ((0,) if when == "tables" else (1, 2))
    assert Word2Vec(**options).fit(SENTENCES, **keep, resume=True).wv.vectors.tobytes() == wanted.wv.vectors.tobytes()


class Disk:
    """What was brought to the disk, in order: flushes by inode, and names that were given or taken away."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.events: list[tuple[str, Any]] = []
        fsync = os.fsync

        def flushed(descriptor: int) -> None:
            fsync(descriptor)
            self.events.append(("flush", os.fstat(descriptor).st_ino))

        patch.setattr(os, "fsync", flushed)
        for name in ("rename", "replace"):
            self._watch(patch, name)
        unlink = Path.unlink

        def unlinked(path: Path, missing_ok: bool = False) -> None:
            unlink(path, missing_ok)
            self.events.append(("unlink", path.name))

        patch.setattr(Path, "unlink", unlinked)

    def _watch(self, patch: pytest.MonkeyPatch, name: str) -> None:
        usual = getattr(Path, name)

        def renamed(path: Path, target: Path) -> Any:
            inode = path.stat().st_ino
            result = usual(path, target)
            self.events.append(("rename", (inode, target.name)))
            return result

        patch.setattr(Path, name, renamed)

    def before(self, kind: str, what: Any) -> list[tuple[str, Any]]:
        return self.events[: self.events.index((kind, what))]

    def assert_survives_a_power_cut(self, inode: int, path: Path, parts: list[int]) -> None:
        """All parts were flushed before the file or folder got its name, and the folder it lies in afterwards."""
        earlier = self.before("rename", (inode, path.name))
        renamed = [what[0] for kind, what in earlier if kind == "rename"]
        for part in parts:  # a number may have been that of a file that is gone
            assert earlier.count(("flush", part)) > renamed.count(part)
        assert ("flush", path.parent.stat().st_ino) in self.events[len(earlier) :]


@pytest.mark.skipif(os.name == "nt", reason="folders cannot be flushed there, and need not be")
@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_written_survives_a_power_cut(kind: str, model: Word2Vec, tmp_path: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    for _ in range(2):  # anew, and in the place of another
        with monkeypatch.context() as patch:
            disk = Disk(patch)
            WRITERS[kind](model, tmp_path)
            (path,) = tmp_path.iterdir()
            parts = [inside.stat().st_ino for inside in [path, *path.rglob("*")]]
            disk.assert_survives_a_power_cut(path.stat().st_ino, path, parts)


@pytest.mark.skipif(os.name == "nt", reason="folders cannot be flushed there, and need not be")
def test_checkpoints_survive_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old one goes after the new one is there for good; the folder that they lie in is there for good, too."""
    disk, folder = Disk(monkeypatch), tmp_path / "c"
    monkeypatch.setattr(batches, "SEGMENT", 16)
    keep: dict[str, Any] = {"checkpoint_dir": folder, "checkpoint_every": 32}
    Word2Vec(**OPTIONS | {"epochs": 12}).fit(SENTENCES, **keep, on_progress=lambda _: time.sleep(0.01))
    names = [what for kind, what in disk.events if kind == "rename" and what[1].startswith("checkpoint-")]
    assert len(names) > 4
    for inode, name in names:
        disk.assert_survives_a_power_cut(inode, folder / name, [inode])
    assert ("flush", tmp_path.stat().st_ino) in disk.before("rename", names[0])
    gone = [what for kind, what in disk.events if kind == "unlink" and what.startswith("checkpoint-")]
    assert gone == [name for _, name in names[: len(gone)]]
    assert len(gone) == len(names) - 2
    for old in gone:
        earlier = disk.before("unlink", old)
        newest = max(place for place, (kind, what) in enumerate(earlier) if kind == "rename")
        assert ("flush", folder.stat().st_ino) in earlier[newest:]


def big_text(path: Path, lines: int = 400_000) -> Path:
    path.write_text("the king and the queen\n" * lines)
    return path


@pytest.fixture
def one_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read ahead."""
    monkeypatch.setattr(encoding, "default_workers", lambda: 1)


def changing(change: Callable[[], object]) -> Any:
    """A callback that changes the source once, after the first block."""
    times = iter([change])

    def progress(*_: Any) -> None:
        next(times, lambda: None)()

    return progress


def test_a_text_that_grows_while_it_is_read(tmp_path: Path) -> None:
    path = big_text(tmp_path / "t.txt")

    def grow() -> None:
        with path.open("a") as file:
            file.write("a new line\n" * 10)

    corpus = encode(path, tmp_path / "e", min_count=1, progress=changing(grow))
    corpus.check()
    assert corpus.raw_words >= 2_000_000
    assert not encode(path, tmp_path / "e", min_count=1).reused  # it is not what was encoded


def test_a_text_that_shrinks_while_it_is_read(tmp_path: Path, one_reader: None) -> None:
    path = big_text(tmp_path / "t.txt")
    with pytest.raises(CorpusError, match=r"t\.txt became shorter while it was in use: 9,200,000 bytes before"):
        encode(path, tmp_path / "e", min_count=1, progress=changing(lambda: os.truncate(path, 1000)))
    assert sorted(content(tmp_path)) == ["t.txt"]


def test_a_text_that_vanishes_while_it_is_read(tmp_path: Path, one_reader: None) -> None:
    """One that is open stays; the next one is missing, and nothing is written."""
    paths = [big_text(tmp_path / name) for name in ("a.txt", "b.txt")]
    with pytest.raises((MissingFileError, FileAccessError), match=r"b\.txt"):
        encode(paths, tmp_path / "e", min_count=1, progress=changing(paths[1].unlink))
    assert sorted(content(tmp_path)) == ["a.txt"]


def test_a_packed_text_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "t.txt.gz"
    digits = np.random.default_rng(0).integers(48, 58, 30_000_000, dtype=np.uint8)
    digits[::7] = 32
    path.write_bytes(gzip.compress(digits.tobytes(), compresslevel=1))
    with pytest.raises(CorpusError, match=r"t\.txt\.gz"):
        encode(path, tmp_path / "e", min_count=1, progress=changing(lambda: os.truncate(path, 1_500_000)))
    assert sorted(content(tmp_path)) == ["t.txt.gz"]


def test_damaged_packed_texts_leave_no_memory_behind(tmp_path: Path) -> None:
    path = tmp_path / "t.txt.gz"
    path.write_bytes(gzip.compress(b"the king and the queen\n" * 1000)[:-9])
    tracemalloc.start()
    try:
        for _ in range(3):
            with pytest.raises(CorpusError, match=r"t\.txt\.gz is truncated"):
                encode(path, min_count=1)
        gc.collect()
        left = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert left < 1 << 20


# A process of its own: a memory map of a file that is cut short would end it with SIGBUS.
TRAINED_ON_A_CHANGING_CORPUS = """
import os, shutil, sys
from pathlib import Path
import numpy as np
from xw2v import EncodedCorpus, Word2Vec
from xw2v.training import batches
from xw2v.errors import XW2VError
batches.SEGMENT = 512
what, workers = sys.argv[1], int(sys.argv[2])
records = iter(range(5))
def change(record):
    if next(records, None) is not None:
        return
    if what == "nothing left":
        shutil.rmtree("e", ignore_errors=True)
    elif what == "a wrong id":
        with open("e/ids.int32", "r+b") as file:
            file.seek(-4, 2)
            file.write(np.int32(1 << 30).tobytes())
    elif what == "wrong offsets":
        with open("e/offsets.int64", "r+b") as file:
            file.seek(8 * 1000)
            falling = np.frombuffer(file.read(8 * 400), "<i8")[::-1]
            file.seek(8 * 1000)
            file.write(falling.tobytes())
    else:
        os.truncate(what, 4096)
def warned(line):
    if not line.startswith("checkpoints come later than asked for"):
        print(line)
model = Word2Vec(vector_size=8, epochs=3, workers=workers, backend="numpy", sample=0)
keep = {"checkpoint_dir": "c", "checkpoint_every": 1000, "on_warning": warned}
try:
    model.fit(EncodedCorpus.open("e"), on_progress=change, **keep)
    print("ended well", len(model.history))
except XW2VError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def long_corpus(tmp_path: Path) -> Path:
    words = np.random.default_rng(0).integers(0, 50, (2000, 20))
    encode([list(map(str, line)) for line in words.tolist()], tmp_path / "e", min_count=1)
    return tmp_path


SHORTER = r"FormatError .*{} became shorter while it was in use: {} bytes before, 4,096 now"


@pytest.mark.parametrize(
    ("what", "workers", "message"),
    [
        ("e/ids.int32", 1, SHORTER.format(r"ids\.int32", "160,000")),
        ("e/ids.int32", 3, SHORTER.format(r"ids\.int32", "160,000")),
        ("e/offsets.int64", 1, SHORTER.format(r"offsets\.int64", "16,008")),
        ("a wrong id", 1, r"FormatError .*ids\.int32 is damaged: ids must be in 0 \.\. 49, one is 1073741824"),
        ("wrong offsets", 1, r"FormatError sentence offsets do not go up between \d+ and \d+: the corpus is damaged"),
        ("nothing left", 1, "ended well"),
    ],
)
def test_a_corpus_that_changes_under_training(what: str, workers: int, message: str, long_corpus: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """One line in the end and a checkpoint of that moment, from which the run goes on when the corpus is back."""
    monkeypatch.setattr(batches, "SEGMENT", 512)
    shutil.copytree(long_corpus / "e", long_corpus / "kept")
    command = [sys.executable, "-W", "error", "-c", TRAINED_ON_A_CHANGING_CORPUS, what, str(workers)]
    done = subprocess.run(command, cwd=long_corpus, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(message, done.stdout)
    assert len(done.stdout.splitlines()) == 1
    paths = sorted((long_corpus / "c").glob("checkpoint-*"))
    assert len(paths) == 2
    stopped = read_checkpoint(paths[-1])
    assert stopped.history[-1].words >= 5 * 512
    if what == "wrong offsets":
        return  # sentences may have ended elsewhere before it was noticed
    if what == "nothing left":
        assert stopped.history[-1].words == stopped.history[-1].total_words
        return
    options: dict[str, Any] = {"vector_size": 8, "epochs": 3, "workers": workers, "backend": "numpy", "sample": 0}
    corpus = EncodedCorpus.open(long_corpus / "kept")
    keep: dict[str, Any] = {"checkpoint_dir": long_corpus / "c", "resume": True}
    ours, wanted = Word2Vec(**options).fit(corpus, **keep), Word2Vec(**options).fit(corpus)
    assert ours.history[-1].pairs == wanted.history[-1].pairs
    assert ours.history[-1].words == wanted.history[-1].words == 3 * 40_000
    if workers == 1:
        assert ours.wv.vectors.tobytes() == wanted.wv.vectors.tobytes()


LOADERS: dict[str, Callable[[Path], object]] = {
    "m/tables.safetensors": lambda folder: WordVectors.load(folder / "m"),
    "m/vocabulary.safetensors": lambda folder: WordVectors.load(folder / "m"),
    "m/config.json": lambda folder: Word2Vec.load(folder / "m"),
    "e/ids.int32": lambda folder: EncodedCorpus.open(folder / "e"),
    "e/manifest.json": lambda folder: EncodedCorpus.open(folder / "e"),
    "e/vocabulary.json": lambda folder: EncodedCorpus.open(folder / "e"),
    "c/checkpoint-000001.safetensors": lambda folder: Checkpoints(folder / "c").newest(),
}


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.filterwarnings("ignore:.*is a link:RuntimeWarning")
def test_links_lead_nowhere_outside(name: str, tmp_path: Path) -> None:
    """A link to a file of the same folder is followed, one that leads out is not."""
    model = Word2Vec(**OPTIONS).fit(SENTENCES, checkpoint_dir=tmp_path / "c")
    model.save(tmp_path / "m")
    encode(SENTENCES, tmp_path / "e", min_count=1)
    path = tmp_path / name
    secret = tmp_path / "secret"
    path.rename(secret)
    for target in (secret, Path("..") / "secret"):
        path.symlink_to(target)
        with pytest.raises(FormatError, match="is a link that leads out of the folder"):
            LOADERS[name](tmp_path)
        path.unlink()
    secret.rename(path.with_name("stored"))
    path.symlink_to("stored")
    LOADERS[name](tmp_path)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", "ids.int32/../../secret"])
def test_names_in_a_manifest_lead_nowhere(name: str, tmp_path: Path) -> None:
    encode(SENTENCES, tmp_path / "e", min_count=1)
    manifest = tmp_path / "e" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("ids.int32", name))
    with pytest.raises(XW2VError, match="not the manifest of an encoded corpus"):
        EncodedCorpus.open(tmp_path / "e")
