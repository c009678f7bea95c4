"""The text header of a MetaImage file, and what of it can be believed."""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass
from typing import BinaryIO

from edge_us.capture.sequence import MAX_FRAME_PIXELS
from edge_us.errors import InputError
from edge_us.frame import Rect

MAX_HEADER_BYTES = 64 * 1024 * 1024
"""PLUS writes about 1 kB of transforms a frame: enough for an hour of cine."""
MAX_LINE_BYTES = 65536
MAX_FRAMES = 1_000_000
MAX_FRAME_BYTES = 1 << 27
HINT = "Give a MetaImage sequence as PLUS, ITK or 3D Slicer write it."

DTYPES = {
    "MET_UCHAR": "u1",
    "MET_CHAR": "i1",
    "MET_USHORT": "u2",
    "MET_SHORT": "i2",
    "MET_UINT": "u4",
    "MET_INT": "i4",
    "MET_ULONG": "u4",
    "MET_LONG": "i4",
    "MET_ULONG_LONG": "u8",
    "MET_LONG_LONG": "i8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_TIMESTAMP = re.compile(r"Seq_Frame(\d{1,9})_Timestamp$")


@dataclass(frozen=True, slots=True)
class Header:
    """What a MetaImage header says.

    Attributes
    ----------
    width, height, frames, channels : int
        As stored, before the picture is turned upright.
    dtype : str
        NumPy type with byte order.
    is_compressed : bool
        One zlib stream over all frames.
    data : str
        ``LOCAL`` or the name of the raw file.
    offset : int
        Where the pixels begin in their file, in bytes; -1 says that they are its last bytes.
    spacing_mm : (float, float) or None
        Pixel size in stored x and y; None with ``spacing_reason``.
    spacing_reason : str
    orientation : str
        Two letters: where stored x and y run, M/U to the marked or unmarked side, F/N far from or near to the probe.
    clip : Rect or None
        The ultrasound image inside the stored picture.
    limits : (float, float) or None
        Values that mean black and white, where the header gives them.
    times_s : dict of int to float
        Time stamps by frame number.
    notes : tuple of str
        What is unusual.
    """

    width: int
    height: int
    frames: int
    channels: int
    dtype: str
    is_compressed: bool
    data: str
    offset: int
    spacing_mm: tuple[float, float] | None
    spacing_reason: str
    orientation: str
    clip: Rect | None
    limits: tuple[float, float] | None
    times_s: dict[int, float]
    notes: tuple[str, ...] = ()

    @property
    def frame_bytes(self) -> int:
        """Size of one frame in the file."""
        return self.width * self.height * self.channels * int(self.dtype[-1])


def parse_header(data: bytes) -> Header:
    """`read_header` of bytes in memory."""
    return read_header(io.BytesIO(data))


def read_header(file: BinaryIO) -> Header:
    """Read a MetaImage header from the beginning of a file; leaves the file where the pixels begin.

    Raises
    ------
    InputError
        It is not a MetaImage header, it declares what cannot be, or pixels that are not a picture.
    """
    fields = _fields(file)
    try:
        return _header(fields, file.tell())
    except KeyError as error:
        raise InputError(f"the MetaImage header lacks {error}", HINT) from None
    except (ValueError, OverflowError) as error:
        raise InputError(f"the MetaImage header is damaged: {error}", HINT) from None


def _header(fields: dict[str, str], end: int) -> Header:
    sides = [int(part) for part in fields["DimSize"].split()]
    offset = int(fields.get("HeaderSize", "0"))
    channels = int(fields.get("ElementNumberOfChannels", "1"))
    element = fields["ElementType"]
    if element not in DTYPES:
        raise InputError(f"the MetaImage has elements of type {element}, which is not supported", HINT)
    kind = fields.get("UltrasoundImageType", "").upper()
    if kind.startswith("RF"):
        raise InputError(f"the MetaImage holds radio-frequency data ({kind}), not a picture", "Convert it to B-mode.")
    if not 2 <= len(sides) <= 4 or min(sides) < 1 or channels not in (1, 3, 4):
        raise InputError(f"the MetaImage declares sizes {sides[:8]} with {channels} channels", HINT)
    frames = math.prod(sides[2:])
    if sides[0] * sides[1] > MAX_FRAME_PIXELS or frames > MAX_FRAMES:
        raise InputError(f"the MetaImage declares an impossible size {sides}", HINT)
    if math.prod(sides[:2]) * channels * int(DTYPES[element][1]) > MAX_FRAME_BYTES or not -1 <= offset < 1 << 62:
        raise InputError(f"the MetaImage declares an impossible size {sides} of {element}, or place of it", HINT)
    if _flag(fields, "BinaryData", "True") is False:
        raise InputError("the MetaImage holds its pixels as text, which is not supported", "Write it as binary.")
    target = fields["ElementDataFile"]
    if target.split()[:1] == ["LIST"] or "%" in target or not target:
        raise InputError(f"the MetaImage spreads its pixels over several files ({target[:40]!r})", HINT)
    big = _flag(fields, "BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False"))
    spacing, reason = _spacing(fields)
    orientation, notes = _orientation(fields)
    if _is_volume(fields, sides):
        notes = (*notes, "the MetaImage is a volume: its slices are shown one after the other")
    return Header(
        width=sides[0],
        height=sides[1],
        frames=frames,
        channels=channels,
        dtype=(">" if big else "<") + DTYPES[element],
        is_compressed=_flag(fields, "CompressedData", "False"),
        data=target,
        offset=end if target == "LOCAL" else offset,
        spacing_mm=spacing,
        spacing_reason=reason,
        orientation=orientation,
        clip=_clip(fields, sides[0], sides[1]),
        limits=_limits(fields),
        times_s=_times(fields),
        notes=notes,
    )


def _fields(file: BinaryIO) -> dict[str, str]:
    fields: dict[str, str] = {}
    while True:
        line = file.readline(MAX_LINE_BYTES)
        name, equals, value = line.decode("latin-1").partition("=")
        if not equals or not name.strip() or len(name) > 256:
            raise InputError("this is not a MetaImage header, or it is cut off", HINT)
        fields[name.strip()] = value.strip()
        if name.strip() == "ElementDataFile":
            return fields
        if not line.endswith(b"\n") or file.tell() > MAX_HEADER_BYTES:
            raise InputError("the MetaImage header does not end in ElementDataFile", HINT)


def _flag(fields: dict[str, str], name: str, default: str) -> bool:
    return fields.get(name, default).strip().lower() in ("true", "1", "yes")


def _spacing(fields: dict[str, str]) -> tuple[tuple[float, float] | None, str]:
    text = fields.get("ElementSpacing", fields.get("ElementSize", ""))
    parts = [float(part) for part in text.split()[:2]]
    if len(parts) < 2:
        return None, "the MetaImage header has no spacing"
    x, y = parts
    if (x, y) == (1.0, 1.0):
        return None, "the spacing of 1 x 1 is what PLUS writes for pictures whose scale it keeps elsewhere"
    if not (0.001 < x < 10 and 0.001 < y < 10):
        return None, f"the declared spacing of {x:g} x {y:g} mm cannot be"
    return (x, y), ""


def _orientation(fields: dict[str, str]) -> tuple[str, tuple[str, ...]]:
    """The first two letters; a third one only says where the next frame lies."""
    text = fields.get("UltrasoundImageOrientation", "MF").upper()
    letters = text[:2]
    if len(set(letters) & set("MU")) == 1 and len(set(letters) & set("FN")) == 1 and len(letters) == 2:
        return letters, ()
    return "MF", (f"the orientation {text[:8]!r} is not known: the picture is shown as stored",)


def _is_volume(fields: dict[str, str], sides: list[int]) -> bool:
    kinds = fields.get("Kinds", "").split()
    if len(sides) == 4:
        return sides[2] > 1
    return len(sides) == 3 and kinds[2:3] == ["domain"] and sides[2] > 1 and not _times(fields)


def _clip(fields: dict[str, str], width: int, height: int) -> Rect | None:
    origin, size = fields.get("ClipRectangleOrigin", "").split(), fields.get("ClipRectangleSize", "").split()
    if len(origin) < 2 or len(size) < 2:
        return None
    rect = Rect(*(int(float(part)) for part in (*origin[:2], *size[:2]))).clip(width, height)
    return rect if min(rect.width, rect.height) >= 16 else None


def _limits(fields: dict[str, str]) -> tuple[float, float] | None:
    if "ElementMin" not in fields or "ElementMax" not in fields:
        return None
    low, high = float(fields["ElementMin"]), float(fields["ElementMax"])
    return (low, high) if math.isfinite(low) and math.isfinite(high) and low < high else None


def _times(fields: dict[str, str]) -> dict[int, float]:
    times = {}
    for name, value in fields.items():
        match = _TIMESTAMP.match(name)
        if match:
            try:
                seconds = float(value)
            except ValueError:
                continue
            if math.isfinite(seconds):
                times[int(match.group(1))] = seconds
    return times
