"""Every shipped network in every precision through a real parser and builder, and files that none of them takes.

TensorRT for RTX builds without a GPU. What it says is about parsing, building and serialising; it is no result of
TensorRT.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_us.builder.graph import read_graph, write_graph
from edge_us.builder.int8 import CalibrationMethod, Int8Settings, Ranges, measure_ranges, quantise
from edge_us.builder.ranges import read_cache
from edge_us.classify.model import ClassifierModel, load_classifier
from edge_us.errors import MissingDependencyError, ModelError
from edge_us.inference.backend import Precision
from edge_us.inference.model import Model, load_model
from edge_us.inference.registry import list_classifiers, list_models
from edge_us.resources import data_root
from edge_us.tensorrt.api import Api
from edge_us.tensorrt.build import build_engine
from edge_us.tensorrt.cache import EngineState, key_for, read_engine, status
from edge_us.tensorrt.key import EngineOptions
from edge_us.tensorrt.prebuild import Prebuilt, prebuild
from edge_us.tensorrt.target import no_gpu
from tests.tensorrt_engines.rtx import rtx_api

DETECTORS = [entry.name for entry in list_models()]
CLASSIFIERS = [entry.name for entry in list_classifiers()]
QUICK = EngineOptions(optimization_level=0)
SIGNED = Int8Settings(CalibrationMethod.MINMAX, signed=True)


@pytest.fixture(scope="module")
def api() -> Api:
    return rtx_api()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engines")


def find(name: str) -> Model | ClassifierModel:
    return load_classifier(name) if name in CLASSIFIERS else load_model(name)


def build(network: Any, precision: Precision, api: Api, folder: Path, **more: Any) -> Prebuilt:
    return prebuild(network, precision, QUICK, folder=folder, api=api, target=no_gpu(), **more)


@pytest.mark.parametrize("name", [*DETECTORS, *CLASSIFIERS])
@pytest.mark.parametrize("precision", [Precision.FP32, Precision.FP16])
def test_a_shipped_network_becomes_an_engine_of_the_precision_that_was_asked_for(
    name: str, precision: Precision, api: Api, folder: Path
) -> None:
    network = find(name)
    made = build(network, precision, api, folder)
    assert made.is_new
    kind = precision.value
    assert made.record.tensors[kind] > 0.9 * sum(made.record.tensors.values())
    key = key_for(network, precision, api, no_gpu(), QUICK)
    assert status(network, key, folder, options=True).state is EngineState.READY
    assert not build(network, precision, api, folder).is_new


def ranges_of(network: Model) -> Ranges:
    shipped = data_root() / "calibration" / "int8" / f"{network.name}.json"
    if shipped.is_file():
        return read_cache(shipped).ranges
    width, height = network.input_size
    return measure_ranges(network, [np.random.default_rng(1).integers(0, 255, (height, width), np.uint8)], SIGNED)


@pytest.mark.parametrize("name", DETECTORS)  # classifiers are not quantised
def test_a_signed_int8_file_becomes_an_int8_engine(name: str, api: Api, tmp_path: Path) -> None:
    network = load_model(name)
    path = tmp_path / f"{name}-int8.onnx"
    write_graph(quantise(network, ranges_of(network), SIGNED), path, "for a test", {})
    made = build(replace(network, path=path, stored=Precision.INT8), Precision.INT8, api, tmp_path)
    assert made.record.tensors["int8"] > 0.2 * sum(made.record.tensors.values())


def test_the_cast_file_beside_the_engine_runs_like_its_source(api: Api, tmp_path: Path) -> None:
    source = load_model("lesion-fast")
    build(source, Precision.FP16, api, tmp_path)
    cast = load_model(str(tmp_path / "lesion-fast-fp16.onnx"))
    assert cast.stored is Precision.FP16
    for field in ("threshold", "mask_threshold", "is_grey", "classes", "classifier", "licence", "data_rights"):
        assert getattr(cast, field) == getattr(source, field), field


def test_options_that_differ_are_built_anew_and_a_run_takes_what_is_there(api: Api, tmp_path: Path) -> None:
    network = load_classifier("lesion-malignancy")
    build(network, Precision.FP32, api, tmp_path)
    again = prebuild(network, Precision.FP32, None, folder=tmp_path, api=api, target=no_gpu())
    assert not again.is_new
    other = EngineOptions(optimization_level=1, workspace_mb=64)
    changed = prebuild(network, Precision.FP32, other, folder=tmp_path, api=api, target=no_gpu())
    assert changed.is_new
    assert changed.record.key.options == other


def test_the_progress_of_a_build_never_goes_back(api: Api, tmp_path: Path) -> None:
    told: list[int] = []
    build(
        load_classifier("lesion-malignancy"),
        Precision.FP32,
        api,
        tmp_path,
        progress=lambda _, now, __: told.append(now),
    )
    assert len(told) > 5
    assert told == sorted(told)
    assert told[-1] <= 100


def test_ctrl_c_ends_a_build_and_leaves_no_engine(api: Api, tmp_path: Path) -> None:
    def interrupted(_: str, done: int, __: int) -> None:
        if done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(load_model("lesion-fast"), Precision.FP32, api, tmp_path, progress=interrupted)
    assert list(tmp_path.iterdir()) == []


def test_an_engine_of_another_precision_than_asked_for_is_not_kept(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A builder that quietly made float32 of what was to be float16."""
    network = load_classifier("lesion-malignancy")
    monkeypatch.setattr("edge_us.tensorrt.prebuild.source_file", lambda network, *_: network.path)
    with pytest.raises(ModelError, match=r"to be built in fp16, but the engine is not: its tensors are \d+ fp32$"):
        build(network, Precision.FP16, api, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_batch_of_any_size_becomes_one_picture(api: Api, tmp_path: Path) -> None:
    model = load_model("lesion-fast")
    graph = read_graph(model.path)
    dimension = graph.graph.input[0].type.tensor_type.shape.dim[0]
    dimension.ClearField("dim_value")
    dimension.dim_param = "batch"
    graph.graph.ClearField("value_info")
    onnx.save(graph, str(tmp_path / "any.onnx"))
    any_batch = load_model(str(tmp_path / "any.onnx"))
    build(any_batch, Precision.FP32, api, tmp_path / "engines")
    fixed = onnx.load(str(tmp_path / "engines" / "any-fp32.onnx"))
    assert fixed.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1
    data, _ = read_engine(any_batch, key_for(any_batch, Precision.FP32, api, no_gpu(), QUICK), tmp_path / "engines")
    assert data


def test_unsigned_activations_are_refused_by_the_node_with_the_way_out(api: Api, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"node \d+ \(QuantizeLinear .*zero point") as caught:
        build(load_model("lesion-fast", Precision.INT8), Precision.INT8, api, tmp_path)
    assert "--signed" in caught.value.hint


def _saved(path: Path, nodes: Iterable[Any], output: int = TensorProto.FLOAT) -> Path:
    shape = [1, 3, 8, 8]
    ends = [
        helper.make_tensor_value_info(name, kind, shape) for name, kind in (("x", TensorProto.FLOAT), ("y", output))
    ]
    graph = helper.make_graph(list(nodes), "g", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def test_an_operator_that_nobody_knows_is_named_with_its_node(api: Api, tmp_path: Path) -> None:
    path = _saved(tmp_path / "odd.onnx", [helper.make_node("Frobnicate", ["x"], ["y"], name="/head/odd")])
    with pytest.raises(ModelError, match=r"node 0 \(Frobnicate /head/odd\)"):
        build_engine(api, path, QUICK, has_driver=False)


def test_an_operator_whose_name_is_damaged_is_an_error_all_the_same(api: Api, tmp_path: Path) -> None:
    path = _saved(tmp_path / "odd.onnx", [helper.make_node("Frobnicate", ["x"], ["y"], name="/head/odd")])
    path.write_bytes(path.read_bytes().replace(b"Frobnicate", b"Frob\x9dicate"))
    with pytest.raises(ModelError, match=r"cannot take .*\(unreadable\)"):
        build_engine(api, path, QUICK, has_driver=False)


@pytest.mark.parametrize("spoil", ["missing", "empty", "text", "truncated", "flipped"])
def test_a_broken_file_is_a_clear_error(api: Api, tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "broken.onnx"
    shutil.copy(load_classifier("lesion-malignancy").path, path)
    content = path.read_bytes()
    if spoil == "missing":
        path.unlink()
    else:
        broken = {"empty": b"", "text": b"no model", "truncated": content[: len(content) // 2]}
        path.write_bytes(broken.get(spoil, bytes(255 - byte for byte in content[:2000]) + content[2000:]))
    with pytest.raises(ModelError, match=r"TensorRT for RTX .* cannot take .*broken\.onnx: \S+"):
        build_engine(api, path, QUICK, has_driver=False)


def test_without_the_extra_a_cast_says_what_to_install(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: str) -> Any:
        raise MissingDependencyError("building a model needs onnx, but onnx is not installed", "pip install …")

    monkeypatch.setattr("edge_us.builder.graph.load_onnx", missing)
    with pytest.raises(MissingDependencyError, match="needs onnx"):
        build(load_model("lesion-fast"), Precision.FP16, api, tmp_path)
    assert build(load_model("lesion-fast"), Precision.FP32, api, tmp_path).is_new
