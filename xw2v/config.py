"""Every option of a training run, once: its name, default, range and meaning.

`Config` checks itself when it is made. The command line reads its options and their help from here,
and `Word2Vec` takes the same names and defaults (a test compares them).
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
import reprlib
import sys
import textwrap
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import numpy as np

from xw2v.errors import ConfigError

__all__ = ["CS224N", "Config", "documented"]

T = TypeVar("T")


def _option(
    default: Any,
    meaning: str,
    *,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
    kind: type = int,
    optional: bool = False,
) -> Any:
    """A dataclass field with its range: `low` and `high` are allowed themselves, `above` is not."""
    metadata = {
        "meaning": meaning,
        "low": low,
        "above": above,
        "high": high,
        "choices": choices,
        "kind": kind,
        "optional": optional,
    }
    return field(default=default, metadata=metadata)


def _choice(default: str, meaning: str, *choices: str) -> Any:
    return _option(default, meaning, choices=choices, kind=str)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Options of a training run. Names are gensim's wherever gensim has one.

    Raises
    ------
    ConfigError   an option has a wrong type or lies outside its range; the text names it and both.

    Examples
    --------
    >>> Config(window=3).window
    3
    >>> Config(window=0)
    Traceback (most recent call last):
        ...
    xw2v.errors.ConfigError: window must be an integer >= 1 and <= 32768, got 0
    """

    # What is learned
    vector_size: int = _option(100, "Length D of a word's vector.", low=1, high=2**20)
    window: int = _option(5, "Largest distance m between a centre and an outside word.", low=1, high=2**15)
    shrink_windows: bool = _option(
        True, "Draw each centre's window from 1 to WINDOW, as word2vec does; else always WINDOW.", kind=bool
    )
    loss: str = _choice(
        "negative_sampling",
        "negative_sampling, or softmax: exact, over the whole vocabulary.",
        "negative_sampling",
        "softmax",
    )
    negative: int = _option(5, "Noise words K a pair.", low=1, high=2**15)
    negatives: str = _choice(
        "shared",
        "shared: noise words drawn once for a group of centres, same expected loss, much faster; "
        "pair: drawn anew for every pair, the textbook.",
        "shared",
        "pair",
    )
    ns_exponent: float = _option(0.75, "Noise words are drawn by count to this power.", low=-10, high=10, kind=float)
    # Which words
    min_count: int = _option(5, "Leave out words that occur less often.", low=0)
    max_final_vocab: int | None = _option(
        None, "Keep at most this many words, the most frequent.", low=1, optional=True
    )
    max_vocab_size: int | None = _option(
        None, "Remember at most this many distinct words while counting; rare ones may be overlooked. None: all.",
        low=1, optional=True,
    )  # fmt: skip
    sample: float = _option(
        1e-3, "Subsampling threshold for frequent words, as a share of all words; 0: off.", low=0, high=1, kind=float
    )
    subsampling: str = _choice(
        "word2vec",
        "Keep a word of share f with probability (sqrt(f/t) + 1) t/f (word2vec, the C code's), "
        "or sqrt(t/f) (paper, Mikolov et al. 2013 eq. 5).",
        "word2vec",
        "paper",
    )
    # How it is learned
    epochs: int = _option(5, "Passes over the corpus.", low=1)
    steps: int | None = _option(
        None, "Stop after this many steps of BATCH_SIZE centres, however many epochs that is.", low=1, optional=True
    )
    alpha: float = _option(0.025, "First learning rate.", above=0, high=1e6, kind=float)
    min_alpha: float = _option(0.0001, "Last learning rate of the linear schedule.", low=0, high=1e6, kind=float)
    schedule: str = _choice(
        "linear",
        "linear: from ALPHA down to MIN_ALPHA over the words; halving: half of it every HALVE_EVERY steps.",
        "linear",
        "halving",
    )
    halve_every: int = _option(20_000, "Steps between two halvings of the learning rate.", low=1)
    centers: str = _choice(
        "all",
        "all: every kept word is a centre, in order; random: as many, each from a sentence drawn uniformly, "
        "as CS224n does it (with negatives=pair).",
        "all",
        "random",
    )
    reduction: str = _choice("sum", "A step follows the sum of its centres' losses, or their mean.", "sum", "mean")
    batch_size: int | None = _option(
        None, "Centres a step reads before it writes, whole groups of them (engine cuda: about so many); by default "
        "the engine's choice.", low=1, high=2**24, optional=True,
    )  # fmt: skip
    group_size: int = _option(16, "Consecutive centres b that share noise words.", low=1, high=2**15)
    group_negatives: int | None = _option(
        None, "Noise words S that a group shares; by default the engine's choice.", low=1, high=2**15, optional=True
    )
    max_update_norm: float | None = _option(
        0.5, "Longest step a word's vector may take at once (engine cpu: where steps may be long); none: no bound.",
        above=0, kind=float, optional=True,
    )  # fmt: skip
    validation_fraction: float = _option(
        0.0, "Share of the sentences that is never trained on, and whose loss is measured after each epoch.",
        low=0, high=0.9, kind=float,
    )  # fmt: skip
    patience: int | None = _option(
        None, "Stop after so many epochs in a row without a lower loss on those sentences, and keep the best model.",
        low=1, optional=True,
    )  # fmt: skip
    seed: int = _option(1, "Seed of every draw.", low=0, high=2**63 - 1)
    # Where it runs
    workers: int | None = _option(
        None, "CPU threads; by default the cores that this process may use.", low=1, high=4096, optional=True
    )
    deterministic: bool = _option(
        False, "The same bits in every run, whatever the workers: one thread trains (CPU only).", kind=bool
    )
    backend: str = _choice("auto", "Array library: auto takes a GPU where one works.", "auto", "numpy", "cupy")
    engine: str = _choice(
        "auto",
        "Code that trains: auto takes the fastest for the options; cpu: compiled by Numba; cuda: for backend cupy.",
        "auto",
        "array",
        "cpu",
        "cuda",
    )
    device: int = _option(0, "Number of the GPU for backend cupy.", low=0, high=1023)
    tf32: bool = _option(
        False, "Matrix products on a GPU's tensor cores, in TF32: 10 bits of each factor's fraction.", kind=bool
    )

    sync: str = _choice(
        "average",
        "Of many processes. average: each rank trains its share, tables are brought together at intervals; "
        "step: ranks share every step (array engine), the result is that of one process.",
        "average",
        "step",
    )
    sync_every: int | None = _option(
        None, "Words a rank trains until frequent words' vectors are brought together, rarer ones later; by default "
        "262,144 of 2 ranks, 16,384 of 4, 8,192 of more than 4, or more in a long run, of which 2,560 meetings are "
        "enough (2 ranks: 320); less where vectors and windows are large.", low=1, high=2**40, optional=True,
    )  # fmt: skip

    def __post_init__(self) -> None:
        for item in fields(self):
            object.__setattr__(self, item.name, _checked(item, getattr(self, item.name)))
        if self.min_alpha > self.alpha:
            msg = f"min_alpha must not be above alpha ({self.alpha}), got {self.min_alpha}"
            raise ConfigError(msg)
        if self.patience is not None and self.validation_fraction == 0:
            msg = (
                f"patience={self.patience} needs sentences kept aside: give validation_fraction, as 0.01, "
                "or patience=None"
            )
            raise ConfigError(msg)
        if self.centers == "random" and (self.negatives != "pair" or self.loss == "softmax"):
            msg = "centers='random' goes with negatives='pair' and loss='negative_sampling' only"
            raise ConfigError(msg)

    def replace(self, **changes: Any) -> Config:
        """A copy with some options changed, checked again."""
        unknown = sorted(set(changes) - {item.name for item in fields(self)})
        if unknown:
            msg = f"unknown option {unknown[0]!r}; known: {', '.join(item.name for item in fields(self))}"
            raise ConfigError(msg)
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The options as plain values, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Config:
        """The reverse of `to_dict`; an unknown name is an error."""
        return cls().replace(**values)


def _checked(item: dataclasses.Field[Any], value: Any) -> Any:
    """The value in its option's own type, or a ConfigError that says what was wanted."""
    meta = item.metadata
    if value is None and meta["optional"]:
        return None
    wanted = _wanted(meta)
    kind = meta["kind"]
    # Shortened: whoever comes from gensim may have given the whole text in place of vector_size.
    msg = f"{item.name} must be {wanted}, got {reprlib.repr(value)}"
    if isinstance(value, list | tuple):
        msg += "; a corpus is given to fit, not to Word2Vec"
    if kind is bool:
        if not isinstance(value, bool | np.bool_):
            raise ConfigError(msg)
        return bool(value)
    if kind is str:
        if not isinstance(value, str) or value not in meta["choices"]:
            raise ConfigError(msg)
        return str(value)
    # bool is an int in Python, and `window=True` is a slip; NumPy's numbers pass by __index__ and __float__.
    if isinstance(value, bool | np.bool_ | str):
        raise ConfigError(msg)
    try:
        number = value.__index__() if kind is int else float(value)
    except (AttributeError, OverflowError, TypeError, ValueError):
        raise ConfigError(msg) from None
    inside = (
        (kind is int or math.isfinite(number))
        and (meta["low"] is None or number >= meta["low"])
        and (meta["above"] is None or number > meta["above"])
        and (meta["high"] is None or number <= meta["high"])
    )
    if not inside:
        raise ConfigError(msg)
    return number


def _wanted(meta: Any) -> str:
    """The range of an option in words."""
    if meta["choices"] is not None:
        text = "one of " + ", ".join(repr(choice) for choice in meta["choices"])
    else:
        text = {int: "an integer", float: "a number", bool: "True or False"}[meta["kind"]]
    if meta["low"] is not None:
        text += f" >= {meta['low']}"
    if meta["above"] is not None:
        text += f" > {meta['above']}"
    if meta["high"] is not None:
        text += f"{' and' if meta['low'] is not None or meta['above'] is not None else ''} <= {meta['high']}"
    return text + (" or None" if meta["optional"] else "")


def documented(of: type[T]) -> type[T]:
    """The class, whose docstring then has a section with every option, before those of attributes and errors."""
    if of.__doc__ is None or sys.flags.optimize == 2:  # python -OO; dataclasses make up a docstring
        return of
    head, mark, tail = re.split(r"(?m)^(Attributes|Raises)$", inspect.cleandoc(of.__doc__), maxsplit=1)
    lines = ["Parameters", "----------"]
    for item in fields(Config):
        lines.append(f"{item.name} : {_wanted(item.metadata)}; by default {item.default!r}")
        lines += textwrap.wrap(item.metadata["meaning"], 112, initial_indent="    ", subsequent_indent="    ")
    of.__doc__ = "\n".join([head + lines[0], *lines[1:], "", mark + tail])
    return of


documented(Config)

CS224N: dict[str, Any] = {
    "vector_size": 10,
    "window": 5,
    "negative": 10,
    "negatives": "pair",
    "centers": "random",
    "min_count": 1,
    "sample": 1e-5,
    "subsampling": "paper",
    "batch_size": 50,
    "reduction": "mean",
    "alpha": 0.3,
    "schedule": "halving",
    "halve_every": 20_000,
    "steps": 40_000,
    "max_update_norm": None,
    "engine": "array",
}
"""The options of Stanford CS224n's assignment 2 (its run.py), for `xw2v train --preset cs224n`."""
