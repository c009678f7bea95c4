"""Errors a user can cause, each with one message, one hint and one exit code."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the ``edge-us`` command; documented in ``docs/cli.md``."""

    OK = 0
    INTERNAL = 1
    """A defect of edge_us itself; the only case in which a traceback may be asked for."""
    USAGE = 2
    """The command line or the configuration is wrong."""
    INPUT = 3
    """The source is missing, empty, not a video, or was never connected."""
    MODEL = 4
    """The model is missing, corrupt, or not a YOLO segmentation network."""
    RUNTIME = 5
    """Something failed while running: backend, encoder, disk, lost source."""
    MISSING = 6
    """A library or system package that this command needs is not installed."""
    ACCURACY = 7
    """A built model lost too much accuracy and was refused."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C; everything shown until then is on disk."""


class EdgeUsError(Exception):
    """Root of all errors that a user can cause.

    Parameters
    ----------
    message : str
        What happened, naming the file, option or device.
    hint : str
        What to do about it, best as a command to run.
    """

    exit_code: ExitCode = ExitCode.RUNTIME

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(EdgeUsError):
    """A wrong option or configuration value."""

    exit_code = ExitCode.USAGE


class InputError(EdgeUsError):
    """A source that cannot be opened or played."""

    exit_code = ExitCode.INPUT


class ModelError(EdgeUsError):
    """A model that is missing, corrupt or of the wrong kind."""

    exit_code = ExitCode.MODEL


class EngineMismatchError(ModelError):
    """An engine that was built for something else than what is here: the message names what differs."""


class PipelineError(EdgeUsError):
    """A backend, sink or source that failed while running."""

    exit_code = ExitCode.RUNTIME


class GpuLostError(PipelineError):
    """Nothing on the GPU works in this process any more, whatever is built anew."""


class MissingDependencyError(EdgeUsError):
    """A library or system package that is not installed."""

    exit_code = ExitCode.MISSING


class AccuracyError(EdgeUsError):
    """A built model that lost too much accuracy; the message has the numbers."""

    exit_code = ExitCode.ACCURACY


def one_line(error: BaseException, *, last: bool = False) -> str:
    """What a foreign error says, in one line of at most 200 characters: its first line, or its last."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1 if last else 0][:200]
