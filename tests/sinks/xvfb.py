"""A real X server in memory, and what is on its screen."""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray


@dataclass(frozen=True)
class Server:
    name: str
    process: subprocess.Popen[bytes]
    folder: Path

    def screenshot(self) -> NDArray[np.uint8]:
        """The screen as BGR: Xvfb keeps it as an XWD file, whose header is 25 big-endian words."""
        with (self.folder / "Xvfb_screen0").open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            words = struct.unpack(">25I", data[:100])
            start, width, height, stride = words[0] + words[19] * 12, words[4], words[5], words[12]
            pixels = np.frombuffer(data[start : start + stride * height], np.uint8)
            data.close()
        return pixels.reshape(height, stride // 4, 4)[:, :width, :3]


@contextmanager
def xvfb(folder: Path, size: str) -> Iterator[Server]:
    """Start Xvfb with one screen of ``size``, such as ``640x480``."""
    program = shutil.which("Xvfb")
    if program is None:
        pytest.skip("Xvfb is not installed (apt-get install xvfb)")
    reading, writing = os.pipe()
    command = [program, "-displayfd", str(writing), "-fbdir", str(folder), "-nolisten", "tcp", "-noreset"]
    command += ["-screen", "0", f"{size}x24"]
    process = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()  # empty if it did not start
        assert number, "Xvfb did not start"
        yield Server(f":{number}", process, folder)
    finally:
        process.kill()
        process.wait(10)


@contextmanager
def _connected(name: str) -> Iterator[tuple[Any, ctypes.c_void_p, ctypes.c_ulong]]:
    """libX11, a connection to a screen by its name, and the screen's root window."""
    x: Any = ctypes.CDLL("libX11.so.6")
    x.XOpenDisplay.restype = ctypes.c_void_p
    x.XInternAtom.restype = x.XDefaultRootWindow.restype = x.XStringToKeysym.restype = ctypes.c_ulong
    x.XKeysymToKeycode.restype = ctypes.c_ubyte
    display = ctypes.c_void_p(x.XOpenDisplay(name.encode()))
    yield x, display, ctypes.c_ulong(x.XDefaultRootWindow(display))
    x.XSync(display, 0)
    x.XCloseDisplay(display)


def _windows(x: Any, display: ctypes.c_void_p, root: ctypes.c_ulong) -> list[int]:
    """All windows of a screen."""
    parent, other, count = ctypes.c_ulong(), ctypes.c_ulong(), ctypes.c_uint()
    children = ctypes.POINTER(ctypes.c_ulong)()
    x.XQueryTree(display, root, *map(ctypes.byref, (other, parent, children, count)))
    return list(children[: count.value])


class _Monitor(ctypes.Structure):
    """XRRMonitorInfo."""

    _fields_ = (
        ("name", ctypes.c_ulong),
        ("primary", ctypes.c_int),
        ("automatic", ctypes.c_int),
        ("outputs", ctypes.c_int),
        ("x", ctypes.c_int),
        ("y", ctypes.c_int),
        ("width", ctypes.c_int),
        ("height", ctypes.c_int),
        ("width_mm", ctypes.c_int),
        ("height_mm", ctypes.c_int),
        ("output_list", ctypes.c_void_p),
    )


def split_into_monitors(name: str, *monitors: tuple[int, int, int, int]) -> None:
    """Divide the screen into monitors (x, y, width, height), as ``xrandr --setmonitor`` does."""
    try:
        randr: Any = ctypes.CDLL("libXrandr.so.2")
    except OSError:
        pytest.skip("libXrandr is not installed")
    randr.XRRGetScreenResources.restype = ctypes.POINTER(_Resources)
    with _connected(name) as (x, display, root):
        outputs = randr.XRRGetScreenResources(display, root).contents.outputs
        for number, (left, top, width, height) in enumerate(monitors):
            atom = x.XInternAtom(display, f"monitor-{number}".encode(), 0)
            # The first takes the only output, which would otherwise be a monitor of its own.
            output = ctypes.cast(outputs, ctypes.c_void_p) if number == 0 else None
            monitor = _Monitor(
                atom, number == 0, 0, int(number == 0), left, top, width, height, width // 4, height // 4, output
            )
            randr.XRRSetMonitor(display, root, ctypes.byref(monitor))


class _Resources(ctypes.Structure):
    """The beginning of XRRScreenResources."""

    _fields_ = (
        ("timestamp", ctypes.c_ulong),
        ("config_timestamp", ctypes.c_ulong),
        ("crtc_count", ctypes.c_int),
        ("crtcs", ctypes.c_void_p),
        ("output_count", ctypes.c_int),
        ("outputs", ctypes.POINTER(ctypes.c_ulong)),
    )


class _ClientMessage(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 24),
    )


class _KeyEvent(ctypes.Structure):
    """XKeyEvent, as long as an XEvent."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("root", ctypes.c_ulong),
        ("subwindow", ctypes.c_ulong),
        ("time", ctypes.c_ulong),
        ("x", ctypes.c_int),
        ("y", ctypes.c_int),
        ("x_root", ctypes.c_int),
        ("y_root", ctypes.c_int),
        ("state", ctypes.c_uint),
        ("keycode", ctypes.c_uint),
        ("same_screen", ctypes.c_int),
        ("padding", ctypes.c_long * 24),
    )


def press_in_all_windows(name: str, key: str) -> None:
    """Send a key by its X11 name, such as ``Tab``, to every window of the screen."""
    pressed, mask = 2, ctypes.c_long(1)
    with _connected(name) as (x, display, root):
        code = x.XKeysymToKeycode(display, ctypes.c_ulong(x.XStringToKeysym(key.encode())))
        for window in _windows(x, display, root):
            event = _KeyEvent(pressed, 0, 1, display, window, root, 0, 0, 1, 1, 1, 1, 0, code, 1)
            x.XSendEvent(display, ctypes.c_ulong(window), 1, mask, ctypes.byref(event))


def close_windows_as_a_user_would(name: str) -> int:
    """Send what a window manager sends when somebody clicks on the cross; returns how many windows got it."""
    with _connected(name) as (x, display, root):
        protocols, delete = (x.XInternAtom(display, word, 0) for word in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
        windows = _windows(x, display, root)
        for window in windows:
            message = _ClientMessage(33, 0, 1, display, window, protocols, 32, (ctypes.c_long * 5)(delete, 0, 0, 0, 0))
            x.XSendEvent(display, ctypes.c_ulong(window), 0, ctypes.c_long(0), ctypes.byref(message))
    return len(windows)
