"""Files in other precisions: what is in them, what they find, and what is refused."""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from edge_us.builder import BuildPrecision, CalibrationSource, Gate, build_model
from edge_us.builder import build as build_module
from edge_us.builder import gate as gate_module
from edge_us.builder.build import Built
from edge_us.builder.gate import Figures, holds
from edge_us.builder.graph import quantised_nodes, read_graph
from edge_us.builder.int8 import OPERATORS, CalibrationMethod, Int8Settings, measure_ranges, quantise
from edge_us.builder.pictures import FEWEST, draw_set, letterboxed
from edge_us.builder.ranges import read_cache
from edge_us.builder.record import BuildRecord
from edge_us.cli.main import app
from edge_us.errors import (
    AccuracyError,
    EdgeUsError,
    ExitCode,
    InputError,
    MissingDependencyError,
    ModelError,
    UsageError,
)
from edge_us.frame import Rect
from edge_us.inference.backend import BackendName, Precision
from edge_us.inference.backends import open_backend
from edge_us.inference.letterbox import Letterbox
from edge_us.inference.model import Model, load_model
from edge_us.phantom.render import render
from edge_us.phantom.spec import PhantomSpec
from tests.builder.phantoms import PATIENTS, write_patients

SOURCE = "lesion-fast"
QUICK = Int8Settings(CalibrationMethod.MINMAX)
"""Ranges without histograms: a tenth of the time."""


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_patients(tmp_path_factory.mktemp("patients"))


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build_model(SOURCE, BuildPrecision.FP16, tmp_path_factory.mktemp("fp16") / "half.onnx")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache") / "ranges.json"


@pytest.fixture(scope="module")
def quantised(patients: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Phantoms prove plumbing, not accuracy: this gate lets everything pass."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate_module, "MOST_LOST", 1.0)
        return build_model(
            SOURCE,
            BuildPrecision.INT8,
            tmp_path_factory.mktemp("int8") / "small.onnx",
            calibration=CalibrationSource(patients, "train"),
            cache=cache,
            gate=Gate(patients, "val"),
            settings=QUICK,
        )


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    """A phantom with a lesion in the middle of the probe's way, of the network's input size."""
    return list(render(PhantomSpec(width=320, height=320, frames=61)))[-1].image


def best(
    model: Model, backend: BackendName, precision: Precision, picture: NDArray[np.uint8]
) -> tuple[float, NDArray[np.float32]]:
    """Highest score and its box (centre and size in px) on one picture."""
    with closing(open_backend(model, backend, precision)) as opened:
        head = opened.lanes[0].infer(picture)[1 - model.prototype_output][0]
        column = int(head[4].argmax())
        return float(head[4, column]), head[:4, column].copy()


def test_an_fp16_file_is_half_as_large_and_finds_the_same_everywhere(half: Built, picture: NDArray[np.uint8]) -> None:
    source, model = load_model(SOURCE), load_model(str(half.path))
    assert half.path.stat().st_size < 0.52 * source.path.stat().st_size
    assert model.stored is Precision.FP16
    score, box = best(source, BackendName.ONNXRUNTIME, Precision.FP32, picture)
    assert score > source.threshold
    for backend in (BackendName.ONNXRUNTIME, BackendName.OPENVINO):
        cast_score, cast_box = best(model, backend, Precision.FP32, picture)
        assert abs(cast_score - score) < 0.01
        assert np.abs(cast_box - box).max() < 1


def test_an_int8_file_is_a_quarter_as_large_and_finds_the_same_lesion(
    quantised: Built, picture: NDArray[np.uint8]
) -> None:
    source, model = load_model(SOURCE), load_model(str(quantised.path))
    assert quantised.path.stat().st_size < 0.3 * source.path.stat().st_size
    score, box = best(source, BackendName.ONNXRUNTIME, Precision.FP32, picture)
    for backend in (BackendName.ONNXRUNTIME, BackendName.OPENVINO):
        rounded_score, rounded_box = best(model, backend, Precision.INT8, picture)
        assert abs(rounded_score - score) < 0.15
        assert np.abs(rounded_box - box).max() < 16


def test_a_built_file_runs_like_its_source(half: Built, quantised: Built) -> None:
    source = load_model(SOURCE)
    for built in (half, quantised):
        model = load_model(str(built.path))
        for field in ("threshold", "mask_threshold", "is_grey", "classes", "classifier", "licence", "data_rights"):
            assert getattr(model, field) == getattr(source, field), field


def test_a_classifier_is_refused_as_one_and_the_way_to_its_engine_is_said() -> None:
    with pytest.raises(UsageError, match="lesion-malignancy is a classifier") as caught:
        build_model("lesion-malignancy", BuildPrecision.FP16)
    assert "edge-us models prebuild lesion-malignancy" in caught.value.hint


def test_an_int8_file_is_computed_and_reported_as_int8(quantised: Built) -> None:
    model = load_model(str(quantised.path))
    assert model.stored is Precision.INT8
    for backend in (BackendName.ONNXRUNTIME, BackendName.OPENVINO):
        for precision in (Precision.AUTO, Precision.INT8):
            with closing(open_backend(model, backend, precision)) as opened:
                assert opened.info.precision == "int8"
        with pytest.raises(UsageError, match="computed in int8, not fp32"):
            open_backend(model, backend, Precision.FP32)


def test_a_quantised_file_of_others_is_known_by_its_operators(quantised: Built, tmp_path: Path) -> None:
    graph = onnx.load(str(quantised.path))
    del graph.metadata_props[:]
    onnx.save(graph, str(tmp_path / "foreign.onnx"))
    assert load_model(str(tmp_path / "foreign.onnx")).stored is Precision.INT8
    assert load_model(SOURCE).stored is Precision.FP32


def test_the_head_stays_float_where_it_computes_boxes() -> None:
    graph = read_graph(load_model(SOURCE).path)
    chosen = quantised_nodes(graph, OPERATORS)
    kinds = Counter(node.op_type for node in graph.graph.node if node.name in chosen)
    assert kinds["Conv"] == 99, "all but the one behind the softmax"
    assert not [name for name in chosen if "dfl" in name or name.startswith("/model.23/Add")]
    assert not [name for name in quantised_nodes(graph, OPERATORS, ["/model.23/"]) if name.startswith("/model.23/")]
    with pytest.raises(ModelError, match="no operator to quantise"):
        quantised_nodes(graph, OPERATORS, ["/"])


def test_signed_activations_have_no_zero_point(patients: Path, cache: Path, quantised: Built) -> None:
    made = quantise(load_model(SOURCE), read_cache(cache).ranges, Int8Settings(signed=True))
    zeros = {node.input[2] for node in made.graph.node if node.op_type == "QuantizeLinear"}
    values = [onnx.numpy_helper.to_array(each) for each in made.graph.initializer if each.name in zeros]
    assert values
    assert all(each.dtype == np.int8 and not each.any() for each in values)


def test_calibration_sees_what_inference_sees(patients: Path) -> None:
    model = load_model(SOURCE)
    drawn = draw_set(CalibrationSource(patients, "train", FEWEST))
    seen = next(iter(letterboxed(drawn.cases, model)))
    import cv2

    stored = np.asarray(cv2.imread(str(drawn.cases[0].image), cv2.IMREAD_GRAYSCALE), np.uint8)
    box = Letterbox.fit(Rect(0, 0, stored.shape[1], stored.shape[0]), model.input_size)
    np.testing.assert_array_equal(seen, box.apply(stored))


@pytest.mark.parametrize("method", [CalibrationMethod.ENTROPY, CalibrationMethod.PERCENTILE])
def test_other_methods_take_no_wider_ranges(
    patients: Path,
    cache: Path,
    quantised: Built,
    method: CalibrationMethod,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = load_model(SOURCE)
    cases = draw_set(CalibrationSource(patients, "train")).cases[:2]
    told: list[int] = []
    cut = measure_ranges(model, letterboxed(cases, model), Int8Settings(method, percentile=99.0), told.append)
    widest = measure_ranges(model, letterboxed(cases, model), QUICK, told.append)
    assert told == [1, 2, 1, 2]
    assert set(cut) == set(widest) == set(read_cache(cache).ranges)
    total_cut, total = (sum(high - low for low, high in ranges.values()) for ranges in (cut, widest))
    # On pictures of one chunk ONNX Runtime's entropy has nothing to cut.
    assert total_cut < 0.9 * total if method is CalibrationMethod.PERCENTILE else total_cut <= 1.001 * total
    assert capsys.readouterr().out == "", "standard output is the user's"


def test_the_record_says_what_the_file_was_made_from(quantised: Built, half: Built, patients: Path) -> None:
    record = BuildRecord.model_validate_json(quantised.record_path.read_bytes())
    assert record == quantised.record
    assert record.source.sha256 == load_model(SOURCE).sha256
    assert record.sha256 == load_model(str(quantised.path)).sha256
    assert record.calibration is not None
    assert record.calibration.method is CalibrationMethod.MINMAX
    assert record.calibration.pictures.images == PATIENTS
    assert record.calibration.pictures.sha256 == draw_set(CalibrationSource(patients, "train")).sha256
    assert record.gate is not None
    assert (record.gate.images, record.gate.built.precision, record.gate.source.precision) == (PATIENTS, "int8", "fp32")
    assert {"onnx", "onnxruntime"} <= set(record.tools)
    plain = json.loads(half.record_path.read_text(encoding="utf-8"))
    assert (plain["precision"], plain["calibration"], plain["gate"]) == ("fp16", None, None)


def test_from_the_cache_the_same_file_is_made_without_the_pictures(
    quantised: Built, cache: Path, patients: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "judge", lambda *_: quantised.record.gate)
    out, gate = tmp_path / "small.onnx", Gate(patients, "val")
    again = build_model(SOURCE, BuildPrecision.INT8, out, cache=cache, gate=gate, settings=QUICK)
    assert again.path.read_bytes() == quantised.path.read_bytes()


def test_a_cache_that_does_not_fit_says_in_what(cache: Path, quantised: Built, patients: Path, tmp_path: Path) -> None:
    def build(model: str = SOURCE, cache: Path = cache, settings: Int8Settings = QUICK) -> None:
        out, gate = tmp_path / "x.onnx", Gate(patients, "val")
        build_model(model, BuildPrecision.INT8, out, cache=cache, gate=gate, settings=settings)

    with pytest.raises(InputError, match="does not fit: model"):
        build("lesion-nobusi")
    with pytest.raises(InputError, match="does not fit: method minmax, not entropy"):
        build(settings=Int8Settings(CalibrationMethod.ENTROPY))
    broken = tmp_path / "broken.json"
    broken.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="not a cache of ranges"):
        build(cache=broken)


def test_a_file_that_loses_too_much_is_refused_with_the_numbers(
    cache: Path, quantised: Built, patients: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate_module, "MOST_LOST", -1.0)
    numbers = r"Dice 0\.\d{4} -> 0\.\d{4}, sensitivity 0\.\d{4} -> 0\.\d{4} on 50 images"
    out, gate = tmp_path / "x.onnx", Gate(patients, "val")
    with pytest.raises(AccuracyError, match=numbers) as caught:
        build_model(SOURCE, BuildPrecision.INT8, out, cache=cache, gate=gate, settings=QUICK)
    assert caught.value.exit_code is ExitCode.ACCURACY
    assert list(tmp_path.iterdir()) == [], "nothing is left of what was refused"


@pytest.mark.parametrize(
    ("dice", "sensitivity", "passes"),
    [(0.85, 0.92, True), (0.845, 0.92, True), (0.85, 0.915, True), (0.8449, 0.99, False), (0.99, 0.9149, False)],
)
def test_half_a_point_may_be_lost_and_no_gain_makes_up_for_more(dice: float, sensitivity: float, passes: bool) -> None:
    def figures(dice: float, sensitivity: float) -> Figures:
        return Figures(
            backend="openvino",
            precision="fp32",
            dice=dice,
            sensitivity=sensitivity,
            false_findings_per_image=0.1,
            ap50=0.9,
            normals_quiet=None,
        )

    assert holds(figures(0.85, 0.92), figures(dice, sensitivity)) is passes


def test_what_cannot_work_is_refused_before_anything_is_done(
    patients: Path, cache: Path, quantised: Built, tmp_path: Path
) -> None:
    out, gate = tmp_path / "x.onnx", Gate(patients, "val")
    pictures = CalibrationSource(patients, "train")

    def refused(match: str, error: type[EdgeUsError] = UsageError, model: str = SOURCE, **more: object) -> None:
        given: dict[str, object] = {"out": out, "calibration": pictures, "gate": gate} | more
        precision = given.pop("precision", BuildPrecision.INT8)
        with pytest.raises(error, match=match):
            build_model(model, precision, **given)  # type: ignore[arg-type]

    refused("int8 needs pictures", calibration=None)
    refused("not built without being judged", gate=None)
    refused("49 calibration pictures are too few", InputError, calibration=CalibrationSource(patients, "train", 49))
    refused("50 patients are in the calibration set and in the gate", calibration=CalibrationSource(patients, "val"))
    refused("measured on pictures of manifest.csv", calibration=None, cache=cache, gate=Gate(patients))
    refused("is int8 already", model=str(quantised.path))
    refused("fp16 is not calibrated", precision=BuildPrecision.FP16)
    refused("no ONNX file name", out=tmp_path / "x.engine")
    refused("cannot be written", out=tmp_path / "absent" / "x.onnx")
    copy = tmp_path / "own.onnx"
    copy.write_bytes(load_model(SOURCE).path.read_bytes())
    refused("is the model that is built from", model=str(copy), out=copy)
    few = tmp_path / "few.csv"
    few.write_text("\n".join(patients.read_text(encoding="utf-8").splitlines()[:10]) + "\n", encoding="utf-8")
    refused("9 patients with a lesion: 50 are needed", InputError, gate=Gate(few))
    assert not out.exists()


def test_a_corrupt_source_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "half.onnx"
    path.write_bytes(load_model(SOURCE).path.read_bytes()[:100_000])
    with pytest.raises(ModelError, match="cannot be read"):
        build_model(str(path), BuildPrecision.FP16, tmp_path / "out.onnx")
    with pytest.raises(ModelError, match="not a whole ONNX model"):
        read_graph(path)


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [("edge_us.threshold", "much", "cannot be used"), ("edge_us.mask_threshold", "7", "not between 0 and 1")],
)
def test_built_files_with_broken_metadata_are_refused(
    half: Built, tmp_path: Path, key: str, value: str, match: str
) -> None:
    graph = onnx.load(str(half.path))
    next(entry for entry in graph.metadata_props if entry.key == key).value = value
    onnx.save(graph, str(tmp_path / "x.onnx"))
    with pytest.raises(ModelError, match=match):
        load_model(str(tmp_path / "x.onnx"))


@pytest.mark.parametrize(
    ("package", "precision"), [("onnx", BuildPrecision.FP32), ("onnxconverter-common", BuildPrecision.FP16)]
)
def test_without_the_extra_the_hint_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, precision: BuildPrecision
) -> None:
    module = package.replace("-", "_")
    for name in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=f"needs {package}, but {package} is not") as caught:
        build_model(SOURCE, precision, tmp_path / "x.onnx")
    assert "edge-us[build]" in caught.value.hint


def test_the_command_builds_and_says_what_it_made(tmp_path: Path, patients: Path) -> None:
    out = tmp_path / "half.onnx"
    words = ["models", "build", SOURCE, "--precision", "fp16", "--out", str(out), "--gate", str(patients)]
    done = CliRunner().invoke(app, [*words, "--gate-split", "val"])
    assert done.exit_code == ExitCode.OK, done.output
    assert "in fp16" in done.output
    assert "Dice" in done.output
    assert out.is_file()
    assert out.with_suffix(".json").is_file()


def test_a_quantised_file_runs_and_the_report_says_int8(quantised: Built, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    words = ["run", "phantom:?size=320x240&frames=5", "--model", str(quantised.path), "--report", str(report)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == ExitCode.OK, done.output
    told = json.loads(report.read_text(encoding="utf-8"))
    assert told["backend"]["precision"] == "int8"
    assert told["model"]["sha256"] == quantised.record.sha256
