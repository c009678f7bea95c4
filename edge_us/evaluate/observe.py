"""Look at every case the way the runtime looks at a still, and keep what the metrics need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_us.capture.images import read_image
from edge_us.capture.sequence import Decoded, SequenceSource
from edge_us.capture.source import SourceInfo, SourceKind
from edge_us.errors import InputError
from edge_us.evaluate.manifest import Case
from edge_us.evaluate.matching import (
    IOU_THRESHOLDS,
    Lesion,
    box_iou,
    dice,
    lesion_pixels,
    lesions_of,
    mask_iou,
    match,
)

if TYPE_CHECKING:
    from edge_us.finding import Finding
    from edge_us.runtime.analyser import Analyser

Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]
"""Called with the number of cases done and their total."""


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What was found on one case, against what is there.

    Attributes
    ----------
    case : Case
    size : (int, int)
        Of the picture in px.
    lesions : tuple of Lesion
    scores : ndarray, shape (n,)
        Of all findings above the score floor, best first.
    boxes : ndarray, shape (n, 4)
    matches : ndarray of int, shape (IoU thresholds, n)
        Lesion that each finding hits, or -1.
    dice, iou : float
        Of all outlines above the operating threshold together against the mask; 1 for a quiet normal picture.
    malignancy : ndarray, shape (n,)
        Probabilities; NaN where the model gives none.
    """

    case: Case
    size: tuple[int, int]
    lesions: tuple[Lesion, ...]
    scores: Floats
    boxes: Floats
    matches: NDArray[np.int64]
    dice: float
    iou: float
    malignancy: Floats

    def hits(self, step: int = 0) -> NDArray[np.bool_]:
        """Which findings hit a lesion at the IoU threshold with this number."""
        return np.asarray(self.matches[step] >= 0)

    def missed(self, threshold: float) -> list[int]:
        """Which lesions no finding from this score on hits."""
        found = set(self.matches[0][self.scores >= threshold].tolist())
        return [place for place in range(len(self.lesions)) if place not in found]


def observe_all(
    cases: Sequence[Case], analyser: Analyser, threshold: float, progress: Progress | None = None
) -> list[Observation]:
    """Run the cases as one source of independent stills through the analyser.

    Parameters
    ----------
    cases : sequence of Case
    analyser : Analyser
        With a low score floor and no tracker.
    threshold : float
        Operating threshold: outlines count from here on.
    progress : callable, optional

    Raises
    ------
    InputError
        A picture or mask cannot be read, or they differ in size.
    """
    info = SourceInfo("manifest", SourceKind.STILLS, None, len(cases))
    observations: list[Observation] = []
    with SequenceSource(info, _read_all(cases), []) as source:
        for frame in source:
            case = cases[frame.index]
            result = analyser.analyse(frame)
            truth = read_mask(case, frame.size)
            observations.append(observe(case, frame.size, truth, result.findings, threshold))
            if progress is not None:
                progress(len(observations), len(cases))
    return observations


def observe(
    case: Case, size: tuple[int, int], truth: NDArray[np.bool_], findings: Sequence[Finding], threshold: float
) -> Observation:
    """Compare the findings on one picture with its mask.

    Parameters
    ----------
    case : Case
    size : (int, int)
    truth : ndarray of bool, shape (height, width)
    findings : sequence of Finding
        All above the score floor.
    threshold : float
        Operating threshold.
    """
    findings = sorted(findings, key=lambda finding: -finding.score)
    lesions = lesions_of(truth)
    scores = np.array([finding.score for finding in findings], np.float64)
    boxes = np.array([finding.box for finding in findings], np.float64).reshape(-1, 4)
    overlap = box_iou(boxes, np.array([lesion.box for lesion in lesions], np.float64).reshape(-1, 4))
    outlined = outline_mask([finding for finding in findings if finding.score >= threshold], size)
    chances = [finding.malignancy if isinstance(finding.malignancy, float) else np.nan for finding in findings]
    return Observation(
        case=case,
        size=size,
        lesions=lesions,
        scores=scores,
        boxes=boxes,
        matches=np.stack([match(scores, overlap, step) for step in IOU_THRESHOLDS]),
        dice=dice(outlined, truth),
        iou=mask_iou(outlined, truth),
        malignancy=np.array(chances, np.float64),
    )


def outline_mask(findings: Sequence[Finding], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels inside the outlines of all findings together, shape (height, width)."""
    import cv2

    width, height = size
    mask = np.zeros((height, width), np.uint8)
    for finding in findings:
        if len(finding.contour):
            cv2.fillPoly(mask, [np.rint(finding.contour).astype(np.int32)], 1)
    return mask.astype(bool)


def read_mask(case: Case, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Lesion mask of a case, all False for a normal one; shape (height, width).

    Raises
    ------
    InputError
        It cannot be read, has another size than the picture, is empty for a lesion or is not for a normal picture.
    """
    width, height = size
    if case.mask is None:
        return np.zeros((height, width), bool)
    mask = lesion_pixels(_read(case, case.mask))
    hint = f"Correct the mask of {case.name} in the manifest."
    if mask.shape != (height, width):
        shape = f"{mask.shape[1]}x{mask.shape[0]}"
        raise InputError(f"{case.where}: the mask {case.mask.name} is {shape}, its picture {width}x{height}", hint)
    if mask.any() == case.is_normal:
        held = "holds a lesion" if case.is_normal else "is empty"
        told = f"{case.where}: the mask {case.mask.name} {held}, but {case.name} is labelled {case.label}"
        raise InputError(told, f"Correct the label or the mask of {case.name}.")
    return mask


def _read_all(cases: Sequence[Case]) -> Iterator[Decoded]:
    for number, case in enumerate(cases):
        yield Decoded(_read(case, case.image), number, name=case.name)


def _read(case: Case, path: Path) -> NDArray[np.uint8]:
    """A picture of a case; an error names its row."""
    try:
        return read_image(path)
    except InputError as error:
        raise InputError(f"{case.where}: {error.message}", error.hint) from None
