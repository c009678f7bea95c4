"""Whole runs on a GPU that is played: it fails, and the picture goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

import edge_us
from edge_us.errors import PipelineError
from edge_us.finding import SHOWING, AiState, FrameResult, Unknown
from edge_us.frame import Frame
from edge_us.inference.backend import Backend, BackendName, Network, Precision
from edge_us.inference.tensorrt_backend import TensorRtBackend
from edge_us.runtime.run import Run
from tests.cuda.cpu_kernels import CpuKernels
from tests.cuda.fake_driver import FakeDriver
from tests.cuda.fake_engine import FakeEngine, ready
from tests.inference.test_gpu_choice import WHOLE

PHANTOM = "phantom:?probe=linear&lesion=benign&size=640x480&frames=60&fps=20&seed=1&loop=1"
LIMIT_S = 30.0
Seen = list[tuple[Frame, FrameResult]]
Until = Callable[[FrameResult], bool]


class Bench:
    """Opens backends as `open_tensorrt` does, and keeps their drivers."""

    def __init__(self, kernels: CpuKernels) -> None:
        self._kernels = kernels
        self.drivers: list[FakeDriver] = []
        self.gpu = WHOLE

    def open(self, model: Network, precision: Precision, lanes: int) -> Backend:
        driver = FakeDriver(self._kernels)
        self.drivers.append(driver)
        return TensorRtBackend(model, ready(FakeEngine(model.path, driver)), driver, lanes)

    def fail(self, call: str, error: str) -> None:
        """The next such call fails on every driver."""
        for driver in self.drivers:
            driver.fail[call] = (1, error)

    def lose(self) -> None:
        """The device is gone for good."""
        self.gpu = replace(WHOLE, driver=Unknown("the driver sees no GPU"))
        for driver in self.drivers:
            driver.lost = True


@pytest.fixture
def bench(cpu_kernels: CpuKernels, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench(cpu_kernels)
    monkeypatch.setattr("edge_us.inference.backends.open_tensorrt", bench.open)
    monkeypatch.setattr("edge_us.inference.backends.probe_gpu", lambda name: bench.gpu)
    monkeypatch.setattr("edge_us.inference.backends.unready_engine", lambda model, precision: "")
    yield bench
    for driver in bench.drivers:
        assert driver.lost or +driver.live == {}, "something was not given back"


def watch(until: Until, then: Callable[[], None] | None = None, **options: object) -> tuple[Run, Seen]:
    """A live run until something is seen; ``then`` happens half a second after its first frame."""
    seen: Seen = []
    run = edge_us.run(PHANTOM, mode="live", classifier="off", **options)
    for frame, result in run:
        seen.append((frame, result))
        since = (frame.captured_ns - seen[0][0].captured_ns) / 1e9
        assert since < LIMIT_S, f"never came: {result.ai_state}, {result.reason}"
        if then is None and until(result):
            run.stop()
            break
        if then is not None and since > 0.5:
            then()
            then = None
    assert run.report is not None
    frames = run.report["frames"]
    assert frames["captured"] == frames["shown"] + sum(frames["dropped"].values())
    return run, seen


def test_a_run_on_the_gpu_shows_findings_and_gives_everything_back(bench: Bench) -> None:
    run, _ = watch(lambda result: bool(result.findings))
    assert run.report is not None
    assert run.report["backend"]["name"] == "tensorrt"
    assert run.report["restarts"] == {}
    assert all(driver.closed for driver in bench.drivers)


@pytest.mark.parametrize(
    ("call", "error"),
    [("launch_graph", "CUDA_ERROR_LAUNCH_FAILED"), ("upload", "CUDA_ERROR_OUT_OF_MEMORY")],
)
def test_a_call_that_fails_costs_a_restart_and_the_picture_goes_on(bench: Bench, call: str, error: str) -> None:
    run, seen = watch(
        lambda result: len(bench.drivers) == 2 and result.ai_state in SHOWING, lambda: bench.fail(call, error)
    )
    off = [result for _, result in seen if result.ai_state is AiState.OFF and "waiting" not in result.reason]
    says = f"the GPU failed: {call} says {error.removeprefix('CUDA_ERROR_')}"
    assert all(says in result.reason and not result.findings for result in off)
    assert run.report is not None
    assert run.report["restarts"] == {"error": 1}


def test_a_gpu_that_is_lost_leaves_the_raw_picture_and_says_so(bench: Bench) -> None:
    run, seen = watch(lambda result: "off after 5 restarts" in result.reason, bench.lose)
    last = seen[-1][1]
    assert last.ai_state is AiState.OFF
    assert "the driver sees no GPU" in last.reason
    assert not last.findings
    assert run.report is not None
    assert run.report["backend"]["name"] == "tensorrt", "auto does not become the CPU in the midst of a run"


def test_the_cpu_takes_over_where_that_is_allowed_and_the_report_says_so(bench: Bench) -> None:
    lost_at = 0

    def lose() -> None:
        nonlocal lost_at
        lost_at = time.monotonic_ns()
        bench.lose()

    def taken_over(result: FrameResult) -> bool:
        return result.ai_state in SHOWING and result.captured_ns is not None and result.captured_ns > lost_at

    run, _ = watch(taken_over, lose, fallback="cpu", backend=BackendName.TENSORRT)
    assert run.report is not None
    assert run.report["backend"]["name"] == "openvino"
    assert any("tensorrt failed" in warning and "took over" in warning for warning in run.report["warnings"])


def test_no_room_at_the_start_ends_the_run_before_it_began(
    bench: Bench, cpu_kernels: CpuKernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = FakeDriver(cpu_kernels)
    driver.fail["allocate"] = (3, "CUDA_ERROR_OUT_OF_MEMORY")
    bench.drivers.append(driver)
    monkeypatch.setattr(
        "edge_us.inference.backends.open_tensorrt",
        lambda model, precision, lanes: TensorRtBackend(model, ready(FakeEngine(model.path, driver)), driver, lanes),
    )
    with pytest.raises(PipelineError, match="allocate says OUT_OF_MEMORY"):
        list(edge_us.run(PHANTOM, mode="live", backend=BackendName.TENSORRT))
    assert driver.closed


def test_a_recording_on_several_lanes_gives_the_findings_of_the_cpu(bench: Bench) -> None:
    source = "phantom:?probe=linear&lesion=benign&size=640x480&frames=50&fps=20&seed=1"
    options = {"mode": "every", "classifier": "off", "precision": "fp32", "on_frames": 1}
    found = [result for _, result in edge_us.run(source, **options)]
    assert bench.drivers, "it ran on the GPU"
    expected = [result for _, result in edge_us.run(source, backend="onnxruntime", **options)]
    assert any(result.findings for result in expected)
    for one, other in zip(found, expected, strict=True):
        assert len(one.findings) == len(other.findings)
        for ours, theirs in zip(one.findings, other.findings, strict=True):
            assert ours.box == pytest.approx(theirs.box, abs=0.1)
            assert ours.score == pytest.approx(theirs.score, abs=1e-3)
