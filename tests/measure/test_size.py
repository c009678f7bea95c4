"""Size and place of lesions of known geometry, on every probe, at many depths and sizes."""

from __future__ import annotations

from itertools import product

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_us.measure.beam import depth_of
from edge_us.measure.size import measure_size, pixel_area
from edge_us.measure.skin import skin_row
from edge_us.phantom.lesion import LOOKS, Pose
from edge_us.phantom.probe import make_beams
from edge_us.phantom.spec import LesionKind, Probe
from edge_us.phantom.still import StillSpec, ellipse_mask, render_still
from tests.describe.lesions import contour_of

WIDTH, HEIGHT = 640, 480
LOOK = LOOKS[LesionKind.BENIGN]
DEPTH_MM = {Probe.LINEAR: 40.0, Probe.CONVEX: 60.0, Probe.SECTOR: 60.0}
SCALE = {probe: make_beams(probe, depth, WIDTH, HEIGHT).mm_per_px for probe, depth in DEPTH_MM.items()}


def spec_of(probe: Probe, pose: Pose) -> StillSpec:
    return StillSpec(LOOK, pose, probe, DEPTH_MM[probe], WIDTH, HEIGHT)


def extents(pose: Pose, turn: float = 0.0) -> tuple[float, float]:
    """Width and height of a tilted ellipse in mm, in axes turned by ``turn`` rad."""
    tilt = pose.tilt - turn
    width = 2 * np.hypot(pose.semi_x_mm * np.cos(tilt), pose.semi_z_mm * np.sin(tilt))
    height = 2 * np.hypot(pose.semi_x_mm * np.sin(tilt), pose.semi_z_mm * np.cos(tilt))
    return float(width), float(height)


@pytest.mark.parametrize("tilt", [0.0, 0.3, 1.2])
@pytest.mark.parametrize("probe", list(Probe))
def test_axes_area_and_depth_are_right_at_ten_depths_and_ten_sizes(probe: Probe, tilt: float) -> None:
    scale = SCALE[probe]
    for depth, semi in product(np.linspace(0.15, 0.85, 10) * DEPTH_MM[probe], np.linspace(2.0, 5.5, 10)):
        spec = spec_of(probe, Pose(0.0, float(depth), float(semi), 0.7 * float(semi), tilt))
        contour = contour_of(ellipse_mask(spec, (scale, scale)))
        size = measure_size(contour, (scale, scale), spec.fan)
        assert size is not None
        width, height = extents(spec.pose)
        for length, truth in ((size.axes.long_length, 2 * semi), (size.axes.short_length, 1.4 * semi)):
            assert abs(length - truth) <= max(0.03 * truth, scale)
        assert size.area == pytest.approx(0.7 * np.pi * semi**2, rel=0.04)
        # Height and width are both within a pixel.
        assert abs(size.height_to_width - height / width) <= 1.5 * scale * (1 / width + height / width**2)
        assert depth_of(contour, (scale, scale), spec.fan, 0.0) == pytest.approx(depth - height / 2, abs=scale)


@pytest.mark.parametrize("ratio", [0.4, 0.7, 1.6, 2.5])
def test_pixels_that_are_not_square_measure_the_same(ratio: float) -> None:
    unit = (0.09, 0.09 * ratio)
    for semi, tilt in product((2.5, 4.0, 5.5), (0.0, 0.4, 0.8, 1.3)):
        pose = Pose(0.0, HEIGHT / 2 * unit[1], semi, 0.65 * semi, tilt)
        contour = contour_of(ellipse_mask(spec_of(Probe.LINEAR, pose), unit))
        size = measure_size(contour, unit)
        assert size is not None
        tall = max(unit)
        assert abs(size.axes.long_length - 2 * semi) <= max(0.03 * 2 * semi, tall)
        assert abs(size.axes.short_length - 1.3 * semi) <= max(0.03 * 1.3 * semi, tall)
        assert size.area == pytest.approx(0.65 * np.pi * semi**2, rel=0.04)
        width, height = extents(pose)
        assert size.height_to_width == pytest.approx(height / width, rel=0.08)


@pytest.mark.parametrize("probe", [Probe.CONVEX, Probe.SECTOR])
@pytest.mark.parametrize("side", [-1, 1])
def test_beside_the_middle_of_a_curved_probe_height_and_depth_run_along_the_beam(probe: Probe, side: int) -> None:
    scale, angle = SCALE[probe], side * np.deg2rad(22)
    spec = spec_of(probe, Pose(0.0, 0.0, 1.0, 1.0))
    assert spec.fan is not None
    radius = spec.fan.face * scale
    reach = radius + 30.0
    # Along the beam at 22 degrees the lesion is 0.6 times as tall as wide, whatever it is in the picture.
    pose = Pose(float(reach * np.sin(angle)), float(reach * np.cos(angle) - radius), 6.0, 3.6, float(-angle))
    contour = contour_of(ellipse_mask(spec_of(probe, pose), (scale, scale)))
    along_beam, along_picture = measure_size(contour, (scale, scale), spec.fan), measure_size(contour, (scale, scale))
    assert along_beam is not None
    assert along_picture is not None
    assert along_beam.height_to_width == pytest.approx(0.6, abs=0.02)
    assert along_beam.long_axis_deg < 2
    assert along_picture.height_to_width > 0.65
    assert along_picture.long_axis_deg == pytest.approx(22, abs=2)
    assert depth_of(contour, (scale, scale), spec.fan, 0.0) == pytest.approx(30 - 3.6, abs=1.5 * scale)


@pytest.mark.parametrize("probe", list(Probe))
def test_a_speckled_phantoms_mask_measures_what_the_lesion_was_made_with(probe: Probe) -> None:
    scale = 1.0 if probe is Probe.LINEAR else 1.5
    spec = spec_of(probe, Pose(0.0, 16.0 * scale, 6.0 * scale, 4.0 * scale))
    # A lesion that no noise makes wavy, deep enough not to be bent by a curved probe.
    made = render_still(StillSpec(LOOKS[LesionKind.CYST], spec.pose, probe, spec.depth_mm, WIDTH, HEIGHT))
    size = measure_size(contour_of(made.masks[0]), (made.mm_per_px, made.mm_per_px), spec.fan)
    assert size is not None
    assert size.axes.long_length == pytest.approx(12 * scale, rel=0.03)
    assert size.axes.short_length == pytest.approx(8 * scale, rel=0.03)
    assert size.area == pytest.approx(np.pi * 24 * scale**2, rel=0.04)


@given(seed=st.integers(0, 10_000), grown=st.integers(0, 6))
def test_the_area_of_any_mask_is_its_number_of_pixels(seed: int, grown: int) -> None:
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.standard_normal((40, 60)).astype(np.float32), (0, 0), 0.5 + grown / 2)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((np.asarray(noise) > 0).astype(np.uint8))
    if count < 2:
        return
    piece = np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))
    contour = contour_of(piece)
    filled = np.zeros(piece.shape, np.uint8)
    cv2.drawContours(filled, [contour.astype(np.int32)[:, None]], -1, 1, cv2.FILLED)
    assert pixel_area(contour) == pytest.approx(float(filled.sum()))


def test_the_skin_is_the_first_row_of_tissue_below_a_stand_off_or_a_dark_arc() -> None:
    strip = np.full((80, 40), 90, np.uint8)
    assert skin_row(strip) == 0
    strip[:23] = 5
    assert skin_row(strip) == 23
    strip[8] = 200  # a line of a ruler is no skin
    assert skin_row(strip) == 23
    strip[:] = 4
    assert skin_row(strip) == 0
    assert skin_row(strip[:2]) == 0


@pytest.mark.parametrize("gain_db", [-6.0, 0.0, 6.0])
def test_gain_does_not_move_the_skin(gain_db: float) -> None:
    from tests.describe.lesions import regained

    spec = StillSpec(LOOK, Pose(0.0, 24.0, 6.0, 4.0), Probe.CONVEX, 60.0, 480, 360)
    made = render_still(spec)
    fan = spec.fan
    assert fan is not None
    face = fan.y + fan.face + 0.5
    middle = regained(made.image, gain_db)[:100, 220:260]
    assert skin_row(middle) == pytest.approx(face, abs=1.5)
