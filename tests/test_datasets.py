"""The corpora that are known by name."""

from __future__ import annotations

import pytest

from xw2v.errors import CorpusError
from xw2v.text.datasets import DATASETS, DocstringCorpus, built_in_corpus, world_corpus


def test_known_datasets() -> None:
    assert list(DATASETS) == ["docs", "world", "text8", "sst"]
    assert [name for name, dataset in DATASETS.items() if dataset.built_in] == ["docs", "world"]
    for name, dataset in DATASETS.items():
        assert dataset.name == name
        assert dataset.meaning
        assert dataset.built_in or (dataset.sha256 is not None and len(bytes.fromhex(dataset.sha256)) == 32)


def test_built_in_corpus_by_name() -> None:
    assert list(built_in_corpus("world")) == list(world_corpus())
    assert next(built_in_corpus("docs")) == next(iter(DocstringCorpus()))
    with pytest.raises(CorpusError, match="'text8' is not built in: download it from http"):
        built_in_corpus("text8")
    with pytest.raises(CorpusError, match="no corpus 'novels'; known: docs, world, text8, sst"):
        built_in_corpus("novels")
