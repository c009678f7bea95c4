"""`Letterbox`: region crop and aspect-keeping resize into the network's input, with its exact inverse.

The one preprocessing object: inference, evaluation, calibration and training export all use it. Size and
padding are rounded as Ultralytics' static letterbox does, so that its weights see what they were trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_us.frame import Rect

PADDING = 114
"""Grey value of the border that Ultralytics trains with."""


@dataclass(frozen=True, slots=True)
class Letterbox:
    """The mapping between a region of the frame and the network's input.

    Attributes
    ----------
    region : Rect
        The part of the frame that is looked at.
    input_size : (int, int)
        Width and height of the network's input.
    inner : Rect
        Where the resized region lies inside the input; the rest is padding.
    """

    region: Rect
    input_size: tuple[int, int]
    inner: Rect

    @classmethod
    def fit(cls, region: Rect, input_size: tuple[int, int]) -> Letterbox:
        """Letterbox of ``region`` for a network input of ``(width, height)``."""
        width, height = input_size
        ratio = min(width / region.width, height / region.height)
        inner_width = max(1, round(region.width * ratio))
        inner_height = max(1, round(region.height * ratio))
        x = round((width - inner_width) / 2 - 0.1)
        y = round((height - inner_height) / 2 - 0.1)
        return cls(region, input_size, Rect(x, y, inner_width, inner_height))

    @property
    def scale(self) -> tuple[float, float]:
        """Input px per frame px in x and y; they differ only by the rounding of the inner size."""
        return self.inner.width / self.region.width, self.inner.height / self.region.height

    def apply(self, image: NDArray[np.uint8], out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Resize the region's pixels into the network's input.

        Parameters
        ----------
        image : ndarray of uint8, shape (region.height, region.width[, channels])
        out : ndarray of uint8, shape (height, width[, channels]), optional
            Filled with `PADDING` beforehand and used for this letterbox only: the border is not written again.
        """
        import cv2

        width, height = self.input_size
        if out is None:
            out = np.full((height, width, *image.shape[2:]), PADDING, np.uint8)
        inner = self.inner
        target = out[inner.y : inner.y + inner.height, inner.x : inner.x + inner.width]
        size = (inner.width, inner.height)
        if image.shape[1::-1] == size:
            target[...] = image
        else:
            target[...] = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        return out

    def to_frame(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map points from input px to frame px; shape (..., 2) or boxes (..., 4) as x1, y1, x2, y2."""
        scale, inner, region = self._terms(points.shape[-1])
        return ((points - inner) / scale + region).astype(np.float32)

    def to_input(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Inverse of `to_frame`."""
        scale, inner, region = self._terms(points.shape[-1])
        return ((points - region) * scale + inner).astype(np.float32)

    def _terms(self, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        repeat = columns // 2
        return (
            np.tile(np.array(self.scale, np.float64), repeat),
            np.tile(np.array(self.inner[:2], np.float64), repeat),
            np.tile(np.array(self.region[:2], np.float64), repeat),
        )
