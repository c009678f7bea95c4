"""`edge-us calibrate region`: find the ultrasound image on a cart's screen, show it, and keep it as a preset."""

from __future__ import annotations

from pathlib import Path

import typer

from edge_us.errors import InputError, PipelineError, UsageError
from edge_us.frame import Frame, Rect
from edge_us.region.finder import DECIDE_AT, RegionFinder

COARSE_PX = 24
"""Side of the squares that everything outside the region is coarsened to: one can see where things stand, and read
nothing."""


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

    if not out.parent.is_dir():
        raise UsageError(f"--out: the folder {out.parent} does not exist", f"Make it: mkdir -p {out.parent}")
    given = None if region == "auto" else _rect("--region", region)
    hidden = tuple(_rect("--hide", text) for text in hide)
    frame, rect = _look(source, given)
    shown = picture or out.with_suffix(".png")
    _draw(frame, rect, hidden, shown)
    typer.echo(f"region {rect.x},{rect.y},{rect.width},{rect.height} of {frame.width}x{frame.height}: see {shown}")
    if not yes and not typer.confirm("Is all of the image inside, and no name or date?"):
        raise UsageError("not confirmed: no preset was written", "Give the region yourself: --region X,Y,W,H.")
    Preset(name=name, screen=frame.size, region=(rect.x, rect.y, rect.width, rect.height), hide=hidden).write(out)
    typer.echo(f"preset {out}")


def _rect(option: str, text: str) -> Rect:
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        x, y, width, height = -1, -1, 0, 0
    if min(x, y) < 0 or min(width, height) < 1:
        raise UsageError(
            f"{option} {text}: it takes four whole numbers X,Y,W,H in px", f"Write {option} 100,80,600,480."
        )
    return Rect(x, y, width, height)


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
        raise InputError(f"{opened.info.uri} delivered no frame", "Check that it is a video and that it is not empty.")
    if given is not None:
        if given.clip(frame.width, frame.height) != given:
            raise UsageError(f"the region {given} does not lie on {frame.width}x{frame.height} px", hint)
        return frame, given
    estimate = finder.update(to_gray(frame))
    if not estimate.confident:
        raise InputError(
            f"the image region of {opened.info.uri} is not certain: {estimate.reason}", f"Scan, or {hint.lower()}"
        )
    return frame, estimate.rect or Rect(0, 0, frame.width, frame.height)


def _draw(frame: Frame, rect: Rect, hidden: tuple[Rect, ...], path: Path) -> None:
    """The region as it is, everything else coarsened until nothing of it can be read."""
    import cv2
    import numpy as np

    from edge_us.colour import to_bgr

    whole = to_bgr(frame)
    size = (-(-frame.width // COARSE_PX), -(-frame.height // COARSE_PX))
    small = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
    shown = np.asarray(cv2.resize(small, frame.size, interpolation=cv2.INTER_NEAREST), np.uint8)
    rows, columns = slice(rect.y, rect.y + rect.height), slice(rect.x, rect.x + rect.width)
    shown[rows, columns] = whole[rows, columns]
    for x, y, width, height in hidden:
        shown[y : y + height, x : x + width] = 0
    cv2.rectangle(shown, (rect.x, rect.y), (rect.x + rect.width - 1, rect.y + rect.height - 1), (0, 214, 255), 2)
    _, encoded = cv2.imencode(".png", shown)
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise PipelineError(f"cannot write {path}: {error.strerror}", "Choose another --picture.") from None
