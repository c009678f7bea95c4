"""`Driver` over cuda-bindings, the vendor's own package: wheels for x86-64 and aarch64, with graphs.

Its major version has to be the driver's: 12 on JetPack 6, 13 on JetPack 7.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_us.cuda.driver import Driver, Handle, Size3, cuda_error
from edge_us.errors import MissingDependencyError, one_line

_DEVICE_MAP = 2
_BLOCKING = 1  # a thread that waits sleeps: spinning would take a core from the encoder
_DISABLE_TIMING = 2
_NON_BLOCKING = 1


class BindingsDriver(Driver):
    """See `Driver`."""

    name = "cuda-bindings"
    graphs = True

    def __init__(self) -> None:
        try:
            from cuda.bindings import driver
        except ImportError as error:
            raise MissingDependencyError(
                f"cuda-bindings cannot be loaded: {one_line(error)}",
                "pip install 'cuda-bindings==12.*' (or 13.*, as the driver's CUDA is)",
            ) from None
        self._cuda = driver
        self._call("cuInit", 0)
        self._device = self._call("cuDeviceGet", 0)
        self._context = self._call("cuDevicePrimaryCtxRetain", self._device)

    def _call(self, name: str, *arguments: Any) -> Any:
        """What a function gives beyond its code: nothing, one value, or several."""
        try:
            code, *values = getattr(self._cuda, name)(*arguments)
        except RuntimeError as error:  # the driver is older than the package and has no such function
            raise cuda_error(name, one_line(error)) from None
        if code != self._cuda.CUresult.CUDA_SUCCESS:
            raise cuda_error(name, code.name)
        return values[0] if len(values) == 1 else values

    def push(self) -> None:
        """Make the context current in this thread."""
        self._call("cuCtxPushCurrent", self._context)

    def pop(self) -> None:
        """Give the thread back the context that it had."""
        self._call("cuCtxPopCurrent")

    def close(self) -> None:
        """Let go of the context."""
        self._call("cuDevicePrimaryCtxRelease", self._device)

    def free_memory(self) -> int:
        """Bytes of device memory that are free now."""
        return int(self._call("cuMemGetInfo")[0])

    def allocate(self, size: int) -> Handle:
        """Device memory."""
        return self._call("cuMemAlloc", size)

    def free(self, memory: Handle) -> None:
        """Give device memory back."""
        self._call("cuMemFree", memory)

    def address(self, memory: Handle) -> int:
        """Where device memory begins."""
        return int(memory)

    def allocate_host(self, size: int, *, mapped: bool) -> tuple[Handle, NDArray[np.uint8]]:
        """Page-locked memory of the host, and a view on it."""
        start = int(self._call("cuMemHostAlloc", size, _DEVICE_MAP if mapped else 0))
        return start, np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(start))

    def free_host(self, memory: Handle) -> None:
        """Give page-locked memory back."""
        self._call("cuMemFreeHost", memory)

    def mapped_address(self, memory: Handle) -> int:
        """Where the device sees page-locked memory."""
        return int(self._call("cuMemHostGetDevicePointer", memory, 0))

    def upload(self, memory: Handle, host: NDArray[np.uint8], stream: Handle) -> None:
        """Begin to copy to the device."""
        self._call("cuMemcpyHtoDAsync", memory, host.ctypes.data, host.nbytes, stream)

    def download(self, host: NDArray[np.uint8], memory: Handle, stream: Handle) -> None:
        """Begin to copy from the device."""
        self._call("cuMemcpyDtoHAsync", host.ctypes.data, memory, host.nbytes, stream)

    def create_stream(self) -> Handle:
        """A stream."""
        return self._call("cuStreamCreate", _NON_BLOCKING)

    def destroy_stream(self, stream: Handle) -> None:
        """Release a stream."""
        self._call("cuStreamDestroy", stream)

    def stream_handle(self, stream: Handle) -> int:
        """The stream as TensorRT takes it."""
        return int(stream)

    def synchronize(self, stream: Handle) -> None:
        """Wait for the stream."""
        self._call("cuStreamSynchronize", stream)

    def create_event(self, *, timed: bool = False) -> Handle:
        """An event."""
        return self._call("cuEventCreate", _BLOCKING if timed else _BLOCKING | _DISABLE_TIMING)

    def destroy_event(self, event: Handle) -> None:
        """Release an event."""
        self._call("cuEventDestroy", event)

    def record(self, event: Handle, stream: Handle) -> None:
        """The event happens when the stream comes to it."""
        self._call("cuEventRecord", event, stream)

    def wait_event(self, stream: Handle, event: Handle) -> None:
        """The stream waits for the event."""
        self._call("cuStreamWaitEvent", stream, event, 0)

    def synchronize_event(self, event: Handle) -> None:
        """Wait for the event."""
        self._call("cuEventSynchronize", event)

    def elapsed_ms(self, start: Handle, end: Handle) -> float:
        """Time between two events."""
        return float(self._call("cuEventElapsedTime", start, end))

    def load_module(self, ptx: bytes) -> Handle:
        """Compile and load PTX."""
        return self._call("cuModuleLoadData", ptx + b"\0")

    def unload_module(self, module: Handle) -> None:
        """Release a module."""
        self._call("cuModuleUnload", module)

    def function(self, module: Handle, name: str) -> Handle:
        """A kernel."""
        return self._call("cuModuleGetFunction", module, name.encode())

    def launch(self, function: Handle, grid: Size3, block: Size3, stream: Handle, parameters: NDArray[Any]) -> None:
        """Begin a kernel."""
        # An array of pointers to parameters, of which there is one; the driver copies it before the call returns.
        pointers = np.array([parameters.ctypes.data], np.uintp)
        self._call("cuLaunchKernel", function, *grid, *block, 0, stream, pointers.ctypes.data, 0)

    def begin_capture(self, stream: Handle) -> None:
        """Note what is begun on the stream."""
        mode = self._cuda.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        self._call("cuStreamBeginCapture", stream, mode)

    def end_capture(self, stream: Handle) -> Handle:
        """What was noted, ready to be launched."""
        graph = self._call("cuStreamEndCapture", stream)
        try:
            return self._call("cuGraphInstantiate", graph, 0)
        finally:
            self._call("cuGraphDestroy", graph)

    def launch_graph(self, graph: Handle, stream: Handle) -> None:
        """Begin all that was noted."""
        self._call("cuGraphLaunch", graph, stream)

    def destroy_graph(self, graph: Handle) -> None:
        """Release a graph."""
        self._call("cuGraphExecDestroy", graph)
