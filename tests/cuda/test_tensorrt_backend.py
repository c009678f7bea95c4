"""The TensorRT backend on a driver and an engine that are played: numbers, order, failures, and nothing left behind."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_us.errors import ModelError, PipelineError
from edge_us.inference.backend import Lane
from edge_us.inference.model import Model, load_model
from edge_us.inference.onnxruntime_backend import OnnxRuntimeBackend
from edge_us.inference.tensorrt_backend import ReadyEngine, TensorRtBackend
from tests.cuda.cpu_kernels import CpuKernels
from tests.cuda.fake_driver import FakeDriver
from tests.cuda.fake_engine import FakeEngine, ready

Heads = tuple[NDArray[np.float32], ...]


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("default")


@pytest.fixture(scope="module")
def pictures(model: Model) -> list[NDArray[np.uint8]]:
    width, height = model.input_size
    shape = (height, width) if model.is_grey else (height, width, 3)
    return list(np.random.default_rng(0).integers(0, 255, (3, *shape), dtype=np.uint8))


@pytest.fixture(scope="module")
def expected(model: Model, pictures: list[NDArray[np.uint8]]) -> list[Heads]:
    with closing(OnnxRuntimeBackend(model, threads=1)) as backend:
        return [backend.lanes[0].infer(picture) for picture in pictures]


@pytest.fixture
def driver(cpu_kernels: CpuKernels) -> Iterator[FakeDriver]:
    """A driver that must have got everything back in the end."""
    driver = FakeDriver(cpu_kernels)
    yield driver
    assert driver.closed
    assert driver.lost or +driver.live == {}


def same(found: Heads, expected: Heads, atol: float = 1e-3) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=atol)


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("graphs", [False, True])
def test_heads_are_those_of_the_cpu_in_the_order_of_the_file(
    model: Model,
    driver: FakeDriver,
    pictures: list[NDArray[np.uint8]],
    expected: list[Heads],
    graphs: bool,
    mapped: bool,
) -> None:
    driver.graphs = graphs
    with closing(TensorRtBackend(model, ready(FakeEngine(model.path, driver)), driver, mapped=mapped)) as backend:
        driver.calls.clear()
        for picture, heads in zip(pictures, expected, strict=True):
            same(backend.lanes[0].infer(picture), heads)
        assert ("launch_graph" in driver.calls) is graphs
        assert ("launch" in driver.calls) is not graphs
        assert ("upload" in driver.calls) is ("download" in driver.calls) is not mapped


def test_lanes_on_their_way_together_keep_their_own_pictures(
    model: Model, driver: FakeDriver, pictures: list[NDArray[np.uint8]], expected: list[Heads]
) -> None:
    with closing(TensorRtBackend(model, ready(FakeEngine(model.path, driver)), driver, lanes=2)) as backend:
        first, second = backend.lanes
        first.start(pictures[0])
        second.start(pictures[1])
        same(first.wait(), expected[0])
        first.start(pictures[2])
        same(second.wait(), expected[1])
        same(first.wait(), expected[2])


def test_beginning_waits_for_nothing(model: Model, driver: FakeDriver, pictures: list[NDArray[np.uint8]]) -> None:
    with closing(TensorRtBackend(model, ready(FakeEngine(model.path, driver)), driver)) as backend:
        driver.calls.clear()
        backend.lanes[0].start(pictures[0])
        assert not {"synchronize", "synchronize_event", "allocate", "allocate_host"} & set(driver.calls)
        begun = [call for call in driver.calls if call not in ("push", "record", "wait_event")]
        assert begun == ["upload", "launch_graph", "download", "download"]
        backend.lanes[0].wait()


def test_an_engine_of_16_bit_tensors_is_fed_and_read_as_such(
    model: Model, driver: FakeDriver, pictures: list[NDArray[np.uint8]], expected: list[Heads]
) -> None:
    engine = FakeEngine(model.path, driver, half=True)
    with closing(TensorRtBackend(model, ready(engine), driver)) as backend:
        found = backend.lanes[0].infer(pictures[0])
    boxes, scores = found[1 - model.prototype_output][0, :4], found[1 - model.prototype_output][0, 4]
    exact = expected[0][1 - model.prototype_output][0]
    np.testing.assert_allclose(boxes, exact[:4], atol=1.0)
    np.testing.assert_allclose(scores, exact[4], atol=0.01)


def test_the_thread_that_infers_need_not_be_the_one_that_opened(
    model: Model, driver: FakeDriver, pictures: list[NDArray[np.uint8]], expected: list[Heads]
) -> None:
    found: list[Heads] = []
    with closing(TensorRtBackend(model, ready(FakeEngine(model.path, driver)), driver)) as backend:
        thread = threading.Thread(target=lambda: found.append(backend.lanes[0].infer(pictures[0])))
        thread.start()
        thread.join()
        same(found[0], expected[0])


def test_closing_with_work_on_its_way_waits_for_it(
    model: Model, driver: FakeDriver, pictures: list[NDArray[np.uint8]]
) -> None:
    backend = TensorRtBackend(model, ready(FakeEngine(model.path, driver)), driver, lanes=2)
    for lane in backend.lanes:
        lane.start(pictures[0])
    backend.close()
    backend.close()
    assert not backend.lanes


def test_contexts_go_with_the_backend_whoever_still_holds_a_lane(model: Model, driver: FakeDriver) -> None:
    engine = FakeEngine(model.path, driver)
    backend = TensorRtBackend(model, ready(engine), driver, lanes=3)
    lanes = list(backend.lanes)  # somebody still holds them
    assert engine.contexts == 3
    backend.close()
    assert (engine.contexts, len(lanes)) == (0, 3)


def test_where_no_graph_can_be_had_the_network_runs_without(
    model: Model, driver: FakeDriver, pictures: list[NDArray[np.uint8]], expected: list[Heads]
) -> None:
    driver.fail["end_capture"] = (1, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED")
    with closing(TensorRtBackend(model, ready(FakeEngine(model.path, driver)), driver)) as backend:
        same(backend.lanes[0].infer(pictures[0]), expected[0])


def test_the_networks_own_time_is_asked_of_the_gpu(model: Model, driver: FakeDriver) -> None:
    with closing(TensorRtBackend(model, ready(FakeEngine(model.path, driver)), driver)) as backend:
        assert backend.engine_ms(3) == [1.0, 1.0, 1.0]


def test_the_engines_own_time_holds_no_kernel_of_ours(model: Model, cpu_kernels: CpuKernels) -> None:
    driver = FakeDriver(cpu_kernels, graphs=False)
    with closing(TensorRtBackend(model, ready(FakeEngine(model.path, driver)), driver)) as backend:
        before = driver.calls.count("launch")
        backend.engine_ms(3)
        assert driver.calls.count("launch") == before


WITHOUT_GRAPH = ("begin_capture", "end_capture", "begin", "launch")
"""Where these fail while a graph is taken, a lane works without one."""
OPENING = ("push", "allocate", "allocate_host", "create_stream", "create_event", "load_module", "function", "launch")


@pytest.mark.parametrize("ending", [False, True], ids=["opening", "closing"])
def test_whichever_call_fails_nothing_is_left_but_what_could_not_be_given_back(
    model: Model, cpu_kernels: CpuKernels, ending: bool
) -> None:
    """Each call in turn, not only the first of its kind."""
    driver = FakeDriver(cpu_kernels)
    engine = FakeEngine(model.path, driver, idle=True)
    backend = TensorRtBackend(model, ready(engine), driver, lanes=2)
    opened = len(driver.calls)
    backend.close()
    calls = Counter(driver.calls[opened:] if ending else driver.calls[:opened])
    assert sum(calls.values()) > 30
    for call, count in calls.items():
        for number in range(1, count + 1):
            driver = FakeDriver(cpu_kernels)
            engine.queue = driver
            error = (number, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES")
            if ending:
                backend = TensorRtBackend(model, ready(engine), driver, lanes=2)
                driver.fail[call] = error
                backend.close()  # a device that is lost takes nothing back: no error
            else:
                driver.fail[call] = error
                with suppress(PipelineError):
                    TensorRtBackend(model, ready(engine), driver, lanes=2).close()
                    assert call in WITHOUT_GRAPH, f"call {number} of {call} failed and nobody noticed"
                assert +driver.live == {}, f"call {number} of {call} left {+driver.live}"
            assert driver.closed or call == "close", f"call {number} of {call}"
            assert engine.contexts == 0, f"call {number} of {call}"


@pytest.mark.parametrize("call", OPENING)
def test_whatever_fails_while_opening_is_a_clear_error_and_leaves_nothing(
    model: Model, driver: FakeDriver, call: str
) -> None:
    driver.fail[call] = (1, "CUDA_ERROR_OUT_OF_MEMORY")
    with pytest.raises(PipelineError, match=f"the GPU failed: {call} says OUT_OF_MEMORY") as caught:
        TensorRtBackend(model, ready(FakeEngine(model.path, driver)), driver, lanes=2)
    assert "smaller model" in caught.value.hint


def test_memory_that_runs_out_at_any_allocation_leaves_nothing(model: Model, cpu_kernels: CpuKernels) -> None:
    for number in range(1, 9):
        driver = FakeDriver(cpu_kernels)
        driver.fail["allocate"] = (number, "CUDA_ERROR_OUT_OF_MEMORY")
        with pytest.raises(PipelineError, match="OUT_OF_MEMORY"):
            TensorRtBackend(model, ready(FakeEngine(model.path, driver)), driver, lanes=2)
        assert +driver.live == {}
        assert driver.closed


def test_no_room_for_a_context_is_a_clear_error(model: Model, driver: FakeDriver) -> None:
    with pytest.raises(PipelineError, match="no room"):
        TensorRtBackend(model, ready(FakeEngine(model.path, driver, no_room=True)), driver)


def test_an_engine_that_refuses_to_run_is_a_clear_error(model: Model, driver: FakeDriver) -> None:
    with pytest.raises(PipelineError, match="refuses to run"):
        TensorRtBackend(model, ready(FakeEngine(model.path, driver, refuses=True)), driver)


def test_an_engine_with_other_outputs_is_refused(model: Model, driver: FakeDriver) -> None:
    given = ready(FakeEngine(model.path, driver))
    other = ReadyEngine(given.engine, given.owner, ("boxes", "masks"), given.info)
    with pytest.raises(ModelError, match="the network one and"):
        TensorRtBackend(model, other, driver)


@pytest.mark.parametrize("call", ["upload", "launch_graph", "record", "wait_event", "download"])
def test_a_launch_that_fails_is_an_error_of_that_frame_and_nothing_is_left(
    model: Model, driver: FakeDriver, pictures: list[NDArray[np.uint8]], call: str
) -> None:
    with closing(TensorRtBackend(model, ready(FakeEngine(model.path, driver)), driver)) as backend:
        driver.fail[call] = (1, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES")
        with pytest.raises(PipelineError, match=f"{call} says LAUNCH_OUT_OF_RESOURCES"):
            backend.lanes[0].infer(pictures[0])


def test_a_device_that_is_lost_fails_every_frame_and_can_still_be_closed(
    model: Model, driver: FakeDriver, pictures: list[NDArray[np.uint8]]
) -> None:
    backend = TensorRtBackend(model, ready(FakeEngine(model.path, driver)), driver)
    lane: Lane = backend.lanes[0]
    lane.start(pictures[0])
    driver.lost = True
    for attempt in (lane.wait, lambda: lane.start(pictures[0])):
        with pytest.raises(PipelineError, match="DEVICE_UNAVAILABLE"):
            attempt()
    backend.close()
    driver.closed = True  # a lost device does not even take its context back
