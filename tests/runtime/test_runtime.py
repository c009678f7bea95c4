"""Slot, worker, presentation rule, ledger and outputs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import median

import numpy as np
import pytest

from edge_us.errors import GpuLostError, PipelineError
from edge_us.finding import AiState, Finding, FindingKind, FrameResult, SourceState
from edge_us.frame import Frame, PixelFormat, Rect
from edge_us.overlay.picture import Picture
from edge_us.runtime.analyser import Analyser, RegionPolicy
from edge_us.runtime.composer import Captured, Composer
from edge_us.runtime.failure import Failure
from edge_us.runtime.ledger import Histogram, Ledger, RecentFps
from edge_us.runtime.outputs import Outputs
from edge_us.runtime.present import present
from edge_us.runtime.restart import RestartBudget
from edge_us.runtime.slot import Slot
from edge_us.runtime.worker import JOIN_TIMEOUT_S, InferenceWorker
from edge_us.sinks.sink import Sees
from edge_us.tracking.tracker import Tracker

MS = 1_000_000
LONG_S = 20.0
"""Nothing here takes so long, however busy the machine is."""


def frame(index: int, captured_ns: int = 0) -> Frame:
    return Frame(np.zeros((32, 32), np.uint8), PixelFormat.GRAY8, 32, 32, index, index * 40 * MS, captured_ns)


def result(index: int, captured_ns: int = 0) -> FrameResult:
    found = Finding(FindingKind.LESION, (1, 1, 9, 9), 0.9, np.zeros((0, 2), np.float32), track=1)
    return FrameResult(index, captured_ns, SourceState.RUNNING, AiState.ON, (found,))


class PlayedDetector:
    """A detector that finds the same on every frame, as soon as it may, or one that fails."""

    def __init__(self, error: Exception | None = None, *, held: bool = False) -> None:
        self.error = error
        self.begun, self.may = threading.Event(), threading.Event()
        if not held:
            self.may.set()
        self.looked_at: list[int] = []
        self.stages_ns: Mapping[str, int] = {"infer": 1}
        self.lanes = 1

    def start(self, frame: Frame, region: Rect | None) -> int:
        self.begun.set()
        return frame.index

    def finish(self, job: int) -> tuple[Finding, ...]:
        assert self.may.wait(LONG_S)
        self.looked_at.append(job)
        if self.error is not None:
            raise self.error
        return result(job).findings


def analyser(detector: PlayedDetector) -> Analyser:
    return Analyser(detector, None, RegionPolicy.FULL)


def worker_on(detector: PlayedDetector, budget: RestartBudget | None = None) -> InferenceWorker:
    """A worker that is restarted on the same detector."""
    return InferenceWorker(
        analyser(detector), lambda _result, _stages: None, lambda *_: analyser(detector), budget or RestartBudget()
    )


def soon() -> int:
    """A deadline that nobody reaches who does not hang."""
    return time.monotonic_ns() + round(LONG_S * 1e9)


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG_S
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.002)


def test_the_newest_frame_wins_at_the_slot() -> None:
    slot = Slot()
    for index in range(3):
        slot.put(frame(index))
    taken = slot.take()
    assert taken is not None
    assert taken.index == 2


def test_closing_the_slot_wakes_whoever_waits() -> None:
    slot = Slot()
    woken: list[Frame | None] = []
    waiting = threading.Thread(target=lambda: woken.append(slot.take()))
    waiting.start()
    slot.close()
    waiting.join(LONG_S)
    assert woken == [None]


def test_the_worker_passes_over_frames_that_it_has_no_time_for() -> None:
    detector = PlayedDetector(held=True)
    worker = worker_on(detector)
    try:
        worker.offer(frame(0))
        assert detector.begun.wait(LONG_S)
        for index in range(1, 10):
            worker.offer(frame(index))
        detector.may.set()
        newest, failure = worker.newest(9, soon())
    finally:
        worker.close()
    assert newest is not None
    assert (newest.frame_index, failure) == (9, "")
    assert detector.looked_at == [0, 9]


def test_a_failing_network_is_a_reason_and_is_begun_anew() -> None:
    detector = PlayedDetector(error=ValueError("NaN"))
    worker = worker_on(detector)
    try:
        worker.offer(frame(0))
        newest, failure = worker.newest(0, soon())
        assert (newest, failure) == (None, "ValueError: NaN; restarting")
        detector.error = None
        newest, failure = look(worker, 1)
    finally:
        worker.close()
    assert newest is not None
    assert failure == ""
    assert worker.restarts == {"error": 1}


def look(worker: InferenceWorker, index: int) -> tuple[FrameResult | None, str]:
    """Offer a frame until it was looked at or the AI is off."""
    end = time.monotonic() + LONG_S
    while True:
        worker.offer(frame(index))
        newest, failure = worker.newest(index, time.monotonic_ns() + 20 * MS)
        if (newest is not None and newest.frame_index == index) or "; off " in failure:
            return newest, failure
        assert time.monotonic() < end, "neither a result nor an end"


def test_what_fails_again_and_again_stays_off_and_says_so() -> None:
    detector = PlayedDetector(error=RuntimeError("device lost"))
    worker = worker_on(detector, RestartBudget(3, back_off_s=0.01))
    try:
        _, failure = look(worker, 0)
        assert failure == "RuntimeError: device lost; off after 3 restarts in 60 s"
        detector.error = None
        started = time.monotonic()
        newest, failure = worker.newest(7, soon())
        assert time.monotonic() - started < LONG_S / 2, "nobody waits for what is off"
    finally:
        worker.close()
    assert newest is None
    assert "device lost" in failure
    assert len(detector.looked_at) == 4
    assert worker.restarts == {"error": 3}


def test_a_hanging_inference_is_left_alone_and_another_takes_over() -> None:
    hanging, other = PlayedDetector(held=True), PlayedDetector()
    worker = InferenceWorker(
        analyser(hanging), lambda _result, _stages: None, lambda *_: analyser(other), RestartBudget(5), hang_s=0.5
    )
    hung = worker._thread
    try:
        worker.offer(frame(0))
        assert hanging.begun.wait(LONG_S)
        failure, waited = "", []
        while "hangs" not in failure:
            started = time.monotonic()
            newest, failure = worker.newest(0, time.monotonic_ns() + 40 * MS)
            waited.append(time.monotonic() - started)
            assert sum(waited) < LONG_S
        assert newest is None
        assert failure == "inference hangs for more than 0.5 s; restarting"
        assert median(waited) < 0.2, "the picture waits for one frame interval and no longer"
        newest, failure = look(worker, 5)
        assert newest is not None
        assert (newest.frame_index, failure) == (5, "")
        hanging.may.set()
        hung.join(LONG_S)  # it comes back with its old result
        assert hanging.looked_at == [0]
        newest, _ = worker.newest(5, 0)
        assert newest is not None
        assert newest.frame_index == 5, "what a thread that hung still delivers is thrown away"
    finally:
        hanging.may.set()
        worker.close()
    assert worker.restarts == {"hang": 1}


class Learner:
    """A conclusion that says nothing, and learns when it may, or fails at that."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.may = threading.Event()
        self.learnt = 0

    def apply(
        self, frame: Frame, findings: Sequence[Finding], region: Rect | None, withheld: str | None
    ) -> tuple[Finding, ...]:
        return tuple(findings)

    def learn(self) -> None:
        self.may.wait(LONG_S)
        if self.error is not None:
            raise self.error
        self.learnt += 1


@pytest.mark.parametrize(
    ("error", "may", "restarts"),
    [(None, True, {}), (ValueError("NaN"), True, {"error": 1}), (None, False, {"hang": 1})],
)
def test_a_result_is_out_before_anything_is_learnt_from_it(
    error: Exception | None, may: bool, restarts: dict[str, int]
) -> None:
    detector, learner = PlayedDetector(), Learner(error)
    first = Analyser(detector, None, RegionPolicy.FULL, conclusions={"learn": learner})
    worker = InferenceWorker(
        first, lambda _result, _stages: None, lambda *_: analyser(detector), RestartBudget(5),
        hang_s=LONG_S if may else 1.0,
    )  # fmt: skip
    try:
        newest, failure = look(worker, 0)
        assert newest is not None
        assert (newest.frame_index, failure, learner.learnt) == (0, "", 0)
        if may:
            learner.may.set()
        newest, failure = look(worker, 1)
        assert newest is not None
        assert (newest.frame_index, failure) == (1, "")
    finally:
        learner.may.set()
        worker.close()
    assert worker.restarts == restarts


def test_networks_that_cannot_be_had_again_use_up_the_budget() -> None:
    detector = PlayedDetector(error=RuntimeError("device lost"))

    def gone(failure: Failure, attempt: int) -> Analyser:
        raise PipelineError(f"no device ({failure.message})", "Plug it in.")

    told: list[str] = []
    worker = InferenceWorker(
        analyser(detector), lambda _result, _stages: None, gone, RestartBudget(2, back_off_s=0.1), on_off=told.append
    )
    try:
        _, failure = look(worker, 0)
    finally:
        assert worker.close(), "no thread is left"
    assert failure == "no device (no device (RuntimeError: device lost)); off after 2 restarts in 60 s"
    (why,) = told
    assert why.startswith("the AI is off after 2 restarts in 60 s: no device")
    assert why.endswith("Plug it in."), "what to do is not lost"


def test_what_can_never_work_again_in_this_process_is_not_tried_again() -> None:
    detector = PlayedDetector(error=GpuLostError("the GPU failed: LAUNCH_FAILED", "Start edge-us again."))
    asked: list[Failure] = []

    def refused(failure: Failure, attempt: int) -> Analyser:
        asked.append(failure)
        raise GpuLostError(failure.message, failure.hint)

    told: list[str] = []
    worker = InferenceWorker(
        analyser(detector), lambda _result, _stages: None, refused, RestartBudget(5), on_off=told.append
    )
    try:
        _, failure = look(worker, 0)
    finally:
        worker.close()
    assert failure == "the GPU failed: LAUNCH_FAILED; off until edge-us is started again"
    assert [each.lasts for each in asked] == [True], "asked once, for a fallback"
    assert worker.restarts == {}
    assert told == ["the AI is off until edge-us is started again: the GPU failed: LAUNCH_FAILED. Start edge-us again."]


def test_building_networks_that_hangs_is_given_up_and_counts_as_a_restart() -> None:
    detector = PlayedDetector(error=RuntimeError("device lost"))
    may, asked, delivered = threading.Event(), [], PlayedDetector()

    def hanging(failure: Failure, attempt: int) -> Analyser:
        asked.append(failure)
        threads.append(threading.current_thread())
        may.wait(LONG_S)
        return analyser(delivered)

    threads: list[threading.Thread] = []
    budget = RestartBudget(2, back_off_s=0.01)
    worker = InferenceWorker(analyser(detector), lambda _result, _stages: None, hanging, budget, build_s=0.2)
    try:
        _, failure = look(worker, 0)
        assert failure == "building the networks anew hangs for more than 0.2 s; off after 2 restarts in 60 s"
        assert [each.hangs for each in asked] == [False, True]
        assert worker.restarts == {"error": 1, "hang": 1}
        may.set()
        for thread in threads:
            thread.join(LONG_S)  # both come back, with networks that nobody wants any more
        newest, failure = look(worker, 1)
        assert newest is None
        assert "off after" in failure
    finally:
        may.set()
        worker.close()
    assert not delivered.looked_at


def test_a_change_of_networks_that_hangs_is_given_up_as_well() -> None:
    may = threading.Event()

    def hanging() -> Analyser:
        may.wait(LONG_S)
        return analyser(PlayedDetector())

    detector = PlayedDetector()
    worker = InferenceWorker(
        analyser(detector), lambda _result, _stages: None, lambda *_: analyser(detector), RestartBudget(2), build_s=0.5
    )
    try:
        worker.replace(hanging)
        newest, failure = look(worker, 0)
        assert newest is not None
        assert failure == ""
    finally:
        may.set()
        worker.close()
    assert worker.restarts == {"hang": 1}


def test_a_worker_that_waits_before_a_restart_ends_at_once() -> None:
    detector = PlayedDetector(error=RuntimeError("device lost"))
    worker = worker_on(detector, RestartBudget(5, back_off_s=10 * JOIN_TIMEOUT_S))
    worker.offer(frame(0))
    wait_until(lambda: worker.restarts == {"error": 1})
    worker.offer(frame(1))
    wait_until(lambda: detector.looked_at == [0, 1])
    assert worker.close(), "it did not wait to the end"
    assert worker.restarts == {"error": 1}, "the second one was still being waited for"


def test_restarts_wait_longer_each_time_and_the_first_one_not_at_all() -> None:
    budget = RestartBudget(5, 60.0, back_off_s=0.5)
    pauses = []
    for at in range(5):
        assert budget.take(at * 1000 * MS)
        pauses.append(budget.pause_s(at * 1000 * MS))
    assert pauses == [0, 0.5, 1, 2, 4]
    budget = RestartBudget(5, 60.0)
    assert budget.take(0)
    assert budget.take(100_000 * MS)
    assert budget.pause_s(100_000 * MS) == 0, "the one before is long ago"


def test_restarts_that_take_long_and_never_help_use_up_the_budget_too() -> None:
    budget = RestartBudget(3, 60.0)
    assert [budget.take(at * 100_000 * MS) for at in range(4)] == [True, True, True, False]
    assert str(budget) == "3 restarts in vain"


def test_the_restart_budget_refills_with_time_until_it_is_overdrawn() -> None:
    budget = RestartBudget(2, 60.0)
    second = 1000 * MS
    for at in (0, 30, 61, 91):
        assert budget.take(at * second)
        budget.worked()
    assert budget.recent(100 * second) == 2
    assert not budget.take(100 * second)
    assert not budget.take(10_000 * second), "once overdrawn it stays so: what comes and goes is worse than what is off"


@pytest.mark.parametrize(("age_ms", "state"), [(0, AiState.ON), (199, AiState.ON), (201, AiState.STALE)])
def test_a_result_of_another_frame_is_shown_only_up_to_the_limit(age_ms: int, state: AiState) -> None:
    shown = present(frame(5), result(4, 1000 * MS), SourceState.RUNNING, (1000 + age_ms) * MS, 200.0, "")
    assert shown.ai_state is state
    assert shown.age_ms == age_ms
    assert bool(shown.findings) is (state is AiState.ON)


def test_a_frames_own_result_is_never_stale() -> None:
    shown = present(frame(4), result(4, 0), SourceState.RUNNING, 900 * MS, 200.0, "")
    assert shown.ai_state is AiState.ON
    assert shown.age_ms == 900


def test_without_a_result_or_with_a_failure_the_ai_is_off_and_says_why() -> None:
    for newest, failure in ((None, ""), (result(3), "out of memory")):
        shown = present(frame(4), newest, SourceState.RUNNING, 1, 200.0, failure)
        assert shown.ai_state is AiState.OFF
        assert shown.findings == ()
        assert shown.reason == (failure or "waiting for the first result")


def test_quantiles_are_nearest_rank_within_a_step() -> None:
    histogram = Histogram()
    for value in range(1, 101):
        histogram.add(value * MS)
    summary = histogram.summary()
    assert summary["p50"] == pytest.approx(50, abs=0.011)
    assert summary["p99"] == pytest.approx(99, abs=0.011)
    assert summary["max"] == 100
    assert Histogram().summary()["p50"] is None


def test_fps_counts_shown_frames_from_the_first_to_the_last() -> None:
    ledger = Ledger()
    for index in range(31):
        ledger.show(0, index * 33_333_333, own_result=index % 2 == 0)
    assert ledger.fps == pytest.approx(30, rel=1e-3)
    assert (ledger.shown, ledger.skipped) == (31, 15)
    recent = RecentFps()
    assert [recent.tick(index * 100 * MS) for index in range(12)][-1] == pytest.approx(10)


class DyingSink:
    name = "dying"
    sees = Sees.KEPT
    dropped = 0

    def __init__(self, lives: int, error: Exception | None = None) -> None:
        self.lives, self.written = lives, 0
        self.error = error or PipelineError("disk full", "make room")

    def write(self, frame: Frame, result: FrameResult, picture: Picture | None) -> None:
        if self.written == self.lives:
            raise self.error
        self.written += 1

    def close(self) -> None:
        return None


def test_a_sink_that_dies_stops_alone() -> None:
    dying, healthy = DyingSink(2), DyingSink(99)
    outputs = Outputs([dying, healthy])
    for index in range(5):
        outputs.write(frame(index), result(index), {})
    assert (dying.written, healthy.written) == (2, 5)
    assert [error.message for error in outputs.failures] == ["disk full"]
    assert outputs.wants(Sees.KEPT)
    assert not outputs.wants(Sees.SCREEN)


def test_a_sink_that_dies_of_a_defect_of_ours_stops_alone_too() -> None:
    dying, healthy = DyingSink(0, ValueError("not JSON")), DyingSink(99)
    outputs = Outputs([dying, healthy])
    outputs.write(frame(0), result(0), {})
    outputs.write(frame(1), result(1), {})
    assert healthy.written == 2
    assert [error.message for error in outputs.failures] == ["the dying stopped: ValueError: not JSON"]


def test_findings_that_cannot_be_drawn_cost_themselves_and_not_the_picture() -> None:
    class Screen(DyingSink):
        sees = Sees.SCREEN

        def write(self, frame: Frame, result: FrameResult, picture: Picture | None) -> None:
            assert picture is not None
            self.written += 1

    screen = Screen(99)
    composer = Composer(Outputs([screen]), Ledger(), "model")
    broken = replace(result(0).findings[0], contour=np.zeros((5, 3), np.float32))
    shown = replace(result(0), findings=(broken,), shown_ns=1)
    composer.show(Captured(frame(0), frame(0)), shown)
    assert screen.written == 1


class StillDetector:
    """Sees the same lesion on every frame."""

    stages_ns: Mapping[str, int] = {"infer": 1}
    lanes = 1

    def start(self, frame: Frame, region: Rect | None) -> int:
        return frame.index

    def finish(self, job: int) -> tuple[Finding, ...]:
        return (replace(result(job).findings[0], track=None),)


def tracks_at(seconds: list[float]) -> list[int | None]:
    """The track shown on each of the frames with these stream times, None where there is none yet."""
    watching = Analyser(StillDetector(), Tracker(0.5, on_frames=2), RegionPolicy.FULL)
    shown = []
    for index, second in enumerate(seconds):
        findings = watching.analyse(replace(frame(index), pts_ns=int(second * 1e9))).findings
        shown.append(findings[0].track if findings else None)
    return shown


def test_a_track_does_not_outlive_an_interruption_of_the_source() -> None:
    assert tracks_at([0, 0.04, 0.08, 2.0, 2.04, 2.08]) == [None, 1, 1, None, 2, 2]


def test_a_short_stall_or_a_slow_source_is_no_interruption() -> None:
    assert tracks_at([0, 0.04, 0.08, 0.9, 0.94]) == [None, 1, 1, 1, 1]
    assert tracks_at([0, 2, 4, 6]) == [None, None, 1, 1]


class TwoLanes(StillDetector):
    """Keeps what is on its way, as a backend with two lanes does."""

    lanes = 2

    def __init__(self) -> None:
        self.on_their_way: list[int] = []
        self.most = 0

    def start(self, frame: Frame, region: Rect | None) -> int:
        self.on_their_way.append(frame.index)
        self.most = max(self.most, len(self.on_their_way))
        return frame.index

    def finish(self, job: int) -> tuple[Finding, ...]:
        assert self.on_their_way.pop(0) == job, "first begun, first fetched"
        return super().finish(job)


def test_a_change_of_size_takes_effect_when_its_frame_is_finished_not_when_it_is_begun() -> None:
    small = [replace(frame(index), pts_ns=index * 40 * MS) for index in range(3)]
    big = np.zeros((64, 64), np.uint8)
    large = [replace(frame(index), pts_ns=index * 40 * MS, pixels=big, width=64, height=64) for index in range(3, 6)]
    shown: dict[int, list[int | None]] = {}
    for lanes in (1, 2):
        watching = Analyser(TwoLanes(), Tracker(0.5, on_frames=2), RegionPolicy.FULL)
        begun, tracks = [], []
        for each in (*small, *large):
            begun.append(watching.begin(each))
            if len(begun) == lanes:
                tracks.append([found.track for found in watching.finish(begun.pop(0)).findings])
        tracks += [[found.track for found in watching.finish(left).findings] for left in begun]
        shown[lanes] = [each[0] if each else None for each in tracks]
    assert shown[1] == [None, 1, 1, None, 2, 2]
    assert shown[2] == shown[1]
