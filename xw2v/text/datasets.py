"""The corpora that xw2v knows by name: two that need neither network nor file, and some to be downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xw2v.errors import CorpusError
from xw2v.text.docstrings import DocstringCorpus
from xw2v.text.world import WORLD_ANALOGIES, WORLD_CLUSTERS, world_corpus

__all__ = [
    "DATASETS",
    "WORLD_ANALOGIES",
    "WORLD_CLUSTERS",
    "Dataset",
    "DocstringCorpus",
    "built_in_corpus",
    "world_corpus",
]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A corpus that xw2v knows by name.

    `url`, `sha256` and `archive_bytes` are those of the archive to download; a built-in corpus has none.
    `member` is the archive's file that holds the text, `column` the column to read where it is a table.
    """

    name: str
    meaning: str
    url: str | None = None
    sha256: str | None = None
    archive_bytes: int | None = None
    member: str | None = None
    member_md5: str | None = None
    column: str | None = None
    words: int | None = None
    types: int | None = None
    licence: str = ""

    @property
    def built_in(self) -> bool:
        """Whether it is there without a download."""
        return self.url is None


_KNOWN = (
    Dataset(
        name="docs",
        meaning="English from the documentation strings of this Python and its scientific packages",
        licence="those of the packages",
    ),
    Dataset(
        name="world",
        meaning="a small generated language of kings, opinions, weather and drinks with known analogies",
        licence="MIT, as xw2v",
    ),
    Dataset(
        name="text8",
        meaning="the first 100 million characters of cleaned English Wikipedia (2006), on one line",
        url="http://mattmahoney.net/dc/text8.zip",
        sha256="a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
        archive_bytes=31_344_016,
        member="text8",
        member_md5="3bea1919949baf155f99411df5fada7e",
        words=17_005_207,
        types=253_854,
        licence="CC BY-SA 3.0",
    ),
    Dataset(
        name="sst",
        meaning="Stanford Sentiment Treebank: 11,855 sentences of film reviews (Socher et al. 2013)",
        url="http://nlp.stanford.edu/~socherr/stanfordSentimentTreebank.zip",
        sha256="3f5209483b46bbf129cacbbbe6ae02fe780407034f61cf6342b7833257c3f1db",
        member="stanfordSentimentTreebank/datasetSentences.txt",
        column="sentence",
        licence="research use",
    ),
)

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in _KNOWN}
"""Every known corpus by name."""


def built_in_corpus(name: str) -> Iterator[list[str]]:
    """The sentences of a built-in corpus by its name in `DATASETS`.

    Raises
    ------
    CorpusError   no such corpus, or one that has to be downloaded
    """
    if name == "docs":
        return iter(DocstringCorpus())
    if name == "world":
        return world_corpus()
    built_in = ", ".join(known.name for known in DATASETS.values() if known.built_in)
    if name in DATASETS:
        msg = f"corpus {name!r} is not built in: download it from {DATASETS[name].url} (built in: {built_in})"
    else:
        msg = f"no corpus {name!r}; known: {', '.join(DATASETS)}"
    raise CorpusError(msg)
