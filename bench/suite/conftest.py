"""The reference of the suite: inference alone, of the default model, in the same process, right before and after."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from edge_us.inference.model import Model, load_model
from edge_us.runtime.engine import open_engine

REFERENCE_S = 0.15
Measured = Callable[..., Any]


@pytest.fixture(scope="session")
def model() -> Model:
    return load_model("default")


@pytest.fixture(scope="session")
def reference(model: Model) -> Iterator[Callable[[], float]]:
    """Time of the fastest inference in s."""
    width, height = model.input_size
    shape = (height, width) if model.is_grey else (height, width, 3)
    noise = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    with closing(open_engine(model)) as engine:
        lane = engine.share().lanes[0]

        def fastest() -> float:
            best, until = float("inf"), time.perf_counter() + REFERENCE_S
            while time.perf_counter() < until:
                start = time.perf_counter()
                lane.infer(noise)
                best = min(best, time.perf_counter() - start)
            return best

        yield fastest


@pytest.fixture
def measured(benchmark: Any, reference: Callable[[], float]) -> Measured:
    """Benchmark a call, and note what inference alone took around it: their ratio is what two runs may compare."""

    def run(function: Callable[..., Any], *arguments: Any, rounds: int | None = None) -> Any:
        before = reference()
        if rounds is None:
            result = benchmark(function, *arguments)
        else:
            result = benchmark.pedantic(function, arguments, rounds=rounds, warmup_rounds=1)
        benchmark.extra_info["reference_s"] = min(before, reference())
        return result

    return run
