"""`DeckLinkOut`: the annotated video on a DeckLink card's output, for a monitor or recorder behind SDI or HDMI."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

from edge_us.capture.gst import available_elements
from edge_us.errors import MissingDependencyError, PipelineError
from edge_us.finding import FrameResult
from edge_us.frame import Frame
from edge_us.overlay.picture import Picture
from edge_us.sinks.feed import BackPressure, Feed
from edge_us.sinks.sink import Sees

NEEDED = ("decklinkvideosink", "videoscale", "videoconvert")
ROOM = 1
"""Pictures that wait: a live picture that has to queue is old."""
AHEAD_NS = 20_000_000
"""How far ahead pictures are scheduled on the card: scaling and conversion have to be done by then."""
_NOMINAL_FPS = 30.0
"""Only fills the caps: pictures go out when they come, and the card keeps the mode's rate."""


class DeckLinkMode(str, Enum):
    """Progressive HD modes of a card, by GStreamer's names; an interlaced one would tear an outline in two."""

    HD720P50 = "720p50"
    HD720P5994 = "720p5994"
    HD720P60 = "720p60"
    HD1080P25 = "1080p25"
    HD1080P2997 = "1080p2997"
    HD1080P30 = "1080p30"
    HD1080P50 = "1080p50"
    HD1080P5994 = "1080p5994"
    HD1080P60 = "1080p60"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in px."""
        height = int(self.value.partition("p")[0])
        return height * 16 // 9, height


def decklink_pipeline(number: int, mode: DeckLinkMode) -> str:
    """GStreamer pipeline that plays pictures of any size and rate on a card.

    Pictures keep their shape between black bars, in limited BT.709, which the HD modes are. The card repeats each until
    the next comes; their time is when they come, on the card's own clock.

    Parameters
    ----------
    number : int
        Of the card's output, as GStreamer counts them, from 0.
    mode : DeckLinkMode
    """
    width, height = mode.size
    return (
        f"appsrc name=in format=time is-live=true do-timestamp=true min-latency={AHEAD_NS} max-bytes=0 "
        f"! videoscale add-borders=true ! video/x-raw,width={width},height={height},pixel-aspect-ratio=1/1 "
        "! videoconvert dither=none ! video/x-raw,format=UYVY,colorimetry=bt709 "
        f"! decklinkvideosink name=out device-number={number} mode={mode.value} video-format=8bit-yuv"
    )


class DeckLinkOut:
    """Play pictures on a DeckLink card as they come; never waits.

    What leaves through a cable may end in a recorder: it gets what may leave the process, as a recording does.

    Parameters
    ----------
    number : int
        Of the output, from 0.
    mode : DeckLinkMode
    elements : collection of str, optional
        GStreamer elements of this machine.

    Raises
    ------
    MissingDependencyError
        GStreamer has no DeckLink plugin.
    PipelineError
        There is no such card, its driver is missing, or it does not take the mode.
    """

    name = "decklink"
    sees = Sees.KEPT

    def __init__(self, number: int, mode: DeckLinkMode, elements: Collection[str] | None = None) -> None:
        elements = available_elements() if elements is None else elements
        missing = [name for name in NEEDED if name not in elements]
        if missing:
            raise MissingDependencyError(
                f"GStreamer has no {', '.join(missing)}",
                "sudo apt-get install gstreamer1.0-plugins-base gstreamer1.0-plugins-bad",
            )
        try:
            self._feed: Feed | None = Feed(
                decklink_pipeline(number, mode), f"DeckLink output {number}", BackPressure.DROP, ROOM
            )
        except PipelineError as error:
            raise PipelineError(
                error.message,
                f"Install Blackmagic's Desktop Video driver, and check card and mode ({mode.value}), or leave "
                "--decklink-out out.",
            ) from None

    @property
    def dropped(self) -> int:
        """Pictures for which the card had no room."""
        return self._feed.dropped if self._feed is not None else 0

    def write(self, frame: Frame, result: FrameResult, picture: Picture | None) -> None:
        """Play one picture; `PipelineError` once the card is gone."""
        if picture is not None and self._feed is not None:
            self._feed.push(picture, None, _NOMINAL_FPS)

    def close(self) -> None:
        """Let go of the card; may be called more than once."""
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.stop()
