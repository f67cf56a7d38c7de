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
from xw2v.training.epochs import EpochEnd
from xw2v.vectors.projection import project_2d
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
    history = [
        SimpleNamespace(words=100 * i, total_words=200_000, epoch=0, epochs=1, loss=3 - i / 1000, alpha=0.025)
        for i in range(2000)
    ]
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
    assert data["ending"] == "Ended in epoch 1 of 1."
    with pytest.raises(ConfigError, match="no words"):
        write_report(tmp_path / "none.html", WordVectors([], np.empty((0, 2))))


def test_the_map_of_short_and_long_vectors(tmp_path: Path) -> None:
    for length in (1e-6, 1e30):
        write_report(tmp_path / "r.html", WordVectors(ODD, length * some().vectors))
        points = np.array(data_of(tmp_path / "r.html")["points"]) / length
        np.testing.assert_allclose(points, project_2d(some().vectors), rtol=1e-4)


@pytest.mark.parametrize(
    ("improved", "done", "patience", "wanted"),
    [
        ([True, True], 2, 1, ""),
        ([True, True, False], 3, 1, "Ended after epoch 3 of 9. The vectors are those of epoch 2, with the lowest loss"),
        ([True, True, False], 3, None, "Ended after epoch 3 of 9."),
        ([True] + 8 * [False], 9, 8, "The vectors are those of epoch 1, with the lowest loss"),
        ([True, False], 3, 8, "Ended in epoch 3 of 9."),
    ],
)
def test_what_is_said_of_a_run_that_was_stopped(
    tmp_path: Path, improved: list[bool], done: int, patience: int | None, wanted: str
) -> None:
    epochs = [
        EpochEnd(i, 9, 10 * (i + 1), 1.0, 2.5, 2.5, is_lower, last=len(improved) == done < 9)
        for i, is_lower in enumerate(improved)
    ]
    total = 90 if wanted else 10 * done
    history = [SimpleNamespace(words=10 * done, total_words=total, epoch=done - 1, epochs=9, loss=2.5, alpha=0.1)]
    write_report(tmp_path / "r.html", some(), options={"patience": patience}, history=history, epochs=epochs)
    ending = data_of(tmp_path / "r.html")["ending"]
    assert ending.startswith(wanted)
    assert bool(ending) == bool(wanted)


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
    write_report(tmp_path / "r.html", some(), options={"window": 5})
    shown = in_browser(tmp_path / "r.html", "queen")
    assert "<h2>Nearest to queen</h2>" in shown
    assert "<title>Word vectors: 8 words, 5 numbers each</title>" in shown
    assert shown.count("<script") == 2
    assert "Options" in re.findall("<h2>(.*?)</h2>", shown)
    assert "Training" not in re.findall("<h2>(.*?)</h2>", shown)


# Searches and clicks as a person does, and notes what is said or chosen.
USE = """
const said = [$("found").textContent], noted = () => said.push(chosen < 0 ? "nothing" : data.words[chosen]);
for (const text of ["US", "us", "KING"]) {
  $("search").value = text; $("search").dispatchEvent(new Event("input")); noted();
}
const frame = canvas.getBoundingClientRect();
const point = (kind, [x, y]) => canvas.dispatchEvent(new PointerEvent(kind, {
  clientX: frame.left + canvas.clientLeft + x, clientY: frame.top + canvas.clientTop + y}));
const free = [1, 1];
point("pointermove", places[3]); point("click", places[3]); noted();
point("pointermove", free); point("click", free); noted();
document.body.dataset.said = said.join();
"""


def test_search_and_clicks_in_a_browser(tmp_path: Path) -> None:
    words = WordVectors(["us", "US", "king", "queen"], np.random.default_rng(0).standard_normal((4, 5)))
    write_report(tmp_path / "r.html", words)
    with (tmp_path / "r.html").open("a") as page:
        page.write(f"<script>{USE}</script>")
    shown = in_browser(tmp_path / "r.html", "50%")
    assert 'data-said="not on the map,US,us,king,queen,nothing"' in shown


def in_browser(page: Path, fragment: str) -> str:
    """The document once its scripts have run."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium here")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={page.parent / 'profile'}"]
    return subprocess.run(
        [*command, "--virtual-time-budget=2000", "--dump-dom", f"{page.as_uri()}#{fragment}"],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
