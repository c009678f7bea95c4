"""Synthetic frames and findings for overlay tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_us.finding import AiState, Finding, FindingKind, FrameResult, SourceState
from edge_us.frame import LIMITED_BT601, Colorimetry, Frame, Geometry, PixelFormat
from edge_us.measure.axes import long_and_short_axis
from edge_us.measure.stage import Measure
from edge_us.overlay.picture import Hud, Picture

HUD = Hud(fps=59.9, dropped=0, skipped=3, model="yolo11n-seg")


def grey(width: int, height: int, level: int = 90, colorimetry: Colorimetry = LIMITED_BT601) -> Frame:
    """An even grey I420 frame of unknown scale."""
    pixels = np.full((height * 3 // 2, width), 128, np.uint8)
    pixels[:height] = level
    return Frame(pixels, PixelFormat.I420, width, height, 0, 0, 0, colorimetry, Geometry())


def ellipse(cx: float, cy: float, rx: float, ry: float, lobes: float = 0.0, turn: float = 0.0) -> NDArray[np.float32]:
    """An ellipse, turned by ``turn`` rad, with its radius modulated by ``lobes`` five times around."""
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    radius = 1 + lobes * np.cos(5 * angle)
    x, y = rx * radius * np.cos(angle), ry * radius * np.sin(angle)
    cos, sin = np.cos(turn), np.sin(turn)
    return np.stack((cx + x * cos - y * sin, cy + x * sin + y * cos), axis=1).astype(np.float32)


def found(contour: NDArray[np.float32], **changes: Any) -> Finding:
    """A lesion with the box of its contour."""
    (x1, y1), (x2, y2) = contour.min(axis=0), contour.max(axis=0)
    axes = long_and_short_axis(contour)
    values: dict[str, Any] = {"kind": FindingKind.LESION, "score": 0.87, "track": 1, "axes": axes} | changes
    return Finding(box=(float(x1), float(y1), float(x2) + 1, float(y2) + 1), contour=contour, **values)


def measured(frame: Frame, finding: Finding) -> Finding:
    """The finding as the measuring stage leaves it after four frames, its contour breathing by 4 %."""
    stage = Measure(stills=False)
    for number in range(4):
        each = replace(frame, index=number, pts_ns=number * 33_000_000)
        middle = finding.contour.mean(axis=0)
        moved = replace(
            finding, contour=middle + (finding.contour - middle) * np.float32((0.98, 1.02)[number % 2]), unseen=0
        )
        stage.apply(each, [moved], None, None)
    (last,) = stage.apply(replace(frame, index=4, pts_ns=133_000_000), [finding], None, None)
    return last


def shown(*findings: Finding, age_ms: float | None = 8.0, **changes: Any) -> FrameResult:
    """A result that is on, running, and of known age unless said otherwise."""
    values: dict[str, Any] = {"source_state": SourceState.RUNNING, "ai_state": AiState.ON} | changes
    shown_ns = None if age_ms is None else int(age_ms * 1e6)
    return FrameResult(0, 0, findings=findings, shown_ns=shown_ns, **values)


def inside(contour: NDArray[np.float32], width: int, height: int) -> NDArray[np.bool_]:
    """The lesion's own pixels, as the contour's fill."""
    import cv2

    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.rint(contour * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    return mask.astype(bool)


def luma(picture: Picture) -> NDArray[np.int16]:
    return picture.pixels[: picture.height].astype(np.int16)


def chroma(picture: Picture) -> NDArray[np.int16]:
    """U and V, shape (2, height / 2, width / 2)."""
    return picture.pixels[picture.height :].reshape(2, picture.height // 2, picture.width // 2).astype(np.int16)
