"""What the run costs the machine, read from the operating system."""

from __future__ import annotations

import resource
import sys


def peak_rss_mb() -> float:
    """Largest resident memory of this process so far, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def cpu_ns() -> int:
    """CPU time of this process over all its threads, GStreamer's and OpenVINO's included, in ns."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return int((used.ru_utime + used.ru_stime) * 1e9)
