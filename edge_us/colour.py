"""Colour: from any `PixelFormat` to full-range grey, full-range BGR, or the I420 that sinks take.

A range error in grey B-mode is a contrast shift that the network sees, so every conversion goes through here
and honours the frame's `Colorimetry`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge_us.frame import (
    LIMITED_BT601,
    Colorimetry,
    ColorMatrix,
    ColorRange,
    Frame,
    PixelFormat,
    Rect,
)

Image = NDArray[np.uint8]

LUMA_WEIGHTS = {ColorMatrix.BT601: (0.299, 0.114), ColorMatrix.BT709: (0.2126, 0.0722)}
"""Weights of red and blue in luma (ITU-R BT.601-7, BT.709-6)."""


def luma(frame: Frame) -> Image:
    """The Y plane of a planar frame, or the pixels of a grey one, as a view, in the frame's own range."""
    return frame.pixels[: frame.height]


def to_gray(frame: Frame, region: Rect | None = None) -> Image:
    """Full-range grey of the whole frame or of ``region``.

    Returns
    -------
    ndarray of uint8, shape (height, width)
        A view where no conversion is needed: treat it as read-only.
    """
    return gray_of(frame, _crop(with_luma(frame), region))


def with_luma(frame: Frame) -> Image:
    """The pixels that grey is made of, as a view: BGR, or the luma of other formats."""
    return frame.pixels if frame.format is PixelFormat.BGR else luma(frame)


def gray_of(frame: Frame, pixels: Image) -> Image:
    """Full-range grey of pixels that were picked from `with_luma` of a frame, shape (height, width)."""
    if frame.format is PixelFormat.BGR:
        import cv2

        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
    if frame.colorimetry.range is ColorRange.LIMITED and frame.format is not PixelFormat.GRAY8:
        import cv2

        return np.asarray(cv2.LUT(np.ascontiguousarray(pixels), _expand_luma()), np.uint8)
    return pixels


def to_bgr(frame: Frame, region: Rect | None = None) -> Image:
    """Full-range BGR of the whole frame or of ``region``, shape (height, width, 3)."""
    import cv2

    if frame.format is PixelFormat.BGR:
        return _crop(frame.pixels, region)
    if frame.format is PixelFormat.GRAY8:
        return np.asarray(cv2.cvtColor(_crop(frame.pixels, region), cv2.COLOR_GRAY2BGR), np.uint8)
    area = region or Rect(0, 0, frame.width, frame.height)
    # Chroma covers 2x2 luma pixels: convert an even-aligned rectangle, then cut the odd edge off.
    x0, y0 = area.x & ~1, area.y & ~1
    x1, y1 = (
        min((area.x + area.width + 1) & ~1, frame.width),
        min((area.y + area.height + 1) & ~1, frame.height),
    )
    y_plane, u, v = planes(frame)
    chroma = (slice(y0 // 2, y1 // 2), slice(x0 // 2, x1 // 2))
    size = (x1 - x0, y1 - y0)
    up_u = cv2.resize(u[chroma], size, interpolation=cv2.INTER_LINEAR)
    up_v = cv2.resize(v[chroma], size, interpolation=cv2.INTER_LINEAR)
    yuv = cv2.merge([y_plane[y0:y1, x0:x1], np.asarray(up_u), np.asarray(up_v)])
    bgr = np.asarray(cv2.transform(yuv, yuv_to_bgr(frame.colorimetry)), np.uint8)
    return bgr[area.y - y0 : area.y - y0 + area.height, area.x - x0 : area.x - x0 + area.width]


def to_i420(frame: Frame) -> tuple[Image, int, int, Colorimetry]:
    """The frame as planar I420 of even size.

    I420 passes untouched (no copy), NV12 is de-interleaved, GRAY8 and BGR become limited-range BT.601, padded to
    an even size by repeating the last column and row.

    Returns
    -------
    pixels : ndarray of uint8, shape (height * 3 // 2, width)
    width, height : int
    colorimetry : Colorimetry
    """
    import cv2

    if frame.format is PixelFormat.I420:
        return frame.pixels, frame.width, frame.height, frame.colorimetry
    if frame.format is PixelFormat.NV12:
        return (
            join_planes(*planes(frame)),
            frame.width,
            frame.height,
            frame.colorimetry,
        )
    pad = (frame.height & 1, frame.width & 1)
    pixels = frame.pixels
    if any(pad):
        pixels = np.asarray(cv2.copyMakeBorder(pixels, 0, pad[0], 0, pad[1], cv2.BORDER_REPLICATE), np.uint8)
    height, width = pixels.shape[:2]
    if frame.format is PixelFormat.BGR:
        planar = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2YUV_I420), np.uint8)
        return planar, width, height, LIMITED_BT601
    planar = np.full((height * 3 // 2, width), 128, np.uint8)
    cv2.LUT(np.ascontiguousarray(pixels), _compress_luma(), planar[:height])
    return planar, width, height, LIMITED_BT601


def planes(frame: Frame) -> tuple[Image, Image, Image]:
    """Y, U and V of a planar frame as views; U and V have half the size."""
    height, width = frame.height, frame.width
    chroma = frame.pixels[height:].reshape(-1)
    if frame.format is PixelFormat.NV12:
        pairs = chroma.reshape(height // 2, width // 2, 2)
        return luma(frame), pairs[..., 0], pairs[..., 1]
    half = (height // 2) * (width // 2)
    shape = (height // 2, width // 2)
    return luma(frame), chroma[:half].reshape(shape), chroma[half : 2 * half].reshape(shape)


def join_planes(y: Image, u: Image, v: Image) -> Image:
    """Compact I420, shape (height * 3 // 2, width), from its planes."""
    return np.concatenate([y.reshape(-1), u.reshape(-1), v.reshape(-1)]).reshape(-1, y.shape[1])


def yuv_of(bgr: tuple[int, int, int], colorimetry: Colorimetry) -> tuple[int, int, int]:
    """Code values of a full-range BGR colour in planes of the given colorimetry."""
    blue, green, red = bgr
    weight_red, weight_blue = LUMA_WEIGHTS[colorimetry.matrix]
    y = weight_red * red + (1 - weight_red - weight_blue) * green + weight_blue * blue
    u, v = (blue - y) / (2 * (1 - weight_blue)), (red - y) / (2 * (1 - weight_red))
    if colorimetry.range is ColorRange.LIMITED:
        y, u, v = 16 + y * 219 / 255, u * 224 / 255, v * 224 / 255
    return round(y), round(min(max(u + 128, 0), 255)), round(min(max(v + 128, 0), 255))


def _crop(pixels: Image, region: Rect | None) -> Image:
    if region is None:
        return pixels
    return pixels[region.y : region.y + region.height, region.x : region.x + region.width]


@lru_cache(maxsize=1)
def _expand_luma() -> Image:
    codes = (np.arange(256) - 16.0) * 255 / 219
    return np.clip(np.rint(codes), 0, 255).astype(np.uint8)


@lru_cache(maxsize=1)
def _compress_luma() -> Image:
    return np.rint(16 + np.arange(256) * 219 / 255).astype(np.uint8)


@lru_cache(maxsize=4)
def yuv_to_bgr(colorimetry: Colorimetry) -> NDArray[np.float64]:
    """3x4 matrix from (Y, U, V, 1) in code values to full-range (B, G, R)."""
    red, blue = LUMA_WEIGHTS[colorimetry.matrix]
    green = 1 - red - blue
    limited = colorimetry.range is ColorRange.LIMITED
    y_gain, y_zero, c_gain = (255 / 219, 16.0, 255 / 224) if limited else (1.0, 0.0, 1.0)
    to_blue = 2 * (1 - blue) * c_gain
    to_red = 2 * (1 - red) * c_gain
    green_u, green_v = -to_blue * blue / green, -to_red * red / green
    matrix = np.array([[y_gain, to_blue, 0, 0], [y_gain, green_u, green_v, 0], [y_gain, 0, to_red, 0]], np.float64)
    matrix[:, 3] = -y_gain * y_zero - 128 * (matrix[:, 1] + matrix[:, 2])
    return matrix
