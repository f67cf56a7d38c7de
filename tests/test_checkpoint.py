"""Checkpoints: what a killed run goes on from, what is refused, and what happens when the disk fails."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tests.conftest import Library
from tests.test_resume import MODES, corpus
from xw2v import EncodedCorpus, Word2Vec
from xw2v.backend import NumpyBackend
from xw2v.config import Config
from xw2v.errors import ConfigError, CorpusError, FileAccessError, FormatError, NumericalError
from xw2v.files import locked
from xw2v.fitting import Fitting
from xw2v.interrupts import stopped_by_signals
from xw2v.tensors import read_tensors, write_tensors
from xw2v.text.vocabulary import Vocabulary
from xw2v.training import batches, trainer
from xw2v.training.checkpoint import Checkpoints, holds_checkpoints, read_checkpoint, remove_checkpoints
from xw2v.training.checkpoint_file import write_state
from xw2v.training.engines import array
from xw2v.training.engines.array import ArrayEngine
from xw2v.training.epochs import EpochEnd
from xw2v.training.walk import Progress

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(batches, "SEGMENT", 200)
    with threadpool_limits(1):  # products this small are slower on two threads
        yield


def encoded(n: int = 3000) -> EncodedCorpus:
    ids, offsets, counts = corpus(n)
    return EncodedCorpus(ids, offsets, Vocabulary([f"w{i}" for i in range(len(counts))], counts), n)


def model(config: Config, **changes: Any) -> Word2Vec:
    return Word2Vec(**config.replace(backend="numpy", **changes).to_dict())


class CrashError(Exception):
    """What a test throws in the middle of a run."""


def stopping(after: int, exception: type[BaseException]) -> Any:
    """A callback that raises at the given record."""
    left = iter(range(after))

    def on_progress(record: Progress) -> None:
        if next(left, None) is None:
            raise exception

    return on_progress


def assert_same(ours: Word2Vec, wanted: Word2Vec) -> None:
    assert ours.wv.vectors.tobytes() == wanted.wv.vectors.tobytes()
    assert ours.outside_vectors.tobytes() == wanted.outside_vectors.tobytes()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def untimed(history: list[Progress]) -> list[tuple[Any, ...]]:
    return [(r.epoch, r.step, r.words, r.centers, r.pairs, r.loss, r.alpha) for r in history]


@pytest.mark.parametrize("exception", [CrashError, KeyboardInterrupt])
@pytest.mark.parametrize("mode", MODES)
def test_a_run_goes_on_where_it_stood(mode: str, exception: type[BaseException], tmp_path: Path) -> None:
    wanted = model(MODES[mode]).fit(encoded())
    keep: dict[str, Any] = {"checkpoint_dir": tmp_path / "c", "checkpoint_every": 500}
    resume = None
    for after in (8, 7, 3):
        with pytest.raises(exception):
            model(MODES[mode]).fit(encoded(), **keep, resume=resume, on_progress=stopping(after, exception))
        resume = True
    ours = model(MODES[mode]).fit(encoded(), **keep, resume=True)
    assert_same(ours, wanted)
    assert untimed(ours.history) == untimed(wanted.history)
    assert all(a.seconds <= b.seconds for a, b in zip(ours.history, ours.history[1:], strict=False))
    # A run that is at its end stays there.
    assert_same(model(MODES[mode]).fit(encoded(), **keep, resume=True), wanted)


def test_a_run_goes_on_with_other_workers_and_another_engine(tmp_path: Path) -> None:
    keep: dict[str, Any] = {"checkpoint_dir": tmp_path, "checkpoint_every": 500}
    with pytest.raises(CrashError):
        model(MODES["cpu"]).fit(encoded(), **keep, on_progress=stopping(8, CrashError))
    ours = model(MODES["cpu"], workers=3, engine="array").fit(encoded(), **keep, resume=True)
    assert ours.engine_note.startswith("array")
    assert ours.history[-1].words == ours.history[-1].total_words


def test_a_run_goes_on_in_chunks_of_other_sizes_as_often_as_one_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where other numbers of ranks go on, one after the other: chunks begin where the last ones ended."""
    whole = model(MODES["cpu"]).fit(encoded()).history[-1]
    for size in (600, 400, 1000, 200):
        monkeypatch.setattr(trainer, "chunk_size", lambda *_, size=size: size)
        with pytest.raises(KeyboardInterrupt):
            model(MODES["cpu"]).fit(
                encoded(), checkpoint_dir=tmp_path, resume=True, on_progress=stopping(0, KeyboardInterrupt)
            )
    found = Checkpoints(tmp_path).newest()
    assert found is not None
    assert found.position.start == 600 + 400 + 1000 + 200
    ours = model(MODES["cpu"]).fit(encoded(), checkpoint_dir=tmp_path, resume=True).history[-1]
    assert (ours.words, ours.centers, ours.pairs) == (whole.words, whole.centers, whole.pairs)


def test_saved_by_one_library_resumed_by_another(library: Library, tmp_path: Path) -> None:
    """Tables go through the host: a run begun on any library goes on with NumPy."""

    def fitting(backend: Any) -> Fitting:
        return Fitting(encoded(), MODES["array"].replace(epochs=1), backend)

    numpy = NumpyBackend("a test")
    wanted = fitting(numpy)
    wanted.run()
    begun = fitting(library.backend)
    with pytest.raises(KeyboardInterrupt):
        begun.run(Checkpoints(tmp_path), on_progress=stopping(5, KeyboardInterrupt))
    ours = fitting(numpy)
    tables = ours.tables
    ours.run(Checkpoints(tmp_path), resume=True)
    for a, b, begun_with in zip(ours.tables, wanted.tables, tables, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
        assert a is begun_with  # a GPU may have no room for others beside them


@pytest.fixture
def stopped(tmp_path: Path) -> dict[str, Any]:
    """Where and how a run was stopped."""
    keep: dict[str, Any] = {"checkpoint_dir": tmp_path / "kept", "checkpoint_every": 500}
    with pytest.raises(KeyboardInterrupt):
        model(MODES["cpu"]).fit(encoded(), **keep, on_progress=stopping(8, KeyboardInterrupt))
    return keep


def test_other_options_are_refused(stopped: dict[str, Any]) -> None:
    with pytest.raises(
        ConfigError, match=r"alpha was 0\.025 and is 0\.05, window was 5 and is 3; give the same .*--no-resume"
    ):
        model(MODES["cpu"], alpha=0.05, window=3).fit(encoded(), **stopped, resume=True)


def test_another_corpus_is_refused(stopped: dict[str, Any]) -> None:
    other = encoded()
    other.ids = other.ids.copy()
    other.ids[7] ^= 1
    with pytest.raises(CorpusError, match="the corpus changed, its fingerprint was"):
        model(MODES["cpu"]).fit(other, **stopped, resume=True)
    with pytest.raises(CorpusError, match="its words was 3000 and is 3100"):
        model(MODES["cpu"]).fit(encoded(3100), **stopped, resume=True)


def test_an_unfinished_run_is_not_overwritten(stopped: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="holds a checkpoint of a run that is not finished: resume goes on"):
        model(MODES["cpu"]).fit(encoded(), **stopped)
    anew = model(MODES["cpu"], epochs=1).fit(encoded(), **stopped, resume=False)
    assert_same(anew, model(MODES["cpu"], epochs=1).fit(encoded()))
    model(MODES["cpu"], epochs=2).fit(encoded(), **stopped)  # the one before came to its end


def test_a_run_that_was_stopped_between_two_epochs_is_not_finished(stopped: dict[str, Any]) -> None:
    changed(stopped, lambda state: state["position"].update(epoch=1, start=0, begun=[], ended=1))
    with pytest.raises(ConfigError, match="holds a checkpoint of a run that is not finished"):
        model(MODES["cpu"]).fit(encoded(), **stopped)


def test_the_way_back_after_divergence_waits_for_what_is_being_written() -> None:
    class Written(Checkpoints):
        def wait(self) -> None:
            asked.append("wait")

        def newest(self) -> None:
            asked.append("newest")

    asked: list[str] = []
    run, error = Fitting(encoded(), MODES["array"], NumpyBackend("a test")), NumericalError("diverged")
    run._go_back(Written("nowhere"), error)
    assert asked == ["wait", "newest"]
    assert (run.usable, str(error)) == (False, "diverged; no earlier state was kept")


def test_resume_with_nothing_there_begins(tmp_path: Path) -> None:
    notes: list[str] = []
    keep: dict[str, Any] = {"checkpoint_dir": tmp_path / "new", "resume": True, "on_note": notes.append}
    ours = model(MODES["cpu"]).fit(encoded(), **keep)
    assert_same(ours, model(MODES["cpu"]).fit(encoded()))
    assert notes == [f"no checkpoint in {tmp_path / 'new'}: training from the start"]
    model(MODES["cpu"]).fit(encoded(), **keep)
    assert len(notes) == 1  # and not where there is one
    with pytest.raises(ConfigError, match="resume needs checkpoint_dir"):
        model(MODES["cpu"]).fit(encoded(), resume=True)
    with pytest.raises(ConfigError, match="checkpoint_every='rubbish' needs checkpoint_dir"):
        model(MODES["cpu"]).fit(encoded(), checkpoint_every="rubbish")


def test_the_last_two_are_kept_and_leftovers_go(stopped: dict[str, Any]) -> None:
    folder = stopped["checkpoint_dir"]
    before = names(folder)
    assert len(before) == 2
    (folder / ".xw2v-0123456789abcdef.tmp").write_bytes(b"half a checkpo")
    (folder / "notes.txt").write_text("mine")
    model(MODES["cpu"]).fit(encoded(), **stopped, resume=True)
    assert not list(folder.glob(".xw2v*"))
    *after, mine = names(folder)
    assert len(after) == 2
    assert after[1] > before[1]
    remove_checkpoints(folder)
    assert names(folder) == [mine] == ["notes.txt"]


def test_a_damaged_checkpoint_gives_way_to_the_one_before(stopped: dict[str, Any]) -> None:
    newest = max(stopped["checkpoint_dir"].iterdir())
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.warns(RuntimeWarning, match="cut off or damaged; trying the one before it"):
        ours = model(MODES["cpu"]).fit(encoded(), **stopped, resume=True)
    assert_same(ours, model(MODES["cpu"]).fit(encoded()))


def test_only_damaged_checkpoints_are_an_error(stopped: dict[str, Any]) -> None:
    for path in stopped["checkpoint_dir"].iterdir():
        path.write_bytes(b"x")
    with pytest.warns(RuntimeWarning), pytest.raises(FormatError, match="not a safetensors file"):
        model(MODES["cpu"]).fit(encoded(), **stopped, resume=True)


def test_a_full_disk_does_not_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full as soon as there is one checkpoint."""
    really = os.fsync
    stop = stopping(30, CrashError)

    def full(descriptor: int) -> None:
        if names(tmp_path)[-1].startswith("checkpoint"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        really(descriptor)

    def on_progress(record: Progress) -> None:
        time.sleep(0.005)
        stop(record)

    warnings: list[str] = []
    monkeypatch.setattr(os, "fsync", full)
    keep: dict[str, Any] = {"checkpoint_dir": tmp_path, "checkpoint_every": 500, "on_warning": warnings.append}
    with pytest.raises(CrashError):
        model(MODES["cpu"]).fit(encoded(), **keep, on_progress=on_progress)
    failed = [line for line in warnings if "come later than asked for" not in line]  # which a slow machine may add
    assert len(failed) > 1
    assert all("No space left on device" in line for line in failed)
    assert failed[0].endswith("training goes on, the last one stays")
    assert names(tmp_path) == ["checkpoint-000001.safetensors"]
    monkeypatch.undo()
    monkeypatch.setattr(batches, "SEGMENT", 200)
    assert_same(model(MODES["cpu"]).fit(encoded(), **keep, resume=True), model(MODES["cpu"]).fit(encoded()))


def test_two_runs_in_one_folder(tmp_path: Path) -> None:
    with locked(tmp_path / ".lock", "a test"), pytest.raises(FileAccessError, match="another process is working on"):
        model(MODES["cpu"]).fit(encoded(), checkpoint_dir=tmp_path)
    model(MODES["cpu"]).fit(encoded(), checkpoint_dir=tmp_path)


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    code = f"from xw2v.files import locked; from pathlib import Path; import time\n" \
           f"with locked(Path({str(tmp_path / 'l')!r}), 'x'): print('held', flush=True); time.sleep(60)"  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(FileAccessError, match="another process is working on mine"), locked(tmp_path / "l", "mine"):
            pass
        process.kill()
        process.wait()
    assert (tmp_path / "l").exists()
    with locked(tmp_path / "l", "mine"):
        pass
    assert not (tmp_path / "l").exists()


@pytest.mark.parametrize(("every", "some"), [("0.1s", True), ("1h", False)])
def test_by_time(every: str, some: bool, tmp_path: Path) -> None:
    seen: set[str] = set()

    def slow(record: Progress) -> None:
        time.sleep(0.02)
        seen.update(name for name in names(tmp_path) if name.startswith("checkpoint"))

    model(MODES["cpu"]).fit(encoded(), checkpoint_dir=tmp_path, checkpoint_every=every, on_progress=slow)
    assert len(seen) > 2 if some else not seen
    assert len([name for name in names(tmp_path) if name.startswith("checkpoint")]) == (2 if some else 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start", 7), ("size", 0), ("steps", -1), ("pairs", 1.5), ("pairs", 2**63), ("epoch", True), ("begun", [[1]]),
        ("begun", [[0, 7, 0]]), ("seconds", "now"), ("seconds", -1.0), ("seconds", math.inf), ("seconds", math.nan),
    ],
)  # fmt: skip
def test_positions_that_no_run_can_have(name: str, value: Any, stopped: dict[str, Any]) -> None:
    def damage(state: dict[str, Any]) -> None:
        state["position"][name] = value

    with pytest.raises(FormatError, match="damaged checkpoint"):
        read_checkpoint(changed(stopped, damage))


@pytest.mark.parametrize("name", ["center_vectors", "outside_vectors", "best_center_vectors", "best_outside_vectors"])
@pytest.mark.parametrize("kind", ["shape", "type", "NaN"])
def test_tables_that_do_not_go_together(name: str, kind: str, stopped: dict[str, Any]) -> None:
    path: Path = max(stopped["checkpoint_dir"].iterdir())
    arrays, metadata = read_tensors(path, mmap=False, kinds=("F32", "F64"))
    arrays |= {f"best_{table}": arrays[table].copy() for table in ("center_vectors", "outside_vectors")}
    state = json.loads(metadata["xw2v"])
    state["epochs"] = [dataclasses.asdict(EpochEnd(0, 2, 3000, 1.0, 2.0, 2.0, True))]
    for damaged in (False, True):
        if damaged and kind == "NaN":
            arrays[name][1, 2] = np.nan
        elif damaged:
            arrays[name] = arrays[name][:3] if kind == "shape" else arrays[name].astype(np.float64)
        with path.open("wb") as file:
            write_tensors(file, arrays, {"xw2v": json.dumps(state)})
        with pytest.raises(FormatError, match="its tables do not go together") if damaged else nullcontext():
            assert read_checkpoint(path).best is not None


@pytest.mark.parametrize("name", ["config", "corpus"])
def test_a_run_that_does_not_say_what_it_is_of(name: str, stopped: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match="is a damaged checkpoint"):
        read_checkpoint(changed(stopped, lambda state: state["run"].update({name: 5})))


def test_a_checkpoint_of_another_version_is_not_called_damaged(stopped: dict[str, Any]) -> None:
    wanted = r"no checkpoint of this version of xw2v \(wanted 'xw2v checkpoint 2', got 'xw2v checkpoint 1'\)$"
    with pytest.raises(FormatError, match=wanted) as caught:
        read_checkpoint(changed(stopped, lambda state: state.update(format="xw2v checkpoint 1")))
    assert "damaged" not in str(caught.value)


def changed(stopped: dict[str, Any], damage: Callable[[dict[str, Any]], None]) -> Path:
    """The checkpoint, of which `damage` changed what is not in tables."""
    path: Path = max(stopped["checkpoint_dir"].iterdir())
    arrays, metadata = read_tensors(path, mmap=False, kinds=("F32", "F64"))
    state = json.loads(metadata["xw2v"])
    damage(state)
    with path.open("wb") as file:
        write_tensors(file, arrays, {"xw2v": json.dumps(state)})
    return path


@pytest.mark.parametrize("position", [5, None, "x", []])
def test_a_position_that_is_none(position: Any, stopped: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match="damaged checkpoint"):
        read_checkpoint(changed(stopped, lambda state: state.update(position=position)))


@pytest.mark.parametrize("config", [{}, {"epochs": None}, {"epochs": "x"}, {"epochs": 3, "steps": []}])
def test_a_run_of_unknown_length_is_not_overwritten(config: dict[str, Any], stopped: dict[str, Any]) -> None:
    changed(stopped, lambda state: state["run"].update(config=config))
    with pytest.raises(ConfigError, match="of a run that is not finished"):
        model(MODES["cpu"]).fit(encoded(), **stopped)


SCRIPT = """
import sys, xw2v.training.trainer as t
from pathlib import Path
from xw2v.cli import main
seen = t.Training._finished
def finished(self):
    Path("training").touch()
    return seen(self)
t.Training._finished = finished
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 143)])
def test_signals_end_a_run_in_good_order(
    name: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "SEGMENT", 8192)  # as the command has it
    (tmp_path / "c.txt").write_text("a b c d e f g h\n" * 2000)
    command = [sys.executable, "-c", SCRIPT, "train", "c.txt", "-o", "m", "--min-count", "1", "--workers", "1",
               "--vector-size", "8", "--sample", "0", "--checkpoint-every", "1h", "--epochs"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*command, "1000000"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    ) as process:  # fmt: skip
        try:
            deadline = time.monotonic() + 60
            while not (tmp_path / "training").exists():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            process.send_signal(signal.Signals[name])
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == status
    assert "the same command with --resume goes on" in err
    assert len(Word2Vec.load(tmp_path / "m").wv) == 8
    (kept,) = (tmp_path / "m.checkpoints").iterdir()
    history = read_checkpoint(kept).history
    assert history == Word2Vec.load(tmp_path / "m").history
    assert not list(tmp_path.glob(".*"))


def test_a_callback_that_changes_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    (other / "run").mkdir(parents=True)
    of_another_run = other / "run" / "checkpoint-000009.safetensors"
    of_another_run.touch()
    monkeypatch.chdir(tmp_path)
    model(MODES["cpu"]).fit(encoded(), checkpoint_dir="run", callbacks=[lambda *_: os.chdir(other)])
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["checkpoint-000001.safetensors"]
    assert list((other / "run").iterdir()) == [of_another_run]


def test_signals_in_another_thread_are_left_alone(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            model(MODES["cpu"]).fit(encoded(), checkpoint_dir=tmp_path)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == []
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes that are forked")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 7)])
def test_a_process_forked_meanwhile_ends_at_once(number: signal.Signals, status: int) -> None:
    came: list[None] = []
    listens, tells = os.pipe()
    with stopped_by_signals(lambda: came.append(None)):
        child = os.fork()
        if child == 0:
            try:
                os.write(tells, b"!")  # a signal that comes before a new process has come so far is lost
                time.sleep(5)
            except KeyboardInterrupt:
                os._exit(7)
            finally:
                os._exit(0)
        os.read(listens, 1)
        os.kill(child, number)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == status
    os.close(listens)
    os.close(tells)
    assert not came


def test_the_file_is_plain_safetensors(stopped: dict[str, Any]) -> None:
    from safetensors import safe_open

    with safe_open(max(stopped["checkpoint_dir"].iterdir()), "np") as file:
        assert set(file.keys()) == {"center_vectors", "outside_vectors", "history"}
        state = json.loads(file.metadata()["xw2v"])
        assert state["run"]["config"]["vector_size"] == file.get_tensor("center_vectors").shape[1]


class Slow:
    """An engine whose chunks take until they are let go."""

    name = "slow"
    chunk_segments = None

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.begun, self.go = threading.Event(), threading.Event()

    def compile(self) -> None: ...

    def train_chunk(self, *arguments: Any, **settings: Any) -> Any:
        result = self.engine.train_chunk(*arguments, **settings)
        self.begun.set()
        self.go.wait(30)
        return result


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_second_signal_while_a_run_is_being_stopped_keeps_no_wrong_position(tmp_path: Path) -> None:
    """Where the run stands is not known then: a checkpoint of that moment would train everything again."""

    def fitting() -> Fitting:
        from xw2v.backend import NumpyBackend

        return Fitting(encoded(), MODES["array"], NumpyBackend("a test"))

    run = fitting()
    with pytest.raises(KeyboardInterrupt):
        run.run(Checkpoints(tmp_path), on_progress=stopping(8, KeyboardInterrupt))
    kept = Checkpoints(tmp_path).newest()
    assert kept is not None
    again = fitting()
    slow = again.engine = Slow(again.engine)

    def twice() -> None:
        slow.begun.wait(10)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.3)  # for the main thread, which takes them one by one
        slow.go.set()  # only now, so that both come while the chunk is under way

    threading.Thread(target=twice).start()
    with pytest.raises(KeyboardInterrupt):
        again.run(Checkpoints(tmp_path), resume=True)
    newest = Checkpoints(tmp_path).newest()
    assert newest is not None
    assert (newest.path, newest.position) == (kept.path, kept.position)
    for found, wanted in zip(newest.tables, kept.tables, strict=True):  # of that position, and not trained any further
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("there", [16, 64])
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_steps_of_another_size_are_no_reason_to_leave_words_out(
    there: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU's steps are larger by default: the chunk that a CPU was in the midst of is trained as a whole."""
    monkeypatch.setattr(trainer, "_GRACE", 0.0)
    monkeypatch.setattr(array, "default_batch_size", lambda *_: 16)
    options: dict[str, Any] = {
        "vector_size": 6, "epochs": 1, "workers": 1, "sample": 0, "loss": "softmax", "backend": "numpy"
    }  # fmt: skip
    whole = Word2Vec(**options).fit(encoded()).history[-1]
    take_step, steps = ArrayEngine._softmax_step, iter(range(100))

    def interrupted(*arguments: Any) -> None:
        if next(steps) == 30:  # the fifth of the third chunk's thirteen
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.5)
        take_step(*arguments)

    monkeypatch.setattr(ArrayEngine, "_softmax_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Word2Vec(**options).fit(encoded(), checkpoint_dir=tmp_path)
    monkeypatch.setattr(ArrayEngine, "_softmax_step", take_step)
    monkeypatch.setattr(array, "default_batch_size", lambda *_: there)
    ours = Word2Vec(**options).fit(encoded(), checkpoint_dir=tmp_path, resume=True).history[-1]
    assert ours.centers == whole.centers + (0 if there == 16 else 5 * 16)


def test_tables_that_do_not_fit_the_run_are_refused(stopped: dict[str, Any]) -> None:
    for path in stopped["checkpoint_dir"].iterdir():
        arrays, metadata = read_tensors(path, mmap=False, kinds=("F32", "F64"))
        arrays |= {name: arrays[name][:3].copy() for name in ("center_vectors", "outside_vectors")}
        with path.open("wb") as file:
            write_tensors(file, arrays, metadata)
    with pytest.raises(FormatError, match=r"damaged checkpoint: its tables are \(3, 6\), and those of the run"):
        model(MODES["cpu"]).fit(encoded(), **stopped, resume=True)


@pytest.mark.parametrize("place", [{"start": 3000}, {"begun": [[0, 3200, 0]]}])
def test_a_place_past_the_corpus_is_refused(place: dict[str, Any], stopped: dict[str, Any]) -> None:
    for path in stopped["checkpoint_dir"].iterdir():
        arrays, metadata = read_tensors(path, mmap=False, kinds=("F32", "F64"))
        state = json.loads(metadata["xw2v"])
        state["position"] |= place
        with path.open("wb") as file:
            write_tensors(file, arrays, {"xw2v": json.dumps(state)})
    with pytest.raises(FormatError, match="damaged checkpoint: a place past the corpus of 3000 words"):
        model(MODES["cpu"]).fit(encoded(), **stopped, resume=True)


def test_whatever_keeps_a_checkpoint_from_being_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by a traceback of the thread that writes."""

    def fail(*arguments: Any) -> None:
        raise MemoryError

    warnings: list[str] = []
    monkeypatch.setattr("xw2v.training.checkpoint_file.write_tensors", fail)
    model(MODES["cpu"]).fit(encoded(), checkpoint_dir=tmp_path, on_warning=warnings.append)
    assert warnings == ["no checkpoint this time: MemoryError; training goes on, the last one stays"]


def test_without_room_for_a_copy_there_is_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables themselves, which go on changing, are not what is written."""
    real = np.empty
    warnings: list[str] = []

    def empty(shape: Any, *arguments: Any, **settings: Any) -> Any:
        if threading.current_thread().name == "xw2v checkpoint":
            raise MemoryError
        return real(shape, *arguments, **settings)

    monkeypatch.setattr(np, "empty", empty)
    keep: dict[str, Any] = {"checkpoint_dir": tmp_path, "checkpoint_every": 500, "on_warning": warnings.append}
    ours = model(MODES["array"]).fit(encoded(), **keep)
    assert_same(ours, model(MODES["array"]).fit(encoded()))
    assert not [name for name in names(tmp_path) if name.startswith("checkpoint")]
    assert [line for line in warnings if "no memory for a copy of the tables" in line]


def test_where_there_is_something_to_go_on_from(stopped: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "checkpoint-1.txt").touch()
    assert holds_checkpoints(stopped["checkpoint_dir"])
    assert not any(holds_checkpoints(tmp_path / name) for name in ("file", "other", "none"))


def test_ctrl_c_while_the_last_checkpoint_is_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is awaited all the same: nobody else may write there yet, and it looks at the text, which is let go of."""
    text = [["a", "b", "c"], ["b", "c", "d"]] * 50
    options: dict[str, Any] = {"vector_size": 4, "min_count": 1, "sample": 0, "workers": 1, "backend": "numpy"}

    def interrupted(*arguments: Any) -> None:
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        write_state(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("xw2v.training.checkpoint.write_state", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Word2Vec(**options).fit(text, checkpoint_dir=tmp_path)
    assert names(tmp_path) == ["checkpoint-000001.safetensors"]
    again = Word2Vec(**options).fit(text, checkpoint_dir=tmp_path, resume=True)
    assert_same(again, Word2Vec(**options).fit(text))


def test_ctrl_c_before_the_thread_that_writes_has_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is Ctrl-C that comes out, not that a thread cannot be waited for."""
    start = threading.Thread.start

    def interrupted(self: threading.Thread) -> None:
        if self.name == "xw2v checkpoint":
            raise KeyboardInterrupt
        start(self)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model(MODES["cpu"]).fit(encoded(), checkpoint_dir=tmp_path)
    assert_same(
        model(MODES["cpu"]).fit(encoded(), checkpoint_dir=tmp_path, resume=True), model(MODES["cpu"]).fit(encoded())
    )


def test_ctrl_c_just_after_the_thread_that_writes_has_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is awaited as any other."""
    start, begun, started = threading.Thread.start, threading.Event(), list[str]()

    def slow(*arguments: Any) -> None:
        begun.set()
        time.sleep(0.2)
        write_state(*arguments)

    def interrupted(self: threading.Thread) -> None:
        start(self)
        started.append(self.name)
        if started.count("xw2v checkpoint") == 2:  # the first one makes room
            assert begun.wait(60)
            raise KeyboardInterrupt

    monkeypatch.setattr("xw2v.training.checkpoint.write_state", slow)
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model(MODES["cpu"]).fit(encoded(), checkpoint_dir=tmp_path)
    assert [name for name in names(tmp_path) if name.startswith("checkpoint-")]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_interrupt_of_a_callback_leaves_no_record_out(workers: int, tmp_path: Path) -> None:
    """As where another handler of signals than Python's raises it: chunks under way end, and are counted."""

    def interrupt(record: Progress) -> None:
        raise KeyboardInterrupt

    model = Word2Vec(vector_size=4, min_count=1, sample=0, epochs=1, workers=workers, backend="numpy")
    with pytest.raises(KeyboardInterrupt):
        model.fit([["a", "b", "c", "d"]] * 500, checkpoint_dir=tmp_path / "c", on_progress=interrupt)
    found = Checkpoints(tmp_path / "c").newest()
    assert found is not None
    assert model.history[-1].centers == found.history[-1].centers == found.position.centers
