"""`open_source`: from a text to a running source."""

from __future__ import annotations

import time
from pathlib import Path

from edge_us.capture.gst import usable_elements
from edge_us.capture.gst_source import GstSource
from edge_us.capture.paced import Paced
from edge_us.capture.pipelines import build_pipeline
from edge_us.capture.replayed import Replayed
from edge_us.capture.source import Source, SourceKind
from edge_us.capture.uri import Scheme, SourceUri, parse_source
from edge_us.errors import UsageError


def open_source(
    uri: str,
    *,
    connect_timeout_s: float = 10.0,
    realtime: bool | None = None,
    fps: float | None = None,
    loop: bool = False,
    probe: bool = False,
) -> Source:
    """Open a file, folder, device or stream.

    Parameters
    ----------
    uri : str
        A path (mp4, mkv, avi, mov, DICOM, MetaImage), ``images:FOLDER``, ``phantom:…``, ``v4l2:///dev/videoN``,
        ``decklink://N``, ``rtsp://…``, ``gst:PIPELINE`` or ``bundle:FOLDER``.
    connect_timeout_s : float
        A source that delivers no frame within this time is an error.
    realtime : bool, optional
        Release the frames of a recording at their stream times, as a live source would (see `Paced`). Independent
        stills have no pace, and live sources have their own.
    fps : float, optional
        Play a recording at this rate instead of its own.
    loop : bool
        Play a recording again and again.
    probe : bool
        Open a file in a child process first (0.4 to 0.7 s on two busy cores): where a decoder crashes or hangs over its
        beginning, that is an `InputError` instead of the end of this process.

    Raises
    ------
    InputError
        The source is missing, cannot be played, or was never connected.
    UsageError
        ``fps`` or ``loop`` for what is not a recording.
    MissingDependencyError
        GStreamer, PyGObject or a decoder is not installed.
    """
    parsed = parse_source(uri)
    if parsed.scheme is Scheme.BUNDLE:
        from edge_us.replay.source import BundleSource

        # It brings the times at which its frames came, and the pauses between them.
        return BundleSource(Path(parsed.target), realtime=realtime is True, now_ns=time.monotonic_ns, sleep=time.sleep)
    if probe:
        from edge_us.probe.probe import probe_source

        child = probe_source(uri, connect_timeout_s)
        if child is not None:
            with child:
                child.result()
    if fps is None and not loop:
        source = _open(parsed, connect_timeout_s)
    else:
        if kind_of(uri) is not SourceKind.FILE:
            raise UsageError(
                f"{parsed.shown} is not a recording: it has its own pace", "Leave out --loop and --play-fps."
            )
        source = Replayed(lambda: _open(parsed, connect_timeout_s), fps=fps, loop=loop)
    # A phantom that says it is live has no clock of its own.
    wants_pace = realtime is True and source.info.kind is SourceKind.FILE
    if wants_pace or (source.info.kind is SourceKind.LIVE and not isinstance(source, GstSource)):
        return Paced(source, time.monotonic_ns, time.sleep)
    return source


def kind_of(uri: str) -> SourceKind:
    """What kind of source a text names, without opening it; raises as `open_source` does for what cannot be one."""
    parsed = parse_source(uri)
    if parsed.scheme is Scheme.IMAGES:
        return SourceKind.STILLS
    if parsed.scheme is Scheme.PHANTOM:
        from edge_us.phantom.spec import parse_uri

        return SourceKind.LIVE if parse_uri(parsed.target)[1].live else SourceKind.FILE
    if parsed.scheme is Scheme.BUNDLE:
        from edge_us.replay.reader import read_bundle
        from edge_us.replay.source import kind_of_bundle

        return kind_of_bundle(read_bundle(Path(parsed.target)).header)
    live = parsed.scheme in (Scheme.V4L2, Scheme.DECKLINK, Scheme.RTSP, Scheme.GSTREAMER)
    return SourceKind.LIVE if live else SourceKind.FILE


def _open(parsed: SourceUri, connect_timeout_s: float) -> Source:
    if parsed.scheme is Scheme.DICOM:
        from edge_us.capture.dicom import open_dicom

        return open_dicom(Path(parsed.target))
    if parsed.scheme is Scheme.METAIMAGE:
        from edge_us.capture.metaimage import open_metaimage

        return open_metaimage(Path(parsed.target))
    if parsed.scheme is Scheme.IMAGES:
        from edge_us.capture.images import open_images

        return open_images(Path(parsed.target))
    if parsed.scheme is Scheme.PHANTOM:
        from edge_us.capture.phantom_source import open_phantom

        return open_phantom(parsed.target)
    return GstSource(build_pipeline(parsed, usable_elements()), connect_timeout_s)
