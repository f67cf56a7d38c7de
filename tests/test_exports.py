"""Exports, each read back by the tool it is for or as that tool reads."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from xw2v import WordVectors, cli
from xw2v.errors import ConfigError, FileAccessError, FormatError, NumericalError
from xw2v.vectors.exports import export

ROOT = Path(__file__).resolve().parents[1]
WORDS = ["king", "queen", "new york", "国王", 'a"b']


def some() -> WordVectors:
    vectors = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    return WordVectors(WORDS, vectors, counts=[9, 7, 5, 3, 1])


def test_tensorboard(tmp_path: Path) -> None:
    export(some(), tmp_path / "out", "tensorboard")
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "out" / "vectors.tsv", dtype=np.float32), some().vectors)
    lines = (tmp_path / "out" / "metadata.tsv").read_text().splitlines()
    assert lines[:3] == ["word\tcount", "king\t9", "queen\t7"]
    assert len(lines) == 6
    assert 'tensor_path: "vectors.tsv"' in (tmp_path / "out" / "projector_config.pbtxt").read_text()
    odd = WordVectors(["a\tb", "\n"], np.eye(2))
    export(odd, tmp_path / "odd", "tensorboard")
    assert (tmp_path / "odd" / "metadata.tsv").read_text() == "a b\n(blank)\n"  # one column has no head
    half = WordVectors(["a\ud800", "b\0"], np.eye(2))
    export(half, tmp_path / "half", "tensorboard")
    assert (tmp_path / "half" / "metadata.tsv").read_text() == "a\\ud800\nb\\x00\n"


@pytest.mark.parametrize("half", [False, True])
def test_huggingface(tmp_path: Path, half: bool) -> None:
    export(some(), tmp_path / "out", "huggingface", half=half)
    folder = tmp_path / "out"
    table = load_file(folder / "model.safetensors")["embeddings"]
    assert table.dtype == (np.float16 if half else np.float32)
    np.testing.assert_array_equal(table, some().vectors.astype(table.dtype))
    assert list(json.loads((folder / "vocab.json").read_text())) == WORDS
    assert json.loads((folder / "config.json").read_text())["hidden_size"] == 3
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: xw2v\n")
    (code,) = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    assert 'rows["king"]' in code
    assert "king: " in card


def test_npy_and_the_first_words(tmp_path: Path) -> None:
    export(some(), tmp_path / "out", "npy", top=2, half=True)
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "vectors.npy"), some().vectors[:2].astype(np.float16))
    assert (tmp_path / "out" / "vocabulary.txt").read_text() == "king\nqueen\n"


def test_spacy(tmp_path: Path) -> None:
    spacy: Any = pytest.importorskip("spacy", reason="spaCy is not installed")
    export(some(), tmp_path / "out", "spacy")
    found = spacy.load(tmp_path / "out")
    np.testing.assert_allclose(found.vocab["queen"].vector, some()["queen"])
    assert not found.vocab.has_vector("unheard")
    with pytest.raises(FormatError, match="not valid Unicode, which spaCy cannot carry"):
        export(WordVectors(["a\ud800"], [[1.0]]), tmp_path / "half", "spacy")


def test_what_a_killed_export_leaves_is_put_right(tmp_path: Path) -> None:
    code = f"""
import os
from xw2v import WordVectors
from xw2v.vectors import exports
exports.EXPORTS["npy"] = lambda *_: os._exit(9)
exports.export(WordVectors(["a"], [[1]]), {str(tmp_path / "out")!r}, "npy")
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 9
    assert list(tmp_path.iterdir()) != []
    export(some(), tmp_path / "out", "npy")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_without_spacy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "spacy", None)
    with pytest.raises(ConfigError, match="pip install spacy"):
        export(some(), tmp_path / "out", "spacy")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wv", "options", "error", "match"),
    [
        (some(), {"kind": "glove"}, ConfigError, "one of tensorboard, huggingface, npy, spacy; got 'glove'"),
        (some(), {"kind": "npy", "top": 0}, ConfigError, "top must be at least 1"),
        (some(), {"kind": "npy", "top": 2.0}, ConfigError, "top must be an integer"),
        (WordVectors([], np.empty((0, 2))), {"kind": "huggingface"}, ConfigError, "no words to export"),
        (some(), {"kind": "tensorboard", "half": True}, ConfigError, "no numbers of 16 bits"),
        (WordVectors(["a\nb"], [[1.0]]), {"kind": "npy"}, FormatError, "holds a line end"),
        (WordVectors(["a", "b"], [[1.0], [7e4]]), {"kind": "npy", "half": True}, NumericalError, "'b'.*too large"),
    ],
)
def test_refusals(tmp_path: Path, wv: WordVectors, options: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        export(wv, tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("years")
    for place in (tmp_path, tmp_path / "mine"):
        with pytest.raises(FileAccessError, match="something is there"):
            export(some(), place, "npy")
    (tmp_path / "empty").mkdir()
    export(some(), tmp_path / "empty", "npy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "mine"]


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    some().save(tmp_path / "m")
    out = str(tmp_path / "out")
    assert cli.main(["export", str(tmp_path / "m"), out, "--to", "npy", "--top", "3", "--half"]) == 0
    assert capsys.readouterr().out == f"3 words of 3 numbers\nwrote {out}\n"
    assert cli.main(["export", str(tmp_path / "m"), out, "--to", "npy"]) == 1


@pytest.mark.parametrize("kind", ["npy", "spacy"])
def test_a_full_disk_of_which_numpy_does_not_speak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    if kind == "spacy":
        pytest.importorskip("spacy", reason="spaCy is not installed")

    def full(*_: object, **__: object) -> None:
        msg = "2903000 requested and 786400 written"
        raise OSError(msg)

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(
        FileAccessError, match=r"only a part of it could be written \(.*\); is the disk full\?; nothing"
    ):
        export(some(), tmp_path / "out", kind)
    assert list(tmp_path.iterdir()) == []
