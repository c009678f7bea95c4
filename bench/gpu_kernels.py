"""What our kernels save or cost, and how far they are from the numpy reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
from gpu_figures import Row, median_ms, part, screens

from edge_us.colour import to_bgr, to_gray
from edge_us.cuda.arena import Arena
from edge_us.cuda.driver import open_driver
from edge_us.cuda.kernels import Kernels, letterbox_job, mask_job, mask_windows
from edge_us.frame import Frame, PixelFormat, Rect
from edge_us.inference.letterbox import Letterbox
from tests.cuda import reference

SIDE = 320
LEVELS = 255


def kernels(rounds: int) -> Iterator[Row]:
    """A row for each kernel and kind of picture."""
    jobs: list[tuple[Row, Callable[[], Row]]] = []
    for pixels in (PixelFormat.NV12, PixelFormat.BGR, PixelFormat.GRAY8):
        frame = next(screens(pixels, 1))
        for grey in (True, False):
            row = {"kernel": "letterbox", "pixels": pixels.value, "network": "grey" if grey else "colour"}
            jobs.append((row, lambda frame=frame, grey=grey: letterboxes(frame, rounds, grey=grey)))  # type: ignore[misc]
    jobs.append(({"kernel": "mask_logits"}, lambda: masks(rounds)))
    for row, work in jobs:
        yield row | part(work)


def letterboxes(frame: Frame, rounds: int, *, grey: bool) -> Row:
    """A screen to an input of 320 px on the device: the CPU's work and a small upload, or all of it and the kernel."""
    with closing(Arena(open_driver())) as arena, arena.driver.current():
        driver, stream, loaded = arena.driver, arena.stream(), Kernels(arena)
        box = Letterbox.fit(Rect(0, 0, *frame.size), (SIDE, SIDE))
        small = arena.host((SIDE, SIDE) if grey else (SIDE, SIDE, 3), np.uint8)
        whole = arena.host(frame.pixels.shape, np.uint8)
        there = arena.memory(whole.raw.nbytes)
        made = arena.host((3, SIDE, SIDE), np.float32)
        out = arena.memory(made.raw.nbytes)
        job = letterbox_job(
            there.address, frame.size, frame.format, frame.colorimetry, box, out.address,
            channels=3, grey=grey, half=False,
        )  # fmt: skip

        def on_cpu() -> None:
            pixels = to_gray(frame) if grey else to_bgr(frame)
            box.apply(pixels, small.values)
            driver.upload(there.handle, small.raw, stream)
            driver.synchronize(stream)

        def on_gpu() -> None:
            whole.values[...] = frame.pixels
            driver.upload(there.handle, whole.raw, stream)
            loaded.letterbox(job, stream)
            driver.synchronize(stream)

        figures = {"cpu_ms": median_ms(on_cpu, rounds), "gpu_ms": median_ms(on_gpu, rounds)}
        driver.download(made.raw, out.handle, stream)
        driver.synchronize(stream)
        apart = np.abs(made.values - reference.letterbox(frame, box, channels=3, grey=grey)) * LEVELS
        return figures | {
            "worst_grey_levels": round(float(apart.max()), 3),
            "share_over_half_a_level": round(float(np.mean(apart > 0.5)), 6),
        }


def masks(rounds: int) -> Row:
    """Three lesions of 20x20 cells from prototypes of 32x80x80 that lie on the device."""
    shape, rng = (32, 80, 80), np.random.default_rng(0)
    windows = np.array([[5, 5, 20, 20], [30, 10, 20, 20], [50, 50, 20, 20]], np.int32)
    table, total, largest = mask_windows(windows)
    with closing(Arena(open_driver())) as arena, arena.driver.current():
        driver, stream, loaded = arena.driver, arena.stream(), Kernels(arena)
        prototypes, down = arena.memory(4 * int(np.prod(shape))), arena.host(shape, np.float32)
        down.values[...] = rng.normal(size=shape)
        coefficients = arena.host((3, 32), np.float32)
        coefficients.values[...] = rng.normal(size=(3, 32))
        places = arena.host(table.shape, np.int32)
        places.values[...] = table
        up = [arena.memory(host.raw.nbytes) for host in (coefficients, places)]
        logits, few = arena.memory(4 * total), arena.host((total,), np.float32)
        job = mask_job(prototypes.address, shape, up[0].address, up[1].address, 3, logits.address)
        driver.upload(prototypes.handle, down.raw, stream)

        def on_cpu() -> None:
            driver.download(down.raw, prototypes.handle, stream)
            driver.synchronize(stream)
            reference.mask_logits(down.values, coefficients.values, windows)

        def on_gpu() -> None:
            for memory, host in zip(up, (coefficients, places), strict=True):
                driver.upload(memory.handle, host.raw, stream)
            loaded.mask_logits(job, largest, stream)
            driver.download(few.raw, logits.handle, stream)
            driver.synchronize(stream)

        figures: dict[str, Any] = {"cpu_ms": median_ms(on_cpu, rounds), "gpu_ms": median_ms(on_gpu, rounds)}
        oracle = reference.mask_logits(down.values, coefficients.values, windows)
        apart = np.abs(few.values - np.concatenate([each.ravel() for each in oracle]))
        return figures | {"worst_logit": round(float(apart.max()), 6)}
