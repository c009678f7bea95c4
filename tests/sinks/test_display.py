"""The display sink on a real X server without a window manager, as on a cart."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_us.colour import to_i420
from edge_us.errors import MissingDependencyError, PipelineError, UsageError
from edge_us.finding import AiState, FrameResult, SourceState
from edge_us.frame import FULL_RANGE, Frame, PixelFormat
from edge_us.overlay.picture import Picture
from edge_us.sinks import display as display_module
from edge_us.sinks.display import Display, display_pipeline, sink_candidates
from edge_us.sinks.drm import Connector, connected_connectors
from tests.conftest import REPOSITORY
from tests.sinks.xvfb import Server, close_windows_as_a_user_would, press_in_all_windows, split_into_monitors, xvfb

RESULT = FrameResult(None, None, SourceState.RUNNING, AiState.OFF, reason="test", shown_ns=1)
EVERYTHING = frozenset({"nv3dsink", "xvimagesink", "ximagesink", "waylandsink", "kmssink", "autovideosink"})
COLOURS = np.array([[(40, 40, 40), (40, 40, 220)], [(220, 60, 40), (200, 200, 200)]], np.uint8)
"""Blue, green, red of the four quarters of the test picture."""


def quarters(width: int = 320, height: int = 240) -> tuple[Frame, Picture]:
    pixels = np.repeat(np.repeat(COLOURS, height // 2, axis=0), width // 2, axis=1)
    frame = Frame(np.ascontiguousarray(pixels), PixelFormat.BGR, width, height, 0, 0, 0, FULL_RANGE)
    return frame, Picture(*to_i420(frame))


def show(display: Display, picture: tuple[Frame, Picture], until: Callable[[], bool], limit_s: float = 30.0) -> bool:
    """Write the picture at 50 Hz until something is true."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        display.write(picture[0], RESULT, picture[1])
        time.sleep(0.02)
        if until():
            return True
    return False


def wait_for_black(server: Server, limit_s: float = 10.0) -> None:
    """Wait until nothing is on the screen any more: the server clears it after the window has gone."""
    deadline = time.monotonic() + limit_s
    while server.screenshot().max() > 0:
        assert time.monotonic() < deadline, "something is still on the screen"
        time.sleep(0.02)


def quarters_at(screen: NDArray[np.uint8], x: int, y: int, width: int, height: int) -> bool:
    """Whether the four quarters fill exactly this rectangle, in the right places and colours."""
    area = screen[y : y + height, x : x + width].astype(int)
    for row in (0, 1):
        for column in (0, 1):
            top, left = row * height // 2, column * width // 2
            part = area[top + 6 : top + height // 2 - 6, left + 6 : left + width // 2 - 6]
            if np.abs(part - COLOURS[row, column].astype(int)).max() > 4:
                return False
    outside = screen.astype(int).copy()
    outside[y : y + height, x : x + width] = 0
    return int(outside.max()) <= 2


@pytest.mark.parametrize("size", [(320, 240), (236, 180), (234, 234)])
def test_a_window_shows_the_picture_in_its_own_size_and_colours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    with xvfb(tmp_path, "640x480") as server:
        monkeypatch.setenv("DISPLAY", server.name)
        display = Display()
        assert show(display, quarters(*size), lambda: quarters_at(server.screenshot(), 0, 0, *size))
        display.close()
        display.close()
        wait_for_black(server)  # the window is gone


def test_full_screen_fills_the_monitor_and_keeps_the_shape_of_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with xvfb(tmp_path, "800x480") as server:
        monkeypatch.setenv("DISPLAY", server.name)
        display = Display(fullscreen=True)
        assert show(display, quarters(), lambda: quarters_at(server.screenshot(), 80, 0, 640, 480))
        # A source that changes its size in mid-stream fills the monitor again.
        assert show(display, quarters(400, 240), lambda: quarters_at(server.screenshot(), 0, 0, 800, 480))
        display.close()


def test_full_screen_goes_to_the_chosen_monitor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with xvfb(tmp_path, "960x480") as server:
        split_into_monitors(server.name, (0, 0, 640, 480), (640, 100, 320, 240))
        monkeypatch.setenv("DISPLAY", server.name)
        display = Display(fullscreen=True, monitor=1)
        assert show(display, quarters(), lambda: quarters_at(server.screenshot(), 640, 100, 320, 240))
        display.close()
        with pytest.raises(UsageError, match="no monitor 2") as error:
            Display(fullscreen=True, monitor=2)
        assert "1: 320x240 at 640,100" in error.value.hint


def test_a_window_closed_by_the_user_ends_the_display_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with xvfb(tmp_path, "640x480") as server:
        monkeypatch.setenv("DISPLAY", server.name)
        display = Display()
        assert show(display, quarters(), lambda: quarters_at(server.screenshot(), 0, 0, 320, 240))
        assert close_windows_as_a_user_would(server.name) > 0
        with pytest.raises(PipelineError, match="closed"):
            show(display, quarters(), lambda: False)
        display.close()


@pytest.mark.parametrize("fullscreen", [False, True])
def test_keys_that_are_pressed_in_the_window_are_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fullscreen: bool
) -> None:
    heard: list[str] = []
    with xvfb(tmp_path, "640x480") as server:
        monkeypatch.setenv("DISPLAY", server.name)
        display = Display(fullscreen=fullscreen, press=heard.append)
        assert show(display, quarters(), lambda: server.screenshot().max() > 0), "no window to press keys in"
        for key in ("Tab", "e", "Escape"):
            press_in_all_windows(server.name, key)
            assert show(display, quarters(), partial(heard.__contains__, key)), (key, heard)
        display.close()
    assert heard == ["Tab", "e", "Escape"]


def in_a_process_of_its_own(server: Server, script: str) -> list[str]:
    """Run ``script`` once a picture is on the screen; returns its lines. It must end by itself, and well."""
    code = f"""
import os, signal, sys, time
from tests.sinks.test_display import *
display = Display()
server = Server({server.name!r}, None, Path({str(server.folder)!r}))
assert show(display, quarters(), lambda: server.screenshot().max() > 0)
def screen(signal):
    os.kill({server.process.pid}, signal)
{script}
print("done")
"""
    environment = os.environ | {"DISPLAY": server.name}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "done"
    return lines


def test_an_x_server_that_dies_ends_the_display_but_not_the_process(tmp_path: Path) -> None:
    with xvfb(tmp_path, "640x480") as server:
        lines = in_a_process_of_its_own(
            server,
            """
screen(signal.SIGKILL)
try:
    show(display, quarters(), lambda: False)
except PipelineError as error:
    print(error.message)
time.sleep(0.3)  # the sink's own threads find out
start = time.monotonic()
display.close()
print(time.monotonic() - start < display_module.CLOSE_TIMEOUT_S)
""",
        )
    assert lines == ["the display stopped: the X server is gone", "True", "done"]


def test_a_screen_that_hangs_blocks_nobody_and_counts_what_it_did_not_show(tmp_path: Path) -> None:
    with xvfb(tmp_path, "640x480") as server:
        lines = in_a_process_of_its_own(
            server,
            """
display_module.STUCK_S = display_module.CLOSE_TIMEOUT_S = 1.0
screen(signal.SIGSTOP)
frame, picture = quarters()
slowest, written, dropped, end = 0.0, 0, display.dropped, time.monotonic() + 60
try:
    while time.monotonic() < end:
        start = time.monotonic()
        written += 1
        display.write(frame, RESULT, picture)
        slowest = max(slowest, time.monotonic() - start)
        time.sleep(0.01)
except PipelineError as error:
    print(error.message)
waiting = written - (display.dropped - dropped)  # in the sink, in the queue, and on their way between them
print(slowest < display_module.STUCK_S, written > 4, waiting <= 3)
start = time.monotonic()
display.close()
print(time.monotonic() - start < 10)
screen(signal.SIGCONT)
""",
        )
    assert lines == ["the display stopped: it takes no more pictures", "True True True", "True", "done"]


def test_a_display_that_cannot_be_opened_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(PipelineError, match="':987'") as error:
        Display()
    assert "--display" in error.value.hint


def test_no_screen_at_all_and_no_sink_installed_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display_module, "sink_candidates", lambda *_, **__: ())
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    with pytest.raises(MissingDependencyError) as missing:
        Display()
    assert "gstreamer1.0-x" in missing.value.hint
    monkeypatch.delenv("DISPLAY")
    if not Path("/dev/dri").is_dir():
        with pytest.raises(PipelineError, match="no screen"):
            Display()


@pytest.mark.parametrize(
    ("environment", "drm", "monitor", "sinks"),
    [
        ({"DISPLAY": ":0"}, True, 0, ("nv3dsink", "xvimagesink", "ximagesink")),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True, 0, ("waylandsink",)),
        (
            {"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, True, 0,
            ("waylandsink", "nv3dsink", "xvimagesink", "ximagesink"),
        ),
        (
            {"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, True, 1,
            ("nv3dsink", "xvimagesink", "ximagesink", "waylandsink"),
        ),
        ({}, True, 0, ("kmssink",)),
        ({}, False, 0, ()),
        ({"DISPLAY": ""}, False, 0, ()),
    ],
)  # fmt: skip
def test_the_sink_is_picked_from_session_and_elements(
    environment: dict[str, str], drm: bool, monitor: int, sinks: tuple[str, ...]
) -> None:
    assert sink_candidates(EVERYTHING, environment, drm=drm, monitor=monitor) == sinks
    assert sink_candidates(set(), environment, drm=drm, monitor=monitor) == ()


@pytest.mark.parametrize("sink", sorted(EVERYTHING - {"autovideosink"}))
def test_no_sink_waits_for_the_clock_or_queues_more_than_the_newest(sink: str) -> None:
    text = display_pipeline(sink, fullscreen=True)
    assert "sync=false" in text
    assert "leaky-type=downstream max-buffers=1 " in text
    assert f"! {sink} name=out" in text


def plug(drm: Path, name: str, number: int, driver: str = "", status: str = "connected") -> None:
    """A connector as the kernel shows it, and the driver of its card."""
    card = drm / name.partition("-")[0]
    (drm / name).mkdir()
    (drm / name / "status").write_text(status + "\n")
    (drm / name / "connector_id").write_text(f"{number}\n")
    if driver and not card.exists():
        (card / "device").mkdir(parents=True)
        (card / "device" / "driver").symlink_to(f"../../../bus/pci/drivers/{driver}")


def test_only_connectors_with_a_monitor_count(tmp_path: Path) -> None:
    plug(tmp_path, "card0-HDMI-A-1", 77)
    plug(tmp_path, "card0-DP-1", 78, status="disconnected")
    (tmp_path / "card0-VGA-1").mkdir()  # an older kernel: no connector_id
    assert connected_connectors(tmp_path) == (Connector(77, ""),)
    assert connected_connectors(tmp_path / "none") == ()
    text = display_pipeline("kmssink", fullscreen=True, connector=Connector(77, ""))
    assert text.endswith(" connector-id=77")


def test_each_monitor_is_opened_on_its_own_card(tmp_path: Path) -> None:
    """Ids count within a card, and kmssink finds NVIDIA's driver only by its name."""
    plug(tmp_path, "card0-eDP-1", 95, "i915")
    plug(tmp_path, "card1-DP-2", 95, "nvidia")
    plug(tmp_path, "card1-HDMI-A-1", 97, "nvidia")
    found = connected_connectors(tmp_path)
    assert found == (Connector(95, "i915"), Connector(95, "nvidia-drm"), Connector(97, "nvidia-drm"))
    text = display_pipeline("kmssink", fullscreen=True, connector=found[1])
    assert text.endswith(" connector-id=95 driver-name=nvidia-drm")


def test_a_jetsons_display_is_nvidias(tmp_path: Path) -> None:
    plug(tmp_path, "card0-DP-1", 60, "nv_platform")
    assert connected_connectors(tmp_path) == (Connector(60, "nvidia-drm"),)


def test_a_second_card_of_the_same_driver_cannot_be_chosen(tmp_path: Path) -> None:
    plug(tmp_path, "card0-DP-1", 60, "amdgpu")
    plug(tmp_path, "card1-DP-1", 60, "amdgpu")
    assert connected_connectors(tmp_path) == (Connector(60, "amdgpu"),)
