"""`LineFile`: a file that grows by whole lines."""

from __future__ import annotations

import errno
import os
from pathlib import Path


class LineFile:
    """Lines in a new file, each in one write, so that it reaches the operating system whole.

    A killed process leaves whole lines, but for at most the last one, which then lacks its newline: the kernel looks
    for a kill between the pages of a write, so that a line that crosses a page can be torn, and nothing in user space
    can mend that.

    Parameters
    ----------
    path : Path
        Overwritten.

    Raises
    ------
    OSError
        Here and from `write`.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)  # a full disk is noticed at once

    def write(self, line: bytes) -> None:
        """Append a line, given without its newline; all of it or nothing."""
        line += b"\n"
        written = self._file.write(line)
        if written != len(line):  # the disk became full within the line: take the torn part back
            self._file.truncate(self._file.seek(-(written or 0), os.SEEK_CUR))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._file.closed

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._file.close()
