"""MetaImage sequences (``.mha``, ``.mhd`` with its raw file), as PLUS and others record them."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from edge_us.capture.metaimage_header import HINT, Header, read_header
from edge_us.capture.sequence import UNKNOWN_RATE_STEP_NS, Decoded, SequenceSource, believable
from edge_us.capture.source import Source, SourceInfo, SourceKind
from edge_us.errors import InputError
from edge_us.frame import Geometry, Rect, UltrasoundRegion

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

READ_BYTES = 1 << 18
ROWS = 64
MAX_SPAN_S = 1e6
"""Time stamps further apart than this are not those of one recording."""


def open_metaimage(path: Path) -> Source:
    """Open a MetaImage sequence, one frame in memory at a time.

    The picture is turned to the orientation MF as PLUS itself does when it reads a file: the probe at the top, x
    towards the marked side. Elements of 8 bits unsigned are taken as they are; all others are mapped to 0..255 over
    ElementMin and ElementMax, or over the range of the first frame. Stream times are the frames' time stamps; where
    these are missing or do not rise, the frames are evenly spaced and a warning says so. Frames whose status is not
    OK are shown like all others: the status speaks of the tracked pose. A file that is cut off plays what it holds,
    then warns.

    Raises
    ------
    InputError
        Not a MetaImage, not a picture, a missing raw file, or not one whole frame.
    """
    try:
        with path.open("rb") as file:
            header = read_header(file)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", HINT) from None
    pixels = _pixel_file(path, header)
    warnings = list(header.notes)
    times_ns, fps, why = frame_times_ns(header)
    if why and header.frames > 1:
        warnings.append(f"{path}: {why}")
    info = SourceInfo(str(path), SourceKind.FILE, fps, header.frames)
    source = SequenceSource(info, _decode_all(pixels, header, times_ns, warnings), warnings)
    if source.peeked is None:
        raise InputError(f"{path} holds not one whole frame: {warnings[-1]}", "Copy the file again from its archive.")
    return source


def frame_times_ns(header: Header) -> tuple[list[int], float | None, str]:
    """Stream time of every frame from 0, the mean rate, and what is wrong with the header's own times."""
    stamps = [header.times_s[number] for number in range(header.frames) if number in header.times_s]
    if len(stamps) == header.frames and stamps:
        rising = all(later > earlier for earlier, later in pairwise(stamps))
        span_s = stamps[-1] - stamps[0]
        if rising and span_s < MAX_SPAN_S:
            fps = believable((header.frames - 1) / span_s) if span_s > 0 else None
            if fps is not None or header.frames == 1:
                return [round((stamp - stamps[0]) * 1e9) for stamp in stamps], fps, ""
        why = "the time stamps do not rise: stream times are nominal"
    else:
        why = "frames have no time stamps: stream times are nominal"
    return [number * UNKNOWN_RATE_STEP_NS for number in range(header.frames)], None, why


def _pixel_file(path: Path, header: Header) -> Path:
    if header.data == "LOCAL":
        return path
    raw = path.parent / header.data
    if not os.path.isfile(raw):  # noqa: PTH113  (pathlib's raises for names that are too long)
        raise InputError(f"{path} keeps its pixels in {header.data[:200]!r}, which is not beside it", HINT)
    return raw


def _decode_all(path: Path, header: Header, times_ns: list[int], warnings: list[str]) -> Iterator[Decoded]:
    import numpy as np

    geometry = _geometry(header)
    limits = header.limits
    for number, block in enumerate(_blocks(path, header, warnings)):
        values = np.frombuffer(block, header.dtype).reshape(header.height, header.width, header.channels)
        if values.dtype != np.uint8 and limits is None:
            limits = _range_of(values)
        grey = _to_uint8(values, None if values.dtype == np.uint8 else limits)
        yield Decoded(_upright(grey, header.orientation), times_ns[number], geometry)


def _blocks(path: Path, header: Header, warnings: list[str]) -> Iterator[bytes]:
    """The bytes of each whole frame, inflated as they are needed, so that no header can make memory grow."""
    count = 0
    why = ""
    with path.open("rb") as file:
        _seek(file, header)
        pieces = _inflated(file, min(header.frame_bytes, READ_BYTES)) if header.is_compressed else _stored(file)
        pending = bytearray()
        try:
            while count < header.frames:
                while len(pending) < header.frame_bytes:
                    pending += next(pieces)
                with memoryview(pending) as whole:
                    block = bytes(whole[: header.frame_bytes])
                yield block
                del block
                del pending[: header.frame_bytes]
                count += 1
        except StopIteration:
            why = "truncated"
        except zlib.error:
            why = "damaged"
    if why:
        warnings.append(f"{path} is {why}: {count} of {header.frames} frames could be read")


def _seek(file: BinaryIO, header: Header) -> None:
    if header.offset >= 0:
        file.seek(header.offset)
    else:
        file.seek(max(0, file.seek(0, 2) - header.frame_bytes * header.frames))


def _stored(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(READ_BYTES):
        yield piece


def _inflated(file: BinaryIO, limit: int) -> Iterator[bytes]:
    """Pieces of at most ``limit`` bytes: what lies before damage comes out piece by piece."""
    inflate = zlib.decompressobj()
    tail = b""
    while not inflate.eof:
        chunk = tail or file.read(READ_BYTES)
        piece = inflate.decompress(chunk, limit)
        tail = inflate.unconsumed_tail
        if piece:
            yield piece
        elif not chunk:
            return


def _range_of(values: NDArray[np.generic]) -> tuple[float, float]:
    import numpy as np

    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _to_uint8(values: NDArray[np.generic], limits: tuple[float, float] | None) -> NDArray[np.uint8]:
    """Grey (height, width) or BGR (height, width, 3); files store RGB."""
    import numpy as np

    if limits is None:
        pixels = np.asarray(values, np.uint8)
    else:
        low, high = limits
        pixels = np.empty(values.shape, np.uint8)
        # Doubles are up to eight times as large as the picture: a few rows at a time.
        for start in range(0, len(values), ROWS):
            with np.errstate(over="ignore", invalid="ignore"):
                scaled = values[start : start + ROWS].astype(np.float64) - low
                scaled *= 255.0 / (high - low) if high > low else 0.0
            pixels[start : start + ROWS] = np.clip(np.nan_to_num(scaled), 0, 255).round()
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels[..., 2::-1]


def _upright(pixels: NDArray[np.uint8], orientation: str) -> NDArray[np.uint8]:
    """Turn to MF: x towards the marked side (M, not U), y away from the probe (F, not N)."""
    import numpy as np

    if orientation[0] in "FN":
        pixels = np.swapaxes(pixels, 0, 1)
        orientation = orientation[::-1]
    if orientation[0] == "U":
        pixels = pixels[:, ::-1]
    if orientation[1] == "N":
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _geometry(header: Header) -> Geometry:
    """Scale and clip rectangle, turned like the picture."""
    spacing, clip = header.spacing_mm, header.clip
    width, height, orientation = header.width, header.height, header.orientation
    if orientation[0] in "FN":
        orientation = orientation[::-1]
        width, height = height, width
        spacing = None if spacing is None else (spacing[1], spacing[0])
        clip = None if clip is None else Rect(clip.y, clip.x, clip.height, clip.width)
    if clip is not None and orientation[0] == "U":
        clip = clip._replace(x=width - clip.x - clip.width)
    if clip is not None and orientation[1] == "N":
        clip = clip._replace(y=height - clip.y - clip.height)
    reason = header.spacing_reason
    regions = () if clip is None else (UltrasoundRegion(clip, spacing, reason or None),)
    return Geometry(clip, spacing, reason, regions)
