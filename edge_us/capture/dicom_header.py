"""What a DICOM ultrasound header says about time and geometry; no tag about a person is ever read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edge_us.capture.sequence import UNKNOWN_RATE_STEP_NS, believable
from edge_us.capture.source import BurnedIn
from edge_us.frame import Geometry, Rect, UltrasoundRegion

TAGS = (
    "BurnedInAnnotation",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelSpacing",
    "RescaleSlope",
    "RescaleIntercept",
    "WindowCenter",
    "WindowWidth",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
    "FrameTime",
    "FrameTimeVector",
    "CineRate",
    "RecommendedDisplayFrameRate",
    "SequenceOfUltrasoundRegions",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)
"""The only tags that are read: pixels, time and geometry. A name or a date never enters memory."""

UNITS = (
    "none", "percent", "dB", "cm", "seconds", "hertz", "dB/second", "cm/second",
    "cm2", "cm2/second", "cm3", "cm3/second", "degrees",
)  # fmt: skip
"""Physical Units X and Y Direction (0018,6024 and 6026), PS3.3 C.8.5.5.1.15 and 16."""
CENTIMETRE = 3
SPATIAL_FORMAT_2D = 1
"""Region Spatial Format (0018,6012); others are M-mode, spectral, waveform and graphics."""
TISSUE_TYPES = (1, 2)
"""Region Data Type (0018,6014): tissue, and colour flow, which is drawn over tissue."""
SMALLEST_REGION_PX = 16


def frame_times_ns(header: Any, frames: int) -> tuple[list[int], float | None]:
    """Stream time of every frame, and the rate.

    Frame Time Vector and Frame Time say when the pictures were acquired; Cine Rate and Recommended Display Frame Rate
    only how they are to be played, so they come last.

    Parameters
    ----------
    header : pydicom.Dataset
    frames : int

    Returns
    -------
    times_ns : list of int
        One for each frame, from 0. Where the file does not say, `UNKNOWN_RATE_STEP_NS` apart.
    fps : float or None
        None where the file does not say.
    """
    vector = header.get("FrameTimeVector")
    if isinstance(vector, Sequence) and not isinstance(vector, str) and 1 < frames <= len(vector):
        steps = [float(step) for step in vector[1:frames]]
        if all(math.isfinite(step) and step > 0 for step in steps):
            times, total_ms = [0], 0.0
            for step in steps:
                total_ms += step
                times.append(round(total_ms * 1e6))
            fps = believable((frames - 1) / (total_ms / 1e3))
            if fps is not None:
                return times, fps
    frame_ms = _positive(header, "FrameTime")
    rate = _positive(header, "CineRate") or _positive(header, "RecommendedDisplayFrameRate")
    fps = believable(1000.0 / frame_ms if frame_ms else rate)
    if fps is None:
        return [number * UNKNOWN_RATE_STEP_NS for number in range(frames)], None
    return [round(number * 1e9 / fps) for number in range(frames)], fps


def geometry(header: Any, width: int, height: int) -> Geometry:
    """Regions and scale as the header declares them, as far as they can be true.

    The image region is the largest 2D tissue region. A region that reaches out of the picture was written for another
    picture: if the picture was shrunk afterwards, its scale is off by that factor and nothing in the file says so.
    Only where a region still ends exactly at the picture's right or lower edge, the picture was cropped along the
    other side and the scale holds. In every other case it is unknown.

    Parameters
    ----------
    header : pydicom.Dataset
    width, height : int
        Size of the picture in px.
    """
    items = list(header.get("SequenceOfUltrasoundRegions") or [])
    corners = [corner for corner in map(_corner, items) if corner is not None]
    resized = _was_resized(corners, width, height)
    regions = tuple(region for item in items if (region := _region(item, width, height, resized)) is not None)
    tissue = [region for region in regions if region.is_tissue]
    if tissue:
        best = max(tissue, key=lambda region: region.rect.width * region.rect.height)
        return Geometry(None if resized else best.rect, best.mm_per_px, best.reason or "", regions)
    if not items:
        spacing = _pixel_spacing(header)
        if spacing is not None:
            return Geometry(mm_per_px=spacing, reason="")
    return Geometry(reason="the DICOM file declares no two-dimensional tissue region", regions=regions)


def burned_in(header: Any, declared: Geometry) -> BurnedIn:
    """Where names may be burned into the pixels.

    Only Burned In Annotation (0028,0301) NO says that there are none; where it is missing, which is allowed, or YES,
    they stand outside the regions, as far as those can be trusted.

    Parameters
    ----------
    header : pydicom.Dataset
    declared : Geometry
        From `geometry`.
    """
    if str(header.get("BurnedInAnnotation") or "").strip().upper() == "NO":
        return BurnedIn.NOWHERE
    return BurnedIn.ANYWHERE if declared.region is None else BurnedIn.OUTSIDE_REGIONS


def _corner(item: Any) -> tuple[int, int] | None:
    x, y = item.get("RegionLocationMaxX1"), item.get("RegionLocationMaxY1")
    return None if x is None or y is None else (int(x), int(y))


def _was_resized(corners: list[tuple[int, int]], width: int, height: int) -> bool:
    """Whether the regions were written for a picture of another size."""
    if not corners:
        return False
    # Writers disagree whether the last corner is inclusive, so a region may end at `width` or at `width - 1`.
    right, bottom = max(x for x, _ in corners), max(y for _, y in corners)
    if right <= width and bottom <= height:
        return False
    same_width = right in (width, width - 1)
    same_height = bottom in (height, height - 1)
    return not (same_width or same_height)


def _region(item: Any, width: int, height: int, resized: bool) -> UltrasoundRegion | None:
    """One region, or None where it is not in the picture."""
    corners = [
        item.get(name)
        for name in (
            "RegionLocationMinX0",
            "RegionLocationMinY0",
            "RegionLocationMaxX1",
            "RegionLocationMaxY1",
        )
    ]
    if any(corner is None for corner in corners):
        return None
    x0, y0, x1, y1 = (int(corner) for corner in corners)
    rect = Rect(x0, y0, x1 - x0 + 1, y1 - y0 + 1).clip(width, height)
    if min(rect.width, rect.height) < SMALLEST_REGION_PX:
        return None
    is_tissue = item.get("RegionSpatialFormat") == SPATIAL_FORMAT_2D and item.get("RegionDataType", 1) in TISSUE_TYPES
    if resized:
        why = "the declared region reaches out of the picture, so it was written for a picture of another size"
        return UltrasoundRegion(rect, None, why, is_tissue)
    scale, reason = _scale(item)
    return UltrasoundRegion(rect, scale, reason, is_tissue)


def _scale(item: Any) -> tuple[tuple[float, float] | None, str | None]:
    """Millimetres per pixel, or the reason why not."""
    units = (item.get("PhysicalUnitsXDirection"), item.get("PhysicalUnitsYDirection"))
    if units != (CENTIMETRE, CENTIMETRE):
        return None, f"the region's units are {_unit(units[0])} and {_unit(units[1])}, not lengths"
    # A negative delta only says that the physical axis runs against the pixels.
    x, y = (abs(float(item.get(name) or 0)) * 10 for name in ("PhysicalDeltaX", "PhysicalDeltaY"))
    if not (0.001 < x < 10 and 0.001 < y < 10):
        return None, f"the declared scale of {x:g} x {y:g} mm per pixel cannot be"
    return (x, y), None


def _unit(code: int | None) -> str:
    return UNITS[code] if code is not None and 0 <= code < len(UNITS) else "unknown"


def _pixel_spacing(header: Any) -> tuple[float, float] | None:
    spacing = header.get("PixelSpacing")
    if spacing is None or len(spacing) != 2:
        return None
    row, column = (float(value) for value in spacing)
    return (column, row) if 0.001 < row < 10 and 0.001 < column < 10 else None


def _positive(header: Any, name: str) -> float | None:
    value = header.get(name)
    number = 0.0 if value is None else float(value)
    return number if math.isfinite(number) and number > 0 else None
