"""The scale of a preset ends on the first frame of another geometry, and never in between."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_us.calibrate.preset import Preset
from edge_us.capture.open import open_source
from edge_us.frame import Geometry, Rect
from edge_us.phantom.capture_card import compress, with_noise
from edge_us.phantom.cart import compose_cart, make_cart, stand_in
from edge_us.phantom.cart_state import CartState, CartView
from edge_us.scale.fingerprint import decode, look
from edge_us.scale.reference import fingerprint_of
from edge_us.scale.watch import HOLD_FRAMES, ScaleState, ScaleWatch
from tests.scale.carts import another, frame_of, frames_of, preset_for

START = CartState(40)


@pytest.fixture(scope="module")
def preset() -> Preset:
    layout = make_cart(800, 600, 1)
    return preset_for(layout, list(frames_of(layout, [START] * 8)))


def scales(watch: ScaleWatch, states: list[CartState], seed: int = 1) -> list[bool]:
    """On which frames of a script the scale holds."""
    frames = frames_of(make_cart(800, 600, 1), states, seed=seed)
    return [watch.measure(frame).geometry.mm_per_px is not None for frame in frames]


@pytest.mark.parametrize("seed", range(12))
def test_every_change_of_depth_zoom_view_and_application_ends_the_scale_on_its_first_frame(seed: int) -> None:
    rng = np.random.default_rng(seed)
    width, height = [(800, 600), (640, 480), (1280, 720)][seed % 3]
    layout, start = make_cart(width, height, seed), CartState(float(rng.choice([30, 40, 50, 60, 75])))
    changed = [another(rng, start) for _ in range(25)]
    script = [start] * 8 + [state for change in changed for state in (change, start)]
    frames = list(frames_of(layout, script, seed=seed))
    # The scale comes back at once: the next change is waited for.
    watch = ScaleWatch(preset_for(layout, frames[:8]), hold_frames=1)
    held = [watch.measure(frame).geometry.mm_per_px is not None for frame in frames]
    wrong = [(start, state) for state, holds in zip(script, held, strict=True) if holds != (state == start)]
    assert not wrong
    assert watch.lost == 25


def test_a_scan_that_is_not_touched_keeps_its_scale_through_noise_and_compression(tmp_path: Path) -> None:
    layout, frozen = make_cart(800, 600, 3), CartState(40, view=CartView.FREEZE)
    script = [START] * 200 + [frozen] * 60 + [START] * 140
    screens = (compose_cart(layout, state, stand_in(layout, state, n), n) for n, state in enumerate(script))
    clip = compress(with_noise(screens, 4.0, 0), tmp_path / "clip.mp4", fps=30, kbit_s=8000)
    with open_source(str(clip)) as source:
        preset = preset_for(layout, [frame for frame, _ in zip(source, range(24), strict=False)])
    watch = ScaleWatch(preset)
    with open_source(str(clip)) as source:
        held = [watch.measure(frame).geometry.mm_per_px is not None for frame in source]
    assert len(held) == 400
    assert held == [False] * (HOLD_FRAMES - 1) + [True] * (400 - HOLD_FRAMES + 1)


def test_a_ruler_whose_ticks_stay_where_they_are_is_told_by_its_numbers_and_by_the_depth(preset: Preset) -> None:
    # 40 mm in ticks of 5 mm looks like 80 mm in ticks of 10 mm.
    ruler, words = (Rect(*strip) for strip in preset.watch)
    layout = make_cart(800, 600, 1)
    one, other = frames_of(layout, [CartState(40), CartState(80)])
    ticks = Rect(ruler.x + ruler.width - 4, ruler.y, 4, ruler.height)
    assert np.abs(look(one, [ticks]) - look(other, [ticks])).max() < 16
    for strip in (ruler, words):
        assert np.abs(look(one, [strip]) - look(other, [strip])).max() > 20
    assert scales(ScaleWatch(preset, hold_frames=1), [START, CartState(80)]) == [True, False]


def test_a_preset_made_at_one_depth_is_never_used_at_another(preset: Preset) -> None:
    watch = ScaleWatch(preset)
    assert not any(scales(watch, [CartState(60)] * 30))
    assert watch.state is ScaleState.NOT_YET
    assert watch.reason == "the screen is not as it was calibrated: go back or calibrate again"


def test_faint_numbers_on_a_ruler_that_looks_the_same_are_told_before_a_scale_is_taken(tmp_path: Path) -> None:
    layout = make_cart(800, 600, 22)  # dark grey words on mid grey, yellow ticks
    script = [START] * 30 + [CartState(80)] * 40
    screens = (compose_cart(layout, state, stand_in(layout, state, n), n) for n, state in enumerate(script))
    clip = compress(with_noise(screens, 4.0, 0), tmp_path / "clip.mp4", fps=30, kbit_s=8000)
    with open_source(str(clip)) as source:
        frames = list(source)
    preset = preset_for(layout, frames[:24])
    watch = ScaleWatch(preset)
    assert not any(watch.measure(frame).geometry.mm_per_px is not None for frame in frames[30:])
    assert watch.measure(frames[0]).geometry.reason == ScaleState.NOT_YET.value
    assert [watch.measure(frame).geometry.reason for frame in frames[:30]][-1] == ""


def test_the_scale_comes_back_after_some_frames_in_a_row_that_look_as_they_were_calibrated(preset: Preset) -> None:
    told: list[ScaleState] = []
    watch = ScaleWatch(preset, tell=told.append)
    wait = [False] * (HOLD_FRAMES - 1)
    assert scales(watch, [START] * HOLD_FRAMES) == [*wait, True]
    assert scales(watch, [CartState(60)] * 5) == [False] * 5
    assert watch.reason == "the picture's geometry changed: calibrate again or go back"
    # A moment of the old setting, as while somebody turns the knob to and fro, is not enough.
    assert not any(scales(watch, [START] * (HOLD_FRAMES - 1) + [CartState(50)]))
    assert scales(watch, [START] * HOLD_FRAMES) == [*wait, True]
    assert told == [ScaleState.HOLDS, ScaleState.CHANGED, ScaleState.HOLDS]
    assert (watch.lost, watch.known) == (1, 2)


def test_a_screen_of_another_size_has_no_scale(preset: Preset) -> None:
    watch = ScaleWatch(preset)
    for frame in frames_of(make_cart(1280, 720, 1), [START] * 15):
        assert watch.measure(frame).geometry.mm_per_px is None


def test_a_scale_that_the_source_says_stays_and_without_a_preset_there_is_none(preset: Preset) -> None:
    plain = frame_of(np.zeros((600, 800, 3), np.uint8))
    said = replace(plain, geometry=Geometry(mm_per_px=(0.2, 0.2), reason=""))
    assert ScaleWatch(preset).measure(said) is said
    assert ScaleWatch(None).measure(plain) is plain
    assert ScaleWatch(None).measure(plain).geometry.reason == "uncalibrated"


def test_with_the_scale_goes_what_is_known_of_the_beams(preset: Preset) -> None:
    curved = preset.model_copy(update={"apex": (350.0, -300.0), "angles": (-30.0, 30.0)})
    watch = ScaleWatch(curved, hold_frames=1)
    held, changed = frames_of(make_cart(800, 600, 1), [START, CartState(60)])
    assert watch.measure(held).geometry.fan == curved.fan
    assert curved.fan is not None
    assert watch.measure(changed).geometry.fan is None


def test_a_real_cart_keeps_its_scale_while_its_picture_moves(shared_dir: Path) -> None:
    clip = shared_dir / "clips/plus/USTC_FrameGrabber_ProbeTranslationData.igs.mha"
    strips = (Rect(46, 125, 12, 110), Rect(515, 380, 80, 14), Rect(230, 428, 150, 18))
    with open_source(str(clip)) as source:
        frames = list(source)
    fingerprint = fingerprint_of(frames[:24], strips)
    assert isinstance(fingerprint, str), fingerprint
    preset = Preset(
        screen=(640, 480), region=(60, 125, 450, 270), mm_per_px=(0.27, 0.27), watch=strips, fingerprint=fingerprint
    )
    watch = ScaleWatch(preset)
    assert [watch.measure(frame).geometry.reason for frame in frames][HOLD_FRAMES - 1 :] == [""] * 191
    assert max(float(np.abs(look(frame, strips) - decode(fingerprint)).max()) for frame in frames) < 10
