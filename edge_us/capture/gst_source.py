"""`GstSource`: files, capture cards and RTSP through GStreamer, pulled by their reader.

GStreamer decodes ahead in its own threads; no Python thread is started here. A live source that is lost is torn
down whole and rebuilt with back-off, because half-repaired pipelines are what freezes other runtimes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from edge_us.capture.gst import available_elements, load_gst
from edge_us.capture.pipelines import SINK, build_pipeline
from edge_us.capture.samples import SampleReader
from edge_us.capture.source import Source, SourceInfo, SourceKind
from edge_us.capture.state import BackOff, step
from edge_us.capture.uri import Scheme, SourceUri, without_credentials
from edge_us.errors import InputError
from edge_us.finding import SourceState
from edge_us.frame import Frame

STALL_S = 0.5
"""A live source without a picture for this long is stalled."""
LOST_S = 2.0
"""... and for this long is rebuilt."""
POLL_S = 0.05
"""Longest single wait in GStreamer, so that errors on the bus are seen soon."""
PLAYABLE = "Give an mp4, mkv, avi or mov file with H.264, H.265, MJPEG or MPEG-4 video, or see `edge-us doctor`."


class GstSource(Source):
    """A source read by GStreamer.

    Parameters
    ----------
    source : SourceUri
    connect_timeout_s : float
        How long the first picture may take.
    now_ns : callable
        Monotonic clock in ns.

    Raises
    ------
    InputError
        No picture came within ``connect_timeout_s``, or the file cannot be played.
    """

    def __init__(
        self, source: SourceUri, connect_timeout_s: float, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._gst = load_gst()
        self._source = source
        self._now_ns = now_ns
        self._live = source.scheme is not Scheme.VIDEO
        self._state = SourceState.CONNECTING
        self._warnings: list[str] = []
        self._dropped: dict[str, int] = {}
        self._reader = SampleReader()
        self._pipeline: Any = None
        self._sink: Any = None
        self._index = 0
        self._pts_base_ns = 0
        self._last_pts_ns = -1
        self._last_frame_ns = now_ns()
        self._retry_ns = 0
        self._back_off = BackOff()
        self._error = ""
        self._first: Frame | None = None
        try:
            self._connect(connect_timeout_s)
        except BaseException:
            self.close()
            raise

    @property
    def state(self) -> SourceState:
        """Where the source stands; a first picture that was not yet read keeps it running."""
        return SourceState.RUNNING if self._first is not None else self._state

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was wrong but survivable."""
        return tuple(self._warnings)

    @property
    def dropped(self) -> Mapping[str, int]:
        """Pictures lost before they became frames, by cause."""
        return self._dropped

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next frame, or None after ``timeout_s``; see `Source.read`."""
        if self._first is not None:
            first, self._first = self._first, None
            return first if self._live else replace(first, captured_ns=self._now_ns())
        deadline_ns = self._now_ns() + int(timeout_s * 1e9)
        while self._state not in (SourceState.ENDED, SourceState.FAILED):
            left_s = (deadline_ns - self._now_ns()) / 1e9
            frame = self._pull(min(max(left_s, 0.0), POLL_S))
            if frame is not None:
                return frame
            self._check()
            if left_s <= 0:
                break
        return None

    def close(self) -> None:
        """Stop the pipeline and release the device."""
        self._teardown()
        self._first = None
        if self._state is not SourceState.ENDED:
            self._state = SourceState.ENDED

    def _connect(self, timeout_s: float) -> None:
        deadline_ns = self._now_ns() + int(timeout_s * 1e9)
        self._build()
        while True:
            first = self._pull(POLL_S)
            if first is not None:
                break
            failed = self._poll_bus()
            if failed or self._pipeline is None:
                if not self._live:
                    raise self._not_playable()
                self._teardown()
                wait_s = min(self._back_off.next_s(), max(0.0, (deadline_ns - self._now_ns()) / 1e9))
                time.sleep(wait_s)
                self._build()
            if self._now_ns() >= deadline_ns:
                raise self._never_connected(timeout_s)
        self._first = first
        self._back_off.reset()
        caps = self._sink.get_static_pad("sink").get_current_caps()
        ok, top, bottom = caps.get_structure(0).get_fraction("framerate")
        fps = top / bottom if ok and bottom and top else None
        kind = SourceKind.LIVE if self._live else SourceKind.FILE
        self.info = SourceInfo(self._source.shown, kind, fps)

    def _build(self) -> None:
        gst = self._gst
        text = build_pipeline(self._source, available_elements())
        try:
            self._pipeline = gst.parse_launch(text)
        except Exception as error:  # GLib.Error is only known once gi is loaded
            raise InputError(
                f"GStreamer cannot read {self._source.shown}: {without_credentials(str(error))}",
                "See `edge-us doctor` for the elements that this machine has.",
            ) from None
        self._sink = self._pipeline.get_by_name(SINK)
        self._pipeline.set_state(gst.State.PLAYING)

    def _teardown(self) -> None:
        if self._pipeline is not None:
            self._pipeline.set_state(self._gst.State.NULL)
            bus = self._pipeline.get_bus()
            bus.set_flushing(True)
        self._pipeline = self._sink = None

    def _pull(self, timeout_s: float) -> Frame | None:
        if self._sink is None:
            time.sleep(timeout_s)
            return None
        sample = self._sink.try_pull_sample(int(timeout_s * 1e9))
        if sample is None:
            return None
        now_ns = self._now_ns()
        unpacked = self._reader.read(sample)
        if unpacked is None:
            self._dropped["undersized_buffer"] = self._dropped.get("undersized_buffer", 0) + 1
            return None
        pixels, pixel_format, width, height, colorimetry = unpacked
        captured_ns, pts_ns = self._times(sample, now_ns)
        if self._state is not SourceState.RUNNING:
            self._state = step(self._state, SourceState.RUNNING)
            self._back_off.reset()
        self._last_frame_ns = now_ns
        self._last_pts_ns = pts_ns
        index, self._index = self._index, self._index + 1
        return Frame(pixels, pixel_format, width, height, index, pts_ns, captured_ns, colorimetry)

    def _times(self, sample: Any, now_ns: int) -> tuple[int, int]:
        """Capture stamp and stream time.

        For live sources the stamp is base time + running time on GStreamer's clock, which is the system's monotonic
        clock: when the picture arrived, not when somebody asked for it.
        """
        none = self._gst.CLOCK_TIME_NONE
        pts_ns = sample.get_buffer().pts
        if pts_ns == none:
            pts_ns = self._last_pts_ns + 1 - self._pts_base_ns
        captured_ns = now_ns
        if self._live:
            running = sample.get_segment().to_running_time(self._gst.Format.TIME, pts_ns)
            arrived_ns = self._pipeline.get_base_time() + running
            if running != none and now_ns - 1_000_000_000 <= arrived_ns <= now_ns:
                captured_ns = arrived_ns
        pts_ns += self._pts_base_ns
        return captured_ns, max(pts_ns, self._last_pts_ns + 1)

    def _check(self) -> None:
        """Look at bus and clock when no picture came: end, error, stall, or time for another attempt."""
        if self._live:
            self._check_live()
            return
        failed = self._poll_bus()
        if failed:
            self._warnings.append(f"{self._source.shown} is damaged: played {self._index} frames, then: {self._error}")
            self._end()
        elif self._sink is not None and self._sink.get_property("eos"):
            self._warn_if_short()
            self._end()

    def _check_live(self) -> None:
        now_ns = self._now_ns()
        if self._pipeline is None:
            if now_ns >= self._retry_ns:
                self._pts_base_ns = self._last_pts_ns + 1
                self._last_frame_ns = now_ns
                self._build()
            return
        silent_s = (now_ns - self._last_frame_ns) / 1e9
        ended = self._poll_bus() or self._sink.get_property("eos")
        if ended or silent_s > LOST_S:
            self._teardown()
            self._retry_ns = now_ns + int(self._back_off.next_s() * 1e9)
            self._state = step(self._state, SourceState.RECONNECTING)
        elif silent_s > STALL_S and self._state is SourceState.RUNNING:
            self._state = step(self._state, SourceState.STALLED)

    def _poll_bus(self) -> bool:
        """Take errors off the bus; True if there was one."""
        if self._pipeline is None:
            return False
        message = self._pipeline.get_bus().pop_filtered(self._gst.MessageType.ERROR)
        if message is None:
            return False
        error, _ = message.parse_error()
        self._error = without_credentials(error.message)
        return True

    def _warn_if_short(self) -> None:
        known, duration_ns = self._pipeline.query_duration(self._gst.Format.TIME)
        fps = self.info.fps or 25.0
        if known and duration_ns > 0 and self._last_pts_ns + 4e9 / fps < duration_ns:
            self._warnings.append(
                f"{self._source.shown} is truncated: {self._last_pts_ns / 1e9:.1f} s of {duration_ns / 1e9:.1f} s "
                f"could be played"
            )

    def _end(self) -> None:
        self._teardown()
        self._state = step(self._state, SourceState.ENDED)

    def _not_playable(self) -> InputError:
        why = self._error or "it holds no video"
        return InputError(f"{self._source.shown} cannot be played: {why}", PLAYABLE)

    def _never_connected(self, timeout_s: float) -> InputError:
        why = f": {self._error}" if self._error else ""
        return InputError(
            f"{self._source.shown} delivered no picture within {timeout_s:g} s{why}",
            "Check address, cable and signal, or raise --connect-timeout."
            if self._live
            else f"The file may be damaged or hold no video. {PLAYABLE}",
        )
