"""A trained model as it is kept in a folder: vectors, options, and the history of the training."""

from __future__ import annotations

import dataclasses
import os
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from xw2v.config import Config
from xw2v.errors import FormatError
from xw2v.training.epochs import EpochEnd
from xw2v.training.records import record_of
from xw2v.training.walk import Progress
from xw2v.vectors.model_folder import load_model_folder, save_model_folder
from xw2v.vectors.word_vectors import WordVectors

__all__ = ["StoredModel", "load_model", "save_model"]


class StoredModel(NamedTuple):
    """The options of a model, and what it learned: the attributes of `Word2Vec` after `fit`."""

    config: Config
    wv: WordVectors
    outside_vectors: npt.NDArray[np.float32]  # (V, D)
    history: list[Progress]
    epoch_history: list[EpochEnd]
    corpus_words: int
    epochs_trained: int
    backend_note: str
    engine_note: str
    lowered: bool  # was the text lower-cased


def save_model(folder: str | os.PathLike[str], model: StoredModel, progress: bool | None = None) -> None:
    """Write a model, all or nothing.

    Raises
    ------
    FileAccessError   it cannot be written, or something that is not a model lies there
    """
    # Options may have been changed after `fit`: what is saved are the vectors that are there.
    config = model.config.replace(vector_size=model.wv.vector_size)
    save_model_folder(
        folder,
        {"center_vectors": model.wv.vectors, "outside_vectors": model.outside_vectors},
        model.wv.index_to_key,
        model.wv.counts,
        {
            "config": config.to_dict(),
            "corpus_words": model.corpus_words,
            "epochs_trained": model.epochs_trained,
            "backend": model.backend_note,
            "engine": model.engine_note,
            "lower": model.lowered,
            "history": [dataclasses.asdict(record) for record in model.history],
            "epoch_history": [dataclasses.asdict(record) for record in model.epoch_history],
        },
        progress,
    )


def load_model(folder: str | os.PathLike[str]) -> StoredModel:
    """A model as `save_model` wrote it.

    Raises
    ------
    MissingFileError   there is no such folder;  FormatError   it is not a model, or damaged
    """
    stored = load_model_folder(folder)
    metadata = stored.metadata
    try:
        config = Config.from_dict(metadata["config"])
        model = StoredModel(
            config=config,
            wv=WordVectors._mapped(stored),
            outside_vectors=stored.tables["outside_vectors"],
            history=[record_of(Progress, record) for record in metadata["history"]],
            epoch_history=[record_of(EpochEnd, record) for record in metadata.get("epoch_history", [])],
            corpus_words=int(metadata["corpus_words"]),
            epochs_trained=int(metadata.get("epochs_trained", config.epochs)),
            backend_note=str(metadata["backend"]),
            engine_note=str(metadata["engine"]),
            lowered=metadata.get("lower", False) is True,
        )
        wanted = (len(model.outside_vectors), config.vector_size)
        if not model.outside_vectors.shape == stored.tables["center_vectors"].shape == wanted:
            msg = "the tables are not of the options' vector_size"
            raise FormatError(msg)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        msg = f"{folder} is not a whole Word2Vec model ({error}); WordVectors.load reads vectors alone"
        raise FormatError(msg) from error
    return model
