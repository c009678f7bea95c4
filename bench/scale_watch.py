"""How sure the watch over a preset's scale is, on phantom carts as a capture card delivers them.

    python bench/scale_watch.py --minutes 10 --changes 300

Steady scanning (freezes among it, which change no geometry) must not cost the scale; after a change of depth, zoom,
view or application not one frame may carry the old one. Every screen has noise and went through H.264.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_us.calibrate.preset import Preset
from edge_us.capture.open import open_source
from edge_us.finding import Unknown
from edge_us.frame import Frame
from edge_us.phantom.capture_card import compress, with_noise
from edge_us.phantom.cart import CartLayout, compose_cart, make_cart, stand_in
from edge_us.phantom.cart_state import CartState, CartView
from edge_us.scale.fingerprint import decode, look
from edge_us.scale.reference import FRAMES, fingerprint_of
from edge_us.scale.watch import HOLD_FRAMES, ScaleWatch

FPS = 30.0
STEADY, CHANGED = HOLD_FRAMES + 8, 5
"""Frames before each change, enough for the scale to hold again, and after it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=int, default=10, help="of steady scanning")
    parser.add_argument("--changes", type=int, default=300)
    parser.add_argument("--sizes", nargs="+", default=["800x600", "1280x720", "1920x1080"])
    parser.add_argument("--sigma", type=float, default=4.0, help="noise in grey levels")
    parser.add_argument("--kbit-s", type=int, default=8000, help="rate of the H.264 stream at 800x600")
    parser.add_argument("--seed", type=int, default=0, help="of the first screen; each minute and thirty changes add 1")
    options = parser.parse_args()
    sizes = [(int(width), int(height)) for width, _, height in (text.partition("x") for text in options.sizes)]
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        for name, rounds, make in (
            ("steady", options.minutes, steady_minute),
            ("changes", -(-options.changes // 30), thirty_changes),
        ):
            frames = lost = changes = wrong = missing = 0
            most, least, cost_ns = 0.0, 255.0, 0
            for number in range(options.seed, options.seed + rounds):
                width, height = sizes[number % len(sizes)]
                layout = make_cart(width, height, number + 1)
                script = make(np.random.default_rng(number))
                noisy = with_noise(screens(layout, script), options.sigma, number)
                rate = options.kbit_s * width * height // (800 * 600)
                seen = watch(compress(noisy, clip, fps=FPS, kbit_s=rate), layout, script)
                frames += len(script)
                lost, changes = lost + seen.lost, changes + seen.changes
                wrong, missing = wrong + seen.wrong, missing + seen.missing
                most, least = max(most, seen.most), min(least, seen.least)
                cost_ns += seen.cost_ns
            print(
                f"{name}: {frames} frames ({frames / FPS / 60:.1f} min), {changes} changes, scale lost {lost} times, "
                f"{wrong} frames with a scale that does not hold, {missing} without one that does; "
                f"a block off by {most:.1f} at most while steady, "
                f"by {least:.1f} at least on the first frame after a change, {cost_ns / frames / 1e6:.3f} ms a frame",
                flush=True,
            )


class Seen:
    """What a watch did over one clip."""

    def __init__(self) -> None:
        self.lost = self.changes = self.wrong = self.missing = self.cost_ns = 0
        self.most, self.least = 0.0, 255.0


def watch(clip: Path, layout: CartLayout, script: Sequence[CartState]) -> Seen:
    """Calibrate on the first frames, then follow the script: the scale must hold where its state is that of the start,
    but for `HOLD_FRAMES` after a change."""
    seen, start, since = Seen(), script[0], 0
    with open_source(str(clip)) as source:
        first = [frame for frame, _ in zip(source, range(FRAMES), strict=False)]
    preset = preset_of(first, layout, start)
    watching, reference = ScaleWatch(preset), decode(preset.fingerprint)
    with open_source(str(clip)) as source:
        for frame in source:
            state = script[frame.index]
            same = same_geometry(state, start)
            began = time.perf_counter_ns()
            known = watching.measure(frame).geometry.mm_per_px is not None
            seen.cost_ns += time.perf_counter_ns() - began
            since = since + 1 if same else 0
            first_changed = not same and same_geometry(script[frame.index - 1], start)
            seen.changes += first_changed
            seen.wrong += known and not same
            seen.missing += same and since > HOLD_FRAMES and not known
            off = float(np.abs(look(frame, [layout.ruler, layout.annotation]) - reference).max())
            if same:
                seen.most = max(seen.most, off)
            elif first_changed:
                seen.least = min(seen.least, off)
    seen.lost = watching.lost
    return seen


def preset_of(frames: Sequence[Frame], layout: CartLayout, state: CartState) -> Preset:
    strips = (layout.ruler, layout.annotation)
    fingerprint = fingerprint_of(frames, strips)
    if isinstance(fingerprint, Unknown):
        raise SystemExit(fingerprint.reason)
    mm_per_px = state.depth_mm / layout.image.height
    return Preset(
        name="", screen=frames[0].size, region=layout.image, hide=(), mm_per_px=(mm_per_px, mm_per_px),
        watch=strips, fingerprint=fingerprint,
    )  # fmt: skip


def same_geometry(one: CartState, other: CartState) -> bool:
    """A freeze changes none."""
    live = {state if state is not CartView.FREEZE else CartView.LIVE for state in (one.view, other.view)}
    return len(live) == 1 and (one.depth_mm, one.zoom) == (other.depth_mm, other.zoom)


def screens(layout: CartLayout, script: Sequence[CartState]) -> Iterator[NDArray[np.uint8]]:
    for index, state in enumerate(script):
        yield compose_cart(layout, state, stand_in(layout, state, index), index)


def steady_minute(rng: np.random.Generator) -> list[CartState]:
    depth = float(rng.choice([30, 40, 50, 60, 80]))
    frozen = CartState(depth, view=CartView.FREEZE)
    return ([CartState(depth)] * 500 + [frozen] * 100) * 3


def thirty_changes(rng: np.random.Generator) -> list[CartState]:
    start = CartState(float(rng.choice([30, 40, 50, 60, 80])))
    script = [start] * (FRAMES + STEADY)
    for _ in range(30):
        script += [another(rng, start)] * CHANGED + [start] * STEADY
    return script


def another(rng: np.random.Generator, start: CartState) -> CartState:
    """A setting with another geometry, or with another application's name."""
    kind = rng.choice(["depth", "near", "double", "zoom", "dual", "thyroid"])
    if kind == "near":
        return CartState(start.depth_mm + float(rng.integers(1, 10)))
    if kind == "double":
        return CartState(start.depth_mm * 2 if start.depth_mm <= 75 else start.depth_mm / 2)
    if kind == "zoom":
        return CartState(start.depth_mm, round(float(rng.uniform(1.1, 3)), 1))
    if kind == "depth":
        depths = [depth for depth in range(20, 151, 5) if depth != start.depth_mm]
        return CartState(float(rng.choice(depths)))
    return CartState(start.depth_mm, view=CartView(str(kind)))


if __name__ == "__main__":
    main()
