"""Whose code was at work: libraries and GStreamer elements with their versions, for messages."""

from __future__ import annotations

import re
from importlib import metadata

from edge_us.capture.uri import Scheme, parse_source

_PACKAGES = {
    Scheme.DICOM: ("pydicom", "pylibjpeg-openjpeg", "pylibjpeg-libjpeg", "python-gdcm", "pillow"),
    Scheme.METAIMAGE: ("numpy",),
    Scheme.IMAGES: ("opencv-python-headless",),
}
_CREATED = re.compile(r'creating element "([\w-]+)"')
_WORK = ("Demux", "Decoder", "Parser", "Depayloader", "Source/Network")
"""Parts of an element's class that say that it reads what others wrote."""
_SOURCES = ("filesrc", "rtspsrc")
"""What a pipeline begins with: of several attempts the last one counts."""
ELEMENT_LOG = "GST_ELEMENT_FACTORY:4"
"""GStreamer's debug category that names each element just before it is made."""
MOST_NAMED = 3


def of_source(uri: str) -> str:
    """The libraries that open this source, for messages; "GStreamer" for videos, whose elements `elements` finds."""
    return named(*_PACKAGES.get(parse_source(uri).scheme, ())) or "GStreamer"


def named(*packages: str) -> str:
    """Those of the packages that are installed, with versions."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def elements(log: str) -> str:
    """The last demuxers, parsers and decoders that GStreamer made, with plugin and version; empty where it made none.

    Parameters
    ----------
    log : str
        What GStreamer wrote with ``GST_DEBUG=GST_ELEMENT_FACTORY:4``.
    """
    names = _CREATED.findall(log)
    begins = [number for number, name in enumerate(names) if name in _SOURCES]
    names = list(dict.fromkeys(names[begins[-1] if begins else 0 :]))
    if not names:
        return ""
    from edge_us.capture.gst import load_gst

    gst = load_gst()
    found = []
    for name in names:
        factory = gst.ElementFactory.find(name)
        kind = "" if factory is None else factory.get_metadata("klass") or ""
        if "Bin" in kind or not any(word in kind for word in _WORK):
            continue
        plugin = factory.get_plugin()
        version = "" if plugin is None else f" ({plugin.get_name()} {plugin.get_version()})"
        found.append(name + version)
    return ", ".join(found[-MOST_NAMED:])
