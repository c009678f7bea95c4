"""Writing what an evaluation found."""

from __future__ import annotations

from pathlib import Path

from edge_us.errors import PipelineError


def write_text(path: Path, text: str) -> None:
    """Write a report or page; raises `PipelineError` where that is not possible."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PipelineError(f"cannot write {path}: {error.strerror}", "Choose another place.") from None
