"""Live sources: RTSP against a real server on loopback, and pipeline texts for cards that are not here."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import pytest

from edge_us.capture.open import open_source
from edge_us.capture.pipelines import build_pipeline
from edge_us.capture.source import Source, SourceKind
from edge_us.capture.state import ALLOWED, BackOff, step
from edge_us.capture.uri import Scheme, SourceUri, parse_source, without_credentials
from edge_us.errors import InputError
from edge_us.finding import SourceState

ELEMENTS = frozenset({"deinterlace"})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(port: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.capture.rtsp_server", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    if server.stdout.readline().strip() != "ready":
        pytest.skip("gst-rtsp-server is not installed (gir1.2-gst-rtsp-server-1.0)")
    return server


def stop(server: subprocess.Popen[str]) -> None:
    server.kill()
    server.wait()
    if server.stdout is not None:
        server.stdout.close()


def state_of(source: Source) -> SourceState:
    """The state now; a call, because it changes between two looks."""
    return source.state


def test_an_rtsp_stream_flows_is_lost_and_comes_back_in_the_same_source() -> None:
    port = free_port()
    server = serve(port)
    try:
        with open_source(f"rtsp://user:secret@127.0.0.1:{port}/live", connect_timeout_s=15) as source:
            assert source.info.kind is SourceKind.LIVE
            assert "secret" not in source.info.uri
            last = None
            for _ in range(15):
                last = source.read(2.0)
                assert last is not None
                age_ms = (time.monotonic_ns() - last.captured_ns) / 1e6
                assert 0 <= age_ms < 500
            assert last is not None
            assert last.size == (320, 240)
            stop(server)
            deadline = time.monotonic() + 6
            while state_of(source) is SourceState.RUNNING and time.monotonic() < deadline:
                source.read(0.2)
            assert state_of(source) in (SourceState.STALLED, SourceState.RECONNECTING)
            started = time.monotonic()
            source.read(0.3)
            assert time.monotonic() - started < 2
            server = serve(port)
            deadline = time.monotonic() + 10
            again = None
            while again is None and time.monotonic() < deadline:
                again = source.read(0.2)
            assert again is not None
            assert state_of(source) is SourceState.RUNNING
            assert again.pts_ns > last.pts_ns
            assert again.index > last.index
    finally:
        stop(server)


def test_a_server_that_is_not_there_is_an_error_within_the_timeout_and_keeps_the_secret() -> None:
    started = time.monotonic()
    with pytest.raises(InputError, match=r"no picture within 1\.5 s") as caught:
        open_source(f"rtsp://user:secret@127.0.0.1:{free_port()}/live", connect_timeout_s=1.5)
    assert time.monotonic() - started < 4
    assert "secret" not in caught.value.message


def test_rtsp_goes_over_tcp_with_a_short_jitter_buffer_and_drops_late_packets() -> None:
    spec = build_pipeline(parse_source("rtsp://user:secret@host/live"), ELEMENTS)
    assert "protocols=tcp latency=50 drop-on-latency=true" in spec.description
    assert "drop=true max-buffers=2" in spec.description
    assert "sync=false" in spec.description
    assert spec.settings["location"] == "rtsp://host/live"
    assert "secret" not in spec.description + spec.shown + repr(spec)


def test_files_never_drop_and_their_names_need_no_quoting() -> None:
    spec = build_pipeline(SourceUri(Scheme.VIDEO, '/a "b".mp4', "b"), ELEMENTS)
    assert "drop=false" in spec.description
    assert spec.settings == {"location": '/a "b".mp4'}
    assert not spec.live


def test_v4l2_takes_raw_or_mjpeg_and_decklink_its_card() -> None:
    v4l2 = build_pipeline(parse_source("v4l2:///dev/video2"), ELEMENTS)
    assert v4l2.settings == {"device": "/dev/video2"}
    assert "video/x-raw;image/jpeg" in v4l2.description
    decklink = build_pipeline(parse_source("decklink://1"), ELEMENTS)
    assert decklink.description.startswith("decklinkvideosrc name=device mode=auto")
    assert decklink.settings == {"device-number": 1}
    assert "deinterlace mode=auto" in decklink.description


def test_on_jetson_pictures_leave_the_device_memory_first() -> None:
    jetson = ELEMENTS | {"nvvidconv", "nvv4l2decoder"}
    assert "nvvidconv ! video/x-raw !" in build_pipeline(parse_source("v4l2:///dev/video0"), jetson).description


def test_credentials_are_taken_out_of_any_text() -> None:
    assert without_credentials("cannot open rtsp://a:b@host/x") == "cannot open rtsp://host/x"


def test_states_only_take_steps_that_make_sense() -> None:
    assert step(SourceState.RUNNING, SourceState.RUNNING) is SourceState.RUNNING
    with pytest.raises(ValueError, match="ended to running"):
        step(SourceState.ENDED, SourceState.RUNNING)
    assert set(ALLOWED) == set(SourceState)


def test_waiting_times_double_up_to_two_seconds_and_start_anew() -> None:
    back_off = BackOff()
    assert [back_off.next_s() for _ in range(5)] == [0.25, 0.5, 1.0, 2.0, 2.0]
    back_off.reset()
    assert back_off.next_s() == 0.25
