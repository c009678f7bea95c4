"""What happens, told as it happens: events with fields, as text or as JSON lines."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from datetime import datetime, timezone
from enum import Enum
from typing import Any

LOGGER = logging.getLogger("edge_us")
LOGGER.addHandler(logging.NullHandler())
REPEAT_S = 1.0
"""The same event of the same source is told at most this often; what was left out is counted in ``left_out``."""


class LogFormat(str, Enum):
    """How much is told, and how."""

    OFF = "off"
    WARNINGS = "warnings"
    """Text, only what is wrong."""
    TEXT = "text"
    """Text, everything."""
    JSON = "json"
    """One object a line, everything."""


class EventLog:
    """Tells the events of one source.

    Parameters
    ----------
    source : str
        As shown, without credentials.
    now : callable
        Monotonic time in s.
    """

    def __init__(self, source: str, now: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._now = now
        self._last: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def info(self, event: str, **fields: Any) -> None:
        """Something that is as it should be."""
        self._tell(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Something that is not."""
        self._tell(logging.WARNING, event, fields)

    def _tell(self, level: int, event: str, fields: dict[str, Any]) -> None:
        if not LOGGER.isEnabledFor(level):
            return
        key, now = f"{level} {event}", self._now()
        if now - self._last.get(key, float("-inf")) < REPEAT_S:
            self._left_out[key] = self._left_out.get(key, 0) + 1
            return
        self._last[key] = now
        if left_out := self._left_out.pop(key, 0):
            fields = {**fields, "left_out": left_out}
        LOGGER.log(level, event, extra={"fields": {"source": self._source, **fields}})


class JsonFormatter(logging.Formatter):
    """``{"time": ..., "level": ..., "event": ..., fields}``, time in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        at = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        head = {"time": at, "level": record.levelname.lower(), "event": record.getMessage()}
        return json.dumps({**head, **getattr(record, "fields", {})}, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """``warning: source lost: state=stalled``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields = " ".join(f"{name}={value}" for name, value in getattr(record, "fields", {}).items())
        return f"{record.levelname.lower()}: {record.getMessage()}: {fields}"
