from __future__ import annotations

import copy
import errno
import gc
import gzip
import io
import json
import lzma
import os
import pickle
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xw2v import files
from xw2v.errors import (
    ConfigError,
    CorpusError,
    FileAccessError,
    FormatError,
    IdRangeError,
    MissingFileError,
    XW2VError,
)
from xw2v.text import EncodedCorpus, encode, encoder, encoding, is_encoded, manifest, parts, readers, store
from xw2v.text.blocks import TokenBlock
from xw2v.text.memory import Shares
from xw2v.text.merging import Choice
from xw2v.text.spool import Spool
from xw2v.text.vocabulary import Vocabulary
from xw2v.text.words import pack

TEXT = "the cat sat\non the mat\n\nthe end\n"
DATA = Path(__file__).parents[2] / "shared" / "data"


def sentences(corpus: EncodedCorpus) -> list[list[str]]:
    words = corpus.vocabulary.words
    bounds = zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True)
    return [[words[i] for i in corpus.ids[low:high]] for low, high in bounds]


def reference(rows: list[list[str]], min_count: int, limit: int | None) -> tuple[dict[str, int], list[list[str]]]:
    """Words with counts, in order, and the sentences, the slow way."""
    every = Counter(word for row in rows for word in row)
    best = sorted((word for word in every if every[word] >= min_count), key=lambda word: -every[word])[:limit]
    kept = {word: every[word] for word in best}
    return kept, [kept_row for row in rows if (kept_row := [word for word in row if word in kept])]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# The encoding --------------------------------------------------------------------------------------------

ROWS = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=8), max_size=12)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=ROWS,
    min_count=st.integers(0, 4),
    limit=st.none() | st.integers(1, 5),
    memory=st.sampled_from([1, 40, 1 << 20]),
    room=st.sampled_from([1, 30, 60, 1 << 20]),
    chunk=st.integers(1, 9),
    on_disk=st.booleans(),
)
def test_it_is_the_slow_reference(
    rows: list[list[str]],
    min_count: int,
    limit: int | None,
    memory: int,
    room: int,
    chunk: int,
    on_disk: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(encoding, "shares", lambda *_: Shares(chunk, room))
    monkeypatch.setattr(store, "_CHUNK", chunk)
    monkeypatch.setattr(store, "MEMORY_BYTES", memory)
    monkeypatch.setattr(encoding, "MEMORY_BYTES", memory)
    monkeypatch.setattr(parts, "MEMORY_BYTES", memory)
    monkeypatch.setattr(readers, "BLOCK_TOKENS", 3)
    counts, wanted = reference(rows, min_count, limit)
    folder = tmp_path / "encoded" if on_disk else None
    if not counts:
        with pytest.raises(CorpusError):
            encode(rows, folder, min_count=min_count, max_final_vocab=limit)
        return
    corpus = encode(rows, folder, min_count=min_count, max_final_vocab=limit)
    assert dict(zip(corpus.vocabulary.words, corpus.vocabulary.counts.tolist(), strict=True)) == counts
    assert corpus.vocabulary.words == list(counts)
    assert sentences(corpus) == wanted
    assert len(corpus) == len(wanted)
    assert corpus.raw_words == sum(map(len, rows))
    assert corpus.ids.dtype == np.int32
    assert corpus.offsets.dtype == np.int64
    assert corpus.folder == folder
    assert not corpus.reused
    corpus.check()
    corpus.verify()


@pytest.mark.parametrize("size", [1, 5, 1 << 20])
def test_text_from_file_is_as_from_lists(text: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BLOCK_BYTES", size)
    corpus = encode(text, min_count=1)
    same = encode([line.split() for line in TEXT.splitlines()], min_count=1)
    assert corpus.vocabulary.words == ["the", "cat", "sat", "on", "mat", "end"]
    assert corpus.ids.tolist() == same.ids.tolist() == [0, 1, 2, 3, 0, 4, 0, 5]
    assert corpus.offsets.tolist() == same.offsets.tolist() == [0, 3, 6, 8]
    assert corpus.fingerprint() == same.fingerprint()


def test_counts_where_words_stand_before_different_white_space(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a b\na\tb a\r\nb\na")
    corpus = encode(tmp_path / "t.txt", min_count=1)
    assert corpus.vocabulary.words == ["a", "b"]
    assert corpus.vocabulary.counts.tolist() == [4, 3]
    assert sentences(corpus) == [["a", "b"], ["a", "b", "a"], ["b"], ["a"]]


def test_more_words_than_there_was_room_for() -> None:
    rows = [[str(i) for i in range(high)] for high in (10, 70_000, 200_000)]
    corpus = encode(rows, min_count=1)
    assert corpus.vocabulary.words == rows[2]
    assert corpus.vocabulary.counts[[0, 9, 10, 69_999, 70_000, 199_999]].tolist() == [3, 3, 2, 2, 1, 1]


def test_a_sentence_open_at_the_end_is_ended() -> None:
    files = Spool(io.BytesIO(), Path()), Spool(io.BytesIO(), Path())
    block = TokenBlock(np.array([0, 1, 0], np.int32), pack(["a", "b"]), np.array([1]), 0)
    source = readers.Source("x", lambda _: iter([block, block]))
    with parts.temporary_workspace(1 << 20) as work:
        encoder.encode_blocks(source, *files, work, Choice(1), None)
    assert np.frombuffer(files[1].file.getvalue(), np.int64).tolist() == [0, 1, 4, 6]


def test_lower_column_and_errors_reach_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_bytes(b"n\ttext\n1\tThe THE \xff\n")
    corpus = encode(path, min_count=1, lower=True, column="text", errors="replace")
    assert sentences(corpus) == [["the", "the", "\ufffd"]]


def test_arrays_are_read_only(text: Path, tmp_path: Path) -> None:
    for corpus in (encode(text, min_count=1), encode(text, tmp_path / "e", min_count=1)):
        for array in (corpus.ids, corpus.offsets):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1


def test_progress(text: Path) -> None:
    seen: list[tuple[int, int | None, int]] = []
    encode(text, min_count=1, progress=lambda *now: seen.append(now))
    once = (len(TEXT), len(TEXT), 8)
    assert (seen[-1], seen.count(once)) == (once, 2)  # a block, read and then numbered
    seen.clear()
    encode([["a", "b"]], min_count=1, progress=lambda *now: seen.append(now))
    assert seen == [(0, None, 2)] * 2


@pytest.mark.parametrize("content", ["", " \n\n \t"])
def test_no_words(tmp_path: Path, content: str) -> None:
    path = tmp_path / "empty.txt"
    path.write_text(content)
    with pytest.raises(CorpusError, match=r"empty\.txt holds no words$"):
        encode(path, tmp_path / "e")
    assert listed(tmp_path) == ["empty.txt"]


def test_no_word_is_frequent_enough(text: Path) -> None:
    with pytest.raises(CorpusError) as caught:
        encode(text)
    assert str(caught.value) == (
        f"no word of {text} occurs 5 times (min_count): of its 6 distinct words the most frequent occurs 3 times; "
        "set min_count to 3 or less"
    )


def test_one_word_is_enough(tmp_path: Path) -> None:
    assert len(encode([["a"]], min_count=1).vocabulary) == 1


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"min_count": -1}, "min_count must be an integer >= 0, got -1"),
        ({"min_count": 1.5}, "min_count must be"),
        ({"min_count": None}, "min_count must be"),
        ({"max_final_vocab": 0}, "max_final_vocab must be an integer >= 1, got 0"),
        ({"max_final_vocab": True}, "max_final_vocab must be"),
        ({"errors": "ignore"}, "errors must be"),
    ],
)
def test_options_out_of_range(option: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        encode([["a"]], **option)


# Temporary files -----------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to see open files")
def test_temporary_files_have_no_name_and_go_with_the_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: Path
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(store, "MEMORY_BYTES", 8)
    monkeypatch.setattr(encoding, "MEMORY_BYTES", 8)

    def mapped() -> bool:
        return str(temporary) in Path("/proc/self/maps").read_text()

    corpus = encode(text, min_count=1)
    assert listed(temporary) == []
    assert mapped()
    with corpus:
        assert corpus.ids.tolist() == [0, 1, 2, 3, 0, 4, 0, 5]
    assert len(corpus) == 0
    gc.collect()
    assert not mapped()


# Folders -------------------------------------------------------------------------------------------------


def test_open_what_encode_wrote(text: Path, tmp_path: Path) -> None:
    made = encode(text, tmp_path / "e", min_count=1)
    assert listed(tmp_path) == ["e", "text.txt"]
    assert listed(tmp_path / "e") == ["ids.int32", "manifest.json", "offsets.int64", "vocabulary.json"]
    corpus = EncodedCorpus.open(str(tmp_path / "e"), verify=True)
    assert sentences(corpus) == sentences(made) == [["the", "cat", "sat"], ["on", "the", "mat"], ["the", "end"]]
    assert corpus.vocabulary.counts.tolist() == [3, 1, 1, 1, 1, 1]
    assert corpus.raw_words == 8
    options = {"min_count": 1, "max_final_vocab": None, "max_vocab_size": None, "lower": False}
    assert corpus.options == encode(text, min_count=1).options == options
    path = tmp_path / "e" / "manifest.json"
    path.write_text(path.read_text().replace('"lower"', '"other"'))
    assert "lower" not in EncodedCorpus.open(tmp_path / "e").options  # of an older version
    assert corpus.fingerprint() == encode(text, min_count=1).fingerprint()
    assert corpus.fingerprint() != encode(text, min_count=2).fingerprint()
    corpus.close()
    assert is_encoded(tmp_path / "e")
    assert not is_encoded(tmp_path)
    assert not is_encoded(text)
    (tmp_path / "manifest.json").write_text("[" * 200_000)  # somebody else's
    assert not is_encoded(tmp_path)


def unreadable(*_: Any, **__: Any) -> Any:
    pytest.fail("the source was read")


def test_a_reused_corpus_is_rid_of_what_a_killed_writer_left(text: Path, tmp_path: Path) -> None:
    folder = tmp_path / "there" / "e"
    folder.parent.mkdir()
    encode(text, folder, min_count=1)
    prefix = files._prefix(folder)
    (folder.parent / f"{prefix}.lock").touch()
    (folder.parent / f"{prefix}-12ab.old").mkdir()
    assert encode(text, folder, min_count=1).reused
    assert list(folder.parent.iterdir()) == [folder]


def test_reused_without_reading(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = encode(text, tmp_path / "e", min_count=1)
    monkeypatch.setattr(encoder, "encode_blocks", unreadable)
    monkeypatch.chdir(tmp_path)
    again = encode("text.txt", "e", min_count=1)  # another way to write the same paths
    assert (first.reused, again.reused) == (False, True)
    assert again.folder == tmp_path / "e"
    assert sentences(again) == sentences(first)


def touched(text: Path) -> None:
    status = text.stat()
    os.utime(text, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def longer(text: Path) -> None:
    status = text.stat()
    text.write_text(TEXT + "more")
    os.utime(text, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", [touched, longer], ids=lambda change: str(change.__name__))
def test_not_reused_when_the_source_changed(text: Path, tmp_path: Path, change: Callable[[Path], None]) -> None:
    encode(text, tmp_path / "e", min_count=1)
    change(text)
    again = encode(text, tmp_path / "e", min_count=1)
    assert not again.reused
    assert again.raw_words == len(text.read_text().split())
    assert encode(text, tmp_path / "e", min_count=1).reused


@pytest.mark.parametrize(
    "option", [{"min_count": 2}, {"max_final_vocab": 2}, {"lower": True}, {"errors": "replace"}], ids=str
)
def test_not_reused_with_other_options(text: Path, tmp_path: Path, option: dict[str, Any]) -> None:
    encode(text, tmp_path / "e", min_count=1)
    assert not encode(text, tmp_path / "e", **{"min_count": 1, **option}).reused
    assert encode(text, tmp_path / "e", **{"min_count": 1, **option}).reused


def test_not_reused_when_another_file_came(text: Path, tmp_path: Path) -> None:
    encode(text, tmp_path / "e", min_count=1)
    other = tmp_path / "other.txt"
    other.write_text(TEXT)
    assert not encode([text, other], tmp_path / "e", min_count=1).reused
    assert not encode([other, text], tmp_path / "e", min_count=1).reused
    assert listed(tmp_path) == ["e", "other.txt", "text.txt"]


def test_lists_and_standard_input_are_never_reused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        assert not encode([["a"]], tmp_path / "e", min_count=1).reused
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a b")))
        assert not encode("-", tmp_path / "e", min_count=1).reused


def test_a_damaged_folder_is_not_reused(text: Path, tmp_path: Path) -> None:
    encode(text, tmp_path / "e", min_count=1)
    for damage in (
        lambda: (tmp_path / "e" / "ids.int32").write_bytes(b"1234"),
        lambda: (tmp_path / "e" / "ids.int32").write_bytes(b"\xff" * 32),
        lambda: (tmp_path / "e" / "vocabulary.json").unlink(),
    ):
        damage()
        corpus = encode(text, tmp_path / "e", min_count=1)
        assert not corpus.reused
        corpus.verify()


def test_a_replaced_corpus_stays_readable_where_it_is_open(text: Path, tmp_path: Path) -> None:
    first = encode(text, tmp_path / "e", min_count=1)
    before = first.ids.tolist()
    encode([["x", "y"]], tmp_path / "e", min_count=1)
    assert first.ids.tolist() == before
    assert sentences(EncodedCorpus.open(tmp_path / "e")) == [["x", "y"]]


@pytest.mark.parametrize("what", ["file", "other folder", "something added"])
def test_nobodys_files_are_deleted(text: Path, tmp_path: Path, what: str) -> None:
    target = tmp_path / "e"
    if what == "file":
        target.write_text("precious")
    else:
        if what == "something added":
            encode(text, target, min_count=1)
        target.mkdir(exist_ok=True)
        (target / "precious").write_text("precious")
    with pytest.raises(FileAccessError, match="is not an encoded corpus and stays as it is; choose another folder"):
        encode([["a"]], target, min_count=1)
    kept = target if what == "file" else target / "precious"
    assert kept.read_text() == "precious"
    assert listed(tmp_path) == ["e", "text.txt"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a\0b", "be written: .*embedded null"),
        ("x" * 300, "be written: .*too long"),
        ("x" * 250, "be written: .*too long"),
        ("round", "(be written: .*loop|write .*: Not a directory)"),  # from Python 3.13 on, the second
    ],
    ids=["zero byte", "long", "long for its parts", "links"],
)
def test_names_that_cannot_be(text: Path, tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises(FileAccessError, match=f"cannot {message}"):
        encode(text, tmp_path / name, min_count=1)
    assert listed(tmp_path) == ["round", "text.txt"]


def test_names_with_any_bytes(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a \xff b"))
    folder.mkdir()
    (folder / "text 1.txt").write_text(TEXT)
    (folder / "text\n2.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    pq.write_table(pa.table({"text": ["the end"]}), tmp_path / "3.parquet")
    (tmp_path / "3.parquet").rename(folder / "3.parquet")
    target = folder.with_name(folder.name + " encoded")
    corpus = encode(folder, target, min_count=1)
    assert corpus.raw_words == 18
    assert encode(folder, target, min_count=1).reused


def test_numpys_integers_are_integers(text: Path, tmp_path: Path) -> None:
    corpus = encode(text, tmp_path / "c", min_count=np.int64(1), max_final_vocab=np.int32(2))  # type: ignore[arg-type]
    assert len(corpus.vocabulary) == 2
    assert encode(text, tmp_path / "c", min_count=1, max_final_vocab=2).reused


def test_an_empty_folder_is_taken(text: Path, tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    encode(text, tmp_path / "e", min_count=1).verify()


def test_source_within_the_folder_and_encoded_source(text: Path, tmp_path: Path) -> None:
    with pytest.raises(FileAccessError, match=r"text\.txt is to be read, but lies in"):
        encode(text, tmp_path, min_count=1)
    encode(text, tmp_path / "e", min_count=1)
    for source in (tmp_path / "e", str(tmp_path / "e"), [text, tmp_path / "e"], tmp_path):  # alone, beside, within
        with pytest.raises(CorpusError, match=r"/e is an encoded corpus already: .* EncodedCorpus\.open"):
            encode(source)
    with pytest.raises(MissingFileError, match="there is no folder"):
        encode(text, tmp_path / "no" / "e", min_count=1)


def test_a_source_that_is_named_as_a_part_of_the_encoding(text: Path, tmp_path: Path) -> None:
    """What is left of an encoding is known by such names, and deleted."""
    (tmp_path / "e.encoding").mkdir()
    mine = tmp_path / "e.encoding" / "part-00000.data"
    mine.write_bytes(text.read_bytes())
    for source in (mine, mine.parent):
        with pytest.raises(FileAccessError, match=r"part-00000\.data is to be read, but lies in .*/e\.encoding, which"):
            encode(source, tmp_path / "e", min_count=1)
    assert mine.read_bytes() == text.read_bytes()


class Full(io.BytesIO):
    """A file on a disk that is full after some bytes."""

    room = 20

    def write(self, data: Any) -> int:
        if self.tell() + len(bytes(data)) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("room", [0, 20, 31])
@pytest.mark.parametrize("replacing", [False, True])
def test_a_full_disk_leaves_nothing(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, replacing: bool
) -> None:
    if replacing:
        encode([["old"]], tmp_path / "e", min_count=1)
    real = Path.open
    monkeypatch.setattr(Full, "room", room)
    monkeypatch.setattr(Path, "open", lambda path, mode="r", **kw: Full() if "+" in mode else real(path, mode, **kw))
    with pytest.raises(FileAccessError, match=r"e(\.encoding.part-00000\.data)? cannot be written: No space left"):
        encode(text, tmp_path / "e", min_count=1)
    monkeypatch.undo()
    assert listed(tmp_path) == (["e", "text.txt"] if replacing else ["text.txt"])
    if replacing:
        assert sentences(EncodedCorpus.open(tmp_path / "e", verify=True)) == [["old"]]


def test_a_full_temporary_folder(text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", lambda *_: Full())
    with pytest.raises(FileAccessError, match="cannot be written: No space left on device"):
        encode(text, min_count=1)


def test_no_temporary_folder(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    corpus = encode(text, min_count=1)
    assert len(corpus.ids)
    assert len(encode(text, tmp_path / "e", min_count=1).ids)
    for module in (encoding, parts):
        monkeypatch.setattr(module, "MEMORY_BYTES", 1)
    with pytest.raises(FileAccessError, match="a temporary file cannot be written: No usable temporary directory"):
        encode(text, min_count=1)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda corpus: pickle.loads(pickle.dumps(corpus))])
def test_a_copy_does_without_the_files(text: Path, tmp_path: Path, duplicate: Callable[[Any], Any]) -> None:
    corpus = encode(text, tmp_path / "e", min_count=1)
    again = duplicate(corpus)
    fingerprint, ids = corpus.fingerprint(), corpus.ids.tolist()
    del corpus  # with which its files are closed: others may get their numbers
    gc.collect()
    again.check()
    assert again.folder is None
    assert [numbers[:].tolist() for numbers in again.stored] == [ids, again.offsets.tolist()]
    assert again.fingerprint() == fingerprint


@pytest.mark.parametrize("step", ["sync", "rename"])
@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()], ids=["EIO", "Ctrl-C"]
)
def test_a_failure_at_the_end_leaves_nothing(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(Path if step == "rename" else manifest, step, fail)
    with pytest.raises(FileAccessError if isinstance(error, OSError) else KeyboardInterrupt):
        encode(text, tmp_path / "e", min_count=1)
    assert listed(tmp_path) == ["text.txt"]


def test_a_failed_rename_brings_the_old_corpus_back(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode([["old"]], tmp_path / "e", min_count=1)
    real = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if path.suffix == ".tmp":
            raise OSError(errno.EACCES, "Permission denied")
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(FileAccessError, match=r"cannot write .*e: Permission denied; nothing was changed"):
        encode(text, tmp_path / "e", min_count=1)
    assert listed(tmp_path) == ["e", "text.txt"]
    assert sentences(EncodedCorpus.open(tmp_path / "e")) == [["old"]]


def test_a_source_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    def rows() -> Any:
        yield ["a"]
        msg = "my own"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="my own"):
        encode(rows(), tmp_path / "e")
    assert listed(tmp_path) == []


def test_errors_of_the_caller_are_not_taken_for_the_disks(text: Path, tmp_path: Path) -> None:
    def progress(*_: Any) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        encode(text, tmp_path / "e", min_count=1, progress=progress)
    assert listed(tmp_path) == ["text.txt"]


def test_a_killed_run_leaves_no_partial_corpus(tmp_path: Path) -> None:
    program = (
        "import os, sys, xw2v.text\n"
        "rows = ([['a', 'b']] if i < 3 else os._exit(9) for i in range(9))\n"
        "xw2v.text.encode((row for part in rows for row in part), sys.argv[1])\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "e")], env=environment, check=False)
    assert done.returncode == 9
    assert not (tmp_path / "e").exists()
    corpus = encode([["x"]], tmp_path / "e", min_count=1)
    assert sentences(corpus) == [["x"]]


def test_an_unwritable_folder(text: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(FileAccessError, match=r"(cannot be written|cannot write .*): Permission denied"):
            encode(text, tmp_path / "e", min_count=1)
    finally:
        tmp_path.chmod(0o700)


# Damage --------------------------------------------------------------------------------------------------


def edit(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **changes}))


DAMAGE: dict[str, tuple[Callable[[Path], Any], type[XW2VError], str]] = {
    "no folder": (lambda e: e.rename(e.with_name("x")), MissingFileError, "e does not exist"),
    "no manifest": (lambda e: (e / "manifest.json").unlink(), MissingFileError, "is no encoded corpus, it has no"),
    "no ids": (lambda e: (e / "ids.int32").unlink(), MissingFileError, r"ids\.int32 is missing"),
    "short ids": (lambda e: os.truncate(e / "ids.int32", 8), FormatError, "8 bytes, the manifest says 32"),
    "not JSON": (lambda e: (e / "manifest.json").write_text("{"), FormatError, "not the manifest"),
    "not a dict": (lambda e: (e / "manifest.json").write_text("[1]"), FormatError, "not the manifest"),
    "other format": (lambda e: edit(e, format="x"), FormatError, "not the manifest"),
    "other files": (lambda e: edit(e, files={"../x": {"bytes": 1, "sha256": ""}}), FormatError, "not the manifest"),
    "files no dict": (lambda e: edit(e, files=["ids.int32"]), FormatError, "not the manifest"),
    "no raw words": (lambda e: edit(e, raw_words=None), FormatError, "not the manifest"),
    "newer": (lambda e: edit(e, version=2), FormatError, "has version 2, this program reads version 1"),
    "vocabulary": (lambda e: (e / "vocabulary.json").write_bytes(b"x" * 82), FormatError, "is not a vocabulary"),
    "id too large": (lambda e: overwrite(e / "ids.int32", 28, 6), FormatError, r"ids must be in 0 \.\. 5, one is 6"),
    "negative id": (lambda e: overwrite(e / "ids.int32", 0, -1), FormatError, r"ids must be in 0 \.\. 5, one is -1"),
    "offsets": (lambda e: overwrite(e / "offsets.int64", 8, 6), FormatError, "sentence offsets must go up"),
    "offsets at a border": (lambda e: overwrite(e / "offsets.int64", 16, 8), FormatError, "offsets must go up"),
    "first offset": (lambda e: overwrite(e / "offsets.int64", 0, 1), FormatError, "sentence offsets must go up"),
    "last offset": (lambda e: overwrite(e / "offsets.int64", 24, 9), FormatError, "sentence offsets must go up"),
}


def overwrite(path: Path, place: int, value: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(value.to_bytes(4, "little", signed=True))


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_line(text: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    damage, kind, message = DAMAGE[name]
    monkeypatch.setattr(store, "_CHUNK", 3)
    encode(text, tmp_path / "e", min_count=1)
    damage(tmp_path / "e")
    with pytest.raises(kind, match=message) as caught:
        EncodedCorpus.open(tmp_path / "e")
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "e") in str(caught.value)


def test_checks_can_be_left_out_and_checksums_added(text: Path, tmp_path: Path) -> None:
    encode(text, tmp_path / "e", min_count=1)
    overwrite(tmp_path / "e" / "ids.int32", 0, 1)  # a valid id, another word
    corpus = EncodedCorpus.open(tmp_path / "e")
    with pytest.raises(FormatError, match=r"ids\.int32 is damaged: its checksum is not the manifest's"):
        corpus.verify()
    with pytest.raises(FormatError, match="checksum"):
        EncodedCorpus.open(tmp_path / "e", verify=True)
    overwrite(tmp_path / "e" / "ids.int32", 0, 77)
    assert EncodedCorpus.open(tmp_path / "e", check_ids=False).ids[0] == 77


def test_check_guards_hand_made_corpora() -> None:
    vocabulary = Vocabulary(["a", "b"], np.array([1, 1]))
    good = EncodedCorpus(np.array([0, 1], np.int32), np.array([0, 2]), vocabulary, 2)
    good.check()
    good.ids = np.array([0, 2], np.int32)
    with pytest.raises(IdRangeError, match=r"0 \.\. 1, one is 2"):
        good.check()


def test_the_fingerprint_of_arrays_with_gaps() -> None:
    vocabulary, ids = Vocabulary(["a", "b"], np.array([2, 2])), np.array([0, 1, 1, 0], np.int32)
    made = [EncodedCorpus(some, np.array([0, 4]), vocabulary, 4) for some in (ids, np.repeat(ids, 2)[::2])]
    assert made[1].fingerprint() == made[0].fingerprint()


# Real text -----------------------------------------------------------------------------------------------


def test_sentiment_treebank() -> None:
    path = DATA / "sst" / "datasetSentences.txt"
    if not path.exists():
        pytest.skip("the Stanford Sentiment Treebank is not here")
    rows = [line.split("\t")[1].split() for line in path.read_text(encoding="utf-8").split("\n")[1:] if line]
    corpus = encode(path, min_count=1, column="sentence")
    assert len(corpus) == 11_855
    assert sentences(corpus) == rows


@pytest.mark.slow
def test_wikipedia() -> None:
    path = DATA / "wiki100.txt.xz"
    if not path.exists():
        pytest.skip("wiki100 is not here")
    corpus = encode(path)
    assert corpus.raw_words == 16_939_066
    assert len(corpus.vocabulary) == 67_911
    assert len(corpus) == 1
    with lzma.open(path, "rt") as file:
        words = file.read(1_000_000).split()[:-1]
    index = corpus.vocabulary.index
    wanted = [index[word] for word in words if word in index]
    assert corpus.ids[: len(wanted)].tolist() == wanted


def test_a_corpus_is_shown_in_a_line_whatever_its_vocabulary(tmp_path: Path) -> None:
    sentences = [[f"w{i}", f"w{i + 1}"] for i in range(5000)]
    with encode(sentences, tmp_path / "corpus", min_count=1) as corpus:
        shown = repr(corpus)
        assert shown.startswith("EncodedCorpus(10000 words in 5000 sentences, Vocabulary(5001 words: 'w1', 'w2', ")
        assert shown.endswith(f", ...), folder={str(tmp_path / 'corpus')!r})")
    assert repr(encode([["a", "b"]], min_count=1)) == (
        "EncodedCorpus(2 words in 1 sentences, Vocabulary(2 words: 'a', 'b'))"
    )
