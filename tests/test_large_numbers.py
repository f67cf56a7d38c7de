"""Numbers that do not fit 32 bits: tokens, places in a table, counts. Files are sparse, so that they cost no disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xw2v import WordVectors
from xw2v.backend import NumpyBackend
from xw2v.config import Config
from xw2v.text.vocabulary import Vocabulary
from xw2v.training.batches import read_chunk
from xw2v.training.draws import draw
from xw2v.training.engines import Tables, choose_engine
from xw2v.training.initial import initial_tables
from xw2v.training.sampling import alias_table, keep_probabilities, keep_thresholds, noise_probabilities
from xw2v.training.trainer import Training
from xw2v.training.walk import Position

NUMPY = NumpyBackend("a test")
CHUNK = 8 * 8192


def sparse(path: Path, dtype: Any, shape: tuple[int, ...]) -> Any:
    """Zeros in a file that takes no room until they are written."""
    try:
        return np.memmap(path, dtype=dtype, mode="w+", shape=shape)
    except OSError as error:
        pytest.skip(f"no sparse file of that size here: {error}")


@pytest.mark.parametrize("counter", [2**31, 2**32 + 1, 2**45, 2**62, 2**63 - 1])
def test_draws_of_large_counters(counter: int) -> None:
    """As arithmetic on integers without bounds has it."""
    key, mask = 12345, 2**64 - 1
    z = (key + (counter + 1) * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    z ^= z >> 31
    with np.errstate(over="ignore"):
        bits = draw(key, np.array([counter]))
    assert int(bits[0]) & mask == z


@pytest.mark.parametrize("engine", ["cpu", "array"])
def test_more_tokens_than_2_to_the_31(engine: str, tmp_path: Path) -> None:
    """The last chunk of a corpus of 2^31 + 65,536 tokens trains as its position says."""
    V, start = 50, 2**31
    n = start + CHUNK
    ids = sparse(tmp_path / "ids", np.int32, (n,))
    ids[start:] = np.random.default_rng(0).integers(0, V, CHUNK)
    offsets = np.concatenate([[0], np.arange(start, n + 1, 16)])
    chunk = read_chunk(ids, offsets, start, n)
    assert chunk.start == start
    assert len(np.unique(chunk.sentences)) == CHUNK // 16
    counts = np.full(V, n // V)
    config = Config(vector_size=8, epochs=1, workers=1, engine=engine, sample=0)
    made, _ = choose_engine(config, counts, NUMPY)
    tables = initial_tables(V, config, NUMPY)
    run = Training(tables, ids, offsets, config, NUMPY, made, position=Position(CHUNK, 0, start))
    (record,) = run
    assert record.words == record.total_words == n
    assert record.centers == CHUNK
    assert record.pairs > CHUNK
    assert np.isfinite(tables.center_vectors).all()
    assert tables.outside_vectors.any(axis=1).all()
    assert (run.position.epoch, run.position.start) == (1, 0)


@pytest.mark.parametrize("engine", ["cpu", "array"])
def test_tables_of_more_than_2_to_the_31_numbers(engine: str, tmp_path: Path) -> None:
    """Rows at the end of the table are trained, those where 32 bits would wrap round to are not."""
    D = 2**17
    V = 2**14 + 64
    tables = Tables(*(sparse(tmp_path / name, np.float32, (V, D)) for name in ("V", "U")))
    assert tables.center_vectors.size > 2**31
    last = np.arange(V - 32, V, dtype=np.int32)
    for table in tables:
        table[last] = 0.001
    ids = np.tile(last, 5)
    counts = np.zeros(V, np.int64)
    counts[last] = 10**12  # noise words, too, are drawn of the last rows (a count of 0 is taken for 1)
    config = Config(vector_size=D, epochs=1, workers=1, engine=engine, sample=0, alpha=0.1, ns_exponent=1.0)
    made, _ = choose_engine(config, counts, NUMPY)
    list(Training(tables, ids, np.array([0, len(ids)]), config, NUMPY, made))
    for table in tables:
        assert (table[last] != np.float32(0.001)).any(axis=1).all()
        for row in (*range(64), *range(V // 2 - 32, V // 2 + 32)):
            assert not table[row].any()


def test_counts_beyond_2_to_the_32() -> None:
    counts = np.array([2**50, 2**40, 2**33, 2**32, 5, 0])
    keep = keep_probabilities(counts, 1e-3)
    share = counts[0] / counts.sum()
    assert keep[0] == pytest.approx((np.sqrt(share / 1e-3) + 1) * 1e-3 / share)
    thresholds = keep_thresholds(counts, 1e-3)
    assert (thresholds >= 0).all()
    assert (thresholds <= 2**32).all()
    noise = noise_probabilities(counts, 0.75)
    assert noise.sum() == pytest.approx(1)
    assert noise[0] / noise[1] == pytest.approx(2**7.5)
    table = alias_table(noise)
    assert ((table.alias >= 0) & (table.alias < len(counts))).all()


def test_large_counts_survive_files(tmp_path: Path) -> None:
    counts = np.array([2**62, 2**33, 7])
    assert Vocabulary.from_json(Vocabulary(["a", "b", "c"], counts).to_json()).counts.tolist() == counts.tolist()
    WordVectors(["a", "b", "c"], np.eye(3), counts).save(tmp_path / "m")
    loaded = WordVectors.load(tmp_path / "m").counts
    assert loaded is not None
    assert loaded.tolist() == counts.tolist()
