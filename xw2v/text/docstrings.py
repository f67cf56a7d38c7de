"""Text that every Python brings along: English from the documentation strings of its standard library and packages."""

from __future__ import annotations

import ast
import gc
import importlib.util
import os
import re
import sys
import sysconfig
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xw2v.errors import CorpusError

__all__ = ["DocstringCorpus"]

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
