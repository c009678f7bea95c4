"""Text as cached coverage bitmaps: letters are drawn once, a new line is put together from them.

Glyphs are rendered large and reduced by area: at 11 px that is clearly easier to read than hinted or stroked
fonts, and letters keep their true spacing. The font (Aileron, CC0) travels inside Pillow.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SUPERSAMPLING = 4
ELLIPSIS = "..."


@lru_cache(maxsize=16)
def _font(px: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(px)


@lru_cache(maxsize=1024)
def _glyph(letter: str, px: int) -> tuple[NDArray[np.uint8], int]:
    """A letter drawn large, as high as a line, and its advance; both in px of the large bitmap."""
    import numpy as np
    from PIL import Image, ImageDraw

    font = _font(px * _SUPERSAMPLING)
    advance = round(font.getlength(letter))
    # Some letters reach beyond their advance; what lies there is added to the neighbour.
    large = Image.new("L", (advance + px * _SUPERSAMPLING, line_height(px) * _SUPERSAMPLING))
    ImageDraw.Draw(large).text((0, line_height(px) * _SUPERSAMPLING * 0.72), letter, fill=255, font=font, anchor="ls")
    return np.asarray(large, np.uint8), advance


@lru_cache(maxsize=4096)
def _reduced(letter: str, px: int, phase: int) -> NDArray[np.uint8]:
    """A letter as high as a line in px of the picture, begun at a quarter of a pixel."""
    import cv2
    import numpy as np

    glyph, _ = _glyph(letter, px)
    columns = -(-(phase + glyph.shape[1]) // _SUPERSAMPLING)
    large = np.zeros((glyph.shape[0], columns * _SUPERSAMPLING), np.uint8)
    large[:, phase : phase + glyph.shape[1]] = glyph
    small = cv2.resize(large, (columns, line_height(px)), interpolation=cv2.INTER_AREA).astype(np.uint16)
    # Thin strokes never reach full coverage at small sizes: lifted, they stay white.
    return np.minimum(small * 4 // 3, 255).astype(np.uint8)


@lru_cache(maxsize=2048)
def line_width(text: str, px: int) -> int:
    """Width of one line's bitmap, padding included; even.

    Rounded up to half a font size, so that a changing digit does not make its neighbours tremble.
    """
    ink = sum(_glyph(letter, px)[1] for letter in text) / _SUPERSAMPLING
    step = 2 * max(1, px // 4)
    return int(-(-(ink + 2 * _padding(px)) // step)) * step


def _padding(px: int) -> int:
    return max(2, px // 3)


def line_height(px: int) -> int:
    """Height of one line's bitmap, padding included; even, because chroma has half the resolution."""
    return 2 * -(-(px * 4) // 6)


@lru_cache(maxsize=1024)
def text_mask(text: str, px: int) -> NDArray[np.uint8]:
    """Coverage of one line of text.

    Returns
    -------
    ndarray of uint8, shape (line_height(px), line_width(text, px))
        0 background .. 255 ink, padded by about a third of ``px`` on both sides; even; read-only.
    """
    import numpy as np

    mask = np.zeros((line_height(px), line_width(text, px)), np.uint8)
    # Scores change with every picture: letters are reduced once, lines are put together from them.
    x = _padding(px) * _SUPERSAMPLING
    for letter in text:
        glyph = _reduced(letter, px, x % _SUPERSAMPLING)
        place = mask[:, x // _SUPERSAMPLING : x // _SUPERSAMPLING + glyph.shape[1]]
        np.maximum(place, glyph[:, : place.shape[1]], out=place)
        x += _glyph(letter, px)[1]
    mask.setflags(write=False)
    return mask


@lru_cache(maxsize=256)
def shorten(text: str, px: int, width: int) -> str:
    """``text``, or as much of its beginning as fits into ``width`` px, ending in dots."""
    if line_width(text, px) <= width:
        return text
    while text and line_width(text + ELLIPSIS, px) > width:
        text = text[:-1]
    return text.rstrip() + ELLIPSIS if text else ""


@lru_cache(maxsize=64)
def wrap(text: str, px: int, width: int) -> tuple[str, ...]:
    """Break ``text`` at spaces into lines that fit into ``width`` px; a longer word stays whole."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and line_width(longer, px) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return tuple(lines)
