"""`edge-us bench`: how fast this machine is at the main job."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from edge_us.bench.case import Case, shown_name
from edge_us.bench.loopback import Output
from edge_us.config import Mode
from edge_us.errors import UsageError
from edge_us.inference.backend import BackendName, Precision

FRAMES = 300


def bench_command(
    source: list[str] = typer.Argument(
        None, help="Files or live sources; default a phantom clip, 800x600, 300 frames.", show_default=False
    ),
    model: list[str] = typer.Option([], help="Model name or ONNX file; may be repeated. Default the shipped one."),
    classifier: str = typer.Option("auto", help="As for `edge-us run`."),
    backend: BackendName = typer.Option(BackendName.AUTO, help="As for `edge-us run`."),
    precision: list[Precision] = typer.Option([], help="May be repeated; default auto."),
    threads: int | None = typer.Option(None, min=1, max=256, help="Inference threads; default all cores."),
    imgsz: list[int] = typer.Option([], help="Only models with an input of this size; may be repeated."),
    mode: list[Mode] = typer.Option([], help="May be repeated; default every and live for files."),
    paced: float | None = typer.Option(None, min=0.1, max=1000, metavar="FPS", help="Rate of a file in mode live."),
    seconds: float = typer.Option(10.0, min=0.5, help="Measured time of each case in each round."),
    warm_up: float = typer.Option(2.0, min=0.0, help="Seconds that are left out at the beginning."),
    rounds: int = typer.Option(3, min=1, help="Interleaved rounds over all cases."),
    region: str = typer.Option("auto", help="As for `edge-us run`."),
    preset: Path | None = typer.Option(None, help="As for `edge-us run`."),
    record_full_screen: bool = typer.Option(False, "--record-full-screen", help="As for `edge-us run`."),
    save: bool | None = typer.Option(
        None,
        "--save/--no-save",
        help="Record the picture and write findings, as a user would; default yes, but for live sources of which "
        "nobody says what may be recorded. Both are deleted afterwards.",
    ),
    loopback: Output | None = typer.Option(
        None, help="Glass to glass instead: a frame counter shown there is read back from the capture input."
    ),
    monitor: int = typer.Option(0, min=0, help="With --loopback display: which monitor shows the counter."),
    soak: str | None = typer.Option(None, metavar="DURATION", help="One long round, such as 30m: shows drift."),
    json_path: Path | None = typer.Option(None, "--json", help="Write all figures here."),
    html: Path | None = typer.Option(None, help="Write a self-contained page here."),
) -> None:
    """Measure fps, latency, CPU and memory; each case in its own process, rounds interleaved."""
    if loopback is not None:
        from edge_us.cli.bench_loopback import loopback_command

        options = {"classifier": classifier, "backend": backend.value, "threads": threads}
        options |= {"model": (model or ["default"])[0], "precision": (precision or [Precision.AUTO])[0].value}
        loopback_command(loopback, source, options, paced or 30.0, monitor, seconds, warm_up, json_path)
        return
    from edge_us.bench.measure import benchmark
    from edge_us.bench.page import about_machine, build_page, rounds_of, text_table
    from edge_us.page.html import write_text

    window = 60.0
    if soak is not None:
        seconds, rounds = parse_duration(soak), 1
        window = max(1.0, min(60.0, seconds / 10))
    models = _models(model or ["default"], imgsz)
    with tempfile.TemporaryDirectory(prefix="edge-us-bench-") as folder:
        sources = source or [str(_phantom(Path(folder)))]
        cases = [
            case
            for text in sources
            for name in models
            for arithmetic in precision or [Precision.AUTO]
            for case in _cases(
                Case(
                    text, Mode.EVERY, name, classifier, backend, arithmetic, threads, region=region, preset=preset,
                    record_full_screen=record_full_screen,
                ),
                mode, paced, save,
            )
        ]  # fmt: skip
        for text in dict.fromkeys(shown_name(case.source) for case in cases if save is None and not case.save):
            typer.echo(
                f"warning: {text} is measured without recording and findings: nobody named its image region "
                "(--region, --preset or --record-full-screen)",
                err=True,
            )
        report = benchmark(cases, rounds=rounds, seconds=seconds, warm_up_s=warm_up, window_s=window, progress=_tell)
    typer.echo(f"{about_machine(report['machine'])}\n{rounds_of(report['settings'])}\n")
    typer.echo(text_table(report))
    if report["machine"]["load_before"] is not None and report["machine"]["load_before"] > 0.5:
        typer.echo(
            f"warning: the machine was busy before (load {report['machine']['load_before']:g}); only ratios hold",
            err=True,
        )
    if json_path is not None:
        write_text(json_path, json.dumps(report, indent=1) + "\n")
    if html is not None:
        write_text(html, build_page(report))


def parse_duration(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``30m`` or ``1.5h``; raises `UsageError` otherwise."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", text.strip())
    seconds = float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2] or "s"] if found else 0.0
    if seconds < 1:
        raise UsageError(f"{text!r} is no duration", "Write 90s, 30m or 2h.")
    return seconds


def _cases(case: Case, modes: Sequence[Mode], paced: float | None, save: bool | None) -> list[Case]:
    """The case in each mode."""
    from edge_us.capture.open import kind_of
    from edge_us.capture.source import SourceKind

    kind = kind_of(case.source)
    is_file, is_live = kind is SourceKind.FILE, kind is SourceKind.LIVE
    if paced is not None and not is_file:
        raise UsageError(f"{shown_name(case.source)} has its own pace", "Leave out --paced, or give a file.")
    if not modes:
        modes = [Mode.EVERY, Mode.LIVE] if is_file else [Mode.LIVE if is_live else Mode.EVERY]
    saves = (not is_live or case.names_what_may_leave) if save is None else save
    return [
        replace(case, mode=mode, play_fps=paced if mode is Mode.LIVE else None, loop=is_file, save=saves)
        for mode in modes
    ]


def _models(names: Sequence[str], sizes: Sequence[int]) -> list[str]:
    """The models with one of these input sizes; a network's size is fixed when it is exported."""
    from edge_us.inference.model import load_model

    inputs = {name: load_model(name).input_size for name in names}
    if not sizes:
        return list(inputs)
    chosen = [name for name, size in inputs.items() if max(size) in sizes]
    missing = [size for size in sizes if size not in {max(inputs[name]) for name in chosen}]
    if missing:
        have = ", ".join(f"{Path(name).name} {width}x{height}" for name, (width, height) in inputs.items())
        raise UsageError(
            f"no model has an input of {missing[0]} px (given: {have})",
            f"Export one, models/recipes/export.py BEST.pt OUT.onnx --imgsz {missing[0]}, and give --model OUT.onnx.",
        )
    return chosen


def _phantom(folder: Path) -> Path:
    from edge_us.phantom.clip import write_phantom_clip
    from edge_us.phantom.spec import PhantomSpec

    clip = folder / f"phantom-{FRAMES}.mp4"
    write_phantom_clip(PhantomSpec(frames=FRAMES), clip)
    return clip


def _tell(number: int, case: Case, figures: Mapping[str, Any]) -> None:
    from edge_us.bench.page import name_of

    name = name_of(case.about())
    print(f"round {number}: {name}: {figures['fps']:.1f} fps", file=sys.stderr, flush=True)
