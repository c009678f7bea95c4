"""``phantom:``: a synthetic clip as a source."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from edge_us.capture.sequence import Decoded, SequenceSource
from edge_us.capture.source import Source, SourceInfo, SourceKind
from edge_us.frame import UNKNOWN_GEOMETRY, Geometry
from edge_us.phantom.probe import fan_of
from edge_us.phantom.spec import parse_uri
from edge_us.phantom.store import Clip, load_clip


def open_phantom(uri: str) -> Source:
    """Open ``phantom:?key=value&…`` (keys in `edge_us.phantom.spec.URI_KEYS`).

    Everything is generated before the first frame is read. A plain phantom knows its region, scale and beams; the
    screen of a cart does not say them, as a real one does not.

    Raises
    ------
    UsageError
        Unknown key or impossible value.
    """
    spec, playback = parse_uri(uri)
    clip = load_clip(spec)
    geometry = UNKNOWN_GEOMETRY
    if not spec.is_screen:
        fan = fan_of(spec.probe, spec.imaging_depth_mm, spec.width, spec.height)
        geometry = Geometry(clip.region, (clip.mm_per_px, clip.mm_per_px), "", fan=fan)
    kind = SourceKind.LIVE if playback.live else SourceKind.FILE
    info = SourceInfo(uri, kind, spec.fps, None if playback.loop else spec.frames)
    return SequenceSource(info, _play(clip, spec.fps, geometry, playback.loop), [])


def _play(clip: Clip, fps: float, geometry: Geometry, loop: bool) -> Iterator[Decoded]:
    frames = len(clip.images)
    there_and_back = max(1, 2 * frames - 2)
    for number in count() if loop else range(frames):
        place = number % there_and_back
        place = place if place < frames else there_and_back - place
        yield Decoded(clip.images[place], round(number * 1e9 / fps), geometry)
