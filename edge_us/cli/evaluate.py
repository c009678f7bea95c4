"""`edge-us evaluate`: measure a model on labelled stills."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from edge_us.errors import UsageError
from edge_us.inference.backend import BackendName, Precision


def evaluate_command(
    manifest: Path = typer.Argument(..., help="CSV with the columns dataset, image, mask, label, group, flags, split."),
    split: str | None = typer.Option(None, help="Only rows of this split; default all rows."),
    model: str = typer.Option("default", help="Name of a shipped model, or the path of a YOLO segmentation ONNX."),
    backend: BackendName = typer.Option(BackendName.AUTO, help="Inference backend."),
    precision: Precision = typer.Option(Precision.AUTO, help="Arithmetic of the backend."),
    threads: int | None = typer.Option(None, min=1, help="Inference threads; default all cores."),
    region: str = typer.Option("auto", help="Image region: auto, full, or X,Y,W,H in px."),
    min_score: float | None = typer.Option(
        None, min=0.0, max=1.0, help="Operating threshold; default that of the calibration, else the model's own."
    ),
    calibration: Path | None = typer.Option(None, help="Score calibration made by `edge-us calibrate scores`."),
    classifier: str = typer.Option("auto", help="Benign / malignant network: auto, off, a name, or an ONNX file."),
    video: bool = typer.Option(
        False,
        "--video",
        help="The manifest lists sequences (dataset, clip, masks, label, group, fps, split, synthetic).",
    ),
    dataset: list[str] = typer.Option([], help="Only this data set; may be repeated."),
    limit: int | None = typer.Option(None, min=1, help="Only so many pictures, drawn at random: for a quick look."),
    seed: int = typer.Option(0, help="Seed of the resamples and of --limit."),
    report: Path | None = typer.Option(None, help="Write all numbers here (JSON)."),
    html: Path | None = typer.Option(None, help="Write numbers, curves and worst cases here (one HTML file)."),
) -> None:
    """Measure a model on labelled stills or sequences, each number with its 95 % interval over patients."""
    from edge_us.calibrate.score_calibration import precision_note
    from edge_us.evaluate import evaluate
    from edge_us.evaluate.video.evaluation import VideoEvaluation, evaluate_video

    check_outputs(manifest, {"report": report, "html": html})
    if video and (limit is not None or dataset):
        raise UsageError("--limit and --dataset choose pictures, not sequences", "Leave them out, or choose a --split.")
    settings: dict[str, Any] = {
        "backend": backend,
        "precision": precision,
        "threads": threads,
        "region": region,
        "threshold": min_score,
        "calibration": calibration,
        "seed": seed,
        "progress": show_progress if sys.stderr.isatty() else None,
    }
    result = (
        evaluate_video(manifest, split, model, **settings)
        if video
        else evaluate(manifest, split, model, limit=limit, datasets=dataset, classifier=classifier, **settings)
    )
    if report is not None:
        result.write_report(report)
    if html is not None:
        result.write_html(html)
    if (note := precision_note(calibration, result.report["backend"]["precision"])) is not None:
        typer.echo(f"warning: {note}", err=True)
    lines = video_summary(result.report) if isinstance(result, VideoEvaluation) else summary(result.report)
    for line in lines:
        typer.echo(line)


def summary(report: Mapping[str, Any]) -> list[str]:
    """The lines that are printed: what was measured on what, and the numbers that matter."""
    counts, model, backend = report["counts"], report["model"], report["backend"]
    detection, point = report["detection"], report["operating_point"]
    left_out = "".join(f", {count} {reason} left out" for reason, count in report["manifest"]["excluded"].items())
    values = [
        ("AP50", detection["ap50"]),
        ("AP50-95", detection["ap50_95"]),
        (f"sensitivity at {point['threshold']:g}", point["sensitivity"]),
        ("false positives per image", point["false_positives_per_image"]),
        ("Dice, a miss counts 0", report["segmentation"]["dice_mean"]),
        ("normal images left quiet", report["normals"]["specificity"]),
    ]
    if report["classification"] is not None:
        values.append(("malignancy AUC", report["classification"]["auc"]))
    return [
        f"{model['name']} ({backend['name']} {backend['precision']}) on {counts['images']} images, "
        f"{counts['lesions']} lesions, {counts['normals']} normals, {counts['groups']} groups{left_out}",
        *[f"{name:28} {_text(value)}" for name, value in values],
    ]


def video_summary(report: Mapping[str, Any]) -> list[str]:
    """The lines that are printed of an evaluation on sequences."""
    counts, model, backend = report["counts"], report["model"], report["backend"]
    tracks = report["false_positive_tracks_per_minute"]
    values = [
        ("lesions found", report["lesion_sensitivity"]),
        *[(f"false tracks per minute, >= {least} s", value) for least, value in tracks.items()],
        ("normal frames with a finding", report["normal_frames_with_findings"]),
        ("seconds to detect, median", report["seconds_to_detect"]["median"]),
        ("on/off changes per second", report["flicker_per_second"]),
    ]
    no_recall = "not reached" if counts["lesions"] else "no lesion in any clip"
    return [
        f"{model['name']} ({backend['name']} {backend['precision']}) on {counts['clips']} clips, "
        f"{counts['minutes']:.1f} minutes, {counts['lesions']} lesions, {counts['groups']} groups",
        *([] if report["note"] is None else [f"note: {report['note']}"]),
        *[f"{name:36} {_text(value)}" for name, value in values],
        *[
            f"{f'UltraDet false tracks at recall {recall}':36} "
            + (no_recall if row["score"] is None else _text(row["false_tracks_per_minute"]))
            for recall, row in report["ultradet"].items()
        ],
    ]


def _text(value: Mapping[str, Any]) -> str:
    if value["value"] is None:
        return "-"
    interval = "" if value["ci95"] is None else f"  ({value['ci95'][0]:.3f} to {value['ci95'][1]:.3f})"
    return f"{value['value']:.3f}{interval}"


def check_outputs(manifest: Path, outputs: Mapping[str, Path | None]) -> None:
    """Refuse outputs that cannot be written before minutes are spent on measuring."""
    for option, path in outputs.items():
        if path is None:
            continue
        if path.is_dir() or not path.resolve().parent.is_dir():
            raise UsageError(f"--{option} {path} is a folder, or lies in none", "Give a file in an existing folder.")
        if path.exists() and manifest.exists() and path.samefile(manifest):
            raise UsageError(f"--{option} would overwrite the manifest", "Choose another file.")


def show_progress(done: int, total: int) -> None:
    """Count the pictures on a terminal."""
    if done % 10 == 0 or done == total:
        end = "\r\x1b[K" if done == total else ""
        print(f"\r{done} of {total}", end=end, file=sys.stderr, flush=True)
