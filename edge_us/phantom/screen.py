"""The screen of a cart around the image: text, ruler, grey bar, buttons, all from the seed; no real person's name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_us.frame import Rect
from edge_us.phantom.probe import Beams
from edge_us.phantom.spec import PhantomSpec

Bgr = tuple[int, int, int]
_NAMES = ("PHANTOM, ANNA", "SYNTH, MARIA", "TEST, EVA", "NOBODY, JANE")
_BUTTONS = ("B", "CF", "PW", "M", "Freeze", "Gain", "Depth", "Focus", "Zoom", "Annot", "Calc", "Print")


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A cart's screen: the unchanging picture, and where the image lies in it."""

    background: NDArray[np.uint8]
    image: Rect
    text: Bgr
    side: int
    """-1: ruler left of the image, 1: right of it."""


def make_layout(spec: PhantomSpec) -> Layout:
    """Draw the unchanging parts of a screen; proportions, colours and texts vary with the seed."""
    import cv2

    rng = np.random.default_rng([spec.seed, 7])
    width, height = spec.width, spec.height
    light = rng.random() < 0.15
    base = rng.integers(150, 210) if light else rng.integers(0, 50)
    tint = rng.integers(-8, 9, 3)
    background = np.clip(np.full((height, width, 3), base, np.int32) + tint, 0, 255).astype(np.uint8)
    left = int(width * rng.uniform(0.06, 0.26))
    right = int(width * rng.uniform(0.07, 0.22))
    top = int(height * rng.uniform(0.07, 0.14))
    bottom = int(height * rng.uniform(0.06, 0.18))
    image = Rect(left, top, (width - left - right) & ~1, (height - top - bottom) & ~1)
    text: Bgr = (30, 30, 30) if light else tuple(int(v) for v in rng.integers(150, 255, 3))  # type: ignore[assignment]
    scale = height / 900

    def write(words: str, x: int, y: int, size: float = 1.0) -> None:
        cv2.putText(
            background, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, max(0.35, 0.6 * size * scale), text, 1, cv2.LINE_AA
        )

    def panel(rect: Rect) -> None:
        shade = tuple(int(v) for v in np.clip(base + rng.integers(-25, 45, 3), 0, 255))
        corner = (rect.x + rect.width, rect.y + rect.height)
        cv2.rectangle(background, (rect.x, rect.y), corner, shade, -1)

    line = max(14, int(26 * scale))
    panel(Rect(0, 0, width, int(top * 0.85)))
    write(str(rng.choice(_NAMES)), 10, int(top * 0.4))
    write(f"ID {rng.integers(10000, 99999)}", int(width * 0.35), int(top * 0.4))
    write(
        f"20{rng.integers(10, 26)}-{rng.integers(1, 13):02d}-{rng.integers(1, 28):02d} 10:2{rng.integers(0, 9)}",
        int(width * 0.7),
        int(top * 0.4),
    )
    write(
        f"{spec.probe.value} L{rng.integers(9, 18)}-{rng.integers(3, 6)}  MI 0.{rng.integers(6, 12)}",
        10,
        int(top * 0.75),
    )
    panel(Rect(0, top, int(left * 0.7), height - top - bottom))
    for number, label in enumerate(rng.permutation(_BUTTONS)[: int(rng.integers(4, 12))]):
        write(str(label), 6, top + (number + 1) * line * 2)
    panel(Rect(0, height - int(bottom * 0.8), width, int(bottom * 0.8)))
    for number in range(int(rng.integers(3, 9))):
        x = 10 + number * width // 9
        panel(Rect(x, height - int(bottom * 0.7), width // 11, int(bottom * 0.5)))
        write(f"F{number + 1}", x + 6, height - int(bottom * 0.35))
    if rng.random() < 0.5:
        side = max(12, int(right * 0.6))
        thumb = cv2.GaussianBlur(rng.integers(0, 160, (side, side, 1)).astype(np.uint8), (0, 0), 3)
        x, y = width - right + (right - side) // 2, height - bottom - side - 4
        background[y : y + side, x : x + side] = np.asarray(thumb)[..., None]
    ruler_side = 1 if rng.random() < 0.6 else -1
    bar_x = image.x + image.width + int(right * 0.55) if ruler_side == -1 else image.x - max(14, left // 6)
    bar_width = max(4, int(10 * scale))
    for row in range(image.height // 3):
        background[image.y + row, bar_x : bar_x + bar_width] = 255 - 255 * row * 3 // image.height
    background[image.y : image.y + image.height, image.x : image.x + image.width] = 0
    return Layout(background, image, text, ruler_side)


def compose(layout: Layout, gray: NDArray[np.uint8], beams: Beams, index: int) -> NDArray[np.uint8]:
    """Put an image on the screen, with the depth ruler (ticks every 5 mm) and a running counter."""
    import cv2

    screen: NDArray[np.uint8] = layout.background.copy()
    place = layout.image
    screen[place.y : place.y + place.height, place.x : place.x + place.width] = gray[..., None]
    x = place.x + place.width + 4 if layout.side == 1 else place.x - 10
    top = place.y + beams.region.y
    step_px = 5.0 / beams.mm_per_px
    for tick in range(int(beams.region.height / step_px) + 1):
        y = int(top + tick * step_px)
        long = 8 if tick % 2 == 0 else 4
        cv2.line(screen, (x, y), (x + long, y), layout.text, 1)
    cv2.putText(
        screen,
        f"{index:05d}",
        (place.x + place.width + 16, place.y + 16),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.4,
        layout.text,
        1,
    )
    return screen
