"""From a GStreamer sample to a `Frame`'s pixels: the one place that copies out of a mapped buffer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_us.colour import to_bgr
from edge_us.frame import (
    FULL_RANGE,
    Colorimetry,
    ColorMatrix,
    ColorRange,
    Frame,
    PixelFormat,
    Rect,
)

Image = NDArray[np.uint8]
_FORMATS = {"I420": PixelFormat.I420, "NV12": PixelFormat.NV12, "GRAY8": PixelFormat.GRAY8, "BGR": PixelFormat.BGR}


class SampleReader:
    """Copies samples into compact arrays; remembers the layout of the last caps."""

    def __init__(self) -> None:
        self._caps: Any = None
        self._info: Any = None
        self.colorimetry = FULL_RANGE

    def read(self, sample: Any) -> tuple[Image, PixelFormat, int, int, Colorimetry] | None:
        """Pixels, format, width, height and colorimetry of a sample; None for an undersized buffer."""
        from gi.repository import GstVideo

        caps = sample.get_caps()
        if self._caps is None or not caps.is_equal(self._caps):
            self._info = GstVideo.VideoInfo.new_from_caps(caps)
            self._caps = caps
            self.colorimetry = _colorimetry(self._info.colorimetry)
        info = self._info
        buffer = sample.get_buffer()
        data = np.frombuffer(buffer.extract_dup(0, buffer.get_size()), np.uint8)
        offsets, strides = list(info.offset), list(info.stride)
        meta = GstVideo.buffer_get_video_meta(buffer)
        if meta is not None:
            offsets, strides = list(meta.offset), list(meta.stride)
        return self._unpack(data, info.finfo.name, info.width, info.height, offsets, strides)

    def _unpack(
        self, data: Image, name: str, width: int, height: int, offsets: list[int], strides: list[int]
    ) -> tuple[Image, PixelFormat, int, int, Colorimetry] | None:
        chroma_width, chroma_height = (width + 1) // 2, (height + 1) // 2
        try:
            luma = _plane(data, offsets[0], strides[0], width * 3 if name == "BGR" else width, height)
            if name == "BGR":
                pixels = np.ascontiguousarray(luma).reshape(height, width, 3)
                return pixels, PixelFormat.BGR, width, height, FULL_RANGE
            if name == "GRAY8":
                frame = Frame(luma, PixelFormat.I420, width, height, 0, 0, 0, self.colorimetry)
                return np.ascontiguousarray(_full_range(frame)), PixelFormat.GRAY8, width, height, FULL_RANGE
            if name == "NV12":
                rest = [_plane(data, offsets[1], strides[1], 2 * chroma_width, chroma_height)]
            else:
                rest = [_plane(data, offsets[i], strides[i], chroma_width, chroma_height) for i in (1, 2)]
        except ValueError:
            return None
        if width % 2 or height % 2:
            # Chroma already covers the even size: repeat the last luma column and row, then cut them off as BGR.
            luma = np.pad(luma, ((0, height % 2), (0, width % 2)), mode="edge")
        pixels = _join(data, luma, rest)
        even = Frame(pixels, _FORMATS[name], luma.shape[1], luma.shape[0], 0, 0, 0, self.colorimetry)
        if even.size == (width, height):
            return pixels, even.format, width, height, self.colorimetry
        bgr = np.ascontiguousarray(to_bgr(even, Rect(0, 0, width, height)))
        return bgr, PixelFormat.BGR, width, height, FULL_RANGE


def _join(data: Image, luma: Image, rest: list[Image]) -> Image:
    """One compact array of all planes; without a copy where the buffer is compact already."""
    height, width = luma.shape
    size = width * height * 3 // 2
    compact = all(part.flags.c_contiguous for part in (luma, *rest))
    if compact and len(data) == size and luma.base is not None and np.shares_memory(luma, data[: width * height]):
        return data.reshape(height * 3 // 2, width)
    return np.concatenate([part.reshape(-1) for part in (luma, *rest)]).reshape(height * 3 // 2, width)


def _plane(data: Image, offset: int, stride: int, width: int, height: int) -> Image:
    """A view of one plane; raises ValueError where the buffer is too small for it."""
    end = offset + stride * (height - 1) + width
    if end > len(data):
        raise ValueError("undersized buffer")
    if stride == width:
        return data[offset : offset + width * height].reshape(height, width)
    return np.lib.stride_tricks.as_strided(data[offset:], (height, width), (stride, 1), writeable=False)


def _full_range(frame: Frame) -> Image:
    from edge_us.colour import to_gray

    return to_gray(frame)


def _colorimetry(native: Any) -> Colorimetry:
    from gi.repository import GstVideo

    full = native.range == GstVideo.VideoColorRange(1)
    hd = native.matrix == GstVideo.VideoColorMatrix.BT709
    return Colorimetry(ColorRange.FULL if full else ColorRange.LIMITED, ColorMatrix.BT709 if hd else ColorMatrix.BT601)
