"""States, waiting times and pace, with time passed in."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge_us.capture.paced import Paced
from edge_us.capture.source import Source, SourceInfo, SourceKind
from edge_us.capture.state import ALLOWED, BackOff, after_silence, step
from edge_us.finding import SourceState as S
from edge_us.frame import Frame, PixelFormat

MS = 1_000_000


def test_only_steps_that_make_sense_are_taken() -> None:
    for old, new in itertools.product(S, S):
        if old is new or new in ALLOWED[old]:
            assert step(old, new) is new
        else:
            with pytest.raises(ValueError, match=f"{old.value} to {new.value}"):
                step(old, new)


def test_nothing_leads_out_of_the_end_or_back_into_connecting() -> None:
    assert set(ALLOWED) == set(S)
    assert not ALLOWED[S.ENDED]
    assert all(S.CONNECTING not in following for following in ALLOWED.values())


@pytest.mark.parametrize(
    ("silent_s", "fps", "has_signal", "state"),
    [
        (0.15, 30.0, None, S.RUNNING),
        (0.25, 30.0, None, S.STALLED),
        (2.1, 30.0, None, S.RECONNECTING),
        (2.1, 2.0, None, S.STALLED),
        (1.4, 2.0, None, S.RUNNING),
        (0.6, None, None, S.STALLED),
        (0.6, 30.0, False, S.NO_SIGNAL),
        (60.0, 30.0, False, S.NO_SIGNAL),
        (2.1, 30.0, True, S.RECONNECTING),
    ],
)
def test_silence_is_a_stall_then_a_loss_unless_the_cable_is_out(
    silent_s: float, fps: float | None, has_signal: bool | None, state: S
) -> None:
    assert after_silence(S.RUNNING, silent_s, fps, has_signal) is state


def test_waiting_times_double_up_to_half_a_second_and_start_anew() -> None:
    back_off = BackOff()
    assert [back_off.next_s() for _ in range(5)] == [0.25, 0.5, 0.5, 0.5, 0.5]
    back_off.reset()
    assert back_off.next_s() == 0.25


class Clock:
    """Time that only passes when somebody sleeps or works."""

    def __init__(self) -> None:
        self.ns = 1_000 * MS

    def now_ns(self) -> int:
        return self.ns

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.ns += round(seconds * 1e9)


class Recording(Source):
    """Frames every 20 ms of stream time; reading one takes ``read_ms``."""

    def __init__(self, clock: Clock, count: int, read_ms: int = 0) -> None:
        self.info = SourceInfo("recording", SourceKind.FILE, 50.0)
        self.closed = False
        self._clock, self._left, self._next, self._read_ms = clock, count, 0, read_ms

    @property
    def state(self) -> S:
        return S.RUNNING if self._left else S.ENDED

    def read(self, timeout_s: float) -> Frame | None:
        if not self._left:
            return None
        self._clock.ns += self._read_ms * MS
        self._left -= 1
        index, self._next = self._next, self._next + 1
        pixels = np.zeros((2, 2), np.uint8)
        return Frame(pixels, PixelFormat.GRAY8, 2, 2, index, 5 * MS + index * 20 * MS, self._clock.ns)

    def close(self) -> None:
        self.closed = True


def test_a_paced_recording_releases_frames_at_their_stream_times_and_stamps_them_so() -> None:
    clock = Clock()
    source = Paced(Recording(clock, 5), clock.now_ns, clock.sleep)
    seen = [(frame, clock.ns) for frame in source]
    assert [frame.index for frame, _ in seen] == [0, 1, 2, 3, 4]
    assert [(now - seen[0][1]) // MS for _, now in seen] == [0, 20, 40, 60, 80]
    assert all(frame.captured_ns == now for frame, now in seen)
    assert source.state is S.ENDED
    assert not source.dropped


def test_a_reader_that_is_a_little_late_sees_the_wait_as_age() -> None:
    clock = Clock()
    source = Paced(Recording(clock, 5), clock.now_ns, clock.sleep)
    first = source.read(1.0)
    assert first is not None
    clock.ns += 33 * MS
    late = source.read(1.0)
    assert late is not None
    assert (clock.ns - late.captured_ns) // MS == 13
    on_time = source.read(1.0)
    assert on_time is not None
    assert on_time.captured_ns == first.captured_ns + 40 * MS == clock.ns
    assert not source.dropped


def test_a_reader_that_is_very_late_loses_the_oldest_frames_as_on_a_capture_card() -> None:
    clock = Clock()
    source = Paced(Recording(clock, 20), clock.now_ns, clock.sleep)
    first = source.read(1.0)
    assert first is not None
    clock.ns += 205 * MS
    rest = [source.read(1.0) for _ in range(3)]
    ages = [(frame.pts_ns - first.pts_ns) // MS for frame in rest if frame is not None]
    assert ages == [180, 200, 220]
    assert source.dropped == {"queue_full": 8}
    assert [frame.index for frame in rest if frame is not None] == [1, 2, 3]


def test_no_frame_is_stamped_before_it_could_be_read_and_none_are_lost_to_a_slow_recording() -> None:
    clock = Clock()
    source = Paced(Recording(clock, 10, read_ms=50), clock.now_ns, clock.sleep)
    frames = []
    for _ in range(10):
        asked_ns = clock.ns
        frame = source.read(1.0)
        assert frame is not None
        assert asked_ns <= frame.captured_ns <= clock.ns
        frames.append(frame)
    stamps = [frame.captured_ns for frame in frames]
    assert np.all(np.diff(stamps) >= 20 * MS)
    assert not source.dropped


def test_a_paced_read_keeps_its_time_limit_and_loses_nothing_by_it() -> None:
    clock = Clock()
    source = Paced(Recording(clock, 3), clock.now_ns, clock.sleep)
    assert source.read(0.0) is not None
    before_ns = clock.ns
    assert source.read(0.005) is None
    assert clock.ns - before_ns == 5 * MS
    assert source.state is S.RUNNING
    second = source.read(1.0)
    assert second is not None
    assert second.index == 1
    assert clock.ns - before_ns == 20 * MS


def test_closing_a_paced_source_closes_the_recording() -> None:
    clock = Clock()
    recording = Recording(clock, 3)
    with Paced(recording, clock.now_ns, clock.sleep) as source:
        source.read(1.0)
    assert recording.closed
