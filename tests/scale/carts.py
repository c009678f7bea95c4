"""Phantom carts for tests: screens, presets and changes of setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_us.calibrate.preset import Preset
from edge_us.frame import Frame, PixelFormat
from edge_us.phantom.capture_card import with_noise
from edge_us.phantom.cart import CartLayout, compose_cart, stand_in
from edge_us.phantom.cart_state import CartState, CartView
from edge_us.scale.reference import fingerprint_of

FRAME_NS = 33_000_000
EXAMPLE = "calibration/presets/phantom-cart.toml"


def frame_of(screen: NDArray[np.uint8], index: int = 0) -> Frame:
    height, width = screen.shape[:2]
    return Frame(screen, PixelFormat.BGR, width, height, index, index * FRAME_NS, 0)


def frames_of(layout: CartLayout, states: Sequence[CartState], sigma: float = 4.0, seed: int = 0) -> Iterator[Frame]:
    """Noisy frames of a script, one state a frame."""
    screens = (compose_cart(layout, state, stand_in(layout, state, n), n) for n, state in enumerate(states))
    for index, screen in enumerate(with_noise(screens, sigma, seed)):
        yield frame_of(screen, index)


def preset_for(layout: CartLayout, frames: Sequence[Frame], mm_per_px: float = 0.08) -> Preset:
    """What a user would have calibrated on these frames."""
    strips = (layout.ruler, layout.annotation)
    fingerprint = fingerprint_of(frames, strips)
    assert isinstance(fingerprint, str), fingerprint
    return Preset(
        screen=frames[0].size, region=layout.image, mm_per_px=(mm_per_px, mm_per_px), watch=strips,
        fingerprint=fingerprint,
    )  # fmt: skip


def another(rng: np.random.Generator, start: CartState) -> CartState:
    """A setting of another geometry, or of another application."""
    kind = rng.choice(["depth", "near", "double", "zoom", "dual", "thyroid"])
    if kind == "near":
        return CartState(start.depth_mm + float(rng.integers(1, 10)))
    if kind == "double":
        return CartState(start.depth_mm * 2)
    if kind == "zoom":
        return CartState(start.depth_mm, round(float(rng.uniform(1.1, 3)), 1))
    if kind == "depth":
        return CartState(float(rng.choice([depth for depth in range(20, 151, 5) if depth != start.depth_mm])))
    return CartState(start.depth_mm, view=CartView(str(kind)))
