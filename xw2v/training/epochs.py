"""What is noted at the end of each epoch, and when to stop early. Nobody waits for such an end unless somebody asks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from xw2v.training.engines import Tables

__all__ = ["EpochEnd", "EpochEnds"]


@dataclass(frozen=True)
class EpochEnd:
    """How far training has come, at the end of an epoch.

    Attributes
    ----------
    epoch : int                       the epoch that ended, from 0
    epochs : int                      how many were asked for
    words : int                       trained on so far, over all epochs, as counted in the source
    seconds : float                   of training so far; what is done at the ends of epochs is not counted
    loss : float                      of training, the mean over this epoch in nats a pair
    validation_loss : float or None   the same of the sentences kept aside; None: there are none
    improved : bool                   whether `validation_loss` is the lowest so far
    last : bool                       whether training was ended here, before its time
    scores : dict                     for callbacks to write to: finite numbers are kept in checkpoints and models

    Examples
    --------
    >>> ends = []
    >>> from xw2v import Word2Vec
    >>> _ = Word2Vec(vector_size=4, min_count=1, sample=0, epochs=3).fit(
    ...     [["a", "b"]] * 50, callbacks=[lambda model, end: ends.append(end.epoch)]
    ... )
    >>> ends
    [0, 1, 2]
    """

    epoch: int
    epochs: int
    words: int
    seconds: float
    loss: float
    validation_loss: float | None = None
    improved: bool = False
    last: bool = False
    scores: dict[str, float] = field(default_factory=dict)


class EpochEnds:
    """The ends of a run's epochs, and its best tables.

    Parameters
    ----------
    patience : int or None      epochs without a lower validation loss after which the run ends; None: never
    records : list of EpochEnd
    best : Tables or None       of NumPy arrays, of the last record that improved; kept where there is patience
    """

    def __init__(self, patience: int | None, records: list[EpochEnd] | None = None, best: Tables | None = None) -> None:
        self.patience, self.records, self.best = patience, records or [], best

    def lowest(self) -> float:
        """The lowest validation loss so far."""
        losses = [record.validation_loss for record in self.records if record.validation_loss is not None]
        return min(losses, default=float("inf"))

    def out_of_patience(self) -> bool:
        """Whether the validation loss has not become lower for too long."""
        since = [record.improved for record in reversed(self.records)]
        return self.patience is not None and (since.index(True) if True in since else len(since)) >= self.patience

    def over(self) -> bool:
        """Whether the run was ended."""
        return bool(self.records) and self.records[-1].last

    def end(self) -> None:
        """Note that the run is ended with the last record."""
        self.records[-1] = replace(self.records[-1], last=True)
