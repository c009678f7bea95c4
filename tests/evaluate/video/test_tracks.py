"""Tracks against lesions, on clips made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_us.evaluate.summary import Bootstrap
from edge_us.evaluate.video.observe import Floats, Lesion, Observation, lesions_on
from edge_us.evaluate.video.sequences import Clip
from edge_us.evaluate.video.summary import clip_rows, metrics
from edge_us.evaluate.video.tracks import false_marks, outcome, shown_tracks
from edge_us.evaluate.video.ultradet import covers, false_tracks, lasting, link, score_at_recall

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
    assert false_marks(seen, [first, second], 0.0) == 1
    assert false_marks(seen, [first, second], 0.2) == 1
    assert false_marks(seen, [first, second], 0.3) == 0


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
    marks = {least: value["value"] for least, value in found["false_marks_per_minute"].items()}
    assert marks == per_minute
    assert found["seconds_to_detect"]["mean"]["value"] == found["seconds_to_detect"]["median"]["value"] == 0.3
    assert found["flicker_per_second"]["value"] == 0


def test_boxes_are_linked_over_a_gap_of_four_frames_but_not_of_five() -> None:
    box, none = np.array([HERE]), np.zeros((0, 4))
    assert [list(each) for each in link([box, none, none, none, none, box])] == [[0], [], [], [], [], [0]]
    assert [list(each) for each in link([box, none, none, none, none, none, box])][-1] == [1]


def test_a_box_is_right_where_it_covers_a_lesions_centre() -> None:
    lesion_box = np.array([[40.0, 40.0, 60.0, 60.0]])
    large = (0.0, 0.0, 100.0, 52.0)  # its own centre lies beside the lesion
    within = (41.0, 41.0, 47.0, 47.0)  # its centre lies in the lesion, the lesion's does not lie in it
    assert covers(np.array([large, within]), lesion_box).tolist() == [True, False]
    assert covers(np.array([large]), np.zeros((0, 4))).tolist() == [False]
    assert len(false_tracks([np.array([large])] * 10, [lesion_box] * 10)) == 0
    assert len(false_tracks([np.array([within])] * 10, [lesion_box] * 10)) == 1


def test_a_track_is_false_unless_more_than_nine_in_ten_boxes_cover_a_lesions_centre() -> None:
    box, there = np.array([HERE]), np.array([THERE])
    lesions = [box] * 10
    assert len(false_tracks([box] * 10, lesions)) == 0
    assert len(false_tracks([box] * 10, [box] * 9 + [there])) == 1
    assert false_tracks([box] * 5 + [np.concatenate([box, there])] * 5, lesions).tolist() == [5]


def test_a_false_track_lasts_from_its_first_box_to_its_last() -> None:
    box, none = np.array([THERE]), np.zeros((0, 4))
    lengths = false_tracks([box, none, none, box, none], [none] * 5)
    assert lengths.tolist() == [4]
    assert [lasting(lengths, least, FPS) for least in (0.0, 0.4, 0.5)] == [1, 1, 0]


def test_clips_without_a_lesion_have_false_tracks_at_the_operating_point() -> None:
    """Two numbers of the tracker that follow each other at one place are two marks, but one of UltraDet's tracks."""
    places = {1: dict.fromkeys(range(4), THERE), 2: dict.fromkeys(range(6, 10), THERE)}
    found = metrics([clip(60, (), places)], Bootstrap(resamples=200, seed=0))
    per_minute = found["false_positive_tracks_per_minute"]
    assert {least: value["value"] for least, value in per_minute.items()} == {"0": 10, "0.2": 10, "0.5": 10, "1": 10}
    assert [value["value"] for value in found["false_marks_per_minute"].values()] == [20, 20, 0, 0]
    assert found["ultradet"]["0.9"] == {"score": None, "false_tracks_per_minute": {"value": None, "ci95": None}}


def test_false_tracks_at_a_recall_have_an_interval() -> None:
    on, off = [(0.9, HERE)], [(0.9, HERE), (0.8, THERE)]
    clips = [
        clip(30, (lesion(30, range(30)),), detected=dict.fromkeys(range(30), each), group=group)
        for group, each in (("a", on), ("b", off), ("c", on))
    ]
    at = metrics(clips, Bootstrap(resamples=500, seed=0))["ultradet"]["0.9"]
    assert at["score"] == 0.9
    assert at["false_tracks_per_minute"] == {"value": 0, "ci95": [0, 0]}
    weak = [clip(30, (lesion(30, range(30)),), detected={n: [(0.7, HERE)] for n in range(30)}, group="d")]
    at = metrics([*clips, *weak], Bootstrap(resamples=500, seed=0))["ultradet"]["0.9"]
    assert at["score"] == 0.7
    assert at["false_tracks_per_minute"]["value"] == pytest.approx(1 / 120 * 1800)
    assert at["false_tracks_per_minute"]["ci95"][0] == 0


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
