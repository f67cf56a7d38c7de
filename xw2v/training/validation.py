"""Sentences kept aside from training, and the loss on them.

What is kept aside as a whole is a sentence, or the part of a longer one that lies in one segment of 8,192 tokens:
windows never reach out of either. Which ones is drawn by their place in the corpus and the seed alone, so it is the
same in every epoch, with any number of workers, and after a resume.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from xw2v.backend import Backend
from xw2v.config import Config
from xw2v.errors import ConfigError
from xw2v.losses import signed_loss, softmax_expectation
from xw2v.parallel import in_parallel, usable_cores
from xw2v.training import batches
from xw2v.training.batches import Chunk, Groups, Windows, keep_tokens_at, read_chunk, take_rows, windows_of
from xw2v.training.draws import Purpose, draw, low_half, stream_key
from xw2v.training.engines import Tables
from xw2v.training.sampling import AliasTable, alias_table, draw_words, keep_thresholds, noise_probabilities

__all__ = ["TrainingIds", "Validation", "kept_aside"]

Array = Any

_EPOCH = -1  # of the draws made here: training's are 0 and later
_READ = 64  # segments looked at together
_GROUP_NEGATIVES = 32  # noise words a group
_CENTERS = {"numpy": 1024, "cupy": 2**16}  # whose rows are read at a time
_SOFTMAX_CENTERS = {"numpy": 128, "cupy": 2**12}
_SOFTMAX_TILE = 2**15  # words whose scores are held at a time


def kept_aside(chunk: Chunk, config: Config) -> np.ndarray:
    """(R,) bool: which tokens of a chunk on the host are never trained on."""
    begins = np.concatenate(([0], np.flatnonzero(chunk.sentences[1:] != chunk.sentences[:-1]) + 1))
    bits = draw(stream_key(config.seed, Purpose.ASIDE), chunk.start + begins)
    aside = low_half(bits) < round(config.validation_fraction * 2**32)
    return np.repeat(aside, np.diff(begins, append=len(chunk.ids)))


class TrainingIds:
    """The ids of a corpus, V in place of those kept aside: a number that subsampling never keeps.

    Parameters
    ----------
    ids, offsets   the corpus, as `read_chunk` takes it
    V : int        words of the vocabulary
    """

    def __init__(self, ids: np.ndarray, offsets: np.ndarray, V: int, config: Config) -> None:
        self._ids, self._offsets, self._V, self._config = ids, offsets, V, config

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, tokens: slice) -> np.ndarray:
        """The ids of whole segments."""
        chunk = read_chunk(self._ids, self._offsets, tokens.start, tokens.stop)
        ids = np.array(chunk.ids)
        ids[kept_aside(chunk, self._config)] = self._V
        return ids


class Validation:
    """The loss on what is kept aside, by the same draws every time.

    Parameters
    ----------
    ids, offsets   the corpus, as `read_chunk` takes it
    counts : (V,) integer array
    config, backend

    Attributes
    ----------
    words : int   tokens kept aside, before subsampling

    Raises
    ------
    ConfigError   no pair of words is kept aside, or all of them are

    Notes
    -----
    Tokens, windows and noise words are drawn as for training, once. Negative sampling is computed for groups of centres
    that share 32 noise words, whatever `negatives` says: the expectation is the same.
    """

    def __init__(
        self, ids: np.ndarray, offsets: np.ndarray, counts: np.ndarray, config: Config, backend: Backend
    ) -> None:
        self.config, self.backend = config, backend
        tokens, sentences, positions = _tokens_aside(ids, offsets, config)
        self.words = len(tokens)
        b, m = config.group_size, config.window
        kept = keep_tokens_at(
            tokens,
            sentences,
            positions,
            thresholds=keep_thresholds(counts, config.sample, config.subsampling),
            key=stream_key(config.seed, Purpose.TOKEN, _EPOCH),
            window=m,
            shrink=config.shrink_windows,
            pad=m + b,
            xp=np,
        )
        inner = kept.sentences[kept.pad : len(kept.sentences) - kept.pad]
        # Neighbours in a sentence are a pair, however short the window.
        if not np.any(inner[1:] == inner[:-1]) or self.words == len(ids):
            what = "all words" if self.words == len(ids) else "no pair of words"
            msg = (
                f"validation_fraction={config.validation_fraction} keeps {what} of this corpus of {len(ids):,} words "
                f"aside: a sentence, or {batches.SEGMENT:,} words of a longer one, goes as a whole; take another "
                "share, or more text"
            )
            raise ConfigError(msg)
        self._n = len(inner)
        self._kept = kept._replace(
            **{name: backend.from_host(array) for name, array in kept._asdict().items() if name != "pad"}
        )
        self._noise = AliasTable(*map(backend.from_host, alias_table(noise_probabilities(counts, config.ns_exponent))))

    def loss(self, tables: Tables, stopped: Callable[[], bool] = lambda: False) -> float | None:
        """The mean over the pairs of the loss that training minimises, in nats; None where `stopped` says so."""
        self.backend.attach()  # a callback may have taken another device
        xp, config, b = self.backend.xp, self.config, self.config.group_size
        softmax = config.loss == "softmax"
        measure, centers = (_softmax, _SOFTMAX_CENTERS) if softmax else (_negative_sampling, _CENTERS)
        step = b * max(1, centers.get(self.backend.name, centers["numpy"]) // b)
        total = pairs = xp.zeros((), dtype=xp.float64, device=self.backend.device)
        for start in range(0, self._n, step):
            if stopped():
                return None
            windows = self._windows(start, min(start + step, self._n))
            total = total + measure(tables, windows, self)
            pairs = pairs + xp.sum(xp.astype(windows.positives, xp.float64))
        return float(total) / float(pairs)

    def _windows(self, start: int, stop: int) -> Windows:
        """The windows of some of the centres kept aside."""
        xp, pad, b = self.backend.xp, self._kept.pad, self.config.group_size
        first = xp.arange(pad + start, pad + stop, b, dtype=xp.int64, device=self.backend.device)
        return windows_of(self._kept, Groups(first, xp.full_like(first, pad + self._n)), b, self.config.window, xp=xp)

    def noise(self, positions: Array) -> Array:
        """(G, S) ids of the noise words of groups that begin at these places of the corpus."""
        xp = self.backend.xp
        places = xp.arange(_GROUP_NEGATIVES, dtype=xp.int64, device=self.backend.device)
        key = stream_key(self.config.seed, Purpose.NOISE, _EPOCH)
        return draw_words(self._noise, draw(key, positions[:, None] * _GROUP_NEGATIVES + places), xp=xp)


def _negative_sampling(tables: Tables, windows: Windows, validation: Validation) -> Array:
    """The sum of the loss over some groups."""
    xp = validation.backend.xp
    centers = take_rows(tables.center_vectors, windows.center_ids, xp=xp)
    positives = xp.astype(windows.positives, centers.dtype)
    weights = xp.sum(positives, axis=-1) * (validation.config.negative / _GROUP_NEGATIVES)
    contexts = take_rows(tables.outside_vectors, windows.context_ids, xp=xp)
    noise = take_rows(tables.outside_vectors, validation.noise(windows.positions), xp=xp)
    attracted = signed_loss(centers, contexts, positives, contexts.shape[-2])
    repelled = signed_loss(centers, noise, weights[..., None], 0)
    return xp.sum(attracted + repelled, dtype=xp.float64)


def _softmax(tables: Tables, windows: Windows, validation: Validation) -> Array:
    """The same of the exact softmax: for each centre, J = n logsumexp(U v) - Σ_o u_o·v."""
    xp = validation.backend.xp
    centers = take_rows(tables.center_vectors, windows.center_ids, xp=xp)
    positives = xp.astype(windows.positives, centers.dtype)
    observed = xp.matmul(positives, take_rows(tables.outside_vectors, windows.context_ids, xp=xp))
    flat = xp.reshape(centers, (-1, centers.shape[-1]))
    pairs = xp.reshape(xp.sum(positives, axis=-1), (-1,))
    expected = softmax_expectation(flat, pairs, tables.outside_vectors, _SOFTMAX_TILE)
    return xp.sum(pairs * expected.log_normalizer, dtype=xp.float64) - xp.sum(centers * observed, dtype=xp.float64)


def _tokens_aside(ids: np.ndarray, offsets: np.ndarray, config: Config) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids, sentence numbers and places in the corpus of all tokens that are kept aside; other sentences have none."""
    step = _READ * batches.SEGMENT

    def part(start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        chunk = read_chunk(ids, offsets, start, min(start + step, len(ids)))
        (aside,) = np.nonzero(kept_aside(chunk, config))
        found, sentences = np.unique(chunk.sentences[aside], return_inverse=True)
        return chunk.ids[aside], sentences.astype(np.int32), start + aside, len(found)

    jobs = (partial(part, start) for start in range(0, len(ids), step))
    parts, numbers = [], 0
    for tokens, sentences, positions, count in in_parallel(jobs, usable_cores()):
        parts.append((tokens, sentences + np.int32(numbers), positions))
        numbers += count
    tokens, sentences, positions = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return tokens, sentences, positions
