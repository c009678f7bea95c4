"""`evaluate`: a manifest and a model in, an `Evaluation` out; it writes the report and the page."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_us.errors import UsageError
from edge_us.evaluate.bootstrap import RESAMPLES
from edge_us.evaluate.manifest import Case, Manifest, check_files, read_manifest
from edge_us.evaluate.matching import IOU_THRESHOLDS, SPECK_SHARE
from edge_us.evaluate.observe import Observation, Progress, observe_all
from edge_us.evaluate.output import about_backend, about_bootstrap, about_model
from edge_us.evaluate.summary import Bootstrap, Sample, metrics, strata, stratum_metrics
from edge_us.inference.backend import BackendName, Precision
from edge_us.page.html import write_text

if TYPE_CHECKING:
    from edge_us.classify.model import ClassifierModel
    from edge_us.inference.backend import BackendInfo
    from edge_us.inference.model import Model
    from edge_us.runtime.analyser import Analyser
    from edge_us.runtime.engine import Engine

SCHEMA = "edge-us/evaluation/1"
SCORE_FLOOR = 0.001
"""Findings below this score are not looked at; FROC and average precision use all others."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The result of `evaluate`.

    Attributes
    ----------
    report : mapping
        Schema ``edge-us/evaluation/1``.
    sample : Sample
        All observations with their groups and resamples, for pictures and further analysis.
    """

    report: Mapping[str, Any]
    sample: Sample

    def write_report(self, path: Path) -> None:
        """Write the report as JSON."""
        write_text(path, json.dumps(self.report, indent=1, ensure_ascii=False) + "\n")

    def write_html(self, path: Path) -> None:
        """Write the self-contained page with curves and pictures."""
        from edge_us.evaluate.page import build_page

        write_text(path, build_page(self))


def evaluate(
    manifest: Path,
    split: str | None = None,
    model: str = "default",
    *,
    backend: BackendName = BackendName.AUTO,
    precision: Precision = Precision.AUTO,
    threads: int | None = None,
    region: str = "auto",
    threshold: float | None = None,
    calibration: Path | None = None,
    classifier: str = "auto",
    datasets: Sequence[str] = (),
    limit: int | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a model on labelled stills, through the very path that ``edge-us run images:`` takes.

    Lesions are the connected components of the masks (`matching.lesions_of`). A finding hits a lesion if their boxes
    overlap by IoU 0.5; a second finding on the same lesion is a false alarm. Pictures flagged ``axilla`` are left out.
    Intervals are percentiles over resamples of groups, never of pictures.

    Parameters
    ----------
    manifest : Path
        CSV; see `manifest.read_manifest`.
    split : str, optional
        Only the rows of this split.
    model : str
        Name of a shipped model, or path of an ONNX file.
    backend, precision, threads
        As for a run.
    region : str
        ``auto``, ``full`` or ``X,Y,W,H``.
    threshold : float, optional
        Operating threshold; default that of the calibration, else the model's own.
    calibration : Path, optional
        Score calibration from ``edge-us calibrate scores``.
    classifier : str
        As for a run: auto, off, a name or a path.
    datasets : sequence of str
        Only these data sets; all if empty.
    limit : int, optional
        Only so many pictures, drawn at random with ``seed``: for a quick look, not for a report.
    seed : int
        Of the resamples and of ``limit``.
    resamples : int
        Number of bootstrap resamples.
    progress : callable, optional
        Called with the number of pictures done and their total.

    Raises
    ------
    EdgeUsError
        The manifest, a picture, the model or the backend cannot be used; the message says which.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"cannot evaluate {limit} pictures", "Give a limit of at least 1.")
    if resamples < 100:
        raise UsageError(f"{resamples} resamples give no interval", "Give at least 100, better 2000.")
    rows = read_manifest(manifest, split, datasets)
    cases = list(rows.cases)
    if limit is not None and limit < len(cases):
        chosen = sorted(random.Random(seed).sample(range(len(cases)), limit))
        cases = [cases[index] for index in chosen]
    loaded, info, observations, network = observe_manifest(
        cases,
        model,
        backend=backend,
        precision=precision,
        threads=threads,
        region=region,
        threshold=threshold,
        calibration=calibration,
        classifier=classifier,
        progress=progress,
    )
    at = loaded.threshold
    bootstrap = Bootstrap(resamples, seed)
    sample = Sample(observations, at, bootstrap)
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "manifest": _about_manifest(rows, len(cases)),
        "model": about_model(loaded),
        "classifier": None
        if network is None
        else {"name": network.name, "sha256": network.sha256, "temperature": network.temperature},
        "backend": about_backend(info),
        "settings": {
            "region": region,
            "score_floor": min(SCORE_FLOOR, at),
            "hit_iou": IOU_THRESHOLDS[0],
            "smallest_component_share": SPECK_SHARE,
            "bootstrap": about_bootstrap(bootstrap),
        },
        "counts": sample.counts(),
        **metrics(sample, None if network is None else network.threshold),
        "strata": _strata(observations, rows, at, bootstrap),
    }
    return Evaluation(report, sample)


def observe_manifest(
    cases: Sequence[Case],
    model: str,
    *,
    backend: BackendName = BackendName.AUTO,
    precision: Precision = Precision.AUTO,
    threads: int | None = None,
    region: str = "auto",
    threshold: float | None = None,
    calibration: Path | None = None,
    classifier: str = "auto",
    progress: Progress | None = None,
) -> tuple[Model, BackendInfo, list[Observation], ClassifierModel | None]:
    """Look at all cases with all scores kept; parameters as for `evaluate`.

    Returns
    -------
    Model
        With the operating threshold and score temperature that were used.
    BackendInfo
    list of Observation
    ClassifierModel or None
    """
    from edge_us.calibrate.score_calibration import calibrated
    from edge_us.calibrate.temperature import temper
    from edge_us.classify.choose import AUTO, OFF, choose_classifier
    from edge_us.inference.model import load_model
    from edge_us.probe.probe import check_model
    from edge_us.runtime.engine import open_engine

    check_files(cases)
    check_model(model, backend=backend, precision=precision)
    if classifier not in (AUTO, OFF):
        check_model(classifier, is_classifier=True, backend=backend, precision=precision)
    loaded = calibrated(load_model(model, precision), calibration)
    if threshold is not None:
        loaded = replace(loaded, threshold=threshold)
    chosen = choose_classifier(classifier, loaded, calibration)
    with closing(open_engine(loaded, chosen, backend=backend, precision=precision, threads=threads)) as engine:
        # The floor is the network's own score: a temperature must not change which findings are ranked.
        floor = float(temper(SCORE_FLOOR, loaded.score_temperature))
        analyser = _analyser(region, engine, min(floor, loaded.threshold))
        observations = observe_all(cases, analyser, loaded.threshold, progress)
        return loaded, engine.info, observations, chosen


def _analyser(region: str, engine: Engine, floor: float) -> Analyser:
    from edge_us.capture.source import SourceKind
    from edge_us.config import load_config
    from edge_us.runtime.build import build_analyser

    config = load_config({"source": "images:", "region": region, "measure": False}, environment={})
    return build_analyser(config, engine.share(), SourceKind.STILLS, floor)


def _about_manifest(manifest: Manifest, used: int) -> dict[str, Any]:
    return {
        "name": manifest.path.name,
        "sha256": manifest.sha256,
        "split": manifest.split,
        "datasets": list(manifest.datasets),
        "excluded": dict(manifest.excluded),
        "sampled": used if used < len(manifest.cases) else None,
    }


def _strata(
    observations: list[Observation], manifest: Manifest, threshold: float, bootstrap: Bootstrap
) -> dict[str, Any]:
    return {
        kind: {value: stratum_metrics(Sample(members, threshold, bootstrap)) for value, members in values.items()}
        for kind, values in strata(observations, manifest).items()
    }
