"""What a reader of the screen would say of a clip: which mark lay on which lesion, since when, and how steadily."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_us.evaluate.matching import IOU_THRESHOLDS, box_iou
from edge_us.evaluate.video.observe import Floats, Lesion, Observation

HIT_IOU = IOU_THRESHOLDS[0]
"""A box lies on a lesion if their boxes overlap by this, as on stills."""
HIT_SHARE = 0.5
"""A track hits a lesion if it lies on it on at least this share of the frames on which it is shown."""
VISIBLE_SHARE = 0.1
"""A lesion is visible from this share of its largest area in the clip: a sliver at the edge is nothing to be found."""
DURATIONS_S = (0.0, 0.2, 0.5, 1.0)
"""Minimum durations at which false-positive tracks and false marks are counted."""


@dataclass(frozen=True, slots=True, eq=False)
class ShownTrack:
    """One mark on the screen.

    Attributes
    ----------
    number : int
    frames : ndarray of int, shape (n,)
        On which it was shown.
    lesion : int or None
        Position of the lesion that it hits; None for a false mark.
    """

    number: int
    frames: NDArray[np.int64]
    lesion: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one lesion.

    Attributes
    ----------
    seconds_to_detect : float or None
        From the first frame on which it is visible to the first on which a track that hits it is shown; None for a
        lesion that was not found.
    changes : int
        How often the display on it went off or on again, while it stayed visible.
    seconds_watched : float
        Time from its first display during which it was visible.
    """

    seconds_to_detect: float | None
    changes: int
    seconds_watched: float

    @property
    def found(self) -> bool:
        """Whether any track hit it."""
        return self.seconds_to_detect is not None


def shown_tracks(clip: Observation) -> tuple[ShownTrack, ...]:
    """The tracks that were shown, each with the lesion that it hits on most frames."""
    numbers = sorted({int(row[0]) for rows in clip.shown for row in rows})
    tracks = []
    for number in numbers:
        places = [
            (frame, rows[rows[:, 0] == number][0, 1:])
            for frame, rows in enumerate(clip.shown)
            if (rows[:, 0] == number).any()
        ]
        frames = np.array([frame for frame, _ in places], np.int64)
        boxes = np.array([box for _, box in places], np.float64)
        tracks.append(ShownTrack(number, frames, _lesion_hit(frames, boxes, clip.lesions)))
    return tuple(tracks)


def _lesion_hit(frames: NDArray[np.int64], boxes: Floats, lesions: Sequence[Lesion]) -> int | None:
    counts = [int(overlaps(boxes, lesion.boxes[frames]).sum()) for lesion in lesions]
    if not counts or max(counts) < HIT_SHARE * len(frames):
        return None
    return int(np.argmax(counts))


def overlaps(boxes: Floats, others: Floats) -> NDArray[np.bool_]:
    """Whether each box lies on the lesion's box of the same frame; NaN boxes are nowhere. Shapes (n, 4), (n, 4)."""
    pairs = [box_iou(boxes[place : place + 1], others[place : place + 1])[0, 0] for place in range(len(boxes))]
    return np.nan_to_num(np.array(pairs, np.float64)) >= HIT_IOU


def visible(lesion: Lesion) -> NDArray[np.bool_]:
    """On which frames a lesion is visible, shape (frames,)."""
    return np.asarray(lesion.areas >= VISIBLE_SHARE * lesion.areas.max())


def outcome(clip: Observation, place: int, tracks: Sequence[ShownTrack]) -> Outcome:
    """What became of the lesion at this position."""
    seen = visible(clip.lesions[place])
    displayed = np.zeros(clip.frames, bool)
    for track in tracks:
        if track.lesion == place:
            displayed[track.frames] = True
    if not displayed.any():
        return Outcome(None, 0, 0.0)
    start = int(displayed.argmax())
    waited = max(0, start - int(seen.argmax()))
    # Only where both neighbours show the lesion is a change one of the display and not of the lesion.
    both = seen[start:-1] & seen[start + 1 :]
    changes = int((both & (displayed[start:-1] != displayed[start + 1 :])).sum())
    return Outcome(waited / clip.fps, changes, int(seen[start:].sum()) / clip.fps)


def false_marks(clip: Observation, tracks: Sequence[ShownTrack], least_s: float) -> int:
    """Number of marks that hit no lesion and were shown for at least so long.

    Stricter than UltraDet's count (`ultradet.false_tracks`): a box over half of the picture covers the lesion's centre,
    but does not lie on it.
    """
    least = least_s * clip.fps - 1e-6
    return sum(track.lesion is None and len(track.frames) >= least for track in tracks)


def frames_with_findings(clip: Observation) -> int:
    """Number of frames on which anything was shown."""
    return sum(len(rows) > 0 for rows in clip.shown)
