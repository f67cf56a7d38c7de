"""What is done with the records of a history: taken from files, joined to an earlier run's, scores made storable."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any, TypeVar

from xw2v.training.epochs import EpochEnd
from xw2v.training.walk import Progress

__all__ = ["record_after", "record_of", "settle_scores"]

Record = TypeVar("Record", Progress, EpochEnd)

# JSON keeps integers and other numbers apart; true is an int in Python and none here.
_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "float | None": (int, float, type(None)),
    "bool": (bool,),
    "dict[str, float]": (dict,),
}


def record_of(kind: type[Record], values: Mapping[str, Any]) -> Record:
    """A record from a file that is not trusted.

    Raises
    ------
    TypeError, ValueError   not the right names or kinds
    """
    record = kind(**values)
    for item in fields(record):
        value = getattr(record, item.name)
        if type(value) not in _KINDS[str(item.type)]:
            msg = f"{item.name} is {value!r}"
            raise ValueError(msg)
    scores = getattr(record, "scores", {})
    if not all(type(name) is str and type(score) in (int, float) for name, score in scores.items()):
        msg = f"scores are {scores!r}"
        raise ValueError(msg)
    return record


def record_after(record: Record, earlier: Progress) -> Record:
    """The record in a history that goes on after another run's last one: what it counts goes on from there."""
    done: dict[str, float] = {"epoch": earlier.epoch + 1, "epochs": earlier.epoch + 1, "total_words": earlier.words}
    done |= {name: getattr(earlier, name) for name in ("step", "words", "centers", "pairs", "seconds")}
    counts = {item.name: getattr(record, item.name) + done[item.name] for item in fields(record) if item.name in done}
    return replace(record, **counts)


def settle_scores(end: EpochEnd) -> list[str]:
    """Make Python's floats of a record's scores and leave out what cannot be stored; a line on each of those."""
    given, complaints = dict(end.scores), []
    end.scores.clear()
    for name, score in given.items():
        number = math.nan
        if not isinstance(score, str):
            with suppress(TypeError, ValueError):
                number = float(score)
        if math.isfinite(number):
            end.scores[str(name)] = number
        else:
            complaints.append(f"the score {name!r} is {score!r} and is left out: a finite number is wanted")
    return complaints
