"""What systemd is told of a service: ready, alive, stopping (sd_notify(3)); silent where nobody asked."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress


class Notifier:
    """Speaks to the service manager over the socket that it named.

    Parameters
    ----------
    environment : mapping
        ``NOTIFY_SOCKET`` and, where systemd watches, ``WATCHDOG_USEC``.
    now_ns : callable
        Monotonic clock in ns.
    """

    def __init__(
        self, environment: Mapping[str, str] = os.environ, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        watchdog = environment.get("WATCHDOG_USEC", "")
        # Half of the time after which systemd restarts the service, as sd_watchdog_enabled(3) recommends.
        self._interval_ns = int(watchdog) * 1000 // 2 if watchdog.isdigit() else None
        self._now_ns = now_ns
        self._last_ns: int | None = None
        self._is_ready = False

    def ready(self) -> None:
        """Frames are being shown; from now on the watchdog counts. Only the first call says so."""
        if not self._is_ready:
            self._is_ready = True
            self._send("READY=1")

    def alive(self) -> None:
        """The thread that presents frames is not stuck; call it often, it is passed on as often as needed."""
        if self._interval_ns is None:
            return
        now_ns = self._now_ns()
        if self._last_ns is None or now_ns - self._last_ns >= self._interval_ns:
            self._last_ns = now_ns
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        # A manager that has gone away must not take the picture along.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(text.encode(), self._address)
