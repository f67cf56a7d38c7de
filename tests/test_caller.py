"""Warnings name the line of the caller, whichever way led into the package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xw2v import DocumentVectors, EpochScores, Word2Vec, WordVectors, encode
from xw2v.caller import warn_caller
from xw2v.graphs import read_edges
from xw2v.training import checkpoint
from xw2v.training.checkpoint import Checkpoints

DOCUMENTS = [["tea", "milk", "sugar"], ["rain", "snow", "wind"]] * 5
SPARSE: dict[str, Any] = {"vector_size": 2, "min_count": 1, "epochs": 1, "workers": 1, "sample": 1e-9}


def full(**options: Any) -> Word2Vec:
    return Word2Vec(**{**SPARSE, "sample": 0, **options})


def odd_score(model: Word2Vec, end: Any) -> None:
    end.scores["odd"] = "high"


CALLS: dict[str, Callable[[], Any]] = {
    "fit": lambda: Word2Vec(**SPARSE).fit(DOCUMENTS),
    "partial_fit": lambda: full().fit(DOCUMENTS).set_params(sample=1e-9).partial_fit(DOCUMENTS),
    "fit_transform": lambda: Word2Vec(**SPARSE).fit_transform(DOCUMENTS),
    "document vectors": lambda: DocumentVectors(Word2Vec(**SPARSE)).fit(DOCUMENTS),
    "document vectors at once": lambda: DocumentVectors(Word2Vec(**SPARSE)).fit_transform(DOCUMENTS),
    "fit on a table's file": lambda: full().fit("t.csv"),
    "fit with a folder": lambda: full().fit("t.csv", encoded_dir="e"),
    "partial_fit on a table's file": lambda: full().fit(DOCUMENTS).partial_fit("t.csv"),
    "encode": lambda: encode("t.csv", min_count=1),
    "encode into a folder": lambda: encode("t.csv", "e", min_count=1),
    "load_word2vec_format": lambda: WordVectors.load_word2vec_format("twice.txt"),
    "read_edges": lambda: read_edges("edges.tsv"),
    "scores": lambda: full().fit(DOCUMENTS, callbacks=[EpochScores("pairs.txt")]),
    "a callback's scores": lambda: full().fit(DOCUMENTS, callbacks=[odd_score]),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_warning_is_about_the_line_that_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("king, queen, rain\n" * 20)
    Path("twice.txt").write_text("3 2\na 1 2\nb 2 1\na 1 1\n")
    Path("edges.tsv").write_text("source\ttarget\n1\t2\n2\t3\n")
    Path("pairs.txt").write_text("no such 1\nsuch no 2\n")
    with pytest.warns((RuntimeWarning, UserWarning)) as found:
        CALLS[call]()
    assert [(warning.filename, warning.lineno) for warning in found] == [
        (__file__, CALLS[call].__code__.co_firstlineno)
    ]


def test_in_a_thread_of_ours_a_warning_is_about_the_line_that_warns(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)

    def warned() -> None:
        checkpoints._have_done(warn_caller, "no checkpoint")
        checkpoints.wait()

    with pytest.warns(RuntimeWarning, match="no checkpoint") as found:
        warned()
    assert found[0].filename == checkpoint.__file__
