"""Every name of TensorRT that the project uses is one that all promised versions have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tensorrt_engines import walk
from tests.tensorrt_engines.rtx import rtx_api

KNOWN: dict[str, Any] = json.loads(walk.NAMES.read_text(encoding="utf-8"))
VERSIONS: list[str] = KNOWN["versions"]
NOT_IN_RTX: frozenset[str] = frozenset()
"""Names that TensorRT for RTX does not have; none so far."""


@pytest.fixture(scope="module")
def used() -> walk.Uses:
    return walk.uses(path.read_text(encoding="utf-8") for path in walk.walked())


def test_six_versions_from_the_floor_on_are_held() -> None:
    assert len(VERSIONS) == 6
    assert VERSIONS[0].startswith("10.3.")
    assert VERSIONS[-1].startswith("11.4.")


def test_no_use_is_missed_and_none_is_listed_in_vain(used: walk.Uses) -> None:
    assert not used.doubts, "give such objects a name of VARIABLES"
    again = "python -m tests.tensorrt_engines.walk tensorrt_api_names.json"
    assert used.always | used.optional == set(KNOWN["names"]), f"write names.json anew: {again}"


def test_every_name_is_in_every_version(used: walk.Uses) -> None:
    gone = {name: KNOWN["names"][name] for name in used.always if KNOWN["names"][name] != VERSIONS}
    assert not gone, "use getattr with a default, and another way where the name is missing"


def test_a_name_that_is_asked_for_first_is_in_some_version(used: walk.Uses) -> None:
    assert used.optional
    assert all(KNOWN["names"][name] for name in used.optional)


def test_no_precision_flag_and_no_calibrator_is_ever_named(used: walk.Uses) -> None:
    flags = {name for name in used.always | used.optional if name.startswith("BuilderFlag.")}
    assert flags == {"BuilderFlag.TF32", "BuilderFlag.VERSION_COMPATIBLE"}
    assert not [name for name in used.always if "alibrat" in name]


def test_the_list_is_what_the_bindings_say(shared_dir: Path) -> None:
    notes = shared_dir / "notes" / "tensorrt_api_names.json"
    if not notes.is_file():
        pytest.skip(f"the names of the bindings are not at {notes}")
    assert walk.table(json.loads(notes.read_text(encoding="utf-8"))) == KNOWN


def test_tensorrt_for_rtx_has_them_too(used: walk.Uses) -> None:
    trt = rtx_api().trt
    for name in used.always:
        held = trt
        for part in name.split("."):
            assert hasattr(held, part) or name in NOT_IN_RTX, name
            held = getattr(held, part)


@pytest.mark.parametrize(
    ("text", "always", "doubt"),
    [
        ("builder.build_engine(x)", {"Builder.build_engine"}, ""),
        ("trt.BuilderFlag.FP16", {"BuilderFlag", "BuilderFlag.FP16"}, ""),
        ("self._context.execute_async_v2(1)", {"IExecutionContext.execute_async_v2"}, ""),
        ("loaded.engine.num_bindings", {"ICudaEngine.num_bindings"}, ""),
        ("thing = builder.create_network(0)", {"Builder.create_network"}, "held in a variable"),
        ("builder.create_network(0).num_layers", {"Builder.create_network"}, "has no name"),
        ("for each in definition.layers(): pass", {"INetworkDefinition.layers"}, "gone through"),
        ("getattr(builder, name)", set(), "cannot be read"),
        ("def f(thing: Any): thing.num_layers", set(), "has no type"),
    ],
)
def test_the_walk_finds_what_could_be_forgotten(text: str, always: set[str], doubt: str) -> None:
    found = walk.uses([text])
    assert found.always == always
    assert bool(found.doubts) == bool(doubt)
    assert doubt in " ".join(found.doubts)
