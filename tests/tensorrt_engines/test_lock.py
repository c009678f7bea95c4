"""Several processes that want the same engine: one builds it, the others find it."""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_us.errors import PipelineError
from edge_us.inference.backend import Precision
from edge_us.inference.model import load_model
from edge_us.tensorrt import prebuild as module
from edge_us.tensorrt.cache import EngineState, engine_path, key_for, status
from edge_us.tensorrt.key import EngineOptions
from edge_us.tensorrt.lock import alone
from tests.tensorrt_engines.fake import ORIN, fitting

PROCESSES, ROUNDS = 3, 5
LONGEST_S = 120.0
"""What has not come by then never comes, on a slow machine either."""
_FORK = multiprocessing.get_context("fork")


def build(folder: Path, barrier: Any, made: Any) -> None:
    """Build what another process builds at the same moment; no two plans are the same."""
    model = load_model("lesion-fast")
    whole: Any = module
    real = whole.build_engine

    def other_each_time(*arguments: Any, **more: Any) -> Any:
        return replace(real(*arguments, **more), data=os.urandom(1 << 20))

    whole.build_engine = other_each_time
    fake = fitting(model, "Float")
    barrier.wait(LONGEST_S)
    found = module.prebuild(model, Precision.FP32, folder=folder, api=fake.api(), target=ORIN)
    made.put(found.is_new)


def test_of_several_that_build_at_once_one_builds_and_the_others_find_it(tmp_path: Path) -> None:
    model = load_model("lesion-fast")
    key = key_for(model, Precision.FP32, fitting(model, "Float").api(), ORIN, EngineOptions())
    for number in range(ROUNDS):
        folder, barrier, made = tmp_path / str(number), _FORK.Barrier(PROCESSES), _FORK.Queue()
        builders = [_FORK.Process(target=build, args=(folder, barrier, made)) for _ in range(PROCESSES)]
        for each in builders:
            each.start()
        assert sorted(made.get(timeout=LONGEST_S) for _ in builders) == [False, False, True]
        for each in builders:
            each.join()
        assert status(model, key, folder).state is EngineState.READY
        assert not list(folder.glob(".*")), "the lock is gone"


def test_whoever_waits_says_so_and_takes_what_was_built(tmp_path: Path) -> None:
    model = load_model("lesion-fast")
    told: list[str] = []
    fake = fitting(model, "Float")
    path = engine_path(tmp_path, model.name, Precision.FP32)
    inside, said = _FORK.Event(), _FORK.Event()

    def holds() -> None:
        with alone(path):
            inside.set()
            said.wait(LONGEST_S)

    def progress(what: str, *_: int) -> None:
        told.append(what)
        said.set()

    other = _FORK.Process(target=holds)
    other.start()
    assert inside.wait(LONGEST_S)
    module.prebuild(model, Precision.FP32, folder=tmp_path, api=fake.api(), target=ORIN, progress=progress)
    other.join()
    assert told[0] == "another process builds it"


def test_a_builder_that_is_killed_locks_nobody_out(tmp_path: Path) -> None:
    path = tmp_path / "some.engine"
    inside = _FORK.Event()

    def dies() -> None:
        with alone(path):
            inside.set()
            time.sleep(3600)

    other = _FORK.Process(target=dies)
    other.start()
    assert inside.wait(LONGEST_S)
    other.kill()
    other.join()
    assert (tmp_path / ".some.engine.lock").exists()
    with alone(path, lambda: pytest.fail("nobody is inside")):
        pass
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PipelineError, match="cannot write") as caught, alone(tmp_path / "file" / "some.engine"):
        pass
    assert "EDGE_US_ENGINES" in caught.value.hint
