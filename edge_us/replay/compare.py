"""Whether two records of a frame say the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_us.replay.records import FindingRecord, FrameRecord


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two findings may be apart.

    Attributes
    ----------
    box_px : float
        Any edge of the box.
    mask_iou : float
        At least.
    score : float
        Of the detector; and of malignancy, which is looked at only where it is known twice.
    """

    box_px: float
    mask_iou: float
    score: float


LARGEST_SIDE_PX = 8192
EXACT = Tolerance(0.0, 1.0, 0.0)
"""The same backend in the same precision: every number as written."""
NEAR = Tolerance(2.0, 0.95, 0.02)
"""Another backend, precision or machine."""


def difference(one: FrameRecord, other: FrameRecord, tolerance: Tolerance) -> str | None:
    """The first thing in which two records of one frame differ, in words; None where there is none."""
    if tolerance == EXACT:
        if one == other:
            return None
        return _coarse(one, other) or _fine(one, other, tolerance) or "measurements, descriptors or readings differ"
    return _coarse(one, other) or _fine(one, other, tolerance)


def _coarse(one: FrameRecord, other: FrameRecord) -> str | None:
    for name in ("frame", "source_state", "ai_state", "exam", "result_frame", "pts_ns", "size"):
        before, now = getattr(one, name), getattr(other, name)
        if before != now:
            return f"{name} {getattr(before, 'value', before)} became {getattr(now, 'value', now)}"
    if len(one.findings) != len(other.findings):
        return f"{len(one.findings)} findings became {len(other.findings)}"
    return None


def _fine(one: FrameRecord, other: FrameRecord, tolerance: Tolerance) -> str | None:
    for number, (before, now) in enumerate(pairs(one.findings, other.findings), 1):
        who = f"track {before.track}" if before.track is not None else f"finding {number}"
        if (before.track, before.kind) != (now.track, now.kind):
            return f"{who} became track {now.track} ({now.kind.value})"
        apart = max(abs(a - b) for a, b in zip(before.box, now.box, strict=True))
        if apart > tolerance.box_px:
            return f"{who}: its box moved by {apart:.2f} px"
        if abs(before.score - now.score) > tolerance.score + 1e-9:
            return f"{who}: score {before.score:.4f} became {now.score:.4f}"
        overlap = mask_iou(before, now)
        if overlap < tolerance.mask_iou:
            return f"{who}: masks overlap by {overlap:.3f} (IoU)"
        if before.unseen != now.unseen and tolerance == EXACT:
            return f"{who}: unseen {before.unseen} became {now.unseen}"
    return None


def pairs(
    one: tuple[FindingRecord, ...], other: tuple[FindingRecord, ...]
) -> list[tuple[FindingRecord, FindingRecord]]:
    """Findings side by side: by track where all have one, else by overlap: scores that are close may change places."""
    if all(found.track is not None for found in (*one, *other)):
        order = {found.track: found for found in other}
        if set(order) == {found.track for found in one}:
            return [(found, order[found.track]) for found in one]
        return list(zip(one, other, strict=True))
    rest = list(other)
    result = []
    for found in one:
        best = max(rest, key=lambda each, to=found: _box_overlap(to, each))  # type: ignore[misc]
        rest.remove(best)
        result.append((found, best))
    return result


def _box_overlap(one: FindingRecord, other: FindingRecord) -> float:
    width = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    height = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    return max(width, 0.0) * max(height, 0.0)


def mask_iou(one: FindingRecord, other: FindingRecord) -> float:
    """Overlap of two filled contours, in whole pixels of a frame; 1 where both are empty."""
    import cv2

    # What a spoilt file says may lie anywhere: clipped, the masks stay as large as the largest screens.
    far = np.array(((-LARGEST_SIDE_PX,), (LARGEST_SIDE_PX,)))
    points = [np.array(found.contour, np.float64).reshape(-1, 2) for found in (one, other)]
    shapes = [np.rint(np.clip(each, *far)).astype(np.int32) for each in points]
    if not all(len(shape) for shape in shapes):
        return float(not any(len(shape) for shape in shapes))
    low = np.min([shape.min(axis=0) for shape in shapes], axis=0)
    high = np.max([shape.max(axis=0) for shape in shapes], axis=0)
    width, height = (int(side) for side in high - low + 1)
    masks: list[NDArray[np.uint8]] = []
    for shape in shapes:
        mask = np.zeros((height, width), np.uint8)
        cv2.fillPoly(mask, [shape - low], 1)
        masks.append(mask)
    return float((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum())
