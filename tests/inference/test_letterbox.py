"""The letterbox and its inverse."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_us.frame import Rect
from edge_us.inference.letterbox import PADDING, Letterbox

sides = st.integers(16, 2200)
inputs = st.sampled_from([(320, 320), (640, 640), (320, 256), (416, 320), (640, 480)])


@given(sides, sides, st.integers(0, 500), st.integers(0, 500), inputs, st.data())
def test_a_box_survives_crop_and_letterbox_and_back_within_half_a_pixel(
    width: int, height: int, x: int, y: int, size: tuple[int, int], data: st.DataObject
) -> None:
    letterbox = Letterbox.fit(Rect(x, y, width, height), size)
    corners = sorted(data.draw(st.floats(0, width, width=32)) for _ in range(2))
    rows = sorted(data.draw(st.floats(0, height, width=32)) for _ in range(2))
    box = np.array([[corners[0] + x, rows[0] + y, corners[1] + x, rows[1] + y]], np.float32)
    there = letterbox.to_input(box)
    assert np.abs(letterbox.to_frame(there) - box).max() < 0.5
    assert there.min() >= -1e-3
    assert there[0, 2] <= size[0] + 1e-3
    assert there[0, 3] <= size[1] + 1e-3


@given(sides, sides, inputs)
def test_the_region_fills_one_side_and_keeps_its_aspect(width: int, height: int, size: tuple[int, int]) -> None:
    inner = Letterbox.fit(Rect(0, 0, width, height), size).inner
    assert inner.width == size[0] or inner.height == size[1]
    assert inner.x + inner.width <= size[0]
    assert inner.y + inner.height <= size[1]
    ratio = min(size[0] / width, size[1] / height)
    assert abs(inner.width - width * ratio) <= 1
    assert abs(inner.height - height * ratio) <= 1


def test_pixels_land_where_the_mapping_says() -> None:
    image = np.zeros((300, 400), np.uint8)
    image[100:140, 200:260] = 255
    letterbox = Letterbox.fit(Rect(0, 0, 400, 300), (320, 320))
    out = letterbox.apply(image)
    rows, columns = np.nonzero(out > 200)
    expected = letterbox.to_input(np.array([200, 100, 260, 140], np.float32))
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.abs(expected - found).max() <= 1
    assert (out[:40] == PADDING).all()
    assert (out[-40:] == PADDING).all()
