"""A module with TensorRT's shape that records what it is told, and fails where it is asked to."""

from __future__ import annotations

import json
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

from edge_us.inference.backend import Network
from edge_us.tensorrt.api import Api, ApiName
from edge_us.tensorrt.target import Target

ORIN = Target("Linux-aarch64", "Orin", "8.7", "36.4.3")
PLAN = b"a serialised engine"


class Severity(IntEnum):
    INTERNAL_ERROR = 0
    ERROR = 1
    VERBOSE = 4


class _Logger:
    INTERNAL_ERROR, ERROR, VERBOSE = Severity

    def __init__(self) -> None: ...


class _Monitor:
    def __init__(self) -> None: ...


class Fake:
    """One fake module.

    Parameters
    ----------
    fails : str
        ``Class.member`` that gives None, or a class whose constructor fails, as pybind lets them fail.
    layers : str
        What the inspector tells.
    inputs : tuple of int
        Shape of the engine's input.
    """

    def __init__(self, fails: str = "", layers: str = "", inputs: tuple[int, ...] = (1, 3, 320, 320)) -> None:
        self.fails, self.layers, self.inputs = fails, layers, inputs
        self.told: list[tuple[str, Any]] = []
        self.level = "none"
        self.log: Any = None

    def api(self, version: str = "10.3.0") -> Api:
        return Api(ApiName.TENSORRT, version, self)

    def call(self, name: str, value: Any, *told: Any) -> Any:
        self.told.append((name, told))
        if name != self.fails:
            return value
        self.log.log(Severity.ERROR, f"{name} does not work")
        return None

    def values(self, name: str) -> list[Any]:
        return [told for each, told in self.told if each == name]

    ILogger = _Logger
    IProgressMonitor = _Monitor
    ProfilingVerbosity = SimpleNamespace(DETAILED="detailed")
    BuilderFlag = SimpleNamespace(TF32="tf32", VERSION_COMPATIBLE="version")
    MemoryPoolType = SimpleNamespace(WORKSPACE="workspace")
    HardwareCompatibilityLevel = SimpleNamespace(NONE="none", AMPERE_PLUS="ampere")
    NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=1)
    LayerInformationFormat = SimpleNamespace(JSON="json")
    TensorIOMode = SimpleNamespace(INPUT="input", OUTPUT="output")

    def Builder(self, log: Any) -> Any:  # noqa: N802
        self.log = log
        return self._constructed("Builder", _Builder(self))

    def OnnxParser(self, definition: Any, log: Any) -> Any:  # noqa: N802
        errors = self.fails == "OnnxParser.parse_from_file"
        parser = SimpleNamespace(
            parse_from_file=lambda path: self.call("OnnxParser.parse_from_file", True, path), num_errors=2 * errors
        )
        parser.get_error = lambda number: SimpleNamespace(
            desc=lambda: f"error\n {number}", node=lambda: 7, node_name=lambda: "/head", node_operator=lambda: "NonZero"
        )
        return self._constructed("OnnxParser", parser)

    def Runtime(self, log: Any) -> Any:  # noqa: N802
        self.log = log
        runtime = SimpleNamespace(engine_host_code_allowed=False)

        def deserialise(data: bytes) -> Any:
            return self.call("Runtime.deserialize_cuda_engine", self.engine(), data, runtime.engine_host_code_allowed)

        runtime.deserialize_cuda_engine = deserialise
        return self._constructed("Runtime", runtime)

    def engine(self) -> Any:
        inspector = SimpleNamespace(get_engine_information=lambda _: self.layers)
        return SimpleNamespace(
            create_engine_inspector=lambda: self.call("ICudaEngine.create_engine_inspector", inspector),
            num_io_tensors=2,
            get_tensor_name=("images", "output0").__getitem__,
            get_tensor_mode={"images": "input", "output0": "output"}.__getitem__,
            hardware_compatibility_level=self.level,
            get_tensor_shape={"images": self.inputs, "output0": (1, 37, 2100)}.__getitem__,
        )

    def _constructed(self, name: str, made: Any) -> Any:
        if self.call(name, made) is None:
            raise TypeError("pybind11::init(): factory function returned nullptr")
        return made


class _Builder:
    def __init__(self, fake: Fake) -> None:
        self._fake = fake

    def create_network(self, flags: int) -> Any:
        return self._fake.call("Builder.create_network", SimpleNamespace(num_outputs=2), flags)

    def create_builder_config(self) -> Any:
        return self._fake.call("Builder.create_builder_config", _Settings(self._fake))

    def build_serialized_network(self, definition: Any, settings: Any) -> Any:
        self._fake.level = getattr(settings, "hardware_compatibility_level", "none")
        return self._fake.call("Builder.build_serialized_network", memoryview(PLAN), vars(settings))


class _Settings:
    def __init__(self, fake: Fake) -> None:
        self._fake = fake

    def clear_flag(self, flag: str) -> None:
        self._fake.call("clear_flag", None, flag)

    def set_flag(self, flag: str) -> None:
        self._fake.call("set_flag", None, flag)

    def set_memory_pool_limit(self, pool: str, size: int) -> None:
        self._fake.call("set_memory_pool_limit", None, pool, size)

    def create_timing_cache(self, data: bytes) -> Any:
        cache = SimpleNamespace(serialize=lambda: self._fake.call("ITimingCache.serialize", memoryview(b"timings")))
        return self._fake.call("IBuilderConfig.create_timing_cache", cache, data)

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        return bool(self._fake.call("set_timing_cache", True, cache, ignore_mismatch))

    def get_timing_cache(self) -> Any:
        cache = SimpleNamespace(serialize=lambda: self._fake.call("ITimingCache.serialize", memoryview(b"timings")))
        return self._fake.call("IBuilderConfig.get_timing_cache", cache)


def layers(kind: str, count: int = 60) -> str:
    """An inspector's JSON with that many tensors of one type."""
    tensor = {"Name": "x", "Dimensions": [1, 3], "Datatype": kind}
    return json.dumps({"Layers": [{"Name": "conv", "Inputs": [tensor], "Outputs": [tensor]}] * (count // 2)})


def fitting(network: Network, kind: str = "Half") -> Fake:
    """A fake whose engines have the network's input and tensors of one type."""
    width, height = network.input_size
    return Fake(layers=layers(kind), inputs=(1, network.channels, height, width))
