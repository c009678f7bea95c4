"""Masks become polygons without losing their rim."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from .recipes import outlines


def ellipse(width: int, height: int, centre: tuple[int, int], axes: tuple[int, int]) -> outlines.Gray:
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, centre, axes, 20, 0, 360, 255, cv2.FILLED)
    return mask


@pytest.mark.parametrize("axes", [(6, 4), (20, 12), (70, 30)])
def test_outline_and_filling_are_inverse_also_for_small_lesions(axes: tuple[int, int]) -> None:
    mask = ellipse(200, 120, (100, 60), axes)
    found = outlines.outlines_of(mask)
    assert len(found) == 1
    area = cv2.contourArea(found[0])
    assert area == pytest.approx(np.count_nonzero(mask), rel=0.04)
    again = outlines.fill(found, 200, 120)
    overlap = np.count_nonzero(mask & again) / np.count_nonzero(mask | again)
    assert overlap > 0.95


def test_two_lesions_are_two_outlines_largest_first_and_specks_are_none() -> None:
    mask = ellipse(200, 120, (50, 60), (10, 8)) | ellipse(200, 120, (140, 60), (30, 20))
    mask[5:8, 5:8] = 255
    found = outlines.outlines_of(mask)
    assert len(found) == 2
    assert found[0][:, 0].mean() > 100


def test_an_empty_mask_has_no_outline_and_no_box() -> None:
    assert outlines.outlines_of(np.zeros((50, 60), np.uint8)) == []
    assert outlines.box_of([]) is None


def test_a_label_line_is_in_shares_of_the_picture() -> None:
    square = np.array([[10, 5], [20, 5], [20, 15], [10, 15]], np.float32)
    assert outlines.yolo_line(square, 100, 50) == "0 0.10000 0.10000 0.20000 0.10000 0.20000 0.30000 0.10000 0.30000"
