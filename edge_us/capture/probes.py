"""Looks at what flows through a pipeline, while it is put together and on a change of caps; never per picture."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from edge_us.capture.decoding import KNOWN, MJPEG, Decoders
from edge_us.capture.pipelines import CONVERT, TARGET, target_caps
from edge_us.capture.sequence import MAX_FRAME_PIXELS


@dataclass(slots=True)
class Plugged:
    """What decodebin has put together so far.

    Attributes
    ----------
    names : list of str
        Decoders that it was allowed.
    colorimetry : str
        What the encoded stream says of itself, as GStreamer writes it; empty where it says nothing.
    """

    names: list[str] = field(default_factory=list)
    colorimetry: str = ""


def convert_explicitly(gst: Any, pipeline: Any, plugged: Plugged) -> None:
    """Let `target_caps` choose, at every change of caps, what the pictures are converted to.

    Left to itself videoconvert turns the 4:2:2 of most grabbers into BGR, three times the bytes and up to three
    levels off. Where a decoder leaves out what the stream says of its range, that is filled in: pictures in full range
    would be taken for limited ones, and their contrast stretched.
    """
    from gi.repository import GstVideo

    target = pipeline.get_by_name(TARGET)

    def on_event(pad: Any, probe: Any) -> Any:
        event = probe.get_event()
        if event.type == gst.EventType.CAPS:
            caps = event.parse_caps()
            if plugged.colorimetry and lost_colorimetry(caps.to_string()):
                pad.send_event(gst.Event.new_caps(with_colorimetry(gst, caps, plugged.colorimetry)))
                return gst.PadProbeReturn.DROP
            info = GstVideo.VideoInfo.new_from_caps(caps)
            if info is not None and info.width * info.height > MAX_FRAME_PIXELS:
                _refuse(gst, pad, f"pictures of {info.width}x{info.height} are too large")
                return gst.PadProbeReturn.DROP
            if info is not None:
                interlaced = info.interlace_mode != GstVideo.VideoInterlaceMode.PROGRESSIVE
                colorimetry = info.colorimetry.to_string() or "0:0:0:0"
                wanted = target_caps(info.finfo.name, colorimetry, interlaced=interlaced)
                target.set_property("caps", gst.Caps.from_string(wanted))
        return gst.PadProbeReturn.OK

    pad = pipeline.get_by_name(CONVERT).get_static_pad("sink")
    pad.add_probe(gst.PadProbeType.EVENT_DOWNSTREAM, on_event)


def lost_colorimetry(caps: str) -> bool:
    """Whether these are the caps of a grey or YUV picture that say nothing of range and matrix."""
    pixel_format = re.search(r"format=\(string\)(\w+)", caps)
    is_rgb = pixel_format is None or re.search("RGB|BGR|GBR|r210", pixel_format[1])
    return not is_rgb and "colorimetry=" not in caps


def with_colorimetry(gst: Any, caps: Any, colorimetry: str) -> Any:
    """The caps with a colorimetry."""
    return gst.Caps.from_string(f"{caps.to_string()}, colorimetry=(string){colorimetry}")


def _refuse(gst: Any, pad: Any, why: str) -> None:
    """Let the pipeline end with an error of our own; a probe that held the pipeline would keep it alive for ever."""
    from gi.repository import GLib

    element = pad.get_parent_element()
    error = GLib.Error.new_literal(gst.stream_error_quark(), why, int(gst.StreamError.FORMAT))
    element.post_message(gst.Message.new_error(element, error, why))


def trust_the_bitstream_for_range(gst: Any, pipeline: Any) -> None:
    """Take "limited range" out of what a demuxer says of H.264 and H.265, so that the stream's own flag counts.

    qtdemux (1.22) says limited for every mp4 and mov with a ``colr`` box, also where box and stream say full, and the
    decoder believes it: full-range clips came out with their contrast stretched. Its matrix is kept.
    """
    from gi.repository import GstVideo

    def on_event(pad: Any, probe: Any) -> Any:
        event = probe.get_event()
        if event.type != gst.EventType.CAPS:
            return gst.PadProbeReturn.OK
        caps = event.parse_caps()
        said = caps.get_structure(0).get_string("colorimetry")
        colorimetry = GstVideo.VideoColorimetry()
        limited = GstVideo.VideoColorRange(2)
        if not said or not colorimetry.from_string(said) or colorimetry.range != limited:
            return gst.PadProbeReturn.OK
        colorimetry.range = GstVideo.VideoColorRange.UNKNOWN
        unsaid = f"colorimetry=(string){colorimetry.to_string()}"
        text = re.sub(r"colorimetry=\(string\)[^,;]+", unsaid, caps.to_string())
        pad.send_event(gst.Event.new_caps(gst.Caps.from_string(text)))
        return gst.PadProbeReturn.DROP

    def on_added(_pipeline: Any, _bin: Any, element: Any) -> None:
        factory = element.get_factory()
        if factory is not None and factory.get_name() in ("h264parse", "h265parse"):
            element.get_static_pad("sink").add_probe(gst.PadProbeType.EVENT_DOWNSTREAM, on_event)

    pipeline.connect("deep-element-added", on_added)


TRY, SKIP = 0, 2
"""GStreamer's ``GstAutoplugSelectResult``, which has no Python name."""
FULL_BT601 = "1:4:0:0"
"""Range, matrix, transfer and primaries as GStreamer numbers them."""
FIRST_RANK = 1024
"""More than any element brings: decodebin's parser writes the stream in the form that the first in rank takes."""


def decode_with(gst: Any, decodebin: Any, decoders: Decoders) -> Plugged:
    """Let decodebin use the named decoder for each media type that has one, and no other; what it does is noted."""
    plugged = Plugged()

    def on_select(_bin: Any, _pad: Any, caps: Any, factory: Any) -> int:
        if not factory.list_is_type(gst.ELEMENT_FACTORY_TYPE_DECODER):
            return TRY
        name, encoded = factory.get_name(), caps.get_structure(0)
        if decoders.by_format.get(encoded.get_name(), name) != name:
            return SKIP
        plugged.names.append(name)
        # ITU-T T.871: JPEG pictures are BT.601 in full range.
        plugged.colorimetry = FULL_BT601 if encoded.get_name() == MJPEG else encoded.get_string("colorimetry") or ""
        return TRY

    for name in KNOWN | set(decoders.by_format.values()):
        factory = gst.ElementFactory.find(name)
        if factory is not None and factory.get_rank() > 0:  # none: somebody switched it off
            factory.set_rank(FIRST_RANK - (name not in decoders.by_format.values()))
    decodebin.connect("autoplug-select", on_select)
    return plugged
