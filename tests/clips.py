"""Real clips for tests, written with GStreamer's own encoders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_us.capture.gst import load_gst

Image = NDArray[np.uint8]

ENCODERS = {
    "h264": "x264enc speed-preset=ultrafast qp-min=0 qp-max=12 ! h264parse",
    "h264-lossless": "x264enc speed-preset=ultrafast pass=quant quantizer=0 ! h264parse",
    "h265": "x265enc speed-preset=ultrafast log-level=none ! h265parse",
    "h265-lossless": "x265enc speed-preset=ultrafast log-level=none option-string=lossless=1:range={range} ! h265parse",
    "mjpeg": "jpegenc quality=98",
    "mpeg4": "avenc_mpeg4 pass=quant quantizer=1",
    "ffv1": "avenc_ffv1",
    "raw": "identity",
}
MUXERS = {
    ".mp4": "mp4mux",
    ".mkv": "matroskamux",
    ".avi": "avimux",
    ".mov": "qtmux",
    ".h264": "video/x-h264,stream-format=byte-stream",
}


def make_clip(
    path: Path,
    frames: Sequence[Image],
    *,
    fps: int = 25,
    codec: str = "h264",
    colorimetry: str | None = None,
    pixel_format: str = "GRAY8",
) -> Path:
    """Encode pictures into the container of ``path``'s suffix.

    Parameters
    ----------
    path : Path
        Ends in .mp4, .mkv, .avi, .mov or (H.264 only) .h264.
    frames : sequence of ndarray of uint8
        Full-range grey, shape (height, width), of any size that the codec takes, encoded as I420 in the range that
        ``colorimetry`` says; or, with ``pixel_format="I420"``, planes as they are, shape (height * 3 // 2, width).
    fps : int
    codec : str
        A key of `ENCODERS`, or GStreamer elements.
    colorimetry : str, optional
        In GStreamer's words; full range for MJPEG, else ``bt601`` (limited).
    pixel_format : str
        ``GRAY8`` or ``I420``.
    """
    colorimetry = colorimetry or ("1:4:0:0" if codec == "mjpeg" else "bt601")
    full = colorimetry.startswith("1:")
    rows, width = frames[0].shape
    height = rows * 2 // 3 if pixel_format == "I420" else rows
    caps = f"video/x-raw,format=I420,width={width},height={height},framerate={fps}/1,colorimetry={colorimetry}"
    encoder = ENCODERS.get(codec, codec).replace("{range}", "full" if full else "limited")
    return encode(path, caps, (_planes(frame, pixel_format, full=full) for frame in frames), encoder, fps=fps)


def encode(path: Path, caps: str, pictures: Iterable[Sequence[Image]], encoder: str, *, fps: int = 25) -> Path:
    """Encode raw pictures, each given by its planes, of any format that GStreamer has.

    Planes of 16-bit samples are given as bytes, shape (height, 2 * width).
    """
    gst = load_gst()
    from gi.repository import GstVideo

    info = GstVideo.VideoInfo.new_from_caps(gst.Caps.from_string(caps))
    raw = (_laid_out(info, planes) for planes in pictures)
    if encoder.startswith("avenc_mpeg4"):
        # Its packets carry nonsense times (1.22), so they are fetched and stamped anew.
        packets, caps = _packets(gst, f"{encoder} ! mpeg4videoparse", caps, raw, fps)
        raw, encoder = (packet for packet in packets), "mpeg4videoparse"
    # mp4mux takes no JPEG, though mp4 files with it exist; QuickTime's muxer writes the same boxes.
    muxer = "qtmux" if encoder.startswith("jpegenc") and path.suffix == ".mp4" else MUXERS[path.suffix]
    pipeline = gst.parse_launch(f"appsrc name=in format=time max-bytes=0 ! {encoder} ! {muxer} ! filesink name=out")
    pipeline.get_by_name("out").set_property("location", str(path))
    _push(gst, pipeline, caps, raw, fps)
    message = pipeline.get_bus().timed_pop_filtered(30 * gst.SECOND, gst.MessageType.EOS | gst.MessageType.ERROR)
    pipeline.set_state(gst.State.NULL)
    assert message is not None, "the encoder hangs"
    assert message.type == gst.MessageType.EOS, message.parse_error()
    return path


def _push(gst: Any, pipeline: Any, caps: str, buffers: Iterable[bytes], fps: int) -> None:
    source = pipeline.get_by_name("in")
    source.set_property("caps", gst.Caps.from_string(caps))
    pipeline.set_state(gst.State.PLAYING)
    for number, data in enumerate(buffers):
        buffer = gst.Buffer.new_wrapped(data)
        buffer.pts = buffer.dts = number * gst.SECOND // fps
        buffer.duration = gst.SECOND // fps
        source.emit("push-buffer", buffer)
    source.emit("end-of-stream")


def _packets(gst: Any, encoder: str, caps: str, raw: Iterable[bytes], fps: int) -> tuple[list[bytes], str]:
    pipeline = gst.parse_launch(f"appsrc name=in format=time max-bytes=0 ! {encoder} ! appsink name=out sync=false")
    _push(gst, pipeline, caps, raw, fps)
    sink = pipeline.get_by_name("out")
    packets = []
    while (sample := sink.try_pull_sample(10 * gst.SECOND)) is not None:
        buffer = sample.get_buffer()
        packets.append(bytes(buffer.extract_dup(0, buffer.get_size())))
        caps = sample.get_caps().to_string()
    pipeline.set_state(gst.State.NULL)
    return packets, caps


def noise(count: int, width: int, height: int, seed: int = 0) -> list[Image]:
    """Smooth moving grey pictures."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 6)
    return [
        (127 + 90 * np.sin(x / 17 + number / 5 + phase) * np.cos(y / 23)).astype(np.uint8) for number in range(count)
    ]


def codes(gray: Image, *, full: bool) -> Image:
    """Luma codes of full-range grey (ITU-R BT.601-7: 219 steps from 16)."""
    return gray if full else np.rint(16 + gray * (219 / 255)).astype(np.uint8)


def _planes(frame: Image, pixel_format: str, *, full: bool) -> list[Image]:
    height, width = frame.shape
    if pixel_format == "I420":
        height = height * 2 // 3
        half = (height // 2, width // 2)
        u, v = frame[height:].reshape(2, *half)
        return [frame[:height], u, v]
    neutral = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
    return [codes(frame, full=full), neutral, neutral]


def _laid_out(info: Any, planes: Sequence[Image]) -> bytes:
    """The planes as GStreamer lays them out; padding repeats the edge, because some encoders look at it."""
    data = np.zeros(info.size, np.uint8)
    ends = [*list(info.offset)[1 : len(planes)], info.size]
    for plane, offset, end, stride in zip(planes, info.offset, ends, info.stride, strict=False):
        rows, row_bytes = plane.shape
        more = ((0, (end - offset) // stride - rows), (0, stride - row_bytes))
        padded = np.pad(plane, more, mode="edge").reshape(-1)
        data[offset : offset + padded.size] = padded
    return data.tobytes()
