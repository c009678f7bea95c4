"""Colour conversion against a float reference."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_us.colour import join_planes, planes, to_bgr, to_gray, to_i420, yuv_of
from edge_us.frame import Colorimetry, ColorMatrix, ColorRange, Frame, PixelFormat, Rect

ALL = [Colorimetry(span, matrix) for span in ColorRange for matrix in ColorMatrix]


def planar(luma: NDArray[np.uint8], u: int, v: int, colorimetry: Colorimetry, nv12: bool = False) -> Frame:
    height, width = luma.shape
    half = (height // 2, width // 2)
    u_plane, v_plane = np.full(half, u, np.uint8), np.full(half, v, np.uint8)
    if nv12:
        pixels = np.concatenate([luma.reshape(-1), np.stack([u_plane, v_plane], -1).reshape(-1)]).reshape(-1, width)
        return Frame(pixels, PixelFormat.NV12, width, height, 0, 0, 0, colorimetry)
    return Frame(join_planes(luma, u_plane, v_plane), PixelFormat.I420, width, height, 0, 0, 0, colorimetry)


def test_a_full_range_ramp_comes_through_unchanged() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    full = Colorimetry(ColorRange.FULL, ColorMatrix.BT601)
    assert np.array_equal(to_gray(planar(ramp, 128, 128, full)), ramp)


def test_a_limited_range_ramp_is_expanded_to_0_to_255() -> None:
    codes = np.tile(np.arange(16, 236, dtype=np.uint8), (4, 1))
    limited = Colorimetry(ColorRange.LIMITED, ColorMatrix.BT709)
    gray = to_gray(planar(codes, 128, 128, limited))
    expected = (codes.astype(float) - 16) * 255 / 219
    assert gray.min() == 0
    assert gray.max() == 255
    assert np.abs(gray - expected).max() <= 0.5


@pytest.mark.parametrize("colorimetry", ALL)
@pytest.mark.parametrize("nv12", [False, True])
@pytest.mark.parametrize("bgr", [(0, 0, 255), (255, 128, 0), (30, 200, 90), (128, 128, 128)])
def test_a_colour_survives_the_way_through_planes(
    colorimetry: Colorimetry, nv12: bool, bgr: tuple[int, int, int]
) -> None:
    y, u, v = yuv_of(bgr, colorimetry)
    frame = planar(np.full((8, 8), y, np.uint8), u, v, colorimetry, nv12)
    assert np.abs(to_bgr(frame).astype(int) - bgr).max() <= 4


def test_a_crop_at_odd_coordinates_equals_the_crop_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    luma = rng.integers(16, 235, (20, 24), dtype=np.uint8)
    frame = planar(luma, 100, 140, ALL[0])
    region = Rect(5, 3, 11, 9)
    assert np.array_equal(to_bgr(frame, region), to_bgr(frame)[3:12, 5:16])
    assert np.array_equal(to_gray(frame, region), to_gray(frame)[3:12, 5:16])


@pytest.mark.parametrize("size", [(7, 9), (8, 8), (9, 8)])
def test_grey_and_bgr_of_any_size_become_even_i420_of_the_same_brightness(size: tuple[int, int]) -> None:
    height, width = size
    gray = np.linspace(0, 255, height * width).reshape(height, width).astype(np.uint8)
    for pixels, kind in ((gray, PixelFormat.GRAY8), (np.repeat(gray[..., None], 3, 2), PixelFormat.BGR)):
        planar_pixels, w, h, colorimetry = to_i420(Frame(pixels, kind, width, height, 0, 0, 0))
        assert (w % 2, h % 2) == (0, 0)
        back = to_gray(Frame(planar_pixels, PixelFormat.I420, w, h, 0, 0, 0, colorimetry))
        assert np.abs(back[:height, :width].astype(int) - gray).max() <= 2
        assert np.array_equal(back[:, w - 1], back[:, width - 1])


def test_nv12_is_deinterleaved() -> None:
    frame = planar(np.full((4, 6), 90, np.uint8), 100, 150, ALL[0], nv12=True)
    pixels, width, height, colorimetry = to_i420(frame)
    _, u, v = planes(Frame(pixels, PixelFormat.I420, width, height, 0, 0, 0, colorimetry))
    assert (u == 100).all()
    assert (v == 150).all()
