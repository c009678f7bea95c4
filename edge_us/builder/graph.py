"""Reading, marking and writing ONNX graphs, and which of their operators are worth int8."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from edge_us.builder.packages import load_onnx
from edge_us.errors import ModelError

OPERATOR_OF_PAIRS = "QuantizeLinear"
SHAPES_ONLY = ("Transpose", "Reshape")
"""Operators that move numbers without changing them."""


def read_graph(path: Path) -> Any:
    """The ONNX model of a file.

    Raises
    ------
    ModelError
        It is not a whole ONNX model.
    MissingDependencyError
        ``onnx`` is not installed.
    """
    onnx = load_onnx()
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's, onnx's and the system's errors have no root in common
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(f"{path} is not a whole ONNX model: {first}", "Export or download it again.") from None
    return model


def write_graph(model: Any, path: Path, description: str, metadata: Mapping[str, str]) -> None:
    """Write an ONNX model with a description and further metadata; those of its source are kept.

    The source's own description may name folders of the machine that it was trained on: it is replaced.
    """
    onnx = load_onnx()
    entries = {entry.key: entry.value for entry in model.metadata_props if entry.key != "onnx.infer"}
    entries |= {"description": description, **metadata}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, entries)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def quantised_nodes(model: Any, operators: Collection[str], keep_float: Iterable[str] = ()) -> list[str]:
    """Names of the nodes that become int8, in the graph's order.

    Two parts of a YOLO head stay in float, found by their place in the graph, because names differ between exports: the
    convolution behind a softmax (DFL: it computes a mean of box distances, not a feature), and every operator that no
    convolution follows (boxes in px, the final concatenation of boxes and scores).

    Parameters
    ----------
    model : onnx.ModelProto
    operators : collection of str
        ONNX operators, among them ``Conv``.
    keep_float : iterable of str
        A node whose name contains one of these texts stays in float.

    Raises
    ------
    ModelError
        Nothing is left to quantise.
    """
    nodes = list(model.graph.node)
    producer = {output: node for node in nodes for output in node.output}
    means = {id(node) for node in nodes if node.op_type == "Conv" and _is_behind_softmax(node, producer)}
    wanted = {id(node) for node in nodes if node.op_type in operators and id(node) not in means}
    convolutions = [node for node in nodes if node.op_type == "Conv" and id(node) in wanted]
    before = _ancestors(convolutions, producer)
    texts = tuple(keep_float)
    chosen = [
        node.name
        for node in nodes
        if id(node) in wanted
        and (node.op_type == "Conv" or id(node) in before)
        and not any(text in node.name for text in texts)
    ]
    if not chosen:
        raise ModelError(
            f"the model has no operator to quantise (looked for {', '.join(operators)})",
            "Leave out --keep-float, or check that this is a float model.",
        )
    return chosen


def name_nodes(model: Any) -> None:
    """Give every node without a name one: quantisers choose by name."""
    for number, node in enumerate(model.graph.node):
        if not node.name:
            node.name = f"{node.op_type}_{number}"


def _is_behind_softmax(node: Any, producer: Mapping[str, Any]) -> bool:
    before = producer.get(node.input[0])
    while before is not None and before.op_type in SHAPES_ONLY:
        before = producer.get(before.input[0])
    return before is not None and before.op_type == "Softmax"


def _ancestors(nodes: Iterable[Any], producer: Mapping[str, Any]) -> set[int]:
    seen: set[int] = set()
    waiting = list(nodes)
    while waiting:
        for name in waiting.pop().input:
            before = producer.get(name)
            if before is not None and id(before) not in seen:
                seen.add(id(before))
                waiting.append(before)
    return seen
