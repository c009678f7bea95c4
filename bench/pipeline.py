"""The whole way from clip to recording: fps, latency and CPU of every case, in interleaved rounds.

Usage::

    python bench/pipeline.py [--clip CLIP] [--model NAME_OR_PATH ...] [--precision auto ...] [--rounds 3] [--json OUT]

Each case is a run of its own process, as a user starts it; its own report is what is read. Noise of the machine hits
all cases of a round alike, so ratios within one run hold better than the numbers do.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FRAMES = 300


@dataclass(frozen=True, slots=True)
class Case:
    """One way to run the pipeline."""

    mode: str
    model: str
    precision: str


def run_case(case: Case, clip: Path, folder: Path) -> dict[str, Any]:
    """Run once and return the report; raises SystemExit with the run's own words where it fails."""
    report = folder / "report.json"
    command = [
        *(sys.executable, "-m", "edge_us.cli.main", "run", str(clip), "--mode", case.mode, "--model", case.model),
        *("--precision", case.precision, "--record", str(folder / "out.mp4")),
        *("--findings", str(folder / "out.jsonl"), "--report", str(report)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: {' '.join(command)} ended with {done.returncode}\n{done.stderr.strip()}")
    result: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return result


def summarise(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the rounds."""

    def median(*path: str) -> float:
        values = []
        for report in reports:
            value: Any = report
            for key in path:
                value = value[key]
            values.append(float(value))
        return round(statistics.median(values), 2)

    first = reports[0]
    return {
        "precision": first["backend"]["precision"],
        "fps": median("fps"),
        "fps_of_rounds": [round(report["fps"], 1) for report in reports],
        "p50_ms": median("latency_ms", "capture_to_shown", "p50"),
        "p99_ms": median("latency_ms", "capture_to_shown", "p99"),
        "cpu_ms_per_frame": median("cpu_ms_per_frame"),
        "infer_p50_ms": median("latency_ms", "stages", "infer", "p50"),
        "skipped": sum(report["frames"]["skipped"] for report in reports),
        "dropped": sum(sum(report["frames"]["dropped"].values()) for report in reports),
        "peak_rss_mb": median("peak_rss_mb"),
    }


def make_clip(folder: Path) -> Path:
    """The demo's clip: 800x600, 300 frames at 30 fps."""
    from edge_us.phantom.clip import write_phantom_clip
    from edge_us.phantom.spec import PhantomSpec

    clip = folder / f"phantom-{FRAMES}.mp4"
    write_phantom_clip(PhantomSpec(frames=FRAMES), clip)
    return clip


def machine() -> str:
    """Processor and number of cores."""
    import os

    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


def main() -> None:
    """Read the command line, run all rounds, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, help="default: the phantom clip of the demo")
    parser.add_argument("--model", action="append", default=[], help="may be repeated; default the shipped one")
    parser.add_argument("--precision", action="append", default=[], help="may be repeated; default auto")
    parser.add_argument("--mode", action="append", default=[], choices=["every", "live"], help="default both")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cases = [
        Case(mode, model, precision)
        for model in options.model or ["default"]
        for precision in options.precision or ["auto"]
        for mode in options.mode or ["every", "live"]
    ]
    reports: dict[Case, list[dict[str, Any]]] = {case: [] for case in cases}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = options.clip or make_clip(folder)
        for number in range(options.rounds):
            for case in cases:
                reports[case].append(run_case(case, clip, folder))
                fps = reports[case][-1]["fps"]
                print(f"round {number + 1}: {case.mode} {case.model} {case.precision}: {fps:.1f} fps", file=sys.stderr)
    rows = {case: summarise(found) for case, found in reports.items()}
    print(f"{machine()}; {clip.name}; medians of {options.rounds} interleaved rounds\n")
    print("| mode | model | precision | fps | p50 / p99 ms | CPU ms per frame | skipped, dropped |")
    print("|---|---|---|---|---|---|---|")
    for case, row in rows.items():
        print(
            f"| {case.mode} | {Path(case.model).name} | {row['precision']} | {row['fps']:.1f} | "
            f"{row['p50_ms']:.1f} / {row['p99_ms']:.1f} | {row['cpu_ms_per_frame']:.1f} | "
            f"{row['skipped']}, {row['dropped']} |"
        )
    if options.json is not None:
        content = [{"mode": case.mode, "model": case.model, **row} for case, row in rows.items()]
        options.json.write_text(json.dumps({"machine": machine(), "cases": content}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
