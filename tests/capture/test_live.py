"""Live sources: RTSP against a real server on loopback, and stand-ins for the cards that are not here."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_us.capture.gst import available_elements, load_gst
from edge_us.capture.gst_source import GstSource
from edge_us.capture.open import open_source
from edge_us.capture.pipelines import PipelineSpec, build_pipeline, camera_tail, picture_tail
from edge_us.capture.source import Source, SourceKind
from edge_us.capture.state import BackOff
from edge_us.capture.uri import parse_source
from edge_us.errors import InputError
from edge_us.finding import SourceState
from edge_us.frame import ColorRange, Frame, PixelFormat
from tests.rtsp import Serve, free_port


def read_until(source: Source, done: Callable[[Frame | None], bool], limit_s: float) -> Frame | None:
    """Read in short steps, none of which may take longer than it was told, until ``done``."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        started = time.monotonic()
        frame = source.read(0.1)
        assert time.monotonic() - started < 0.6
        if done(frame):
            return frame
    raise AssertionError(f"not within {limit_s} s; the source is {source.state.value}")


def test_a_lost_rtsp_stream_comes_back_in_the_same_source(serve: Serve) -> None:
    port = free_port()
    server = serve(port)
    with open_source(f"rtsp://127.0.0.1:{port}/live", connect_timeout_s=15) as source:
        assert source.info.kind is SourceKind.LIVE
        frames = []
        for _ in range(20):
            frame = source.read(2.0)
            assert frame is not None
            assert 0 <= time.monotonic_ns() - frame.captured_ns < 300e6
            frames.append(frame)
        assert frames[0].size == (320, 240)
        assert frames[0].format is PixelFormat.I420
        assert [frame.index for frame in frames] == list(range(20))
        gaps = np.diff([frame.captured_ns for frame in frames])
        assert np.all(gaps > 0)
        assert np.median(gaps) == pytest.approx(40e6, abs=8e6)
        server.kill()
        read_until(source, lambda _: source.state is SourceState.RECONNECTING, 4)
        serve(port)
        started = time.monotonic()
        again = read_until(source, lambda frame: frame is not None, 8)
        assert time.monotonic() - started < 6
        assert source.state is SourceState.RUNNING
        assert again is not None
        assert again.index > frames[-1].index
        assert again.pts_ns > frames[-1].pts_ns
        assert again.captured_ns > frames[-1].captured_ns


def test_a_server_that_freezes_is_a_stall_then_a_loss_and_is_survived(serve: Serve) -> None:
    port = free_port()
    server = serve(port)
    with open_source(f"rtsp://127.0.0.1:{port}/live", connect_timeout_s=15) as source:
        assert source.read(2.0) is not None
        server.send_signal(signal.SIGSTOP)
        read_until(source, lambda _: source.state is SourceState.STALLED, 3)
        read_until(source, lambda _: source.state is SourceState.RECONNECTING, 4)
        server.send_signal(signal.SIGCONT)
        read_until(source, lambda frame: frame is not None, 8)
        assert source.state is SourceState.RUNNING


def test_rtsp_logs_in_and_keeps_the_secret(serve: Serve) -> None:
    port = free_port()
    serve(port, "us", "se/cr@et")
    with open_source(f"rtsp://us:se%2Fcr%40et@127.0.0.1:{port}/live", connect_timeout_s=15) as source:
        assert source.read(2.0) is not None
        assert source.info.uri == f"rtsp://127.0.0.1:{port}/live"
    started = time.monotonic()
    with pytest.raises(InputError) as caught:
        open_source(f"rtsp://us:wrongsecret@127.0.0.1:{port}/live", connect_timeout_s=60)
    assert time.monotonic() - started < 30, "a wrong password is no reason to wait"
    assert "wrongsecret" not in caught.value.message
    # GStreamer before 1.22 does not tell "not found" from a server that may yet come up.
    with pytest.raises(InputError, match=r"nowhere (cannot be opened|delivered no picture)"):
        open_source(f"rtsp://us:se%2Fcr%40et@127.0.0.1:{port}/nowhere", connect_timeout_s=4)


def test_a_server_that_is_not_there_is_an_error_within_the_timeout_and_keeps_the_secret() -> None:
    started = time.monotonic()
    with pytest.raises(InputError, match=r"no picture within 1\.5 s") as caught:
        open_source(f"rtsp://user:secret@127.0.0.1:{free_port()}/live", connect_timeout_s=1.5)
    assert 1.4 < time.monotonic() - started < 8
    assert "secret" not in caught.value.message


def test_a_server_that_accepts_and_says_nothing_is_an_error_within_the_timeout() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        started = time.monotonic()
        with pytest.raises(InputError, match=r"no picture within 1 s"):
            open_source(f"rtsp://127.0.0.1:{mute.getsockname()[1]}/live", connect_timeout_s=1)
        assert time.monotonic() - started < 8


def test_a_server_that_comes_up_late_is_waited_for(serve: Serve) -> None:
    port = free_port()
    command = f"sleep 0.7; exec {sys.executable} -m tests.capture.rtsp_server {port}"
    late = subprocess.Popen(["sh", "-c", command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with open_source(f"rtsp://127.0.0.1:{port}/live", connect_timeout_s=15) as source:
            assert source.read(2.0) is not None
    finally:
        late.kill()
        late.wait()


def test_a_users_own_pipeline_is_a_live_source_of_raw_or_encoded_pictures() -> None:
    raw = "videotestsrc is-live=true ! video/x-raw,format=GRAY8,width=64,height=48,framerate=30/1"
    for pipeline in (raw, f"{raw} ! videoconvert ! x264enc tune=zerolatency"):
        with open_source(f"gst:{pipeline}") as source:
            assert source.info.kind is SourceKind.LIVE
            frame = read_until(source, lambda frame: frame is not None, 5)
            assert frame is not None
            assert frame.size == (64, 48)


@pytest.mark.parametrize("pipeline", ["nonsense", "videotestsrc ! audioconvert", "fakesrc ! ! x"])
def test_a_pipeline_that_gstreamer_cannot_build_is_one_error(pipeline: str) -> None:
    with pytest.raises(InputError, match="gst:"):
        open_source(f"gst:{pipeline}", connect_timeout_s=5)


@pytest.mark.parametrize("uri", ["v4l2:///dev/video999", "v4l2:///dev/null", "decklink://99"])
def test_a_card_that_is_not_there_is_said_at_once(uri: str) -> None:
    needed = "v4l2src" if uri.startswith("v4l2") else "decklinkvideosrc"
    if needed not in available_elements():
        pytest.skip(f"no element {needed}")
    started = time.monotonic()
    with pytest.raises(InputError) as caught:
        open_source(uri, connect_timeout_s=60)
    assert time.monotonic() - started < 30
    assert uri in caught.value.message


def live(text: str) -> GstSource:
    load_gst()
    return GstSource(PipelineSpec(text, {}, "stand-in", live=True), 5.0)


@pytest.mark.parametrize(
    ("offer", "span"),
    [
        ("video/x-raw,format=YUY2,width=320,height=240,framerate=30/1", ColorRange.LIMITED),
        ("video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! jpegenc", ColorRange.FULL),
        ("video/x-raw,format=YUY2,width=320,height=240,framerate=5/1", ColorRange.LIMITED),
    ],
)
def test_what_follows_a_grabber_takes_raw_and_mjpeg_at_any_rate(offer: str, span: ColorRange) -> None:
    with live(f"videotestsrc is-live=true ! {offer} ! {camera_tail(available_elements())}") as source:
        frame = source.read(2.0)
        assert frame is not None
        assert (frame.size, frame.format, frame.colorimetry.range) == ((320, 240), PixelFormat.I420, span)


def test_a_late_reader_gets_the_newest_pictures_with_their_own_stamps_and_every_loss_is_counted() -> None:
    tail = picture_tail(available_elements(), live=True)
    caps = "video/x-raw,format=I420,width=64,height=48,framerate=50/1"
    with live(f"videotestsrc is-live=true ! {caps} ! {tail}") as source:
        time.sleep(0.3)  # as while a model is compiled: the picture that proved the connection is stale by now
        frames = []
        for pause_s in (0.0, 0.0, 0.5, 0.0, 0.0, 0.25, 0.0, 0.0, 0.0):
            time.sleep(pause_s)
            frame = source.read(1.0)
            assert frame is not None
            age_ms = (time.monotonic_ns() - frame.captured_ns) / 1e6
            assert 0 <= age_ms < 60
            frames.append((frame, age_ms))
        dropped = source.dropped
    assert set(dropped) == {"queue_full"}
    assert [frame.index for frame, _ in frames] == list(range(9))
    first, last = frames[0][0], frames[-1][0]
    came = round((last.captured_ns - first.captured_ns) / 20e6) + 1
    before_first = dropped["queue_full"] - (came - 9)
    assert came - 9 >= 30
    assert before_first >= 12
    assert max(age_ms for _, age_ms in frames) > 15  # the older of two that waited is not stamped as new
    assert np.all(np.diff([frame.pts_ns for frame, _ in frames]) >= 19e6)


def test_a_cable_that_is_pulled_is_no_signal_and_never_a_rebuild() -> None:
    gst = load_gst()
    from gi.repository import GObject

    class Card(gst.Bin):  # type: ignore[misc, name-defined]
        """A capture card that says whether it sees a signal, as decklinkvideosrc does."""

        __gstmetadata__ = ("card", "Source", "stand-in for a capture card", "tests")
        built: list[Any] = []  # noqa: RUF012
        signal = GObject.Property(type=bool, default=True)

        def __init__(self) -> None:
            super().__init__()
            text = "videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=50/1 ! valve name=valve"
            inside = gst.parse_bin_from_description(text, True)
            self.add(inside)
            self.valve = inside.get_by_name("valve")
            self.add_pad(gst.GhostPad.new("src", inside.get_static_pad("src")))
            Card.built.append(self)

        def plug(self, plugged: bool) -> None:
            self.valve.set_property("drop", not plugged)
            self.set_property("signal", plugged)

    gst.Element.register(None, "edgeustestcard", 0, Card)
    with live(f"edgeustestcard name=device ! {picture_tail(available_elements(), live=True)}") as source:
        assert source.read(1.0) is not None
        Card.built[0].plug(False)
        read_until(source, lambda _: source.state is SourceState.NO_SIGNAL, 2)
        waited = time.monotonic()
        while time.monotonic() - waited < 2.5:
            assert source.read(0.1) is None
            assert source.state is SourceState.NO_SIGNAL
        Card.built[0].plug(True)
        read_until(source, lambda frame: frame is not None, 2)
        assert source.state is SourceState.RUNNING
    assert len(Card.built) == 1
    Card.built.clear()


def test_a_device_that_fails_again_and_again_is_rebuilt_with_growing_pauses() -> None:
    tail = picture_tail(available_elements(), live=True)
    text = f"videotestsrc is-live=true num-buffers=3 ! video/x-raw,width=64,height=48,framerate=50/1 ! {tail}"
    with live(text) as source:
        deadline = time.monotonic() + 30
        frames: list[Frame] = []
        first_of_life: list[Frame] = []
        lost = True
        while len(first_of_life) < 6:
            assert time.monotonic() < deadline
            frame = source.read(0.1)
            assert source.state in (SourceState.RUNNING, SourceState.RECONNECTING)
            if frame is not None:
                frames.append(frame)
                first_of_life += [frame] if lost else []
            lost = source.state is SourceState.RECONNECTING
    assert len(frames) <= 3 * 6, "three from each life"
    pauses_s = np.diff([frame.captured_ns for frame in first_of_life]) / 1e9
    assert np.all(pauses_s > 0.2), "a life is followed by a pause"
    assert np.all(np.diff([frame.pts_ns for frame in frames]) > 0)
    assert [frame.index for frame in frames] == list(range(len(frames)))


def test_a_change_of_rate_and_size_in_mid_stream_goes_on() -> None:
    first = "videotestsrc num-buffers=40 ! video/x-raw,format=GRAY8,width=64,height=48,framerate=50/1 ! c."
    second = "videotestsrc num-buffers=15 ! video/x-raw,format=GRAY8,width=96,height=64,framerate=10/1 ! c."
    tail = picture_tail(available_elements(), live=True)
    with live(f"{first} {second} concat name=c ! identity sync=true ! {tail}") as source:
        frames: list[Frame] = []
        while len(frames) < 50:
            frame = read_until(source, lambda frame: frame is not None, 4)
            assert frame is not None
            frames.append(frame)
    assert {frame.size for frame in frames} == {(64, 48), (96, 64)}
    gaps_ms = np.diff([frame.captured_ns for frame in frames]) / 1e6
    assert np.median(gaps_ms[:25]) == pytest.approx(20, abs=8)
    assert np.median(gaps_ms[-8:]) == pytest.approx(100, abs=25)


def test_broken_packets_cost_pictures_and_not_the_source() -> None:
    encoded = "video/x-raw,width=320,height=240,framerate=50/1 ! x264enc tune=zerolatency key-int-max=10 ! h264parse"
    with open_source(
        f"gst:videotestsrc is-live=true pattern=ball ! {encoded} ! identity drop-probability=0.3"
    ) as source:
        frames = []
        started = time.monotonic()
        while time.monotonic() - started < 3:
            frame = source.read(0.1)
            if frame is not None:
                frames.append(frame)
    assert len(frames) > 30
    assert np.all(np.diff([frame.pts_ns for frame in frames]) > 0)
    assert frames[-1].captured_ns - frames[0].captured_ns > 2e9, "it goes on to the end"


def held() -> tuple[float, int, int]:
    """Resident memory in MB, threads of any kind and descriptors of this process."""
    threads = int(Path("/proc/self/status").read_text().split("Threads:")[1].split()[0])
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6, threads, len(list(Path("/proc/self/fd").iterdir()))


def test_a_hundred_rebuilds_leak_nothing() -> None:
    tail = picture_tail(available_elements(), live=True)
    text = f"videotestsrc is-live=true num-buffers=2 ! video/x-raw,width=640,height=480,framerate=100/1 ! {tail}"
    after: dict[int, tuple[float, int, int]] = {}
    with GstSource(PipelineSpec(text, {}, "stand-in", live=True), 5.0, back_off=BackOff(0.0, 0.0)) as source:
        lives, deadline = 0, time.monotonic() + 60
        while lives <= 120 and time.monotonic() < deadline:
            frame = source.read(0.1)
            if frame is not None and frame.index % 2 == 0:
                lives += 1
                if lives in (20, 120):
                    after[lives] = held()
    memory, threads, descriptors = (b - a for a, b in zip(after[20], after[120], strict=True))
    assert memory < 2.0, "a leaked picture a rebuild would be 90 MB"
    assert threads <= 0
    assert descriptors <= 0


def test_rebuilding_a_network_stream_leaks_nothing(serve: Serve) -> None:
    port = free_port()
    serve(port)
    spec = build_pipeline(parse_source(f"rtsp://127.0.0.1:{port}/live"), available_elements())
    after: dict[int, tuple[float, int, int]] = {}
    source = GstSource(spec, 15.0, back_off=BackOff(0.0, 0.0))
    with source:
        for lives in range(1, 26):
            assert read_until(source, lambda frame: frame is not None, 10) is not None
            if lives in (5, 25):
                after[lives] = held()
            source._schedule_rebuild(time.monotonic_ns())  # as a lost server makes it
    memory, threads, descriptors = (b - a for a, b in zip(after[5], after[25], strict=True))
    assert memory < 4.0
    assert threads <= 1, "the server's address is looked up in a pool of GLib's"
    assert descriptors <= 0


@pytest.mark.parametrize("gone_s", [0.5, 4.0])
def test_a_stream_that_is_back_is_seen_within_two_seconds(serve: Serve, gone_s: float) -> None:
    port = free_port()
    server = serve(port)
    with open_source(f"rtsp://127.0.0.1:{port}/live", connect_timeout_s=15) as source:
        assert source.read(2.0) is not None
        server.kill()
        server.wait()
        read_until(source, lambda _: source.state is SourceState.RECONNECTING, 4)
        time.sleep(gone_s)
        source.read(0.0)
        serve(port)
        back_ns = time.monotonic_ns()
        again = read_until(source, lambda frame: frame is not None, 8)
    assert again is not None
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert (again.captured_ns - back_ns) / 1e9 < 2.0 * busy


def test_nothing_comes_after_closing_and_closing_twice_is_fine() -> None:
    source = live(f"videotestsrc is-live=true ! {picture_tail(available_elements(), live=True)}")
    source.close()
    source.close()
    assert source.state is SourceState.ENDED
    assert source.read(0.1) is None
