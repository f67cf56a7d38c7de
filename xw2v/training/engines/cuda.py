"""The fused CUDA engine: `sgns.cu`, compiled by CuPy at first use, for each shape of groups anew.

With one block it equals the array engine at a step of one group without `max_update_norm`, up to float rounding.
With all of them the groups that are in flight at once read rows before the others have added to them. A row's
stale updates add up, so a group's step of a row is shortened to four times `max_update_norm` divided by the number
of rows of the word that the groups in flight are expected to hold.

With `tf32=True`, and where the chip can (compute capability 8.0), the products are taken on tensor cores: their factors
are rounded to ten bits of fraction, sums are float32 (what that costs: bench/README.md).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any, NamedTuple, Protocol

import numpy as np

from xw2v.backend import Backend
from xw2v.config import Config
from xw2v.errors import BackendError, ConfigError
from xw2v.kernels import Module, with_headers
from xw2v.training import batches
from xw2v.training.batches import Chunk
from xw2v.training.draws import Purpose, stream_key
from xw2v.training.engines import ChunkResult, Rate, Tables
from xw2v.training.sampling import alias_table, keep_probabilities, keep_thresholds, noise_probabilities

__all__ = ["LOSS_EVERY", "SLACK", "CudaEngine", "Kernels", "source", "update_bounds"]

Array = Any

LOSS_EVERY = 16  # groups, a power of two
_GROUP_NEGATIVES = 32  # with steps taken at once, fewer cost analogies (bench/README.md)
_MOST_GROUPS = 66  # in flight; with 100 and 132 SimLex-999 loses a hundredth (bench/README.md)
SLACK = 4  # steps of a row point different ways, their sum is shorter than they are (bench/README.md)
_THREADS = 256
_TRAIN_THREADS = 512  # `__launch_bounds__` of train_groups: with few groups in flight, each wants many threads
_TENSOR_CORES = 80  # the first compute capability that has TF32
_CLUSTERS = 90  # the first one whose blocks can form clusters
_FEW_COLUMNS = 128  # which tensor cores are done with before two blocks have told each other


class Tiles(NamedTuple):
    """What decides how much shared memory a group takes; `sgns/tiles.cuh` has the same numbers."""

    centers: int  # CENTER_TILE
    columns: int  # COLUMN_TILE
    width: int  # WIDTH_TILE
    pad: int  # PAD


_FLOAT32, _TF32 = Tiles(centers=8, columns=8, width=8, pad=4), Tiles(centers=16, columns=16, width=32, pad=4)


class Kernels(Protocol):
    """The kernels, and what the device offers."""

    multiprocessors: int
    shared_bytes: int  # most that a block may have
    tf32: bool  # products are taken on tensor cores
    clusters: bool  # several blocks can share a group

    def compile(self, shape: Sequence[int], cluster: int = 1) -> None:
        """For groups of this shape alone, `cluster` blocks each: see SHAPE and CLUSTER in `sgns.cu`."""
        ...

    def launch(self, name: str, grid: int, threads: int, shared_bytes: int, arguments: Sequence[Any]) -> None:
        """Start a kernel; arrays of the backend and NumPy scalars are its arguments."""
        ...


def source() -> str:
    """The text of `sgns.cu` with its headers in their places."""
    return with_headers("sgns.cu", files("xw2v.training.engines"))


def options(tf32: bool, shape: Sequence[int] = (), cluster: int = 1) -> tuple[str, ...]:
    """What NVRTC is told beside the architecture; without a shape the code is for any."""
    fixed = (f"-DSHAPE={','.join(map(str, shape))}",) if shape else ()
    return ("--std=c++17", f"-DTF32={tf32:d}", f"-DCLUSTER={cluster}", *fixed)


class CupyKernels:
    """Kernels on the current CuPy device.

    Parameters
    ----------
    tf32 : bool    take products on tensor cores, if there are any
    """

    def __init__(self, *, tf32: bool = False) -> None:
        import cupy

        device = cupy.cuda.Device()
        capability = int(device.compute_capability)
        self.tf32, self.clusters = tf32 and capability >= _TENSOR_CORES, capability >= _CLUSTERS
        attributes = device.attributes
        self.multiprocessors = int(attributes["MultiProcessorCount"])
        self.shared_bytes = int(attributes["MaxSharedMemoryPerBlockOptin"])
        self._module: Module | None = None

    def compile(self, shape: Sequence[int], cluster: int = 1) -> None:
        """See `Kernels.compile`.

        Raises
        ------
        BackendError   the source does not compile here
        """
        self._module = Module(source(), options(self.tf32, shape, cluster), shared_bytes=self.shared_bytes)
        try:
            self._module.compile()
        except Exception as error:
            text = " ".join(str(error).split())
            msg = f"engine 'cuda' could not compile its kernels: {text[:300]}; use engine='array'"
            raise BackendError(msg) from None

    def launch(self, name: str, grid: int, threads: int, shared_bytes: int, arguments: Sequence[Any]) -> None:
        """See `Kernels.launch`."""
        assert self._module is not None, "compile comes first"
        self._module.launch(name, grid, threads, shared_bytes, arguments)


class _Kept(NamedTuple):
    """What the kernels before `train_groups` work out; see `sgns.cu`."""

    ids: Array
    span: Array
    before: Array
    groups_before: Array
    noise_ids: Array
    totals: Array  # (2,) uint64: pairs, pairs whose loss was measured


class CudaEngine:
    """See the module.

    Parameters
    ----------
    blocks : int or None
        Groups in flight at once; None: with `batch_size` as many as have so many centres, else 66, and one a
        multiprocessor at most.
    cluster : int or None
        Blocks that share a group, each with its part of the columns: 1, 2 or 4. More than one want compute capability
        9.0, and as many multiprocessors a group. None: two where that leaves no group without its multiprocessors,
        and where it pays.
    kernels : Kernels or None
        None: of the backend's GPU.
    """

    name = "cuda"
    chunk_segments = 512
    chunks_an_epoch = 8

    def __init__(
        self,
        config: Config,
        counts: np.ndarray,
        backend: Backend,
        *,
        blocks: int | None = None,
        cluster: int | None = None,
        kernels: Kernels | None = None,
    ) -> None:
        self.config, self.backend = config, backend
        self.group_negatives = config.group_negatives or _GROUP_NEGATIVES
        self._kernels = kernels or CupyKernels(tf32=config.tf32)
        self.tf32, self.multiprocessors = self._kernels.tf32, self._kernels.multiprocessors
        self._tiles = _TF32 if self.tf32 else _FLOAT32
        wanted = _MOST_GROUPS if config.batch_size is None else max(1, config.batch_size // config.group_size)
        if cluster is None:
            enough = self._kernels.clusters and 2 * (blocks or wanted) <= self.multiprocessors
            cluster = 2 if enough and not (self.tf32 and config.vector_size <= _FEW_COLUMNS) else 1
        self.cluster = cluster
        self.tile = _tile(self._tiles, config, self.group_negatives, cluster, self._kernels.shared_bytes)
        self._bounded = config.max_update_norm is not None
        self._kernels.compile(
            (config.vector_size, config.window, config.group_size, self.group_negatives, self.tile, int(self._bounded)),
            cluster,
        )
        noise = noise_probabilities(counts, config.ns_exponent)
        table = alias_table(noise)
        self._keep_below = backend.from_host(keep_thresholds(counts, config.sample, config.subsampling))
        self._noise_below, self._noise_alias = backend.from_host(table.thresholds), backend.from_host(table.alias)
        kept = counts * keep_probabilities(counts, config.sample, config.subsampling)
        self._shares, self._noise = kept / kept.sum(), noise
        self.set_blocks(blocks or max(1, min(self.multiprocessors // cluster, wanted)))
        self._chunks: dict[tuple[int, int], Chunk] = {}
        self._source: np.ndarray | None = None
        self._room: int | None = None  # bytes for chunks that stay

    def set_blocks(self, blocks: int) -> None:
        """Have so many groups in flight, and bound the steps for it."""
        self.blocks = blocks
        bounds = update_bounds(self.config, self._shares, self._noise, self.group_negatives, blocks)
        self._bounds = Tables(*map(self.backend.from_host, bounds))

    def compile(self) -> None:
        """Nothing: the kernels were compiled, or fetched from CuPy's cache, when this was made."""

    def read_chunk(self, ids: np.ndarray, offsets: np.ndarray, start: int, stop: int) -> Chunk:
        """`batches.read_chunk` with arrays on the device; the upload may still be under way.

        Chunks stay there for the next epoch as long as they take less than half of what the tables left free.
        """
        if self._source is not ids:
            self._source = ids
            self._chunks.clear()
        if (start, stop) in self._chunks:
            return self._chunks[start, stop]
        backend, xp = self.backend, self.backend.xp
        segments = np.arange(0, stop - start, batches.SEGMENT)
        begins = np.concatenate([batches.sentence_begins(offsets, start, stop), segments]).astype(np.int32)
        with backend.beside():
            tokens = backend.from_host(np.asarray(ids[start:stop], dtype=np.int32))
            marks = xp.zeros(stop - start, dtype=xp.int32, device=backend.device)
            marks[backend.from_host(begins)] = 1
            chunk = Chunk(tokens, xp.cumulative_sum(marks, dtype=xp.int32), start)
        if self._room is None:  # now that the tables are there
            memory = backend.memory()
            self._room = sys.maxsize if memory is None else memory[0] // 2
        if 8 * (sum(stop - start for start, stop in self._chunks) + stop - start) < self._room:
            self._chunks[start, stop] = chunk
        return chunk

    def train_chunk(self, tables: Tables, chunk: Chunk, epoch: int, rate: Rate, skip: int = 0) -> ChunkResult:
        """See `Engine.train_chunk`."""
        return self.begin_chunk(tables, chunk, epoch, rate)()

    def begin_chunk(
        self, tables: Tables, chunk: Chunk, epoch: int, rate: Rate, skip: int = 0
    ) -> Callable[[], ChunkResult]:
        """See `AheadEngine.begin_chunk`. A chunk that another engine began is trained as a whole, again."""
        config, xp, R = self.config, self.backend.xp, len(chunk.ids)
        first, last = rate(0, 0), rate(R, 0)
        if first is None or last is None:
            return lambda: ChunkResult(0.0, 0, 0, 0)
        if isinstance(chunk.ids, np.ndarray):
            from_host = self.backend.from_host
            chunk = chunk._replace(ids=from_host(chunk.ids), sentences=from_host(chunk.sentences))
        kept = self._keep(chunk, epoch)
        segments = -(-R // batches.SEGMENT)
        loss = xp.zeros(1, dtype=xp.float64, device=self.backend.device)
        S = self.group_negatives
        self._kernels.launch(
            "train_groups", self.blocks * self.cluster, _TRAIN_THREADS,
            _shared_bytes(self._tiles, config, S, self.cluster, self.tile),
            (
                tables.center_vectors, tables.outside_vectors, np.int32(config.vector_size), *self._bounds,
                kept.ids, kept.span, kept.before, kept.groups_before, np.int64(segments), np.int32(batches.SEGMENT),
                kept.noise_ids, np.int32(config.window), np.int32(config.negative), np.int32(config.group_size),
                np.int32(S), np.int64(R), np.float64(first), np.float64(last), np.int32(self.tile),
                np.int32(self._bounded), np.int32(LOSS_EVERY), loss, kept.totals[1:],
            ),
        )  # fmt: skip
        counted = (loss, kept.totals, kept.before[segments:], kept.groups_before[segments:])
        fetched = [self.backend.read_later(array) for array in counted]

        def result(needed: Any = (chunk, kept)) -> ChunkResult:
            # The kernels read those arrays: they must not be freed before.
            (measured_loss,), (pairs, measured), (centers,), (groups,) = (fetch() for fetch in fetched)
            del needed
            return ChunkResult(
                float(measured_loss) * int(pairs) / max(int(measured), 1), int(pairs), int(centers), int(groups)
            )

        return result

    def scratch_bytes(self, V: int, D: int, tokens: int) -> int:
        """See `DeviceEngine.scratch_bytes`: of two chunks ids and sentences, what is kept of them, noise words."""
        return 2 * tokens * (28 + 4 * -(-self.group_negatives // self.config.group_size))

    def _keep(self, chunk: Chunk, epoch: int) -> _Kept:
        """Subsample a chunk, cut it into groups and draw their noise words."""
        config, backend, R, b = self.config, self.backend, len(chunk.ids), self.config.group_size
        segment, S = batches.SEGMENT, self.group_negatives
        segments = -(-R // segment)

        def empty(size: int, dtype: Any) -> Array:
            return backend.xp.empty(size, dtype=dtype, device=backend.device)

        xp = backend.xp
        ids, at, count = empty(R, xp.int32), empty(R, xp.int32), empty(segments, xp.int32)
        span = empty(R, xp.uint32)
        before, groups_before = empty(segments + 1, xp.int64), empty(segments + 1, xp.int64)
        noise_ids = empty(segments * -(-min(segment, R) // b) * S, xp.int32)
        totals = xp.zeros(2, dtype=xp.uint64, device=backend.device)
        scratch = 8 * (_THREADS + 1)
        launch = self._kernels.launch
        launch("keep_tokens", segments, _THREADS, scratch, (
            chunk.ids, chunk.sentences, np.int64(R), np.int64(chunk.start), np.int32(segment),
            np.uint64(stream_key(config.seed, Purpose.TOKEN, epoch)), self._keep_below, np.int32(config.window),
            np.int32(config.shrink_windows), ids, at, span, count, totals,
        ))  # fmt: skip
        launch("count_groups", 1, _THREADS, scratch, (count, np.int64(segments), np.int32(b), before, groups_before))
        launch("draw_noise", 4 * self._kernels.multiprocessors, _THREADS, 0, (
            groups_before, np.int64(segments), np.int32(segment), np.int64(chunk.start), at, np.int32(b), np.int32(S),
            np.uint64(stream_key(config.seed, Purpose.NOISE, epoch)), self._noise_below, self._noise_alias,
            np.int32(self._noise_below.shape[0]), noise_ids,
        ))  # fmt: skip
        return _Kept(ids, span, before, groups_before, noise_ids, totals)


def update_bounds(
    config: Config, shares: np.ndarray, noise: np.ndarray, group_negatives: int, blocks: int
) -> tuple[np.ndarray, np.ndarray]:
    """The longest step of each word's row of either table that one group may take.

    Parameters
    ----------
    shares, noise : (V,) float64 arrays    of the kept tokens; of the noise draws
    blocks : int                           groups in flight

    Returns
    -------
    (V,) float32 arrays: four times `max_update_norm` over the number of rows of the word that the groups in flight
    are expected to hold, at least one; infinite where `max_update_norm` is None
    """
    b, most = config.group_size, config.max_update_norm
    center = blocks * b * shares
    outside = blocks * ((b + 2 * config.window) * shares + group_negatives * noise)
    bounds = [
        np.full(len(shares), np.inf) if most is None else SLACK * most / np.maximum(rows, 1)
        for rows in (center, outside)
    ]
    return bounds[0].astype(np.float32), bounds[1].astype(np.float32)


def _up(n: int, to: int) -> int:
    return -(-n // to) * to


def block_columns(D: int, cluster: int) -> int:
    """How many columns of the tables each block of a cluster takes: `part` in sgns/group.cuh."""
    return D if cluster == 1 else _up(-(-D // cluster), 4)


def _shared_bytes(tiles: Tiles, config: Config, S: int, cluster: int, tile: int) -> int:
    """Shared memory of train_groups: `memory_of` in sgns/group.cuh, and two Members."""
    b, m = config.group_size, config.window
    centers, columns = _up(b, tiles.centers), _up(b + 2 * m, tiles.columns) + _up(S, tiles.columns)
    rows = centers + b + 2 * m + S + (2 * m if tile == block_columns(config.vector_size, cluster) else 0)
    slopes = centers * (columns + tiles.pad) + columns * (centers + tiles.pad)
    sent = 2 * cluster * centers * (columns + tiles.pad) if cluster > 1 else 0
    members = 2 * (6 * centers + 4 * columns + _up(2 * m + 1, 4))
    return 4 * (rows * (_up(tile, tiles.width) + tiles.pad) + slopes + centers + columns + sent + members)


def _tile(tiles: Tiles, config: Config, S: int, cluster: int, most: int) -> int:
    """How many columns of the tables a block holds at a time: all of its part if they fit.

    Raises
    ------
    ConfigError   not even four fit
    """

    def needed(tile: int) -> int:
        return _shared_bytes(tiles, config, S, cluster, tile)

    part = block_columns(config.vector_size, cluster)
    if needed(part) <= most:
        return part
    pieces = 2
    while (tile := _up(-(-part // pieces), 4)) > 4 and needed(tile) > most:
        pieces += 1
    if tile >= part or needed(tile) > most:
        msg = (
            f"group_size={config.group_size}, group_negatives={S} and window={config.window} need "
            f"{needed(4) >> 10} KiB of shared memory and more, the GPU has {most >> 10} KiB a "
            "block; lower them, or use engine='array'"
        )
        raise ConfigError(msg)
    return tile
