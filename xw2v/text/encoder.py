"""A corpus in two passes: words counted, then tokens numbered by frequency.

The first pass reads the source and writes the tokens of each block as ids of the block's own words (`runs`). When
all counts are known the vocabulary is chosen (`merging`), and the second pass, over the numbers alone, writes token
ids and sentence offsets. Memory grows with the vocabulary that is chosen, not with the text or its distinct words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from xw2v.errors import ConfigError, CorpusError
from xw2v.parallel import in_parallel, usable_cores
from xw2v.text.blocks import TokenBlock
from xw2v.text.merging import Choice, choose
from xw2v.text.parts import Workspace
from xw2v.text.readers import Source
from xw2v.text.runs import BlockPlace, Part, Run, block_codes
from xw2v.text.spool import ID, OFFSET, Spool
from xw2v.text.summary import Summary, only, summarise
from xw2v.text.vocabulary import Vocabulary
from xw2v.text.words import Words, pack, parts_of

__all__ = ["OnEncode", "encode_blocks", "read_parts"]

OnEncode = Callable[[int, int | None, int], None]
"""Called with (bytes read, bytes in all or None, words so far)."""

Report = Callable[[int, int], None]
"""Called with (bytes read, words so far)."""


class Encoded(NamedTuple):
    """What became of a source.

    vocabulary : the V words chosen; raw_words : words of the source, before any was left out
    overlooked : a word that is missing though it is frequent enough may occur so often
    """

    vocabulary: Vocabulary
    raw_words: int
    overlooked: int


def encode_blocks(
    source: Source, ids: Spool, offsets: Spool, workspace: Workspace, choice: Choice, progress: OnEncode | None
) -> Encoded:
    """Read all of `source` into the two files.

    Raises
    ------
    CorpusError   there are no words, or none is as frequent as `min_count`.
    ConfigError   `max_vocab_size` is given, and the source can be read only once.
    """
    summary, size = None, source.total_bytes
    tell = progress or (lambda *_: None)
    if choice.max_vocab_size is not None:
        summary = _summary(source, workspace.room, choice, choice.max_vocab_size, tell)
        source = only(source, summary.words)
        workspace.begin({"words": _digest(summary.words)})
    else:
        workspace.begin({})
    parts = _gather(source, workspace, tell)
    total = sum(part.tokens for part in parts)
    if not total:
        msg = f"{source.name} holds no words"
        raise CorpusError(msg)
    runs = [run for part in parts for run in part.runs]
    vocabulary = choose(runs, workspace.room, choice, source.name)

    def report(tokens: int) -> None:
        tell((size or 0) * tokens // total, size, tokens)

    _number(runs, pack(vocabulary.words), ids, offsets, report)
    pa.default_memory_pool().release_unused()  # 80 MiB that training, which comes next, has another use for
    if summary is None:
        return Encoded(vocabulary, total, 0)
    return Encoded(vocabulary, summary.tokens, summary.overlooked)


def _summary(source: Source, room: int, choice: Choice, k: int, progress: OnEncode) -> Summary:
    """The words that may be frequent, and those that are known."""
    if not source.again:
        msg = f"max_vocab_size reads a source twice, and {source.name} can be read only once; write it to a file"
        raise ConfigError(msg)
    watched = _watched(source.blocks, lambda done, words: progress(done, source.total_bytes, words))
    summary = summarise(watched, k, room)
    if summary.tokens and not len(summary.words):
        msg = (
            f"no word of {source.name} surely occurs more often than {summary.overlooked} times: "
            f"raise max_vocab_size ({k})"
        )
        raise CorpusError(msg)
    if choice.known is None:
        return summary
    both = pa.concat_arrays([pack(choice.known.words), summary.words])
    return summary._replace(words=both.unique())


def _digest(words: Words) -> str:
    lengths, letters = parts_of(words)
    return hashlib.sha256(lengths.tobytes() + letters.tobytes()).hexdigest()


def _watched(blocks: Iterator[TokenBlock], report: Report) -> Iterator[TokenBlock]:
    """The blocks, with a report after each."""
    words = 0
    for block in blocks:
        yield block
        words += len(block.codes)
        report(block.done, words)


def _gather(source: Source, workspace: Workspace, progress: OnEncode) -> list[Part]:
    """All parts of the source; those that the workspace has already are not read again."""
    bytes_before = workspace.bytes_of(workspace.done)
    words_before = sum(part.tokens for part in workspace.done.values())

    def report(done: int, words: int) -> None:
        progress(bytes_before + done, source.total_bytes, words_before + words)

    read_parts(source, workspace, workspace.missing, report)
    return [part for _, part in sorted(workspace.done.items())]


def read_parts(source: Source, workspace: Workspace, numbers: Sequence[int], report: Report) -> None:
    """Read the parts with these numbers, in order, into the workspace.

    Parameters
    ----------
    report : called after each block with the bytes and words read of these parts
    """
    blocks = _watched(source.read(workspace.files_of(numbers)), report)
    for number, those in groupby(blocks, lambda block: workspace.part_of(block.file)):
        part = workspace.new_part(number)
        for block in those:
            part.add(block)
        workspace.keep(number, part)
    for number in numbers:
        if number not in workspace.done:  # its files hold no words
            workspace.keep(number, workspace.new_part(number))


class _Numbered(NamedTuple):
    """A block after the second pass."""

    tokens: int  # before words were left out
    ids: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]  # ids before each sentence end


def _number(runs: Sequence[Run], vocabulary: Words, ids: Spool, offsets: Spool, report: Callable[[int], None]) -> None:
    """Write the ids of all tokens in the vocabulary, and the ends of the sentences of which any is left."""
    kept, done, last = 0, 0, -1

    def end_sentences(ends: npt.NDArray[np.int64]) -> None:
        nonlocal last
        ends = ends[np.diff(ends, prepend=last) > 0]  # they never fall; repeats, of `last` too, are left out
        if len(ends):
            offsets.append(ends, OFFSET)
            last = int(ends[-1])

    end_sentences(np.array([0]))
    for block in in_parallel(_jobs(runs, vocabulary), usable_cores()):
        end_sentences(kept + block.ends.astype(np.int64))
        ids.append(block.ids, ID)
        kept, done = kept + len(block.ids), done + block.tokens
        report(done)
    end_sentences(np.array([kept]))
    ids.flush()
    offsets.flush()


def _jobs(runs: Sequence[Run], vocabulary: Words) -> Iterator[Callable[[], _Numbered]]:
    """One call a block, to be made in any thread."""
    for run in runs:
        lookup = _lookup(run, vocabulary)
        for place in run.blocks:
            yield partial(_numbered, run, place, lookup)


def _lookup(run: Run, vocabulary: Words) -> npt.NDArray[np.int32]:
    """The id of each of a run's words, -1 where it has none."""
    counted = run.read(0, run.size)
    ids = pc.index_in(counted.words, value_set=vocabulary).fill_null(-1).to_numpy()
    lookup = np.full(run.size, -1, np.int32)
    lookup[counted.numbers] = ids
    return lookup


def _numbered(run: Run, place: BlockPlace, lookup: npt.NDArray[np.int32]) -> _Numbered:
    codes, ends, numbers = block_codes(run, place)
    new = lookup.take(numbers).take(codes)
    keep = new >= 0
    if keep.all():
        return _Numbered(place.tokens, new, ends)
    before = np.zeros(len(codes) + 1, np.int32)
    np.cumsum(keep, out=before[1:])
    return _Numbered(place.tokens, new.compress(keep), before[ends])
