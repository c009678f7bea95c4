"""Play every clip the way ``edge-us run`` plays a recording, and keep what the metrics need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_us.capture.open import open_source
from edge_us.capture.source import Source, SourceKind
from edge_us.errors import InputError
from edge_us.evaluate.video.sequences import Clip
from edge_us.finding import SHOWING, Finding
from edge_us.frame import Frame, PixelFormat, Rect
from edge_us.runtime.build import build_analyser

if TYPE_CHECKING:
    from edge_us.config import RunConfig
    from edge_us.runtime.analyser import FrameDetector
    from edge_us.runtime.engine import Engine

Floats = NDArray[np.float64]
MOST_LESIONS = 16
"""A mask with more values than this is a grey picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesion:
    """One lesion over a clip.

    Attributes
    ----------
    value : int
        Its value in the masks.
    boxes : ndarray, shape (frames, 4)
        In px with exclusive right and bottom edges; NaN where it is not in the picture.
    areas : ndarray, shape (frames,)
        In px.
    """

    value: int
    boxes: Floats
    areas: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What was shown and detected on one clip, against what is there.

    Attributes
    ----------
    clip : Clip
    fps : float
    size : (int, int)
        Of the first frame in px.
    region : str
        How the image region was come by.
    lesions : tuple of Lesion
    shown : tuple of ndarray, each of shape (n, 5)
        For each frame the findings that were shown: number of the track, box.
    detected : tuple of ndarray, each of shape (n, 5)
        For each frame the detector's own boxes, before tracking: score, box; best first.
    """

    clip: Clip
    fps: float
    size: tuple[int, int]
    region: str
    lesions: tuple[Lesion, ...]
    shown: tuple[Floats, ...]
    detected: tuple[Floats, ...]

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.shown)

    @property
    def seconds(self) -> float:
        """Length of the clip."""
        return self.frames / self.fps


class Listener:
    """A detector that keeps what it found last; below the tracker's own floor the tracker ignores it."""

    def __init__(self, detector: FrameDetector) -> None:
        self._detector = detector
        self.last: tuple[Finding, ...] = ()

    @property
    def stages_ns(self) -> Mapping[str, int]:
        """Of the detector."""
        return self._detector.stages_ns

    @property
    def lanes(self) -> int:
        """Of the detector."""
        return self._detector.lanes

    def start(self, frame: Frame, region: Rect | None) -> Any:
        """Begin as the detector does."""
        return self._detector.start(frame, region)

    def finish(self, job: Any) -> tuple[Finding, ...]:
        """Fetch, and remember."""
        self.last = self._detector.finish(job)
        return self.last


def observe_clip(clip: Clip, config: RunConfig, engine: Engine, threshold: float, floor: float) -> Observation:
    """Play one clip: region policy, detector, tracker and hysteresis as in a run in mode ``every``.

    Parameters
    ----------
    clip : Clip
    config : RunConfig
        Region and hysteresis.
    engine : Engine
    threshold : float
        Operating threshold of the score.
    floor : float
        Lowest score of `Observation.detected`.

    Raises
    ------
    InputError
        The clip cannot be played or is not a recording, its rate is not known, or the masks do not fit it.
    """
    from edge_us.inference.detector import Detector

    shown: list[Floats] = []
    detected: list[Floats] = []
    truth: list[dict[int, tuple[float, ...]]] = []
    size = (0, 0)
    with ExitStack() as stack:
        source = stack.enter_context(open_source(str(clip.clip), probe=True))
        if source.info.kind is not SourceKind.FILE:
            raise InputError(f"{clip.name} is not a recording", "Give files that edge-us run plays as a video.")
        fps = clip.fps or source.info.fps
        if fps is None:
            raise InputError(f"{clip.name} does not say its frame rate", "Write it into the column fps.")
        masks = None if clip.masks is None else iter(stack.enter_context(_open_masks(clip.masks)))
        share = engine.share()
        listener = Listener(Detector(share.model, share.lanes, floor))
        analyser = build_analyser(config, share, source.info.kind, threshold, detector=listener)
        for frame in source:
            size = size if shown else frame.size
            result = analyser.analyse(frame)
            findings = result.findings if result.ai_state in SHOWING else ()
            shown.append(_rows((float(found.track or 0), found) for found in findings))
            detected.append(_rows((found.score, found) for found in listener.last))
            truth.append({} if masks is None else _next_mask(clip, masks, frame))
        if source.warnings and clip.masks is not None:
            raise InputError(f"{clip.name}: {source.warnings[0]}", "Truth and picture must agree frame by frame.")
        if masks is not None and next(masks, None) is not None:
            raise InputError(f"{clip.name} has more masks than its {len(shown)} frames", "Give one mask a frame.")
    if not shown:
        raise InputError(f"{clip.name} delivered no frame", "Check that it is a video that edge-us run plays.")
    lesions = _lesions(truth)
    if clip.masks is not None and not lesions:
        raise InputError(f"the masks of {clip.name} are all empty", f"It is labelled {clip.label}.")
    return Observation(clip, fps, size, analyser.region_note, lesions, tuple(shown), tuple(detected))


def lesions_on(mask: NDArray[np.uint8]) -> dict[int, tuple[float, ...]]:
    """Area and box (``area, x1, y1, x2, y2``) of every value but 0 of a mask, shape (height, width)."""
    found = {}
    for value in np.flatnonzero(np.bincount(mask.ravel(), minlength=256)[1:]) + 1:
        rows, columns = np.nonzero(mask == value)
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        found[int(value)] = (float(len(rows)), *(float(side) for side in box))
    return found


def _rows(findings: Iterator[tuple[float, Finding]]) -> Floats:
    return np.array([[first, *found.box] for first, found in findings], np.float64).reshape(-1, 5)


def _open_masks(path: Path) -> Source:
    return open_source(f"images:{path}" if path.is_dir() else str(path), probe=True)


def _next_mask(clip: Clip, masks: Iterator[Frame], frame: Frame) -> dict[int, tuple[float, ...]]:
    mask = next(masks, None)
    hint = "Give one mask a frame, of the frame's size; 0 is tissue, every other value one lesion."
    if mask is None:
        raise InputError(f"{clip.name} has no mask for frame {frame.index}", hint)
    if mask.size != frame.size or mask.format not in (PixelFormat.GRAY8, PixelFormat.BGR):
        shapes = f"{mask.width}x{mask.height}, the frame {frame.width}x{frame.height}"
        raise InputError(f"{clip.name}: the mask of frame {frame.index} is {shapes}", hint)
    found = lesions_on(mask.pixels if mask.pixels.ndim == 2 else mask.pixels.max(axis=2))
    if len(found) > MOST_LESIONS:
        raise InputError(f"{clip.name}: the mask of frame {frame.index} has {len(found)} grey values", hint)
    return found


def _lesions(truth: list[dict[int, tuple[float, ...]]]) -> tuple[Lesion, ...]:
    lesions = []
    for value in sorted(set().union(*truth)):
        missing = (0.0, *[np.nan] * 4)
        rows = np.array([frame.get(value, missing) for frame in truth], np.float64)
        lesions.append(Lesion(value, rows[:, 1:], rows[:, 0]))
    return tuple(lesions)
