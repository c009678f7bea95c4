"""`Driver` over pycuda, which is compiled when it is installed and so fits any CUDA; it has no graphs.

pycuda lets a thread touch an object only while the object's context is on top of that thread's stack: `Driver.current`
sees to it, in whichever thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_us.cuda.driver import Driver, Handle, Size3, cuda_error
from edge_us.errors import MissingDependencyError, one_line

_DEVICE_MAP = 2
_BLOCKING = 1  # a thread that waits sleeps: spinning would take a core from the encoder
_DISABLE_TIMING = 2
_NON_BLOCKING = 1
# pycuda says the driver's sentences and not its names; these are the ones that decide what happens next.
_NAMES = {
    "an illegal memory access was encountered": "ILLEGAL_ADDRESS",
    "the launch timed out and was terminated": "LAUNCH_TIMEOUT",
    "device-side assert triggered": "ASSERT",
    "hardware stack error": "HARDWARE_STACK_ERROR",
    "an illegal instruction was encountered": "ILLEGAL_INSTRUCTION",
    "misaligned address": "MISALIGNED_ADDRESS",
    "operation not supported on global/shared address space": "INVALID_ADDRESS_SPACE",
    "invalid program counter": "INVALID_PC",
    "unspecified launch failure": "LAUNCH_FAILED",
}


class _Box:
    """Holds what pycuda releases with the last reference to it, so that it goes when we say."""

    __slots__ = ("it", "parts")

    def __init__(self, it: Any) -> None:
        self.it = it
        self.parts: list[_Box] = []

    def empty(self) -> None:
        for part in self.parts:
            part.empty()
        self.it = None


class PycudaDriver(Driver):
    """See `Driver`."""

    name = "pycuda"
    graphs = False

    def __init__(self) -> None:
        try:
            import pycuda.driver as cuda
        except ImportError as error:
            raise MissingDependencyError(
                f"pycuda cannot be loaded: {one_line(error)}", "Compile it against the CUDA that is installed."
            ) from None
        self._cuda = cuda
        with self._told():
            cuda.init()
            self._context = cuda.Device(0).retain_primary_context()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn pycuda's errors, which say ``cuMemAlloc failed: out of memory``, into ours."""
        try:
            yield
        except self._cuda.Error as error:
            call, _, what = one_line(error).partition(" failed: ")
            text = what.partition(" - ")[0]
            raise cuda_error(call, _NAMES.get(text, "_".join(text.upper().split()))) from None

    def push(self) -> None:
        """Make the context current in this thread."""
        with self._told():
            self._context.push()

    def pop(self) -> None:
        """Give the thread back the context that it had."""
        with self._told():
            self._cuda.Context.pop()

    def close(self) -> None:
        """Let go of the context."""
        with self._told():
            # In another thread than the one that retained it, pycuda releases only what is on top.
            self._context.push()
            self._context.detach()

    def free_memory(self) -> int:
        """Bytes of device memory that are free now."""
        with self._told():
            return int(self._cuda.mem_get_info()[0])

    def allocate(self, size: int) -> Handle:
        """Device memory."""
        with self._told():
            return self._cuda.mem_alloc(size)

    def free(self, memory: Handle) -> None:
        """Give device memory back."""
        with self._told():
            memory.free()

    def address(self, memory: Handle) -> int:
        """Where device memory begins."""
        return int(memory)

    def allocate_host(self, size: int, *, mapped: bool) -> tuple[Handle, NDArray[np.uint8]]:
        """Page-locked memory of the host, and a view on it."""
        with self._told():
            view = self._cuda.pagelocked_empty(size, np.uint8, mem_flags=_DEVICE_MAP if mapped else 0)
        return view.base, view

    def free_host(self, memory: Handle) -> None:
        """Give page-locked memory back."""
        with self._told():
            memory.free()

    def mapped_address(self, memory: Handle) -> int:
        """Where the device sees page-locked memory."""
        with self._told():
            return int(memory.get_device_pointer())

    def upload(self, memory: Handle, host: NDArray[np.uint8], stream: Handle) -> None:
        """Begin to copy to the device."""
        with self._told():
            self._cuda.memcpy_htod_async(memory, host, stream.it)

    def download(self, host: NDArray[np.uint8], memory: Handle, stream: Handle) -> None:
        """Begin to copy from the device."""
        with self._told():
            self._cuda.memcpy_dtoh_async(host, memory, stream.it)

    def create_stream(self) -> Handle:
        """A stream."""
        with self._told():
            return _Box(self._cuda.Stream(_NON_BLOCKING))

    def destroy_stream(self, stream: Handle) -> None:
        """Release a stream."""
        stream.empty()

    def stream_handle(self, stream: Handle) -> int:
        """The stream as TensorRT takes it."""
        return int(stream.it.handle)

    def synchronize(self, stream: Handle) -> None:
        """Wait for the stream."""
        with self._told():
            stream.it.synchronize()

    def create_event(self, *, timed: bool = False) -> Handle:
        """An event."""
        with self._told():
            return _Box(self._cuda.Event(_BLOCKING if timed else _BLOCKING | _DISABLE_TIMING))

    def destroy_event(self, event: Handle) -> None:
        """Release an event."""
        event.empty()

    def record(self, event: Handle, stream: Handle) -> None:
        """The event happens when the stream comes to it."""
        with self._told():
            event.it.record(stream.it)

    def wait_event(self, stream: Handle, event: Handle) -> None:
        """The stream waits for the event."""
        with self._told():
            stream.it.wait_for_event(event.it)

    def synchronize_event(self, event: Handle) -> None:
        """Wait for the event."""
        with self._told():
            event.it.synchronize()

    def elapsed_ms(self, start: Handle, end: Handle) -> float:
        """Time between two events."""
        with self._told():
            return float(start.it.time_till(end.it))

    def load_module(self, ptx: bytes) -> Handle:
        """Compile and load PTX."""
        with self._told():
            return _Box(self._cuda.module_from_buffer(ptx + b"\0"))

    def unload_module(self, module: Handle) -> None:
        """Release a module and its functions, which keep it alive."""
        module.empty()

    def function(self, module: Handle, name: str) -> Handle:
        """A kernel."""
        with self._told():
            function = _Box(module.it.get_function(name))
        module.parts.append(function)
        return function

    def launch(self, function: Handle, grid: Size3, block: Size3, stream: Handle, parameters: NDArray[Any]) -> None:
        """Begin a kernel."""
        kernel = function.it
        with self._told():
            kernel.prepare([np.dtype((np.void, parameters.nbytes))])
            kernel.prepared_async_call(grid, block, stream.it, parameters.tobytes())
