"""`Reading`: what is known of a node, and the numbers of one look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_us.finding import Unknown, Value
from edge_us.measure.size import measure_size
from edge_us.nodes.criteria import BULGE, CORTEX, HILUM, OFFSET, RATIO, Judged, judge, pattern, sum_up
from edge_us.nodes.measure import measure_cortex
from edge_us.nodes.segment import LEAST_CONTRAST_DB, segment_node

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_us.finding import Finding
    from edge_us.frame import Frame

EXTENT, SHARE, USUAL = "bulge_extent", "hilum_share", "cortex_usual_mm"
NUMBERS = (CORTEX, USUAL, BULGE, EXTENT, HILUM, SHARE, OFFSET, RATIO)
NO_HILUM, UNCALIBRATED, TOO_SMALL = "no hilum", "uncalibrated", "too small to be read"


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """Where things lie in a node's box, in shares of it: it moves with the box.

    Attributes
    ----------
    hilum : ndarray of float32, shape (n, 2)
        Outline; empty where there is no hilum.
    thickest : ndarray of float32, shape (2, 2) or (0, 2)
        The thickest place of the cortex, on the capsule and on the hilum.
    pts_ns : int
        Stream time of the picture that it was seen on.
    """

    hilum: NDArray[np.float32]
    thickest: NDArray[np.float32]
    pts_ns: int

    def placed(self, box: tuple[float, float, float, float]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Outline and thickest place in px of a frame in which the node's box is this."""
        import numpy as np

        low, size = np.array(box[:2], np.float32), np.array((box[2] - box[0], box[3] - box[1]), np.float32)
        return self.hilum * size + low, self.thickest * size + low


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What is known of a node.

    Attributes
    ----------
    values : mapping of str to Value
        Numbers of the cortex and the hilum, ``hilum`` (present, absent) and ``pattern``; means over the looks.
    criteria : tuple of Judged
        Empty where nothing is known.
    summary : str
        The criteria counted; empty where nothing is known.
    sketch : Sketch or None
        Of the last look.
    """

    values: Mapping[str, Value]
    criteria: tuple[Judged, ...] = ()
    summary: str = ""
    sketch: Sketch | None = None


def look(frame: Frame, found: Finding) -> tuple[dict[str, float], Sketch | None]:
    """Numbers of a node in one picture; those that cannot be had are left out.

    Lengths are in mm, and left out where the picture has no scale.
    """
    unit = frame.geometry.mm_per_px or (1.0, 1.0)
    size = measure_size(found.contour, unit)
    section = None if size is None else segment_node(frame, found.contour, unit)
    if size is None or section is None:
        return {}, None
    numbers = {HILUM: section.contrast_db, RATIO: size.axes.long_length / max(size.axes.short_length, 1e-6)}
    cortex = measure_cortex(section)
    if cortex is not None:
        numbers |= {OFFSET: cortex.offset, SHARE: cortex.share, EXTENT: cortex.extent, BULGE: cortex.bulge}
        if frame.geometry.mm_per_px is not None:
            numbers |= {CORTEX: cortex.thickest, USUAL: cortex.usual}
    return numbers, _sketch(found.box, section.hilum_outline(), () if cortex is None else cortex.ends, frame.pts_ns)


def conclude(numbers: Mapping[str, float], sketch: Sketch | None, *, scaled: bool) -> Reading:
    """The reading from the mean numbers.

    Parameters
    ----------
    numbers : mapping of str to float
        Means over the looks; empty where no look gave any.
    sketch : Sketch or None
    scaled : bool
        Whether the pictures have a scale.
    """
    if HILUM not in numbers:
        return unknown(TOO_SMALL)
    present = numbers[HILUM] >= LEAST_CONTRAST_DB
    if not present:  # one look in which something stood out makes no hilum
        numbers = {name: number for name, number in numbers.items() if name in (HILUM, RATIO)}
    missing = dict.fromkeys(NUMBERS, "not measured" if present else NO_HILUM)
    if not scaled and present:
        missing |= {CORTEX: UNCALIBRATED, USUAL: UNCALIBRATED}
    values: dict[str, Value] = {name: numbers[name] if name in numbers else Unknown(missing[name]) for name in NUMBERS}
    values["hilum"] = "present" if present else "absent"
    complete = not present or all(name in numbers for name in (OFFSET, BULGE))
    kind = pattern(numbers) if complete else None
    values["pattern"] = Unknown(missing[CORTEX]) if kind is None else kind.value
    judged = judge(numbers, missing)
    return Reading(values, judged, sum_up(judged), sketch if present else None)


def unknown(reason: str) -> Reading:
    """Nothing known, for one reason."""
    return Reading({name: Unknown(reason) for name in (*NUMBERS, "hilum", "pattern")})


def _sketch(
    box: tuple[float, float, float, float],
    hilum: NDArray[np.float32],
    ends: tuple[tuple[float, float], ...],
    pts_ns: int,
) -> Sketch:
    import numpy as np

    low, size = np.array(box[:2]), np.maximum(np.array((box[2] - box[0], box[3] - box[1])), 1e-6)
    shares = [((np.asarray(each).reshape(-1, 2) - low) / size).astype(np.float32) for each in (hilum, ends)]
    return Sketch(shares[0], shares[1], pts_ns)
