"""`GstSource`: files, capture cards and RTSP through GStreamer, pulled by their reader.

GStreamer decodes ahead in its own threads; no Python thread is started here. A live source that is lost is torn
down whole and rebuilt with back-off, because half-repaired pipelines are what freezes other runtimes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_us.capture.connect_errors import (
    ended_early,
    never_connected,
    not_playable,
    software_instead,
    without_index,
    without_picture,
)
from edge_us.capture.container import lacks_index, missing_bytes
from edge_us.capture.gst_pipeline import Failure, GstPipeline
from edge_us.capture.pipelines import PipelineSpec
from edge_us.capture.samples import SampleReader
from edge_us.capture.source import Source
from edge_us.capture.stamps import USUAL_FPS, Stamps
from edge_us.capture.state import OVER, UNANSWERED_S, BackOff, after_silence, step
from edge_us.finding import SourceState
from edge_us.frame import Frame

POLL_S = 0.05
"""Longest single wait in GStreamer, so that errors on the bus are seen soon."""
DRAIN_S = 0.3
"""After an error in a file, how long pictures that are still being decoded are waited for."""
SHORTFALL_S = 0.5
"""By how much the pictures may end before the container's length: a sound track may be a little longer."""
FIRST_TRY_S = 1.0
"""How long a file's first pipeline may take; decodebin (1.22) sometimes loses a demuxer's error and then waits for
ever, so a silent file is tried anew, each time for half as long again."""


class GstSource(Source):
    """A source read by GStreamer; its first picture has arrived when the constructor returns.

    For live sources ``captured_ns`` is when the picture arrived and ``pts_ns`` the time since the first picture,
    both from the buffer's own stamp, so stream time goes on where a lost source comes back. ``dropped`` counts
    ``queue_full`` (the reader was late) and ``undersized_buffer`` (a grabber gave less than a picture).

    Parameters
    ----------
    spec : PipelineSpec
    connect_timeout_s : float
        How long the first picture may take. A live source is tried again and again until then.
    now_ns : callable
        Monotonic clock in ns.
    sleep : callable
        Takes seconds.
    back_off : BackOff, optional
        Pauses between attempts to rebuild a lost source.

    Raises
    ------
    InputError
        No picture came within ``connect_timeout_s``, or none ever will.
    MissingDependencyError
        A decoder or another part of GStreamer is not installed; the message names it.
    """

    def __init__(
        self,
        spec: PipelineSpec,
        connect_timeout_s: float,
        now_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
        back_off: BackOff | None = None,
    ) -> None:
        self._spec = spec
        self._live = spec.live
        self._now_ns = now_ns
        self._sleep = sleep
        self._connect_timeout_s = connect_timeout_s
        self.info = spec.info
        self._state = SourceState.CONNECTING
        self._warnings: list[str] = []
        self._undersized = 0
        self._queue_full = 0
        self._reader = SampleReader()
        self._pipeline: GstPipeline | None = None
        self._held: Any = None
        self._failure: Failure | None = None
        self._why = ""
        self._try_s = FIRST_TRY_S
        self._path = Path(str(spec.settings.get("location", "")))
        self._index = 0
        self._stamps = Stamps()
        self._silent_since_ns = now_ns()
        self._retry_ns = 0
        self._back_off = back_off or BackOff()
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    @property
    def state(self) -> SourceState:
        """Where the source stands."""
        return self._state

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was wrong but survivable."""
        return tuple(self._warnings)

    @property
    def dropped(self) -> Mapping[str, int]:
        """Pictures lost before they became frames, by cause."""
        lost = self._queue_full + (self._pipeline.lost if self._pipeline is not None else 0)
        counts = {"queue_full": lost, "undersized_buffer": self._undersized}
        return {cause: count for cause, count in counts.items() if count}

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next frame, or None after ``timeout_s``; see `Source.read`.

        Rebuilding a lost live source happens in here, a step at a time, within ``timeout_s``.
        """
        deadline_ns = self._now_ns() + int(timeout_s * 1e9)
        while self._state not in OVER:
            left_s = (deadline_ns - self._now_ns()) / 1e9
            sample = self._next_sample(min(max(left_s, 0.0), POLL_S))
            if sample is not None:
                frame = self._frame(sample)
                if frame is not None:
                    return frame
            elif self._live:
                self._check_live()
            else:
                self._check_file()
            if left_s <= 0:
                break
        return None

    def close(self) -> None:
        """Stop the pipeline and release the device."""
        self._teardown()
        self._held = None
        self._state = SourceState.ENDED

    def _connect(self) -> None:
        start_ns = self._now_ns()
        deadline_ns = start_ns + int(self._connect_timeout_s * 1e9)
        connect = self._connect_live if self._live else self._connect_file
        if not self._live and lacks_index(self._path):
            raise without_index(self.info.uri)
        self._build()
        while True:
            self._held = self._next_sample(POLL_S)
            if self._held is not None:
                break
            self._note_failure()
            self._leave_hardware(is_late=self._now_ns() >= (start_ns + deadline_ns) // 2)
            connect(self._now_ns())
            if self._now_ns() >= deadline_ns:
                raise never_connected(self.info.uri, self._connect_timeout_s, self._why, live=self._live)
        self._state = step(self._state, SourceState.RUNNING)
        self._silent_since_ns = self._now_ns()
        self._back_off.reset()
        fps = self._pipeline.fps if self._pipeline is not None else None
        self.info = replace(self.info, fps=fps)

    def _leave_hardware(self, *, is_late: bool) -> None:
        """Decode on the CPU from now on where hardware keeps the first picture away; not where a device is missing."""
        software, failure = self._spec.software, self._failure
        if software is None or self._pipeline is None:
            return
        tried = bool(self._pipeline.tried_decoders)
        if (tried and is_late) if failure is None else (tried or not failure.is_resource):
            self._warnings.append(software_instead(self.info.uri, self._spec.decoders.hardware, failure))
            self._spec = software
            self._teardown()
            self._build()

    def _connect_file(self, now_ns: int) -> None:
        if self._failure is not None and self._quiet_after_failure(now_ns):
            raise not_playable(self.info.uri, self._failure, live=self._live)
        if self._pipeline is not None and self._pipeline.at_end:
            raise without_picture(self.info.uri, "its video is empty")
        if self._failure is None and (now_ns - self._silent_since_ns) / 1e9 > self._try_s:
            if missing_bytes(self._path):
                raise without_picture(self.info.uri, "it is cut off")
            self._try_s *= 1.5
            self._teardown()
            self._build()

    def _connect_live(self, now_ns: int) -> None:
        if self._failure is not None and self._failure.hopeless:
            raise not_playable(self.info.uri, self._failure, live=self._live)
        if self._pipeline is None:
            if now_ns >= self._retry_ns:
                self._build()
        elif self._failure is not None or self._pipeline.at_end:
            self._schedule_rebuild(now_ns)

    def _build(self) -> None:
        self._failure = None
        self._silent_since_ns = self._now_ns()
        self._pipeline = GstPipeline(self._spec)

    def _schedule_rebuild(self, now_ns: int) -> None:
        self._teardown()
        self._retry_ns = now_ns + int(self._back_off.next_s() * 1e9)

    def _teardown(self) -> None:
        if self._pipeline is not None:
            self._queue_full += self._pipeline.lost
            self._pipeline.stop()
        self._pipeline = None

    def _next_sample(self, timeout_s: float) -> Any | None:
        held, self._held = self._held, None
        if self._pipeline is None:
            self._sleep(timeout_s)
            return None
        if held is None:
            return self._pipeline.pull(timeout_s)
        newer = self._pipeline.pull(0.0) if self._live else None
        if newer is None:
            return held
        self._queue_full += 1  # the first picture has waited since the source was opened: it is no longer live
        return newer

    def _frame(self, sample: Any) -> Frame | None:
        now_ns = self._now_ns()
        self._silent_since_ns = now_ns
        unpacked = self._reader.read(sample)
        if unpacked is None:
            self._undersized += 1
            return None
        if self._live:
            base_ns = self._pipeline.base_time_ns if self._pipeline is not None else None
            captured_ns, pts_ns = self._stamps.of_live(sample, now_ns, base_ns)
        else:
            captured_ns, pts_ns = self._stamps.of_file(sample, now_ns, self.info.fps)
        if self._state is not SourceState.RUNNING:
            self._state = step(self._state, SourceState.RUNNING)
            self._back_off.reset()
        index, self._index = self._index, self._index + 1
        pixels, pixel_format, width, height, colorimetry = unpacked
        return Frame(pixels, pixel_format, width, height, index, pts_ns, captured_ns, colorimetry)

    def _check_file(self) -> None:
        """No picture came: is it the end, or an error after which nothing more comes?"""
        self._note_failure()
        if self._pipeline is None or not (self._pipeline.at_end or self._quiet_after_failure(self._now_ns())):
            return
        duration_ns = self._pipeline.duration_ns
        played_s = self._stamps.last_pts_ns / 1e9
        shortfall_s = SHORTFALL_S + 2 / (self.info.fps or USUAL_FPS)
        due_s = duration_ns / 1e9 if duration_ns is not None and duration_ns / 1e9 > played_s + shortfall_s else None
        played = f"{self._index} frames, {played_s:.1f} s, could be played"
        warning = ended_early(self.info.uri, played, missing_bytes(self._path), self._failure, due_s)
        if warning is not None:
            self._warnings.append(warning)
        self._teardown()
        self._state = step(self._state, SourceState.ENDED)

    def _check_live(self) -> None:
        """No picture came: stalled, lost, or time for another attempt?"""
        now_ns = self._now_ns()
        if self._pipeline is None:
            if now_ns >= self._retry_ns:
                self._build()
            return
        self._note_failure()
        silent_s = (now_ns - self._silent_since_ns) / 1e9
        if self._failure is not None or self._pipeline.at_end:
            new = SourceState.RECONNECTING
        elif self._state is SourceState.RECONNECTING:
            if silent_s <= (self._connect_timeout_s if self._pipeline.answers else UNANSWERED_S):
                return
            new = SourceState.RECONNECTING
        else:
            new = after_silence(self._state, silent_s, self.info.fps, self._pipeline.has_signal)
        self._state = step(self._state, new)
        if new is SourceState.RECONNECTING:
            self._schedule_rebuild(now_ns)

    def _note_failure(self) -> None:
        if self._pipeline is not None and self._failure is None:
            self._failure = self._pipeline.failure()
            if self._failure is not None:
                self._why = self._failure.message
            elif self._pipeline.has_signal is False:
                self._why = "the card sees no signal"

    def _quiet_after_failure(self, now_ns: int) -> bool:
        """After an error the decoder may still hold pictures: they come until it is quiet."""
        return self._failure is not None and (now_ns - self._silent_since_ns) / 1e9 > DRAIN_S
