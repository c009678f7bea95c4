"""From a GStreamer sample to the pixels of a `Frame`: the one place that maps buffers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_us.colour import to_bgr
from edge_us.frame import FULL_RANGE, Colorimetry, ColorMatrix, ColorRange, Frame, PixelFormat, Rect

Image = NDArray[np.uint8]
NO_TIME = (1 << 64) - 1
"""What GStreamer writes where there is no time."""


class Pixels(NamedTuple):
    """Everything of a `Frame` but its times."""

    pixels: Image
    format: PixelFormat
    width: int
    height: int
    colorimetry: Colorimetry


class Plane(NamedTuple):
    """Where one plane lies in a buffer, in bytes."""

    offset: int
    stride: int
    row_bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What caps say of a picture."""

    format: PixelFormat
    width: int
    height: int
    colorimetry: Colorimetry
    planes: tuple[Plane, ...]


class SampleReader:
    """Copies samples into compact arrays; remembers the layout of the last caps."""

    def __init__(self) -> None:
        self._caps: Any = None
        self._layout: Layout | None = None

    def read(self, sample: Any) -> Pixels | None:
        """Pixels of a sample; None for a buffer that is smaller than its picture."""
        from gi.repository import GstVideo

        caps = sample.get_caps()
        if self._layout is None or not caps.is_equal(self._caps):
            self._caps, self._layout = caps, _layout(GstVideo.VideoInfo.new_from_caps(caps))
        layout = self._layout
        buffer = sample.get_buffer()
        planes = layout.planes
        meta = GstVideo.buffer_get_video_meta(buffer)
        if meta is not None:
            planes = tuple(
                plane._replace(offset=offset, stride=stride)
                for plane, offset, stride in zip(planes, meta.offset, meta.stride, strict=False)
            )
        with mapped(buffer) as (data, owned):
            compact = copy_planes(data, planes, owned=owned)
        return None if compact is None else finish(compact, layout)


@contextmanager
def mapped(buffer: Any) -> Iterator[tuple[Image, bool]]:
    """Map a buffer for reading, and unmap it whatever happens.

    Yields the bytes, and whether they are a copy of their own: PyGObject copies once when it hands them out as
    ``bytes``; with Debian's python3-gst-1.0 beside it they are a view that ends with the mapping.
    """
    from gi.repository import Gst

    ok, info = buffer.map(Gst.MapFlags.READ)
    if not ok:
        yield np.empty(0, np.uint8), True
        return
    try:
        data = info.data
        yield np.frombuffer(data, np.uint8), isinstance(data, bytes)
        del data
    finally:
        buffer.unmap(info)


def copy_planes(data: Image, planes: Sequence[Plane], *, owned: bool) -> Image | None:
    """All planes, one behind the other, without padding; None where ``data`` is too short.

    Data that are owned and compact already are not copied again.
    """
    sizes = [plane.row_bytes * plane.rows for plane in planes]
    if any(p.offset + p.stride * (p.rows - 1) + p.row_bytes > data.size for p in planes):
        return None
    start = planes[0].offset
    starts = [start + sum(sizes[:number]) for number in range(len(sizes))]
    if owned and all(p.stride == p.row_bytes and p.offset == at for p, at in zip(planes, starts, strict=True)):
        return data[start : start + sum(sizes)]
    out = np.empty(sum(sizes), np.uint8)
    done = 0
    for plane, size in zip(planes, sizes, strict=True):
        rows = np.lib.stride_tricks.as_strided(
            data[plane.offset :], (plane.rows, plane.row_bytes), (plane.stride, 1), writeable=False
        )
        out[done : done + size].reshape(plane.rows, plane.row_bytes)[:] = rows
        done += size
    return out


def finish(compact: Image, layout: Layout) -> Pixels:
    """Shape compact planes as `PixelFormat` says, expanding grey and BGR of limited range, and odd planar sizes.

    A planar picture of odd width or height becomes BGR: its chroma covers the next even size already, so the last
    luma column and row are repeated for the conversion and cut off after it.
    """
    width, height, colorimetry = layout.width, layout.height, layout.colorimetry
    if layout.format in (PixelFormat.GRAY8, PixelFormat.BGR):
        pixels = compact.reshape((height, width) if layout.format is PixelFormat.GRAY8 else (height, width, 3))
        if colorimetry.range is ColorRange.LIMITED:
            pixels = _expanded(pixels)
        return Pixels(pixels, layout.format, width, height, FULL_RANGE)
    if width % 2 == 0 and height % 2 == 0:
        return Pixels(compact.reshape(height * 3 // 2, width), layout.format, width, height, colorimetry)
    luma = np.pad(compact[: width * height].reshape(height, width), ((0, height % 2), (0, width % 2)), mode="edge")
    even_height, even_width = luma.shape
    planar = np.concatenate([luma.reshape(-1), compact[width * height :]]).reshape(even_height * 3 // 2, even_width)
    even = Frame(planar, layout.format, even_width, even_height, 0, 0, 0, colorimetry)
    bgr = np.ascontiguousarray(to_bgr(even, Rect(0, 0, width, height)))
    return Pixels(bgr, PixelFormat.BGR, width, height, FULL_RANGE)


def _expanded(pixels: Image) -> Image:
    """Full range from limited: each channel of grey or RGB as luma (ITU-R BT.601-7, 219 steps from 16)."""
    import cv2

    codes = np.clip(np.rint((np.arange(256) - 16.0) * 255 / 219), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(np.ascontiguousarray(pixels), codes), np.uint8)


def _layout(info: Any) -> Layout:
    pixel_format = PixelFormat(info.finfo.name)
    width, height = info.width, info.height
    half_width, half_height = (width + 1) // 2, (height + 1) // 2
    extents = {
        PixelFormat.GRAY8: [(width, height)],
        PixelFormat.BGR: [(width * 3, height)],
        PixelFormat.NV12: [(width, height), (half_width * 2, half_height)],
        PixelFormat.I420: [(width, height), (half_width, half_height), (half_width, half_height)],
    }[pixel_format]
    planes = tuple(
        Plane(offset, stride, row_bytes, rows)
        for offset, stride, (row_bytes, rows) in zip(info.offset, info.stride, extents, strict=False)
    )
    return Layout(pixel_format, width, height, _colorimetry(info), planes)


def _colorimetry(info: Any) -> Colorimetry:
    from gi.repository import GstVideo

    native = info.colorimetry
    full = native.range == GstVideo.VideoColorRange(1)
    hd = native.matrix in (GstVideo.VideoColorMatrix.BT709, GstVideo.VideoColorMatrix.SMPTE240M)
    return Colorimetry(ColorRange.FULL if full else ColorRange.LIMITED, ColorMatrix.BT709 if hd else ColorMatrix.BT601)


def time_in_segment(sample: Any, conversion: str) -> int | None:
    """The buffer's time stamp in ns, converted by its segment; None where it has none.

    Parameters
    ----------
    sample : Gst.Sample
    conversion : str
        ``to_running_time`` or ``to_stream_time``.
    """
    from gi.repository import Gst

    pts_ns = sample.get_buffer().pts
    if pts_ns == NO_TIME:
        return None
    converted = int(getattr(sample.get_segment(), conversion)(Gst.Format.TIME, pts_ns))
    return None if converted == NO_TIME else converted
