"""Word vectors for other tools: each writes a new folder, whole or not at all.

V words, D vector size.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xw2v.display import Tell, watched
from xw2v.drawing import printable
from xw2v.errors import ConfigError, FileAccessError, FormatError, NumericalError
from xw2v.files import PathLike, new_folder, writing
from xw2v.tensors import first_bad_row, write_tensors
from xw2v.vectors.arguments import as_number
from xw2v.vectors.word2vec_text import text_blocks

if TYPE_CHECKING:
    from xw2v.vectors.word_vectors import WordVectors

__all__ = ["EXPORTS", "export"]

_LARGEST_HALF = 65504.0

_CARD = """---
library_name: xw2v
tags: [word2vec, skip-gram, word-embeddings]
---

# Word vectors

{V:,} words, {D} numbers each ({dtype}), learned with xw2v (word2vec, skip-gram).

- `model.safetensors`: the table `embeddings` ({V}, {D}), a row a word
- `vocab.json`: the row of each word
- `config.json`: the sizes

```python
import json
from safetensors.numpy import load_file

vectors = load_file("model.safetensors")["embeddings"]
rows = json.load(open("vocab.json"))
vectors[rows[{word}]]
```

Nearest words: {examples}

Fill in before you share it: the text it was learned from, its licence, and what it should not be used for.
"""


class _Wishes(NamedTuple):
    """What of an export is not decided by its kind."""

    dtype: np.dtype[np.generic]
    name: str
    tell: Tell


def export(
    wv: WordVectors,
    folder: PathLike,
    kind: str,
    top: int | None = None,
    half: bool = False,
    name: str = "words",
    progress: bool | None = None,
) -> None:
    """Write word vectors for another tool.

    Parameters
    ----------
    folder : a new folder, or an empty one
    kind : "tensorboard" (vectors.tsv, metadata.tsv for the embedding projector), "huggingface" (model.safetensors,
        vocab.json, config.json, a model card), "npy" (vectors.npy, vocabulary.txt) or "spacy" (a pipeline that
        `spacy.load` takes; spaCy must be installed)
    top : only so many words, the first, which are the most frequent where a training made them
    half : numbers of 16 bits where the tool takes them: "huggingface" and "npy"
    name : the language of a spaCy pipeline is "xx"; this is its name
    progress : as in `Word2Vec.fit`

    Raises
    ------
    ConfigError       no such kind, no words, `half` for a kind that has none, spaCy is not installed.
    FormatError       a word that the files cannot carry.   NumericalError   a number too large for 16 bits.
    FileAccessError   the folder cannot be written or holds something.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from xw2v import WordVectors
    >>> wv = WordVectors(["a", "b", "c"], [[1, 2], [3, 4], [5, 6]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export(wv, Path(folder) / "out", "npy", top=2, half=True)
    ...     np.load(Path(folder) / "out" / "vectors.npy")
    array([[1., 2.],
           [3., 4.]], dtype=float16)
    """
    if kind not in EXPORTS:
        msg = f"the kind of an export must be one of {', '.join(EXPORTS)}; got {kind!r}"
        raise ConfigError(msg)
    top = as_number(top, "top", "all words")
    if top is not None and top < 1:
        msg = f"top must be at least 1, got {top}"
        raise ConfigError(msg)
    if half and kind not in ("huggingface", "npy"):
        msg = f"{kind} has no numbers of 16 bits; leave half out"
        raise ConfigError(msg)
    words, vectors = wv.index_to_key[:top], wv.vectors[:top]
    if not words:
        msg = "there are no words to export"
        raise ConfigError(msg)
    bad = first_bad_row(vectors)
    if bad is None and half and (np.abs(vectors) > _LARGEST_HALF).any():
        bad = int(np.argmax((np.abs(vectors) > _LARGEST_HALF).any(axis=1)))
    if bad is not None:
        msg = f"the vector of {words[bad]!r} holds NaN, infinity or a number too large"
        raise NumericalError(msg)
    chosen = type(wv)(words, vectors, None if wv.counts is None else wv.counts[:top])
    with watched("exporting", "words", progress) as tell, _unused_folder(Path(folder)) as target:
        tell(0, len(chosen))
        EXPORTS[kind](chosen, target, _Wishes(np.dtype(np.float16 if half else np.float32), name, tell))


@contextmanager
def _unused_folder(path: Path) -> Iterator[Path]:
    """A folder that appears at `path` when the block ends well."""
    with writing(path), new_folder(path) as temporary:
        _check_unused(path)
        yield temporary
        _check_unused(path)  # that took time, and somebody else may have written there


def _check_unused(path: Path) -> None:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        msg = f"will not write {path}: something is there; choose a new folder"
        raise FileAccessError(msg)


def _tensorboard(wv: WordVectors, folder: Path, wishes: _Wishes) -> None:
    with (folder / "vectors.tsv").open("xb") as file:
        for done, block in text_blocks(None, wv.vectors, "\t"):
            file.write(block)
            wishes.tell(done, len(wv))
    # The projector takes lines and tabs as they come.
    shown = [printable(" ".join(word.split())) or "(blank)" for word in wv.index_to_key]
    lines = shown if wv.counts is None else [f"{word}\t{n}" for word, n in zip(shown, wv.counts.tolist(), strict=True)]
    head = [] if wv.counts is None else ["word\tcount"]
    (folder / "metadata.tsv").write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
    (folder / "projector_config.pbtxt").write_text(
        'embeddings {\n  tensor_path: "vectors.tsv"\n  metadata_path: "metadata.tsv"\n}\n', encoding="utf-8"
    )


def _npy(wv: WordVectors, folder: Path, wishes: _Wishes) -> None:
    for word in wv.index_to_key:
        if word.splitlines() not in ([], [word]):
            msg = f"the word {word!r} holds a line end, which vocabulary.txt cannot carry; use the kind huggingface"
            raise FormatError(msg)
    np.save(folder / "vectors.npy", wv.vectors.astype(wishes.dtype), allow_pickle=False)
    text = "".join(word + "\n" for word in wv.index_to_key)
    (folder / "vocabulary.txt").write_bytes(text.encode("utf-8", "surrogatepass"))


def _huggingface(wv: WordVectors, folder: Path, wishes: _Wishes) -> None:
    dtype = wishes.dtype
    with (folder / "model.safetensors").open("xb") as file:
        write_tensors(file, {"embeddings": np.ascontiguousarray(wv.vectors.astype(dtype))})
    sizes = {"vocab_size": len(wv), "hidden_size": wv.vector_size, "torch_dtype": dtype.name}
    config = {"model_type": "word2vec", "architectures": ["Word2Vec"], **sizes}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="ascii")
    (folder / "vocab.json").write_text(json.dumps(wv.key_to_index), encoding="ascii")
    asked = [word for word in wv.index_to_key if len(word) > 3][:5]
    found = {word: ", ".join(near for near, _ in wv.most_similar(word, topn=3)) for word in asked}
    card = _CARD.format(
        V=len(wv), D=wv.vector_size, dtype=dtype.name, word=json.dumps(wv.index_to_key[0], ensure_ascii=False),
        examples="; ".join(f"{word}: {near}" for word, near in found.items()) or "none",
    )  # fmt: skip
    (folder / "README.md").write_text(card, encoding="utf-8", errors="replace")


def _spacy(wv: WordVectors, folder: Path, wishes: _Wishes) -> None:
    try:
        import spacy
        from spacy.vectors import Vectors
    except ImportError as error:
        msg = "spaCy is not installed: pip install spacy"
        raise ConfigError(msg) from error
    for word in wv.index_to_key:
        try:
            word.encode()
        except UnicodeEncodeError as error:
            msg = f"the word {word!r} is not valid Unicode, which spaCy cannot carry; use the kind huggingface"
            raise FormatError(msg) from error
    pipeline = spacy.blank("xx", meta={"name": wishes.name})
    pipeline.vocab.vectors = Vectors(data=np.array(wv.vectors), keys=wv.index_to_key, strings=pipeline.vocab.strings)
    pipeline.to_disk(folder)


EXPORTS: dict[str, Callable[[WordVectors, Path, _Wishes], None]] = {
    "tensorboard": _tensorboard,
    "huggingface": _huggingface,
    "npy": _npy,
    "spacy": _spacy,
}
