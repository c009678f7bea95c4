"""The precision of an engine is read from its layers, in the words of every version."""

from __future__ import annotations

import json

import pytest

from edge_us.errors import ModelError
from edge_us.finding import Unknown
from edge_us.inference.backend import Precision
from edge_us.tensorrt.readback import check_precision, precision_of, tensor_types
from tests.tensorrt_engines.fake import layers


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"Format/Datatype": "Row major linear FP16 format"}', "fp16"),
        ('{"Format/Datatype": "Thirty-two wide channel vectorized row major Int8 format."}', "int8"),
        ('{"Format/Datatype": "Float"}', "fp32"),
        ('{"Datatype": "Half"}', "fp16"),
        ('{"DataType": "Float", "Format": "Row major linear FP32 format (kLINEAR)"}', "fp32"),
        ("[ { Name: x, Datatype: BFloat16, Format: (NHWC) Channel major format }]", "bf16"),
    ],
)
def test_every_version_says_it_in_its_own_words(text: str, kind: str) -> None:
    assert tensor_types(text) == {kind: 1}


def test_indices_and_truth_values_are_no_precision() -> None:
    assert tensor_types('{"Datatype": "Int32"}, {"Datatype": "Bool"}, {"Datatype": "Int64"}') == {}


def test_names_of_layers_alone_say_nothing() -> None:
    found = precision_of(tensor_types(json.dumps({"Layers": ["/model.0/conv/Conv + PWN(Float)"]})))
    assert isinstance(found, Unknown)
    assert "does not say" in found.reason


@pytest.mark.parametrize(
    ("types", "precision"),
    [
        ({"fp32": 571}, Precision.FP32),
        ({"fp16": 536, "fp32": 42}, Precision.FP16),
        ({"fp32": 803, "int8": 352}, Precision.INT8),
        ({"fp16": 803, "int8": 352}, Precision.INT8),
    ],
)
def test_most_tensors_decide(types: dict[str, int], precision: Precision) -> None:
    assert precision_of(types) is precision


@pytest.mark.parametrize("types", [{"fp32": 90, "fp16": 10}, {"bf16": 10}, {"fp32": 99, "int8": 1}])
def test_a_mixture_is_named_and_never_guessed(types: dict[str, int]) -> None:
    found = precision_of(types)
    assert isinstance(found, Unknown)
    assert f"{min(types.values())} " in found.reason


def test_an_engine_of_another_precision_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match=r"lesion-fast was to be built in fp16, but .* is fp32"):
        check_precision(tensor_types(layers("Float")), Precision.FP16, "lesion-fast")
    with pytest.raises(ModelError, match="cannot be told"):
        check_precision({}, Precision.FP16, "lesion-fast")
    check_precision(tensor_types(layers("Half")), Precision.FP16, "lesion-fast")
