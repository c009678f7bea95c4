"""Writing what an evaluation found, and the blocks that every report says alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_us.errors import PipelineError
from edge_us.evaluate.bootstrap import CONFIDENCE

if TYPE_CHECKING:
    from edge_us.evaluate.summary import Bootstrap
    from edge_us.inference.backend import BackendInfo
    from edge_us.inference.model import Model


def write_text(path: Path, text: str) -> None:
    """Write a report or page; raises `PipelineError` where that is not possible."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PipelineError(f"cannot write {path}: {error.strerror}", "Choose another place.") from None


def about_model(model: Model) -> dict[str, Any]:
    """The report's block ``model``."""
    return {
        "name": model.name,
        "sha256": model.sha256,
        "threshold": model.threshold,
        "score_temperature": model.score_temperature,
        "input_size": list(model.input_size),
    }


def about_backend(info: BackendInfo) -> dict[str, Any]:
    """The report's block ``backend``."""
    return {"name": info.name, "precision": info.precision, "device": info.device}


def about_bootstrap(bootstrap: Bootstrap) -> dict[str, Any]:
    """The report's block ``settings.bootstrap``: groups are drawn, never pictures."""
    return {"unit": "group", "resamples": bootstrap.resamples, "seed": bootstrap.seed, "confidence": CONFIDENCE}
