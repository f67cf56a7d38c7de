"""The trainer: walks the corpus in chunks, hands them to an engine, and reports. Knows no files and no screen."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from xw2v.backend import Backend
from xw2v.config import Config
from xw2v.errors import ConfigError, CorpusError, NumericalError
from xw2v.training.batches import SEGMENT, read_chunk
from xw2v.training.draws import Purpose, draw, high_half, stream_key
from xw2v.training.engines import ChunkResult, Engine, Tables
from xw2v.training.schedule import halving, linear

__all__ = ["Progress", "initial_tables", "train", "usable_cores"]

Array = Any

_SEGMENTS_A_CHUNK = 8  # 65,536 tokens: the cost of starting on a chunk vanishes, and Ctrl-C is soon noticed
_CHUNKS_AN_EPOCH = 32  # a small corpus is cut finer, so that there is something to report and to share out


@dataclass(frozen=True)
class Progress:
    """How far training has come, after a chunk."""

    epoch: int  # 0-based epoch that the chunk belongs to
    epochs: int
    step: int  # steps done
    words: int  # tokens of the encoded corpus done, over all epochs
    total_words: int  # words when all is done
    centers: int  # of them kept by subsampling
    pairs: int  # (centre, outside word) pairs trained
    loss: float  # of the last chunk: mean over its pairs, in nats
    center_loss: float  # of the last chunk: mean over its centres of the sum over their windows
    alpha: float  # learning rate
    seconds: float  # since training began
    words_per_second: float


def usable_cores() -> int:
    """How many cores this process may use: its affinity, and the CPU quota of its control group."""
    import os
    from pathlib import Path

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


def initial_tables(V: int, config: Config, backend: Backend) -> Tables:
    """Centre vectors uniform in ±1 / 2D by counter-based draws, outside vectors zero, as word2vec.c begins."""
    xp, D = backend.xp, config.vector_size
    counters = xp.arange(V * D, dtype=xp.int64, device=backend.device)
    bits = draw(stream_key(config.seed, Purpose.INITIAL), counters, xp=xp)
    # 24 bits are what a float32 holds exactly, so that every backend computes the same number.
    uniform = xp.astype(high_half(bits) >> 8, xp.float32) * 2.0**-24
    centers = xp.reshape((uniform - 0.5) / D, (V, D))
    return Tables(centers, xp.zeros((V, D), dtype=xp.float32, device=backend.device))


def train(
    tables: Tables, ids: np.ndarray, offsets: np.ndarray, config: Config, backend: Backend, engine: Engine
) -> Iterator[Progress]:
    """Train the tables in place; yields a record after every chunk.

    Parameters
    ----------
    tables : Tables                        on the backend's device; changed
    ids : (n,) integer array               the corpus, every id in 0 .. V-1; may be a memory map
    offsets : (sentences + 1,) int64 array
    config, backend, engine

    Raises
    ------
    CorpusError      fewer than two tokens
    ConfigError      the options do not go together
    NumericalError   the loss is not finite any more

    Notes
    -----
    A thread takes the next chunk as soon as it is free, and the tables are updated without locks. Where the
    generator is closed, or Ctrl-C comes, the threads stop within a step.
    """
    n = len(ids)
    if n < 2:
        msg = f"a corpus of at least 2 words is wanted, got {n}"
        raise CorpusError(msg)
    workers = _workers(config, backend)
    segments = -(-n // SEGMENT)
    size = SEGMENT * max(1, min(_SEGMENTS_A_CHUNK, segments // _CHUNKS_AN_EPOCH))
    walk = _Walk(n, size, config)
    began = time.perf_counter()
    stop = threading.Event()

    def work(epoch: int, start: int) -> ChunkResult:
        chunk = read_chunk(ids, offsets, start, min(start + size, n))
        first_word, first_step = epoch * n + start, walk.steps

        def rate(words: int, step: int) -> float | None:
            return None if stop.is_set() else walk.alpha(first_word + words, first_step + step)

        return engine.train_chunk(tables, chunk, epoch, rate)

    with ExitStack() as stack:
        if workers > 1:
            # Threads of ours share out the work; BLAS threads on top of them would only get in their way.
            stack.enter_context(threadpool_limits(1))
        pool = stack.enter_context(ThreadPoolExecutor(workers, thread_name_prefix="xw2v"))
        stack.callback(stop.set)  # runs before the pool waits for its threads
        under_way: deque[tuple[int, int, Future[ChunkResult]]] = deque()
        for epoch, start in walk:
            under_way.append((epoch, start, pool.submit(work, epoch, start)))
            if len(under_way) >= (2 * workers if workers > 1 else 1):
                yield walk.record(*_finished(under_way), began)
        while under_way:
            yield walk.record(*_finished(under_way), began)


def _finished(under_way: deque[tuple[int, int, Future[ChunkResult]]]) -> tuple[int, int, ChunkResult]:
    """The oldest chunk under way, when it is done."""
    epoch, start, future = under_way[0]
    result = future.result()
    under_way.popleft()
    return epoch, start, result


class _Walk:
    """Which chunk comes next, and the sums over those that are done."""

    def __init__(self, n: int, size: int, config: Config) -> None:
        self.n, self.size, self.config = n, size, config
        self.steps = self.centers = self.pairs = 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = 0
        while not self._over(epoch):
            for start in range(0, self.n, self.size):
                if self._over(epoch):
                    return
                yield epoch, start
            if self.config.steps is not None and self.steps == 0:
                msg = f"no step in a whole epoch: subsampling with sample={self.config.sample} left no word; raise it"
                raise ConfigError(msg)
            epoch += 1

    def _over(self, epoch: int) -> bool:
        if self.config.steps is not None:
            return self.steps >= self.config.steps
        return epoch >= self.config.epochs

    def alpha(self, words: int, step: int) -> float | None:
        """The learning rate at a place of the run, or None past its end."""
        config = self.config
        if config.steps is not None and step >= config.steps:
            return None
        if config.schedule == "halving":
            return halving(config.alpha, config.halve_every, step)
        done = step / config.steps if config.steps is not None else words / (config.epochs * self.n)
        return linear(config.alpha, config.min_alpha, done)

    def record(self, epoch: int, start: int, result: ChunkResult, began: float) -> Progress:
        self.steps += result.steps
        self.centers += result.centers
        self.pairs += result.pairs
        if not np.isfinite(result.loss):
            msg = (
                f"the loss is {result.loss} in epoch {epoch + 1}: training diverged; "
                f"lower alpha ({self.config.alpha}), batch_size, or max_update_norm ({self.config.max_update_norm})"
            )
            raise NumericalError(msg)
        words = epoch * self.n + min(start + self.size, self.n)
        seconds = time.perf_counter() - began
        return Progress(
            epoch=epoch,
            epochs=self._epochs(words),
            step=self.steps,
            words=words,
            total_words=self._total_words(words),
            centers=self.centers,
            pairs=self.pairs,
            loss=result.loss / max(result.pairs, 1),
            center_loss=result.loss / max(result.centers, 1),
            alpha=self.alpha(words, self.steps) or self.alpha(words, max(self.steps - 1, 0)) or 0.0,
            seconds=seconds,
            words_per_second=words / seconds,
        )

    def _total_words(self, words: int) -> int:
        """Words in the whole run; where the number of steps decides, as estimated from those done."""
        if self.config.steps is None:
            return self.config.epochs * self.n
        return words * self.config.steps // max(self.steps, 1)

    def _epochs(self, words: int) -> int:
        return self.config.epochs if self.config.steps is None else -(-self._total_words(words) // self.n)


def _workers(config: Config, backend: Backend) -> int:
    """Threads to train with: one where a GPU does the work or where the order of steps has a meaning."""
    ordered = config.steps is not None or config.schedule == "halving"
    if ordered and config.workers is not None and config.workers > 1:
        msg = f"steps and schedule='halving' count steps in order, so workers must be 1, got {config.workers}"
        raise ConfigError(msg)
    if backend.name != "numpy" or ordered:
        return 1
    if config.loss == "softmax":
        return 1  # its products are large: BLAS shares them out better than we could
    return config.workers if config.workers is not None else usable_cores()
