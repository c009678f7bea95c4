"""Pipeline strings, made by pure functions so that they are tested without GStreamer or a card.

All end in the same appsink. Files never drop: the appsink's bounded queue makes the decoder wait. Live sources drop
the oldest decoded picture instead: dropping happens after decoding, never before, or every later picture is broken.
"""

from __future__ import annotations

from edge_us.capture.uri import Scheme, SourceUri

FORMATS = "{ I420, NV12, GRAY8, BGR }"
FILE_QUEUE = 6
"""Decoded pictures that wait for the reader of a file."""
LIVE_QUEUE = 2
RTSP_LATENCY_MS = 50
"""Jitter buffer; GStreamer's default of 2000 ms is two seconds of delay."""
SINK = "picture"


def build_pipeline(source: SourceUri, elements: frozenset[str]) -> str:
    """The GStreamer pipeline for a source, ending in an appsink named `SINK`.

    Parameters
    ----------
    source : SourceUri
    elements : frozenset of str
        Names of the available elements; what is not there is not used.
    """
    if source.scheme is Scheme.VIDEO:
        return f"filesrc location={_quote(source.target)} ! decodebin ! {_tail(elements, live=False)}"
    if source.scheme is Scheme.RTSP:
        return (
            f"rtspsrc location={_quote(source.target)} protocols=tcp latency={RTSP_LATENCY_MS} drop-on-latency=true "
            f"! application/x-rtp,media=video ! decodebin ! {_tail(elements, live=True)}"
        )
    if source.scheme is Scheme.V4L2:
        # Raw first, then MJPEG, whichever the card offers; decodebin passes raw video through.
        return (
            f"v4l2src device={_quote(source.target)} do-timestamp=true ! video/x-raw;image/jpeg ! decodebin "
            f"! {_tail(elements, live=True)}"
        )
    if source.scheme is Scheme.DECKLINK:
        return (
            f"decklinkvideosrc device-number={source.target} mode=auto drop-no-signal-frames=true "
            f"! {_tail(elements, live=True)}"
        )
    raise ValueError(f"{source.scheme.value} is not read by GStreamer")


def _tail(elements: frozenset[str], *, live: bool) -> str:
    drop = f"drop=true max-buffers={LIVE_QUEUE}" if live else f"drop=false max-buffers={FILE_QUEUE}"
    from_gpu = "nvvidconv ! video/x-raw ! " if "nvvidconv" in elements else ""
    deinterlace = "deinterlace mode=auto ! " if "deinterlace" in elements else ""
    return (
        f"{from_gpu}videoconvert ! {deinterlace}videoconvert ! video/x-raw,format={FORMATS} "
        f"! appsink name={SINK} sync=false emit-signals=false {drop}"
    )


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
