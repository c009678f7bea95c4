"""Findings files read back: the other direction of `sinks.findings_file`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_us.errors import InputError
from edge_us.finding import AiState, Exam, Finding, FindingKind, FrameResult, SourceState, Unknown, Value
from edge_us.sinks.findings_file import SCHEMA

Number = Annotated[float, Field(allow_inf_nan=False)]
LONGEST_LINE = 16 * 1024 * 1024
"""Bytes; a line of a hundred lesions with long contours has a fiftieth of that."""


class FindingRecord(BaseModel):
    """One finding as written."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    track: int | None
    kind: FindingKind
    box: tuple[Number, Number, Number, Number]
    score: float = Field(ge=0, le=1)
    unseen: int = Field(ge=0)
    malignancy: float | None = Field(None, ge=0, le=1)
    malignancy_reason: str | None = None
    contour: tuple[tuple[Number, Number], ...]
    callipers: dict[str, Any] | None = None
    measurements: dict[str, Any] = Field(default_factory=dict)
    descriptors: dict[str, Any] = Field(default_factory=dict)
    node: dict[str, Any] | None = None
    node_class: dict[str, Any] | None = None
    node_class_reason: str | None = None
    nodal_risk: dict[str, Any] | None = None
    nodal_risk_reason: str | None = None


class FrameRecord(BaseModel):
    """One line of a findings file (schema ``edge-us/findings/1``)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_name: str = Field(alias="schema", pattern=f"^{SCHEMA}$")
    frame: int = Field(ge=0)
    image: str | None
    pts_ns: int
    size: tuple[int, int]
    source_state: SourceState
    ai_state: AiState
    ai_reason: str = ""
    exam: Exam | None = None
    model: str | None = None
    classifier: str | None = None
    result_frame: int | None
    age_ms: float | None = Field(ge=-1e9, le=1e12, allow_inf_nan=False)
    findings: tuple[FindingRecord, ...]


def read_findings(path: Path) -> Iterator[FrameRecord]:
    """The lines of a findings file, in order; a last line without its end, as a killed process may leave one, is passed
    over.

    Raises
    ------
    InputError
        The file cannot be read, or a line is not of this schema.
    """
    hint = "Give a file that `edge-us run --findings` wrote."
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE):
                number += 1
                if not line.endswith(b"\n"):
                    if len(line) < LONGEST_LINE:
                        return
                    raise InputError(f"{path}, line {number} is longer than any line of findings", hint)
                yield parse_line(line, f"{path}, line {number}", hint)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", hint) from None


def parse_line(line: bytes, where: str, hint: str) -> FrameRecord:
    """One line as a record; raises `InputError` that begins with ``where``."""
    try:
        return FrameRecord.model_validate(json.loads(line))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "line"
        raise InputError(f"{where}: {field}: {first['msg']}", hint) from None
    except (ValueError, RecursionError):
        raise InputError(f"{where} is not JSON", hint) from None


def result_of(record: FrameRecord) -> FrameResult:
    """What was shown, as far as the file tells: times are relative to the frame that was looked at."""
    return FrameResult(
        frame_index=record.result_frame,
        captured_ns=None if record.age_ms is None else 0,
        source_state=record.source_state,
        ai_state=record.ai_state,
        findings=tuple(_finding(found) for found in record.findings),
        reason=record.ai_reason,
        exam=record.exam,
        model=record.model,
        classifier=record.classifier,
        shown_ns=None if record.age_ms is None else round(record.age_ms * 1e6),
    )


def _finding(found: FindingRecord) -> Finding:
    import numpy as np

    from edge_us.measure.axes import long_and_short_axis

    contour = np.array(found.contour, np.float32).reshape(-1, 2)
    return Finding(
        kind=found.kind,
        box=found.box,
        score=found.score,
        contour=contour,
        axes=None if found.callipers is None else long_and_short_axis(contour, None),
        track=found.track,
        unseen=found.unseen,
        malignancy=_value(found.malignancy, found.malignancy_reason),
        measurements=_values(found.measurements),
        descriptors=_values(found.descriptors),
    )


def _value(value: float | str | None, reason: str | None) -> Any:
    return Unknown(reason or "no reason given") if value is None else value


def _values(written: Mapping[str, Any]) -> dict[str, Value]:
    names = [name for name in written if not name.endswith("_reason")]
    return {name: _value(written[name], written.get(f"{name}_reason")) for name in names}
