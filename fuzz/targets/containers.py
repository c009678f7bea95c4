"""Headers of mp4, mov, mkv and avi: `edge_us.capture.container`."""

from __future__ import annotations

import struct
from pathlib import Path

from edge_us.capture.container import lacks_index, missing_bytes
from fuzz.target import Target


def seeds(_folder: Path) -> list[bytes]:
    mp4 = _box(b"ftyp", b"mp42" + bytes(4)) + _box(b"moov", _box(b"mvhd", bytes(100))) + _box(b"mdat", bytes(50))
    long_box = struct.pack(">I4sQ", 1, b"mdat", 66) + bytes(50)
    mkv = b"\x1a\x45\xdf\xa3\x84abcd" + b"\x18\x53\x80\x67\x01\0\0\0\0\0\0\x40" + bytes(64)
    return [mp4, _box(b"ftyp", b"qt  ") + long_box, mkv, b"RIFF" + struct.pack("<I", 60) + b"AVI " + bytes(56)]


def check(data: bytes, folder: Path) -> None:
    path = folder / "clip"
    path.write_bytes(data)
    assert missing_bytes(path) >= 0
    assert lacks_index(path) in (True, False)


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


TARGET = Target(
    seeds,
    check,
    (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"RIFF", b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\xec"),
    limit_s=2.0,
)
