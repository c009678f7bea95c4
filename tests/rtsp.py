"""A real RTSP server in its own process, which a test can start, freeze and kill."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

Serve = Callable[..., "subprocess.Popen[str]"]
"""From a port, and a user and password if wanted, to the process of a server that is ready."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rtsp_servers() -> Iterator[Serve]:
    """Give a function that starts servers; all are killed at the end."""
    servers: list[subprocess.Popen[str]] = []

    def start(port: int, *credentials: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.capture.rtsp_server", str(port), *credentials]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        servers.append(server)
        assert server.stdout is not None
        if server.stdout.readline().strip() != "ready":
            pytest.skip("gst-rtsp-server is not installed (gir1.2-gst-rtsp-server-1.0)")
        return server

    yield start
    for server in servers:
        server.kill()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()
