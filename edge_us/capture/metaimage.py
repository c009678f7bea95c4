"""MetaImage sequences (``.mha``, ``.mhd`` with its raw file), as PLUS and others record them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_us.capture.sequence import MAX_FRAME_PIXELS, UNKNOWN_RATE_STEP_NS, Decoded, SequenceSource
from edge_us.capture.source import Source, SourceInfo, SourceKind
from edge_us.errors import InputError
from edge_us.frame import Geometry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_HEADER_BYTES = 64 * 1024 * 1024
MAX_FRAMES = 1_000_000
READ_BYTES = 1 << 20
HINT = "Give a MetaImage sequence as PLUS, ITK or 3D Slicer write it."
_TYPES = {
    "MET_UCHAR": "u1",
    "MET_CHAR": "i1",
    "MET_USHORT": "u2",
    "MET_SHORT": "i2",
    "MET_UINT": "u4",
    "MET_INT": "i4",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_TIMESTAMP = re.compile(r"Seq_Frame(\d+)_Timestamp$")


@dataclass(frozen=True, slots=True)
class Header:
    """What a MetaImage header says.

    Attributes
    ----------
    width, height, frames, channels : int
    dtype : str
        NumPy type with byte order.
    compressed : bool
    data : str
        ``LOCAL`` or the name of the raw file.
    offset : int
        Where the pixels begin in a LOCAL file.
    spacing_mm : (float, float) or None
        None where the header has none, or PLUS's placeholder of 1 1.
    orientation : str
        Two or three letters: where x and y (and z) run; ``MF`` has the probe at the top.
    times_s : dict of int to float
        Time stamps by frame number.
    """

    width: int
    height: int
    frames: int
    channels: int
    dtype: str
    compressed: bool
    data: str
    offset: int
    spacing_mm: tuple[float, float] | None
    orientation: str
    times_s: dict[int, float]

    @property
    def frame_bytes(self) -> int:
        """Size of one frame in the file."""
        return self.width * self.height * self.channels * int(self.dtype[-1])


def parse_header(data: bytes) -> Header:
    """Read a MetaImage header from the beginning of a file.

    Raises
    ------
    InputError
        It is not a MetaImage header, or it declares what cannot be.
    """
    fields, offset = _fields(data)
    try:
        sides = [int(part) for part in fields["DimSize"].split()]
        channels = int(fields.get("ElementNumberOfChannels", "1"))
        kind = _TYPES[fields["ElementType"]]
        target = fields["ElementDataFile"]
    except KeyError as error:
        raise InputError(f"the MetaImage header lacks or does not know {error}", HINT) from None
    except ValueError as error:
        raise InputError(f"the MetaImage header is damaged: {error}", HINT) from None
    if not 2 <= len(sides) <= 4 or min(sides) < 1 or channels not in (1, 3):
        raise InputError(f"the MetaImage declares sizes {sides} with {channels} channels", HINT)
    frames = 1
    for side in sides[2:]:
        frames *= side
    if sides[0] * sides[1] > MAX_FRAME_PIXELS or frames > MAX_FRAMES:
        raise InputError(f"the MetaImage declares an impossible size {sides}", HINT)
    big = fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False")).lower() == "true"
    return Header(
        width=sides[0],
        height=sides[1],
        frames=frames,
        channels=channels,
        dtype=(">" if big else "<") + kind,
        compressed=fields.get("CompressedData", "False").lower() == "true",
        data=target,
        offset=offset,
        spacing_mm=_spacing(fields),
        orientation=fields.get("UltrasoundImageOrientation", "MF").upper(),
        times_s=_times(fields),
    )


def open_metaimage(path: Path) -> Source:
    """Open a MetaImage sequence; the picture is turned so that the probe is at the top.

    More than 8 bits are mapped to 0..255 over the range of the first frame. A file that is cut off plays what it
    holds, then warns.

    Raises
    ------
    InputError
        Not a MetaImage, a missing raw file, or not one whole frame.
    """
    try:
        with path.open("rb") as file:
            start = file.read(MAX_HEADER_BYTES)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", HINT) from None
    header = parse_header(start)
    warnings: list[str] = []
    raw = path if header.data == "LOCAL" else path.parent / header.data
    if header.data != "LOCAL" and (Path(header.data).name != header.data or not raw.is_file()):
        raise InputError(f"{path} names the pixel file {header.data!r}, which is not beside it", HINT)
    geometry = Geometry(reason="the MetaImage header has no spacing")
    if header.spacing_mm is not None:
        geometry = Geometry(mm_per_px=header.spacing_mm, reason="")
    step_ns = UNKNOWN_RATE_STEP_NS
    fps = _rate(header)
    if fps is not None:
        step_ns = round(1e9 / fps)
    info = SourceInfo(str(path), SourceKind.FILE, fps, header.frames)
    source = SequenceSource(info, _decode(raw, header, geometry, step_ns, warnings), warnings)
    if source.peeked is None:
        raise InputError(f"{path} holds not even one whole frame", "The file is damaged or was cut off.")
    return source


def _fields(data: bytes) -> tuple[dict[str, str], int]:
    fields: dict[str, str] = {}
    offset = 0
    while True:
        end = data.find(b"\n", offset, offset + 65536)
        if end < 0:
            raise InputError("the MetaImage header does not end in ElementDataFile", HINT)
        name, equals, value = data[offset:end].decode("latin-1").partition("=")
        offset = end + 1
        if not equals:
            raise InputError("this is not a MetaImage header", HINT)
        fields[name.strip()] = value.strip()
        if name.strip() == "ElementDataFile":
            return fields, offset


def _spacing(fields: dict[str, str]) -> tuple[float, float] | None:
    try:
        x, y = (float(part) for part in fields.get("ElementSpacing", "").split()[:2])
    except ValueError:
        return None
    # PLUS writes 1 1 1 whatever the scale is: it keeps the calibration elsewhere.
    return (x, y) if 0 < x < 10 and 0 < y < 10 and (x, y) != (1.0, 1.0) else None


def _times(fields: dict[str, str]) -> dict[int, float]:
    times = {}
    for name, value in fields.items():
        match = _TIMESTAMP.match(name)
        if match:
            try:
                times[int(match.group(1))] = float(value)
            except ValueError:
                continue
    return times


def _rate(header: Header) -> float | None:
    """Mean frame rate of the time stamps, or None."""
    numbers = sorted(header.times_s)
    if len(numbers) < 2:
        return None
    span_s = header.times_s[numbers[-1]] - header.times_s[numbers[0]]
    rate = (numbers[-1] - numbers[0]) / span_s if span_s > 0 else 0.0
    return rate if 0.01 <= rate <= 1000 else None


def _decode(path: Path, header: Header, geometry: Geometry, step_ns: int, warnings: list[str]) -> Iterator[Decoded]:
    import numpy as np

    limits: tuple[float, float] | None = None
    first_s = header.times_s.get(0)
    pts_ns = -1
    for number, block in enumerate(_blocks(path, header, warnings)):
        values = np.frombuffer(block, header.dtype).reshape(header.height, header.width, header.channels)
        if values.dtype != np.uint8 and limits is None:
            finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
            limits = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        time_s = header.times_s.get(number)
        due_ns = number * step_ns
        if time_s is not None and first_s is not None and 0 <= time_s - first_s < 1e6:
            due_ns = round((time_s - first_s) * 1e9)
        pts_ns = max(due_ns, pts_ns + 1)
        yield Decoded(_upright(_to_uint8(values, limits), header.orientation), pts_ns, geometry)


def _blocks(path: Path, header: Header, warnings: list[str]) -> Iterator[bytes]:
    """The bytes of each frame; inflates as it goes, so that memory stays bounded."""
    size = header.frame_bytes
    inflate = zlib.decompressobj() if header.compressed else None
    pending = bytearray()
    count = 0
    with path.open("rb") as file:
        file.seek(header.offset if header.data == "LOCAL" else 0)
        while count < header.frames:
            if len(pending) >= size:
                yield bytes(pending[:size])
                del pending[:size]
                count += 1
                continue
            tail = inflate.unconsumed_tail if inflate is not None else b""
            chunk = tail or file.read(READ_BYTES)
            if not chunk:
                break
            try:
                pending += chunk if inflate is None else inflate.decompress(chunk, size)
            except zlib.error as error:
                warnings.append(f"{path} is damaged after frame {count}: {error}")
                return
    if count < header.frames:
        warnings.append(f"{path} is truncated: {count} of {header.frames} frames could be read")


def _to_uint8(values: NDArray[np.generic], limits: tuple[float, float] | None) -> NDArray[np.uint8]:
    """Grey (height, width) or BGR (height, width, 3)."""
    import numpy as np

    if limits is not None:
        low, high = limits
        scaled = (values.astype(np.float64) - low) * (255.0 / (high - low) if high > low else 0.0)
        values = np.clip(np.nan_to_num(scaled), 0, 255).round().astype(np.uint8)
    pixels = np.asarray(values, np.uint8)
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels[..., ::-1]


def _upright(pixels: NDArray[np.uint8], orientation: str) -> NDArray[np.uint8]:
    """Turn to MF: x towards the marked side (M, not U), y away from the probe (F, not N)."""
    import numpy as np

    if orientation[:1] in ("F", "N"):
        pixels = np.swapaxes(pixels, 0, 1)
        orientation = orientation[1:2] + orientation[:1]
    if orientation[:1] == "U":
        pixels = pixels[:, ::-1]
    if orientation[1:2] == "N":
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
