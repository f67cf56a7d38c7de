"""What is shown of calls that take long, where, and that it never breaks or disturbs what they do."""

from __future__ import annotations

import builtins
import os
import re
import shutil
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xw2v import Word2Vec, WordVectors, display, encode, random_walks
from xw2v.screen import Screen
from xw2v.vectors.epoch_scores import EpochScores
from xw2v.vectors.exports import export

ROOT = Path(__file__).resolve().parents[1]
SENTENCES = [["tea", "milk", "sugar"], ["rain", "snow", "wind"]] * 50
OPTIONS: dict[str, Any] = {"vector_size": 4, "min_count": 1, "sample": 0, "epochs": 2, "workers": 1, "engine": "array"}

# Trains until something was drawn, or for so many seconds, and says on standard output what a callback sees.
_SCRIPT = f"""
import sys, time
from xw2v import Word2Vec, display
display._DELAY = float(sys.argv[1])
def wait(model, end):
    print("callback", flush=True)
    time.sleep(0.5)
Word2Vec(**{OPTIONS}).fit({SENTENCES}, callbacks=[wait], progress=eval(sys.argv[2]))
print("rich" if "rich" in sys.modules else "poor")
"""


def _run(*arguments: Any, **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _SCRIPT, *map(str, arguments)], env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, check=True, **how,
    )  # fmt: skip


def _on_a_terminal(*arguments: Any) -> tuple[str, str]:
    """Standard output, a pipe, and what a terminal shows that standard error is."""
    pty = pytest.importorskip("pty", reason="no pseudoterminals here")
    reader, writer = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(reader, 65536):
                shown.append(part)
        except OSError:  # how Linux says that the other end was closed
            pass

    thread = threading.Thread(target=read)
    thread.start()
    out = _run(*arguments, stderr=writer).stdout
    os.close(writer)
    thread.join()
    os.close(reader)
    return out, b"".join(shown).decode()


def test_a_terminal_shows_a_bar_that_vanishes() -> None:
    out, shown = _on_a_terminal(0, None)
    assert "training" in shown
    assert "epoch 2/2" in re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert shown.rstrip("\r\n").endswith("\x1b[2K")  # the last line is erased, too
    assert out == "callback\ncallback\nrich\n"  # a callback's words go where they went before


@pytest.mark.parametrize("arguments", [(60, None), (0, False)])
def test_a_terminal_shows_nothing_of_what_is_short_or_unwanted(arguments: tuple[Any, ...]) -> None:
    assert _on_a_terminal(*arguments) == ("callback\ncallback\npoor\n", "")


def test_scripts_and_pipes_show_nothing_but_when_asked() -> None:
    assert _run(0, None, stderr=subprocess.PIPE).stderr == ""
    log = _run(0, True, stderr=subprocess.PIPE).stderr
    assert "100%" in log
    assert "\x1b" not in log


@pytest.mark.parametrize("progress", [None, True])
def test_a_closed_standard_error_breaks_nothing(progress: bool | None) -> None:
    if os.name != "posix":
        pytest.skip("no preexec_fn here")
    done = _run(0, progress, preexec_fn=lambda: os.close(2))
    assert done.stdout.startswith("callback\ncallback\n")


class _Notebook:
    """The part of IPython that is used, in a kernel."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.outputs: list[list[dict[str, str]]] = []
        shell = type("ZMQInteractiveShell", (), {"kernel": object()})()  # the name is what rich goes by
        monkeypatch.setattr(builtins, "get_ipython", lambda: shell, raising=False)
        package, module = types.ModuleType("IPython"), types.ModuleType("IPython.display")
        package.get_ipython = lambda: shell  # type: ignore[attr-defined]
        module.display = self._display  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "IPython", package)
        monkeypatch.setitem(sys.modules, "IPython.display", module)
        monkeypatch.setattr(display, "_DELAY", 0)

    def _display(self, data: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        assert raw
        assert display_id
        self.outputs.append([data])
        return types.SimpleNamespace(update=lambda data, raw: self.outputs[-1].append(data))


def _pause(*_: Any) -> None:
    """Time for the display's thread to begin."""
    threading.Event().wait(0.3)


def _slow_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the display's thread see all that is told."""
    note = display.Display.on_work

    def slow(shown: display.Display, *arguments: Any) -> None:
        _pause()
        note(shown, *arguments)

    monkeypatch.setattr(display.Display, "on_work", slow)


def test_a_notebook_keeps_the_last_state_of_one_output(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = _Notebook(monkeypatch)
    model = Word2Vec(**OPTIONS, validation_fraction=0.2).fit(SENTENCES, callbacks=[_pause])
    assert len(notebook.outputs) == 1
    last = notebook.outputs[0][-1]
    for part in ("training", "100%", "epoch 2/2", "kept aside"):
        assert part in last["text/plain"]
    assert last["text/html"].startswith("<pre")
    assert "training" in last["text/html"]
    model.partial_fit(SENTENCES, callbacks=[_pause])
    assert len(notebook.outputs) == 2
    encode((_pause() or words for words in SENTENCES[:2]), min_count=1).close()  # type: ignore[func-returns-value]
    assert "6 words" in notebook.outputs[2][-1]["text/plain"]


def test_whoever_draws_for_himself_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = _Notebook(monkeypatch)
    records: list[Any] = []
    Word2Vec(**OPTIONS).fit(SENTENCES, on_progress=records.append, callbacks=[_pause])
    assert notebook.outputs == []
    told = len(records)
    Word2Vec(**OPTIONS).fit(SENTENCES, on_progress=records.append, callbacks=[_pause], progress=True)
    assert len(records) == 2 * told > 0
    assert len(notebook.outputs) == 1


def test_what_cannot_be_shown_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = _Notebook(monkeypatch)

    def refuse(*_: Any, **__: Any) -> None:
        notebook.outputs.append([])
        raise RuntimeError

    monkeypatch.setattr(sys.modules["IPython.display"], "display", refuse)
    assert len(Word2Vec(**OPTIONS).fit(SENTENCES, callbacks=[_pause]).wv) == 6
    assert notebook.outputs == [[]]


def test_workers_and_scikit_learn_are_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not display.is_watched()  # pytest's standard error
    monkeypatch.setattr(display, "_on_terminal", lambda: True)
    assert display.is_watched()
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(display.is_watched()))
    thread.start()
    thread.join()
    search: dict[str, Any] = {"__name__": "sklearn.model_selection._search", "call": display.is_watched}
    exec("def fit(): return call()", search)
    assert [*found, search["fit"]()] == [False, False]
    monkeypatch.setattr("multiprocessing.parent_process", lambda: object())
    assert not display.is_watched()


QUESTIONS = ": all\n" + "w1 w2 w3 w4\n" * 5


@pytest.mark.parametrize(
    ("call", "last"),
    [
        (lambda wv, path, how: wv.save_word2vec_format(path / "v.txt", **how), "saving 40 of 40 words"),
        (lambda wv, path, how: wv.save_word2vec_format(path / "v.bin", True, **how), "saving 40 of 40 words"),
        (lambda wv, path, how: wv.save(path / "out", **how), "saving 480 of 480 bytes"),
        (lambda wv, path, how: wv.load_word2vec_format(path / "stored.txt", **how), "loading 40 of 40 words"),
        (lambda wv, path, how: wv.load_word2vec_format(path / "stored.bin", True, **how), "loading 40 of 40 words"),
        (lambda wv, path, how: wv.load_word2vec_format(path / "s.bin.gz", True, **how), "loading 40 of 40 words"),
        (lambda wv, path, how: wv.evaluate(path / "questions.txt", **how), "evaluating 0 of 5 questions"),
        (lambda wv, path, how: wv.most_similar_batch(["w1"] * 3, **how), "searching 3 of 3 questions"),
        (lambda wv, path, how: wv.on("numpy").most_similar_batch(["w1"], **how), "searching 0 of 1 questions"),
        (lambda wv, path, how: wv.on("numpy").analogies([("w1", "w2", "w3")], **how), "searching 0 of 1 questions"),
        (lambda wv, path, how: export(wv, path / "out", "tensorboard", **how), "exporting 40 of 40 words"),
        (lambda wv, path, how: random_walks(np.array([[1, 2], [2, 3]]), num_walks=4, **how), "walking 12 of 12 walks"),
    ],
)
def test_what_else_takes_long_is_shown(call: Any, last: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = WordVectors([f"w{i}" for i in range(40)], np.random.default_rng(0).normal(size=(40, 3)))
    for name in ("stored.txt", "stored.bin", "s.bin.gz"):
        words.save_word2vec_format(tmp_path / name, binary=".bin" in name)
    (tmp_path / "questions.txt").write_text(QUESTIONS)
    notebook = _Notebook(monkeypatch)
    _slow_down(monkeypatch)
    call(words, tmp_path, {"progress": False})
    assert notebook.outputs == []
    if (tmp_path / "out").exists():
        shutil.rmtree(tmp_path / "out")
    call(words, tmp_path, {})
    stage, _, text = last.partition(" ")
    bar, below = notebook.outputs[-1][-1]["text/plain"].splitlines()
    assert bar.split()[0] == stage
    assert below.strip() == text


def test_where_nobody_knows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = _Notebook(monkeypatch)
    with display.watched("placing", "words") as tell:
        tell(400, None)
        _pause()
    bar, below = notebook.outputs[-1][-1]["text/plain"].splitlines()
    assert bar.split()[0] == "placing"
    assert "%" not in bar
    assert below.strip() == "400 words"


def test_one_draws_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a callback of `fit` does has no bar of its own, unless it is asked for."""
    notebook = _Notebook(monkeypatch)
    asked: list[dict[str, Any]] = [{}, {"progress": True}]

    def save(model: Any, end: Any) -> None:
        _pause()
        with display.watched("saving", "words", **asked[end.epoch]) as tell:
            tell(1, 2)
            _pause()

    Word2Vec(**OPTIONS).fit(SENTENCES, callbacks=[save])
    assert len(notebook.outputs) == 2
    assert display.is_watched()
    for block in (Screen().progress(), Screen().bytes("fetching"), Screen(quiet=True).status("waiting")):
        with block:
            assert not display.is_watched()


def test_scores_of_epochs_are_as_silent_as_fit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "questions.txt").write_text(": all\ntea milk rain snow\n")
    notebook = _Notebook(monkeypatch)
    _slow_down(monkeypatch)
    scores = EpochScores(tmp_path / "questions.txt")
    model = Word2Vec(**OPTIONS).fit(SENTENCES, callbacks=[scores], progress=False)
    assert [list(end.scores) for end in model.epoch_history] == [["questions"]] * 2
    assert notebook.outputs == []
