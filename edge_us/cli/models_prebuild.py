"""`edge-us models prebuild`: the TensorRT engines of this machine, built before a run needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from edge_us.inference.backend import Precision
from edge_us.tensorrt.key import EngineOptions

if TYPE_CHECKING:
    from edge_us.config import RunConfig
    from edge_us.inference.backend import Network
    from edge_us.tensorrt.prebuild import Prebuilt


def _help(field: str) -> str:
    return EngineOptions.model_fields[field].description or ""


def prebuild_command(
    models: list[str] | None = typer.Argument(
        None, help="Names of shipped models, or paths of ONNX files; default everything that is shipped."
    ),
    precision: Precision = typer.Option(
        Precision.AUTO, help="Of the engine: fp16, fp32 or int8; auto is what the file holds, and fp16 for fp32."
    ),
    workspace: int | None = typer.Option(None, min=16, metavar="MIB", help=_help("workspace_mb")),
    optimization_level: int = typer.Option(3, min=0, max=5, help=_help("optimization_level")),
    hardware_compatible: bool = typer.Option(False, "--hardware-compatible", help=_help("hardware_compatible")),
    version_compatible: bool = typer.Option(False, "--version-compatible", help=_help("version_compatible")),
) -> None:
    """Build TensorRT engines for this machine's GPU; what is there and fits is left alone."""
    from edge_us.inference.registry import list_classifiers, list_models

    options = EngineOptions(
        workspace_mb=workspace,
        optimization_level=optimization_level,
        hardware_compatible=hardware_compatible,
        version_compatible=version_compatible,
    )
    check_machine()
    shipped = [entry.name for entry in list_models()] + [entry.name for entry in list_classifiers()]
    for name in models or shipped:
        typer.echo(prebuild_one(name, precision, options))


def prebuild_for(config: RunConfig) -> None:
    """Build the engines of a run's networks with progress, as far as they are missing, and say what became of each."""
    from edge_us.runtime.prebuilding import build_missing

    for made in build_missing(config):
        typer.echo(told_of(made))


def check_machine() -> None:
    """Raise `MissingDependencyError` where no engine can be built, before minutes are spent on anything else."""
    from edge_us.tensorrt.api import load_api
    from edge_us.tensorrt.target import target_here

    target_here()
    load_api()


def prebuild_one(name: str, precision: Precision, options: EngineOptions | None) -> str:
    """Build an engine with progress; returns the line that says what became of it."""
    from edge_us.tensorrt.prebuild import prebuild
    from edge_us.tensorrt.told import telling, told

    network = find_network(name, precision)
    try:
        made = prebuild(network, precision, options, progress=telling(network.name))
    finally:
        told()
    return told_of(made)


def told_of(made: Prebuilt) -> str:
    """A line that says what became of an engine."""
    record = made.record
    how = f"built in {record.build_seconds:.0f} s" if made.is_new else "already there"
    doubt = "" if record.precision_unknown is None else f"; not read back: {record.precision_unknown}"
    size = f"{made.path.stat().st_size / 1e6:.1f} MB"
    return f"{record.model} {record.key.precision.value}: {made.path}, {size}, {how}{doubt}"


def find_network(name: str, precision: Precision) -> Network:
    """A detector or a classifier, by name or by file.

    Raises
    ------
    ModelError
        It is neither; the message says why it is no detector.
    """
    from edge_us.classify.model import load_classifier
    from edge_us.errors import ModelError
    from edge_us.inference.model import load_model
    from edge_us.inference.registry import find_classifier

    if find_classifier(name) is not None:
        return load_classifier(name)
    try:
        return load_model(name, precision)
    except ModelError as error:
        try:
            return load_classifier(name)
        except ModelError:
            raise error from None
