"""From stored DICOM values to grey or BGR: look-up tables for grey and palettes, colour conversion for the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_us.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Converter = Callable[["NDArray[np.generic]", str], "NDArray[np.uint8]"]
"""Stored values and their photometric interpretation after decoding, to a grey or BGR picture."""

ROWS = 64
HINT = "Convert the file to 8-bit grey or RGB, for example with dcmj2pnm or gdcmconv."


def converter(header: Any) -> Converter:
    """How the stored values of this file become pixels.

    MONOCHROME1 and 2 go through one table (rescale, first window, inversion): grey. A palette whose entries are all
    grey is grey too. Everything with three samples is BGR, also where the three happen to be equal: the format of a
    source must not change when the first coloured pixel comes.

    Raises
    ------
    InputError
        A photometric interpretation or depth that is not known.
    """
    photometric = str(header.get("PhotometricInterpretation", ""))
    samples, bits = int(header.get("SamplesPerPixel", 1)), int(header.get("BitsStored", 8))
    if not 1 <= bits <= 16:
        raise InputError(f"DICOM pixels of {bits} bits are not supported", HINT)
    if photometric in ("MONOCHROME1", "MONOCHROME2") and samples == 1:
        return _by_table(grey_table(header), _offset(header))
    if photometric == "PALETTE COLOR" and samples == 1:
        return _by_table(palette_table(header), 0)
    if samples == 3:
        return lambda values, decoded: _colour(values, decoded, bits)
    raise InputError(f"DICOM photometric interpretation {photometric!r} with {samples} samples is not supported", HINT)


def grey_table(header: Any) -> NDArray[np.uint8]:
    """Table from stored value (shifted to start at 0) to grey, shape (2 ** bits,).

    Rescale, then the first window (PS3.3 C.11.2.1.2, LINEAR), else the full range of the stored bits.
    """
    bits = int(header.get("BitsStored", 8))
    stored = np.arange(1 << bits, dtype=np.float64) - _offset(header)
    slope, intercept = _number(header, "RescaleSlope", 1.0), _number(header, "RescaleIntercept", 0.0)
    values = stored * slope + intercept
    centre, width = _number(header, "WindowCenter", np.nan), _number(header, "WindowWidth", np.nan)
    if np.isfinite(centre) and width > 1:
        grey = ((values - (centre - 0.5)) / (width - 1) + 0.5) * 255
    else:
        low, high = sorted((values[0], values[-1]))
        grey = (values - low) * (255 / (high - low)) if high > low else np.zeros_like(values)
    table = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    return 255 - table if header.PhotometricInterpretation == "MONOCHROME1" else table


def palette_table(header: Any) -> NDArray[np.uint8]:
    """Table from index to grey, shape (n,), or BGR, shape (n, 3)."""
    from pydicom.pixels import apply_color_lut

    allocated = int(header.BitsAllocated)
    if allocated not in (8, 16):
        raise InputError(f"a DICOM palette of {allocated} bits is not supported", HINT)
    try:
        index = np.arange(1 << allocated, dtype=np.uint16 if allocated > 8 else np.uint8)
        rgb = np.asarray(apply_color_lut(index[None], header))[0, :, :3]
    except Exception as error:  # pydicom raises many kinds on damaged tables
        raise InputError(f"the DICOM palette is damaged: {error}", HINT) from None
    if rgb.dtype != np.uint8:
        # 16-bit entries carry the colour in their high byte; some writers leave it empty and use the low one.
        rgb = (rgb >> 8 if rgb.max() > 255 else rgb).astype(np.uint8)
    if (rgb[:, 0] == rgb[:, 1]).all() and (rgb[:, 1] == rgb[:, 2]).all():
        return np.ascontiguousarray(rgb[:, 0])
    return np.ascontiguousarray(rgb[:, ::-1])


def _by_table(table: NDArray[np.uint8], offset: int) -> Converter:
    identity = table.ndim == 1 and np.array_equal(table, np.arange(256))

    def convert(values: NDArray[np.generic], _decoded: str) -> NDArray[np.uint8]:
        if identity and values.dtype == np.uint8:
            return np.ascontiguousarray(values, np.uint8)
        pixels = np.empty(values.shape + table.shape[1:], np.uint8)
        # Indices are eight times as large as the picture: a few rows at a time.
        for start in range(0, len(values), ROWS):
            index = np.clip(values[start : start + ROWS].astype(np.int64) + offset, 0, len(table) - 1)
            np.take(table, index, axis=0, out=pixels[start : start + ROWS])
        return pixels

    return convert


def _colour(values: NDArray[np.generic], photometric: str, bits: int) -> NDArray[np.uint8]:
    import cv2

    pixels = np.ascontiguousarray(values if bits <= 8 else values >> np.array(bits - 8, values.dtype), np.uint8)
    if photometric == "RGB":
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), np.uint8)
    if photometric in ("YBR_FULL", "YBR_FULL_422"):
        # OpenCV wants Y, Cr, Cb; DICOM stores Y, Cb, Cr (PS3.3 C.7.6.3.1.2, the same matrix as JPEG's).
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels[..., [0, 2, 1]]), cv2.COLOR_YCrCb2BGR), np.uint8)
    raise InputError(f"DICOM photometric interpretation {photometric!r} is not supported", HINT)


def _offset(header: Any) -> int:
    signed = bool(header.get("PixelRepresentation", 0))
    return 1 << (int(header.get("BitsStored", 8)) - 1) if signed else 0


def _number(header: Any, name: str, default: float) -> float:
    """The value of a tag, the first of several."""
    value = header.get(name)
    if value is None or value == "":
        return default
    if hasattr(value, "__len__") and not isinstance(value, str):
        value = value[0] if len(value) else default
    return float(value)
