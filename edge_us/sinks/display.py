"""`Display`: the annotated video on a monitor, through a GStreamer video sink."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_us.capture.gst import available_elements, load_gst
from edge_us.errors import EdgeUsError, MissingDependencyError, PipelineError, UsageError
from edge_us.finding import FrameResult
from edge_us.frame import Frame, Rect
from edge_us.overlay.picture import Picture
from edge_us.sinks.drm import Connector, connected_connectors
from edge_us.sinks.feed import picture_buffer, picture_caps
from edge_us.sinks.sink import Sees

if TYPE_CHECKING:
    from edge_us.sinks.xscreen import Screen

CLOSE_TIMEOUT_S = 3.0
STUCK_S = 5.0
"""A screen that takes no picture for so long counts as gone."""
X_SINKS = ("nv3dsink", "xvimagesink", "ximagesink")
_NOMINAL_FPS = 30.0
"""Only fills the caps: pictures are shown as they come, never by their time."""


def sink_candidates(
    elements: Collection[str], environment: Mapping[str, str], *, drm: bool, monitor: int
) -> tuple[str, ...]:
    """Video sinks that may work here, best first.

    Parameters
    ----------
    elements : collection of str
        GStreamer elements of this machine.
    environment : mapping
        ``DISPLAY`` and ``WAYLAND_DISPLAY`` say which session there is.
    drm : bool
        Whether the kernel has a display device: without a session, kmssink draws on it directly.
    monitor : int
        Under Wayland only the compositor chooses the monitor, so for any but the first X11 is preferred.
    """
    wayland = ("waylandsink",) if environment.get("WAYLAND_DISPLAY") else ()
    x11 = X_SINKS if environment.get("DISPLAY") else ()
    order = x11 + wayland if monitor > 0 else wayland + x11
    if not order and drm:
        order = ("kmssink",)
    # autovideosink is no candidate: where it finds no screen it shows nothing and calls that success.
    return tuple(name for name in order if name in elements)


def display_pipeline(
    sink: str, *, fullscreen: bool, area: Rect | None = None, connector: Connector | None = None
) -> str:
    """GStreamer pipeline for one kind of sink.

    Parameters
    ----------
    sink : str
    fullscreen : bool
    area : Rect or None
        The monitor on the X screen, for sinks that do not scale or place themselves.
    connector : Connector or None
        Of the monitor, for kmssink.
    """
    options = "name=out sync=false qos=false enable-last-sample=false"
    source = "appsrc name=in format=time is-live=true leaky-type=downstream max-buffers=1 max-bytes=0 max-time=0"
    if sink == "nv3dsink":
        place = ""
        if area is not None:
            place = f" window-x={area.x} window-y={area.y} window-width={area.width} window-height={area.height}"
        return f"{source} ! nvvidconv ! video/x-raw(memory:NVMM) ! nv3dsink {options}{place}"
    if sink == "waylandsink":
        return f"{source} ! videoconvert ! waylandsink {options} fullscreen={str(fullscreen).lower()}"
    if sink == "kmssink":
        wanted = "" if connector is None else f" connector-id={connector.number}"
        if connector is not None and connector.driver:
            wanted += f" driver-name={connector.driver}"
        return f"{source} ! videoconvert ! kmssink {options}{wanted}"
    if sink == "xvimagesink":
        return f"{source} ! videoconvert ! xvimagesink {options} force-aspect-ratio=true"
    fit = "videoconvert ! videoscale"
    if area is not None:
        size = f"width={area.width},height={area.height},pixel-aspect-ratio=1/1"
        fit = f"videoscale add-borders=true ! video/x-raw,{size} ! videoconvert"
    return f"{source} ! {fit} ! ximagesink {options} force-aspect-ratio=true"


class Display:
    """Show pictures as they come; never waits, and shows the newest when it cannot keep up.

    Parameters
    ----------
    fullscreen : bool
        Cover one whole monitor.
    monitor : int
        Which, counted from 0; only with ``fullscreen``.
    press : callable
        Called by `write` with the X11 name of each key that was pressed in the window; X11's sinks alone tell keys.

    Raises
    ------
    MissingDependencyError
        No video sink is installed.
    PipelineError
        There is no screen, or it cannot be opened.
    UsageError
        There is no such monitor.
    """

    name = "display"
    sees = Sees.SCREEN

    def __init__(
        self, fullscreen: bool = False, monitor: int = 0, press: Callable[[str], None] = lambda _key: None
    ) -> None:
        self._gst = load_gst()
        self._pipeline: Any = None
        self._screen: Screen | None = None
        self._caps = ""
        self._press = press
        self._keys: deque[str] = deque(maxlen=16)
        self.dropped = 0
        environment, drm = os.environ, Path("/dev/dri").is_dir()
        candidates = sink_candidates(available_elements(), environment, drm=drm, monitor=monitor)
        if not candidates:
            raise _no_sink(environment, drm)
        failures: list[str] = []
        for sink in candidates:
            try:
                self._open(sink, fullscreen, monitor)
            except UsageError:
                self.close()
                raise
            except EdgeUsError as error:
                self.close()
                failures.append(f"{sink}: {error.message}")
            else:
                self._taken_s = time.monotonic()
                return
        raise PipelineError(
            f"no screen can be opened ({'; '.join(failures)})",
            "Run it on a desktop or with a monitor attached, or leave --display out.",
        )

    def write(self, frame: Frame, result: FrameResult, picture: Picture | None) -> None:
        """Show one picture; `PipelineError` once the window was closed or the screen is gone."""
        if picture is None or self._pipeline is None:
            return
        self._check()
        while self._keys:
            self._press(self._keys.popleft())
        caps = picture_caps(picture, _NOMINAL_FPS)
        if caps != self._caps:
            self._source.set_property("caps", self._gst.Caps.from_string(caps))
            self._caps = caps
        now = time.monotonic()
        if self._source.get_property("current-level-buffers") > 0:
            self.dropped += 1  # the one that waits makes room for this one
            if now - self._taken_s > STUCK_S:
                raise PipelineError("the display stopped: it takes no more pictures", "The run goes on without it.")
        else:
            self._taken_s = now
        self._source.emit("push-buffer", picture_buffer(self._gst, picture))

    def close(self) -> None:
        """Close the window; may be called more than once, and never waits for a dead screen."""
        pipeline, self._pipeline = self._pipeline, None
        screen, self._screen = self._screen, None
        answering = screen is None or screen.alive()
        if pipeline is not None and not (answering and self._stop(pipeline)):
            _abandon(pipeline)
            answering = False
        if screen is not None and answering:
            screen.close()

    def _open(self, sink: str, fullscreen: bool, monitor: int) -> None:
        gst = self._gst
        area, connector, window = None, None, None
        if sink in X_SINKS:
            from edge_us.sinks.xscreen import Screen

            self._screen = Screen(os.environ["DISPLAY"])
            if fullscreen:
                area = self._screen.monitor(monitor)
        elif sink == "waylandsink" and fullscreen and monitor > 0:
            raise UsageError(
                "under Wayland the desktop chooses the monitor", "Leave --monitor out, or use an X11 session."
            )
        elif sink == "kmssink":
            connectors = connected_connectors()
            if connectors and monitor >= len(connectors):
                raise UsageError(f"there is no monitor {monitor}", f"Choose --monitor 0 to {len(connectors) - 1}.")
            connector = connectors[monitor] if connectors else None
        from gi.repository import GLib

        if GLib.get_application_name() != "edge-us":
            GLib.set_application_name("edge-us")  # the window's title
        text = display_pipeline(sink, fullscreen=fullscreen, area=area, connector=connector)
        try:
            self._pipeline = gst.parse_launch(text)
        except GLib.Error as error:
            raise PipelineError(str(error.message), "See `edge-us doctor` for missing elements.") from None
        self._source = self._pipeline.get_by_name("in")
        self._source.get_static_pad("src").add_probe(gst.PadProbeType.EVENT_UPSTREAM, self._hear)
        out = self._pipeline.get_by_name("out")
        # READY opens the screen: a sink that is installed but cannot work here fails now.
        if self._pipeline.set_state(gst.State.READY) == gst.StateChangeReturn.FAILURE:
            raise PipelineError(self._bus_error() or "it cannot be opened", "See `edge-us doctor`.")
        if area is not None and self._screen is not None and sink != "nv3dsink":
            window = self._screen.cover(area)
            out.set_window_handle(window)
        if self._pipeline.set_state(gst.State.PLAYING) == gst.StateChangeReturn.FAILURE:
            raise PipelineError(self._bus_error() or "it does not start", "See `edge-us doctor`.")

    def _hear(self, _pad: Any, info: Any) -> Any:
        """In a thread of GStreamer's: keep what is pressed for the next picture."""
        event = info.get_event()
        if event.type == self._gst.EventType.NAVIGATION:
            said = event.get_structure()
            if said.get_string("event") == "key-press":
                self._keys.append(str(said.get_string("key")))
        return self._gst.PadProbeReturn.OK

    def _check(self) -> None:
        if self._screen is not None and not self._screen.alive():
            raise PipelineError("the display stopped: the X server is gone", "The run goes on without it.")
        error = self._bus_error()
        if error is not None:
            raise PipelineError(f"the display stopped: {error}", "The run goes on without it.")

    def _bus_error(self) -> str | None:
        message = self._pipeline.get_bus().pop_filtered(self._gst.MessageType.ERROR)
        return None if message is None else str(message.parse_error()[0].message)

    def _stop(self, pipeline: Any) -> bool:
        """Stop in a thread of GStreamer's, so that a hanging screen cannot hang the caller; False if it hangs."""
        stopped = threading.Event()

        def to_null(element: Any, *_: Any) -> None:
            element.set_state(self._gst.State.NULL)
            stopped.set()

        pipeline.call_async(to_null)
        return stopped.wait(CLOSE_TIMEOUT_S)


def _abandon(pipeline: Any) -> None:
    """Never free it: a thread of its hangs for good, and freeing what it runs on would crash at exit."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(pipeline))


def _no_sink(environment: Mapping[str, str], drm: bool) -> EdgeUsError:
    if environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY") or drm:
        return MissingDependencyError(
            "no GStreamer video sink for this screen is installed",
            "sudo apt-get install gstreamer1.0-x gstreamer1.0-plugins-bad",
        )
    return PipelineError(
        "there is no screen: neither DISPLAY nor WAYLAND_DISPLAY is set, and no monitor is attached",
        "Run it on a desktop, or leave --display out.",
    )
