"""Any corpus made into an encoded one, as `encode` does, in steps: so several processes can share the reading."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from xw2v.errors import ConfigError, FileAccessError
from xw2v.files import beside, put_right, taking_place
from xw2v.text.encoder import OnEncode, encode_blocks, read_parts
from xw2v.text.manifest import (
    IDS_NAME,
    OFFSETS_NAME,
    PARTS_ENDING,
    check_target,
    finish_folder,
    vocabulary_options,
)
from xw2v.text.memory import MEMORY, Shares, memory_bytes, shares
from xw2v.text.merging import Choice
from xw2v.text.parts import FolderWorkspace, folder_workspace, left_parts, temporary_workspace
from xw2v.text.readers import Source, default_workers, open_source
from xw2v.text.spool import ID, MEMORY_BYTES, OFFSET, Spool, spool_file, temporary_place
from xw2v.text.store import EncodedCorpus, loaded, reusable
from xw2v.text.vocabulary import Vocabulary

__all__ = ["EncodeOptions", "Encoding", "encode_for_a_while", "encoding", "write_parts"]


class EncodeOptions(NamedTuple):
    """How a corpus is encoded: arguments of `encode`."""

    min_count: int = 5
    max_final_vocab: int | None = None
    max_vocab_size: int | None = None
    lower: bool = False
    errors: str = "strict"
    column: str | None = None
    known: Vocabulary | None = None
    memory: int | str = MEMORY

    @property
    def choice(self) -> Choice:
        """What becomes the vocabulary."""
        return Choice(self.min_count, self.max_final_vocab, self.known, self.max_vocab_size)

    @property
    def reading(self) -> dict[str, Any]:
        """What words are read from a file."""
        return {"lower": bool(self.lower), "errors": self.errors, "column": self.column}

    def record(self, stamps: list[dict[str, Any]] | None) -> dict[str, Any]:
        """For the manifest: what was encoded how."""
        record: dict[str, Any] = {
            "source": stamps,
            "min_count": int(self.min_count),
            "max_final_vocab": None if self.max_final_vocab is None else int(self.max_final_vocab),
            "max_vocab_size": None if self.max_vocab_size is None else int(self.max_vocab_size),
            **self.reading,
        }
        if self.known is not None:
            record["known"] = hashlib.sha256(json.dumps(self.known.words).encode()).hexdigest()
        return record

    def opened(self, source: Any, workers: int | None = None, sharing: int = 1) -> tuple[Source, Shares]:
        """A source to be read by so many threads, in this process's share of the memory, and that share.

        Raises
        ------
        As `encode`.
        """
        self._check()
        workers = default_workers() if workers is None else workers
        share = shares(memory_bytes(self.memory) // sharing, workers)
        return open_source(source, **self.reading, workers=workers, share=share), share

    def _check(self) -> None:
        limits = (("max_final_vocab", self.max_final_vocab, 1), ("max_vocab_size", self.max_vocab_size, 1))
        for name, value, low in (("min_count", self.min_count, 0), *limits):
            if value is None and name != "min_count":
                continue
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < low:
                msg = f"{name} must be an integer >= {low}, got {value!r}"
                raise ConfigError(msg)


def encode_for_a_while(source: Any, options: EncodeOptions, progress: OnEncode | None) -> EncodedCorpus:
    """A corpus in memory, beyond 64 MiB in unnamed temporary files. See `encode`."""
    opened, share = options.opened(source)
    place = temporary_place()
    with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as ids, tempfile.SpooledTemporaryFile(MEMORY_BYTES) as ends:
        with temporary_workspace(share.words) as work:
            found = encode_blocks(opened, Spool(ids, place), Spool(ends, place), work, options.choice, progress)
        arrays = loaded(ids, ID), loaded(ends, OFFSET)
        known = vocabulary_options(options.record(None))
        return EncodedCorpus(*arrays, found.vocabulary, found.raw_words, overlooked=found.overlooked, options=known)


class Encoding:
    """An encoding into a folder that has begun; see `encoding`.

    Attributes
    ----------
    folder : Path   where the corpus is to lie
    source : Source
    reused : EncodedCorpus or None      it lies there already: nothing is read
    workspace : FolderWorkspace or None    the parts of the corpus, where it is read
    """

    def __init__(self, folder: Path, source: Source, options: EncodeOptions) -> None:
        self.folder, self.source, self._options = folder, source, options
        self.reused: EncodedCorpus | None = None
        self.workspace: FolderWorkspace | None = None
        self._unfinished: Path | None = None  # the folder that will take the place of `folder`

    @contextmanager
    def _begun(self, room: int) -> Iterator[Encoding]:
        stamps, reading = self.source.stamps, self._options.reading
        check_target(self.folder, stamps)
        self.reused = reusable(self.folder, self._options.record(stamps))
        parts = self.folder.with_name(self.folder.name + PARTS_ENDING)
        if self.reused is not None:
            # Killed after the corpus took its place: its parts are of no more use.
            put_right(self.folder, left_parts(parts, self.folder / IDS_NAME))
            yield self
            return
        # Parts go when the corpus is in its place, and before another process may begin.
        with (
            beside(self.folder) as self._unfinished,
            folder_workspace(parts, room, reading, stamps) as self.workspace,
            taking_place(self._unfinished, self.folder),
        ):
            yield self
            assert self._unfinished is None, "nothing was written: finish() was not called"

    def missing(self) -> list[int]:
        """The numbers of the parts that are not read, where any process may read them with `write_parts`; else none."""
        if self.workspace is None or self._options.max_vocab_size is not None:
            return []  # which words are read is known after a first look at all of them
        self.workspace.begin({})
        return self.workspace.missing

    def finish(self, progress: OnEncode | None = None) -> None:
        """Read the parts that are not read, choose the vocabulary and write the corpus."""
        part, work = self._unfinished, self.workspace
        if part is None or work is None:
            return
        with spool_file(part / IDS_NAME, self.folder) as ids, spool_file(part / OFFSETS_NAME, self.folder) as offsets:
            found = encode_blocks(self.source, ids, offsets, work, self._options.choice, progress)
        record = self._options.record(self.source.stamps)
        record |= {"raw_words": found.raw_words, "overlooked": found.overlooked}
        entries = {IDS_NAME: ids.entry(), OFFSETS_NAME: offsets.entry()}
        finish_folder(part, self.folder, found.vocabulary, record, entries)
        self._unfinished = None

    def corpus(self) -> EncodedCorpus:
        """The corpus, once the encoding's block has ended."""
        return self.reused or EncodedCorpus.open(self.folder, check_ids=False)  # ids come from the vocabulary itself


@contextmanager
def encoding(source: Any, folder: str | os.PathLike[str], options: EncodeOptions) -> Iterator[Encoding]:
    """An encoding of `source` into `folder` that has begun: nobody else works there until the block ends.

    The block has to call `finish`; where it ends well the corpus takes its place, else parts that are read are kept.

    Raises
    ------
    As `encode`.
    """
    opened, share = options.opened(source)
    try:
        target = Path(folder).resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a zero byte, or links that go round
        msg = f"{os.fspath(folder)!r} cannot be written: {error}; choose another folder"
        raise FileAccessError(msg) from error
    work = Encoding(target, opened, options)
    with work._begun(share.words):
        yield work


def write_parts(
    source: Source, folder: Path, numbers: Sequence[int], room: int, reading: dict[str, Any], progress: OnEncode | None
) -> None:
    """Read some parts of a corpus into the folder of an encoding that another process has begun.

    Parameters
    ----------
    source : as that process has it
    folder : Path      of its workspace
    numbers : of the parts, rising
    room : int         bytes that distinct words in memory may take
    reading : dict     of its options
    progress : called with (bytes read of these parts, bytes of these parts, words so far)

    Raises
    ------
    CorpusError       not text, or damaged
    FileAccessError   a file cannot be read, or a part not written
    """
    with ExitStack() as stack:
        workspace = FolderWorkspace(room, stack, folder, reading, source.stamps)
        total = workspace.bytes_of(numbers)

        def report(done: int, words: int) -> None:
            if progress is not None:
                progress(done, total, words)

        read_parts(source, workspace, numbers, report)
