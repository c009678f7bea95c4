"""`RunMerger`: makes the fragments that GStreamer before 1.22 writes readable for every player.

Its ``mp4mux`` gives each picture of a fragment a track run of its own and leaves out the runs' data offsets. ISO/IEC
14496-12 allows that, but FFmpeg, and with it most players, then read every picture from the start of the fragment and
show one in fifteen. One run for the whole fragment means the same and is read by all. It is shorter too, so it goes
where the old ones were, with a free box behind it; nothing else in the file moves.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from pathlib import Path

OFFSET, FIRST_FLAGS = 0x001, 0x004
DURATION, SIZE, FLAGS, COMPOSITION = FIELDS = (0x100, 0x200, 0x400, 0x800)
"""Bits of a track run's flags: which values stand in it."""
TFHD_OPTIONAL = ((0x01, 8), (0x02, 4))
"""What may stand in a track fragment header before the defaults: bit and number of bytes."""
TFHD_DEFAULTS = ((0x08, DURATION), (0x10, SIZE), (0x20, FLAGS))
HEADER = 8


class RunMerger:
    """Follow a growing file and merge the runs of each fragment once it is there.

    Parameters
    ----------
    path : Path
        Fragmented MP4 that another thread or process goes on writing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._defaults: dict[int, int] = {}

    def step(self) -> None:
        """Merge in all fragments that were completed since the last step; raises OSError."""
        with self._path.open("r+b") as file:
            end = os.fstat(file.fileno()).st_size
            while True:
                file.seek(self._position)
                head = file.read(HEADER)
                if len(head) < HEADER:
                    return
                size, kind = struct.unpack(">I4s", head)
                if size < HEADER or self._position + size > end:
                    return
                if kind in (b"moov", b"moof"):
                    box = head + file.read(size - HEADER)
                    if kind == b"moov":
                        self._defaults = _track_defaults(box)
                    merged = merge_runs(box, self._defaults) if kind == b"moof" else box
                    if merged != box:
                        file.seek(self._position)
                        file.write(merged)
                self._position += size


def merge_runs(moof: bytes, defaults: dict[int, int]) -> bytes:
    """Return the movie fragment with one track run in each track fragment, of the same length.

    Parameters
    ----------
    moof : bytes
        A whole ``moof`` box. One whose runs carry their own data offsets comes back as it is.
    defaults : dict
        Default duration, size and flags of a sample (keys `DURATION`, `SIZE`, `FLAGS`), from ``trex``.
    """
    parts = [moof[:HEADER]]
    for kind, box in _children(moof):
        parts.append(_merge_fragment(box, defaults) if kind == b"traf" else box)
    return b"".join(parts)


@dataclass(slots=True)
class _Run:
    """A track run; samples hold one value for each bit of `FIELDS`, None where it stands elsewhere."""

    has_offset: bool
    offset: int = 0
    samples: list[list[int | None]] = field(default_factory=list)


def _merge_fragment(traf: bytes, defaults: dict[int, int]) -> bytes:
    kept: list[bytes] = []
    runs: list[_Run] = []
    place = 0
    for kind, box in _children(traf):
        if kind == b"tfhd":
            defaults = defaults | _fragment_defaults(box)
        if kind == b"trun":
            place = place or len(kept)
            runs.append(_read_run(box))
        else:
            kept.append(box)
    if len(runs) < 2 or any(run.has_offset for run in runs[1:]):
        return traf
    samples = [sample for run in runs for sample in run.samples]
    run = _write_run(samples, runs[0], defaults)
    kept.insert(place, run)
    body = b"".join(kept)
    spare = len(traf) - HEADER - len(body)
    if spare < HEADER:
        return traf
    return traf[:HEADER] + body + struct.pack(">I4s", spare, b"free") + bytes(spare - HEADER)


def _read_run(box: bytes) -> _Run:
    flags = int.from_bytes(box[9:12], "big")
    (count,) = struct.unpack_from(">I", box, 12)
    at = 16
    run = _Run(bool(flags & OFFSET))
    if flags & OFFSET:
        (run.offset,) = struct.unpack_from(">i", box, at)
        at += 4
    first = None
    if flags & FIRST_FLAGS:
        (first,) = struct.unpack_from(">I", box, at)
        at += 4
    for number in range(count):
        sample: list[int | None] = []
        for bit in FIELDS:
            value = None
            if flags & bit:
                (value,) = struct.unpack_from(">I", box, at)
                at += 4
            sample.append(first if bit == FLAGS and number == 0 and first is not None else value)
        run.samples.append(sample)
    return run


def _write_run(samples: list[list[int | None]], first: _Run, defaults: dict[int, int]) -> bytes:
    used = [bit for place, bit in enumerate(FIELDS) if any(sample[place] is not None for sample in samples)]
    flags = sum(used) | (OFFSET if first.has_offset else 0)
    body = struct.pack(">II", flags, len(samples))
    if first.has_offset:
        body += struct.pack(">i", first.offset)
    for sample in samples:
        for place, bit in enumerate(FIELDS):
            if bit in used:
                value = sample[place]
                body += struct.pack(">I", defaults.get(bit, 0) if value is None else value)
    return struct.pack(">I4s", HEADER + len(body), b"trun") + body


def _fragment_defaults(tfhd: bytes) -> dict[int, int]:
    flags = int.from_bytes(tfhd[9:12], "big")
    at = 16 + sum(length for bit, length in TFHD_OPTIONAL if flags & bit)
    found = {}
    for bit, name in TFHD_DEFAULTS:
        if flags & bit:
            (found[name],) = struct.unpack_from(">I", tfhd, at)
            at += 4
    return found


def _track_defaults(moov: bytes) -> dict[int, int]:
    """From the only track's ``trex``."""
    for kind, mvex in _children(moov):
        for inner, trex in _children(mvex) if kind == b"mvex" else []:
            if inner == b"trex":
                duration, size, flags = struct.unpack_from(">III", trex, 20)
                return {DURATION: duration, SIZE: size, FLAGS: flags}
    return {}


def _children(box: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and bytes of each box in a box; stops where they make no sense."""
    found = []
    at = HEADER
    while at + HEADER <= len(box):
        size, kind = struct.unpack_from(">I4s", box, at)
        if size < HEADER or at + size > len(box):
            break
        found.append((kind, box[at : at + size]))
        at += size
    return found
