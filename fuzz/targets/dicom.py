"""DICOM files: header, fragments and pixels, as a run opens and plays them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge_us.capture.dicom import open_dicom
from fuzz.target import Target
from tests.capture_files import dicom_files as made

FRAMES = 3


def seeds(folder: Path) -> list[bytes]:
    grey, colours = made.grey_ramp(), made.smooth_colours()
    jpeg = made.jpeg(colours)
    palette: dict[str, Any] = {
        f"{name}PaletteColorLookupTable{part}": value
        for name in ("Red", "Green", "Blue")
        for part, value in (("Descriptor", [256, 0, 16]), ("Data", (np.arange(256, dtype="<u2") * 257).tobytes()))
    }
    files = [
        made.write_dicom(folder / "a.dcm", grey.tobytes(), SequenceOfUltrasoundRegions=[made.region()]),
        made.write_dicom(folder / "b.dcm", grey.tobytes() * 3, frames=3, FrameTime=40, CineRate=25),
        made.write_dicom(
            folder / "c.dcm", colours.tobytes() * 2, frames=2, samples=3, photometric="RGB", FrameTimeVector=[0, 40]
        ),
        made.write_dicom(
            folder / "d.dcm", [jpeg] * 3, frames=3, syntax=made.JPEG_BASELINE, samples=3, photometric="YBR_FULL_422"
        ),
        made.write_dicom(
            folder / "e.dcm", grey.astype("<u2").tobytes(), bits=12, WindowCenter=100, WindowWidth=200, RescaleSlope=2
        ),
        made.write_dicom(folder / "f.dcm", grey.tobytes(), photometric="PALETTE COLOR", **palette),
        made.write_dicom(folder / "g.dcm", [_rle(grey)], frames=1, syntax=made.RLE),
        made.write_dicom(
            folder / "h.dcm", [_jpeg_2000(grey)], frames=1, syntax=made.JPEG_2000_LOSSLESS, has_offset_table=False
        ),
    ]
    return [path.read_bytes() for path in files]


def check(data: bytes, folder: Path) -> None:
    path = folder / "scan.dcm"
    path.write_bytes(data)
    with open_dicom(path) as source:
        for _ in range(FRAMES):
            frame = source.read(0.5)
            if frame is None:
                break
            assert frame.pixels.size > 0
        assert all(isinstance(warning, str) for warning in source.warnings)


def _rle(grey: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    """One segment of literal runs of 64 (PS3.5 annex G)."""
    data = grey.tobytes()
    segment = b"".join(b"\x3f" + data[start : start + 64] for start in range(0, len(data), 64))
    return (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56) + segment


def _jpeg_2000(grey: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    from openjpeg.utils import encode_array

    return bytes(encode_array(grey))


TARGET = Target(
    seeds,
    check,
    tuple(
        group.to_bytes(2, "little") + element.to_bytes(2, "little")
        for group, element in (
            (0x0002, 0x0010), (0x0008, 0x0008), (0x0018, 0x1063), (0x0018, 0x1065), (0x0018, 0x6011), (0x0018, 0x6018),
            (0x0028, 0x0002), (0x0028, 0x0004), (0x0028, 0x0006), (0x0028, 0x0008), (0x0028, 0x0010), (0x0028, 0x0011),
            (0x0028, 0x0100), (0x0028, 0x0101), (0x0028, 0x0102), (0x0028, 0x0103), (0x0028, 0x1050), (0x0028, 0x1053),
            (0x0028, 0x1101), (0x0028, 0x1201), (0x7FE0, 0x0010), (0xFFFE, 0xE000), (0xFFFE, 0xE0DD), (0x7FE0, 0x0001),
        )
    )
    + (b"SQ", b"US", b"OB", b"OW", b"UN", b"DS", b"IS", b"FD", b"UL", b"RGB ", b"MONOCHROME1 ", b"YBR_FULL")
    + (b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.1.99")
    + (b"1.2.840.10008.1.2.4.102", b"\xff\x4f\xff\x51", b"\xff\xd8", b"\xff\xd9", b"\xff\xff\xff\xff"),
    limit_s=12.0,
)  # fmt: skip
