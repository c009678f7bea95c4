"""What is read of a node: geometry without speckle, what it must not depend on, and what stays unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge_us.finding import Finding, FindingKind, Unknown
from edge_us.frame import Frame
from edge_us.nodes.criteria import BULGE, CORTEX, HILUM, OFFSET, RATIO
from edge_us.nodes.pattern import NodePattern
from edge_us.nodes.reading import Reading, conclude, look
from tests.describe.lesions import regained
from tests.nodes.nodes import drawn, frame_of, phantom

PATTERNS = list(NodePattern)


def read(frame: Frame, found: Finding) -> Reading:
    return conclude(*look(frame, found), scaled=frame.geometry.mm_per_px is not None)


def met(reading: Reading) -> dict[str, Any]:
    return {each.criterion.name: each.met for each in reading.criteria}


@pytest.mark.parametrize("mm_per_px", [(0.1, 0.1), (0.08, 0.12), (0.2, 0.2)])
@pytest.mark.parametrize("tilt", [0.0, 0.4, -0.7])
@pytest.mark.parametrize("cortex_mm", [1.5, 2.6, 3.8])
def test_an_even_cortex_is_measured_to_a_pixel(cortex_mm: float, tilt: float, mm_per_px: tuple[float, float]) -> None:
    reading = read(*drawn(22.0, 11.0, cortex_mm, tilt, mm_per_px))
    # The diagonal of a pixel where pixels are not square.
    assert reading.values[CORTEX] == pytest.approx(cortex_mm, abs=max(0.3, float(np.hypot(*mm_per_px))))
    assert reading.values[RATIO] == pytest.approx(2.0, rel=0.03)
    assert reading.values[BULGE] == pytest.approx(0, abs=0.3)
    assert reading.values[OFFSET] == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("number", range(6))
def test_gain_and_gamma_change_no_pattern_and_hardly_a_thickness(number: int) -> None:
    _, frame, found = phantom(number)
    before = read(frame, found)
    for gain_db, gamma in ((3.0, 1.0), (-3.0, 1.0), (0.0, 0.7), (0.0, 1.4)):
        after = read(replace(frame, pixels=regained(frame.pixels, gain_db, gamma)), found)
        assert after.values["pattern"] == before.values["pattern"]
        assert after.values["hilum"] == before.values["hilum"]
        if isinstance(before.values[CORTEX], float):
            assert after.values[CORTEX] == pytest.approx(before.values[CORTEX], abs=0.15)


@pytest.mark.parametrize("number", range(6))
def test_without_a_scale_millimetres_are_unknown_and_all_else_stays(number: int) -> None:
    node, frame, found = phantom(number)
    scaled = read(frame, found).values
    reading = read(replace(frame, geometry=replace(frame.geometry, mm_per_px=None)), found)
    values = reading.values
    if node.has_hilum:
        assert values[CORTEX] == values["cortex_usual_mm"] == Unknown("uncalibrated")
        assert met(reading)["thick cortex"] is None
        assert reading.summary.endswith("1 unknown")
        for name in (BULGE, OFFSET, HILUM, RATIO, "hilum_share"):
            assert values[name] == pytest.approx(scaled[name], abs=0.02, rel=0.05)
    if node.pattern in (NodePattern.THIN, NodePattern.DIFFUSE):
        assert values["pattern"] == Unknown("uncalibrated")
    else:
        assert values["pattern"] == scaled["pattern"]


def test_a_node_without_a_hilum_has_no_thickness_and_meets_that_criterion() -> None:
    _, frame, found = phantom(PATTERNS.index(NodePattern.LOST))
    reading = read(frame, found)
    assert reading.values["hilum"] == "absent"
    assert reading.values[CORTEX] == Unknown("no hilum")
    assert met(reading)["hilum absent"] is True
    assert met(reading)["thick cortex"] is None
    assert reading.sketch is None


def test_a_node_of_a_few_pixels_is_not_read() -> None:
    frame, found = drawn(8.0, 4.0, 1.0, 0.0, (0.5, 0.5))
    reading = read(frame, found)
    assert set(reading.values.values()) == {Unknown("too small to be read")}
    assert reading.criteria == ()
    assert reading.summary == ""


def test_an_outline_that_reaches_out_of_the_picture_is_read_all_the_same() -> None:
    _, frame, found = phantom(PATTERNS.index(NodePattern.DIFFUSE))
    shift = np.array((found.box[0] + 20.0, 0.0), np.float32)
    cut = frame_of(np.ascontiguousarray(frame.pixels[:, int(shift[0]) :]), frame.geometry.mm_per_px)
    contour = np.clip(found.contour - shift, 0, (cut.width - 1, cut.height - 1)).astype(np.float32)
    low, high = contour.min(axis=0).tolist(), contour.max(axis=0).tolist()
    reading = read(cut, Finding(FindingKind.NODE, (*low, *high), 0.8, contour))
    assert reading.values["hilum"] == "present"


def test_the_thickest_place_lies_where_the_bulge_is() -> None:
    node, frame, found = phantom(PATTERNS.index(NodePattern.FOCAL))
    assert node.bulge is not None
    reading = read(frame, found)
    assert reading.sketch is not None
    _, ends = reading.sketch.placed(found.box)
    scale = frame.geometry.mm_per_px
    assert scale is not None
    x, z = (ends[0] + 0.5) * scale - np.array((frame.width * scale[0] / 2 + node.center_x_mm, node.center_z_mm))
    along, across = (
        x * np.cos(node.tilt) + z * np.sin(node.tilt),
        z * np.cos(node.tilt) - x * np.sin(node.tilt),
    )
    expected = (node.semi_long_mm * np.cos(node.bulge.angle), node.semi_short_mm * np.sin(node.bulge.angle))
    assert np.hypot(along - expected[0], across - expected[1]) < 2.5
    length = float(np.hypot(*((ends[1] - ends[0]) * scale)))
    assert length == pytest.approx(reading.values[CORTEX], abs=0.3)


def test_the_sketch_moves_with_the_box() -> None:
    _, frame, found = phantom(0)
    sketch = read(frame, found).sketch
    assert sketch is not None
    outline, _ = sketch.placed(found.box)
    x1, y1, x2, y2 = found.box
    moved, _ = sketch.placed((x1 + 7, y1 - 3, x2 + 7, y2 - 3))
    assert np.allclose(moved - outline, (7, -3), atol=1e-3)
    assert outline.min() > 0
    assert (outline >= (x1 - 1, y1 - 1)).all()
    assert (outline <= (x2 + 1, y2 + 1)).all()
