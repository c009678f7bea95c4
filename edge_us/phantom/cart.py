"""The screen of a cart on which depth, zoom, view and application change: what a scale must not outlive.

Around the image stand a patient banner with a running clock, a ruler in centimetres, an annotation strip that says
application, depth and zoom, and below it numbers that run all the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge_us.frame import Rect
from edge_us.overlay.text import line_height, line_width, text_mask
from edge_us.phantom.cart_state import CartState, CartView, state_at
from edge_us.phantom.probe import Beams, make_beams
from edge_us.phantom.render import ELEVATION_FRAMES, SWEEP_FRAMES, PhantomFrame, scan
from edge_us.phantom.screen_parts import Bgr, Canvas, Theme
from edge_us.phantom.spec import PhantomSpec
from edge_us.phantom.tissue import make_tissue, sweep_reach_mm

_THEMES = (
    Theme((8, 8, 8), (30, 30, 30), (225, 225, 225), (60, 200, 250)),
    Theme((58, 40, 32), (76, 56, 46), (235, 225, 215), (90, 220, 120)),
    Theme((128, 128, 128), (100, 100, 100), (10, 10, 10), (60, 10, 10)),
    Theme((16, 16, 20), (40, 36, 30), (120, 200, 230), (230, 150, 60)),
)
FINE_UP_TO_MM = 60.0
"""Up to this depth the ruler has a tick every 5 mm, beyond it every 10 mm, as carts do."""


@dataclass(frozen=True, slots=True, eq=False)
class CartLayout:
    """A cart's screen without what changes.

    Attributes
    ----------
    background : ndarray of uint8, shape (height, width, 3)
        BGR.
    image, ruler, annotation, banner : Rect
        Where the image, its depth ruler, the words on application, depth and zoom, and the patient's name stand.
    ticks : (int, int, int)
        Colour of the ruler, BGR.
    toward : int
        Ticks begin at the image and point away from it: 1 to the right of it, -1 to the left.
    """

    background: NDArray[np.uint8]
    theme: Theme
    image: Rect
    ruler: Rect
    annotation: Rect
    banner: Rect
    ticks: Bgr
    toward: int
    text_px: int


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """The image as a setting shows it, with masks, pixel size and depth of its first row."""

    gray: NDArray[np.uint8]
    masks: tuple[NDArray[np.bool_], ...]
    mm_per_px: float
    top_mm: float


def make_cart(width: int, height: int, seed: int) -> CartLayout:
    """Draw the unchanging parts; colours, the ruler's side and the size of the text vary with the seed."""
    rng = np.random.default_rng([seed, 23])
    theme = _THEMES[seed % len(_THEMES)]
    canvas = Canvas(width, height, theme)
    toward = 1 if rng.random() < 0.5 else -1
    banner = Rect(0, 0, width, height // 12)
    column = width // 5
    image_width = (width - column - width // 12) & ~1
    image = Rect(width // 12, banner.height + 8, image_width, (height - banner.height - height // 12) & ~1)
    ruler_width = width // 28
    ruler_x = image.x + image.width + 2 if toward == 1 else image.x - 2 - ruler_width
    ruler = Rect(ruler_x, image.y, ruler_width, image.height)
    text_px = round(height / 600 * float(rng.uniform(11, 15)))
    annotation = Rect(image.x + image.width + ruler_width + 8, image.y + 4, column - ruler_width - 12, height // 6)
    canvas.box(banner, theme.panel)
    _write(canvas.pixels, "PHANTOM, ANNA  *1970-01-01  ID 31415", 10, 4, text_px, theme.text)
    canvas.box(image, (0, 0, 0))
    bar = Rect(4, image.y + 8, width // 60, image.height // 3)
    canvas.grey_bar(bar)
    colours: list[Bgr] = [theme.text, theme.accent, (60, 220, 220)]
    return CartLayout(
        canvas.pixels, theme, image, ruler, annotation, banner, colours[int(rng.integers(3))], toward, text_px
    )


def show(state: CartState, gray: NDArray[np.uint8], masks: Sequence[NDArray[np.bool_]], beams: Beams) -> Shown:
    """What of a scan a setting shows: all of it, its middle magnified, or half the size beside a still one."""
    import cv2

    height, width = gray.shape
    if state.view is CartView.DUAL:
        # The small image lies in the upper left quarter; the rest is for the other one.
        small = np.zeros_like(gray)
        half = (width // 2, height // 2)
        small[: half[1], : half[0]] = cv2.resize(gray, half, interpolation=cv2.INTER_AREA)
        small[: half[1], half[0] + 4 : 2 * half[0]] = small[: half[1], : half[0] - 4]
        halved = []
        for mask in masks:
            full = np.zeros_like(mask)
            full[: half[1], : half[0]] = cv2.resize(mask.astype(np.uint8), half, interpolation=cv2.INTER_NEAREST) > 0
            halved.append(full)
        return Shown(small, tuple(halved), 2 * beams.mm_per_px, -2 * beams.region.y * beams.mm_per_px)
    top_mm = -beams.region.y * beams.mm_per_px
    if state.zoom == 1.0:
        return Shown(gray, tuple(masks), beams.mm_per_px, top_mm)
    seen = round(width / state.zoom), round(height / state.zoom)
    x0, y0 = (width - seen[0]) // 2, (height - seen[1]) // 2
    part = slice(y0, y0 + seen[1]), slice(x0, x0 + seen[0])
    large = np.asarray(cv2.resize(gray[part], (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    scaled = [
        np.asarray(cv2.resize(mask[part].astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)) > 0
        for mask in masks
    ]
    mm_per_px = beams.mm_per_px * seen[1] / height
    return Shown(large, tuple(mask for mask in scaled if mask.any()), mm_per_px, top_mm + y0 * beams.mm_per_px)


def stand_in(layout: CartLayout, state: CartState, index: int) -> Shown:
    """Plain speckle as a setting of a linear probe shows it, for long runs in which only the screen counts."""
    height, width = layout.image.height, layout.image.width
    gray = _speckle(width, height, 0 if state.view is CartView.FREEZE else index % 5)
    mm_per_px = state.depth_mm / height / state.zoom * (2 if state.view is CartView.DUAL else 1)
    return Shown(gray, (), mm_per_px, state.depth_mm * (1 - 1 / state.zoom) / 2)


@lru_cache(maxsize=16)
def _speckle(width: int, height: int, number: int) -> NDArray[np.uint8]:
    import cv2

    field = np.random.default_rng([number, 37]).standard_normal((height, width, 2)).astype(np.float32)
    power = np.sum(np.asarray(cv2.GaussianBlur(field, (0, 0), 1.8)) ** 2, axis=-1) + 1e-6
    return np.asarray(np.clip(110 + 24 * np.log10(power / power.mean()), 0, 255), np.uint8)


def compose_cart(layout: CartLayout, state: CartState, shown: Shown, index: int) -> NDArray[np.uint8]:
    """The whole screen of one frame, shape (height, width, 3) BGR."""
    import cv2

    screen: NDArray[np.uint8] = layout.background.copy()
    image, px = layout.image, layout.text_px
    screen[image.y : image.y + image.height, image.x : image.x + image.width] = shown.gray[..., None]
    _draw_ruler(screen, layout, state, shown)
    note, line = layout.annotation, layout.annotation.height // 4
    thyroid = state.view is CartView.THYROID
    words = (
        "Thyroid" if thyroid else "Breast",
        f"D {state.depth_mm / 10:.1f} cm",
        f"Z {state.zoom:.1f}",
        "8 MHz" if thyroid else "12 MHz",
    )
    for number, text in enumerate(words):
        _write(screen, text, note.x, note.y + number * line, px, layout.theme.text)
    # What runs, and stands outside of the annotation: frame rate, clock, cine mark.
    _write(screen, f"FR {30 + index * 7 % 5} Hz", note.x, note.y + note.height + line, px, layout.theme.text)
    clock = f"10:2{index // 1800 % 10}:{index // 30 % 60:02d}"
    _write(screen, clock, layout.banner.width - 8 * px, 4, px, layout.theme.text)
    foot = image.y + image.height + 4
    frozen = state.view is CartView.FREEZE
    _write(screen, "FROZEN" if frozen else "LIVE", image.x, foot, px, layout.theme.text)
    cine = (image.x + 120 + index % 120, foot + line_height(px) // 2)
    cv2.circle(screen, cine, 4, layout.theme.accent, -1 if frozen else 1)
    cv2.circle(screen, (image.x + 10, image.y + 8), 4, layout.theme.accent, -1, cv2.LINE_AA)
    return screen


def _write(screen: NDArray[np.uint8], words: str, x: int, y: int, px: int, colour: Bgr) -> None:
    """Write a line whose upper left corner is given. Not with OpenCV, whose font is another one in every version."""
    ink = text_mask(words, px)
    place = screen[y : y + ink.shape[0], x : x + ink.shape[1]]
    share = ink[: place.shape[0], : place.shape[1], None].astype(np.float32) / 255
    place[...] = np.rint(place + share * (np.array(colour, np.float32) - place)).astype(np.uint8)


def _draw_ruler(screen: NDArray[np.uint8], layout: CartLayout, state: CartState, shown: Shown) -> None:
    """Ticks in the layout's colour, every second one longer and numbered in centimetres."""
    import cv2

    ruler, image = layout.ruler, layout.image
    step_mm = 5.0 if state.depth_mm <= FINE_UP_TO_MM else 10.0
    start = ruler.x if layout.toward == 1 else ruler.x + ruler.width - 1
    for number in range(int(np.ceil(max(0.0, shown.top_mm) / step_mm - 1e-6)), 1000):
        depth_mm = number * step_mm
        y = image.y + int((depth_mm - shown.top_mm) / shown.mm_per_px)
        if y >= image.y + image.height or depth_mm > state.depth_mm:
            break
        long = number % 2 == 0
        cv2.line(screen, (start, y), (start + layout.toward * (8 if long else 4), y), layout.ticks, 1)
        words, px = f"{depth_mm / 10:.0f}", max(9, layout.text_px * 2 // 3)
        width = line_width(words, px)
        if long and y > image.y + 8 and 9 + width <= ruler.width:
            x = start + 9 if layout.toward == 1 else start - 8 - width
            _write(screen, words, x, y - line_height(px) // 2, px, layout.ticks)


def render_cart(spec: PhantomSpec) -> Iterator[PhantomFrame]:
    """Synthesise a cart's screen over the script of ``spec.cart``: one tissue, seen as each setting shows it."""
    layout = make_cart(spec.width, spec.height, spec.seed)
    image = layout.image
    depths = {state.depth_mm for _, state in spec.cart}
    probes = {depth: make_beams(spec.probe, depth, image.width, image.height) for depth in depths}
    widest = max(beams.half_width_mm for beams in probes.values())
    tissue = make_tissue(np.random.default_rng(spec.seed), spec.lesions, widest, max(depths))
    reach = sweep_reach_mm(len(spec.lesions), widest)
    moment = -1
    for index in range(spec.frames):
        state = state_at(spec.cart, index)
        if state.view is not CartView.FREEZE or moment < 0:
            moment = index
        # The sweep begins over the lesion, where `render` is after a quarter of its own.
        position = reach * float(np.sin(2 * np.pi * moment / SWEEP_FRAMES)) * 0.25
        elevation = 0.9 * float(np.sin(2 * np.pi * moment / ELEVATION_FRAMES))
        beams = probes[state.depth_mm]
        scanned = scan(beams, tissue, position, elevation, True, moment)
        shown = show(state, scanned.image, scanned.masks, beams)
        screen = compose_cart(layout, state, shown, index)
        full = []
        for mask in shown.masks:
            big = np.zeros(screen.shape[:2], bool)
            big[image.y : image.y + image.height, image.x : image.x + image.width] = mask
            full.append(big)
        yield PhantomFrame(screen, tuple(full), image, shown.mm_per_px)
