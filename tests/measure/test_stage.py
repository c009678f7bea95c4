"""Measurements over a track: smoothed, with their spread, withheld where nothing may be concluded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_us.finding import Finding, FindingKind, Unknown
from edge_us.frame import Frame, Geometry, PixelFormat
from edge_us.measure.smooth import Smoothed
from edge_us.measure.stage import LENGTHS, RATIOS, Measure
from tests.overlay.pictures import ellipse, found

STEP_NS = 33_000_000
FINE = Geometry(mm_per_px=(0.1, 0.1), reason="")
LESION = found(np.rint(ellipse(150, 120, 40, 25)), axes=None)


def frame(number: int, geometry: Geometry = FINE) -> Frame:
    return Frame(
        np.full((240, 320), 90, np.uint8), PixelFormat.GRAY8, 320, 240, number, number * STEP_NS, 0, geometry=geometry
    )


def one(stage: Measure, number: int, finding: Finding = LESION, geometry: Geometry = FINE) -> Finding:
    (measured,) = stage.apply(frame(number, geometry), [finding], None, None)
    return measured


def test_a_track_is_measured_on_its_first_frame_and_has_a_spread_from_the_third() -> None:
    stage = Measure(stills=False)
    first = one(stage, 0)
    assert first.measurements["long_axis_mm"] == pytest.approx(8.0, abs=0.1)
    assert first.measurements["short_axis_mm"] == pytest.approx(5.0, abs=0.1)
    assert first.measurements["area_mm2"] == pytest.approx(np.pi * 10, rel=0.04)
    assert first.measurements["depth_mm"] == pytest.approx(9.5, abs=0.1)
    assert first.measurements["long_axis_mm_spread"] == Unknown("too few frames")
    assert first.axes is not None
    one(stage, 1)
    assert one(stage, 2).measurements["long_axis_mm_spread"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("reason", ["uncalibrated", "the header's unit is not a length"])
def test_without_a_scale_lengths_are_unknown_with_the_reason_and_ratios_are_not(reason: str) -> None:
    measured = one(Measure(stills=False), 0, geometry=Geometry(reason=reason))
    for name in LENGTHS:
        assert measured.measurements[name] == measured.measurements[f"{name}_spread"] == Unknown(reason)
    assert measured.measurements["height_to_width"] == pytest.approx(50 / 80, abs=0.02)
    assert measured.axes is not None


def test_a_picture_that_is_not_analysable_is_not_measured_and_the_track_goes_on_after_it() -> None:
    stage = Measure(stills=False)
    for number in range(5):
        one(stage, number)
    (withheld,) = stage.apply(frame(5), [LESION], None, "colour Doppler")
    assert set(withheld.measurements.values()) == {Unknown("not analysable: colour Doppler")}
    assert withheld.axes is None
    assert isinstance(one(stage, 6).measurements["long_axis_mm_spread"], float)


def test_on_a_frame_on_which_it_is_not_seen_a_track_keeps_its_values() -> None:
    stage = Measure(stills=False)
    for number in range(4):
        before = one(stage, number)
    twice = replace(LESION, contour=LESION.contour * np.float32(2), unseen=1)
    assert one(stage, 4, twice).measurements == before.measurements


def test_smoothing_makes_a_shaking_outline_steady_and_says_how_much_it_shook() -> None:
    rng = np.random.default_rng(5)
    stage, raw, smooth, spread = Measure(stills=False), [], [], 0.0
    for number in range(120):
        factor = np.float32(1 + 0.05 * rng.standard_normal())
        shaken = replace(LESION, contour=(LESION.contour - LESION.contour.mean(0)) * factor + LESION.contour.mean(0))
        raw.append(one(Measure(stills=False), number, shaken).measurements["long_axis_mm"])
        measured = one(stage, number, shaken).measurements
        smooth.append(measured["long_axis_mm"])
        if number == 119:
            assert isinstance(measured["long_axis_mm_spread"], float)
            spread = measured["long_axis_mm_spread"]
    late = slice(30, None)
    assert np.std(np.array(smooth[late], float)) < 0.35 * np.std(np.array(raw[late], float))
    assert spread == pytest.approx(0.4, rel=0.5)


def test_another_scale_starts_anew() -> None:
    stage = Measure(stills=False)
    for number in range(10):
        one(stage, number)
    measured = one(stage, 10, geometry=Geometry(mm_per_px=(0.2, 0.2), reason=""))
    assert measured.measurements["long_axis_mm"] == pytest.approx(16.0, abs=0.2)


def test_stills_are_measured_alone_and_a_finding_without_a_contour_is_not() -> None:
    stage = Measure(stills=True)
    still = replace(LESION, track=None)
    measured = one(stage, 0, still)
    assert measured.measurements["long_axis_mm"] == pytest.approx(8.0, abs=0.1)
    assert measured.measurements["long_axis_mm_spread"] == Unknown("a single picture")
    bare = Finding(FindingKind.LESION, (10, 10, 40, 40), 0.9, np.zeros((0, 2), np.float32), track=1)
    nothing = one(Measure(stills=False), 0, bare)
    assert set(nothing.measurements) == {f"{name}{end}" for name in (*LENGTHS, *RATIOS) for end in ("", "_spread")}
    assert set(nothing.measurements.values()) == {Unknown("no contour")}


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60), step=st.integers(1, 10**9))
def test_a_smoothed_value_lies_between_what_was_seen_and_its_spread_is_never_more_than_the_range(
    values: list[float], step: int
) -> None:
    smoothed = Smoothed()
    for number, value in enumerate(values):
        smoothed.add(value, number * step)
    low, high = min(values), max(values)
    assert low - 1e-6 <= smoothed.mean <= high + 1e-6
    if len(values) >= 3:
        assert smoothed.spread is not None
        assert smoothed.spread <= high - low + 1e-6


def test_a_step_is_followed_within_a_second_and_the_past_is_never_changed_by_the_future() -> None:
    smoothed, seen = Smoothed(), []
    for number in range(90):
        smoothed.add(10.0 if number < 45 else 14.0, number * STEP_NS)
        seen.append(smoothed.mean)
    assert seen[44] == pytest.approx(10.0)
    assert seen[45 + 30] == pytest.approx(14.0, abs=0.6)
    again = Smoothed()
    for number in range(45):
        again.add(10.0, number * STEP_NS)
    assert again.mean == seen[44]
