"""`edge-us models`: what is shipped, what it was trained on, and whether the files are intact."""

from __future__ import annotations

from collections.abc import Mapping

import typer

from edge_us.cli.models_build import build_command
from edge_us.cli.models_prebuild import prebuild_command
from edge_us.errors import ExitCode

models_app = typer.Typer(help="Shipped models, and files made from them.", no_args_is_help=True)
models_app.command("build")(build_command)
models_app.command("prebuild")(prebuild_command)


@models_app.command("list")
def list_command() -> None:
    """List the shipped models, a line each."""
    from edge_us.inference.registry import list_classifiers, list_models

    for entry in list_models():
        mark = "*" if entry.is_default else " "
        width, height = entry.input_size
        also = ", also int8" if entry.int8 else ""
        typer.echo(f"{mark} {entry.name}  {width}x{height}  {entry.licence}  {entry.summary}{also}")
    for other in list_classifiers():
        typer.echo(f"  {other.name}  {other.side}x{other.side}  {other.licence}  {other.summary}")


@models_app.command("show")
def show_command(name: str = typer.Argument(..., help="Name of a shipped model, or a path.")) -> None:
    """Show a model's input, classes, threshold, licence, data rights, and its card."""
    from edge_us.inference.model import load_model
    from edge_us.inference.registry import card_text, find_classifier
    from edge_us.probe.probe import check_model

    if find_classifier(name) is not None:
        _show_classifier(name)
        return
    check_model(name)
    model = load_model(name)
    width, height = model.input_size
    lines = {
        "name": model.name,
        "path": str(model.path),
        "sha256": model.sha256,
        "input": f"{width}x{height} {'grey' if model.is_grey else 'colour'}",
        "head": model.head.value,
        "classes": ", ".join(model.classes),
        "threshold": f"{model.threshold:g}, masks from {model.mask_threshold:g}",
        "precision": model.stored.value,
        "classifier": model.classifier or "none",
        "licence": model.licence,
        "data rights": model.data_rights,
    }
    _print(lines, card_text(model.name))


def _show_classifier(name: str) -> None:
    from edge_us.classify.model import load_classifier
    from edge_us.inference.registry import card_text

    model = load_classifier(name)
    lines = {
        "name": model.name,
        "path": str(model.path),
        "sha256": model.sha256,
        "input": f"{model.input_size[0]}x{model.input_size[1]} grey crop",
        "output": "probability of malignancy",
        "temperature": f"{model.temperature:g}",
        "threshold": f"{model.threshold:g}",
        "licence": model.licence,
        "data rights": model.data_rights,
    }
    _print(lines, card_text(name))


def _print(lines: Mapping[str, str], card: str | None) -> None:
    for key, value in lines.items():
        typer.echo(f"{key:12} {value}")
    if card:
        typer.echo("")
        typer.echo(card)


@models_app.command("verify")
def verify_command() -> None:
    """Check every shipped file against the sha256 of the manifest."""
    from edge_us.inference.registry import verify_models

    bad = 0
    for name, state in verify_models():
        typer.echo(f"{name}: {state}")
        bad += state != "ok"
    if bad:
        typer.echo(f"error: {bad} model file(s) are not what the manifest says", err=True)
        typer.echo("hint: Install edge-us again, or restore the files from the repository.", err=True)
        raise typer.Exit(ExitCode.MODEL)
