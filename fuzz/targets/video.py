"""Files played by GStreamer: opened, and the first frames read, as a run does it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_us.capture.gst import available_elements
from edge_us.capture.gst_source import GstSource
from edge_us.capture.pipelines import build_pipeline
from edge_us.capture.uri import Scheme, SourceUri, parse_source
from fuzz.target import Target
from tests.clips import make_clip, noise

FRAMES = 4
CONNECT_S = 1.2


def seeds(folder: Path) -> list[bytes]:
    pictures = noise(3, 64, 48)
    coloured = [np.full((48 * 3 // 2, 64), 90, np.uint8)] * 2
    made = [
        make_clip(folder / "a.mp4", pictures),
        make_clip(folder / "b.mkv", pictures),
        make_clip(folder / "c.mov", noise(2, 51, 37), codec="mjpeg"),
        make_clip(folder / "d.avi", pictures, codec="mpeg4"),
        make_clip(folder / "e.mkv", coloured, codec="ffv1", pixel_format="I420"),
        make_clip(folder / "f.avi", pictures, codec="mjpeg"),
        make_clip(folder / "g.h264", pictures),
    ]
    return [path.read_bytes() for path in made]


def check(data: bytes, folder: Path) -> None:
    path = folder / "clip.bin"
    path.write_bytes(data)
    if not data:
        parse_source(str(path))
    source = SourceUri(Scheme.VIDEO, str(path), str(path))
    with GstSource(build_pipeline(source, available_elements()), CONNECT_S) as opened:
        for _ in range(FRAMES):
            frame = opened.read(0.5)
            if frame is None:
                break
            assert frame.pixels.size > 0
        assert all(isinstance(warning, str) for warning in opened.warnings)


TARGET = Target(
    seeds,
    check,
    tuple(
        b"ftyp moov mvhd trak tkhd mdia mdhd hdlr minf stbl stsd avc1 avcC stts stss stsc stsz edts elst colr pasp "
        b"btrt jpeg mp4v esds mdat RIFF AVI LIST hdrl avih strl strh strf movi idx1 vids FMP4 MJPG".split()
    )
    + (b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75", b"\xb0", b"\xba", b"\xa3")
    + (b"\0\0\0\x01\x67", b"\0\0\0\x01\x68", b"\0\0\0\x01\x65", b"\xff\xd8", b"\xff\xc0", b"\xff\xda", b"\xff\xc4"),
    limit_s=12.0,
)
