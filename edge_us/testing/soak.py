"""A long live run with faults from a seeded schedule: ``python -m edge_us.testing.soak --minutes 30 --json soak.json``.

Checked at the end: every captured frame was shown or dropped with a cause, no result that was drawn was too old, memory
is flat, and neither threads nor descriptors are left over.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from edge_us.finding import SHOWING
from edge_us.testing.faults import Schedule, draw_faults, faults

SAMPLE_S = 5.0
SETTLED_SHARE = 0.25
"""Memory is compared from here on: before it, caches fill and the first restarts happen."""
FLAT_MB_PER_HOUR = 60.0
SPARE_TASKS = 16
"""Threads that OpenVINO and GStreamer keep in pools for the life of the process, whatever happened in it."""
MAX_AGE_MS = 200.0
HANG_TIMEOUT_S = 8.0


def soak(seconds: float, seed: int, fps: float, folder: Path) -> dict[str, Any]:
    """Run, and say what was seen; ``problems`` is empty where all was well.

    Parameters
    ----------
    seconds : float
    seed : int
        Of the schedule.
    fps : float
    folder : Path
        For recording, findings and report.
    """
    import edge_us

    source = f"phantom:?probe=linear&lesion=benign&size=640x480&frames=60&fps={fps:g}&seed=1&loop=1"
    planned = draw_faults(seconds, random.Random(seed))
    before = _held()
    samples: list[dict[str, float]] = []
    states: Counter[str] = Counter()
    too_old = 0
    started = time.monotonic()
    with faults(Schedule(planned)):
        run = edge_us.run(
            source,
            mode="live",
            record=str(folder / "soak.mp4"),
            findings=str(folder / "soak.jsonl"),
            report=str(folder / "soak.json"),
            max_age_ms=MAX_AGE_MS,
        )
        for frame, result in run:
            states[result.ai_state.value] += 1
            if result.ai_state in SHOWING and result.frame_index != frame.index:
                too_old += int(result.age_ms is None or result.age_ms > MAX_AGE_MS)
            now = time.monotonic() - started
            if now >= len(samples) * SAMPLE_S:
                samples.append({"s": round(now, 1), **_held()})
            if now >= seconds:
                run.stop()
    gc.collect()
    deadline = time.monotonic() + HANG_TIMEOUT_S
    while _held()["threads"] > before["threads"] and time.monotonic() < deadline:
        time.sleep(0.1)  # one that hangs, as planned, comes back
    after = _held()
    assert run.report is not None
    found = {
        "seconds": round(time.monotonic() - started, 1),
        "seed": seed,
        "fps": fps,
        "faults": dict(Counter(fault.kind.value for fault in planned)),
        "frames": run.report["frames"],
        "restarts": run.report["restarts"],
        "shown_as": dict(states),
        "results_too_old": too_old,
        "mb_per_hour": growth(samples),
        "before": before,
        "after": after,
        "samples": samples,
    }
    return {**found, "problems": problems(found, [error.message for error in run.failures], seconds)}


def problems(found: dict[str, Any], failures: list[str], seconds: float) -> list[str]:
    """What was not as it should be."""
    frames, after, before = found["frames"], found["after"], found["before"]
    wrong = [f"an output stopped: {failure}" for failure in failures]
    if frames["captured"] != frames["shown"] + sum(frames["dropped"].values()):
        wrong.append(f"frames unaccounted for: {frames}")
    if found["results_too_old"]:
        wrong.append(f"{found['results_too_old']} results were drawn that were older than {MAX_AGE_MS:g} ms")
    if after["threads"] > before["threads"]:
        wrong.append(f"{after['threads'] - before['threads']:g} threads are left over")
    if after["tasks"] > before["tasks"] + SPARE_TASKS:
        wrong.append(f"{after['tasks'] - before['tasks']:g} threads of the libraries are left over")
    # OpenVINO and GStreamer keep a few for the life of the process.
    if after["descriptors"] > before["descriptors"] + 16:
        wrong.append(f"{after['descriptors'] - before['descriptors']:g} descriptors are left over")
    growing = found["mb_per_hour"]
    if seconds >= 600 and growing is not None and growing > FLAT_MB_PER_HOUR:
        wrong.append(f"memory grows by {growing:.0f} MB per hour")
    return wrong


def growth(samples: list[dict[str, float]]) -> float | None:
    """Slope of resident memory in MB per hour, by least squares, once the run has settled; None for a short run."""
    import numpy as np

    settled = samples[int(SETTLED_SHARE * len(samples)) :]
    if len(settled) < 4:
        return None
    slope = np.polyfit([each["s"] for each in settled], [each["rss_mb"] for each in settled], 1)[0]
    return round(float(slope) * 3600, 1)


def _held() -> dict[str, float]:
    """Memory, our own threads, threads of any kind, and descriptors of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "rss_mb": round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1),
        "threads": sum(thread.name.startswith("edge-us") for thread in threading.enumerate()),
        "tasks": len(list(Path("/proc/self/task").iterdir())),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
    }


def main() -> None:
    """Soak, print what was seen, and fail where something was not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--fps", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edge-us-soak-") as folder:
        found = soak(options.minutes * 60, options.seed, options.fps, Path(folder))
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for name, value in found.items():
        if name != "samples":
            print(f"{name}: {value}")
    sys.exit(1 if found["problems"] else 0)


if __name__ == "__main__":
    main()
