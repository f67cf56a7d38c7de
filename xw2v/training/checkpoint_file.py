"""The file of a checkpoint: one in safetensors' format.

It holds both tables, the history as a table of numbers, and as metadata the position and what the run is (options,
fingerprint of the corpus). Arrays are the host's, so a run may go on with another backend.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from xw2v.errors import FormatError
from xw2v.tensors import first_bad_row, read_tensors, write_tensors
from xw2v.training import batches
from xw2v.training.engines import Tables
from xw2v.training.epochs import EpochEnd, EpochEnds
from xw2v.training.records import record_of
from xw2v.training.walk import Place, Position, Progress

__all__ = ["Checkpoint", "read_checkpoint", "write_state"]

_FORMAT = "xw2v checkpoint 2"
_BEST = "best_"  # before the names of the tables to which training may go back
_FIELDS = dataclasses.fields(Progress)


class Checkpoint(NamedTuple):
    """The state of a run."""

    path: Path
    tables: Tables  # of NumPy arrays
    history: list[Progress]
    position: Position
    run: dict[str, Any]  # what was trained on what: "config", "corpus" and the like
    epochs: list[EpochEnd]
    best: Tables | None  # of NumPy arrays


def write_state(
    file: BinaryIO,
    tables: Tables,
    position: Position,
    history: list[Progress],
    run: dict[str, Any],
    ends: EpochEnds,
) -> None:
    """Write the state of a run.

    Raises
    ------
    FormatError   a table is not finite: nobody could go on from it
    """
    for name, table in tables._asdict().items():
        if first_bad_row(table) is not None:
            msg = f"the {name} hold NaN or infinity"
            raise FormatError(msg)
    numbers = np.array([[getattr(record, field.name) for field in _FIELDS] for record in history], dtype="<f8")
    arrays = {**tables._asdict(), "history": numbers.reshape(len(history), len(_FIELDS))}
    if ends.best is not None:
        arrays |= {f"{_BEST}{name}": table for name, table in ends.best._asdict().items()}
    epochs = [dataclasses.asdict(record) for record in ends.records]
    state = {"format": _FORMAT, "position": dataclasses.asdict(position), "run": run, "epochs": epochs}
    write_tensors(file, arrays, {"xw2v": json.dumps(state)})


def read_checkpoint(path: Path) -> Checkpoint:
    """The state in a file.

    Raises
    ------
    MissingFileError   there is no such file;  FormatError   it is no checkpoint, of another version, or damaged
    """
    arrays, metadata = read_tensors(path, mmap=False, kinds=("F32", "F64"))
    try:
        state = json.loads(metadata.get("xw2v", "null"))
        version = state["format"] if isinstance(state, dict) else None
        if version != _FORMAT:
            msg = f"{path} is no checkpoint of this version of xw2v (wanted {_FORMAT!r}, got {version!r})"
            raise FormatError(msg)
        tables = Tables(arrays["center_vectors"], arrays["outside_vectors"])
        epochs = [record_of(EpochEnd, record) for record in state["epochs"]]
        has_best = bool(epochs) and any(name.startswith(_BEST) for name in arrays)
        best = Tables(*(arrays[_BEST + name] for name in Tables._fields)) if has_best else None
        history = _history(arrays["history"])
        position = _position(state["position"])
        run = state["run"]
        sane = all(isinstance(run[key], dict) for key in ("config", "corpus")) and all(
            table.dtype == np.float32 and table.shape == tables[0].shape and first_bad_row(table) is None
            for table in (*tables, *(best or ()))
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        msg = f"{path} is a damaged checkpoint ({type(error).__name__}: {error})"
        raise FormatError(msg) from error
    if not sane:
        msg = f"{path} is a damaged checkpoint: its tables do not go together, or hold NaN"
        raise FormatError(msg)
    return Checkpoint(path, tables, history, position, run, epochs, best)


def _history(numbers: np.ndarray) -> list[Progress]:
    kinds = [int if field.type == "int" else float for field in _FIELDS]
    return [
        Progress(*(kind(number) for kind, number in zip(kinds, row, strict=True)))  # type: ignore[arg-type]
        for row in numbers.tolist()
    ]


def _position(state: dict[str, Any]) -> Position:
    begun = tuple(Place(*(_natural(number) for number in place)) for place in state.pop("begun"))
    seconds = float(state.pop("seconds"))
    position = Position(begun=begun, seconds=seconds, **{name: _natural(value) for name, value in state.items()})
    # Chunks begin where segments do, but not at multiples of their size: earlier ones may have had another.
    starts = [position.start, *(place.start for place in begun)]
    if position.size == 0 or any(start % batches.SEGMENT for start in starts) or not 0 <= seconds < np.inf:
        msg = "a position that no run can have"
        raise ValueError(msg)
    return position


def _natural(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        msg = f"wanted an integer >= 0, got {value!r}"
        raise ValueError(msg)
    return value
