"""`FrameResult`: what was seen, on which frame, and in which state source and AI were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_us.measure.axes import Axes
    from edge_us.nodes.reading import Reading


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that is not known, and why. Written as null with ``<name>_reason`` beside it."""

    reason: str


Value = float | str | Unknown
"""A measurement or descriptor: a number, a word of the lexicon, or unknown with the reason."""


def _nothing() -> Mapping[str, Value]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a site's own classifier says of a finding.

    Attributes
    ----------
    name : str
        Of the classifier.
    probability, threshold : float
        Calibrated, and from where on the site calls it suspicious.
    hidden : str
        Why it is not shown in the picture; empty where it is.
    """

    name: str
    probability: float
    threshold: float
    hidden: str = ""

    @property
    def is_suspicious(self) -> bool:
        """Whether the site's own threshold is met; never where nothing may be shown."""
        return not self.hidden and self.probability >= self.threshold


class FindingKind(str, Enum):
    """What kind of structure was found."""

    LESION = "lesion"
    NODE = "node"


class Exam(str, Enum):
    """What is examined, and with that what is looked for."""

    BREAST = "breast"
    """Lesions alone: nothing is ever called a node, since a cancer that is taken for one would be missed."""
    AXILLA = "axilla"
    """Lesions and lymph nodes."""


LOOKED_FOR = {
    Exam.BREAST: frozenset({FindingKind.LESION}),
    Exam.AXILLA: frozenset({FindingKind.LESION, FindingKind.NODE}),
}


class SourceState(str, Enum):
    """Where the source stands; transitions in ``capture/state.py``."""

    CONNECTING = "connecting"
    RUNNING = "running"
    STALLED = "stalled"
    NO_SIGNAL = "no_signal"
    RECONNECTING = "reconnecting"
    FAILED = "failed"
    ENDED = "ended"


class AiState(str, Enum):
    """Whether findings are shown on a picture, and if not, why."""

    ON = "on"
    OFF = "off"
    """No inference: failed, switched off, or not yet ready."""
    STALE = "stale"
    """The newest result is older than the limit and is therefore not drawn."""
    NOT_ANALYSABLE = "not_analysable"
    """The picture is not moving B-mode tissue in contact (colour Doppler, dual view, freeze, no contact). Outlines may
    still be shown, but nothing is concluded from them: no malignancy, no measurement."""


SHOWING = frozenset({AiState.ON, AiState.NOT_ANALYSABLE})
"""States in which a result may carry findings."""


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """One lesion or node on one frame, in pixels of the full frame.

    Attributes
    ----------
    kind : FindingKind
    box : (float, float, float, float)
        ``x1, y1, x2, y2`` in frame px, clipped to the frame.
    score : float
        Detector score, 0..1.
    contour : ndarray of float32, shape (n, 2)
        The mask's outer edge as a closed polygon in frame px, x then y; may be empty (0, 2).
    track : int or None
        Stable id, counted from 1; None on independent stills.
    unseen : int
        Frames since the track was last confirmed by a detection: 0 when this box was seen on this frame,
        more while hysteresis holds the last one.
    malignancy : float or Unknown
        Probability, 0..1, only on stable tracks of models that have a classifier.
    measurements, descriptors : mapping
        Named values; unknown ones as `Unknown` with the reason.
    axes : Axes or None
        Long and short axis of this contour, where the callipers stand; None where nothing is measured.
    node : Reading or None
        Cortex, hilum and criteria of a node; None where nodes are not read.
    node_class : Assessment, Unknown or None
        Of a node by a site's classifier; None where there is none.
    nodal_risk : Assessment, Unknown or None
        That nodes are affected, from the lesion, by a site's classifier; None where there is none.
    """

    kind: FindingKind
    box: tuple[float, float, float, float]
    score: float
    contour: NDArray[np.float32]
    track: int | None = None
    unseen: int = 0
    malignancy: float | Unknown = field(default=Unknown("the model has no classifier"))
    measurements: Mapping[str, Value] = field(default_factory=_nothing)
    descriptors: Mapping[str, Value] = field(default_factory=_nothing)
    axes: Axes | None = None
    node: Reading | None = None
    node_class: Assessment | Unknown | None = None
    nodal_risk: Assessment | Unknown | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """What is known about one frame.

    A result keeps the index and capture stamp of the frame that it was computed from. When it is shown,
    ``shown_ns`` is set (`dataclasses.replace`), and only then it has an age.

    Attributes
    ----------
    frame_index : int or None
        The frame that was looked at; None where no frame was.
    captured_ns : int or None
        Its monotonic capture stamp.
    source_state : SourceState
    ai_state : AiState
    findings : tuple of Finding
        Empty unless ``ai_state`` is one of `SHOWING`.
    reason : str
        Why ``ai_state`` is not ON; empty when it is.
    shown_ns : int or None
        Monotonic time at which the picture that carries this result was composed.
    mm_per_px : (float, float) or None
        Pixel size of the frame that was looked at; None if unknown.
    exam : Exam or None
        What was looked for; None where no frame was looked at.
    model : str or None
        sha256 of the network that looked; None where none did.
    """

    frame_index: int | None
    captured_ns: int | None
    source_state: SourceState
    ai_state: AiState
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    shown_ns: int | None = None
    mm_per_px: tuple[float, float] | None = None
    exam: Exam | None = None
    model: str | None = None

    @property
    def age_ms(self) -> float | None:
        """Milliseconds from the capture of the frame that was looked at until it was shown."""
        if self.shown_ns is None or self.captured_ns is None:
            return None
        return (self.shown_ns - self.captured_ns) / 1e6
