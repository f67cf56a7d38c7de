"""The errors of xw2v. Each is an `XW2VError` and also the built-in class a caller would expect."""

from __future__ import annotations

__all__ = [
    "BackendError",
    "ConfigError",
    "CorpusError",
    "FileAccessError",
    "FormatError",
    "GradientError",
    "IdRangeError",
    "MissingFileError",
    "MixedArraysError",
    "NotFittedError",
    "NumericalError",
    "RankError",
    "ShapeError",
    "UnknownWordError",
    "XW2VError",
]


class XW2VError(Exception):
    """Base of all errors that xw2v raises on purpose; its text is one line fit for a person.

    Examples
    --------
    >>> issubclass(ConfigError, XW2VError), issubclass(ConfigError, ValueError)
    (True, True)
    """

    def __str__(self) -> str:
        # Names of files and what damaged ones hold may have line breaks. (A KeyError would show the repr of its text.)
        return " ".join(str(self.args[0]).splitlines()) if self.args else ""


class ConfigError(XW2VError, ValueError):
    """An option is out of its range, or two options do not go together."""


class CorpusError(XW2VError, ValueError):
    """A corpus cannot be used: not text, empty, or no word left."""


class NotFittedError(CorpusError, AttributeError):
    """Vectors were asked of a model before `fit`."""


class FormatError(XW2VError, ValueError):
    """A file is not what its format says."""


class ShapeError(XW2VError, ValueError):
    """Array shapes do not agree."""


class MixedArraysError(XW2VError, TypeError):
    """Arrays of different libraries, devices or dtypes in one call."""


class IdRangeError(XW2VError, IndexError):
    """A word id lies outside 0 .. V-1."""


class MissingFileError(XW2VError, FileNotFoundError):
    """A path does not exist."""


class FileAccessError(XW2VError, OSError):
    """A path exists and cannot be read or written."""


class BackendError(XW2VError, RuntimeError):
    """A backend or an engine was asked for that does not work here."""


class RankError(XW2VError, RuntimeError):
    """Another process of a distributed run failed."""


class NumericalError(XW2VError, ArithmeticError):
    """Training left the finite numbers."""


class GradientError(XW2VError, AssertionError):
    """An analytic gradient does not agree with central differences."""


class UnknownWordError(XW2VError, KeyError):
    """A word is not in the vocabulary."""
