"""An engine is used where everything that it was built for is the same, and what differs is named."""

from __future__ import annotations

from typing import Any

import pytest

from edge_us.inference.backend import Precision
from edge_us.tensorrt.key import EngineKey, EngineOptions, difference

PLAIN = EngineOptions()
KEY = EngineKey(
    onnx_sha256="a" * 64,
    precision=Precision.FP16,
    module="tensorrt",
    version="10.3.0",
    platform="Linux-aarch64",
    gpu="Orin",
    compute_capability="8.7",
    driver="36.4.3",
    options=PLAIN,
)
OTHERS = {
    "onnx_sha256": "b" * 64,
    "precision": Precision.FP32,
    "module": "tensorrt_rtx",
    "version": "10.13.3.9",
    "platform": "Linux-x86_64",
    "gpu": "NVIDIA L4",
    "compute_capability": "8.9",
    "driver": "36.4.4",
}


def changed(**fields: Any) -> EngineKey:
    return KEY.model_copy(update=fields)


def test_an_equal_key_fits() -> None:
    assert difference(KEY, changed(), options=True) is None


@pytest.mark.parametrize("field", OTHERS)
def test_each_field_that_differs_is_named_with_both_values(field: str) -> None:
    found = difference(KEY, changed(**{field: OTHERS[field]}))
    assert found is not None
    assert found.field == field
    text = str(found)
    for value in (getattr(KEY, field), OTHERS[field]):
        assert (value.value if isinstance(value, Precision) else value[:12]) in text
    assert field.split("_")[0] in text


def test_every_field_is_compared() -> None:
    assert {*OTHERS, "options"} == set(EngineKey.model_fields)


def test_options_matter_to_whoever_builds_and_to_no_run() -> None:
    other = changed(options=EngineOptions(optimization_level=5))
    assert difference(other, KEY) is None
    found = difference(other, KEY, options=True)
    assert found is not None
    assert (found.field, found.built, found.here) == ("optimization_level", "5", "3")


@pytest.mark.parametrize(
    ("gpu", "capability", "fits"),
    [("NVIDIA L4", "8.9", True), ("RTX 5090", "12.0", True), ("Tesla T4", "7.5", False), ("odd", "none", False)],
)
def test_a_hardware_compatible_engine_fits_every_gpu_from_ampere_on(gpu: str, capability: str, fits: bool) -> None:
    built = changed(options=EngineOptions(hardware_compatible=True))
    here = changed(gpu=gpu, compute_capability=capability, driver="570.1")
    assert (difference(built, here) is None) == fits
    assert difference(KEY, here) is not None


@pytest.mark.parametrize(
    ("version", "fits"), [("10.3.0", True), ("10.13.3.9", True), ("10.2.9", False), ("11.0.0.1", False), ("odd", False)]
)
def test_a_version_compatible_engine_fits_later_versions_of_its_major(version: str, fits: bool) -> None:
    built = changed(options=EngineOptions(version_compatible=True))
    assert (difference(built, changed(version=version)) is None) == fits


def test_neither_compatibility_makes_another_platform_or_file_fit() -> None:
    built = changed(options=EngineOptions(hardware_compatible=True, version_compatible=True))
    assert difference(built, changed(platform="Linux-x86_64")) is not None
    assert difference(built, changed(onnx_sha256="b" * 64)) is not None
