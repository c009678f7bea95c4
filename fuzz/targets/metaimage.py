"""MetaImage: the text header, and the pixels that it describes."""

from __future__ import annotations

import zlib
from pathlib import Path

from edge_us.capture.metaimage import open_metaimage
from fuzz.target import Target

FRAMES = 3
PLAIN = (
    b"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n"
    b"DimSize = 24 18 2\nElementType = MET_UCHAR\nElementSpacing = 0.1 0.2 1\nUltrasoundImageOrientation = MF\n"
    b"ClipRectangleOrigin = 1 1\nClipRectangleSize = 20 16\nSeq_Frame0000_Timestamp = 1.5\n"
    b"Seq_Frame0001_Timestamp = 1.6\nElementDataFile = LOCAL\n"
)


def seeds(_folder: Path) -> list[bytes]:
    pixels = bytes(range(216)) * 4
    coloured = PLAIN.replace(b"ElementType", b"ElementNumberOfChannels = 3\nElementType").replace(b"MF", b"UN")
    packed = PLAIN.replace(b"CompressedData = False", b"CompressedData = True").replace(b"MET_UCHAR", b"MET_FLOAT")
    limited = PLAIN.replace(b"MET_UCHAR", b"MET_SHORT\nElementMin = -5\nElementMax = 900\nHeaderSize = -1")
    beside = PLAIN.replace(b"LOCAL", b"beside.raw")
    return [PLAIN + pixels, coloured + pixels * 3, packed + zlib.compress(pixels * 4), limited + pixels * 2, beside]


def check(data: bytes, folder: Path) -> None:
    path = folder / "sequence.mha"
    path.write_bytes(data)
    (folder / "beside.raw").write_bytes(bytes(24 * 18 * 2))
    with open_metaimage(path) as source:
        for _ in range(FRAMES):
            frame = source.read(0.5)
            if frame is None:
                break
            assert frame.pixels.size > 0
        assert source.info.fps is None or 0 < source.info.fps < 1e6
        assert all(isinstance(warning, str) for warning in source.warnings)


TARGET = Target(
    seeds,
    check,
    tuple(
        b"DimSize ElementType ElementSpacing ElementNumberOfChannels ElementDataFile LOCAL LIST True False MET_UCHAR "
        b"MET_CHAR MET_DOUBLE MET_FLOAT MET_ULONG_LONG HeaderSize CompressedData ElementMin ElementMax Kinds "
        b"domain UltrasoundImageType UltrasoundImageOrientation FU UF NM FM ClipRectangleSize ClipRectangleOrigin "
        b"Seq_Frame0000_Timestamp Seq_Frame0001_Timestamp BinaryDataByteOrderMSB".split()
    )
    + (b" = ", b"\n", b"\n\n", b"\0", b"=", b"/"),
    limit_s=8.0,
)
