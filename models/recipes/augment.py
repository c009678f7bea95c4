"""Ultrasound as other scanners, hands and hospitals make it, out of the pictures at hand.

`augment` draws from a generator that is passed in and applies the pure functions of `physics`, `geometry` and
`burned_in`. It never flips upside down and never squeezes one axis. The horizontal flip, small rotations, scale and
mosaic are left to the trainer, which does them after this. About 2 ms for a picture of 320 px.
"""

from __future__ import annotations

from dataclasses import dataclass

import burned_in
import geometry
import numpy as np
import physics
from numpy.typing import NDArray
from outlines import Gray, Outline


@dataclass(frozen=True)
class Settings:
    """How often each change happens; how strong it is stands beside its use in this module.

    Attributes
    ----------
    untouched
        Share of pictures that stay as they are, so that the network also sees what it is tested on in its own domain.
    hard
        Coarse speckle and little dynamic range together, as on scanners of the 2000s: what a network that never saw
        such a scanner is blind to (`models/cards/lesion-fast.md`).
    """

    untouched: float = 0.12
    crop: float = 0.35
    gain: float = 0.6
    tgc: float = 0.35
    attenuation: float = 0.25
    shadow: float = 0.2
    tone: float = 0.5
    speckle: float = 0.2
    blur: float = 0.3
    edges: float = 0.12
    coarsen: float = 0.12
    bend: float = 0.1
    probe: float = 0.08
    screen: float = 0.15
    text: float = 0.2
    ruler: float = 0.15
    bar: float = 0.08
    mark: float = 0.08
    callipers_lesion: float = 0.25
    callipers_normal: float = 0.35
    compress: float = 0.2
    hard: float = 0.0


class Augmenter:
    """Applies `Settings` to pictures; holds the speckle field that all pictures share.

    Parameters
    ----------
    settings
        How often each change happens.
    long_side
        Longer side of what comes out, in px.
    seed
        Of the speckle field only; everything else is drawn from the generator given to each call.
    """

    def __init__(self, settings: Settings, long_side: int, seed: int = 0) -> None:
        self.settings = settings
        self.long_side = long_side
        self._bank = physics.speckle_bank(np.random.default_rng(seed), size=max(768, 2 * long_side))

    def __call__(self, gray: Gray, outlines: list[Outline], rng: np.random.Generator) -> tuple[Gray, list[Outline]]:
        """Return a new picture with its longer side at `long_side`, and the outlines in it.

        Parameters
        ----------
        gray
            Shape (height, width); not written to.
        outlines
            In px of `gray`.
        rng
            Where all randomness comes from: the same state gives the same picture.
        """
        if rng.random() < self.settings.untouched:
            return geometry.fit(gray, outlines, self.long_side)
        if rng.random() < self.settings.crop:
            gray, outlines = geometry.crop(gray, outlines, _four(rng, 0.22))
        gray, outlines = geometry.fit(gray, outlines, self.long_side)  # so that px mean the same in all data sets
        gray = self._levels(gray, rng)
        gray, outlines = self._view(gray, outlines, rng)
        gray, outlines = geometry.fit(gray, outlines, self.long_side)
        gray = gray.copy()
        self._draw(gray, outlines, rng)
        if rng.random() < self.settings.compress:
            gray = physics.compress(gray, int(rng.integers(25, 85)))
        return gray, outlines

    def _levels(self, gray: Gray, rng: np.random.Generator) -> Gray:
        """Gain, depth curves, shadows, speckle, resolution and grey map, in the order of a scanner's signal path."""
        chance = self.settings
        height, width = gray.shape
        offset: NDArray[np.float32] = np.zeros((1, 1), np.float32)
        if rng.random() < chance.gain:
            offset = offset + np.float32(rng.normal(0, 4))
        if rng.random() < chance.tgc:
            offset = offset + physics.depth_curve(height, rng.normal(0, 3.5, size=8).astype(np.float32))
        if rng.random() < chance.attenuation:
            offset = offset + physics.attenuation(height, float(rng.uniform(-5, 14)))
        if rng.random() < chance.shadow:
            for _ in range(int(rng.integers(1, 4))):
                offset = offset + physics.shadow(
                    height,
                    width,
                    x=float(rng.random()),
                    top=float(rng.choice([0.0, rng.uniform(0, 0.8)])),
                    half_width=float(rng.uniform(0.02, 0.14)),
                    spread=float(rng.uniform(0, 0.5)),
                    depth_db=float(rng.uniform(-4, 16)),
                )
        if offset.any():
            gray = physics.add_db(gray, np.clip(offset, -25, 15))
        if rng.random() < chance.speckle:
            x, y = (int(value) for value in rng.integers(0, self._bank.shape[0] - self.long_side, size=2))
            gray = physics.speckle(gray, self._bank, x, y, float(rng.uniform(0.1, 0.45)))
        if rng.random() < chance.blur:
            if rng.random() < 0.3:
                gray = physics.despeckle(gray)
            else:
                sigma = float(rng.uniform(0.4, 1.4))
                gray = physics.smooth(gray, sigma * float(rng.uniform(1.0, 1.6)), sigma)
        if rng.random() < chance.coarsen:
            gray = physics.coarsen(gray, float(rng.uniform(0.45, 0.8)))
        if rng.random() < chance.edges:
            gray = physics.enhance_edges(gray, float(rng.uniform(0.3, 1.2)))
        if rng.random() < chance.tone:
            gray = physics.tone(
                gray,
                gamma=float(np.exp(rng.normal(0, 0.25))),
                dynamic_range_db=float(rng.uniform(42, 85)),
                white=float(rng.uniform(200, 255)),
            )
        # Asked first, so that a recipe without it draws what it drew before there was such a change.
        if chance.hard and rng.random() < chance.hard:
            x, y = (int(value) for value in rng.integers(0, self._bank.shape[0] - self.long_side, size=2))
            grain, strength = float(rng.uniform(1, 2.5)), float(rng.uniform(0.2, 0.9))
            gray = physics.speckle(gray, self._bank, x, y, strength, grain)
            gray = physics.harden(gray, float(rng.uniform(1.2, 2.6)), float(rng.uniform(80, 150)))
        return gray

    def _view(self, gray: Gray, outlines: list[Outline], rng: np.random.Generator) -> tuple[Gray, list[Outline]]:
        """Probe shape and the screen around it."""
        chance = self.settings
        draw = rng.random()
        if draw < chance.bend:
            gray, outlines = geometry.bend(gray, outlines, float(rng.uniform(0.12, 0.5)))
        elif draw < chance.bend + chance.probe:
            half_angle, apex = float(rng.uniform(0.35, 0.8)), float(rng.uniform(0.02, 1.5))
            gray, outlines = geometry.mask_to_probe(gray, outlines, half_angle, apex)
        if rng.random() < chance.screen:
            level = 0 if rng.random() < 0.8 else int(rng.integers(5, 60))
            gray, outlines = geometry.on_screen(gray, outlines, _four(rng, 0.3), level)
        return gray, outlines

    def _draw(self, gray: Gray, outlines: list[Outline], rng: np.random.Generator) -> None:
        """Everything that is burned into the picture, in place."""
        chance = self.settings
        if rng.random() < chance.ruler:
            burned_in.ruler(gray, rng)
        if rng.random() < chance.bar:
            burned_in.grey_bar(gray, rng)
        if rng.random() < chance.mark:
            burned_in.body_mark(gray, rng)
        if rng.random() < chance.text:
            burned_in.text(gray, rng)
        if rng.random() < (chance.callipers_lesion if outlines else chance.callipers_normal):
            burned_in.callipers(gray, outlines, rng, on_lesion=bool(rng.random() < 0.5))


def _four(rng: np.random.Generator, most: float) -> tuple[float, float, float, float]:
    """Four independent shares, each zero half of the time."""
    shares = rng.uniform(0, most, size=4) * (rng.random(4) < 0.5)
    return float(shares[0]), float(shares[1]), float(shares[2]), float(shares[3])
