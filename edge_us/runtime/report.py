"""The report of a run: schema ``edge-us/report/1``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_us.errors import PipelineError
from edge_us.finding import Exam
from edge_us.runtime.ledger import Ledger
from edge_us.runtime.machine import peak_rss_mb

if TYPE_CHECKING:
    from edge_us.classify.model import ClassifierModel, Task
    from edge_us.inference.backend import BackendInfo
    from edge_us.inference.model import Model
    from edge_us.scale.watch import ScaleWatch

SCHEMA = "edge-us/report/1"


def build_report(
    *,
    source: str,
    mode: str,
    model: Model,
    classifier: ClassifierModel | None,
    plugins: Mapping[Task, ClassifierModel],
    backends: Mapping[str, BackendInfo],
    described: bool,
    exam: Exam,
    region: str,
    scale: ScaleWatch,
    ledger: Ledger,
    cpu_ns: int | None,
    warnings: list[str],
) -> dict[str, Any]:
    """Put together what a run says of itself; every value was measured or is None.

    ``backends`` are those of all networks, as `engine.Engine.infos` names them.
    """
    from edge_us.classify.model import Task
    from edge_us.describe.describe import catalogue
    from edge_us.nodes import criteria
    from edge_us.runtime.engine import DETECTOR

    told = {
        name: {"name": info.name, "precision": info.precision, "device": info.device} for name, info in backends.items()
    }
    fps = ledger.fps
    return {
        "schema": SCHEMA,
        "source": source,
        "mode": mode,
        "model": {
            "name": model.name,
            "sha256": model.sha256,
            "threshold": model.threshold,
            "score_temperature": model.score_temperature,
        },
        "classifier": None
        if classifier is None
        else {
            "name": classifier.name,
            "sha256": classifier.sha256,
            "temperature": classifier.temperature,
            "backend": told[Task.MALIGNANCY.value],
        },
        "exam": exam.value,
        "plugins": {
            task.value: {
                "name": each.name,
                "sha256": each.sha256,
                "calibrated_by": each.calibrated_by,
                "backend": told[task.value],
            }
            for task, each in plugins.items()
        },
        "descriptors": catalogue() if described else None,
        "nodes": criteria.catalogue() if described and exam is Exam.AXILLA else None,
        "backend": told[DETECTOR],
        "region": region,
        "scale": {"frames": scale.known, "lost": scale.lost, "reason": scale.reason or None},
        "frames": {
            "captured": ledger.captured,
            "inferred": ledger.inferred,
            "shown": ledger.shown,
            "skipped": ledger.skipped,
            "dropped": dict(sorted(ledger.dropped.items())),
        },
        "restarts": dict(sorted(ledger.restarts.items())),
        "fps": None if fps is None else round(fps, 3),
        "latency_ms": {
            "capture_to_shown": ledger.capture_to_shown.summary(),
            "stages": {name: histogram.summary() for name, histogram in sorted(ledger.stages.items())},
        },
        "cpu_ms_per_frame": None if cpu_ns is None or not ledger.shown else round(cpu_ns / 1e6 / ledger.shown, 3),
        "peak_rss_mb": round(peak_rss_mb(), 1),
        "warnings": warnings,
    }


def write_report(report: dict[str, Any], path: Path) -> None:
    """Write atomically, so that nobody ever reads half a report."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise PipelineError(
            f"cannot write the report {path}: {error.strerror}", "Choose a writable path for --report."
        ) from None
