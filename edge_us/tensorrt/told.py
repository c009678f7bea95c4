"""The progress of a build, told to people on standard error."""

from __future__ import annotations

import sys
from typing import TextIO

from edge_us.tensorrt.api import Progress

STEP = 25
"""Per cent between two lines where nobody sits at a terminal."""


def telling(name: str, stream: TextIO | None = None) -> Progress:
    """A progress callback: a counter on a terminal, else a line a quarter.

    Parameters
    ----------
    name : str
        What is being built.
    stream : TextIO, optional
        By default standard error.
    """
    out = stream or sys.stderr
    last: tuple[str, int] | None = None

    def tell(what: str, done: int, total: int) -> None:
        nonlocal last
        percent = 100 * done // total
        if out.isatty():
            print(f"\r{name}: {what}, {percent} %\x1b[K", end="", file=out, flush=True)
            return
        now = (what, percent // STEP)
        if now != last:
            last = now
            print(f"{name}: {what}, {percent} %", file=out, flush=True)

    return tell


def told(stream: TextIO | None = None) -> None:
    """Wipe the counter away before other text."""
    out = stream or sys.stderr
    if out.isatty():
        print("\r\x1b[K", end="", file=out, flush=True)
