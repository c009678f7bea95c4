"""Engines on disk: what is found, what is refused before TensorRT sees it, and how they are written."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_us.errors import EngineMismatchError, ExitCode, ModelError, PipelineError
from edge_us.inference.backend import Precision
from edge_us.inference.model import Model, load_model
from edge_us.tensorrt import cache
from edge_us.tensorrt.cache import (
    EngineState,
    build_command,
    engine_path,
    engines_folder,
    key_for,
    read_engine,
    read_timings,
    record_path,
    status,
    write_timings,
    write_whole,
)
from edge_us.tensorrt.key import EngineKey, EngineOptions
from edge_us.tensorrt.prebuild import prebuild
from tests.tensorrt_engines.fake import ORIN, PLAN, Fake, fitting

NAME = "lesion-fast"


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(NAME)


@pytest.fixture
def fake(model: Model) -> Fake:
    return fitting(model, "Float")


@pytest.fixture
def here(model: Model, fake: Fake) -> EngineKey:
    return key_for(model, Precision.FP32, fake.api(), ORIN, EngineOptions())


@pytest.fixture
def engine(model: Model, fake: Fake, tmp_path: Path) -> Path:
    return prebuild(model, Precision.FP32, folder=tmp_path, api=fake.api(), target=ORIN).path


def test_a_fitting_engine_is_read_with_its_record(model: Model, here: EngineKey, engine: Path) -> None:
    data, record = read_engine(model, here, engine.parent)
    assert data == PLAN
    assert record.key == here
    assert record.tensors == {"fp32": 60}
    found = status(model, here, engine.parent)
    assert (found.state, found.path, found.reason) == (EngineState.READY, engine, "")


def test_a_missing_engine_is_told_with_the_command_that_builds_it(
    model: Model, here: EngineKey, tmp_path: Path
) -> None:
    found = status(model, here, tmp_path)
    assert found.state is EngineState.MISSING
    assert str(engine_path(tmp_path, NAME, Precision.FP32)) in found.reason
    assert found.command == "edge-us models prebuild lesion-fast --precision fp32"
    with pytest.raises(ModelError, match="was not built for this machine yet") as caught:
        read_engine(model, here, tmp_path)
    assert found.command in caught.value.hint


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("onnx_sha256", "b" * 64),
        ("module", "tensorrt_rtx"),
        ("version", "10.13.3.9"),
        ("platform", "Linux-x86_64"),
        ("gpu", "NVIDIA L4"),
        ("compute_capability", "8.9"),
        ("driver", "36.4.4"),
    ],
)
def test_an_engine_for_something_else_is_refused_by_the_field_that_differs(
    model: Model, here: EngineKey, engine: Path, field: str, value: str
) -> None:
    other = here.model_copy(update={field: value})
    with pytest.raises(EngineMismatchError, match=field.replace("_", " ")) as caught:
        read_engine(model, other, engine.parent)
    assert getattr(here, field)[:12] in caught.value.message
    assert value[:12] in caught.value.message
    assert "edge-us models prebuild lesion-fast --precision fp32" in caught.value.hint
    assert caught.value.exit_code == ExitCode.MODEL
    assert status(model, other, engine.parent).state is EngineState.DIFFERS


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [_flip, _truncate, lambda path: path.write_bytes(b"another engine")])
def test_a_damaged_or_foreign_engine_is_found_by_its_sha256(
    model: Model, here: EngineKey, engine: Path, damage: Any
) -> None:
    damage(engine)
    with pytest.raises(ModelError, match=r"is damaged: .* has another sha256"):
        read_engine(model, here, engine.parent)
    assert status(model, here, engine.parent).state is EngineState.DAMAGED


@pytest.mark.parametrize("text", [None, "", "{}", "[1, 2]", "\x00\xff", '{"schema": "edge-us/engine/3"}'])
def test_an_engine_without_its_record_is_not_used(
    model: Model, here: EngineKey, engine: Path, text: str | None
) -> None:
    record = record_path(engine)
    if text is None:
        record.unlink()
    else:
        record.write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match="its record"):
        read_engine(model, here, engine.parent)
    assert status(model, here, engine.parent).state is EngineState.DAMAGED


def change(path: Path, seal: bool, **fields: Any) -> None:
    """Edit the record of an engine; with ``seal`` by somebody who knows how it is hashed."""
    content = json.loads(record_path(path).read_text(encoding="utf-8"))
    for name, value in fields.items():
        place = content
        *outer, last = name.split("__")
        for each in outer:
            place = place[each]
        assert place[last] != value
        place[last] = value
    record = cache.EngineRecord.model_validate(content)
    record = record.sealed() if seal else record
    record_path(path).write_text(record.model_dump_json(by_alias=True), encoding="utf-8")


@pytest.mark.parametrize(
    "fields",
    [
        {"key__options__hardware_compatible": True},
        {"key__options__version_compatible": True},
        {"tensors": {"fp16": 60}},
        {"precision_unknown": "nobody knows"},
        {"onnx_sha256": "d" * 64},
        {"key__gpu": "NVIDIA L4"},
    ],
)
def test_a_record_that_was_changed_is_not_believed(
    model: Model, here: EngineKey, engine: Path, fields: dict[str, Any]
) -> None:
    change(engine, seal=False, **fields)
    with pytest.raises(ModelError, match=r"its record .*: it was changed after it was written"):
        read_engine(model, here, engine.parent)


def test_tensors_of_another_precision_than_the_keys_are_refused(model: Model, here: EngineKey, engine: Path) -> None:
    change(engine, seal=True, tensors={"fp16": 60})
    with pytest.raises(ModelError, match="its tensors are not those of an engine in fp32"):
        read_engine(model, here, engine.parent)


def test_the_key_is_compared_before_the_engine_is_even_read(
    model: Model, here: EngineKey, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(path: Path) -> bytes:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(Path, "read_bytes", never)
    with pytest.raises(EngineMismatchError):
        read_engine(model, here.model_copy(update={"gpu": "NVIDIA L4"}), engine.parent)


def test_the_record_says_where_everything_came_from(engine: Path, model: Model) -> None:
    record = json.loads(record_path(engine).read_text(encoding="utf-8"))
    assert record["schema"] == "edge-us/engine/2"
    assert record["onnx_sha256"] == record["key"]["onnx_sha256"] == model.sha256
    assert record["key"]["precision"] == "fp32"


def test_a_users_own_model_is_named_by_its_file(model: Model, tmp_path: Path) -> None:
    mine = replace(model, name="best", path=tmp_path / "best.onnx", sha256="c" * 64)
    assert build_command(mine, Precision.FP16) == f"edge-us models prebuild {tmp_path}/best.onnx --precision fp16"
    disguised = replace(mine, name=NAME)
    assert str(tmp_path / "best.onnx") in build_command(disguised, Precision.FP16)


def test_a_name_that_is_too_long_for_a_file_has_no_engine(model: Model, here: EngineKey, tmp_path: Path) -> None:
    long = replace(model, name="m" * 252, path=tmp_path / ("m" * 250))
    assert status(long, here, tmp_path).state is EngineState.MISSING


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"EDGE_US_ENGINES": "/var/lib/engines", "HOME": "/root"}, "/var/lib/engines"),
        ({"XDG_CACHE_HOME": "/c", "HOME": "/root"}, "/c/edge-us/engines"),
        ({"HOME": "/home/cart"}, "/home/cart/.cache/edge-us/engines"),
    ],
)
def test_the_folder_is_named_by_a_variable_or_the_users_cache(environment: dict[str, str], folder: str) -> None:
    assert engines_folder(environment) == Path(folder)


def test_a_write_that_breaks_off_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "some.engine"
    write_whole(path, b"old")

    def no_space(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(PipelineError, match="No space left on device") as caught:
        write_whole(path, b"new")
    assert "EDGE_US_ENGINES" in caught.value.hint
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_between_engine_and_record_a_reader_finds_neither_old_nor_new(
    model: Model, here: EngineKey, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = cache.EngineRecord.model_validate_json(record_path(engine).read_bytes())
    whole = cache.write_whole

    def first_only(path: Path, data: bytes) -> None:
        if path.suffix == ".json":
            raise PipelineError("the power is gone", "")
        whole(path, data)

    monkeypatch.setattr(cache, "write_whole", first_only)
    with pytest.raises(PipelineError):
        cache.write_engine(engine, b"a newer engine", record)
    with pytest.raises(ModelError, match="another sha256"):
        read_engine(model, here, engine.parent)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PipelineError, match="cannot write"):
        write_whole(tmp_path / "file" / "some.engine", b"x")


def test_a_damaged_timing_cache_is_no_timing_cache(tmp_path: Path) -> None:
    path = tmp_path / "tensorrt-10.3.0.timings"
    assert read_timings(path) == b""
    write_timings(path, b"measured")
    assert read_timings(path) == b"measured"
    _flip(path)
    assert read_timings(path) == b""
