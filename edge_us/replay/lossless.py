"""Frames in FFV1 in Matroska, bit by bit as they were; a killed process leaves a file that plays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_us.capture.gst import available_elements, load_gst
from edge_us.capture.samples import Plane, copy_planes, mapped
from edge_us.colour import planes
from edge_us.errors import InputError, MissingDependencyError
from edge_us.frame import Frame, PixelFormat
from edge_us.sinks.feed import BackPressure, Feed

Image = NDArray[np.uint8]

STORED = {
    PixelFormat.GRAY8: "GRAY8",
    PixelFormat.I420: "I420",
    PixelFormat.NV12: "I420",
    PixelFormat.BGR: "BGRx",
}
"""What the encoder takes of each format; every step is exactly reversible."""
PULL_TIMEOUT_S = 20.0
QUEUE = 32
"""Frames that may wait for the encoder, which is slower than the recording's: a second of 800x600 is 14 to 43 MB."""


class CutOffError(InputError):
    """A file of frames that holds fewer than were written."""


def quoted(path: Path) -> str:
    """A path as a value in a pipeline text."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


class LosslessWriter:
    """Writes frames of one size and format.

    Measured on 800x600 phantoms (2 cores, one run): 9 CPU ms and 235 kB a grey frame, 12 ms I420, 24 ms BGR.

    Parameters
    ----------
    path : Path
        Overwritten.
    policy : BackPressure
    fps : float
        Nominal rate; the true times are not kept in this file.

    Raises
    ------
    MissingDependencyError
        The encoder is not installed.
    PipelineError
        The file cannot be written.
    """

    def __init__(self, path: Path, policy: BackPressure, fps: float) -> None:
        if "avenc_ffv1" not in available_elements():
            raise MissingDependencyError(
                "the lossless encoder FFV1 is not installed", "sudo apt-get install gstreamer1.0-libav"
            )
        self._gst = load_gst()
        self._fps = fps
        # The pictures' statistics are coded with Rice codes: two thirds of the time of the range coder, same size.
        self._feed = Feed(
            "appsrc name=in format=time max-bytes=0 ! avenc_ffv1 coder=rice ! matroskamux streamable=true "
            f"! filesink buffer-mode=unbuffered sync=false location={quoted(path)}",
            f"bundle {path}",
            policy,
            room=QUEUE,
        )

    @property
    def dropped(self) -> int:
        """Frames that the encoder had no room for."""
        return self._feed.dropped

    def write(self, frame: Frame, pts_ns: int) -> bool:
        """Store one frame; False where there was no room."""
        if not self._feed.has_room():
            return False
        stored = STORED[frame.format]
        caps = (
            f"video/x-raw,format={stored},width={frame.width},height={frame.height},"
            f"framerate={max(1, round(self._fps))}/1"
        )
        info = _video_info(caps)
        data = np.zeros(info.size, np.uint8)
        for plane, source in zip(_planes_of(info), _split(frame), strict=True):
            rows = data[plane.offset : plane.offset + plane.stride * plane.rows].reshape(plane.rows, plane.stride)
            rows[:, : plane.row_bytes] = source
        self._feed.push_buffer(self._gst.Buffer.new_wrapped(data.tobytes()), caps, pts_ns, self._fps)
        return True

    def close(self) -> None:
        """Finish the file."""
        self._feed.finish()


def read_lossless(path: Path, formats: Iterator[PixelFormat]) -> Iterator[Image]:
    """Pixels of every frame, in the order in which they were written.

    Parameters
    ----------
    path : Path
    formats : iterator of PixelFormat
        What each frame was; as many as the file is expected to hold.

    Raises
    ------
    CutOffError
        The file is damaged, or holds fewer frames.
    InputError
        It is missing.
    """
    gst = load_gst()
    hint = "Copy the bundle again from where it was made."
    if not path.is_file():
        raise InputError(f"the bundle lacks {path.name}", hint)
    pipeline = gst.parse_launch(
        f"filesrc location={quoted(path)} ! matroskademux ! avdec_ffv1 ! appsink name=out sync=false max-buffers=4"
    )
    sink = pipeline.get_by_name("out")
    pipeline.set_state(gst.State.PLAYING)
    try:
        for number, pixel_format in enumerate(formats):
            sample = sink.try_pull_sample(int(PULL_TIMEOUT_S * 1e9))
            if sample is None:
                raise CutOffError(f"{path.name} of the bundle ends after {number} frames", hint)
            yield _pixels(sample, pixel_format)
    finally:
        pipeline.set_state(gst.State.NULL)


def _video_info(caps: str) -> Any:
    from gi.repository import GstVideo

    return GstVideo.VideoInfo.new_from_caps(load_gst().Caps.from_string(caps))


def _planes_of(info: Any) -> list[Plane]:
    """Where the planes of a stored picture lie."""
    width, height = info.width, info.height
    extents = {
        "GRAY8": [(width, height)],
        "BGRx": [(4 * width, height)],
        "I420": [(width, height), (width // 2, height // 2), (width // 2, height // 2)],
    }[info.finfo.name]
    return [
        Plane(offset, stride, row_bytes, rows)
        for offset, stride, (row_bytes, rows) in zip(info.offset, info.stride, extents, strict=False)
    ]


def _split(frame: Frame) -> Sequence[Image]:
    if frame.format is PixelFormat.GRAY8:
        return (frame.pixels,)
    if frame.format is PixelFormat.BGR:
        padded = np.zeros((frame.height, frame.width, 4), np.uint8)
        padded[..., :3] = frame.pixels
        return (padded.reshape(frame.height, -1),)
    return planes(frame)


def _pixels(sample: Any, pixel_format: PixelFormat) -> Image:
    from gi.repository import GstVideo

    info = GstVideo.VideoInfo.new_from_caps(sample.get_caps())
    width, height = info.width, info.height
    if info.finfo.name != STORED[pixel_format]:
        raise InputError(f"the bundle holds {info.finfo.name}, not {STORED[pixel_format]}", "Make the bundle again.")
    places = _planes_of(info)
    meta = GstVideo.buffer_get_video_meta(sample.get_buffer())
    if meta is not None:
        places = [
            place._replace(offset=offset, stride=stride)
            for place, offset, stride in zip(places, meta.offset, meta.stride, strict=False)
        ]
    with mapped(sample.get_buffer()) as (data, owned):
        compact = copy_planes(data, places, owned=owned)
    if compact is None:
        raise InputError("the bundle holds a frame that is cut off", "Make the bundle again.")
    if pixel_format is PixelFormat.GRAY8:
        return compact.reshape(height, width)
    if pixel_format is PixelFormat.BGR:
        return np.ascontiguousarray(compact.reshape(height, width, 4)[..., :3])
    planar = compact.reshape(height * 3 // 2, width)
    if pixel_format is PixelFormat.I420:
        return planar
    y, u, v = planar[:height], *planar[height:].reshape(2, height // 2, width // 2)
    return np.concatenate([y.reshape(-1), np.stack([u, v], axis=-1).reshape(-1)]).reshape(-1, width)
