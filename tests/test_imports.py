"""What the runtime imports, and what it never does; read from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import edge_us

ROOT = Path(edge_us.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
TELLING = {"openvino", "onnxruntime", "openvino_telemetry"}
UNPICKLING = {"pickle", "_pickle", "cPickle", "marshal", "shelve", "copyreg", "joblib", "dill", "cloudpickle", "torch"}
"""What runs code out of the files that it reads; torch.load among them."""
BY_NAME = {"__init__.py", "builder/packages.py", "tensorrt/api.py"}
"""Where modules are imported by names that are no constants: our own, those of the extra `build`, and TensorRT's."""


def imported(tree: ast.AST) -> Iterator[str]:
    """Full names of all modules, and of all that is taken out of them, anywhere in a source."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            name = node.args[0]
            yield str(name.value) if isinstance(name, ast.Constant) else "?"


def users(names: set[str]) -> set[str]:
    """The modules of ours that import a package of these."""
    return {
        str(path.relative_to(ROOT))
        for path in MODULES
        if names & {name.partition(".")[0] for name in imported(ast.parse(path.read_text()))}
    }


def unsafe_loads(tree: ast.AST) -> list[str]:
    """Calls of numpy's readers that would unpickle, or might."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "numpy":
            found += [f"from numpy import {alias.name}" for alias in node.names if alias.name in ("load", "*")]
        if isinstance(node, ast.Call):
            said = {word.arg: word.value for word in node.keywords}
            allowed = said.get("allow_pickle", ast.Constant(None))
            is_load = ast.unparse(node.func) in ("np.load", "numpy.load", "np.lib.format.read_array")
            is_safe = isinstance(allowed, ast.Constant) and allowed.value is False
            if not is_safe and (is_load or "allow_pickle" in said):
                found.append(ast.unparse(node))
    return found


def test_one_module_alone_imports_the_libraries_that_call_home() -> None:
    assert users(TELLING) == {"inference/libraries.py"}
    assert users({"?"}) == BY_NAME


def test_nothing_is_unpickled_while_running() -> None:
    assert users(UNPICKLING) == set()
    assert [call for path in MODULES for call in unsafe_loads(ast.parse(path.read_text()))] == []


@pytest.mark.parametrize(
    "source",
    [
        "np.load(path)",
        "numpy.load(path, allow_pickle=True)",
        "np.load(path, None, allow)",
        "read(path, allow_pickle=given)",
        "np.lib.format.read_array(file)",
        "from numpy import load",
    ],
)
def test_what_might_unpickle_is_seen(source: str) -> None:
    assert unsafe_loads(ast.parse(source))
    assert not unsafe_loads(ast.parse("np.load(path, allow_pickle=False)"))


@pytest.mark.parametrize(
    "source",
    ["import pickle as p", "from torch import load", "import_module('dill')", "def f():\n    import joblib.pool"],
)
def test_imports_are_seen_wherever_they_stand(source: str) -> None:
    assert {name.partition(".")[0] for name in imported(ast.parse(source))} & UNPICKLING
