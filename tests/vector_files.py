"""What the tests of vectors and their files share: odd words and numbers, damage done to files, gensim's vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from xw2v.errors import XW2VError
from xw2v.vectors.model_folder import save_model_folder
from xw2v.vectors.word_vectors import WordVectors

Floats = npt.NDArray[np.float32]
WORDS = ["the", "žluťoučký", "国王", "a\u00a0b", "🙂", "c,d\"e'", "#", "12", "nan"]
SPECIAL = [0.0, -0.0, 1e-45, -1e-38, 3.4028235e38, 0.1, 1 / 3, 1e16, 123456.79]
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def as_gensim(wv: WordVectors) -> Any:
    models = pytest.importorskip("gensim.models", reason="gensim is the reference here and is not installed")
    keyed = models.KeyedVectors(wv.vector_size)
    keyed.add_vectors(wv.index_to_key, np.array(wv.vectors))
    return keyed


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def some_vectors(V: int = len(WORDS), D: int = 5) -> Floats:
    vectors = np.random.default_rng(0).standard_normal((V, D)).astype(np.float32)
    vectors[: len(SPECIAL), 0] = SPECIAL[:V]
    return vectors


def words_and_vectors(alphabet: st.SearchStrategy[str], min_size: int) -> st.SearchStrategy[tuple[list[str], Floats]]:
    words = st.lists(st.text(alphabet, min_size=min_size, max_size=8), max_size=6, unique=True)
    number = st.floats(width=32, allow_nan=False, allow_infinity=False)

    def with_rows(names: list[str]) -> st.SearchStrategy[tuple[list[str], Floats]]:
        table = st.integers(1, 4).flatmap(
            lambda D: st.lists(st.lists(number, min_size=D, max_size=D), min_size=len(names), max_size=len(names)).map(
                lambda rows: np.array(rows, dtype=np.float32).reshape(len(names), D)
            )
        )
        return st.tuples(st.just(names), table)

    return words.flatmap(with_rows)


def assert_bits_equal(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> None:
    assert a.dtype == b.dtype == np.float32
    assert a.shape == b.shape
    assert a.tobytes() == b.tobytes()  # -0.0 and 0.0 differ here


def save_small(folder: Path, **tables: Floats) -> None:
    save_model_folder(folder, {"center_vectors": some_vectors(3), **tables}, ["a", "b", "c"], [3, 2, 1], {"x": 1})


def damaged(content: bytes) -> list[bytes]:
    """`content` cut at every length, and with every byte turned in two ways."""
    flipped = [
        content[:i] + bytes([content[i] ^ bit]) + content[i + 1 :] for i in range(len(content)) for bit in (1, 128)
    ]
    return [content[:length] for length in range(len(content))] + flipped


def only_clean_errors(attempts: list[Callable[[], object]]) -> tuple[int, int]:
    """How many attempts failed with one line of ours and how many passed; anything else is raised."""
    failed = 0
    for attempt in attempts:
        try:
            attempt()
        except XW2VError as error:
            failed += "\n" not in str(error)
    return failed, len(attempts) - failed
