"""The public names, what an import loads, and who imports whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import xw2v

PACKAGE = Path(xw2v.__file__).parent

# Who may import whom, a folder or top-level module each. `estimator` joins the three; `cli` stands on top.
ALLOWED = {
    "errors": set(),
    "uncached": set(),
    "caller": set(),
    "compiled": set(),
    "files": {"errors", "uncached"},
    "tensors": {"errors", "files", "parallel"},
    "config": {"errors"},
    "parallel": set(),
    "order": set(),
    "kernels": set(),
    "backend": {"backend", "compiled", "kernels", "errors", "gpu"},
    "gpu": set(),
    "losses": {"errors"},
    "gradcheck": {"errors"},
    "display": {"drawing", "screen"},
    "drawing": set(),
    "text": {"text", "caller", "display", "errors", "files", "order", "parallel"},
    "vectors": {
        "vectors",
        "backend",
        "caller",
        "display",
        "drawing",
        "errors",
        "files",
        "gensim_names",
        "order",
        "parallel",
        "tensors",
    },
    "training": {
        "training",
        "backend",
        "caller",
        "compiled",
        "config",
        "kernels",
        "losses",
        "errors",
        "files",
        "order",
        "parallel",
        "tensors",
    },
    "interrupts": set(),
    "distributed": {"backend", "config", "errors", "fitting", "gpu", "parallel", "shared_encoding", "text", "training"},
    "shared_encoding": {"errors", "parallel", "text", "training"},
    "fitting": {"text", "training", "backend", "config", "errors", "interrupts"},
    "preparation": {"backend", "config", "display", "distributed", "errors", "fitting", "text", "training"},
    "stored_model": {"config", "errors", "training", "vectors"},
    "estimator": {
        "caller",
        "config",
        "conventions",
        "errors",
        "fitting",
        "gensim_names",
        "losses",
        "preparation",
        "stored_model",
        "tensors",
        "text",
        "training",
        "vectors",
    },
    "conventions": {"errors", "vectors"},
    "gensim_names": {"errors"},
    "walk_loops": {"compiled", "training"},
    "graphs": {"caller", "errors", "files", "text"},
    "walks": {"display", "errors", "files", "graphs", "parallel", "training", "walk_loops"},
    "screen": {"drawing"},
}
TOP = {"cli", "__main__", "__init__"}  # may import everything


def test_public_names() -> None:
    assert set(xw2v.__all__) >= {
        "Word2Vec", "WordVectors", "EncodedCorpus", "check_gradient", "get_backend", "log_sigmoid", "log_softmax",
        "naive_softmax", "negative_sampling", "shared_negative_sampling", "sigmoid", "skipgram", "softmax",
    }  # fmt: skip
    assert sorted(xw2v.__all__) == list(xw2v.__all__)
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    imported = {alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported == set(xw2v.__all__)


def test_import_loads_nothing_heavy() -> None:
    heavy = ("cupy", "matplotlib", "mpi4py", "numba", "pyarrow", "typer", "rich")
    code = f"import sys, xw2v; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_training_on_an_encoded_corpus_does_without_arrow(tmp_path: Path) -> None:
    """It takes 40 MiB."""
    xw2v.encode([["a", "b", "c"]] * 20, tmp_path / "e").close()
    words = ["train", str(tmp_path / "e"), "-o", str(tmp_path / "m"), "--sample", "0", "--engine", "array"]
    code = f"import sys; from xw2v import cli; print(cli.main({words}), 'pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False"


def imports(path: Path) -> set[str]:
    """The first part below xw2v of every module that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = [node.module or ""]
            if names == ["xw2v"]:
                names = [f"xw2v.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("xw2v.")}
    return found


def test_imports_go_one_way() -> None:
    for path in PACKAGE.rglob("*.py"):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if part in TOP:
            continue
        assert part in ALLOWED, f"{part} is new: say what it may import"
        assert imports(path) <= ALLOWED[part], path


def test_no_pickle() -> None:
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "import pickle" not in text, path
        assert "allow_pickle=True" not in text, path


def test_an_error_is_one_line() -> None:
    """Also where it quotes a name that is more."""
    for name in xw2v.errors.__all__:
        error = getattr(xw2v.errors, name)("cannot read a\nb\u2028c")
        assert str(error) == "cannot read a b c"
        assert str(type(error)()) == ""


def test_only_the_command_line_prints_and_exits() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] in ("cli", "__main__.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in {"print", "input", "exit", "sys.exit"}, f"{path}:{node.lineno}"
