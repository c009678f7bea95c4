"""Glass to glass: a frame counter on the output is read back from the capture input."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from edge_us.bench.counter import MODULUS, read_counter
from edge_us.bench.figures import quantiles
from edge_us.errors import InputError, PipelineError, UsageError

SCHEMA = "edge-us/loopback/1"
READY_S = 60.0
"""Starting Python and GStreamer takes a second; on a machine that is busy with other things much more."""
LEAST_FRAMES = 10


class Output(str, Enum):
    """Where the counter is shown."""

    MEMORY = "memory"
    """GStreamer's shared memory: neither display nor grabber, the floor of what this machine can do."""
    RTSP = "rtsp"
    """A server on loopback: encoder, network and decoder, no display."""
    DISPLAY = "display"
    """Full screen on a monitor, with a cable from there to the capture input."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A shown frame: the counter in it (None if unreadable), when it was captured and when it was shown."""

    number: int | None
    captured_ns: int
    shown_ns: int


def loopback(
    output: Output,
    source: str | None,
    *,
    options: Mapping[str, Any],
    fps: float,
    size: tuple[int, int],
    monitor: int,
    seconds: float,
    warm_up_s: float,
) -> dict[str, Any]:
    """Measure from the output through the capture input to the next output.

    Parameters
    ----------
    output : Output
    source : str or None
        The capture input that the cable ends in; only for `Output.DISPLAY`, the others bring their own.
    options : mapping
        Further fields of `RunConfig`: model, backend, precision.
    fps, size, monitor
        Of the counter's picture.
    seconds, warm_up_s : float

    Returns
    -------
    dict
        Schema ``edge-us/loopback/1``: ``output_to_capture_ms``, ``capture_to_shown_ms`` and their sum
        ``glass_to_glass_ms`` as quantiles; frames seen, unreadable, and counters that never arrived.

    Raises
    ------
    UsageError
        A display without a source, or a source that is not asked for.
    InputError
        The counter is not seen: no cable, or the wrong input.
    """
    if (source is None) is (output is Output.DISPLAY):
        hint = "Give the capture input that the cable ends in, such as v4l2:///dev/video0; memory and rtsp take none."
        raise UsageError(f"--loopback {output.value} {'needs a source' if source is None else 'takes no source'}", hint)
    with tempfile.TemporaryDirectory(prefix="edge-us-loopback-") as folder:
        place, address = _place(output, folder, size, fps, monitor)
        with _Generator(place, fps, size, Path(folder) / "times") as generator:
            seen, report = _watch(source or address, options, seconds + warm_up_s)
            times = generator.times()
    return summarise(seen, times, warm_up_s, output, report)


def summarise(
    seen: Sequence[Seen], times: Mapping[int, int], warm_up_s: float, output: Output, report: Mapping[str, Any]
) -> dict[str, Any]:
    """Join what was seen with when it was shown; see `loopback`."""
    begin = seen[0].shown_ns + int(warm_up_s * 1e9) if seen else 0
    kept = [each for each in seen if each.shown_ns >= begin]
    known = [each for each in kept if each.number is not None and each.number in times]
    # A frame that repeats a counter says nothing new: the first of them is the one that was on its way.
    first: dict[int, Seen] = {}
    for each in known:
        assert each.number is not None
        first.setdefault(each.number, each)
    if len(first) < LEAST_FRAMES:
        raise InputError(
            f"the counter was read in {len(first)} of {len(kept)} frames",
            "Check the cable from output to capture input, that the output covers the whole screen, and the source.",
        )
    away = np.array([each.captured_ns - times[number] for number, each in first.items()]) / 1e6
    inside = np.array([each.shown_ns - each.captured_ns for each in first.values()]) / 1e6
    span = range(min(first), max(first) + 1)
    return {
        "schema": SCHEMA,
        "output": output.value,
        "frames": len(kept),
        "counters_read": len(first),
        "unreadable": len(kept) - len(known),
        "never_arrived": len(span) - len(first),
        "output_to_capture_ms": quantiles(away),
        "capture_to_shown_ms": quantiles(inside),
        "glass_to_glass_ms": quantiles(away + inside),
        "model": report["model"],
        "backend": report["backend"],
    }


def _place(output: Output, folder: str, size: tuple[int, int], fps: float, monitor: int) -> tuple[str, str]:
    """What the generator is told, and the source that reads it back."""
    if output is Output.MEMORY:
        path = Path(folder) / "counter"
        caps = f"video/x-raw,format=I420,width={size[0]},height={size[1]},framerate={round(fps)}/1"
        return f"shm:{path}", f"gst:shmsrc socket-path={path} is-live=true do-timestamp=true ! {caps}"
    if output is Output.RTSP:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        return f"rtsp:{port}", f"rtsp://127.0.0.1:{port}/counter"
    return f"display:{monitor}", ""


def _watch(source: str, options: Mapping[str, Any], seconds: float) -> tuple[list[Seen], dict[str, Any]]:
    from edge_us.bench.ledger import SampleLedger
    from edge_us.colour import to_gray
    from edge_us.config import load_config
    from edge_us.runtime.networks import open_engine_for
    from edge_us.runtime.run import Run

    config = load_config({**options, "source": source, "mode": "live"}, environment={})
    ledger, codes = SampleLedger(), []
    with closing(open_engine_for(config)) as engine:
        running = Run(config, engine, ledger=ledger)
        until = 0.0
        for frame, _ in running:
            codes.append((read_counter(to_gray(frame)), frame.captured_ns))
            until = until or time.monotonic() + seconds
            if time.monotonic() >= until:
                running.stop()
    assert running.report is not None
    shown = ledger.frames
    return [Seen(code, at, int(row[1])) for (code, at), row in zip(codes, shown, strict=True)], running.report


class _Generator:
    """The process that shows the counter."""

    def __init__(self, place: str, fps: float, size: tuple[int, int], times: Path) -> None:
        command = [sys.executable, "-m", "edge_us.bench.generator", place, "--fps", str(fps), "--times", str(times),
                   "--size", f"{size[0]}x{size[1]}"]  # fmt: skip
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._times = times

    def __enter__(self) -> _Generator:
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], READY_S)
        if not readable or self._process.stdout.readline().strip() != "ready":
            self.__exit__()
            assert self._process.stderr is not None
            last = (self._process.stderr.read().strip().splitlines() or ["it does not start"])[-1]
            raise PipelineError(f"the counter cannot be shown: {last}", "For rtsp: gir1.2-gst-rtsp-server-1.0.")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def times(self) -> dict[int, int]:
        """When each counter was handed to the output, by its number as read (modulo 65536)."""
        rows = [line.split() for line in self._times.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return {int(number) % MODULUS: int(at) for number, at in rows}
