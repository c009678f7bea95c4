"""Calibration pictures: drawn from a manifest, and seen exactly as the network sees them in a run."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_us.capture.images import read_image
from edge_us.capture.sequence import Decoded, SequenceSource
from edge_us.capture.source import SourceInfo, SourceKind
from edge_us.config import load_config
from edge_us.errors import InputError
from edge_us.evaluate.manifest import Case, read_manifest
from edge_us.inference.backend import Lane
from edge_us.inference.decode import HeadLayout

if TYPE_CHECKING:
    from edge_us.inference.model import Model
    from edge_us.runtime.analyser import Analyser

FEWEST = 50
"""Calibration pictures at least: 50, 64 and 100 of three hospitals passed the gate as 300 did, fewer were not tried."""
DEFAULT_IMAGES = 300


@dataclass(frozen=True, slots=True)
class CalibrationSource:
    """Where calibration pictures come from.

    Attributes
    ----------
    manifest : Path
        CSV as for `evaluate`; masks and labels are not looked at.
    split : str or None
        Only rows of this split.
    images : int
        So many pictures are drawn, all if there are fewer.
    seed : int
        Of the draw.
    """

    manifest: Path
    split: str | None = None
    images: int = DEFAULT_IMAGES
    seed: int = 0


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """The pictures that were drawn.

    ``sha256`` is that of a list with a line for each picture, in the order of the draw: its name in the manifest and
    the sha256 of its file.
    """

    source: CalibrationSource
    manifest_sha256: str
    cases: tuple[Case, ...]
    sha256: str

    @property
    def groups(self) -> frozenset[tuple[str, str]]:
        """Data set and patient of every picture."""
        return frozenset((case.dataset, case.group) for case in self.cases)


def draw_set(source: CalibrationSource) -> CalibrationSet:
    """Draw the calibration pictures and hash them.

    Raises
    ------
    InputError
        The manifest or a picture cannot be read, or there are fewer than `FEWEST` pictures.
    """
    rows = read_manifest(source.manifest, source.split)
    available = min(len(rows.cases), source.images)
    if available < FEWEST:
        raise InputError(
            f"{available} calibration pictures are too few: {FEWEST} are needed, better {DEFAULT_IMAGES}",
            "Give more pictures of the scanners that the model is for (--images, --split); no labels are needed.",
        )
    cases = list(rows.cases)
    if source.images < len(cases):
        cases = random.Random(source.seed).sample(cases, source.images)
    digest = hashlib.sha256()
    for case in cases:
        try:
            content = case.image.read_bytes()
        except OSError as error:
            raise InputError(
                f"cannot read the calibration picture {case.image}: {error.strerror}", "Correct the manifest."
            ) from None
        digest.update(f"{case.name}\t{hashlib.sha256(content).hexdigest()}\n".encode())
    return CalibrationSet(source, rows.sha256, tuple(cases), digest.hexdigest())


def letterboxed(cases: Sequence[Case], model: Model) -> Iterator[NDArray[np.uint8]]:
    """The pictures as the network gets them in a run: region found, cropped, letterboxed, grey where the model is.

    They go through the runtime's own analyser; only the network at its end is replaced by one that keeps its input and
    finds nothing.

    Yields
    ------
    ndarray of uint8, shape (height, width) or (height, width, 3)
        Of the network's input size; a copy.
    """
    lane = _KeepsInput(model)
    analyser = _analyser(model, lane)
    info = SourceInfo("calibration", SourceKind.STILLS, None, len(cases))
    with SequenceSource(info, _decoded(cases), []) as source:
        for frame in source:
            analyser.analyse(frame)
            yield lane.image


class _KeepsInput(Lane):
    """A network that finds nothing."""

    def __init__(self, model: Model) -> None:
        columns = 6 if model.head is HeadLayout.END2END else 4 + len(model.classes)
        shape = (1, 1, columns) if model.head is HeadLayout.END2END else (1, columns, 1)
        heads = [np.zeros(shape, np.float32), np.zeros((1, 1, 1, 1), np.float32)]
        self._heads = tuple(heads if model.prototype_output == 1 else heads[::-1])
        self.image: NDArray[np.uint8] = np.empty(0, np.uint8)

    def start(self, image: NDArray[np.uint8]) -> None:
        self.image = image.copy()

    def wait(self) -> tuple[NDArray[np.float32], ...]:
        return self._heads


def _analyser(model: Model, lane: Lane) -> Analyser:
    from edge_us.runtime.build import build_analyser
    from edge_us.runtime.engine import Share

    config = load_config({"source": "images:", "analysable": "off"}, environment={})
    return build_analyser(config, Share(model, [lane], None), SourceKind.STILLS, model.threshold)


def _decoded(cases: Sequence[Case]) -> Iterator[Decoded]:
    for number, case in enumerate(cases):
        yield Decoded(read_image(case.image), number, name=case.name)
