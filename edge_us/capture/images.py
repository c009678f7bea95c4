"""Folders of independent stills: ``images:FOLDER``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edge_us.capture.picture_size import is_too_large
from edge_us.capture.sequence import MAX_FRAME_PIXELS, Decoded, SequenceSource
from edge_us.capture.source import Source, SourceInfo, SourceKind
from edge_us.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})

STILL_STEP_NS = 1_000_000_000
"""Stills have no time of their own; one second apart, a recording of them can be watched."""


def open_images(folder: Path) -> Source:
    """Open every PNG, JPEG, BMP and TIFF of a folder as independent stills.

    The order is plain name order (by code point: ``img10.png`` comes before ``img2.png``), without
    subfolders. Grey files give GRAY8, all others BGR; 16-bit files are scaled to 8 bits over the full 16-bit
    range; transparency is dropped. Files that cannot be read are warnings, other files are ignored and
    counted in a warning.

    Parameters
    ----------
    folder : Path
        A folder, or a single picture.

    Returns
    -------
    Source
        Of kind STILLS; ``info.frames`` is the number of picture files, readable or not.

    Raises
    ------
    InputError
        The folder does not exist, holds no picture, or none that can be read.
    """
    hint = "give a folder that holds PNG, JPEG, BMP or TIFF files, as images:FOLDER"
    warnings: list[str] = []
    if folder.is_file():
        paths = [folder]
    elif folder.is_dir():
        try:
            files = sorted((p for p in folder.iterdir() if p.is_file()), key=lambda p: p.name)
        except OSError as error:
            raise InputError(f"{folder} cannot be listed: {error.strerror}", hint) from error
        paths = [p for p in files if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
        ignored = len(files) - len(paths)
        if ignored and paths:
            noun = "file that is" if ignored == 1 else "files that are"
            warnings.append(f"ignored {ignored} {noun} not PNG, JPEG, BMP or TIFF")
    else:
        raise InputError(f"the folder {folder} does not exist", hint)
    if not paths:
        raise InputError(f"{folder} holds no picture", hint)
    info = SourceInfo(uri=f"images:{folder}", kind=SourceKind.STILLS, fps=None, frames=len(paths))
    source = SequenceSource(info, _decode_all(paths, warnings), warnings)
    if source.peeked is None:
        raise InputError(f"none of the {len(paths)} pictures in {folder} can be read: {warnings[-1]}", hint)
    return source


def _decode_all(paths: list[Path], warnings: list[str]) -> Iterator[Decoded]:
    index = 0
    for path in paths:
        try:
            pixels = read_image(path)
        except InputError as error:
            warnings.append(error.message)
            continue
        yield Decoded(pixels=pixels, pts_ns=index * STILL_STEP_NS, name=path.name)
        index += 1


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read one still picture as grey or BGR.

    Pixels are taken as stored: an EXIF orientation is not applied, so that masks drawn on the stored pixels
    still fit.

    Parameters
    ----------
    path : Path
        PNG, JPEG, BMP or TIFF.

    Returns
    -------
    ndarray of uint8, shape (height, width) or (height, width, 3)
        Grey, or BGR.

    Raises
    ------
    InputError
        The file is missing, empty, cut off, or not a picture.
    """
    import cv2
    import numpy as np

    hint = "export the picture again as PNG or JPEG"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}", hint) from error
    if not data:
        raise InputError(f"{path.name} is empty", hint)
    # OpenCV fills what is missing of a JPEG with grey and says nothing that a caller can see.
    if data[:2] == b"\xff\xd8" and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
        raise InputError(f"{path.name} is cut off", hint)
    if is_too_large(data):
        raise InputError(f"{path.name} is too large: at most {MAX_FRAME_PIXELS} pixels are read", hint)
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        decoded = None
    if decoded is None or decoded.size == 0:
        raise InputError(f"{path.name} is not a picture that can be read", hint)
    if decoded.dtype == np.uint16:
        decoded = ((decoded.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif decoded.dtype != np.uint8:
        raise InputError(f"{path.name} holds {decoded.dtype} pixels, not 8 or 16 bit", hint)
    if decoded.ndim == 3:
        decoded = decoded[:, :, 0] if decoded.shape[2] < 3 else decoded[:, :, :3]
    return np.ascontiguousarray(decoded)
