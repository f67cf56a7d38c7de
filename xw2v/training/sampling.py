"""Which words are kept and which are drawn as noise: tables made once from the counts, on the host.

Probabilities are turned into integers out of 2^32 here, so that a draw is decided by integer comparison and
comes out the same on every backend.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from xw2v.training.draws import below, high_half, low_half

__all__ = ["AliasTable", "alias_table", "draw_words", "keep_probabilities", "keep_thresholds", "noise_probabilities"]

Array = Any
_WHOLE = 1 << 32  # units: 32 random bits are compared with a number of them


def keep_probabilities(counts: np.ndarray, sample: float, formula: str = "word2vec") -> np.ndarray:
    """The probability that an occurrence of each word survives subsampling.

    Parameters
    ----------
    counts : (V,) integer array
    sample : float                       threshold t as a share of all occurrences; 0 keeps everything
    formula : "word2vec" or "paper"
        word2vec: (sqrt(f/t) + 1) t/f, which is what word2vec.c and gensim compute;
        paper: sqrt(t/f), Mikolov et al. 2013 eq. 5. f is the word's share of all occurrences.

    Returns
    -------
    (V,) float64 array in [0, 1]
    """
    counts = np.asarray(counts, dtype=np.float64)
    if sample == 0:
        return np.ones_like(counts)
    # A word that never occurs is never asked about; any number but a division by zero will do.
    ratio = sample * counts.sum() / np.maximum(counts, 1)
    kept = np.sqrt(ratio) + ratio if formula == "word2vec" else np.sqrt(ratio)
    probabilities: np.ndarray = np.minimum(kept, 1.0)
    return probabilities


def keep_thresholds(counts: np.ndarray, sample: float, formula: str = "word2vec") -> np.ndarray:
    """`keep_probabilities` as (V + 1,) int64 numbers out of 2^32: keep where 32 random bits are below.

    The last is 0: V is the number of tokens that are never kept, see `xw2v.training.validation`.
    """
    probabilities = np.append(keep_probabilities(counts, sample, formula), 0.0)
    thresholds: np.ndarray = np.round(probabilities * _WHOLE).astype(np.int64)
    return thresholds


def noise_probabilities(counts: np.ndarray, exponent: float = 0.75) -> np.ndarray:
    """The noise distribution: counts to a power, normalised. (V,) float64. Source: Mikolov et al. 2013, 2.2."""
    logs = exponent * np.log(np.maximum(np.asarray(counts, dtype=np.float64), 1.0))
    weights = np.exp(logs - logs.max())
    probabilities: np.ndarray = weights / weights.sum()
    return probabilities


class AliasTable(NamedTuple):
    """Columns of equal width; column i is word i below its threshold and word `alias[i]` above."""

    thresholds: Array  # (V,) int64, out of 2^32
    alias: Array  # (V,) int32


def alias_table(probabilities: np.ndarray) -> AliasTable:
    """The alias table of a distribution: two look-ups draw a word, however many words there are.

    Parameters
    ----------
    probabilities : (V,) float64 array, sums to 1

    Shares are taken in columns of 2^32 units, so that what is left of one column is exactly what others lack.

    Source: Walker 1977, "An efficient method for generating discrete random variables with general distributions"; that
    sums over columns in their order tell who fills which: Hübschle-Schneider and Sanders 2019 (arXiv:1903.00227).
    """
    V = len(probabilities)
    units = np.round(np.asarray(probabilities, dtype=np.float64) * V * _WHOLE).astype(np.int64)
    units[np.argmax(units)] += V * _WHOLE - units.sum()
    light, heavy = np.flatnonzero(units < _WHOLE), np.flatnonzero(units >= _WHOLE)
    lacks = _WHOLE - units[light]
    lacking, spare = np.cumsum(lacks), np.cumsum(units[heavy] - _WHOLE)
    thresholds, alias = np.minimum(units, _WHOLE), np.arange(V)
    # A light word's column is filled up by the first heavy word of which the light ones before it have left a column.
    alias[light] = heavy[np.searchsorted(spare, lacking - lacks)]
    # A heavy word that the last of them has left less than a column is filled up by the next heavy one.
    last = np.searchsorted(lacking, spare, side="right")
    short = np.flatnonzero(last < len(light))
    thresholds[heavy[short]] = _WHOLE + spare[short] - lacking[last[short]]
    alias[heavy[short]] = heavy[short + 1]
    return AliasTable(thresholds, alias.astype(np.int32))


def draw_words(table: AliasTable, bits: Array, *, xp: Any) -> Array:
    """A word for each 64 random bits: the upper half chooses the column, the lower decides within it.

    Parameters
    ----------
    table : AliasTable of arrays of xp
    bits : (...) int64 array

    Returns
    -------
    (...) int32 array of word ids
    """
    columns = below(high_half(bits), table.thresholds.shape[0])
    flat = xp.reshape(columns, (-1,))
    itself = xp.reshape(low_half(bits), (-1,)) < xp.take(table.thresholds, flat, axis=0)
    words = xp.where(itself, xp.astype(flat, xp.int32), xp.take(table.alias, flat, axis=0))
    return xp.reshape(words, bits.shape)
