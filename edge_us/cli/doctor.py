"""`edge-us doctor`: what this machine has, what will be used and why, and how to get the rest."""

from __future__ import annotations

import platform

import typer

from edge_us._version import __version__
from edge_us.errors import EdgeUsError, ExitCode


def doctor_command() -> None:
    """Show what this machine has, which backend would be chosen, and why."""
    problems = 0
    _line("edge-us", f"{__version__}, research use only, not for diagnosis")
    _line("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    problems += _gstreamer()
    problems += _backends()
    problems += _models()
    if problems:
        typer.echo(f"\n{problems} problem(s), see above", err=True)
        raise typer.Exit(ExitCode.MISSING)
    typer.echo("\nready")


def _line(what: str, text: str) -> None:
    typer.echo(f"{what:12} {text}")


def _problem(what: str, error: EdgeUsError) -> int:
    _line(what, f"MISSING: {error.message}")
    _line("", f"hint: {error.hint}")
    return 1


def _gstreamer() -> int:
    from edge_us.capture.gst import available_elements, load_gst

    try:
        gst = load_gst()
    except EdgeUsError as error:
        return _problem("gstreamer", error)
    _line("gstreamer", gst.version_string())
    groups = {
        "decode": ("avdec_h264", "avdec_h265", "avdec_mjpeg", "jpegdec", "nvv4l2decoder"),
        "encode": ("x264enc", "openh264enc", "nvv4l2h264enc", "nvh264enc"),
        "live": ("v4l2src", "decklinkvideosrc", "rtspsrc"),
        "display": ("waylandsink", "kmssink", "xvimagesink", "ximagesink", "nv3dsink"),
    }
    present = available_elements()
    for group, names in groups.items():
        _line("", f"{group}: " + ", ".join(name for name in names if name in present))
    return 0


def _backends() -> int:
    from edge_us.inference.backend import BackendName, Precision
    from edge_us.inference.backends import choose_backend, probe_machine
    from edge_us.inference.gpu import unready_engine
    from edge_us.inference.model import load_model
    from edge_us.inference.registry import DEFAULT_NAME

    machine = probe_machine()
    for text in machine.describe():
        _line("inference", text)
    try:
        choice = choose_backend(
            machine,
            BackendName.AUTO,
            Precision.AUTO,
            unready=lambda: unready_engine(load_model(DEFAULT_NAME), Precision.AUTO),
        )
    except EdgeUsError as error:
        return _problem("chosen", error)
    _line("chosen", f"{choice.name.value}, {choice.precision.value}, on {choice.device}")
    for reason in choice.reasons:
        _line("", f"because {reason}")
    if not machine.gpu.missing:
        _engines()
    return 0


def _engines() -> None:
    from edge_us.tensorrt.overview import overview

    for text in overview():
        _line("engines", text)


def _models() -> int:
    from edge_us.inference.registry import verify_models

    bad = 0
    for name, state in verify_models():
        _line("model", f"{name}: {state}")
        bad += state != "ok"
    return bad
