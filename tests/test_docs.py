"""What the documentation prints works: examples in docstrings and README, and the names README promises."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import xw2v

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(xw2v.__file__).parent
MODULES = ["xw2v"] + [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.stem not in ("__init__", "__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_examples_in_readme() -> None:
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert result.attempted >= 5
    assert result.failed == 0


def test_tests_that_readme_names_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    names = re.findall(r"`(test_\w+)`", readme)
    assert len(names) >= 6
    for name in names:
        assert f"def {name}(" in tests, name


def test_functions_that_readme_names_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in re.findall(r"^\| \([a-f]\) \|.*?\| `(\w+)", readme, flags=re.MULTILINE):
        assert name in xw2v.__all__


def test_commands_for_ci_stand_in_readme() -> None:
    """`.ci/run` takes its two commands from here."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for mark in ("demo", "tests"):
        assert re.search(rf"<!-- {mark} -->\n```sh\npython3 -m venv .*\n```", readme)


@pytest.mark.parametrize("name", xw2v.__all__)
def test_every_public_name_has_an_example(name: str) -> None:
    assert ">>>" in (getattr(xw2v, name).__doc__ or "")


def test_the_package_leads_to_every_public_name() -> None:
    text = xw2v.__doc__ or ""
    for name in xw2v.__all__:
        assert re.search(rf"\b{name}\b", text), f"{name} is in no line of the package's docstring"
    for name in re.findall(r"\bwv\.(\w+)", text):
        assert hasattr(xw2v.WordVectors, name), name
    for name in re.findall(r"\bmodel\.(\w+)\(", text):
        assert hasattr(xw2v.Word2Vec, name), name


def test_options_are_in_the_help_of_whoever_takes_them() -> None:
    for owner in (xw2v.Word2Vec, xw2v.Config):
        text = owner.__doc__ or ""
        for name, default in xw2v.Config().to_dict().items():
            assert re.search(rf"(?m)^{name} : .*; by default {re.escape(repr(default))}$", text), (owner, name)
        assert text.index("Parameters\n----------\n") < text.index("Raises\n") < text.index("Examples\n")


def public_calls() -> list[tuple[str, object]]:
    """Public names, and the public methods of those that are classes."""
    found = []
    for name in xw2v.__all__:
        owner = getattr(xw2v, name)
        found.append((name, owner))
        if inspect.isclass(owner) and not issubclass(owner, Exception):
            members = [member for member in dir(owner) if not member.startswith("_")]
            found += [(f"{name}.{member}", getattr(owner, member)) for member in members]
    return [(name, call) for name, call in found if callable(call) and call is not xw2v.XW2VError]


@pytest.mark.parametrize(("name", "call"), [pytest.param(*case, id=case[0]) for case in public_calls()])
def test_what_may_be_left_out_is_described(name: str, call: Callable[..., object]) -> None:
    """Every parameter with a default is named in the docstring, but for those that scikit-learn alone gives."""
    text = inspect.getdoc(call)
    assert text
    for parameter in inspect.signature(call).parameters.values():
        if parameter.default is parameter.empty or parameter.name in ("y", "input_features"):
            continue
        assert parameter.name.startswith("_") or re.search(rf"\b{parameter.name}\b", text), parameter.name


def test_docstrings_may_be_left_out() -> None:
    code = "import xw2v; print(xw2v.Word2Vec(window=3), xw2v.Word2Vec.__doc__)"
    done = subprocess.run([sys.executable, "-OO", "-B", "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "Word2Vec(window=3) None\n"
