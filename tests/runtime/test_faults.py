"""Whole runs in which something goes wrong: what is seen, and that it goes on."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest

import edge_us
from edge_us.finding import SHOWING, AiState, FrameResult, SourceState
from edge_us.frame import Frame
from edge_us.replay.bundle import Happening
from edge_us.replay.reader import read_bundle
from edge_us.replay.replay import judge, open_replay
from edge_us.runtime.run import Run
from edge_us.schema import schema_path
from edge_us.testing.faults import Fault, FaultKind, Schedule, faults
from tests.runtime.test_outside import slowness

PHANTOM = "phantom:?probe=linear&lesion=benign&size=640x480&frames=60&fps=30&seed=1&loop=1"
INTERVAL_MS = 1000 / 30

Seen = list[tuple[Frame, FrameResult]]


def run_with(kind: FaultKind, lasts_s: float, seconds: float, **options: object) -> tuple[Run, Seen, Schedule]:
    """A live run with one fault, one second after its first frame."""
    schedule = Schedule([Fault(kind, 1.0, lasts_s)])
    seen: Seen = []
    with faults(schedule):
        run = edge_us.run(PHANTOM, mode="live", **options)
        for frame, result in run:
            seen.append((frame, result))
            if (frame.captured_ns - seen[0][0].captured_ns) / 1e9 > seconds:
                run.stop()
                break
    return run, seen, schedule


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind is not FaultKind.SLOW])
def test_every_fault_is_replayed_from_a_bundle_as_it_was(kind: FaultKind, tmp_path: Path) -> None:
    run_with(kind, {FaultKind.HANGS: 0.3}.get(kind, 0.6), 3.0, bundle=str(tmp_path / "bundle"))
    bundle = read_bundle(tmp_path / "bundle")
    verdict = judge(open_replay(tmp_path / "bundle"))
    assert verdict.differing == 0, verdict.first
    assert verdict.frames > 20
    seen = {event.event for event in bundle.events}
    if kind in (FaultKind.RAISES, FaultKind.HANGS, FaultKind.OUT_OF_MEMORY, FaultKind.NOT_A_NUMBER):
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
    run, seen, _ = run_with(kind, 0.2, 8.0, report=str(report))
    off = [result for _, result in seen if result.ai_state is AiState.OFF and "waiting" not in result.reason]
    assert off
    assert all(says in result.reason and not result.findings for result in off)
    assert seen[-1][1].ai_state is not AiState.OFF, "the networks were built anew"
    late = max((result.shown_ns or 0) - frame.captured_ns for frame, result in seen if result.ai_state is AiState.OFF)
    assert late / 1e6 < 2 * INTERVAL_MS * slowness(), "the raw picture does not wait for the network"
    assert run.report is not None
    assert run.report["restarts"].get("error", 0) >= 1
    written = json.loads(report.read_text())
    jsonschema.validate(written, json.loads(schema_path("report-1").read_text()))
    frames = written["frames"]
    assert frames["captured"] == frames["shown"] + sum(frames["dropped"].values())


def test_a_network_that_hangs_is_replaced_and_the_picture_never_waits() -> None:
    run, seen, _ = run_with(FaultKind.HANGS, 0.3, 10.0)
    reasons = {result.reason for _, result in seen if result.ai_state is AiState.OFF}
    assert any("hangs for more than 2 s" in reason for reason in reasons)
    stale = [result for _, result in seen if result.ai_state is AiState.STALE]
    assert stale, "before it is known that it hangs, its last result grows old and goes"
    assert seen[-1][1].ai_state is not AiState.OFF
    assert run.report is not None
    assert run.report["restarts"]["hang"] >= 1


def test_a_network_that_never_works_again_stays_off_visibly() -> None:
    run, seen, _ = run_with(FaultKind.RAISES, 1000.0, 20.0)
    last = seen[-1][1]
    assert last.ai_state is AiState.OFF
    assert last.reason.endswith("the device is lost; off after 5 restarts in 60 s")
    assert run.report is not None
    assert run.report["restarts"] == {"error": 5}


def test_a_fallback_takes_over_where_it_is_allowed_and_says_so() -> None:
    schedule = Schedule([Fault(FaultKind.RAISES, 0.5, 1000.0)])
    from edge_us.testing.faults import FaultyLane

    whole = FaultyLane.wait

    def only_openvino(lane: FaultyLane) -> object:
        if "OpenVino" in type(lane._lane).__qualname__:
            return whole(lane)
        return lane._lane.wait()

    seen: Seen = []
    with pytest.MonkeyPatch.context() as patch, faults(schedule):
        patch.setattr(FaultyLane, "wait", only_openvino)
        run = edge_us.run(PHANTOM, mode="live", fallback="cpu")
        for frame, result in run:
            seen.append((frame, result))
            if (frame.captured_ns - seen[0][0].captured_ns) / 1e9 > 20:
                run.stop()
                break
    assert run.report is not None
    assert run.report["backend"]["name"] == "onnxruntime"
    assert any("onnxruntime fp32 took over" in warning for warning in run.report["warnings"])
    assert seen[-1][1].ai_state in (*SHOWING, AiState.STALE)


@pytest.mark.parametrize("times", [1, 2, 5, 10])
def test_however_slow_the_network_no_result_is_older_than_the_limit_and_every_age_is_true(
    times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_us.testing.faults.SLOWER_S", times * INTERVAL_MS / 1e3)
    schedule = Schedule([Fault(FaultKind.SLOW, 0.0, 1000.0)])
    captured: dict[int, int] = {}
    drawn = ages = 0
    with faults(schedule):
        run = edge_us.run(PHANTOM, mode="live", max_age_ms=150.0, max_frames=150)
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
    _, seen, _ = run_with(kind, 3.0, 7.0)
    during = [result for frame, result in seen if 2.5 < (frame.captured_ns - seen[0][0].captured_ns) / 1e9 < 3.8]
    assert sum(map(check, during)) > 0.8 * len(during) > 0
    assert seen[-1][1].ai_state in (AiState.ON, AiState.STALE)


def test_pictures_of_another_size_are_shown_at_once_and_recorded_in_a_part_of_their_own(tmp_path: Path) -> None:
    record = tmp_path / "out.mp4"
    run, seen, _ = run_with(FaultKind.RESIZED, 2.0, 5.0, record=str(record))
    assert {frame.size for frame, _ in seen} == {(640, 480), (320, 240)}
    for frame, result in seen:
        for found in result.findings if result.ai_state in SHOWING else ():
            if result.frame_index == frame.index:
                assert found.box[2] <= frame.width
                assert found.box[3] <= frame.height
    assert {path.name for path in tmp_path.iterdir()} == {"out.mp4", "out-2.mp4", "out-3.mp4"}
    assert not run.failures


def test_a_jump_of_the_clock_ends_all_tracks_and_nothing_else() -> None:
    _, seen, _ = run_with(FaultKind.CLOCK_JUMP, 0.5, 4.0)
    pts = [frame.pts_ns for frame, _ in seen]
    assert pts == sorted(pts)
    assert pts[-1] - pts[0] > 3_600_000_000_000
    assert all(result.age_ms is None or result.age_ms < 3000 for _, result in seen)


def test_silence_takes_the_outlines_and_says_since_when(tmp_path: Path) -> None:
    findings = tmp_path / "f.jsonl"
    run, seen, _ = run_with(FaultKind.SILENCE, 3.0, 7.0, findings=str(findings))
    gap_s = max(after.captured_ns - before.captured_ns for (before, _), (after, _) in pairwise(seen)) / 1e9
    assert 2.5 < gap_s < 4.5
    assert seen[-1][1].source_state is SourceState.RUNNING
    assert run.report is not None
    assert run.status.source_state is SourceState.RUNNING
