"""Shapes of pictures: margins, probe shapes, and the black screen around them.

Each function takes a grey picture and the outlines in it and returns both, so that they can never part. None flips
upside down, and none squeezes one axis: depth direction and the ratio of height to width carry the diagnosis.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from outlines import Gray, Outline, box_of

MOST_SQUEEZED = 0.2
"""Largest share by which `bend` makes a lesion narrower or wider."""


def crop(
    gray: Gray, outlines: list[Outline], sides: tuple[float, float, float, float], margin_px: float = 6.0
) -> tuple[Gray, list[Outline]]:
    """Cut margins away, but never into a lesion.

    Parameters
    ----------
    sides
        Shares of the picture to cut at the left, top, right and bottom; less is cut where a lesion is in the way.
    margin_px
        Tissue that stays around the lesions.
    """
    height, width = gray.shape
    x1, y1 = sides[0] * width, sides[1] * height
    x2, y2 = width - sides[2] * width, height - sides[3] * height
    box = box_of(outlines)
    if box is not None:
        x1, y1 = min(x1, box[0] - margin_px), min(y1, box[1] - margin_px)
        x2, y2 = max(x2, box[2] + margin_px), max(y2, box[3] + margin_px)
    left, top = max(0, int(x1)), max(0, int(y1))
    right, bottom = min(width, int(np.ceil(x2))), min(height, int(np.ceil(y2)))
    shift = np.array([left, top], np.float32)
    return gray[top:bottom, left:right], [outline - shift for outline in outlines]


def probe_mask(height: int, width: int, half_angle: float, apex: float) -> NDArray[np.bool_]:
    """The field of view of a curved or phased probe, shape (height, width).

    Parameters
    ----------
    half_angle
        Half the opening angle in radians.
    apex
        Distance from the virtual apex to the probe's face, in shares of the height: large for a curved probe, nearly
        zero for a phased one. The field is as wide as the picture at its bottom corners.
    """
    radius = height * (1 + apex) / 1.0
    face = height * apex
    rows = np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5 + face * np.cos(half_angle))
    columns = np.arange(width, dtype=np.float32)[None, :] + np.float32(0.5 - width / 2)
    distance = np.hypot(rows, columns)
    angle = np.abs(np.arctan2(columns, rows))
    return np.asarray((angle <= half_angle) & (distance >= face) & (distance <= radius))


def mask_to_probe(gray: Gray, outlines: list[Outline], half_angle: float, apex: float) -> tuple[Gray, list[Outline]]:
    """Blacken what a curved probe would not see; where that would cut a lesion the picture is returned as it is."""
    height, width = gray.shape
    seen = probe_mask(height, width, half_angle, apex)
    for outline in outlines:
        columns = np.clip(outline[:, 0].astype(int), 0, width - 1)
        rows = np.clip(outline[:, 1].astype(int), 0, height - 1)
        if not seen[rows, columns].all():
            return gray, outlines
    return np.where(seen, gray, 0).astype(np.uint8), outlines


def bend(gray: Gray, outlines: list[Outline], half_angle: float) -> tuple[Gray, list[Outline]]:
    """Scan-convert a linear probe's picture as if a curved probe had recorded its lines.

    Axial scale is kept everywhere and lateral scale at half the depth; above it tissue is narrower and below it wider,
    by at most `MOST_SQUEEZED`: taller than wide is a finding.

    Parameters
    ----------
    half_angle
        Half the opening angle in radians; reduced where it would change a width by more, as on tall pictures.
    """
    height, width = gray.shape
    half_angle = min(half_angle, MOST_SQUEEZED * width / height)
    face = width / (2 * half_angle) - height / 2  # radius of the probe's face
    drop = face * np.cos(half_angle)  # the face's edges touch the upper border
    out_width = int(np.ceil(2 * (face + height) * np.sin(half_angle)))
    out_height = int(np.ceil(face + height - drop))
    rows = np.arange(out_height, dtype=np.float32)[:, None] + np.float32(0.5 + drop)
    columns = np.arange(out_width, dtype=np.float32)[None, :] + np.float32(0.5 - out_width / 2)
    angle = np.arctan2(columns, rows)
    from_x = (angle / np.float32(half_angle) + 1) * np.float32(width / 2) - np.float32(0.5)
    from_y = np.hypot(rows, columns) - np.float32(face + 0.5)
    bent = cv2.remap(
        gray, from_x.astype(np.float32), from_y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    moved = []
    for outline in outlines:
        theta = (outline[:, 0] * (2 / width) - 1) * half_angle
        radius = outline[:, 1] + face
        x, y = radius * np.sin(theta) + out_width / 2, radius * np.cos(theta) - drop
        moved.append(np.stack([x, y], axis=1).astype(np.float32))
    return np.asarray(bent, np.uint8), moved


def on_screen(
    gray: Gray, outlines: list[Outline], sides: tuple[float, float, float, float], level: int = 0
) -> tuple[Gray, list[Outline]]:
    """Put the picture on a screen of one grey level, with margins in shares of its width and height."""
    height, width = gray.shape
    left, right = int(sides[0] * width), int(sides[2] * width)
    top, bottom = int(sides[1] * height), int(sides[3] * height)
    screen = cv2.copyMakeBorder(gray, top, bottom, left, right, cv2.BORDER_CONSTANT, value=[level])
    shift = np.array([left, top], np.float32)
    return np.asarray(screen, np.uint8), [outline + shift for outline in outlines]


def fit(gray: Gray, outlines: list[Outline], long_side: int) -> tuple[Gray, list[Outline]]:
    """Scale so that the longer side is `long_side` px; both axes by the same factor (to the nearest pixel)."""
    height, width = gray.shape
    factor = long_side / max(height, width)
    if factor == 1:
        return gray, outlines
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    how = cv2.INTER_AREA if factor < 0.6 else cv2.INTER_LINEAR
    scale = np.array([size[0] / width, size[1] / height], np.float32)
    return np.asarray(cv2.resize(gray, size, interpolation=how), np.uint8), [outline * scale for outline in outlines]
