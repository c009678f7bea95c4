"""Which region of a source may leave, and the refusal where nobody named one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge_us.capture.source import BurnedIn, SourceInfo
from edge_us.errors import UsageError
from edge_us.frame import Frame, Rect
from edge_us.privacy.redact import Keep, redact

if TYPE_CHECKING:
    from edge_us.calibrate.preset import Preset


class Redactor:
    """Makes of every captured frame what may leave the process.

    Parameters
    ----------
    named : Keep or None
        What a preset or an option names; without a size, that of the first frame binds: a screen that changes its
        size is another screen, and its names stand elsewhere.
    declared : bool
        Keep the regions that each frame declares itself.

    With neither, the whole picture may leave.
    """

    def __init__(self, named: Keep | None = None, *, declared: bool = False) -> None:
        self._named = named
        self._declared = declared

    @property
    def keeps_all(self) -> bool:
        """Whether the whole picture may leave."""
        return self._named is None and not self._declared

    def redact(self, frame: Frame) -> tuple[Frame, str]:
        """The frame as it may leave (itself where all of it may), and why nothing of it may, if so."""
        if self._named is None:
            if self.keeps_all:
                return frame, ""
            return redact(frame, Keep(tuple(region.rect for region in frame.geometry.regions))), ""
        if self._named.size is None:
            self._named = replace(self._named, size=frame.size)
        if self._named.fits(frame):
            return redact(frame, self._named), ""
        named, there = (f"{width}x{height}" for width, height in (self._named.size or (0, 0), frame.size))
        return redact(frame, self._named), f"the region was named for {named}, the picture is {there}"


def choose_redactor(
    info: SourceInfo, *, region: Rect | None, preset: Preset | None, full_screen: bool, pixels_leave: bool
) -> Redactor:
    """Decide what of a source may leave.

    Parameters
    ----------
    info : SourceInfo
    region : Rect or None
        As named on the command line.
    preset : Preset or None
    full_screen : bool
        The user said that the whole screen may leave.
    pixels_leave : bool
        Whether any output holds pixels.

    Raises
    ------
    UsageError
        Pixels would leave, names may stand among them, and nobody said which region holds none.
    """
    if full_screen:
        return Redactor()
    if preset is not None:
        return Redactor(preset.keep)
    if region is not None:
        return Redactor(Keep((region,)))
    if info.burned_in is BurnedIn.OUTSIDE_REGIONS:
        return Redactor(declared=True)
    if info.burned_in is BurnedIn.ANYWHERE and pixels_leave:
        raise UsageError(
            f"{info.uri} may show a patient's name, and no image region is named",
            "Name it: --region X,Y,W,H, or --preset FILE from `edge-us calibrate region SOURCE --out FILE`; or say "
            "--record-full-screen.",
        )
    return Redactor()
