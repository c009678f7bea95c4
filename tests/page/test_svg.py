"""Charts are well-formed SVG and their points lie where the values say."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from edge_us.page.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, curve, histogram

SVG = "{http://www.w3.org/2000/svg}"


def points_of(svg: str) -> list[tuple[float, float]]:
    line = ElementTree.fromstring(svg).findall(f"{SVG}polyline")[-1]
    pairs = [pair.split(",") for pair in line.attrib["points"].split()]
    return [(float(x), float(y)) for x, y in pairs]


def test_corners_of_the_range_are_corners_of_the_frame() -> None:
    points = points_of(curve([(0, 0), (1, 1)], x_label="x", y_label="y"))
    assert points == [(LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, TOP)]


def test_steps_go_right_before_they_go_up_and_reach_the_edge() -> None:
    points = points_of(curve([(0, 0.2), (0.5, 0.6)], x_label="x", y_label="y", steps=True))
    assert len(points) == 4
    assert points[0][1] == points[1][1]
    assert points[1][0] == points[2][0]
    assert points[3] == (WIDTH - RIGHT, points[2][1])


def test_points_beyond_the_range_are_left_out() -> None:
    assert len(points_of(curve([(0, 0), (0.5, 0.5), (3, 1)], x_label="x", y_label="y"))) == 2


def test_labels_are_escaped() -> None:
    svg = curve([], x_label="a < b & c", y_label="<y>", marks=[(0.5, 0.5)])
    texts = [element.text for element in ElementTree.fromstring(svg).findall(f"{SVG}text")]
    assert "a < b & c" in texts
    assert "<y>" in texts


def test_the_bars_of_a_histogram_count_every_value_once() -> None:
    svg = histogram([0, 0.1, 0.5, 1.0, 1.0], bins=4, x_label="x", y_label="n")
    bars = ElementTree.fromstring(svg).findall(f"{SVG}rect")
    assert [bar.findtext(f"{SVG}title") for bar in bars] == ["2", "0", "1", "2"]
    heights = [float(bar.attrib["height"]) for bar in bars]
    # The axis ends at 5, the next round number.
    assert heights[0] == pytest.approx((HEIGHT - TOP - BOTTOM) * 2 / 5, abs=0.1)
    assert heights[2] == pytest.approx(heights[0] / 2, abs=0.2)


def test_empty_charts_are_drawn_without_a_line() -> None:
    assert ElementTree.fromstring(curve([], x_label="x", y_label="y")).findall(f"{SVG}polyline") == []
    assert ElementTree.fromstring(histogram([], bins=4, x_label="x", y_label="y")) is not None
