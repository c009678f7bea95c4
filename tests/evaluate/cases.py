"""Observations and manifests made by hand, with outcomes that can be computed on paper."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge_us.evaluate.manifest import Case
from edge_us.evaluate.matching import IOU_THRESHOLDS, Lesion
from edge_us.evaluate.observe import Observation

COLUMNS = "dataset,image,mask,label,patient,group,flags,split"


def observation(
    group: str,
    *,
    lesions: int = 1,
    hits: dict[float, int] | None = None,
    alarms: tuple[float, ...] = (),
    dice: float = 0.0,
    dataset: str = "set",
    label: str | None = None,
    malignancy: float = np.nan,
    share: float = 0.05,
) -> Observation:
    """One picture: ``hits`` maps a finding's score to the lesion that it hits at every IoU, ``alarms`` hit nothing."""
    found = [(score, lesion) for score, lesion in (hits or {}).items()] + [(score, -1) for score in alarms]
    found.sort(key=lambda each: -each[0])
    matches = np.tile(np.array([lesion for _, lesion in found], np.int64), (len(IOU_THRESHOLDS), 1))
    return Observation(
        case=Case(dataset, f"{group}.png", Path(), None, label or ("benign" if lesions else "normal"), group),
        size=(100, 100),
        lesions=tuple(Lesion((0, 0, 10, 10), share) for _ in range(lesions)),
        scores=np.array([score for score, _ in found], np.float64),
        boxes=np.zeros((len(found), 4)),
        matches=matches,
        dice=dice,
        iou=dice / (2 - dice),
        malignancy=np.full(len(found), malignancy),
    )


def write_manifest(folder: Path, rows: list[str], columns: str = COLUMNS) -> Path:
    """A manifest with the given rows."""
    path = folder / "manifest.csv"
    path.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    return path


def write_case(folder: Path, name: str, *, lesion: bool) -> None:
    """A dark picture with, if wanted, a bright disc and its mask."""
    (folder / "images").mkdir(exist_ok=True)
    (folder / "masks").mkdir(exist_ok=True)
    rng = np.random.default_rng(len(name))
    picture = rng.integers(60, 120, (120, 160), np.uint8)
    if lesion:
        mask = np.zeros((120, 160), np.uint8)
        cv2.circle(mask, (80, 60), 25, 255, -1)
        picture[mask > 0] //= 4
        cv2.imwrite(str(folder / "masks" / f"{name}.png"), mask)
    cv2.imwrite(str(folder / "images" / f"{name}.png"), picture)
