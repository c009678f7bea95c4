"""`FindingsFile`: one JSON object per shown frame (schema ``edge-us/findings/1``), flushed per line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_us.errors import PipelineError
from edge_us.finding import SHOWING, AiState, Finding, FrameResult, Unknown, Value
from edge_us.frame import Frame
from edge_us.measure.axes import Point
from edge_us.overlay.picture import Picture
from edge_us.sinks.lines import LineFile
from edge_us.sinks.sink import Sees

SCHEMA = "edge-us/findings/1"
PIXEL_DIGITS = 2
"""Coordinates are written to a hundredth of a pixel: finer than any mask."""


def to_record(
    frame: Frame,
    result: FrameResult,
    *,
    deterministic: bool = False,
    model: str | None = None,
    classifier: str | None = None,
) -> dict[str, Any]:
    """The JSON object of one shown frame.

    Parameters
    ----------
    frame : Frame
    result : FrameResult
        As it was shown on this frame.
    deterministic : bool
        Write an age of 0, the only value that differs between two runs over the same frames.
    model, classifier : str, optional
        sha256 of the networks' files; no classifier where there is none.
    """
    age_ms = result.age_ms
    if age_ms is not None:
        age_ms = 0.0 if deterministic else round(age_ms, 3)
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "frame": frame.index,
        "image": frame.name,
        "pts_ns": frame.pts_ns,
        "size": [frame.width, frame.height],
        "source_state": result.source_state.value,
        "ai_state": result.ai_state.value,
    }
    if model is not None:
        record["model"] = model
    if classifier is not None:
        record["classifier"] = classifier
    if result.ai_state is not AiState.ON:
        record["ai_reason"] = result.reason or "no reason given"
    record["result_frame"] = result.frame_index
    record["age_ms"] = age_ms
    record["findings"] = [_finding(found) for found in result.findings] if result.ai_state in SHOWING else []
    return record


class FindingsFile:
    """JSON Lines in a `LineFile`: whole lines, whatever happens, but for at most the last.

    Parameters
    ----------
    path : Path
        Overwritten.
    deterministic, model, classifier
        See `to_record`.

    Raises
    ------
    PipelineError
        The file cannot be written.
    """

    name = "findings"
    sees = Sees.RESULT
    dropped = 0

    def __init__(
        self, path: Path, *, deterministic: bool = False, model: str | None = None, classifier: str | None = None
    ) -> None:
        self._path = path
        self._model, self._classifier = model, classifier
        self._deterministic = deterministic
        try:
            self._file = LineFile(path)
        except OSError as error:
            raise self._failed(error) from None

    def write(self, frame: Frame, result: FrameResult, picture: Picture | None) -> None:
        """Write the line of one shown frame."""
        record = to_record(
            frame, result, deterministic=self._deterministic, model=self._model, classifier=self._classifier
        )
        try:
            self._file.write(json.dumps(record, separators=(",", ":"), allow_nan=False).encode())
        except OSError as error:
            raise self._failed(error) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _failed(self, error: OSError) -> PipelineError:
        return PipelineError(
            f"cannot write findings to {self._path}: {error.strerror}", "Choose a writable place with free space."
        )


def _finding(found: Finding) -> dict[str, Any]:
    record: dict[str, Any] = {
        "track": found.track,
        "kind": found.kind.value,
        "box": [round(side, PIXEL_DIGITS) for side in found.box],
        "score": round(found.score, 4),
        "unseen": found.unseen,
    }
    record.update(_values({"malignancy": found.malignancy}))
    record["contour"] = found.contour.astype("float64").round(PIXEL_DIGITS).tolist()
    record["callipers"] = None
    if found.axes is not None:
        record["callipers"] = {"long": _segment(found.axes.long), "short": _segment(found.axes.short)}
    record["measurements"] = _values(found.measurements)
    record["descriptors"] = _values(found.descriptors)
    return record


def _segment(ends: tuple[Point, Point]) -> list[list[float]]:
    return [[round(side, PIXEL_DIGITS) for side in end] for end in ends]


def _values(values: Mapping[str, Value]) -> dict[str, Any]:
    """Known values as they are; unknown ones as null with ``<name>_reason`` beside them."""
    record: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Unknown):
            record[name] = None
            record[f"{name}_reason"] = value.reason
        else:
            record[name] = round(value, 4) if isinstance(value, float) else value
    return record
