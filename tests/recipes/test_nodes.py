"""Nodes in the recipes: a data set of two classes, and how a site's classifier is calibrated, judged and described."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_us.classify.model import Task
from edge_us.evaluate.manifest import read_manifest
from edge_us.inference.registry import find_entry
from tests.conftest import REPOSITORY
from tests.evaluate.cases import write_case, write_manifest
from tests.recipes.recipes import prepare, prepare_nodes, train_nodes


def scored(groups: int, seed: int = 0) -> train_nodes.Scored:
    """Two cases a patient, told apart well."""
    rng = np.random.default_rng(seed)
    truth = rng.random(2 * groups) < 0.5
    return train_nodes.Scored(
        np.where(truth, 2.0, -2.0) + rng.normal(0, 2, 2 * groups), truth, np.arange(2 * groups) // 2
    )


ROWS = {
    "phantom nodes, other numbers than trained on": "phantom nodes",
    "phantom lesions": "phantom lesions",
    "real axilla, `train`": "axilla train",
    "real axilla, `val`": "axilla val",
    "real axilla, `test`": "axilla test",
    "breast, benign, `test`": "breast benign",
    "breast, malignant, `test`": "breast malignant",
    "breast, normal, `test`": "breast normal",
}


def test_the_axillas_card_says_what_was_measured_with_the_shipped_file() -> None:
    models = REPOSITORY / "models"
    text = (models / "cards" / "axilla-fast.md").read_text(encoding="utf-8")
    measured = json.loads((models / "metrics" / "axilla-fast-test.json").read_text())
    entry = find_entry("axilla")
    assert entry is not None
    assert (measured["model"]["sha256"], measured["threshold"]) == (entry.sha256, entry.threshold)
    assert set(measured["groups"]) == set(ROWS.values())
    for title, group in ROWS.items():
        counts = measured["groups"][group]
        numbers = [counts[name] for name in ("outlined", "found_as_node", "found_as_lesion", "pictures_with_a_node")]
        assert f"| {title} ({counts['pictures']}) | {' | '.join(map(str, numbers))} |" in text


def test_phantoms_make_a_manifest_as_a_site_has_it(tmp_path: Path) -> None:
    path = train_nodes.write_phantoms(tmp_path, 60)
    parts = {split: read_manifest(path, split).cases for split in ("train", "val", "test")}
    assert {split: len(cases) for split, cases in parts.items()} == {"train": 42, "val": 6, "test": 12}
    for cases in parts.values():
        assert {case.label for case in cases} == {"benign", "malignant"}
    groups = [{case.group for case in cases} for cases in parts.values()]
    assert len(set().union(*groups)) == sum(len(group) for group in groups)


def test_too_few_patients_give_no_calibration_and_the_card_says_so() -> None:
    assert train_nodes.calibrate(scored(train_nodes.LEAST_GROUPS - 1)) is None
    said = train_nodes.metadata(Task.NODE, "Our hospital", None, 49)
    assert "calibration" not in said
    assert "too few patients" in train_nodes.card(said, {"cases": 98}, None)


def test_enough_patients_give_a_temperature_and_a_threshold_that_the_file_carries() -> None:
    fitted = train_nodes.calibrate(scored(200))
    assert fitted is not None
    said = train_nodes.metadata(Task.NODAL_RISK, "Our hospital", fitted, 200)
    assert said["task"] == "edge-us/nodal-risk"
    own = json.loads(said["calibration"])
    assert (own["site"], own["temperature"], own["threshold"]) == ("Our hospital", *fitted)
    figures = train_nodes.judge(scored(200, seed=1), *fitted)
    assert figures["auc"]["value"] > 0.8
    low, high = figures["auc"]["ci95"]
    assert low < figures["auc"]["value"] < high
    assert figures["sensitivity"]["value"] == pytest.approx(train_nodes.SENSITIVITY, abs=0.08)


def test_a_file_of_phantoms_says_so_and_has_no_calibration() -> None:
    said = train_nodes.metadata(Task.NODE, None, (1.0, 0.5), 500)
    assert said["origin"] == "phantom"
    assert "calibration" not in said
    assert "says nothing about a person" in train_nodes.card(said, {}, None)


def test_the_axillas_data_set_has_two_classes_and_nothing_of_test(tmp_path: Path) -> None:
    rows = []
    for name, split, flags in (
        *(("a", "train", ""), ("b", "val", ""), ("c", "train", "axilla"), ("d", "test", "axilla"), ("e", "train", "")),
    ):
        write_case(tmp_path, name, lesion=name != "e")
        mask = "" if name == "e" else f"masks/{name}.png"
        rows.append(f"busi,images/{name}.png,{mask},{'normal' if name == 'e' else 'benign'},,{name},{flags},{split}")
    manifest = write_manifest(tmp_path, rows)
    prepare.prepare(manifest, tmp_path / "all", crops=0.0)
    writer = prepare_nodes.Writer(tmp_path / "nodes")
    prepare_nodes.take_breast(writer, tmp_path / "all", "train", 10, 10)
    prepare_nodes.take_axilla(writer, manifest)
    prepare_nodes.take_phantoms(writer, "train", 0, 2, 1)
    writer.finish(manifest)
    labels = {path.stem: path.read_text() for path in (tmp_path / "nodes" / "labels" / "train").glob("*.txt")}
    first = {name: {line.split()[0] for line in text.splitlines()} for name, text in labels.items()}
    assert first["images__a"] == first["phantom_lesion_0"] == {"0"}
    assert first["axilla__c"] == first["phantom_node_0"] == first["phantom_node_1"] == {"1"}
    assert first["images__e"] == set()
    lines = (tmp_path / "nodes" / "train.txt").read_text().splitlines()
    assert lines.count("./images/train/axilla__c.png") == prepare_nodes.AXILLA_DRAWS
    assert not any("axilla__d" in line for line in lines)
    assert "1: node" in (tmp_path / "nodes" / "data.yaml").read_text()
    made = prepare_nodes.phantom(0, is_node=True)
    written = cv2.imread(str(tmp_path / "nodes/images/train/phantom_node_0.png"), 0)
    assert written is not None
    assert np.array_equal(made.image, written)
