"""Which chunk comes next, the learning rate there, and where a run stands: what a resumed run must know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from xw2v.config import Config
from xw2v.errors import ConfigError
from xw2v.training import batches
from xw2v.training.engines import AheadEngine, ChunkResult, Engine
from xw2v.training.schedule import halving, linear

__all__ = ["MeanLoss", "Place", "Position", "Progress", "Walk", "chunk_size", "mean_loss", "segments_for"]

_SEGMENTS_A_CHUNK = 8  # 65,536 tokens: the cost of starting on a chunk vanishes, and Ctrl-C is soon noticed
_MOST_WORK = 1.5e9  # multiply-adds of a chunk, counted below: a core does them in less than half a second
_CHUNKS_AN_EPOCH = 32  # a small corpus is cut finer, so that there is something to report and to share out
_WORKERS = 16  # that one thread can hand out such chunks to; more get larger ones, where there are enough


@dataclass(frozen=True, slots=True)
class Progress:
    """How far training has come, after a chunk."""

    epoch: int  # 0-based epoch that the chunk belongs to
    epochs: int
    step: int  # steps done
    words: int  # tokens of the encoded corpus done, over all epochs
    total_words: int  # words when all is done
    centers: int  # of them kept by subsampling
    pairs: int  # (centre, outside word) pairs trained
    loss: float  # of the last chunk: mean over its pairs, in nats; 0 where it has none
    center_loss: float  # of the last chunk: mean over its centres of the sum over their windows
    alpha: float  # learning rate
    seconds: float  # since training began; of a resumed run, in all its parts
    words_per_second: float

    @property
    def has_loss(self) -> bool:
        """Whether the last chunk had a pair: not where its sentences are kept aside, or have a word each."""
        return self.loss > 0


class MeanLoss(NamedTuple):
    """Of an epoch, in nats."""

    loss: float  # a pair
    center_loss: float  # a centre


def mean_loss(history: Sequence[Progress], epoch: int) -> MeanLoss:
    """Those of an epoch that there are records of, each chunk's weighed by its pairs and centres.

    Where none has a loss it is the last record's: an interrupted run may have lost the epoch's.
    """
    pairs = centers = before_pairs = before_centers = 0
    loss = center_loss = 0.0
    for record in history:
        if record.epoch == epoch and record.has_loss:
            new_pairs, new_centers = record.pairs - before_pairs, record.centers - before_centers
            pairs, centers = pairs + new_pairs, centers + new_centers
            loss, center_loss = loss + new_pairs * record.loss, center_loss + new_centers * record.center_loss
        before_pairs, before_centers = record.pairs, record.centers
    if not pairs or not centers:
        return MeanLoss(history[-1].loss, history[-1].center_loss)
    return MeanLoss(loss / pairs, center_loss / centers)


class Place(NamedTuple):
    """A chunk of the walk."""

    epoch: int
    start: int  # position of its first token
    steps: int = 0  # at its head, done before the run was stopped inside it


@dataclass(frozen=True)
class Position:
    """Where a run stands while no chunk is under way.

    Draws are functions of the place in the corpus, so with the tables this is all that the rest of the run
    depends on.
    """

    size: int  # tokens of a chunk
    epoch: int = 0  # the next chunk that nobody has taken
    start: int = 0
    begun: tuple[Place, ...] = ()  # chunks before it that are not whole
    steps: int = 0
    centers: int = 0
    pairs: int = 0
    seconds: float = 0.0
    ended: int = 0  # epochs whose end was looked at, or that nobody wanted to look at

    def resized(self, size: int) -> Position:
        """The same place in chunks of another size, unless a chunk is under way: that one keeps its end."""
        return self if self.begun else replace(self, size=size)


def chunk_size(n: int, config: Config, engine: Engine, workers: int = 1) -> int:
    """Tokens of a chunk for a corpus of n tokens and so many workers; an engine may want fewer and larger ones."""
    segments = -(-n // batches.SEGMENT)
    if isinstance(engine, AheadEngine):
        return batches.SEGMENT * max(1, min(engine.chunk_segments, segments // engine.chunks_an_epoch))
    few = engine.chunk_segments or _SEGMENTS_A_CHUNK
    most = engine.chunk_segments or segments_for(config, _MOST_WORK)
    times = max(1, workers // _WORKERS)
    wanted = max(min(factor * few, segments // (factor * _CHUNKS_AN_EPOCH)) for factor in (1, times))
    return batches.SEGMENT * max(1, min(most, wanted))


def segments_for(config: Config, work: float) -> int:
    """Segments of so many multiply-adds on a CPU, at least one.

    A fused engine stops between chunks, and Ctrl-C must not wait for long: large vectors have small chunks. A segment
    of exact softmax takes long enough as it is, and what is lost with a killed run is counted in chunks.
    """
    if config.loss == "softmax":
        return 1
    noise = 2 * config.window * config.negative if config.negatives == "pair" else config.group_negatives or 32
    return max(1, int(work / (config.vector_size * (noise + config.window) * batches.SEGMENT)))


class Walk:
    """Hands out the chunks of a run in order, and keeps the sums over those that are done.

    Parameters
    ----------
    n : int               tokens of the corpus
    config : Config
    position : Position   where to begin
    """

    def __init__(self, n: int, config: Config, position: Position) -> None:
        self.n, self.config, self.size = n, config, position.size
        self.epoch, self.start = position.epoch, position.start
        self.begun = list(position.begun)
        self.steps, self.centers, self.pairs = position.steps, position.centers, position.pairs
        self.ended = position.ended

    def __iter__(self) -> Iterator[Place]:
        while self.begun:
            yield self.begun.pop(0)
        while not self._over():
            place = Place(self.epoch, self.start)
            self.epoch, self.start = self._after(place)
            yield place

    @property
    def words(self) -> int:
        """Tokens handed out, over all epochs."""
        return self.epoch * self.n + self.start

    def _over(self) -> bool:
        if self.config.steps is None:
            return self.epoch >= self.config.epochs
        if self.epoch > 0 and self.steps == 0:
            why = f"subsampling with sample={self.config.sample} left no word; raise it"
            if self.config.sample == 0:
                why = "no two words that are trained on stand in one sentence"
            msg = f"no step in a whole epoch: {why}"
            raise ConfigError(msg)
        return self.steps >= self.config.steps

    def _after(self, place: Place) -> tuple[int, int]:
        """Epoch and start of the chunk that comes after one."""
        start = place.start + self.size
        return (place.epoch, start) if start < self.n else (place.epoch + 1, 0)

    def position(self, begun: list[Place], seconds: float) -> Position:
        """Where the run stands, given the chunks that were handed out and are not whole."""
        left, (epoch, start) = begun + self.begun, (self.epoch, self.start)
        # The last ones, if nobody began them, are as if they had not been handed out: they need not keep their size.
        while left and left[-1].steps == 0 and self._after(left[-1]) == (epoch, start):
            epoch, start, _ = left.pop()
        return Position(self.size, epoch, start, tuple(left), self.steps, self.centers, self.pairs, seconds, self.ended)

    def epoch_is_handed_out(self) -> bool:
        """Whether nothing is left to hand out of the epoch that is to end next."""
        if self.begun:
            return self.begun[0].epoch > self.ended
        # An epoch in which the steps run out ends there.
        cut = self.config.steps is not None and self.steps >= self.config.steps and self.start > 0
        return self.epoch + cut > self.ended

    def alpha(self, words: int, step: int) -> float | None:
        """The learning rate at a place of the run, or None past its end."""
        config = self.config
        if config.steps is not None and step >= config.steps:
            return None
        if config.schedule == "halving":
            return halving(config.alpha, config.halve_every, step)
        done = step / config.steps if config.steps is not None else words / (config.epochs * self.n)
        return linear(config.alpha, config.min_alpha, done)

    def add(self, result: ChunkResult) -> None:
        """Count what was trained of a chunk."""
        self.steps += result.steps
        self.centers += result.centers
        self.pairs += result.pairs

    def record(self, place: Place, result: ChunkResult, seconds: float) -> Progress:
        """The record after a chunk that is whole and counted."""
        words = place.epoch * self.n + min(place.start + self.size, self.n)
        return Progress(
            epoch=place.epoch,
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
