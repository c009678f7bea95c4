"""The runtime's own kernels (`kernels.cu`), with the same arithmetic as the CPU's path; the PTX is made beforehand.

One PTX for compute capability 7.2, in the dialect of CUDA 12.6: the drivers of JetPack 6 and later translate it for
their GPU when it is loaded.
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edge_us.colour import yuv_to_bgr
from edge_us.frame import Colorimetry, ColorRange, PixelFormat, Rect
from edge_us.inference.letterbox import PADDING, Letterbox

if TYPE_CHECKING:
    from edge_us.cuda.arena import Arena
    from edge_us.cuda.driver import Handle

SOURCE = Path(__file__).with_name("kernels.cu")
PTX = Path(__file__).with_name("kernels.ptx")
TARGET = "compute_72"
_TILE = (32, 8, 1)
_LOGITS = 128


class PictureFormat(IntEnum):
    """How the pixels lie, as the kernel counts it."""

    GREY = 0
    BGR = 1
    YUV420 = 2


_FORMATS = {
    PixelFormat.GRAY8: PictureFormat.GREY,
    PixelFormat.BGR: PictureFormat.BGR,
    PixelFormat.NV12: PictureFormat.YUV420,
    PixelFormat.I420: PictureFormat.YUV420,
}


def _layout(pointers: str, ints: str, floats: str = "") -> np.dtype[np.void]:
    fields: list[tuple[str, DTypeLike]] = [(name, np.uint64) for name in pointers.split()]
    fields += [(name, np.int32) for name in ints.split()]
    fields += [(name, np.float32) for name in floats.split()]
    return np.dtype(fields, align=True)


LETTERBOX_JOB = _layout(
    "first u v out",
    "pitch chroma_pitch chroma_step format x y width height chroma_x chroma_y chroma_width chroma_height "
    "inner_x inner_y inner_width inner_height out_width out_height channels grey half",
    "padding luma_gain luma_zero to_blue green_u green_v to_red",
)
"""``LetterboxJob`` of kernels.cu."""
MASK_JOB = _layout("prototypes coefficients windows logits", "count height width boxes")
"""``MaskJob`` of kernels.cu."""


class Kernels:
    """The kernels, loaded on a device.

    Parameters
    ----------
    arena : Arena
        Owns the module; its driver's context must be current here and in every launch.
    """

    def __init__(self, arena: Arena) -> None:
        module = arena.module(PTX.read_bytes())
        self._driver = arena.driver
        self._letterbox = self._driver.function(module, "letterbox")
        self._mask_logits = self._driver.function(module, "mask_logits")

    def letterbox(self, job: NDArray[np.void], stream: Handle) -> None:
        """Begin to turn a picture into the network's input; see `letterbox_job`."""
        grid = (-(-int(job["out_width"]) // _TILE[0]), -(-int(job["out_height"]) // _TILE[1]), 1)
        self._driver.launch(self._letterbox, grid, _TILE, stream, job)

    def mask_logits(self, job: NDArray[np.void], largest: int, stream: Handle) -> None:
        """Begin to compute the masks of boxes, ``largest`` logits in the largest window; see `mask_job`."""
        grid = (-(-largest // _LOGITS), int(job["boxes"]), 1)
        self._driver.launch(self._mask_logits, grid, (_LOGITS, 1, 1), stream, job)


def letterbox_job(
    picture: int,
    size: tuple[int, int],
    pixels: PixelFormat,
    colorimetry: Colorimetry,
    letterbox: Letterbox,
    out: int,
    *,
    channels: int,
    grey: bool,
    half: bool,
) -> NDArray[np.void]:
    """Parameters of the fused letterbox: colour, resize, border, 0..1 and channels first.

    Parameters
    ----------
    picture : int
        Device address of a whole `Frame`'s pixels, without gaps between rows.
    size : (int, int)
        Its width and height in px.
    pixels : PixelFormat
    colorimetry : Colorimetry
    letterbox : Letterbox
        Its region lies inside the picture.
    out : int
        Device address of (channels, height, width) floats.
    channels : int
        1 or 3.
    grey : bool
        Every channel holds full-range grey; else red, green, blue.
    half : bool
        16-bit floats, else 32-bit.
    """
    width, height = size
    region, inner = letterbox.region, letterbox.inner
    job = np.zeros((), LETTERBOX_JOB)
    form = _FORMATS[pixels]
    job["first"], job["out"] = picture, out
    job["format"], job["channels"], job["grey"], job["half"] = form, channels, grey, half
    job["pitch"] = 3 * width if form is PictureFormat.BGR else width
    job["x"], job["y"], job["width"], job["height"] = region
    job["inner_x"], job["inner_y"], job["inner_width"], job["inner_height"] = inner
    job["out_width"], job["out_height"] = letterbox.input_size
    job["padding"] = PADDING
    if form is PictureFormat.YUV420:
        _describe_yuv(job, picture + width * height, size, pixels, colorimetry, region)
    return job


def _describe_yuv(
    job: NDArray[np.void],
    chroma: int,
    size: tuple[int, int],
    pixels: PixelFormat,
    colorimetry: Colorimetry,
    region: Rect,
) -> None:
    width, height = size
    if pixels is PixelFormat.NV12:
        job["u"], job["v"], job["chroma_pitch"], job["chroma_step"] = chroma, chroma + 1, width, 2
    else:
        plane = (width // 2) * (height // 2)
        job["u"], job["v"], job["chroma_pitch"], job["chroma_step"] = chroma, chroma + plane, width // 2, 1
    # Colour is interpolated among the samples that cover the region and no others, as `colour.to_bgr` does.
    x0, y0 = region.x // 2, region.y // 2
    x1 = min(-(-(region.x + region.width) // 2), width // 2)
    y1 = min(-(-(region.y + region.height) // 2), height // 2)
    job["chroma_x"], job["chroma_y"], job["chroma_width"], job["chroma_height"] = x0, y0, x1 - x0, y1 - y0
    matrix = yuv_to_bgr(colorimetry)
    job["luma_gain"] = matrix[0, 0]
    job["luma_zero"] = 16 if colorimetry.range is ColorRange.LIMITED else 0
    job["to_blue"], job["green_u"], job["green_v"], job["to_red"] = (
        matrix[0, 1],
        matrix[1, 1],
        matrix[1, 2],
        matrix[2, 2],
    )


def mask_windows(windows: NDArray[np.int32]) -> tuple[NDArray[np.int32], int, int]:
    """Windows on the prototypes as the kernel takes them, the number of all logits, and that of the largest window.

    Parameters
    ----------
    windows : ndarray of int32, shape (boxes, 4)
        x, y, width, height in cells of the prototypes (`decode.mask_window`).
    """
    areas = windows[:, 2].astype(np.int64) * windows[:, 3]
    begins = np.cumsum(areas) - areas
    return np.column_stack([windows, begins]).astype(np.int32), int(areas.sum()), int(areas.max(initial=0))


def mask_job(
    prototypes: int,
    shape: tuple[int, int, int],
    coefficients: int,
    windows: int,
    boxes: int,
    logits: int,
) -> NDArray[np.void]:
    """Parameters of mask decoding inside boxes; all addresses are the device's.

    Parameters
    ----------
    prototypes : int
        (count, height, width) 32-bit floats.
    shape : (int, int, int)
        Of the prototypes.
    coefficients : int
        (boxes, count) 32-bit floats.
    windows : int
        What `mask_windows` gives.
    boxes : int
    logits : int
        Room for the logits of all windows, row by row, one window after the other.
    """
    job = np.zeros((), MASK_JOB)
    job["prototypes"], job["coefficients"], job["windows"], job["logits"] = prototypes, coefficients, windows, logits
    job["count"], job["height"], job["width"] = shape
    job["boxes"] = boxes
    return job
