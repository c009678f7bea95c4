"""What a worker is at, in a mapped file: it survives whatever kills the worker."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from fuzz.mutate import MAX_BYTES

_FORMAT = struct.Struct("<QQQdQdQ")
_FIELDS = ("done", "accepted", "refused", "started_s", "_length", "peak_bytes", "baseline_bytes")
_SIZE = _FORMAT.size + MAX_BYTES


class State:
    """The input in hand and the counts so far; one writer, one reader.

    Attributes
    ----------
    done, accepted, refused : int
    started_s : float
        Monotonic time at which the input in hand was begun; 0 between inputs.
    peak_bytes : float
        Highest growth of resident memory that one input caused.
    baseline_bytes : int
        Resident memory once everything was loaded; 0 before.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if create:
            path.write_bytes(bytes(_SIZE))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)
        self.done = self.accepted = self.refused = self.baseline_bytes = 0
        self.started_s = self.peak_bytes = 0.0
        self._length = 0
        self.load()

    def load(self) -> None:
        """Read what the writer wrote."""
        for name, value in zip(_FIELDS, _FORMAT.unpack_from(self._map), strict=True):
            setattr(self, name, value)

    def store(self) -> None:
        """Write everything but the input."""
        # Not `pack_into`, which fills the place with zeros first: the reader may look at any time.
        self._map[: _FORMAT.size] = _FORMAT.pack(*(getattr(self, name) for name in _FIELDS))

    @property
    def data(self) -> bytes:
        """The input in hand, or the last one."""
        return self._map[_FORMAT.size : _FORMAT.size + self._length]

    @data.setter
    def data(self, data: bytes) -> None:
        data = data[:MAX_BYTES]
        self._length = len(data)
        self._map[_FORMAT.size : _FORMAT.size + len(data)] = data

    def close(self) -> None:
        """Unmap the file."""
        self._map.close()
