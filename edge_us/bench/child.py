"""One case measured in this process: reads a request on standard input, writes the figures to standard output.

A process of its own has its own peak memory and warm-up, and dies alone.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from contextlib import closing
from typing import Any

from edge_us.errors import EdgeUsError

RAW_SECONDS = 1.5
"""Inference alone is measured for so long, before the run, and no longer than the run is."""
HEALTH_S = 5.0


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Run one case.

    Parameters
    ----------
    request : dict
        ``options`` (fields of `RunConfig`), ``save``, ``seconds``, ``warm_up_s``, ``window_s``.

    Returns
    -------
    dict
        Figures of `figures.figures` and `figures.windows`, identity of model and backend, counts, raw inference.

    Raises
    ------
    EdgeUsError
        The case cannot be run, or shows too few frames in its time.
    """
    from edge_us.bench.figures import figures, windows
    from edge_us.bench.ledger import SampleLedger
    from edge_us.bench.machine import health
    from edge_us.capture.uri import without_credentials
    from edge_us.config import load_config
    from edge_us.errors import InputError
    from edge_us.runtime.machine import peak_rss_mb
    from edge_us.runtime.networks import open_engine_for
    from edge_us.runtime.run import Run

    with tempfile.TemporaryDirectory(prefix="edge-us-bench-") as name:
        outputs = {"record": f"{name}/out.mp4", "findings": f"{name}/out.jsonl"} if request["save"] else {}
        config = load_config({**request["options"], **outputs}, environment={})
        ledger = SampleLedger()
        states: list[dict[str, float | None]] = []
        with closing(open_engine_for(config)) as engine:
            raw = raw_inference(engine.share(), min(RAW_SECONDS, request["seconds"]))
            running = Run(config, engine, ledger=ledger)
            started = checked = 0.0
            for _ in running:
                now = time.monotonic()
                if not started:  # opening a source may take seconds
                    started = checked = now
                if now - checked >= HEALTH_S:
                    states.append({"at_s": round(now - started, 1), **health()})
                    checked = now
                if now - started >= request["seconds"] + request["warm_up_s"]:
                    running.stop()
        if running.failures:
            raise running.failures[0]
        assert running.report is not None
        found = figures(ledger.frames, ledger.stage_samples, int(request["warm_up_s"] * 1e9))
        if found is None:
            raise InputError(
                f"{without_credentials(config.source)} showed too few frames to measure",
                "Give more --seconds, or less --warm-up.",
            )
        report = running.report
        return {
            **found,
            "windows": windows(ledger.frames, request["window_s"]),
            "health": states,
            "skipped": report["frames"]["skipped"],
            "dropped": report["frames"]["dropped"],
            "peak_rss_mb": round(peak_rss_mb(), 1),
            "raw_inference": raw,
            "model": {**report["model"], "input_size": list(engine.model.input_size)},
            "classifier": report["classifier"],
            "backend": report["backend"],
            "source_fps": config.play_fps,
        }


def raw_inference(share: Any, seconds: float = RAW_SECONDS) -> dict[str, Any]:
    """The same network on the same lanes with nothing around it: the reference for everything else.

    Parameters
    ----------
    share : Share
    seconds : float
        How long each of its two ways is measured.

    Returns
    -------
    dict
        ``ms``: mean time of an inference when one runs after the other; ``fps``, ``cpu_ms``: rate and CPU time of each
        with all lanes busy; ``lanes``.
    """
    import numpy as np

    from edge_us.runtime.machine import cpu_ns

    width, height = share.model.input_size
    shape = (height, width) if share.model.is_grey else (height, width, 3)
    noise = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    lanes = list(share.lanes)
    durations = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        start = time.perf_counter()
        lanes[0].infer(noise)
        durations.append(time.perf_counter() - start)
    for lane in lanes:
        lane.start(noise)
    done, before_ns, start = 0, cpu_ns(), time.perf_counter()
    while time.perf_counter() - start < seconds:
        lane = lanes[done % len(lanes)]
        lane.wait()
        done += 1
        lane.start(noise)
    cpu, seconds = cpu_ns() - before_ns, time.perf_counter() - start
    for offset in range(len(lanes)):
        lanes[(done + offset) % len(lanes)].wait()
    return {
        "ms": round(float(np.median(durations)) * 1e3, 3),
        "fps": round(done / seconds, 2),
        "cpu_ms": round(cpu / 1e6 / done, 3),
        "lanes": len(lanes),
    }


def main() -> None:
    """Answer one request; an error of ours goes out as one, too."""
    request = json.loads(sys.stdin.read())
    try:
        answer: dict[str, Any] = {"figures": measure(request)}
    except EdgeUsError as error:
        answer = {"error": {"message": error.message, "hint": error.hint, "exit_code": int(error.exit_code)}}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
