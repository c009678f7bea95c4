"""GStreamer, loaded once and only when needed."""

from __future__ import annotations

from contextlib import suppress
from functools import cache, lru_cache
from typing import Any

from edge_us.capture.decoding import KNOWN
from edge_us.errors import MissingDependencyError

APT_PACKAGES = (
    "python3-venv python3-gi gir1.2-gstreamer-1.0 gir1.2-gst-plugins-base-1.0 gstreamer1.0-plugins-base "
    "gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-x"
)
HINT = f"sudo apt-get install {APT_PACKAGES}, and a Python environment made with --system-site-packages"


@lru_cache(maxsize=1)
def load_gst() -> Any:
    """The ``Gst`` module, initialised.

    Raises
    ------
    MissingDependencyError
        PyGObject or GStreamer (with its app and video libraries) is not installed.
    """
    _prefer_libgcc_unwinder()
    try:
        import gi

        for library in ("Gst", "GstApp", "GstVideo"):
            gi.require_version(library, "1.0")
        from gi.repository import Gst, GstApp, GstVideo  # noqa: F401  (appsink's methods appear with GstApp)
    except (ImportError, ValueError) as error:
        raise MissingDependencyError(f"GStreamer for Python is not installed: {error}", HINT) from None
    Gst.init(None)
    return Gst


def _prefer_libgcc_unwinder() -> None:
    """Put libgcc's unwinder into the global symbol scope before GStreamer brings libunwind there.

    Debian's GStreamer links libunwind, whose ``_Unwind_Resume`` then shadows libgcc's for every library that is
    loaded later: the first C++ exception inside OpenVINO aborts the process.
    """
    import ctypes

    with suppress(OSError):  # no libgcc_s: another C++ runtime, which this does not concern
        ctypes.CDLL("libgcc_s.so.1", mode=ctypes.RTLD_GLOBAL)


@lru_cache(maxsize=1)
def available_elements() -> frozenset[str]:
    """Names of all GStreamer elements of this machine."""
    gst = load_gst()
    factories = gst.Registry.get().get_feature_list(gst.ElementFactory)
    return frozenset(factory.get_name() for factory in factories)


def usable_elements() -> frozenset[str]:
    """`available_elements` without the decoders that somebody switched off (``GST_PLUGIN_FEATURE_RANK=NAME:NONE``)."""
    find = load_gst().ElementFactory.find
    return available_elements() - {name for name in KNOWN & available_elements() if find(name).get_rank() == 0}


@cache
def element_opens(name: str) -> bool:
    """Whether an element can be made ready, which opens its device; asked once in a process."""
    gst = load_gst()
    element = gst.ElementFactory.make(name)
    if element is None:
        return False
    opened = element.set_state(gst.State.READY) != gst.StateChangeReturn.FAILURE
    element.set_state(gst.State.NULL)
    return bool(opened)


def gst_version() -> tuple[int, int]:
    """Major and minor version of GStreamer."""
    major, minor, _, _ = load_gst().version()
    return int(major), int(minor)
