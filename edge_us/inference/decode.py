"""Decode: raw heads of a YOLO segmentation network to boxes, scores and masks inside their boxes.

Nearly all of the work is avoided, not made faster: candidates are cut by score on the raw array, masks are
computed at prototype resolution and only where a surviving box lies, and only that crop is enlarged.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from edge_us.errors import PipelineError
from edge_us.frame import Rect
from edge_us.inference.letterbox import Letterbox

Array = NDArray[np.float32]

NMS_IOU = 0.5
"""Two boxes of one class that overlap more than this are one lesion. Lower than Ultralytics' 0.7, which is meant
for crowds of objects: lesions are few, and a doubled outline is a false alarm."""
MAX_CANDIDATES = 300
"""Best candidates that enter non-maximum suppression; more would be noise on one picture."""


class HeadLayout(str, Enum):
    """How the network's first output is laid out."""

    RAW = "raw"
    """``(1, 4 + classes + coefficients, anchors)``: centre, size, class scores (YOLOv8, 11, 26)."""
    END2END = "end2end"
    """``(1, detections, 6 + coefficients)``: corners, score, class; no suppression needed (YOLO26)."""


@dataclass(frozen=True, slots=True)
class RawDetections:
    """Surviving candidates in input px, best first: n rows each."""

    boxes: Array
    scores: Array
    classes: NDArray[np.int64]
    coefficients: Array


def select(
    head: Array,
    layout: HeadLayout,
    classes: int,
    floor: float,
    nms_iou: float = NMS_IOU,
    wanted: tuple[int, ...] | None = None,
) -> RawDetections:
    """Cut candidates by score, then suppress those that a better one of the same class overlaps.

    Parameters
    ----------
    head : ndarray of float32
        First output without the batch axis: ``(4 + classes + coefficients, anchors)`` or ``(detections, 6 + ...)``.
    layout : HeadLayout
    classes : int
        Number of classes.
    floor : float
        Lowest score that is kept.
    nms_iou : float
        Overlap from which the weaker of two boxes goes.
    wanted : tuple of int, optional
        Classes that count; the raw head's scores of others are not looked at, so that what is also like one of them
        keeps its score. Default all.

    Raises
    ------
    PipelineError
        Scores, boxes or coefficients are not numbers.
    """
    if layout is HeadLayout.END2END:
        _check_numbers(head)
        rows = head[head[:, 4] >= floor]
        if wanted is not None:
            rows = rows[np.isin(rows[:, 5].astype(np.int64), wanted)]
        rows = rows[np.argsort(-rows[:, 4], kind="stable")]
        return RawDetections(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64), rows[:, 6:])
    kept_classes = np.arange(classes) if wanted is None else np.array(wanted)
    best = head[4 + kept_classes[0]] if len(kept_classes) == 1 else head[4 + kept_classes].max(axis=0)
    _check_numbers(best)
    index = np.flatnonzero(best >= floor)
    index = index[np.argsort(-best[index], kind="stable")][:MAX_CANDIDATES]
    columns = head[:, index]
    labels = kept_classes[columns[4 + kept_classes].argmax(axis=0)].astype(np.int64)
    _check_numbers(columns)
    half = columns[2:4] / 2
    boxes = np.concatenate([columns[:2] - half, columns[:2] + half]).T
    kept = _suppress(boxes, labels, nms_iou)
    return RawDetections(boxes[kept], best[index][kept], labels[kept], columns[4 + classes :, kept].T)


def _check_numbers(values: Array) -> None:
    """Every comparison with NaN is false: unchecked, a network gone wrong would look like a picture without lesions."""
    if not np.isfinite(values).all():
        raise PipelineError("the network gave numbers that are none (NaN or infinite)", "Try another --precision.")


def _suppress(boxes: Array, labels: NDArray[np.int64], limit: float) -> NDArray[np.int64]:
    """Greedy non-maximum suppression within each class; boxes come best first."""
    count = len(boxes)
    if count < 2:
        return np.arange(count)
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    side = np.clip(high - low, 0, None)
    inner = side[..., 0] * side[..., 1]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    beats = inner > limit * (area[:, None] + area[None, :] - inner)
    beats &= labels[:, None] == labels[None, :]
    alive = np.ones(count, bool)
    for row in range(count):
        if alive[row]:
            alive[row + 1 :] &= ~beats[row, row + 1 :]
    return np.flatnonzero(alive)


@dataclass(frozen=True, slots=True)
class MaskWindow:
    """The part of the prototypes that one lesion's mask comes from.

    Attributes
    ----------
    cells : Rect
        In cells of the prototypes.
    pixels : Rect
        What the mask covers, in px of the frame.
    matrix : ndarray of float64, shape (2, 3)
        From px inside `pixels` to cells inside `cells`.
    """

    cells: Rect
    pixels: Rect
    matrix: NDArray[np.float64]


def mask_window(
    box: Array, prototypes: tuple[int, ...], letterbox: Letterbox, frame_size: tuple[int, int]
) -> MaskWindow | None:
    """Where the mask of a box comes from; None where the box holds no pixel.

    Parameters
    ----------
    box : ndarray of float32, shape (4,)
        In frame px, clipped to the frame.
    prototypes : (int, int)
        Height and width of the prototypes.
    letterbox : Letterbox
    frame_size : (int, int)
        Width and height of the frame.
    """
    # The pixels r with x1 <= r < x2, as Ultralytics crops its masks.
    x0, y0 = int(np.ceil(box[0])), int(np.ceil(box[1]))
    x1, y1 = min(int(np.ceil(box[2])), frame_size[0]), min(int(np.ceil(box[3])), frame_size[1])
    if x1 <= x0 or y1 <= y0:
        return None
    proto_height, proto_width = prototypes
    ratio = np.array([proto_width / letterbox.input_size[0], proto_height / letterbox.input_size[1]])
    scale = np.array(letterbox.scale) * ratio
    # Pixel centres: frame pixel x lies at x + 0.5, and prototype cell j covers j .. j + 1.
    origin = (np.array(letterbox.inner[:2]) - np.array(letterbox.region[:2]) * np.array(letterbox.scale)) * ratio
    low = np.floor((np.array([x0, y0]) + 0.5) * scale + origin - 0.5).astype(int)
    high = np.ceil((np.array([x1, y1]) - 0.5) * scale + origin - 0.5).astype(int) + 1
    low = np.clip(low, 0, [proto_width - 1, proto_height - 1])
    high = np.clip(high, low + 1, [proto_width, proto_height])
    shift = (np.array([x0, y0]) + 0.5) * scale + origin - 0.5 - low
    matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
    return MaskWindow(Rect(*low.tolist(), *(high - low).tolist()), Rect(x0, y0, x1 - x0, y1 - y0), matrix)


def mask_contour(
    box: Array,
    coefficients: Array,
    prototypes: Array,
    letterbox: Letterbox,
    frame_size: tuple[int, int],
    least_logit: float = 0.0,
) -> Array:
    """Contour of one lesion's mask in frame px.

    Parameters
    ----------
    box : ndarray of float32, shape (4,)
        In frame px, clipped to the frame.
    coefficients : ndarray of float32, shape (k,)
    prototypes : ndarray of float32, shape (k, height, width)
    letterbox : Letterbox
    frame_size : (int, int)
        Width and height of the frame.
    least_logit : float
        A pixel with more belongs to the lesion.

    Returns
    -------
    ndarray of float32, shape (n, 2)
        Centres of the outermost mask pixels, so that filling the polygon gives the mask back. The largest connected
        part only; empty where the mask has no pixel inside the box.
    """
    import cv2

    window = mask_window(box, prototypes.shape[1:], letterbox, frame_size)
    if window is None:
        return np.zeros((0, 2), np.float32)
    x, y, width, height = window.cells
    crop = prototypes[:, y : y + height, x : x + width]
    logits = (coefficients @ crop.reshape(len(crop), -1)).reshape(crop.shape[1:])
    _check_numbers(logits)
    enlarged = cv2.warpAffine(
        logits,
        window.matrix,
        (window.pixels.width, window.pixels.height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    mask = (np.asarray(enlarged) > least_logit).view(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=window.pixels[:2])
    if not contours:
        return np.zeros((0, 2), np.float32)
    largest = max(contours, key=cv2.contourArea) if len(contours) > 1 else contours[0]
    return np.asarray(largest, np.float32).reshape(-1, 2)
