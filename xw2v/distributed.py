"""One run of training by many processes: what `Word2Vec.fit(distributed=...)` does apart from a run of one.

Rank 0 alone reads and writes checkpoints and calls the callbacks. A corpus is read by all ranks together, encoded once
a node, and mapped by the node's ranks. All ranks end with the same model.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from xw2v.backend import Backend, get_backend
from xw2v.config import Config
from xw2v.errors import ConfigError
from xw2v.fitting import Fitting
from xw2v.gpu import gpu_ids
from xw2v.parallel import usable_cores
from xw2v.text.store import EncodedCorpus
from xw2v.training.checkpoint import Checkpoints
from xw2v.training.distributed.ranks import MpiRanks, join, sharing_cores
from xw2v.training.distributed.shared_steps import SharedArrayEngine, SteppedTraining
from xw2v.training.distributed.shared_training import SharedTraining, check_order
from xw2v.training.distributed.transport import between_gpus, gpu_host, table_ranks
from xw2v.training.engines import Engine
from xw2v.training.epochs import EpochEnd, EpochEnds
from xw2v.training.trainer import Training
from xw2v.training.walk import Place, Position, Progress

__all__ = ["DistributedFitting", "encoded_once_a_node", "join", "placed"]


def placed(config: Config, ranks: MpiRanks) -> tuple[Config, Backend]:
    """The options of this rank and its backend: its share of the cores that it has in common with others, a GPU.

    Raises
    ------
    ConfigError    the options do not go together;  BackendError   there is no such backend on some rank
    """
    sharing = sharing_cores(ranks)
    gpus = gpu_ids() if config.backend != "numpy" else []
    device = _own_device(config.device, gpus, ranks)
    taken = ranks.texts(f"{gpu_host(ranks)} {gpus[device]}" if gpus else "")

    def prepared() -> tuple[Config, Backend]:
        if config.validation_fraction:
            msg = f"validation_fraction must be 0 with distributed, got {config.validation_fraction}"
            raise ConfigError(msg)
        changes: dict[str, Any] = {}
        if config.sync == "average":
            check_order(config)
            changes["workers"] = config.workers or max(1, usable_cores() // sharing)
        elif config.workers not in (None, 1) and not config.deterministic:
            msg = f"sync='step' takes steps in order, so workers must be 1, got {config.workers}"
            raise ConfigError(msg)
        else:
            changes["workers"] = 1
        if gpus:
            sharing_it = taken.count(taken[ranks.rank])
            if between_gpus() == "nccl" and sharing_it > 1:
                msg = (
                    f"{sharing_it} ranks of a node would share a GPU, and NCCL wants one for each: start fewer, "
                    "give backend='numpy', or set XW2V_GPU_RANKS=mpi, which is slower"
                )
                raise ConfigError(msg)
            changes["device"] = device
        here = config.replace(**changes)
        return here, get_backend(here.backend, device=here.device, tf32=here.tf32)

    return ranks.together(prepared)


def _own_device(first: int, gpus: list[str], ranks: MpiRanks) -> int:
    """The number of this rank's GPU: ranks that see the same ones take one each, in order, from `first` on."""
    seen = ranks.texts(f"{ranks.leader} {gpus}")
    before = seen[: ranks.rank].count(seen[ranks.rank])
    return (first + before) % len(gpus) if gpus else first


@contextmanager
def encoded_once_a_node(
    ranks: MpiRanks,
    corpus: Any,
    folder: str | os.PathLike[str] | None,
    on_note: Callable[[str], None] | None = None,
    **how: Any,
) -> Iterator[EncodedCorpus]:
    """The corpus, encoded by the first rank of each node with the help of the others, and mapped by all.

    Ranks that see the folder and the corpus' files share the reading; see `xw2v.shared_encoding`.

    Parameters
    ----------
    corpus : as for `encode`, the same on every rank
    folder : path or None    where to keep it; on a file system that nodes share it is encoded once.
        None: in TMPDIR of each node, without a name once all have it open
    on_note : called by rank 0 with a line for a person, where the reading is shared
    how : other arguments of `encode`
    """
    from xw2v.shared_encoding import encoded_together
    from xw2v.text.encoding import EncodeOptions

    progress = how.pop("progress", None) or None
    options = EncodeOptions(**how)
    note = None if ranks.rank else on_note
    # A folder that has a name may be the same one on all nodes: others look for the corpus when rank 0 is done.
    hosts = [ranks.leader] if folder is None else [0, ranks.leader or None]
    with ExitStack() as until_opened, ExitStack() as stack:
        if folder is None and ranks.local_rank == 0:
            folder = Path(tempfile.mkdtemp(prefix="xw2v-")) / "encoded"
            until_opened.callback(shutil.rmtree, folder.parent, ignore_errors=True)
        place = ranks.texts(str(folder))[ranks.leader]
        found = [encoded_together(ranks, host, corpus, place, options, progress, note) for host in hosts]
        mine = next((encoded for encoded in found if encoded is not None), None)

        def opened() -> EncodedCorpus:
            return mine or EncodedCorpus.open(place, check_ids=False)  # who wrote it has looked at them

        encoded = stack.enter_context(ranks.together(opened))
        if os.name == "posix":  # where what is open stays, and so nothing is left behind by ranks that are killed
            until_opened.close()
        yield encoded


class DistributedFitting(Fitting):
    """A `Fitting` of one rank; all ranks call the same methods. See `Fitting`.

    Parameters
    ----------
    ranks : MpiRanks
    arguments : as for `Fitting`; the corpus, options and backend are the same on every rank

    Raises
    ------
    ConfigError   they are not
    """

    def __init__(self, ranks: MpiRanks, *arguments: Any) -> None:
        self.ranks = ranks
        super().__init__(*arguments)
        self.engine_note += f"; {ranks.size} ranks"

    def run(
        self,
        checkpoints: Checkpoints | None = None,
        resume: bool | None = None,
        on_progress: Any = None,
        on_note: Any = None,
        on_epoch: Any = None,
    ) -> None:
        """See `Fitting.run`. Callbacks are called, and checkpoints written, on rank 0 alone.

        Raises
        ------
        KeyboardInterrupt   on all ranks, after Ctrl-C, SIGTERM or SIGHUP came to any of them
        """
        if self.ranks.rank:
            checkpoints = on_progress = on_note = None
        elif on_note is not None and self.ranks.size == 1:
            on_note("distributed, but there is one process: start several with mpiexec or srun")
        self._check_the_same()
        try:
            super().run(checkpoints, resume, on_progress, on_note, on_epoch)
        except BaseException:
            if self.ranks.settled:  # else all are about to be ended
                self.ranks.let_go()
            raise
        self.ranks.let_go()
        if isinstance(self.training, SharedTraining) and on_note is not None:
            averager = self.training.averager
            on_note(f"met {averager.meetings:,} times in {averager.seconds:.1f} s with {averager.bytes / 1e6:,.0f} MB")
        if self.training.stopped:
            raise KeyboardInterrupt

    def complaint(self) -> str | None:
        """See `Fitting.complaint`; on rank 0 alone."""
        return None if self.ranks.rank else super().complaint()

    def _check_the_same(self) -> None:
        """Refuse ranks that would train on different things."""
        here = self._identity()
        for name, value in (
            ("corpus", here["corpus"]),
            ("number of epochs before", here["first_epoch"]),
            ("options", {**here["config"], "workers": 0, "device": 0}),
            ("backend", self.backend.name),
            ("XW2V_GPU_RANKS", between_gpus() if self.backend.name == "cupy" else ""),
            ("engine", self.engine.name),
        ):
            told = list(map(json.loads, self.ranks.texts(json.dumps(value))))
            other = next((rank for rank, theirs in enumerate(told) if theirs != told[0]), None)
            if other is not None:
                first, theirs = _where_they_differ(told[0], told[other])
                msg = f"all ranks must have the same {name}; rank 0 has {first}, rank {other} has {theirs}"
                self.ranks.settled = True
                raise ConfigError(msg)

    def _prepare(self) -> tuple[Engine, str]:
        return self.ranks.together(super()._prepare)

    def _compile(self) -> None:
        self.ranks.in_turn(super()._compile)  # the others find it in the cache

    def _copies(self) -> int:
        return 1 if self.config.sync == "step" or self.ranks.size == 1 else 2  # as they were at the last meeting

    def _choose_engine(self, counts: np.ndarray) -> tuple[Engine, str]:
        if self.config.sync == "step":
            return SharedArrayEngine(self.config, counts, self.backend, self.ranks), "for sync='step'"
        return super()._choose_engine(counts)

    @contextmanager
    def _opened(self, checkpoints: Checkpoints | None) -> Iterator[None]:
        with ExitStack() as stack:
            self.ranks.together(lambda: stack.enter_context(super(DistributedFitting, self)._opened(checkpoints)))
            yield

    def _start(self, checkpoints: Checkpoints | None, resume: bool | None, on_note: Any) -> Position | None:
        """What rank 0 begins with, for all."""
        position = self.ranks.together(lambda: super(DistributedFitting, self)._start(checkpoints, resume, on_note))
        told = self.ranks.texts("" if position is None else _packed(position, self.history, self.ends.records))[0]
        if not told and self.learned is None:
            return None
        if told:
            position, history, ends = _unpacked(told)
            if self.ranks.rank:  # rank 0's lists are what its checkpoints are written from
                self.history, self.ends = history, EpochEnds(None, ends)
        tables = table_ranks(self.ranks, self.backend)
        for table in self.tables:
            tables.broadcast(table)
        return position

    def _training(self, **settings: Any) -> Training:
        corpus = self.corpus
        arguments = (self.tables, *corpus.stored, self.config, self.backend, self.engine)
        if self.config.sync == "step":
            self.training: Training = SteppedTraining(*arguments, ranks=self.ranks, **settings)
        else:
            counts = np.asarray(corpus.vocabulary.counts)
            self.training = SharedTraining(*arguments, counts=counts, ranks=self.ranks, **settings)
        return self.training


def _where_they_differ(*values: Any) -> list[str]:
    """The values as a person wants to see them; of dictionaries what is not the same in all."""
    if not all(isinstance(value, dict) for value in values):
        return list(map(repr, values))
    names = [name for name in values[0] if any(value.get(name) != values[0][name] for value in values)]
    return [", ".join(f"{name}={value.get(name)!r}" for name in names) for value in values]


def _packed(position: Position, history: list[Progress], ends: list[EpochEnd]) -> str:
    return json.dumps(
        [dataclasses.asdict(position), *(list(map(dataclasses.asdict, some)) for some in (history, ends))]
    )


def _unpacked(text: str) -> tuple[Position, list[Progress], list[EpochEnd]]:
    position, history, ends = json.loads(text)
    begun = tuple(Place(*place) for place in position.pop("begun"))
    return Position(**position, begun=begun), [Progress(**r) for r in history], [EpochEnd(**r) for r in ends]
