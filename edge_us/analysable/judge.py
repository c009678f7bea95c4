"""`Judge`: a stable verdict on whether findings may be made on a picture."""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from edge_us.analysable.colour_doppler import Flow, FlowWatch, shows_colour_flow
from edge_us.analysable.contact import lacks_contact
from edge_us.analysable.dual_view import shows_two_views
from edge_us.analysable.freeze import StillWatch
from edge_us.analysable.latch import Latch
from edge_us.analysable.scaling import percentile, shrink_to
from edge_us.colour import to_gray
from edge_us.frame import Frame, Rect

MS = 1_000_000
WORK_SIDE_PX = 320
"""Longest side of the grey picture that contact and freeze are judged on."""
CHECK_EVERY_NS = 100 * MS
"""Nothing of this changes faster than it is latched; looking at every frame would cost as much as the overlay does."""
DUAL_EVERY_NS = 200 * MS
"""A layout does not change faster than this, and it is the dearest to look for."""
BLANK_CONTRAST = 16
"""Grey levels between the darkest and the brightest pixels of a picture that holds nothing. The least of 3310 real
breast pictures is 79."""
GAP_NS = 3_000 * MS
"""After a longer gap in the stream, or a step back, nothing that was seen before holds."""


class Cause(str, Enum):
    """Why a picture is not analysable; the value is what the user reads."""

    NO_PICTURE = "no picture"
    """Black, or another single colour: what a grabber shows for a cable that was pulled."""
    NO_CONTACT = "no contact"
    COLOUR_DOPPLER = "colour Doppler"
    DUAL_VIEW = "dual view"
    FROZEN = "frozen picture"

    @property
    def shows_tissue(self) -> bool:
        """Whether a lesion can be in the picture at all."""
        return self not in (Cause.NO_PICTURE, Cause.NO_CONTACT)

    @property
    def keeps_outlines(self) -> bool:
        """Whether findings are shown: not on a picture that stands, since a lost signal may look like that."""
        return self.shows_tissue and self is not Cause.FROZEN


LATCH_MS = {
    Cause.NO_PICTURE: (0, 100),
    Cause.NO_CONTACT: (300, 200),
    Cause.COLOUR_DOPPLER: (100, 1500),
    Cause.DUAL_VIEW: (300, 400),
}
"""For how long a cause must be seen to count, and not be seen to be over. Flow comes and goes with the pulse."""


class Judge:
    """Judge the pictures of one source, in their order.

    In a sequence a cause counts once it has been seen for a while, and until it has not been seen for a while. On
    independent stills each picture is judged alone, and none is frozen.

    Parameters
    ----------
    stills : bool
        Whether the source is a set of independent stills.
    """

    def __init__(self, *, stills: bool) -> None:
        self._stills = stills
        self._region: Rect | None = None
        self._last_ns = 0
        self._due_ns = self._dual_due_ns = 0
        self._cause: Cause | None = None
        self._forget()

    def judge(self, frame: Frame, region: Rect | None, *, region_known: bool = True) -> Cause | None:
        """Why ``frame`` is not analysable, or None if it is. The picture's own content comes before a freeze.

        Parameters
        ----------
        frame : Frame
            With rising ``pts_ns``.
        region : Rect or None
            The image region in px; None is the whole picture.
        region_known : bool
            False while the whole picture is taken for want of a region: then panels beside the image are not taken
            for a second image.
        """
        if self._stills:
            return _judge_still(frame, region, to_gray(frame, region))
        now_ns = frame.pts_ns
        if region != self._region or not 0 <= now_ns - self._last_ns <= GAP_NS:
            self._forget()
        self._region, self._last_ns = region, now_ns
        if now_ns >= self._due_ns:
            self._due_ns = now_ns + CHECK_EVERY_NS
            self._cause = self._look(frame, region, region_known, now_ns)
        return self._cause

    def describe(self, cause: Cause, frame: Frame) -> str:
        """A cause in words; of a frozen picture with the time: is it a pause, or has the signal been lost for long?"""
        if cause is not Cause.FROZEN or self._stills:
            return cause.value
        return f"{cause.value} for {max(0, frame.pts_ns - self._watch.since_ns) // 1_000_000_000} s"

    def _look(self, frame: Frame, region: Rect | None, region_known: bool, now_ns: int) -> Cause | None:
        gray = to_gray(frame, region)
        small = shrink(gray)
        self._latches[Cause.NO_PICTURE].update(is_blank(small), now_ns)
        self._latches[Cause.NO_CONTACT].update(lacks_contact(small), now_ns)
        flow = self._flow.look(frame, region)
        if flow is Flow.GRAPHIC:  # known for sure: what the first look took for flow never was
            self._latches[Cause.COLOUR_DOPPLER] = _latch(Cause.COLOUR_DOPPLER)
        self._latches[Cause.COLOUR_DOPPLER].update(flow is Flow.FLOW, now_ns)
        if now_ns >= self._dual_due_ns:
            self._dual_due_ns = now_ns + DUAL_EVERY_NS
            self._latches[Cause.DUAL_VIEW].update(region_known and shows_two_views(gray), now_ns)
        frozen = self._watch.update(small, now_ns)
        cause = next((cause for cause, latch in self._latches.items() if latch.on), None)
        return Cause.FROZEN if cause is None and frozen else cause

    def _forget(self) -> None:
        self._latches = {cause: _latch(cause) for cause in LATCH_MS}
        self._flow = FlowWatch()
        self._watch = StillWatch()
        self._due_ns = self._dual_due_ns = 0
        self._cause = None


def _latch(cause: Cause) -> Latch:
    on_ms, off_ms = LATCH_MS[cause]
    return Latch(on_ms * MS, off_ms * MS)


def is_blank(gray: NDArray[np.uint8]) -> bool:
    """Whether the picture holds nothing: 99 of 100 pixels within a few grey levels."""
    return percentile(gray, 99.5) - percentile(gray, 0.5) < BLANK_CONTRAST


def shrink(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The grey picture with at most `WORK_SIDE_PX` px a side."""
    height, width = gray.shape
    scale = WORK_SIDE_PX / max(height, width)
    if scale >= 1:
        return gray
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return shrink_to(gray, size)


def _judge_still(frame: Frame, region: Rect | None, gray: NDArray[np.uint8]) -> Cause | None:
    small = shrink(gray)
    if is_blank(small):
        return Cause.NO_PICTURE
    if lacks_contact(small):
        return Cause.NO_CONTACT
    if shows_colour_flow(frame, region):
        return Cause.COLOUR_DOPPLER
    return Cause.DUAL_VIEW if shows_two_views(gray) else None
