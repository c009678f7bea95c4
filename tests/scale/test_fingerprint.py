"""What is kept of a strip: nothing that can be read, and enough to see a digit change."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_us.finding import Unknown
from edge_us.frame import Rect
from edge_us.overlay.text import text_mask
from edge_us.phantom.cart import make_cart
from edge_us.phantom.cart_state import CartState
from edge_us.scale.fingerprint import STEP, block_px, count, cut, decode, differs, encode, look, strokes_differ
from edge_us.scale.reference import fingerprint_of
from tests.scale.carts import frame_of, frames_of

SCREEN = (160, 80)
Screen = NDArray[np.uint8]


@given(st.lists(st.floats(0, 255, width=32), min_size=1, max_size=50))
def test_what_is_written_is_read_to_half_a_step(values: list[float]) -> None:
    blocks = np.array(values, np.float32)
    assert np.abs(decode(encode(blocks)) - blocks).max() <= STEP / 2 + 0.5


@given(
    st.builds(Rect, st.integers(0, 300), st.integers(0, 300), st.integers(1, 300), st.integers(1, 170)),
    st.sampled_from([480, 720, 1080, 2160]),
)
def test_a_strip_of_any_size_has_as_many_blocks_as_its_preset_says(strip: Rect, height: int) -> None:
    frame = frame_of(np.zeros((height, 640, 3), np.uint8))
    assert len(look(frame, [strip])) == count(strip, frame.size)
    assert count(strip, frame.size) <= (strip.width / 4 + 1) * (strip.height / 4 + 1)


@pytest.mark.parametrize("height", [480, 600, 768, 1080, 1440, 2160])
def test_letters_as_carts_write_them_are_two_or_three_blocks_high(height: int) -> None:
    # Capitals are 0.7 of the font's size; settings are written in a fortieth of the screen's height and less.
    assert 0.7 * height / 40 / block_px((0, height)) <= 3.4


def screen_with(words: str, px: int, x: int, y: int, ink: int, ground: int) -> Screen:
    screen = np.full((SCREEN[1], SCREEN[0], 3), ground, np.uint8)
    mask = text_mask(words, px).astype(float) / 255
    screen[y : y + mask.shape[0], x : x + mask.shape[1]] = np.rint(ground + mask * (ink - ground))[..., None]
    return screen


@pytest.mark.parametrize(("ink", "ground"), [(230, 10), (10, 128), (180, 40)])
@pytest.mark.parametrize("px", [12, 14, 18])
def test_any_digit_that_becomes_another_is_seen_where_the_strip_is_remembered(px: int, ink: int, ground: int) -> None:
    strip, rng = Rect(20, 20, 80, 28), np.random.default_rng(px)
    for offset in range(4):
        screens = [screen_with(f"D {digit}.0 cm", px, 24 + offset, 22 + offset, ink, ground) for digit in range(10)]
        seen = [cut(frame_of(noisy(screen, rng)), [strip]) for screen in screens]
        again = [cut(frame_of(noisy(screen, rng)), [strip]) for screen in screens]
        assert not any(strokes_differ(one, other, 4) for one, other in zip(seen, again, strict=True))
        unseen = [(a, b) for a, b in permutations(range(10), 2) if not strokes_differ(seen[a], again[b], 4)]
        assert not unseen


def noisy(screen: Screen, rng: np.random.Generator) -> Screen:
    return np.clip(screen + rng.normal(0, 4, (*screen.shape[:2], 1)), 0, 255).astype(np.uint8)


def test_strips_that_move_or_say_nothing_are_refused() -> None:
    layout = make_cart(800, 600, 1)
    frames = list(frames_of(layout, [CartState()] * 40))
    assert isinstance(fingerprint_of(frames, [layout.ruler, layout.annotation]), str)
    empty = fingerprint_of(frames, [Rect(700, 400, 60, 60)])
    assert isinstance(empty, Unknown)
    assert "nothing that can be told apart" in empty.reason
    for moving in (Rect(*layout.image), layout.banner, layout.annotation._replace(height=200)):
        moved = fingerprint_of(frames, [layout.ruler, moving])
        assert isinstance(moved, Unknown)
        assert "changes while nobody changes it" in moved.reason


def test_noise_is_no_difference() -> None:
    layout = make_cart(800, 600, 4)
    strips = [layout.ruler, layout.annotation]
    one, *others = frames_of(layout, [CartState()] * 30, sigma=6.0)
    assert not any(differs(look(one, strips), look(other, strips)) for other in others)
