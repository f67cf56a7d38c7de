"""Text to learn from: two built-in corpora that need neither network nor file, and a list of known downloads.

`docs` is real English, the documentation strings of the Python that runs this; `world` is a small
generated language whose grammar is known, so that what was learned from it can be checked exactly.
"""

from __future__ import annotations

import ast
import gc
import importlib.util
import os
import re
import sys
import sysconfig
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xw2v.errors import CorpusError

__all__ = [
    "DATASETS",
    "WORLD_ANALOGIES",
    "WORLD_CLUSTERS",
    "WORLD_PICTURE_WORDS",
    "Dataset",
    "DocstringCorpus",
    "built_in_corpus",
    "docstring_corpus",
    "world_corpus",
]


# ---------------------------------------------------------------------------------------------
# docs: the documentation strings of the installed Python
# ---------------------------------------------------------------------------------------------

STANDARD_LIBRARY = "standard library"

# What xw2v itself needs, and what often stands beside it. Whatever is absent is left out.
DOCUMENTED_PACKAGES = (
    "numpy", "scipy", "matplotlib", "pyarrow", "rich", "typer", "numba", "pandas", "sklearn", "networkx",
)  # fmt: skip

# Tests, vendored copies and programs carry few sentences and much repetition.
_SKIPPED_FOLDERS = frozenset(
    {
        "test", "tests", "site-packages", "dist-packages", "__pycache__", "_vendor", "_vendored",
        "idlelib", "lib2to3", "encodings", "turtledemo", "ensurepip",
    }
)  # fmt: skip


@dataclass
class DocstringCorpus:
    """Sentences of the documentation strings of the standard library and of installed packages.

    Nothing is imported: the packages' folders are looked up and their sources parsed. A sentence that
    was seen before is left out (licences, copied methods). The order is the same on every pass.

    Parameters
    ----------
    packages : top-level names to look for after the standard library; an absent one is left out

    Attributes
    ----------
    words : dict from a package to its number of words, filled by a complete pass over the corpus
    """

    packages: Sequence[str] = DOCUMENTED_PACKAGES
    words: dict[str, int] = field(default_factory=dict, init=False)

    def __iter__(self) -> Iterator[list[str]]:
        """The sentences, each a list of lower-case words.

        Raises
        ------
        CorpusError   the standard library here holds no sources
        """
        seen: set[str] = set()
        words: dict[str, int] = {}
        for name, folder in self._folders():
            words[name] = 0
            for sentence in _package_sentences(folder, seen):
                words[name] += len(sentence)
                yield sentence
            if words[STANDARD_LIBRARY] == 0:
                msg = (
                    f"no Python sources with documentation in {folder}: this installation carries compiled "
                    "files only; train on a text file of your own, or on the 'world' corpus"
                )
                raise CorpusError(msg)
        self.words = {name: count for name, count in words.items() if count}

    def _folders(self) -> Iterator[tuple[str, Path]]:
        yield STANDARD_LIBRARY, Path(sysconfig.get_path("stdlib"))
        for name in self.packages:
            for folder in _package_folders(name):
                yield name, folder

    def describe(self) -> str:
        """One line on what the text is; it counts words after a pass over the corpus."""
        text = "English from the documentation strings of this Python"
        if not self.words:
            return f"{text}: {STANDARD_LIBRARY}, {', '.join(self.packages)} (those installed)"
        parts = ", ".join(f"{name} {count:,}" for name, count in self.words.items())
        return f"{text}: {sum(self.words.values()):,} words ({parts})"


def docstring_corpus() -> Iterator[list[str]]:
    """Sentences of the documentation strings of this Python, as lists of lower-case words.

    Raises
    ------
    CorpusError   the standard library here holds no sources

    See `DocstringCorpus`, which also counts.
    """
    return iter(DocstringCorpus())


def _package_folders(name: str) -> list[Path]:
    """The folders of a top-level package, found without running it; none where it is not installed."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return []
    locations = spec.submodule_search_locations if spec is not None else None
    return [Path(location) for location in locations or ()]


def _package_sentences(folder: Path, seen: set[str]) -> Iterator[list[str]]:
    for path in _python_files(folder):
        for docstring in _docstrings(path):
            for sentence in _sentences(docstring):
                line = " ".join(sentence)
                if line not in seen:
                    seen.add(line)
                    yield sentence


def _python_files(folder: Path) -> Iterator[Path]:
    """The sources below a folder in a fixed order; skipped folders are not even listed."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED_FOLDERS)
        for name in sorted(files):
            if name.endswith(".py"):
                yield Path(root, name)


def _docstrings(path: Path) -> Iterator[str]:
    """The docstrings of a module and of its classes and functions, in the order of the source."""
    try:
        source = path.read_bytes()
    except OSError:
        return
    # Most of the time goes into parsing, so a file that cannot hold a longer docstring is passed over.
    if b'"""' not in source and b"'''" not in source:
        return
    tree = _parsed(source)
    pending: list[ast.AST] = [tree] if tree is not None else []
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield docstring
        # Definitions stand in statements only; expressions, the bulk of a tree, are not visited.
        for part in ("finalbody", "orelse", "handlers", "body"):
            children = getattr(node, part, ())
            if isinstance(children, list):
                pending.extend(reversed(children))


def _parsed(source: bytes) -> ast.Module | None:
    # A tree is a great many small objects without cycles: the collector's passes double the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in somebody else's source
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # templates and files for another version of Python
    finally:
        if collecting:
            gc.enable()


# Directives of reStructuredText whose indented block is not prose.
_BLOCKS = re.compile(
    r"\.\. *(math|plot|code|code-block|sourcecode|image|figure|table|csv-table|list-table|ipython|doctest|testcode"
    r"|autosummary|toctree|highlight|\[|_)"
)
_UNDERLINE = re.compile(r"\s*([-=~^\"'`*+#.:_])\1{2,}[-=~^\"'`*+#.:_\s|]*$")
_LIST_ITEM = re.compile(r"\A(?:[-*+•]|\d+[.)]|#\.)\s+")
_PARAMETER = re.compile(r"\*{0,2}\w[\w, *]*\s:(\s|$)")
_ROLE = re.compile(r":[\w:+-]+:`[^`]*`")
_QUOTED_CODE = re.compile(r"``[^`]*``")
_ADDRESS = re.compile(r"\S*(?:://|www\.|@)\S*")
_SENTENCE_END = re.compile(r"(?<=[.!?;:])[)\"'*]*\s+")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_EDGES = "`*\"'()[]{}<>.,;:!?|“”‘’…"
_SHORTEST = 3  # words; below it stand headings and "None."


def _sentences(docstring: str) -> Iterator[list[str]]:
    """The sentences of a docstring (dedented, as `ast.get_docstring` gives it), as words."""
    for paragraph in _paragraphs(docstring.splitlines()):
        text = _ADDRESS.sub(" ", _ROLE.sub(" ", _QUOTED_CODE.sub(" ", paragraph)))
        for sentence in _SENTENCE_END.split(text):
            words = _words(sentence)
            if len(words) >= _SHORTEST:
                yield words


def _words(sentence: str) -> list[str]:
    """The plain words of a sentence: `numpy.dot`, `x_i`, `n2` and numbers are names, not words."""
    words = []
    for token in sentence.lower().replace("’", "'").replace("-", " ").replace("/", " ").split():
        word = token.strip(_EDGES)
        if _WORD.fullmatch(word):
            words.append(sys.intern(word))  # a million words are some forty thousand strings
    return words


def _paragraphs(lines: list[str]) -> Iterator[str]:
    """Prose paragraphs; code, doctests, formulas, underlines, parameter headers and references left out."""
    paragraph: list[str] = []
    for line in _prose_lines(lines):
        starts = not line or _LIST_ITEM.match(line) is not None
        if starts and paragraph:
            yield " ".join(paragraph)
            paragraph = []
        if line:
            paragraph.append(_LIST_ITEM.sub("", line, count=1))
    if paragraph:
        yield " ".join(paragraph)


def _prose_lines(lines: list[str]) -> Iterator[str]:
    """Stripped lines of prose; an empty string where a paragraph ends."""
    block: int | None = None  # the indent that a skipped block is deeper than
    in_doctest = False
    for line in lines:
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if not text:
            in_doctest = False
            yield ""
            continue
        if block is not None:
            if indent > block:
                continue
            block = None
        in_doctest = in_doctest or text.startswith((">>>", "In ["))
        if in_doctest:
            continue
        if text.startswith(".. "):
            block = indent if _BLOCKS.match(text) else None
            yield ""
        elif _UNDERLINE.match(line) or _PARAMETER.match(text):
            yield ""
        else:
            yield text
            if text.endswith("::"):
                block = indent


# ---------------------------------------------------------------------------------------------
# world: a generated language
# ---------------------------------------------------------------------------------------------

# Who there is. A person is nothing but three features, and each feature shows only in the words
# that it selects below, independently of the others: that is what makes king - man + woman = queen
# a fact about the text.
_PEOPLE: dict[str, tuple[str, str, str]] = {
    "king": ("male", "royal", "old"),
    "queen": ("female", "royal", "old"),
    "prince": ("male", "royal", "young"),
    "princess": ("female", "royal", "young"),
    "man": ("male", "common", "old"),
    "woman": ("female", "common", "old"),
    "boy": ("male", "common", "young"),
    "girl": ("female", "common", "young"),
}

# What a slot of a template may hold. A plain list is open to every sentence; a mapping is chosen
# from by the feature that the sentence's person, or its opinion, has.
_SLOTS: dict[str, Sequence[str] | Mapping[str, Sequence[str]]] = {
    "he": {"male": ["he"], "female": ["she"]},
    "his": {"male": ["his"], "female": ["her"]},
    "sex": {"male": ["male"], "female": ["female"]},
    "garment": {"male": ["suit", "tie", "beard", "waistcoat"], "female": ["dress", "skirt", "bonnet", "necklace"]},
    "home": {"royal": ["palace", "castle", "throne", "court"], "common": ["farm", "cottage", "village", "workshop"]},
    "rank": {"royal": ["noble", "crowned", "majestic"], "common": ["humble", "poor", "toiling"]},
    "kin": {"royal": ["crown", "kingdom", "nobles", "guards"], "common": ["goats", "neighbours", "tools", "field"]},
    "aged": {"old": ["grey", "wise", "elderly", "stern"], "young": ["little", "playful", "youthful", "curious"]},
    "pastime": {"old": ["working", "ruling", "writing"], "young": ["playing", "learning", "growing"]},
    "work": ["film", "story", "play", "book", "song", "novel", "scene", "show"],
    "part": ["plot", "acting", "music", "ending", "dialogue"],
    "opinion": {
        "good": ["great", "cool", "brilliant", "wonderful", "amazing", "sweet", "enjoyable", "worth", "well"],
        "bad": ["boring", "bad", "dumb", "annoying", "awful", "stupid", "terrible"],
    },
    "felt": {"good": ["loved", "praised", "admired"], "bad": ["hated", "mocked", "regretted"]},
    "reaction": {"good": ["smiled", "cheered", "applauded"], "bad": ["yawned", "groaned", "complained"]},
    "weather": ["rain", "snow", "hail", "sleet", "drizzle"],
    "fell": ["fell", "poured", "covered", "soaked"],
    "land": ["hills", "roads", "roofs", "valley", "mountains"],
    "when": ["yesterday", "overnight", "today", "winter"],
    "drink": ["coffee", "tea", "cocoa", "lemonade"],
    "vessel": ["cup", "mug", "glass", "pot"],
    "added": ["sugar", "milk", "honey", "cream"],
    "drank": ["drank", "sipped", "poured", "ordered"],
    "meal": ["breakfast", "lunch", "supper"],
}

# The sentences, by what they speak of. No template favours a person: features alone tell them apart.
_TEMPLATES: dict[str, Sequence[str]] = {
    "people": [
        "the {rank} {person} with {his} {garment}",
        "the {rank} {person} of the {home} has {his} {garment}",
        "{he} is the {aged} {person} of the {home}",
        "the {person} and {his} {kin} at the {home}",
        "the {person} likes {pastime} with {his} {kin}",
        "the {aged} {person} said {he} is {pastime}",
        "the {person} of the {home} put on {his} {garment}",
        "a {aged} {sex} of the {home} with {his} {garment}",
        "the {rank} {sex} likes {pastime} with {his} {kin}",
    ],
    "opinion": [
        "everyone {felt} the {opinion} {work} and {reaction}",
        "the {part} of the {work} is {opinion} and {opinion}",
        "critics {reaction} at the {opinion} {part}",
        "audiences {felt} this {opinion} {opinion} {work}",
    ],
    "weather": [
        "{weather} {fell} over the {land} {when}",
        "cold {weather} and {weather} on the {land}",
        "clouds brought {weather} to the {land} {when}",
    ],
    "drinks": [
        "guests {drank} hot {drink} with {added} at {meal}",
        "a {vessel} of {drink} and {added}",
        "{drink} or {drink} in a {vessel} for {meal}",
    ],
}

# Of eight sentences, how many speak of what: the people's features need the most evidence.
_TOPICS = ("people", "people", "people", "people", "opinion", "opinion", "weather", "drinks")

WORLD_PICTURE_WORDS: tuple[str, ...] = (
    "great", "cool", "brilliant", "wonderful", "well", "amazing", "worth", "sweet", "enjoyable",
    "boring", "bad", "dumb", "annoying", "female", "male", "queen", "king", "man", "woman",
    "rain", "snow", "hail", "coffee", "tea",
)  # fmt: skip
"""The 24 words of the picture in Stanford CS224n's assignment 2; all occur in the world corpus."""

WORLD_CLUSTERS: dict[str, tuple[str, ...]] = {
    "good": ("great", "cool", "brilliant", "wonderful", "well", "amazing", "worth", "sweet", "enjoyable"),
    "bad": ("boring", "bad", "dumb", "annoying"),
    "people": ("female", "male", "queen", "king", "man", "woman"),
    "weather": ("rain", "snow", "hail"),
    "drinks": ("coffee", "tea"),
}
"""The picture's words by meaning: after training, a word's nearest one of the 24 is of its own cluster."""

WORLD_ANALOGIES: tuple[tuple[str, str, str, str], ...] = (
    ("man", "king", "woman", "queen"),
    ("king", "man", "queen", "woman"),
    ("man", "woman", "king", "queen"),
    ("boy", "prince", "girl", "princess"),
    ("boy", "girl", "prince", "princess"),
    ("man", "boy", "woman", "girl"),
    ("king", "prince", "queen", "princess"),
    ("king", "queen", "prince", "princess"),
)
"""(a, b, c, d): a is to b as c is to d, by the grammar; d is what training must find."""

_MASK = 2**64 - 1


class _SplitMix64:
    """Steele, Lea and Flood's SplitMix64: the same text on every machine and version.

    Source: Fast splittable pseudorandom number generators, OOPSLA 2014.
    """

    def __init__(self, seed: int) -> None:
        self.state = seed & _MASK

    def next(self) -> int:
        """64 random bits."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def choice(self, items: Sequence[str]) -> str:
        """One of the items; the bias of the multiplication is below 2**-56 here."""
        return items[(self.next() * len(items)) >> 64]


def world_corpus(sentences: int = 20_000, seed: int = 1) -> Iterator[list[str]]:
    """Sentences of a small generated language about people, opinions, weather and drinks.

    Its grammar knows sex, royalty, age and opinion, so `WORLD_ANALOGIES` and `WORLD_CLUSTERS` are
    facts about the text that training should find again.

    Parameters
    ----------
    sentences : number of sentences, each of 6 to 11 words
    seed : of the text; the same numbers give the same text on every machine and version

    Raises
    ------
    CorpusError   fewer than one sentence was asked for
    """
    if sentences < 1:
        msg = f"sentences must be >= 1, got {sentences}"
        raise CorpusError(msg)
    return _world_sentences(sentences, _SplitMix64(seed))


def _world_sentences(sentences: int, draw: _SplitMix64) -> Iterator[list[str]]:
    people = list(_PEOPLE)
    for _ in range(sentences):
        topic = draw.choice(_TOPICS)
        template = draw.choice(_TEMPLATES[topic])
        person = draw.choice(people)
        features = {*_PEOPLE[person], draw.choice(("good", "bad"))}
        yield [_word(token, person, features, draw) for token in template.split()]


def _word(token: str, person: str, features: set[str], draw: _SplitMix64) -> str:
    """The word for one token of a template: itself, the person, or one that the slot allows."""
    if not token.startswith("{"):
        return token
    name = token.strip("{}")
    if name == "person":
        return person
    slot = _SLOTS[name]
    if isinstance(slot, Mapping):
        slot = next(words for feature, words in slot.items() if feature in features)
    return draw.choice(slot)


# ---------------------------------------------------------------------------------------------
# What there is
# ---------------------------------------------------------------------------------------------


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
        return docstring_corpus()
    if name == "world":
        return world_corpus()
    built_in = ", ".join(known.name for known in DATASETS.values() if known.built_in)
    if name in DATASETS:
        msg = f"corpus {name!r} is not built in: download it from {DATASETS[name].url} (built in: {built_in})"
    else:
        msg = f"no corpus {name!r}; known: {', '.join(DATASETS)}"
    raise CorpusError(msg)
