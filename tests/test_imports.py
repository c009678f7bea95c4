"""What the runtime imports, and what it never does; read from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import edge_us

ROOT = Path(edge_us.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
TELLING = {"openvino", "onnxruntime", "openvino_telemetry"}
BY_NAME = {"__init__.py", "builder/packages.py"}
"""Where modules are imported by names that are no constants: our own, and those of the extra `build`."""


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


def test_one_module_alone_imports_the_libraries_that_call_home() -> None:
    assert users(TELLING) == {"inference/libraries.py"}
    assert users({"?"}) == BY_NAME
