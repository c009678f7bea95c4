"""The arena: all is given back, in the right order, however often and whatever fails."""

from __future__ import annotations

import numpy as np
import pytest

from edge_us.cuda.arena import Arena
from edge_us.cuda.driver import Provider, installed_provider, open_driver
from edge_us.cuda.probe import probe_driver
from edge_us.errors import MissingDependencyError, PipelineError
from edge_us.finding import Unknown
from tests.cuda.cpu_kernels import CpuKernels
from tests.cuda.fake_driver import FakeDriver


def test_a_thousand_times_everything_leaves_nothing(cpu_kernels: CpuKernels) -> None:
    live = 0
    for _ in range(1000):
        driver = FakeDriver(cpu_kernels)
        arena = Arena(driver)
        with driver.current():
            stream = arena.stream()
            arena.memory(64)
            arena.host((2, 8), np.float32, mapped=True)
            arena.event()
            arena.module(b".entry letterbox")
            arena.graph(stream, lambda: None)
        arena.close()
        arena.close()
        live += sum(driver.live.values())
        assert driver.closed
    assert live == 0


def test_what_was_taken_last_goes_first(cpu_kernels: CpuKernels) -> None:
    driver = FakeDriver(cpu_kernels)
    arena = Arena(driver)
    with driver.current():
        arena.memory(8)
        arena.stream()
        arena.event()
    driver.calls.clear()
    arena.close()
    assert driver.calls == ["push", "synchronize", "destroy_event", "destroy_stream", "free", "close"]


def test_one_thing_that_cannot_be_given_back_does_not_keep_the_others(cpu_kernels: CpuKernels) -> None:
    driver = FakeDriver(cpu_kernels)
    arena = Arena(driver)
    with driver.current():
        arena.memory(8)
        arena.stream()
    driver.fail["destroy_stream"] = (1, "CUDA_ERROR_INVALID_HANDLE")
    arena.close()
    assert driver.live["memory"] == 0
    assert driver.closed


def test_a_capture_that_fails_is_ended(cpu_kernels: CpuKernels) -> None:
    driver = FakeDriver(cpu_kernels)
    arena = Arena(driver)

    def fail() -> None:
        raise PipelineError("no", "")

    with driver.current():
        stream = arena.stream()
        with pytest.raises(PipelineError):
            arena.graph(stream, fail)
        assert stream.captured is None, "the stream takes work again"
    arena.close()
    assert +driver.live == {}


def test_host_memory_is_an_array_of_its_shape_and_zero(cpu_kernels: CpuKernels) -> None:
    driver = FakeDriver(cpu_kernels)
    with driver.current():
        array = Arena(driver).host((3, 5), np.float32)
    assert array.values.dtype == np.float32
    assert (array.values.shape, array.raw.nbytes, array.address) == ((3, 5), 60, None)
    assert not array.values.any()
    array.values[1, 2] = 7
    assert array.raw.any(), "both are the same memory"


def test_a_driver_without_graphs_says_so(cpu_kernels: CpuKernels) -> None:
    driver = FakeDriver(cpu_kernels, graphs=False)
    with driver.current(), pytest.raises(PipelineError, match="has no CUDA graphs"):
        driver.begin_capture(driver.create_stream())


def test_without_a_gpu_opening_a_driver_says_why() -> None:
    if not isinstance(probe_driver(), Unknown):
        pytest.skip("this machine has a GPU")
    with pytest.raises(MissingDependencyError, match="no GPU can be used"):
        open_driver()


def test_the_provider_is_the_first_that_is_installed_or_the_one_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = {"cuda.bindings", "pycuda"}
    monkeypatch.setattr("edge_us.cuda.driver._has", lambda module: module in there)
    assert installed_provider() is Provider.BINDINGS
    assert installed_provider(Provider.PYCUDA) is Provider.PYCUDA
    there.remove("cuda.bindings")
    assert installed_provider() is Provider.PYCUDA
    with pytest.raises(MissingDependencyError, match="cuda-bindings is not installed"):
        installed_provider(Provider.BINDINGS)
    there.clear()
    with pytest.raises(MissingDependencyError, match="neither cuda-bindings nor pycuda is installed"):
        installed_provider()
