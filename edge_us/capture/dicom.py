"""DICOM ultrasound, single frame and cine; no tag about a person is ever read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_us.capture.sequence import MAX_FRAME_PIXELS, UNKNOWN_RATE_STEP_NS, Decoded, SequenceSource
from edge_us.capture.source import Source, SourceInfo, SourceKind
from edge_us.errors import InputError, MissingDependencyError
from edge_us.frame import Geometry, Rect, UltrasoundRegion

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HINT = "Give a DICOM ultrasound image or cine with pixel data."
CENTIMETRES = 3
"""Physical Units X/Y Direction (0018,6024/6026): 3 is cm; all other units are not lengths (PS3.3 C.8.5.5.1.15)."""
TISSUE_FORMAT = 1
"""Region Spatial Format (0018,6012): 1 is 2D."""
TISSUE_TYPE = 1
"""Region Data Type (0018,6014): 1 is tissue."""


def open_dicom(path: Path) -> Source:
    """Open a DICOM file; frames are decoded one at a time.

    Grey pixels become GRAY8 (MONOCHROME1 inverted), all others BGR. Stream times come from Frame Time Vector, Frame
    Time, Cine Rate or Recommended Display Frame Rate, in this order. The declared region is the largest tissue region.

    Raises
    ------
    InputError
        Not a DICOM file, no pixel data, or a transfer syntax that cannot be decoded.
    """
    try:
        import pydicom
    except ImportError:
        raise MissingDependencyError("pydicom is not installed", "pip install pydicom") from None
    try:
        data = pydicom.dcmread(path)
        size = (int(data.Columns), int(data.Rows))
        frames = int(data.get("NumberOfFrames") or 1)
        has_pixels = "PixelData" in data
        geometry = _geometry(data, size)
        times_ns = _times_ns(data, frames)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", HINT) from None
    except Exception as error:  # pydicom raises many kinds on damaged files
        raise InputError(f"{path} is not a DICOM image: {type(error).__name__}: {error}", HINT) from None
    if not has_pixels or frames < 1 or not 0 < size[0] * size[1] <= MAX_FRAME_PIXELS:
        raise InputError(f"{path} holds no picture ({frames} frames of {size[0]}x{size[1]})", HINT)
    warnings: list[str] = []
    fps = None
    if frames > 1 and times_ns[-1] > 0:
        fps = (frames - 1) / (times_ns[-1] / 1e9)
    info = SourceInfo(str(path), SourceKind.FILE, fps, frames)
    return SequenceSource(info, _decode(path, data, frames, times_ns, geometry, warnings), warnings)


def _decode(
    path: Path, data: Any, frames: int, times_ns: list[int], geometry: Geometry, warnings: list[str]
) -> Iterator[Decoded]:
    from pydicom.pixels import iter_pixels

    count = 0
    try:
        # Colour arrives as RGB whatever the file's photometric interpretation was, palette excepted.
        for stored in iter_pixels(data):
            yield Decoded(_picture(stored, data), times_ns[count], geometry)
            count += 1
            if count == frames:
                return
    except GeneratorExit:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        if count == 0:
            name = getattr(data.file_meta.get("TransferSyntaxUID"), "name", "unknown")
            raise InputError(
                f"{path} cannot be decoded (transfer syntax {name}): {why}",
                "Convert it to an uncompressed transfer syntax, for example with `dcmconv +te`.",
            ) from None
        warnings.append(f"{path} is damaged: {count} of {frames} frames could be decoded ({why})")
        return
    if count < frames:
        warnings.append(f"{path} is truncated: {count} of {frames} frames")


def _picture(stored: NDArray[np.generic], data: Any) -> NDArray[np.uint8]:
    """One decoded frame as full-range grey (height, width) or BGR (height, width, 3)."""
    import numpy as np

    photometric = str(data.PhotometricInterpretation)
    if photometric == "PALETTE COLOR":
        from pydicom.pixels import apply_color_lut

        stored = np.asarray(apply_color_lut(stored, data))
        if stored.dtype == np.uint16:
            stored = (stored.astype(np.uint32) // 257).astype(np.uint8)
    values = stored
    if values.dtype != np.uint8:
        top = float((1 << int(data.BitsStored)) - 1)
        low = 0.0
        if int(data.get("PixelRepresentation", 0)):
            low = -float(1 << (int(data.BitsStored) - 1))
        scaled = (values.astype(np.float64) - low) * (255.0 / top)
        values = np.clip(scaled, 0, 255).round().astype(np.uint8)
    pixels = np.asarray(values, np.uint8)
    if photometric == "MONOCHROME1":
        pixels = 255 - pixels
    if pixels.ndim == 2:
        return np.ascontiguousarray(pixels)
    red = pixels[..., 0]
    if np.array_equal(red, pixels[..., 1]) and np.array_equal(red, pixels[..., 2]):
        return np.ascontiguousarray(red)
    return np.ascontiguousarray(pixels[..., 2::-1])


def _times_ns(data: Any, frames: int) -> list[int]:
    """Stream time of every frame."""
    vector = data.get("FrameTimeVector")
    if vector is not None and not isinstance(vector, float) and len(vector) >= frames:
        times, total = [], 0.0
        for step_ms in list(vector)[:frames]:
            total += max(0.0, float(step_ms))
            times.append(round(total * 1e6))
        return [time - times[0] for time in times]
    step_ns = float(UNKNOWN_RATE_STEP_NS)
    if float(data.get("FrameTime") or 0) > 0:
        step_ns = float(data.FrameTime) * 1e6
    else:
        for name in ("CineRate", "RecommendedDisplayFrameRate"):
            if float(data.get(name) or 0) > 0:
                step_ns = 1e9 / float(data.get(name))
                break
    return [round(number * step_ns) for number in range(frames)]


def _geometry(data: Any, size: tuple[int, int]) -> Geometry:
    """All declared regions; region and scale of the largest one that shows tissue in 2D."""
    regions = []
    for item in data.get("SequenceOfUltrasoundRegions") or []:
        x0, y0 = int(item.RegionLocationMinX0), int(item.RegionLocationMinY0)
        x1, y1 = int(item.RegionLocationMaxX1), int(item.RegionLocationMaxY1)
        rect = Rect(x0, y0, x1 - x0 + 1, y1 - y0 + 1).clip(*size)
        if rect.width < 16 or rect.height < 16:
            continue
        units = (int(item.get("PhysicalUnitsXDirection", 0)), int(item.get("PhysicalUnitsYDirection", 0)))
        scale, reason = None, None
        if units == (CENTIMETRES, CENTIMETRES):
            scale = (abs(float(item.PhysicalDeltaX)) * 10, abs(float(item.PhysicalDeltaY)) * 10)
        else:
            reason = f"the region's units {units} are not lengths"
        if scale is not None and not (0 < scale[0] < 10 and 0 < scale[1] < 10):
            scale, reason = None, f"the region's scale {scale} mm per px cannot be"
        tissue = int(item.get("RegionSpatialFormat", 0)) == TISSUE_FORMAT and int(item.get("RegionDataType", 0)) in (
            TISSUE_TYPE,
            2,  # colour flow is drawn over tissue
        )
        regions.append(UltrasoundRegion(rect, scale, reason, tissue))
    tissue_regions = [region for region in regions if region.is_tissue]
    if not tissue_regions:
        return Geometry(reason="the DICOM file declares no 2D tissue region", regions=tuple(regions))
    best = max(tissue_regions, key=lambda region: region.rect.width * region.rect.height)
    return Geometry(best.rect, best.mm_per_px, best.reason or "", tuple(regions))
