"""The benchmark as one self-contained page, made from the report alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from edge_us.bench.measure import drift_of
from edge_us.page.html import document, table
from edge_us.page.svg import curve

STAGES = ("preprocess", "infer", "decode", "judge and track", "classify", "overlay", "sinks")
"""In the order in which a frame passes them."""
COLOURS = ("#7aa6d6", "#1f5fa8", "#0f766e", "#65a30d", "#a16207", "#c2410c", "#9333ea")


def build_page(report: Mapping[str, Any]) -> str:
    """HTML of a report with schema ``edge-us/benchmark/1``."""
    machine, settings = report["machine"], report["settings"]
    parts = [
        "<h1>edge_us benchmark</h1>",
        f'<p class="quiet">{escape(about_machine(machine))}. {rounds_of(settings)}, '
        f"{settings['warm_up_s']:g} s warm-up left out. Compare ratios within one run.</p>",
        overview(report),
    ]
    for entry in report["cases"]:
        parts += _case(entry)
    return document("edge_us benchmark", parts)


def about_machine(machine: Mapping[str, Any]) -> str:
    """Processor, cores, telling flags, governor, versions in one sentence."""
    flags = ", ".join(machine["flags"]) or "no telling flags"
    governor = machine["governor"] or "governor unknown"
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    jetson = machine["jetson"]
    power = "" if not jetson else f"; power mode {jetson['power_mode'] or 'unknown'}"
    memory = "memory unknown" if machine["memory_gb"] is None else f"{machine['memory_gb']:g} GB"
    cpu = f"{machine['cpu'] or 'CPU unknown'}, {machine['cores']} cores"
    return f"{cpu} ({flags}; {governor}), {memory}{power}; {versions}"


def rounds_of(settings: Mapping[str, Any]) -> str:
    """What the figures are medians of, in words."""
    if settings["rounds"] == 1:
        return f"One round of {settings['seconds']:g} s"
    return f"Medians of {settings['rounds']} interleaved rounds of {settings['seconds']:g} s"


def _overlap(lanes: int) -> str:
    if lanes == 1:
        return ""
    return f" {lanes} frames are on their way at once, and infer is from a frame's start until it is fetched."


def overview(report: Mapping[str, Any]) -> str:
    """A row a case."""
    heads = (
        "case", "precision", "fps", "capture to shown p50 / p95 / p99 / p99.9 / max, ms", "jitter, ms",
        "CPU ms per frame (beyond inference)", "memory, MB", "skipped, dropped",
    )  # fmt: skip
    return f'<div class="scroll">{table(heads, [_row(entry) for entry in report["cases"]])}</div>'


def name_of(case: Mapping[str, Any]) -> str:
    """A case in few words."""
    pace = f" at {case['play_fps']:g} fps" if case["mode"] == "live" and case["play_fps"] else ""
    saved = "" if case["save"] else ", nothing saved"
    return f"{case['mode']}{pace}, {case['model']}, {case['source']}{saved}"


def _row(entry: Mapping[str, Any]) -> list[str]:
    median, last = entry["median"], entry["rounds"][-1]
    latency = median["capture_to_shown_ms"]
    size = "x".join(str(side) for side in last["model"]["input_size"])
    return [
        escape(name_of(entry["case"])),
        f"{escape(last['backend']['name'])} {escape(last['backend']['precision'])}, {size}",
        f"{median['fps']:.1f}",
        " / ".join(f"{latency[key]:.1f}" for key in ("p50", "p95", "p99", "p999", "max")),
        f"{median['jitter_ms']:.1f}",
        f"{median['cpu_ms_per_frame']:.1f} ({median['cpu_ms_beyond_inference']:.1f})",
        f"{median['peak_rss_mb']:.0f}",
        f"{median['skipped']}, {median['dropped']}",
    ]


def _case(entry: Mapping[str, Any]) -> list[str]:
    last = entry["rounds"][-1]
    cdf, timeline = last["cdf"], last["timeline"]
    # The slowest frame in a thousand would leave all others at the left edge.
    widest = _round_up(max(point[0] for point in cdf if point[1] <= 0.995) if len(cdf) > 1 else cdf[0][0])
    highest = _round_up(max(point[1] for point in timeline))
    identity = f"model {last['model']['name']} {last['model']['sha256'][:12]}…"
    if last["classifier"] is not None:
        identity += f", classifier {last['classifier']['name']} {last['classifier']['sha256'][:12]}…"
    raw = entry["median"]["raw_inference"]
    parts = [
        f"<h2>{escape(name_of(entry['case']))}</h2>",
        f'<p class="quiet">{escape(identity)}. Inference alone: {raw["ms"]:.1f} ms one after the other, '
        f"{raw['fps']:.0f} a second at {raw['cpu_ms']:.1f} CPU ms with all lanes busy. Of the last round:"
        f"{_overlap(last['raw_inference']['lanes'])}</p>",
        '<div class="row">',
        curve([tuple(point) for point in cdf], x_label="capture to shown, ms", y_label="share of frames",
              x_range=(0.0, widest)),
        curve([tuple(point) for point in timeline], x_label="s", y_label="capture to shown, ms",
              x_range=(0.0, float(max(1, math.ceil(timeline[-1][0])))), y_range=(0.0, highest)),
        waterfall(entry["median"]["stages_ms"]),
        "</div>",
    ]  # fmt: skip
    drift = drift_of(last["windows"])
    if drift is not None:
        rows = [[f"{row['start_s']:g}", f"{row['fps']:.1f}", f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}"]
                for row in last["windows"]]  # fmt: skip
        parts.append(f"<p>Last third against first: fps {drift['fps']:.3f}, p50 {drift['p50']:.3f}{_memory(last)}.</p>")
        parts.append(table(("from s", "fps", "p50 ms", "p99 ms"), rows))
    return parts


def _memory(figures: Mapping[str, Any]) -> str:
    states = figures["health"]
    if len(states) < 2:
        return ""
    return f"; resident memory {states[0]['rss_mb']:.0f} to {states[-1]['rss_mb']:.0f} MB"


def waterfall(stages: Mapping[str, float]) -> str:
    """Mean time of each stage as bars that start where the one before ended."""
    known = [(name, stages[name]) for name in STAGES if name in stages]
    known += [(name, value) for name, value in stages.items() if name not in STAGES]
    total = sum(value for _, value in known) or 1.0
    width, left, height = 420, 120, 26 * len(known) + 30
    scale = (width - left - 60) / total
    bars, at = [], 0.0
    for number, (name, value) in enumerate(known):
        top, x = 10 + 26 * number, left + at * scale
        bars.append(
            f'<text x="{left - 8}" y="{top + 13}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="{x:.1f}" y="{top}" width="{max(value * scale, 1):.1f}" height="18" '
            f'fill="{COLOURS[number % len(COLOURS)]}"/>'
            f'<text x="{x + value * scale + 6:.1f}" y="{top + 13}">{value:.2f} ms</text>'
        )
        at += value
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="sans-serif" font-size="11" fill="#222"><title>mean time of each stage</title>'
        f"{''.join(bars)}</svg>"
    )


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power: float = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 1.0
    return next((step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= value), 10 * power)


def text_table(report: Mapping[str, Any]) -> str:
    """The overview as Markdown, for a terminal or `BENCH.md`."""
    lines = [
        "| case | precision | fps | p50 / p99 / max ms | CPU ms per frame (beyond inference) | skipped, dropped |",
        "|---|---|---|---|---|---|",
    ]
    rows: Sequence[Mapping[str, Any]] = report["cases"]
    for entry in rows:
        median, last = entry["median"], entry["rounds"][-1]
        latency = median["capture_to_shown_ms"]
        lines.append(
            f"| {name_of(entry['case'])} | {last['backend']['name']} {last['backend']['precision']} "
            f"{'x'.join(str(side) for side in last['model']['input_size'])} | {median['fps']:.1f} "
            f"| {latency['p50']:.1f} / {latency['p99']:.1f} / {latency['max']:.1f} "
            f"| {median['cpu_ms_per_frame']:.1f} ({median['cpu_ms_beyond_inference']:.1f}) "
            f"| {median['skipped']}, {median['dropped']} |"
        )
    return "\n".join(lines)
