"""Which names of TensorRT the project uses, found in its source, and in which versions they exist.

TensorRT's objects have no types that a checker knows, so they go by convention: a variable, or an attribute with or
without a leading underscore, of a name in `VARIABLES` holds such an object, and nothing else does in the modules that
are walked. `getattr(object, "NAME", default)` is how a name is used that not every version has.

``python -m tests.tensorrt_engines.walk tensorrt_api_names.json`` writes `names.json` anew, from the names that the real
bindings of each version have: ``{version: {"top_level": [...], "members": {class: [...]}}}``.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = Path(__file__).with_name("names.json")
MODULE = "tensorrt"
VARIABLES = {
    "trt": MODULE,
    "builder": "Builder",
    "definition": "INetworkDefinition",
    "parser": "OnnxParser",
    "parser_error": "ParserError",
    "settings": "IBuilderConfig",
    "timing_cache": "ITimingCache",
    "runtime": "Runtime",
    "engine": "ICudaEngine",
    "inspector": "EngineInspector",
    "context": "IExecutionContext",
}
OURS = frozenset({"log", "graph", "value"})
"""Parameters without a type that hold other things: our own logger, ONNX graphs, values of the key."""
PLAIN = frozenset(
    {
        "Builder.build_serialized_network",  # a buffer, read by `bytes`
        "ITimingCache.serialize",
        "EngineInspector.get_engine_information",
        "ICudaEngine.get_tensor_name",
        "ICudaEngine.get_tensor_shape",
        "ICudaEngine.get_tensor_dtype",
        "ICudaEngine.get_tensor_mode",
        "ParserError.desc",
        "ParserError.node",
        "ParserError.node_name",
        "ParserError.node_operator",
    }
)
"""Members that give numbers, texts and buffers: what they give need not go by convention."""


@dataclass
class Uses:
    """What was found; names as ``Class.member``, or as they stand in the module."""

    always: set[str] = field(default_factory=set)
    optional: set[str] = field(default_factory=set)
    doubts: list[str] = field(default_factory=list)
    """Places where an object of TensorRT gets lost to this walk."""


def walked() -> list[Path]:
    """Modules that may hold objects of TensorRT: those called after it, and those that import where they come from."""
    sources = sorted((REPOSITORY / "edge_us").rglob("*.py"))
    markers = ("edge_us.tensorrt.api", "edge_us.tensorrt.load", "edge_us.tensorrt.build ", "import tensorrt")
    named = [path for path in sources if "tensorrt" in str(path.relative_to(REPOSITORY))]
    importing = [path for path in sources if any(text in path.read_text(encoding="utf-8") for text in markers)]
    return sorted({*named, *importing})


def uses(texts: Iterable[str]) -> Uses:
    """The names that sources use."""
    found = Uses()
    for text in texts:
        _Walk(found).visit(ast.parse(text))
    return found


class _Walk(ast.NodeVisitor):
    def __init__(self, found: Uses) -> None:
        self._found = found

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._kind(node)
        owner = node.value
        if isinstance(owner, ast.Call) and (member := self._member(owner.func)) and member not in PLAIN:
            self._doubt(node, f"what {member} gives has no name")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr") and node.args:
            kind = self._kind(node.args[0])
            if kind is not None:
                name = node.args[1]
                if isinstance(name, ast.Constant):
                    self._found.optional.add(_named(kind, str(name.value)))
                else:
                    self._doubt(node, "the name that is asked for cannot be read")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        for call in ast.walk(node.value):
            if not isinstance(call, ast.Call):
                continue
            member = self._member(call.func)
            lost = [target for target in node.targets if self._kind(target) is None]
            if member is not None and member not in PLAIN and lost:
                self._doubt(node, f"what {member} gives is held in a variable that is not in VARIABLES")
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        for call in ast.walk(node.iter):
            if isinstance(call, ast.Call) and (member := self._member(call.func)) and member not in PLAIN:
                self._doubt(node, f"what {member} gives is gone through without a name")
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        untyped = {each.arg for each in arguments if each.annotation is None or ast.unparse(each.annotation) == "Any"}
        for part in ast.walk(node):
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
                name = part.value.id
                if name in untyped - {"self", "cls"} - VARIABLES.keys() - OURS:
                    self._doubt(part, f"{name} has no type and is not in VARIABLES or OURS")
        self.generic_visit(node)

    def _member(self, func: ast.expr) -> str | None:
        """``Class.member`` of what is called, where it is TensorRT's."""
        if not isinstance(func, ast.Attribute):
            return None
        kind = self._kind(func.value)
        return None if kind is None else _named(kind, func.attr)

    def _kind(self, node: ast.expr) -> str | None:
        """TensorRT's class of an expression, None where it is another's; notes what is used on the way."""
        if isinstance(node, ast.Name):
            return VARIABLES.get(node.id)
        if not isinstance(node, ast.Attribute):
            return None
        kind = self._kind(node.value)
        if kind is None:
            return VARIABLES.get(node.attr.lstrip("_"))
        if node.attr.startswith("__"):
            return None
        self._found.always.add(_named(kind, node.attr))
        return node.attr if kind == MODULE else None

    def _doubt(self, node: ast.AST, why: str) -> None:
        self._found.doubts.append(f"line {getattr(node, 'lineno', '?')}: {why}")


def _named(kind: str, name: str) -> str:
    return name if kind == MODULE else f"{kind}.{name}"


def versions_of(name: str, bindings: Mapping[str, Any]) -> list[str]:
    """The versions whose bindings have a name, oldest first."""
    owner, _, member = name.rpartition(".")
    ordered = sorted(bindings, key=lambda version: [int(part) for part in version.split(".")])
    return [
        version
        for version in ordered
        if member in (bindings[version]["members"].get(owner, ()) if owner else bindings[version]["top_level"])
    ]


def table(bindings: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in `names.json`."""
    found = uses(path.read_text(encoding="utf-8") for path in walked())
    names = {name: versions_of(name, bindings) for name in sorted(found.always | found.optional)}
    return {"versions": versions_of("Builder", bindings), "names": names}


if __name__ == "__main__":
    content = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    made = table(content)
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(there)}" for name, there in made["names"].items())
    text = f'{{\n "versions": {json.dumps(made["versions"])},\n "names": {{\n{lines}\n }}\n}}\n'
    NAMES.write_text(text, encoding="utf-8")
