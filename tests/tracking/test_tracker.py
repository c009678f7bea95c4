"""Stable ids and hysteresis."""

from __future__ import annotations

import numpy as np
import pytest

from edge_us.finding import Finding, FindingKind
from edge_us.tracking.tracker import Tracker, iou_matrix


def seen(x: float, score: float = 0.8, kind: FindingKind = FindingKind.LESION) -> Finding:
    return Finding(kind, (x, 10, x + 40, 40), score, np.zeros((0, 2), np.float32))


def test_a_lesion_appears_on_its_third_frame_and_keeps_its_id_while_it_moves() -> None:
    tracker = Tracker(0.5, on_frames=3, off_frames=5)
    shown = [tracker.update([seen(10 + 5 * step)]) for step in range(6)]
    assert [len(findings) for findings in shown] == [0, 0, 1, 1, 1, 1]
    assert {findings[0].track for findings in shown[2:]} == {1}
    assert shown[-1][0].box[0] == 35


def test_a_flash_of_two_frames_is_never_shown() -> None:
    tracker = Tracker(0.5)
    frames: list[list[Finding]] = [[seen(10)], [seen(10)], [], [seen(10)], [seen(10)], []]
    assert all(tracker.update(found) == () for found in frames)


def test_a_shown_lesion_survives_off_frames_misses_marked_as_unseen_and_then_goes() -> None:
    tracker = Tracker(0.5, on_frames=1, off_frames=2)
    tracker.update([seen(10)])
    held = [tracker.update([]) for _ in range(3)]
    assert [[found.unseen for found in findings] for findings in held] == [[1], [2], []]


def test_a_weak_detection_keeps_a_known_track_but_starts_none() -> None:
    tracker = Tracker(0.5, on_frames=1, off_frames=0)
    assert tracker.update([seen(10, 0.3)]) == ()
    assert len(tracker.update([seen(10, 0.8)])) == 1
    assert [found.unseen for found in tracker.update([seen(10, 0.3)])] == [0]
    assert tracker.update([seen(10, 0.2)]) == ()


def test_an_id_is_never_used_twice() -> None:
    tracker = Tracker(0.5, on_frames=1, off_frames=0)
    first = tracker.update([seen(10)])[0].track
    tracker.update([])
    second = tracker.update([seen(10)])[0].track
    tracker.reset()
    third = tracker.update([seen(10)])[0].track
    assert len({first, second, third}) == 3


def test_two_lesions_that_approach_keep_their_ids() -> None:
    tracker = Tracker(0.5, on_frames=1)
    for step in range(10):
        shown = tracker.update([seen(10 + step * 4), seen(150 - step * 4)])
        assert [found.track for found in shown] == [1, 2]
        assert shown[0].box[0] < shown[1].box[0]


def test_a_node_never_continues_a_lesion() -> None:
    tracker = Tracker(0.5, on_frames=1, off_frames=3)
    tracker.update([seen(10)])
    shown = tracker.update([seen(10, kind=FindingKind.NODE)])
    assert [(found.track, found.kind.value, found.unseen) for found in shown] == [(1, "lesion", 1), (2, "node", 0)]


def test_skipped_frames_count_as_missed() -> None:
    tracker = Tracker(0.5, on_frames=1, off_frames=4)
    tracker.update([seen(10)])
    assert tracker.update([], elapsed=5) == ()


def test_iou_of_known_boxes() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [3, 3, 3, 3]], np.float32)
    matrix = iou_matrix(boxes, boxes)
    assert np.allclose(matrix[0], [1, 1 / 3, 0, 0])
    assert matrix[3, 3] == 0


def test_a_track_must_convince_more_than_a_single_detection() -> None:
    """Threshold 0.2 has odds of 0.25; 2.4 times that is 0.375, 1.2 times is 0.23."""
    tracker = Tracker(0.2, on_frames=2)
    assert all(tracker.update([seen(10, 0.36)]) == () for _ in range(20))
    assert len(tracker.update([seen(10, 0.6)])) == 1


def test_a_shown_track_goes_when_its_smoothed_score_sinks_however_often_it_is_seen() -> None:
    tracker = Tracker(0.2, on_frames=2)
    for _ in range(2):
        shown = tracker.update([seen(10, 0.9)])
    counts = [len(tracker.update([seen(10, 0.12)])) for _ in range(12)]
    assert len(shown) == 1
    assert counts[0] == 1  # one weak frame does not take it away
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0


@pytest.mark.parametrize("threshold", [0.0, 0.01, 0.5, 0.9, 0.99])
def test_a_certain_lesion_is_shown_at_any_threshold(threshold: float) -> None:
    tracker = Tracker(threshold, on_frames=1)
    assert len(tracker.update([seen(10, 0.999)])) == 1
