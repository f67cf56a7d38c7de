"""Pictures: the projection against the textbook's, labels that do not overlap, files of every kind."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import warnings
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from xw2v.errors import ConfigError, FileAccessError, NumericalError, ShapeError, UnknownWordError
from xw2v.training.epochs import EpochEnd
from xw2v.vectors import figures
from xw2v.vectors.figures import COLOURS
from xw2v.vectors.plots import plot_loss, plot_runs, plot_scores, plot_words, words_figure
from xw2v.vectors.projection import project, project_2d
from xw2v.vectors.word_vectors import WordVectors

Floats = npt.NDArray[np.float64]


def clustered(n: int, clusters: int = 5, spread: float = 0.3, seed: int = 3) -> tuple[list[str], Floats]:
    """Words of many lengths around a few places, some exactly on one point."""
    rng = np.random.default_rng(seed)
    centres = 2 * rng.standard_normal((clusters, 20))
    vectors = np.array([centres[i % clusters] + spread * rng.standard_normal(20) for i in range(n)])
    vectors[clusters : 2 * clusters] = vectors[:clusters][: max(0, n - clusters)]
    return [f"word{'abcdefgh'[: i % 9]}{i}" for i in range(n)], vectors


# --- projection -------------------------------------------------------------


def by_covariance(vectors: Floats) -> Floats:
    """CS224n assignment 2: the first two columns of U in the SVD of the covariance."""
    centred = vectors - vectors.mean(axis=0)
    covariance = centred.T @ centred / len(vectors)
    result: Floats = centred @ np.linalg.svd(covariance)[0][:, :2]
    return result


@pytest.mark.parametrize(("n", "D"), [(30, 8), (8, 30), (3, 2), (2, 5)])
def test_projection_is_the_textbooks_up_to_signs(n: int, D: int) -> None:
    vectors = np.random.default_rng(0).standard_normal((n, D)) + 5
    ours, reference = project_2d(vectors), by_covariance(vectors)
    signs = np.sign((ours * reference).sum(axis=0))
    np.testing.assert_allclose(ours, reference * signs, atol=1e-6)


def test_projection_by_hand() -> None:
    # Along (3, 4) / 5 by 10, across it by 1.
    along, across = np.array([0.6, 0.8]), np.array([-0.8, 0.6])
    vectors = np.array([7.0, -3.0]) + np.array([10 * along, -10 * along, across, -across])
    np.testing.assert_allclose(project_2d(vectors), [[10, 0], [-10, 0], [0, -1], [0, 1]], atol=1e-12)


def test_projection_has_fixed_signs() -> None:
    vectors = np.random.default_rng(1).standard_normal((20, 6))
    np.testing.assert_allclose(project_2d(-vectors), -project_2d(vectors), atol=1e-12)
    order = np.random.default_rng(2).permutation(20)
    np.testing.assert_allclose(project_2d(vectors[order]), project_2d(vectors)[order], atol=1e-12)


def test_projection_of_next_to_nothing() -> None:
    np.testing.assert_array_equal(project_2d([[1.0, 2.0, 3.0]]), [[0, 0]])
    np.testing.assert_allclose(project_2d([[1.0], [3.0]]), [[-1, 0], [1, 0]])
    np.testing.assert_array_equal(project_2d(np.ones((4, 3))), np.zeros((4, 2)))


def test_projection_refuses() -> None:
    for empty in (np.ones(3), np.ones((0, 3)), np.ones((3, 0))):
        with pytest.raises(ShapeError, match="n and D > 0"):
            project_2d(empty)
    with pytest.raises(NumericalError, match="finite"):
        project_2d([[1.0, np.nan]])


# --- labels -----------------------------------------------------------------


def label_boxes(figure: Any) -> tuple[list[str], Floats, Floats]:
    """Texts, their boxes (n, 4) and the box of the axes, in pixels of the finished picture."""
    figure.canvas.draw()
    axes = figure.axes[0]
    renderer = figure.canvas.get_renderer()
    texts = [text for text in axes.texts if text.get_text()]
    boxes = np.array([text.get_window_extent(renderer).extents for text in texts])
    return [text.get_text() for text in texts], boxes, np.array(axes.get_window_extent(renderer).extents)


def overlapping(boxes: Floats) -> list[tuple[int, int]]:
    pairs = []
    for i, a in enumerate(boxes):
        for j, b in enumerate(boxes[:i]):
            if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]:
                pairs.append((j, i))
    return pairs


def same_point(n: int) -> tuple[list[str], Floats]:
    return [f"coincident{i}" for i in range(n)], np.ones((n, 4))


@pytest.mark.parametrize(
    ("words", "vectors"),
    [clustered(5), clustered(24), clustered(24, clusters=2, spread=0.05), clustered(60), same_point(24)],
    ids=["5", "24", "24 in two heaps", "60", "24 on one point"],
)
def test_labels_do_not_overlap_and_stay_inside(words: list[str], vectors: Floats) -> None:
    figure, _ = words_figure(words, vectors, title="A title")
    shown, boxes, frame = label_boxes(figure)
    assert shown == words
    assert overlapping(boxes) == []
    assert (boxes[:, :2] >= frame[:2]).all()
    assert (boxes[:, 2:] <= frame[2:]).all()


def test_labels_stay_near_their_points() -> None:
    words, vectors = clustered(24)
    figure, coordinates = words_figure(words, vectors)
    _, boxes, _ = label_boxes(figure)
    points = figure.axes[0].transData.transform(coordinates)
    gaps = np.linalg.norm(np.clip(points, boxes[:, :2], boxes[:, 2:]) - points, axis=1)
    assert np.median(gaps) < 40  # pixels; a letter is some 14 wide
    assert gaps.max() < 200


@pytest.mark.slow
def test_150_labels_do_not_overlap() -> None:
    words, vectors = clustered(150, clusters=12)
    _, boxes, _ = label_boxes(words_figure(words, vectors)[0])
    assert overlapping(boxes) == []


def test_labels_without_room_are_left_out_and_named(caplog: pytest.LogCaptureFixture) -> None:
    words, vectors = same_point(120)
    figure, _ = words_figure(words, vectors)
    shown = [text.get_text() for text in figure.axes[0].texts if text.get_visible()]
    assert 30 < len(shown) < 120
    assert figure.get_size_inches()[0] < 30
    assert f"no room for the labels of {120 - len(shown)} words" in caplog.text


def test_a_very_long_word_is_cut_and_stands_by_its_point() -> None:
    figure, points = words_figure(["x" * 300, "b"], [[0, 0], [1, 0]])
    long, short = figure.axes[0].texts
    assert long.get_text() == "x" * 37 + "..."
    for text, point in zip((long, short), points, strict=True):
        assert abs(text.get_position()[0] - point[0]) < 0.4 * abs(points[1, 0] - points[0, 0])


def test_rounding_is_no_direction() -> None:
    points = project_2d(np.random.default_rng(2).normal(size=(2, 5)))
    assert points[:, 0].any()
    assert not points[:, 1].any()


def test_the_check_of_overlaps_sees_one() -> None:
    boxes = np.array([[0, 0, 2, 2], [1, 1, 3, 3], [2, 2, 4, 4]], dtype=float)
    assert overlapping(boxes) == [(0, 1), (1, 2)]


# --- plot_words -------------------------------------------------------------

MAGIC = {".png": b"\x89PNG\r\n", ".svg": b"<?xml", ".pdf": b"%PDF-"}


@pytest.mark.parametrize("suffix", MAGIC)
def test_files_of_every_kind_come_out_the_same_twice(tmp_path: Path, suffix: str) -> None:
    words, vectors = clustered(6)
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        coordinates = plot_words(words, vectors, path, title="Words", groups=[0, 1, 2, 0, 1, 2])
        np.testing.assert_array_equal(coordinates, project_2d(vectors))
        assert path.read_bytes().startswith(MAGIC[suffix])
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(tmp_path.iterdir()) == paths


def test_a_dot_under_another_is_seen_as_a_ring() -> None:
    vectors = np.array([[0, 0], [0, 0], [0, 0], [1, 1], [1, 1.001], [2, 0]])
    figure, _ = words_figure(list("abcdef"), vectors, groups=range(6))
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]
    for colour in COLOURS:
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (pixels == wanted).all(axis=-1).sum() > 40  # a whole dot has some 90


def test_the_picture_of_word_vectors_is_that_of_its_words(tmp_path: Path) -> None:
    words, vectors = clustered(20)
    wv = WordVectors(words, vectors)
    figure = wv.plot(words[:6], tmp_path / "a.png", title="T", analogies=[words[6:8]])
    plot_words(words[:8], wv[words[:8]], tmp_path / "b.png", title="T", analogies=[words[6:8]])
    drawn = (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes() == drawn == figure._repr_png_()  # type: ignore[attr-defined]
    shown = {text.get_text() for text in wv.plot(near=words[0]).axes[0].texts}
    assert shown == {words[0], *(word for word, _ in wv.most_similar(words[0], topn=15))}
    assert len(wv.plot().axes[0].texts) == 20
    with pytest.raises(UnknownWordError, match="unheard"):
        wv.plot([*words, "unheard"])


def test_integers_are_words_of_their_digits_in_pictures_too() -> None:
    wv = WordVectors([101, 102, 103, 104], np.arange(16).reshape(4, 4) % 5)
    figures = (wv.plot([101, "104"], analogies=[(101, 102)]), wv.plot(["101", "104"], analogies=[("101", "102")]))
    shown = [[text.get_text() for text in figure.axes[0].texts if text.get_text()] for figure in figures]
    assert shown == [["101", "104", "102"]] * 2
    near = wv.plot(np.int64(103), near=101)  # type: ignore[arg-type]
    assert sorted(text.get_text() for text in near.axes[0].texts) == ["101", "102", "103", "104"]


def test_no_path_draws_nothing() -> None:
    words, vectors = clustered(6)
    np.testing.assert_array_equal(plot_words(words, vectors, None), project_2d(vectors))


def test_arrows_go_between_the_words() -> None:
    words = ["man", "woman", "king", "queen", "x"]
    vectors = np.array([[0, 0], [1, 3], [5, 0], [6, 3.5], [9, 1]])
    figure, coordinates = words_figure(words, vectors, analogies=[("man", "woman", "king", "queen"), ("x", "man")])
    arrows = [text for text in figure.axes[0].texts if not text.get_text()]
    ends: list[Any] = [(arrow.get_position(), arrow.xy) for arrow in arrows]  # type: ignore[attr-defined]
    expected = [(coordinates[a], coordinates[b]) for a, b in ((0, 1), (2, 3), (4, 0))]
    np.testing.assert_allclose(np.array(ends), np.array(expected))
    colours = [arrow.arrow_patch.get_edgecolor() for arrow in arrows]  # type: ignore[attr-defined]
    assert colours[0] == colours[1] != colours[2]


def test_words_of_every_script_and_markup_are_drawn_as_they_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = ["$x_1$", "a$b", "c\nd", "\\alpha", "король", "国王", "שלום", "नमस्ते", "🙂", "\ud800", ""]
    figure, _ = words_figure(words, clustered(11)[1], title="$ 国\n")
    shown, boxes, _ = label_boxes_quietly(figure)
    assert shown == ["$x_1$", "a$b", "c\\nd", "\\alpha", "король", "国王", "שלום", "नमस्ते", "🙂", "\\ud800"]
    assert not any(text.get_parse_math() for text in figure.axes[0].texts)
    assert overlapping(boxes) == []
    for suffix in MAGIC:
        plot_words(words, clustered(11)[1], tmp_path / f"p{suffix}", title="$ 国\n")
    assert all(record.name.startswith(("xw2v", "matplotlib", "fontTools")) for record in caplog.records)


def test_joiners_inside_of_words_are_not_spelled_out() -> None:
    figure, _ = words_figure(["می\u200cخواهم", "a\u200bb"], [[1.0, 2.0], [2.0, 1.0]])
    assert label_boxes_quietly(figure)[0] == ["می\u200cخواهم", "a\\u200bb"]


def test_characters_that_no_font_has_are_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(figures, "_WIDE_FONTS", ("DejaVu Serif", "no such font"))  # which is there, and has none of it
    assert figures.fonts_for({"a", "国"}) == ["DejaVu Sans"]
    assert "no installed font is known to have ['国']" in caplog.text
    caplog.clear()
    assert figures.fonts_for({"a"}) == ["DejaVu Sans"]
    assert not caplog.records


@pytest.mark.parametrize("title", ["short", "long " * 60, "W" * 300])
def test_a_title_ends_inside_of_the_picture(title: str) -> None:
    figure, _ = words_figure(["a", "b"], [[1.0, 2.0], [2.0, 1.0]], title=title)
    text = figure.axes[0]._left_title  # type: ignore[attr-defined]
    edge = text.get_window_extent(figure.canvas.get_renderer()).x1  # type: ignore[attr-defined]
    assert edge <= figure.bbox.x1
    shown = text.get_text()
    assert shown == title or (shown.endswith("...") and title.startswith(shown[:-3]) and edge > 0.9 * figure.bbox.x1)


def label_boxes_quietly(figure: Any) -> tuple[list[str], Floats, Floats]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return label_boxes(figure)


def test_plot_words_refuses(tmp_path: Path) -> None:
    words, vectors = clustered(6)
    path = tmp_path / "p.png"
    with pytest.raises(ShapeError, match="6 words needs one vector and one group; got 5 vectors"):
        plot_words(words, vectors[:5], path)
    with pytest.raises(ShapeError, match="and 2 groups"):
        plot_words(words, vectors, path, groups=[1, 2])
    with pytest.raises(ConfigError, match=r"must end in \.png, \.svg or \.pdf"):
        plot_words(words, vectors, tmp_path / "p.docx")
    with pytest.raises(FileAccessError, match="there is no folder"):
        plot_words(words, vectors, tmp_path / "no" / "p.png")
    with pytest.raises(UnknownWordError, match=r"'queen' of the analogy .* is not among the 6 words"):
        plot_words(words, vectors, path, analogies=[(words[0], "queen")])
    for analogy in ("ab", words[:3]):
        with pytest.raises(ConfigError, match="2 or 4 words"):
            plot_words(words, vectors, path, analogies=[analogy])
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "p.png").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(FileAccessError, match="No space left on device"):
        plot_loss([(0, 1.0)], tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


# --- plot_loss --------------------------------------------------------------


def test_loss_is_averaged_over_neighbours(tmp_path: Path) -> None:
    x = np.arange(100.0)
    y = np.random.default_rng(0).standard_normal(100)
    curve = plot_loss(list(zip(x, y, strict=True)), tmp_path / "p.png")
    window = 100 // 60
    mean = [y[max(0, i - window) : i + window + 1].mean() for i in range(100)]
    np.testing.assert_allclose(curve, np.column_stack([x, y, mean]))


Record = namedtuple("Record", ["epoch", "words", "loss", "alpha"])


@pytest.mark.parametrize(
    "records",
    [
        [(1, 4.0), (2, 3.0), (3, float("nan")), (4, 2.0)],
        [{"words": x, "loss": y} for x, y in ((4, 2.0), (1, 4.0), (2, 3.0))],
        [Record(1, x, y, 0.1) for x, y in ((1, 4.0), (2, 3.0), (4, 2.0))],
    ],
)
def test_loss_of_every_kind_of_record(tmp_path: Path, records: list[Any]) -> None:
    curve = plot_loss(records, tmp_path / "p.svg", title="Loss")
    np.testing.assert_array_equal(curve[:, :2], [[1, 4], [2, 3], [4, 2]])
    assert (tmp_path / "p.svg").read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("records", "match"),
    [
        ([], "no record with a finite loss"),
        ([(1, float("inf"))], "no record"),
        ([(1, 2, 3)], "wanted .x, loss. pairs"),
        ([3.0], "wanted"),
        ([{"loss": 1.0}], "wanted"),
        (["ab"], "wanted"),
    ],
)
def test_plot_loss_refuses(tmp_path: Path, records: list[Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        plot_loss(records, tmp_path / "p.png")
    assert list(tmp_path.iterdir()) == []


# --- matplotlib -------------------------------------------------------------


def test_matplotlib_is_loaded_for_drawing_only_and_pyplot_never(tmp_path: Path) -> None:
    code = (
        "import sys, xw2v.vectors.plots as plots\n"
        "assert 'matplotlib' not in sys.modules\n"
        "plots.plot_words(['a', 'b'], [[1, 2], [3, 5]], sys.argv[1])\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(tmp_path / "p.png")], check=True, timeout=120)


def test_the_callers_settings_do_not_show(tmp_path: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    words, vectors = clustered(6)
    plot_words(words, vectors, tmp_path / "a.png", title="T")
    odd = {"text.color": "red", "axes.facecolor": "black", "font.size": 20, "font.family": "serif"}
    with matplotlib.rc_context(odd | {"savefig.bbox": "tight", "axes.spines.left": False}):
        before = dict(matplotlib.rcParams)
        plot_words(words, vectors, tmp_path / "b.png", title="T")
        assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


# --- other projections ---


def three_groups() -> Any:
    rng = np.random.default_rng(0)
    return np.repeat(np.eye(3, 20) * 3, 12, axis=0) + 0.3 * rng.standard_normal((36, 20))


@pytest.mark.parametrize(("method", "package"), [("tsne", "sklearn"), ("umap", "umap")])
def test_neighbours_stay_neighbours(method: str, package: str) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed")
    vectors = three_groups()
    found = project(vectors, method)
    assert found.shape == (36, 2)
    np.testing.assert_array_equal(found, project(vectors, method))
    distances = np.linalg.norm(found[:, None] - found, axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert (distances.argmin(axis=1) // 12 == np.arange(36) // 12).all()


def test_few_vectors_and_no_such_method(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = three_groups()
    np.testing.assert_array_equal(project(vectors[:4], "tsne"), project_2d(vectors[:4]))
    np.testing.assert_array_equal(project(vectors, "pca"), project_2d(vectors))
    with pytest.raises(ConfigError, match="must be one of pca, tsne, umap; got 'mds'"):
        project(vectors, "mds")
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ConfigError, match="UMAP needs umap-learn: pip install umap-learn"):
        project(vectors, "umap")


def test_a_map_says_what_its_axes_are() -> None:
    pytest.importorskip("sklearn", reason="sklearn is not installed")
    figure, _ = words_figure([f"w{i}" for i in range(36)], three_groups(), method="tsne")
    assert "t-SNE" in figure.axes[0].get_xlabel()


def test_several_runs_in_one_picture(tmp_path: Path) -> None:
    runs = {name: [(x, start / (1 + x / 50)) for x in range(100)] for name, start in (("fast", 2.0), ("slow", 3.0))}
    curves = plot_runs(runs, tmp_path / "runs.svg")
    assert (curves["slow"][:, 2] > curves["fast"][:, 2]).all()
    drawn = (tmp_path / "runs.svg").read_text()
    assert drawn.count("stroke: #0072b2") >= 1
    assert drawn.count("stroke: #d55e00") >= 1
    with pytest.raises(ConfigError, match="no record with a finite loss"):
        plot_runs({"none": []}, tmp_path / "runs.svg")


def test_names_in_legends_are_drawn_as_they_are(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    long = "runs/" + "x" * 60 + "/last"
    names = ["_private", r"m$\nonsense$", "模型", "tab\there", long]
    plot_runs({name: [(0, 3.0), (1, 2.0)] for name in names}, tmp_path / "runs.svg")
    drawn = (tmp_path / "runs.svg").read_text()
    for name in ("_private", r"m$\nonsense$", "模型", r"tab\there", "runs/xxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxx/last"):
        assert f"<!-- {name} -->" in drawn
    assert "no installed font is known to have ['型', '模']" in caplog.text or "Noto" in drawn
    plot_scores({"m": ends({"_set $a": 0.5}, {"_set $a": 0.6})}, tmp_path / "scores.svg")
    assert "<!-- _set $a -->" in (tmp_path / "scores.svg").read_text()


def ends(*scores: dict[str, float]) -> list[EpochEnd]:
    return [
        EpochEnd(i, len(scores), 100 * (i + 1), 2.0 * (i + 1), 2.5, 2.6 - 0.1 * (i == 1), i < 2, scores=some)
        for i, some in enumerate(scores)
    ]


def test_scores_against_time(tmp_path: Path) -> None:
    one = ends({"ws": 0.2, "sl": 0.1}, {"ws": 0.3}, {"ws": 0.4, "sl": 0.2})
    curves = plot_scores({"m": one}, tmp_path / "s.svg")
    assert curves["ws"].tolist() == [[2, 0.2], [4, 0.3], [6, 0.4]]
    assert curves["sl"].tolist() == [[2, 0.1], [6, 0.2]]
    both = plot_scores({"a": one, "b": ends({"ws": 0.5})}, tmp_path / "two.svg")
    assert list(both) == ["a: ws", "a: sl", "b: ws"]
    drawn = (tmp_path / "two.svg").read_text()
    assert "<!-- b: ws -->" in drawn
    assert "<!-- seconds of training -->" in drawn
    with pytest.raises(ConfigError, match="no scores to draw: train with"):
        plot_scores({"m": ends({}, {})}, tmp_path / "none.svg")
    assert not (tmp_path / "none.svg").exists()


def test_the_loss_kept_aside_is_drawn_and_its_lowest_marked(tmp_path: Path) -> None:
    losses = [(100 * i, 3.0 - i / 10) for i in range(4)]
    plot_loss(losses, tmp_path / "without.svg")
    plot_loss(losses, tmp_path / "with.svg", epochs=ends({}, {}, {}))
    plain, drawn = ((tmp_path / f"{name}.svg").read_text() for name in ("without", "with"))
    for text in ("<!-- sentences kept aside -->", "<!-- the lowest -->", "#d55e00"):
        assert text in drawn
        assert text not in plain


def test_learning_rates_are_drawn_below_the_losses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr("xw2v.vectors.curves.save_figure", lambda figure, path: drawn.append(figure))
    runs = {name: [Record(0, x, 3.0, alpha * (1 - x / 100)) for x in (50, 0)] for name, alpha in (("a", 0.1), ("b", 1))}
    plot_loss(runs["a"], tmp_path / "one.svg")
    plot_runs({**runs, "no rates": [(0, 3.0), (9, 2.0)]}, tmp_path / "two.svg")
    rates = [[[0, 0.1], [50, 0.05]], [[0, 1], [50, 0.5]]]
    for figure, wanted in zip(drawn, (rates[:1], rates), strict=True):
        above, below = figure.axes
        assert (above.get_xlabel(), below.get_xlabel(), below.get_ylabel()) == ("", "words", "learning rate")
        assert [line.get_xydata().tolist() for line in below.lines] == wanted
        colours = [[line.get_color() for line in axes.lines] for axes in (above, below)]
        assert colours[0][: len(wanted)] == colours[1]
        assert above.get_xlim() == below.get_xlim()
        assert below.get_position().y1 < above.get_position().y0
    plot_loss([(0, 3.0), (1, 2.0)], tmp_path / "none.svg")
    assert len(drawn[-1].axes) == 1
