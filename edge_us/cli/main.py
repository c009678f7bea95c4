"""`edge-us`: the commands, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

import typer

from edge_us._version import __version__
from edge_us.capture.uri import without_credentials
from edge_us.cli.bench import bench_command
from edge_us.cli.calibrate import calibrate_app
from edge_us.cli.demo import demo_command
from edge_us.cli.doctor import doctor_command
from edge_us.cli.evaluate import evaluate_command
from edge_us.cli.models import models_app
from edge_us.cli.replay import replay_command
from edge_us.cli.run import run_command
from edge_us.cli.sweeps import sweeps_command
from edge_us.errors import EdgeUsError, ExitCode

app = typer.Typer(
    name="edge-us",
    help="Edge runtime for breast ultrasound. Research use only. Not for diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run_command)
app.command("demo")(demo_command)
app.command("doctor")(doctor_command)
app.command("evaluate")(evaluate_command)
app.command("bench")(bench_command)
app.command("replay")(replay_command)
app.command("sweeps")(sweeps_command)
app.add_typer(calibrate_app, name="calibrate")
app.add_typer(models_app, name="models")


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    if version:
        typer.echo(f"edge-us {__version__}")
        raise typer.Exit


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _hide_credentials() -> None:
    """Take passwords in addresses out of what `ps` shows of this process."""
    shown = [without_credentials(word) for word in sys.argv[1:]]
    if shown != sys.argv[1:]:
        from setproctitle import setproctitle

        setproctitle(" ".join(["edge-us", *shown]))


def main() -> None:
    """Run the command line; every error a user can cause ends in one message, a hint and an exit code."""
    _hide_credentials()
    signal.signal(signal.SIGTERM, _stop)
    # Whoever asks for the other exam too early or too late must not end the process: unheard it would be killed.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        app()
    except EdgeUsError as error:
        fail(error)
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output went away (`edge-us models list | head -1`): nothing is wrong here.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.OK)
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def fail(error: EdgeUsError) -> None:
    """Print message and hint to standard error and leave with the error's exit code."""
    typer.echo(f"error: {error.message}", err=True)
    typer.echo(f"hint: {error.hint}", err=True)
    sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
