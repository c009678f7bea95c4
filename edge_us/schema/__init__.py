"""JSON Schemas of everything that edge_us writes."""

from __future__ import annotations

from pathlib import Path


def schema_path(name: str) -> Path:
    """Path of a shipped JSON Schema (draft 2020-12): ``findings-1``, ``report-1``, ``evaluation-1``,
    ``video-evaluation-2`` (and ``-1``, of earlier reports)."""
    return Path(__file__).parent / f"{name}.json"
