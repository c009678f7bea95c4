"""What the kernels must compute, in numpy: the oracle. Floats, rounded to whole levels where the CPU's path is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_us.colour import LUMA_WEIGHTS, luma, planes
from edge_us.frame import ColorMatrix, ColorRange, Frame, PixelFormat
from edge_us.inference.letterbox import PADDING, Letterbox

Floats = NDArray[np.float32]


def letterbox(frame: Frame, box: Letterbox, *, channels: int, grey: bool) -> Floats:
    """Input of the network, shape (channels, height, width), 0..1: red, green, blue, or grey in every channel."""
    region = box.region
    rows, columns = slice(region.y, region.y + region.height), slice(region.x, region.x + region.width)
    colours = _colours(frame, box, grey=grey)[:, rows, columns]
    width, height = box.input_size
    out = np.full((3, height, width), PADDING, np.float32)
    inner = box.inner
    resized = _levels(_resize(colours, inner.width, inner.height))
    out[:, inner.y : inner.y + inner.height, inner.x : inner.x + inner.width] = resized
    return np.asarray(out[:channels] / np.float32(255), np.float32)


def mask_logits(prototypes: Floats, coefficients: Floats, windows: NDArray[np.int32]) -> list[Floats]:
    """Logits of each box inside its window (x, y, width, height), shape (height, width)."""
    return [
        np.tensordot(row, prototypes[:, y : y + height, x : x + width], 1).astype(np.float32)
        for row, (x, y, width, height) in zip(coefficients, windows, strict=True)
    ]


def _colours(frame: Frame, box: Letterbox, *, grey: bool) -> NDArray[np.float64]:
    """Red, green and blue of the whole frame, or grey three times: full range, whole levels."""
    if frame.format is PixelFormat.BGR:
        blue, green, red = np.moveaxis(frame.pixels.astype(np.float64), -1, 0)
        if not grey:
            return np.stack([red, green, blue])
        weight_red, weight_blue = LUMA_WEIGHTS[ColorMatrix.BT601]
        return _thrice(_levels(weight_red * red + (1 - weight_red - weight_blue) * green + weight_blue * blue))
    y = luma(frame).astype(np.float64)
    if frame.format is PixelFormat.GRAY8:
        return _thrice(y)
    limited = frame.colorimetry.range is ColorRange.LIMITED
    y = (y - 16) * 255 / 219 if limited else y
    if grey:
        return _thrice(_levels(y))
    weight_red, weight_blue = LUMA_WEIGHTS[frame.colorimetry.matrix]
    u, v = (_upsampled(plane, box) - 128.0 for plane in planes(frame)[1:])
    gain = 255 / 224 if limited else 1.0
    red = y + 2 * (1 - weight_red) * gain * v
    blue = y + 2 * (1 - weight_blue) * gain * u
    green_of_u = 2 * (1 - weight_blue) * weight_blue / (1 - weight_red - weight_blue)
    green_of_v = 2 * (1 - weight_red) * weight_red / (1 - weight_red - weight_blue)
    green = y - gain * (green_of_u * u + green_of_v * v)
    return _levels(np.stack([red, green, blue]))


def _upsampled(plane: NDArray[np.uint8], box: Letterbox) -> NDArray[np.float64]:
    """Chroma at every pixel of the frame, interpolated among the samples that cover the region; elsewhere repeated."""
    region, (height, width) = box.region, plane.shape
    x0, y0 = region.x // 2, region.y // 2
    x1 = min(-(-(region.x + region.width) // 2), width)
    y1 = min(-(-(region.y + region.height) // 2), height)
    inside = _levels(_resize(plane[None, y0:y1, x0:x1].astype(np.float64), 2 * (x1 - x0), 2 * (y1 - y0)))[0]
    out = np.zeros((2 * height, 2 * width))
    out[2 * y0 : 2 * y1, 2 * x0 : 2 * x1] = inside
    return out


def _resize(values: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Bilinear, pixel centres at .5, edges repeated; of (channels, rows, columns)."""
    for axis, size in ((1, height), (2, width)):
        count = values.shape[axis]
        at = (np.arange(size) + 0.5) * count / size - 0.5
        low = np.floor(at).astype(int)
        share = (at - low).reshape((-1, 1) if axis == 1 else (1, -1))
        below = np.take(values, np.clip(low, 0, count - 1), axis)
        above = np.take(values, np.clip(low + 1, 0, count - 1), axis)
        values = below + (above - below) * share
    return values


def _thrice(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([values] * 3)


def _levels(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(np.floor(values + 0.5), 0, 255)
