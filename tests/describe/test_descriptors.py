"""Words of the lexicon on phantoms that have them by construction, and what they must not depend on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_us.describe import echo, margin, orientation, posterior, shape
from edge_us.describe.describe import DESCRIPTORS, catalogue, describe, look
from edge_us.describe.ranks import contrast_db, histogram
from edge_us.describe.threshold import UNCERTAIN, Threshold
from edge_us.finding import Unknown
from edge_us.frame import FULL_RANGE, Frame, PixelFormat, Rect
from edge_us.phantom.spec import Probe
from tests.describe.lesions import LESIONS, make, regained

GREY_MAPS = ((6.0, 1.0), (-6.0, 1.0), (3.0, 1.0), (-3.0, 1.0), (0.0, 0.7), (0.0, 1.4))


@pytest.mark.parametrize("probe", list(Probe))
@pytest.mark.parametrize("name", LESIONS)
def test_a_lesion_gets_the_words_that_it_has_by_construction(name: str, probe: Probe) -> None:
    seen = [describe(look(*make(name, probe, seed), 0.0)) for seed in (1, 2)]
    for term, word in LESIONS[name].words.items():
        said = [words[term] for words in seen]
        # One look at one tissue may leave it open; none may say another word, and one must say it.
        assert word in said, term
        assert set(said) <= {word, UNCERTAIN}, term


@pytest.mark.parametrize("probe", list(Probe))
@pytest.mark.parametrize("name", LESIONS)
def test_no_gain_and_no_gamma_turns_one_word_into_another(name: str, probe: Probe) -> None:
    frame, contour, region = make(name, probe)
    before = describe(look(frame, contour, region, 0.0))
    for gain_db, gamma in GREY_MAPS:
        changed = replace(frame, pixels=regained(frame.pixels, gain_db, gamma))
        after = describe(look(changed, contour, region, 0.0))
        for term in DESCRIPTORS:
            # A picture so dark that the answer is lost may leave it open, but never give another.
            assert after[term.name] in (before[term.name], UNCERTAIN), (gain_db, gamma, term.name)


@pytest.mark.parametrize("name", ["oval", "irregular", "anechoic", "shadowing"])
def test_words_are_the_same_in_a_picture_twice_as_large(name: str) -> None:
    import cv2

    frame, contour, _ = make(name, Probe.LINEAR, 2)
    big = np.asarray(cv2.resize(frame.pixels, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR), np.uint8)
    scale = frame.geometry.mm_per_px
    assert scale is not None
    geometry = replace(frame.geometry, region=None, mm_per_px=(scale[0] / 2, scale[1] / 2))
    large = Frame(big, PixelFormat.GRAY8, big.shape[1], big.shape[0], 0, 0, 0, geometry=geometry)
    words = describe(look(large, contour * 2 + np.float32(0.5), Rect(0, 0, *large.size), 0.0))
    expected = LESIONS[name].words
    assert {term: words[term] for term in expected} == expected


@pytest.mark.parametrize("name", ["oval", "anechoic", "shadowing"])
def test_pixels_twice_as_tall_as_wide_change_no_word(name: str) -> None:
    frame, contour, _ = make(name, Probe.LINEAR, 2)
    scale = frame.geometry.mm_per_px
    assert scale is not None
    flat = np.ascontiguousarray(frame.pixels[::2])
    geometry = replace(frame.geometry, region=None, mm_per_px=(scale[0], 2 * scale[1]))
    squashed = Frame(flat, PixelFormat.GRAY8, frame.width, len(flat), 0, 0, 0, geometry=geometry)
    words = describe(look(squashed, contour * np.array((1, 0.5), np.float32), Rect(0, 0, *squashed.size), 0.0))
    expected = LESIONS[name].words
    assert {term: words[term] for term in expected} == expected


def test_without_a_scale_and_without_the_beams_the_words_stay() -> None:
    for name in ("oval", "anechoic", "shadowing"):
        frame, contour, region = make(name, Probe.CONVEX)
        bare = replace(frame, geometry=replace(frame.geometry, mm_per_px=None, fan=None, reason="uncalibrated"))
        words = describe(look(bare, contour, region, float(region.y)))
        expected = LESIONS[name].words
        assert {term: words[term] for term in expected} == expected


def test_a_lesion_of_a_few_pixels_and_one_outside_of_the_image_get_reasons_not_words() -> None:
    frame, contour, region = make("oval", Probe.LINEAR)
    small = (contour - contour.mean(axis=0)) * np.float32(0.05) + contour.mean(axis=0)
    words = describe(look(frame, small.astype(np.float32), region, 0.0))
    assert isinstance(words["echo_pattern"], Unknown)
    assert isinstance(words["margin"], Unknown)
    away = describe(look(frame, contour + np.float32(2000), region, 0.0))
    assert isinstance(away["posterior_features"], Unknown)
    nothing = describe({})
    assert all(isinstance(nothing[term.name], Unknown) for term in DESCRIPTORS)


def test_a_lesion_at_the_foot_of_the_image_has_no_posterior_features_to_tell_of() -> None:
    frame, contour, region = make("shadowing", Probe.LINEAR)
    foot = int(contour[:, 1].max()) + 4
    words = describe(look(frame, contour, Rect(0, 0, region.width, foot), 0.0))
    assert isinstance(words["posterior_features"], Unknown)
    assert words["echo_pattern"] != UNCERTAIN


@given(value=st.floats(-20, 20), margin_=st.floats(0.01, 3), number=st.floats(-30, 30))
def test_near_a_threshold_nothing_is_said(value: float, margin_: float, number: float) -> None:
    side = Threshold(value, margin_, "test").side(number)
    assert side == (0 if abs(number - value) < margin_ else 1 if number > value else -1)


def test_between_two_words_there_is_always_an_uncertain_stretch() -> None:
    def walk(word: object, numbers: list[dict[str, float]]) -> list[str]:
        assert callable(word)
        said = [word(each) for each in numbers]
        return [one for one, before in zip(said, [None, *said], strict=False) if one != before]

    ratios = [{orientation.RATIO: value} for value in np.linspace(0.3, 1.6, 200)]
    assert walk(orientation.word, ratios) == ["parallel", UNCERTAIN, "not parallel"]
    shares = [{margin.SHARE: value} for value in np.linspace(0, 1, 200)]
    assert walk(margin.word, shares) == ["not circumscribed", UNCERTAIN, "circumscribed"]
    shapes = [{shape.DEVIATION: value, shape.AXIS_RATIO: 0.6} for value in np.linspace(0, 0.4, 200)]
    assert walk(shape.word, shapes) == ["oval", UNCERTAIN, "irregular"]
    plain = {echo.BRIGHTEST: 0.4, echo.PARTS: 3.0, echo.DARK: 0.0, echo.BLACK: 0.0}
    levels = [{**plain, echo.ECHO: value} for value in np.linspace(-15, 15, 400)]
    assert walk(echo.word, levels) == ["hypoechoic", UNCERTAIN, "isoechoic", UNCERTAIN, "hyperechoic"]
    below = [
        {posterior.MEAN: value, posterior.DARKEST: value - 1, posterior.BRIGHTEST: value + 1}
        for value in np.linspace(-9, 9, 400)
    ]
    assert walk(posterior.word, below) == ["shadowing", UNCERTAIN, "none", UNCERTAIN, "enhancement"]


@pytest.mark.parametrize("contrast", [-9.0, -3.0, 0.0, 3.0, 9.0])
def test_the_contrast_of_speckle_is_that_of_its_scatterers_whatever_the_grey_map(contrast: float) -> None:
    rng = np.random.default_rng(3)
    db = 10 * np.log10(rng.exponential(1.0, (2, 40_000))) + np.array([[contrast], [0.0]])
    grey = np.clip(255 + (db - 15) * 255 / 58, 0, 255).astype(np.uint8)
    for gamma in (1.0, 0.7, 1.4):
        one, other = regained(grey, 0.0, gamma)
        assert contrast_db(histogram(one), histogram(other)) == pytest.approx(contrast, abs=0.2)


def test_video_range_and_planar_frames_get_the_same_numbers() -> None:
    from edge_us.colour import to_i420

    frame, contour, region = make("oval", Probe.LINEAR)
    pixels, width, height, colorimetry = to_i420(frame)
    assert colorimetry != FULL_RANGE
    planar = Frame(pixels, PixelFormat.I420, width, height, 0, 0, 0, colorimetry, frame.geometry)
    numbers, same = look(frame, contour, region, 0.0), look(planar, contour, region, 0.0)
    assert same.keys() == numbers.keys()
    for name, number in numbers.items():
        assert same[name] == pytest.approx(number, abs=0.35), name  # 219 codes hold 255 levels


def test_every_threshold_has_a_source_and_every_word_a_place_in_the_schema() -> None:
    import json

    from edge_us.schema import schema_path

    schema = json.loads(schema_path("findings-1").read_text())["$defs"]["finding"]["properties"]["descriptors"]
    for name, entry in catalogue().items():
        assert set(entry["words"]) | {None} == set(schema["properties"][name]["enum"])
        assert all(len(limit["source"]) > 10 for limit in entry["thresholds"].values())
