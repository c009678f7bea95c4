"""`edge-us demo`: the whole way on a phantom clip, to see that it works here."""

from __future__ import annotations

from pathlib import Path

import typer

from edge_us.errors import UsageError


def demo_command(
    out: Path = typer.Option(Path("edge-us-demo"), help="Folder for the clip and the results."),
    frames: int = typer.Option(300, min=10, max=10_000, help="Length of the phantom clip."),
) -> None:
    """Make a synthetic clip, run the main job on it on the CPU, and say where the results are."""
    from edge_us.cli.run import execute
    from edge_us.config import load_config
    from edge_us.phantom.clip import write_phantom_clip
    from edge_us.phantom.spec import PhantomSpec

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {out}: {error.strerror}", "Choose another --out.") from None
    clip = out / f"phantom-{frames}.mp4"
    if not clip.exists():
        typer.echo("making a phantom clip (synthetic B-mode, no patient) ...")
        write_phantom_clip(PhantomSpec(frames=frames), clip)
    results = {
        "record": out / "annotated.mp4",
        "findings": out / "findings.jsonl",
        "report": out / "report.json",
    }
    execute(load_config({"source": str(clip), **results}, environment={}))
    typer.echo(f"annotated video  {results['record']}")
    typer.echo(f"findings         {results['findings']}")
    typer.echo(f"report           {results['report']}")
