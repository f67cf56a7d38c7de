"""`xw2v train --from MODEL`: a saved model that goes on learning, and what it knew before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from xw2v.errors import ConfigError, FormatError
from xw2v.estimator import Word2Vec
from xw2v.files import reading, refuse_pickle
from xw2v.vectors.model_folder import load_model_folder

__all__ = ["Known", "capitals_note", "kept_aside_note", "saved_model"]

_FOR_THE_CALL = ("epochs", "alpha", "min_alpha")  # what `partial_fit` takes without changing the model's options
_WHOLE = "--from needs a whole model, as xw2v train -o FOLDER and Word2Vec.save write it"


class Known(NamedTuple):
    """What a model knew before a training: what it knows afterwards, without this, is what it learned there."""

    vocabulary: int = 0  # its words
    records: int = 0  # of its `history`
    ends: int = 0  # of its `epoch_history`
    epochs: int = 0
    words: int = 0  # of the sources
    centers: int = 0
    seconds: float = 0.0  # of training

    @classmethod
    def of(cls, model: Any) -> Known:
        """What a `Word2Vec` knows, which may be nothing."""
        if not hasattr(model, "wv"):
            return cls()
        counts = len(model.wv), len(model.history), len(model.epoch_history)
        if not model.history:
            return cls(*counts)
        last = model.history[-1]
        return cls(*counts, last.epoch + 1, last.words, last.centers, last.seconds)


def saved_model(path: Path, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The model in a folder with the options that are given, and those of them that `partial_fit` is to be told.

    Raises
    ------
    MissingFileError, FormatError   there is no model, it is damaged, or holds vectors alone
    ConfigError                     an option does not do, or is another vector_size
    """
    model = _whole_model(path)
    size = model.wv.vector_size
    if given.get("vector_size", size) != size:
        msg = f"the vectors of {path} have {size} numbers, which --vector-size {given['vector_size']} cannot change"
        raise ConfigError(msg)
    if given.get("validation_fraction") == 0:  # the model's patience means nothing then
        given = {"patience": None, **given}
    model.set_params(**{name: value for name, value in given.items() if name not in _FOR_THE_CALL})
    once = {name: value for name, value in given.items() if name in _FOR_THE_CALL}
    model.config.replace(**once)  # refuses what is wrong
    return model, once


def _whole_model(path: Path) -> Any:
    if path.is_file():
        with reading(path), path.open("rb") as file:
            refuse_pickle(path, file.read(2))
        msg = f"{path} is a file, and word2vec's formats hold one of a model's two tables; {_WHOLE}"
        raise FormatError(msg)
    try:
        return Word2Vec.load(path)
    except FormatError as error:
        if "outside_vectors" in load_model_folder(path).tables:
            raise
        msg = f"{path} holds vectors alone; {_WHOLE}"
        raise FormatError(msg) from error


def kept_aside_note(model: Any, given: dict[str, Any]) -> str | None:
    """What to say where sentences are kept aside because they were when the model was saved; else None."""
    if model.validation_fraction == 0 or "validation_fraction" in given:
        return None
    return (
        f"{100 * model.validation_fraction:.3g} % of the sentences are kept aside, as the model's options have it; "
        "--validation-fraction 0 trains on all"
    )


def capitals_note(words: Sequence[str], known: int) -> str | None:
    """What to say where a model of lower-case words is about to learn the same words with capitals; else None.

    One whose text was lower-cased by us lower-cases what comes after; this is for text that had no capitals.

    Parameters
    ----------
    words : of the model, the first `known`, and after them the new ones
    """
    old = set(words[:known])
    if any(word != word.lower() for word in old):
        return None
    again = [word for word in words[known:] if word.lower() in old]
    if not again:
        return None
    return (
        f"{len(again):,} of {len(words) - known:,} new words are words of the model with capitals, as {again[0]!r}, "
        "and it has none with capitals: --lower takes them for the same words (--no-lower: they are others)"
    )
