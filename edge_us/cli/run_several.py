"""`edge-us run A B C`: several sources in one process."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from edge_us.errors import EdgeUsError, ExitCode

if TYPE_CHECKING:
    from edge_us.config import RunConfig
    from edge_us.runtime.several import Several


def execute_several(configs: Sequence[RunConfig]) -> None:
    """Run over all sources, print a line for each and one for all together.

    Raises `typer.Exit` with the exit code of the first source that failed, with `ExitCode.RUNTIME` when an output
    stopped, and with `ExitCode.INTERRUPTED` when a signal ended the runs.
    """
    from edge_us.cli.run import Progress, change_exam_on_signal, stop_on_signals
    from edge_us.runtime.notify import Notifier
    from edge_us.runtime.several import Several
    from edge_us.runtime.telling import tell_events

    tell_events(configs[0].log)
    progress, notifier = Progress(), Notifier()
    with Several(configs) as several:
        stopped = stop_on_signals(several)
        change_exam_on_signal(several.runs)
        for shown in several:
            if shown:
                notifier.ready()
            if several.is_alive:
                notifier.alive()
            progress.tick(shown)
        notifier.stopping()
        progress.clear()
    code = _tell(several)
    if code is ExitCode.OK and stopped():
        code = ExitCode.INTERRUPTED
    if code is not ExitCode.OK:
        raise typer.Exit(code)


def _tell(several: Several) -> ExitCode:
    """Say how each run ended; the worst of it as an exit code."""
    from edge_us.cli.run import summary, warnings
    from edge_us.runtime.telling import say

    code = ExitCode.OK
    for number, (running, report) in enumerate(zip(several.runs, several.reports(), strict=True)):
        name = f"{number + 1}"
        if report is not None:
            say(f"{name} {report['source']}: {summary(report)}", sys.stdout)
            for warning in warnings(report, running.failures):
                say(f"{name} warning: {warning}", sys.stderr)
        errors = [*running.failures, *([several.errors[number]] if number in several.errors else [])]
        for error in errors:
            if not isinstance(error, EdgeUsError):
                raise error
            say(f"{name} error: {error.message}\n{name} hint: {error.hint}", sys.stderr)
            code = code or ExitCode(error.exit_code)
    total = several.together
    cpu = "-" if total.cpu_ms_per_frame is None else f"{total.cpu_ms_per_frame:.1f} CPU ms per frame"
    say(f"together {total.shown} frames in {total.seconds:.1f} s, {cpu}", sys.stdout)
    return code
