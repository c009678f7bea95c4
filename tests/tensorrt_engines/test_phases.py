"""How far a build is, from phases within phases."""

from __future__ import annotations

from typing import Any

import pytest

from edge_us.tensorrt.phases import Phases, monitor
from tests.tensorrt_engines.fake import Fake


def test_between_phases_there_is_nothing_to_tell() -> None:
    phases = Phases()
    assert phases.outermost() is None
    phases.start("build", None, 4)
    phases.finish("build")
    assert phases.outermost() is None


def test_steps_of_an_inner_phase_count_within_the_outer_one() -> None:
    phases = Phases()
    phases.start("build", None, 4)
    phases.step("build", 0)
    assert phases.outermost() == ("build", 25)
    phases.start("tactics", "build", 10)
    phases.step("tactics", 4)
    assert phases.outermost() == ("build", 37)
    phases.finish("tactics")
    phases.step("build", 1)
    assert phases.outermost() == ("build", 50)


def test_what_was_told_is_not_taken_back() -> None:
    phases = Phases()
    phases.start("build", None, 2)
    phases.step("build", 1)
    assert phases.outermost() == ("build", 100)
    phases.step("build", 0)
    assert phases.outermost() == ("build", 100)
    phases.finish("build")
    phases.start("build", None, 2)
    assert phases.outermost() == ("build", 0)


@pytest.mark.parametrize("parent", ["build", "b", "gone", None])
def test_odd_parents_end_nowhere(parent: str | None) -> None:
    phases = Phases()
    phases.start("a", None, 0)
    phases.start("b", "a", 1)
    phases.start("a", "b", 1)
    phases.start("build", parent, 1)
    told = phases.outermost()
    assert told is not None
    assert 0 <= told[1] <= 100


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("the terminal is gone")])
def test_what_is_raised_inside_the_builder_stops_it_and_is_kept(error: BaseException) -> None:
    def progress(*_: Any) -> None:
        raise error

    watch = monitor(Fake(), progress)
    watch.phase_start("build", None, 2)
    assert watch.step_complete("build", 0) is False
    watch.phase_finish("build")
    assert watch.stopped is error


def test_a_number_is_told_once() -> None:
    told: list[tuple[str, int, int]] = []
    watch = monitor(Fake(), lambda *now: told.append(now))
    watch.phase_start("build", None, 1000)
    for step in range(30):
        assert watch.step_complete("build", step)
    assert told == [("build", 0, 100), ("build", 1, 100), ("build", 2, 100), ("build", 3, 100)]
