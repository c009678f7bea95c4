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


def test_what_tells_no_types_or_a_few_is_unknown_and_no_mismatch() -> None:
    names = tensor_types(json.dumps({"Layers": ["/model.0/conv/Conv + PWN(Float)"]}))
    for types in (names, tensor_types(layers("Float", 4))):
        found = check_precision(types, Precision.FP16, "lesion-fast")
        assert isinstance(found, Unknown)
        assert f"the types of {sum(types.values())} tensors only" in found.reason


@pytest.mark.parametrize(
    ("types", "precision"),
    [
        ({"fp32": 571}, Precision.FP32),
        ({"fp16": 536, "fp32": 42}, Precision.FP16),
        ({"fp32": 803, "int8": 352}, Precision.INT8),
        ({"fp16": 803, "int8": 352}, Precision.INT8),
        ({"fp32": 99, "int8": 1}, Precision.FP32),
        ({"bf16": 90, "fp32": 10}, Precision.BF16),
    ],
)
def test_most_tensors_decide(types: dict[str, int], precision: Precision) -> None:
    assert precision_of(types) is precision


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        ({"fp32": 578}, Precision.FP16),
        ({"fp32": 500, "fp16": 78}, Precision.FP16),
        ({"fp16": 578}, Precision.INT8),
        ({"fp32": 570, "fp16": 1}, Precision.FP32),
        ({"bf16": 578}, Precision.FP16),
    ],
)
def test_an_engine_of_another_precision_is_refused_and_says_what_it_is(
    types: dict[str, int], wanted: Precision
) -> None:
    with pytest.raises(ModelError, match=f"lesion-fast was to be built in {wanted.value}") as caught:
        check_precision(types, wanted, "lesion-fast")
    assert all(f"{count} {kind}" in caught.value.message for kind, count in types.items())


def test_an_engine_as_it_was_asked_for_passes() -> None:
    assert check_precision(tensor_types(layers("Half")), Precision.FP16, "lesion-fast") is None
