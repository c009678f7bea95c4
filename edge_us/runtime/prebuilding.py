"""`run --build`: the engines that a run needs and this machine lacks, built before anything is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_us.errors import UsageError
from edge_us.inference.backend import BackendName

if TYPE_CHECKING:
    from edge_us.config import RunConfig
    from edge_us.tensorrt.api import Api
    from edge_us.tensorrt.prebuild import Prebuilt
    from edge_us.tensorrt.target import Target

TAKES_ENGINES = (BackendName.AUTO, BackendName.TENSORRT)
"""Backends that a built engine is of use to."""


def build_missing(config: RunConfig, *, api: Api | None = None, target: Target | None = None) -> tuple[Prebuilt, ...]:
    """Build the engines of all networks of a run, as far as they are missing or do not fit, and tell how far it is.

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
    from edge_us.runtime.wanted import wanted_networks
    from edge_us.tensorrt.prebuild import prebuild
    from edge_us.tensorrt.told import telling, told

    if config.backend not in TAKES_ENGINES:
        raise UsageError(
            f"--build makes TensorRT engines, and --backend {config.backend.value} takes none", "Leave out one of both."
        )
    made = []
    for network, precision in wanted_networks(config).with_precisions:
        try:
            made.append(prebuild(network, precision, api=api, target=target, progress=telling(network.name)))
        finally:
            told()
    return tuple(made)
