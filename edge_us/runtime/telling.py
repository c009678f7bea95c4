"""`tell_events`: events become lines on standard error, in a thread of their own: no picture waits for them."""

from __future__ import annotations

import logging
import os
import queue
import select
import sys
import threading
from typing import TextIO

from edge_us.log import LOGGER, JsonFormatter, LogFormat, TextFormatter

ROOM = 1000
"""Events that may wait for whoever reads them; further ones are counted and left out."""
FLUSH_S = 1.0
"""Longest that the end waits for the last events to be read."""


class Teller(logging.Handler):
    """Writes events in a thread of its own: whoever tells one never waits.

    Parameters
    ----------
    stream : TextIO or None
        None is standard error, whatever that is at the time of the event.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self._stream = stream
        # Not `Queue`: events are told in signal handlers too, which may interrupt the very thread that holds its lock.
        self._waiting: queue.SimpleQueue[logging.LogRecord | None] = queue.SimpleQueue()
        self._left_out = 0
        self._ended = threading.Event()
        threading.Thread(target=self._write, name="edge-us-log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take an event, or leave it out where too many wait."""
        if self._waiting.qsize() < ROOM:
            self._waiting.put(record)
        else:
            self._left_out += 1

    def close(self) -> None:
        """Write what waits, for a second at most, and end; may be called more than once."""
        self._waiting.put(None)
        self._ended.wait(FLUSH_S)  # where nobody reads, the thread ends with the process
        super().close()

    def _write(self) -> None:
        while (record := self._waiting.get()) is not None:
            lines = [self.format(record)]
            if self._left_out:
                left_out, self._left_out = self._left_out, 0
                fields = {"count": left_out, "reason": "nobody read them"}
                lost = logging.makeLogRecord({"msg": "events left out", "levelname": "WARNING", "fields": fields})
                lines.append(self.format(lost))
            try:
                _write_out(self._stream or sys.stderr, "".join(f"{line}\n" for line in lines))
            except (OSError, ValueError):  # the reader is gone, or the stream was closed
                break
        self._ended.set()


def tell_events(how: LogFormat, stream: TextIO | None = None) -> None:
    """Tell events on ``stream`` (by default standard error) from now on; replaces what was asked for before."""
    for handler in [each for each in LOGGER.handlers if isinstance(each, Teller)]:
        LOGGER.removeHandler(handler)
        handler.close()
    LOGGER.propagate = False
    LOGGER.setLevel(logging.CRITICAL + 1 if how is LogFormat.OFF else logging.INFO)
    if how is LogFormat.OFF:
        return
    if how is LogFormat.WARNINGS:
        LOGGER.setLevel(logging.WARNING)
    handler = Teller(stream)
    handler.setFormatter(JsonFormatter() if how is LogFormat.JSON else TextFormatter())
    LOGGER.addHandler(handler)


def say(text: str, stream: TextIO) -> None:
    """Write a line at the end of a run; where nobody reads the stream it is left out: the end must not wait for it."""
    try:
        is_read = bool(select.select([], [stream], [], FLUSH_S)[1])
    except (OSError, ValueError):
        is_read = True  # no descriptor to ask, as in tests
    if is_read:
        stream.write(f"{text}\n")
        stream.flush()


def _write_out(stream: TextIO, text: str) -> None:
    try:
        number = stream.fileno()
    except (OSError, ValueError, AttributeError):
        stream.write(text)
        stream.flush()
        return
    # Not through the stream: a write that waits would hold its lock, and with it everybody else who writes there.
    data = text.encode(errors="replace")
    while data:
        data = data[os.write(number, data) :]
