from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xw2v import cli
from xw2v.errors import ConfigError
from xw2v.text import encode
from xw2v.text.memory import memory_bytes, shares


@pytest.mark.parametrize(
    ("memory", "wanted"),
    [("32M", 32 << 20), (64 << 20, 64 << 20), ("1G", 1 << 30), ("1.5 GiB", 3 << 29), ("2gb", 2 << 30), ("1t", 1 << 40),
     ("100000k", 102_400_000), ("33554432", 32 << 20), (np.int64(64 << 20), 64 << 20),
     pytest.param("9" * 400, 10**400 - 1, id="huge")],
)  # fmt: skip
def test_sizes(memory: Any, wanted: int) -> None:
    assert memory_bytes(memory) == wanted


@pytest.mark.parametrize("memory", ["", "31M", "G", "1 X", "-1G", 5, True, None, 1e9, "1G2"])
def test_what_is_no_size(memory: Any) -> None:
    with pytest.raises(ConfigError, match="memory must be a size of at least 32M, such as 512M or 2G, got"):
        memory_bytes(memory)


@pytest.mark.parametrize("workers", [1, 2, 8, 64])
@pytest.mark.parametrize("memory", [32 << 20, 1 << 30, 1 << 40])
def test_shares_stay_within(memory: int, workers: int) -> None:
    found = shares(memory, workers)
    assert 1 <= found.block * (workers + 1) <= memory // 2
    assert 1 <= found.words <= min(memory // 2, 1 << 30)
    assert 1 <= 500 * found.tokens <= memory // 2


def test_the_result_does_not_depend_on_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.txt").write_text("\n".join(f"a b{i % 7} c{i}" for i in range(20_000)))
    wanted = encode(tmp_path / "t.txt", min_count=1).fingerprint()
    assert encode(tmp_path / "t.txt", min_count=1, memory="32M").fingerprint() == wanted
    command = ["encode", str(tmp_path / "t.txt"), "-o", str(tmp_path / "e"), "--memory"]
    assert cli.main([*command, "1M"]) == 2
    assert "memory must be a size of at least 32M" in capsys.readouterr().err
    assert cli.main([*command, "40M", "--min-count", "1"]) == 0
    assert encode(tmp_path / "t.txt", tmp_path / "e", min_count=1).reused
