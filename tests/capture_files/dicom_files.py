"""DICOM files with known pixels, written by pydicom itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage, generate_uid

EXPLICIT_LITTLE = str(ExplicitVRLittleEndian)
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
JPEG_2000 = "1.2.840.10008.1.2.4.91"
RLE = "1.2.840.10008.1.2.5"
H264 = "1.2.840.10008.1.2.4.102"

HEIGHT, WIDTH = 48, 64


def grey_ramp(number: int = 0) -> NDArray[np.uint8]:
    """A picture whose pixels tell row, column and frame."""
    row, column = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.asarray((row * 3 + column * 2 + number * 7) % 256, np.uint8)


def smooth_colours() -> NDArray[np.uint8]:
    """RGB without sharp edges, so that lossy codecs and chroma subsampling hardly change it."""
    row, column = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([40 + column * 3, 60 + row * 3, 200 - column * 2], axis=-1).astype(np.uint8)


def region(**changes: Any) -> Dataset:
    """A 2D tissue region in centimetres."""
    item = Dataset()
    values: dict[str, Any] = {
        "RegionSpatialFormat": 1,
        "RegionDataType": 1,
        "RegionFlags": 0,
        "RegionLocationMinX0": 4,
        "RegionLocationMinY0": 2,
        "RegionLocationMaxX1": 43,
        "RegionLocationMaxY1": 41,
        "PhysicalUnitsXDirection": 3,
        "PhysicalUnitsYDirection": 3,
        "PhysicalDeltaX": 0.02,
        "PhysicalDeltaY": 0.01,
    }
    for name, value in {**values, **changes}.items():
        setattr(item, name, value)
    return item


def write_dicom(
    path: Path,
    pixel_data: bytes | Sequence[bytes],
    *,
    photometric: str = "MONOCHROME2",
    frames: int | None = None,
    syntax: str = EXPLICIT_LITTLE,
    bits: int = 8,
    samples: int = 1,
    has_offset_table: bool = True,
    **tags: Any,
) -> Path:
    """Write an ultrasound DICOM file; a sequence of ``pixel_data`` is encapsulated, one item a frame."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    data.SOPClassUID = UltrasoundMultiFrameImageStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID
    data.PatientName = "Secret^Person"
    data.PatientID = "4711"
    data.Modality = "US"
    data.Rows, data.Columns = HEIGHT, WIDTH
    data.SamplesPerPixel = samples
    data.PhotometricInterpretation = photometric
    data.BitsAllocated = 8 if bits <= 8 else 16
    data.BitsStored = bits
    data.HighBit = bits - 1
    data.PixelRepresentation = 0
    if samples > 1:
        data.PlanarConfiguration = 0
    if frames is not None:
        data.NumberOfFrames = frames
    for name, value in tags.items():
        setattr(data, name, value)
    if isinstance(pixel_data, bytes):
        data.PixelData = pixel_data
    else:
        data.PixelData = encapsulate(list(pixel_data), has_bot=has_offset_table)
        data["PixelData"].VR = "OB"
    data.save_as(path, enforce_file_format=True)
    return path


def jpeg(rgb_or_grey: NDArray[np.uint8]) -> bytes:
    """A JPEG of quality 95; colour is stored as YCbCr 4:2:2."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rgb_or_grey).save(buffer, "JPEG", quality=95, subsampling=1)
    return buffer.getvalue()
