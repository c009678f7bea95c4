"""`run --build`: the engines that a run needs and this machine lacks, built before anything is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_us.errors import UsageError
from edge_us.inference.backend import BackendName, Precision

if TYPE_CHECKING:
    from edge_us.config import RunConfig
    from edge_us.tensorrt.api import Api
    from edge_us.tensorrt.target import Target

TAKES_ENGINES = (BackendName.AUTO, BackendName.TENSORRT)
"""Backends that a built engine is of use to."""


def build_missing(config: RunConfig, *, api: Api | None = None, target: Target | None = None) -> None:
    """Build the engines of detector and classifier, as far as they are missing or do not fit, and tell how far it is.

    Parameters
    ----------
    config : RunConfig
    api, target
        As for `tensorrt.prebuild.prebuild`.

    Raises
    ------
    UsageError
        The backend that was asked for takes no engines.
    EdgeUsError
        This machine cannot build them, or the networks cannot be had.
    """
    from edge_us.classify.choose import choose_classifier
    from edge_us.inference.model import load_model
    from edge_us.tensorrt.prebuild import prebuild
    from edge_us.tensorrt.told import telling, told

    if config.backend not in TAKES_ENGINES:
        raise UsageError(
            f"--build makes TensorRT engines, and --backend {config.backend.value} takes none", "Leave out one of both."
        )
    model = load_model(config.model, config.precision)
    classifier = choose_classifier(config.classifier, model)
    # As for other backends: int8 belongs to the detector's file.
    own = Precision.AUTO if config.precision is Precision.INT8 else config.precision
    for network, precision in ((model, config.precision), (classifier, own)):
        if network is not None:
            prebuild(network, precision, api=api, target=target, progress=telling(network.name))
            told()
