"""The accuracy gate: a built file is measured against its source by `evaluate`, and refused if it lost too much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from edge_us.builder.ranges import Pictures
from edge_us.calibrate.fit_scores import NEEDED_LESION_GROUPS
from edge_us.errors import AccuracyError, InputError, UsageError
from edge_us.evaluate.evaluation import Evaluation, evaluate
from edge_us.evaluate.manifest import read_manifest
from edge_us.inference.backend import BackendName, Precision

MOST_LOST = 0.005
"""Dice and sensitivity that a built file may lose: half a point."""
SLACK = 1e-9
"""Sums of hundreds of floats are not exact."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The labelled pictures that a built file is judged on.

    Attributes
    ----------
    manifest : Path
        CSV as for `evaluate`; no patient of the calibration set may be in it.
    split : str or None
        Only rows of this split.
    backend : BackendName
        That measures both files.
    """

    manifest: Path
    split: str | None = None
    backend: BackendName = BackendName.AUTO


class Figures(BaseModel):
    """What one file was measured to do, at the model's operating point."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backend: str
    precision: str = Field(description="Arithmetic that it was measured in.")
    dice: float
    sensitivity: float
    false_findings_per_image: float
    ap50: float
    normals_quiet: float | None = Field(description="Share of normal pictures without a finding; null without any.")


class GateReport(BaseModel):
    """The figures that a built file was judged by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    manifest: str
    manifest_sha256: str
    split: str | None
    images: int
    lesions: int
    groups: int
    threshold: float
    most_lost: float = Field(description="Of Dice and of sensitivity.")
    source: Figures
    built: Figures
    dice_change_per_image: float = Field(
        description="Mean absolute change of a picture's Dice: what gains and losses cancel in the means."
    )
    passed: bool

    def lines(self) -> list[str]:
        """The figures in words, a line for each measure."""
        pairs = [
            ("Dice", self.source.dice, self.built.dice),
            ("sensitivity", self.source.sensitivity, self.built.sensitivity),
            ("AP50", self.source.ap50, self.built.ap50),
            ("false findings per image", self.source.false_findings_per_image, self.built.false_findings_per_image),
        ]
        if self.source.normals_quiet is not None and self.built.normals_quiet is not None:
            pairs.append(("normals quiet", self.source.normals_quiet, self.built.normals_quiet))
        return [f"{name:25} {before:.4f} -> {after:.4f}" for name, before, after in pairs]


def check_gate(gate: Gate, calibrated_on: frozenset[tuple[str, str]], cached: Pictures | None = None) -> None:
    """Refuse a gate that could not judge, before anything is built.

    Parameters
    ----------
    gate : Gate
    calibrated_on : frozenset of (str, str)
        Data set and patient of every calibration picture; empty where they are not at hand.
    cached : Pictures, optional
        What a cache of ranges says of pictures that are not at hand.

    Raises
    ------
    InputError
        It has too few patients with a lesion: half a point would be a matter of luck.
    UsageError
        A patient is in the calibration set and in the gate.
    """
    rows = read_manifest(gate.manifest, gate.split)
    groups = {(case.dataset, case.group) for case in rows.cases if not case.is_normal}
    if len(groups) < NEEDED_LESION_GROUPS:
        raise InputError(
            f"the gate {gate.manifest.name} has {len(groups)} patients with a lesion: "
            f"{NEEDED_LESION_GROUPS} are needed at least",
            "Give more labelled pictures; with few, half a point is a matter of luck.",
        )
    same_split = cached is not None and (None in (cached.split, gate.split) or cached.split == gate.split)
    if cached is not None and same_split and cached.manifest_sha256 == rows.sha256:
        raise UsageError(
            f"the cached ranges were measured on pictures of {gate.manifest.name} that the gate would judge on",
            f"Judge on another split than {cached.split!r}: --gate-split.",
        )
    both = {(case.dataset, case.group) for case in rows.cases} & calibrated_on
    if both:
        raise UsageError(
            f"{len(both)} patients are in the calibration set and in the gate",
            "Judge on other patients: --split and --gate-split choose them.",
        )


def judge(
    source: str,
    built: Path,
    precision: Precision,
    gate: Gate,
    progress: Callable[[str, int, int], None] | None = None,
) -> GateReport:
    """Measure source and built file on the same pictures.

    Parameters
    ----------
    source : str
        Name or path of the float model; it is measured in fp32.
    built : Path
    precision : Precision
        Of the built file. INT8 is measured in int8; float files in fp32, so that the cast alone is judged.
    gate : Gate
    progress : callable, optional
        Called with what is being done, the number of pictures done and their total.

    Returns
    -------
    GateReport
        ``passed`` says whether the file may be used; see `refuse`.
    """
    float_result = _measure(source, Precision.FP32, gate, "judging the source", progress)
    computed = Precision.INT8 if precision is Precision.INT8 else Precision.FP32
    built_result = _measure(str(built), computed, gate, f"judging {precision.value}", progress)
    before, after = _figures(float_result.report), _figures(built_result.report)
    changes = [
        abs(one.dice - other.dice)
        for one, other in zip(float_result.sample.observations, built_result.sample.observations, strict=True)
    ]
    about, counts = float_result.report["manifest"], float_result.report["counts"]
    return GateReport(
        manifest=about["name"],
        manifest_sha256=about["sha256"],
        split=about["split"],
        images=counts["images"],
        lesions=counts["lesions"],
        groups=counts["groups"],
        threshold=float_result.report["operating_point"]["threshold"],
        most_lost=MOST_LOST,
        source=before,
        built=after,
        dice_change_per_image=round(float(np.mean(changes)), 6),
        passed=holds(before, after),
    )


def holds(before: Figures, after: Figures) -> bool:
    """Whether at most `MOST_LOST` of Dice and of sensitivity was lost; gains do not make up for losses."""
    lost = max(before.dice - after.dice, before.sensitivity - after.sensitivity)
    return lost <= MOST_LOST + SLACK


def refuse(report: GateReport, name: str, precision: Precision) -> None:
    """Raise `AccuracyError` with the numbers where the gate was not passed."""
    if report.passed:
        return
    before, after = report.source, report.built
    raise AccuracyError(
        f"{precision.value} of {name} is refused: Dice {before.dice:.4f} -> {after.dice:.4f}, sensitivity "
        f"{before.sensitivity:.4f} -> {after.sensitivity:.4f} on {report.images} images of {report.manifest} "
        f"({report.lesions} lesions); at most {MOST_LOST} may be lost",
        "Try more --images, another --method, or --keep-float for the parts that are sensitive; else use fp16.",
    )


def _measure(
    model: str,
    precision: Precision,
    gate: Gate,
    what: str,
    progress: Callable[[str, int, int], None] | None,
) -> Evaluation:
    return evaluate(
        gate.manifest,
        gate.split,
        model,
        backend=gate.backend,
        precision=precision,
        classifier="off",
        resamples=100,  # intervals are not looked at
        progress=None if progress is None else lambda done, total: progress(what, done, total),
    )


def _figures(report: Any) -> Figures:
    point = report["operating_point"]
    return Figures(
        backend=report["backend"]["name"],
        precision=report["backend"]["precision"],
        dice=report["segmentation"]["dice_mean"]["value"],
        sensitivity=point["sensitivity"]["value"],
        false_findings_per_image=point["false_positives_per_image"]["value"],
        ap50=report["detection"]["ap50"]["value"],
        normals_quiet=report["normals"]["specificity"]["value"],
    )
