"""Ticks of rulers of many kinds, and the refusal where there is no telling."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_us.capture.open import open_source
from edge_us.finding import Unknown
from edge_us.frame import Rect
from edge_us.overlay.text import text_mask
from edge_us.phantom.cart import make_cart
from edge_us.phantom.cart_state import CartState
from edge_us.scale.reference import mean_picture
from edge_us.scale.ruler import Ruler, find_ruler
from tests.scale.carts import frames_of

STRIP = Rect(20, 30, 80, 420)
Colour = tuple[int, int, int]


def drawn(
    step: float,
    *,
    minor: int = 1,
    long: int = 10,
    short: int = 5,
    ink: Colour = (230, 230, 230),
    faint: Colour | None = None,
    ground: Colour = (12, 12, 12),
    x: int = 50,
    top: float = 40.0,
    toward: int = 1,
    missing: frozenset[int] = frozenset(),
) -> NDArray[np.float32]:
    """A ruler, every ``minor``-th tick a long one, with the noise that the mean of some pictures has left."""
    picture = np.full((480, 160, 3), ground, np.uint8)
    for number in range(1000):
        y = int(top + number * step)
        if y >= STRIP.y + STRIP.height - 5:
            break
        major = number % minor == 0
        if number not in missing:
            colour = ink if major or faint is None else faint
            cv2.line(picture, (x, y), (x + toward * ((long if major else short) - 1), y), colour, 1)
    noise = np.random.default_rng(0).normal(0, 1.2, picture.shape)
    return np.asarray(cv2.GaussianBlur(picture, (3, 3), 0.4) + noise, np.float32)


@pytest.mark.parametrize("step", [9.0, 12.7, 31.25, 62.5, 80.0])
@pytest.mark.parametrize("minor", [1, 2, 5])
@pytest.mark.parametrize(
    ("ink", "ground", "toward"),
    [
        ((230, 230, 230), (12, 12, 12), 1),
        ((20, 20, 20), (170, 170, 170), -1),
        ((60, 220, 220), (60, 40, 30), 1),
        ((200, 120, 0), (110, 110, 110), -1),
    ],
)
def test_ticks_are_found_whatever_their_spacing_side_and_colour(
    step: float, minor: int, ink: Colour, ground: Colour, toward: int
) -> None:
    found = find_ruler(drawn(step, minor=minor, ink=ink, ground=ground, toward=toward), STRIP)
    assert isinstance(found, Ruler), found
    assert found.step_px == pytest.approx(step, abs=max(4 * found.error_px, 0.02))
    assert len(found.rows) == int((405 - 0.001) / step) + 1
    assert found.rows[0] == pytest.approx(40, abs=0.6)
    begin, end = found.columns
    reach = 6 if minor > 1 else 11
    assert 50 - reach <= begin < end <= 50 + reach, "where the short ticks stand too"


def test_dots_are_ticks_as_well_and_one_that_is_hidden_is_counted() -> None:
    found = find_ruler(drawn(40.0, long=2, missing=frozenset({4})), STRIP)
    assert isinstance(found, Ruler), found
    assert len(found.rows) == 10
    assert [found.number(row) for row in found.rows] == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert found.step_px == pytest.approx(40.0, abs=0.05)


def irregular() -> NDArray[np.float32]:
    picture = drawn(1000.0)
    for y in (60, 100, 152, 190, 260, 300, 361):
        picture[y, 50:58] = 230
    return picture


def two_rulers() -> NDArray[np.float32]:
    picture = drawn(40.0)
    for y in range(40, 440, 32):
        picture[y, 80:88] = 230
    return picture


def words() -> NDArray[np.float32]:
    picture = drawn(1000.0)
    for number, line in enumerate(("Gain 56", "DR 70", "Map 4", "Persist 3", "FR 34", "MI 0.8", "Depth 4", "Pwr 90")):
        mask = text_mask(line, 12)[:, :76]
        picture[60 + 40 * number : 60 + 40 * number + mask.shape[0], 22 : 22 + mask.shape[1]] += mask[..., None]
    return picture


@pytest.mark.parametrize(
    ("picture", "why"),
    [
        (drawn(120.0), "no 5 ticks"),
        (drawn(1000.0), "no 5 ticks"),
        (drawn(3.0), "no 5 ticks"),
        (irregular(), "no 5 ticks"),
        (words(), "no 5 ticks"),
        (drawn(40.0, missing=frozenset({1, 4, 6, 8})), "no 5 ticks"),
        (two_rulers(), "two rulers"),
        (drawn(20.0, minor=2, faint=(40, 40, 40)), "other marks"),
        (drawn(20.0, top=300.0), "too small a part"),
    ],
    ids=["few", "none", "dense", "irregular", "words", "gaps", "two", "faint", "short"],
)
def test_what_is_not_certain_is_refused_with_the_reason(picture: NDArray[np.float32], why: str) -> None:
    found = find_ruler(picture, STRIP)
    assert isinstance(found, Unknown), found
    assert why in found.reason


@pytest.mark.parametrize("depth_mm", [25.0, 40.0, 60.0, 80.0, 120.0])
@pytest.mark.parametrize("seed", range(1, 5))
def test_the_ruler_of_a_cart_gives_its_millimetres_to_a_third_of_a_percent(depth_mm: float, seed: int) -> None:
    layout = make_cart(800, 600, seed)
    mean = mean_picture(list(frames_of(layout, [CartState(depth_mm)] * 12, seed=seed)))
    found = find_ruler(mean, layout.ruler)
    assert isinstance(found, Ruler), found
    tick_mm = 5.0 if depth_mm <= 60 else 10.0
    assert tick_mm / found.step_px == pytest.approx(depth_mm / layout.image.height, rel=0.0034)


def test_the_dots_of_a_real_cart_span_the_depth_that_it_shows(shared_dir: Path) -> None:
    clip = shared_dir / "clips/plus/USTC_FrameGrabber_ProbeTranslationData.igs.mha"
    with open_source(str(clip)) as source:
        frames = [frame for frame, _ in zip(source, range(24), strict=False)]
    found = find_ruler(mean_picture(frames), Rect(40, 120, 30, 290))
    assert isinstance(found, Ruler), found
    # It says "Depth 7.0cm": 15 dots in steps of 5 mm.
    assert len(found.rows) == 15
    assert found.error_px < 0.05
