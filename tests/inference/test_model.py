"""Models: shipped ones, a user's, and files that are none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_us.errors import MissingDependencyError, ModelError, UsageError
from edge_us.inference.backend import BackendName, Precision
from edge_us.inference.backends import Machine, choose_backend, open_backend, probe_machine
from edge_us.inference.decode import HeadLayout
from edge_us.inference.model import _layout, load_model
from edge_us.inference.registry import checked_file, list_models, verify_models
from edge_us.phantom.render import render
from edge_us.phantom.spec import PhantomSpec

PLAIN = Machine("aarch64", "2026.4", "1.31", frozenset({Precision.FP32}))
BF16 = Machine("x86_64", "2026.4", "1.31", frozenset({Precision.FP32, Precision.BF16}))


def test_every_shipped_model_is_what_the_manifest_says() -> None:
    assert list_models()
    assert {state for _, state in verify_models()} == {"ok"}
    for entry in list_models():
        model = load_model(entry.name)
        assert model.input_size == entry.input_size
        assert model.head is HeadLayout.RAW


def test_a_shipped_model_with_another_hash_is_refused(tmp_path: Path) -> None:
    entry = list_models()[0]
    changed = tmp_path / entry.path.name
    content = bytearray(entry.path.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    with pytest.raises(ModelError, match="is not the manifest's file"):
        checked_file(entry.name, replace(entry, path=changed), "model")
    assert checked_file(entry.name, entry, "model") == (entry.path, entry.sha256)


def test_the_default_is_a_shipped_model() -> None:
    assert load_model("default").name in {entry.name for entry in list_models()}


@pytest.mark.parametrize("content", [b"", b"no onnx at all", b"\x08\x07" + b"\xff" * 200])
def test_a_file_that_is_no_onnx_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.onnx cannot be read"):
        load_model(str(path))


def test_an_unknown_name_is_a_clear_error() -> None:
    with pytest.raises(ModelError, match="there is no model 'nonesuch'"):
        load_model("nonesuch")


def test_a_truncated_copy_of_a_shipped_model_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "half.onnx"
    path.write_bytes(load_model("default").path.read_bytes()[:100_000])
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(str(path))


@pytest.mark.parametrize(
    ("outputs", "classes", "expected"),
    [
        ([[1, 37, 2100], [1, 32, 80, 80]], 1, (HeadLayout.RAW, 1, 1)),
        ([[1, 116, 8400], [1, 32, 160, 160]], 80, (HeadLayout.RAW, 1, 80)),
        ([[1, 32, 160, 160], [1, 116, 8400]], None, (HeadLayout.RAW, 0, 80)),
        ([[1, 300, 38], [1, 32, 80, 80]], 2, (HeadLayout.END2END, 1, 2)),
    ],
)
def test_head_layouts_are_told_apart(
    outputs: list[list[int]], classes: int | None, expected: tuple[HeadLayout, int, int]
) -> None:
    assert _layout(Path("x.onnx"), outputs, classes) == expected


@pytest.mark.parametrize(
    ("outputs", "missing"),
    [
        ([[1, 84, 8400]], "no mask prototypes"),
        ([[1, 1000]], "no mask prototypes"),
        ([[1, 50, 8400], [1, 32, 160, 160]], "does not fit"),
        ([[1, "n", 38], [1, 32, 80, 80]], "dynamic size"),
    ],
)
def test_what_is_not_a_segmentation_head_is_named(outputs: list[list[object]], missing: str) -> None:
    with pytest.raises(ModelError, match=missing):
        _layout(Path("x.onnx"), outputs, 80)


def test_auto_takes_bf16_only_where_the_cpu_has_it() -> None:
    assert choose_backend(BF16, BackendName.AUTO, Precision.AUTO).precision is Precision.BF16
    choice = choose_backend(PLAIN, BackendName.AUTO, Precision.AUTO)
    assert (choice.name, choice.precision) == (BackendName.OPENVINO, Precision.FP32)
    assert any("no native bf16" in reason for reason in choice.reasons)


def test_without_openvino_auto_takes_onnx_runtime_and_says_why() -> None:
    choice = choose_backend(Machine("x86_64", None, "1.31", BF16.native), BackendName.AUTO, Precision.AUTO)
    assert choice.name is BackendName.ONNXRUNTIME
    assert "OpenVINO is not installed" in choice.reasons


def test_a_precision_that_cannot_be_had_is_an_error_and_never_another_precision() -> None:
    with pytest.raises(UsageError, match="no native bf16"):
        choose_backend(PLAIN, BackendName.OPENVINO, Precision.BF16)
    with pytest.raises(UsageError, match="not int8"):
        choose_backend(BF16, BackendName.OPENVINO, Precision.INT8)
    with pytest.raises(UsageError, match="fp32"):
        choose_backend(BF16, BackendName.ONNXRUNTIME, Precision.BF16)


def test_a_quantised_file_is_computed_in_int8_and_the_rest_in_the_fastest_float() -> None:
    for precision in (Precision.AUTO, Precision.INT8):
        for machine, rest in ((BF16, Precision.BF16), (PLAIN, Precision.FP32)):
            choice = choose_backend(machine, BackendName.OPENVINO, precision, Precision.INT8)
            assert (choice.precision, choice.floats) == (Precision.INT8, rest)
        other = choose_backend(BF16, BackendName.ONNXRUNTIME, precision, Precision.INT8)
        assert (other.precision, other.floats) == (Precision.INT8, Precision.FP32)
    for backend in (BackendName.OPENVINO, BackendName.ONNXRUNTIME):
        with pytest.raises(UsageError, match="computed in int8, not fp32"):
            choose_backend(BF16, backend, Precision.FP32, Precision.INT8)


def test_precision_int8_takes_the_shipped_int8_file_and_no_other_precision_does() -> None:
    entry = next(entry for entry in list_models() if entry.int8 is not None)
    assert entry.int8 is not None
    quantised = load_model(entry.name, Precision.INT8)
    assert (quantised.sha256, quantised.stored, quantised.name) == (entry.int8.sha256, Precision.INT8, entry.name)
    for precision in Precision:
        if precision is not Precision.INT8:
            assert load_model(entry.name, precision).sha256 == entry.sha256


def test_a_model_without_an_int8_file_says_how_to_make_one() -> None:
    entry = next(entry for entry in list_models() if entry.int8 is None)
    with pytest.raises(UsageError, match="not int8") as caught:
        open_backend(load_model(entry.name, Precision.INT8), BackendName.OPENVINO, Precision.INT8)
    assert "edge-us models build" in caught.value.hint


def test_without_any_backend_the_hint_says_what_to_install() -> None:
    with pytest.raises(MissingDependencyError) as caught:
        choose_backend(Machine("x86_64", None, None, PLAIN.native), BackendName.AUTO, Precision.AUTO)
    assert "pip install" in caught.value.hint


def test_backends_and_precisions_agree_on_the_same_picture() -> None:
    model = load_model("default")
    phantom = next(iter(render(PhantomSpec(width=model.input_size[0], height=model.input_size[1], frames=1))))
    picture = phantom.image
    reference = [head.copy() for head in open_backend(model, BackendName.ONNXRUNTIME).lanes[0].infer(picture)]
    heads = open_backend(model, BackendName.OPENVINO, Precision.FP32).lanes[0].infer(picture)
    for ours, theirs in zip(heads, reference, strict=True):
        assert np.abs(ours - theirs).max() < 0.02
    if Precision.BF16 not in probe_machine().native:
        pytest.skip("this CPU has no native bf16")
    heads = open_backend(model, BackendName.OPENVINO, Precision.BF16).lanes[0].infer(picture)
    assert np.abs(heads[0][0, 4] - reference[0][0, 4]).max() < 0.02
