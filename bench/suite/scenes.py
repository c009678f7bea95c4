"""Inputs of the suite: frames, and network heads with a given number of lesions in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_us.finding import AiState, Finding, FindingKind, FrameResult, SourceState
from edge_us.frame import LIMITED_BT601, Frame, PixelFormat

SIZES = {"640x480": (640, 480), "800x600": (800, 600), "1280x720": (1280, 720), "1920x1080": (1920, 1080)}
Array = NDArray[np.float32]


def picture(size: tuple[int, int], pixel_format: PixelFormat = PixelFormat.I420) -> Frame:
    """A speckled frame."""
    width, height = size
    rng = np.random.default_rng(0)
    shape = {PixelFormat.GRAY8: (height, width), PixelFormat.BGR: (height, width, 3)}.get(
        pixel_format, (height * 3 // 2, width)
    )
    pixels = rng.integers(16, 235, shape, dtype=np.uint8)
    if pixel_format in (PixelFormat.I420, PixelFormat.NV12):
        pixels[height:] = 128
        return Frame(pixels, pixel_format, width, height, 0, 0, 0, LIMITED_BT601)
    return Frame(pixels, pixel_format, width, height, 0, 0, 0)


def lesion_boxes(count: int, side: float) -> Array:
    """Boxes (x1, y1, x2, y2) of lesions that lie apart in a square of this side; shape (count, 4)."""
    columns = max(1, int(np.ceil(np.sqrt(count))))
    cell = side / columns
    rows = [((number % columns) * cell, (number // columns) * cell) for number in range(count)]
    return np.array([[x + 0.2 * cell, y + 0.25 * cell, x + 0.8 * cell, y + 0.75 * cell] for x, y in rows], np.float32)


def heads(count: int, side: int, crowd: int = 12) -> tuple[Array, Array]:
    """Raw heads of a network of this input size with ``count`` lesions, each found by ``crowd`` anchors.

    Returns
    -------
    ndarray, shape (1, 37, anchors)
    ndarray, shape (1, 32, side / 4, side / 4)
        The first prototype is a round blob around each lesion, the others are noise.
    """
    rng = np.random.default_rng(1)
    anchors = sum((side // stride) ** 2 for stride in (8, 16, 32))
    head = np.zeros((37, anchors), np.float32)
    head[4] = rng.random(anchors) * 0.02
    places = rng.permutation(anchors)
    boxes = lesion_boxes(count, side)
    prototypes = (rng.standard_normal((32, side // 4, side // 4)) * 0.05).astype(np.float32)
    prototypes[0] = -3
    ys, xs = np.mgrid[: side // 4, : side // 4] * 4 + 2
    for number, (x1, y1, x2, y2) in enumerate(boxes):
        inside = ((xs - (x1 + x2) / 2) / (x2 - x1) * 2) ** 2 + ((ys - (y1 + y2) / 2) / (y2 - y1) * 2) ** 2 < 0.9
        prototypes[0][inside] = 3
        for column in places[number * crowd : (number + 1) * crowd]:
            shake = rng.normal(0, 1.5, 4)
            head[:4, column] = np.array([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]) + shake
            head[4, column] = 0.9 - 0.4 * rng.random()
            head[5, column] = 1
    return head[None], prototypes[None]


def shown(count: int, size: tuple[int, int]) -> FrameResult:
    """A result with so many tracked lesions in a picture of this size."""
    scale = np.array([size[0], size[1]] * 2) / 320
    turn = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    findings = []
    for number, box in enumerate(lesion_boxes(count, 320) * scale if count else ()):
        centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
        contour = (centre + half * 0.95 * np.stack([np.cos(turn), np.sin(turn)], 1)).astype(np.float32)
        corners = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
        findings.append(Finding(FindingKind.LESION, corners, 0.8, contour, track=number + 1, malignancy=0.3))
    return FrameResult(0, 0, SourceState.RUNNING, AiState.ON, tuple(findings), shown_ns=5_000_000)
