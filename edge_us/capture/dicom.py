"""DICOM ultrasound, single frame and cine; no tag about a person is ever read."""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from edge_us.capture.dicom_frames import FrameIndex, index_encapsulated, index_extended, index_native
from edge_us.capture.dicom_header import TAGS, burned_in, frame_times_ns, geometry
from edge_us.capture.dicom_limits import HINT, MAX_FRAMES, HeaderFile, check_lengths
from edge_us.capture.picture_size import is_too_large
from edge_us.capture.sequence import MAX_FRAME_PIXELS, Decoded, SequenceSource
from edge_us.capture.source import Source, SourceInfo, SourceKind
from edge_us.errors import EdgeUsError, InputError, MissingDependencyError
from edge_us.frame import Geometry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_us.capture.dicom_pixels import Converter

DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPEG_FAMILY = "1.2.840.10008.1.2.4."
VIDEO = tuple(f"{JPEG_FAMILY}{number}" for number in range(100, 109))
"""MPEG2, MPEG-4 AVC and HEVC; their ``.1`` variants may split the stream into fragments."""


@dataclass(frozen=True, slots=True)
class DicomFile:
    """A DICOM file whose header was read and found sound.

    Attributes
    ----------
    path : Path
    header : pydicom.Dataset
        Only the tags of `dicom_header.TAGS`.
    syntax : pydicom.uid.UID
        Transfer syntax.
    position : int
        Where the value of the pixel data begins.
    size : int
        Of the file in bytes.
    frames : int
        Number of frames that the header claims.
    geometry : Geometry
    times_ns : list of int
        Stream time of every frame.
    fps : float or None
    """

    path: Path
    header: Any
    syntax: Any
    position: int
    size: int
    frames: int
    geometry: Geometry
    times_ns: list[int]
    fps: float | None


def open_dicom(path: Path) -> Source:
    """Open a DICOM image or cine; frames are decoded one at a time.

    One sample gives GRAY8 (a coloured palette BGR), three samples BGR: see `dicom_pixels.converter`. Stream times and
    geometry: see `dicom_header`. Where the file does not say its rate, ``info.fps`` is None and a warning says so. A
    file that is cut off plays its whole frames, then warns. Encapsulated MPEG2, H.264 and H.265 go through GStreamer.

    Raises
    ------
    InputError
        Not a DICOM file, no pixel data, no frame, or a transfer syntax that cannot be decoded here.
    """
    try:
        import pydicom  # noqa: F401
    except ImportError:
        raise MissingDependencyError("pydicom is not installed", "pip install pydicom") from None
    dicom = read_header(path)
    if str(dicom.syntax).removesuffix(".1") in VIDEO:
        from edge_us.capture.dicom_video import open_encapsulated_video

        return open_encapsulated_video(dicom)
    _check_decoder(dicom)
    from edge_us.capture.dicom_pixels import converter

    with _as_input_error(path):
        convert = converter(dicom.header)
    warnings: list[str] = []
    if dicom.fps is None and dicom.frames > 1:
        warnings.append(f"{path} does not say its frame rate: stream times are nominal")
    fps = dicom.fps if dicom.frames > 1 else None
    info = SourceInfo(str(path), SourceKind.FILE, fps, dicom.frames, burned_in(dicom.header, dicom.geometry))
    return SequenceSource(info, _decode_all(dicom, convert, warnings), warnings)


def read_header(path: Path) -> DicomFile:
    """Read and check the header; the pixel data are only found, not read.

    Raises
    ------
    InputError
        Missing, not DICOM, or without a picture.
    """
    with _as_input_error(path), path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        if size == 0:
            raise InputError(f"{path} is empty", HINT)
        header, syntax, position = _read(file, path)
        stated = header.get("NumberOfFrames")
        frames = 1 if stated is None else int(stated)
        width, height = int(header.get("Columns", 0)), int(header.get("Rows", 0))
        if position is None or min(width, height, frames) < 1:
            raise InputError(f"{path} holds no picture ({frames} frames of {width}x{height})", HINT)
        if width * height > MAX_FRAME_PIXELS or frames > MAX_FRAMES:
            raise InputError(f"{path} declares an impossible {frames} frames of {width}x{height}", HINT)
        times_ns, fps = frame_times_ns(header, frames)
        place = geometry(header, width, height)
    return DicomFile(path, header, syntax, position, size, frames, place, times_ns, fps)


@contextmanager
def _as_input_error(path: Path) -> Iterator[None]:
    """Turn whatever reading a header may raise into one clear error; pydicom converts values when they are asked for.

    What pydicom warns of may quote the file and is not repeated.
    """
    from pydicom.errors import InvalidDicomError

    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            yield
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", HINT) from None
    except InvalidDicomError:
        raise InputError(f"{path} is not a DICOM file", HINT) from None
    except EdgeUsError:
        raise
    except Exception as error:  # pydicom raises many kinds on damaged files
        raise InputError(f"{path} has a damaged DICOM header ({type(error).__name__})", HINT) from None


def _read(file: BinaryIO, path: Path) -> tuple[Any, Any, int | None]:
    """Header, transfer syntax, and the offset of the pixel data's value (None where there are none)."""
    import pydicom
    from pydicom.uid import UID

    header = pydicom.dcmread(HeaderFile(file, path), stop_before_pixels=True, specific_tags=list(TAGS))
    check_lengths(header)
    syntax = UID(str(header.file_meta.get("TransferSyntaxUID", "1.2.840.10008.1.2")))
    if syntax in (DEFLATED, BIG_ENDIAN):
        raise InputError(
            f"the transfer syntax {syntax.name} is not supported",
            "Convert it to Explicit VR Little Endian, for example with `dcmconv +te`.",
        )
    head = file.read(12)
    if head[:4] != b"\xe0\x7f\x10\x00":
        return header, syntax, None
    return header, syntax, file.tell() - (4 if syntax.is_implicit_VR else 0)


def _check_decoder(dicom: DicomFile) -> None:
    from pydicom.pixels import get_decoder

    advice = "Convert it first, for example with `dcmdjpeg` or `gdcmconv --raw`"
    try:
        decoder = get_decoder(dicom.syntax)
    except NotImplementedError:
        raise InputError(f"{dicom.path}: unknown transfer syntax {dicom.syntax.name}", f"{advice}.") from None
    if not decoder.is_available:
        # Several libraries could do it; python-gdcm covers most and has a permissive licence.
        raise InputError(
            f"{dicom.path}: no decoder is installed for the transfer syntax {dicom.syntax.name}",
            f"{advice}, or `pip install python-gdcm`.",
        )


def _index(dicom: DicomFile, file: BinaryIO) -> FrameIndex:
    header = dicom.header
    if not dicom.syntax.is_encapsulated:
        return index_native(dicom.position, dicom.size, _native_frame_bytes(header), dicom.frames)
    file.seek(dicom.position)
    offsets, lengths = header.get("ExtendedOffsetTable"), header.get("ExtendedOffsetTableLengths")
    if offsets and lengths and len(offsets) == len(lengths) == 8 * dicom.frames:
        return index_extended(file, dicom.size, offsets, lengths)
    return index_encapsulated(file, dicom.size, dicom.frames, by_marker=str(dicom.syntax).startswith(JPEG_FAMILY))


def _native_frame_bytes(header: Any) -> int:
    values = int(header.Rows) * int(header.Columns) * int(header.get("SamplesPerPixel", 1))
    if header.get("PhotometricInterpretation") == "YBR_FULL_422":
        values = values // 3 * 2
    return max(1, values * int(header.get("BitsAllocated", 8)) // 8)


def _decode_all(dicom: DicomFile, convert: Converter, warnings: list[str]) -> Iterator[Decoded]:
    played = 0
    damaged = 0
    why = "it is cut off"
    with dicom.path.open("rb") as file:
        with _as_input_error(dicom.path):
            index = _index(dicom, file)
        for number in range(len(index.frames)):
            try:
                pixels = _decode_frame(dicom, convert, index.read(file, number))
            except EdgeUsError:
                raise
            except Exception as error:  # codecs raise many kinds on damaged data
                damaged += 1
                why = f"{type(error).__name__} in frame {number}"
                continue
            yield Decoded(pixels, dicom.times_ns[number], dicom.geometry)
            played += 1
    if played == 0:
        raise InputError(f"{dicom.path} holds not one whole frame ({why})", "Copy the file again from its archive.")
    if index.is_cut:
        warnings.append(f"{dicom.path} is truncated: {len(index.frames)} of {dicom.frames} frames are there")
    if damaged:
        warnings.append(f"{dicom.path} is damaged: {damaged} frames could not be decoded ({why})")


def _decode_frame(dicom: DicomFile, convert: Converter, encoded: bytes) -> NDArray[np.uint8]:
    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder
    from pydicom.pixels.utils import as_pixel_options

    if dicom.syntax.is_encapsulated and is_too_large(encoded):
        raise ValueError("the encoded picture is larger than any screen")
    options = as_pixel_options(dicom.header, number_of_frames=1, pixel_keyword="PixelData", pixel_vr="OW")
    options.pop("extended_offsets", None)
    source = encapsulate([encoded], has_bot=False) if dicom.syntax.is_encapsulated else encoded
    with python_warnings.catch_warnings():
        # What a codec has to say about a frame is said once, in words of ours, at the end.
        python_warnings.simplefilter("ignore")
        values, properties = get_decoder(dicom.syntax).as_array(source, index=0, raw=True, **options)
    return convert(values, str(properties["photometric_interpretation"]))
