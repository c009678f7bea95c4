"""Whole runs on a GPU that is played: it fails, and the picture goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise

import jsonschema
import pytest

import edge_us
from edge_us.config import load_config
from edge_us.errors import ExitCode, ModelError, PipelineError
from edge_us.finding import SHOWING, AiState, FrameResult, Unknown
from edge_us.frame import Frame
from edge_us.inference.backend import Backend, BackendName, Network, Precision
from edge_us.inference.tensorrt_backend import TensorRtBackend
from edge_us.runtime.networks import Networks
from edge_us.runtime.restart import RestartBudget
from edge_us.runtime.run import Run
from edge_us.runtime.worker import HANG_S, InferenceWorker
from edge_us.schema import schema_path
from tests.cuda.cpu_kernels import CpuKernels
from tests.cuda.fake_driver import FakeDriver, Primary
from tests.cuda.fake_engine import FakeEngine, ready
from tests.inference.test_gpu_choice import WHOLE

PHANTOM = "phantom:?probe=linear&lesion=benign&size=640x480&frames=60&fps=20&seed=1&loop=1"
LIMIT_S = 240.0
"""What has not come by then never comes, on a slow machine either."""
NEVER_S = 3600.0
WAIT_S = 120.0
"""As long as this a run waits for a GPU that hangs, where it waits: it is seen on a slow machine, too."""
Seen = list[tuple[Frame, FrameResult]]
Until = Callable[[FrameResult], bool]


class Bench:
    """Opens backends as `open_tensorrt` does, and keeps their drivers."""

    def __init__(self, kernels: CpuKernels) -> None:
        self._kernels = kernels
        self.drivers: list[FakeDriver] = []
        self.gpu = WHOLE
        self.primary = Primary()
        self.unready: dict[str, str] = {}
        """Why the engine of a network, by its name, cannot be taken."""

    def open(self, model: Network, precision: Precision, lanes: int) -> Backend:
        if model.name in self.unready:
            raise ModelError(self.unready[model.name], "Build it.")
        driver = FakeDriver(self._kernels, primary=self.primary)
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
    """A slow machine is no GPU that hangs, and nobody waits between restarts: `let_hangs_be_seen` is for the others."""
    bench = Bench(cpu_kernels)
    let_hangs_be_seen(monkeypatch, hang_s=NEVER_S, build_s=NEVER_S)
    monkeypatch.setattr("edge_us.runtime.live.RestartBudget", partial(RestartBudget, back_off_s=0.01))
    monkeypatch.setattr("edge_us.inference.backends.open_tensorrt", bench.open)
    monkeypatch.setattr("edge_us.inference.backends.probe_gpu", lambda name: bench.gpu)
    monkeypatch.setattr(
        "edge_us.inference.backends.unready_engine", lambda model, precision: bench.unready.get(model.name, "")
    )
    yield bench
    hung = bench.primary.hangs.is_set()
    bench.primary.release.set()
    for driver in bench.drivers:
        assert driver.lost or hung or bench.primary.error or +driver.live == {}, "something was not given back"


def let_hangs_be_seen(monkeypatch: pytest.MonkeyPatch, hang_s: float = HANG_S, build_s: float = NEVER_S) -> None:
    """How long the run's worker may take over an inference, and over building networks."""
    monkeypatch.setattr(
        "edge_us.runtime.live.InferenceWorker", partial(InferenceWorker, hang_s=hang_s, build_s=build_s)
    )


def let_waiting_last(monkeypatch: pytest.MonkeyPatch, seconds: float = WAIT_S) -> None:
    """How long a run waits in the end for a GPU that hangs."""
    monkeypatch.setattr("edge_us.runtime.worker.JOIN_TIMEOUT_S", seconds)
    monkeypatch.setattr("edge_us.runtime.engine.CLOSE_S", seconds)


def watch(until: Until, then: Callable[[], None] | None = None, **options: object) -> tuple[Run, Seen]:
    """A live run until something is seen; ``then`` happens half a second after its first frame."""
    seen: Seen = []
    run = edge_us.run(PHANTOM, mode="live", **{"classifier": "off", **options})
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
    [("launch_graph", "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"), ("upload", "CUDA_ERROR_OUT_OF_MEMORY")],
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
    (why,) = run.report["warnings"]
    assert why.startswith("the AI is off after 5 restarts in 60 s: TensorRT cannot be used: the driver sees no GPU")
    assert why.endswith("See `edge-us doctor`."), "what to do about it is said"


def taken_over(bench: Bench) -> Until:
    """Findings are shown again, of frames from after the GPU failed."""
    begun: list[int] = []

    def until(result: FrameResult) -> bool:
        begun.append(time.monotonic_ns())
        return result.ai_state in SHOWING and result.captured_ns is not None and result.captured_ns > begun[0]

    return until


def test_an_error_that_spoils_the_whole_process_ends_the_ai_at_once_and_says_what_helps(bench: Bench) -> None:
    run, seen = watch(
        lambda result: "off until" in result.reason, lambda: bench.fail("launch_graph", "CUDA_ERROR_LAUNCH_FAILED")
    )
    last = seen[-1][1]
    assert last.ai_state is AiState.OFF
    assert last.reason == "the GPU failed: launch_graph says LAUNCH_FAILED; off until edge-us is started again"
    assert run.report is not None
    assert run.report["restarts"] == {}, "what cannot help was not tried"
    assert len(bench.drivers) == 1
    (why,) = run.report["warnings"]
    assert "start edge-us again (systemctl restart edge-us)" in why


def test_an_error_that_spoils_the_whole_process_goes_to_the_fallback_at_once(bench: Bench) -> None:
    run, _ = watch(taken_over(bench), lambda: bench.fail("launch_graph", "CUDA_ERROR_ILLEGAL_ADDRESS"), fallback="cpu")
    assert run.report is not None
    assert run.report["backend"]["name"] == "openvino"
    assert run.report["restarts"] == {"error": 1}
    assert len(bench.drivers) == 1, "no time was lost with a GPU that cannot work"
    assert any("ILLEGAL_ADDRESS): openvino" in warning for warning in run.report["warnings"])


def test_a_gpu_that_hangs_for_good_goes_to_the_fallback_at_once_and_the_run_ends(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_hangs_be_seen(monkeypatch)
    let_waiting_last(monkeypatch)
    run, seen = watch(taken_over(bench), bench.primary.hangs.set, fallback="cpu")
    ended = time.monotonic_ns()
    assert ended - (seen[-1][1].shown_ns or 0) < WAIT_S / 4 * 1e9, "nobody waits for the GPU at the end"
    assert run.report is not None
    assert run.report["backend"]["name"] == "openvino"
    assert run.report["restarts"] == {"hang": 1}
    assert len(bench.drivers) == 1
    assert any("hangs for more than 2 s): openvino" in warning for warning in run.report["warnings"])


def test_without_a_fallback_a_gpu_that_hangs_for_good_leaves_the_raw_picture_and_the_run_ends(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_hangs_be_seen(monkeypatch, build_s=0.3)
    let_waiting_last(monkeypatch)
    run, seen = watch(lambda result: "off after 5 restarts" in result.reason, bench.primary.hangs.set)
    assert time.monotonic_ns() - (seen[-1][1].shown_ns or 0) < WAIT_S / 4 * 1e9, "nobody waits for the GPU at the end"
    assert seen[-1][1].reason.startswith("building the networks anew hangs for more than 0.3 s; off after 5")
    gaps = [after.captured_ns - before.captured_ns for (before, _), (after, _) in pairwise(seen)]
    assert max(gaps) < WAIT_S / 4 * 1e9, "the picture goes on"
    assert run.report is not None
    assert run.report["restarts"] == {"hang": 5}
    assert any("Start edge-us again" in warning for warning in run.report["warnings"])


def test_a_run_that_is_stopped_while_the_gpu_hangs_ends(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether its thread already waits for the GPU when the run is stopped, or the GPU hangs only when it is closed."""
    let_waiting_last(monkeypatch, 0.5)
    for frame, _ in edge_us.run(PHANTOM, mode="live", classifier="off"):
        if frame.index == 10:
            bench.primary.hangs.set()
            begun = time.monotonic()
            break
    assert time.monotonic() - begun < WAIT_S / 4, "what hangs is left alone"
    assert not bench.drivers[-1].closed, "a thread is still in it"


def test_a_gpu_that_hangs_while_it_is_closed_is_left_alone_and_said(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edge_us.runtime.engine.CLOSE_S", 0.3)
    networks = Networks(load_config({"source": PHANTOM, "classifier": "off"}, environment={}), None, 0)
    bench.primary.hangs.set()
    begun = time.monotonic()
    networks.close()
    networks.close()
    assert time.monotonic() - begun < WAIT_S / 4, "the GPU hangs for longer than that"
    assert [record.message for record in caplog.records] == ["GPU not given back"]
    bench.primary.release.set()
    until = time.monotonic() + LIMIT_S
    while not bench.drivers[0].closed and time.monotonic() < until:
        time.sleep(0.01)
    assert bench.drivers[0].closed, "a GPU that comes back gets everything back"
    assert +bench.drivers[0].live == {}


COMMAND = "edge-us models prebuild lesion-malignancy --precision fp16"


def test_a_network_that_is_on_the_cpu_although_there_is_a_gpu_is_said_with_the_command(bench: Bench) -> None:
    missing = "the engine of lesion-malignancy in fp16 was not built for this machine yet"
    bench.unready["lesion-malignancy"] = f"{missing}; {COMMAND}"
    run, _ = watch(lambda result: bool(result.findings), classifier="auto")
    assert run.report is not None
    assert run.report["backend"]["name"] == "tensorrt"
    assert run.report["classifier"]["backend"]["name"] == "openvino"
    assert run.report["warnings"] == [f"the GPU is not used: {missing}; {COMMAND}"]
    jsonschema.validate(run.report, json.loads(schema_path("report-1").read_text()))


def test_networks_on_both_are_built_anew_each_where_it_was(bench: Bench) -> None:
    bench.unready["lesion-malignancy"] = f"missing; {COMMAND}"
    run, _ = watch(
        lambda result: len(bench.drivers) == 2 and result.ai_state in SHOWING,
        lambda: bench.fail("upload", "CUDA_ERROR_OUT_OF_MEMORY"),
        classifier="auto",
    )
    assert run.report is not None
    assert run.report["restarts"] == {"error": 1}
    assert run.report["classifier"]["backend"]["name"] == "openvino"


def test_a_gpu_that_fails_in_the_first_inference_is_said_to_have_failed_and_not_the_network(bench: Bench) -> None:
    opened = bench.open

    def failing(model: Network, precision: Precision, lanes: int) -> Backend:
        backend = opened(model, precision, lanes)
        bench.fail("launch_graph", "CUDA_ERROR_OUT_OF_MEMORY")
        return backend

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edge_us.inference.backends.open_tensorrt", failing)
        with pytest.raises(PipelineError, match="launch_graph says OUT_OF_MEMORY") as caught:
            list(edge_us.run(PHANTOM, mode="live", backend=BackendName.TENSORRT))
    assert "End other programs that use the GPU" in caught.value.hint
    assert caught.value.exit_code is ExitCode.RUNTIME


def test_the_cpu_takes_over_where_that_is_allowed_and_the_report_says_so(bench: Bench) -> None:
    lost_at = 0

    def lose() -> None:
        nonlocal lost_at
        lost_at = time.monotonic_ns()
        bench.lose()

    def until(result: FrameResult) -> bool:
        return result.ai_state in SHOWING and result.captured_ns is not None and result.captured_ns > lost_at

    run, _ = watch(until, lose, fallback="cpu", backend=BackendName.TENSORRT)
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
