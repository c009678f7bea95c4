"""`models prebuild`, `models build --engine` and `run --build`: engines are built when somebody asks, and only then."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from edge_us.cli.main import app
from edge_us.config import load_config
from edge_us.cuda.probe import DriverInfo, GpuInfo
from edge_us.errors import ExitCode, MissingDependencyError, ModelError, UsageError
from edge_us.finding import Unknown
from edge_us.inference.backend import BackendInfo, BackendName, Network, Precision
from edge_us.inference.gpu import Gpu
from edge_us.inference.model import load_model
from edge_us.inference.registry import list_classifiers, list_models
from edge_us.runtime import prebuilding
from edge_us.runtime.failure import Failure
from edge_us.runtime.networks import Networks, open_engine_for
from edge_us.tensorrt.api import Api
from edge_us.tensorrt.cache import record_path
from edge_us.tensorrt.overview import overview
from edge_us.tensorrt.prebuild import prebuild
from edge_us.tensorrt.target import no_gpu, target_here
from edge_us.tensorrt.told import telling
from tests.tensorrt_engines.fake import ORIN, fitting
from tests.tensorrt_engines.rtx import rtx_api

SHIPPED = [*(entry.name for entry in list_models()), *(entry.name for entry in list_classifiers())]


@pytest.fixture
def api() -> Api:
    return rtx_api()


@pytest.fixture
def machine(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that can build: TensorRT for RTX in TensorRT's place. Gives the folder of its engines."""
    folder = tmp_path / "engines"
    monkeypatch.setenv("EDGE_US_ENGINES", str(folder))
    for place in ("edge_us.tensorrt.prebuild", "edge_us.tensorrt.target"):
        monkeypatch.setattr(f"{place}.target_here", no_gpu)
    for place in ("edge_us.tensorrt.prebuild", "edge_us.tensorrt.api"):
        monkeypatch.setattr(f"{place}.load_api", lambda *_: api)
    return folder


@pytest.fixture
def without_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_us.tensorrt.target.probe_driver", lambda: Unknown("no CUDA driver is installed"))


def edge_us(*words: str) -> Any:
    done = CliRunner().invoke(app, list(words))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_prebuild_makes_an_engine_and_leaves_one_that_fits_alone(machine: Path) -> None:
    done = edge_us("models", "prebuild", "lesion-malignancy", "--optimization-level", "0")
    assert done.exit_code == ExitCode.OK, done.output
    path = machine / "lesion-malignancy-fp16.engine"
    assert f"lesion-malignancy fp16: {path}" in done.output
    assert "built in" in done.output
    assert path.is_file()
    assert record_path(path).is_file()
    assert "lesion-malignancy: Building engine" in done.output, "progress"
    again = edge_us("models", "prebuild", "lesion-malignancy", "--optimization-level", "0")
    assert "already there" in again.output
    assert "Building" not in again.output


def test_prebuild_without_names_makes_everything_that_is_shipped(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_us.cli.models_prebuild.prebuild_one", lambda name, *_: name)
    assert edge_us("models", "prebuild").output.split() == SHIPPED


def test_prebuild_takes_files_of_detectors_and_classifiers(machine: Path) -> None:
    for path in (list_models()[0].path, list_classifiers()[0].path):
        done = edge_us("models", "prebuild", str(path), "--precision", "fp32", "--optimization-level", "0")
        assert done.exit_code == ExitCode.OK, done.output
        assert (machine / f"{path.stem}-fp32.engine").is_file()


def test_build_with_engine_makes_the_engine_of_the_file_that_it_wrote(machine: Path, tmp_path: Path) -> None:
    out = tmp_path / "half.onnx"
    done = edge_us("models", "build", "lesion-fast", "--precision", "fp16", "--out", str(out), "--engine")
    assert done.exit_code == ExitCode.OK, done.output
    assert (machine / "half-fp16.engine").is_file()
    assert not (machine / "half-fp16.onnx").exists(), "the file is in that precision already"


def test_an_int8_file_that_no_engine_can_be_built_from_is_refused_before_it_is_made() -> None:
    with pytest.raises(UsageError, match="no unsigned activations") as caught:
        edge_us("models", "build", "lesion-fast", "--precision", "int8", "--engine")
    assert "--signed" in caught.value.hint


@pytest.mark.usefixtures("without_driver")
@pytest.mark.parametrize(
    "words", [("models", "prebuild"), ("models", "build", "lesion-fast", "--precision", "fp16", "--engine")]
)
def test_without_a_gpu_nothing_is_begun(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingDependencyError, match="needs an NVIDIA GPU and its driver: no CUDA driver") as caught:
        edge_us(*words)
    assert "while an image is built there is no GPU" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_run_with_build_makes_the_engines_of_detector_and_classifier(
    machine: Path, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config({"source": "phantom:", "build": True}, environment={})
    prebuilding.build_missing(config, api=api, target=no_gpu())
    names = sorted(path.name for path in machine.glob("*.engine"))
    assert names == ["lesion-fast-fp16.engine", "lesion-malignancy-fp16.engine"]
    assert "lesion-fast: Building engine, 0 %" in capsys.readouterr().err


AXILLA = {"exam": "axilla", "node_classifier": "node-phantom"}


@pytest.mark.parametrize(
    "options",
    [{}, AXILLA, {**AXILLA, "classifier": "lesion-malignancy"}, {"precision": "fp16"}, {"precision": "int8"}],
    ids=str,
)
def test_engines_are_built_for_the_very_networks_and_precisions_that_a_run_opens(
    options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[tuple[str, Precision]] = []
    opened: list[tuple[str, Precision]] = []

    def build(network: Network, precision: Precision, **_: Any) -> None:
        built.append((network.sha256, precision))

    def open_(network: Network, _backend: BackendName, precision: Precision, *_: Any) -> Any:
        opened.append((network.sha256, precision))
        return SimpleNamespace(info=BackendInfo("played", precision.value, "nothing"), lanes=[None], close=print)

    monkeypatch.setattr("edge_us.tensorrt.prebuild.prebuild", build)
    monkeypatch.setattr("edge_us.inference.backends.open_backend", open_)
    monkeypatch.setattr("edge_us.runtime.engine.warm_up", lambda *_: None)
    config = load_config({"source": "phantom:", **options}, environment={})
    prebuilding.build_missing(config)
    open_engine_for(config).close()
    assert built == opened
    model = load_model("axilla" if "exam" in options else "default", config.precision)
    names = {model.classifier, options.get("classifier"), options.get("node_classifier")}
    assert {sha256 for sha256, _ in built} == {
        model.sha256, *(entry.sha256 for entry in list_classifiers() if entry.name in names)
    }  # fmt: skip


def test_run_with_build_only_makes_the_engines_of_its_options_and_shows_nothing(machine: Path) -> None:
    words = ("run", "phantom:?frames=5", "--build-only", "--classifier", "off", "--min-score", "0.5")
    done = edge_us(*words)
    assert done.exit_code == ExitCode.OK, done.output
    assert [path.name for path in machine.glob("*.engine")] == ["lesion-fast-fp16.engine"]
    assert "lesion-fast fp16: " in done.output
    assert "frames shown" not in done.output
    assert "already there" in edge_us(*words).output


def test_without_build_a_run_builds_nothing_and_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = fitting(load_model("lesion-fast"))
    orin = DriverInfo("12.6", "36.4.3", (GpuInfo("Orin", (8, 7), 8 << 30, True),))
    monkeypatch.setenv("EDGE_US_ENGINES", str(tmp_path))
    monkeypatch.setattr("edge_us.inference.backends.probe_gpu", lambda _name: Gpu(orin, "cuda-bindings", True))
    monkeypatch.setattr("edge_us.inference.gpu.installed_provider", lambda _: None)
    for place in ("edge_us.inference.gpu", "edge_us.tensorrt.target"):
        monkeypatch.setattr(f"{place}.probe_driver", lambda: orin)
    monkeypatch.setattr("edge_us.tensorrt.load.load_api", fake.api)
    with pytest.raises(ModelError, match=r"lesion-fast in fp16 was not built for this machine yet") as caught:
        edge_us("run", "phantom:?frames=5", "--backend", "tensorrt")
    assert "edge-us models prebuild lesion-fast --precision fp16" in caught.value.hint
    assert "--build" in caught.value.hint
    assert fake.told == []
    assert list(tmp_path.iterdir()) == []


def test_where_auto_takes_the_cpu_although_there_is_a_gpu_the_run_warns_once_and_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = fitting(load_model("lesion-fast"))
    orin = DriverInfo("12.6", "36.4.3", (GpuInfo("Orin", (8, 7), 8 << 30, True),))
    monkeypatch.setenv("EDGE_US_ENGINES", str(tmp_path / "engines"))
    monkeypatch.setattr("edge_us.inference.backends.probe_gpu", lambda _name: Gpu(orin, "cuda-bindings", True))
    monkeypatch.setattr("edge_us.tensorrt.target.probe_driver", lambda: orin)
    monkeypatch.setattr("edge_us.tensorrt.api.load_api", fake.api)
    report = tmp_path / "report.json"
    words = ("run", "phantom:?frames=5", "--classifier", "off", "--log", "json", "--report", str(report))
    done = edge_us(*words)
    assert done.exit_code == ExitCode.OK, done.output
    (warning,) = json.loads(report.read_text())["warnings"]
    assert warning.startswith("the GPU is not used: the engine of lesion-fast in fp16 was not built for this machine")
    assert warning.endswith("edge-us models prebuild lesion-fast --precision fp16")
    assert done.stderr.count(f"warning: {warning}") == 1
    logged = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert [line["reason"] for line in logged if line["event"] == "networks warning"] == [warning]
    prebuild(load_model("lesion-fast"), folder=tmp_path / "engines", api=fake.api(), target=target_here())
    monkeypatch.setattr("edge_us.tensorrt.target.probe_driver", lambda: replace(orin, release="36.5.0"))
    fake.told.clear()
    edge_us(*words)
    (warning,) = json.loads(report.read_text())["warnings"]
    assert "driver is 36.5.0 here, the engine was built for 36.4.3" in warning, "one that no longer fits is said too"
    assert fake.told == [], "nothing was built or loaded"


def test_run_with_build_refuses_a_backend_that_takes_no_engine() -> None:
    config = load_config({"source": "phantom:", "build": True, "backend": "openvino"}, environment={})
    with pytest.raises(UsageError, match="--backend openvino takes none"):
        prebuilding.build_missing(config)


@pytest.mark.parametrize("asked", [False, True])
def test_engines_are_built_once_before_a_run_and_never_when_networks_are_renewed(
    asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[bool] = []
    monkeypatch.setattr(prebuilding, "build_missing", lambda config: built.append(config.build))
    config = load_config({"source": "phantom:", "build": asked, "classifier": "off", "threads": 1}, environment={})
    made = Networks(config, None, 0)
    try:
        assert built == [True] * asked
        made.renew(Failure("a fault"), attempt=1)
        assert built == [True] * asked
    finally:
        made.close()


def test_a_bundle_does_not_remember_that_engines_were_built() -> None:
    from edge_us.replay.make import OUTPUTS

    assert "build" in OUTPUTS


class _Screen:
    def __init__(self, terminal: bool) -> None:
        self.terminal, self.text = terminal, ""

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None: ...


def test_progress_is_a_counter_on_a_terminal_and_a_line_a_quarter_elsewhere() -> None:
    for terminal, lines in ((True, 0), (False, 5)):
        screen: Any = _Screen(terminal)
        tell = telling("lesion-fast", screen)
        for percent in range(101):
            tell("Building engine", percent, 100)
        assert screen.text.count("\n") == lines
        assert "lesion-fast: Building engine, 100 %" in screen.text


def test_the_named_target_is_this_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_us.tensorrt import target

    orin = DriverInfo("12.6", "36.4.3", (GpuInfo("Orin", (8, 7), 8 << 30, True),))
    monkeypatch.setattr(target, "probe_driver", lambda: orin)
    here = target.target_here()
    assert (here.gpu, here.compute_capability, here.driver) == ("Orin", "8.7", "36.4.3")
    monkeypatch.setattr(target, "probe_driver", lambda: replace(orin, release=Unknown("nobody says")))
    assert target.target_here().driver == "CUDA 12.6"


def test_the_doctor_is_told_what_is_ready_and_what_is_missing(tmp_path: Path) -> None:
    model = load_model("lesion-fast")
    fake = fitting(model)
    prebuild(model, folder=tmp_path, api=fake.api(), target=ORIN)
    told = overview(folder=tmp_path, api=fake.api(), target=ORIN)
    assert told[0] == f"TensorRT 10.3.0 for Orin (8.7, driver 36.4.3), engines in {tmp_path}"
    assert len(told) == 1 + len(SHIPPED)
    assert told[1] == "lesion-fast fp16: ready"
    assert "lesion-accurate in fp16 was not built" in told[2]
    assert told[2].endswith("edge-us models prebuild lesion-accurate --precision fp16")
    other = overview(folder=tmp_path, api=fake.api("10.16.1.11"), target=ORIN)
    assert "version is 10.16.1.11 here, the engine was built for 10.3.0" in other[1]


@pytest.mark.usefixtures("without_driver")
def test_the_doctor_is_told_why_there_are_no_engines() -> None:
    (line,) = overview()
    assert line == "no engines: TensorRT needs an NVIDIA GPU and its driver: no CUDA driver is installed"
