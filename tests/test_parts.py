"""Encodings that were interrupted go on with the files that are not done, and end with the same bytes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xw2v import cli
from xw2v.errors import CorpusError, FileAccessError, FormatError
from xw2v.text import encode, encoder, encoding, parts
from xw2v.text.memory import Shares
from xw2v.text.paths import LocalFile
from xw2v.text.readers import open_source

TEXTS = {
    "1.txt": "the cat sat\non the mat", "2.txt": "a cat\n", "3.txt": "", "4.txt": "the end of a cat\n", "5.txt": "mat",
}  # fmt: skip


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of texts, of which every file is worth a part, read with memory for a few words."""
    monkeypatch.setattr(parts, "PART_BYTES", 1)
    monkeypatch.setattr(parts, "MOST_PARTS", 1000)
    monkeypatch.setattr(encoding, "shares", lambda *_: Shares(5, 60))
    folder = tmp_path / "text"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are opened."""
    names: list[str] = []
    real = LocalFile.opened

    def noting(file: LocalFile) -> Any:
        names.append(file.path.name)
        return real(file)

    monkeypatch.setattr(LocalFile, "opened", noting)
    return names


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def interrupt_after(words: int) -> Callable[..., None]:
    def progress(done: int, total: int | None, seen: int) -> None:
        if seen >= words:
            raise KeyboardInterrupt

    return progress


def interrupted(source: Path, target: Path, words: int = 13) -> list[str]:
    """Encode until so many words are read; the names of what is kept."""
    with pytest.raises(KeyboardInterrupt):
        encode(source, target, min_count=1, progress=interrupt_after(words))
    assert not target.exists()
    kept = target.with_name(target.name + ".encoding")
    return sorted(path.name for path in kept.iterdir()) if kept.exists() else []


PLANS: list[tuple[list[int], list[list[int]]]] = [
    ([], [[]]),
    ([0], [[0]]),
    ([3], [[0]]),
    ([9, 9], [[0, 1]]),
    ([10, 1], [[0], [1]]),
    ([4, 5, 1, 30, 2, 2], [[0, 1, 2], [3], [4, 5]]),
    ([0, 10, 0, 0, 10, 0], [[0, 1, 2, 3], [4, 5]]),  # an empty file is no reason to begin a part
    ([90, 31, 1, 1, 117], [[0], [1], [2, 3, 4]]),
    ([100, 23, 1, 1, 200], [[0], [1, 2, 3], [4]]),  # of 325 bytes: 13 parts of 25 or more
]


@pytest.mark.parametrize(("sizes", "plan"), PLANS)
def test_which_files_make_up_a_part(sizes: list[int], plan: list[list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 10)
    monkeypatch.setattr(parts, "MOST_PARTS", 13)
    assert list(map(list, parts.planned(sizes))) == plan


def test_there_are_about_as_many_parts_as_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 1)
    rng = random.Random(0)
    for files in (1, 63, 64, 65, 200, 5000):
        sizes = [rng.choice([0, 1, 10, 5000]) for _ in range(files)]
        plan = parts.planned(sizes)
        assert [file for part in plan for file in part] == list(range(files))
        assert len(plan) <= parts.MOST_PARTS + 1
        assert all(sum(sizes[file] for file in part) >= sum(sizes) // parts.MOST_PARTS for part in plan[:-1])


def test_files_and_bytes_of_parts(source: Path, tmp_path: Path) -> None:
    stamps = open_source(source).stamps
    with parts.folder_workspace(tmp_path / "e.encoding", 60, {}, stamps) as work:
        assert (work.count, work.missing) == (4, [0, 1, 2, 3])
        assert work.files_of([1, 3]) == [1, 2, 4]
        assert [work.part_of(file) for file in range(5)] == [0, 1, 1, 2, 3]
        assert [work.bytes_of([number]) for number in range(4)] == [22, 6, 17, 3]


@pytest.mark.parametrize("gone", [[0], [1], [0, 2], [0, 1, 2, 3]])
def test_parts_are_taken_over_whichever_are_there(source: Path, tmp_path: Path, opened: list[str], gone: list[int],
                                                  monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    whole = encode(source, tmp_path / "whole", min_count=1)
    with monkeypatch.context() as patch:
        patch.setattr(encoder, "choose", lambda *_: sys.exit(9))
        with pytest.raises(SystemExit):
            encode(source, tmp_path / "e", min_count=1)
    for number in gone:
        (tmp_path / "e.encoding" / f"part-{number:05}.json").unlink()
    opened.clear()
    shown: list[tuple[int, int | None, int]] = []
    encode(source, tmp_path / "e", min_count=1, progress=lambda *what: shown.append(what))
    assert content(tmp_path / "e") == content(tmp_path / "whole")
    files = [["1.txt"], ["2.txt", "3.txt"], ["4.txt"], ["5.txt"]]
    assert opened == [file for number in gone for file in files[number]]
    size = sum(map(len, TEXTS.values()))
    while_read = shown[: shown.index((size, size, whole.raw_words)) + 1]  # what is there counts from the beginning
    assert while_read == sorted(while_read)
    assert while_read[0][0] > sum([22, 6, 17, 3][number] for number in range(4) if number not in gone)


def test_parts_stay_until_the_corpus_is_in_its_place(
    source: Path, tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    encode(source, tmp_path / "whole", min_count=1)
    with monkeypatch.context() as patch:
        patch.setattr("xw2v.files._publish", lambda *_: (tmp_path / "gone").stat())
        with pytest.raises(FileAccessError, match=r"cannot write .*e: No such file"):
            encode(source, tmp_path / "e", min_count=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.encoding", "text", "whole"]
    opened.clear()
    encode(source, tmp_path / "e", min_count=1)
    assert opened == []
    assert content(tmp_path / "e") == content(tmp_path / "whole")
    assert not (tmp_path / "e.encoding").exists()


@pytest.mark.parametrize("words", range(1, 15))
def test_an_interrupted_encoding_goes_on(source: Path, tmp_path: Path, opened: list[str], words: int) -> None:
    whole = encode(source, tmp_path / "whole", min_count=1)
    opened.clear()
    kept = interrupted(source, tmp_path / "e", words)
    done = len([name for name in kept if name.endswith(".json")])
    opened.clear()
    encode(source, tmp_path / "e", min_count=1)
    assert content(tmp_path / "e") == content(tmp_path / "whole")
    assert not (tmp_path / "e.encoding").exists()
    # A file without words is done when the next one is.
    finished = [0, 1, 3, 4, 5][done]
    assert opened == list(TEXTS)[finished:]
    assert done == (words > 6) + (words > 8) + (words > 13)
    assert whole.raw_words == 14


def test_also_after_the_last_file(source: Path, tmp_path: Path, opened: list[str],
                                  monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    encode(source, tmp_path / "whole", min_count=2)
    with monkeypatch.context() as patch:
        patch.setattr(encoder, "choose", lambda *_: sys.exit(9))
        with pytest.raises(SystemExit):
            encode(source, tmp_path / "e", min_count=1)
    opened.clear()
    encode(source, tmp_path / "e", min_count=2)  # which does not matter to the parts
    assert opened == []
    assert content(tmp_path / "e") == content(tmp_path / "whole")


CHANGES: dict[str, Callable[[Path, Path], Any]] = {
    "first file": lambda text, kept: (text / "1.txt").write_text("other words than before"),
    "second file": lambda text, kept: (text / "2.txt").write_text("other words than before"),
    "a file less": lambda text, kept: (text / "1.txt").unlink(),
    "a file more": lambda text, kept: (text / "0.txt").write_text("words before"),
    "data cut": lambda text, kept: os.truncate(kept / "part-00000.data", 30),
    "data empty": lambda text, kept: os.truncate(kept / "part-00001.data", 0),
    "data gone": lambda text, kept: (kept / "part-00001.data").unlink(),
    "data wrong": lambda text, kept: (kept / "part-00000.data").write_bytes(b"\1" * 300),
    "record cut": lambda text, kept: os.truncate(kept / "part-00000.json", 30),
    "record gone": lambda text, kept: (kept / "part-00000.json").unlink(),
    "record wrong": lambda text, kept: edit(kept / "part-00000.json", tokens=7),
    "record of something else": lambda text, kept: (kept / "part-00000.json").write_text("[1, 2]"),
    "record of a later version": lambda text, kept: edit(kept / "part-00001.json", version=99),
    "half-written": lambda text, kept: (kept / ".xw2v-00-11.tmp").write_text("half"),
}


def edit(path: Path, **changes: Any) -> None:
    index = json.loads(path.read_text())["index"] | changes
    fresh = parts._digest(index) if "version" in changes else "0"
    path.write_text(json.dumps({"index": index, "sha256": fresh}))


@pytest.mark.parametrize("name", CHANGES)
def test_what_changed_or_is_damaged_is_read_again(source: Path, tmp_path: Path, name: str) -> None:
    assert interrupted(source, tmp_path / "e") == [
        "part-00000.data", "part-00000.json", "part-00001.data", "part-00001.json",
    ]  # fmt: skip
    CHANGES[name](source, tmp_path / "e.encoding")
    encode(source, tmp_path / "e", min_count=1)
    encode(source, tmp_path / "whole", min_count=1)
    assert content(tmp_path / "e") == content(tmp_path / "whole")


def test_parts_that_were_read_in_another_way_are_not_used(source: Path, tmp_path: Path, opened: list[str]) -> None:
    interrupted(source, tmp_path / "e")
    opened.clear()
    encode(source, tmp_path / "e", min_count=1, lower=True)
    assert opened == list(TEXTS)


def test_damage_while_it_is_used(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = vars(encoder)["choose"]

    def choose(*arguments: Any) -> Any:
        found = real(*arguments)
        os.truncate(tmp_path / "e.encoding" / "part-00001.data", 8)
        return found

    monkeypatch.setattr(encoder, "choose", choose)
    with pytest.raises(FormatError, match=r"part-00001\.data is damaged: numbers that were written there are gone"):
        encode(source, tmp_path / "e", min_count=1)
    assert not (tmp_path / "e").exists()
    monkeypatch.undo()
    encode(source, tmp_path / "e", min_count=1)
    encode(source, tmp_path / "whole", min_count=1)
    assert content(tmp_path / "e") == content(tmp_path / "whole")


def test_parts_of_a_corpus_that_is_in_its_place_go(source: Path, tmp_path: Path) -> None:
    interrupted(source, tmp_path / "e")
    (tmp_path / "e.encoding").rename(tmp_path / "kept")
    encode(source, tmp_path / "e", min_count=1)
    before = content(tmp_path / "e")
    (tmp_path / "kept").rename(tmp_path / "e.encoding")  # as a kill before they are deleted leaves them
    encode(source, tmp_path / "e", min_count=1)
    assert not (tmp_path / "e.encoding").exists()
    assert content(tmp_path / "e") == before
    (tmp_path / "e.encoding").mkdir()
    (tmp_path / "e.encoding" / "notes.txt").write_text("of somebody else")
    encode(source, tmp_path / "e", min_count=1)
    assert list(content(tmp_path / "e.encoding")) == ["notes.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e", "e.encoding", "text"]


def test_parts_of_a_later_encoding_with_other_options_stay(source: Path, tmp_path: Path, opened: list[str]) -> None:
    encode(source, tmp_path / "e", min_count=1)
    with pytest.raises(KeyboardInterrupt):
        encode(source, tmp_path / "e", min_count=2, progress=interrupt_after(13))
    kept = content(tmp_path / "e.encoding")
    assert kept
    encode(source, tmp_path / "e", min_count=1)  # the corpus that is there
    assert content(tmp_path / "e.encoding") == kept
    opened.clear()
    encode(source, tmp_path / "e", min_count=2)
    assert 0 < len(opened) < len(TEXTS)
    assert not (tmp_path / "e.encoding").exists()


def test_a_wrong_file_costs_the_others_nothing(source: Path, tmp_path: Path, opened: list[str]) -> None:
    (source / "4.txt").write_bytes(b"\xff")
    with pytest.raises(CorpusError, match=r"4\.txt is not UTF-8"):
        encode(source, tmp_path / "e", min_count=1)
    (source / "4.txt").write_text(TEXTS["4.txt"])
    opened.clear()
    encode(source, tmp_path / "e", min_count=1)
    assert opened == ["2.txt", "3.txt", "4.txt", "5.txt"]


def test_nothing_is_kept_of_little(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 1 << 20)
    assert interrupted(source, tmp_path / "e") == []
    with pytest.raises(KeyboardInterrupt):
        encode((text.split() for text in TEXTS.values()), tmp_path / "e", progress=interrupt_after(5))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text"]


@pytest.mark.parametrize("what", ["file", "folder", "part of something else", "link"])
def test_nobodys_files_are_in_danger(source: Path, tmp_path: Path, what: str) -> None:
    place = tmp_path / "e.encoding"
    if what == "file":
        place.write_text("precious")
    elif what != "link":
        place.mkdir()
        (place / ("precious" if what == "folder" else "part-00000.txt")).write_text("precious")
    else:
        place.symlink_to(source)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileAccessError, match=r"e\.encoding is in the way"):
        encode(source, tmp_path / "e", min_count=1)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_command_line_says_how_to_go_on(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                            capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    def choose(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(encoder, "choose", choose)
    assert cli.main(["encode", str(source), "-o", str(tmp_path / "e")]) == 130
    said = capsys.readouterr().err
    assert (
        said == f"xw2v: interrupted; what is done is in {tmp_path / 'e.encoding'}; the same command goes on with it\n"
    )


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_killed_encodings_lose_nothing() -> None:
    """`python -m tests.encode_kills` does more."""
    command = [sys.executable, "-m", "tests.encode_kills", "--kills", "20"]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=300)
    figures = json.loads(done.stdout)
    assert figures["kills"] >= 20
    assert figures["useful"] > 2
    assert (figures["differing"], figures["leftovers"]) == (0, 0)
