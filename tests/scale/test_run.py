"""Millimetres in a run: from the preset, on every frame of its geometry, and on no other."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import edge_us
from edge_us.colour import to_bgr
from edge_us.finding import AiState, FrameResult, SourceState, Unknown
from edge_us.frame import Frame, Geometry, PixelFormat
from edge_us.phantom.render import render
from edge_us.phantom.spec import parse_uri
from edge_us.replay.reader import read_bundle
from edge_us.replay.replay import judge, open_replay
from edge_us.runtime.present import present
from edge_us.scale.watch import HOLD_FRAMES
from tests.scale.carts import EXAMPLE

CHANGES = "phantom:?cart=0:40,45:60,75:40&frames=120&seed=1"
SPOILT = "nothing of use = ["
CHANGED = "the picture's geometry changed: calibrate again or go back"


def length(result: FrameResult) -> list[object]:
    return [found.measurements["long_axis_mm"] for found in result.findings]


def truth_mm(uri: str, index: int) -> float:
    """Maximum Feret diameter of the phantom's lesion on a frame, in mm."""
    spec, _ = parse_uri(uri)
    for number, made in enumerate(render(spec)):
        if number == index:
            rows, columns = np.nonzero(made.masks[0])
            angles = np.linspace(0, np.pi, 90)
            along = np.outer(np.cos(angles), columns) + np.outer(np.sin(angles), rows)
            return float(np.ptp(along, axis=1).max() + 1) * made.mm_per_px
    raise AssertionError


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, FrameResult], dict[str, object]]:
    """A bundled run over a change of depth and back, its results, and its report's words on the scale.

    Its preset is spoilt under it.
    """
    folder = tmp_path_factory.mktemp("bundle") / "b"
    preset = folder.parent / "cart.toml"
    preset.write_text(Path(EXAMPLE).read_text())
    run = edge_us.run(CHANGES, preset=str(preset), bundle=str(folder))
    results = {}
    for frame, result in run:
        preset.write_text(SPOILT)
        results[frame.index] = result
    assert run.report is not None
    return folder, results, run.report["scale"]


def test_a_change_of_depth_takes_the_millimetres_until_the_picture_is_back(
    changed: tuple[Path, dict[int, FrameResult], dict[str, object]],
) -> None:
    _, results, report = changed
    back = 75 + HOLD_FRAMES - 1
    for index, result in results.items():
        holds = HOLD_FRAMES - 1 <= index < 45 or index >= back
        for value in length(result):
            assert isinstance(value, float) == holds, (index, value)
            if 45 <= index < back:
                assert value == Unknown(CHANGED)
    true = truth_mm(CHANGES, 40)
    # What the network's outline is off by comes on top of the scale; the other depth would read 1.5 times as much.
    for index in (40, 44, back, 119):
        assert length(results[index]), "the lesion is followed before the change and after it"
        assert length(results[index]) == [pytest.approx(true, rel=0.12)]
    assert not results[45].findings, "outlines of the other geometry do not fit"
    assert report == {"frames": 45 - HOLD_FRAMES + 1 + 120 - back, "lost": 1, "reason": None}


def test_a_bundle_keeps_the_change_as_an_event_and_replays_exactly(
    changed: tuple[Path, dict[int, FrameResult], dict[str, object]],
) -> None:
    folder, _, _ = changed
    reasons = [geometry.reason for _, geometry in read_bundle(folder).lines]
    assert [reasons[0] != "", reasons[20], reasons[50], reasons[110]] == [True, "", CHANGED, ""]
    for _, frame in read_bundle(folder).frames():
        assert frame is not None
        assert frame.pixels[:, 660:].max() == 0, "the strips that were watched are not kept"
    verdict = judge(open_replay(folder))
    assert (verdict.frames, verdict.differing) == (120, 0)


def test_live_no_frame_after_the_change_carries_a_length_and_the_run_replays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 8 frames a second, so that a busy machine measures before the change, and shows and keeps all of them, too.
    slow = "phantom:?cart=0:40,30:60,50:40&frames=70&fps=8&seed=1"
    for queue in ("edge_us.capture.paced.LIVE_QUEUE", "edge_us.replay.lossless.QUEUE"):
        monkeypatch.setattr(queue, 70)
    folder, after, before = tmp_path / "b", 0, 0
    run = edge_us.run(slow, preset=EXAMPLE, mode="live", max_age_ms=60_000.0, max_wait_ms=0.0, bundle=str(folder))
    for frame, result in run:
        known = [value for value in length(result) if isinstance(value, float)]
        before += bool(known)
        if frame.geometry.mm_per_px is None:
            after += 1
            assert not known, frame.index
    assert after >= 20
    assert before > 0
    assert judge(open_replay(folder)).differing == 0


def test_a_preset_that_is_changed_under_a_run_does_not_change_the_run(
    changed: tuple[Path, dict[int, FrameResult], dict[str, object]],
) -> None:
    folder, results, _ = changed
    assert (folder.parent / "cart.toml").read_text() == SPOILT
    assert results[119].mm_per_px == (0.08003, 0.08003)


@pytest.mark.parametrize(("scale", "shown"), [((0.1, 0.1), True), (None, False), ((0.15, 0.15), False)])
def test_a_result_of_another_scale_is_not_shown_however_young_it_is(
    scale: tuple[float, float] | None, shown: bool
) -> None:
    geometry = Geometry(mm_per_px=scale, reason="" if scale else CHANGED)
    frame = Frame(np.zeros((48, 64), np.uint8), PixelFormat.GRAY8, 64, 48, 7, 0, 1_000_000, geometry=geometry)
    newest = FrameResult(6, 0, SourceState.RUNNING, AiState.ON, mm_per_px=(0.1, 0.1))
    result = present(frame, newest, SourceState.RUNNING, 2_000_000, 200.0, "")
    assert (result.ai_state is AiState.ON) == shown
    if not shown:
        assert result.reason == "the scale has changed since the newest result"


def test_independent_stills_have_no_scale_of_a_preset(tmp_path: Path) -> None:
    """One picture alone does not show for sure that a pixel is as large as it was."""
    folder = tmp_path / "stills"
    folder.mkdir()
    for number, (frame, _) in enumerate(edge_us.run("phantom:?cart=0:40&size=800x600&frames=2&seed=1")):
        cv2.imwrite(str(folder / f"{number}.png"), to_bgr(frame))
    run = edge_us.run(f"images:{folder}", preset=EXAMPLE)
    assert [frame.geometry.mm_per_px for frame, _ in run] == [None, None]
    assert run.report is not None
    assert any("independent stills" in warning for warning in run.report["warnings"])
