"""TensorRT: a ready engine run on fixed buffers, so that neighbouring frames overlap.

A lane copies its letterboxed picture to page-locked memory and begins everything else: upload, our kernel (0..1,
channels first) and the network, download. Copies have streams of their own, one each way, and the network has one:
while a lane's network runs, the next lane's picture goes up and the last one's heads come down. What runs on the
network's stream is one CUDA graph a lane. Where CPU and GPU share their memory nothing is copied: the GPU works on the
host's pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edge_us.cuda.arena import Arena, HostArray, Memory
from edge_us.cuda.kernels import Kernels, letterbox_job
from edge_us.errors import ModelError, PipelineError
from edge_us.frame import FULL_RANGE, PixelFormat, Rect
from edge_us.inference.backend import BackendInfo, Lane
from edge_us.inference.letterbox import Letterbox
from edge_us.log import LOGGER

if TYPE_CHECKING:
    from edge_us.cuda.driver import Driver, Handle
    from edge_us.inference.backend import Network

_TYPES: dict[str, DTypeLike] = {"FLOAT": np.float32, "HALF": np.float16}


@dataclass(frozen=True, slots=True)
class ReadyEngine:
    """An engine that was deserialised on this machine.

    Attributes
    ----------
    engine : tensorrt.ICudaEngine
    owner : object
        What must live as long as the engine: TensorRT's runtime.
    outputs : tuple of str
        Names of the ONNX file's outputs in its order, which need not be the engine's.
    info : BackendInfo
    """

    engine: Any
    owner: Any
    outputs: tuple[str, ...]
    info: BackendInfo


class TensorRtBackend:
    """An engine on a GPU.

    Parameters
    ----------
    model : Network
    ready : ReadyEngine
        Of this network.
    driver : Driver
        Of the GPU that the engine was made for; closed with the backend, or where it cannot be made.
    lanes : int
        Each has buffers and an execution context of its own.
    mapped : bool
        CPU and GPU share their memory (`GpuInfo.integrated`).

    Raises
    ------
    ModelError
        The engine's tensors are not those of the network.
    PipelineError
        The GPU has no room, or fails.
    """

    def __init__(
        self, model: Network, ready: ReadyEngine, driver: Driver, lanes: int = 1, *, mapped: bool = False
    ) -> None:
        self.info = ready.info
        self.lanes: Sequence[Lane] = ()
        self._arena = Arena(driver)
        with ExitStack() as stack:
            stack.callback(self._arena.close)
            with driver.current():
                # Last to go: no context may outlive its engine.
                self._arena.on_close(_Release(ready))
                streams = _Streams(self._arena)
                kernels = Kernels(self._arena)
                tensors = _tensors(ready)
                self.lanes = [
                    _TensorRtLane(model, ready.engine, tensors, self._arena, streams, kernels, mapped)
                    for _ in range(lanes)
                ]
            stack.pop_all()

    def close(self) -> None:
        """Wait for what is being computed, and give the GPU back."""
        self.lanes = ()
        self._arena.close()

    def engine_ms(self, rounds: int) -> list[float]:
        """Milliseconds of the engine alone, without our kernel: events on the GPU, a graph where there are graphs."""
        lane = self.lanes[0]
        assert isinstance(lane, _TensorRtLane)
        with self._arena.driver.current():
            return lane.engine_ms(self._arena, rounds)


class _Release:
    """Lets go of objects whose end is their last reference, at the moment that it is called."""

    def __init__(self, *objects: Any) -> None:
        self._objects: list[Any] = list(objects)

    def __call__(self) -> None:
        self._objects.clear()


class _Streams:
    """Up, network, down: one each for a backend."""

    def __init__(self, arena: Arena) -> None:
        self.up, self.network, self.down = (arena.stream() for _ in range(3))


@dataclass(frozen=True, slots=True)
class _Tensor:
    name: str
    shape: tuple[int, ...]
    dtype: DTypeLike

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


def _tensors(ready: ReadyEngine) -> tuple[_Tensor, tuple[_Tensor, ...]]:
    """The engine's one input, and its outputs in the order of the ONNX file."""
    engine = ready.engine
    inputs, outputs = [], {}
    for number in range(engine.num_io_tensors):
        name = engine.get_tensor_name(number)
        kind = engine.get_tensor_dtype(name).name
        if kind not in _TYPES:
            raise ModelError(f"the engine's tensor {name} is {kind}, not 32- or 16-bit float", _REBUILD)
        shape = tuple(int(side) for side in engine.get_tensor_shape(name))
        if min(shape, default=1) < 1:
            raise ModelError(f"the engine's tensor {name} has the dynamic shape {shape}", _REBUILD)
        tensor = _Tensor(name, shape, _TYPES[kind])
        if engine.get_tensor_mode(name).name == "INPUT":
            inputs.append(tensor)
        else:
            outputs[name] = tensor
    if len(inputs) != 1 or set(outputs) != set(ready.outputs):
        raise ModelError(
            f"the engine has {len(inputs)} inputs and the outputs {sorted(outputs)}, "
            f"the network one and {sorted(ready.outputs)}",
            _REBUILD,
        )
    return inputs[0], tuple(outputs[name] for name in ready.outputs)


_REBUILD = "Build the engine again from this model's file."


class _Shared:
    """A buffer of both sides: page-locked memory of the host, and device memory unless the device maps the host's."""

    def __init__(self, arena: Arena, shape: tuple[int, ...], dtype: DTypeLike, *, mapped: bool) -> None:
        self.host: HostArray = arena.host(shape, dtype, mapped=mapped)
        self.device: Memory | None = None if mapped else arena.memory(self.host.raw.nbytes)

    @property
    def address(self) -> int:
        """Where the device works."""
        address = self.host.address if self.device is None else self.device.address
        assert address is not None
        return address


class _TensorRtLane(Lane):
    def __init__(
        self,
        model: Network,
        engine: Any,
        tensors: tuple[_Tensor, tuple[_Tensor, ...]],
        arena: Arena,
        streams: _Streams,
        kernels: Kernels,
        mapped: bool,
    ) -> None:
        self._driver, self._streams, self._kernels = arena.driver, streams, kernels
        source, outputs = tensors
        grey = model.is_grey or model.channels == 1
        width, height = model.input_size
        self._image = _Shared(arena, (height, width) if grey else (height, width, 3), np.uint8, mapped=mapped)
        self._input = arena.memory(source.size)
        self._heads = [_Shared(arena, tensor.shape, tensor.dtype, mapped=mapped) for tensor in outputs]
        self._uploaded, self._computed, self._done = (arena.event() for _ in range(3))
        whole = Rect(0, 0, width, height)
        self._job = letterbox_job(
            self._image.address,
            model.input_size,
            PixelFormat.GRAY8 if grey else PixelFormat.BGR,
            FULL_RANGE,
            Letterbox(whole, model.input_size, whole),
            self._input.address,
            channels=model.channels,
            grey=grey,
            half=source.dtype == np.float16,
        )
        self._context = engine.create_execution_context()
        if self._context is None:
            raise PipelineError(
                "TensorRT makes no execution context: the GPU has no room for it",
                "End other programs that use the GPU, or take a smaller model.",
            )
        arena.on_close(self._forget)
        addresses = {source.name: self._input.address}
        addresses |= {tensor.name: head.address for tensor, head in zip(outputs, self._heads, strict=True)}
        for name, address in addresses.items():
            if not self._context.set_tensor_address(name, address):
                raise PipelineError(f"TensorRT does not take the address of {name}", _REBUILD)
        self._graph: Handle | None = self._captured(arena, self._compute)

    def start(self, image: NDArray[np.uint8]) -> None:
        driver, streams = self._driver, self._streams
        self._image.host.values[...] = image
        with driver.current():
            if self._image.device is not None:
                driver.upload(self._image.device.handle, self._image.host.raw, streams.up)
                driver.record(self._uploaded, streams.up)
                driver.wait_event(streams.network, self._uploaded)
            self._begin_network()
            last = streams.network
            if any(head.device is not None for head in self._heads):
                driver.record(self._computed, streams.network)
                driver.wait_event(streams.down, self._computed)
                last = streams.down
                for head in self._heads:
                    assert head.device is not None
                    driver.download(head.host.raw, head.device.handle, streams.down)
            driver.record(self._done, last)

    def wait(self) -> tuple[NDArray[np.float32], ...]:
        with self._driver.current():
            self._driver.synchronize_event(self._done)
        return tuple(np.asarray(head.host.values, np.float32) for head in self._heads)

    def engine_ms(self, arena: Arena, rounds: int) -> list[float]:
        """Milliseconds of the engine alone, one pass after the other."""
        driver, stream = self._driver, self._streams.network
        begun, ended = arena.event(timed=True), arena.event(timed=True)
        graph = self._captured(arena, self._execute)
        times = []
        for _ in range(rounds):
            driver.record(begun, stream)
            if graph is None:
                self._execute()
            else:
                driver.launch_graph(graph, stream)
            driver.record(ended, stream)
            driver.synchronize_event(ended)
            times.append(driver.elapsed_ms(begun, ended))
        return times

    def _begin_network(self) -> None:
        if self._graph is None:
            self._compute()
        else:
            self._driver.launch_graph(self._graph, self._streams.network)

    def _compute(self) -> None:
        self._kernels.letterbox(self._job, self._streams.network)
        self._execute()

    def _execute(self) -> None:
        if not self._context.execute_async_v3(self._driver.stream_handle(self._streams.network)):
            raise PipelineError(
                "TensorRT refuses to run the engine", "Build it again; --fallback cpu goes on without it."
            )

    def _captured(self, arena: Arena, work: Callable[[], None]) -> Handle | None:
        """The network's work as a graph; TensorRT wants one inference before it."""
        work()
        self._driver.synchronize(self._streams.network)
        if not self._driver.graphs:
            return None
        try:
            return arena.graph(self._streams.network, work)
        except PipelineError as error:
            LOGGER.warning("no CUDA graph", extra={"fields": {"reason": error.message}})
            return None

    def _forget(self) -> None:
        self._context = self._graph = None
