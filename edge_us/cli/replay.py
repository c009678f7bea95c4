"""`edge-us replay`: run a bundle again and say whether it comes to the same."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from edge_us.errors import EdgeUsError, UsageError
from edge_us.inference.backend import BackendName, Precision

SAME, DIFFERENT, NOT_REPLAYED = 0, 1, 2
"""Exit codes of this command alone, as `cmp` and `diff` have them."""


def replay_command(
    bundle: Path = typer.Argument(..., help="Folder that `edge-us run --bundle` wrote."),
    backend: BackendName | None = typer.Option(None, help="Another backend; compared with tolerance."),
    precision: Precision | None = typer.Option(None, help="Another precision; compared with tolerance."),
    source: str | None = typer.Option(None, help="Where the original recording is now, if the bundle names one."),
    html: Path | None = typer.Option(None, help="Show the first frame that differs in this page."),
) -> None:
    """Run a bundle again, on the same clock, and compare. Exit code 0: the same, 1: not, 2: it cannot be replayed."""
    try:
        code = _replay(bundle, backend, precision, source, html)
    except EdgeUsError as error:
        typer.echo(f"error: {error.message}\nhint: {error.hint}", err=True)
        code = NOT_REPLAYED
    except Exception as error:  # 1 says that the replay differs, which nobody knows here
        typer.echo(f"error: the replay failed: {type(error).__name__}: {error}\nhint: Please report this.", err=True)
        code = NOT_REPLAYED
    raise typer.Exit(code)


def _replay(
    folder: Path, backend: BackendName | None, precision: Precision | None, source: str | None, html: Path | None
) -> int:
    from edge_us.page.html import write_text
    from edge_us.replay.page import build_page
    from edge_us.replay.reader import read_bundle
    from edge_us.replay.replay import Replay, judge

    if html is not None and not html.resolve().parent.is_dir():
        raise UsageError(f"--html: the folder {html.resolve().parent} does not exist", "Choose another file.")
    bundle = read_bundle(folder)
    replay = Replay(bundle, backend, precision, source)
    verdict = judge(replay, _progress if sys.stderr.isatty() else None)
    if not bundle.is_whole:
        typer.echo(
            f"warning: {folder} ends before its run did (killed, or no room left); what it holds was replayed", err=True
        )
    limits = replay.tolerance
    how = f"{replay.reason}: box {limits.box_px:g} px, mask IoU {limits.mask_iou:g}, score {limits.score:g}"
    first = verdict.first
    if first is None:
        typer.echo(f"{verdict.frames} frames, all as they were ({how})")
    else:
        typer.echo(f"{verdict.differing} of {verdict.frames} frames differ ({how})")
        typer.echo(f"first: frame {first.frame.index} at {first.frame.pts_ns / 1e9:.3f} s: {first.difference}")
    if html is not None:
        write_text(html, build_page(folder, verdict, how, bundle.header.model.name))
    return SAME if first is None else DIFFERENT


def _progress(frames: int) -> None:
    if frames % 10 == 0:
        print(f"\r{frames} frames", end="\r", file=sys.stderr, flush=True)
