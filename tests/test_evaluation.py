"""Evaluations: hand-made files always; gensim and the real files where they are."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.vector_files import as_gensim
from xw2v import EpochScores, Word2Vec
from xw2v.errors import ConfigError, FileAccessError, FormatError, MissingFileError
from xw2v.vectors import analogies, test_sets
from xw2v.vectors.analogies import AnalogyResult
from xw2v.vectors.bootstrap import share_interval, spearman_interval
from xw2v.vectors.evaluation import evaluate
from xw2v.vectors.word_pairs import WordPairResult
from xw2v.vectors.word_vectors import WordVectors

EVAL = Path(__file__).parents[2] / "shared" / "data" / "eval"
QUESTIONS = "questions-words.txt"
PAIR_FILES = ("wordsim353.tsv", "simlex999.txt")


def assert_analogies_are_gensims(wv: WordVectors, path: Path, **options: Any) -> AnalogyResult:
    score, sections = as_gensim(wv).evaluate_word_analogies(str(path), **options)
    ours = wv.evaluate_word_analogies(path, **options)
    theirs = [(s["section"], len(s["correct"]), len(s["incorrect"])) for s in sections]
    assert [(s.name, s.correct, s.incorrect) for s in ours.sections] == theirs[:-1]
    assert ("Total accuracy", ours.correct, ours.total - ours.correct) == theirs[-1]
    assert ours.accuracy == score
    return ours


def assert_pairs_are_gensims(wv: WordVectors, path: Path, **options: Any) -> WordPairResult:
    pearson, spearman, oov = as_gensim(wv).evaluate_word_pairs(str(path), **options)
    ours = wv.evaluate_word_pairs(path, **options)
    np.testing.assert_allclose((ours.pearson, ours.pearson_pvalue), tuple(pearson), rtol=1e-5)
    np.testing.assert_allclose((ours.spearman, ours.spearman_pvalue), tuple(spearman), rtol=1e-5)
    assert 100 * ours.oov_ratio == pytest.approx(oov)
    return ours


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "file.txt"
    path.write_text(text, encoding="utf-8")
    return path


# --- word pairs -------------------------------------------------------------

PAIRS = "# comment\na\tb\t9\n\na\tc\t5.5\nb\td\t 1e0 \nA\tD\t0\na\tnope\t3\na b\t1\na\tb\tx\na\tb\n"


def four_words() -> WordVectors:
    return WordVectors(["a", "b", "c", "d"], [[1, 0], [2, 1], [1, 2], [-1, 1]])


def test_word_pairs_by_hand(tmp_path: Path) -> None:
    wv = four_words()
    result = wv.evaluate_word_pairs(write(tmp_path, PAIRS))
    gold = [9, 5.5, 1, 0]
    cosines = [2 / 5**0.5, 1 / 5**0.5, -1 / 10**0.5, -1 / 2**0.5]
    assert result.pearson == pytest.approx(np.corrcoef(gold, cosines)[0, 1], abs=1e-6)
    assert result.spearman == pytest.approx(1.0)
    assert result.interval == pytest.approx(spearman_interval(gold, cosines))
    assert (result.pairs_used, result.pairs_missing, result.lines_invalid) == (4, 1, 4)
    assert result.oov_ratio == pytest.approx(0.2)


def test_word_pairs_handmade_file_is_gensims(tmp_path: Path) -> None:
    assert_pairs_are_gensims(four_words(), write(tmp_path, PAIRS))
    assert_pairs_are_gensims(four_words(), write(tmp_path, PAIRS), restrict_vocab=3)
    assert assert_pairs_are_gensims(four_words(), write(tmp_path, PAIRS), case_insensitive=False).pairs_missing == 2


def test_first_variant_of_a_word_stands_for_all(tmp_path: Path) -> None:
    wv = WordVectors(["a", "A", "b", "c"], [[1, 0], [-1, 0], [2, 1], [-1, 3]])
    path = write(tmp_path, "A\tb\t9\nA\tc\t1\nb\tc\t4\n")
    assert wv.evaluate_word_pairs(path).spearman == pytest.approx(1.0)
    assert_pairs_are_gensims(wv, path)
    assert_pairs_are_gensims(wv, path, case_insensitive=False)


def test_constant_sides_give_nan_quietly(tmp_path: Path) -> None:
    wv = WordVectors(["a", "b", "c"], np.ones((3, 2)))
    assert np.isnan(wv.evaluate_word_pairs(write(tmp_path, "a\tb\t1\na\tc\t2\nb\tc\t3\n")).spearman)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "0 usable word pairs, wanted at least 2"),
        ("a\tb\t1\n", "1 usable word pairs"),
        ("x\ty\t1\nx\tz\t2\nfoo\n", "2 with unknown words, 1 lines not of the form"),
        ("a\tb\t1\n# c\na\tc\tnan\n", "line 3: the similarity must be a finite number; got 'a.*nan'"),
        ("a\tb\tinf\n", "line 1"),
    ],
)
def test_useless_pair_files(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        four_words().evaluate_word_pairs(write(tmp_path, text))


# --- analogies --------------------------------------------------------------


def grid() -> WordVectors:
    """Words whose capitals and countries differ by one offset, and case variants near them."""
    rng = np.random.default_rng(5)
    base, offset = rng.standard_normal((6, 10)), rng.standard_normal(10)
    words = [f"{kind}{i}" for kind in ("town", "land") for i in range(6)] + ["TOWN0", "Land1", "LAND1", "far"]
    rows = np.vstack([base, base + offset, base[:1], base[1:2] + 1.01 * offset, base[1:2] + offset, -offset])
    return WordVectors(words, rows + 0.05 * rng.standard_normal(rows.shape))


QUESTION_LINES = [
    f"town{i} land{i} {'Town' if i % 2 else 'town'}{j} land{j}" for i in range(6) for j in range(6) if i != j
]
GRID_FILE = (
    ": all pairs\n"
    + "\n".join(QUESTION_LINES)
    + "\n\n: odd\ntown0 land0 town1\ntown0 land0 town0 town0\nland0 land1 land1 land1\n"
    + "town0 land0 nowhere land1\n: empty\n: last\ntown0 far land1 town3\n"
)


def test_analogies_by_hand(tmp_path: Path) -> None:
    wv = WordVectors(["a", "b", "c", "d", "e"], [[1, 0, 0], [1, 1, 0], [1, 0, 3], [1, 1, 3], [-1, -1, 0]])
    result = wv.evaluate_word_analogies(write(tmp_path, ": one\na b c d\nA B C e\na b\n: two\na b c x\n"))
    assert [tuple(section) for section in result.sections] == [("one", 1, 1, 0), ("two", 0, 0, 1)]
    assert [section.accuracy for section in result.sections] == [0.5, 0.0]
    assert (result.accuracy, result.correct, result.total, result.skipped) == (0.5, 1, 2, 1)
    assert result.lines_invalid == 1
    assert result.oov_ratio == pytest.approx(1 / 3)


@pytest.mark.parametrize("options", [{}, {"case_insensitive": False}, {"restrict_vocab": 12}, {"restrict_vocab": 8}])
def test_handmade_analogies_are_gensims(tmp_path: Path, options: dict[str, Any]) -> None:
    result = assert_analogies_are_gensims(grid(), write(tmp_path, GRID_FILE), **options)
    assert result.correct > 0
    assert result.total > result.correct


def test_words_beyond_the_restriction_are_no_answers(tmp_path: Path) -> None:
    wv = WordVectors(["a", "b", "c", "d", "e"], [[1, 0, 0], [1, 1, 0], [1, 0, 3], [1, 1, 2], [1, 1, 3]])
    path = write(tmp_path, ": s\na b c d\n")
    assert wv.evaluate_word_analogies(path, restrict_vocab=4).accuracy == 1.0
    assert wv.evaluate_word_analogies(path).accuracy == 0.0


def test_of_the_five_nearest_the_first_that_was_not_asked_counts() -> None:
    """And the fifth if there is none, as in gensim."""
    cosines = np.array([-np.inf, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4], dtype=np.float32)
    assert analogies._later_answer(cosines, ["A", "A", "A", "A", "A", "D", "E"], {"A"}) == "D"
    assert analogies._later_answer(cosines, ["A", "A", "A", "A", "A", "B", "E"], {"A", "B"}) == "B"


def test_nothing_known_scores_zero(tmp_path: Path) -> None:
    path = write(tmp_path, ": s\nw x y z\n")
    result = grid().evaluate_word_analogies(path)  # as in gensim
    assert (result.accuracy, result.total, result.skipped) == (0.0, 0, 1)
    with pytest.raises(FormatError, match="no usable question, each of 1 has an unknown word, as 'w'"):
        grid().evaluate(path)


@pytest.mark.parametrize("V", [1, 2, 3, 4])
def test_hardly_any_words(tmp_path: Path, V: int) -> None:
    wv = WordVectors(["a", "b", "c", "d"][:V], np.eye(4)[:V])
    assert_analogies_are_gensims(wv, write(tmp_path, ": s\na a a a\na b c d\na b c a\na a b a\n"))


def test_blocks_do_not_change_the_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, GRID_FILE)
    whole = grid().evaluate_word_analogies(path)
    monkeypatch.setattr(analogies, "_BLOCK_NUMBERS", 40)
    assert grid().evaluate_word_analogies(path) == whole


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "holds no question"),
        (": a\n: b\n", "holds no question"),
        ("\n\na b c d\n: s\n", "line 3: a question before the first section"),
    ],
)
def test_useless_question_files(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        grid().evaluate_word_analogies(write(tmp_path, text))


@pytest.mark.parametrize("method", ["evaluate_word_pairs", "evaluate_word_analogies"])
def test_unreadable_files(tmp_path: Path, method: str) -> None:
    evaluate = getattr(grid(), method)
    with pytest.raises(MissingFileError, match="does not exist"):
        evaluate(tmp_path / "none")
    with pytest.raises(FileAccessError, match="cannot read"):
        evaluate(tmp_path)
    (tmp_path / "latin").write_bytes(b": a\n# b\n# caf\xe9\n")
    with pytest.raises(FormatError, match="line 3: not UTF-8"):
        evaluate(tmp_path / "latin")
    (tmp_path / "x.gz").write_bytes(gzip.compress(b": a\n" * 1000)[:-9])
    with pytest.raises(FormatError, match="not a whole gzip file"):
        evaluate(tmp_path / "x.gz")


def test_gzipped_files(tmp_path: Path) -> None:
    (tmp_path / "q.gz").write_bytes(gzip.compress(GRID_FILE.encode()))
    assert grid().evaluate_word_analogies(tmp_path / "q.gz").total == 33


@pytest.mark.filterwarnings("ignore:Call to deprecated")  # gensim calls its own
def test_answers_by_products_are_gensims(tmp_path: Path) -> None:
    """gensim's evaluation takes the function's name and adds all the same, so its answers are asked one by one."""
    wv = grid()
    keyed, right = as_gensim(wv), 0
    for line in QUESTION_LINES:
        a, b, c, expected = line.lower().split()
        found = [word for word, _ in keyed.most_similar_cosmul([b, c], [a], topn=5)]
        answer = next(word for word in found if word.lower() not in {a, b, c})
        correct = answer.lower() == expected
        path = write(tmp_path, f": s\n{line}\n")
        assert wv.evaluate_word_analogies(path, similarity_function="most_similar_cosmul").correct == correct
        right += correct
    assert 0 < right < len(QUESTION_LINES)


def test_sums_and_products_differ(tmp_path: Path) -> None:
    path = write(tmp_path, GRID_FILE)
    added, multiplied = (grid().evaluate_word_analogies(path, similarity_function=name) for name in analogies.METHODS)
    assert added.total == multiplied.total
    assert added.sections != multiplied.sections
    with pytest.raises(ConfigError, match="similarity_function must be one of"):
        grid().evaluate_word_analogies(path, similarity_function="cosine")


# --- all sets, intervals ----------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "a\tb\t9\na\tc\t5.5\nb\td\t1\na\tnope\t3\n",
        "a \t b\t9\n a\tc\t5.5\nb\td \t1\na\tnope\t3\n",
        "a b 9\na   c  5.5\nb d 1\na nope 3\n",
        "Word 1,Word 2,Human (mean)\na,b,9\na, c, 5.5\nb,d,1\na,nope,3\n",
        "a;b;9\na;c;5.5\nb;d;1\na;nope;3\n",
        "\ufeffa\tb\t9\na\tc\t5.5\nb\td\t1\na\tnope\t3\n",
        "word1\tword2\tPOS\tscore\tSD\na\tb\tN\t9\t1\na\tc\tV\t5.5\t2\nb\td\tA\t1\t3\na\tnope\tN\t3\t1\n",
    ],
)
def test_pair_files_of_other_forms(tmp_path: Path, text: str) -> None:
    result = four_words().evaluate_word_pairs(write(tmp_path, text))
    wanted = np.corrcoef([9, 5.5, 1], [2 / 5**0.5, 1 / 5**0.5, -1 / 10**0.5])[0, 1]
    assert result.pearson == pytest.approx(wanted, abs=1e-6)
    assert (result.pairs_used, result.pairs_missing, result.missing_words) == (3, 1, ("nope",))


def test_questions_of_an_editor_that_marks_its_utf8(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeff: s\na b c d\n")
    assert test_sets.holds_questions(path)
    assert four_words().evaluate_word_analogies(path).sections[0].name == "s"


def test_all_sets_in_one_call(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text(PAIRS)
    (tmp_path / "questions").write_text(": s\na b c d\na b c nope\n")
    wv = four_words()
    pairs, added, multiplied = evaluate(wv, [tmp_path / "pairs.tsv", tmp_path / "questions"])
    assert pairs.result == wv.evaluate_word_pairs(tmp_path / "pairs.tsv")
    assert (pairs.measure, pairs.score, pairs.used, pairs.total) == ("spearman", pairs.result.spearman, 4, 5)
    assert pairs.missing_words == ("nope",)
    assert [score.measure for score in (added, multiplied)] == ["3CosAdd", "3CosMul"]
    assert (added.used, added.total, added.missing_words) == (1, 2, ("nope",))
    assert [score.file for score in wv.evaluate([tmp_path / "questions"])] == [str(tmp_path / "questions")] * 2


def test_intervals_cover_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    truth = 6 / np.pi * np.arcsin(0.6 / 2)  # Spearman's of a normal pair with correlation 0.6
    inside = 0
    for _ in range(100):
        x = rng.standard_normal(150)
        low, high = spearman_interval(x, 0.6 * x + 0.8 * rng.standard_normal(150))
        assert low < high
        inside += low <= truth <= high
    assert 87 <= inside <= 100
    shares = [share_interval(int(rng.binomial(400, 0.3)), 400) for _ in range(100)]
    assert 87 <= sum(low <= 0.3 <= high for low, high in shares) <= 100
    assert np.isnan(spearman_interval([1, 2, 3], [1, 1, 1])).all()
    assert np.isnan(share_interval(0, 0)).all()
    assert spearman_interval([1, 2, 3, 4], [1, 3, 2, 4]) == spearman_interval([1, 2, 3, 4], [1, 3, 2, 4])


# --- the real files ---------------------------------------------------------


def real_file(name: str) -> Path:
    if not (EVAL / name).exists():
        pytest.skip(f"{name} is not beside the repository")
    return EVAL / name


def real_words() -> WordVectors:
    """Vectors for nine tenths of the files' words in which some analogies hold and some do not."""
    words: dict[str, None] = {}
    for name in (QUESTIONS, *PAIR_FILES):
        for line in real_file(name).read_text().splitlines():
            if not line.startswith((":", "#")):
                words |= dict.fromkeys(line.lower().split("\t")[:2] if "\t" in line else line.lower().split())
    rng = np.random.default_rng(0)
    vectors = dict(zip(words, rng.standard_normal((len(words), 30)), strict=True))
    for line in real_file(QUESTIONS).read_text().splitlines():
        if line.startswith(":"):
            offset = 3 * rng.standard_normal(30)
        else:
            a, b, c, d = line.lower().split()
            for x, y in ((a, b), (c, d)):
                vectors[y] = vectors[x] + offset + rng.standard_normal(30)
    kept = [word for word in words if rng.random() < 0.9]
    return WordVectors(kept, np.array([vectors[word] for word in kept]))


@pytest.mark.parametrize("name", PAIR_FILES)
def test_real_word_pairs_are_gensims(name: str) -> None:
    result = assert_pairs_are_gensims(real_words(), real_file(name))
    assert result.pairs_missing > 0
    assert result.lines_invalid == 0


def test_real_analogies_are_gensims() -> None:
    wv = real_words()
    result = assert_analogies_are_gensims(wv, real_file(QUESTIONS))
    assert result.total + result.skipped == 19544
    assert len(result.sections) == 14
    assert 0.1 < result.accuracy < 0.9


def test_no_second_table_is_made(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    wv = WordVectors([f"w{i}" for i in range(20_000)], rng.standard_normal((20_000, 100)))
    pairs, questions = tmp_path / "pairs.txt", tmp_path / "questions.txt"
    pairs.write_text("w1 w2 3\nw3 w4 5\nw1 w19999 1\n")
    questions.write_text(": s\nw1 w2 w3 w4\n")
    four_words().evaluate_word_pairs(write(tmp_path, PAIRS))  # imports what it needs
    tracemalloc.start()
    wv.evaluate_word_pairs(pairs)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    wv.evaluate([questions], restrict_vocab=1000)
    most = max(most, tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert most < 0.6 * wv.vectors.nbytes


def test_scores_after_each_epoch(tmp_path: Path) -> None:
    """Of pairs and of questions, as the evaluation at the end gives them; what is not known is left out."""
    (tmp_path / "pairs.txt").write_text("king queen 9\nking rain 1\nqueen rain 2\n")
    (tmp_path / "asked.txt").write_text(": family\nking queen rain sun\n")
    (tmp_path / "strange.txt").write_text("x y 9\nz y 1\nx z 2\n")
    files = [tmp_path / f"{name}.txt" for name in ("pairs", "asked", "strange")]
    model = Word2Vec(vector_size=8, min_count=1, sample=0, epochs=2, workers=1)
    with pytest.warns(RuntimeWarning, match="no score on .*strange.txt: 0 usable word pairs") as warned:
        model.fit([["king", "queen", "rule"], ["rain", "sun", "rule"]] * 50, callbacks=[EpochScores(*files)])
    assert len(warned) == 1  # and not one an epoch
    assert [sorted(end.scores) for end in model.epoch_history] == [["asked", "pairs"]] * 2
    last = model.epoch_history[-1].scores
    assert last["pairs"] == model.wv.evaluate_word_pairs(files[0]).spearman
    assert last["asked"] == model.wv.evaluate_word_analogies(files[1]).accuracy


def test_scores_want_files_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs a file"):
        EpochScores()
    with pytest.raises(MissingFileError):
        EpochScores(tmp_path / "none.txt")


def test_names_of_scores_are_those_of_the_files_without_their_suffix(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("pairs.en.tsv", "pairs.de.tsv", ".hidden.txt", "plain", "packed.tsv.gz")]
    for file in files:
        content = b"king queen 9\nking rain 1\nqueen rain 2\n"
        file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)
    model = Word2Vec(vector_size=8, min_count=1, sample=0, epochs=1, workers=1)
    model.fit([["king", "queen", "rain"]] * 50, callbacks=[EpochScores(*files)])
    assert list(model.epoch_history[-1].scores) == ["pairs.en", "pairs.de", ".hidden", "plain", "packed"]
    with pytest.raises(ConfigError, match="two files are named 'plain'"):
        EpochScores(tmp_path / "plain", tmp_path / "plain.tsv")


def test_one_file_may_be_given_without_a_list(tmp_path: Path) -> None:
    wv = WordVectors(["tea", "coffee", "rain"], [[4, 1], [4, 2], [0, 3]])
    file = tmp_path / "pairs.tsv"
    file.write_text("tea coffee 9\ntea rain 1\ncoffee rain 2\n")
    for paths in (file, str(file)):
        assert [score.score for score in wv.evaluate(paths)] == [1.0]


@pytest.mark.parametrize("most", [-5, 0, 2.5, "all"])
def test_restrict_vocab_is_a_number_of_words(tmp_path: Path, most: Any) -> None:
    """A slice took -5 for all but the last five, and 0 for no question."""
    pairs, questions = tmp_path / "pairs.tsv", tmp_path / "questions.txt"
    pairs.write_text("a b 1\na c 2\nb c 3\n")
    questions.write_text(": all\na b c d\n")
    wv = WordVectors(["a", "b", "c", "d"], [[2, 0, 1], [0, 2, 1], [2, 0, 8], [0, 2, 8]])
    for attempt in (
        lambda: wv.evaluate_word_pairs(pairs, restrict_vocab=most),
        lambda: wv.evaluate_word_analogies(questions, restrict_vocab=most),
        lambda: wv.evaluate([pairs, questions], restrict_vocab=most),
        lambda: EpochScores(pairs, restrict_vocab=most),
    ):
        with pytest.raises(ConfigError, match=r"restrict_vocab must be (None or at least 1|an integer, or None)"):
            attempt()
    assert wv.evaluate_word_pairs(pairs, restrict_vocab=None).pairs_used == 3
    assert wv.evaluate_word_pairs(pairs, restrict_vocab=np.int64(3)).pairs_used == 3  # type: ignore[arg-type]
