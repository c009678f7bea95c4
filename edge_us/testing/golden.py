"""Findings of a clip against the ones that were recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_us.errors import InputError
from edge_us.replay.compare import NEAR, Tolerance, difference
from edge_us.replay.records import FrameRecord, read_findings


def findings_of(source: str, out: Path, **options: Any) -> None:
    """Run a clip, every frame, in fp32 unless told otherwise, and write its findings without wall-clock values."""
    import edge_us

    settings: dict[str, Any] = {"mode": "every", "precision": "fp32", **options}
    for _ in edge_us.run(source, findings=str(out), deterministic=True, **settings):
        pass


def check_golden(found: Path, golden: Path, tolerance: Tolerance = NEAR) -> None:
    """Compare two findings files.

    Raises
    ------
    AssertionError
        They differ; the message names the first frame, what differs there, and how many frames differ.
    InputError
        One cannot be read.
    """
    if not golden.is_file():
        raise InputError(f"{golden} does not exist", "Record it: pytest --edge-us-update-golden")
    then, now = list(read_findings(golden)), list(read_findings(found))
    both = zip(then, now, strict=False)
    differing = [(one, why) for one, other in both if (why := difference(one, other, tolerance)) is not None]
    if differing:
        first, why = differing[0]
        raise AssertionError(
            f"frame {_where(first)}: {why}; {len(differing)} of {len(then)} frames differ from {golden}"
        )
    if len(then) != len(now):
        raise AssertionError(f"{len(now)} frames instead of {len(then)} in {golden}")


def _where(record: FrameRecord) -> str:
    return f"{record.frame} ({record.image or f'{record.pts_ns / 1e9:.3f} s'})"
