"""A run of one rank among many, as far as all of them end it together."""

from __future__ import annotations

from typing import Any

import numpy as np

from xw2v.training.distributed.ranks import Ranks
from xw2v.training.trainer import Training

__all__ = ["RankTraining"]


class RankTraining(Training):
    """A `Training` that ends where all ranks know that it is to: one that stopped by itself would leave them waiting.

    Parameters
    ----------
    arguments, settings : as for `Training`; `saver` on one rank only
    ranks : Ranks
    """

    def __init__(self, *arguments: Any, ranks: Ranks, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.ranks, self._stop_asked = ranks, False

    def stop(self) -> None:
        """Have the iteration end when the ranks hear of each other next, on all of them."""
        self._stop_asked = True

    def _stop_if_asked(self) -> bool:
        """Whether any rank was asked to stop; then all of them do. All ranks call it."""
        asked = np.array([self._stop_asked], np.int64)
        self.ranks.maximum(asked)
        if asked[0]:
            self._stop_with_all()
        return bool(asked[0])

    def _stop_with_all(self) -> None:
        """End the iteration here, as all ranks do now."""
        self.ranks.settled = True
        super().stop()
