"""X11 without a toolkit: monitors, a full-screen window, and survival of the X server's death.

GStreamer's X sinks cannot go full screen, and Xlib ends the whole process when the server goes away. Both are
mended here through ctypes: libX11 is present wherever such a sink is.
"""

from __future__ import annotations

import ctypes
import select
from functools import lru_cache
from typing import Any

from edge_us.errors import PipelineError, UsageError
from edge_us.frame import Rect


class _ScreenInfo(ctypes.Structure):
    """XineramaScreenInfo."""

    _fields_ = (
        ("number", ctypes.c_int),
        ("x", ctypes.c_short),
        ("y", ctypes.c_short),
        ("width", ctypes.c_short),
        ("height", ctypes.c_short),
    )


class _WindowAttributes(ctypes.Structure):
    """XSetWindowAttributes."""

    _fields_ = (
        ("background_pixmap", ctypes.c_ulong),
        ("background_pixel", ctypes.c_ulong),
        ("border_pixmap", ctypes.c_ulong),
        ("border_pixel", ctypes.c_ulong),
        ("bit_gravity", ctypes.c_int),
        ("win_gravity", ctypes.c_int),
        ("backing_store", ctypes.c_int),
        ("backing_planes", ctypes.c_ulong),
        ("backing_pixel", ctypes.c_ulong),
        ("save_under", ctypes.c_int),
        ("event_mask", ctypes.c_long),
        ("do_not_propagate_mask", ctypes.c_long),
        ("override_redirect", ctypes.c_int),
        ("colormap", ctypes.c_ulong),
        ("cursor", ctypes.c_ulong),
    )


_BACK_PIXEL, _OVERRIDE_REDIRECT = 1 << 1, 1 << 9


@lru_cache(maxsize=1)
def _xlib() -> Any:
    try:
        x = ctypes.CDLL("libX11.so.6")
    except OSError:
        raise PipelineError("libX11 is missing", "sudo apt-get install gstreamer1.0-x") from None
    for name, result, arguments in (
        ("XOpenDisplay", ctypes.c_void_p, (ctypes.c_char_p,)),
        ("XCloseDisplay", ctypes.c_int, (ctypes.c_void_p,)),
        ("XConnectionNumber", ctypes.c_int, (ctypes.c_void_p,)),
        ("XDefaultRootWindow", ctypes.c_ulong, (ctypes.c_void_p,)),
        ("XDefaultScreen", ctypes.c_int, (ctypes.c_void_p,)),
        ("XDisplayWidth", ctypes.c_int, (ctypes.c_void_p, ctypes.c_int)),
        ("XDisplayHeight", ctypes.c_int, (ctypes.c_void_p, ctypes.c_int)),
        ("XMapRaised", ctypes.c_int, (ctypes.c_void_p, ctypes.c_ulong)),
        ("XStoreName", ctypes.c_int, (ctypes.c_void_p, ctypes.c_ulong, ctypes.c_char_p)),
        ("XSync", ctypes.c_int, (ctypes.c_void_p, ctypes.c_int)),
        ("XFree", ctypes.c_int, (ctypes.c_void_p,)),
        ("XSetIOErrorHandler", ctypes.c_void_p, (ctypes.c_void_p,)),
        ("XSetErrorHandler", ctypes.c_void_p, (ctypes.c_void_p,)),
        (
            "XCreateWindow",
            ctypes.c_ulong,
            (
                *(ctypes.c_void_p, ctypes.c_ulong),  # display, parent
                *(ctypes.c_int, ctypes.c_int, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint),  # place, size, border
                *(ctypes.c_int, ctypes.c_uint, ctypes.c_void_p),  # depth, class, visual
                *(ctypes.c_ulong, ctypes.POINTER(_WindowAttributes)),
            ),
        ),
    ):
        function = getattr(x, name)
        function.restype, function.argtypes = result, arguments
    x.XInitThreads()
    _survive_errors(x)
    return x


def _survive_errors(x: Any) -> None:
    """Keep Xlib from ending the process, with functions of libc so that no Python runs in a foreign thread.

    A request that failed (on a window just closed, say) is ignored: the handler does nothing, harmlessly. After
    a broken connection Xlib calls exit(1) as soon as the handler returns: `pause` does not return, so the
    sink's thread that finds the server gone stays there, and `Display` abandons it.
    """
    libc = ctypes.CDLL(None)
    x.XSetErrorHandler(ctypes.cast(libc.getpid, ctypes.c_void_p))
    x.XSetIOErrorHandler(ctypes.cast(libc.pause, ctypes.c_void_p))


class Screen:
    """A connection to the X server, with the monitors that it shows and at most one full-screen window.

    Parameters
    ----------
    name : str
        As in ``$DISPLAY``.

    Raises
    ------
    PipelineError
        The server cannot be reached.
    """

    def __init__(self, name: str) -> None:
        self._x = _xlib()
        self._display: int | None = self._x.XOpenDisplay(name.encode())
        if not self._display:
            raise PipelineError(
                f"cannot open the X display {name!r}",
                "Run it from a terminal on that desktop, or set DISPLAY, or leave --display out.",
            )

    def monitors(self) -> tuple[Rect, ...]:
        """Where each monitor lies on the screen; the whole screen where the server cannot tell them apart."""
        screen = self._x.XDefaultScreen(self._display)
        whole = Rect(0, 0, self._x.XDisplayWidth(self._display, screen), self._x.XDisplayHeight(self._display, screen))
        try:
            xinerama: Any = ctypes.CDLL("libXinerama.so.1")
        except OSError:
            return (whole,)
        query = xinerama.XineramaQueryScreens
        query.restype, query.argtypes = (
            ctypes.POINTER(_ScreenInfo),
            (ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)),
        )
        count = ctypes.c_int(0)
        found = query(self._display, ctypes.byref(count))
        if not found or count.value == 0:
            return (whole,)
        monitors = tuple(Rect(found[i].x, found[i].y, found[i].width, found[i].height) for i in range(count.value))
        self._x.XFree(found)
        return monitors

    def monitor(self, number: int) -> Rect:
        """Monitor ``number``, counted from 0; `UsageError` if there is none."""
        monitors = self.monitors()
        if number >= len(monitors):
            listing = ", ".join(f"{i}: {m.width}x{m.height} at {m.x},{m.y}" for i, m in enumerate(monitors))
            raise UsageError(f"there is no monitor {number}", f"Choose --monitor from these: {listing}.")
        return monitors[number]

    def cover(self, area: Rect) -> int:
        """Open a black window over ``area``, above everything else; returns its id.

        The window manager, if there is one, is not asked: the picture stays where it was told to be.
        """
        attributes = _WindowAttributes(background_pixel=0, override_redirect=1)
        root = self._x.XDefaultRootWindow(self._display)
        window: int = self._x.XCreateWindow(
            self._display, root, area.x, area.y, area.width, area.height, 0, 0, 1, None,
            _BACK_PIXEL | _OVERRIDE_REDIRECT, ctypes.byref(attributes),
        )  # fmt: skip
        self._x.XStoreName(self._display, window, b"edge-us")
        self._x.XMapRaised(self._display, window)
        self._x.XSync(self._display, 0)
        return window

    def alive(self) -> bool:
        """Whether the server is still there, without asking it anything."""
        if self._display is None:
            return False
        poll = select.poll()
        poll.register(self._x.XConnectionNumber(self._display), select.POLLIN)
        return not any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))

    def close(self) -> None:
        """Close the connection and with it the window; may be called more than once."""
        display, self._display = (self._display if self.alive() else None), None
        if display is not None:
            self._x.XCloseDisplay(display)
