import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_us.measure.axes import EDGE_PX, long_and_short_axis
from tests.overlay.pictures import ellipse


@given(turn=st.floats(0, np.pi), rx=st.floats(20, 80), ratio=st.floats(0.3, 0.9))
def test_the_axes_of_an_ellipse_are_its_diameters_whichever_way_it_lies(turn: float, rx: float, ratio: float) -> None:
    axes = long_and_short_axis(ellipse(200, 150, rx, rx * ratio, turn=turn))
    assert axes is not None
    # A contour runs through pixel centres: part of a pixel belongs to the length on top of their distance.
    assert 2 * rx * 0.995 <= axes.long_length <= 2 * rx + EDGE_PX + 0.01
    assert axes.short_length == pytest.approx(2 * rx * ratio + EDGE_PX, rel=0.02)


@given(turn=st.floats(0, np.pi))
def test_the_short_axis_stands_at_a_right_angle_and_ends_on_the_hull(turn: float) -> None:
    axes = long_and_short_axis(ellipse(200, 150, 60, 30, lobes=0.05, turn=turn))
    assert axes is not None
    long = np.subtract(*axes.long)
    short = np.subtract(*axes.short)
    assert abs(long @ short) <= 1e-3 * np.hypot(*long) * np.hypot(*short)
    assert np.hypot(*short) + EDGE_PX == pytest.approx(axes.short_length, abs=0.01)


def test_the_short_axis_is_the_widest_chord_and_not_the_extent() -> None:
    # A sheared shape: its extent across the long axis is 20, but no perpendicular chord is as long.
    contour = np.array([(0, 0), (30, -10), (100, 0), (70, 10)], np.float32)
    axes = long_and_short_axis(contour)
    assert axes is not None
    assert axes.long_length == pytest.approx(100 + EDGE_PX)
    assert axes.short_length == pytest.approx(10 + 10 * 3 / 7 + EDGE_PX, abs=0.01)


def test_a_scale_gives_millimetres_and_the_right_angle_of_the_tissue() -> None:
    contour = ellipse(200, 150, 40, 40)  # round on the screen, but pixels are twice as tall as wide
    axes = long_and_short_axis(contour, mm_per_px=(0.05, 0.1))
    assert axes is not None
    assert axes.long_length == pytest.approx(8 + 0.1 * EDGE_PX, abs=0.02)
    assert axes.short_length == pytest.approx(4 + 0.05 * EDGE_PX, abs=0.02)
    assert axes.long[0] == pytest.approx((200, axes.long[0][1]), abs=2.5)  # ends are given in px


@pytest.mark.parametrize("points", [[], [(3, 3)], [(3, 3), (9, 9)], [(5, 5), (5, 5), (5, 5)]])
def test_a_contour_without_extent_has_no_axes(points: list[tuple[int, int]]) -> None:
    assert long_and_short_axis(np.array(points, np.float32).reshape(-1, 2)) is None
