"""A corpus of twenty times the memory given is counted, encoded and trained on within it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.bench_large import write_text

ROOT = Path(__file__).resolve().parents[1]
MEMORY = 32  # MiB
BESIDE = 64  # MiB that libraries, their allocators and the vocabulary take, whatever the size of the text

STEPS = """
import json, sys
from bench.bench_large import watched
from xw2v import EncodedCorpus, Word2Vec, encode
text, folder = sys.argv[1:]
options = dict(vector_size=4, epochs=1, workers=2, sample=1e-5, backend="numpy")
Word2Vec(**options).fit([["a", "b"]] * 50)  # compiles what training needs
with watched() as encoding:
    encode(text, folder, memory="32M").close()
corpus = EncodedCorpus.open(folder)
with watched() as training:
    model = Word2Vec(**options).fit(corpus)
print(json.dumps({"words": corpus.raw_words, "distinct": len(corpus.vocabulary), "trained": model.history[-1].words,
                  "encoding": encoding["peak_mib"], "training": training["peak_mib"]}))
"""


def figures(text: Path, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", STEPS, str(text), str(folder)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.mark.slow
def test_twenty_times_the_memory(tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc to see how much memory is in use")
    words = 20 * MEMORY * 2**20 // 6 + 1_000_000
    write_text(tmp_path / "t.txt", words, head=20_000)
    assert (tmp_path / "t.txt").stat().st_size >= 20 * MEMORY * 2**20
    found = figures(tmp_path / "t.txt", tmp_path / "e")
    assert found["words"] == found["trained"] == words
    assert 20_000 <= found["distinct"] < 30_000
    assert found["encoding"] < MEMORY + BESIDE
    assert found["training"] < MEMORY + BESIDE
