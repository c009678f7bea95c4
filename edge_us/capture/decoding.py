"""Which decoder takes which stream: chosen from the elements of this machine before anything is opened.

Left to itself decodebin takes the element with the highest rank, and ranks differ between distributions: the same cart
would decode in the GPU after one update and on the CPU after the next. NVIDIA's decoders come first where they are;
beside every choice that has one stands the choice without.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

H264, H265, MJPEG = "video/x-h264", "video/x-h265", "image/jpeg"

_SOFTWARE: Mapping[str, tuple[str, ...]] = {
    H264: ("avdec_h264", "openh264dec"),
    H265: ("avdec_h265", "libde265dec"),
    MJPEG: ("jpegdec", "avdec_mjpeg"),
}
# MJPEG never goes to nvv4l2decoder: it has none on Thor (JetPack 7), and on Orin nvjpegdec does the same.
_JETSON = {H264: "nvv4l2decoder", H265: "nvv4l2decoder", MJPEG: "nvjpegdec"}
# On a desktop the GPU's MJPEG would cost a round trip over the bus and save a core nothing.
_DESKTOP = {H264: "nvh264dec", H265: "nvh265dec"}
HARDWARE = frozenset({*_JETSON.values(), *_DESKTOP.values()})
"""Elements that decode in a GPU or beside it."""
KNOWN = HARDWARE | {name for names in _SOFTWARE.values() for name in names}
"""All elements that are chosen from."""


@dataclass(frozen=True, slots=True)
class Decoders:
    """What decodes.

    Attributes
    ----------
    by_format : mapping
        From a media type to the one element that takes it. A media type that is not in it is left to decodebin.
    from_device : str
        What brings decoded pictures out of the device's memory, as the beginning of a pipeline; empty where they lie
        in the computer's own.
    """

    by_format: Mapping[str, str] = field(default_factory=dict)
    from_device: str = ""

    @property
    def hardware(self) -> tuple[str, ...]:
        """Those of its elements that are hardware's, by name."""
        return tuple(sorted(HARDWARE & set(self.by_format.values())))


def is_jetson(elements: Set[str]) -> bool:
    """Whether these are the elements of a Jetson: its decoder, and the way out of its memory."""
    return {"nvv4l2decoder", "nvvidconv"} <= elements


def software_decoders(elements: Set[str]) -> Decoders:
    """The decoders that need no device, as far as they are there."""
    found = {media: next((name for name in names if name in elements), None) for media, names in _SOFTWARE.items()}
    return Decoders({media: name for media, name in found.items() if name is not None})


def best_decoders(elements: Set[str]) -> Decoders:
    """NVIDIA's decoders where they are, those of `software_decoders` elsewhere."""
    wanted, from_device = (_JETSON, "nvvidconv ! video/x-raw ! ") if is_jetson(elements) else (_DESKTOP, "")
    there = {media: name for media, name in wanted.items() if name in elements}
    return Decoders({**software_decoders(elements).by_format, **there}, from_device)
