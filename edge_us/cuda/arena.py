"""`Arena`: all that somebody takes from a driver, given back at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edge_us.cuda.driver import Driver, Handle
from edge_us.errors import PipelineError
from edge_us.log import LOGGER


@dataclass(frozen=True, slots=True)
class Memory:
    """Device memory: the driver's handle, where it begins, and its size in bytes."""

    handle: Handle
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class HostArray:
    """Page-locked memory of the host.

    Attributes
    ----------
    values : ndarray
        What lies there, in its shape and dtype.
    raw : ndarray of uint8, shape (bytes,)
        The same as bytes, for copies.
    address : int or None
        Where the device sees it; None where it was not mapped.
    """

    values: NDArray[Any]
    raw: NDArray[np.uint8]
    address: int | None


class Arena:
    """Takes from a driver, and gives everything back on `close`, newest first.

    The driver's context must be current for everything but `close`, which makes it so itself.

    Parameters
    ----------
    driver : Driver
        Closed with the arena.
    """

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._undo: list[Callable[[], None]] = []
        self._streams: list[Handle] = []
        self._closed = False

    def memory(self, size: int) -> Memory:
        """Device memory of ``size`` bytes."""
        handle = self.driver.allocate(size)
        self.on_close(lambda: self.driver.free(handle))
        return Memory(handle, self.driver.address(handle), size)

    def host(self, shape: tuple[int, ...], dtype: DTypeLike, *, mapped: bool = False) -> HostArray:
        """Page-locked memory for an array, zeroed; with ``mapped`` the device reads and writes it in place."""
        kind = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        handle, raw = self.driver.allocate_host(size, mapped=mapped)
        self.on_close(lambda: self.driver.free_host(handle))
        raw[:] = 0
        address = self.driver.mapped_address(handle) if mapped else None
        return HostArray(raw.view(kind).reshape(shape), raw, address)

    def stream(self) -> Handle:
        """A stream; whatever was begun on it is done before anything is given back."""
        stream = self.driver.create_stream()
        self._streams.append(stream)
        self.on_close(lambda: self.driver.destroy_stream(stream))
        return stream

    def event(self, *, timed: bool = False) -> Handle:
        """An event."""
        event = self.driver.create_event(timed=timed)
        self.on_close(lambda: self.driver.destroy_event(event))
        return event

    def module(self, ptx: bytes) -> Handle:
        """A module of kernels."""
        module = self.driver.load_module(ptx)
        self.on_close(lambda: self.driver.unload_module(module))
        return module

    def graph(self, stream: Handle, work: Callable[[], None]) -> Handle:
        """What ``work`` begins on the stream, captured instead of run."""
        self.driver.begin_capture(stream)
        try:
            work()
        except BaseException:
            # The stream takes no other work until its capture has ended.
            try:
                self.driver.destroy_graph(self.driver.end_capture(stream))
            except PipelineError as error:
                LOGGER.warning("capture not ended", extra={"fields": {"reason": error.message}})
            raise
        graph = self.driver.end_capture(stream)
        self.on_close(lambda: self.driver.destroy_graph(graph))
        return graph

    def on_close(self, undo: Callable[[], None]) -> None:
        """Call ``undo`` on `close`, before whatever was taken earlier is given back."""
        self._undo.append(undo)

    def close(self) -> None:
        """Give everything back; may be called more than once.

        A device that is lost cannot take anything back: that is logged and goes no further, so that whoever closes
        because of one failure does not meet another.
        """
        if self._closed:
            return
        self._closed = True
        try:
            with self.driver.current():
                for stream in self._streams:
                    self._tell(partial(self.driver.synchronize, stream))
                while self._undo:
                    self._tell(self._undo.pop())
        except PipelineError as error:
            LOGGER.warning("GPU not given back", extra={"fields": {"reason": error.message}})
        self._undo.clear()
        self._streams.clear()
        self._tell(self.driver.close)

    @staticmethod
    def _tell(ending: Callable[[], None]) -> None:
        try:
            ending()
        except PipelineError as error:
            LOGGER.warning("GPU not given back", extra={"fields": {"reason": error.message}})
