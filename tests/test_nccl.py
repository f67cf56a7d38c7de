"""Ranks on GPUs, by NCCL and by MPI, with what `nccl_stand_in` puts in the place of GPUs and NCCL."""

from __future__ import annotations

import importlib
import inspect
import warnings
from pathlib import Path
from typing import Any

import pytest

from tests import test_distributed
from tests.test_distributed import needs_mpi, run, told

text = test_distributed.text
pytestmark = needs_mpi

# Each rank sees all GPUs of its node.
GPUS = """
os.environ.pop("XW2V_GPU_RANKS", None)
from tests import nccl_stand_in
nccl_stand_in.install([f"GPU-{i}" for i in range(size)])
OPTIONS |= {"backend": "cupy", "batch_size": 64}
"""
BY_MPI = 'os.environ["XW2V_GPU_RANKS"] = "mpi"\n'
WAYS = {"nccl": "", "mpi": BY_MPI}
TABLES = """
from xw2v.training.distributed.ranks import join
from xw2v.training.distributed.transport import table_ranks
ranks, backend = join(comm), nccl_stand_in.GpuBackend(rank)
tables = table_ranks(ranks, backend)
"""


@pytest.mark.parametrize("name", ["__init__", "all_reduce", "broadcast", "barrier", "stop"])
def test_the_stand_in_is_called_as_cupys(name: str) -> None:
    pytest.importorskip("cupyx", exc_type=ImportError)
    from tests import nccl_stand_in

    with warnings.catch_warnings(action="ignore"):  # that there is no NCCL
        theirs = importlib.import_module("cupyx.distributed").NCCLBackend

    def parameters(of: type) -> list[tuple[str, Any]]:
        return [(p.name, p.default) for p in inspect.signature(getattr(of, name)).parameters.values()]

    assert parameters(nccl_stand_in.NCCLBackend) == parameters(theirs)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("n", [1, 3])
def test_what_is_done_with_arrays(n: int, way: str, tmp_path: Path) -> None:
    script = """
for dtype in ("float32", "float64", "int64"):
    a = np.arange(6, dtype=dtype).reshape(2, 3) + rank
    tables.sum(a)
    assert a.tolist() == (np.arange(6).reshape(2, 3) * size + sum(range(size))).tolist()
first, second = np.full(9, rank, np.float32), np.full((50_000, 2), 2 * rank, np.float32)
arrived = [tables.begin_sum(first), tables.begin_sum(second)]
for wait in arrived:
    wait()
assert (first == sum(range(size))).all() and (second == 2 * sum(range(size))).all()
b = np.array([rank == 1, rank == 2, False], np.uint8)
tables.maximum(b)
assert b.tolist() == [size > 1, size > 2, 0]
c = np.full((3, 2), rank, np.float32)
tables.broadcast(c)
assert not c.any()
tables.sum(np.empty((0, 4), np.float32))
say("all is well")
"""
    assert told(n, GPUS + WAYS[way] + TABLES + script, tmp_path) == "all is well"


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("tables.sum(np.zeros((4, 4), np.float32)[:, :2])", "RuntimeError: NCCL requires arrays to be"),
        ("tables.maximum(np.zeros(4, bool))", "TypeError: Unknown dtype bool for NCCL"),
        ("tables.sum(np.zeros(4 + rank, np.float32))", "NcclError: NCCL_ERROR_INVALID_ARGUMENT"),
        ("tables.sum(np.zeros(4, 'f' if rank else 'd'))", "NcclError: NCCL_ERROR_INVALID_ARGUMENT"),
        ("(tables.broadcast if rank else tables.sum)(np.zeros(4))", "NcclError: NCCL_ERROR_INVALID_ARGUMENT"),
        ("Thread(target=work).run()", "fine"),
        ("[t := Thread(target=work), t.start(), t.join()]", "NcclError: NCCL_ERROR_UNHANDLED_CUDA_ERROR"),
    ],
)
def test_what_the_stand_in_refuses(what: str, error: str, tmp_path: Path) -> None:
    script = f"""
from threading import Thread
said = []
def work():
    try:
        tables.sum(np.zeros(4))
        said.append("fine")
    except RuntimeError as error:
        said.append(f"{{type(error).__name__}}: {{error}}")
try:
    {what}
except (RuntimeError, TypeError) as error:
    said.append(f"{{type(error).__name__}}: {{error}}")
said = comm.gather(said[0])
say(said)
"""
    said = told(2, GPUS + TABLES + script, tmp_path)
    assert all(line.startswith(error) for line in said)


@pytest.mark.parametrize(("engine", "way"), [(True, "nccl"), (False, "nccl"), (True, "mpi")])
def test_ranks_on_gpus_train_as_those_of_the_host(engine: bool, way: str, text: Path) -> None:
    script = GPUS.replace("])", f"], engine={engine})", 1) + WAYS[way] + "say(facts(fit(engine='array')))"
    found = [told(n, script, text.parent) for n in (1, 3)]
    host = told(2, "say(facts(fit(engine='array', batch_size=64)))", text.parent)
    for facts in found:
        assert facts["alike"]
        assert [facts[name] for name in ("words", "centers", "pairs")] == [
            host[name] for name in ("words", "centers", "pairs")
        ]


@pytest.mark.parametrize("way", WAYS)
def test_ranks_on_gpus_go_on_with_another_number_of_them(way: str, text: Path) -> None:
    whole = told(1, GPUS + "say(facts(fit()))", text.parent)
    script = """
def stop(record):
    if record.words > {stop}:
        os.kill(os.getpid(), signal.SIGINT)
try:
    say(facts(fit({{"checkpoint_dir": folder / "run", "resume": True, "on_progress": stop}})))
except KeyboardInterrupt:
    say("stopped")
"""
    assert told(2, GPUS + WAYS[way] + script.format(stop=10_000), text.parent) == "stopped"
    assert told(3, GPUS + WAYS[way] + script.format(stop=45_000), text.parent) == "stopped"
    facts = told(2, GPUS + WAYS[way] + script.format(stop=10**9), text.parent)
    assert facts["alike"]
    assert [facts[name] for name in ("words", "centers", "pairs")] == [
        whole[name] for name in ("words", "centers", "pairs")
    ]


def test_ranks_that_each_see_one_gpu(text: Path) -> None:
    """As Slurm sets CUDA_VISIBLE_DEVICES with --gpus-per-task: all are number 0 of their process."""
    script = GPUS.replace('[f"GPU-{i}" for i in range(size)]', '[f"GPU-{rank}"]')
    assert told(3, script + "say(facts(fit()))", text.parent)["alike"]


def test_an_error_in_one_rank_on_a_gpu_is_raised_by_all(text: Path) -> None:
    script = """
begin, chunks = nccl_stand_in.GpuEngine.begin_chunk, []
def failing(self, *arguments, **more):
    chunks.append(0)
    if rank == 1 and len(chunks) > 5:
        raise ZeroDivisionError("broken")
    return begin(self, *arguments, **more)
nccl_stand_in.GpuEngine.begin_chunk = failing
try:
    fit()
except Exception as error:
    said = comm.gather(f"{type(error).__name__}: {error}")
    say(said)
"""
    said = told(3, GPUS + script, text.parent)
    assert said[0] == said[2] == "RankError: rank 1 of 3: ZeroDivisionError: broken"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", ["raise MemoryError('no room for it')", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_the_end_of_one_rank_on_a_gpu_ends_all(what: str, way: str, text: Path) -> None:
    script = f"""
from xw2v.training.distributed.averaging import Averager
meet = Averager.meet
def failing(self, *arguments, **how):
    if rank == 1 and self.meetings == 3:
        {what}
    meet(self, *arguments, **how)
Averager.meet = failing
fit(epochs=200)
"""
    status, _, err = run(2, GPUS + WAYS[way] + script, text.parent)
    assert status != 0
    assert "ncclCommDestroy" not in err


# What was wrong once ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("resumed", [False, True])
def test_ranks_let_go_of_nccl_together(resumed: bool, text: Path) -> None:
    script = f"""
import gc
gc.disable()  # it comes when it likes; here, on rank 0 while rank 1 waits for the model to be saved
how = {{"checkpoint_dir": folder / "run", "resume": True}}
if {resumed}:
    try:
        fit(how | {{"on_progress": lambda record: os.kill(os.getpid(), signal.SIGINT)}})
    except KeyboardInterrupt:
        pass
    assert nccl_stand_in.made == ["made", "destroyed"]
model = fit(how)
if rank == 0:
    gc.collect()
comm.Barrier()
say(nccl_stand_in.made)
"""
    status, out, err = run(2, GPUS + script, text.parent)
    assert "ncclCommDestroy" not in err
    assert status == 0, err
    assert out.count("made") == out.count("destroyed") == 1 + resumed  # one communicator a run


REFUSED = """
try:
    fit({"encoded_dir": folder / "encoded"})
except Exception as error:
    said = comm.gather(f"{type(error).__name__}: {error}")
    say(said)
"""


def test_two_ranks_on_one_gpu_are_refused_before_the_corpus_is_read(text: Path) -> None:
    said = told(2, GPUS.replace("range(size)", "range(1)") + REFUSED, text.parent)
    for line in said:
        assert "GPU" in line
        assert "pip install" not in line
        assert "XW2V_GPU_RANKS=mpi" in line
    assert not (text.parent / "encoded").exists()


def test_ranks_share_a_gpu_by_an_nccl_that_takes_each_for_a_host(text: Path) -> None:
    shared = (
        GPUS.replace("for i in range(size)])", "for i in range(1)])") + 'os.environ["NCCL_HOSTID"] = f"host {rank}"\n'
    )
    script = "say(facts(fit()))"
    assert told(2, shared + script, text.parent) == told(2, GPUS + script, text.parent)


@pytest.mark.parametrize("engine", [True, False])
def test_ranks_share_a_gpu_by_mpi(engine: bool, text: Path) -> None:
    """And need no NCCL. To rounding they learn what ranks with a GPU each do by NCCL."""
    script = f"say(facts(fit(engine='auto' if {engine} else 'array')))"
    shared = GPUS.replace("for i in range(size)])", f"for i in range(1)], nccl=False, engine={engine})") + BY_MPI
    own = GPUS.replace("])", f"], engine={engine})", 1)
    found, wanted = told(3, shared + script, text.parent), told(3, own + script, text.parent)
    assert found["alike"]
    assert found == wanted


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("of one rank", "if rank == 1: os.environ['XW2V_GPU_RANKS'] = 'mpi'"),
        ("unknown", "os.environ['XW2V_GPU_RANKS'] = 'pigeons'"),
        ("unknown to one", "if rank == 1: os.environ['XW2V_GPU_RANKS'] = 'pigeons'"),
    ],
)
def test_a_way_between_gpus_that_is_not_that_of_all(name: str, what: str, text: Path) -> None:
    said = told(2, GPUS + what + REFUSED, text.parent)
    for line in said:
        assert line.startswith("ConfigError: ")
        assert "XW2V_GPU_RANKS" in line
        assert "mpi" in line


def test_a_communicator_of_some_ranks_by_mpi(text: Path) -> None:
    script = """
half = comm.Split(rank % 2, rank)
model = Word2Vec(**OPTIONS).fit(folder / "text.txt", distributed=half)
say(comm.gather(zlib.crc32(model.wv.vectors.tobytes())))
"""
    a, b, c, d = told(4, GPUS + BY_MPI + script, text.parent)
    assert (a, b) == (c, d)


def test_ranks_that_see_two_gpus_each(text: Path) -> None:
    """As with --gpu-bind=closest, where Slurm deals tasks out to sockets in turn."""
    script = GPUS.replace("range(size)", "([0, 1], [2, 3])[rank % 2]")
    assert told(4, script + "say(facts(fit()))", text.parent)["alike"]


def test_a_cupy_without_nccl(text: Path) -> None:
    script = GPUS.replace("])", "], nccl=False)", 1)
    said = """
try:
    fit()
except Exception as error:
    said = comm.gather(f"{type(error).__name__}: {error}")
    say(said)
"""
    for line in told(2, script + said, text.parent):
        assert line.startswith("BackendError: ")
        assert "nvidia-nccl-cu12" in line
        assert "attribute" not in line
    assert told(1, script + "say(facts(fit()))", text.parent)["alike"]  # alone, which needs none


def test_a_communicator_for_gpus_is_refused_by_all(text: Path) -> None:
    script = """
try:
    Word2Vec(**OPTIONS).fit(folder / "text.txt", distributed=comm.Split(0, -rank))
except Exception as error:
    said = comm.gather(f"{type(error).__name__}: {error}")
    say(said)
"""
    assert all(line.startswith("ConfigError: ") for line in told(2, GPUS + script, text.parent))
