"""`edge-us calibrate pixels`: how large a pixel is, by the ruler on the cart's screen, shown before it is taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edge_us.cli.calibrate_picture import check_folder, coarsened_but, outline, parse_rect, write_picture
from edge_us.errors import InputError, UsageError
from edge_us.finding import Unknown
from edge_us.frame import Frame, Rect

if TYPE_CHECKING:
    from edge_us.calibrate.preset import Preset
    from edge_us.scale.ruler import Ruler

BAND_SHARE = 6
"""The ruler is looked for in bands beside the image that are this part of the screen's width."""
BEYOND_TICKS_PX = 24
"""The numbers beside the ticks are watched as well: a ruler in steps of 10 mm at 80 mm of depth has the ticks of one in
steps of 5 mm at 40 mm."""
DEPTH_FITS = (0.7, 1.4)
"""Height of the region in mm over the depth that was said: a tick of another size would be off by 2 and more."""
YELLOW, CYAN = (0, 214, 255), (230, 200, 60)


def pixels_command(
    source: str = typer.Argument(..., help="The capture device or recording, at the depth that the scale is for."),
    preset: Path = typer.Option(..., help="Preset with the image region, from `edge-us calibrate region`."),
    out: Path = typer.Option(..., help="Write the preset with the scale here (TOML); may be the same file."),
    watch: list[str] = typer.Option(
        ..., help="X,Y,W,H where depth, zoom and application stand in words, and no name; may be repeated."
    ),
    tick_mm: float | None = typer.Option(None, help="Distance of two neighbouring ticks of the ruler in mm."),
    ruler: str | None = typer.Option(None, help="X,Y,W,H of the ruler; by default it is looked for beside the image."),
    points: str | None = typer.Option(None, help="X1,Y1,X2,Y2: two points on the ruler, instead of --tick-mm."),
    mm: float | None = typer.Option(None, help="Their distance in mm."),
    aspect: float = typer.Option(1.0, help="Width of a pixel over its height; 1 is square."),
    depth_mm: float | None = typer.Option(None, help="Imaging depth that the cart shows, as a check."),
    probe: str | None = typer.Option(None, help="Name of the probe."),
    picture: Path | None = typer.Option(None, help="Show what was found in this picture; default beside --out."),
    yes: bool = typer.Option(False, "--yes", help="Take it without asking."),
) -> None:
    """Measure the size of a pixel on the depth ruler, show what was found, and add it to a preset once confirmed."""
    from edge_us.calibrate.preset import read_preset
    from edge_us.scale.reference import fingerprint_of

    check_folder(out)
    if (tick_mm is None) == (points is None) or (points is None) != (mm is None):
        raise UsageError(
            "it takes --tick-mm, or --points and --mm", "Write --tick-mm 5, or --points X1,Y1,X2,Y2 --mm 40."
        )
    for option, value in (("--tick-mm", tick_mm), ("--mm", mm), ("--aspect", aspect), ("--depth-mm", depth_mm)):
        if value is not None and not 0 < value < 1000:
            raise UsageError(f"{option} {value:g} cannot be", "Give a number above 0 and below 1000.")
    known = read_preset(preset)
    words = [parse_rect("--watch", text) for text in watch]
    given = None if ruler is None else parse_rect("--ruler", ruler)
    for rect in [*words, *([given] if given is not None else [])]:
        if rect.clip(*known.screen) != rect:
            raise UsageError(
                f"{','.join(map(str, rect))} does not lie on a screen of {known.screen}", "Look at it again."
            )
    frames = _frames(source, known)
    marks: list[tuple[float, float, str]]
    if tick_mm is not None:
        found, strip = _ruler(frames, known, given)
        mm_y = tick_mm / found.step_px
        middle = (found.columns[0] + found.columns[1] - 1) / 2
        marks = [(middle, row, f"{found.number(row) + 1}: {found.number(row) * tick_mm:g} mm") for row in found.rows]
        told = f"{len(found.rows)} ticks, {found.step_px:.2f} px apart (± {found.error_px:.2f})"
    else:
        assert points is not None
        assert mm is not None
        if given is None:
            raise UsageError("--points needs --ruler: the ruler is watched", "Write --ruler X,Y,W,H.")
        strip, ends = given, _points(points)
        mm_y = mm / math.hypot((ends[2] - ends[0]) * aspect, ends[3] - ends[1])
        marks = [(ends[0], ends[1], "1: 0 mm"), (ends[2], ends[3], f"2: {mm:g} mm")]
        told = f"2 points, {mm:g} mm apart"
    _check_depth(known, mm_y, depth_mm)
    strips = [strip, *words]
    shown = picture or out.with_suffix(".png")
    _draw(frames[-1], known, strips, marks, shown)
    fingerprint = fingerprint_of(frames, strips)
    if isinstance(fingerprint, Unknown):
        raise InputError(f"the watched strips cannot be: {fingerprint.reason}", f"They are shown in {shown}.")
    typer.echo(f"{told}: {mm_y * aspect:.4f} x {mm_y:.4f} mm per px: see {shown}")
    if not yes and not typer.confirm("Do the numbers agree with the cart's ruler, and does no name stand in a strip?"):
        raise UsageError("not confirmed: no preset was written", "Name the ruler with --ruler, or give --points.")
    scale = {
        "mm_per_px": (round(mm_y * aspect, 6), round(mm_y, 6)),
        "watch": tuple(tuple(strip) for strip in strips),
        "fingerprint": fingerprint,
        "depth_mm": depth_mm,
        "probe": known.probe if probe is None else probe,
    }
    type(known).model_validate({**known.model_dump(), **scale}).write(out)
    typer.echo(f"preset {out}")


def _frames(source: str, preset: Preset) -> list[Frame]:
    from edge_us.capture.open import open_source
    from edge_us.scale.reference import FEWEST_FRAMES, FRAMES

    frames: list[Frame] = []
    with open_source(source) as opened:
        for frame in opened:
            if frame.size != preset.screen:
                width, height = preset.screen
                raise UsageError(
                    f"the preset is for {width}x{height}, {source} is {frame.width}x{frame.height}",
                    "Make it anew: edge-us calibrate region SOURCE --out FILE.toml",
                )
            frames.append(frame)
            if len(frames) == FRAMES:
                break
    if len(frames) < FEWEST_FRAMES:
        raise InputError(f"{source} delivered {len(frames)} frames, {FEWEST_FRAMES} are needed", "Give a longer one.")
    return frames


def _ruler(frames: Sequence[Frame], preset: Preset, given: Rect | None) -> tuple[Ruler, Rect]:
    """The ruler, and the strip that is watched for it."""
    from edge_us.scale.reference import mean_picture
    from edge_us.scale.ruler import SAME_STEP, find_ruler

    mean, region, screen = mean_picture(frames), Rect(*preset.region), preset.screen
    hint = "Name the ruler: --ruler X,Y,W,H; or two points on it: --points X1,Y1,X2,Y2 --mm N --ruler X,Y,W,H."
    if given is not None:
        found = find_ruler(mean, given)
        if isinstance(found, Unknown):
            raise InputError(f"the ruler at {','.join(map(str, given))} is not certain: {found.reason}", hint)
        return found, given
    band, end = screen[0] // BAND_SHARE, region.x + region.width
    sides = [Rect(region.x - band, region.y, band, region.height), Rect(end, region.y, band, region.height)]
    looks = [find_ruler(mean, side) for side in (side.clip(*screen) for side in sides) if side.width >= 4]
    rulers = [each for each in looks if not isinstance(each, Unknown)]
    if not rulers:
        reasons = "; ".join(dict.fromkeys(each.reason for each in looks if isinstance(each, Unknown)))
        raise InputError(f"no certain ruler beside the image: {reasons or 'there is no room beside it'}", hint)
    best = max(rulers, key=lambda each: len(each.rows))
    if any(abs(each.step_px / best.step_px - 1) > SAME_STEP for each in rulers):
        raise InputError("the rulers on both sides of the image differ", hint)
    left, right = best.columns[0] - BEYOND_TICKS_PX, best.columns[1] + BEYOND_TICKS_PX
    if best.columns[0] >= end:
        left = max(left, end)
    else:
        right = min(right, region.x)
    return best, Rect(left, region.y - 6, right - left, region.height + 12).clip(*screen)


def _points(text: str) -> tuple[float, float, float, float]:
    try:
        x1, y1, x2, y2 = (float(part) for part in text.split(","))
        distance = math.hypot(x2 - x1, y2 - y1)
    except ValueError:
        x1 = y1 = x2 = y2 = distance = 0.0
    if not 10 <= distance < 1e5:
        raise UsageError(
            f"--points {text}: it takes four numbers X1,Y1,X2,Y2 in px, two points 10 px apart and more",
            "Write --points 700,80,700,580.",
        )
    return x1, y1, x2, y2


def _check_depth(preset: Preset, mm_y: float, depth_mm: float | None) -> None:
    height_mm = preset.region[3] * mm_y
    if depth_mm is not None and not DEPTH_FITS[0] <= height_mm / depth_mm <= DEPTH_FITS[1]:
        raise UsageError(
            f"the image would be {height_mm:.0f} mm high at a depth of {depth_mm:g} mm",
            "Check --tick-mm: every tick counts, the short ones too. The picture numbers them.",
        )


def _draw(
    frame: Frame, preset: Preset, strips: Sequence[Rect], marks: Sequence[tuple[float, float, str]], path: Path
) -> None:
    """Image and strips as they are, all else coarsened; every tick is crossed and numbered beside it, in the image."""
    import cv2

    from edge_us.overlay.text import line_height, line_width, text_mask

    region = Rect(*preset.region)
    shown = coarsened_but(frame, [region, *strips])
    outline(shown, region, YELLOW, 1)
    for strip in strips:
        outline(shown, strip, CYAN, 1)
    px = min(20, max(12, frame.height // 50))
    for x, y, words in marks:
        width, height = line_width(words, px), line_height(px)
        inward = -1 if x > region.x + region.width / 2 else 1
        edge = region.x + region.width - 8 if inward < 0 else region.x + 8
        cv2.line(shown, (round(x), round(y)), (edge, round(y)), YELLOW, 1)
        left = edge - width if inward < 0 else edge
        top = min(max(0, round(y) - height // 2), frame.height - height)
        left = min(max(0, left), frame.width - width)
        ink = text_mask(words, px)
        shown[top : top + height, left : left + width] = ink[..., None]
    write_picture(shown, path)
