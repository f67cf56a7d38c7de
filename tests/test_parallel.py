"""Cores that a process may use, and results in order."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from xw2v import parallel
from xw2v.parallel import in_parallel, one_blas_thread, usable_cores


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity on this system")
@pytest.mark.parametrize(
    ("quota", "wanted"),
    [("max 100000", 6), ("250000 100000", 2), ("1000 100000", 1), ("900000 100000", 6), ("nonsense", 6), (None, 6)],
)
def test_cores_are_those_of_the_affinity_and_the_quota(
    monkeypatch: pytest.MonkeyPatch, quota: str | None, wanted: int
) -> None:
    def read(path: Path) -> str:
        assert str(path) == "/sys/fs/cgroup/cpu.max"
        if quota is None:
            raise FileNotFoundError
        return quota

    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)))
    monkeypatch.setattr(Path, "read_text", read)
    assert usable_cores() == wanted


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_errors_come_in_order(workers: int) -> None:
    made = threading.Event()

    def slow(number: int) -> int:
        assert workers == 1 or made.wait(10)  # done after whoever makes the jobs has failed
        if number == 1:
            msg = "of a job"
            raise ValueError(msg)
        return number

    def jobs(number: int) -> Iterator[Callable[[], int]]:
        yield from (partial(slow, i) for i in range(number))
        made.set()
        msg = "of the jobs"
        raise KeyError(msg)

    for number, error, text in ((2, ValueError, "of a job"), (1, KeyError, "of the jobs")):
        found: list[int] = []
        made.clear()
        with pytest.raises(error, match=text):
            found.extend(in_parallel(jobs(number), workers))
        assert found == [0]


def test_results_come_in_order_and_few_at_a_time() -> None:
    taken: list[int] = []
    last = threading.Event()

    def job(number: int) -> int:
        if number == 0:
            assert last.wait(10)  # the first ends after the second
        elif number == 1:
            last.set()
        return number

    def jobs() -> Iterator[Callable[[], int]]:
        for number in range(9):
            taken.append(number)
            yield partial(job, number)

    results = in_parallel(jobs(), 2)
    assert next(results) == 0
    assert len(taken) == 3  # one more than there are threads
    assert [*results] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_an_error_comes_out_and_the_threads_end() -> None:
    def fails() -> int:
        raise KeyError

    with pytest.raises(KeyError):
        list(in_parallel([fails] * 5, 2))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("xw2v-read")]


def test_blas_has_one_thread_until_the_last_one_that_wants_it_is_done() -> None:
    """Blocks that overlap, as those of two models that are trained at once: the first to begin ends first."""

    def threads() -> list[int]:
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    with threadpool_limits(3, user_api="blas"):
        usual = threads()
        if max(usual, default=1) < 2:
            pytest.skip("this BLAS has one thread")
        with ExitStack() as first, ExitStack() as second:
            first.enter_context(one_blas_thread())
            second.enter_context(one_blas_thread())
            first.close()
            assert set(threads()) == {1}
            second.close()
            assert threads() == usual


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes that are forked")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_forked_while_another_thread_sets_blas_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    at_work = threading.Event()

    def slow(limits: int) -> Any:
        at_work.set()
        time.sleep(0.3)
        return threadpool_limits(limits)

    def work() -> None:
        with one_blas_thread():
            pass

    monkeypatch.setattr(parallel, "threadpool_limits", slow)
    thread = threading.Thread(target=work)
    thread.start()
    at_work.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        work()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()
