"""Run as a program where libcuda is played (`libcuda.cpp`): the contract and the TensorRT backend on a real provider.

``python -m tests.cuda.played_gpu PROVIDER`` prints the name of each check that held.
"""

from __future__ import annotations

import ctypes
import resource
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_us.cuda.driver import Driver, Provider, open_driver
from edge_us.cuda.probe import LIBRARY
from edge_us.errors import GpuLostError
from edge_us.inference.model import load_model
from edge_us.inference.onnxruntime_backend import OnnxRuntimeBackend
from edge_us.inference.tensorrt_backend import TensorRtBackend
from tests.cuda.contract import CHECKS, Open
from tests.cuda.fake_engine import FakeEngine, ready

CYCLES = 1000
MOST_GROWTH_MB = 8.0
"""Over nine tenths of them; a picture that is kept in each would be 90 MB."""


class Played:
    """Gives work to a stream of the played libcuda, as TensorRT does."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(LIBRARY)
        self._kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
        self._kept: list[Any] = []

    def begin(self, stream: int, work: Callable[[], None]) -> None:
        call = self._kind(lambda _: work())
        self._kept.append(call)
        code = self._library.cuLaunchHostFunc(ctypes.c_void_p(stream), call, None)
        assert code == 0

    def breaks(self, code: int) -> None:
        """Everything gives this error from now on; 0 ends that."""
        self._library.fake_break(code)

    def hangs(self) -> None:
        """Whoever waits for the device from now on waits for good."""
        self._library.fake_hang(1)

    def forget(self) -> None:
        """Let go of work that is done."""
        self._kept.clear()

    def left(self) -> tuple[int, int]:
        """Objects and contexts that nobody gave back."""
        return int(self._library.fake_live()), int(self._library.fake_retained())


def backend_gives_the_heads_of_the_cpu(open_: Open) -> None:
    model = load_model("default")
    width, height = model.input_size
    shape = (height, width) if model.is_grey else (height, width, 3)
    pictures = np.random.default_rng(0).integers(0, 255, (2, *shape), dtype=np.uint8)
    with closing(OnnxRuntimeBackend(model, threads=1)) as backend:
        expected = [backend.lanes[0].infer(picture) for picture in pictures]
    for mapped in (False, True):
        engine = FakeEngine(model.path, Played())
        with closing(TensorRtBackend(model, ready(engine), open_(), lanes=2, mapped=mapped)) as backend:
            for picture, heads in zip(pictures, expected, strict=True):
                for lane in backend.lanes:
                    for found, right in zip(lane.infer(picture), heads, strict=True):
                        np.testing.assert_allclose(found, right, atol=1e-3)


def an_error_that_spoils_the_context_is_told_from_one_that_does_not(open_: Open) -> None:
    driver = open_()
    with driver.current():
        Played().breaks(719)
        with pytest.raises(GpuLostError, match="LAUNCH_FAILED") as caught:
            driver.allocate(64)
        Played().breaks(0)
    assert "start edge-us again" in caught.value.hint
    driver.close()


def a_thousand_backends_leave_nothing(open_: Open) -> None:
    """Neither objects of the driver, nor contexts of the engine, nor memory of this process."""
    model, played = load_model("default"), Played()
    width, height = model.input_size
    picture = np.zeros((height, width) if model.is_grey else (height, width, 3), np.uint8)
    engine = FakeEngine(model.path, played, idle=True)
    sizes_mb = []
    for number in range(CYCLES):
        with closing(TensorRtBackend(model, ready(engine), open_(), mapped=number % 2 == 1)) as backend:
            if number % 10 < 2:
                backend.lanes[0].infer(picture)
        played.forget()
        sizes_mb.append(resident_mb())
        assert played.left() == (0, 0), f"backend {number} left {played.left()}"
        assert engine.contexts == 0
    assert sizes_mb[-1] - sizes_mb[CYCLES // 10] < MOST_GROWTH_MB, f"it grew: {sizes_mb[:: CYCLES // 10]} MB"


def resident_mb() -> float:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def main() -> None:
    """Run everything; an assertion ends the program."""
    provider, played = Provider(sys.argv[1]), Played()

    def open_() -> Driver:
        driver = open_driver(provider)
        assert driver.name == provider.value
        return driver

    checks = (
        *CHECKS,
        an_error_that_spoils_the_context_is_told_from_one_that_does_not,
        backend_gives_the_heads_of_the_cpu,
        a_thousand_backends_leave_nothing,
    )
    for check in checks:
        check(open_)
        assert played.left() == (0, 0), f"{check.__name__} left {played.left()}"
        print(check.__name__, flush=True)


if __name__ == "__main__":
    main()
