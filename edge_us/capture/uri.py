"""What a source text means; pure but for one look at the file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
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
    GSTREAMER = "gst"
    BUNDLE = "bundle"


@dataclass(frozen=True, slots=True)
class SourceUri:
    """A parsed source.

    ``target`` is the path, device, number or full URI that the reader needs, with credentials and therefore not
    in the ``repr``; ``shown`` is safe to print.
    """

    scheme: Scheme
    target: str = field(repr=False)
    shown: str


_KNOWN = (
    "a file, images:FOLDER, phantom:, v4l2:///dev/videoN, decklink://N rtsp://HOST/PATH, gst:PIPELINE or bundle:FOLDER"
)
_LOGIN = r"(?P<login>.*)@(?=\S)"
_AFTER_SLASHES = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*:/+|(?<![^\s=\"'])//)" + _LOGIN, re.IGNORECASE | re.DOTALL)
_AFTER_COLON = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*:)(?![/\s])" + _LOGIN, re.IGNORECASE | re.DOTALL)
_USER = re.compile(r"//[^/\s]*@")
_SECRET_QUERY = re.compile(
    r"([?&;][^=&;\s]*(?:user|pass|pwd|pw|token|key|secret|auth|sig)[^=&;\s]*=)[^&;\s]*", re.IGNORECASE
)
_SECRET_PROPERTY = re.compile(
    r"((?<![?&;\w-])(?:[\w-]*(?:user-id|proxy-id|user-?name|passw|passphrase|token|secret|cookie|credential)[\w-]*"
    r"|(?:[\w-]*[_-])?(?:pw|pwd|pass|auth|api-?key|authorization))\s*=\s*)"
    r"(?:\"(?:[^\"\\]|\\.)*(?:\"|$)|'[^']*(?:'|$)|\S+)",
    re.IGNORECASE,
)
_STILLS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})


def parse_source(text: str) -> SourceUri:
    """Turn a source text into a `SourceUri`.

    Raises
    ------
    InputError
        Unknown scheme, incomplete address, or a file that is missing, empty, a folder or a still picture.
    """
    head, colon, rest = text.partition(":")
    scheme = head.lower() if colon else ""
    if not text.strip():
        raise InputError("no source is given", f"Give {_KNOWN}.")
    if scheme == "phantom":
        return SourceUri(Scheme.PHANTOM, text, text)
    if scheme == "images":
        if not rest:
            raise InputError("images: names no folder", "Write images:FOLDER.")
        return SourceUri(Scheme.IMAGES, rest, text)
    if scheme == "bundle":
        if not rest:
            raise InputError("bundle: names no folder", "Write bundle:FOLDER.")
        return SourceUri(Scheme.BUNDLE, rest, text)
    if scheme in ("rtsp", "rtsps", "rtspt"):
        return _rtsp(text)
    if scheme == "v4l2":
        device = rest.removeprefix("//")
        if not device.startswith("/"):
            raise InputError(f"v4l2://{device} names no device", "Write v4l2:///dev/video0 (three slashes).")
        return SourceUri(Scheme.V4L2, device, f"v4l2://{device}")
    if scheme == "decklink":
        number = rest.removeprefix("//")
        if not re.fullmatch("[0-9]{1,3}", number):
            raise InputError(f"decklink:{rest} names no device number", "Write decklink://0 for the first card.")
        return SourceUri(Scheme.DECKLINK, str(int(number)), f"decklink://{int(number)}")
    if scheme == "gst":
        if not rest.strip():
            raise InputError("gst: names no pipeline", "Write gst:ELEMENT ! ..., up to raw or encoded pictures.")
        return SourceUri(Scheme.GSTREAMER, rest, without_credentials(text))
    if scheme == "file":
        path = rest.removeprefix("//").removeprefix("localhost")
        return _file(Path(unquote(path)))
    if "://" in text and not os.path.exists(text):  # noqa: PTH110  (pathlib's raises for names that are too long)
        raise InputError(f"{without_credentials(text)}: unknown kind of source {scheme!r}", f"Give {_KNOWN}.")
    return _file(Path(text))


def without_credentials(text: str) -> str:
    """The text without user and password of an address, and with the values of telling query keys and element
    properties masked.

    Passwords hold spaces, slashes and @, and addresses are mistyped: what looks like a login ends at the last @ of the
    text. That may take harmless words with it, and leaves no half of a password.
    """
    plain = _USER.sub("//", _AFTER_COLON.sub(r"\g<scheme>", _AFTER_SLASHES.sub(_without_login, text)))
    return _SECRET_PROPERTY.sub(r"\1***", _SECRET_QUERY.sub(r"\1***", plain))


def _without_login(found: re.Match[str]) -> str:
    """The scheme alone; a path with an @ and no colon before it is no login (``rtsp://host/live@2``)."""
    scheme, login = found["scheme"], found["login"]
    return scheme if ":" in login or not re.search(r"[/\s]", login) else found[0]


def _rtsp(text: str) -> SourceUri:
    hint = "Write rtsp://[USER:PASSWORD@]HOST[:PORT]/PATH; in a password write / as %2F and @ as %40."
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number: perhaps half a password, so nothing of it is repeated
        scheme = text.partition(":")[0].lower()
        raise InputError(f"the {scheme}:// address has no valid host or port", hint) from None
    if not usable:
        raise InputError(f"{without_credentials(text)} names no host", hint)
    return SourceUri(Scheme.RTSP, text, without_credentials(text))


def _file(path: Path) -> SourceUri:
    if os.path.isdir(path):  # noqa: PTH112  (as above)
        raise InputError(f"{path} is a folder", f"For a folder of independent stills write images:{path}")
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = getattr(error, "strerror", None) or error
        raise InputError(
            f"cannot read {without_credentials(str(path))}: {why}", f"Check the path; a source is {_KNOWN}."
        ) from None
    if not start:
        raise InputError(f"{path} is empty", "Give a recording that holds frames.")
    suffix = path.suffix.lower()
    if start[128:132] == b"DICM" or suffix in (".dcm", ".dicom"):
        return SourceUri(Scheme.DICOM, str(path), str(path))
    if suffix in (".mha", ".mhd"):
        return SourceUri(Scheme.METAIMAGE, str(path), str(path))
    if suffix in _STILLS:
        raise InputError(f"{path} is a still picture", f"Write images:{path}, or images: and its folder.")
    return SourceUri(Scheme.VIDEO, str(path.absolute()), str(path))
