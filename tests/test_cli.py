"""The command line: every command, every kind of bad input, other programs' spellings, Ctrl-C."""

from __future__ import annotations

import dataclasses
import errno
import inspect
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import typer
from rich.console import Console

from tests.conftest import small_disk_on
from xw2v import cli
from xw2v.cli import spellings
from xw2v.cli.demo import DOCS_OPTIONS
from xw2v.cli.runs import finish_training
from xw2v.cli.train import train
from xw2v.config import CS224N, Config
from xw2v.errors import FileAccessError
from xw2v.estimator import Word2Vec
from xw2v.files import locked
from xw2v.screen import LiveProgress, Screen, count, spark
from xw2v.text.datasets import WORLD_CLUSTERS, DocstringCorpus, world_corpus
from xw2v.text.store import EncodedCorpus, encode
from xw2v.training.epochs import EpochEnd
from xw2v.vectors.word_vectors import WordVectors

ROOT = Path(__file__).parent.parent


class Result(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> Result:
        status = cli.main([str(argument) for argument in arguments])
        return Result(status, *capsys.readouterr())

    return command


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "world.txt"
    path.write_text("".join(" ".join(words) + "\n" for words in world_corpus(4000)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model(corpus: Path) -> Path:
    path = corpus.parent / "model"
    assert cli.main(["train", str(corpus), "-o", str(path), "--vector-size", "16", "--epochs", "3", "-q"]) == 0
    return path


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# Training options


def _config_of(run: Run, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> dict[str, Any]:
    """The options a command line asks for, apart from the defaults."""
    seen: list[Config] = []

    def stop(**options: Any) -> Any:
        seen.append(Config(**options))
        raise KeyboardInterrupt

    monkeypatch.setattr("xw2v.cli.train.Word2Vec", stop)
    assert run(*arguments).status == 130
    default = Config().to_dict()
    return {name: value for name, value in seen[0].to_dict().items() if value != default[name]}


def test_every_option_of_config_is_an_option_of_train_with_its_meaning(run: Run) -> None:
    parameters = inspect.signature(train).parameters
    for item in dataclasses.fields(Config):
        (option,) = parameters[item.name].annotation.__metadata__
        assert item.metadata["meaning"] in option.help
        assert ("none" if item.default is None else str(item.default).lower()) in option.help
    shown = run("train", "--help")
    assert shown.status == 0
    assert "--vector-size" in shown.out
    assert "xw2v train text8 -o model" in shown.out


def test_no_option_given_is_the_default(run: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _config_of(run, monkeypatch, "train", corpus, "-o", "m") == {}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--vector-size", "7", "--min-count", "0", "--ns-exponent", "0.5", "--max-final-vocab", "9",
         "--no-shrink-windows"],
        ["--vector_size=7", "--min_count=0", "--ns_exponent=0.5", "--max_final_vocab", "9", "--no_shrink_windows"],
    ],
    ids=["dashes", "gensim's underscores"],
)  # fmt: skip
def test_options_reach_config(run: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    assert _config_of(run, monkeypatch, "train", corpus, "-o", "m_m", *arguments) == {
        "vector_size": 7, "min_count": 0, "ns_exponent": 0.5, "max_final_vocab": 9, "shrink_windows": False,
    }  # fmt: skip


def test_none_can_be_said(run: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _config_of(run, monkeypatch, "train", corpus, "-o", "m", "--max-update-norm", "none") == {
        "max_update_norm": None
    }


@pytest.mark.parametrize("command", [[], ["train"]], ids=["alone", "after train"])
def test_word2vec_c_spellings(run: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    words = "-output v -size 30 -window 7 -sample 1e-4 -negative 4 -hs 0 -threads 2 -iter 3 -min-count 2 -alpha 0.05"
    options = [*command, "-train", corpus, *words.split(), "-cbow", "0", "-debug", "2"]
    assert _config_of(run, monkeypatch, *options) == {
        "vector_size": 30, "window": 7, "sample": 1e-4, "negative": 4, "workers": 2, "epochs": 3, "min_count": 2,
        "alpha": 0.05,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("-train c -output v -hs 1", "no hierarchical softmax"),
        ("-train c -output v -cbow 1", "no CBOW"),
        ("-train c -output v -classes 500", "-classes: no such option of word2vec.c here"),
        ("-train c -output", "'-output' stands alone"),
        ("-train c -output v -size 3 4", "'4' stands alone"),
        ("-train c -output v -cbow 0 -negative -1", "negative must be an integer >= 1"),
        ("word2vec -train c -output v", "'word2vec' stands before the options"),
        ("-train c", "-train needs -output FILE"),
        ("train c -output v", "-output: write --output, or word2vec.c's style throughout"),
        ("train c -o v -min_count 1", "-min-count: write --min-count, or"),
        ("train c -o v -binary 1", "-binary is an option of word2vec.c: write its style throughout"),
    ],
)
def test_word2vec_c_options_without_a_counterpart(run: Run, words: str, wanted: str) -> None:
    _refused(run(*words.split()), 2, wanted)


def test_word2vec_c_style_takes_our_options_and_gensims_underscores(
    run: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "-output v -min_count 2 --seed 3 --no_shrink_windows -size 30 --ns-exponent=0.5 --alpha 0.1 -iter 2"
    options = words.split()
    assert _config_of(run, monkeypatch, "-train", corpus, *options) == {
        "min_count": 2, "seed": 3, "shrink_windows": False, "vector_size": 30, "ns_exponent": 0.5, "alpha": 0.1,
        "epochs": 2,
    }  # fmt: skip
    _refused(run("-train", corpus, *options, "-q"), 2, "'-q' stands alone")


def test_word2vec_c_style_reads_several_files_and_scores(run: Run, corpus: Path) -> None:
    Path("pairs.tsv").write_text("king queen 9\nking rain 1\nqueen rain 2\nman woman 8\n")
    result = run(
        "-train", corpus, corpus, "-output", "v.txt", "-iter", 2, "-accuracy", "pairs.tsv", "--json", "-size", 4
    )
    assert result.status == 0
    facts = json.loads(result.out)
    assert result.err == (
        "xw2v: warning: xw2v trains skip-gram; word2vec.c does so with -cbow 0 alone, and CBOW without it\n"
    )
    assert facts["words"] == 2 * 2 * len(corpus.read_text().split())
    assert [list(end["scores"]) for end in facts["epoch_history"]] == [["pairs"]] * 2
    assert len(WordVectors.load_word2vec_format("v.txt")) == 161
    Path("c.txt").write_text("a b a b\n" * 5)
    with Path("c.txt").open("rb") as text:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "xw2v", "-train", "-", "-output", "w.txt", "-size", "4", "-sample", "0"]
        subprocess.run(command, stdin=text, env=environment, check=True, capture_output=True)
    assert len(WordVectors.load_word2vec_format("w.txt")) == 2


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("--size 20", "--size: write --vector-size"),
        ("--iter=3", "--iter: write --epochs"),
        ("--threads 2", "--threads: write --workers"),
        ("--sg 1", "--sg: xw2v trains skip-gram"),
        ("--cbow_mean 1", "--cbow-mean: xw2v trains skip-gram"),
        ("--corpus_file x", "--corpus-file: the corpus stands without an option"),
        ("--train x", "--train: the corpus stands without an option"),
        ("--binary 1", "--binary: write --format binary"),
        ("--compute_loss", "--compute-loss: the loss is always there"),
        ("--vectorsize 9", "No such option: --vectorsize"),
    ],
)
def test_names_of_word2vec_c_and_gensim_among_ours(run: Run, words: str, wanted: str) -> None:
    _refused(run("train", "c.txt", "-o", "m", *words.split()), 2, wanted)
    if "vectorsize" not in words:
        _refused(run("-train", "c.txt", "-output", "m", *words.split()), 2, wanted)


def test_other_commands_lead_nobody_to_options_of_train(run: Run) -> None:
    _refused(run("neighbors", "m", "king", "--size", "3"), 2, "No such option: --size")


def test_every_name_that_is_led_on_is_none_of_ours() -> None:
    """But for word2vec.c's that are alike; and what they lead to is one."""
    ours = {
        name for item in inspect.signature(train).parameters.values() if (name := f"--{item.name.replace('_', '-')}")
    }
    for name, lead in spellings._OTHERWISE.items():
        named = re.findall(r"write (--[\w-]+)", lead)
        assert set(named) <= ours, name
        assert name not in ours or named == [name]


def test_preset_of_cs224n(run: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    default = Config().to_dict()
    wanted = {name: value for name, value in CS224N.items() if value != default[name]}
    assert _config_of(run, monkeypatch, "train", corpus, "-o", "m", "--preset", "cs224n") == wanted
    given = _config_of(run, monkeypatch, "train", corpus, "-o", "m", "--preset", "cs224n", "--window", "3")
    assert given == {**wanted, "window": 3}


# Commands that work


def test_train_writes_a_model_that_knows_its_text(run: Run, corpus: Path) -> None:
    result = run("train", corpus, "-o", "m", "--vector-size", 12, "--epochs", 2, "--seed", 5)
    assert result.status == 0
    assert result.err == ""  # no terminal, no progress
    first, second, third, last = result.out.splitlines()
    assert (first, last) == ("161 words of 12 numbers", "wrote m")
    assert re.fullmatch(r"learned from [\d,]+ words in \d+\.\d s \(.* words/s\)", second)
    assert re.fullmatch(r"loss \d\.\d{4} a pair, \d+\.\d{3} a window", third)
    wv = Word2Vec.load("m").wv
    assert wv.vectors.shape == (161, 12)


def test_train_prints_json(run: Run, corpus: Path) -> None:
    result = run("train", corpus, "-o", "m", "--epochs", 2, "--json")
    facts = json.loads(result.out)
    raw = len(corpus.read_text().split())
    assert (facts["output"], facts["vocabulary"], facts["words"]) == ("m", 161, 2 * raw)
    history = Word2Vec.load("m").history
    first = sum(record.epoch == 0 for record in history)
    assert 1 < len(history) - first < len(history)
    for name, counted in (("loss", "pairs"), ("center_loss", "centers")):
        weights = np.diff([getattr(record, counted) for record in history[first - 1 :]])
        losses = [getattr(record, name) for record in history[first:]]
        assert weights.max() > 1.1 * weights.min()  # the last chunk is short
        assert facts[name] == pytest.approx(np.average(losses, weights=weights))
    assert facts["interrupted"] is False


def test_train_keeps_sentences_aside_stops_early_and_scores(run: Run, corpus: Path) -> None:
    Path("pairs.tsv").write_text("king queen 9\nking rain 1\nqueen rain 2\nman woman 8\n")
    options = ["--validation-fraction", 0.2, "--patience", 1, "--epochs", 9, "--alpha", 0.1, "--workers", 1]
    result = run("train", corpus, "-o", "m", *options, "--evaluate", "pairs.tsv")
    assert result.status == 0
    assert Path("m-scores.png").read_bytes().startswith(b"\x89PNG")
    model = Word2Vec.load("m")
    losses = [end.validation_loss or 0.0 for end in model.epoch_history]
    header, *rows = [line.split("\t") for line in result.out.splitlines() if "\t" in line]
    assert header == ["epoch", "seconds", "loss", "loss kept aside", "pairs"]
    assert [row[0] for row in rows] == [str(end.epoch + 1) for end in model.epoch_history]
    assert [row[3].endswith("*") for row in rows] == [loss == min(losses) for loss in losses]
    assert [float(row[4]) for row in rows] == [round(end.scores["pairs"], 4) for end in model.epoch_history]
    assert result.out.splitlines()[-2:] == ["wrote m", "wrote m-scores.png"]
    assert run("plot", "m", "--scores", "-o", "s.svg").status == 0
    assert run("plot", "m", "--loss", "-o", "l.svg").status == 0
    assert "sentences kept aside" in Path("l.svg").read_text()
    assert json.loads(run("info", "m", "--json").out)["loss_kept_aside"] == min(losses)
    again = json.loads(run("train", corpus, "-o", "m", *options, "--json").out)
    assert [end["validation_loss"] for end in again["epoch_history"]] == losses


@pytest.mark.parametrize(
    ("options", "status", "wanted"),
    [
        (["--patience", 1], 2, "needs sentences kept aside: give validation_fraction"),
        (["--validation-fraction", 1], 2, "validation_fraction must be a number"),
        (["--evaluate", "none.tsv"], 1, "none.tsv does not exist"),
        (["--evaluate", "a.tsv", "--evaluate", "a.txt"], 2, "two files are named 'a'"),
    ],
)
def test_train_refuses_before_it_reads(run: Run, corpus: Path, options: list[object], status: int, wanted: str) -> None:
    result = run("train", corpus, "-o", "m", *options)
    assert result.status == status
    assert wanted in result.err
    assert _files(Path()) == []


def test_a_picture_of_scores_that_are_not_there(run: Run, model: Path) -> None:
    assert "no scores to draw" in run("plot", model, "--scores", "-o", "s.png").err
    assert "give one of them" in run("plot", model, "--scores", "--loss").err
    assert _files(Path()) == []


@pytest.mark.parametrize(
    ("output", "options", "binary"),
    [
        ("v.txt", [], False),
        ("v.vec.gz", [], False),
        ("v.bin", [], True),
        ("v.BIN", [], True),
        ("plain", ["--format", "text"], False),
        ("v.txt", ["--format", "binary"], True),
    ],
)
def test_train_writes_word2vec_formats_by_name(
    run: Run, corpus: Path, output: str, options: list[str], binary: bool
) -> None:
    assert run("train", corpus, "-o", output, "--vector-size", 4, "--epochs", 1, *options).status == 0
    assert _files(Path()) == [output]
    assert len(WordVectors.load_word2vec_format(output, binary=binary)) == 161


def test_word2vec_c_output_is_its_format_whatever_its_name(run: Run, corpus: Path) -> None:
    for binary in (0, 1):
        words = f"-output v{binary} -size 4 -iter 1 -binary {binary} -cbow 0".split()
        result = run("-train", corpus, *words)
        assert (result.status, result.err) == (0, "")
        assert len(WordVectors.load_word2vec_format(f"v{binary}", binary=bool(binary))) == 161


def test_train_reads_standard_input(corpus: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "xw2v", "train", "-", "-o", "m", "--epochs", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with corpus.open("rb") as text:
        subprocess.run(command, stdin=text, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert len(WordVectors.load(tmp_path / "m")) == 161


def test_preset_lowers_reads_the_column_and_draws(run: Run, corpus: Path) -> None:
    lines = corpus.read_text().splitlines()[:300]
    rows = "".join(f"{i}\t{line.upper()}\n" for i, line in enumerate(lines))
    Path("sst.txt").write_text("sentence_index\tsentence\n" + rows)
    result = run("train", "sst.txt", "-o", "m", "--preset", "cs224n", "--steps", 40)
    assert result.status == 0
    assert result.out.splitlines()[3:] == ["wrote m", "wrote m-words.png", "wrote m-loss.png"]
    assert all(Path(name).read_bytes().startswith(b"\x89PNG") for name in ("m-words.png", "m-loss.png"))
    wv = WordVectors.load("m")
    assert "king" in wv
    assert "KING" not in wv
    assert "7" not in wv  # the other column


def test_encode_then_train(run: Run, corpus: Path) -> None:
    first = run("encode", corpus, "-o", "e", "--min-count", 50)
    assert first.status == 0
    assert first.out.endswith("wrote e\n")
    again = json.loads(run("encode", corpus, "-o", "e", "--min-count", 50, "--json").out)
    assert again["reused"] is True
    encoded = EncodedCorpus.open("e")
    assert again["vocabulary"] == len(encoded.vocabulary)
    assert again["raw_words"] == len(corpus.read_text().split())
    assert run("train", "e", "-o", "m", "--epochs", 1).status == 0
    assert len(WordVectors.load("m")) == len(encoded.vocabulary)
    assert Word2Vec.load("m").min_count == 50  # and not the default
    refused = run("train", "e", "-o", "m", "--min-count", 5)
    assert refused.status == 2
    assert "e was encoded with min_count=50, which min_count=5 cannot change: encode it again" in refused.err
    assert "lower=False, which lower=True cannot" in run("train", "e", "-o", "m", "--lower").err


def test_train_keeps_the_encoded_corpus(run: Run, corpus: Path) -> None:
    assert run("train", corpus, "-o", "m", "--epochs", 1, "--encoded", "e").status == 0
    assert len(EncodedCorpus.open("e").vocabulary) == 161


def test_neighbors(run: Run, model: Path) -> None:
    wanted = WordVectors.load(model).most_similar("king", topn=3)
    lines = run("neighbors", model, "king", "rain", "-n", 3).out.splitlines()
    assert len(lines) == 6
    assert lines[:3] == [f"king\t{word}\t{score:.4f}" for word, score in wanted]
    found = json.loads(run("neighbors", model, "king", "-n", 3, "--json").out)
    assert [word for word, _ in found["king"]] == [word for word, _ in wanted]


def test_analogy_is_that_of_the_vectors(run: Run, model: Path) -> None:
    wanted = WordVectors.load(model).analogy("man", "king", "woman", topn=2)
    assert run("analogy", model, "man", "king", "woman", "-n", 2).out.splitlines() == [
        f"{word}\t{score:.4f}" for word, score in wanted
    ]
    assert json.loads(run("analogy", model, "man", "king", "woman", "-n", 1, "--json").out)[0][0] == wanted[0][0]


def test_evaluate(run: Run, model: Path) -> None:
    Path("pairs.tsv").write_text("king\tqueen\t9\nking\train\t1\nrain\tsnow\t8\nking\tunheard\t3\n")
    Path("questions.txt").write_text(": people\nman king woman queen\nman king unheard queen\n")
    options = ("--pairs", "pairs.tsv", "--analogies", "questions.txt")
    wv = WordVectors.load(model)
    pairs, questions, multiplied = json.loads(run("evaluate", model, *options, "--json").out)
    assert pairs["spearman"] == wv.evaluate_word_pairs("pairs.tsv").spearman
    assert (pairs["used"], pairs["total"]) == (3, 4)
    assert questions["score"] == wv.evaluate_word_analogies("questions.txt").accuracy
    assert (questions["used"], questions["total"]) == (1, 2)
    figures = [f"{s['score']:.4f} ({s['low']:.3f} to {s['high']:.3f})" for s in (pairs, questions, multiplied)]
    assert run("evaluate", model, *options).out.splitlines() == [
        f"pairs.tsv\tspearman\t{figures[0]}\t3/4",
        f"questions.txt\t3CosAdd\t{figures[1]}\t1/2",
        f"questions.txt\t3CosMul\t{figures[2]}\t1/2",
    ]


def _strictly(text: str) -> Any:
    """The value of what any reader of JSON takes; Python's own takes NaN, too."""

    def refuse(name: str) -> None:
        msg = f"{name} is no JSON"
        raise ValueError(msg)

    return json.loads(text, parse_constant=refuse)


def test_json_of_a_score_that_is_none(run: Run, model: Path) -> None:
    Path("pairs.tsv").write_text("king\tqueen\t5\nking\train\t5\n")
    done = run("evaluate", model, "--pairs", "pairs.tsv", "--json")
    assert "warning: pairs.tsv with" in done.err
    assert "no correlation" in done.err
    (score,) = _strictly(done.out)
    assert [score[name] for name in ("score", "low", "spearman", "pearson")] == [None] * 4


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_words_that_the_output_cannot_encode(tmp_path: Path, encoding: str) -> None:
    words = ["茶", "\U0001d11e", "\udc80"]
    WordVectors(words, np.eye(3) + 1).save(tmp_path / "model")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding, "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "xw2v", "neighbors", str(tmp_path / "model"), "茶"]
    done = subprocess.run([*command, "--json"], env=environment, capture_output=True, check=True)
    assert [word for word, _ in _strictly(done.stdout.decode(encoding))["茶"]] == words[1:]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    shown = [line.split("\t")[1] for line in done.stdout.decode(encoding).splitlines()]
    assert shown == (["\U0001d11e", "\\udc80"] if encoding == "utf-8" else ["\\U0001d11e", "\\udc80"])


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are any bytes on Linux")
def test_half_surrogates_in_the_locale_of_containers(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/model\xff"
    WordVectors(["a", "\ud800", "b"], np.eye(3) + 1).save(os.fsdecode(folder))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "PYTHON"))}
    environment |= {"LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}
    for arguments, shown in (
        ([b"neighbors", folder, b"a"], b"a\t\\ud800\t"),
        ([b"convert", folder, b"m\xfe"], b"m\xfe"),
    ):
        command = [os.fsencode(sys.executable), b"-m", b"xw2v", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, check=True, cwd=tmp_path)
        assert shown in done.stdout


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_pipes_are_none_the_less_pipes_where_colours_are_asked_for(
    name: str, model: Path, corpus: Path, tmp_path: Path
) -> None:
    """To rich these make a terminal of whatever is written to."""
    environment = {**os.environ, name: "1"}
    command = [sys.executable, "-m", "xw2v"]
    asked = [*command, "neighbors", str(model), "king", "-n", "1"]
    done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert line.split("\t")[0] == "king"
    trained = [*command, "train", str(corpus), "-o", str(tmp_path / "new"), "--vector-size", "4", "--min-count", "1"]
    done = subprocess.run(trained, env=environment, capture_output=True, text=True, check=True)
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"wrote {tmp_path / 'new'}"


def test_evaluate_side_by_side(run: Run, model: Path) -> None:
    Path("pairs.tsv").write_text("king\tqueen\t9\nking\train\t1\nrain\tsnow\t8\n")
    run("convert", model, "other.bin")
    (line,) = run("evaluate", model, "other.bin", "--pairs", "pairs.tsv").out.splitlines()
    name, measure, first, second = line.split("\t")
    assert (name, measure, first.split()[-1]) == ("pairs.tsv", "spearman", "3/3")
    assert first == second
    both = json.loads(run("evaluate", model, "other.bin", "--pairs", "pairs.tsv", "--json").out)
    assert list(both) == [str(model), "other.bin"]
    assert both["other.bin"][0]["score"] == float(first.split()[0])
    Path("few.txt").write_text("1 1\nking 1\n")
    said = "few.txt: pairs.tsv: 0 usable word pairs"
    _refused(run("evaluate", model, "few.txt", "--pairs", "pairs.tsv"), 1, said)


def test_test_sets_are_not_read_from_pipes(run: Run, model: Path) -> None:
    os.mkfifo("pairs")
    _refused(run("evaluate", model, "--pairs", "pairs"), 1, "pairs is a pipe, which can be read only once; give a file")
    _refused(run("evaluate", model, "--analogies", "pairs"), 1, "pairs is a pipe")


@pytest.mark.parametrize(
    "command", ["neighbors PIPE king", "convert PIPE m", "info PIPE", "evaluate PIPE --pairs p", "plot PIPE"]
)
def test_vectors_are_not_read_from_pipes(run: Run, command: str) -> None:
    os.mkfifo("vectors")
    arguments = command.replace("PIPE", "vectors").split()
    _refused(run(*arguments), 1, "vectors is a pipe, which can be read only once; give a file")


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_encode_says_that_words_may_be_missing(run: Run, corpus: Path, how: tuple[str, ...]) -> None:
    done = run("encode", corpus, "-o", "e", "--max-vocab-size", 20, "--min-count", 1, *how)
    assert re.search(r"warning: words that occur up to [\d,]+ times may be missing; raise max_vocab_size\n$", done.err)


def test_evaluate_on_the_words_that_all_models_have(run: Run, model: Path) -> None:
    Path("pairs.tsv").write_text("king\tqueen\t9\nking\train\t1\nrain\tsnow\t8\nsnow\tking\t2\n")
    wv = Word2Vec.load(model).wv
    few = wv.vectors_for_all(["snow", "rain", "king"])
    few.save_word2vec_format("few.bin", binary=True)
    (line,) = run("evaluate", model, "few.bin", "--pairs", "pairs.tsv").out.splitlines()
    assert [column.split()[-1] for column in line.split("\t")[2:]] == ["4/4", "3/4"]
    both = json.loads(run("evaluate", model, "few.bin", "--pairs", "pairs.tsv", "--common", "--json").out)
    first, second = (scores[0] for scores in both.values())
    assert first == second
    assert (first["used"], first["total"]) == (3, 4)
    assert first["score"] == few.evaluate_word_pairs("pairs.tsv").spearman
    Path("other.txt").write_text("1 1\nelsewhere 1\n")
    done = run("evaluate", model, "other.txt", "--pairs", "pairs.tsv", "--common")
    assert (done.status, "have no word in common" in done.err) == (2, True)


def test_models_in_other_orders_are_asked_the_same(run: Run) -> None:
    """The first words of each are others; all are asked about those that are among the first of both."""
    words = ["a", "b", "c", "d", "e", "f"]
    rows = {word: f"{word} 1 {row * row}\n" for row, word in enumerate(words)}
    for name, order in (("v.txt", words), ("w.txt", words[::-1])):
        Path(name).write_text("6 2\n" + "".join(rows[word] for word in order))
    Path("pairs.tsv").write_text("".join(f"{a}\t{b}\t{i}\n" for i, (a, b) in enumerate(pairwise(words))))
    done = run("evaluate", "v.txt", "w.txt", "--pairs", "pairs.tsv", "--common", "--restrict-vocab", 5, "--json")
    first, second = (scores[0] for scores in json.loads(done.out).values())
    assert first == second
    assert (first["used"], first["missing_words"]) == (3, ["a", "f"])


def test_plot(run: Run, model: Path) -> None:
    assert run("plot", model, "king", "rain", "-o", "w.png", "--analogy", "man, woman").out == "wrote w.png\n"
    assert run("plot", model, "-o", "all.svg").status == 0
    assert run("plot", model, "--loss", "-o", "loss.png").status == 0
    assert _files(Path()) == ["all.svg", "loss.png", "w.png"]
    assert b"<svg" in Path("all.svg").read_bytes()


def test_every_kind_of_picture_has_a_name_of_its_own(run: Run) -> None:
    model = Word2Vec(vector_size=4, min_count=1, workers=1, epochs=2)
    model.fit([["a", "b", "c"]] * 20, callbacks=[lambda _, end: end.scores.update(s=0.5)]).save("m")
    for options in ([], ["--loss"], ["--scores"]):
        assert run("plot", "m", *options).status == 0
    assert sorted(str(path) for path in Path().glob("*.png")) == ["loss.png", "scores.png", "words.png"]


@pytest.mark.parametrize("words", [["茶", "雨"], ["1", "2", "3", "1000"]])
def test_plot_of_short_words(run: Run, words: list[str]) -> None:
    WordVectors(words, np.eye(len(words))).save("short")
    assert run("plot", "short", "-o", "short.svg") == (0, "wrote short.svg\n", "")
    assert Path("short.svg").read_bytes().count(b"<!-- ") >= len(words)


def test_convert_there_and_back(run: Run, model: Path) -> None:
    wanted = WordVectors.load(model)
    source: Path | str = model
    for target in ("a.bin", "b.txt", "c.txt.gz", "d"):
        assert run("convert", source, target).status == 0
        source = target
    found = WordVectors.load("d")
    assert found.index_to_key == wanted.index_to_key
    assert np.array_equal(found.vectors, wanted.vectors)


def test_files_are_read_by_what_they_hold(run: Run, model: Path) -> None:
    wanted = run("neighbors", model, "king").out
    for binary, name in ((1, "bb"), (1, "m.w2v"), (0, "text.bin"), (1, "b.txt.gz")):
        assert run("convert", model, name, "--format", ("text", "binary")[binary]).status == 0
        assert run("neighbors", name, "king") == (0, wanted, "")
    WordVectors.load(model).save_word2vec_format("glove.txt", write_header=False)
    assert run("convert", "glove.txt", "m").status == 0
    assert run("neighbors", "m", "king").out == wanted


def test_walk_to_standard_output(run: Run) -> None:
    Path("g.tsv").write_text("a b\nb c\n")
    assert run("walk", "g.tsv", "-o", "w.txt", "--num-walks", 2).status == 0
    assert run("walk", "g.tsv", "-o", "-", "--num-walks", 2) == (0, Path("w.txt").read_text(), "")


def test_info(run: Run, model: Path, corpus: Path) -> None:
    assert "backend\t" in run("info").out
    facts = json.loads(run("info", model, "--json").out)
    assert (facts["kind"], facts["words"], facts["vector_size"]) == ("model", 161, 16)
    assert facts["config"]["epochs"] == 3
    assert "config\tvector_size=16, " in run("info", model).out
    run("convert", model, "v.bin")
    assert json.loads(run("info", "v.bin", "--json").out)["kind"] == "word2vec file"
    run("encode", corpus, "-o", "e")
    assert json.loads(run("info", "e", "--json").out)["sentences"] == 4000


def test_data(run: Run) -> None:
    assert [item["name"] for item in json.loads(run("data", "list", "--json").out)] == ["docs", "world", "text8", "sst"]
    assert run("data", "list").out.splitlines()[1].startswith("world\tbuilt in\t")
    assert run("data", "write", "world", "w.txt").out.endswith("wrote w.txt\n")
    assert Path("w.txt").read_text() == run("data", "write", "world", "-").out
    assert Path("w.txt").read_text().splitlines() == [" ".join(words) for words in world_corpus()]


def test_demo_of_the_world_finds_what_the_grammar_says(run: Run) -> None:
    result = run("demo", "--corpus", "world", "-o", "d")
    assert result.status == 0, result.out
    assert "man : king = woman :\tqueen\t" in result.out
    assert "\tno, " not in result.out
    assert "24 of 24 words are nearest to a word of their own meaning" in result.out
    pictures = ["world-analogy.png", "world-loss.png", "world-words.png"]
    assert [path.name for path in sorted(Path("d").iterdir())] == ["model", *pictures]
    assert all((Path("d") / name).stat().st_size > 10_000 for name in pictures)
    assert set().union(*WORLD_CLUSTERS.values()) <= set(WordVectors.load("d/model").index_to_key)
    assert run("demo", "--corpus", "world", "-o", "d").status == 0  # over the old one


def test_demo_of_the_world_fails_if_an_answer_is_wrong(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xw2v.cli.demo.WORLD_ANALOGIES", (("man", "king", "woman", "tea"),))
    result = run("demo", "--corpus", "world", "-o", "d")
    assert result.status == 1
    assert "\tno, tea" in result.out


def test_demo_of_the_documentation(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # The standard library alone and one epoch: the whole takes half a minute.
    text = DocstringCorpus(packages=())
    monkeypatch.setattr("xw2v.cli.demo.DocstringCorpus", lambda: text)
    monkeypatch.setitem(DOCS_OPTIONS, "epochs", 1)
    result = run("demo", "-o", "d")
    assert result.status == 0
    assert f"{sum(text.words.values()):,} words (standard library" in result.out
    assert sum(line.startswith("list\t") for line in result.out.splitlines()) == 6
    assert _files(Path("d"))[:2] == ["docs-loss.png", "docs-words.png"]


def test_version_and_help(run: Run) -> None:
    assert run("--version").out.startswith("xw2v ")
    assert "Try xw2v demo first" in run("--help").out
    for command in ("demo", "encode", "neighbors", "analogy", "evaluate", "plot", "convert", "info", "data"):
        shown = run(command, "--help")
        assert shown.status == 0
        assert "Examples" in shown.out or command == "data"
        assert "encode wrote" not in " ".join(shown.out.replace("│", "").split())  # which `train` alone takes


# A saved model that goes on


_MORE = "the queen and a zeppelin\nthe king and the rain\n" * 30


def _more(model: Path, **how: Any) -> Word2Vec:
    return Word2Vec.load(model).partial_fit("more.txt", **how)


def _bytes(folder: Path | str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@pytest.fixture
def more(run: Run) -> list[object]:
    """The words of a command that goes on with other text, in the folder of `run`."""
    Path("more.txt").write_text(_MORE)
    return ["train", "more.txt", "-o", "new", "--workers", 1, "--from"]


def test_from_a_saved_model_is_partial_fit(run: Run, more: list[object], model: Path) -> None:
    before = _bytes(model)
    result = run(*more, model, "--epochs", 2, "--alpha", 0.01, "--min-alpha", 0.001, "--window", 2, "--vector-size", 16)
    assert result.status == 0
    assert result.err == ""
    assert _bytes(model) == before
    assert _files(Path()) == ["more.txt", "new", *(f"new/{name}" for name in sorted(before))]
    wanted = Word2Vec.load(model).set_params(workers=1, window=2)
    wanted.partial_fit("more.txt", epochs=2, alpha=0.01, min_alpha=0.001)
    found = Word2Vec.load("new")
    assert found.config == wanted.config  # epochs and rates are of the call
    assert (found.epochs, found.window, found.epochs_trained) == (3, 2, 5)
    assert found.wv.index_to_key == wanted.wv.index_to_key == [*Word2Vec.load(model).wv.index_to_key, "zeppelin"]
    assert found.wv.vectors.tobytes() == wanted.wv.vectors.tobytes()
    assert found.outside_vectors.tobytes() == wanted.outside_vectors.tobytes()


def test_what_is_said_of_a_model_that_went_on_is_what_it_learned_there(
    run: Run, more: list[object], model: Path
) -> None:
    words = len(_MORE.split())
    said = run(*more, model).out
    assert said.startswith(f"162 words of 16 numbers, 1 of them new\nlearned from {3 * words:,} words in ")
    facts = json.loads(run(*more, model, "--epochs", 2, "--json").out)
    assert [facts[name] for name in ("vocabulary", "new_words", "words")] == [162, 1, 2 * words]
    assert [facts[name] for name in ("epochs", "epochs_trained")] == [2, 5]
    last, before = Word2Vec.load("new").history[-1], Word2Vec.load(model).history[-1]
    assert facts["trained_words"] == last.centers - before.centers > 0
    assert facts["training_seconds"] == last.seconds - before.seconds > 0
    forgetful = Word2Vec.load(model)
    forgetful.history = []
    forgetful.save("forgetful")
    assert run(*more, "forgetful").out.startswith("162 words of 16 numbers, 1 of them new\nlearned from ")


def test_scores_of_a_model_that_went_on(run: Run, more: list[object], corpus: Path) -> None:
    Path("pairs.tsv").write_text("king queen 9\nking rain 1\nqueen rain 2\nman woman 8\n")
    aside = ["--validation-fraction", 0.2, "--epochs", 2]
    assert run("train", corpus, "-o", "m", *aside, "--evaluate", "pairs.tsv").status == 0
    rows = [line.split("\t") for line in run(*more, "m").out.splitlines() if "\t" in line]
    assert [row[0] for row in rows] == ["epoch", "3", "4"]  # the model's fraction, and no earlier epochs
    assert rows[0] == ["epoch", "seconds", "loss", "loss kept aside"]
    assert not Path("new-scores.png").exists()
    rows = [line.split("\t") for line in run(*more, "m", "--evaluate", "pairs.tsv").out.splitlines() if "\t" in line]
    assert rows[0][-1] == "pairs"
    assert Path("new-scores.png").exists()
    assert [end.epoch for end in Word2Vec.load("new").epoch_history] == [0, 1, 2, 3]
    assert run("train", "more.txt", "-o", "new", "--from", "m", "--validation-fraction", 0).out.count("\n") == 4


def test_what_a_model_that_went_on_keeps_aside_is_said_and_ends_with_one_option(
    run: Run, more: list[object], corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model's patience, which nobody gave here, is then no reason to refuse."""
    assert run("train", corpus, "-o", "m", "--validation-fraction", 0.2, "--patience", 1).status == 0
    monkeypatch.setattr("xw2v.screen.Console.is_terminal", property(lambda console: console.stderr))
    assert "20 % of the sentences are kept aside, as the model's options have it" in run(*more, "m").err
    assert "kept aside, as" not in run(*more, "m", "--validation-fraction", 0.2).err
    all_of_it = run(*more, "m", "--validation-fraction", 0)
    assert all_of_it.status == 0
    assert "kept aside, as" not in all_of_it.err
    assert Word2Vec.load("new").config.patience is None
    _refused(run(*more, "m", "--validation-fraction", 0, "--patience", 1), 2, "give validation_fraction, as 0.01, or")


def test_an_encoded_corpus_for_a_saved_model(run: Run, more: list[object], model: Path) -> None:
    encode("more.txt", "e", min_count=30).close()
    assert run("train", "e", "-o", "v.bin", "--workers", 1, "--from", model).status == 0
    wanted = Word2Vec.load(model).set_params(workers=1).partial_fit(EncodedCorpus.open("e"))
    found = WordVectors.load_word2vec_format("v.bin", binary=True)
    assert found.index_to_key == wanted.wv.index_to_key
    assert found.vectors.tobytes() == wanted.wv.vectors.tobytes()
    refused = run("train", "e", "-o", "new", "--from", model, "--min-count", 5)
    assert refused.status == 2
    assert "e was encoded with min_count=30, which min_count=5 cannot change" in refused.err


@pytest.mark.parametrize(
    ("words", "status", "wanted"),
    [
        (["v.bin"], 1, "v.bin is a file, and word2vec's formats hold one of a model's two tables; --from needs a"),
        (["vectors"], 1, "vectors holds vectors alone; --from needs a whole model, as xw2v train -o FOLDER"),
        (["pickle"], 1, "pickle is a pickle, as gensim's save() writes it"),
        (["damaged"], 1, "damaged is not a whole Word2Vec model ("),
        (["nowhere"], 1, "nowhere does not exist; check the path"),
        (["m", "-o", "m"], 1, "will not write m: it is the model to go on from; choose another name"),
        (["m", "-o", "link"], 1, "will not write link: it is the model to go on from"),
        (["m", "--vector-size", 17], 2, "the vectors of m have 16 numbers, which --vector-size 17 cannot change"),
        (["m", "--preset", "cs224n"], 2, "--preset does not go with --from: the options of m hold"),
        (["m", "--alpha", 1e-5], 2, "min_alpha must not be above alpha (1e-05), got 0.0001"),
        (["m", "--window", 0], 2, "window must be an integer >= 1"),
        (["m", "--patience", 1], 2, "patience=1 needs sentences kept aside"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_what_cannot_go_on(
    run: Run, more: list[object], model: Path, words: list[object], status: int, wanted: str
) -> None:
    shutil.copytree(model, "m")
    Path("link").symlink_to("m")
    WordVectors.load(model).save("vectors")
    WordVectors.load(model).save_word2vec_format("v.bin", binary=True)
    Path("pickle").write_bytes(b"\x80\x04\x95")
    shutil.copytree(model, "damaged")
    Path("damaged/config.json").write_text(Path("m/config.json").read_text().replace('"history"', '"story"'))
    before = _files(Path())
    _refused(run(*more, *words), status, wanted)
    assert _files(Path()) == before
    assert _bytes("m") == _bytes(model)


def test_ctrl_c_and_resume_of_a_model_that_goes_on(
    run: Run, more: list[object], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = LiveProgress.on_progress

    def interrupt(self: LiveProgress, record: Any) -> None:
        said(self, record)
        if record.epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LiveProgress, "on_progress", interrupt)
        stopped = run(*more, model, "--epochs", 4)
    assert stopped.status == 130
    assert "what was learned so far is in new; the same command with --resume goes on" in stopped.err
    assert Word2Vec.load("new").epochs_trained == 6
    other = run("train", "more.txt", "-o", "new", "--from", "new", "--resume")
    assert "it is the model to go on from" in other.err
    assert run(*more, model, "--epochs", 4, "--resume").status == 0
    wanted = Word2Vec.load(model).set_params(workers=1).partial_fit("more.txt", epochs=4)
    assert Word2Vec.load("new").wv.vectors.tobytes() == wanted.wv.vectors.tobytes()
    assert not Path("new.checkpoints").exists()


def test_nothing_is_saved_of_a_model_that_learned_nothing_more(
    run: Run, more: list[object], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: LiveProgress, done: int, total: int | None, words: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LiveProgress, "on_encode", interrupt)
        result = run(*more, model)
    assert result.status == 130
    assert result.err == "xw2v: interrupted before anything was learned; nothing is saved\n"
    monkeypatch.setattr("xw2v.estimator.first_bad_row", lambda table: 0)
    result = run(*more, model)
    assert result.status == 1
    assert "training diverged" in result.err
    assert not Path("new").exists()


def test_capitals_that_a_model_does_not_know_are_named(run: Run, more: list[object], model: Path) -> None:
    Path("more.txt").write_text("The Queen and a Zeppelin\n" * 30)
    note = "2 of 3 new words are words of the model with capitals, as 'The'"
    assert note in run(*more, model).err
    assert run(*more, model, "--no-lower").err == ""
    assert run(*more, model, "--lower").err == ""
    assert run("train", "more.txt", "-o", "again", "--from", "new", "--lower").err == ""
    known = run(*more, model, "--no-lower")  # a model that has capitals means them
    assert known.status == 0
    shutil.move("new", "capitals")
    Path("more.txt").write_text("The Queen and The King\n" * 30)
    assert run(*more, "capitals").err == ""


def test_a_model_of_lower_cased_text_lower_cases_what_comes_after(run: Run, more: list[object]) -> None:
    Path("more.txt").write_text("The Queen and the Zeppelin\n" * 30)
    assert run("train", "more.txt", "-o", "lowered", "--lower", "--min-count", 1, "--sample", 0).status == 0
    Path("more.txt").write_text("The King and THE Queen\n" * 30)
    result = run(*more, "lowered")
    assert (result.status, result.err) == (0, "")
    words = {"the", "queen", "and", "zeppelin"}
    assert {*Word2Vec.load("new").wv.index_to_key} == words | {"king"}
    assert run(*more, "lowered", "--no-lower").status == 0
    assert {*Word2Vec.load("new").wv.index_to_key} == words | {"The", "King", "THE", "Queen"}


# What is refused


def _refused(result: Result, status: int, wanted: str) -> None:
    assert result.status == status
    assert result.out == ""
    *warned, error = result.err.splitlines()
    assert error.startswith("xw2v: error: ")
    assert wanted in error
    # That there could be no checkpoint may be said before.
    assert all(line.startswith("xw2v: warning: no checkpoint this time") and wanted in line for line in warned)
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"", "holds no words"),
        (b" \n\n\t\n", "holds no words"),
        (b"word\n", "min_count"),
        (b"\x00\xff\xfe\x80binary\x00garbage\n" * 50, "c.txt"),
        (b"one two three four\n" * 4, "min_count"),
        (b"\x1f\x8bnot gzip at all", "c.txt"),
    ],
    ids=["empty", "blank", "one word", "binary", "all below min_count", "gzip's first bytes"],
)
def test_corpora_that_cannot_be_used(run: Run, content: bytes, wanted: str) -> None:
    Path("c.txt").write_bytes(content)
    for output in ("m", "v.bin"):
        _refused(run("train", "c.txt", "-o", output), 1, wanted)
        assert _files(Path()) == ["c.txt"]


def test_one_word_repeated_is_no_corpus(run: Run) -> None:
    Path("c.txt").write_text("word word word word word word word\n")
    _refused(run("train", "c.txt", "-o", "m"), 1, "one distinct word, 'word'; at least 2 words are wanted")
    assert _files(Path()) == ["c.txt"]


def test_garbage_is_not_encoded(run: Run) -> None:
    Path("c.txt").write_bytes(b"\xff\xfe\x80")
    _refused(run("encode", "c.txt", "-o", "e"), 1, "UTF-8")
    assert _files(Path()) == ["c.txt"]
    assert run("train", "c.txt", "-o", "m", "--errors", "perhaps").status == 2


@pytest.mark.parametrize(
    ("arguments", "status", "wanted"),
    [
        (["train", "nowhere.txt", "-o", "m"], 1, "nowhere.txt"),
        (["train", "*.gz", "-o", "m"], 1, "no file has the pattern"),
        (["train", "CORPUS", "-o", "no/such/m"], 1, "does not exist; make it first"),
        (["train", "CORPUS", "-o", ""], 1, "that is this folder; give a name"),
        (["train", "CORPUS", "-o", "-"], 1, "cannot write to standard output here"),
        (["encode", "CORPUS", "-o", "-"], 1, "cannot write to standard output here"),
        (["train", "CORPUS", "-o", "x.npy"], 2, "nothing that is written here ends in .npy"),
        (["train", "CORPUS", "-o", "v.txt.xz"], 2, "nothing that is written here ends in .xz"),
        (["convert", "MODEL", "MODEL"], 1, "it is what is to be converted"),
        (["convert", "MODEL", "CORPUS"], 1, "world.txt: it is no word2vec file"),
        (["walk", "CORPUS", "-o", "CORPUS"], 1, "it is the graph; choose another name"),
        (["walk", "nowhere", "-o", "CORPUS"], 1, "a file of that name exists; choose another name, or delete it"),
        (["walk", "nowhere", "-o", "w.txt.gz"], 2, "plain text; leave out .gz"),
        (["data", "write", "world", "w.txt.bz2"], 2, "plain text; leave out .bz2"),
        (["data", "write", "world", "CORPUS"], 1, "a file of that name exists"),
        (["report", "MODEL", "-o", "CORPUS"], 2, "must end in .html or .htm"),
        (["train", "", "-o", "m"], 1, "a path is an empty string"),
        (["train", "CORPUS", "-o", "CORPUS"], 1, "it is the corpus"),
        (["train", "CORPUS", "TEXTS", "-o", "TEXTS/v.txt"], 1, "all of which is the corpus; choose a place outside"),
        (["encode", "TEXTS", "-o", "TEXTS/e"], 1, "all of which is the corpus; choose a place outside"),
        (["walk", "TEXTS", "-o", "TEXTS/w.txt"], 1, "all of which is the graph; choose a place outside"),
        (["encode", "a" * 300, "-o", "MODEL"], 1, "there is no file 'aaa"),
        (["train", "CORPUS", "-o", "CORPUS", "--format", "model"], 1, "a file of that name exists"),
        (["train", "CORPUS", "-o", "m", "--format", "pickle"], 2, "format must be"),
        (["train", "CORPUS", "-o", "m", "--preset", "cs229"], 2, "preset must be 'cs224n', got 'cs229'"),
        (["train", "CORPUS", "-o", "m", "--window", "0"], 2, "window must be an integer >= 1"),
        (["train", "CORPUS", "-o", "m", "--negative", "-1"], 2, "negative must be an integer >= 1"),
        (["train", "CORPUS", "-o", "m", "--vector-size", "0"], 2, "vector_size must be an integer >= 1"),
        (["train", "CORPUS", "-o", "m", "--vector-size", "ten"], 2, "got 'ten'"),
        (["train", "CORPUS", "-o", "m", "--alpha", "nan"], 2, "alpha must be a number > 0"),
        (["train", "CORPUS", "-o", "m", "--loss", "hinge"], 2, "loss must be one of"),
        (["train", "CORPUS", "-o", "m", "--min-alpha", "1"], 2, "min_alpha must not be above alpha"),
        (["train", "CORPUS", "-o", "m", "--no-such-option"], 2, "--no-such-option"),
        (["train", "CORPUS"], 2, "--output"),
        (["train"], 2, "CORPUS"),
        (["encode", "CORPUS", "-o", "e", "--min-count", "-3"], 2, "min_count must be an integer >= 0"),
        (["encode", "nowhere.txt", "-o", "e"], 1, "nowhere.txt"),
        (["bogus"], 2, "bogus"),
        (["neighbors", "nowhere", "king"], 1, "nowhere does not exist"),
        (["neighbors", "MODEL", "kinng"], 1, "nearest spellings: king"),
        (["neighbors", "MODEL", "king", "-n", "0"], 2, "--topn"),
        (["neighbors", "CORPUS", "king"], 1, "world.txt"),
        (["info", "CORPUS"], 1, "world.txt"),
        (["analogy", "MODEL", "man", "king", "womann"], 1, "nearest spellings: woman"),
        (["evaluate", "MODEL"], 2, "nothing to evaluate"),
        (["evaluate", "MODEL", "--pairs", "nowhere.tsv"], 1, "nowhere.tsv does not exist"),
        (
            ["evaluate", "MODEL", "--analogies", "CORPUS"],
            1,
            "world.txt holds no analogy questions: wanted a line ': name'",
        ),
        (["neighbors", "MODEL"], 2, "Missing argument 'WORD'"),
        (["analogy", "MODEL", "man", "king"], 2, "Missing argument 'C'"),
        (["data", "get"], 2, "Missing argument 'NAME'"),
        (["walk", "CORPUS", "-o", "w.txt"], 1, "world.txt, line 1: wanted two names and maybe a weight"),
        (["walk", "nowhere", "-o", "w.txt"], 1, "there is no file 'nowhere'"),
        (["walk", "nowhere", "-o", "no/such.txt"], 1, "does not exist; make it first"),
        (["report", "nowhere", "-o", "no/such.html"], 1, "does not exist; make it first"),
        (["report", "nowhere", "-o", "MODEL"], 1, "a folder of that name exists"),
        (["export", "nowhere", "no/such", "--to", "npy"], 1, "does not exist; make it first"),
        (["export", "nowhere", "CORPUS", "--to", "npy"], 1, "a file of that name exists"),
        (["data", "write", "novels", "no/such.txt"], 1, "does not exist; make it first"),
        (["plot", "nowhere", "-o", "no/such.png"], 1, "does not exist; make it first"),
        (["train", "MODEL", "-o", "m"], 1, "is no corpus but perhaps a model: it holds tables.safetensors"),
        (["encode", "MODEL", "-o", "e"], 1, "is no corpus but perhaps a model: it holds tables.safetensors"),
        (["plot", "MODEL", "king", "kinng"], 1, "nearest spellings: king"),
        (["plot", "MODEL", "king", "-o", "w.xyz"], 2, "xyz"),
        (["plot", "MODEL", "--loss", "--near", "king"], 2, "are of a picture of words: leave them out, or --loss"),
        (["plot", "MODEL", "--scores", "--analogy", "man,king"], 2, "are of a picture of words"),
        (["plot", "MODEL", "--loss", "--method", "tsne"], 2, "are of a picture of words"),
        (["convert", "MODEL", "no/such/v.bin"], 1, "does not exist; make it first"),
        (["info", "nowhere"], 1, "nowhere"),
        (["data", "write", "text8", "t.txt"], 1, "not built in"),
        (["data", "write", "novels", "t.txt"], 1, "no corpus 'novels'"),
        (["demo", "--corpus", "novels"], 2, "corpus must be 'docs' or 'world'"),
        (["demo", "--corpus", "world", "-o", "no/such"], 1, "make it first"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_one_line_and_nothing_written(
    run: Run, corpus: Path, model: Path, arguments: list[str], status: int, wanted: str
) -> None:
    places = {"CORPUS": str(corpus), "MODEL": str(model), "TEXTS": str(corpus.parent)}
    before = _files(corpus.parent)
    arguments = [re.sub("|".join(places), lambda found: places[found[0]], word) for word in arguments]
    _refused(run(*arguments), status, wanted)
    assert _files(Path()) == []
    assert _files(corpus.parent) == before


@pytest.mark.parametrize("output", ["texts/.models", "texts/.models/v.txt", "e/model"])
def test_an_output_where_no_text_is_read_from(run: Run, corpus: Path, output: str) -> None:
    Path("texts/.models").mkdir(parents=True)
    shutil.copy(corpus, "texts/t.txt")
    assert run("encode", "texts", "-o", "e").status == 0
    if output == "texts/.models":
        Path(output).rmdir()
    for _ in range(2):
        command = ["train", output.split("/")[0], "-o", output, "--epochs", "1", "--vector-size", "2"]
        assert run(*command).status == 0, command


def test_a_link_among_the_texts_is_no_output(run: Run, corpus: Path) -> None:
    Path("texts").mkdir()
    shutil.copy(corpus, "texts/t.txt")
    Path("v.txt").write_text("1 1\nold 1\n")
    Path("texts/v.txt").symlink_to(Path("v.txt").absolute())
    _refused(run("train", "texts", "-o", "texts/v.txt", "--epochs", "1"), 1, "it lies in texts, all of which is")
    assert Path("v.txt").read_text() == "1 1\nold 1\n"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ("-o m --encoded m", "--encoded m lies in -o m"),
        ("-o m --encoded m/e", "--encoded m/e lies in -o m"),
        ("-o m --checkpoint-dir m", "--checkpoint-dir m lies in -o m"),
        ("-o m --checkpoint-dir m/run", "--checkpoint-dir m/run lies in -o m"),
        ("-o v.txt --encoded v.txt", "--encoded v.txt lies in -o v.txt"),
        ("-o old/v.txt --encoded old", "-o old/v.txt lies in --encoded old"),
        ("-o m --encoded m.checkpoints", "lies in encoded_dir='m.checkpoints'"),
        ("-o m --encoded e --checkpoint-dir e/run", "checkpoint_dir='e/run' lies in encoded_dir='e'"),
    ],
)
def test_results_in_each_other_are_refused_before_training(run: Run, corpus: Path, arguments: str, wanted: str) -> None:
    Path("old").mkdir()
    _refused(run("train", corpus, "--epochs", 1, "--vector-size", 2, *arguments.split()), 2, wanted)
    assert _files(Path()) == ["old"]


@pytest.mark.parametrize(
    ("pattern", "output"), [("texts/*.txt", "texts/v.txt"), ("texts/**", "texts/m"), ("t*/*", "texts/v.bin")]
)
def test_a_pattern_that_fits_the_output(run: Run, corpus: Path, pattern: str, output: str) -> None:
    Path("texts").mkdir()
    shutil.copy(corpus, "texts/t.txt")
    _refused(run("train", pattern, "-o", output, "--epochs", 1), 1, f"the pattern {pattern}, which is the corpus, fits")
    assert _files(Path()) == ["texts", "texts/t.txt"]


@pytest.mark.parametrize("option", ["--encoded", "--checkpoint-dir"])
def test_other_results_among_the_texts(run: Run, corpus: Path, option: str) -> None:
    Path("texts").mkdir()
    shutil.copy(corpus, "texts/t.txt")
    command = ["train", "texts", "-o", "m", "--epochs", "1", option, "texts/x"]
    _refused(run(*command), 1, "will not write texts/x: it lies in texts, all of which is the corpus")
    assert _files(Path()) == ["texts", "texts/t.txt"]


def test_a_file_that_may_not_be_read(run: Run) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    Path("c.txt").write_text("a b c\n")
    Path("c.txt").chmod(0)
    _refused(run("train", "c.txt", "-o", "m"), 1, "cannot be read")


def test_nan_in_a_model_is_refused(run: Run, model: Path) -> None:
    Path("v.txt").write_text("2 2\nking 1 nan\nqueen 1 2\n")
    _refused(run("neighbors", "v.txt", "queen"), 1, "king")
    shutil.copytree(model, "m")
    table = Path("m/tables.safetensors")
    data = bytearray(table.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    data[start : start + 4] = np.float32("nan").tobytes()
    table.write_bytes(data)
    _refused(run("neighbors", "m", "king"), 1, "finite")


def test_a_folder_with_other_things_is_not_replaced(run: Run, corpus: Path) -> None:
    Path("mine").mkdir()
    Path("mine/letter.txt").write_text("dear")
    _refused(run("train", corpus, "-o", "mine", "--epochs", 1), 1, "letter.txt")
    assert _files(Path()) == ["mine", "mine/letter.txt"]


def test_only_vectors_are_replaced_by_vectors(run: Run, corpus: Path, model: Path) -> None:
    Path("notes.txt").write_text("dear diary\n")
    for output in ("notes.txt", "notes.txt.gz"):
        Path(output).write_text("dear diary\n")
        _refused(run("train", corpus, "-o", output), 1, f"will not replace {output}: it is no word2vec file")
        assert Path(output).read_text() == "dear diary\n"
    Path("empty.vec").touch()
    for output in ("empty.vec", "empty.vec", "v.bin", "v.bin", "v.txt.gz", "v.txt.gz"):
        assert run("convert", model, output).status == 0


def test_words_that_the_format_cannot_carry_are_refused_before_training(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with encode([["New York", "tea"]] * 9, "e"):
        pass
    monkeypatch.setattr("xw2v.fitting.Fitting.run", lambda *_: pytest.fail("trained"))
    _refused(run("train", "e", "-o", "v.bin"), 1, "'New York' is empty or holds white space")


def test_resume_without_a_checkpoint_says_so(run: Run, corpus: Path) -> None:
    result = run("train", corpus, "-o", "v.bin", "--vector-size", 4, "--epochs", 1, "--resume")
    assert result.status == 0
    assert result.err == "xw2v: warning: no checkpoint in v.bin.checkpoints: training from the start\n"


@pytest.mark.filterwarnings("always")
def test_a_warning_is_one_line(run: Run) -> None:
    Path("v.txt").write_text("3 2\nking 1 2\nqueen 1 2\nking 2 2\n")
    assert run("info", "v.txt").err == "xw2v: warning: v.txt: 1 rows repeat a word, as 'king'; left out\n"


def test_processes_that_do_not_know_of_each_other(run: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMI_SIZE", "2")
    with locked(Path(".m.training").absolute(), "m"):
        _refused(run("train", corpus, "-o", "m"), 1, "another process is working on m")
        assert "need --distributed" in run("train", corpus, "-o", "m").err


def test_a_full_disk_is_one_line_and_the_old_file_stays(
    run: Run, corpus: Path, model: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("v.txt").write_text("1 1\nold 1\n")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    _refused(run("convert", model, "v.txt"), 1, "No space left on device")
    _refused(run("train", corpus, "-o", "m", "--epochs", 1), 1, "No space left on device")
    _refused(run("data", "write", "world", "w.txt"), 1, "No space left on device")
    assert _files(Path()) == ["v.txt"]
    assert _files(temporary) == []
    assert Path("v.txt").read_text() == "1 1\nold 1\n"


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, empty."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk_on(tmp_path / "disk", "64k") as disk:
        yield disk


def test_a_really_full_disk(run: Run, corpus: Path, model: Path, small_disk: Path) -> None:
    for command in (
        ["data", "write", "world", small_disk / "w.txt"],
        ["encode", corpus, "-o", small_disk / "e"],
    ):
        _refused(run(*command), 1, "No space left on device")
        assert _files(small_disk) == []


@pytest.mark.parametrize(("name", "load"), [("m", WordVectors.load), ("v.txt", WordVectors.load_word2vec_format)])
def test_a_model_for_which_a_disk_is_too_full_is_saved_on_another(
    name: str, load: Callable[[Path], WordVectors], run: Run, corpus: Path, small_disk: Path, temporary: Path
) -> None:
    done = run("train", corpus, "-o", small_disk / name, "--vector-size", 200, "--epochs", 1)
    assert done.status == 1
    *warnings, line = done.err.splitlines()
    assert all("checkpoint" in warning for warning in warnings)
    found = re.fullmatch(
        rf"xw2v: error: cannot write \S+/disk/{name}: No space left on device; nothing was changed; "
        rf"what was learned is in (\S+/{name}): move it from there",
        line,
    )
    assert found, line
    assert Path(found[1]).parent.parent == temporary
    assert len(load(Path(found[1]))) == 161
    assert _files(small_disk) == []


def test_what_is_not_lost_when_the_disk_is_full_at_the_end_is_said(run: Run, corpus: Path, small_disk: Path) -> None:
    command = ["train", corpus, "-o", small_disk / "m", "--vector-size", 200, "--epochs", 1, "--workers", 1]
    command += ["--checkpoint-dir", "run"]
    said = "what was learned up to the last checkpoint is in run: the same command with --resume goes on from there"
    _refused(run(*command), 1, f"disk/m: No space left on device; nothing was changed; {said}")
    assert _files(Path("run"))
    assert _files(small_disk) == []
    command[3] = "m"  # where there is room
    assert run(*command, "--resume").status == 0
    assert len(WordVectors.load("m")) == 161
    assert not Path("run").exists()


def test_a_picture_that_cannot_be_written_costs_the_picture(
    run: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        msg = "cannot write m-scores.png: No space left on device; nothing was changed"
        raise FileAccessError(msg)

    monkeypatch.setattr("xw2v.cli.train.plot_scores", full)
    Path("pairs.tsv").write_text("king queen 9\nking rain 1\nqueen rain 2\n")
    done = run("train", corpus, "-o", "m", "--epochs", 1, "--vector-size", 2, "--evaluate", "pairs.tsv")
    assert done.status == 0
    assert done.err.startswith("xw2v: warning: cannot write m-scores.png: No space left")
    assert done.err.endswith("; the model is in m\n")
    assert done.out.splitlines()[-1] == "wrote m"
    assert not Path("m.checkpoints").exists()


_FULL = "xw2v: error: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize(
    ("command", "redirected", "status", "said"),
    [
        (["data", "write", "world", "-"], ">/dev/full", 1, _FULL),
        (["info", "--json"], ">/dev/full", 1, _FULL),
        (["data", "list", "--json"], "| true", 1, ""),
        (["data", "list", "--json"], ">&-", 0, ""),
        (["data", "path", "no"], "2>&-", 1, ""),
    ],
)
def test_output_that_cannot_be_written(command: list[str], redirected: str, status: int, said: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONUNBUFFERED", None)  # else nothing is left to be written when Python ends
    if redirected.endswith("full") and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    line = f'set -o pipefail; "{sys.executable}" -m xw2v {" ".join(command)} {redirected}'
    done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr, done.stdout) == (status, said, "")


def test_what_nobody_expected_is_one_line_and_debug_shows_it_all(
    run: Run, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> None:
        msg = "two\nlines"
        raise RuntimeError(msg)

    def full_disk(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space", "other")

    monkeypatch.setattr("xw2v.cli.questions.load", broken)
    _refused(run("neighbors", model, "king"), 1, "xw2v: error: RuntimeError: two lines (--debug shows where)")
    shown = run("neighbors", model, "king", "--debug")
    monkeypatch.setattr("xw2v.cli.questions.load", lambda _: (Path("a" * 300) / "b").stat())
    _refused(run("neighbors", model, "king"), 1, "aaa/b: File name too long (--debug shows where)")
    monkeypatch.setattr("xw2v.cli.questions.load", full_disk)
    _refused(run("neighbors", model, "king"), 1, "xw2v: error: other: No space (--debug shows where)")
    assert shown.status == 1
    assert "Traceback" in shown.err


def test_a_file_that_ends_too_early_is_no_interrupt(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """typer takes every EOFError for an end of what is typed, and prints an empty line."""

    def broken(path: Path) -> None:
        msg = "ran out of input"
        raise EOFError(msg)

    monkeypatch.setattr("xw2v.cli.questions.load", broken)
    result = run("neighbors", model, "king")
    assert (result.status, result.err.strip()) == (
        1,
        "xw2v: error: EOFError: ran out of input (--debug shows where)",
    )


# Ctrl-C

_ANNOUNCING = """
import sys
from pathlib import Path
from xw2v import cli, screen
said = screen.LiveProgress.on_progress
def announce(self, record):
    said(self, record)
    Path("training").touch()
screen.LiveProgress.on_progress = announce
sys.exit(cli.main(sys.argv[1:]))
"""


def test_ctrl_c_saves_what_was_learned(corpus: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _ANNOUNCING, "train", str(corpus), "-o", "m", "--epochs", "100000"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # A shell without job control starts its children with Ctrl-C ignored; the default is restored for ours.
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    ) as process:  # fmt: skip
        try:
            deadline = time.monotonic() + 60
            while not (tmp_path / "training").exists():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline, "training did not begin"
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130
    assert err == "xw2v: interrupted; what was learned so far is in m; the same command with --resume goes on\n"
    assert "wrote m" in out
    saved = Word2Vec.load(tmp_path / "m")
    assert len(saved.wv) == 161
    assert saved.history[-1].words < saved.history[-1].total_words


@pytest.mark.skipif(os.name == "nt", reason="terminals of POSIX")
def test_a_terminal_that_was_closed_is_let_go_of() -> None:
    code = "from xw2v.cli.runs import _leave_closed_terminals as leave; input(); leave(); print(flush=True)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ours, terminal = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdin=subprocess.PIPE, stdout=terminal, stderr=terminal
    ) as process:
        os.close(ours)
        os.close(terminal)
        process.communicate(b"\n")
    assert process.returncode == 0


def test_ctrl_c_while_reading_saves_nothing(run: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: LiveProgress, done: int, total: int | None, words: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LiveProgress, "on_encode", interrupt)
    result = run("train", corpus, "-o", "m")
    assert result.status == 130
    assert result.err == "xw2v: interrupted before anything was learned; nothing is saved\n"
    assert _files(Path()) == []


# What a terminal shows


class _Record(NamedTuple):
    epoch: int = 1
    epochs: int = 4
    words: int = 500
    total_words: int = 2000
    words_per_second: float = 1_250_000.0
    loss: float = 2.345678
    alpha: float = 0.0125


def _terminal(screen: Screen) -> io.StringIO:
    stream = io.StringIO()
    screen.out = screen.err = Console(file=stream, force_terminal=True, width=140, highlight=False)
    screen.live = True
    return stream


def test_live_progress_shows_speed_loss_rate_and_epoch() -> None:
    screen = Screen()
    stream = _terminal(screen)
    with screen.progress() as live:
        live.on_encode(50, 100, 16_900)
        live.on_progress(_Record())
    shown = stream.getvalue()
    for part in ("training", "25%", "1.25 M words/s", "2.346", "0.0125", "epoch"):
        assert part in shown


def test_live_progress_shows_the_last_loss_where_a_chunk_has_none() -> None:
    screen = Screen()
    stream = _terminal(screen)
    with screen.progress() as live:
        live.on_progress(_Record())
        live.on_progress(_Record(loss=0.0))
    assert "2.346" in stream.getvalue()
    assert "0.000" not in stream.getvalue()


def test_live_progress_shows_what_the_last_epoch_came_to() -> None:
    screen = Screen()
    stream = _terminal(screen)
    with screen.progress() as live:
        live.on_progress(_Record())
        assert "kept aside" not in stream.getvalue()
        live.on_epoch(EpochEnd(0, 4, 500, 1.0, 2.4, 2.5678, scores={"simlex": 0.3}))
        live.on_progress(_Record(epoch=2))
    assert "kept aside 2.568" in re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert "simlex" in stream.getvalue()


def test_live_progress_of_a_long_run_remembers_little() -> None:
    screen = Screen()
    _terminal(screen)
    with screen.progress() as live:
        for step in range(5000):
            live.on_progress(_Record(loss=float(step)))
        assert 256 <= len(live._losses) <= 1024
        assert live._losses == sorted(live._losses)
        assert live._losses[0] < 16 > 5000 - 1 - live._losses[-1]


def test_quiet_progress_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Screen(quiet=True).progress() as live:
        live.on_encode(50, None, 10)
        live.on_progress(_Record())
    assert capsys.readouterr() == ("", "")


def test_progress_in_a_log_is_asked_for(run: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool | None] = []

    @contextmanager
    def displayed(progress: bool | None) -> Iterator[None]:
        asked.append(progress)
        yield

    monkeypatch.setattr("xw2v.preparation.displayed", displayed)
    monkeypatch.setattr("xw2v.text.store.displayed", displayed)
    train, write = ["train", corpus, "-o", "m", "--epochs", 1], ["encode", corpus, "-o", "e"]
    for command in (train, write):
        assert run(*command, "--progress").status == 0
        assert True in asked
        asked.clear()
        assert run(*command).status == 0
        assert True not in asked
        _refused(run(*command, "--progress", "--quiet"), 2, "--quiet and --progress: give one of them")
    # On a terminal there is the bar.
    monkeypatch.setattr("xw2v.screen.Console.is_terminal", property(lambda console: console.stderr))
    for command in (train, write):
        assert run(*command, "--progress", *(["--min-count", 6] if command is write else [])).status == 0
        assert True not in asked


def test_tables_are_drawn_on_a_terminal_and_words_are_no_markup() -> None:
    screen = Screen()
    stream = _terminal(screen)
    screen.table("[/t]itle", ["[/h]ead"], [["[bold]x"]])
    screen.note("no checkpoint in [/data]")
    for text in ("[/t]itle", "[/h]ead", "[bold]x", "│", "no checkpoint in [/data]"):
        assert text in stream.getvalue()
    with screen.bytes("downloading [/x]") as report:
        report(1, 2)
    with screen.progress() as live:
        live.on_progress(_Record())
        live.on_epoch(EpochEnd(0, 4, 500, 1.0, 2.4, scores={"[/pairs]": 0.3}))
        live.on_progress(_Record())
    for text in ("downloading [/x]", "[/pairs]"):
        assert text in stream.getvalue()


def test_a_narrow_terminal_cuts_nothing_off() -> None:
    screen = Screen()
    stream = io.StringIO()
    screen.out = Console(file=stream, force_terminal=True, width=12, color_system=None)
    screen.table("", ["word", "path"], [["antidisestablishment", "/data/model"]])
    columns = list(zip(*(line.split("│")[1:3] for line in stream.getvalue().splitlines() if "│" in line), strict=True))
    assert ["".join(map(str.strip, column)) for column in columns] == ["antidisestablishment", "/data/model"]


def _drawn(width: int, *table: Any, **how: Any) -> list[str]:
    screen = Screen()
    stream = io.StringIO()
    screen.out = Console(file=stream, force_terminal=True, width=width, color_system=None)
    screen.table(*table, **how)
    return stream.getvalue().splitlines()


def test_a_word_does_not_reach_into_the_terminal() -> None:
    drawn = _drawn(60, "ti\ntle", ["\x1b[2J"], [["\x1b[31mred"], ["two\nlines\r\x07"], ["\ud800"], ["می\u200cخواهم"]])
    text = "\n".join(drawn)
    assert "\x1b" not in text
    assert all(len(line.split("│")) == 3 for line in drawn if "│" in line)
    for word in ("ti\\ntle", "\\x1b[2J", "\\x1b[31mred", "two\\nlines\\r\\x07", "\\ud800", "می\u200cخواهم"):
        assert word in text


def test_columns_without_room_are_a_table_below() -> None:
    rows = [["pairs.tsv", "0.4321 (0.320-0.521)", "0.5432 (0.431-0.632)"], ["simlex.tsv", "0.1 (0-0.2)", "0.2 (0-0.3)"]]
    drawn = _drawn(50, "scores", ["file", "one", "two"], rows, repeat=1)
    found = [[cell.strip() for cell in line.split("│")[1:-1]] for line in drawn if "│" in line]
    assert found == [[row[0], row[i]] for i in (1, 2) for row in rows]
    assert drawn[0].strip() == "scores"
    assert len([line for line in _drawn(70, "", ["file", "one", "two"], rows, repeat=1) if "┏" in line]) == 1


def test_a_table_is_broken_at_spaces_and_numbers_stay_whole() -> None:
    rows = [["minimum : maximum = horizontal :", "vertical", "0.91", "no, highest"], ["a", "b", "0.5", "yes"]]
    drawn = _drawn(45, "", ["question", "answer", "cosine", "right"], rows)
    assert max(map(len, drawn)) <= 45
    for word in " ".join(rows[0]).split():
        assert any(word in line for line in drawn)


def test_neighbors_of_many_words_at_80_columns(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr("xw2v.screen.Console", lambda **_: console)
    words = WordVectors.load(model).index_to_key[:10]
    run("neighbors", model, *words, "-n", 3)
    for word, score in WordVectors.load(model).most_similar(words[-1], topn=3):
        assert f" {word} {score:.2f} " in stream.getvalue()


@pytest.fixture
def drawn_at_80(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr("xw2v.screen.Console", lambda **_: console)
    return stream


def test_what_a_training_ends_with_fits_80_columns(drawn_at_80: io.StringIO) -> None:
    facts = {
        "output": "model", "vocabulary": 1_234_567, "new_words": 234_567, "vector_size": 1000, "words": 123_456_789_012,
        "training_seconds": 1_234_567.8, "words_per_second": 123_400_000.0, "loss": 12.3456, "center_loss": 123.456,
        "epoch_history": [],
    }  # fmt: skip
    finish_training(Screen(), facts, 0, as_json=False)
    assert drawn_at_80.getvalue().splitlines() == [
        "1,234,567 words of 1000 numbers, 234,567 of them new",
        "learned from 123,456,789,012 words in 1234567.8 s (123 M words/s)",
        "loss 12.3456 a pair, 123.456 a window",
        "wrote model",
    ]


def test_what_encode_ends_with_fits_80_columns(
    run: Run, corpus: Path, drawn_at_80: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = {"raw_words": 9_234_567_890, "kept_words": 1, "sentences": 45_678_901, "vocabulary": 1_234_567}
    monkeypatch.setattr("xw2v.cli.train.corpus_facts", lambda _: large)
    for ending in ("wrote e", "reused e"):
        assert run("encode", corpus, "-o", "e", "-q").status == 0
        lines = drawn_at_80.getvalue().splitlines()[-3:]
        assert lines[0] == "9,234,567,890 words in 45,678,901 sentences, 1,234,567 words of vocabulary"
        assert re.fullmatch(r"(read|found there, unchanged,) in \d+\.\d s", lines[1])
        assert lines[2] == ending
        assert max(map(len, lines)) <= 80


def test_a_title_is_not_broken_where_its_table_is_narrow(run: Run, model: Path, drawn_at_80: io.StringIO) -> None:
    assert run("analogy", model, "man", "king", "woman").status == 0
    assert drawn_at_80.getvalue().splitlines()[0] == "man is to king as woman is to"


def test_sentences_are_broken_between_words_on_a_terminal_alone(run: Run, drawn_at_80: io.StringIO) -> None:
    text = "English from [documentation] of this Python: " + "numpy 1,234 " * 12
    Screen().sentence(text)
    lines = drawn_at_80.getvalue().splitlines()
    assert len(lines) > 1
    assert " ".join(line.strip() for line in lines) == text.strip()
    assert max(map(len, lines)) <= 80
    screen, piped = Screen(), io.StringIO()
    screen.out = Console(file=piped, width=80)
    screen.sentence(text)
    assert piped.getvalue() == text + "\n"


def test_the_line_below_the_bar_fits_a_narrow_terminal() -> None:
    screen = Screen()
    stream = io.StringIO()
    screen.err, screen.live = Console(file=stream, force_terminal=True, width=60, color_system=None), True
    with screen.progress() as live:
        for loss in range(20):
            live.on_progress(_Record(loss=float(loss)))
        live.on_epoch(EpochEnd(0, 4, 500, 1.0, 2.4, 2.5678, scores={"simlex": 0.3}))
        live.on_progress(_Record())
    assert re.search("loss 2.346 .* rate 0.0125 *\r?\n.*kept aside 2.568 simlex 0.300", stream.getvalue())


def test_counts_and_curves() -> None:
    assert [count(x) for x in (0, 999, 1000, 16_939, 4.2e6, 1.9e9)] == ["0", "999", "1 k", "16.9 k", "4.2 M", "1.9 G"]
    assert [count(x) for x in (999.6, 999_499, 999_500, 999_999_999)] == ["1 k", "999 k", "1 M", "1 G"]
    assert count(12_345e9) == "12345 G"
    assert spark([]) == ""
    assert spark([1.0]) == "▁"
    assert spark([8, 4.5, 1, 1], width=4) == "█▅▁▁"
    assert spark(range(1000), width=8) == "▁▂▃▄▅▆▇█"


def test_the_library_alone_needs_no_terminal() -> None:
    code = "import sys, xw2v; print([name for name in ('cupy', 'matplotlib', 'typer', 'rich') if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_paragraphs_of_the_help_are_broken_by_the_terminal_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert "exits with status 130. Later the same command with --resume goes on there" in run("train", "--help").out
    assert "1 failed, 2 wrong usage, 130 interrupted" in run("--help").out


@pytest.mark.parametrize("columns", [50, 60, 79, 80])
@pytest.mark.parametrize("command", ["train", "encode", "plot", "walk", "data write", "export"])
def test_help_cuts_no_name_of_an_option(run: Run, command: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = run(*command.split(), "--help").out
    assert max(map(len, shown.splitlines())) <= columns
    options = typer.main.get_command(cli.app)
    for name in command.split():
        options = options.commands[name]  # type: ignore[attr-defined]
    names = [name for item in options.params for name in (*item.opts, *item.secondary_opts) if name.startswith("--")]
    assert set(names) <= set(re.findall(r"--[\w-]+", shown))
    assert ("╭" in shown) == (columns >= 80)
    assert "[bold]" not in shown
    assert "Examples" in shown


def test_help_of_a_group_at_60_columns_says_all(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    shown = " ".join(re.sub("[│╭╰─╮╯]", " ", run("--help").out).split())
    assert "train Learn vectors from a corpus. encode Turn a corpus into numbers once, for many trainings; one" in shown


def test_an_encoded_corpus_is_no_model(run: Run) -> None:
    Path("c.txt").write_text("a b a b\n" * 5)
    assert run("encode", "c.txt", "-o", "e").status == 0
    for command in (("neighbors", "e", "a"), ("convert", "e", "v.bin"), ("plot", "e")):
        _refused(run(*command), 1, "e is an encoded corpus and has no vectors yet: xw2v train e -o MODEL")
