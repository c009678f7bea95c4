"""What every provider of the driver must do, whether on a GPU, on a libcuda that is played, or played itself."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_us.cuda.arena import Arena
from edge_us.cuda.driver import Driver
from edge_us.cuda.kernels import Kernels, letterbox_job, mask_job, mask_windows
from edge_us.errors import PipelineError
from edge_us.frame import Colorimetry, ColorMatrix, ColorRange, Frame, PixelFormat, Rect
from edge_us.inference.letterbox import Letterbox
from tests.cuda import reference

LEVEL = 1 / 255
LIMITED_709 = Colorimetry(ColorRange.LIMITED, ColorMatrix.BT709)
FULL_601 = Colorimetry(ColorRange.FULL, ColorMatrix.BT601)
CASES = [
    (PixelFormat.GRAY8, FULL_601, True, Rect(0, 0, 90, 70)),
    (PixelFormat.GRAY8, FULL_601, False, Rect(3, 5, 61, 33)),
    (PixelFormat.BGR, FULL_601, True, Rect(7, 0, 80, 70)),
    (PixelFormat.BGR, FULL_601, False, Rect(1, 1, 31, 64)),
    (PixelFormat.NV12, LIMITED_709, True, Rect(0, 0, 90, 70)),
    (PixelFormat.NV12, LIMITED_709, False, Rect(5, 3, 71, 61)),
    (PixelFormat.NV12, FULL_601, False, Rect(0, 0, 90, 70)),
    (PixelFormat.I420, LIMITED_709, False, Rect(5, 3, 85, 67)),
]
"""Pixel format, colorimetry, whether the network is grey, and the region of a picture of 90x70."""

Open = Callable[[], Driver]


def noise(pixels: PixelFormat, colorimetry: Colorimetry, width: int = 90, height: int = 70, seed: int = 0) -> Frame:
    """A frame of noise, with all code values."""
    shape = {PixelFormat.GRAY8: (height, width), PixelFormat.BGR: (height, width, 3)}.get(
        pixels, (height * 3 // 2, width)
    )
    values = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return Frame(values, pixels, width, height, index=0, pts_ns=0, captured_ns=0, colorimetry=colorimetry)


def bytes_go_up_and_come_down(open_: Open) -> None:
    driver = open_()
    arena = Arena(driver)
    with driver.current():
        stream, memory = arena.stream(), arena.memory(4096)
        up, down = arena.host((1024,), np.float32), arena.host((1024,), np.float32)
        up.values[:] = np.arange(1024)
        driver.upload(memory.handle, up.raw, stream)
        driver.download(down.raw, memory.handle, stream)
        driver.synchronize(stream)
        np.testing.assert_array_equal(down.values, up.values)
        assert memory.address % 16 == 0
    arena.close()


def events_order_streams_and_measure_time(open_: Open) -> None:
    driver = open_()
    arena = Arena(driver)
    with driver.current():
        one, other, memory = arena.stream(), arena.stream(), arena.memory(1 << 20)
        up, down = arena.host((1 << 20,), np.uint8), arena.host((1 << 20,), np.uint8)
        up.values[:] = 7
        begun, ended, ready = arena.event(timed=True), arena.event(timed=True), arena.event()
        driver.record(begun, one)
        driver.upload(memory.handle, up.raw, one)
        driver.record(ready, one)
        driver.wait_event(other, ready)
        driver.download(down.raw, memory.handle, other)
        driver.record(ended, other)
        driver.synchronize_event(ended)
        assert (down.values == 7).all()
        assert driver.elapsed_ms(begun, ended) >= 0
        assert driver.stream_handle(one) != driver.stream_handle(other)
    arena.close()


def run_letterbox(
    arena: Arena, kernels: Kernels, frame: Frame, box: Letterbox, *, channels: int, grey: bool, half: bool, mapped: bool
) -> NDArray[np.floating]:
    """The letterbox kernel on the driver's device, by copies or on mapped memory."""
    driver, stream = arena.driver, arena.stream()
    width, height = box.input_size
    picture = arena.host(frame.pixels.shape, np.uint8, mapped=mapped)
    out = arena.host((channels, height, width), np.float16 if half else np.float32, mapped=mapped)
    picture.values[...] = frame.pixels
    source, target = (None, None) if mapped else (arena.memory(picture.raw.nbytes), arena.memory(out.raw.nbytes))
    if source is not None:
        driver.upload(source.handle, picture.raw, stream)
    addresses = [
        host.address if memory is None else memory.address for host, memory in ((picture, source), (out, target))
    ]
    assert addresses[0] is not None
    assert addresses[1] is not None
    job = letterbox_job(
        addresses[0], frame.size, frame.format, frame.colorimetry, box, addresses[1],
        channels=channels, grey=grey, half=half,
    )  # fmt: skip
    kernels.letterbox(job, stream)
    if target is not None:
        driver.download(out.raw, target.handle, stream)
    driver.synchronize(stream)
    return np.array(out.values)


def letterboxes_are_the_references(open_: Open) -> None:
    driver = open_()
    arena = Arena(driver)
    with driver.current():
        kernels = Kernels(arena)
        for pixels, colorimetry, grey, region in CASES:
            frame, box = noise(pixels, colorimetry), Letterbox.fit(region, (64, 48))
            oracle = reference.letterbox(frame, box, channels=3, grey=grey)
            for half, mapped in ((False, False), (True, False), (False, True)):
                found = run_letterbox(
                    arena, kernels, frame, box, channels=3, grey=grey, half=half, mapped=mapped
                ).astype(np.float32)
                np.testing.assert_allclose(found, oracle, atol=1.15 * LEVEL if half else 1.01 * LEVEL)
                assert np.mean(np.abs(found - oracle) > 1e-3) < 0.01, "a level apart is the exception"
    arena.close()


def masks_are_the_references(open_: Open) -> None:
    rng = np.random.default_rng(1)
    prototypes = rng.normal(size=(32, 20, 24)).astype(np.float32)
    coefficients = rng.normal(size=(3, 32)).astype(np.float32)
    windows = np.array([[0, 0, 24, 20], [5, 3, 1, 1], [10, 7, 9, 13]], np.int32)
    table, total, largest = mask_windows(windows)
    driver = open_()
    arena = Arena(driver)
    with driver.current():
        kernels, stream = Kernels(arena), arena.stream()
        memories = []
        for values in (prototypes, coefficients, table):
            host, memory = arena.host(values.shape, values.dtype), arena.memory(values.nbytes)
            host.values[...] = values
            driver.upload(memory.handle, host.raw, stream)
            memories.append(memory.address)
        logits, down = arena.memory(4 * total), arena.host((total,), np.float32)
        job = mask_job(memories[0], (32, 20, 24), memories[1], memories[2], 3, logits.address)
        kernels.mask_logits(job, largest, stream)
        driver.download(down.raw, logits.handle, stream)
        driver.synchronize(stream)
        oracle = np.concatenate([each.ravel() for each in reference.mask_logits(prototypes, coefficients, windows)])
        np.testing.assert_allclose(down.values, oracle, atol=1e-3)
    arena.close()


def graphs_do_again_what_was_noted(open_: Open) -> None:
    driver = open_()
    arena = Arena(driver)
    with driver.current():
        if not driver.graphs:
            with pytest.raises(PipelineError, match="has no CUDA graphs"):
                driver.begin_capture(arena.stream())
        else:
            stream, memory = arena.stream(), arena.memory(64)
            up, down = arena.host((64,), np.uint8), arena.host((64,), np.uint8)

            def work() -> None:
                driver.upload(memory.handle, up.raw, stream)
                driver.download(down.raw, memory.handle, stream)

            graph = arena.graph(stream, work)
            driver.synchronize(stream)
            up.values[:] = 1
            assert not down.values.any(), "capturing does nothing"
            for value in (1, 2):
                up.values[:] = value
                driver.launch_graph(graph, stream)
                driver.synchronize(stream)
                assert (down.values == value).all()
    arena.close()


def another_thread_may_use_and_close_what_this_one_opened(open_: Open) -> None:
    driver = open_()
    arena = Arena(driver)
    with driver.current():
        stream, memory, event = arena.stream(), arena.memory(64), arena.event()
        kernels = Kernels(arena)
        up, down = arena.host((64,), np.uint8), arena.host((64,), np.uint8)
    assert kernels is not None
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with driver.current():
                up.values[:] = 3
                driver.upload(memory.handle, up.raw, stream)
                driver.download(down.raw, memory.handle, stream)
                driver.record(event, stream)
                driver.synchronize_event(event)
                assert (down.values == 3).all()
            arena.close()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures, failures


def too_much_memory_is_a_clear_error(open_: Open) -> None:
    driver = open_()
    with driver.current(), pytest.raises(PipelineError, match="OUT_OF_MEMORY"):
        driver.allocate(1 << 50)
    driver.close()


def a_thousand_times_everything_leaves_nothing(open_: Open) -> None:
    """Device memory is measured where the context stays: a second driver holds it."""
    keeper = open_()

    def once() -> None:
        driver = open_()
        arena = Arena(driver)
        with driver.current():
            stream = arena.stream()
            memory, host = arena.memory(1 << 16), arena.host((1 << 16,), np.uint8, mapped=True)
            arena.event()
            Kernels(arena)
            if driver.graphs:
                arena.graph(stream, lambda: driver.upload(memory.handle, host.raw, stream))
        arena.close()

    for _ in range(20):  # whatever the driver keeps for itself
        once()
    with keeper.current():
        before = keeper.free_memory()
    for _ in range(1000):
        once()
    with keeper.current():
        assert keeper.free_memory() >= before
    keeper.close()


CHECKS: tuple[Callable[[Open], None], ...] = (
    bytes_go_up_and_come_down,
    events_order_streams_and_measure_time,
    letterboxes_are_the_references,
    masks_are_the_references,
    graphs_do_again_what_was_noted,
    another_thread_may_use_and_close_what_this_one_opened,
    too_much_memory_is_a_clear_error,
    a_thousand_times_everything_leaves_nothing,
)
