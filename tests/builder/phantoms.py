"""Drawn patients: enough of them for a calibration and a gate, small enough for a test."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge_us.phantom.render import render
from edge_us.phantom.spec import LesionKind, PhantomSpec
from tests.evaluate.cases import write_manifest

PATIENTS = 50


def write_patients(folder: Path) -> Path:
    """A manifest with `PATIENTS` in the split ``train`` and as many others in ``val``; all have a lesion.

    Each phantom frame stands for several patients: it is brighter or darker for each.
    """
    for name in ("images", "masks"):
        (folder / name).mkdir()
    rows = []
    spec = PhantomSpec(lesions=(LesionKind.BENIGN,), width=160, height=120, frames=70)
    frames = [frame for frame in render(spec) if len(frame.masks) == 1][-25:]
    for number in range(2 * PATIENTS):
        frame, gain = frames[number % len(frames)], 0.8 + 0.1 * (number // len(frames))
        picture = np.clip(frame.image * gain, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / "images" / f"{number}.png"), picture)
        cv2.imwrite(str(folder / "masks" / f"{number}.png"), frame.masks[0].astype(np.uint8) * 255)
        split = "train" if number < PATIENTS else "val"
        rows.append(f"drawn,images/{number}.png,masks/{number}.png,benign,,g{number},,{split}")
    return write_manifest(folder, rows)
