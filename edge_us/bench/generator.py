"""Shows the frame counter on an output, in a process of its own: ``python -m edge_us.bench.generator OUTPUT``.

``OUTPUT`` is ``shm:PATH`` (GStreamer's shared memory), ``rtsp:PORT`` (a server on loopback) or ``display:MONITOR``.
Prints ``ready``; for each picture its number and the monotonic time in ns at which it was handed to the output go into
the file of times.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from edge_us.bench.counter import draw_counter
from edge_us.frame import LIMITED_BT601
from edge_us.overlay.picture import Picture
from edge_us.sinks.feed import picture_buffer, picture_caps

RTSP = (
    "( appsrc name=in is-live=true format=time do-timestamp=true max-buffers=1 leaky-type=downstream "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! rtph264pay name=pay0 pt=96 config-interval=1 )"
)
SHM = (
    "appsrc name=in is-live=true format=time do-timestamp=true max-buffers=2 "
    "! shmsink socket-path={path} wait-for-connection=false sync=false shm-size=67108864"
)
Push = Callable[[Picture], bool]
"""Hands a picture to the output; False where nobody takes pictures yet."""


def picture_of(number: int, width: int, height: int) -> Picture:
    """The counter as the picture that sinks take."""
    pixels = np.full((height * 3 // 2, width), 128, np.uint8)
    pixels[:height] = draw_counter(number, width, height)
    return Picture(pixels, width, height, LIMITED_BT601)


def to_shm(gst: Any, path: str, fps: float) -> Push:
    """A shared-memory socket at ``path``."""
    pipeline = gst.parse_launch(SHM.format(path=path))
    pipeline.set_state(gst.State.PLAYING)
    return _pusher(gst, lambda: pipeline.get_by_name("in"), fps)


def to_rtsp(gst: Any, port: str, fps: float) -> Push:
    """An RTSP server on loopback, mount point ``/counter``."""
    import gi

    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GstRtspServer

    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(RTSP)
    factory.set_shared(True)
    appsrcs: list[Any] = []
    factory.connect("media-configure", lambda _factory, media: appsrcs.append(media.get_element().get_by_name("in")))
    server.get_mount_points().add_factory("/counter", factory)
    server.attach(None)
    push = _pusher(gst, lambda: appsrcs[-1] if appsrcs else None, fps)
    push.server = server  # type: ignore[attr-defined]
    return push


def to_display(_gst: Any, monitor: str, _fps: float) -> Push:
    """Full screen on a monitor."""
    from edge_us.sinks.display import Display

    display = Display(fullscreen=True, monitor=int(monitor))

    def push(picture: Picture) -> bool:
        display.write(None, None, picture)  # type: ignore[arg-type]
        return True

    return push


def _pusher(gst: Any, appsrc_of: Callable[[], Any], fps: float) -> Push:
    told: list[Any] = []

    def push(picture: Picture) -> bool:
        appsrc = appsrc_of()
        if appsrc is None:
            return False
        if appsrc not in told:
            told.append(appsrc)
            appsrc.set_property("caps", gst.Caps.from_string(picture_caps(picture, fps)))
        appsrc.emit("push-buffer", picture_buffer(gst, picture))
        return True

    return push


def main() -> None:
    """Show counters until standard input is closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output")
    parser.add_argument("--times", type=argparse.FileType("w"), required=True)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--size", default="800x600")
    options = parser.parse_args()
    from edge_us.capture.gst import load_gst

    gst = load_gst()
    from gi.repository import GLib

    width, height = (int(side) for side in options.size.split("x"))
    kind, _, place = options.output.partition(":")
    push = {"shm": to_shm, "rtsp": to_rtsp, "display": to_display}[kind](gst, place, options.fps)
    loop, number, begun = GLib.MainLoop(), 0, time.monotonic()

    def tick() -> bool:
        nonlocal number
        picture = picture_of(number, width, height)
        now_ns = time.monotonic_ns()
        if push(picture):
            print(number, now_ns, file=options.times, flush=True)
            number += 1
        # The next is due by the clock, not by when this one was done.
        due = (int((time.monotonic() - begun) * options.fps) + 1) / options.fps + begun
        GLib.timeout_add(max(1, round((due - time.monotonic()) * 1e3)), tick)
        return False

    GLib.io_add_watch(sys.stdin.fileno(), GLib.PRIORITY_DEFAULT, GLib.IOCondition.HUP, lambda *_: loop.quit())
    print("ready", flush=True)
    GLib.timeout_add(1, tick)
    loop.run()


if __name__ == "__main__":
    main()
