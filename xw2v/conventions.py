"""scikit-learn's conventions, without importing it: parameters, documents to vectors, names of features."""

from __future__ import annotations

import inspect
import reprlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from xw2v.errors import ConfigError, CorpusError, NotFittedError
from xw2v.vectors.word_vectors import WordVectors

__all__ = ["DocumentVectors", "Parameters", "Transformer", "mean_vectors"]

Documents = Iterable[Sequence[Any]]
FloatArray = npt.NDArray[np.float32]


class Parameters:
    """`get_params` and `set_params`: parameters are those of `__init__`, each an attribute of its name."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; with `deep` those of parameters that have their own, as "model__epochs"."""
        names = [name for name in inspect.signature(type(self).__init__).parameters if name != "self"]
        found = {name: getattr(self, name) for name in names}
        for name in names if deep else ():
            if isinstance(found[name], Parameters):
                found |= {f"{name}__{inner}": value for inner, value in found[name].get_params().items()}
        return found

    def set_params(self, **params: Any) -> Self:
        """Change parameters; what was learned stays until the next `fit`.

        Raises
        ------
        ConfigError   there is no such parameter, or the value is out of its range. Nothing is changed then.
        """
        own = self.get_params(deep=False)
        inner: dict[str, dict[str, Any]] = {}
        for name, value in params.items():
            first, split, rest = name.partition("__")
            if first not in own or (split and not isinstance(params.get(first, own[first]), Parameters)):
                msg = f"{type(self).__name__} has no parameter {name!r}; known: {', '.join(own)}"
                raise ConfigError(msg)
            if split:
                inner.setdefault(first, {})[rest] = value
            else:
                own[first] = value
        type(self)(**own)  # refuses what is wrong
        for name, values in inner.items():
            own[name].set_params(**values)
        for name, value in own.items():
            setattr(self, name, value)
        return self


class Transformer(Parameters):
    """What a pipeline asks of a step that turns documents into vectors."""

    def fit_transform(self, documents: Documents, y: Any = None, **how: Any) -> Any:
        """`fit(documents)`, then `transform(documents)`."""
        documents = _lasting(documents)
        fitted = self.fit(documents, y, **how)  # type: ignore[attr-defined]
        return fitted.transform(documents)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the D numbers of a document's vector: "word2vec0", "word2vec1", ..."""
        del input_features
        size = self._vectors().vector_size
        return np.array([f"{type(self).__name__.lower()}{column}" for column in range(size)], dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Say what `transform` returns: "default", an array; "pandas" or "polars", a table; None leaves it as it is.

        Raises
        ------
        ConfigError   none of these.

        Examples
        --------
        >>> from xw2v import DocumentVectors, WordVectors
        >>> step = DocumentVectors(WordVectors(["tea"], [[1, 2]])).set_output(transform="default")
        >>> step.fit_transform([["tea"]]), step.get_feature_names_out().tolist()
        (array([[1., 2.]], dtype=float32), ['documentvectors0', 'documentvectors1'])
        """
        if transform not in (None, "default", "pandas", "polars"):
            msg = f"transform must be 'default', 'pandas', 'polars' or None, got {transform!r}"
            raise ConfigError(msg)
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}  # which scikit-learn's clone copies
        return self

    def _as_asked(self, vectors: FloatArray, documents: Any) -> Any:
        """The vectors as `set_output` said."""
        kind = getattr(self, "_sklearn_output_config", {}).get("transform")
        names = self.get_feature_names_out().tolist() if kind in ("pandas", "polars") else []
        if kind == "pandas":
            import pandas as pd

            index = documents.index if isinstance(documents, pd.Series) else None
            return pd.DataFrame(vectors, columns=names, index=index)
        if kind == "polars":
            import polars as pl

            return pl.DataFrame(vectors, schema=names)
        return vectors

    def _vectors(self) -> WordVectors:
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type="transformer",
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            input_tags=InputTags(two_d_array=False),
        )


def mean_vectors(wv: WordVectors, documents: Documents, weights: npt.NDArray[np.float64] | None = None) -> FloatArray:
    """(n, D) means of the vectors of each document's known words; zero where it has none.

    Parameters
    ----------
    documents : n lists of words or integer keys
    weights : (V,) weight of each word; by default 1

    Raises
    ------
    CorpusError   the documents are not lists of words.   NumericalError   a mapped file holds NaN or infinity.
    """
    found = []
    for document in _checked(documents):
        rows = _known_rows(wv, document)
        shares = np.ones(len(rows)) if weights is None else weights[rows]
        total = shares.sum()
        vectors = wv._at(rows).astype(np.float64)
        found.append(shares @ vectors / total if total > 0 else np.zeros(wv.vector_size))
    return np.array(found, dtype=np.float32).reshape(len(found), wv.vector_size)


def _lasting(documents: Any) -> Any:
    """The documents, as lists where they, or some of them, can be read once."""
    if isinstance(documents, Iterator):
        documents = list(documents)
    if isinstance(documents, Iterable) and any(isinstance(document, Iterator) for document in documents):
        documents = [list(document) if isinstance(document, Iterator) else document for document in documents]
    return documents


def _known_rows(wv: WordVectors, document: Sequence[Any]) -> list[int]:
    """The rows of a document's known words, as often as they occur."""
    return [row for word in document if (row := wv.get_index(word, -1)) >= 0]


def _checked(documents: Documents) -> Iterator[Sequence[Any]]:
    """The documents, each of which is a list of words."""
    kind = type(documents).__name__
    if hasattr(documents, "columns"):  # to iterate over it gives names, or columns
        msg = f"documents must be lists of words, got {kind}: give the column that has them"
        raise CorpusError(msg)
    if isinstance(documents, (str, bytes, dict)) or not isinstance(documents, Iterable):
        msg = f"documents must be lists of words, got {kind}; of one document give [words]"
        raise CorpusError(msg)
    for number, document in enumerate(documents):
        if isinstance(document, (str, bytes)):
            msg = f"document {number} is a string, wanted a list of words: split it first (text.split())"
            raise CorpusError(msg)
        if not isinstance(document, Iterable):
            msg = f"document {number} is of type {type(document).__name__}, wanted a list of words, which may be empty"
            raise CorpusError(msg)
        yield document


class DocumentVectors(Transformer):
    """Documents to weighted means of word vectors.

    Parameters
    ----------
    model : a `Word2Vec`, which `fit` trains on the documents, or `WordVectors`, which stay as they are
    weights : "idf", log((1 + n) / (1 + n_w)) + 1 with n documents of which n_w hold the word, as scikit-learn's
        TfidfTransformer has it; or "mean", 1 for every occurrence

    Raises
    ------
    ConfigError   no such `weights`, or `model`.   CorpusError   `fit` or `transform` got no lists of words.
    NotFittedError   nothing was fitted.

    Examples
    --------
    >>> from xw2v import WordVectors
    >>> wv = WordVectors(["good", "bad", "the"], [[1, 0], [-1, 0], [0, 1]])
    >>> documents = [["the", "good"], ["the", "bad", "bad"]]
    >>> DocumentVectors(wv).fit_transform(documents).astype(float).round(2).tolist()
    [[0.58, 0.42], [-0.74, 0.26]]
    """

    def __init__(self, model: Any, weights: str = "idf") -> None:
        if weights not in ("idf", "mean"):
            msg = f"weights must be 'idf' or 'mean', got {weights!r}"
            raise ConfigError(msg)
        self.model = model
        self.weights = weights

    def __repr__(self) -> str:
        weights = f", weights={self.weights!r}" if self.weights != "idf" else ""
        return f"{type(self).__name__}({self.model!r}{weights})"

    def fit(self, documents: Documents, y: Any = None) -> Self:
        """Train the model, if it is one to train, and count in how many documents each word is."""
        del y
        documents = list(_checked(_lasting(documents)))
        if isinstance(self.model, WordVectors):
            self.wv_ = self.model
        elif not hasattr(self.model, "get_params"):
            msg = f"model must be a Word2Vec, which is trained, or WordVectors, got {reprlib.repr(self.model)}"
            raise ConfigError(msg)
        else:
            self.wv_ = type(self.model)(**self.model.get_params(deep=False)).fit(documents).wv
        counts = Counter(row for document in documents for row in set(_known_rows(self.wv_, document)))
        frequencies = np.zeros(len(self.wv_))
        frequencies[list(counts)] = list(counts.values())
        self.idf_ = np.log((1 + len(documents)) / (1 + frequencies)) + 1
        return self

    def transform(self, documents: Documents) -> Any:
        """(n, D) float32: a vector of each document, zero where no word is known; a table after `set_output`.

        Parameters
        ----------
        documents : n lists of words

        Raises
        ------
        CorpusError   a document is a string.   NotFittedError   nothing was fitted.
        """
        vectors = mean_vectors(self._vectors(), documents, self.idf_ if self.weights == "idf" else None)
        return self._as_asked(vectors, documents)

    def _vectors(self) -> WordVectors:
        if not self.__sklearn_is_fitted__():
            msg = "the document vectors have no words yet: call fit first"
            raise NotFittedError(msg)
        return self.wv_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "wv_")
