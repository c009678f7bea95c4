"""`build_engine`: from an ONNX file to a serialised engine.

The network is strongly typed: every tensor has the type that the file gives it, and no flag asks for another. TF32,
which would compute a float32 file with 10 bits of mantissa, is off. No call is trusted: those that can return None are
checked, and TensorRT's own words are in the error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_us.errors import ModelError, PipelineError
from edge_us.tensorrt.api import Api, ApiName, Progress, listener
from edge_us.tensorrt.key import EngineOptions
from edge_us.tensorrt.phases import monitor
from edge_us.tensorrt.readback import layers_of, tensor_types

MOST_ERRORS = 5
_NODE_HINT = (
    "Export the raw heads, without NMS, at opset 17 or later. int8 files for TensorRT are made with "
    "`edge-us models build --precision int8 --signed`."
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A built engine.

    Attributes
    ----------
    data : bytes
        Serialised.
    types : dict of str to int
        How many tensors of the engine have which type, see `readback.tensor_types`.
    timings : bytes
        The timing cache: with it the next build measures less. Empty where there is none.
    """

    data: bytes
    types: dict[str, int]
    timings: bytes


def build_engine(
    api: Api,
    onnx: Path,
    options: EngineOptions,
    *,
    timings: bytes = b"",
    has_driver: bool = True,
    progress: Progress | None = None,
) -> Plan:
    """Parse, build and serialise.

    Parameters
    ----------
    api : Api
    onnx : Path
        In the precision that the engine is to have, of fixed shape.
    options : EngineOptions
    timings : bytes
        Timing cache of an earlier build; one that does not fit is not used.
    has_driver : bool
        False where an engine must not be deserialised: its layers are then taken from what the builder logs.
    progress : callable, optional
        Called from the builder's threads.

    Raises
    ------
    ModelError
        The file cannot be parsed (node by node, as far as the parser came), or not be built.
    PipelineError
        The builder cannot be had, or fails for a reason of its own: memory, driver.
    """
    trt = api.trt
    log = listener(trt)
    builder = _some(lambda: trt.Builder(log), api, "make a builder", log)
    definition = _some(lambda: builder.create_network(_strongly_typed(trt)), api, "make a network", log)
    parser = _some(lambda: trt.OnnxParser(definition, log), api, "make a parser", log)
    if not parser.parse_from_file(str(onnx)):
        raise ModelError(f"{api} cannot take {onnx}: {_parse_errors(parser, log)}", _NODE_HINT)
    if not definition.num_outputs:  # the parser takes an empty file for an empty network
        raise ModelError(f"{api} cannot take {onnx}: there is no network in it", "Export or download it again.")
    settings = _some(builder.create_builder_config, api, "make a configuration", log)
    _configure(trt, settings, options)
    keeps_timings = api.name is ApiName.TENSORRT  # TensorRT for RTX measures nothing when it builds
    if keeps_timings:
        _load_timings(settings, timings)
    watch = None if progress is None else monitor(trt, progress)
    if watch is not None:
        settings.progress_monitor = watch
    plan = builder.build_serialized_network(definition, settings)
    if watch is not None and watch.stopped is not None:
        raise watch.stopped
    if plan is None:
        raise PipelineError(
            f"{api} cannot build {onnx}: {_last(log.problems)}",
            "Free memory of the device, or give less with --workspace; a lower --optimization-level builds faster.",
        )
    data = bytes(plan)
    layers = log.layers
    if has_driver:
        runtime, engine = deserialise(api, data, onnx, host_code=options.version_compatible)
        layers = layers_of(trt, engine)
        del engine, runtime  # in this order: the engine needs its runtime
    return Plan(data, tensor_types(layers), _timings(settings) if keeps_timings else b"")


def deserialise(api: Api, data: bytes, path: Path, *, host_code: bool = False) -> tuple[Any, Any]:
    """Runtime and engine of a serialised engine; the runtime must live as long. Only where there is a driver.

    Parameters
    ----------
    api : Api
    data : bytes
    path : Path
        For messages.
    host_code : bool
        The engine brings a runtime of its own (version-compatible), which is code that this process runs.

    Raises
    ------
    ModelError
        It cannot be deserialised.
    """
    trt = api.trt
    log = listener(trt)
    runtime = _some(lambda: trt.Runtime(log), api, "make a runtime", log)
    if host_code:
        runtime.engine_host_code_allowed = True
    engine = runtime.deserialize_cuda_engine(data)
    if engine is None:
        raise ModelError(
            f"{api} cannot deserialise the engine of {path}: {_last(log.problems)}",
            "Build it again with `edge-us models prebuild`.",
        )
    return runtime, engine


def _strongly_typed(trt: Any) -> int:
    """The network's flags: strongly typed where that is not the only kind."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _configure(trt: Any, settings: Any, options: EngineOptions) -> None:
    settings.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # else the inspector tells no types
    settings.clear_flag(trt.BuilderFlag.TF32)
    settings.builder_optimization_level = options.optimization_level
    if options.workspace_mb is not None:
        settings.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mb << 20)
    if options.hardware_compatible:
        settings.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
    if options.version_compatible:
        settings.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)


def _load_timings(settings: Any, timings: bytes) -> None:
    timing_cache = settings.create_timing_cache(timings) or settings.create_timing_cache(b"")
    if timing_cache is not None:
        settings.set_timing_cache(timing_cache, False)


def _timings(settings: Any) -> bytes:
    timing_cache = settings.get_timing_cache()
    blob = None if timing_cache is None else timing_cache.serialize()
    return b"" if blob is None else bytes(blob)


def _parse_errors(parser: Any, log: Any) -> str:
    told = []
    for number in range(min(parser.num_errors, MOST_ERRORS)):
        parser_error = parser.get_error(number)
        operator, name = _text(parser_error.node_operator), _text(parser_error.node_name)
        where = f"node {parser_error.node()} ({operator} {name}): " if operator else ""
        told.append(where + " ".join(_text(parser_error.desc).split()))
    if parser.num_errors > MOST_ERRORS:
        told.append(f"and {parser.num_errors - MOST_ERRORS} more")
    return "; ".join(told) or _last(log.problems)


def _text(read: Callable[[], str]) -> str:
    """What the parser quotes from the file, which may be damaged at that very place."""
    try:
        return read()
    except UnicodeDecodeError:
        return "(unreadable)"


def _some(make: Callable[[], Any], api: Api, what: str, log: Any) -> Any:
    """What is made; raises where that is None, which constructors tell by a TypeError."""
    try:
        made = make()
    except TypeError:
        made = None
    if made is None:
        raise PipelineError(f"{api} cannot {what}: {_last(log.problems)}", "See `edge-us doctor`.")
    return made


def _last(problems: Sequence[str]) -> str:
    """TensorRT's last words, in one line of at most 300 characters."""
    return " ".join(problems[-1].split())[:300] if problems else "it does not say why"
