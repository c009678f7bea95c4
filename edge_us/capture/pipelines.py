"""Pipelines as text, made by pure functions so that they are tested without GStreamer or a card.

All end in the same appsink. Files never drop: the appsink's bounded queue makes the decoder wait. Live sources drop
the oldest decoded picture instead: dropping happens after decoding, never before, or every later picture is broken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

from edge_us.capture.decoding import MJPEG, Decoders, best_decoders, software_decoders
from edge_us.capture.source import BurnedIn, SourceInfo, SourceKind
from edge_us.capture.uri import Scheme, SourceUri

FILE_QUEUE = 8
"""Decoded pictures that wait for the reader of a file."""
LIVE_QUEUE = 2
"""... of a live source: one being taken, one newest."""
RTSP_LATENCY_MS = 50
"""Jitter buffer; GStreamer's default of 2000 ms is two seconds of delay."""

DEVICE, DECODE, CONVERT, TARGET, SINK = "device", "decode", "convert", "target", "picture"
"""Names of the elements that the reader has to find again."""

# Without `caps`, decodebin opens sound as well, and hangs on a file whose streams it does not know.
_DECODE = f"decodebin name={DECODE} expose-all-streams=false caps=video/x-raw(ANY)"


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """A pipeline to be built.

    Attributes
    ----------
    description : str
        In the syntax of ``gst-launch-1.0``, with neither names of files nor credentials in it, unless the user wrote
        it. Not in the ``repr``.
    settings : mapping
        Properties of the element `DEVICE`, set after parsing: nothing needs quoting. Not in the ``repr``.
    shown : str
        The source in words that are safe to print.
    live : bool
        Whether the source runs on its own clock, drops, and is rebuilt when lost.
    is_users_own : bool
        Whether the user wrote its beginning: what cannot be built is then the user's mistake.
    decoders : Decoders
        Which element decodes what.
    software : PipelineSpec or None
        The same without hardware decoders, for where these do not start; None where there are none.
    """

    description: str = field(repr=False)
    settings: Mapping[str, str | int] = field(repr=False)
    shown: str
    live: bool
    is_users_own: bool = False
    decoders: Decoders = field(default_factory=Decoders)
    software: PipelineSpec | None = field(default=None, repr=False)

    @property
    def info(self) -> SourceInfo:
        """What is known of the source before it is open; a live one shows a screen."""
        if self.live:
            return SourceInfo(self.shown, SourceKind.LIVE, burned_in=BurnedIn.ANYWHERE)
        return SourceInfo(self.shown, SourceKind.FILE)


def build_pipeline(source: SourceUri, elements: Set[str]) -> PipelineSpec:
    """The pipeline of a source, ending in an appsink named `SINK`; with hardware decoders where they are.

    Parameters
    ----------
    source : SourceUri
    elements : set of str
        Names of the available elements; what is not there is not used.
    """
    software = _with_decoders(source, elements, software_decoders(elements))
    best = _with_decoders(source, elements, best_decoders(elements))
    return replace(best, software=software) if best.decoders != software.decoders else software


def _with_decoders(source: SourceUri, elements: Set[str], decoders: Decoders) -> PipelineSpec:
    settings: dict[str, str | int]
    if source.scheme is Scheme.V4L2:
        # Raw or MJPEG: neither ever lies in the device's memory.
        decoders = Decoders({media: name for media, name in decoders.by_format.items() if media == MJPEG})
    elif source.scheme is Scheme.DECKLINK:
        decoders = Decoders()
    tail = picture_tail(elements, live=source.scheme is not Scheme.VIDEO, from_device=decoders.from_device)
    if source.scheme is Scheme.VIDEO:
        text, settings = f"filesrc name={DEVICE} ! {_DECODE} ! {tail}", {"location": source.target}
    elif source.scheme is Scheme.RTSP:
        text = (
            f"rtspsrc name={DEVICE} protocols=tcp latency={RTSP_LATENCY_MS} drop-on-latency=true "
            f"! application/x-rtp,media=video ! {_DECODE} ! {tail}"
        )
        settings = _rtsp_settings(source.target)
    elif source.scheme is Scheme.V4L2:
        text = f"v4l2src name={DEVICE} ! {camera_tail(elements)}"
        settings = {"device": source.target}
    elif source.scheme is Scheme.DECKLINK:
        text = f"decklinkvideosrc name={DEVICE} mode=auto drop-no-signal-frames=true ! {tail}"
        settings = {"device-number": int(source.target)}
    elif source.scheme is Scheme.GSTREAMER:
        # The user's own beginning: a vendor's camera element, shared memory, another network protocol.
        text, settings = f"{source.target} ! {_DECODE} ! {tail}", {}
    else:
        raise ValueError(f"{source.scheme.value} is not read by GStreamer")
    own = source.scheme is Scheme.GSTREAMER
    return PipelineSpec(text, settings, source.shown, source.scheme is not Scheme.VIDEO, own, decoders)


def camera_tail(elements: Set[str]) -> str:
    """What follows a grabber or camera that offers raw pictures, MJPEG, or both.

    Over USB 2 a grabber offers its full size as raw at 5 fps and as MJPEG at 30: a usable rate comes first, raw
    before MJPEG, and anything else last.
    """
    fluent = "framerate=[24/1,240/1]"
    formats = f"video/x-raw,{fluent};image/jpeg,{fluent};video/x-raw;image/jpeg"
    return f'capsfilter caps="{formats}" ! {_DECODE} ! {picture_tail(elements, live=True)}'


def picture_tail(elements: Set[str], *, live: bool, from_device: str = "") -> str:
    """What follows decoded pictures of any kind: conversion, deinterlacing, and the appsink named `SINK`.

    ``from_device`` is that of `Decoders`.
    """
    drop = f"drop=true max-buffers={LIVE_QUEUE}" if live else f"drop=false max-buffers={FILE_QUEUE}"
    # One picture per interlaced picture, from its first field alone: no delay, and no frame that nobody captured.
    deinterlace = "deinterlace mode=auto method=linear fields=top ! " if "deinterlace" in elements else ""
    return (
        f"{from_device}videoconvert name={CONVERT} dither=none ! capsfilter name={TARGET} caps=video/x-raw "
        f"! {deinterlace}appsink name={SINK} sync=false emit-signals=false enable-last-sample=false {drop}"
    )


def _rtsp_settings(uri: str) -> dict[str, str | int]:
    """Address, user and password apart: rtspsrc takes them so, and none of them can end up in a log."""
    parts = urlsplit(uri)
    location = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    settings: dict[str, str | int] = {"location": location}
    if parts.username:
        settings["user-id"] = unquote(parts.username)
    if parts.password:
        settings["user-pw"] = unquote(parts.password)
    return settings


_RGB = re.compile("RGB|BGR|GBR|r210")


def target_caps(pixel_format: str, colorimetry: str, *, interlaced: bool) -> str:
    """The caps into which a decoded picture is converted before it is copied.

    Luma is never touched: 4:2:2, 4:4:4 and 10 bit become I420 of the same range, grey stays grey and RGB becomes BGR.
    Range is left alone, because videoconvert (1.22) does not change it between equal formats, and is up to three
    levels off between YUV and RGB; `samples` and `edge_us.colour` do it.

    Parameters
    ----------
    pixel_format : str
        GStreamer's name, such as ``Y42B``.
    colorimetry : str
        GStreamer's name (``bt709``) or ``range:matrix:transfer:primaries`` (``1:4:0:0``).
    interlaced : bool
        GStreamer's deinterlacer knows no grey.
    """
    if _RGB.search(pixel_format):
        wanted = "BGR"
    elif pixel_format.startswith("GRAY"):
        wanted = "I420" if interlaced else "GRAY8"
    else:
        wanted = "NV12" if pixel_format == "NV12" else "I420"
    if wanted in ("I420", "NV12") and (colorimetry.startswith(("bt2020", "bt2100")) or colorimetry[1:4] == ":6:"):
        colorimetry = "1:3:5:1" if colorimetry.startswith("1:") else "bt709"
    elif wanted == pixel_format:
        return f"video/x-raw,format={wanted}"
    return f"video/x-raw,format={wanted},colorimetry={colorimetry}"
