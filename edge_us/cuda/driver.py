"""`Driver`: the few calls of the CUDA driver that the runtime makes, behind one face for each package that offers them.

Handles are opaque: a provider gets back what it gave out. Everything works on the device's primary context, which
TensorRT and ONNX Runtime use as well; it is current only between `push` and `pop` (`current`), because the thread that
compiles a network is not the one that runs it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_us.cuda.probe import probe_driver
from edge_us.errors import GpuLostError, MissingDependencyError, PipelineError
from edge_us.finding import Unknown

Handle = Any
Size3 = tuple[int, int, int]

_HINTS = {
    "OUT_OF_MEMORY": "End other programs that use the GPU, or take a smaller model.",
    "NO_BINARY_FOR_GPU": "This GPU is older than compute capability 7.2; use --backend openvino.",
    "INVALID_PTX": "This GPU is older than compute capability 7.2; use --backend openvino.",
    "UNSUPPORTED_PTX_VERSION": "Update the driver: CUDA 12.6 or later is needed.",
}
_LOST_HINT = "Look for Xid messages with `sudo dmesg | grep -i xid`; --fallback cpu goes on without the GPU."
STICKY = {
    "ILLEGAL_ADDRESS": 700,
    "LAUNCH_TIMEOUT": 702,
    "ASSERT": 710,
    "HARDWARE_STACK_ERROR": 714,
    "ILLEGAL_INSTRUCTION": 715,
    "MISALIGNED_ADDRESS": 716,
    "INVALID_ADDRESS_SPACE": 717,
    "INVALID_PC": 718,
    "LAUNCH_FAILED": 719,
}
"""Errors, with their numbers, of which cuda.h says that any further CUDA work of the process returns the same error.
They spoil the primary context, which TensorRT and ONNX Runtime work on as well and never let go of."""
STICKY_HINT = (
    "Nothing on the GPU works in this process any more: start edge-us again (systemctl restart edge-us), or let "
    "--fallback cpu go on without the GPU. Look for Xid messages with `sudo dmesg | grep -i xid`."
)


class Provider(str, Enum):
    """Packages that offer the driver to Python; ``auto`` takes the first that is installed."""

    AUTO = "auto"
    BINDINGS = "cuda-bindings"
    PYCUDA = "pycuda"


class Driver(ABC):
    """A device through its primary context, retained until `close`.

    All methods but `push`, `pop` and `close` need the context to be current in the calling thread. Every failure is a
    `PipelineError` that names the driver's call and its error.
    """

    name: str
    graphs: bool
    """Whether `begin_capture` and the like are there."""

    @contextmanager
    def current(self) -> Iterator[None]:
        """The context is current in this thread inside the block."""
        self.push()
        try:
            yield
        finally:
            self.pop()

    @abstractmethod
    def push(self) -> None:
        """Make the context current in this thread."""

    @abstractmethod
    def pop(self) -> None:
        """Give the thread back the context that it had."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the context; nothing of it may be used any more."""

    @abstractmethod
    def free_memory(self) -> int:
        """Bytes of device memory that are free now."""

    @abstractmethod
    def allocate(self, size: int) -> Handle:
        """Device memory of ``size`` bytes."""

    @abstractmethod
    def free(self, memory: Handle) -> None:
        """Give device memory back."""

    @abstractmethod
    def address(self, memory: Handle) -> int:
        """Where device memory begins, as kernels and TensorRT take it."""

    @abstractmethod
    def allocate_host(self, size: int, *, mapped: bool) -> tuple[Handle, NDArray[np.uint8]]:
        """Page-locked memory of the host, and a view on it of shape (size,); ``mapped`` lets the device reach it."""

    @abstractmethod
    def free_host(self, memory: Handle) -> None:
        """Give page-locked memory back; its view must not be touched any more."""

    @abstractmethod
    def mapped_address(self, memory: Handle) -> int:
        """Where the device sees page-locked memory that was allocated with ``mapped``."""

    @abstractmethod
    def upload(self, memory: Handle, host: NDArray[np.uint8], stream: Handle) -> None:
        """Begin to copy page-locked bytes to the start of device memory."""

    @abstractmethod
    def download(self, host: NDArray[np.uint8], memory: Handle, stream: Handle) -> None:
        """Begin to fill page-locked bytes from the start of device memory."""

    @abstractmethod
    def create_stream(self) -> Handle:
        """A stream that does not wait for the default one."""

    @abstractmethod
    def destroy_stream(self, stream: Handle) -> None:
        """Release a stream."""

    @abstractmethod
    def stream_handle(self, stream: Handle) -> int:
        """The stream as TensorRT takes it."""

    @abstractmethod
    def synchronize(self, stream: Handle) -> None:
        """Wait until everything that was begun on the stream is done."""

    @abstractmethod
    def create_event(self, *, timed: bool = False) -> Handle:
        """An event; only ``timed`` ones can be asked for their distance."""

    @abstractmethod
    def destroy_event(self, event: Handle) -> None:
        """Release an event."""

    @abstractmethod
    def record(self, event: Handle, stream: Handle) -> None:
        """The event happens when everything begun on the stream so far is done."""

    @abstractmethod
    def wait_event(self, stream: Handle, event: Handle) -> None:
        """What is begun on the stream from now on waits for the event; the caller does not."""

    @abstractmethod
    def synchronize_event(self, event: Handle) -> None:
        """Wait until the event has happened."""

    @abstractmethod
    def elapsed_ms(self, start: Handle, end: Handle) -> float:
        """Time between two timed events that have happened."""

    @abstractmethod
    def load_module(self, ptx: bytes) -> Handle:
        """Compile PTX for this device and load it."""

    @abstractmethod
    def unload_module(self, module: Handle) -> None:
        """Release a module and its functions."""

    @abstractmethod
    def function(self, module: Handle, name: str) -> Handle:
        """A kernel of the module; it lives as long as the module."""

    @abstractmethod
    def launch(self, function: Handle, grid: Size3, block: Size3, stream: Handle, parameters: NDArray[Any]) -> None:
        """Begin a kernel that takes one structure by value.

        ``parameters`` is a structured array of shape () that is laid out as in C (``align=True``); it is copied.
        """

    def begin_capture(self, stream: Handle) -> None:
        """From now on, work for this stream is noted instead of begun (only this thread's calls are watched)."""
        raise self._no_graphs()

    def end_capture(self, stream: Handle) -> Handle:
        """What was noted, as a graph that can be launched."""
        raise self._no_graphs()

    def launch_graph(self, graph: Handle, stream: Handle) -> None:
        """Begin all that was noted."""
        raise self._no_graphs()

    def destroy_graph(self, graph: Handle) -> None:
        """Release a graph."""
        raise self._no_graphs()

    def _no_graphs(self) -> PipelineError:
        return PipelineError(f"{self.name} has no CUDA graphs", "pip install cuda-bindings")


def cuda_error(call: str, name: str) -> PipelineError:
    """The error for a call of the driver that failed; a `GpuLostError` where it is one of `STICKY`.

    Parameters
    ----------
    call : str
        Such as ``cuMemAlloc``.
    name : str
        Such as ``CUDA_ERROR_OUT_OF_MEMORY``.
    """
    short = name.removeprefix("CUDA_ERROR_")
    message = f"the GPU failed: {call} says {short}"
    if short in STICKY:
        return GpuLostError(message, STICKY_HINT)
    return PipelineError(message, _HINTS.get(short, _LOST_HINT))


def open_driver(provider: Provider = Provider.AUTO) -> Driver:
    """Retain the primary context of the first GPU.

    Raises
    ------
    MissingDependencyError
        There is no driver, no GPU, or the package (none of the packages, with ``auto``) is not installed.
    PipelineError
        The driver refuses.
    """
    found = probe_driver()
    if isinstance(found, Unknown):
        raise MissingDependencyError(f"no GPU can be used: {found.reason}", "See `edge-us doctor`.")
    provider = installed_provider(provider)
    if provider is Provider.PYCUDA:
        from edge_us.cuda.pycuda_driver import PycudaDriver

        return PycudaDriver()
    from edge_us.cuda.bindings_driver import BindingsDriver

    return BindingsDriver()


def installed_provider(provider: Provider = Provider.AUTO) -> Provider:
    """The package that will be used, without importing it; `MissingDependencyError` where it is not installed."""
    modules = {Provider.BINDINGS: "cuda.bindings", Provider.PYCUDA: "pycuda"}
    for name, module in modules.items():
        if provider in (Provider.AUTO, name) and _has(module):
            return name
    what = "neither cuda-bindings nor pycuda is" if provider is Provider.AUTO else f"{provider.value} is not"
    wanted = Provider.BINDINGS if provider is Provider.AUTO else provider
    raise MissingDependencyError(f"{what} installed", f"pip install {wanted.value}")


def _has(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it is missing
        return False
