"""What the builder is told, and what becomes of every call that fails; a fake module plays TensorRT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_us.errors import EdgeUsError, ModelError, PipelineError
from edge_us.tensorrt.build import build_engine
from edge_us.tensorrt.key import EngineOptions
from tests.tensorrt_engines.fake import PLAN, Fake, layers

ONNX = Path("some.onnx")


def build(fake: Fake, **fields: Any) -> Any:
    return build_engine(fake.api(), ONNX, EngineOptions(**fields), timings=b"old timings")


def test_the_network_is_strongly_typed_and_no_flag_asks_for_a_precision() -> None:
    fake = Fake(layers=layers("Half"))
    plan = build(fake)
    assert plan.data == PLAN
    assert plan.types == {"fp16": 60}
    assert fake.values("Builder.create_network") == [(1 << 1,)]
    assert fake.values("clear_flag") == [("tf32",)]
    assert fake.values("set_flag") == []
    assert fake.values("set_memory_pool_limit") == []


def test_where_the_flag_is_gone_the_network_is_strongly_typed_anyhow() -> None:
    fake = Fake(layers=layers("Half"))
    fake.NetworkDefinitionCreationFlag = object()  # type: ignore[assignment]
    build(fake)
    assert fake.values("Builder.create_network") == [(0,)]


def test_each_option_reaches_the_builder() -> None:
    fake = Fake(layers=layers("Half"))
    build(fake, workspace_mb=256, optimization_level=1, hardware_compatible=True, version_compatible=True)
    assert fake.values("set_memory_pool_limit") == [("workspace", 256 << 20)]
    assert fake.values("set_flag") == [("version",)]
    ((settings,),) = fake.values("Builder.build_serialized_network")
    assert settings["builder_optimization_level"] == 1
    assert settings["hardware_compatibility_level"] == "ampere"
    assert settings["profiling_verbosity"] == "detailed"
    # A version-compatible engine brings its own runtime, which must be let in to be looked at.
    assert fake.values("Runtime.deserialize_cuda_engine") == [(PLAN, True)]


def test_timings_are_taken_over_and_given_back() -> None:
    fake = Fake(layers=layers("Half"))
    assert build(fake).timings == b"timings"
    assert fake.values("IBuilderConfig.create_timing_cache") == [(b"old timings",)]
    ((_, ignore_mismatch),) = fake.values("set_timing_cache")
    assert ignore_mismatch is False


@pytest.mark.parametrize(
    "call", ["IBuilderConfig.create_timing_cache", "IBuilderConfig.get_timing_cache", "ITimingCache.serialize"]
)
def test_without_a_timing_cache_the_engine_is_built_all_the_same(call: str) -> None:
    plan = build(Fake(call, layers("Half")))
    assert plan.data == PLAN


def test_an_inspector_that_says_nothing_gives_no_types() -> None:
    assert build(Fake("ICudaEngine.create_engine_inspector", layers("Half"))).types == {}


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ("Builder", PipelineError),
        ("Builder.create_network", PipelineError),
        ("OnnxParser", PipelineError),
        ("Builder.create_builder_config", PipelineError),
        ("Builder.build_serialized_network", PipelineError),
        ("Runtime", PipelineError),
        ("Runtime.deserialize_cuda_engine", ModelError),
    ],
)
def test_every_call_that_fails_is_an_error_in_tensorrts_own_words(call: str, kind: type[EdgeUsError]) -> None:
    with pytest.raises(kind, match=rf"TensorRT 10\.3\.0 cannot .*{call} does not work"):
        build(Fake(call, layers("Half")))


def test_parser_errors_are_told_node_by_node() -> None:
    with pytest.raises(ModelError, match=r"some\.onnx") as caught:
        build(Fake("OnnxParser.parse_from_file"))
    assert "node 7 (NonZero /head): error 0; node 7 (NonZero /head): error 1" in caught.value.message
    assert "without NMS" in caught.value.hint


def test_ctrl_c_during_a_build_is_raised_once_the_builder_has_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(layers=layers("Half"))
    asked: list[bool] = []

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    def call(name: str, value: Any, *told: Any) -> Any:
        if name == "Builder.build_serialized_network":
            watch = told[0]["progress_monitor"]
            watch.phase_start("build", None, 2)
            asked.append(watch.step_complete("build", 0))
            return None
        return value

    monkeypatch.setattr(fake, "call", call)
    with pytest.raises(KeyboardInterrupt):
        build_engine(fake.api(), ONNX, EngineOptions(), progress=interrupted)
    assert asked == [False]
