"""`segment_node`: cortex and hilum of a node, from its outline and the picture.

The hilum is what is bright inside the outline. Brightness counts by rank among the node's pixels only, so gain, gamma
and grey maps change nothing (see `edge_us.describe.ranks`). How likely each rank is in hilum and in cortex is learnt
from the node itself: a first guess by Otsu's threshold (IEEE Trans SMC 9:62, 1979), then twice the log-likelihood
ratio, averaged over a few speckle cells, and cut between its means in both. Where nothing inside stands out, there is
no hilum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_us.colour import gray_of, with_luma
from edge_us.describe.ranks import contrast_db, histogram

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_us.frame import Frame
    from edge_us.measure.beam import Unit

    Field = NDArray[np.float32]
    Mask = NDArray[np.uint8]

ALONG = 160
"""Samples along a node: of a node 20 mm long one is 0.125 mm."""
LEAST_PX = 24
"""A node that is shorter than this in the frame has too few pixels."""
BLUR = 0.045
"""Standard deviation of the average over speckle, in mean semi-axes: 0.3 mm of a node of 10 mm."""
CUT = 0.4
"""Where between the means of cortex and hilum the cut lies. Not at even odds: what is bright shines further into what
is dark than the reverse, since grey is the logarithm of the echo. On phantoms the edge is met with 0.4."""
SKIN = 0.5
"""Of the blur: so near to the capsule the surroundings shine in, and nothing is learnt."""
LEVELS = 24
LEAST_CONTRAST_DB = 7.5
"""Contrast between hilum and cortex from which there is a hilum. Measured on phantoms (docs/nodes.md): the brightest
part of a node without one stands out by less, every hilum by more."""
LEAST_SHARE = 0.03
"""Share of the node's area that a hilum has at least."""


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """A node cut out of the picture, its long axis along the rows.

    Attributes
    ----------
    step : float
        Size of a sample in the unit of the picture (mm, or px without a scale).
    node, hilum : ndarray of uint8, shape (rows, columns)
        1 inside; the hilum is all 0 where there is none.
    contrast_db : float
        Of the brightest part against the rest of the node.
    to_frame : ndarray of float64, shape (2, 3)
        From samples (x, y, 1) to px of the frame.
    """

    step: float
    node: Mask
    hilum: Mask
    contrast_db: float
    to_frame: NDArray[np.float64]

    @property
    def has_hilum(self) -> bool:
        """Whether there is one."""
        return bool(self.hilum.any())

    def hilum_outline(self) -> NDArray[np.float32]:
        """The hilum's edge in px of the frame, shape (n, 2); empty where there is none."""
        import cv2
        import numpy as np

        contours, _ = cv2.findContours(self.hilum, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_TC89_L1)
        if not contours:
            return np.zeros((0, 2), np.float32)
        points = np.asarray(max(contours, key=len), np.float64)[:, 0]
        return np.asarray(points @ self.to_frame[:, :2].T + self.to_frame[:, 2], np.float32)


def segment_node(frame: Frame, contour: NDArray[np.float32], unit: Unit) -> Section | None:
    """Find the hilum of a node; None where the node is too small, or not a region.

    Parameters
    ----------
    frame : Frame
    contour : ndarray of float32, shape (n, 2)
        The node's outline in px of the frame.
    unit : (float, float)
        Size of a pixel in mm, or (1, 1) without a scale.
    """
    import cv2
    import numpy as np

    if len(contour) < 3:
        return None
    points = contour.astype(np.float64) * unit
    moments = cv2.moments(points.astype(np.float32))
    area = moments["m00"]
    if area <= 0:
        return None
    xx, yy, xy = moments["mu20"] / area, moments["mu02"] / area, moments["mu11"] / area
    middle, half = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    if middle - half <= 0:
        return None
    long, short = 2 * math.sqrt(middle + half), 2 * math.sqrt(middle - half)
    if 2 * long < LEAST_PX * min(unit):
        return None
    turn = 0.5 * math.atan2(2 * xy, xx - yy)
    step = 2 * long / ALONG
    center = np.array((moments["m10"], moments["m01"])) / area
    to_frame = _sampling(points, center, turn, step, unit)
    (columns, rows), transform = to_frame
    pixels = _pick(frame, transform, columns, rows)
    node = _fill(contour, transform, columns, rows)
    blur = BLUR * math.sqrt(long * short) / step
    hilum, contrast = _find_hilum(pixels, node, blur)
    return Section(step, node, hilum, contrast, transform)


def _sampling(
    points: NDArray[np.float64], center: NDArray[np.float64], turn: float, step: float, unit: Unit
) -> tuple[tuple[int, int], NDArray[np.float64]]:
    """Size of the section, and the way from its samples to px of the frame."""
    import numpy as np

    cos, sin = math.cos(turn), math.sin(turn)
    turned = (points - center) @ np.array(((cos, -sin), (sin, cos)))
    low, high = turned.min(axis=0) - 4 * step, turned.max(axis=0) + 4 * step
    columns, rows = (math.ceil(side) for side in (high - low) / step)
    along, across = np.array((cos, sin)) * step, np.array((-sin, cos)) * step
    origin = center + np.array((cos * low[0] - sin * low[1], sin * low[0] + cos * low[1]))
    return (columns, rows), np.stack((along, across, origin), axis=1) / np.array(unit)[:, None]


def _pick(frame: Frame, transform: NDArray[np.float64], columns: int, rows: int) -> Mask:
    """The pixels nearest to the samples, grey; picked, never averaged, so that a grey map changes no rank."""
    import cv2
    import numpy as np

    pixels = with_luma(frame)
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    picked = cv2.warpAffine(pixels, transform, (columns, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(gray_of(frame, np.asarray(picked, np.uint8)))


def _fill(contour: NDArray[np.float32], transform: NDArray[np.float64], columns: int, rows: int) -> Mask:
    """The outline's inside on the samples; its points are the centres of pixels: half a pixel is added all around."""
    import cv2
    import numpy as np

    inverse = np.asarray(cv2.invertAffineTransform(transform), np.float64)
    points = contour.astype(np.float64) @ inverse[:, :2].T + inverse[:, 2]
    scale = math.sqrt(abs(float(np.linalg.det(inverse[:, :2]))))
    mask = np.zeros((rows, columns), np.uint8)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    outer = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3)
    return (np.asarray(outer) <= 0.5 * scale + 0.25).astype(np.uint8)


def _find_hilum(pixels: Mask, node: Mask, blur: float) -> tuple[Mask, float]:
    """Hilum, and the contrast of the brightest part of the node against the rest of it."""
    import cv2
    import numpy as np

    depth = np.asarray(cv2.distanceTransform(node, cv2.DIST_L2, 3))
    inner = depth > SKIN * blur
    none = np.zeros_like(node)
    if np.count_nonzero(inner) < 4 * LEVELS:
        return none, 0.0
    grey = pixels[inner]
    ranks = _levels(grey)
    level = ranks[pixels]
    smooth = _mean(level.astype(np.float32), inner, blur)
    bright = inner & (smooth > _otsu(smooth[inner]))
    for _ in range(2):
        ratio = _likelihood(level, bright, inner & ~bright)
        smooth = _mean(ratio[level], inner, blur)
        bright = inner & (smooth > CUT * (float(smooth[bright].mean()) + float(smooth[inner & ~bright].mean())))
    hilum = _largest(bright)
    dark = inner & (np.asarray(cv2.dilate(hilum, np.ones((3, 3), np.uint8))) == 0)
    share = float(np.count_nonzero(hilum)) / float(np.count_nonzero(node))
    if share == 0 or not dark.any():
        return none, 0.0
    contrast = contrast_db(histogram(pixels[hilum > 0]), histogram(pixels[dark]))
    return (hilum if contrast >= LEAST_CONTRAST_DB and share >= LEAST_SHARE else none), contrast


def _levels(grey: NDArray[np.uint8]) -> NDArray[np.intp]:
    """For each grey its rank among these pixels, in `LEVELS` steps; shape (256,)."""
    import numpy as np

    counts = histogram(grey)
    rank = (np.cumsum(counts) - 0.5 * counts) / max(len(grey), 1)
    return np.minimum((rank * LEVELS).astype(np.intp), LEVELS - 1)


def _likelihood(level: NDArray[np.intp], bright: NDArray[np.bool_], dark: NDArray[np.bool_]) -> Field:
    """Log of how much likelier each level is in the bright part; shape (LEVELS,), rising."""
    import numpy as np

    one, other = (np.bincount(level[part], minlength=LEVELS) + 1.0 for part in (bright, dark))
    ratio = np.log(one / one.sum()) - np.log(other / other.sum())
    even = np.convolve(np.pad(ratio, 1, "edge"), (0.25, 0.5, 0.25), "valid")
    return np.asarray(np.maximum.accumulate(even), np.float32)


def _mean(values: Field, inside: NDArray[np.bool_], blur: float) -> Field:
    """Mean around each sample over the samples inside."""
    import cv2
    import numpy as np

    weight = inside.astype(np.float32)
    total = cv2.GaussianBlur(values * weight, (0, 0), blur)
    count = cv2.GaussianBlur(weight, (0, 0), blur)
    return np.asarray(total / np.maximum(np.asarray(count, np.float32), np.float32(1e-3)), np.float32)


def _otsu(values: Field) -> float:
    """Threshold between two groups of values."""
    import cv2
    import numpy as np

    low, high = float(values.min()), float(values.max())
    scaled = ((values - low) * (255 / max(high - low, 1e-6))).astype(np.uint8)
    found, _ = cv2.threshold(scaled.reshape(1, -1), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return low + float(found) / 255 * (high - low)


def _largest(mask: NDArray[np.bool_]) -> Mask:
    """The largest connected part, its holes filled."""
    import cv2
    import numpy as np

    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    if contours:
        cv2.drawContours(filled, [max(contours, key=len)], -1, 1, cv2.FILLED)
    return filled
