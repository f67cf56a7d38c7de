"""Many processes: what each trains, how tables come together, how all end when one does."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from xw2v import Word2Vec
from xw2v.backend import NumpyBackend
from xw2v.config import Config
from xw2v.errors import BackendError
from xw2v.training import batches
from xw2v.training.distributed import averaging
from xw2v.training.distributed.averaging import Averager, row_limits
from xw2v.training.distributed.ranks import _STARTED, _refuse_singletons
from xw2v.training.distributed.shared_walk import SharedWalk, chunks_a_round, shared_rounds, words_a_round
from xw2v.training.engines import ChunkResult, Tables
from xw2v.training.engines.cuda import CudaEngine
from xw2v.training.walk import Place, Position, Walk, chunk_size

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 120  # seconds: a run that takes longer hangs
OPTIONS: dict[str, Any] = {
    "vector_size": 8,
    "min_count": 1,
    "epochs": 3,
    "backend": "numpy",
    "sample": 0.1,
    "workers": 1,
}


def launcher() -> str | None:
    """mpiexec: beside this Python, where pip puts it, or the machine's."""
    beside = Path(sys.executable).with_name("mpiexec")
    return str(beside) if beside.exists() else shutil.which("mpiexec")


def missing() -> str | None:
    if importlib.util.find_spec("mpi4py") is None:
        return "mpi4py is not installed"
    return "there is no mpiexec" if launcher() is None else None


needs_mpi = pytest.mark.skipif(missing() is not None, reason=f"distributed: {missing()}")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Sentences of 20 words about two things in turn: w1 to w30, and w31 to w60. Many short segments."""
    rng = np.random.default_rng(0)
    words = np.minimum(rng.geometric(0.05, 30_000), 30).reshape(-1, 20)
    words[1::2] += 30
    path = tmp_path / "text.txt"
    path.write_text("\n".join(" ".join(f"w{word}" for word in line) for line in words))
    return path


# Every script begins so: short segments, that a small text has many chunks.
HEAD = f"""
import json, os, signal, sys, zlib
from pathlib import Path
import numpy as np
from mpi4py import MPI
from xw2v import Word2Vec
from xw2v.training import batches
batches.SEGMENT = 200
comm = MPI.COMM_WORLD
rank, size = comm.rank, comm.size
OPTIONS = json.loads({json.dumps(json.dumps(OPTIONS))})
folder = Path(sys.argv[1])

def say(value):
    print(json.dumps(value)) if rank == 0 else None

def fit(how={{}}, **options):
    return Word2Vec(**(OPTIONS | options)).fit(folder / "text.txt", distributed=True, **how)

def facts(model):
    last = model.history[-1]
    tables = [model.wv.vectors, model.outside_vectors]
    sums = [zlib.crc32(np.ascontiguousarray(table).tobytes()) for table in tables]
    alike = len(set(map(tuple, comm.allgather(sums)))) == 1
    counted = {{"words": last.words, "centers": last.centers, "pairs": last.pairs}}
    return {{"alike": alike, "tables": sums, "rounds": len(model.history), **counted}}
"""


def mpiexec(n: int, command: list[str]) -> subprocess.Popen[str]:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    }
    start = [str(launcher()), "-n", str(n), sys.executable, *command]
    return subprocess.Popen(start, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"a distributed run hangs: {process.communicate()}")
    return process.returncode, out, err


def run(n: int, script: str, folder: Path) -> tuple[int, str, str]:
    path = folder / "script.py"
    path.write_text(HEAD + script)
    return ended(mpiexec(n, [str(path), str(folder)]))


def told(n: int, script: str, folder: Path) -> Any:
    """What rank 0 printed last, as JSON, of a run that ended well."""
    status, out, err = run(n, script, folder)
    assert status == 0, err
    lines = [line for line in out.splitlines() if not line.startswith("\x1b")]  # some launchers end with a colour's end
    return json.loads(lines[-1])


# Who trains what -----------------------------------------------------------------------------------------


def dealt(n: int, config: Config, position: Position, ranks: int, chunks: int) -> list[list[list[Place]]]:
    """The places of each rank in each round."""
    walks = [SharedWalk(n, config, position, rank, ranks, chunks) for rank in range(ranks)]
    rounds = []
    while [walk.next_round() for walk in walks] == [True] * ranks:
        rounds.append([list(walk) for walk in walks])
        for walk in walks:
            walk.end_round(np.zeros(4))
        assert len({walk.position([], 0.0) for walk in walks}) == 1
        assert {walk.over for walk in walks} == {walks[0].position([], 0.0).epoch == config.epochs}
    return rounds


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
@pytest.mark.parametrize("chunks", [1, 4])
def test_every_chunk_is_dealt_out_once_and_in_order(ranks: int, chunks: int) -> None:
    config, position = Config(epochs=2), Position(100, epoch=0, start=300, begun=(Place(0, 100, 3),))
    wanted = list(Walk(1950, config, position))
    rounds = dealt(1950, config, position, ranks, chunks)
    assert all(len(mine) == chunks for shares in rounds[:-1] for mine in shares)
    found = [place for shares in rounds for place in shares[0]] if ranks == 1 else None
    assert found in (None, wanted)
    assert sorted(place for shares in rounds for mine in shares for place in mine) == sorted(wanted)


def test_a_round_counts_what_all_ranks_trained() -> None:
    walk = SharedWalk(1000, Config(epochs=1), Position(100), 1, 2, 2)
    assert walk.next_round()
    for _ in walk:
        walk.add(ChunkResult(2.0, 7, 3, 1))
    assert walk.sums.tolist() == [4.0, 14, 6, 2]
    assert walk.end_round(walk.sums * 2) == ChunkResult(8.0, 28, 12, 4)
    position = walk.position([], 1.0)
    assert (position.start, position.steps, position.centers, position.pairs) == (400, 4, 12, 28)


def test_ends_of_epochs_are_behind_a_round_whatever_it_spans() -> None:
    """A run of one process that goes on from there must not look at them again."""
    config = Config(epochs=9)
    walk = SharedWalk(150, config, Position(100), 3, 4, 1)  # two chunks an epoch, dealt to four ranks
    assert walk.next_round()
    list(walk)
    walk.end_round(np.zeros(4))
    position = walk.position([], 1.0)
    assert (position.epoch, position.ended) == (2, 2)


SHORT = 10**7  # words of a run


def test_words_a_round() -> None:
    found = [words_a_round(Config(), ranks, SHORT) for ranks in (2, 3, 4, 6, 8, 999)]
    assert found == [262_144, 51_781, 16_384, 8192, 8192, 8192]
    assert words_a_round(Config(sync_every=100_000), 8, SHORT) == 100_000
    # Ctrl-C waits for the end of a round, so one that is a lot of work is shorter.
    assert words_a_round(Config(vector_size=1000, window=10), 2, SHORT) == 29 * 8192
    assert words_a_round(Config(loss="softmax"), 2, SHORT) == 8192
    assert words_a_round(Config(vector_size=1000, negatives="pair", window=20, negative=10), 2, SHORT) == 2 * 8192


@pytest.mark.parametrize(("ranks", "meetings"), [(2, 320), (3, 1080), (4, 2560), (8, 2560), (64, 2560)])
def test_a_long_run_has_so_many_meetings(ranks: int, meetings: int) -> None:
    words = 10**11
    assert words_a_round(Config(), ranks, words, 10**11) == words // (ranks * meetings)
    # A CPU's rounds last for a second or so, and a device's have a chunk at most.
    assert words_a_round(Config(), ranks, 10 * words) == 329 * 8192
    assert words_a_round(Config(), ranks, 10 * words, 4_194_304) == 4_194_304


def test_a_gpu_meets_no_less_often_than_scores_allow() -> None:
    """Rounds of whole chunks cost four ranks .08 of the analogies of 17 M words (bench/README.md)."""
    engine = CudaEngine.__new__(CudaEngine)  # asked for the sizes of its chunks alone
    alone = chunk_size(17_000_000, Config(), engine)
    assert alone > 2_000_000
    sizes = {ranks: shared_rounds(17_000_000, Config(), engine, ranks, 1) for ranks in (2, 4, 8)}
    assert sizes == {2: (262_144, 262_144), 4: (16_384, 16_384), 8: (8192, 8192)}
    assert shared_rounds(10**11, Config(epochs=1), engine, 8, 1) == (512 * 8192, 10**11 // 8 // 2560)
    assert shared_rounds(10**12, Config(epochs=1), engine, 2, 1) == (512 * 8192, 32 * 512 * 8192)
    assert shared_rounds(17_000_000, Config(sync_every=10**7), engine, 8, 1) == (alone, 10**7)


def test_chunks_a_round() -> None:
    assert chunks_a_round(10**9, 65_536, 2**18, ranks=4, workers=1) == 4
    assert chunks_a_round(10**9, 65_536, 2**18, ranks=4, workers=3) == 6  # all three have two
    assert chunks_a_round(10**6, 8192, 2**18, ranks=4, workers=1) == 3  # so that a small corpus has its meetings
    assert chunks_a_round(100, 8192, 2**18, ranks=4, workers=1) == 1
    # As near as chunks come to what is wanted, which is not always a whole number of them.
    assert chunks_a_round(10**9, 57_344, 65_216, ranks=4, workers=1) == 1
    assert chunks_a_round(10**9, 8192, 100, ranks=4, workers=1) == 1


# Ranks ---------------------------------------------------------------------------------------------------


@needs_mpi
def test_what_ranks_tell_each_other(tmp_path: Path) -> None:
    script = """
from xw2v.errors import ConfigError, RankError
from xw2v.training.distributed.ranks import join
ranks = join(comm)
assert (ranks.rank, ranks.size, ranks.local_rank, ranks.local_size, ranks.leader) == (rank, 3, rank, 3, 0)
a = np.arange(5, dtype=np.float32) + rank
ranks.sum(a)
assert a.tolist() == [3, 6, 9, 12, 15]
first, second = np.full(9, rank, np.float32), np.full(50_000, 2.0 * rank)  # two that travel at once
arrived = [ranks.begin_sum(first), ranks.begin_sum(second)]
for wait in arrived:
    wait()
assert (first == 3).all() and (second == 6).all()
b = np.array([rank == 1, rank == 2, False], dtype=np.uint8)
ranks.maximum(b)
assert b.tolist() == [1, 1, 0]
c = np.full((3, 2), rank, np.float32)
ranks.broadcast(c)
assert not c.any()
d = ranks.concatenate(np.full((rank, 2), rank, np.float32))
assert d.tolist() == [[1, 1], [2, 2], [2, 2]]
assert ranks.texts("é" * rank) == ["", "é", "éé"]
assert ranks.texts(os.fsdecode(b"\\xff")) == [os.fsdecode(b"\\xff")] * 3
order = []
assert ranks.in_turn(lambda: rank) == rank
ranks.agree(None)
assert not ranks.settled
def fail(kind):
    if rank == 1:
        raise kind("it broke")
errors = []
for kind in (ConfigError, ZeroDivisionError):
    try:
        ranks.together(lambda: fail(kind))
    except (ConfigError, RankError, ZeroDivisionError) as error:
        errors.append(f"{type(error).__name__}: {error}")
assert ranks.settled
everybody = comm.gather(errors)
if rank == 0:
    print(json.dumps(everybody))
"""
    others = ["ConfigError: rank 1 of 3: it broke", "RankError: rank 1 of 3: ZeroDivisionError: it broke"]
    assert told(3, script, tmp_path) == [others, ["ConfigError: it broke", "ZeroDivisionError: it broke"], others]


def test_what_cannot_be_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(BackendError, match=r"needs mpi4py and an MPI library .*: pip install 'xw2v\[mpi\]'"):
        Word2Vec(**OPTIONS).fit([["a", "b"]] * 9, distributed=True)

    class WithoutLibrary(ModuleType):
        def __getattr__(self, name: str) -> Any:
            msg = "cannot load MPI library\nlibmpi.so: cannot open"
            raise RuntimeError(msg)

    monkeypatch.setitem(sys.modules, "mpi4py", WithoutLibrary("mpi4py"))
    with pytest.raises(BackendError, match=r"an MPI library \(cannot load MPI library\): pip install"):
        Word2Vec(**OPTIONS).fit([["a", "b"]] * 9, distributed=True)


@needs_mpi
@pytest.mark.parametrize("name", ["SLURM_STEP_NUM_TASKS", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE"])
def test_processes_that_do_not_know_of_each_other(name: str, tmp_path: Path) -> None:
    """As with srun --mpi=none, or another MPI library's mpiexec."""
    script = f"""
from mpi4py import MPI
import os
from xw2v.errors import BackendError
os.environ["{name}"] = "1"
Word2Vec(**OPTIONS).fit([["a", "b"]] * 9, distributed=True)
os.environ["{name}"] = "3"
Word2Vec(**OPTIONS).fit([["a", "b"]] * 9, distributed=MPI.COMM_WORLD)
try:
    Word2Vec(**OPTIONS).fit([["a", "b"]] * 9, distributed=True)
except BackendError as error:
    print(json.dumps(str(error)))
"""
    message = told(1, script, tmp_path)
    assert message.startswith(f"3 processes were started ({name}), and MPI knows of one: each would train alone; ")


@pytest.mark.parametrize("number", ["", "1", "many", "³"])
def test_what_launchers_say_that_is_no_number_of_processes(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _STARTED:
        monkeypatch.setenv(name, number)
    _refuse_singletons()
    monkeypatch.setenv(_STARTED[-1], "2")
    with pytest.raises(BackendError, match="2 processes were started"):
        _refuse_singletons()


@needs_mpi
def test_what_is_no_communicator(tmp_path: Path) -> None:
    script = """
from xw2v.distributed import join
from xw2v.errors import ConfigError
def refused(distributed):
    try:
        Word2Vec(**OPTIONS).fit([["a", "b"]] * 9, distributed=distributed)
    except ConfigError as error:
        return str(error)
ranks = join(comm)
assert join(ranks) is ranks
print(json.dumps([refused(4), refused(MPI.COMM_NULL)]))
"""
    messages = told(1, script, tmp_path)
    assert messages[0] == "distributed must be True, False or an mpi4py communicator, got 4"
    assert messages[1].startswith("distributed must be True, False or an mpi4py communicator, got <mpi4py.MPI.Comm")


# Bringing tables together --------------------------------------------------------------------------------


class Others:
    """Ranks that all made the same change as this one, or none, or such that all are at right angles."""

    def __init__(self, alike: int, across: bool = False) -> None:
        self.alike, self.across = alike, across
        self.sent: list[int] = []
        self.under_way = 0

    def sum(self, array: np.ndarray) -> None:
        self.begin_sum(array)()

    def begin_sum(self, array: np.ndarray) -> Callable[[], None]:
        self.sent.append(len(array))
        self.under_way += 1
        assert self.under_way <= 2  # each takes memory
        sent = array.copy()
        array[:] = np.nan  # not to be used until it has come

        def arrive() -> None:
            self.under_way -= 1
            array[:] = sent
            self._add_up(array)

        return arrive

    def _add_up(self, array: np.ndarray) -> None:
        if self.across:  # changes of the columns after this rank's
            array[:, :-1] = sum(np.roll(array[:, :-1], shift, axis=1) for shift in range(self.alike))
            array[:, -1] *= self.alike
        else:
            array *= self.alike

    def maximum(self, array: np.ndarray) -> None: ...

    def broadcast(self, array: np.ndarray) -> None: ...


def averager(tables: Tables, expected: list[float], others: Others, size: int = 4) -> Averager:
    return Averager(tables, others, size, NumpyBackend("a test"), np.array(expected))


def some_tables() -> Tables:
    return Tables(np.ones((4, 3), np.float32), np.zeros((4, 3), np.float32))


def test_short_steps_add_up_and_long_ones_that_are_alike_are_averaged() -> None:
    others = Others(alike=3)
    tables = some_tables()
    meeting = averager(tables, [9.0] * 4, others)
    tables.outside_vectors[:, 0] = [0.1, 0.5, 7.0, 0.0]
    meeting.meet()
    np.testing.assert_allclose(tables.outside_vectors[:, 0], [0.3, 1.0, 7.0, 0.0], rtol=1e-6)
    assert not tables.outside_vectors[:, 1:].any()
    assert (tables.center_vectors == 1).all()
    assert sum(others.sent) == 8  # all rows of both tables, for each is expected to have changed
    assert meeting.bytes == 8 * (3 + 1) * 4  # float32, with the square of the step
    meeting.meet(everything=True)  # nothing changed since
    assert sum(others.sent) == 8
    assert meeting.bytes == 8 * (3 + 1) * 4 + 2 * 4  # a byte a row, whether it changed
    tables.center_vectors[2] += 1
    meeting.meet(everything=True)
    assert sum(others.sent) == 9  # the row that changed and no other
    np.testing.assert_allclose(tables.center_vectors[2], 2.0, rtol=1e-6)  # longer than B, and alike
    np.testing.assert_allclose(tables.outside_vectors[:, 0], [0.3, 1.0, 7.0, 0.0], rtol=1e-6)


def test_of_many_ranks_a_common_step_is_shorter() -> None:
    tables, others = some_tables(), Others(alike=8)
    meeting = averager(tables, [9.0, 4.0, 3.9, 3.9], others, size=8)
    tables.outside_vectors[0, 0] = 0.25
    meeting.meet()
    assert others.sent == [2, 2]  # rows of a word that is expected half as often as with four ranks
    assert tables.outside_vectors[0, 0] == pytest.approx(0.5)


def test_tables_of_several_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(averaging, "_PACKET", 12)
    tables, others = Tables(np.zeros((7, 3), np.float32), np.ones((7, 3), np.float32)), Others(alike=2)
    meeting = averager(tables, [9.0] * 7, others)
    for table in tables:
        table[:, 0] += np.arange(7, dtype=np.float32) / 16
    meeting.meet()
    assert others.sent == [3, 3, 1, 3, 3, 1]
    for table, before in zip(tables, (0, 1), strict=True):
        np.testing.assert_allclose(table[:, 0], before + np.arange(7) / 8, rtol=1e-6)
        assert (table[:, 1:] == before).all()


def test_steps_of_different_directions_add_up_however_long() -> None:
    tables = some_tables()
    meeting = averager(tables, [9.0] * 4, Others(alike=2, across=True))
    tables.center_vectors[2, 0] += 5
    meeting.meet()
    np.testing.assert_allclose(tables.center_vectors[2], [6, 6, 1], rtol=1e-6)
    assert (tables.center_vectors[[0, 1, 3]] == 1).all()


def test_a_row_waits_for_its_turn() -> None:
    others = Others(alike=1)
    tables = some_tables()
    meeting = averager(tables, [16, 4, 2, 0.4], others)  # every meeting, every 2nd, 4th, 32nd
    included = []
    for _ in range(32):
        tables.center_vectors[:] += 1
        before = sum(others.sent)
        meeting.meet()
        included.append(sum(others.sent) - before)
    assert included == [2 * rows for rows in [1, 2, 1, 3, 1, 2, 1, 3] * 3 + [1, 2, 1, 3, 1, 2, 1, 4]]
    assert meeting.meetings == 32
    assert (tables.center_vectors == 33).all()  # the only rank that moves loses no step


def test_row_limits() -> None:
    assert row_limits(np.array([100.0, 8.0, 7.9, 2.0]), 4) == [2, 3, 4]
    assert (
        row_limits(np.array([100.0, 4.0, 3.9, 1.0]), 8) == row_limits(np.array([100.0, 4.0, 3.9, 1.0]), 99) == [2, 3, 4]
    )
    assert row_limits(np.array([100.0, 8.0, 7.9, 2.0]), 2) == [2, 3, 4]
    assert row_limits(np.array([4.0, 2.0]), 4) == [0, 1, 2]  # nothing at every meeting
    assert row_limits(np.array([0.5, 100.0]), 4) == [2]  # out of order: more is sent, nothing is left out
    assert row_limits(np.array([100.0, 0.0]), 4)[0] == 1
    assert row_limits(np.array([100.0, 0.0]), 4)[-1] == 2


# Whole runs ----------------------------------------------------------------------------------------------


@needs_mpi
def test_what_is_trained_does_not_depend_on_the_number_of_ranks(text: Path) -> None:
    found = [told(n, "say(facts(fit()))", text.parent) for n in (1, 2, 3)]
    alone = Word2Vec(**OPTIONS).fit(text).history[-1]
    for facts in found:
        assert facts["alike"]
        assert facts["words"] == found[0]["words"] == alone.words
        assert (facts["centers"], facts["pairs"]) == (found[0]["centers"], found[0]["pairs"])
        assert facts["rounds"] >= 24  # eight an epoch


@needs_mpi
def test_as_many_ranks_of_one_worker_give_the_same_vectors(text: Path) -> None:
    """README's determinism contract."""
    first, again, fewer = (told(n, "say(facts(fit(workers=1)))", text.parent)["tables"] for n in (3, 3, 2))
    assert first == again
    assert first != fewer


@needs_mpi
def test_ranks_learn_together(text: Path) -> None:
    """Words of the same thing are near each other, of other things they are not."""
    script = """
model = fit(epochs=10, sample=0.0, alpha=0.05)
same = [(int(word[1:]) > 30) == (int(near[1:]) > 30)
        for word in model.wv.index_to_key for near, _ in model.wv.most_similar(word, topn=5)]
say([facts(model)["alike"], float(np.mean(same))])
"""
    alike, share = told(3, script, text.parent)
    assert alike
    assert share > 0.95


STEPS = """
modes = {
    "shared": {}, "mean": {"reduction": "mean", "alpha": 0.5}, "pair": {"negatives": "pair"},
    "softmax": {"loss": "softmax"},
    "unbounded": {"max_update_norm": None}, "few": {"batch_size": 16},
    "cs224n": {"negatives": "pair", "centers": "random", "steps": 20, "schedule": "halving", "halve_every": 8},
}
tables, records = {}, {}
few = (folder / "text.txt").read_text().splitlines()[:150]
(folder / "text.txt").write_text("\\n".join(few)) if rank == 0 else None
comm.Barrier()
for mode, options in modes.items():
    model = fit(sync="step", workers=None, **({"batch_size": 150, "epochs": 1} | options))
    assert facts(model)["alike"]
    tables |= {mode + " centers": model.wv.vectors, mode + " outside": model.outside_vectors}
    last = model.history[-1]
    records[mode] = [last.step, last.words, last.centers, last.pairs, round(last.loss, 4)]
if rank == 0:
    np.savez(folder / f"{size}.npz", **tables)
    print(json.dumps(records))
"""


@needs_mpi
def test_a_shared_step_is_that_of_one_process(text: Path) -> None:
    records = [told(n, STEPS, text.parent) for n in (1, 2, 4)]
    assert records[0] == records[1] == records[2]
    one = np.load(text.parent / "1.npz")
    assert len(one.files) == 14
    for n in (2, 4):
        many = np.load(text.parent / f"{n}.npz")
        for name in one.files:
            assert np.abs(one[name]).max() > 0.01, name  # it learned something
            np.testing.assert_allclose(many[name], one[name], atol=1e-5, rtol=0, err_msg=name)


@needs_mpi
def test_one_process_in_step_is_the_array_engine(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told(1, STEPS, text.parent)
    monkeypatch.setattr(batches, "SEGMENT", 200)
    wanted = Word2Vec(**(OPTIONS | {"engine": "array", "batch_size": 150, "epochs": 1})).fit(text)
    found = np.load(text.parent / "1.npz")
    np.testing.assert_allclose(found["shared centers"], wanted.wv.vectors, atol=1e-6)


@needs_mpi
@pytest.mark.parametrize("sync", ["average", "step"])
def test_going_on_with_another_number_of_ranks(text: Path, sync: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped by a signal to one rank; gone on by three, by two, and by one process without MPI."""
    whole = told(1, f"say(facts(fit(sync={sync!r})))", text.parent)
    script = f"""
def stop(record):
    if record.words > int(sys.argv[2] if len(sys.argv) > 2 else {{stop}}):
        os.kill(os.getpid(), signal.SIGINT)
try:
    model = fit({{{{"checkpoint_dir": folder / "run", "resume": True, "on_progress": stop}}}}, sync={sync!r})
    if rank == 0:
        print(json.dumps(facts(model) if size == 1 else model.history[-1].words))
except KeyboardInterrupt:
    if rank == 0:
        print(json.dumps("stopped"))
"""
    assert told(2, script.format(stop=10_000), text.parent) == "stopped"
    assert told(3, script.format(stop=45_000), text.parent) == "stopped"
    monkeypatch.setattr(batches, "SEGMENT", 200)
    model = Word2Vec(**OPTIONS, sync=sync).fit(text, checkpoint_dir=text.parent / "run", resume=True)
    last = model.history[-1]
    assert (last.words, last.centers, last.pairs) == (whole["words"], whole["centers"], whole["pairs"])
    assert told(2, script.format(stop=10**9), text.parent) == whole["words"]  # and nothing is left to do


@needs_mpi
@pytest.mark.parametrize(("stop", "every", "times"), [(10_000, 10**9, 1), (10**9, 4000, 5), (10**9, 10**9, 1)])
def test_tables_are_the_same_wherever_they_are_kept(stop: int, every: int, times: int, text: Path) -> None:
    """All rows meet before a checkpoint, at the end, and where a run is stopped; those of rare words not before."""
    lines = text.read_text().splitlines()
    text.write_text("\n".join(f"{line} rare{n}" for n, line in enumerate(lines)))
    script = f"""
import xw2v.training.distributed.shared_training as shared
from xw2v.training.checkpoint import Checkpoints
sums, kept = [], set()
train, save = shared.SharedTraining._records, Checkpoints.save
def records(self, pool):
    for record in train(self, pool):
        sums.append(zlib.crc32(b"".join(table.tobytes() for table in self.tables)))
        yield record
def noted(self, *arguments):
    kept.add(len(sums) - 1)  # the round that was the last one then
    save(self, *arguments)
shared.SharedTraining._records, Checkpoints.save = records, noted
def stopping(record):
    if record.words > {stop}:
        os.kill(os.getpid(), signal.SIGINT)
try:
    fit({{"checkpoint_dir": folder / "run", "checkpoint_every": {every}, "on_progress": stopping}})
except KeyboardInterrupt:
    pass
rounds = [len(set(some)) == 1 for some in zip(*comm.allgather(sums))]
say([[alike for i, alike in enumerate(rounds) if (i in kept) == chosen] for chosen in (True, False)])
"""
    kept, others = told(2, script, text.parent)
    assert all(kept)
    assert len(kept) >= times
    assert not any(others)
    assert len(others) >= 2


@needs_mpi
def test_a_run_that_a_callback_ended_is_over_on_all_ranks(text: Path) -> None:
    kept = text.parent / "run"
    Word2Vec(**OPTIONS).fit(text, checkpoint_dir=kept, callbacks=[lambda model, end: True])
    script = """
model = fit({"checkpoint_dir": folder / "run", "resume": True})
ends = comm.allgather([end.epoch for end in model.epoch_history])
say([facts(model), ends])
"""
    facts, ends = told(2, script, text.parent)
    assert (facts["alike"], facts["words"], ends) == (True, 30_000, [[0], [0]])


@needs_mpi
def test_one_process_goes_on_after_ranks_whose_round_spans_epochs(text: Path) -> None:
    text.write_text("\n".join(text.read_text().splitlines()[:6]))  # one chunk an epoch
    script = """
def stop(record):
    os.kill(os.getpid(), signal.SIGINT)
try:
    fit({"checkpoint_dir": folder / "run", "on_progress": stop}, epochs=40)
except KeyboardInterrupt:
    say("stopped")
"""
    assert told(4, script, text.parent) == "stopped"
    ends: list[int] = []
    Word2Vec(**(OPTIONS | {"epochs": 40})).fit(
        text, checkpoint_dir=text.parent / "run", resume=True, callbacks=[lambda model, end: ends.append(end.epoch)]
    )
    assert ends == list(range(ends[0], 40))
    assert ends[0] >= 4  # those before were over


@needs_mpi
def test_a_corpus_is_read_once_a_node_and_leaves_nothing(text: Path) -> None:
    """Not even while it is trained on: what is in a temporary folder then would stay there if the ranks were killed."""
    script = """
import xw2v.distributed, xw2v.shared_encoding
calls = []
encoding = xw2v.shared_encoding.encoding
def counted(*arguments, **how):
    calls.append(rank)
    return encoding(*arguments, **how)
xw2v.shared_encoding.encoding = counted
import tempfile
tempfile.tempdir = str(folder)
left = []
run = xw2v.distributed.DistributedFitting.run
def looked(fitting, *arguments):
    left.extend(map(str, folder.glob("xw2v-*")))
    run(fitting, *arguments)
xw2v.distributed.DistributedFitting.run = looked
fit(epochs=1)
kept = fit({"encoded_dir": folder / "kept"}, epochs=1)
assert (folder / "kept" / "ids.int32").exists()
found, left = comm.gather(calls), comm.gather(left)
if rank == 0:
    print(json.dumps([found, left]))
"""
    assert told(3, script, text.parent) == [[[0, 0], [], []], [[]] * 3]


# How all end when one does -------------------------------------------------------------------------------


@needs_mpi
@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("raise ZeroDivisionError('broken')", "RankError: rank 1 of 3: ZeroDivisionError: broken"),
        ("tables.center_vectors[:] = np.nan", "NumericalError: rank 1 of 3: "),
    ],
)
def test_an_error_in_one_rank_is_raised_by_all(what: str, message: str, text: Path) -> None:
    script = f"""
from xw2v.training.engines.cpu import CpuEngine
train, chunks = CpuEngine.train_chunk, []
def failing(self, tables, chunk, *arguments, **more):
    chunks.append(chunk)
    if rank == 1 and len(chunks) > 5:
        {what}
    return train(self, tables, chunk, *arguments, **more)
CpuEngine.train_chunk = failing
try:
    fit({{"checkpoint_dir": folder / "run", "checkpoint_every": 1}})
except Exception as error:
    errors = comm.gather(f"{{type(error).__name__}}: {{error}}")
    if rank == 0:
        print(json.dumps(errors))
"""
    errors = told(3, script, text.parent)
    assert errors[0].startswith(message)
    assert errors[2].startswith(message)
    assert not errors[1].startswith("RankError")
    if "nan" in what:
        assert "what was learned from the first" in errors[0]


@needs_mpi
@pytest.mark.parametrize(("failing", "error"), [(1, "FormatError('cut short')"), (0, "KeyboardInterrupt")])
def test_nothing_is_kept_of_a_round_that_did_not_end(failing: int, error: str, text: Path) -> None:
    """A corpus that is cut short, and a second Ctrl-C: a run goes on from before the round, and trains all of it."""
    whole = told(1, "say(facts(fit()))", text.parent)
    script = """
from xw2v.errors import FormatError
from xw2v.training.engines.cpu import CpuEngine
train, chunks = CpuEngine.train_chunk, []
def failing(self, *arguments, **more):
    chunks.append(0)
    if len(chunks) == 12 and rank == {rank}:
        raise {error}
    return train(self, *arguments, **more)
CpuEngine.train_chunk = failing
say(facts(fit({{"checkpoint_dir": folder / "run", "checkpoint_every": 2000, "resume": True}})))
"""
    assert run(2, script.format(rank=failing, error=error), text.parent)[0] != 0
    assert list((text.parent / "run").glob("*.safetensors"))
    facts = told(2, script.format(rank=2, error=error), text.parent)
    assert facts["words"] == whole["words"]
    assert (facts["centers"], facts["pairs"]) == (whole["centers"], whole["pairs"])


@needs_mpi
@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", ""),
        (
            "raise MemoryError('no room for it')",
            "rank 2 of 3: BackendError: backend 'numpy' ran out of memory: no room for it",
        ),
        ("os._exit(3)", ""),
    ],
)
def test_the_end_of_one_rank_ends_all(what: str, message: str, text: Path) -> None:
    """In the middle of a meeting, when the others wait."""
    script = f"""
from xw2v.training.distributed.averaging import Averager
meet = Averager.meet
def failing(self, *arguments, **how):
    if rank == 2 and self.meetings == 3:
        {what}
    meet(self, *arguments, **how)
Averager.meet = failing
fit(epochs=200)
"""
    status, _, err = run(3, script, text.parent)
    assert status != 0
    assert message in err
    assert "rank 0" not in err  # which did nothing wrong


@needs_mpi
def test_ranks_with_other_options_are_refused(text: Path) -> None:
    script = """
try:
    fit(window=3 + rank // 2)
except Exception as error:
    print(json.dumps(f"{type(error).__name__}: {error}")) if rank == 0 else None
"""
    wanted = "ConfigError: all ranks must have the same options; rank 0 has window=3, rank 2 has window=4"
    assert told(3, script, text.parent) == wanted


@needs_mpi
def test_what_does_not_go_together_on_one_rank_alone_is_refused_by_all(text: Path) -> None:
    script = """
errors = []
for how, options in (
    ({"callbacks": [print] if rank == 0 else []}, {}),
    ({"checkpoint_dir": folder / "run" if rank == 0 else None, "resume": True}, {}),
    ({"checkpoint_dir": folder / "run", "checkpoint_every": "often" if rank == 1 else "1s"}, {}),
    ({}, {"validation_fraction": 0.1 if rank == 1 else 0.0}),
):
    try:
        fit(how, **options)
    except Exception as error:
        errors.append(f"{type(error).__name__}: {error}")
said = comm.gather(errors)
print(json.dumps(said)) if rank == 0 else None
"""
    zero, one = told(2, script, text.parent)
    assert len(zero) == len(one) == 4
    callbacks, resume, every, fraction = zip(zero, one, strict=True)
    assert callbacks[0].startswith("ConfigError: callbacks are not called with distributed")
    assert callbacks[1].startswith("ConfigError: rank 0 of 2: callbacks are not called with distributed")
    assert resume[0].startswith("ConfigError: rank 1 of 2: resume needs checkpoint_dir")
    assert every[0].startswith("ConfigError: rank 1 of 2: checkpoint_every must be")
    assert fraction[0].startswith("ConfigError: rank 1 of 2: validation_fraction must be 0 with distributed")


# The command ---------------------------------------------------------------------------------------------


def command(n: int, *words: str) -> subprocess.Popen[str]:
    return mpiexec(n, ["-m", "xw2v", *words])


@needs_mpi
def test_the_command(text: Path) -> None:
    out = text.parent / "model"
    options = ["--distributed", "--min-count", "1", "--vector-size", "8", "--backend", "numpy", "--epochs", "2"]
    status, said, err = ended(command(2, "train", str(text), "-o", str(out), *options, "--json"))
    assert (status, err) == (0, "")
    summary = json.loads(said)
    assert summary["engine"].endswith("2 ranks")
    assert len(Word2Vec.load(out).wv) == summary["vocabulary"] == 60
    assert sorted(path.name for path in text.parent.iterdir()) == ["model", "text.txt"]


@needs_mpi
def test_the_encoded_corpus_lies_where_it_is_wanted(text: Path) -> None:
    folder = Path(os.fsdecode(bytes(text.parent) + b"/\xff.encoded"))
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"names must be UTF-8 here: {error}")
    options = ["--distributed", "--min-count", "1", "--vector-size", "8", "--backend", "numpy", "--epochs", "1"]
    out = text.parent / "model"
    status, _, err = ended(
        command(2, "train", str(text), "-o", str(out), *options, "--encoded", str(folder), "--quiet")
    )
    assert (status, err) == (0, "")
    assert {path.name for path in text.parent.iterdir()} == {"model", "text.txt", folder.name}
    assert any(folder.iterdir())


@needs_mpi
def test_the_command_goes_on_with_a_saved_model(text: Path) -> None:
    model, out = text.parent / "model", text.parent / "new"
    Word2Vec(**OPTIONS).fit(text).save(model)
    more = text.parent / "more.txt"
    more.write_text("w1 w2 new\n" * 200)
    options = ["--distributed", "--from", str(model), "--json"]
    status, said, err = ended(command(2, "train", str(more), "-o", str(out), *options))
    assert (status, err) == (0, "")
    summary = json.loads(said)
    assert [summary[name] for name in ("vocabulary", "new_words", "words")] == [61, 1, 3 * 600]
    assert Word2Vec.load(out).epochs_trained == 6
    for words, status, line in (
        (["--alpha", "1e-5"], 2, "xw2v: error: min_alpha must not be above alpha (1e-05), got 0.0001"),
        (
            ["-o", str(model)],
            1,
            f"xw2v: error: will not write {model}: it is the model to go on from; choose another name",
        ),
    ):
        found, said, err = ended(command(2, "train", str(more), "-o", str(out), *options, *words))
        assert (found, said, [part for part in err.splitlines() if part.startswith("xw2v")]) == (status, "", [line])


@needs_mpi
@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["nothere.txt"], 1, "xw2v: error: there is no file 'nothere.txt'"),
        (["{text}", "--window", "0"], 2, "xw2v: error: window must be an integer >= 1 and <= 32768, got 0"),
        (["{text}", "--schedule", "halving"], 2, "xw2v: error: steps and schedule='halving' count steps in order, "
         "which ranks keep with sync='step' only"),
        (["{text}", "--sync", "step", "--workers", "2"], 2, "xw2v: error: sync='step' takes steps in order, so "
         "workers must be 1, got 2"),
        (["{text}", "--sync", "step", "--engine", "cpu"], 2, "xw2v: error: sync='step' is done by engine 'array' on "
         "backend 'numpy', got 'cpu', 'numpy'"),
        (["{text}", "--validation-fraction", "0.1"], 2, "xw2v: error: validation_fraction must be 0 with distributed, "
         "got 0.1"),
        (["{text}", "--max-final-vocab", "1"], 1, "xw2v: error: a vocabulary of at least 2 words is wanted, got 1; "
         "raise max_final_vocab (1)"),
    ],
)  # fmt: skip
def test_an_error_of_the_command_is_one_line(words: list[str], status: int, line: str, text: Path) -> None:
    words = [word.format(text=text) for word in words]
    options = ["-o", str(text.parent / "model"), "--distributed", "--backend", "numpy"]
    found, _, err = ended(command(3, "train", *words, *options))
    lines = [line for line in err.splitlines() if line.startswith("xw2v")]
    assert (found, lines) == (status, [line])


@needs_mpi
def test_ctrl_c_saves_and_ends(text: Path) -> None:
    out = text.parent / "model"
    options = [
        "--distributed",
        "--min-count",
        "1",
        "--backend",
        "numpy",
        "--epochs",
        "100000",
        "--checkpoint-every",
        "1",
    ]
    process = command(3, "train", str(text), "-o", str(out), *options)
    until = time.monotonic() + LIMIT
    while not list(text.parent.glob("model.checkpoints/checkpoint-*")) and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    status, _, err = ended(process)
    assert status == 130, err
    assert f"xw2v: interrupted; what was learned so far is in {out}" in err
    assert err.count("xw2v: interrupted") == 1
    assert len(Word2Vec.load(out).wv) == 60
    assert list(text.parent.glob("model.checkpoints/checkpoint-*"))


# What was wrong once ---------------------------------------------------------------------------------------


@needs_mpi
@pytest.mark.parametrize("what", ["encoded_dir", "corpus"])
def test_what_one_rank_alone_has_encoded(what: str, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an encoded corpus on the first node's own disk."""
    monkeypatch.setattr(sys.modules[__name__], "LIMIT", 20)
    script = f"""
from xw2v.text.store import encode
corpus, how = folder / "text.txt", {{}}
if rank == 0 and "{what}" == "corpus":
    corpus = encode(corpus, folder / "encoded", min_count=1)
elif rank == 0:
    how["encoded_dir"] = folder / "encoded"
try:
    Word2Vec(**OPTIONS).fit(corpus, distributed=True, **how)
except Exception as error:
    said = comm.gather(f"{{type(error).__name__}}: {{error}}")
    say(said)
"""
    for line in told(2, script, text.parent):
        assert line.startswith("ConfigError: ")
        assert "rank" in line


@needs_mpi
def test_models_that_differ_go_on_from_that_of_rank_0(text: Path) -> None:
    script = """
model = Word2Vec(**(OPTIONS | {"seed": 1 + rank})).fit(folder / "text.txt")
model.set_params(seed=1).partial_fit(folder / "text.txt", distributed=True)
say(facts(model)["alike"])
"""
    assert told(2, script, text.parent)


@needs_mpi
def test_models_of_other_words_or_counts_do_not_go_on_together(text: Path) -> None:
    script = """
said = []
for other in ([["k1", "k2", "k3"]] * 50, [["k1", "k2"]] * 70, [["k1", "k2"]] * 50):
    model = Word2Vec(**OPTIONS).fit(other if rank else [["k1", "k2"]] * 50)
    try:
        model.partial_fit(folder / "text.txt", distributed=True)
        said.append("")
    except Exception as error:
        said.append(f"{type(error).__name__}: {error}")
say(said)
"""
    more, counts, same = told(2, script, text.parent)
    assert re.search(r"ConfigError: .* the same corpus and model: .* of 2 words .*, rank 1 has .* of 3 words", more)
    assert re.search(r"ConfigError: .* the same corpus and model: .* of 2 words .*, rank 1 has .* of 2 words", counts)
    assert not same


@needs_mpi
def test_a_model_that_one_rank_alone_has_does_not_go_on(text: Path) -> None:
    script = """
model = Word2Vec(**OPTIONS)
if rank == 0:
    model.fit(folder / "text.txt")
try:
    model.partial_fit(folder / "text.txt", distributed=True)
    said = comm.gather("")
except Exception as error:
    said = comm.gather(f"{type(error).__name__}: {error}")
say(said)
"""
    assert all(line.startswith("ConfigError: ") for line in told(2, script, text.parent))


@needs_mpi
def test_nothing_is_kept_where_rare_rows_did_not_meet(text: Path) -> None:
    """A second Ctrl-C, or a callback that raises one, between two rounds."""
    lines = text.read_text().splitlines()
    text.write_text("\n".join(f"{line} rare{n}" for n, line in enumerate(lines)))
    script = """
records = []
def stop(record):
    records.append(record)
    if len(records) == 5:
        raise KeyboardInterrupt
fit({"checkpoint_dir": folder / "run", "checkpoint_every": 10**9, "on_progress": stop})
"""
    status, _, _ = run(2, script, text.parent)
    assert status != 0
    assert not list((text.parent / "run").glob("*.safetensors"))


@needs_mpi
@pytest.mark.parametrize("late", [0, 1])
def test_a_signal_in_the_last_meeting(late: int, text: Path) -> None:
    script = f"""
from xw2v.training.distributed.averaging import Averager
meet = Averager.meet
def signalled(self, *, everything=False):
    meet(self, everything=everything)
    if everything and rank == {late}:
        os.kill(os.getpid(), signal.SIGINT)
Averager.meet = signalled
model = Word2Vec(**OPTIONS)
try:
    model.fit(folder / "text.txt", distributed=True)
except KeyboardInterrupt:
    pass
say(facts(model))
"""
    facts = told(2, script, text.parent)
    assert facts["alike"]
    assert facts["words"] == 90_000


@needs_mpi
def test_a_run_gives_its_communicator_back(text: Path) -> None:
    script = """
from xw2v.training.distributed.ranks import MpiRanks
made = []
init = MpiRanks.__init__
def noted(self, *arguments):
    init(self, *arguments)
    made.append(self._comm)
MpiRanks.__init__ = noted
fit(epochs=1)
say([one == MPI.COMM_NULL for one in made])
"""
    assert told(2, script, text.parent) == [True]
