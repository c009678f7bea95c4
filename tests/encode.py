"""Real clips for tests, written with GStreamer's own encoders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_us.capture.gst import load_gst
from edge_us.colour import to_i420
from edge_us.frame import Frame, PixelFormat

ENCODERS = {
    "h264": "x264enc speed-preset=ultrafast qp-min=0 qp-max=12 ! h264parse",
    "h264-lossless": "x264enc speed-preset=ultrafast pass=quant quantizer=0 bitrate=200000 ! h264parse",
    "h265": "x265enc speed-preset=ultrafast ! h265parse",
    "mjpeg": "jpegenc quality=98",
    "mpeg4": "avenc_mpeg4 bitrate=8000000 max-bframes=0",
    "raw": "identity",
}
MUXERS = {".mp4": "mp4mux", ".mkv": "matroskamux", ".avi": "avimux", ".mov": "qtmux"}


def make_clip(
    path: Path,
    frames: list[NDArray[np.uint8]],
    *,
    fps: int = 25,
    codec: str = "h264",
    colorimetry: str = "bt601",
    pixel_format: str = "GRAY8",
) -> Path:
    """Encode grey frames (or raw I420 planes with ``pixel_format="I420"``) into the container of ``path``'s suffix."""
    gst = load_gst()
    height, width = frames[0].shape
    if pixel_format == "GRAY8" and codec != "mjpeg" and height % 2 == 0 and width % 2 == 0:
        # GStreamer's own grey conversion does not scale to limited range; ours does, and JPEG is full range anyway.
        frames = [to_i420(Frame(gray, PixelFormat.GRAY8, width, height, 0, 0, 0))[0] for gray in frames]
        pixel_format = "I420"
    rows, width = frames[0].shape
    height = rows * 2 // 3 if pixel_format == "I420" else rows
    caps = f"video/x-raw,format={pixel_format},width={width},height={height},framerate={fps}/1"
    if pixel_format == "I420":
        caps += f",colorimetry={colorimetry}"
    convert = "" if pixel_format == "I420" else "videoconvert ! video/x-raw,format=I420 ! "
    pipeline = gst.parse_launch(
        f'appsrc name=in format=time caps="{caps}" max-bytes=0 ! {convert}{ENCODERS[codec]} '
        f"! {MUXERS[path.suffix]} ! filesink location={path}"
    )
    source = pipeline.get_by_name("in")
    pipeline.set_state(gst.State.PLAYING)
    for number, frame in enumerate(frames):
        padded = np.pad(frame, ((0, 0), (0, -width % 4)))
        buffer = gst.Buffer.new_wrapped(padded.tobytes())
        buffer.pts = number * 1_000_000_000 // fps
        buffer.duration = 1_000_000_000 // fps
        source.emit("push-buffer", buffer)
    source.emit("end-of-stream")
    message = pipeline.get_bus().timed_pop_filtered(30 * 10**9, gst.MessageType.EOS | gst.MessageType.ERROR)
    pipeline.set_state(gst.State.NULL)
    assert message is not None, "the encoder hangs"
    assert message.type == gst.MessageType.EOS, message.parse_error()
    return path


def noise(count: int, width: int, height: int, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Smooth moving grey pictures."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 6)
    return [
        (127 + 90 * np.sin(x / 17 + number / 5 + phase) * np.cos(y / 23)).astype(np.uint8) for number in range(count)
    ]
