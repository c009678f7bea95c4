"""Lesions of masks, overlap of boxes, matching, Dice."""

from __future__ import annotations

import numpy as np
import pytest

from edge_us.evaluate.matching import box_iou, dice, lesions_of, mask_iou, match


def test_every_component_is_a_lesion_and_specks_are_not() -> None:
    mask = np.zeros((200, 300), bool)
    mask[20:60, 30:90] = True
    mask[100:130, 200:240] = True
    mask[150, 10:12] = True
    boxes = [lesion.box for lesion in lesions_of(mask)]
    assert boxes == [(30, 20, 90, 60), (200, 100, 240, 130)]
    assert lesions_of(mask)[0].share == pytest.approx(40 * 60 / 60000)


def test_a_lesion_as_small_as_a_speck_is_kept_where_it_is_the_only_one() -> None:
    mask = np.zeros((200, 300), bool)
    mask[5, 5] = True
    assert [lesion.box for lesion in lesions_of(mask)] == [(5, 5, 6, 6)]


def test_an_empty_mask_has_no_lesion() -> None:
    assert lesions_of(np.zeros((10, 10), bool)) == ()


def test_pixels_that_touch_at_a_corner_are_one_lesion() -> None:
    assert len(lesions_of(np.eye(10, dtype=bool))) == 1


def test_overlap_of_boxes() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30.0]])
    expected = np.array([[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1]])
    np.testing.assert_allclose(box_iou(boxes, boxes), expected)


def test_boxes_without_area_overlap_nothing() -> None:
    point = np.array([[3.0, 3, 3, 3]])
    assert box_iou(point, point)[0, 0] == 0


def test_the_best_score_takes_the_lesion_and_a_second_finding_is_a_false_alarm() -> None:
    iou = np.array([[0.6], [0.9]])
    assert match(np.array([0.8, 0.3]), iou, 0.5).tolist() == [0, -1]
    assert match(np.array([0.3, 0.8]), iou, 0.5).tolist() == [-1, 0]


def test_each_finding_takes_the_free_lesion_that_it_overlaps_most() -> None:
    iou = np.array([[0.6, 0.7], [0.55, 0.8]])
    assert match(np.array([0.9, 0.5]), iou, 0.5).tolist() == [1, 0]


def test_overlap_at_the_threshold_is_a_hit_and_below_is_not() -> None:
    assert match(np.array([0.9]), np.array([[0.5]]), 0.5).tolist() == [0]
    assert match(np.array([0.9]), np.array([[0.499]]), 0.5).tolist() == [-1]


def test_nothing_matches_nothing() -> None:
    assert match(np.zeros(0), np.zeros((0, 2)), 0.5).tolist() == []
    assert match(np.array([0.5]), np.zeros((1, 0)), 0.5).tolist() == [-1]


def test_dice_and_iou_of_masks() -> None:
    left, right = np.zeros((2, 10), bool), np.zeros((2, 10), bool)
    left[:, :6] = True
    right[:, 3:9] = True
    assert dice(left, right) == pytest.approx(2 * 6 / 24)
    assert mask_iou(left, right) == pytest.approx(6 / 18)
    assert dice(left, ~left) == 0
    assert dice(left & False, right & False) == 1
