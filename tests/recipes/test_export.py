"""Means of several checkpoints, and networks that look at the mirror image, too. With the training environment only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
