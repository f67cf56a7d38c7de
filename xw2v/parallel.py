"""How many cores there are, calls made by several threads, and BLAS kept from having threads of its own."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

__all__ = ["in_parallel", "one_blas_thread", "usable_cores"]

Result = TypeVar("Result")

_blas_lock = threading.Lock()
_blas_limits: list[Any] = []  # an entry for every block under way; the first remembers what BLAS had before
if hasattr(os, "register_at_fork"):
    # A lock that another thread holds at the fork would be held in the child for good.
    os.register_at_fork(
        before=_blas_lock.acquire, after_in_parent=_blas_lock.release, after_in_child=_blas_lock.release
    )


def usable_cores() -> int:
    """How many cores this process may use: its affinity, and the CPU quota of its control group."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cores = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()[:2]
        if quota != "max":
            cores = min(cores, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):
        pass
    return max(1, cores)


def in_parallel(jobs: Iterable[Callable[[], Result]], workers: int) -> Iterator[Result]:
    """The results of the jobs in order; at most workers + 1 jobs or results are in memory. One worker is the caller.

    Errors come in order, too, whether a job raises them or whoever makes the jobs.
    """
    jobs = _failing_in_turn(jobs)
    if workers <= 1:
        yield from (job() for job in jobs)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="xw2v-read") as pool:
        running: deque[Future[Result]] = deque()
        try:
            for job in jobs:
                running.append(pool.submit(job))
                if len(running) > workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()


def _failing_in_turn(jobs: Iterable[Callable[[], Result]]) -> Iterator[Callable[[], Result]]:
    """The jobs; an error of whoever makes them is a last job, for those before it may fail as well."""
    try:
        yield from jobs
    except Exception as error:
        failure = error

        def fail() -> Result:
            raise failure

        yield fail


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS works with one thread in the block. Blocks of several threads may overlap in any order.

    The number belongs to the whole process: if each block put back what it found, one that began in another's time
    and ended after it would put back the one thread, for good.
    """
    with _blas_lock:
        _blas_limits.append(_blas_limits[0] if _blas_limits else threadpool_limits(1))
    try:
        yield
    finally:
        with _blas_lock:
            limits = _blas_limits.pop()
            if not _blas_limits:
                limits.restore_original_limits()
