"""Measure the GPU: networks, whole detections, and what our kernels save; writes bench/results/gpu-NAME.json.

Usage::

    python bench/gpu.py                 # shipped models, 320 and 416 px
    python bench/gpu.py --model my-640.onnx

Engines are built first where they are missing. What cannot be measured here stands in the file with its reason.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from edge_us.bench.machine import describe_machine
from edge_us.colour import to_bgr, to_gray
from edge_us.cuda.arena import Arena
from edge_us.cuda.driver import open_driver
from edge_us.cuda.kernels import Kernels, letterbox_job, mask_job, mask_windows
from edge_us.cuda.probe import DriverInfo, probe_driver
from edge_us.errors import EdgeUsError
from edge_us.finding import Unknown
from edge_us.frame import LIMITED_BT601, Frame, PixelFormat, Rect
from edge_us.inference.backend import Backend, BackendName, Concurrency, Precision
from edge_us.inference.backends import open_backend
from edge_us.inference.detector import Detector
from edge_us.inference.letterbox import Letterbox
from edge_us.inference.model import Model, load_model
from edge_us.inference.registry import is_shipped
from edge_us.phantom.render import render
from edge_us.phantom.spec import PhantomSpec

RESULTS = Path(__file__).resolve().parent / "results"
SCREEN = (1920, 1080)
SIZES = (320, 416, 640)
GPU_BACKENDS = (BackendName.TENSORRT, BackendName.ONNXRUNTIME_CUDA)
PRECISIONS = (Precision.FP32, Precision.FP16, Precision.INT8)
WARM_UP, LANES = 20, 4


def main() -> None:
    """Measure, write and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", action="append", default=[], help="another model or ONNX file; may be repeated")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    found = probe_driver()
    if isinstance(found, Unknown):
        sys.exit(f"error: no GPU can be measured: {found.reason}\nhint: edge-us doctor")
    models = [load_model(name) for name in ("lesion-fast", "lesion-accurate", *options.model)]
    result = {
        "schema": "edge-us/gpu-bench/1",
        "machine": describe_machine(),
        "gpu": found.describe(),
        "rounds": options.rounds,
        "networks": list(networks(models, options.rounds)),
        "kernels": list(kernels(options.rounds)),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"gpu-{file_name(found)}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for row in (*result["networks"], *result["kernels"]):
        print(", ".join(f"{key} {value}" for key, value in row.items()))
    print(path)


def file_name(found: DriverInfo) -> str:
    """The GPU's name, fit for a file."""
    return re.sub(r"[^a-z0-9]+", "-", found.gpu.name.lower()).strip("-")


def networks(models: Sequence[Model], rounds: int) -> Iterator[dict[str, Any]]:
    """A row for each model, backend and precision."""
    frames = list(screens(PixelFormat.BGR, 8))
    for model in models:
        for name in GPU_BACKENDS:
            for precision in PRECISIONS:
                row = {"model": model.name, "px": max(model.input_size), "backend": name.value}
                row["precision"] = precision.value
                try:
                    yield row | measure(model, name, precision, frames, rounds)
                except EdgeUsError as error:
                    yield row | {"not measured": error.message}
    for size in sorted(set(SIZES) - {max(model.input_size) for model in models}):
        yield {"px": size, "not measured": "no model of this size was given (--model)"}


def measure(
    model: Model, name: BackendName, precision: Precision, frames: Sequence[Frame], rounds: int
) -> dict[str, Any]:
    """Times of one network: alone on the GPU, from frame to findings, and the rate with several frames on their way."""
    model = stored_in(model, name, precision)
    if name is BackendName.TENSORRT:
        from edge_us.tensorrt.prebuild import prebuild

        prebuild(model, precision)
    figures: dict[str, Any] = {}
    with closing(open_backend(model, name, precision, concurrency=Concurrency(lanes=LANES))) as backend:
        assert backend.info.precision == precision.value
        figures["device"] = backend.info.device
        figures |= detections(model, backend, frames, rounds)
        alone = getattr(backend, "engine_ms", None)
        if alone is not None:
            alone(WARM_UP)
            figures["engine_ms"] = round(float(np.median(alone(rounds))), 3)
    return figures


def stored_in(model: Model, name: BackendName, precision: Precision) -> Model:
    """The model's file in a precision, where the backend does not make it itself."""
    if precision is Precision.INT8 and model.stored is not Precision.INT8 and is_shipped(model.name):
        return load_model(model.name, precision)
    if precision is Precision.FP16 and name is BackendName.ONNXRUNTIME_CUDA:
        from edge_us.tensorrt.cache import engines_folder
        from edge_us.tensorrt.source import source_file

        path = source_file(model, precision, engines_folder())
        return replace(load_model(str(path)), is_grey=model.is_grey, name=model.name)
    return model


def detections(model: Model, backend: Backend, frames: Sequence[Frame], rounds: int) -> dict[str, float]:
    """From a screen of 1920x1080 to its findings: one after the other, and with several on their way."""
    detector = Detector(model, backend.lanes, model.threshold)
    spent = []
    for number in range(WARM_UP + rounds):
        started = time.perf_counter()
        detector.finish(detector.start(frames[number % len(frames)], None))
        spent.append(time.perf_counter() - started)
    p50, p99 = np.percentile(np.array(spent[WARM_UP:]) * 1e3, [50, 99])
    jobs = [detector.start(frames[0], None) for _ in range(detector.lanes - 1)]
    started = time.perf_counter()
    for number in range(rounds):
        jobs.append(detector.start(frames[number % len(frames)], None))
        detector.finish(jobs.pop(0))
    rate = rounds / (time.perf_counter() - started)
    for job in jobs:
        detector.finish(job)
    return {"frame_ms_p50": round(float(p50), 3), "frame_ms_p99": round(float(p99), 3), "fps": round(rate, 1)}


def kernels(rounds: int) -> Iterator[dict[str, Any]]:
    """What our kernels save: the CPU's work and a small upload, against the upload of a whole frame and a kernel."""
    try:
        driver = open_driver()
    except EdgeUsError as error:
        yield {"kernel": "all", "not measured": error.message}
        return
    with closing(Arena(driver)) as arena, driver.current():
        loaded = Kernels(arena)
        for pixels in (PixelFormat.NV12, PixelFormat.BGR, PixelFormat.GRAY8):
            for grey in (True, False):
                frame = next(screens(pixels, 1))
                yield {"kernel": "letterbox", "pixels": pixels.value, "network": "grey" if grey else "colour"} | (
                    letterboxes(arena, loaded, frame, rounds, grey=grey)
                )
        yield {"kernel": "mask_logits"} | masks(arena, loaded, rounds)


def letterboxes(arena: Arena, loaded: Kernels, frame: Frame, rounds: int, *, grey: bool) -> dict[str, float]:
    """A screen to an input of 320 px on the device, both ways."""
    driver, stream = arena.driver, arena.stream()
    box = Letterbox.fit(Rect(0, 0, *SCREEN), (320, 320))
    small = arena.host((320, 320) if grey else (320, 320, 3), np.uint8)
    whole = arena.host(frame.pixels.shape, np.uint8)
    there = arena.memory(whole.raw.nbytes)
    out = arena.memory(3 * 320 * 320 * 4)
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

    return {"cpu_ms": median_ms(on_cpu, rounds), "gpu_ms": median_ms(on_gpu, rounds)}


def masks(arena: Arena, loaded: Kernels, rounds: int) -> dict[str, float]:
    """Three lesions of 20x20 cells from prototypes of 32x80x80 that lie on the device."""
    driver, stream = arena.driver, arena.stream()
    shape = (32, 80, 80)
    prototypes, down = arena.memory(4 * 32 * 80 * 80), arena.host(shape, np.float32)
    coefficients = arena.host((3, 32), np.float32)
    coefficients.values[...] = np.random.default_rng(0).normal(size=(3, 32))
    windows = np.array([[5, 5, 20, 20], [30, 10, 20, 20], [50, 50, 20, 20]], np.int32)
    table, total, largest = mask_windows(windows)
    places = arena.host(table.shape, np.int32)
    places.values[...] = table
    up = [arena.memory(host.raw.nbytes) for host in (coefficients, places)]
    logits, few = arena.memory(4 * total), arena.host((total,), np.float32)
    job = mask_job(prototypes.address, shape, up[0].address, up[1].address, 3, logits.address)
    driver.upload(prototypes.handle, down.raw, stream)

    def on_cpu() -> None:
        driver.download(down.raw, prototypes.handle, stream)
        driver.synchronize(stream)
        for row, (x, y, width, height) in zip(coefficients.values, windows, strict=True):
            row @ down.values[:, y : y + height, x : x + width].reshape(32, -1)

    def on_gpu() -> None:
        for memory, host in zip(up, (coefficients, places), strict=True):
            driver.upload(memory.handle, host.raw, stream)
        loaded.mask_logits(job, largest, stream)
        driver.download(few.raw, logits.handle, stream)
        driver.synchronize(stream)

    return {"cpu_ms": median_ms(on_cpu, rounds), "gpu_ms": median_ms(on_gpu, rounds)}


def median_ms(work: Callable[[], None], rounds: int) -> float:
    """Median time of a piece of work, after a few rounds that do not count."""
    spent = []
    for _ in range(WARM_UP + rounds):
        started = time.perf_counter()
        work()
        spent.append(time.perf_counter() - started)
    return round(float(np.median(spent[WARM_UP:])) * 1e3, 4)


def screens(pixels: PixelFormat, count: int) -> Iterator[Frame]:
    """Phantoms as a screen of 1920x1080 shows them."""
    import cv2

    spec = PhantomSpec(width=640, height=480, frames=count)
    for number, phantom in enumerate(render(spec)):
        grey = np.asarray(cv2.resize(phantom.image, SCREEN, interpolation=cv2.INTER_LINEAR), np.uint8)
        values, colorimetry = grey, LIMITED_BT601
        if pixels is PixelFormat.BGR:
            values = np.repeat(grey[..., None], 3, axis=2)
        elif pixels is PixelFormat.NV12:
            values = np.concatenate([grey, np.full((SCREEN[1] // 2, SCREEN[0]), 128, np.uint8)])
        frame = Frame(values, pixels, *SCREEN, index=number, pts_ns=0, captured_ns=0)
        yield replace(frame, colorimetry=colorimetry) if pixels is PixelFormat.NV12 else frame


if __name__ == "__main__":
    main()
