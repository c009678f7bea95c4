"""`edge-us calibrate region`: find the ultrasound image on a cart's screen, show it, and keep it as a preset."""

from __future__ import annotations

from pathlib import Path

import typer

from edge_us.cli.calibrate_picture import check_folder, coarsened_but, outline, parse_rect, write_picture
from edge_us.errors import InputError, UsageError
from edge_us.frame import Frame, Rect
from edge_us.region.finder import DECIDE_AT, RegionFinder


def region_command(
    source: str = typer.Argument(..., help="The capture device or recording; let it scan while this looks."),
    out: Path = typer.Option(..., help="Write the preset here (TOML); `run --preset` takes it."),
    picture: Path | None = typer.Option(None, help="Show what was found in this picture; default beside --out."),
    region: str = typer.Option("auto", help="auto finds it; or X,Y,W,H in px."),
    name: str = typer.Option("", help="Name of the cart."),
    hide: list[str] = typer.Option([], help="X,Y,W,H in the region that is black as well; may be repeated."),
    yes: bool = typer.Option(False, "--yes", help="Take it without asking."),
) -> None:
    """Find the image region of a cart's screen, show it, and write a preset once it is confirmed."""
    from edge_us.calibrate.preset import Preset

    check_folder(out)
    given = None if region == "auto" else parse_rect("--region", region)
    hidden = tuple(parse_rect("--hide", text) for text in hide)
    frame, rect = _look(source, given)
    shown = picture or out.with_suffix(".png")
    _draw(frame, rect, hidden, shown)
    typer.echo(f"region {rect.x},{rect.y},{rect.width},{rect.height} of {frame.width}x{frame.height}: see {shown}")
    if not yes and not typer.confirm("Is all of the image inside, and no name or date?"):
        raise UsageError("not confirmed: no preset was written", "Give the region yourself: --region X,Y,W,H.")
    Preset(name=name, screen=frame.size, region=(rect.x, rect.y, rect.width, rect.height), hide=hidden).write(out)
    typer.echo(f"preset {out}")


def _look(source: str, given: Rect | None) -> tuple[Frame, Rect]:
    """A frame of the source, and the region on it."""
    from edge_us.capture.open import open_source
    from edge_us.colour import to_gray

    hint = "Give it: --region X,Y,W,H."
    finder, frame = RegionFinder(), None
    with open_source(source) as opened:
        for frame in opened:
            if given is not None or frame.index >= DECIDE_AT[-1] or finder.update(to_gray(frame)).confident:
                break
    if frame is None:
        raise InputError(f"{source} delivered no frame", "Check that it is a video and that it is not empty.")
    if given is not None:
        if given.clip(frame.width, frame.height) != given:
            raise UsageError(f"the region {given} does not lie on {frame.width}x{frame.height} px", hint)
        return frame, given
    estimate = finder.update(to_gray(frame))
    if not estimate.confident:
        raise InputError(f"the image region of {source} is not certain: {estimate.reason}", f"Scan, or {hint.lower()}")
    return frame, estimate.rect or Rect(0, 0, frame.width, frame.height)


def _draw(frame: Frame, rect: Rect, hidden: tuple[Rect, ...], path: Path) -> None:
    """The region as it is, everything else coarsened."""
    shown = coarsened_but(frame, [rect])
    for x, y, width, height in hidden:
        shown[y : y + height, x : x + width] = 0
    outline(shown, rect, (0, 214, 255), 2)
    write_picture(shown, path)
