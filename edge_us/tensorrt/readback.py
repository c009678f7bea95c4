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
    if not total:
        return Unknown("the engine does not say the types of its tensors")
    share = {kind: count / total for kind, count in types.items()}
    if share.get("int8", 0.0) >= INT8_SHARE:
        return Precision.INT8
    if share.get("fp16", 0.0) >= 0.5:
        return Precision.FP16
    if set(types) == {"fp32"}:
        return Precision.FP32
    return Unknown("its tensors are " + ", ".join(f"{count} {kind}" for kind, count in sorted(types.items())))


def check_precision(types: Mapping[str, int], wanted: Precision, what: str) -> None:
    """Refuse an engine that does not have the precision that was asked for.

    Raises
    ------
    ModelError
        The builder made another one, or nobody can say which.
    """
    found = precision_of(types)
    if found is not wanted:
        is_what = f"cannot be told: {found.reason}" if isinstance(found, Unknown) else f"is {found.value}"
        raise ModelError(
            f"{what} was to be built in {wanted.value}, but the precision of the engine {is_what}",
            "Build another precision, or report it with the versions of TensorRT and driver.",
        )


def layers_of(trt: Any, engine: Any) -> str:
    """What the inspector tells of an engine's layers; empty where it tells nothing."""
    inspector = engine.create_engine_inspector()
    if inspector is None:
        return ""
    return str(inspector.get_engine_information(trt.LayerInformationFormat.JSON) or "")
