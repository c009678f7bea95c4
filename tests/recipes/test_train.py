"""What the trainer is told, and what it refuses."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

from .recipes import train


def options(tmp_path: Path, device: str = "cpu") -> argparse.Namespace:
    data = tmp_path / "data.yaml"
    data.write_text("names: {0: lesion}\n")
    start = tmp_path / "start.pt"
    start.write_bytes(b"weights")
    return argparse.Namespace(
        data=data,
        start=start,
        out=tmp_path / "run",
        architecture="yolo11n-seg",
        epochs=20,
        imgsz=320,
        batch=16,
        lr=0.001,
        mosaic=0.3,
        hard=0.0,
        seed=0,
        device=device,
        workers=8,
    )


@pytest.mark.parametrize("device", ["cpu", "0"])
def test_the_trainer_never_flips_upside_down_nor_squeezes_nor_recolours(tmp_path: Path, device: str) -> None:
    settings = train.overrides(options(tmp_path, device), tmp_path / "start.pt")
    assert settings["flipud"] == settings["shear"] == settings["perspective"] == 0
    assert settings["hsv_h"] == settings["hsv_s"] == settings["hsv_v"] == 0
    assert settings["degrees"] <= 10
    assert 0 < settings["close_mosaic"] < settings["epochs"]


def test_a_run_is_the_same_only_with_the_same_options_start_and_data(tmp_path: Path) -> None:
    given = options(tmp_path)
    before = train.recipe_of(given)
    assert train.recipe_of(given) == before
    for change in ({"seed": 1}, {"epochs": 21}, {"hard": 0.25}):
        assert train.recipe_of(argparse.Namespace(**{**vars(given), **change})) != before
    given.start.write_bytes(b"other weights")
    assert train.recipe_of(given) != before


def test_a_start_of_another_architecture_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("ultralytics", reason="needs the training environment (make train-env)")
    safetensors = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "other.safetensors"
    safetensors.save_file({"model.0.conv.weight": np.zeros((3, 3), np.float32)}, path)
    with pytest.raises(SystemExit, match="is no yolo11n-seg"):
        train.start_checkpoint(path, "yolo11n-seg", tmp_path)
