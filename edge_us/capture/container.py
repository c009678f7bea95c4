"""Whether a file was cut off: its container says so, and no decoder checks it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_SEGMENT, _EBML = 0x18538067, 0x1A45DFA3
MOST_BOXES = 1 << 19
"""Top-level boxes that are walked over: a live recording of 35 hours has so many. A file that is nothing but empty
boxes would otherwise be walked for minutes."""
_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})


def missing_bytes(path: Path) -> int:
    """Number of bytes by which an mp4, mov, mkv or avi file is shorter than its own headers say.

    0 where nothing is missing, or where the container does not say (a live recording, another format). Only headers
    are read: boxes of ISO/IEC 14496-12, EBML elements of RFC 8794, the RIFF header.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(12)
            if start[:4] == b"RIFF":
                end = 8 + int.from_bytes(start[4:8], "little")
            elif start[:4] == _EBML.to_bytes(4, "big"):
                end = _matroska_end(file)
            elif start[4:8] in _BOXES:
                end, _ = _walk_boxes(file, size)
            else:
                end = 0
    except OSError:
        return 0
    return max(0, end - size)


def lacks_index(path: Path) -> bool:
    """Whether this is an mp4 or mov file without its index (``moov`` box), which recorders write when they stop."""
    try:
        with path.open("rb") as file:
            if file.read(8)[4:] not in _BOXES:
                return False
            _, has_index = _walk_boxes(file, path.stat().st_size)
    except OSError:
        return False
    return not has_index


def _walk_boxes(file: BinaryIO, size: int) -> tuple[int, bool]:
    """Where the last top-level box ends, and whether there is an index on the way, or too much to look at."""
    position = 0
    has_index = False
    for _ in range(MOST_BOXES):
        if position + 8 > size:
            return position, has_index
        file.seek(position)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length == 0:  # up to the end of the file, however long
            length = size - position
        if length < 8 or not header[4:8].isascii():
            return size, has_index  # not a box: damaged, but not by cutting
        has_index = has_index or header[4:8] == b"moov"
        position += length
    return size, True


def _matroska_end(file: BinaryIO) -> int:
    position = 0
    for _ in range(4):
        file.seek(position)
        header = file.read(12)
        if len(header) < 5 or not header[4]:
            return 0
        width = 9 - header[4].bit_length()
        value = int.from_bytes(header[4 : 4 + width], "big") & ((1 << 7 * width) - 1)
        if value == (1 << 7 * width) - 1:  # unknown size: written live
            return 0
        position += 4 + width + value
        if int.from_bytes(header[:4], "big") == _SEGMENT:
            return position
    return 0
