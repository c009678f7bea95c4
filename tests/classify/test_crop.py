"""What the classifier sees of a lesion."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_us.classify.crop import MARGIN, crop, crop_region
from edge_us.frame import Rect
from edge_us.inference.letterbox import PADDING

SIDES = st.integers(20, 900)


@given(SIDES, SIDES, st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.01, 1), st.floats(0.01, 1))
def test_the_region_lies_in_the_image_and_holds_the_box(
    width: int, height: int, left: float, top: float, wide: float, high: float
) -> None:
    bounds = Rect(3, 5, width, height)
    x1, y1 = 3 + left * width, 5 + top * height
    x2, y2 = min(3 + width, x1 + wide * width), min(5 + height, y1 + high * height)
    region = crop_region((x1, y1, x2, y2), bounds)
    assert region.x >= 3
    assert region.y >= 5
    assert region.x + region.width <= 3 + width
    assert region.y + region.height <= 5 + height
    # Whole px: the box is held but for the rounding.
    assert region.x <= x1 + 1
    assert region.y <= y1 + 1
    assert region.x + region.width >= x2 - 1
    assert region.y + region.height >= y2 - 1


def test_far_from_the_edge_it_is_a_square_with_the_margin_on_every_side() -> None:
    region = crop_region((200, 210, 300, 260), Rect(0, 0, 600, 500))
    side = round(100 * (1 + 2 * MARGIN))
    assert (region.width, region.height) == (side, side)
    assert (region.x + side / 2, region.y + side / 2) == (250, 235)


def test_a_crop_keeps_the_aspect_and_pads_what_is_no_tissue() -> None:
    gray = np.full((100, 200), 200, np.uint8)
    gray[40:60, 0:20] = 10
    seen = crop(gray, (0, 40, 20, 60), 64)
    assert seen.shape == (64, 64)
    assert (seen[:, 0] == PADDING).all()  # the box lies at the edge: the square is cut there
    dark = seen < 60
    rows, columns = np.nonzero(dark)
    assert abs((np.ptp(rows) + 1) - (np.ptp(columns) + 1)) <= 2


def test_a_region_bounds_the_crop() -> None:
    gray = np.full((100, 200), 255, np.uint8)
    gray[20:80, 50:150] = 90
    seen = crop(gray, (55, 30, 95, 70), 64, Rect(50, 20, 100, 60))
    assert seen.max() <= PADDING
