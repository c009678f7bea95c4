"""`edge-us models build`: a model's ONNX file in another precision, judged before it is written."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from edge_us.builder.build import BuildPrecision, Built, build_model
from edge_us.builder.gate import Gate
from edge_us.builder.int8 import CalibrationMethod, Int8Settings
from edge_us.builder.pictures import DEFAULT_IMAGES, CalibrationSource
from edge_us.cli.models_prebuild import check_machine, prebuild_one
from edge_us.errors import UsageError
from edge_us.inference.backend import BackendName, Precision


def build_command(
    model: str = typer.Argument(..., help="Name of a shipped model, or the path of a float ONNX file."),
    precision: BuildPrecision = typer.Option(..., help="What the file is to hold."),
    out: Path | None = typer.Option(None, help="The ONNX file; default NAME-PRECISION.onnx here. Its record is .json."),
    calibration: Path | None = typer.Option(None, help="int8: CSV of pictures that ranges are measured on."),
    split: str | None = typer.Option(None, help="Only rows of this split of the calibration; default all rows."),
    images: int = typer.Option(DEFAULT_IMAGES, min=1, help="Calibration pictures, drawn at random."),
    seed: int = typer.Option(0, help="Seed of the draw."),
    method: CalibrationMethod = typer.Option(Int8Settings().method, help="How ranges follow from the values."),
    percentile: float = typer.Option(
        Int8Settings().percentile, min=90.0, max=100.0, help="For --method percentile: per cent inside the range."
    ),
    keep_float: list[str] = typer.Option([], help="Nodes with this text in their name stay float; may be repeated."),
    signed: bool = typer.Option(False, "--signed", help="int8 activations around zero, as TensorRT needs them."),
    cache: Path | None = typer.Option(None, help="int8: file of measured ranges; taken where it fits, else written."),
    gate: Path | None = typer.Option(None, help="CSV of labelled pictures that accuracy is held on; int8 needs it."),
    gate_split: str | None = typer.Option(None, help="Only rows of this split of the gate; default all rows."),
    backend: BackendName = typer.Option(BackendName.AUTO, help="Backend that judges."),
    engine: bool = typer.Option(False, "--engine", help="Build the file's TensorRT engine for this machine as well."),
) -> None:
    """Build a model's ONNX file in another precision; refused where it loses more than half a point of accuracy."""
    if engine:
        if precision is BuildPrecision.INT8 and not signed:
            raise UsageError("TensorRT takes no unsigned activations", "Add --signed, or leave out --engine.")
        check_machine()
    built = build_model(
        model,
        precision,
        out,
        calibration=None if calibration is None else CalibrationSource(calibration, split, images, seed),
        cache=cache,
        gate=None if gate is None else Gate(gate, gate_split, backend),
        settings=Int8Settings(method, percentile, tuple(keep_float), signed),
        progress=_show if sys.stderr.isatty() else None,
    )
    for line in summary(built):
        typer.echo(line)
    if engine:
        typer.echo(prebuild_one(str(built.path), Precision.AUTO, None))


def summary(built: Built) -> list[str]:
    """The lines that are printed: the file, what it was calibrated on, and what it was judged by."""
    record = built.record
    lines = [f"{record.source.name} in {record.precision}: {built.path}, {built.path.stat().st_size / 1e6:.1f} MB"]
    if record.calibration is not None:
        pictures = record.calibration.pictures
        lines.append(
            f"calibrated on {pictures.images} pictures of {pictures.manifest} "
            f"({record.calibration.method.value}), {record.calibration.quantised_tensors} tensors quantised"
        )
    if record.gate is not None:
        judged = record.gate
        lines.append(f"judged on {judged.images} pictures of {judged.manifest}, {judged.lesions} lesions:")
        lines += [f"  {line}" for line in judged.lines()]
    return [*lines, f"record       {built.record_path}"]


def _show(what: str, done: int, total: int) -> None:
    """Count the pictures on a terminal."""
    if done % 10 == 0 or done == total:
        end = "\r\x1b[K" if done == total else ""
        print(f"\r{what}: {done} of {total}", end=end, file=sys.stderr, flush=True)
