"""From samples to figures; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edge_us.bench.ledger import Stamps
from edge_us.runtime.ledger import QUANTILES

CDF_POINTS = 200
TIMELINE_POINTS = 300


def figures(frames: Stamps, stages: Mapping[str, Stamps], warm_up_ns: int) -> dict[str, Any] | None:
    """Figures of one run without its warm-up; None where fewer than two frames are left.

    Parameters
    ----------
    frames : ndarray of int64, shape (n, 4)
        See `SampleLedger.frames`.
    stages : mapping of str to ndarray of int64, shape (m, 2)
        See `SampleLedger.stage_samples`.
    warm_up_ns : int
        Left out from the first shown frame on.
    """
    if not len(frames):
        return None
    begin = int(frames[0, 1]) + warm_up_ns
    kept = frames[frames[:, 1] >= begin]
    if len(kept) < 2:
        return None
    shown = kept[:, 1]
    latency = (kept[:, 1] - kept[:, 0]) / 1e6
    intervals = np.diff(shown) / 1e6
    return {
        "frames": len(kept),
        "seconds": round(float(shown[-1] - shown[0]) / 1e9, 3),
        "fps": round((len(kept) - 1) / (float(shown[-1] - shown[0]) / 1e9), 3),
        "capture_to_shown_ms": quantiles(latency),
        "jitter_ms": round(float(np.std(intervals)), 3),
        "own_result_share": round(float(kept[:, 2].mean()), 4),
        "cpu_ms_per_frame": round(float(kept[-1, 3] - kept[0, 3]) / 1e6 / (len(kept) - 1), 3),
        "stages_ms": {name: _stage(rows[rows[:, 0] >= begin, 1] / 1e6) for name, rows in sorted(stages.items())},
        "cdf": _cdf(latency),
        "timeline": _timeline((shown - shown[0]) / 1e9, latency),
    }


def quantiles(milliseconds: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
    """Nearest-rank quantiles and maximum."""
    result = {
        name: round(float(np.quantile(milliseconds, share, method="inverted_cdf")), 3)
        for name, share in QUANTILES.items()
    }
    return {**result, "max": round(float(milliseconds.max()), 3)}


def _stage(milliseconds: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float] | None:
    if not len(milliseconds):
        return None
    return {"mean": round(float(milliseconds.mean()), 3), **quantiles(milliseconds)}


def _cdf(latency: np.ndarray[Any, np.dtype[np.float64]]) -> list[list[float]]:
    """Points (ms, share of frames at most so late)."""
    shares = np.linspace(0, 1, min(CDF_POINTS, len(latency)))
    values = np.quantile(latency, shares, method="inverted_cdf")
    return [[round(float(value), 3), round(float(share), 4)] for value, share in zip(values, shares, strict=True)]


def _timeline(
    seconds: np.ndarray[Any, np.dtype[np.float64]], latency: np.ndarray[Any, np.dtype[np.float64]]
) -> list[list[float]]:
    """Points (s, largest latency in ms since the point before): no peak is lost by thinning."""
    parts = np.array_split(np.arange(len(seconds)), min(TIMELINE_POINTS, len(seconds)))
    return [[round(float(seconds[part[-1]]), 3), round(float(latency[part].max()), 3)] for part in parts]


def windows(frames: Stamps, length_s: float) -> list[dict[str, float]]:
    """Consecutive windows of a long run: a machine that throttles or a process that grows shows here.

    Returns
    -------
    list of dict
        Start in s, fps, p50 and p99 of capture to shown in ms; windows with fewer than ten frames are left out.
    """
    if not len(frames):
        return []
    seconds = (frames[:, 1] - frames[0, 1]) / 1e9
    rows = []
    for number in range(int(seconds[-1] // length_s) + 1):
        chosen = frames[(seconds >= number * length_s) & (seconds < (number + 1) * length_s)]
        if len(chosen) < 10:
            continue
        latency = quantiles((chosen[:, 1] - chosen[:, 0]) / 1e6)
        fps = (len(chosen) - 1) / (float(chosen[-1, 1] - chosen[0, 1]) / 1e9)
        rows.append(
            {"start_s": number * length_s, "fps": round(fps, 2), "p50_ms": latency["p50"], "p99_ms": latency["p99"]}
        )
    return rows
