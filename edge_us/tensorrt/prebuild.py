"""`prebuild`: make the engine of a model, unless the one that is there fits."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_us.errors import ModelError
from edge_us.inference.backend import Precision
from edge_us.tensorrt.api import Api, Progress, load_api
from edge_us.tensorrt.build import build_engine
from edge_us.tensorrt.cache import (
    EngineRecord,
    engine_path,
    engines_folder,
    key_for,
    read_engine,
    read_timings,
    write_engine,
    write_timings,
)
from edge_us.tensorrt.key import EngineKey, EngineOptions
from edge_us.tensorrt.lock import alone
from edge_us.tensorrt.readback import check_precision
from edge_us.tensorrt.source import engine_precision, source_file
from edge_us.tensorrt.target import NO_GPU, Target, target_here

if TYPE_CHECKING:
    from edge_us.inference.backend import Network


@dataclass(frozen=True, slots=True)
class Prebuilt:
    """An engine that may be loaded here, and whether it was built now."""

    path: Path
    record: EngineRecord
    is_new: bool


def prebuild(
    network: Network,
    precision: Precision = Precision.AUTO,
    options: EngineOptions | None = None,
    *,
    folder: Path | None = None,
    api: Api | None = None,
    target: Target | None = None,
    progress: Progress | None = None,
) -> Prebuilt:
    """Build a model's engine for this machine and keep it; nothing is built where one with the same key is there.

    Parameters
    ----------
    network : Network
    precision : Precision
        See `source.engine_precision`.
    options : EngineOptions, optional
        None takes an engine with whatever options it was built with, and builds with the defaults.
    folder, api, target
        As for `load.load_engine`. A ``target`` without a GPU is for TensorRT for RTX alone.
    progress : callable, optional
        Called from the builder's threads.

    Raises
    ------
    EdgeUsError
        The machine, the file or the builder cannot; the message says which. An engine of another precision than was
        asked for is not kept.
    """
    target = target or target_here()
    api = api or load_api()
    folder = folder or engines_folder()
    precision = engine_precision(network, precision)
    here = key_for(network, precision, api, target, options or EngineOptions())
    path = engine_path(folder, network.name, precision)

    def ready() -> Prebuilt | None:
        with suppress(ModelError):  # missing, damaged, or for something else
            return Prebuilt(path, read_engine(network, here, folder, options=options is not None)[1], is_new=False)
        return None

    def wait() -> None:
        if progress is not None:
            progress("another process builds it", 0, 1)

    if found := ready():
        return found
    with alone(path, wait):
        # Another process may have built it while this one waited.
        return ready() or _build(network, here, path, api, target, progress)


def _build(
    network: Network, key: EngineKey, path: Path, api: Api, target: Target, progress: Progress | None
) -> Prebuilt:
    onnx = source_file(network, key.precision, path.parent)
    timings = path.with_name(f"{api.name.value}-{api.version}.timings")
    started = time.monotonic()
    plan = build_engine(
        api,
        onnx,
        key.options,
        timings=read_timings(timings),
        has_driver=target.gpu != NO_GPU,
        progress=progress,
    )
    unknown = check_precision(plan.types, key.precision, network.name)
    record = EngineRecord(
        schema="edge-us/engine/2",
        model=network.name,
        key=key,
        engine_sha256=hashlib.sha256(plan.data).hexdigest(),
        onnx_sha256=hashlib.sha256(onnx.read_bytes()).hexdigest(),
        tensors=plan.types,
        precision_unknown=None if unknown is None else unknown.reason,
        build_seconds=round(time.monotonic() - started, 1),
    ).sealed()
    write_engine(path, plan.data, record)
    if plan.timings:
        write_timings(timings, plan.timings)
    return Prebuilt(path, record, is_new=True)
