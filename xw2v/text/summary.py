"""The words of a corpus that may be frequent, found in one pass that remembers only so many of them.

The summary of Misra and Gries (1982), fed with whole blocks as Agarwal et al. merge summaries (Mergeable Summaries,
PODS 2012): where it holds more than k words, the (k + 1)-th largest count is subtracted from all and those that
fall to zero are forgotten. With N tokens no count is too small by more than N / (k + 1), so every word that
occurs more often is in the summary. A second pass counts those words exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xw2v.text.blocks import TokenBlock
from xw2v.text.readers import Source
from xw2v.text.words import WordPile, Words, pack

__all__ = ["Summary", "only", "summarise"]


class Summary(NamedTuple):
    """Words that may be frequent.

    words : Arrow array, at most k words; tokens : N; overlooked : a word that is not here occurs at most so often
    """

    words: Words
    tokens: int
    overlooked: int


def summarise(blocks: Iterator[TokenBlock], k: int, room: int) -> Summary:
    """The summary of a corpus with k words, whose blocks' words take `room` bytes at most before they are looked at."""
    pile, tokens, overlooked = WordPile(), 0, 0
    for block in blocks:
        pile.add(block.words, np.bincount(block.codes, minlength=len(block.words)))
        tokens += len(block.codes)
        if pile.waiting > room:
            overlooked += _shortened(pile, k)
    overlooked += _shortened(pile, k)
    return Summary(pile.words, tokens, overlooked)


def _shortened(pile: WordPile, k: int) -> int:
    """Forget all words of a pile but k or fewer; what was subtracted from the counts of the others."""
    pile.settle()
    if len(pile.counts) <= k:
        return 0
    least = int(np.partition(pile.counts, -k - 1)[-k - 1])
    pile.counts -= least
    pile.keep(pile.counts > 0)
    return least


def only(source: Source, words: Words) -> Source:
    """A source of the same sentences, in which all other words are left out."""
    return replace(source, read=lambda files: (_restricted(block, words) for block in source.read(files)))


def _restricted(block: TokenBlock, words: Words) -> TokenBlock:
    wanted = pc.is_in(block.words, value_set=words).to_numpy(zero_copy_only=False)
    if wanted.all():
        return block
    keep = wanted[block.codes]
    before = np.zeros(len(keep) + 1, np.int64)
    np.cumsum(keep, out=before[1:])
    place = np.cumsum(wanted, dtype=np.int32) - 1
    left = block.words.filter(pa.array(wanted)) if wanted.any() else pack([])
    return block._replace(codes=place[block.codes[keep]].astype(np.int32), words=left, ends=before[block.ends])
