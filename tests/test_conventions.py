"""scikit-learn's conventions: its own checks that apply, a pipeline, a grid search."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xw2v import DocumentVectors, Word2Vec, WordVectors
from xw2v.errors import ConfigError, CorpusError
from xw2v.estimator import NotFittedError
from xw2v.text.datasets import world_corpus

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed")

OPTIONS: dict[str, Any] = {"vector_size": 8, "min_count": 1, "epochs": 2, "workers": 1, "sample": 0.0}


def documents() -> tuple[list[list[str]], list[int]]:
    """Sentences about drinks and about weather, which are told apart by their words."""
    about = ({"tea", "coffee"}, {"rain", "snow", "hail"})
    found = [(words, label) for words in world_corpus(4000) for label, some in enumerate(about) if some & set(words)]
    return [words for words, _ in found][:600], [label for _, label in found][:600]


CHECKS = (
    "check_do_not_raise_errors_in_init_or_set_param", "check_estimator_cloneable", "check_estimator_repr",
    "check_estimator_tags_renamed", "check_get_params_invariance", "check_no_attributes_set_in_init",
    "check_parameters_default_constructible", "check_set_params", "check_valid_tag_types",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*recommended to delay parameter validation")  # refused at once here
@pytest.mark.parametrize("check", CHECKS)
def test_the_checks_of_scikit_learn_that_apply(check: str) -> None:
    """The others fit matrices of numbers."""
    from sklearn.utils import estimator_checks

    run = getattr(estimator_checks, check, None)
    if run is None:
        pytest.skip(f"this scikit-learn has no {check}")
    run("Word2Vec", Word2Vec())


def test_cloning_and_parameters() -> None:
    from sklearn.base import clone

    model = Word2Vec(**OPTIONS)
    copy = clone(model)
    assert copy is not model
    assert copy.get_params() == model.get_params()
    assert copy.set_params(window=3, epochs=1) is copy
    assert (copy.window, copy.config.window, model.window) == (3, 3, 5)
    for wrong, match in (({"windows": 3}, "Word2Vec has no parameter 'windows'"), ({"window": 0}, "window")):
        with pytest.raises(ConfigError, match=match):
            copy.set_params(**wrong)
    assert copy.window == 3
    nested = DocumentVectors(model).set_params(model__window=4, weights="mean")
    assert nested.get_params()["model__window"] == model.window == 4
    with pytest.raises(ConfigError, match="no parameter 'weights__x'"):
        nested.set_params(weights__x=1)
    with pytest.raises(ConfigError, match="'idf' or 'mean'"):
        nested.set_params(weights="max")
    with pytest.raises(ConfigError, match="epochs"):
        nested.set_params(weights="idf", model__epochs=0)
    assert nested.weights == "mean"  # nothing of it was done


def test_a_clone_shares_the_vectors() -> None:
    from sklearn.base import clone

    wv = WordVectors(["a", "b"], [[3, 4], [0, 2]], counts=[1, 2])
    copy = clone(DocumentVectors(wv)).model
    assert copy.vectors is wv.vectors
    copy.sort_by_descending_frequency()
    copy.unit_normalize_all()
    assert copy.index_to_key == ["b", "a"]
    assert wv.index_to_key == ["a", "b"]
    assert wv["a"].tolist() == [3, 4]


def test_a_parameter_of_a_new_parameter() -> None:
    nested = DocumentVectors(WordVectors(["a"], [[1]])).set_params(model__window=4, model=Word2Vec(window=2))
    assert nested.model.window == 4


@pytest.mark.parametrize("step", [Word2Vec(**OPTIONS), DocumentVectors(Word2Vec(**OPTIONS))])
def test_documents_that_can_be_read_once(step: Any) -> None:
    texts, _ = documents()
    assert step.fit_transform(iter(texts)).shape == (len(texts), 8)
    # Documents that can be read once are read once, not found empty afterwards.
    once = [map(str.lower, words) for words in texts]
    np.testing.assert_array_equal(step.fit_transform(once), step.fit_transform(texts))


def test_means_and_weights() -> None:
    wv = WordVectors(["good", "bad", "7"], [[1, 0], [-1, 0], [0, 1]])
    some: list[list[Any]] = [["good", 7], ["7", "bad", "bad", "unheard"], ["unheard"], []]
    mean = DocumentVectors(wv, weights="mean").fit(some)
    wanted = np.array([[0.5, 0.5], [-2 / 3, 1 / 3], [0, 0], [0, 0]])
    np.testing.assert_allclose(mean.transform(some), wanted, atol=1e-6)
    from sklearn.feature_extraction.text import TfidfVectorizer

    theirs = TfidfVectorizer(
        analyzer=lambda words: [str(word) for word in words], norm="l1", vocabulary=wv.index_to_key
    )
    weights = theirs.fit_transform(some).toarray()
    idf = DocumentVectors(wv).fit(some)
    np.testing.assert_allclose(idf.transform(some), weights @ wv.vectors, atol=1e-6)
    assert idf.transform([]).shape == (0, 2)
    with pytest.raises(CorpusError, match="document 1 is a string"):
        idf.transform([["good"], "bad"])


def test_before_and_after_fit() -> None:
    from sklearn.utils.validation import check_is_fitted

    model = Word2Vec(**OPTIONS)
    for ask in (model.get_feature_names_out, lambda: model.transform([["a"]])):
        with pytest.raises(NotFittedError):
            ask()
    with pytest.raises(NotFittedError, match="call fit first"):
        DocumentVectors(model).transform([["a"]])
    with pytest.raises(ConfigError, match="model must be a Word2Vec, which is trained, or WordVectors, got 3"):
        DocumentVectors(3).fit([["a"]])
    texts, _ = documents()
    vectors = model.fit_transform(texts)
    check_is_fitted(model)
    assert vectors.shape == (len(texts), 8)
    assert vectors.dtype == np.float32
    assert model.get_feature_names_out().tolist()[:2] == ["word2vec0", "word2vec1"]
    np.testing.assert_allclose(vectors[0], model.wv[texts[0]].mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("step", [Word2Vec(**OPTIONS), DocumentVectors(Word2Vec(**OPTIONS))])
def test_a_pipeline_in_a_grid_search(step: Any) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline

    texts, labels = documents()
    name = "words__vector_size" if isinstance(step, Word2Vec) else "words__model__vector_size"
    line = Pipeline([("words", step), ("choice", LogisticRegression())])
    search = GridSearchCV(line, {name: [2, 6]}, cv=2).fit(texts, labels)
    assert search.best_score_ > 0.9
    assert search.best_estimator_.named_steps["words"].transform(texts[:3]).shape == (3, search.best_params_[name])


@pytest.mark.parametrize("step", [Word2Vec(**OPTIONS), DocumentVectors(Word2Vec(**OPTIONS))])
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_pipeline_of_tables(step: Any, library: str) -> None:
    from sklearn.base import clone
    from sklearn.pipeline import Pipeline

    frames = pytest.importorskip(library, reason=f"{library} is not installed")
    texts = documents()[0][:50]
    line = Pipeline([("words", clone(step))]).set_output(transform=library)
    found = clone(line).fit_transform(texts)
    assert isinstance(found, frames.DataFrame)
    assert list(found.columns) == [f"{type(step).__name__.lower()}{i}" for i in range(8)]
    np.testing.assert_array_equal(found.to_numpy(), line.set_output(transform="default").fit_transform(texts))
    with pytest.raises(ConfigError, match="'default', 'pandas', 'polars' or None, got 'arrow'"):
        step.set_output(transform="arrow")


def test_a_table_keeps_the_rows_names() -> None:
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    texts = pd.Series(documents()[0][:3], index=["x", "y", "z"])
    assert Word2Vec(**OPTIONS).set_output(transform="pandas").fit_transform(texts).index.tolist() == ["x", "y", "z"]


class Frame:
    """What every library's table has, and iterates over."""

    columns = ("words",)

    def __iter__(self) -> Any:
        return iter([["a", "b"]])


@pytest.mark.parametrize(
    ("documents", "match"),
    [
        (Frame(), "got Frame: give the column that has them"),
        ("a b", r"got str; of one document give \[words\]"),
        (b"a b", "got bytes"),
        ({"a": ["b"]}, "got dict"),
        (None, "got NoneType"),
        (3, "got int"),
        ([["a"], None], "document 1 is of type NoneType, wanted a list of words, which may be empty"),
    ],
)
def test_what_are_no_documents(documents: Any, match: str) -> None:
    wv = WordVectors(["a", "b"], [[1, 0], [0, 1]])
    for call in (DocumentVectors(wv).fit, DocumentVectors(wv).fit([["a"]]).transform):
        with pytest.raises(CorpusError, match=match):
            call(documents)


def test_document_vectors_are_shown_with_what_they_were_given() -> None:
    """As a step of a pipeline, too, which shows its steps."""
    assert repr(DocumentVectors(Word2Vec(window=3))) == "DocumentVectors(Word2Vec(window=3))"
    wv = WordVectors(["a"], [[1.0]])
    assert repr(DocumentVectors(wv, "mean")) == f"DocumentVectors({wv!r}, weights='mean')"
