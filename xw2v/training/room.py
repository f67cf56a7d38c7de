"""Whether a GPU has room for a run."""

from __future__ import annotations

from bisect import bisect_right

from xw2v.backend import Backend
from xw2v.config import Config
from xw2v.errors import BackendError
from xw2v.training.engines import DeviceEngine, Engine
from xw2v.training.walk import chunk_size

__all__ = ["check_memory"]

_LIBRARIES = 64 << 20  # bytes that a GPU's libraries take: cuBLAS wants 32 MiB on some


def check_memory(V: int, n: int, config: Config, backend: Backend, engine: Engine, *, copies: int = 1) -> None:
    """Refuse before training what a GPU has no room for.

    Parameters
    ----------
    V, n : int     words of the vocabulary, tokens of the corpus
    copies : int   how often both tables are there

    Raises
    ------
    BackendError   the tables and what training on them takes do not fit; the text says what would
    """
    # A host's free memory is no measure: caches are given back, and pages swapped.
    if backend.name == "numpy":
        return
    backend.free_memory()  # what runs before this one left behind
    memory = backend.memory()
    if memory is None:
        return
    D, tokens, free = config.vector_size, chunk_size(n, config, engine), memory[0]

    def wanted(V: int, D: int) -> int:
        scratch = engine.scratch_bytes(V, D, tokens) if isinstance(engine, DeviceEngine) else 0
        return 8 * copies * V * D + scratch + _LIBRARIES

    if wanted(V, D) <= free:
        return
    size = bisect_right(range(1, D), free, key=lambda D: wanted(V, D))
    words = bisect_right(range(1, V), free, key=lambda V: wanted(V, D))
    fitting = f"vector_size={size} or max_final_vocab={words}"
    if size == 0 or words == 0:
        fitting = "nothing: free memory on it, or give device= another GPU or backend='numpy'"
    msg = (
        f"two tables of {V:,} words x {D} take {8 * V * D / 2**30:.1f} GiB and training on them "
        f"{(wanted(V, D) - 8 * V * D) / 2**30:.1f}; device {backend.device} has {free / 2**30:.1f} of "
        f"{memory[1] / 2**30:.1f} GiB free; what fits: {fitting}"
    )
    raise BackendError(msg)
