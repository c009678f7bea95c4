"""What a source text means; pure but for one look at the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from edge_us.errors import InputError


class Scheme(str, Enum):
    """Kinds of sources by the way they are read."""

    VIDEO = "video"
    DICOM = "dicom"
    METAIMAGE = "metaimage"
    IMAGES = "images"
    PHANTOM = "phantom"
    V4L2 = "v4l2"
    DECKLINK = "decklink"
    RTSP = "rtsp"


@dataclass(frozen=True, slots=True)
class SourceUri:
    """A parsed source.

    ``target`` is the path, device, number or full URI that the reader needs; ``shown`` is safe to print: without
    credentials.
    """

    scheme: Scheme
    target: str
    shown: str


_KNOWN = "a file, images:FOLDER, phantom:, v4l2:///dev/videoN, decklink://N or rtsp://HOST/PATH"
_CREDENTIALS = re.compile(r"//[^/@]*@")


def parse_source(text: str) -> SourceUri:
    """Turn a source text into a `SourceUri`.

    Raises
    ------
    InputError
        Unknown scheme, or a file that is missing, empty, or a folder.
    """
    head, colon, rest = text.partition(":")
    scheme = head.lower() if colon else ""
    if scheme == "phantom":
        return SourceUri(Scheme.PHANTOM, text, text)
    if scheme == "images":
        return SourceUri(Scheme.IMAGES, rest, text)
    if scheme in ("rtsp", "rtsps", "rtspt"):
        if not urlsplit(text).hostname:
            raise InputError(f"{without_credentials(text)} names no host", "Write it as rtsp://HOST[:PORT]/PATH.")
        return SourceUri(Scheme.RTSP, text, without_credentials(text))
    if scheme == "v4l2":
        device = rest.removeprefix("//") or "/dev/video0"
        return SourceUri(Scheme.V4L2, device, f"v4l2://{device}")
    if scheme == "decklink":
        number = rest.removeprefix("//") or "0"
        if not number.isdigit():
            raise InputError(f"decklink://{number} is not a device number", "Write decklink://0 for the first card.")
        return SourceUri(Scheme.DECKLINK, number, f"decklink://{number}")
    if scheme == "file":
        return _file(Path(unquote(rest.removeprefix("//"))))
    if "://" in text and not Path(text).exists():
        raise InputError(f"{without_credentials(text)}: unknown kind of source {scheme!r}", f"Give {_KNOWN}.")
    return _file(Path(text))


def without_credentials(text: str) -> str:
    """The text with whatever stands between ``//`` and ``@`` taken out."""
    return _CREDENTIALS.sub("//", text)


def _file(path: Path) -> SourceUri:
    if path.is_dir():
        raise InputError(f"{path} is a folder", f"For a folder of independent stills write images:{path}")
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", f"Check the path; a source is {_KNOWN}.") from None
    if not start:
        raise InputError(f"{path} is empty", "Give a recording that holds frames.")
    suffix = path.suffix.lower()
    if start[128:132] == b"DICM" or suffix in (".dcm", ".dicom"):
        return SourceUri(Scheme.DICOM, str(path), str(path))
    if suffix in (".mha", ".mhd"):
        return SourceUri(Scheme.METAIMAGE, str(path), str(path))
    return SourceUri(Scheme.VIDEO, str(path.absolute()), str(path))
