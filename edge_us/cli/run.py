"""`edge-us run`: the main job."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

import typer

from edge_us.config import Analysable, Fallback, Mode, RunConfig, load_config
from edge_us.errors import EdgeUsError, ExitCode
from edge_us.finding import Exam
from edge_us.inference.backend import BackendName, Precision
from edge_us.log import LogFormat
from edge_us.sinks.decklink import DeckLinkMode

if TYPE_CHECKING:
    from edge_us.runtime.run import Run


def _help(field: str) -> str:
    return RunConfig.model_fields[field].description or ""


def run_command(
    source: list[str] | None = typer.Argument(
        None,
        help=_help("source") + " Several run beside each other on one backend; outputs NAME.ext become NAME-1.ext, …",
        show_default=False,
    ),
    exam: Exam | None = typer.Option(None, help=_help("exam")),
    model: str | None = typer.Option(None, help=_help("model")),
    classifier: str | None = typer.Option(None, help=_help("classifier")),
    node_classifier: str | None = typer.Option(None, help=_help("node_classifier")),
    nodal_risk: str | None = typer.Option(None, help=_help("nodal_risk")),
    backend: BackendName | None = typer.Option(None, help=_help("backend")),
    precision: Precision | None = typer.Option(None, help=_help("precision")),
    fallback: Fallback | None = typer.Option(None, help=_help("fallback")),
    build: bool | None = typer.Option(None, "--build", help=_help("build")),
    build_only: bool = typer.Option(
        False, "--build-only", help="Build the engines that a run with these options needs, as --build does, and stop."
    ),
    threads: int | None = typer.Option(None, help=_help("threads")),
    mode: Mode | None = typer.Option(None, help=_help("mode")),
    loop: bool | None = typer.Option(None, "--loop", help=_help("loop")),
    play_fps: float | None = typer.Option(None, help=_help("play_fps")),
    max_frames: int | None = typer.Option(None, help=_help("max_frames")),
    min_score: float | None = typer.Option(None, help=_help("min_score")),
    calibration: Path | None = typer.Option(None, help=_help("calibration")),
    region: str | None = typer.Option(None, help=_help("region")),
    analysable: Analysable | None = typer.Option(None, help=_help("analysable")),
    preset: Path | None = typer.Option(None, help=_help("preset")),
    record_full_screen: bool | None = typer.Option(None, "--record-full-screen", help=_help("record_full_screen")),
    measure: bool | None = typer.Option(None, "--measure/--no-measure", help=_help("measure")),
    record: Path | None = typer.Option(None, help=_help("record")),
    findings: Path | None = typer.Option(None, help=_help("findings")),
    report: Path | None = typer.Option(None, help=_help("report")),
    bundle: Path | None = typer.Option(None, help=_help("bundle")),
    log: LogFormat | None = typer.Option(None, help=_help("log")),
    metrics: str | None = typer.Option(None, metavar="[HOST:]PORT", help=_help("metrics")),
    metrics_token: Path | None = typer.Option(None, metavar="FILE", help=_help("metrics_token")),
    metrics_cert: Path | None = typer.Option(None, metavar="FILE", help=_help("metrics_cert")),
    metrics_key: Path | None = typer.Option(None, metavar="FILE", help=_help("metrics_key")),
    display: bool | None = typer.Option(None, "--display", help=_help("display")),
    fullscreen: bool | None = typer.Option(None, "--fullscreen", help=_help("fullscreen")),
    monitor: int | None = typer.Option(None, help=_help("monitor")),
    decklink_out: int | None = typer.Option(None, metavar="N", help=_help("decklink_out")),
    decklink_mode: DeckLinkMode | None = typer.Option(None, help=_help("decklink_mode")),
    deterministic: bool | None = typer.Option(None, "--deterministic", help=_help("deterministic")),
    probe: bool | None = typer.Option(None, "--probe/--no-probe", help=_help("probe")),
    connect_timeout: float | None = typer.Option(None, help=_help("connect_timeout_s")),
    max_age: float | None = typer.Option(None, metavar="MS", help=_help("max_age_ms")),
    config: Path | None = typer.Option(None, help="TOML file with any of these options."),
) -> None:
    """Outline, track and label lesions on a video, live source or folder of stills."""
    options: dict[str, Any] = {
        "source": source[0] if source else None,
        "exam": exam,
        "model": model,
        "classifier": classifier,
        "node_classifier": node_classifier,
        "nodal_risk": nodal_risk,
        "backend": backend,
        "precision": precision,
        "fallback": fallback,
        "build": build,
        "threads": threads,
        "mode": mode,
        "loop": loop,
        "play_fps": play_fps,
        "max_frames": max_frames,
        "min_score": min_score,
        "calibration": calibration,
        "region": region,
        "analysable": analysable,
        "preset": preset,
        "record_full_screen": record_full_screen,
        "measure": measure,
        "record": record,
        "findings": findings,
        "report": report,
        "bundle": bundle,
        "log": log,
        "metrics": metrics,
        "metrics_token": metrics_token,
        "metrics_cert": metrics_cert,
        "metrics_key": metrics_key,
        "display": display,
        "fullscreen": fullscreen,
        "monitor": monitor,
        "decklink_out": decklink_out,
        "decklink_mode": decklink_mode,
        "deterministic": deterministic,
        "probe": probe,
        "connect_timeout_s": connect_timeout,
        "max_age_ms": max_age,
    }
    from edge_us.runtime.several import configs_of

    merged = load_config(options, config)
    if build_only:
        from edge_us.cli.models_prebuild import prebuild_for

        prebuild_for(merged)
        return
    configs = configs_of(merged, source or [merged.source])
    if len(configs) == 1:
        execute(configs[0])
    else:
        from edge_us.cli.run_several import execute_several

        execute_several(configs)


def execute(config: RunConfig) -> dict[str, Any]:
    """Run with progress on a terminal, print the summary, and return the report.

    Raises `typer.Exit` with `ExitCode.RUNTIME` when an output stopped on the way, and with
    `ExitCode.INTERRUPTED` when a signal ended the run.
    """
    from edge_us.runtime.notify import Notifier
    from edge_us.runtime.run import Run
    from edge_us.runtime.telling import say, tell_events

    tell_events(config.log)
    notifier = Notifier()
    running = Run(config, beat=notifier.alive)
    change_exam_on_signal([running])
    progress = Progress()
    try:
        for frame, _ in running:
            if not progress.started:
                stop_on_signals(running)
                notifier.ready()
            progress.tick(frame.index + 1)
    finally:
        notifier.stopping()
        progress.clear()
        if running.report is not None:
            say(summary(running.report), sys.stdout)
            for warning in warnings(running.report, running.failures):
                say(f"warning: {warning}", sys.stderr)
    for failure in running.failures:
        say(f"error: {failure.message}\nhint: {failure.hint}", sys.stderr)
    if running.failures:
        raise typer.Exit(ExitCode.RUNTIME)
    if running.stopped:
        raise typer.Exit(ExitCode.INTERRUPTED)
    assert running.report is not None
    return running.report


def warnings(report: Mapping[str, Any], failures: Sequence[EdgeUsError]) -> list[str]:
    """What a report warns of, without what is said as an error anyway."""
    errors = {failure.message for failure in failures}
    return [warning for warning in report["warnings"] if warning not in errors]


class Stoppable(Protocol):
    """What a signal ends: one run, or several."""

    def stop(self) -> None:
        """End after the frame in hand."""
        ...


def stop_on_signals(running: Stoppable) -> Callable[[], bool]:
    """From now on the first signal ends the run after the frame in hand; a second one interrupts at once.

    Returns a function that says whether there was a signal.
    """
    stopped = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        stopped = True
        signal.signal(number, signal.default_int_handler)
        running.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return lambda: stopped


def change_exam_on_signal(runs: Sequence[Run]) -> None:
    """From now on SIGUSR1 changes the exam of these runs from the breast to the axilla, and back."""

    def change(_number: int, _frame: FrameType | None) -> None:
        for each in runs:
            each.controls.change_exam()

    signal.signal(signal.SIGUSR1, change)


def summary(report: dict[str, Any]) -> str:
    """One line with what matters: frames, fps, latency, backend."""
    frames, latency = report["frames"], report["latency_ms"]["capture_to_shown"]
    fps = "-" if report["fps"] is None else f"{report['fps']:.1f}"
    spread = "-" if latency["p50"] is None else f"p50 {latency['p50']:.1f} / p99 {latency['p99']:.1f} ms"
    dropped = sum(frames["dropped"].values())
    backend = report["backend"]
    return (
        f"{frames['shown']} frames shown at {fps} fps, capture to shown {spread}, "
        f"{frames['skipped']} skipped, {dropped} dropped "
        f"({report['model']['name']}, {backend['name']} {backend['precision']}, {report['mode']})"
    )


class Progress:
    """A counter on the terminal, at most five times a second; silent when standard error is no terminal."""

    def __init__(self) -> None:
        self.started = False
        self._on = sys.stderr.isatty()
        self._next = 0.0

    def tick(self, frames: int) -> None:
        """Show the number of frames so far."""
        self.started = True
        if self._on and time.monotonic() >= self._next:
            self._next = time.monotonic() + 0.2
            print(f"\r{frames} frames", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Wipe the counter away before other text."""
        if self._on:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
