"""Ranks that share the one GPU of a machine, by NCCL and by MPI. Skipped where there is none; `XW2V_REQUIRE=cupy` makes
that a failure.

NCCL takes one rank a GPU of each host, and these ranks pass for as many hosts: what one has for another travels over a
network of one machine, as it would between two, and the GPU is theirs in turn. So what is tried is NCCL itself, not
its speed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import test_distributed
from tests.test_distributed import needs_mpi, run, told
from xw2v.backend import CupyBackend

text = test_distributed.text
pytestmark = needs_mpi

WAYS = {
    "nccl": """
os.environ.pop("XW2V_GPU_RANKS", None)
os.environ |= {"NCCL_HOSTID": f"host{rank}", "NCCL_SOCKET_IFNAME": "lo", "NCCL_DEBUG": "WARN"}
OPTIONS["backend"] = "cupy"
""",
    "mpi": """
os.environ["XW2V_GPU_RANKS"] = "mpi"
OPTIONS["backend"] = "cupy"
""",
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, gpu: CupyBackend) -> str:
    """What a script of ranks begins with."""
    if request.param == "nccl":
        from cupy.cuda import nccl

        if not nccl.available:
            pytest.skip("nccl: this CuPy finds no NCCL")
    return WAYS[request.param]


def test_what_is_done_with_arrays(way: str, tmp_path: Path) -> None:
    script = """
from xw2v.backend import get_backend
from xw2v.training.distributed.ranks import join
from xw2v.training.distributed.transport import table_ranks
ranks, backend = join(comm), get_backend("cupy")
tables, xp = table_ranks(ranks, backend), backend.xp
for dtype in ("float32", "float64", "int64"):
    a = xp.reshape(xp.arange(6, dtype=getattr(xp, dtype)), (2, 3)) + rank
    tables.sum(a)
    assert a.tolist() == (np.arange(6).reshape(2, 3) * size + sum(range(size))).tolist()
first, second = xp.full(9, rank, dtype=xp.float32), xp.full((5_000_000, 2), 2 * rank, dtype=xp.float32)
arrived = [tables.begin_sum(first), tables.begin_sum(second)]
for wait in arrived:
    wait()
assert bool((first == sum(range(size))).all()) and bool((second == 2 * sum(range(size))).all())
b = xp.asarray(np.array([rank == 1, rank == 2, False], np.uint8))
tables.maximum(b)
assert b.tolist() == [size > 1, size > 2, 0]
c = xp.full((3, 2), rank, dtype=xp.float32)
tables.broadcast(c)
assert not bool(c.any())
ranks.let_go()
say(type(tables).__name__)
"""
    name = "NcclTables" if way == WAYS["nccl"] else "HostTables"
    assert told(3, way + script, tmp_path) == name


@pytest.mark.parametrize(("engine", "n"), [("cuda", 3), ("array", 2)])
def test_ranks_train_every_word_once_and_end_alike(engine: str, n: int, way: str, text: Path) -> None:
    found = told(n, way + f"say(facts(fit(engine={engine!r}, batch_size=64)))", text.parent)
    host = told(1, "say(facts(fit(engine='array', batch_size=64)))", text.parent)
    assert found["alike"]
    for name in ("words", "centers", "pairs"):
        assert found[name] == host[name]


def test_the_end_of_one_rank_ends_all(way: str, text: Path) -> None:
    script = """
from xw2v.training.distributed.averaging import Averager
meet = Averager.meet
def failing(self, *arguments, **how):
    if rank == 1 and self.meetings == 3:
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    meet(self, *arguments, **how)
Averager.meet = failing
fit(epochs=200)
"""
    status, _, _ = run(2, way + script, text.parent)
    assert status != 0
    assert (text.parent / "killed").exists()  # and nothing failed before
