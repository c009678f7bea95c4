"""What `edge-us doctor` says about engines."""

from __future__ import annotations

from pathlib import Path

from edge_us.errors import MissingDependencyError
from edge_us.inference.backend import NetworkFile, Precision
from edge_us.inference.registry import list_classifiers, list_models
from edge_us.tensorrt.api import Api, load_api
from edge_us.tensorrt.cache import EngineState, engines_folder, key_for, status
from edge_us.tensorrt.key import EngineOptions
from edge_us.tensorrt.target import Target, target_here


def overview(*, folder: Path | None = None, api: Api | None = None, target: Target | None = None) -> tuple[str, ...]:
    """A line for each shipped network, in the precision that a run takes by default; nothing is built or deserialised.

    Without a GPU or TensorRT one line says which of them is missing. Parameters as for `load.load_engine`.
    """
    try:
        target = target or target_here()
        api = api or load_api()
    except MissingDependencyError as error:
        return (f"no engines: {error.message}",)
    folder = folder or engines_folder()
    lines = [f"{api} for {target.gpu} ({target.compute_capability}, driver {target.driver}), engines in {folder}"]
    shipped: tuple[NetworkFile, ...] = (*list_models(), *list_classifiers())
    for entry in shipped:
        found = status(entry, key_for(entry, Precision.FP16, api, target, EngineOptions()), folder)
        ready = found.state is EngineState.READY
        lines.append(f"{entry.name} fp16: ready" if ready else f"{found.reason}; {found.command}")
    return tuple(lines)
