"""`build_model`: from a float ONNX file to one in another precision, judged before anybody can use it.

The precision lies in the ONNX file, so that the same file runs, and is judged, on every backend. What is made from an
ONNX file in turn (an engine for one GPU) starts from what `build_model` returns, after the gate.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_us.builder.fp16 import cast_to_fp16
from edge_us.builder.gate import Gate, GateReport, check_gate, judge, refuse
from edge_us.builder.graph import OPERATOR_OF_PAIRS, read_graph, write_graph
from edge_us.builder.int8 import Int8Settings, measure_ranges, quantise
from edge_us.builder.packages import load_onnx, tool_versions
from edge_us.builder.pictures import CalibrationSet, CalibrationSource, draw_set, letterboxed
from edge_us.builder.ranges import RECALIBRATE_HINT, RangeCache, about_set, percentile_of, read_cache
from edge_us.builder.record import BuildRecord, Calibration, Source
from edge_us.errors import InputError, PipelineError, UsageError
from edge_us.inference.backend import Precision
from edge_us.inference.built import Inherited
from edge_us.inference.model import load_model
from edge_us.inference.registry import find_classifier

if TYPE_CHECKING:
    from edge_us.inference.model import Model

Progress = Callable[[str, int, int], None]
"""Called with what is being done, the number of pictures done and their total."""


class BuildPrecision(str, Enum):
    """Precisions that an ONNX file can hold."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


@dataclass(frozen=True, slots=True)
class Built:
    """A file that was built and may be used."""

    path: Path
    record_path: Path
    record: BuildRecord


def build_model(
    name_or_path: str,
    precision: BuildPrecision,
    out: Path | None = None,
    *,
    calibration: CalibrationSource | None = None,
    cache: Path | None = None,
    gate: Gate | None = None,
    settings: Int8Settings | None = None,
    progress: Progress | None = None,
) -> Built:
    """Build an ONNX file in another precision, with its record beside it; nothing is left behind where that fails.

    Parameters
    ----------
    name_or_path : str
        A float model: shipped, or an ONNX file.
    precision : BuildPrecision
        FP32 copies the weights, and gives the file the threshold and rights that it is shipped with.
    out : Path, optional
        Default NAME-PRECISION.onnx in the working folder; the record is the same with ``.json``.
    calibration : CalibrationSource, optional
        For INT8: pictures that the ranges are measured on.
    cache : Path, optional
        For INT8: file of measured ranges. Taken where it fits, else written; without ``calibration`` it must fit.
    gate : Gate, optional
        Labelled pictures that the file must hold its accuracy on; INT8 is not built without.
    settings : Int8Settings, optional
    progress : callable, optional

    Raises
    ------
    AccuracyError
        The gate was not passed; the message has the numbers.
    EdgeUsError
        Something that is asked for cannot be had; the message says what.
    """
    settings = settings or Int8Settings()
    if find_classifier(name_or_path) is not None:
        raise UsageError(
            f"{name_or_path} is a classifier: files in other precisions are built of detectors alone",
            f"Its fp16 engine is built from the file as it is: edge-us models prebuild {name_or_path}",
        )
    model = load_model(name_or_path)
    wanted = Precision(precision.value)
    out = Path(f"{model.name}-{wanted.value}.onnx") if out is None else out
    record_path = out.with_suffix(".json")
    _check(model, wanted, out, calibration, cache, gate)
    load_onnx()
    drawn = None if calibration is None else draw_set(calibration)
    if gate is not None:
        from_cache = read_cache(cache).pictures if drawn is None and cache is not None else None
        check_gate(gate, frozenset() if drawn is None else drawn.groups, from_cache)
    made: Any
    about = None
    if wanted is Precision.INT8:
        ranges, is_new = _ranges(model, drawn, cache, settings, progress)
        made = quantise(model, ranges.ranges, settings)
        about = _about_calibration(made, ranges, settings)
    else:
        is_new = False
        made = read_graph(model.path)
        if wanted is Precision.FP16:
            made = cast_to_fp16(made)
    with _beside(out) as part:
        kept = Inherited(
            model.is_grey, model.threshold, model.mask_threshold, model.licence, model.data_rights, model.classifier
        )
        description = f"{model.name} in {wanted.value}, made by edge-us models build"
        write_graph(made, part, description, kept.as_metadata(wanted, model.sha256))
        judged: GateReport | None = None
        if gate is not None:
            judged = judge(name_or_path, part, wanted, gate, progress)
            refuse(judged, model.name, wanted)
        record = BuildRecord(
            schema="edge-us/build/1",
            file=out.name,
            sha256=hashlib.sha256(part.read_bytes()).hexdigest(),
            precision=precision.value,
            source=Source(name=model.name, sha256=model.sha256),
            calibration=about,
            gate=judged,
            tools=tool_versions(),
        )
        if is_new and cache is not None:
            _write(cache, ranges.text())
        _write(record_path, record.text())
        part.replace(out)
    return Built(out, record_path, record)


def _ranges(
    model: Model, drawn: CalibrationSet | None, cache: Path | None, settings: Int8Settings, progress: Progress | None
) -> tuple[RangeCache, bool]:
    """The ranges, and whether they were measured now."""
    if cache is not None and (drawn is None or cache.exists()):
        found = read_cache(cache)
        difference = found.differs_from(model.sha256, settings, drawn)
        if difference is None:
            return found, False
        if drawn is None:
            raise InputError(f"the cache {cache} does not fit: {difference}", RECALIBRATE_HINT)
    assert drawn is not None  # one of both is there: _check
    total = len(drawn.cases)
    measured = measure_ranges(
        model,
        letterboxed(drawn.cases, model),
        settings,
        None if progress is None else lambda done: progress("calibrating", done, total),
    )
    return (
        RangeCache(
            schema="edge-us/int8-ranges/1",
            model=model.name,
            model_sha256=model.sha256,
            method=settings.method,
            percentile=percentile_of(settings),
            pictures=about_set(drawn),
            tools=tool_versions(),
            ranges=measured,
        ),
        True,
    )


def _about_calibration(made: Any, ranges: RangeCache, settings: Int8Settings) -> Calibration:
    return Calibration(
        method=settings.method,
        percentile=percentile_of(settings),
        activations="int8" if settings.signed else "uint8",
        keep_float=settings.keep_float,
        quantised_tensors=sum(node.op_type == OPERATOR_OF_PAIRS for node in made.graph.node),
        cache_sha256=ranges.sha256(),
        pictures=ranges.pictures,
    )


def _check(
    model: Model,
    precision: Precision,
    out: Path,
    calibration: CalibrationSource | None,
    cache: Path | None,
    gate: Gate | None,
) -> None:
    """Refuse what cannot work before minutes are spent on it."""
    if model.stored is not Precision.FP32:
        raise UsageError(
            f"{model.path} is {model.stored.value} already", "Build from the fp32 file that it was made from."
        )
    if precision is not Precision.INT8 and (calibration is not None or cache is not None):
        raise UsageError(
            f"{precision.value} is not calibrated: --calibration and --cache are for int8", "Leave them out."
        )
    if precision is Precision.INT8:
        if calibration is None and cache is None:
            raise UsageError(
                "int8 needs pictures to measure its ranges on",
                "Give --calibration MANIFEST.csv with pictures of your scanners, or --cache FILE.json.",
            )
        if gate is None:
            raise UsageError(
                "int8 is not built without being judged",
                "Give labelled pictures of other patients: --gate MANIFEST.csv --gate-split val",
            )
    if out.suffix != ".onnx":
        raise UsageError(f"--out {out} is no ONNX file name", "Give a name that ends in .onnx.")
    folder = out.resolve().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK) or out.is_dir():
        raise UsageError(f"--out {out} cannot be written", "Give a file in an existing folder that is writable.")
    if out.exists() and out.samefile(model.path):
        raise UsageError(f"--out {out} is the model that is built from", "Choose another file.")


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A file beside ``out`` under another name, gone at the end: it is moved, or thrown away.

    OpenVINO tells formats apart by the name's end, so it ends like the real one.
    """
    with tempfile.TemporaryDirectory(dir=out.resolve().parent, prefix=f".{out.stem}-") as folder:
        yield Path(folder) / out.name


def _write(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    try:
        part = path.with_name(f".{path.name}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise PipelineError(f"cannot write {path}: {error.strerror}", "Choose another place.") from None
