"""A live pass at 60 fps: how old results are, counted in frames, when they are shown."""

from __future__ import annotations

import numpy as np
from gpu_figures import Row

import edge_us
from edge_us.errors import PipelineError
from edge_us.finding import SHOWING
from edge_us.inference.backend import BackendName, Precision

FPS = 60
SOURCE = f"phantom:?probe=linear&lesion=benign&size=1920x1080&frames=20&fps={FPS}&seed=1&loop=1"
SETTLING = FPS
"""Frames at the beginning that do not count: the first second."""
MOST_FRAMES_OLD = 1
FEWEST = 2
LONGEST_AGE_MS = 1000
"""Older results than a run shows by default are shown here, so that they are counted."""
LONGEST_WAIT_FRAMES = 10 * FPS
"""So many frames without a result, and there will be none."""


def live(model: str, name: BackendName, precision: Precision, seconds: float) -> Row:
    """Show a screen of 1920x1080 at 60 fps, without overlay, and count how many frames old each result is.

    Parameters
    ----------
    model : str
        Name or file.
    name, precision
        Asked for by name: nothing else is measured instead.
    seconds : float
        Counted after the first second with results.

    Raises
    ------
    PipelineError
        Hardly a result was shown.
    """
    seen: list[tuple[int, float, int] | None] = []
    waited = 0
    run = edge_us.run(
        SOURCE,
        mode="live",
        model=model,
        backend=name.value,
        precision=precision.value,
        classifier="off",
        probe=False,
        max_age_ms=LONGEST_AGE_MS,
    )
    for frame, result in run:
        if result.frame_index is not None and result.shown_ns is not None and result.ai_state in SHOWING:
            seen.append((frame.index - result.frame_index, result.age_ms or 0.0, result.shown_ns))
        elif seen:
            seen.append(None)
        else:
            waited += 1
            if waited > LONGEST_WAIT_FRAMES:
                raise PipelineError(f"no result was shown: {result.reason}", "Look at the log.")
        if len(seen) >= SETTLING + seconds * FPS:
            run.stop()
            break
    assert run.report is not None
    counted = [each for each in seen[SETTLING:] if each is not None]
    if len(counted) < FEWEST:
        raise PipelineError(f"{len(counted)} results were shown in {seconds:g} s", "Measure longer.")
    old, ages, shown_ns = zip(*counted, strict=True)
    p50, p99 = np.percentile(ages, [50, 99])
    return {
        "source_fps": FPS,
        "frames": len(seen) - SETTLING,
        "without_result": seen[SETTLING:].count(None),
        "shown_with_result_per_s": round((len(counted) - 1) * 1e9 / (shown_ns[-1] - shown_ns[0]), 1),
        "dropped": dict(run.report["frames"]["dropped"]),
        "frames_old": {str(age): old.count(age) for age in sorted(set(old))},
        "at_most_one_frame_old": round(sum(age <= MOST_FRAMES_OLD for age in old) / (len(seen) - SETTLING), 4),
        "age_ms_p50": round(float(p50), 2),
        "age_ms_p99": round(float(p99), 2),
    }
