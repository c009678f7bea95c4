"""Engines are loaded where driver, key, sha256 and input are right, in that order; nothing is built on the way."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edge_us.errors import EngineMismatchError, ExitCode, MissingDependencyError, ModelError, UsageError
from edge_us.finding import Unknown
from edge_us.inference.backend import Precision
from edge_us.inference.model import Model, load_model
from edge_us.tensorrt import load as load_module
from edge_us.tensorrt import target as target_module
from edge_us.tensorrt.api import ApiName, load_api
from edge_us.tensorrt.key import EngineOptions
from edge_us.tensorrt.load import load_engine
from edge_us.tensorrt.prebuild import prebuild
from edge_us.tensorrt.target import no_gpu, target_here
from tests.tensorrt_engines.fake import ORIN, Fake, fitting
from tests.tensorrt_engines.rtx import rtx_api
from tests.tensorrt_engines.test_cache import change


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("lesion-fast")


def built(model: Model, folder: Path, options: EngineOptions | None = None) -> Fake:
    fake = fitting(model, "Float")
    prebuild(model, Precision.FP32, options, folder=folder, api=fake.api(), target=ORIN)
    fake.told.clear()
    return fake


def test_an_engine_that_fits_is_loaded(model: Model, tmp_path: Path) -> None:
    fake = built(model, tmp_path)
    loaded = load_engine(model, Precision.FP32, folder=tmp_path, api=fake.api(), target=ORIN)
    assert loaded.engine.num_io_tensors == 2
    assert loaded.precision is Precision.FP32
    assert str(loaded.api) == "TensorRT 10.3.0"
    assert fake.values("Builder") == []


def test_another_gpu_is_allowed_by_the_engine_itself_and_not_by_its_record(model: Model, tmp_path: Path) -> None:
    other = replace(ORIN, gpu="NVIDIA L4", compute_capability="8.9")
    fake = built(model, tmp_path)
    change(tmp_path / "lesion-fast-fp32.engine", seal=True, key__options__hardware_compatible=True)
    with pytest.raises(EngineMismatchError, match="hardware compatible is True there, the engine says none"):
        load_engine(model, Precision.FP32, folder=tmp_path, api=fake.api(), target=other)
    folder = tmp_path / "compatible"
    fake = built(model, folder, EngineOptions(hardware_compatible=True))
    assert load_engine(model, Precision.FP32, folder=folder, api=fake.api(), target=other).engine is not None


def test_the_driver_is_asked_before_tensorrt_is_even_imported(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def never() -> None:
        raise AssertionError("TensorRT was imported")

    monkeypatch.setattr(target_module, "probe_driver", lambda: Unknown("no CUDA driver is installed"))
    monkeypatch.setattr(load_module, "load_api", never)
    with pytest.raises(MissingDependencyError, match="no CUDA driver is installed") as caught:
        load_engine(model)
    assert caught.value.exit_code == ExitCode.MISSING


def test_no_engine_is_an_error_and_none_is_built(model: Model, tmp_path: Path) -> None:
    fake = fitting(model)
    with pytest.raises(ModelError, match="was not built for this machine yet") as caught:
        load_engine(model, folder=tmp_path, api=fake.api(), target=ORIN)
    assert "edge-us models prebuild lesion-fast --precision fp16" in caught.value.hint
    assert fake.told == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["another GPU", "another version", "another byte"])
def test_tensorrt_never_sees_an_engine_that_does_not_fit(model: Model, tmp_path: Path, damage: str) -> None:
    fake = built(model, tmp_path)
    target = replace(ORIN, gpu="NVIDIA L4") if damage == "another GPU" else ORIN
    api = fake.api("10.13.3.9" if damage == "another version" else "10.3.0")
    if damage == "another byte":
        (tmp_path / "lesion-fast-fp32.engine").write_bytes(b"?")
    with pytest.raises(ModelError) as caught:
        load_engine(model, Precision.FP32, folder=tmp_path, api=api, target=target)
    assert isinstance(caught.value, EngineMismatchError) == (damage != "another byte")
    assert fake.told == []


@pytest.mark.parametrize("allowed", [False, True])
def test_only_a_version_compatible_engine_may_bring_its_own_runtime(
    model: Model, tmp_path: Path, allowed: bool
) -> None:
    fake = built(model, tmp_path, EngineOptions(version_compatible=allowed))
    load_engine(model, Precision.FP32, folder=tmp_path, api=fake.api(), target=ORIN)
    ((_, host_code),) = fake.values("Runtime.deserialize_cuda_engine")
    assert host_code is allowed


def test_an_engine_of_another_input_size_is_refused(model: Model, tmp_path: Path) -> None:
    fake = built(model, tmp_path)
    fake.inputs = (1, 3, 640, 640)
    with pytest.raises(ModelError, match=r"takes \[\(1, 3, 640, 640\)\], but lesion-fast"):
        load_engine(model, Precision.FP32, folder=tmp_path, api=fake.api(), target=ORIN)


def test_what_tensorrt_cannot_deserialise_is_an_error_in_its_own_words(model: Model, tmp_path: Path) -> None:
    fake = built(model, tmp_path)
    fake.fails = "Runtime.deserialize_cuda_engine"
    with pytest.raises(ModelError, match=r"cannot deserialise the engine .* does not work"):
        load_engine(model, Precision.FP32, folder=tmp_path, api=fake.api(), target=ORIN)


def test_a_real_runtime_without_a_driver_says_so(model: Model, tmp_path: Path) -> None:
    api, target = rtx_api(), no_gpu()
    prebuild(model, Precision.FP32, EngineOptions(optimization_level=0), folder=tmp_path, api=api, target=target)
    try:
        target_here()
    except MissingDependencyError:
        with pytest.raises(ModelError, match=r"TensorRT for RTX .* cannot deserialise .*(CUDA|driver)"):
            load_engine(model, Precision.FP32, folder=tmp_path, api=api, target=target)
    else:
        pytest.skip("this machine has a driver")


def test_a_module_that_is_missing_or_broken_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    with pytest.raises(MissingDependencyError, match="TensorRT is not installed") as caught:
        load_api(ApiName.TENSORRT)
    assert "JetPack" in caught.value.hint
    (tmp_path / "tensorrt.py").write_text("raise OSError('libnvinfer.so.10: cannot open shared object file')")
    importlib.invalidate_caches()
    with pytest.raises(MissingDependencyError, match=r"cannot be loaded: libnvinfer\.so\.10"):
        load_api(ApiName.TENSORRT)


@pytest.mark.parametrize(
    ("stored", "asked", "made"),
    [
        (Precision.FP32, Precision.AUTO, Precision.FP16),
        (Precision.FP32, Precision.FP32, Precision.FP32),
        (Precision.FP32, Precision.FP16, Precision.FP16),
        (Precision.FP16, Precision.AUTO, Precision.FP16),
        (Precision.INT8, Precision.AUTO, Precision.INT8),
        (Precision.INT8, Precision.INT8, Precision.INT8),
        (Precision.FP32, Precision.INT8, None),
        (Precision.FP32, Precision.BF16, None),
        (Precision.FP16, Precision.FP32, None),
        (Precision.INT8, Precision.FP16, None),
    ],
)
def test_the_precision_follows_from_the_file(
    model: Model, stored: Precision, asked: Precision, made: Precision | None
) -> None:
    from edge_us.tensorrt.source import engine_precision

    network = replace(model, stored=stored)
    if made is not None:
        assert engine_precision(network, asked) is made
        return
    with pytest.raises(UsageError) as caught:
        engine_precision(network, asked)
    assert asked.value in caught.value.message
