"""The report: its data, words that look like HTML, and what a browser makes of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from xw2v import Word2Vec, WordVectors, cli
from xw2v.errors import ConfigError
from xw2v.vectors.report import write_report

ODD = ["king", "queen", "</script><script>alert(1)</script>", "国王", "<!--", "DATA", "a & b", "\u2028"]


def some() -> WordVectors:
    return WordVectors(ODD, np.random.default_rng(0).standard_normal((len(ODD), 5)))


def data_of(path: Path) -> dict[str, Any]:
    page = path.read_text(encoding="utf-8")
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, flags=re.DOTALL)
    found: dict[str, Any] = json.loads(text)
    return found


def test_the_data(tmp_path: Path) -> None:
    history = [SimpleNamespace(words=100 * i, loss=3 - i / 1000, alpha=0.025) for i in range(2000)]
    epochs = [SimpleNamespace(words=10 * i, validation_loss=2.6 - i / 10, scores={"ws": i / 10}) for i in (1, 2)]
    write_report(
        tmp_path / "r.html", some(), options={"window": 5}, history=history, epochs=epochs, words=4, neighbors=2
    )
    data = data_of(tmp_path / "r.html")
    assert data["words"] == ODD[:4]
    assert np.shape(data["points"]) == (4, 2)
    assert [near[0] for near in data["near"][0]] == [word for word, _ in some().most_similar("king", topn=2)]
    assert data["options"] == [["window", "5"]]
    (loss, points), (rate, _), *of_epochs = data["curves"]
    assert of_epochs == [["loss of a pair kept aside", [[10, 2.5], [20, 2.4]]], ["ws", [[10, 0.1], [20, 0.2]]]]
    assert (loss, rate) == ("loss of a pair, in nats", "learning rate")
    assert 300 < len(points) <= 600
    with pytest.raises(ConfigError, match="no words"):
        write_report(tmp_path / "none.html", WordVectors([], np.empty((0, 2))))


def test_no_word_leaves_the_data_and_nothing_is_fetched(tmp_path: Path) -> None:
    write_report(tmp_path / "r.html", some())
    assert data_of(tmp_path / "r.html")["words"] == ODD
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.count("<script") == 2
    assert not re.findall(r"(?:src|href|url|import|fetch)\s*[=(]", page)
    assert set(re.findall(r"https?://[^\"]+", page)) == {"http://www.w3.org/2000/svg"}


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = [["a", "b", "c", "d"], ["b", "c", "a"]] * 50
    Word2Vec(vector_size=4, min_count=1, epochs=2, workers=1).fit(text).save(tmp_path / "m")
    (tmp_path / "pairs").write_text("a b 3\na c 2\nb c 1\n")
    command = ["report", str(tmp_path / "m"), "-o", str(tmp_path / "r.html"), "--pairs", str(tmp_path / "pairs")]
    assert cli.main(command) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path}/r.html\n"
    data = data_of(tmp_path / "r.html")
    assert data["title"] == "m: 4 words, 4 numbers each"
    assert data["scores"][0][1] == "spearman"
    assert ["vector_size", "4"] in data["options"]
    WordVectors(["a", "b"], np.eye(2)).save_word2vec_format(tmp_path / "v.bin", binary=True)
    assert cli.main(["report", str(tmp_path / "v.bin"), "-o", str(tmp_path / "v.html")]) == 0
    assert data_of(tmp_path / "v.html")["curves"] == []


def test_in_a_browser(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium here")
    write_report(tmp_path / "r.html", some(), options={"window": 5})
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [*command, "--virtual-time-budget=2000", "--dump-dom", f"{(tmp_path / 'r.html').as_uri()}#queen"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "<h2>Nearest to queen</h2>" in done.stdout
    assert "<title>Word vectors: 8 words, 5 numbers each</title>" in done.stdout
    assert done.stdout.count("<script") == 2
