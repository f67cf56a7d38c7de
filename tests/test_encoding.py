"""From text to numbers and back: whatever files, blocks, memory and options, it is what a few lines of Python count."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xw2v.errors import CorpusError
from xw2v.text import EncodedCorpus, encode, encoding, parts, readers
from xw2v.text.memory import Shares


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd,
}  # fmt: skip
PIECES = ["a", "b", "ab", "É", "日本", "\U0001f600", "ΑΣ", "\x01", " ", " ", "\n", "\n", "\r\n", "\t", "\u3000", "\xa0"]
TEXT = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


def decoded(corpus: EncodedCorpus) -> list[list[str]]:
    words, bounds = corpus.vocabulary.words, corpus.offsets.tolist()
    return [[words[i] for i in corpus.ids[low:high]] for low, high in pairwise(bounds)]


def write(folder: Path, number: int, text: str, suffix: str, cut: int) -> None:
    """A file of the text; a packed one of two members, which may part a word or a letter."""
    path = folder / f"{number:02}{suffix}"
    if suffix == ".parquet":
        rows = pa.array(text.split("\n"))
        table = pa.table({"x": rows.dictionary_encode() if cut % 2 else rows})
        pq.write_table(table, path, row_group_size=1 + cut)
        return
    data = text.encode()
    cut = min(cut, len(data))
    pieces = [data[:cut], data[cut:]] if suffix else [data]
    path.write_bytes(b"".join(map(PACKED[suffix], pieces)))


@pytest.mark.parametrize("in_parts", [False, True])
@settings(deadline=None, max_examples=60)
@given(
    files=st.lists(st.tuples(TEXT, st.sampled_from([*PACKED, ".parquet"]), st.integers(0, 20)), min_size=1, max_size=4),
    block=st.sampled_from([1, 2, 5, 1 << 20]),
    room=st.sampled_from([1, 40, 120, 1 << 20]),
    min_count=st.integers(0, 3),
    limit=st.none() | st.integers(1, 4),
    lower=st.booleans(),
    stopped_after=st.none() | st.integers(0, 30),
)
def test_text_there_and_back(
    in_parts: bool,
    files: list[tuple[str, str, int]],
    block: int,
    room: int,
    min_count: int,
    limit: int | None,
    lower: bool,
    stopped_after: int | None,
) -> None:
    rows = [line.split() for text, _, _ in files for line in (text.lower() if lower else text).split("\n")]
    counts = Counter(word for row in rows for word in row)
    chosen = sorted((word for word in counts if counts[word] >= min_count), key=lambda word: -counts[word])[:limit]
    kept = [[word for word in row if word in chosen] for row in rows]

    def stop(done: int, total: int | None, words: int) -> None:
        if stopped_after is not None and words >= stopped_after:
            raise KeyboardInterrupt

    folder = Path(tempfile.mkdtemp())
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(encoding, "shares", lambda *_: Shares(block, room, block))
            patch.setattr(readers, "default_workers", lambda: 2)
            patch.setattr(parts, "PART_BYTES", 1 if in_parts else 1 << 30)
            (folder / "text").mkdir()
            for number, (text, suffix, cut) in enumerate(files):
                write(folder / "text", number, text, suffix, cut)
            options: dict[str, Any] = {"min_count": min_count, "max_final_vocab": limit, "lower": lower}
            source, target = folder / "text", folder / "encoded"
            if not chosen:
                with pytest.raises(CorpusError):
                    encode(source, target, **options)
                return
            try:
                encode(source, target, progress=stop, **options)
            except KeyboardInterrupt:
                encode(source, target, min_count=1, lower=not lower)  # in between, in another way
            corpus = encode(source, target, **options)
        assert corpus.vocabulary.words == chosen
        assert corpus.vocabulary.counts.tolist() == [counts[word] for word in chosen]
        assert decoded(corpus) == [row for row in kept if row]
        assert corpus.raw_words == sum(counts.values())
        corpus.verify()
        assert sorted(path.name for path in folder.iterdir()) == ["encoded", "text"]
    finally:
        shutil.rmtree(folder)
