"""`Feed`: an appsrc pipeline that takes pictures without ever blocking for good."""

from __future__ import annotations

import time
from enum import Enum
from fractions import Fraction
from typing import Any

from edge_us.capture.gst import load_gst
from edge_us.errors import PipelineError
from edge_us.frame import Colorimetry, ColorMatrix, ColorRange
from edge_us.overlay.picture import Picture

BLOCK_TIMEOUT_S = 20.0
"""Longest that a picture may wait for room before the pipeline counts as hung."""
POLL_S = 0.0005
LEAST_STEP_NS = 1_000_000
"""Least time between two pictures. Less is no step at all in a file's own ticks, and some players drop the picture."""


class BackPressure(str, Enum):
    """What happens to a picture when the queue is full."""

    BLOCK = "block"
    """Wait for room: nothing is lost."""
    DROP = "drop"
    """Leave the picture out and count it: nobody waits."""


QUEUE = {BackPressure.BLOCK: 8, BackPressure.DROP: 4}
"""Pictures that may wait in front of the encoder or window."""


def picture_caps(picture: Picture, fps: float) -> str:
    """Caps of a picture, with explicit colorimetry (range:matrix:transfer:primaries as GStreamer numbers them)."""
    rate = Fraction(fps).limit_denominator(1001)
    return (
        f"video/x-raw,format=I420,width={picture.width},height={picture.height},"
        f"framerate={rate.numerator}/{rate.denominator},interlace-mode=progressive,"
        f"colorimetry={colorimetry_text(picture.colorimetry)}"
    )


def colorimetry_text(colorimetry: Colorimetry) -> str:
    """GStreamer's text for a colorimetry."""
    span = 1 if colorimetry.range is ColorRange.FULL else 2
    return f"{span}:3:5:1" if colorimetry.matrix is ColorMatrix.BT709 else f"{span}:4:16:4"


def picture_buffer(gst: Any, picture: Picture) -> Any:
    """A GStreamer buffer with a copy of the picture.

    Where no layout is said, GStreamer takes rows as padded to multiples of 4 bytes, in half-width chroma too: a
    compact picture whose width is no multiple of 8 has to say its own.
    """
    # The cheapest way from Python: 1.9 times a plain copy; allocating and filling takes 11 times (one run).
    buffer = gst.Buffer.new_wrapped(picture.pixels.tobytes())
    width, height = picture.width, picture.height
    if width % 8:
        from gi.repository import GstVideo

        luma, chroma = width * height, (width // 2) * (height // 2)
        GstVideo.buffer_add_video_meta_full(
            buffer, GstVideo.VideoFrameFlags.NONE, GstVideo.VideoFormat.I420, width, height, 3,
            [0, luma, luma + chroma, 0], [width, width // 2, width // 2, 0],
        )  # fmt: skip
    return buffer


class Feed:
    """A running pipeline that starts with an appsrc named ``in``.

    Parameters
    ----------
    pipeline : str
        GStreamer pipeline text.
    what : str
        Name for messages, such as ``recording out.mp4``.
    policy : BackPressure
    room : int, optional
        Pictures that may wait; default as `QUEUE` says.
    """

    def __init__(self, pipeline: str, what: str, policy: BackPressure, room: int | None = None) -> None:
        self._gst = load_gst()
        self._most = room or QUEUE[policy]
        self._what = what
        self._policy = policy
        self.dropped = 0
        self._failed = False
        try:
            self._pipeline: Any = self._gst.parse_launch(pipeline)
        except Exception as error:  # GLib.Error is only known once gi is loaded
            raise PipelineError(f"{what}: {error}", "See `edge-us doctor` for missing elements.") from None
        self._source = self._pipeline.get_by_name("in")
        self._caps = ""
        self._last_pts_ns = -LEAST_STEP_NS
        if self._pipeline.set_state(self._gst.State.PLAYING) == self._gst.StateChangeReturn.FAILURE:
            reason = self._bus_error() or "it does not start"
            self.stop()
            raise PipelineError(f"{what}: {reason}", "Check that the place is writable and the device is there.")

    def element(self, name: str) -> Any:
        """An element of the pipeline by name."""
        return self._pipeline.get_by_name(name)

    def push(self, picture: Picture, pts_ns: int | None, fps: float) -> None:
        """Copy a picture into the pipeline; raises `PipelineError` once the pipeline has failed.

        Without ``pts_ns`` its time is when it comes: the appsrc says so (``do-timestamp``).
        """
        if self.has_room():
            self.push_buffer(picture_buffer(self._gst, picture), picture_caps(picture, fps), pts_ns, fps)

    def has_room(self) -> bool:
        """Whether the pipeline takes a picture now; waits or counts it as dropped as the policy says.

        Raises `PipelineError` once the pipeline has failed.
        """
        self.check()
        if self._room():
            return True
        self.dropped += 1
        return False

    def push_buffer(self, buffer: Any, caps: str, pts_ns: int | None, fps: float) -> None:
        """Hand a buffer over, after `has_room` said yes; its time is set here, unless the appsrc does."""
        if caps != self._caps:
            self._source.set_property("caps", self._gst.Caps.from_string(caps))
            self._caps = caps
        if pts_ns is not None:
            self._last_pts_ns = max(pts_ns, self._last_pts_ns + LEAST_STEP_NS)
            buffer.pts = self._last_pts_ns
        buffer.duration = int(1e9 / fps)
        self._source.emit("push-buffer", buffer)

    def check(self) -> None:
        """Raise `PipelineError` if the pipeline has failed."""
        error = self._bus_error()
        if error is not None:
            raise PipelineError(f"{self._what} stopped: {error}", "Check free space, permissions and the device.")

    def finish(self, timeout_s: float = 10.0) -> None:
        """Send end of stream, wait until everything is written, and stop.

        A pipeline whose failure was already raised is only stopped: it would neither finish nor have news.
        """
        if self._pipeline is None:
            return
        if self._failed:
            self.stop()
            return
        self._source.emit("end-of-stream")
        kinds = self._gst.MessageType.EOS | self._gst.MessageType.ERROR
        message = self._pipeline.get_bus().timed_pop_filtered(int(timeout_s * 1e9), kinds)
        failed = message is None or message.type == self._gst.MessageType.ERROR
        text = "it did not finish in time" if message is None else ""
        if message is not None and failed:
            text = message.parse_error()[0].message
        self.stop()
        if failed:
            raise PipelineError(f"{self._what} could not be finished: {text}", "Check free space and the device.")

    def stop(self) -> None:
        """Stop at once."""
        if self._pipeline is not None:
            self._pipeline.set_state(self._gst.State.NULL)
            self._pipeline = None

    def _room(self) -> bool:
        # Waiting is done here, not by the appsrc's own `block`: that one never returns when the encoder dies.
        deadline = time.monotonic() + BLOCK_TIMEOUT_S
        while self._source.get_property("current-level-buffers") >= self._most:
            if self._policy is BackPressure.DROP:
                return False
            self.check()
            if time.monotonic() > deadline:
                self._failed = True
                raise PipelineError(f"{self._what} hangs", "Check the disk or device; the run goes on without it.")
            time.sleep(POLL_S)
        return True

    def _bus_error(self) -> str | None:
        message = self._pipeline.get_bus().pop_filtered(self._gst.MessageType.ERROR)
        if message is None:
            return None
        self._failed = True
        return str(message.parse_error()[0].message)
