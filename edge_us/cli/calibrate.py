"""`edge-us calibrate`: fit a model's numbers to the place where it is used."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from edge_us.cli.calibrate_pixels import pixels_command
from edge_us.cli.calibrate_region import region_command
from edge_us.cli.evaluate import check_outputs, show_progress
from edge_us.inference.backend import BackendName, Precision

NO_NORMALS = (
    "no normal picture is among them: false alarms on normal tissue are not counted, and may be many at this threshold"
)

calibrate_app = typer.Typer(help="Fit a model's numbers to the place where it is used.", no_args_is_help=True)


@calibrate_app.callback()
def _root() -> None:
    """Each is a command of its own."""


calibrate_app.command("region")(region_command)
calibrate_app.command("pixels")(pixels_command)


@calibrate_app.command("scores")
def scores_command(
    manifest: Path = typer.Argument(..., help="CSV of your own labelled pictures, as for `edge-us evaluate`."),
    out: Path = typer.Option(..., help="Write the calibration here (JSON); `run --calibration` takes it."),
    split: str | None = typer.Option(None, help="Only rows of this split; default all rows."),
    model: str = typer.Option("default", help="Name of a shipped model, or the path of a YOLO segmentation ONNX."),
    backend: BackendName = typer.Option(BackendName.AUTO, help="Inference backend."),
    precision: Precision = typer.Option(Precision.AUTO, help="Arithmetic of the backend."),
    threads: int | None = typer.Option(None, min=1, help="Inference threads; default all cores."),
    region: str = typer.Option("auto", help="Image region: auto, full, or X,Y,W,H in px."),
    dataset: list[str] = typer.Option([], help="Only this data set; may be repeated."),
    false_positives: float = typer.Option(0.1, help="False alarms per picture that are put up with."),
) -> None:
    """Fit temperature and operating point to your own pictures.

    Judge the result on other pictures: `edge-us evaluate OTHER.csv --calibration FILE`.
    """
    from edge_us.calibrate.fit_scores import fit_scores

    check_outputs(manifest, {"out": out})
    found = fit_scores(
        manifest,
        split,
        model,
        backend=backend,
        precision=precision,
        threads=threads,
        region=region,
        datasets=dataset,
        false_positives=false_positives,
        progress=show_progress if sys.stderr.isatty() else None,
    )
    found.write(out)
    cases = found.cases
    quiet = "no normal pictures" if found.normals_quiet is None else f"normals quiet {found.normals_quiet:.3f}"
    typer.echo(
        f"{found.model} on {cases.images} images, {cases.lesions} lesions, {cases.normals} normals, "
        f"{cases.groups} groups: temperature {found.score_temperature:g}, threshold {found.threshold:g}"
    )
    typer.echo(
        f"there: sensitivity {found.sensitivity:.3f}, false positives per image "
        f"{found.false_positives_per_image:.3f}, {quiet} (on the cases that were fitted: optimistic)"
    )
    if found.normals_quiet is None:
        typer.echo(f"warning: {NO_NORMALS}", err=True)
    typer.echo(f"calibration  {out}")
