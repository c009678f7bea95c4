"""A driver without a GPU: records calls, holds device memory in this process, fails on demand.

It is as lazy as the rules allow: what is begun on a stream is done only when somebody waits for it, so that work which
was not ordered by an event, or a buffer which was touched too early, shows as wrong numbers.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_us.cuda.driver import STICKY, Driver, Handle, Size3, cuda_error
from tests.cuda.cpu_kernels import CpuKernels

Work = Callable[[], None]
MOST_BYTES = 1 << 32
HANGS_S = 600.0
"""For good, but for a test that forgot to release it."""


class Stream:
    def __init__(self) -> None:
        self.queue: deque[Work] = deque()
        self.captured: list[Work] | None = None

    def add(self, work: Work) -> None:
        (self.queue if self.captured is None else self.captured).append(work)

    def step(self) -> None:
        assert self.queue, "somebody waits for what will never happen"
        self.queue.popleft()()

    def drain(self) -> None:
        while self.queue:
            self.step()


class Event:
    def __init__(self) -> None:
        self.asked = self.happened = 0
        self.stream: Stream | None = None

    def settle(self, asked: int) -> None:
        while self.happened < asked:
            assert self.stream is not None
            self.stream.step()


class Primary:
    """The device's primary context, which all drivers of a process share."""

    def __init__(self) -> None:
        self.error = ""
        """A sticky error: from it on everything gives the same one, whoever asks and however often it is opened."""
        self.hangs = threading.Event()
        """Whoever waits for the device from now on waits for good, until `release`."""
        self.release = threading.Event()


class FakeDriver(Driver):
    """See the module.

    Parameters
    ----------
    kernels : CpuKernels
    graphs : bool
    primary : Primary, optional
        By default one that no other driver has.
    """

    name = "fake"

    def __init__(self, kernels: CpuKernels, *, graphs: bool = True, primary: Primary | None = None) -> None:
        self._kernels = kernels
        self.primary = primary or Primary()
        self.graphs = graphs
        self.calls: list[str] = []
        self.live: Counter[str] = Counter()
        """How many of each kind there are now."""
        self.fail: dict[str, tuple[int, str]] = {}
        """By method, which of its calls from now on fails (1 is the next), and with what."""
        self.lost = False
        """Everything fails, releases too."""
        self.closed = False
        self._current = threading.local()
        self._streams: list[Stream] = []

    def _enter(self, name: str, *, anywhere: bool = False) -> None:
        assert anywhere or getattr(self._current, "depth", 0) > 0, f"{name} without a current context"
        assert not self.closed, f"{name} after close"
        self.calls.append(name)
        if self.lost:
            raise cuda_error(name, "CUDA_ERROR_DEVICE_UNAVAILABLE")
        if self.primary.error:
            raise cuda_error(name, self.primary.error)
        count, error = self.fail.get(name, (0, ""))
        if count:
            self.fail[name] = (count - 1, error)
            if count == 1:
                if error.removeprefix("CUDA_ERROR_") in STICKY:
                    self.primary.error = error
                raise cuda_error(name, error)

    def _wait(self) -> None:
        if self.primary.hangs.is_set():
            assert self.primary.release.wait(HANGS_S), "a test left it hanging"

    def _make(self, name: str, kind: str) -> None:
        self._enter(name)
        self.live[kind] += 1

    def _drop(self, name: str, kind: str) -> None:
        self._enter(name)
        assert not any(stream.queue for stream in self._streams), f"{name} while work is on its way"
        self.live[kind] -= 1
        assert self.live[kind] >= 0, f"{kind} released twice"

    def push(self) -> None:
        self._enter("push", anywhere=True)
        self._current.depth = getattr(self._current, "depth", 0) + 1

    def pop(self) -> None:
        self._current.depth -= 1

    def close(self) -> None:
        if not self.primary.error:  # as the driver does it: the count of users goes down whatever else fails
            self._enter("close", anywhere=True)
        self.closed = True

    def free_memory(self) -> int:
        self._enter("free_memory")
        return 1 << 30

    def allocate(self, size: int) -> Handle:
        if size > MOST_BYTES:
            self.fail["allocate"] = (1, "CUDA_ERROR_OUT_OF_MEMORY")
        self._make("allocate", "memory")
        return np.full(size, 0xDB, np.uint8)

    def free(self, memory: Handle) -> None:
        self._drop("free", "memory")

    def address(self, memory: Handle) -> int:
        return int(memory.ctypes.data)

    def allocate_host(self, size: int, *, mapped: bool) -> tuple[Handle, NDArray[np.uint8]]:
        self._make("allocate_host", "host memory")
        memory = np.full(size, 0xDB, np.uint8)
        return memory, memory

    def free_host(self, memory: Handle) -> None:
        self._drop("free_host", "host memory")

    def mapped_address(self, memory: Handle) -> int:
        self._enter("mapped_address")
        return int(memory.ctypes.data)

    def upload(self, memory: Handle, host: NDArray[np.uint8], stream: Handle) -> None:
        self._enter("upload")
        assert host.nbytes <= memory.nbytes
        stream.add(lambda: np.copyto(memory[: host.nbytes], host))

    def download(self, host: NDArray[np.uint8], memory: Handle, stream: Handle) -> None:
        self._enter("download")
        assert host.nbytes <= memory.nbytes
        stream.add(lambda: np.copyto(host, memory[: host.nbytes]))

    def create_stream(self) -> Handle:
        self._make("create_stream", "stream")
        self._streams.append(Stream())
        return self._streams[-1]

    def destroy_stream(self, stream: Handle) -> None:
        self._drop("destroy_stream", "stream")

    def stream_handle(self, stream: Handle) -> int:
        return self._streams.index(stream)

    def begin(self, stream: int, work: Work) -> None:
        """What TensorRT does with a stream's handle."""
        self._enter("begin")
        self._streams[stream].add(work)

    def synchronize(self, stream: Handle) -> None:
        self._enter("synchronize")
        self._wait()
        stream.drain()

    def create_event(self, *, timed: bool = False) -> Handle:
        self._make("create_event", "event")
        return Event()

    def destroy_event(self, event: Handle) -> None:
        self._drop("destroy_event", "event")

    def record(self, event: Handle, stream: Handle) -> None:
        self._enter("record")
        event.asked += 1
        event.stream, asked = stream, event.asked

        def happen() -> None:
            event.happened = asked

        stream.add(happen)

    def wait_event(self, stream: Handle, event: Handle) -> None:
        self._enter("wait_event")
        asked = event.asked
        stream.add(lambda: event.settle(asked))

    def synchronize_event(self, event: Handle) -> None:
        self._enter("synchronize_event")
        self._wait()
        event.settle(event.asked)

    def elapsed_ms(self, start: Handle, end: Handle) -> float:
        self._enter("elapsed_ms")
        return 1.0

    def load_module(self, ptx: bytes) -> Handle:
        self._make("load_module", "module")
        assert b".entry letterbox" in ptx
        return object()

    def unload_module(self, module: Handle) -> None:
        self._drop("unload_module", "module")

    def function(self, module: Handle, name: str) -> Handle:
        self._enter("function")
        return name

    def launch(self, function: Handle, grid: Size3, block: Size3, stream: Handle, parameters: NDArray[Any]) -> None:
        self._enter("launch")
        job = parameters.copy()
        stream.add(lambda: self._kernels.run(function, job, grid, block))

    def begin_capture(self, stream: Handle) -> None:
        if not self.graphs:
            super().begin_capture(stream)
        self._enter("begin_capture")
        assert not stream.queue, "captured while work is on its way"
        stream.captured = []

    def end_capture(self, stream: Handle) -> Handle:
        graph, stream.captured = stream.captured, None
        self._make("end_capture", "graph")
        return graph

    def launch_graph(self, graph: Handle, stream: Handle) -> None:
        self._enter("launch_graph")
        for work in graph:
            stream.add(work)

    def destroy_graph(self, graph: Handle) -> None:
        self._drop("destroy_graph", "graph")
