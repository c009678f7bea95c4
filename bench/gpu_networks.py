"""Networks on the GPU: engine alone, frame to findings, agreement with the CPU, and a live pass at 60 fps."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, redirect_stdout
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import gpu_figures
import numpy as np
from gpu_figures import Row, part, screens, times_ms
from gpu_live import live
from gpu_resized import kept, resized

from edge_us.builder.graph import write_graph
from edge_us.builder.int8 import CalibrationMethod, Int8Settings, Ranges, measure_ranges, quantise
from edge_us.builder.ranges import read_cache
from edge_us.errors import ModelError
from edge_us.frame import Frame, PixelFormat, Rect
from edge_us.inference.backend import Backend, BackendName, Concurrency, Precision
from edge_us.inference.backends import open_backend
from edge_us.inference.detector import Detector
from edge_us.inference.letterbox import Letterbox
from edge_us.inference.libraries import load_onnxruntime
from edge_us.inference.model import Model, load_model
from edge_us.inference.onnxruntime_backend import OnnxRuntimeBackend
from edge_us.inference.onnxruntime_cuda_backend import OPTIONS, PROVIDER
from edge_us.inference.registry import find_entry
from edge_us.resources import data_root
from edge_us.tensorrt.source import source_file
from tests.cuda.agreement import Agreement, detect, measured, phantoms

GPU_BACKENDS = (BackendName.TENSORRT, BackendName.ONNXRUNTIME_CUDA)
PRECISIONS = (Precision.FP32, Precision.FP16, Precision.INT8)
SIZES = (320, 416, 640)
SIGNED = Int8Settings(CalibrationMethod.MINMAX, signed=True)
LANES = 4
SCORE_MARGIN = 0.02
DEVICE = "cuda"
"""Where ONNX Runtime's tensors lie when its network is timed alone; the tests without a GPU bind to ``cpu``."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A network to be measured.

    Attributes
    ----------
    model : Model
        In 32-bit floats, unless it was given otherwise.
    made_from : str
        What it really is, where it is not a network as it is shipped.
    calibrated : str
        Name of the shipped network whose calibration fits its tensors.
    """

    model: Model
    made_from: str
    calibrated: str


def networks(given: Sequence[str], rounds: int, seconds: float, folder: Path) -> Iterator[Row]:
    """A row for each network, backend and precision.

    Parameters
    ----------
    given : sequence of str
        Names or files beside the shipped detectors.
    rounds : int
    seconds : float
        Length of each live pass.
    folder : Path
        For files that are made on the way.
    """
    subjects = [Subject(load_model(name), "", name) for name in ("lesion-fast", "lesion-accurate", *given)]
    for size in sorted(set(SIZES) - {max(each.model.input_size) for each in subjects}):
        try:
            source = subjects[0].model
            made = f"{source.name}, its size rewritten to {size} px: not trained there, for timing alone"
            subjects.append(Subject(resized(source, size, folder), made, source.name))
        except Exception as error:  # onnx is missing, or takes the file no more
            yield {"px": size, "not measured": str(error)}
    frames = list(screens(PixelFormat.BGR, 8))
    pictures = phantoms()
    for subject in subjects:
        for name in GPU_BACKENDS:
            for precision in PRECISIONS:
                row: Row = {"model": subject.model.name, "px": max(subject.model.input_size)}
                row |= {"made_from": subject.made_from} if subject.made_from else {}
                row |= {"backend": name.value, "precision": precision.value}
                row |= part(lambda: _measure(subject, name, precision, frames, pictures, rounds, seconds, folder))  # noqa: B023
                yield row


def _measure(
    subject: Subject,
    name: BackendName,
    precision: Precision,
    frames: Sequence[Frame],
    pictures: Sequence[Frame],
    rounds: int,
    seconds: float,
    folder: Path,
) -> Row:
    stored, figures = _stored(subject, name, precision, pictures, folder)
    if name is BackendName.TENSORRT:
        from edge_us.tensorrt.prebuild import prebuild

        prebuild(stored, precision)
    with closing(open_backend(stored, name, precision, concurrency=Concurrency(lanes=LANES))) as backend:
        assert backend.info.precision == precision.value
        figures["device"] = backend.info.device
        figures |= part(lambda: {"engine_ms": _engine_ms(stored, backend, rounds)})
        figures |= part(lambda: _detections(stored, backend, frames, rounds))
        if "engine_ms" in figures and "frame_ms_p50" in figures:
            figures["overhead_ms_p50"] = round(figures["frame_ms_p50"] - figures["engine_ms"], 3)
        figures["agreement"] = part(lambda: _agreement(subject.model, stored, backend, pictures))
    word = stored.name if _is_as_shipped(stored) else str(stored.path)
    return figures | {"live": part(lambda: live(word, name, precision, seconds))}


def _stored(
    subject: Subject, name: BackendName, precision: Precision, pictures: Sequence[Frame], folder: Path
) -> tuple[Model, Row]:
    """The model's file in a precision, where the backend does not make it itself, and how it was made."""
    model = subject.model
    if precision is Precision.INT8 and model.stored is not precision and name is BackendName.TENSORRT:
        cache = data_root() / "calibration" / "int8" / f"{subject.calibrated}.json"
        path = folder / f"{model.name}-signed-int8.onnx"
        ranges, said = _ranges(model, cache, pictures)
        folder.mkdir(parents=True, exist_ok=True)
        write_graph(quantise(model, ranges, SIGNED), path, said, kept(model, precision))
        return load_model(str(path)), {"int8": f"signed, ranges of {said}: for timing, no gate has judged it"}
    if precision is Precision.FP16 and model.stored is not precision and name is BackendName.ONNXRUNTIME_CUDA:
        path = source_file(model, precision, folder)
        return replace(load_model(str(path)), is_grey=model.is_grey), {}
    return model, {}


def _ranges(model: Model, cache: Path, frames: Sequence[Frame]) -> tuple[Ranges, str]:
    if cache.is_file():
        return read_cache(cache).ranges, f"calibration/int8/{cache.name}"
    pictures = []
    for frame in frames:
        box = Letterbox.fit(Rect(0, 0, *frame.size), model.input_size)
        width, height = model.input_size
        grey = box.apply(frame.pixels, np.zeros((height, width), np.uint8))
        pictures.append(grey if model.is_grey else np.repeat(grey[..., None], 3, axis=2))
    return measure_ranges(model, pictures, SIGNED), f"{len(frames)} phantoms"


def _engine_ms(model: Model, backend: Backend, rounds: int) -> float:
    """Median time of the network alone: no letterbox, no copies; TensorRT's by events, ONNX Runtime's by the clock."""
    alone = getattr(backend, "engine_ms", None)
    if alone is not None:
        alone(gpu_figures.WARM_UP)
        return round(float(np.median(alone(rounds))), 3)
    return round(float(np.median(_onnxruntime_ms(model, rounds))), 3)


def _onnxruntime_ms(model: Model, rounds: int) -> list[float]:
    ort = load_onnxruntime()
    options = ort.SessionOptions()
    options.log_severity_level = 3
    providers = [(PROVIDER, OPTIONS)] if DEVICE == "cuda" else ["CPUExecutionProvider"]
    with redirect_stdout(io.StringIO()):
        session = ort.InferenceSession(str(model.path), options, providers=providers)
    width, height = model.input_size
    source, binding = session.get_inputs()[0], session.io_binding()
    kind = np.float16 if "float16" in source.type else np.float32
    values = np.zeros((1, model.channels, height, width), kind)
    bound = ort.OrtValue.ortvalue_from_numpy(values, DEVICE, 0)
    binding.bind_ortvalue_input(source.name, bound)
    for output in session.get_outputs():
        binding.bind_output(output.name, DEVICE)
    return times_ms(lambda: session.run_with_iobinding(binding), rounds)


def _detections(model: Model, backend: Backend, frames: Sequence[Frame], rounds: int) -> Row:
    """From a screen of 1920x1080 to its findings: one after the other, and with several on their way."""
    detector = Detector(model, backend.lanes, model.threshold)
    each = iter(range(gpu_figures.WARM_UP + rounds))

    def one() -> None:
        detector.finish(detector.start(frames[next(each) % len(frames)], None))

    p50, p99 = np.percentile(times_ms(one, rounds), [50, 99])
    jobs = [detector.start(frames[0], None) for _ in range(detector.lanes - 1)]
    started = time.perf_counter()
    for number in range(rounds):
        jobs.append(detector.start(frames[number % len(frames)], None))
        detector.finish(jobs.pop(0))
    rate = rounds / (time.perf_counter() - started)
    for job in jobs:
        detector.finish(job)
    return {"frame_ms_p50": round(float(p50), 3), "frame_ms_p99": round(float(p99), 3), "fps": round(rate, 1)}


def _agreement(model: Model, stored: Model, backend: Backend, pictures: Sequence[Frame]) -> Row:
    """How far findings are from those of ONNX Runtime on the CPU: of the fp32 file, or of the very int8 file."""
    judge = stored if stored.stored is Precision.INT8 else model
    with closing(OnnxRuntimeBackend(judge, precision=judge.stored)) as on_cpu:
        expected = detect(judge, on_cpu, pictures)
    found: Agreement = measured(detect(stored, backend, pictures), expected, SCORE_MARGIN)
    if not found.findings:
        raise ModelError("neither finds anything in the phantoms", "Give a network for lesions.")
    rounded = {key: round(value, 5) if isinstance(value, float) else value for key, value in asdict(found).items()}
    return {"against": f"onnxruntime on the CPU, {judge.stored.value}", "frames": len(pictures), **rounded}


def _is_as_shipped(model: Model) -> bool:
    entry = find_entry(model.name)
    return entry is not None and entry.sha256 == model.sha256
