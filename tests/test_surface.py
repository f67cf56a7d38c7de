"""What the package may do at all: no code from data, nothing of the network at import, dependencies with bounds."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import xw2v

PACKAGE = Path(xw2v.__file__).parent
ROOT = PACKAGE.parent

# Modules that make objects or code of bytes.
_UNSAFE = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "yaml", "imp"}
_NETWORK = {"socket", "ssl", "http", "urllib", "ftplib", "requests", "httpx", "aiohttp"}


def modules() -> list[Path]:
    found = sorted(PACKAGE.rglob("*.py"))
    assert len(found) > 30
    return found


def imported(tree: ast.AST) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in names - {"urllib.parse"}}  # which takes addresses apart and opens none


def called(tree: ast.AST) -> set[str]:
    return {
        node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    } | {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_code_is_made_of_data(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not imported(tree) & _UNSAFE
    if path.relative_to(PACKAGE).as_posix() != "text/downloads.py":  # which is asked to download, and not at import
        assert not imported(tree) & _NETWORK
    assert not called(tree) & {"eval", "exec", "compile", "__import__", "np.load", "numpy.load", "os.system"}
    assert "allow_pickle=True" not in path.read_text(encoding="utf-8")


def test_the_rule_finds_what_it_looks_for() -> None:
    tree = ast.parse("import pickle as p\nfrom urllib.request import urlopen\neval('1')\nnp.load(f)")
    assert imported(tree) == {"pickle", "urllib"}
    assert {"eval", "np.load"} <= called(tree)


def test_an_import_needs_no_network() -> None:
    """Nothing is connected to and no name is looked up, nor by a small training."""
    code = """
import sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind"):
        raise AssertionError(f"{event} {arguments}")
sys.addaudithook(refuse)
import xw2v, xw2v.cli.app
from xw2v import Word2Vec
Word2Vec(vector_size=4, min_count=1, epochs=1, backend="numpy").fit([["a", "b"]] * 5)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_every_dependency_has_a_bound_and_a_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    reasons = readme[readme.index("## What it is built on") :]
    for dependency in project["dependencies"]:
        name = re.match(r"[\w-]+", dependency)
        assert name is not None
        assert ">=" in dependency, f"{dependency} has no lower bound"
        assert name[0] in reasons, f"README gives no reason for {name[0]}"
