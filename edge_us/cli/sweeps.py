"""`edge-us sweeps`: synthetic sequences with masks, made from labelled stills."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from edge_us.cli.evaluate import show_progress


def sweeps_command(
    manifest: Path = typer.Argument(..., help="CSV of labelled stills, as for `edge-us evaluate`."),
    out: Path = typer.Argument(..., help="New folder for the clips, their masks and sequences.csv."),
    split: str | None = typer.Option(None, help="Only stills of this split; default all."),
    count: int = typer.Option(30, min=1, help="Number of sweeps."),
    frames: int = typer.Option(150, min=2, help="Frames of each."),
    fps: float = typer.Option(30.0, min=1.0, max=1000.0, help="Frames per second."),
    seed: int = typer.Option(0, help="The same seed gives the same bytes."),
) -> None:
    """Make synthetic sweeps from stills: pan, zoom, gain, bending, changing speckle. They are no recordings."""
    from edge_us.evaluate.video.make_sweeps import make_sweeps

    path = make_sweeps(
        manifest,
        out,
        split,
        count=count,
        frames=frames,
        fps=fps,
        seed=seed,
        progress=show_progress if sys.stderr.isatty() else None,
    )
    typer.echo(f"synthetic sweeps  {path}")
    typer.echo(f"measure with      edge-us evaluate {path} --video")
