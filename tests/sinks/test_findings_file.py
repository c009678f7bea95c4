"""The findings file under unkind conditions; what a line holds is in test_sinks.py."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from edge_us.errors import PipelineError
from edge_us.finding import SHOWING, AiState, Finding, FindingKind, FrameResult, SourceState, Unknown, Value
from edge_us.frame import Frame, PixelFormat
from edge_us.schema import schema_path
from edge_us.sinks.findings_file import FindingsFile, to_record
from tests.conftest import REPOSITORY

FRAME = Frame(np.zeros((10, 20), np.uint8), PixelFormat.GRAY8, 20, 10, 7, 280_000_000, 0, name="a.png")
SCHEMA = json.loads(schema_path("findings-1").read_text())


def result(shown_ns: int = 9_000_000, state: AiState = AiState.ON) -> FrameResult:
    contour = np.array([[1, 1], [9.25, 1], [5, 9]], np.float32)
    measurements: dict[str, Value] = {"long_axis_mm": Unknown("uncalibrated"), "ratio": 1.5}
    found = Finding(FindingKind.NODE, (1, 1, 9, 9), 0.5, contour, malignancy=0.25, measurements=measurements)
    return FrameResult(7, 1_000_000, SourceState.RUNNING, state, (found,), shown_ns=shown_ns)


def test_unknown_values_are_null_with_the_reason_beside_them() -> None:
    record = to_record(FRAME, result())
    jsonschema.validate(record, SCHEMA)
    assert record["findings"][0]["measurements"] == {
        "long_axis_mm": None,
        "long_axis_mm_reason": "uncalibrated",
        "ratio": 1.5,
    }
    assert record["findings"][0]["malignancy"] == 0.25
    assert "malignancy_reason" not in record["findings"][0]
    assert record["image"] == "a.png"


@pytest.mark.parametrize("state", sorted(set(AiState) - SHOWING))
def test_a_withheld_result_has_a_reason_and_no_findings(state: AiState) -> None:
    record = to_record(FRAME, result(state=state))
    jsonschema.validate(record, SCHEMA)
    assert record["findings"] == []
    assert record["ai_reason"]


def test_the_schema_refuses_what_the_contract_does_not_allow() -> None:
    good = to_record(FRAME, result())
    for change in (
        {"ai_state": "stale"},  # findings although not on, and no reason
        {"frame": -1},
        {"extra": 1},
        {"schema": "edge-us/findings/2"},
        {"findings": [good["findings"][0] | {"malignancy": None}]},  # no reason beside it
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(good | change, SCHEMA)


def test_deterministic_files_of_two_runs_are_identical_to_the_byte(tmp_path: Path) -> None:
    for name, shown_ns in (("one", 9_000_000), ("two", 23_456_789)):
        sink = FindingsFile(tmp_path / name, deterministic=True)
        sink.write(FRAME, result(shown_ns), None)
        sink.close()
        sink.close()
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert to_record(FRAME, result(9_000_000)) != to_record(FRAME, result(23_456_789))


def test_a_killed_process_leaves_whole_lines_and_at_most_one_without_its_newline(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    code = f"""
from tests.sinks.test_findings_file import *
sink = FindingsFile(Path({str(path)!r}))
while True:
    sink.write(FRAME, result(), None)
    print(flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE)
    assert process.stdout is not None
    for _ in range(200):
        assert process.stdout.readline(), "it ended by itself"
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    process.wait(10)
    *lines, torn = path.read_text().split("\n")
    assert len(lines) >= 200
    assert torn == "" or json.dumps(to_record(FRAME, result()), separators=(",", ":")).startswith(torn)
    jsonschema.validate(json.loads(lines[0]), SCHEMA)
    assert set(lines) == {lines[0]}, "the same was written again and again"


def test_a_disk_that_fills_up_within_a_line_leaves_whole_lines_and_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    code = f"""
import resource, signal
from tests.sinks.test_findings_file import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # a disk of 1000 bytes
sink = FindingsFile(Path({str(path)!r}))
try:
    for _ in range(20):
        sink.write(FRAME, result(), None)
except PipelineError as error:
    print(error.message)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True)
    assert str(path) in done.stdout
    lines = path.read_text().splitlines(keepends=True)
    assert 0 < len(lines) < 20
    assert all(line.endswith("\n") and json.loads(line) for line in lines)


def test_a_place_that_cannot_be_written_is_a_clear_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="cannot write findings"):
        FindingsFile(tmp_path / "nowhere" / "out.jsonl")
    with pytest.raises(PipelineError, match="cannot write findings"):
        FindingsFile(tmp_path)


def test_both_networks_are_named_by_hash_where_there_are_both() -> None:
    record = to_record(FRAME, replace(result(), model="a" * 64, classifier="b" * 64))
    jsonschema.validate(record, SCHEMA)
    assert (record["model"], record["classifier"]) == ("a" * 64, "b" * 64)
    assert "classifier" not in to_record(FRAME, replace(result(), model="a" * 64))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**record, "classifier": "lesion-malignancy"}, SCHEMA)


def test_outlines_stay_in_a_picture_that_nothing_is_concluded_from() -> None:
    record = to_record(FRAME, result(state=AiState.NOT_ANALYSABLE))
    jsonschema.validate(record, SCHEMA)
    assert record["findings"]
    assert record["ai_reason"]
