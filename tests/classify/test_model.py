"""Shipped classifiers, what is refused as one, and a whole run with one."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from typer.testing import CliRunner

from edge_us.classify.choose import choose_classifier
from edge_us.classify.classifier import Classifier
from edge_us.classify.model import load_classifier
from edge_us.cli.main import app
from edge_us.errors import ModelError
from edge_us.inference.backend import BackendName, Precision
from edge_us.inference.backends import open_backend
from edge_us.inference.model import load_model
from edge_us.inference.registry import list_classifiers, list_models
from edge_us.schema import schema_path


def test_every_shipped_detector_of_the_breast_names_a_shipped_classifier_of_the_same_data() -> None:
    rights = {entry.name: entry.data_rights for entry in list_classifiers()}
    assert rights
    for entry in list_models():
        if entry.finds_nodes:  # no classifier has seen lesions of the axilla
            assert entry.classifier is None
            continue
        assert entry.classifier is not None
        assert rights[entry.classifier] == entry.data_rights


@pytest.mark.parametrize("entry", list_classifiers(), ids=lambda entry: entry.name)
def test_a_shipped_classifier_gives_a_probability_and_backends_agree(entry: object) -> None:
    model = load_classifier(getattr(entry, "name"))  # noqa: B009
    picture = np.random.default_rng(0).integers(0, 255, (300, 400), dtype=np.uint8)
    logits = []
    for name in (BackendName.OPENVINO, BackendName.ONNXRUNTIME):
        backend = open_backend(model, name, Precision.FP32)
        classifier = Classifier(model, backend.lanes[0])
        logits.append(classifier.logit(picture, (100, 80, 220, 190), None))
        assert 0 < classifier.probability(logits[-1]) < 1
        backend.close()
    assert logits[0] == pytest.approx(logits[1], abs=1e-2)


def test_auto_takes_the_models_own_off_none_and_a_users_model_gets_none() -> None:
    model = load_model("default")
    found = choose_classifier("auto", model)
    assert found is not None
    assert found.name == model.classifier
    assert choose_classifier("off", model) is None
    assert choose_classifier("auto", load_model(str(model.path))) is None


def test_what_is_no_classifier_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no classifier"):
        load_classifier("nothing-of-that-name")
    with pytest.raises(ModelError, match="is not a classifier"):
        load_classifier(str(load_model("default").path))
    (tmp_path / "broken.onnx").write_bytes(b"not onnx")
    with pytest.raises(ModelError, match="cannot be read"):
        load_classifier(str(tmp_path / "broken.onnx"))


def test_a_run_shows_a_probability_on_stable_tracks_only_and_names_the_classifier(tmp_path: Path) -> None:
    out, report = tmp_path / "out.jsonl", tmp_path / "report.json"
    command = ["run", "phantom:?frames=90", "--findings", str(out), "--report", str(report), "--deterministic"]
    done = CliRunner().invoke(app, command)
    assert done.exception is None, done.output
    content = json.loads(report.read_text())
    jsonschema.validate(content, json.loads(schema_path("report-1").read_text()))
    assert content["classifier"]["name"] == load_model("default").classifier
    assert "classify" in content["latency_ms"]["stages"]
    findings = [found for line in out.read_text().splitlines() for found in json.loads(line)["findings"]]
    known = [found for found in findings if found["malignancy"] is not None]
    assert known
    assert all(0 <= found["malignancy"] <= 1 for found in known)
    waiting = [found for found in findings if found["malignancy"] is None]
    assert {found["malignancy_reason"] for found in waiting} == {"too few looks"}
    assert CliRunner().invoke(app, [*command, "--classifier", "off"]).exception is None
    reasons = {
        found["malignancy_reason"] for line in out.read_text().splitlines() for found in json.loads(line)["findings"]
    }
    assert reasons == {"the model has no classifier"}
