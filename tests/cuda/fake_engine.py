"""An engine without TensorRT: ICudaEngine's calls, computed by ONNX Runtime on the fake driver's memory and streams."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_us.inference.backend import BackendInfo
from edge_us.inference.tensorrt_backend import ReadyEngine

_KINDS = {"tensor(float)": ("FLOAT", np.float32), "tensor(float16)": ("HALF", np.float16)}


class Queue(Protocol):
    """What takes the engine's work."""

    def begin(self, stream: int, work: Callable[[], None]) -> None:
        """Do it on the stream of that handle, or note it for a graph."""
        ...


@dataclass
class FakeEngine:
    """Tensors in another order than the ONNX file's, as engines have them."""

    path: Path
    queue: Queue
    contexts: int = 0
    no_room: bool = False
    refuses: bool = False
    half: bool = False
    """Its tensors are 16-bit floats, whatever the file's are."""
    idle: bool = False
    """It computes nothing: for tests of what comes and goes around it."""
    session: Any = field(init=False)

    def __post_init__(self) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])
        outputs = list(reversed(self.session.get_outputs()))
        self.tensors: dict[str, Any] = {each.name: each for each in (*outputs, *self.session.get_inputs())}

    @property
    def num_io_tensors(self) -> int:
        return len(self.tensors)

    def get_tensor_name(self, number: int) -> str:
        return list(self.tensors)[number]

    def get_tensor_mode(self, name: str) -> Any:
        inputs = [each.name for each in self.session.get_inputs()]
        return SimpleNamespace(name="INPUT" if name in inputs else "OUTPUT")

    def get_tensor_dtype(self, name: str) -> Any:
        return SimpleNamespace(name="HALF" if self.half else _KINDS[self.tensors[name].type][0])

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.tensors[name].shape)

    def create_execution_context(self) -> FakeContext | None:
        if self.no_room:
            return None
        self.contexts += 1
        return FakeContext(self)

    def view(self, name: str, address: int) -> NDArray[Any]:
        """The tensor that lies at an address."""
        kind = np.dtype(np.float16) if self.half else np.dtype(_KINDS[self.tensors[name].type][1])
        shape = self.get_tensor_shape(name)
        size = int(np.prod(shape)) * kind.itemsize
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address)).view(kind).reshape(shape)


class FakeContext:
    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._addresses: dict[str, int] = {}

    def __del__(self) -> None:
        self._engine.contexts -= 1

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        if self._engine.refuses:
            return False
        assert set(self._addresses) == set(self._engine.tensors), "every tensor needs an address"
        self._engine.queue.begin(stream, self._compute)
        return True

    def _compute(self) -> None:
        engine = self._engine
        if engine.idle:
            return
        source = engine.session.get_inputs()[0].name
        given = engine.view(source, self._addresses[source]).astype(np.float32)
        names = [each.name for each in engine.session.get_outputs()]
        for name, value in zip(names, engine.session.run(names, {source: given}), strict=True):
            engine.view(name, self._addresses[name])[...] = value


def ready(engine: FakeEngine) -> ReadyEngine:
    """The engine as a loader hands it over."""
    names = tuple(each.name for each in engine.session.get_outputs())
    return ReadyEngine(engine, object(), names, BackendInfo("tensorrt", "fp32", "a GPU that is played"))
