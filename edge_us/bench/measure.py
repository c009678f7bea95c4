"""Interleaved rounds over cases, each case in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edge_us.bench.case import Case
from edge_us.bench.machine import describe_machine
from edge_us.capture.uri import without_credentials
from edge_us.errors import EdgeUsError, ExitCode, PipelineError, UsageError

SCHEMA = "edge-us/benchmark/1"
GRACE_S = 120.0
"""Beyond the time that a case is to run: compiling, connecting, finishing files."""

Progress = Callable[[int, Case, Mapping[str, Any]], None]
"""Called after each measurement with the number of the round, the case and its figures."""


def benchmark(
    cases: Sequence[Case],
    *,
    rounds: int,
    seconds: float,
    warm_up_s: float,
    window_s: float = 60.0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure all cases once a round, so that what disturbs the machine hits all of them.

    Parameters
    ----------
    cases : sequence of Case
    rounds : int
    seconds : float
        Measured time of a case in a round, without the warm-up.
    warm_up_s : float
        Left out from the first shown frame on.
    window_s : float
        Length of the windows that show drift.
    progress : callable, optional

    Returns
    -------
    dict
        Schema ``edge-us/benchmark/1``.

    Raises
    ------
    EdgeUsError
        A case cannot be run; the message is its own.
    """
    if rounds < 1 or seconds <= 0 or warm_up_s < 0:
        raise UsageError("rounds and seconds must be positive", "Give --rounds 3 --seconds 10.")
    machine = describe_machine()
    found: list[list[dict[str, Any]]] = [[] for _ in cases]
    for number in range(rounds):
        for case, results in zip(cases, found, strict=True):
            results.append(run_case(case, seconds=seconds, warm_up_s=warm_up_s, window_s=window_s))
            if progress is not None:
                progress(number + 1, case, results[-1])
    return {
        "schema": SCHEMA,
        "machine": machine,
        "settings": {"rounds": rounds, "seconds": seconds, "warm_up_s": warm_up_s, "window_s": window_s},
        "cases": [
            {
                "case": case.about(),
                "median": median_of(results),
                "rounds": results,
            }
            for case, results in zip(cases, found, strict=True)
        ],
    }


def run_case(case: Case, *, seconds: float, warm_up_s: float, window_s: float) -> dict[str, Any]:
    """Measure one case in a process of its own; figures as `child.measure` gives them."""
    request = {
        "options": case.options(), "save": case.save, "seconds": seconds, "warm_up_s": warm_up_s, "window_s": window_s,
    }  # fmt: skip
    command = [sys.executable, "-m", "edge_us.bench.child"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"}, start_new_session=True,
    )  # fmt: skip
    try:
        out, err = process.communicate(json.dumps(request), timeout=seconds + warm_up_s + GRACE_S)
    except subprocess.TimeoutExpired:
        raise PipelineError(
            f"measuring {without_credentials(case.source)} hangs", "Check that the source delivers frames."
        ) from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    try:
        answer = json.loads(out.splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        last = (err.strip().splitlines() or ["it said nothing"])[-1]
        what = f"the measuring process ended with {process.returncode}: {last}"
        raise PipelineError(what, "Try `edge-us run` with the same options; it says more.") from None
    if "error" in answer:
        error = EdgeUsError(answer["error"]["message"], answer["error"]["hint"])
        error.exit_code = ExitCode(answer["error"]["exit_code"])
        raise error
    figures: dict[str, Any] = answer["figures"]
    return figures


def median_of(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Medians of the numbers that a table shows; drops and skips are summed, since each one counts."""

    def median(*path: str) -> float:
        values: list[float] = []
        for figures in rounds:
            value: Any = figures
            for key in path:
                value = value[key]
            values.append(float(value))
        return round(statistics.median(values), 3)

    stages = sorted(set().union(*(figures["stages_ms"] for figures in rounds)))
    return {
        "fps": median("fps"),
        "fps_spread": [round(min(figures["fps"] for figures in rounds), 2), max(figures["fps"] for figures in rounds)],
        "capture_to_shown_ms": {name: median("capture_to_shown_ms", name) for name in rounds[0]["capture_to_shown_ms"]},
        "jitter_ms": median("jitter_ms"),
        "cpu_ms_per_frame": median("cpu_ms_per_frame"),
        "cpu_ms_beyond_inference": round(
            statistics.median(each["cpu_ms_per_frame"] - each["raw_inference"]["cpu_ms"] for each in rounds), 3
        ),
        "share_of_raw_fps": round(statistics.median(each["fps"] / each["raw_inference"]["fps"] for each in rounds), 4),
        "raw_inference": {name: median("raw_inference", name) for name in ("ms", "fps", "cpu_ms")},
        "stages_ms": {
            name: round(
                statistics.median(each["stages_ms"][name]["mean"] for each in rounds if each["stages_ms"].get(name)), 3
            )
            for name in stages
            if any(each["stages_ms"].get(name) for each in rounds)
        },
        "peak_rss_mb": median("peak_rss_mb"),
        "skipped": sum(figures["skipped"] for figures in rounds),
        "dropped": sum(sum(figures["dropped"].values()) for figures in rounds),
    }


def drift_of(windows: Sequence[Mapping[str, float]]) -> dict[str, float] | None:
    """How the last third of a long run compares with its first third; None below three windows.

    Returns
    -------
    dict or None
        ``fps`` and ``p50`` as ratios, last to first: 1 is steady.
    """
    third = len(windows) // 3
    if not third:
        return None

    def mean(rows: Sequence[Mapping[str, float]], name: str) -> float:
        return statistics.fmean(row[name] for row in rows)

    return {
        "fps": round(mean(windows[-third:], "fps") / mean(windows[:third], "fps"), 4),
        "p50": round(mean(windows[-third:], "p50_ms") / mean(windows[:third], "p50_ms"), 4),
    }
