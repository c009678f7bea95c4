"""`load_engine`: the engine of a model, deserialised, where everything that it was built for is here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_us.errors import EngineMismatchError, ModelError
from edge_us.inference.backend import Precision
from edge_us.tensorrt.api import Api, load_api
from edge_us.tensorrt.build import deserialise
from edge_us.tensorrt.cache import EngineRecord, engine_path, engines_folder, key_for, read_engine
from edge_us.tensorrt.key import EngineOptions
from edge_us.tensorrt.source import engine_precision
from edge_us.tensorrt.target import Target, target_here

if TYPE_CHECKING:
    from edge_us.inference.backend import Network


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """A deserialised engine.

    Attributes
    ----------
    engine : tensorrt.ICudaEngine
    runtime : tensorrt.Runtime
        Must live as long as the engine.
    api : Api
        Module and version.
    precision : Precision
        That was read back from the engine when it was built (or, where it does not tell it, that of its strongly
        typed network: see ``record.precision_unknown``).
    record : EngineRecord
    """

    engine: Any
    runtime: Any
    api: Api
    precision: Precision
    record: EngineRecord


def load_engine(
    network: Network,
    precision: Precision = Precision.AUTO,
    *,
    folder: Path | None = None,
    api: Api | None = None,
    target: Target | None = None,
) -> LoadedEngine:
    """Find a model's engine, compare its key, check it, and deserialise it. Nothing is ever built here.

    Parameters
    ----------
    network : Network
        `Model` or `ClassifierModel`.
    precision : Precision
        AUTO: what lies in the file, and FP16 for an FP32 file (see `source.engine_precision`).
    folder : Path, optional
        By default `cache.engines_folder`.
    api : Api, optional
        By default the module ``tensorrt``.
    target : Target, optional
        By default this machine's GPU, asked for before anything else.

    Raises
    ------
    MissingDependencyError
        There is no driver, no GPU, or no TensorRT.
    EngineMismatchError
        The engine was built for something else; the message names the field, both values, and the hint the command.
    ModelError
        There is no engine, it is damaged, or it is not this network's.
    UsageError
        The precision cannot be made from the file.
    """
    target = target or target_here()
    api = api or load_api()
    folder = folder or engines_folder()
    precision = engine_precision(network, precision)
    data, record = read_engine(network, key_for(network, precision, api, target, EngineOptions()), folder)
    path = engine_path(folder, network.name, precision)
    runtime, engine = deserialise(api, data, path, host_code=record.key.options.version_compatible)
    _check_input(api.trt, engine, network, path)
    _check_compatibility(api.trt, engine, record, path)
    return LoadedEngine(engine, runtime, api, precision, record)


def _check_input(trt: Any, engine: Any, network: Network, path: Path) -> None:
    """An engine takes one picture of the network's size."""
    width, height = network.input_size
    wanted = [(1, network.channels, height, width)]
    names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
    found = [
        tuple(engine.get_tensor_shape(name)) for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
    ]
    if found != wanted:
        raise ModelError(
            f"the engine {path} takes {found}, but {network.name} {wanted}",
            "Build it again with `edge-us models prebuild`.",
        )


def _check_compatibility(trt: Any, engine: Any, record: EngineRecord, path: Path) -> None:
    """The GPU may be another than the engine was built for only where the engine itself says so."""
    level = engine.hardware_compatibility_level
    if (level == trt.HardwareCompatibilityLevel.AMPERE_PLUS) != record.key.options.hardware_compatible:
        built = record.key.options.hardware_compatible
        raise EngineMismatchError(
            f"the engine {path} does not fit its record: hardware compatible is {built} there, the engine says {level}",
            "Build it again with `edge-us models prebuild`.",
        )
