"""The precision that a built engine has: read back from its layers, because builders fall back without a word."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from edge_us.errors import ModelError
from edge_us.finding import Unknown
from edge_us.inference.backend import Precision

_WORDS = {"float": "fp32", "half": "fp16", "bfloat16": "bf16"}
_WORDS |= {kind: kind for kind in ("fp32", "fp16", "bf16", "int8", "fp8", "fp4")}
_FIELD = re.compile(r'"?(?:Format/)?Data ?type"?\s*:\s*"?([^",}\]]+)', re.IGNORECASE)
_WORD = re.compile(r"[a-z]+\d*", re.IGNORECASE)
_PRECISIONS = {"fp32": Precision.FP32, "fp16": Precision.FP16, "bf16": Precision.BF16}
FEWEST_TENSORS = 50
"""Below, an inspector sums the network up in a layer or two and tells nothing of what is within. The smallest shipped
network has 267."""
INT8_SHARE = 0.1
"""Of the tensors of a quantised network that are int8 at least: outputs of its convolutions and what follows the last
one are not. lesion-fast: 0.30."""


def tensor_types(layers: str) -> dict[str, int]:
    """How many tensors of an engine have which floating or quantised type.

    Parameters
    ----------
    layers : str
        The engine inspector's information, as JSON or in lines: ``"Format/Datatype": "Row major linear FP16 format"``
        before TensorRT 10, ``"Datatype": "Half"`` since. Indices and truth values are left out.
    """
    counts: Counter[str] = Counter()
    for text in _FIELD.findall(layers):
        kind = next((_WORDS[word] for word in map(str.lower, _WORD.findall(text)) if word in _WORDS), None)
        if kind is not None:
            counts[kind] += 1
    return dict(counts)


def precision_of(types: Mapping[str, int]) -> Precision | Unknown:
    """The precision that most of an engine computes in; input, output and a few sums may be wider."""
    total = sum(types.values())
    if total < FEWEST_TENSORS:
        return Unknown(f"the engine tells the types of {total} tensors only")
    if types.get("int8", 0) >= INT8_SHARE * total:
        return Precision.INT8
    most = max(types, key=lambda kind: types[kind])
    return _PRECISIONS.get(most, Unknown(f"most of its tensors are {most}"))


def check_precision(types: Mapping[str, int], wanted: Precision, what: str) -> Unknown | None:
    """Refuse an engine that does not have the precision that was asked for.

    Returns
    -------
    Unknown or None
        Why it cannot be told; the engine is then what its strongly typed network says, as far as anybody knows.

    Raises
    ------
    ModelError
        The builder made another one. One tensor of another type is enough where FP32 was asked for.
    """
    found = precision_of(types)
    if isinstance(found, Unknown):
        return found
    if found is not wanted or (wanted is Precision.FP32 and set(types) != {"fp32"}):
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(types.items()))
        raise ModelError(
            f"{what} was to be built in {wanted.value}, but the engine is not: its tensors are {told}",
            "Build another precision, and report it with the versions of TensorRT and driver.",
        )
    return None


def layers_of(trt: Any, engine: Any) -> str:
    """What the inspector tells of an engine's layers; empty where it tells nothing."""
    inspector = engine.create_engine_inspector()
    if inspector is None:
        return ""
    return str(inspector.get_engine_information(trt.LayerInformationFormat.JSON) or "")
