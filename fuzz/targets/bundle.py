"""Bundles: header and frame lines (`edge_us.replay.reader`), in one input with a line of dashes between them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_us.replay.bundle import HEADER, LINES
from edge_us.replay.reader import read_bundle
from edge_us.replay.replay import config_of
from fuzz.target import Target

CUT = b"\n-----\n"


def seeds(_folder: Path) -> list[bytes]:
    header: dict[str, Any] = {
        "schema": "edge-us/bundle/1", "version": "0.1.0", "source": "clip.mp4", "kind": "file", "fps": 30.0,
        "mode": "live",
        "config": {"model": "default", "region": "auto", "measure": True, "max_age_ms": 200.0},
        "model": {"name": "lesion-fast", "sha256": "0" * 64}, "classifier": None,
        "backend": {"name": "openvino", "precision": "bf16", "device": "CPU"}, "libraries": {"openvino": "2026.4"},
        "original": {"source": "clip.mp4", "sha256": "1" * 64},
    }  # fmt: skip
    geometry = {"event": "geometry", "region": [0, 0, 64, 48], "mm_per_px": [0.1, 0.1], "reason": "", "regions": []}
    frame: dict[str, Any] = {
        "frame": 0, "part": 1, "crc32": 7, "format": "GRAY8", "size": [64, 48], "range": "full", "matrix": "bt601",
        "name": None, "pts_ns": 0, "captured_ns": 5, "shown_ns": 9, "source_state": "running", "result_frame": 0,
        "failure": "",
    }  # fmt: skip
    events = [{"event": "inferred", "frame": 0}, {"event": "source", "state": "stalled", "at_ns": 7}, {"event": "end"}]
    lines = "".join(json.dumps(line) + "\n" for line in (geometry, frame, *events)).encode()
    return [json.dumps(header).encode() + CUT + lines]


def check(data: bytes, folder: Path) -> None:
    header, _, lines = data.partition(CUT)
    (folder / HEADER).write_bytes(header)
    (folder / LINES).write_bytes(lines)
    config_of(read_bundle(folder), None, None)


TARGET = Target(
    seeds,
    check,
    tuple(f'"{name}":'.encode() for name in ("event", "frame", "part", "size", "region", "config", "model", "backend"))
    + (b"null", b"true", b"[]", b"{}", b'""', b"1e308", b"1e999", b"NaN", b'"geometry"', b'"fan":[0,0,1]', b"\n", CUT)
    + (b"[" * 3000, b'{"a":' * 3000, b"9" * 5000, b'"\\ud800"', b"\xff", b'"precision":"int8"', b'"inferred"', b"-1"),
)
