"""Means of several checkpoints, and networks that look at the mirror image, too. With the training environment only."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_us.inference.model import load_model
from tests.conftest import REPOSITORY

from .recipes import export

NEEDED = "needs the training environment (make train-env)"


def checkpoint(path: Path, seed: int, architecture: str = "yolo11n-seg") -> Path:
    torch: Any = pytest.importorskip("torch", reason=NEEDED)
    ultralytics: Any = pytest.importorskip("ultralytics", reason=NEEDED)
    torch.manual_seed(seed)
    ultralytics.YOLO(f"{architecture}.yaml", task="segment").save(path)
    return path


def test_the_mean_of_checkpoints_has_the_mean_weights(tmp_path: Path) -> None:
    parts = [checkpoint(tmp_path / f"{seed}.pt", seed) for seed in (1, 2)]
    export.write_mean(parts, tmp_path / "mean.pt")
    from ultralytics import YOLO

    first, second, mean = (YOLO(path).model.float().state_dict() for path in (*parts, tmp_path / "mean.pt"))
    key = "model.0.conv.weight"
    assert not np.allclose(first[key], second[key])
    assert np.allclose(mean[key], (first[key] + second[key]) / 2, atol=1e-3)  # checkpoints are stored in float16


def options(**given: object) -> argparse.Namespace:
    nothing = {"threshold": None, "mask_threshold": None, "classifier": None, "data_rights": None}
    return argparse.Namespace(**{**nothing, **given})


def test_a_file_brings_its_operating_point_and_classifier(tmp_path: Path) -> None:
    """Whatever was measured under a name can be measured again from a file that lies anywhere."""
    onnx: Any = pytest.importorskip("onnx")
    graph = onnx.load(REPOSITORY / "models" / "lesion-fast.onnx")
    onnx.helper.set_model_props(graph, {"description": "Ultralytics YOLO11n-seg model trained on /home/me/data.yaml"})
    export.set_metadata(graph, None)
    assert [entry.value for entry in graph.metadata_props if entry.key == "description"] == [
        "Ultralytics YOLO11n-seg model"
    ]
    onnx.save(graph, tmp_path / "bare.onnx")
    bare = load_model(str(tmp_path / "bare.onnx"))
    assert (bare.threshold, bare.mask_threshold, bare.classifier, bare.is_grey) == (0.25, 0.5, None, False)
    told = options(threshold=0.31, mask_threshold=0.42, classifier="lesion-malignancy", data_rights="research use")
    export.set_metadata(graph, export.brought(told))
    onnx.save(graph, tmp_path / "told.onnx")
    model = load_model(str(tmp_path / "told.onnx"))
    assert (model.threshold, model.mask_threshold, model.classifier) == (0.31, 0.42, "lesion-malignancy")
    assert (model.is_grey, model.licence, model.data_rights) == (True, "AGPL-3.0", "research use")
    assert model.classes == bare.classes


@pytest.mark.parametrize("path", sorted((REPOSITORY / "models").glob("*.onnx")), ids=lambda path: path.stem)
def test_a_shipped_file_does_not_name_the_folder_that_it_was_made_in(path: Path) -> None:
    onnx: Any = pytest.importorskip("onnx")
    said = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert "trained on" not in said.get("description", "")
    assert b"/data.yaml" not in path.read_bytes()


def test_what_a_file_cannot_bring_is_refused() -> None:
    assert export.brought(options()) is None
    for given, said in (
        ({"classifier": "lesion-malignancy"}, "need --threshold"),
        ({"threshold": 1.0}, "--threshold 1 is not between"),
        ({"threshold": 0.2, "mask_threshold": 0.0}, "--mask-threshold 0 is not between"),
        ({"threshold": 0.2, "classifier": "absent"}, "there is no classifier 'absent'"),
    ):
        with pytest.raises(SystemExit, match=said):
            export.brought(options(**given))


def test_an_exported_file_brings_what_it_was_told(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "a.pt", 1)
    for mirror in (False, True):
        told = export.brought(options(threshold=0.31))
        export.export([path], tmp_path / "told.onnx", (64, 96), mirror=mirror, brings=told)
        model = load_model(str(tmp_path / "told.onnx"))
        assert (model.threshold, model.is_grey, model.input_size) == (0.31, True, (96, 64))


def test_checkpoints_of_two_architectures_have_no_mean(tmp_path: Path) -> None:
    parts = [checkpoint(tmp_path / "a.pt", 1), checkpoint(tmp_path / "b.pt", 1, "yolov8n-seg")]
    with pytest.raises(SystemExit, match="another architecture"):
        export.write_mean(parts, tmp_path / "mean.pt")


def test_a_mirrored_network_gives_mirrored_answers_to_mirrored_pictures(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "a.pt", 1)
    onnxruntime: Any = pytest.importorskip("onnxruntime")
    export.export([path], tmp_path / "plain.onnx", (64, 96))
    export.export([path], tmp_path / "mirror.onnx", (64, 96), mirror=True)
    picture = np.random.default_rng(0).random((1, 3, 64, 96), np.float32)

    def answers(name: str, given: Any) -> Any:
        return onnxruntime.InferenceSession(tmp_path / name).run(None, {"images": given})

    def masks(answer: Any, anchor: int) -> Any:
        head, prototypes = answer
        return np.tensordot(head[0, -prototypes.shape[1] :, anchor], prototypes[0], 1)

    plain, turned = answers("plain.onnx", picture), answers("plain.onnx", picture[..., ::-1].copy())
    both, both_turned = answers("mirror.onnx", picture), answers("mirror.onnx", picture[..., ::-1].copy())
    # Anchor 3 of the first row (12 columns of stride 8) lies opposite of anchor 8.
    assert both[0][0, 4, 3] == pytest.approx((plain[0][0, 4, 3] + turned[0][0, 4, 8]) / 2, abs=1e-5)
    assert both[0][0, 0, 3] == pytest.approx((plain[0][0, 0, 3] + 96 - turned[0][0, 0, 8]) / 2, abs=1e-3)
    assert np.allclose(masks(both, 3), (masks(plain, 3) + masks(turned, 8)[:, ::-1]) / 2, atol=1e-4)
    assert np.allclose(masks(both, 3), masks(both_turned, 8)[:, ::-1], atol=1e-4)
