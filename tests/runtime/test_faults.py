"""Whole runs in which something goes wrong: what is seen, and that it goes on."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median

import jsonschema
import pytest

import edge_us
from edge_us.finding import SHOWING, AiState, FrameResult, SourceState
from edge_us.frame import Frame
from edge_us.replay import lossless
from edge_us.replay.bundle import Happening
from edge_us.replay.reader import read_bundle
from edge_us.replay.replay import judge, open_replay
from edge_us.runtime.restart import RestartBudget
from edge_us.runtime.run import Run
from edge_us.schema import schema_path
from edge_us.testing.faults import OF_SOURCE, Fault, FaultKind, FaultyLane, Schedule, faults

PHANTOM = "phantom:?probe=linear&lesion=benign&size=640x480&frames=60&fps=30&seed=1&loop=1"
INTERVAL_MS = 1000 / 30
LONG_S = 90.0
"""No run here takes so long, however busy the machine is."""

Seen = list[tuple[Frame, FrameResult]]
Until = Callable[[Seen, float], bool]
"""From what was seen, and the seconds from its first frame to its last, to whether that is enough."""


def failed(result: FrameResult) -> bool:
    return result.ai_state is AiState.OFF and "waiting" not in result.reason


def recovered(seen: Seen, _seconds: float) -> bool:
    """The AI failed, and is back."""
    return seen[-1][1].ai_state is not AiState.OFF and any(failed(result) for _, result in seen)


def run_with(kind: FaultKind, lasts_s: float, until: Until, **options: object) -> tuple[Run, Seen]:
    """A live run with one fault, one second after its first frame, that ends when enough was seen.

    A fault of the network has to last longer than an inference: it fails those that end meanwhile.
    """
    seen: Seen = []
    with faults(Schedule([Fault(kind, 1.0, lasts_s)])):
        run = edge_us.run(PHANTOM, mode="live", **options)
        for frame, result in run:
            seen.append((frame, result))
            seconds = (frame.captured_ns - seen[0][0].captured_ns) / 1e9
            if until(seen, seconds):
                run.stop()
                break
            assert seconds < LONG_S, "it never came to that"
    return run, seen


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restarts without the pauses between them."""
    monkeypatch.setattr("edge_us.runtime.live.RestartBudget", partial(RestartBudget, back_off_s=0.01))


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind is not FaultKind.SLOW])
def test_every_fault_is_replayed_from_a_bundle_as_it_was(
    kind: FaultKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lossless, "QUEUE", 10_000)  # a busy machine's encoder is late, and no picture may be missing
    of_source = kind in OF_SOURCE

    def enough(seen: Seen, seconds: float) -> bool:
        return len(seen) > 40 and (seconds > 2.5 if of_source else recovered(seen, seconds))

    run_with(kind, 1.0, enough, bundle=str(tmp_path / "bundle"))
    bundle = read_bundle(tmp_path / "bundle")
    verdict = judge(open_replay(tmp_path / "bundle"))
    assert verdict.differing == 0, verdict.first
    assert verdict.frames > 20
    seen = {event.event for event in bundle.events}
    if not of_source:
        assert Happening.RESTARTED in seen
    if kind is FaultKind.SILENCE:
        assert Happening.SOURCE in seen


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (FaultKind.RAISES, "the device is lost"),
        (FaultKind.OUT_OF_MEMORY, "MemoryError: out of memory"),
        (FaultKind.NOT_A_NUMBER, "numbers that are none"),
    ],
)
def test_a_network_that_fails_costs_its_outlines_and_nothing_else(kind: FaultKind, says: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    run, seen = run_with(kind, 1.0, recovered, report=str(report))
    off = [(frame, result) for frame, result in seen if failed(result)]
    assert all(says in result.reason and not result.findings for _, result in off)
    waited_ms = [((result.shown_ns or 0) - frame.captured_ns) / 1e6 for frame, result in off]
    assert median(waited_ms) < 2 * INTERVAL_MS, "the raw picture does not wait for the network"
    assert run.report is not None
    assert run.report["restarts"].get("error", 0) >= 1
    written = json.loads(report.read_text())
    jsonschema.validate(written, json.loads(schema_path("report-1").read_text()))
    frames = written["frames"]
    assert frames["captured"] == frames["shown"] + sum(frames["dropped"].values())


def test_a_network_that_hangs_is_replaced_and_the_picture_never_waits() -> None:
    run, seen = run_with(FaultKind.HANGS, 1.0, recovered)
    reasons = {result.reason for _, result in seen if result.ai_state is AiState.OFF}
    assert any("hangs for more than 2 s" in reason for reason in reasons)
    stale = [(frame, result) for frame, result in seen if result.ai_state is AiState.STALE]
    assert stale, "before it is known that it hangs, its last result grows old and goes"
    waited_ms = [((result.shown_ns or 0) - frame.captured_ns) / 1e6 for frame, result in stale]
    assert median(waited_ms) < 3 * INTERVAL_MS, "one interval at most, and then the picture is shown"
    assert run.report is not None
    assert run.report["restarts"]["hang"] >= 1


def test_a_network_that_never_works_again_stays_off_visibly(at_once: None) -> None:
    run, seen = run_with(FaultKind.RAISES, 1000.0, lambda seen, _: "; off " in seen[-1][1].reason)
    last = seen[-1][1]
    assert last.ai_state is AiState.OFF
    assert last.reason.endswith("the device is lost; off after 5 restarts in 60 s")
    assert run.report is not None
    assert run.report["restarts"] == {"error": 5}


def test_a_fallback_takes_over_where_it_is_allowed_and_says_so(at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = FaultyLane.wait

    def only_openvino(lane: FaultyLane) -> object:
        if "OpenVino" in type(lane._lane).__qualname__:
            return whole(lane)
        return lane._lane.wait()

    monkeypatch.setattr(FaultyLane, "wait", only_openvino)
    run, _ = run_with(FaultKind.RAISES, 1000.0, recovered, fallback="cpu")
    assert run.report is not None
    assert run.report["backend"]["name"] == "onnxruntime"
    assert any("onnxruntime fp32 took over" in warning for warning in run.report["warnings"])


@pytest.mark.parametrize("times", [1, 2, 5, 10])
def test_however_slow_the_network_no_result_is_older_than_the_limit_and_every_age_is_true(
    times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_us.testing.faults.SLOWER_S", times * INTERVAL_MS / 1e3)
    schedule = Schedule([Fault(FaultKind.SLOW, 0.0, 1000.0)])
    captured: dict[int, int] = {}
    drawn = ages = 0
    with faults(schedule):
        run = edge_us.run(PHANTOM, mode="live", max_age_ms=150.0, max_frames=100)
        for frame, result in run:
            captured[frame.index] = frame.captured_ns
            if result.frame_index is None:
                assert result.findings == ()
                continue
            assert result.captured_ns == captured[result.frame_index], "the stamp is that of the frame looked at"
            assert result.shown_ns is not None
            assert result.age_ms == pytest.approx((result.shown_ns - captured[result.frame_index]) / 1e6)
            assert result.shown_ns <= time.monotonic_ns()
            ages += 1
            if result.ai_state in SHOWING and result.frame_index != frame.index:
                assert result.age_ms is not None
                assert result.age_ms <= 150.0
                drawn += bool(result.findings)
            elif result.ai_state is AiState.STALE:
                assert result.findings == ()
    assert ages > 20


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (FaultKind.BLACK, lambda result: result.ai_state is AiState.NOT_ANALYSABLE and not result.findings),
        (
            FaultKind.FROZEN,
            lambda result: not result.findings and bool(re.fullmatch(r"frozen picture for [1-3] s", result.reason)),
        ),
    ],
)
def test_a_black_or_frozen_picture_is_named(kind: FaultKind, check: Callable[[FrameResult], bool]) -> None:
    # Where inference is slow its results are late, and not wrong: what they name is what is asked here.
    _, seen = run_with(
        kind, 3.0, lambda seen, seconds: seconds > 4.5 and seen[-1][1].ai_state is AiState.ON, max_age_ms=5000
    )
    during = [result for frame, result in seen if 2.5 < (frame.captured_ns - seen[0][0].captured_ns) / 1e9 < 3.8]
    assert sum(map(check, during)) > 0.8 * len(during) > 0


def test_pictures_of_another_size_are_shown_at_once_and_recorded_in_a_part_of_their_own(tmp_path: Path) -> None:
    record = tmp_path / "out.mp4"
    run, seen = run_with(FaultKind.RESIZED, 1.5, lambda _, seconds: seconds > 3.5, record=str(record))
    assert {frame.size for frame, _ in seen} == {(640, 480), (320, 240)}
    for frame, result in seen:
        for found in result.findings if result.ai_state in SHOWING else ():
            if result.frame_index == frame.index:
                assert found.box[2] <= frame.width
                assert found.box[3] <= frame.height
    assert {path.name for path in tmp_path.iterdir()} == {"out.mp4", "out-2.mp4", "out-3.mp4"}
    assert not run.failures


def test_a_jump_of_the_clock_ends_all_tracks_and_nothing_else() -> None:
    _, seen = run_with(FaultKind.CLOCK_JUMP, 0.5, lambda _, seconds: seconds > 2.5)
    pts = [frame.pts_ns for frame, _ in seen]
    assert pts == sorted(pts)
    assert pts[-1] - pts[0] > 3_600_000_000_000
    assert all(result.age_ms is None or result.age_ms < 1e3 * LONG_S for _, result in seen)


def test_silence_takes_the_outlines_and_says_since_when(tmp_path: Path) -> None:
    findings = tmp_path / "f.jsonl"
    run, seen = run_with(FaultKind.SILENCE, 3.0, lambda _, seconds: seconds > 5.0, findings=str(findings))
    gap_s = max(after.captured_ns - before.captured_ns for (before, _), (after, _) in pairwise(seen)) / 1e9
    assert 2.5 < gap_s < 6.0
    assert seen[-1][1].source_state is SourceState.RUNNING
    assert run.report is not None
    assert run.status.source_state is SourceState.RUNNING
