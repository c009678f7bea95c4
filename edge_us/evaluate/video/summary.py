"""From observed clips to numbers, each with its interval over patients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_us.evaluate.bootstrap import Floats, draw_weights, estimate, ratio, sum_by_group
from edge_us.evaluate.summary import Bootstrap
from edge_us.evaluate.video.observe import Observation
from edge_us.evaluate.video.tracks import (
    DURATIONS_S,
    Outcome,
    false_tracks,
    frames_with_findings,
    outcome,
    shown_tracks,
)
from edge_us.evaluate.video.ultradet import (
    FRAMES_PER_MINUTE,
    RECALLS,
    false_track_count,
    hit_scores,
    lesion_boxes,
    score_at_recall,
)


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
    waits = [one.seconds_to_detect for each in outcomes for one in each if one.seconds_to_detect is not None]
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
            f"{least:g}": share([float(false_tracks(c, t, least)) for c, t in zip(clips, tracks, strict=True)], minutes)
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
            "median": round(float(np.median(waits)), 4) if waits else None,
        },
        "flicker_per_second": share(
            [float(sum(one.changes for one in each)) for each in outcomes],
            [sum(one.seconds_watched for one in each) for each in outcomes],
        ),
        "ultradet": _ultradet(clips),
    }


def clip_rows(clips: Sequence[Observation]) -> list[dict[str, Any]]:
    """What happened on each clip."""
    rows = []
    for each in clips:
        tracks = shown_tracks(each)
        results = [outcome(each, place, tracks) for place in range(len(each.lesions))]
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
                "false_positive_tracks": {f"{least:g}": false_tracks(each, tracks, least) for least in DURATIONS_S},
                "frames_with_findings": frames_with_findings(each),
            }
        )
    return rows


def _found(outcomes: Sequence[Outcome]) -> float:
    return float(sum(one.found for one in outcomes))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _ultradet(clips: Sequence[Observation]) -> dict[str, Any]:
    """False tracks per minute at given recalls, by UltraDet's own definition."""
    scores = np.concatenate([hit_scores(each) for each in clips])
    frames = sum(each.frames for each in clips)
    rows: dict[str, Any] = {}
    for recall in RECALLS:
        at = score_at_recall(scores, recall)
        if at is None:
            rows[f"{recall:g}"] = {"score": None, "false_tracks_per_minute": None}
            continue
        count = sum(false_track_count(_boxes_above(each, at), lesion_boxes(each)) for each in clips)
        rate = count / frames * FRAMES_PER_MINUTE
        rows[f"{recall:g}"] = {"score": round(at, 4), "false_tracks_per_minute": round(rate, 4)}
    return rows


def _boxes_above(clip: Observation, score: float) -> list[Floats]:
    return [found[found[:, 0] >= score][:, 1:] for found in clip.detected]
