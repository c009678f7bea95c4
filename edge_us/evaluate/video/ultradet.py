"""False-positive tracks as UltraDet counts them, so that numbers compare with those published on CVA-BUS.

Yu et al., MICCAI 2023 (arXiv 2305.18060): on each frame the boxes that count are linked to the one that they overlap
most among the boxes of the five frames before, if by IoU > 0.5; what hangs together is a track; a track is false unless
more than 90 % of its boxes cover a lesion's centre, which is here the centre of the box around it. Two sets of boxes
are counted. At a recall: the detector's own, from the score at which that share of all lesion boxes is hit (IoU 0.5),
false tracks / frames x 1800, as published, which are tracks per minute at 30 fps. At the operating point: the boxes
that a run shows, after tracker and hysteresis, per minute of the clip; this needs no lesion in any clip.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_us.evaluate.matching import IOU_THRESHOLDS, box_iou, match
from edge_us.evaluate.video.observe import Floats, Observation

LINK_IOU = 0.5
LINK_FRAMES = 5
TRUE_SHARE = 0.9
FRAMES_PER_MINUTE = 1800
RECALLS = (0.8, 0.9)


def false_tracks(boxes: Sequence[Floats], lesions: Sequence[Floats]) -> NDArray[np.int64]:
    """The false tracks of one clip.

    Parameters
    ----------
    boxes : sequence of ndarray, each of shape (n, 4)
        For each frame the boxes that count.
    lesions : sequence of ndarray, each of shape (m, 4)
        For each frame the boxes of its lesions.

    Returns
    -------
    ndarray of int, shape (tracks,)
        Length of each in frames, from its first box to its last.
    """
    members: dict[int, list[tuple[int, bool]]] = {}
    for frame, (numbers, found, there) in enumerate(zip(link(boxes), boxes, lesions, strict=True)):
        for number, hit in zip(numbers.tolist(), covers(found, there).tolist(), strict=True):
            members.setdefault(number, []).append((frame, hit))
    lengths = [
        track[-1][0] - track[0][0] + 1
        for track in members.values()
        if sum(hit for _, hit in track) <= TRUE_SHARE * len(track)
    ]
    return np.array(lengths, np.int64)


def lasting(lengths: NDArray[np.int64], least_s: float, fps: float) -> int:
    """How many tracks, given by their length in frames, last at least so long."""
    return int((lengths >= least_s * fps - 1e-6).sum())


def link(boxes: Sequence[Floats]) -> list[NDArray[np.int64]]:
    """Number of the track of each box of each frame."""
    tracks: list[NDArray[np.int64]] = []
    count = 0
    for frame, found in enumerate(boxes):
        start = max(0, frame - LINK_FRAMES)
        before = np.concatenate([np.zeros((0, 4)), *boxes[start:frame]])
        known = np.concatenate([np.zeros(0, np.int64), *tracks[start:frame]])
        overlap = box_iou(found, before)
        numbers = np.empty(len(found), np.int64)
        for place, row in enumerate(overlap):
            if len(row) and row.max() > LINK_IOU:
                numbers[place] = known[row.argmax()]
            else:
                numbers[place] = count
                count += 1
        tracks.append(numbers)
    return tracks


def covers(boxes: Floats, lesions: Floats) -> NDArray[np.bool_]:
    """Which boxes, shape (n, 4), hold the centre of any of the lesions' boxes, shape (m, 4)."""
    centres = (lesions[None, :, :2] + lesions[None, :, 2:]) / 2
    within = (boxes[:, None, :2] <= centres) & (centres <= boxes[:, None, 2:])
    return np.asarray(np.any(np.all(within, axis=2), axis=1))


def shown_boxes(clip: Observation) -> list[Floats]:
    """For each frame the boxes that were shown, shape (n, 4)."""
    return [rows[:, 1:] for rows in clip.shown]


def lesion_boxes(clip: Observation) -> list[Floats]:
    """For each frame the boxes of the lesions in it, shape (m, 4)."""
    every = np.array([lesion.boxes for lesion in clip.lesions]).reshape(len(clip.lesions), clip.frames, 4)
    return [every[:, frame][~np.isnan(every[:, frame, 0])] for frame in range(clip.frames)]


def hit_scores(clip: Observation) -> Floats:
    """For each lesion box of each frame the score of the detection that hits it, 0 where none does."""
    scores = []
    for found, there in zip(clip.detected, lesion_boxes(clip), strict=True):
        best = np.zeros(len(there))
        matched = match(found[:, 0], box_iou(found[:, 1:], there), IOU_THRESHOLDS[0])
        for score, place in zip(found[:, 0], matched, strict=True):
            if place >= 0:
                best[place] = score
        scores.append(best)
    return np.concatenate([np.zeros(0), *scores])


def score_at_recall(scores: Floats, recall: float) -> float | None:
    """The highest score from which at least this share of lesion boxes is hit; None if none is."""
    if not len(scores):
        return None
    need = int(np.ceil(recall * len(scores) - 1e-9))
    score = float(np.sort(scores)[::-1][need - 1])
    return score if score > 0 else None
