"""A real Wayland compositor, whose monitor is a window on an X server in memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.sinks.xvfb import Server

SOCKET = "edge-us-test"


@contextmanager
def weston(folder: Path, server: Server, width: int, height: int) -> Iterator[dict[str, str]]:
    """Start Weston on an X server, in its upper left corner; gives the variables by which a client finds it."""
    if shutil.which("weston") is None:
        pytest.skip("Weston is not installed (apt-get install weston)")
    folder.chmod(0o700)
    command = ["weston", "--backend=x11-backend.so", "--shell=kiosk-shell.so", f"--socket={SOCKET}", "--no-config"]
    command += [f"--width={width}", f"--height={height}", "--use-pixman", "--idle-time=0"]
    environment = os.environ | {"XDG_RUNTIME_DIR": str(folder), "DISPLAY": server.name}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while not (folder / SOCKET).exists():
            if process.poll() is not None:
                pytest.skip("this Weston does not start on an X server")
            assert time.monotonic() < deadline, "Weston has no socket"
            time.sleep(0.02)
        yield {"WAYLAND_DISPLAY": SOCKET, "XDG_RUNTIME_DIR": str(folder)}
    finally:
        process.terminate()
        process.wait(10)
