"""`Measure`: the stage that gives findings their measurements, and the overlay its callipers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edge_us.colour import to_gray
from edge_us.finding import Finding, Unknown, Value
from edge_us.frame import Frame, Rect
from edge_us.measure.beam import depth_of
from edge_us.measure.size import measure_size
from edge_us.measure.skin import skin_row
from edge_us.measure.smooth import Smoothed

if TYPE_CHECKING:
    from edge_us.measure.size import Size

LENGTHS = ("long_axis_mm", "short_axis_mm", "area_mm2", "depth_mm")
"""Known only with a scale."""
RATIOS = ("height_to_width", "long_axis_deg")
"""Need no more than the shape of a pixel, which is taken for square where the scale is unknown."""
SKIN_EVERY_NS = 200_000_000
"""The skin does not move against the probe."""
NO_CONTOUR = Unknown("no contour")
ONE_PICTURE = Unknown("a single picture")
TOO_FEW = Unknown("too few frames")


@dataclass(slots=True)
class _Track:
    values: dict[str, Smoothed] = field(default_factory=dict)
    unit: tuple[float, float] | None = None
    skin: float = 0.0
    due_ns: int = 0


class Measure:
    """Measure every tracked finding on every frame on which it is seen.

    The values are smoothed over the track (`Smoothed`); each has its standard deviation beside it, as ``NAME_spread``.
    On a frame on which a track is not seen its last values stay. Stills are measured once, without a spread.

    Parameters
    ----------
    stills : bool
        Whether the source is a set of independent stills.
    """

    def __init__(self, *, stills: bool) -> None:
        self._stills = stills
        self._tracks: dict[int, _Track] = {}

    def apply(
        self, frame: Frame, findings: Sequence[Finding], region: Rect | None, withheld: str | None
    ) -> tuple[Finding, ...]:
        """The findings with measurements and axes, or with the reason why there are none; see `Conclusion`."""
        if withheld is not None:
            # Callipers are a measurement too: none are drawn. Tracks are kept for when the picture is live again.
            return tuple(replace(found, measurements=unknown(f"not analysable: {withheld}")) for found in findings)
        if not self._stills:
            tracks = self._tracks
            self._tracks = {each.track: tracks.get(each.track, _Track()) for each in findings if each.track is not None}
        return tuple(self._measure(frame, found, region) for found in findings)

    def learn(self) -> None:
        """Nothing is left to do: every frame is measured at once."""

    def _measure(self, frame: Frame, found: Finding, region: Rect | None) -> Finding:
        geometry = frame.geometry
        track = _Track() if self._stills or found.track is None else self._tracks[found.track]
        size = measure_size(found.contour, geometry.mm_per_px or (1.0, 1.0), geometry.fan)
        uncalibrated = None if geometry.mm_per_px else geometry.reason or "uncalibrated"
        if track.unit != geometry.mm_per_px:  # px and mm, or two scales, have no mean
            track.values.clear()
            track.due_ns = 0
        track.unit = geometry.mm_per_px
        if size is not None and found.unseen == 0:
            self._take(track, frame, found, size, region)
        measurements = self._written(track, uncalibrated)
        if not track.values:
            return replace(found, measurements=measurements)
        return replace(found, measurements=measurements, axes=None if size is None else size.axes)

    def _take(self, track: _Track, frame: Frame, found: Finding, size: Size, region: Rect | None) -> None:
        unit, fan, now_ns = frame.geometry.mm_per_px, frame.geometry.fan, frame.pts_ns
        values = {"height_to_width": size.height_to_width, "long_axis_deg": size.long_axis_deg}
        if unit is not None:
            if fan is None and now_ns >= track.due_ns:
                track.skin, track.due_ns = float(skin_above(frame, found, region)), now_ns + SKIN_EVERY_NS
            values["long_axis_mm"], values["short_axis_mm"] = size.axes.long_length, size.axes.short_length
            values["area_mm2"] = size.area
            values["depth_mm"] = depth_of(found.contour, unit, fan, track.skin)
        for name, value in values.items():
            track.values.setdefault(name, Smoothed()).add(value, now_ns)

    def _written(self, track: _Track, uncalibrated: str | None) -> Mapping[str, Value]:
        written: dict[str, Value] = {}
        for name in (*LENGTHS, *RATIOS):
            seen = track.values.get(name)
            if seen is None:
                reason = Unknown(uncalibrated) if uncalibrated and name in LENGTHS else NO_CONTOUR
                written[name] = written[f"{name}_spread"] = reason
                continue
            spread = seen.spread
            written[name] = seen.mean
            if spread is None:
                written[f"{name}_spread"] = ONE_PICTURE if self._stills else TOO_FEW
            else:
                written[f"{name}_spread"] = spread
        return written


def unknown(reason: str) -> Mapping[str, Value]:
    """All measurements, unknown for one reason."""
    value = Unknown(reason)
    names = (*LENGTHS, *RATIOS)
    return {**dict.fromkeys(names, value), **{f"{name}_spread": value for name in names}}


def skin_above(frame: Frame, found: Finding, region: Rect | None) -> int:
    """Row of the frame at which the tissue above a finding begins (see `skin_row`)."""
    area = region or Rect(0, 0, frame.width, frame.height)
    x1, y1, x2, _ = found.box
    third = (x2 - x1) / 3
    left, right = int(x1 + third), int(x2 - third) + 1
    strip = Rect(left, area.y, right - left, max(0, int(y1) - area.y)).clip(frame.width, frame.height)
    if strip.width == 0 or strip.height == 0:
        return area.y
    return strip.y + skin_row(to_gray(frame, strip))
