"""The worst misses and the worst false alarms, as pictures with truth and findings drawn in."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_us.capture.images import read_image
from edge_us.evaluate.matching import box_iou
from edge_us.evaluate.observe import Observation, read_mask

LONG_SIDE_PX = 300
TRUTH, FOUND, ALARM = (90, 220, 90), (0, 220, 255), (60, 60, 255)
"""BGR colours: the mask's edge, findings, and the false alarm that the picture is about."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One picture of the page: a data URI and the line below it."""

    uri: str
    caption: str


def worst_misses(observations: Sequence[Observation], threshold: float, count: int = 10) -> list[Exhibit]:
    """The pictures with a missed lesion, lowest Dice first, among equals the largest missed lesion first."""
    missed = [(each, each.missed(threshold)) for each in observations if each.missed(threshold)]
    missed.sort(key=lambda one: (one[0].dice, -max(one[0].lesions[place].share for place in one[1]), one[0].case.name))
    return [Exhibit(_draw(each, threshold, None), _miss_caption(each, places)) for each, places in missed[:count]]


def worst_false_alarms(observations: Sequence[Observation], threshold: float, count: int = 10) -> list[Exhibit]:
    """The pictures whose strongest false alarm above the threshold has the highest score."""
    alarms = [
        (float(each.scores[index]), each, int(index))
        for each in observations
        for index in np.flatnonzero(~each.hits() & (each.scores >= threshold))[:1]
    ]
    alarms.sort(key=lambda alarm: (-alarm[0], alarm[1].case.name))
    return [
        Exhibit(_draw(each, threshold, index), _alarm_caption(each, score, index))
        for score, each, index in alarms[:count]
    ]


def _miss_caption(each: Observation, missed: Sequence[int]) -> str:
    best = each.scores[np.isin(each.matches[0], missed)].max(initial=0.0)
    found = f"best score on it {best:.2f}" if best > 0 else "no finding on it at any score"
    which = "" if len(each.lesions) == 1 else f"{len(missed)} of {len(each.lesions)} lesions missed, "
    return f"{each.case.name} ({each.case.label}): {which}Dice {each.dice:.2f}, {found}"


def _alarm_caption(each: Observation, score: float, index: int) -> str:
    where = "normal picture"
    if each.lesions:
        boxes = np.array([lesion.box for lesion in each.lesions])
        overlap = float(box_iou(each.boxes[index : index + 1], boxes).max())
        where = f"overlaps the lesion's box by IoU {overlap:.2f}" if overlap > 0 else "beside the lesion"
    return f"{each.case.name} ({each.case.label}): score {score:.2f}, {where}"


def _draw(each: Observation, threshold: float, alarm: int | None) -> str:
    """A JPEG data URI of one picture, at most `LONG_SIDE_PX` wide or high."""
    import cv2

    pixels = read_image(each.case.image)
    if pixels.ndim == 2:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), np.uint8)
    scale = LONG_SIDE_PX / max(each.size)
    size = (max(1, round(each.size[0] * scale)), max(1, round(each.size[1] * scale)))
    picture = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    mask = read_mask(each.case, each.size).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.polylines(picture, [np.rint(contour * scale).astype(np.int32) for contour in contours], True, TRUTH, 1)
    for index, (score, box) in enumerate(zip(each.scores, each.boxes, strict=True)):
        if score >= threshold:
            x1, y1, x2, y2 = (round(float(side) * scale) for side in box)
            cv2.rectangle(picture, (x1, y1), (x2, y2), ALARM if index == alarm else FOUND, 1)
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(np.asarray(encoded).tobytes()).decode("ascii")
