"""When a GPU is taken, and what is said where it is not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from edge_us.cuda.driver import Provider
from edge_us.cuda.probe import DriverInfo, GpuInfo
from edge_us.errors import MissingDependencyError, PipelineError, UsageError
from edge_us.finding import Unknown
from edge_us.inference.backend import BackendName, Precision
from edge_us.inference.backends import Machine, choose_backend, open_backend
from edge_us.inference.gpu import NO_TENSORRT, PROVIDER_VARIABLE, Gpu, open_tensorrt, probe_gpu, wanted_provider
from edge_us.inference.model import load_model, output_names

ORIN = DriverInfo("12.6", "36.4.3", (GpuInfo("Orin", (8, 7), 8 << 30, True),))
WHOLE = Gpu(ORIN, "cuda-bindings", True)
WITH_GPU = Machine("aarch64", "2026.4", "1.31", frozenset({Precision.FP32}), WHOLE)
NOTHING = replace(WITH_GPU, gpu=NO_TENSORRT)


def test_auto_takes_the_gpu_where_nothing_is_missing_and_an_engine_is_ready() -> None:
    choice = choose_backend(WITH_GPU, BackendName.AUTO, Precision.AUTO)
    assert (choice.name, choice.precision) == (BackendName.TENSORRT, Precision.AUTO)


@pytest.mark.parametrize(
    ("gpu", "says"),
    [
        (replace(WHOLE, driver=Unknown("the driver sees no GPU")), "the driver sees no GPU"),
        (replace(WHOLE, provider=Unknown("neither cuda-bindings nor pycuda is installed")), "neither cuda-bindings"),
        (replace(WHOLE, tensorrt=False), "TensorRT is not installed"),
    ],
)
def test_auto_takes_the_cpu_where_anything_is_missing_and_says_what(gpu: Gpu, says: str) -> None:
    machine = replace(WITH_GPU, gpu=gpu)
    choice = choose_backend(machine, BackendName.AUTO, Precision.AUTO, unready=lambda: pytest.fail("was asked"))
    assert choice.name is BackendName.OPENVINO
    assert any(says in reason for reason in choice.reasons)
    with pytest.raises(MissingDependencyError, match=says):
        choose_backend(machine, BackendName.TENSORRT, Precision.AUTO)


def test_auto_takes_the_cpu_where_no_engine_was_built_and_says_so() -> None:
    choice = choose_backend(WITH_GPU, BackendName.AUTO, Precision.AUTO, unready=lambda: "the engine is missing")
    assert choice.name is BackendName.OPENVINO
    assert "no GPU is used: the engine is missing" in choice.reasons
    assert choice.unused_gpu == "the engine is missing"


def test_a_gpu_that_could_be_used_is_told_from_one_that_nobody_set_up() -> None:
    def unused(gpu: Gpu) -> str:
        machine = replace(WITH_GPU, gpu=gpu)
        return choose_backend(machine, BackendName.AUTO, Precision.AUTO, unready=lambda: "").unused_gpu

    assert unused(WHOLE) == ""
    no_provider = replace(WHOLE, provider=Unknown("neither cuda-bindings nor pycuda is installed"))
    assert unused(no_provider).endswith("is installed; pip install 'edge-us[cuda]' (docs/gpu.md)")
    assert unused(replace(WHOLE, tensorrt=False)) == ""
    assert unused(replace(WHOLE, driver=Unknown("the driver sees no GPU"))) == ""
    assert choose_backend(WITH_GPU, BackendName.OPENVINO, Precision.AUTO, unready=lambda: "no engine").unused_gpu == ""


def test_a_precision_that_only_the_gpu_has_is_refused_with_what_the_gpu_lacks() -> None:
    with pytest.raises(UsageError, match="not fp16") as caught:
        choose_backend(WITH_GPU, BackendName.AUTO, Precision.FP16, unready=lambda: "no engine; edge-us models prebuild")
    assert caught.value.hint.endswith("No GPU is used: no engine; edge-us models prebuild")


@pytest.mark.parametrize("precision", [Precision.AUTO, Precision.FP32, Precision.FP16, Precision.INT8])
def test_the_precision_of_an_engine_is_the_loaders_business(precision: Precision) -> None:
    assert choose_backend(WITH_GPU, BackendName.TENSORRT, precision).precision is precision


def test_onnx_runtime_on_a_gpu_computes_in_what_lies_in_the_file() -> None:
    name = BackendName.ONNXRUNTIME_CUDA
    for stored in (Precision.FP32, Precision.FP16):
        for asked in (Precision.AUTO, stored):
            choice = choose_backend(WITH_GPU, name, asked, stored)
            assert (choice.name, choice.precision, choice.device) == (name, stored, "Orin")
    with pytest.raises(UsageError, match="in fp32, not fp16"):
        choose_backend(WITH_GPU, name, Precision.FP16, Precision.FP32)
    with pytest.raises(UsageError, match="no int8"):
        choose_backend(WITH_GPU, name, Precision.AUTO, Precision.INT8)
    with pytest.raises(MissingDependencyError, match="no GPU can be used"):
        choose_backend(NOTHING, name, Precision.AUTO)


def test_the_driver_is_not_woken_where_nobody_would_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_us.inference.gpu.find_spec", lambda name: None)
    monkeypatch.setattr("edge_us.inference.gpu.probe_driver", lambda: pytest.fail("was asked"))
    for name in (BackendName.AUTO, BackendName.OPENVINO, BackendName.ONNXRUNTIME):
        assert probe_gpu(name).missing == "TensorRT is not installed"


def test_what_the_machine_has_is_told() -> None:
    assert "GPU Orin (sm_87, 8.0 GiB), CUDA 12.6, driver 36.4.3" in WITH_GPU.describe()
    assert any(line.startswith("GPU none: ") for line in NOTHING.describe())


@pytest.mark.parametrize("name", [BackendName.TENSORRT, BackendName.ONNXRUNTIME_CUDA])
def test_without_a_gpu_both_are_refused_with_the_reason(name: BackendName) -> None:
    if not isinstance(probe_gpu().driver, Unknown):
        pytest.skip("this machine has a GPU")
    with pytest.raises(MissingDependencyError, match=r"CUDA driver|no GPU|failed"):
        open_backend(load_model("default"), name)


@pytest.mark.parametrize("provider", [Provider.BINDINGS, Provider.PYCUDA])
def test_the_package_for_the_driver_can_be_chosen_by_name(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are installed; what is opened is what was asked for."""
    opened: list[Provider] = []
    monkeypatch.setattr("edge_us.cuda.driver._has", lambda module: True)
    monkeypatch.setattr("edge_us.inference.gpu.probe_driver", lambda: ORIN)
    monkeypatch.setattr(
        "edge_us.tensorrt.load.load_engine", lambda *_: SimpleNamespace(api="", precision=Precision.FP32)
    )
    monkeypatch.setenv(PROVIDER_VARIABLE, provider.value)

    def open_driver(asked: Provider) -> None:
        opened.append(asked)
        raise PipelineError("far enough", "")

    monkeypatch.setattr("edge_us.inference.gpu.open_driver", open_driver)
    assert probe_gpu().provider == provider.value
    with pytest.raises(PipelineError, match="far enough"):
        open_tensorrt(load_model("default"), Precision.FP32, 1)
    assert opened == [provider]


def test_a_package_that_was_asked_for_and_is_missing_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_us.cuda.driver._has", lambda module: module == "cuda.bindings")
    monkeypatch.setenv(PROVIDER_VARIABLE, "pycuda")
    assert probe_gpu().provider == Unknown("pycuda is not installed")


def test_a_package_that_nobody_knows_is_named() -> None:
    assert wanted_provider({}) is Provider.AUTO
    with pytest.raises(UsageError, match="EDGE_US_CUDA is 'cupy'") as caught:
        wanted_provider({PROVIDER_VARIABLE: "cupy"})
    assert "auto, cuda-bindings, pycuda" in caught.value.hint


def test_outputs_are_named_in_the_files_order() -> None:
    assert output_names(load_model("default").path) == ("output0", "output1")
