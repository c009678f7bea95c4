"""What lies around the image on the screen of a cart: buttons, menus, rulers, logos, frozen second images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_us.frame import Rect

Bgr = tuple[int, int, int]
BUTTONS = ("B", "CF", "PW", "M", "Freeze", "Gain", "Depth", "Focus", "Zoom", "Annot", "Calc", "Print", "Dual", "iTouch")
PARAMETERS = ("Gn", "DR", "Map", "Persist", "FR", "Frq", "AO", "SRI", "XBeam", "Pwr", "TIS", "MI", "Dpt", "Smooth")


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a screen."""

    base: Bgr
    panel: Bgr
    text: Bgr
    accent: Bgr


def draw_theme(rng: np.random.Generator) -> Theme:
    """Draw dark, mid-grey, blue or light colours."""
    kind = rng.choice(["black", "dark", "blue", "grey", "light"], p=[0.3, 0.3, 0.15, 0.12, 0.13])
    levels = {"black": (0, 14), "dark": (22, 48), "blue": (28, 40), "grey": (85, 60), "light": (205, 178)}
    base, panel = levels[kind]
    tint = np.array([30, 8, 0]) if kind == "blue" else rng.integers(-6, 7, 3)
    text = 25 if kind == "light" else int(rng.integers(170, 250))
    warm = rng.integers(-20, 1, 3) if kind != "light" else np.zeros(3, int)
    return Theme(_bgr(base + tint), _bgr(panel + tint), _bgr(text + warm), _bgr(rng.permutation([230, 150, 30])))


def _bgr(values: NDArray[np.int64]) -> Bgr:
    b, g, r = (int(v) for v in np.clip(values, 0, 255))
    return b, g, r


class Canvas:
    """A BGR picture to draw widgets on, with one text size for the whole screen."""

    def __init__(self, width: int, height: int, theme: Theme) -> None:
        self.pixels: NDArray[np.uint8] = np.full((height, width, 3), theme.base, np.uint8)
        self.theme = theme
        self.unit = max(0.36, height / 1500)
        self.line = max(12, int(32 * self.unit))

    def text(self, words: str, x: int, y: int, size: float = 1.0, color: Bgr | None = None) -> None:
        """Write one line; ``y`` is its base line."""
        import cv2

        scale, font = self.unit * size, cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(self.pixels, words, (x, y), font, scale, color or self.theme.text, 1, cv2.LINE_AA)

    def box(self, rect: Rect, color: Bgr, border: Bgr | None = None) -> None:
        """Fill a rectangle."""
        import cv2

        corner = (rect.x + rect.width - 1, rect.y + rect.height - 1)
        cv2.rectangle(self.pixels, (rect.x, rect.y), corner, color, -1)
        if border is not None:
            cv2.rectangle(self.pixels, (rect.x, rect.y), corner, border, 1)

    def button(self, rect: Rect, words: str, color: Bgr) -> None:
        """Draw a raised button with a label."""
        self.box(rect, color, self.theme.text)
        shine = self.pixels[rect.y + 1 : rect.y + rect.height // 2, rect.x + 1 : rect.x + rect.width - 1]
        shine[...] = np.minimum(shine.astype(np.int32) + 18, 255).astype(np.uint8)
        self.text(words, rect.x + 4, rect.y + (rect.height + self.line // 2) // 2, 0.85)

    def grey_bar(self, rect: Rect) -> None:
        """Draw the grey scale from white to black."""
        ramp = np.linspace(255, 0, rect.height).astype(np.uint8)
        self.pixels[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width] = ramp[:, None, None]

    def logo(self, x: int, y: int, side: int, rng: np.random.Generator) -> None:
        """Draw a maker's mark that no maker has."""
        import cv2

        center, color = (x + side // 2, y + side // 2), self.theme.accent
        if rng.random() < 0.5:
            cv2.ellipse(self.pixels, center, (side // 2, side // 3), 0, 0, 360, color, -1, cv2.LINE_AA)
        else:
            cv2.circle(self.pixels, center, side // 2, color, max(1, side // 8), cv2.LINE_AA)
        self.text("ph", x + side // 4, y + side * 3 // 5, 0.9, (255, 255, 255))

    def body_mark(self, x: int, y: int, side: int, rng: np.random.Generator) -> None:
        """Draw the pictogram of a breast with the probe's place on it."""
        import cv2

        center, grey = (x + side // 2, y + side // 2), (150, 150, 150)
        cv2.circle(self.pixels, center, side // 2 - 1, grey, 1, cv2.LINE_AA)
        cv2.circle(self.pixels, center, max(2, side // 8), grey, 1, cv2.LINE_AA)
        angle = rng.uniform(0, 2 * np.pi)
        tip = (int(center[0] + side * 0.4 * np.cos(angle)), int(center[1] + side * 0.4 * np.sin(angle)))
        cv2.line(self.pixels, tip, (tip[0] + side // 6, tip[1] + side // 8), self.theme.accent, 2, cv2.LINE_AA)

    def frozen_image(self, rect: Rect, rng: np.random.Generator) -> None:
        """Draw something like an older image: speckle over layers, never changing."""
        import cv2

        speckle = cv2.GaussianBlur(rng.standard_normal((rect.height, rect.width, 2)).astype(np.float32), (0, 0), 1.6)
        layers = np.cumsum(rng.normal(0, 1, 12))
        level = np.interp(np.linspace(0, 11, rect.height), np.arange(12), layers - layers.mean())
        power = np.sum(np.asarray(speckle, np.float32) ** 2, axis=-1) + 1e-5
        grey = 120 + 26 * np.log10(power / power.mean()) + 12 * level[:, None]
        if min(rect.width, rect.height) > 60 and rng.random() < 0.7:
            rows, columns = np.ogrid[: rect.height, : rect.width]
            across = (columns / rect.width - rng.uniform(0.3, 0.7)) / 0.2
            grey -= 60 * (across**2 + ((rows / rect.height - 0.4) / 0.15) ** 2 < 1)
        picture = np.clip(grey, 0, 255).astype(np.uint8)
        self.pixels[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width] = picture[..., None]
