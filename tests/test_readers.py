from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from xw2v.errors import ConfigError, CorpusError, FileAccessError, MissingFileError
from xw2v.text import blocks, columns, compressed, readers
from xw2v.text.paths import find_files
from xw2v.text.readers import open_source
from xw2v.text.words import unpack


def sentences(source: Any, **options: Any) -> list[list[str]]:
    """All sentences of a source as lists of words."""
    result: list[list[str]] = []
    open_one: list[str] = []
    for block in open_source(source, **options).blocks:
        assert block.codes.dtype == np.int32
        known = unpack(block.words)
        words = [known[code] for code in block.codes]
        start = 0
        for end in block.ends.tolist():
            result.append(open_one + words[start:end])
            open_one, start = [], end
        open_one = open_one + words[start:]
    return [sentence for sentence in [*result, open_one] if sentence]


def reference(text: str) -> list[list[str]]:
    """What a corpus is, in two lines."""
    return [line.split() for line in text.split("\n") if line.split()]


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


@pytest.fixture
def tiny_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BLOCK_BYTES", 3)
    monkeypatch.setattr(readers, "BLOCK_TOKENS", 2)


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


# Splitting -----------------------------------------------------------------------------------------------

SPACES = [chr(code) for code in range(0x110000) if chr(code).isspace()]
TEXTS = st.lists(
    st.one_of(
        st.sampled_from([*SPACES, "\n", "\n", " ", "\r\n"]),
        st.sampled_from(["a", "b", "Σ", "ΑΣ", "é", "日本", "\U0001f600", "\x01", "\x7f", "\u200b", "\ufeff"]),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6),
    ),
    max_size=30,
).map("".join)


def test_the_white_space_is_that_of_str_split() -> None:
    assert sorted(SPACES) == sorted(blocks.ASCII_SPACES.decode() + blocks.UNICODE_SPACES)


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS, size=st.sampled_from([1, 2, 3, 7, 64, 1 << 20]), lower=st.booleans(), workers=st.integers(1, 3))
@example(text="a\u3000b c\xa0d\n\n e", size=1, lower=False, workers=1)
@example(text="\u3000" * 9, size=2, lower=False, workers=1)
@example(text="a\u3000b c\xa0d a\u3000b e\n", size=1 << 20, lower=False, workers=1)
@example(text="a b \r\n\r\nc", size=1 << 20, lower=False, workers=1)
def test_any_text_in_any_blocks_is_what_str_split_gives(
    text: str, size: int, lower: bool, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "BLOCK_BYTES", size)
    monkeypatch.setattr(blocks, "_TAIL", 2)
    path = write(tmp_path / "text.txt", text)
    wanted = reference(text.removeprefix("\ufeff"))
    if lower:
        wanted = [[word.lower() for word in sentence] for sentence in wanted]
    assert sentences(path, lower=lower, workers=workers) == wanted


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.lists(st.sampled_from([b" ", b"\n", b"a", b"\0", b"\xe2\x82\xac", b"\xe2", b"\x82", b"\xff"])).map(b"".join)
)
def test_replacing_wrong_bytes_is_what_python_does(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "BLOCK_BYTES", 4)
    text = data.decode(errors="replace").replace("\0", "\ufffd")
    assert sentences(write(tmp_path / "text.txt", data), errors="replace") == reference(text)


def test_a_block_may_end_within_a_line_but_not_within_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BLOCK_BYTES", 8)
    path = write(tmp_path / "text.txt", "one two three\nfour " + "x" * 50 + " five")
    found = list(open_source(path).blocks)
    assert len(found) > 3
    assert sum(len(block.ends) for block in found) == 2
    assert sentences(path) == [["one", "two", "three"], ["four", "x" * 50, "five"]]


@pytest.mark.parametrize("text", ["last\nline", "last\nline\n", "last\nline ", "last\nline\u3000"])
def test_a_file_ends_its_last_sentence(tmp_path: Path, text: str, tiny_blocks: None) -> None:
    write(tmp_path / "1.txt", text)
    write(tmp_path / "2.txt", "next file")
    assert sentences(tmp_path) == [["last"], ["line"], ["next", "file"]]


def test_a_word_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "LONGEST", 100)
    monkeypatch.setattr(readers, "BLOCK_BYTES", 10)
    assert sentences(write(tmp_path / "fits.txt", "a " + "x" * 90)) == [["a", "x" * 90]]
    with pytest.raises(CorpusError, match=r"long\.txt is not text: no white space in \d+ bytes from byte 2"):
        sentences(write(tmp_path / "long.txt", "a " + "x" * 500))


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()], ids=str)
def test_joined_strings_of_a_slice(kind: Any) -> None:
    strings = pa.array([b"no", b"one ", b"", b"two ", b"no"], kind)
    assert blocks.joined(strings[1:4]) == b"one two "
    assert blocks.joined(strings[:0]) == b""


# Wrong bytes ---------------------------------------------------------------------------------------------

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd,
}


@pytest.mark.parametrize("suffix", COMPRESSORS)
@pytest.mark.parametrize("size", [1, 5, 1 << 20])
@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"good words h\xe9re", 12),
        (b"\xef\xbb\xbfwith a mark \xff", 15),
        (b"cut at the end \xe2\x82", 15),
        ("caf\xe9 \u20ac ".encode() + b"\xc3 x", 10),
        (b"over \xc0\xaf long", 5),
    ],
)
def test_wrong_utf8_is_found_at_its_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, size: int, data: bytes, place: int
) -> None:
    monkeypatch.setattr(readers, "BLOCK_BYTES", size)
    path = write(tmp_path / f"bad.txt{suffix}", COMPRESSORS[suffix](data))
    with pytest.raises(CorpusError) as caught:
        sentences(path)
    message = str(caught.value)
    assert message.startswith(f"{path} is not UTF-8 text: wrong byte 0x{data[place]:02x} at byte {place};")
    assert 'errors="replace"' in message
    assert "--errors replace" in message
    assert "\n" not in message


@pytest.mark.parametrize("data", [b"some words \0 more", b"some words\n\0\0"])
def test_zero_bytes_are_binary(tmp_path: Path, data: bytes, tiny_blocks: None) -> None:
    with pytest.raises(CorpusError, match=rf"zero byte at byte {data.index(0)}; is it binary, or .* errors=.replace"):
        sentences(write(tmp_path / "data.bin", data))


@pytest.mark.parametrize("encoding", ["UTF-16", "UTF-32"])
@pytest.mark.parametrize("mark", ["LE", "BE"])
def test_text_of_wide_characters_is_refused_whatever_errors_says(tmp_path: Path, encoding: str, mark: str) -> None:
    path = write(tmp_path / "t.txt", "\ufeffa b".encode(f"{encoding}-{mark}"))
    with pytest.raises(CorpusError, match=f"is {encoding} text: convert it, iconv -f {encoding} -t UTF-8"):
        sentences(path, errors="replace")


@pytest.mark.parametrize("name", ["t.csv", "t.JSONL.gz"])
def test_a_table_in_text_is_warned_of(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, COMPRESSORS[".gz"](b"a\tb\n") if name.endswith("gz") else b"a\tb\nc\td\n")
    with pytest.warns(RuntimeWarning, match=rf"{name} is read as text, so that its header"):
        sentences(path)
    if name == "t.csv":
        assert sentences(path, column="b") == [["d"]]


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_a_byte_order_mark_is_dropped_at_the_head_only(tmp_path: Path, suffix: str) -> None:
    data = COMPRESSORS[suffix]("\ufeffone \ufefftwo".encode())
    assert sentences(write(tmp_path / f"t{suffix}", data)) == [["one", "\ufefftwo"]]


# Files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", COMPRESSORS)
@pytest.mark.parametrize("parts", [1, 2])
def test_compressed_files(tmp_path: Path, suffix: str, parts: int, tiny_blocks: None) -> None:
    text = "first line\nzweite Zeile ö\n" * 30
    data = b"".join(COMPRESSORS[suffix](text.encode()) for _ in range(parts))  # such files may be put together
    assert sentences(write(tmp_path / f"text{suffix}", data)) == reference(text) * parts


@pytest.mark.parametrize("suffix", [suffix for suffix in COMPRESSORS if suffix])
def test_members_without_bytes_and_endings_in_capitals(tmp_path: Path, suffix: str, tiny_blocks: None) -> None:
    pack = COMPRESSORS[suffix]
    data = b"".join(map(pack, [b"", b"one two\nth", b"", b"", b"ree\n", b""]))
    assert sentences(write(tmp_path / f"text{suffix.upper()}", data)) == [["one", "two"], ["three"]]
    write(tmp_path / f"empty{suffix}", b"")
    assert sentences([tmp_path / f"empty{suffix}", tmp_path / f"text{suffix.upper()}"]) == [["one", "two"], ["three"]]


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_zeros_between_members(tmp_path: Path, suffix: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "_INPUT", size)
    pack = COMPRESSORS[suffix]
    data = pack(b"one\n") + bytes(8) + pack(b"two\n") + bytes(512)
    assert sentences(write(tmp_path / f"text{suffix}", data)) == [["one"], ["two"]]


@pytest.mark.parametrize("suffix", [suffix for suffix in COMPRESSORS if suffix])
@pytest.mark.parametrize("after", [b"garbage", b"\0\0garbage"])
def test_nothing_after_a_member_is_lost_in_silence(tmp_path: Path, suffix: str, after: bytes) -> None:
    path = write(tmp_path / f"text{suffix}", COMPRESSORS[suffix](b"one two\n") + after)
    with pytest.raises(CorpusError, match="is truncated, damaged or not compressed as its name says"):
        sentences(path)


@pytest.mark.parametrize("suffix", [suffix for suffix in COMPRESSORS if suffix])
def test_any_cut_is_seen(tmp_path: Path, suffix: str) -> None:
    first, second = map(COMPRESSORS[suffix], (b"some words here\n" * 3, b"more\n"))
    for cut in range(1, len(first) + len(second)):
        path = write(tmp_path / f"cut{suffix}", (first + second)[:cut])
        if cut == len(first):
            assert sentences(path) == [["some", "words", "here"]] * 3
            continue
        with pytest.raises(CorpusError, match="is truncated"):
            sentences(path)


@pytest.mark.parametrize("suffix", [suffix for suffix in COMPRESSORS if suffix])
@pytest.mark.parametrize("size", [1, 7, 1 << 18])
def test_little_read_that_unpacks_to_much(
    tmp_path: Path, suffix: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compressed, "_INPUT", size)
    monkeypatch.setattr(readers, "BLOCK_BYTES", 1000)
    path = write(tmp_path / f"text{suffix}", COMPRESSORS[suffix](b"ab " * 100_000))
    assert sum(len(block.codes) for block in open_source(path).blocks) == 100_000


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_a_pipe_with_an_ending(tmp_path: Path, suffix: str) -> None:
    pipe = tmp_path / f"pipe{suffix}"
    os.mkfifo(pipe)
    data = COMPRESSORS[suffix](b"one two\n" * 1000)
    with ThreadPoolExecutor() as pool:
        writing = pool.submit(pipe.write_bytes, data)
        assert sentences(pipe) == [["one", "two"]] * 1000
        assert writing.result() == len(data)


@pytest.mark.parametrize("suffix", [suffix for suffix in COMPRESSORS if suffix])
@pytest.mark.parametrize("fault", ["truncated", "changed", "other"])
def test_damaged_compressed_files(tmp_path: Path, suffix: str, fault: str) -> None:
    data = COMPRESSORS[suffix](b"".join(b"%d words\n" % (i * 7919 % 10007) for i in range(3000)))
    if fault == "truncated":
        data = data[: len(data) // 2]
    elif fault == "changed":
        middle = len(data) // 2
        data = data[:middle] + bytes(255 - byte for byte in data[middle : middle + 40]) + data[middle + 40 :]
    else:
        data = b"plain text that was only renamed"
    path = write(tmp_path / f"text{suffix}", data)
    with pytest.raises(CorpusError) as caught:
        sentences(path)
    assert str(caught.value).startswith(f"{path} is ")
    assert "\n" not in str(caught.value)


def test_folder_glob_and_lists(tmp_path: Path) -> None:
    (tmp_path / "in" / "ner").mkdir(parents=True)
    (tmp_path / "in" / ".hidden").mkdir()
    write(tmp_path / "in" / "b.txt", "b")
    write(tmp_path / "in" / "a.txt.gz", gzip.compress(b"a"))
    write(tmp_path / "in" / "ner" / "c.txt", "c")
    write(tmp_path / "in" / ".x", b"\0")
    write(tmp_path / "in" / ".hidden" / "y", b"\0")
    folder = tmp_path / "in"
    assert sentences(folder) == [["a"], ["b"], ["c"]]
    assert sentences(str(folder / "*.txt")) == [["b"]]
    assert sentences(str(folder / "**" / "*.txt")) == [["b"], ["c"]]
    assert sentences([folder / "ner" / "c.txt", str(folder / "b.txt")]) == [["c"], ["b"]]
    assert sentences((str(folder / "b.txt"), folder / "ner")) == [["b"], ["c"]]


def test_links_in_a_folder_are_followed(tmp_path: Path) -> None:
    (tmp_path / "in" / "ner").mkdir(parents=True)
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    write(tmp_path / "in" / "a.txt", "a")
    write(tmp_path / "elsewhere" / "deep" / "c.txt", "c")
    (tmp_path / "in" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "ner" / "back").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "d.txt").symlink_to("a.txt")
    assert sentences(tmp_path / "in") == [["a"], ["c"], ["a"]]


def test_links_are_followed_by_a_pattern_as_in_a_folder(tmp_path: Path) -> None:
    inner = tmp_path / "in" / "ner"
    inner.mkdir(parents=True)
    (tmp_path / "elsewhere" / ".hidden").mkdir(parents=True)
    write(tmp_path / "in" / "a.txt", "a")
    write(inner / "b.txt", "b")
    write(tmp_path / "elsewhere" / "c.txt", "c")
    write(tmp_path / "elsewhere" / ".hidden" / "d.txt", "d")
    (tmp_path / "in" / "other").symlink_to(tmp_path / "elsewhere")
    for name in ("back", "round"):  # two of them: following both 40 times each takes for ever
        (inner / name).symlink_to(tmp_path / "in")
    (inner / "here").symlink_to(".")
    wanted = [["a"], ["b"], ["c"]]
    assert sentences(str(tmp_path / "in" / "**" / "*.txt")) == wanted
    assert sentences(str(tmp_path / "in" / "**")) == wanted
    assert sentences(str(tmp_path / "i*" / "**" / "ot*" / "**" / "*.txt")) == [["c"]]
    assert sentences(str(tmp_path / "in" / "**" / "b.txt")) == [["b"]]
    assert sentences(str(tmp_path / "in" / "**" / "ner" / "*")) == [["b"]]
    assert sentences(str(inner / "here" / "**" / "*.txt")) == sentences(inner / "here")
    (inner / "itself").symlink_to("itself")
    assert sentences(str(tmp_path / "in" / "**" / "*.txt")) == wanted
    assert sentences(str(inner / "back" / "ner" / ".." / "**" / "*.txt")) == wanted


@pytest.mark.parametrize("pattern", ["", "*.txt"])
def test_a_link_to_nothing_is_said(tmp_path: Path, pattern: str) -> None:
    write(tmp_path / "a.txt", "a")
    (tmp_path / "b.txt").symlink_to(tmp_path / "gone")
    with pytest.raises(MissingFileError, match=r"b\.txt is a link to a file that is not there; put the file there"):
        open_source(tmp_path / pattern)


def test_a_folder_that_cannot_be_looked_into_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "a.txt", "a")
    real = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if path.name == "in":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(FileAccessError, match=r"cannot read .*in: Permission denied"):
        open_source(tmp_path)


def test_a_file_that_goes_before_it_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.txt", "a")
    found = find_files(path)
    monkeypatch.setattr(readers, "find_files", lambda *_, **__: found)
    path.unlink()
    with pytest.raises(MissingFileError, match=r"a\.txt does not exist; check the path"):
        open_source(path)


def test_a_small_file_is_one_block(tmp_path: Path) -> None:
    """Of many small files the number of blocks is what reading takes its time for."""
    paths = [write(tmp_path / name, data) for name, data in (("a", "a b\nc\n"), ("b", "\n"), ("c", "\ufeffd\n"))]
    assert [len(block.codes) for block in open_source(paths).blocks] == [3, 0, 1]
    assert sentences([write(tmp_path / "d", "f "), write(tmp_path / "e", "g")]) == [["f"], ["g"]]


def test_files_go_in_sorted_order(tmp_path: Path) -> None:
    names = [f"{i * 7919 % 997:03}" for i in range(40)]
    for name in names:
        write(tmp_path / name, name)
    assert sentences(tmp_path) == sentences(str(tmp_path / "*")) == [[name] for name in sorted(names)]


def test_a_name_with_pattern_characters_is_taken_literally_first(tmp_path: Path) -> None:
    write(tmp_path / "a[1].txt", "literal")
    write(tmp_path / "a1.txt", "pattern")
    assert sentences(str(tmp_path / "a[1].txt")) == [["literal"]]


def test_stdin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_blocks: None) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbffrom a\npipe")))
    source = open_source("-")
    assert source.stamps is None
    assert source.total_bytes is None
    assert sentences("-") == [["from", "a"], ["pipe"]]
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "-", "a file")
    assert sentences(Path("-")) == [["a", "file"]]


def test_no_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(FileAccessError, match="no standard input"):
        sentences("-")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_read_but_never_reused(tmp_path: Path) -> None:
    import threading

    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=write, args=(tmp_path / "pipe", "x y\nz"))
    writer.start()
    assert sentences(tmp_path / "pipe") == [["x", "y"], ["z"]]
    writer.join()
    assert open_source(tmp_path / "pipe").stamps is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.txt", "there is no file"),
        ("none*.txt", "no file has the pattern"),
        ("a sentence, not a path", "sentences must be lists of tokens"),
        ("", r"a path is an empty string; this folder is '\.'"),
        ("two\nlines", "sentences must be lists of tokens"),
        ("x" * 5000, r"there is no file .*\.\.\."),
        ("zero\0byte", "there is no file"),
        (".", "holds no file"),
    ],
)
def test_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    for source in (name, [name]):
        with pytest.raises(MissingFileError, match=message):
            open_source(source)


def test_unreadable(tmp_path: Path) -> None:
    path = write(tmp_path / "text.txt", "x")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(FileAccessError, match=r"text\.txt cannot be read: Permission denied"):
        sentences(path)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), OSError("odd")], ids=str)
def test_a_read_error_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    class Broken(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise error

    path = write(tmp_path / "text.txt", "x")
    monkeypatch.setattr(Path, "open", lambda *_: Broken())
    with pytest.raises(FileAccessError, match=rf"text\.txt cannot be read: {re.escape(str(error))}"):
        sentences(path, workers=1)


def test_progress_and_stamps(tmp_path: Path, tiny_blocks: None) -> None:
    one, two = (
        write(tmp_path / "1.txt", "some words here"),
        write(tmp_path / "2.txt.xz", lzma.compress(b"more of them")),
    )
    source = open_source([one, two])
    total = one.stat().st_size + two.stat().st_size
    done = [block.done for block in source.blocks]
    assert source.total_bytes == total
    assert done == sorted(done)
    assert done[-1] == total
    assert source.stamps is not None
    assert [stamp["path"] for stamp in source.stamps] == [str(one), str(two)]
    assert source.stamps[0]["mtime_ns"] == one.stat().st_mtime_ns


# Columns -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", COMPRESSORS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("column", ["id", "sentence", "note"])
def test_column_of_a_tab_separated_file(tmp_path: Path, suffix: str, end: str, column: str, tiny_blocks: None) -> None:
    rows = [["1", "A b  c", "x"], ["2", "", ""], ["3", 'd "e', "ü y"], ["4", "f", "z"]]
    lines = ["\ufeffid\tsentence\tnote", *("\t".join(row) for row in rows), ""]
    path = write(tmp_path / f"t.tsv{suffix}", COMPRESSORS[suffix](end.join(lines).encode()))
    place = ["id", "sentence", "note"].index(column)
    assert sentences(path, column=column) == [row[place].split() for row in rows if row[place]]


def test_column_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BLOCK_BYTES", 9)
    path = write(tmp_path / "t.tsv", b"id\ttext\n1\tgood\n2\n")
    with pytest.raises(CorpusError, match=r"t\.tsv has no column 'sentence'; .*: 'id', 'text'"):
        sentences(path, column="sentence")
    with pytest.raises(CorpusError, match=r"the line at byte 15 has 1 tab-separated columns, wanted 2"):
        sentences(path, column="text")
    path = write(tmp_path / "bad.tsv", b"id\ttext\n1\tgood\n2\tbad \xff\n")
    with pytest.raises(CorpusError, match="wrong byte 0xff at byte 21"):
        sentences(path, column="text")
    assert sentences(path, column="text", errors="replace") == [["good"], ["bad", "\ufffd"]]
    with pytest.raises(CorpusError, match="column='x' needs a file"):
        sentences([["a"]], column="x")


# Parquet -------------------------------------------------------------------------------------------------

TEXT_ROWS = ["Ein Satz", None, "", "mit\nZeile", "drei \u3000 vier"]
TEXT_SENTENCES = [["Ein", "Satz"], ["mit", "Zeile"], ["drei", "vier"]]
WORD_ROWS = [["New York", "b"], None, [], ["b", None, "c\n"]]
WORD_SENTENCES = [["New York", "b"], ["b", "c\n"]]
ID_ROWS = [[5, 6], [], None, [None, -7, 5]]
ID_SENTENCES = [["5", "6"], ["-7", "5"]]


@pytest.mark.parametrize(
    ("rows", "kind", "wanted"),
    [
        (TEXT_ROWS, pa.string(), TEXT_SENTENCES),
        (TEXT_ROWS, pa.large_string(), TEXT_SENTENCES),
        (TEXT_ROWS, pa.dictionary(pa.int32(), pa.string()), TEXT_SENTENCES),
        (WORD_ROWS, pa.list_(pa.string()), WORD_SENTENCES),
        (WORD_ROWS, pa.large_list(pa.large_string()), WORD_SENTENCES),
        (ID_ROWS, pa.list_(pa.int64()), ID_SENTENCES),
        (ID_ROWS, pa.list_(pa.int16()), ID_SENTENCES),
        ([["a", "b"], None, ["c", None]], pa.list_(pa.string(), 2), [["a", "b"], ["c"]]),
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [1, 8 << 20])
def test_parquet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[Any], kind: Any, wanted: list[list[str]], size: int
) -> None:
    monkeypatch.setattr(readers, "BLOCK_BYTES", size)
    path = tmp_path / "t.parquet"
    table = pa.table({"n": range(len(rows) * 3), "x": pa.array(rows * 3, kind)})
    try:
        pq.write_table(table, path, row_group_size=4)
    except pa.ArrowNotImplementedError as error:
        pytest.skip(f"pyarrow {pa.__version__} does not write these: {error}")
    assert sentences(path) == wanted * 3
    assert sentences(path, column="x", lower=True) == [[word.lower() for word in row] for row in wanted] * 3
    assert [block.done for block in open_source(path).blocks][-1] == path.stat().st_size


def test_parquet_errors(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"n": [1], "a": ["x"], "b": [["y"]]}), path)
    assert sentences(path, column="b") == [["y"]]
    with pytest.raises(CorpusError, match=r"needs a column named .*: 'a', 'b'"):
        sentences(path)
    with pytest.raises(CorpusError, match=r"has no column 'z'; .*: 'a', 'b'"):
        sentences(path, column="z")
    with pytest.raises(CorpusError, match=r"column 'n' of .*t\.parquet holds int64, wanted strings or lists of"):
        sentences(path, column="n")
    with pytest.raises(CorpusError, match=r"cannot be read as Parquet: ") as caught:
        sentences(write(tmp_path / "no.parquet", "just text"))
    assert "\n" not in str(caught.value)


def test_rows_that_arrow_loses_in_silence(tmp_path: Path) -> None:
    rows = [["a", "b"], ["c"], ["d", "e"]]
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": rows}), path, data_page_size=1, row_group_size=1)
    if pq.ParquetFile(path).read().num_rows == len(rows):
        pytest.skip("this Arrow reads pages of a byte")
    with pytest.raises(CorpusError, match=r"t\.parquet cannot be read as Parquet: of 3 rows of column 'x' Arrow gave"):
        sentences(path)


def test_wrong_utf8_in_parquet(tmp_path: Path) -> None:
    bad = pa.array([b"good", b"bad\xff"]).view(pa.string())
    pq.write_table(pa.table({"x": bad}), tmp_path / "text.parquet")
    with pytest.raises(
        CorpusError, match=r"column 'x' of .*text\.parquet is not UTF-8 text: wrong byte 0xff at byte 8"
    ):
        sentences(tmp_path / "text.parquet")
    rows = pa.ListArray.from_arrays([0, 2], bad)
    pq.write_table(pa.table({"x": rows}), tmp_path / "words.parquet")
    with pytest.raises(CorpusError, match=r"words\.parquet holds a string that is not UTF-8"):
        sentences(tmp_path / "words.parquet")


def test_a_parquet_column_with_the_name_of_another_ones_field(tmp_path: Path) -> None:
    columns = {"a": pa.array([{"b": "no"}, {"b": "no"}]), "a.b": ["x y", "z"]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    assert sentences(tmp_path / "t.parquet") == [["x", "y"], ["z"]]


KINDS_OF_TEXT = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]


@pytest.mark.parametrize("kind", KINDS_OF_TEXT, ids=str)
def test_long_rows_of_text_are_spelled_out_a_few_at_a_time(kind: Any) -> None:
    texts = ["x" * 400, None, "y " * 300, "", *["short"] * 300]
    rows = pa.concat_arrays([pa.array(["left out"] * 3, kind), pa.array(texts, kind)])[3:]
    parts = [part.to_pylist() for part in columns.slices(rows, 1000)]
    assert [text for part in parts for text in part] == texts
    assert [sum(len(text or "") for text in part) for part in parts] == [1000, 1000, 500]
    assert [len(part.to_pylist()) for part in columns.slices(rows, 1)] == [1] * 304


def test_tokens_that_parquet_packs_tightly_are_read_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(pa.table({"x": [["a"] * 100] * 2000}), tmp_path / "t.parquet")
    monkeypatch.setattr(readers, "BLOCK_TOKENS", 1000)
    seen = []

    def token_slices(rows: Any, tokens: int) -> Iterator[Any]:
        seen.append(len(rows))
        return columns.token_slices(rows, tokens)

    monkeypatch.setattr(readers, "token_slices", token_slices)
    assert sentences(tmp_path / "t.parquet") == [["a"] * 100] * 2000
    assert max(seen) == 10


# Lists and ids -------------------------------------------------------------------------------------------


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(st.text(max_size=3))), size=st.integers(1, 9))
def test_lists_are_taken_as_they_are(rows: list[list[str]], size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BLOCK_TOKENS", size)
    wanted = [row for row in rows if row]
    assert sentences(rows) == wanted
    assert sentences(list(map(tuple, rows))) == wanted
    rows = [*rows, ["last"]]  # an iterator with nothing in it is an error
    wanted = [*wanted, ["last"]]
    assert sentences(tuple(row) for row in rows) == wanted
    assert sentences((iter(row) for row in rows), lower=True) == [[word.lower() for word in row] for row in wanted]


def test_lists_of_numbers(tiny_blocks: None) -> None:
    rows = [[3, 1], np.array([1, 2**40], np.int64), np.array(["x", "y"]), np.array([], np.int64), (np.uint8(9),)]
    assert sentences(rows) == [["3", "1"], ["1", str(2**40)], ["x", "y"], ["9"]]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([["a"], "a b"], "sentence 1 is a string, wanted a list of tokens: split it first"),
        (iter(["a b"]), "sentence 0 is a string"),
        ([["a"], b"a b"], "sentence 1 is a string"),
        ([["a"], ["b"], 3], "sentence 2 is of type int, wanted a list"),
        ([["a"], [], ["b", 1.5]], r"sentence 2 holds a token of type float, .*: str\(token\) makes"),
        ([["a"], ["b"], ["c", True]], "sentence 2 holds a token of type bool"),
        ([[1, 0, True]], "sentence 0 holds a token of type bool"),
        ([[1], [1.0]], "sentence 1 holds a token of type float"),
        ([["a"], [["b"]]], "sentence 1 holds a token of type list, .*: lists lie too deep"),
        ([["a"], {"text": "a b"}], "sentence 1 is of type dict, wanted a list of tokens"),
        ([["a", None]], "sentence 0 holds a token of type NoneType, .*: leave out what is missing"),
        ([["a", float("nan")]], "sentence 0 holds a token of type float, .*: leave out what is missing"),
        ([[b"a"]], r"sentence 0 holds a token of type bytes, .*: token\.decode\(\) makes"),
        (b"text", "a corpus must be a path, .* got bytes"),
        (17, "a corpus must be a path, .* got int"),
        (None, "a corpus must be a path, .* got NoneType"),
        (np.arange(3), r"must be 2-D, .* got shape \(3,\), dtype int64; for others give \(ids, offsets\)"),
        (np.ones((2, 2)), "of integers"),
        ((np.arange(3), np.array([0.0, 3.0])), "offsets must be 1-D and of integers"),
        ((np.ones((2, 2), int), np.array([0, 4])), r"ids must be 1-D and of integers, got shape \(2, 2\)"),
        ((np.arange(3), np.array([], int)), r"offsets must go from 0 up to the number of ids \(3\)"),
        ((np.arange(3), np.array([1, 3])), "offsets must go"),
        ((np.arange(3), np.array([0, 2])), "offsets must go"),
        ((np.arange(3), np.array([0, 2, 1, 3], np.uint64)), "offsets must go"),
    ],
)
@pytest.mark.parametrize("size", [1, 100])
def test_what_is_no_corpus(source: Any, message: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BLOCK_TOKENS", size)
    if isinstance(source, Iterator) and size == 100:
        source = iter(["a b"])  # the other case has used it up
    with pytest.raises(CorpusError, match=message):
        sentences(source)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(st.integers(-(2**63), 2**63 - 1))), size=st.integers(1, 9))
def test_id_arrays(rows: list[list[int]], size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BLOCK_TOKENS", size)
    ids = np.array([i for row in rows for i in row], np.int64)
    offsets = np.cumsum([0, *map(len, rows)])
    assert sentences((ids, offsets)) == [[str(i) for i in row] for row in rows if row]


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", ">i4", "uint64"])
def test_id_rows(dtype: str, tiny_blocks: None) -> None:
    walks = np.arange(12).astype(dtype).reshape(4, 3)
    assert sentences(walks) == [[str(i) for i in row] for row in walks.tolist()]
    assert sentences(walks[:, ::2]) == [[str(i) for i in row] for row in walks[:, ::2].tolist()]


def test_errors_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="errors must be 'strict' or 'replace', got 'ignore'"):
        open_source(tmp_path, errors="ignore")


def test_a_text_that_is_cut_short_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "BLOCK_BYTES", 1000)
    path = write(tmp_path / "t.txt", "a b c\n" * 10_000)
    stream = open_source(path).blocks
    next(stream)
    os.truncate(path, 30_000)
    with pytest.raises(
        CorpusError, match=r"t\.txt became shorter while it was in use: 60,000 bytes before, 30,000 now"
    ):
        list(stream)
    source = open_source(path)
    write(path, path.read_bytes() + b"d\n")  # one that grows is no shorter
    assert sum(len(block.codes) for block in source.blocks) == 15_001


def test_threads_end_when_reading_is_given_up(tmp_path: Path, tiny_blocks: None) -> None:
    import threading

    path = write(tmp_path / "t.txt", "a b c\n" * 100)
    stream = open_source(path).blocks
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("xw2v-read")]


@pytest.mark.parametrize("library", ["pyarrow", "pandas", "polars"])
@pytest.mark.parametrize("tokens", [[[3, 1], [1], [3, 17, 3]], [["a b", "c"], ["a b"], ["c"]]])
def test_tables_and_columns_of_other_libraries(library: str, tokens: list[list[Any]]) -> None:
    module = pytest.importorskip(library, reason=f"{library} is not installed")
    columns = {"basket": tokens, "price": [1.5, 2.5, 3.5]}
    if library == "pyarrow":
        table, column = module.table(columns), module.array(tokens)
    else:
        table = module.DataFrame(columns)
        column = table["basket"]
    wanted = [[str(token) for token in sentence] for sentence in tokens]
    for source, options in ((table, {}), (table, {"column": "basket"}), (column, {})):
        assert sentences(source, **options) == wanted
    with pytest.raises(CorpusError, match="the table has no column 'x'"):
        sentences(table, column="x")


def test_a_column_of_text_in_a_table() -> None:
    table = pa.table({"text": ["the king", None, "a queen  reigns"]})
    assert sentences(table) == [["the", "king"], ["a", "queen", "reigns"]]


def test_columns_of_one_name(tmp_path: Path) -> None:
    for other in (pa.array(["c d"]), pa.array([1])):
        table = pa.table([pa.array(["a b"]), other], names=["x", "x"])
        pq.write_table(table, tmp_path / "t.parquet")
        for source in (table, tmp_path / "t.parquet"):
            with pytest.raises(CorpusError, match="has 2 columns 'x'; give them different names"):
                sentences(source, column="x")


def test_lists_as_views() -> None:
    for kind in (pa.list_view(pa.string()), pa.large_list_view(pa.string())):
        assert sentences(pa.table({"x": pa.array([["a"], None, [], ["b", "a"]], kind)})) == [["a"], ["b", "a"]]


def test_views_of_strings_with_what_is_missing() -> None:
    for kind in (pa.list_(pa.string_view()), pa.large_list(pa.string_view()), pa.list_(pa.string_view(), 2)):
        assert sentences(pa.table({"x": pa.array([["a", None], None, ["b", "a"]], kind)})) == [["a"], ["b", "a"]]
    polars = pytest.importorskip("polars", reason="polars is not installed")
    assert sentences(polars.DataFrame({"x": [["a", None], None, ["b", "a"]]})) == [["a"], ["b", "a"]]


def test_half_surrogates_in_arrays() -> None:
    names = np.array(["\ud800", "a", "\ud800"])
    assert sentences((names, np.array([0, 2, 3]))) == [["\ud800", "a"], ["\ud800"]]


def test_strings_with_offsets() -> None:
    names = np.array(["anna", "bert", "čeněk"])
    assert sentences((names, np.array([0, 2, 3]))) == [["anna", "bert"], ["čeněk"]]
