"""`alone`: one process at a time builds and writes an engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_us.errors import PipelineError


@contextmanager
def alone(path: Path, wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """No other process is inside such a block for the same file; the lock goes with the process, however it ends.

    Parameters
    ----------
    path : Path
        What is built. Beside it lies ``.NAME.lock`` as long as somebody builds.
    wait : callable
        Called once where another process is inside, before it is waited for.

    Raises
    ------
    PipelineError
        The folder cannot be written.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _taken(lock, wait)
    except OSError as error:
        raise PipelineError(
            f"cannot write {lock}: {error.strerror}", "Make room, or name another folder: EDGE_US_ENGINES=DIR"
        ) from None
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(file)


def _taken(lock: Path, wait: Callable[[], None]) -> int:
    """Descriptor of the lock's file, locked. One that was removed while it was waited for locks nothing any more."""
    import fcntl

    while True:
        file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                wait()
                fcntl.flock(file, fcntl.LOCK_EX)
            if _is_there(lock, file):
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _is_there(lock: Path, file: int) -> bool:
    try:
        return os.path.samestat(lock.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
