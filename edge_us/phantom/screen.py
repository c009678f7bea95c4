"""The screen of a cart around the image; layout, colours and texts all from the seed, no real person's name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_us.frame import Rect
from edge_us.phantom.probe import Beams
from edge_us.phantom.screen_parts import BUTTONS, PARAMETERS, Bgr, Canvas, draw_theme
from edge_us.phantom.spec import PhantomSpec, Probe

_NAMES = ("PHANTOM, ANNA", "SYNTH, MARIA", "TEST, EVA", "NOBODY, JANE")
_NOTES = ("L BREAST 2:00 3CM FN", "RT BREAST", "MAMA ESQUERDA QSE", "RADIAL", "LT AXILLA", "ARAD  10 h", "10 mm")


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A cart's screen: the unchanging picture, where the image lies in it, and what is drawn on top.

    ``note_at`` is None, or where `note` is written over the image's margin, relative to the image.
    """

    background: NDArray[np.uint8]
    image: Rect
    text: Bgr
    accent: Bgr
    ruler_side: int
    """-1: ruler left of the image, 1: right of it."""
    note: str
    note_at: tuple[float, float] | None
    cine_bar: bool
    clock_at: tuple[int, int] | None


def make_layout(spec: PhantomSpec) -> Layout:
    """Draw the unchanging parts of a screen; proportions, colours and texts vary with the seed."""
    rng = np.random.default_rng([spec.seed, 7])
    width, height = spec.width, spec.height
    theme = draw_theme(rng)
    canvas = Canvas(width, height, theme)
    left, right = int(width * rng.uniform(0.03, 0.24)), int(width * rng.uniform(0.06, 0.22))
    top, bottom = int(height * rng.uniform(0.05, 0.13)), int(height * rng.uniform(0.04, 0.17))
    if left + right < 0.2 * width:  # ruler, grey scale and settings need room on one side at least
        left = int(0.2 * width) - right
    pane = Rect(left, top, width - left - right, height - top - bottom)

    _top_bar(canvas, spec, top, rng)
    _left_menu(canvas, pane, rng)
    _bottom_bar(canvas, pane, rng)
    canvas.box(pane, (0, 0, 0), theme.text if rng.random() < 0.25 else None)
    image = _place_image(canvas, spec, pane, rng)
    ruler_side = 1 if rng.random() < 0.6 else -1
    _right_column(canvas, pane, rng)
    bar = Rect(0, image.y + 4, max(4, int(14 * canvas.unit)), image.height // 3)
    gap = int(rng.integers(12, 18))
    free_left = image.x - bar.width - gap
    free_right = image.x + image.width + gap
    bar_x = free_left if ruler_side == 1 and free_left >= 0 else free_right
    if bar_x + bar.width < width:
        canvas.grey_bar(bar._replace(x=bar_x))
    canvas.pixels[image.y : image.y + image.height, image.x : image.x + image.width] = 0
    over = (float(rng.choice([0.02, 0.6])), float(rng.choice([0.05, 0.95]))) if rng.random() < 0.6 else None
    clock = (int(width * 0.8), int(top * 0.45)) if rng.random() < 0.6 else None
    return Layout(
        background=canvas.pixels,
        image=image,
        text=theme.text,
        accent=theme.accent,
        ruler_side=ruler_side,
        note=str(rng.choice(_NOTES)),
        note_at=over,
        cine_bar=bool(rng.random() < 0.4),
        clock_at=clock,
    )


def _top_bar(canvas: Canvas, spec: PhantomSpec, top: int, rng: np.random.Generator) -> None:
    width, line = spec.width, int(top * 0.45)
    canvas.box(Rect(0, 0, width, max(1, top - int(rng.integers(1, 6)))), canvas.theme.panel)
    x = 8
    if rng.random() < 0.7:
        canvas.logo(x, 3, max(14, top - 8), rng)
        x += top + 6
    canvas.text(str(rng.choice(_NAMES)), x, line)
    canvas.text(f"ID {rng.integers(10000, 99999)}", int(width * 0.38), line)
    date = f"20{rng.integers(10, 26)}-{rng.integers(1, 13):02d}-{rng.integers(1, 28):02d}"
    canvas.text(date, int(width * 0.6), line)
    probe = f"{spec.probe.value} L{rng.integers(9, 18)}-{rng.integers(3, 6)}  MI 0.{rng.integers(6, 12)}"
    canvas.text(probe, x, int(top * 0.88), 0.9)


def _left_menu(canvas: Canvas, pane: Rect, rng: np.random.Generator) -> None:
    if pane.x < 50:
        return
    line, theme = canvas.line, canvas.theme
    if rng.random() < 0.6:
        canvas.box(Rect(0, pane.y, int(pane.x * 0.75), pane.height), theme.panel)
    as_buttons, gap = rng.random() < 0.5, float(rng.uniform(1.3, 2.4))
    for number, label in enumerate(rng.permutation(BUTTONS)[: int(rng.integers(4, len(BUTTONS)))]):
        y = pane.y + int((number + 1) * line * gap)
        if y + line > pane.y + pane.height:
            break
        if as_buttons:
            color = theme.accent if rng.random() < 0.15 else theme.panel
            canvas.button(Rect(4, y - line, int(pane.x * 0.65), int(line * 1.1)), str(label), color)
        else:
            canvas.text(str(label), 6, y)


def _bottom_bar(canvas: Canvas, pane: Rect, rng: np.random.Generator) -> None:
    height, width = canvas.pixels.shape[:2]
    y, free = pane.y + pane.height, height - pane.y - pane.height
    if free < 20:
        return
    canvas.box(Rect(0, y + free // 5, width, free - free // 5), canvas.theme.panel)
    if free > 60 and rng.random() < 0.5:  # a strip of stored images
        side, x = int(free * 0.7), 8
        for _ in range(int(rng.integers(2, 7))):
            if x + int(side * 1.3) + 6 > width:
                break
            canvas.frozen_image(Rect(x, y + free // 4, int(side * 1.3), side), rng)
            x += int(side * 1.3) + 6
        return
    for number in range(int(rng.integers(3, 9))):
        rect = Rect(10 + number * width // 9, y + free // 3, width // 10, free // 2)
        canvas.button(rect, f"F{number + 1}", canvas.theme.accent if rng.random() < 0.2 else canvas.theme.panel)


def _place_image(canvas: Canvas, spec: PhantomSpec, pane: Rect, rng: np.random.Generator) -> Rect:
    """Choose the image's place in the pane; what it leaves free may hold a frozen second image."""
    inset = int(rng.integers(0, 9))
    x, y = pane.x + inset, pane.y + inset
    width, height = pane.width - 2 * inset, pane.height - 2 * inset
    taken = width
    if width > 420 and rng.random() < 0.25:  # dual view, the other half frozen
        taken = width // 2 - 4
        other = Rect(x + width - taken, y, taken, height)
        if rng.random() < 0.5:
            x, other = other.x, other._replace(x=x)
        canvas.frozen_image(other, rng)
    elif spec.probe is Probe.LINEAR and rng.random() < 0.5:  # deep and narrow
        taken = max(int(width * rng.uniform(0.6, 0.95)), 96)
        x += (width - taken) // 2
    return Rect(x, y, max(taken & ~1, 96), max(height & ~1, 96))


def _right_column(canvas: Canvas, pane: Rect, rng: np.random.Generator) -> None:
    start = pane.x + pane.width
    free = canvas.pixels.shape[1] - start
    if free < 70:
        return
    x = start + 30
    for number, label in enumerate(rng.permutation(PARAMETERS)[: int(rng.integers(4, 12))]):
        canvas.text(f"{label} {rng.integers(1, 99)}", x, pane.y + (number + 1) * canvas.line, 0.9)
    side = min(free - 36, pane.height // 4)
    if side > 24 and rng.random() < 0.5:
        spot = Rect(x, pane.y + pane.height - side - 4, side, side)
        if rng.random() < 0.5:
            canvas.frozen_image(spot, rng)
        else:
            canvas.body_mark(spot.x, spot.y, side, rng)


def compose(layout: Layout, gray: NDArray[np.uint8], beams: Beams, index: int) -> NDArray[np.uint8]:
    """Put an image on the screen, with the depth ruler (ticks every 5 mm) and what runs: counter, clock, cine bar."""
    import cv2

    screen: NDArray[np.uint8] = layout.background.copy()
    place, font = layout.image, cv2.FONT_HERSHEY_SIMPLEX
    screen[place.y : place.y + place.height, place.x : place.x + place.width] = gray[..., None]
    x = place.x + place.width + 4 if layout.ruler_side == 1 else place.x - 10
    top = place.y + beams.region.y
    step_px = 5.0 / beams.mm_per_px
    for tick in range(int(beams.region.height / step_px) + 1):
        y = int(top + tick * step_px)
        cv2.line(screen, (x, y), (x + (8 if tick % 2 == 0 else 4), y), layout.text, 1)
    cv2.putText(screen, f"{index:05d}", (place.x + place.width + 16, place.y + 12), font, 0.4, layout.text, 1)
    if layout.note_at is not None:
        at = (place.x + int(layout.note_at[0] * place.width), place.y + int(layout.note_at[1] * place.height))
        cv2.putText(screen, layout.note, at, font, 0.45, (230, 230, 230), 1, cv2.LINE_AA)
        cv2.circle(screen, (place.x + 10, place.y + 8), 4, layout.accent, -1, cv2.LINE_AA)
    if layout.cine_bar and place.y + place.height + 12 < screen.shape[0]:
        y = place.y + place.height + 9
        cv2.line(screen, (place.x, y), (place.x + place.width - 1, y), (90, 90, 90), 2)
        at = (place.x + int((index % 120) / 120 * place.width), y)
        cv2.circle(screen, at, 3, layout.accent, -1)
    if layout.clock_at is not None:
        clock = f"10:2{index // 1800 % 10}:{index // 30 % 60:02d}"
        cv2.putText(screen, clock, layout.clock_at, font, 0.45, layout.text, 1, cv2.LINE_AA)
    return screen
