"""`edge-us bench --loopback`: glass to glass."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edge_us.errors import UsageError

if TYPE_CHECKING:
    from edge_us.bench.loopback import Output

SIZE = (800, 600)


def loopback_command(
    output: Output,
    sources: Sequence[str] | None,
    options: Mapping[str, Any],
    fps: float,
    monitor: int,
    seconds: float,
    warm_up_s: float,
    json_path: Path | None,
) -> None:
    """Measure, print what each part of the way takes, and write the report."""
    from edge_us.bench.loopback import loopback
    from edge_us.page.html import write_text

    if sources and len(sources) > 1:
        raise UsageError("--loopback takes one source", "Give the capture input that the cable ends in.")
    found = loopback(
        output, sources[0] if sources else None, options=options, fps=fps, size=SIZE, monitor=monitor,
        seconds=seconds, warm_up_s=warm_up_s,
    )  # fmt: skip
    typer.echo(
        f"{found['counters_read']} counters read at {fps:g} fps through {found['output']}, "
        f"{found['never_arrived']} never arrived, {found['unreadable']} of {found['frames']} frames unreadable"
    )
    for key in ("output_to_capture_ms", "capture_to_shown_ms", "glass_to_glass_ms"):
        name = key.removesuffix("_ms").replace("_", " ")
        numbers = " / ".join(f"{found[key][each]:.1f}" for each in ("p50", "p95", "p99", "max"))
        typer.echo(f"{name}: p50 / p95 / p99 / max {numbers} ms")
    if json_path is not None:
        write_text(json_path, json.dumps(found, indent=1) + "\n")
