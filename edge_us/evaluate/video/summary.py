"""From observed clips to numbers, each with its interval over patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_us.evaluate.bootstrap import Estimate, Floats, draw_weights, estimate, median, ratio, sum_by_group
from edge_us.evaluate.summary import Bootstrap
from edge_us.evaluate.video.observe import Observation
from edge_us.evaluate.video.tracks import (
    DURATIONS_S,
    Outcome,
    false_marks,
    frames_with_findings,
    outcome,
    shown_tracks,
)
from edge_us.evaluate.video.ultradet import (
    FRAMES_PER_MINUTE,
    RECALLS,
    false_tracks,
    hit_scores,
    lasting,
    lesion_boxes,
    score_at_recall,
    shown_boxes,
)

Share = Callable[[Sequence[float], Sequence[float]], dict[str, object]]
"""Sum over sum of two values that each clip has, as an estimate of the report."""


def metrics(clips: Sequence[Observation], bootstrap: Bootstrap) -> dict[str, Any]:
    """All metrics of a set of clips, as they stand in the report.

    Parameters
    ----------
    clips : sequence of Observation
        At least one.
    bootstrap : Bootstrap
    """
    names, numbers = np.unique([f"{each.clip.dataset}/{each.clip.group}" for each in clips], return_inverse=True)
    weights = draw_weights(len(names), bootstrap.resamples, bootstrap.seed)

    def share(top: Sequence[float], bottom: Sequence[float]) -> dict[str, object]:
        above, below = (sum_by_group(numbers.astype(np.int64), np.array(v), len(names)) for v in (top, bottom))
        return estimate(ratio(above, below), weights).as_json()

    tracks = [shown_tracks(each) for each in clips]
    outcomes = [
        [outcome(each, place, of) for place in range(len(each.lesions))] for each, of in zip(clips, tracks, strict=True)
    ]
    minutes = [each.seconds / 60 for each in clips]
    normal = [float(not each.lesions) for each in clips]
    waits = [
        (one.seconds_to_detect, int(number))
        for each, number in zip(outcomes, numbers, strict=True)
        for one in each
        if one.seconds_to_detect is not None
    ]
    lengths = [_false_lengths(each) for each in clips]
    return {
        "counts": {
            "clips": len(clips),
            "normal_clips": int(sum(normal)),
            "frames": sum(each.frames for each in clips),
            "minutes": round(sum(minutes), 4),
            "lesions": sum(len(each) for each in outcomes),
            "groups": len(names),
        },
        "lesion_sensitivity": share([_found(each) for each in outcomes], [float(len(each)) for each in outcomes]),
        "false_positive_tracks_per_minute": {
            f"{least:g}": share(
                [float(lasting(each, least, clip.fps)) for each, clip in zip(lengths, clips, strict=True)], minutes
            )
            for least in DURATIONS_S
        },
        "false_marks_per_minute": {
            f"{least:g}": share([float(false_marks(c, t, least)) for c, t in zip(clips, tracks, strict=True)], minutes)
            for least in DURATIONS_S
        },
        "normal_frames_with_findings": share(
            [frames_with_findings(each) * quiet for each, quiet in zip(clips, normal, strict=True)],
            [each.frames * quiet for each, quiet in zip(clips, normal, strict=True)],
        ),
        "seconds_to_detect": {
            "mean": share(
                [sum(one.seconds_to_detect or 0.0 for one in each) for each in outcomes],
                [_found(each) for each in outcomes],
            ),
            "median": estimate(
                median(np.array([wait for wait, _ in waits]), np.array([number for _, number in waits], np.int64)),
                weights,
            ).as_json(),
        },
        "flicker_per_second": share(
            [float(sum(one.changes for one in each)) for each in outcomes],
            [sum(one.seconds_watched for one in each) for each in outcomes],
        ),
        "ultradet": _ultradet(clips, share),
    }


def clip_rows(clips: Sequence[Observation]) -> list[dict[str, Any]]:
    """What happened on each clip."""
    rows = []
    for each in clips:
        tracks = shown_tracks(each)
        results = [outcome(each, place, tracks) for place in range(len(each.lesions))]
        lengths = _false_lengths(each)
        rows.append(
            {
                "dataset": each.clip.dataset,
                "clip": each.clip.name,
                "synthetic": each.clip.synthetic,
                "frames": each.frames,
                "fps": each.fps,
                "region": each.region,
                "lesions": len(results),
                "found": int(_found(results)),
                "seconds_to_detect": [_rounded(one.seconds_to_detect) for one in results],
                "changes": sum(one.changes for one in results),
                "false_positive_tracks": {f"{least:g}": lasting(lengths, least, each.fps) for least in DURATIONS_S},
                "false_marks": {f"{least:g}": false_marks(each, tracks, least) for least in DURATIONS_S},
                "frames_with_findings": frames_with_findings(each),
            }
        )
    return rows


def _found(outcomes: Sequence[Outcome]) -> float:
    return float(sum(one.found for one in outcomes))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _false_lengths(clip: Observation) -> NDArray[np.int64]:
    """Lengths in frames of the false tracks among the boxes that were shown."""
    return false_tracks(shown_boxes(clip), lesion_boxes(clip))


def _ultradet(clips: Sequence[Observation], share: Share) -> dict[str, Any]:
    """False tracks of the detector's own boxes at given recalls; intervals are at that score."""
    scores = np.concatenate([hit_scores(each) for each in clips])
    rows: dict[str, Any] = {}
    for recall in RECALLS:
        at = score_at_recall(scores, recall)
        if at is None:
            rows[f"{recall:g}"] = {"score": None, "false_tracks_per_minute": Estimate(np.nan).as_json()}
            continue
        counts = [float(len(false_tracks(_boxes_above(each, at), lesion_boxes(each)))) for each in clips]
        rate = share(counts, [each.frames / FRAMES_PER_MINUTE for each in clips])
        rows[f"{recall:g}"] = {"score": round(at, 4), "false_tracks_per_minute": rate}
    return rows


def _boxes_above(clip: Observation, score: float) -> list[Floats]:
    return [found[found[:, 0] >= score][:, 1:] for found in clip.detected]
