"""The display sink on a real Wayland compositor, as on a cart whose desktop is Wayland."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_us.capture.gst import available_elements
from edge_us.errors import UsageError
from edge_us.sinks.display import Display
from tests.sinks.test_display import quarters, quarters_at, show
from tests.sinks.weston import weston
from tests.sinks.xvfb import Server, xvfb


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Holds the compositor's monitor of 640x480 in its upper left corner; clients see Wayland alone."""
    if "waylandsink" not in available_elements():
        pytest.skip("no element waylandsink")
    with xvfb(tmp_path, "800x600") as server, weston(tmp_path, server, 640, 480) as environment:
        monkeypatch.delenv("DISPLAY", raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield server


def test_full_screen_fills_a_wayland_monitor_in_the_pictures_colours(screen: Server) -> None:
    display = Display(fullscreen=True)
    assert show(display, quarters(), lambda: quarters_at(screen.screenshot(), 0, 0, 640, 480))
    display.close()


def test_under_wayland_another_monitor_is_refused_with_the_reason(screen: Server) -> None:
    with pytest.raises(UsageError, match="desktop chooses the monitor") as error:
        Display(fullscreen=True, monitor=1)
    assert "X11" in error.value.hint
