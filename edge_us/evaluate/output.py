"""The blocks that every report of an evaluation says alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_us.evaluate.bootstrap import CONFIDENCE

if TYPE_CHECKING:
    from edge_us.evaluate.summary import Bootstrap
    from edge_us.inference.backend import BackendInfo
    from edge_us.inference.model import Model


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
