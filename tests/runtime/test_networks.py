"""`Networks`: engines that come too late, or that a thread hangs in."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from edge_us.config import RunConfig, load_config
from edge_us.errors import PipelineError
from edge_us.inference.backend import BackendInfo
from edge_us.runtime.engine import Engine
from edge_us.runtime.failure import Failure
from edge_us.runtime.networks import Networks


class Played:
    """A backend that computes nothing."""

    def __init__(self, name: str) -> None:
        self.info = BackendInfo(name, "fp32", "nothing")
        self.lanes: list[Any] = []
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Opening:
    """Stands in for opening the networks of a configuration; from the second on it says so, and waits to be let go."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.backends: list[Played] = []
        self.waiting = threading.Semaphore(0)
        self.may = threading.Event()

    def __call__(self, config: RunConfig, **_: Any) -> Engine:
        if self.backends:
            self.waiting.release()
            assert self.may.wait(20)
        self.backends.append(Played(self._name))
        engine: Engine = Engine(None, self.backends[-1], {}, 1)  # type: ignore[arg-type]
        return engine


def networks_on(opening: Opening, monkeypatch: pytest.MonkeyPatch) -> Networks:
    monkeypatch.setattr("edge_us.runtime.networks.open_engine_for", opening)
    return Networks(load_config({"source": "phantom:"}, environment={}), None, 0)


def test_networks_that_are_opened_after_the_run_is_over_are_closed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    opening = Opening("openvino")
    networks = networks_on(opening, monkeypatch)
    raised: list[PipelineError] = []

    def renew() -> None:
        with pytest.raises(PipelineError, match="too late") as caught:
            networks.renew(Failure("a fault"), attempt=1)
        raised.append(caught.value)

    thread = threading.Thread(target=renew)
    thread.start()
    assert opening.waiting.acquire(timeout=20)
    networks.close(hanging=True)
    opening.may.set()
    thread.join(20)
    assert len(raised) == 1
    assert [each.closed for each in opening.backends] == [1, 1]


def test_of_two_threads_that_open_networks_the_later_one_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    opening = Opening("openvino")
    networks = networks_on(opening, monkeypatch)

    def renew() -> None:
        with pytest.raises(PipelineError, match="too late"):
            networks.renew(Failure("a fault"), attempt=1)

    first = threading.Thread(target=renew)
    first.start()
    second = threading.Thread(target=lambda: networks.renew(Failure("it hangs", hangs=True), attempt=2))
    assert opening.waiting.acquire(timeout=20)
    second.start()
    assert opening.waiting.acquire(timeout=20)
    opening.may.set()
    first.join(20)
    second.join(20)
    networks.close()
    assert [each.closed for each in opening.backends] == [1, 1, 1]


@pytest.mark.parametrize(("name", "kept"), [("tensorrt", 1), ("openvino", 0)])
def test_networks_on_a_gpu_in_which_a_thread_hangs_are_neither_closed_nor_freed(
    name: str, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = Opening(name)
    opening.may.set()
    networks = networks_on(opening, monkeypatch)
    hung = networks.engine
    before = sys.getrefcount(hung)
    networks.renew(Failure("it hangs", hangs=True), attempt=1)
    # `Networks` has let go of it twice; of what a GPU may hang in one reference stays for good.
    assert sys.getrefcount(hung) == before - 2 + kept
    hung.close()
    assert opening.backends[0].closed == 0
    networks.close()
    assert opening.backends[1].closed == 1
