"""Findings files, read back line by line (`edge_us.replay.records`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_us.replay.records import read_findings, result_of
from fuzz.target import Target


def seeds(_folder: Path) -> list[bytes]:
    finding: dict[str, Any] = {
        "track": 3, "kind": "lesion", "box": [1.5, 2.0, 30.25, 40.0], "score": 0.81, "unseen": 0, "malignancy": None,
        "malignancy_reason": "too few looks", "contour": [[1.0, 2.0], [30.0, 2.0], [30.0, 40.0]],
        "measurements": {"width_mm": 12.5, "height_mm": None, "height_mm_reason": "no scale"}, "descriptors": {},
    }  # fmt: skip
    record: dict[str, Any] = {
        "schema": "edge-us/findings/1", "frame": 0, "image": None, "pts_ns": 0, "size": [640, 480],
        "source_state": "running", "ai_state": "on", "result_frame": 0, "age_ms": 12.345, "findings": [finding],
    }  # fmt: skip
    off = {
        **record,
        "ai_state": "not_analysable",
        "ai_reason": "frozen",
        "age_ms": None,
        "findings": [],
        "image": "a.png",
    }
    lines = [json.dumps({**record, "frame": number}, separators=(",", ":")) for number in range(3)]
    return ["".join(line + "\n" for line in text).encode() for text in (lines, [json.dumps(off)], [lines[0]])]


def check(data: bytes, folder: Path) -> None:
    path = folder / "findings.jsonl"
    path.write_bytes(data)
    for record in read_findings(path):
        result_of(record)


TARGET = Target(
    seeds,
    check,
    tuple(
        f'"{name}":'.encode()
        for name in ["schema", "frame", "image", "pts_ns", "size", "ai_state", "result_frame", "age_ms"]
    )
    + tuple(
        f'"{name}":'.encode()
        for name in ["findings", "track", "kind", "box", "score", "contour", "measurements", "malignancy"]
    )
    + (b"null", b"true", b"[]", b"{}", b'""', b"1e308", b"-1e308", b"1e999", b"NaN", b"Infinity", b'"lesion"', b"\n")
    + (b"[" * 3000, b'{"a":' * 3000, b"9" * 5000, b'"\\ud800"', b"\xff", b"_reason", b'"not_analysable"', b'"running"'),
)
