"""All descriptors of one lesion: numbers from one look, words from their means, and the catalogue of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_us.describe import echo, margin, orientation, posterior, shape
from edge_us.describe.patch import make_patch
from edge_us.describe.threshold import UNCERTAIN, Numbers, Threshold
from edge_us.finding import Unknown, Value
from edge_us.frame import Frame, Rect
from edge_us.measure.size import measure_size, pixel_area

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One term of the lexicon.

    Attributes
    ----------
    name : str
    words : tuple of str
        Beside ``uncertain``.
    numbers : tuple of str
        What it is decided from.
    thresholds : mapping of str to Threshold
    word : function
        From numbers to the word.
    missing : str
        Why there is no word when a number is not there.
    """

    name: str
    words: tuple[str, ...]
    numbers: tuple[str, ...]
    thresholds: Mapping[str, Threshold]
    word: Callable[[Numbers], str]
    missing: str


DESCRIPTORS = (
    Descriptor(
        "shape", shape.WORDS, (shape.DEVIATION, shape.AXIS_RATIO), shape.THRESHOLDS, shape.word, "no usable contour"
    ),
    Descriptor(
        *("orientation", orientation.WORDS, (orientation.RATIO,), orientation.THRESHOLDS, orientation.word),
        "no usable contour",
    ),
    Descriptor(
        "margin", margin.WORDS, (margin.SHARE,), margin.THRESHOLDS, margin.word, "too little of it in the image"
    ),
    Descriptor(
        *("echo_pattern", echo.WORDS, (echo.ECHO, echo.BRIGHTEST, echo.PARTS, echo.DARK, echo.BLACK)),
        *(echo.THRESHOLDS, echo.word, "too little tissue around it"),
    ),
    Descriptor(
        *("posterior_features", posterior.WORDS, (posterior.MEAN, posterior.DARKEST, posterior.BRIGHTEST)),
        *(posterior.THRESHOLDS, posterior.word, "too little tissue below and beside it"),
    ),
)


def look(frame: Frame, contour: NDArray[np.float32], region: Rect | None, skin: float) -> dict[str, float]:
    """Numbers of one lesion on one frame; those that cannot be had are left out.

    Parameters
    ----------
    frame : Frame
    contour : ndarray of float32, shape (n, 2)
        In px of the frame.
    region : Rect or None
        The image region; None is the whole frame.
    skin : float
        First row of tissue above the lesion in px of the frame.
    """
    unit, fan = frame.geometry.mm_per_px or (1.0, 1.0), frame.geometry.fan
    size = measure_size(contour, unit, fan)
    if size is None:
        return {}
    numbers = {orientation.RATIO: size.height_to_width, **shape.look(contour, unit)}
    patch = make_patch(frame, contour, pixel_area(contour), region, skin)
    if patch is not None:
        numbers |= {**margin.look(patch, contour, unit), **echo.look(patch), **posterior.look(patch)}
    return numbers


def describe(numbers: Numbers) -> dict[str, Value]:
    """Word and numbers of every descriptor, in the order of `DESCRIPTORS`."""
    written: dict[str, Value] = {}
    for each in DESCRIPTORS:
        known = all(name in numbers for name in each.numbers)
        written[each.name] = each.word(numbers) if known else Unknown(each.missing)
        for name in each.numbers:
            written[name] = numbers[name] if name in numbers else Unknown(each.missing)
    return written


def unknown(reason: str) -> dict[str, Value]:
    """Every descriptor's word, unknown for one reason."""
    return {each.name: Unknown(reason) for each in DESCRIPTORS}


def catalogue() -> dict[str, Any]:
    """For the report: each descriptor's words, numbers and thresholds with their sources."""
    return {
        each.name: {
            "words": [*each.words, UNCERTAIN],
            "numbers": list(each.numbers),
            "thresholds": {
                name: {"value": limit.value, "margin": limit.margin, "source": limit.source}
                for name, limit in each.thresholds.items()
            },
        }
        for each in DESCRIPTORS
    }
