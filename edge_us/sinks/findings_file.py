"""`FindingsFile`: one JSON object per shown frame (schema ``edge-us/findings/1``), flushed per line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_us.errors import PipelineError
from edge_us.finding import SHOWING, AiState, Assessment, Finding, FindingKind, FrameResult, Unknown, Value
from edge_us.frame import Frame
from edge_us.measure.axes import Point
from edge_us.overlay.picture import Picture
from edge_us.sinks.lines import LineFile
from edge_us.sinks.sink import Sees

if TYPE_CHECKING:
    from edge_us.nodes.reading import Reading

SCHEMA = "edge-us/findings/1"
PIXEL_DIGITS = 2
"""Coordinates are written to a hundredth of a pixel: finer than any mask."""


def to_record(frame: Frame, result: FrameResult, *, deterministic: bool = False) -> dict[str, Any]:
    """The JSON object of one shown frame.

    Parameters
    ----------
    frame : Frame
    result : FrameResult
        As it was shown on this frame.
    deterministic : bool
        Write an age of 0, the only value that differs between two runs over the same frames.
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
    if result.model is not None:
        record["model"] = result.model
    if result.classifier is not None:
        record["classifier"] = result.classifier
    if result.exam is not None:
        record["exam"] = result.exam.value
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
    deterministic
        See `to_record`.

    Raises
    ------
    PipelineError
        The file cannot be written.
    """

    name = "findings"
    sees = Sees.RESULT
    dropped = 0

    def __init__(self, path: Path, *, deterministic: bool = False) -> None:
        self._path = path
        self._deterministic = deterministic
        try:
            self._file = LineFile(path)
        except OSError as error:
            raise self._failed(error) from None

    def write(self, frame: Frame, result: FrameResult, picture: Picture | None) -> None:
        """Write the line of one shown frame."""
        record = to_record(frame, result, deterministic=self._deterministic)
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
    if found.kind is FindingKind.NODE and found.node is not None:
        record["node"] = _reading(found.node, found.box)
    for name, said in (("node_class", found.node_class), ("nodal_risk", found.nodal_risk)):
        if said is not None:
            record.update(_values({name: said}) if isinstance(said, Unknown) else {name: _assessment(said)})
    return record


def _assessment(said: Assessment) -> dict[str, Any]:
    return {
        "classifier": said.name,
        "probability": round(said.probability, 4),
        "threshold": said.threshold,
        "suspicious": None if said.hidden else said.is_suspicious,
        "hidden": said.hidden or None,
    }


def _reading(node: Reading, box: tuple[float, float, float, float]) -> dict[str, Any]:
    record = _values(node.values)
    record["criteria"] = [
        {
            "name": each.criterion.name,
            "met": each.met,
            "number": each.criterion.number,
            "threshold": each.criterion.threshold,
            "counts": each.criterion.counts,
            "source": each.criterion.source,
        }
        for each in node.criteria
    ]
    record["criteria_met"] = node.summary or None
    record["hilum_outline"], record["thickest"] = None, None
    if node.sketch is not None:
        outline, ends = (each.astype("float64").round(PIXEL_DIGITS).tolist() for each in node.sketch.placed(box))
        record["hilum_outline"], record["thickest"] = outline, ends
        record["seen_pts_ns"] = node.sketch.pts_ns
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
