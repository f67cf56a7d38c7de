"""The encoded corpus: token ids and sentence offsets, memory-mapped from a folder or held for a while.

See `manifest.py` for what such a folder holds. Letters: N ids, n sentences, V words.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xw2v.display import displayed
from xw2v.errors import ConfigError, FormatError, IdRangeError, XW2VError
from xw2v.order import falls
from xw2v.text.manifest import FILES, IDS_NAME, OFFSETS_NAME, VOCABULARY_NAME, read_manifest, vocabulary_options
from xw2v.text.memory import MEMORY
from xw2v.text.places import check_not_read
from xw2v.text.spool import ID, MEMORY_BYTES, OFFSET, Spool, reporting, temporary_place
from xw2v.text.stored import StoredNumbers, out_of_range
from xw2v.text.vocabulary import Vocabulary, counted_together, extend_vocabulary

if TYPE_CHECKING:
    from xw2v.text.encoder import OnEncode

__all__ = ["EncodedCorpus", "encode", "loaded", "reusable"]

_CHUNK = 1 << 20  # numbers looked at at once where all ids or offsets are gone through


@dataclass(eq=False, repr=False)  # which would show every word of the vocabulary
class EncodedCorpus:
    """A corpus as numbers, ready to train on.

    ids : (N,) int32, read-only, in 0 .. V-1; words that the vocabulary leaves out are not in it
    offsets : (n + 1,) int64, read-only, strictly increasing from 0 to N: sentence i is
        ids[offsets[i]:offsets[i + 1]]. Sentences of which no word was left are not in it.
    vocabulary : the V words and their counts
    raw_words : words of the source, before any was left out
    folder : where it lies, None for one in memory or unnamed temporary files
    reused : True where `encode` found it there and read no source
    overlooked : a word that the vocabulary lacks may occur so often though it is frequent enough, where `encode` was
        called with `max_vocab_size`; else 0
    options : min_count, max_final_vocab, max_vocab_size and lower, as far as it is known how it was encoded

    As a context manager it lets go of its arrays at the end; memory and temporary files are given back when
    no array of them is in use any more. A copy, and what another process is sent, is in memory.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = encode([["a", "b"], ["a"]], folder + "/corpus", min_count=1)
    ...     with EncodedCorpus.open(folder + "/corpus") as corpus:
    ...         len(corpus), corpus.offsets.tolist()
    (2, [0, 2, 3])
    """

    ids: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    vocabulary: Vocabulary
    raw_words: int
    folder: Path | None = None
    reused: bool = False
    overlooked: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    _files: tuple[StoredNumbers, ...] = ()
    _digests: dict[str, str] | None = None  # of the files that are open

    @classmethod
    def open(cls, folder: str | os.PathLike[str], *, verify: bool = False, check_ids: bool = True) -> EncodedCorpus:
        """The corpus that `encode` wrote into `folder`, memory-mapped.

        Sizes, the manifest and the vocabulary are always checked.

        Parameters
        ----------
        verify : also compare the checksum of every file, which reads all of them
        check_ids : look at every id and offset once; without it a damaged file could make training read
            outside the tables

        Raises
        ------
        MissingFileError   there is no such folder, or a file is missing in it
        FormatError        it is no encoded corpus, or damaged
        FileAccessError    it cannot be read
        """
        folder = Path(folder)
        manifest = read_manifest(folder)
        with reporting("read", folder):
            vocabulary = Vocabulary.from_json((folder / VOCABULARY_NAME).read_bytes(), str(folder / VOCABULARY_NAME))
        files = StoredNumbers(folder / IDS_NAME, ID, len(vocabulary)), StoredNumbers(folder / OFFSETS_NAME, OFFSET)
        corpus = cls(files[0].array, files[1].array, vocabulary, manifest["raw_words"], folder)
        corpus.overlooked = manifest.get("overlooked", 0)
        corpus.options = vocabulary_options(manifest)
        corpus._files = files
        corpus._digests = {name: entry["sha256"] for name, entry in manifest["files"].items()}
        if verify:
            corpus.verify()
        if check_ids:
            try:
                corpus.check()
            except IdRangeError as error:
                msg = f"{folder} is damaged: {error}; encode the corpus again"
                raise FormatError(msg) from error
        return corpus

    def __repr__(self) -> str:
        where = f", folder={str(self.folder)!r}" if self.folder is not None else ""
        return f"{type(self).__name__}({len(self.ids)} words in {len(self)} sentences, {self.vocabulary!r}{where})"

    def __len__(self) -> int:
        """The number n of sentences."""
        return len(self.offsets) - 1

    def __enter__(self) -> EncodedCorpus:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled or copied: the numbers themselves, for another process does not have the open files."""
        return {**self.__dict__, "folder": None, "_files": ()}

    def close(self) -> None:
        """Let go of the arrays; the corpus is empty afterwards, a folder stays as it is."""
        self.ids, self.offsets, self._files = np.empty(0, np.int32), np.zeros(1, np.int64), ()

    @property
    def stored(self) -> tuple[Any, Any]:
        """Ids and offsets to be read in slices: of a folder from its files, so that one cut short is an error.

        A memory map of such a file would end the process.
        """
        kept = {id(numbers.array): numbers for numbers in self._files}
        return kept.get(id(self.ids), self.ids), kept.get(id(self.offsets), self.offsets)

    def check(self) -> None:
        """Look at every id and offset.

        Raises
        ------
        IdRangeError   an id is outside 0 .. V-1, or offsets do not go up from 0 to N.
        """
        ids, offsets = self.stored
        high = len(self.vocabulary)
        for low in range(0, len(ids), _CHUNK):
            outside = out_of_range(ids[low : low + _CHUNK], high)
            if outside is not None:
                msg = f"ids must be in 0 .. {high - 1}, one is {outside}"
                raise IdRangeError(msg)
        rising = not any(
            falls(offsets[low : low + _CHUNK + 1], or_stays=True) for low in range(0, len(offsets), _CHUNK)
        )
        if not len(offsets) or offsets[:1] != 0 or offsets[len(offsets) - 1 :] != len(ids) or not rising:
            msg = f"sentence offsets must go up from 0 to the number of ids, {len(ids)}"
            raise IdRangeError(msg)

    def check_options(self, wanted: dict[str, Any]) -> None:
        """Compare options that decide on the vocabulary with those that it was encoded with.

        Raises
        ------
        ConfigError   one of `wanted` is another.
        """
        for name, here in self.options.items():
            if name in wanted and wanted[name] != here:
                msg = (
                    f"{self.folder or 'the corpus'} was encoded with {name}={here}, which {name}={wanted[name]} cannot "
                    f"change: encode it again, or leave {name} out"
                )
                raise ConfigError(msg)

    def renumbered(self, known: Vocabulary) -> EncodedCorpus:
        """The same corpus with the ids of words that are known already, and new ids after them for the others."""
        words = self.vocabulary.words
        # A corpus that was encoded for another model may have words of that one which its text lacks. Counts of one
        # that was made by hand may be 0 for a word that is there.
        least = 0 if self.folder is None else 1
        vocabulary, lookup = extend_vocabulary(known, words, self.vocabulary.counts, min_count=least)
        if vocabulary.words == words:
            return self
        ids, offsets = self.stored
        with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as file:
            numbered = Spool(file, temporary_place())
            for low in range(0, len(ids), _CHUNK):
                numbered.append(lookup.take(ids[low : low + _CHUNK]), ID)
            return EncodedCorpus(loaded(file, ID), offsets[:], vocabulary, self.raw_words)

    def counted_with(self, known: Vocabulary) -> EncodedCorpus:
        """The same corpus, whose vocabulary begins with the known words, with the counts of both texts together."""
        vocabulary = counted_together(known, self.vocabulary)
        digests = self._digests and self._digests | {VOCABULARY_NAME: _digest(vocabulary)}
        return replace(self, vocabulary=vocabulary, _digests=digests)

    def verify(self) -> None:
        """Compare the checksum of every file with the manifest's; without a folder there is nothing to do.

        Raises
        ------
        FormatError   a file is not as it was written.
        """
        if self.folder is None:
            return
        for name, entry in read_manifest(self.folder)["files"].items():
            with reporting("read", self.folder), (self.folder / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != entry["sha256"]:
                msg = f"{self.folder / name} is damaged: its checksum is not the manifest's; encode the corpus again"
                raise FormatError(msg)

    def fingerprint(self) -> str:
        """SHA-256 (64 hexadecimal digits) of ids, offsets and vocabulary; equal for equal corpora only.

        Of a folder it comes from the manifest, as that was when the corpus was opened, and nothing is read.
        """
        digests = self._digests
        if digests is None:
            digests = {
                IDS_NAME: hashlib.sha256(np.ascontiguousarray(self.ids).data).hexdigest(),
                OFFSETS_NAME: hashlib.sha256(np.ascontiguousarray(self.offsets).data).hexdigest(),
                VOCABULARY_NAME: _digest(self.vocabulary),
            }
        return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def encode(
    source: Any,
    folder: str | os.PathLike[str] | None = None,
    *,
    min_count: int = 5,
    max_final_vocab: int | None = None,
    max_vocab_size: int | None = None,
    lower: bool = False,
    errors: str = "strict",
    column: str | None = None,
    progress: OnEncode | bool | None = None,
    known: Vocabulary | None = None,
    memory: int | str = MEMORY,
) -> EncodedCorpus:
    """Any corpus as token ids. The source is read once, whatever its size, in bounded memory.

    Parameters
    ----------
    source, lower, errors, column : as in `xw2v.text.readers.open_source`
    folder : written when all is done, never in part. If it holds a corpus that was encoded from the same files
        (paths, sizes, times of change) in the same way it is used again, and no file is read; if it holds
        another one that is replaced. None: in memory, beyond 64 MiB in unnamed temporary files (TMPDIR says where).
    min_count, max_final_vocab : as in `xw2v.text.vocabulary.choose_vocabulary`
    max_vocab_size : None: words are counted exactly, whatever their number. Else the source is read twice and only
        so many distinct words are remembered in between, which saves the disk of those that are rare: the vocabulary
        is chosen, with exact counts, from words that surely hold all that occur more often than
        N / (max_vocab_size + 1) times in N words (Misra and Gries; see `xw2v.text.summary`). The corpus'
        `overlooked` says how often a word may occur that is missing. gensim's option of this name forgets words
        without such a bound. `max_final_vocab` limits the vocabulary and is exact.
    progress : True, False or None, as in `Word2Vec.fit`; or a function that is called after each block with (bytes
        read, bytes in all or None, words so far), and, while tokens get their final ids, from the beginning again
    known : words that keep their ids and come first, however rare they are here; see `extend_vocabulary`
    memory : what reading and counting may take, in bytes or as "512M", beside the vocabulary that is chosen. Distinct
        words that do not fit are spilled to disk, sorted, and merged; the result is the same.

    Notes
    -----
    Beside the corpus, four bytes a word of the source are on disk while it is written: in `folder` + ".encoding", or
    in temporary files. That folder stays when the work is interrupted after a part of it (some files of 256 MiB
    together, or one that is larger) was done: the same call then goes on with the files that are not.

    Raises
    ------
    CorpusError       no words in it, or none as frequent as `min_count`; not text; damaged
    MissingFileError  a source is not there
    FileAccessError   a source cannot be read, or the folder not written, or something else lies there, or it lies where
        the source is read from
    ConfigError       an option is out of its range

    Examples
    --------
    >>> corpus = encode([["to", "be", "or", "not", "to", "be"]], min_count=2)
    >>> corpus.vocabulary.words, corpus.ids.tolist(), corpus.raw_words
    (['to', 'be'], [0, 1, 0, 1], 6)
    """
    # Arrow takes 40 MiB, which those who train on an encoded corpus do without.
    from xw2v.text.encoding import EncodeOptions, encode_for_a_while, encoding

    options = EncodeOptions(min_count, max_final_vocab, max_vocab_size, lower, errors, column, known, memory)
    with displayed(False if callable(progress) else progress) as display:
        tell = display.on_encode if display is not None else progress if callable(progress) else None
        if folder is None:
            return encode_for_a_while(source, options, tell)
        check_not_read(folder, source, FILES)
        with encoding(source, folder, options) as work:
            work.finish(tell)
        return work.corpus()


def _digest(vocabulary: Vocabulary) -> str:
    """The checksum that the file of a vocabulary has."""
    return hashlib.sha256(vocabulary.to_json().encode()).hexdigest()


def loaded(file: Any, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The numbers of a spooled file: from memory if it is there still, else mapped."""
    if file.seek(0, os.SEEK_END) > MEMORY_BYTES:  # the map outlives the file object
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), dtype)
    file.seek(0)
    return np.frombuffer(file.read(), dtype)


def reusable(folder: Path, record: dict[str, Any]) -> EncodedCorpus | None:
    """The corpus in `folder` if it was made from what `record` says and is whole."""
    if record["source"] is None:
        return None
    try:
        manifest = read_manifest(folder)
        if any(manifest.get(key) != record.get(key) for key in record.keys() | {"known"}):
            return None
        corpus = EncodedCorpus.open(folder)
    except XW2VError:
        return None
    corpus.reused = True
    return corpus
