"""Results that lie where texts are read, or in each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xw2v.errors import ConfigError, FileAccessError
from xw2v.estimator import Word2Vec
from xw2v.text.places import check_not_read, lies_in
from xw2v.text.readers import open_source
from xw2v.text.store import encode

ENCODED = ["ids.int32", "manifest.json", "offsets.int64", "vocabulary.json"]


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "texts"
    (folder / "inner").mkdir(parents=True)
    for name in ("one.txt", "inner/two.txt"):
        (folder / name).write_text("the king and the queen\n" * 20)
    return folder


def fitted(corpus: Any, **how: Any) -> Word2Vec:
    return Word2Vec(vector_size=2, min_count=1, sample=0, epochs=1, workers=1).fit(corpus, **how)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


WRITERS: dict[str, Callable[[Any, Any], Any]] = {
    "encode": lambda corpus, place: encode(corpus, place, min_count=1),
    "encoded_dir": lambda corpus, place: fitted(corpus, encoded_dir=place),
    "checkpoint_dir": lambda corpus, place: fitted(corpus, checkpoint_dir=place),
    "partial_fit": lambda corpus, place: fitted([["a", "b"]]).partial_fit(corpus, checkpoint_dir=place),
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    ("corpus", "place"),
    [
        ("texts", "texts/new"),
        (Path("texts"), Path("texts/inner/new")),
        (["texts/one.txt", "texts/inner"], "texts/inner/new"),
        ("texts", "new-in-texts"),
        ("texts", "texts/link"),
        ("through", "texts/new"),
        ("texts", "elsewhere/new"),  # the texts have a link there
        ("texts/**", "texts/new"),
        ("t*s/**", "texts/inner/new"),
        ("texts/*/*", "texts/new"),
    ],
    ids=str,
)
def test_a_place_that_would_be_read_is_refused(texts: Path, writer: str, corpus: Any, place: Any) -> None:
    for folder in ("far", "elsewhere"):
        Path(folder).mkdir()
    Path("elsewhere/three.txt").write_text("a b\n")
    Path("new-in-texts").symlink_to(texts / "new")
    Path("through").symlink_to("texts")
    (texts / "more").symlink_to(Path("elsewhere").absolute())
    if place == "texts/link":
        Path(place).symlink_to(Path("far/new").absolute())
    before = files(Path())
    with pytest.raises(FileAccessError, match=r"will not write .*new|will not write texts/link") as error:
        WRITERS[writer](corpus, place)
    assert str(error.value).endswith("choose a place outside")
    assert files(Path()) == before


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    ("corpus", "place"),
    [
        ("texts", "new"),
        ("texts", "texts-new"),
        ("texts", "texts/.new"),
        ("texts", "texts/.hidden/new"),
        (["texts/one.txt"], "texts/new"),
        ("texts/*", "texts/new"),
        ("texts/**/*.txt", "texts/new"),
        ("texts/**", "texts/.new"),
        ("texts/**", "new"),
        ("texts/in*/*", "texts/new"),
    ],
    ids=str,
)
def test_the_same_call_twice_reads_the_same_text(texts: Path, writer: str, corpus: Any, place: str) -> None:
    (texts / ".hidden").mkdir()
    for _ in range(2):
        read = open_source(corpus).stamps
        WRITERS[writer](corpus, place)
        assert open_source(corpus).stamps == read
        assert Path(place).is_dir()


def test_checkpoints_in_the_folder_of_texts_itself(texts: Path) -> None:
    with pytest.raises(FileAccessError, match="it lies in texts, all of which is the corpus"):
        fitted("texts", checkpoint_dir="texts")
    assert files(texts) == ["inner", "inner/two.txt", "one.txt"]


@pytest.mark.parametrize("checkpoints", ["e", "e/run", "link/run"])
def test_checkpoints_in_the_encoded_corpus(texts: Path, checkpoints: str) -> None:
    Path("link").symlink_to("e")
    with pytest.raises(ConfigError, match=f"checkpoint_dir='{checkpoints}' lies in encoded_dir='e'"):
        fitted("texts", encoded_dir="e", checkpoint_dir=checkpoints)
    assert not Path("e").exists()
    Path("run").mkdir()
    for _ in range(2):  # the other way round nothing is in the way
        fitted("texts", encoded_dir="run/e", checkpoint_dir="run")
    assert files(Path("run/e")) == ENCODED


@pytest.mark.parametrize(("place", "wanted"), [("no/run", "no folder .*/no"), ("texts/one.txt", "a file of that name")])
def test_checkpoints_that_cannot_be_written_are_refused_before_the_text_is_read(
    texts: Path, place: str, wanted: str
) -> None:
    read: list[Any] = []
    with pytest.raises(FileAccessError, match=wanted):
        fitted("texts/inner", checkpoint_dir=place, on_encode=lambda *done: read.append(done))
    assert not read


def test_what_is_no_path_reads_no_place(texts: Path) -> None:
    sentences = [["a", "b"]] * 20
    for source in (sentences, iter(sentences), "-", "s3://texts/*", ["hdfs:///texts", "s3://b/t"], "no/such", "a\0b"):
        check_not_read("texts/new", source)
    check_not_read("a\0b", "texts")  # whoever writes there says what is wrong with it
    assert not lies_in("a\0b", "texts")


def test_an_encoded_corpus_takes_no_other_files_for_its_own(texts: Path) -> None:
    encode("texts", "e", min_count=1)
    check_not_read("e/run", "e")
