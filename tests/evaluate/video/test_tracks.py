"""Tracks against lesions, on clips made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_us.evaluate.summary import Bootstrap
from edge_us.evaluate.video.observe import Floats, Lesion, Observation, lesions_on
from edge_us.evaluate.video.sequences import Clip
from edge_us.evaluate.video.summary import clip_rows, metrics
from edge_us.evaluate.video.tracks import false_tracks, outcome, shown_tracks
from edge_us.evaluate.video.ultradet import false_track_count, link, score_at_recall

FPS = 10.0
HERE = (10.0, 10.0, 30.0, 30.0)
NEAR = (12.0, 10.0, 32.0, 30.0)
THERE = (60.0, 60.0, 80.0, 80.0)
Box = tuple[float, float, float, float]


def lesion(frames: int, seen: range, box: Box = HERE, areas: dict[int, float] | None = None) -> Lesion:
    boxes = np.full((frames, 4), np.nan)
    boxes[list(seen)] = box
    sizes = np.array([(areas or {}).get(n, 400.0) if n in seen else 0.0 for n in range(frames)])
    return Lesion(1, boxes, sizes)


def clip(
    frames: int,
    lesions: tuple[Lesion, ...] = (),
    tracks: dict[int, dict[int, Box]] | None = None,
    detected: dict[int, list[tuple[float, Box]]] | None = None,
    group: str = "g",
) -> Observation:
    """``tracks``: number of the track -> frame -> box shown; ``detected``: frame -> scores and boxes."""

    def rows(values: list[tuple[float, Box]]) -> Floats:
        return np.array([[first, *box] for first, box in values], np.float64).reshape(-1, 5)

    shown = [[(float(k), at[n]) for k, at in (tracks or {}).items() if n in at] for n in range(frames)]
    label = "benign" if lesions else "normal"
    about = Clip("set", "c.mha", Path("c.mha"), None, label, group, FPS, True)
    found = tuple(rows((detected or {}).get(n, [])) for n in range(frames))
    return Observation(about, FPS, (100, 100), "full", lesions, tuple(rows(each) for each in shown), found)


def test_a_track_on_the_lesion_hits_it_and_one_beside_it_is_false() -> None:
    seen = clip(10, (lesion(10, range(10)),), {1: dict.fromkeys(range(3, 10), NEAR), 2: {5: THERE, 6: THERE}})
    first, second = shown_tracks(seen)
    assert (first.number, first.lesion, len(first.frames)) == (1, 0, 7)
    assert (second.number, second.lesion) == (2, None)
    assert false_tracks(seen, [first, second], 0.0) == 1
    assert false_tracks(seen, [first, second], 0.2) == 1
    assert false_tracks(seen, [first, second], 0.3) == 0


def test_a_track_that_drifts_off_the_lesion_is_false() -> None:
    places = {n: HERE if n < 2 else THERE for n in range(10)}
    seen = clip(10, (lesion(10, range(10)),), {1: places})
    assert shown_tracks(seen)[0].lesion is None


def test_detection_takes_from_first_visible_to_first_shown() -> None:
    seen = clip(20, (lesion(20, range(4, 20)),), {1: dict.fromkeys(range(9, 20), HERE)})
    found = outcome(seen, 0, shown_tracks(seen))
    assert found.seconds_to_detect == pytest.approx(0.5)
    assert found.changes == 0
    assert found.seconds_watched == pytest.approx(1.1)


def test_a_sliver_at_the_edge_is_not_visible_yet() -> None:
    growing = lesion(20, range(20), areas={0: 10.0, 1: 20.0, 2: 39.0})
    seen = clip(20, (growing,), {1: dict.fromkeys(range(5, 20), HERE)})
    assert outcome(seen, 0, shown_tracks(seen)).seconds_to_detect == pytest.approx(0.2)


def test_flicker_counts_each_change_while_the_lesion_stays_visible() -> None:
    on = [*range(2, 6), *range(8, 12)]
    seen = clip(20, (lesion(20, range(15)),), {1: dict.fromkeys(on, HERE)})
    assert outcome(seen, 0, shown_tracks(seen)).changes == 3  # off at 6, on at 8, off at 12; its own leaving is none


def test_a_lesion_without_a_track_is_missed() -> None:
    seen = clip(10, (lesion(10, range(10)),))
    found = outcome(seen, 0, shown_tracks(seen))
    assert not found.found
    assert clip_rows([seen])[0]["seconds_to_detect"] == [None]


def test_the_numbers_of_a_set_of_clips() -> None:
    clips = [
        clip(60, (lesion(60, range(60)),), {1: dict.fromkeys(range(3, 60), HERE)}, group="a"),
        clip(60, (lesion(60, range(60)),), group="b"),
        clip(60, (), {1: dict.fromkeys(range(12), THERE)}, group="c"),
    ]
    found = metrics(clips, Bootstrap(resamples=200, seed=0))
    assert found["counts"]["minutes"] == pytest.approx(0.3)
    assert found["lesion_sensitivity"]["value"] == 0.5
    per_minute = {least: value["value"] for least, value in found["false_positive_tracks_per_minute"].items()}
    assert per_minute == pytest.approx({"0": 1 / 0.3, "0.2": 1 / 0.3, "0.5": 1 / 0.3, "1": 1 / 0.3}, rel=1e-4)
    assert found["normal_frames_with_findings"]["value"] == pytest.approx(0.2)
    assert found["seconds_to_detect"] == {"mean": {"value": 0.3, "ci95": found["seconds_to_detect"]["mean"]["ci95"]},
                                          "median": 0.3}  # fmt: skip
    assert found["flicker_per_second"]["value"] == 0


def test_boxes_are_linked_over_a_gap_of_four_frames_but_not_of_five() -> None:
    box, none = np.array([HERE]), np.zeros((0, 4))
    assert [list(each) for each in link([box, none, none, none, none, box])] == [[0], [], [], [], [], [0]]
    assert [list(each) for each in link([box, none, none, none, none, none, box])][-1] == [1]


def test_a_track_is_false_unless_more_than_nine_in_ten_centres_lie_in_a_lesion() -> None:
    box, there = np.array([HERE]), np.array([THERE])
    lesions = [box] * 10
    assert false_track_count([box] * 10, lesions) == 0
    assert false_track_count([box] * 10, [box] * 9 + [there]) == 1
    assert false_track_count([box] * 5 + [np.concatenate([box, there])] * 5, lesions) == 1


def test_the_score_that_reaches_a_recall() -> None:
    scores = np.array([0.9, 0.5, 0.7, 0.0, 0.8])
    assert score_at_recall(scores, 0.8) == 0.5
    assert score_at_recall(scores, 0.9) is None
    assert score_at_recall(np.zeros(0), 0.8) is None


def test_values_of_a_mask_are_lesions() -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[2:5, 3:9] = 1
    mask[10:20, 20:22] = 2
    assert lesions_on(mask) == {1: (18.0, 3.0, 2.0, 9.0, 5.0), 2: (20.0, 20.0, 10.0, 22.0, 20.0)}
