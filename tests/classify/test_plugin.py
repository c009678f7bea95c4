"""A site's own classifiers: what is refused, what is hidden, and what may be said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import edge_us
from edge_us.classify.choose import choose_classifier
from edge_us.classify.classifier import Classifier
from edge_us.classify.model import Task
from edge_us.classify.plugin import Assess, choose_plugin
from edge_us.errors import ModelError
from edge_us.finding import Assessment, FindingKind
from edge_us.inference.backend import BackendName, Precision
from edge_us.inference.backends import open_backend
from edge_us.inference.model import load_model
from edge_us.tracking.looks import Mean

CALIBRATION = {"site": "Our hospital", "temperature": 1.5, "threshold": 0.3, "patients": 80}


def network(path: Path, metadata: dict[str, str], logit: float = 2.0) -> str:
    """A classifier that always says the same."""
    import onnx
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("ReduceMean", ["crop"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "logit"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["out"]),
    ]
    constants = [
        helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]),
        helper.make_tensor("logit", TensorProto.FLOAT, [1], [logit]),
        helper.make_tensor("shape", TensorProto.INT64, [2], [1, 1]),
    ]
    crop = helper.make_tensor_value_info("crop", TensorProto.FLOAT, [1, 1, 32, 32])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 1])
    graph = helper.make_graph(nodes, "constant", [crop], [out], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, path)
    return str(path)


def calibrated(path: Path, task: Task = Task.NODE) -> str:
    return network(path, {"task": task.value, "origin": "patients", "calibration": json.dumps(CALIBRATION)})


def test_off_is_none_and_none_is_the_default() -> None:
    assert choose_plugin("off", Task.NODE) is None
    assert choose_plugin("off", Task.NODAL_RISK) is None


@pytest.mark.parametrize("task", [Task.NODE, Task.NODAL_RISK])
def test_what_was_never_calibrated_is_refused(task: Task, tmp_path: Path) -> None:
    path = network(tmp_path / "own.onnx", {"task": task.value, "origin": "patients"})
    with pytest.raises(ModelError, match="never calibrated"):
        choose_plugin(path, task)


def test_a_classifier_of_another_task_is_refused_everywhere(tmp_path: Path) -> None:
    path = calibrated(tmp_path / "node.onnx")
    with pytest.raises(ModelError, match="not for edge-us/nodal-risk"):
        choose_plugin(path, Task.NODAL_RISK)
    with pytest.raises(ModelError, match="not for malignancy"):
        choose_classifier(path, load_model("default"))
    with pytest.raises(ModelError, match="not for edge-us/node"):
        choose_plugin("lesion-malignancy", Task.NODE)
    with pytest.raises(ModelError, match="not known here"):
        choose_plugin(network(tmp_path / "x.onnx", {"task": "horoscope"}), Task.NODE)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"site": "", "temperature": 1, "threshold": 0.5}'])
def test_a_calibration_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    path = network(tmp_path / "own.onnx", {"task": Task.NODE.value, "calibration": text})
    with pytest.raises(ModelError, match="calibration"):
        choose_plugin(path, Task.NODE)


def test_a_sites_temperature_and_threshold_count(tmp_path: Path) -> None:
    found = choose_plugin(calibrated(tmp_path / "node.onnx"), Task.NODE)
    assert found is not None
    assert (found.calibrated_by, found.temperature, found.threshold) == ("Our hospital", 1.5, 0.3)
    backend = open_backend(found, BackendName.OPENVINO, Precision.FP32)
    said = Assess(Classifier(found, backend.lanes[0])).value(Mean(2.0, 3))
    backend.close()
    assert said.probability == pytest.approx(1 / (1 + 2.718281828 ** (-2.0 / 1.5)))
    assert said.is_suspicious


def test_what_was_trained_on_phantoms_never_calls_anything_suspicious() -> None:
    found = choose_plugin("node-phantom", Task.NODE)
    assert found is not None
    assert found.is_phantom
    said = Assess(Classifier(found, None)).value(Mean(50.0, 3))  # type: ignore[arg-type]
    assert said.probability > 0.99
    assert not said.is_suspicious
    assert "phantoms" in said.hidden


def test_nodal_risk_is_told_of_lesions_in_the_breast_by_a_calibrated_file_alone(tmp_path: Path) -> None:
    path = calibrated(tmp_path / "risk.onnx", Task.NODAL_RISK)
    source = "phantom:?lesion=benign&size=320x240&frames=90&seed=2"
    running = edge_us.run(source, nodal_risk=path, probe=False)
    said = [found.nodal_risk for _, result in running for found in result.findings if found.kind is FindingKind.LESION]
    assert any(isinstance(each, Assessment) and each.is_suspicious for each in said)
    assert running.report is not None
    assert running.report["plugins"][Task.NODAL_RISK.value]["calibrated_by"] == "Our hospital"
    assert running.report["latency_ms"]["stages"]["nodal risk"]["p50"] is not None
    plain = [found for _, result in edge_us.run(source, max_frames=80) for found in result.findings]
    assert plain
    assert {found.nodal_risk for found in plain} == {None}
