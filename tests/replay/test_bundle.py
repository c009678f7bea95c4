"""What a bundle keeps, and that a run replayed from it comes to the same."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_us
from edge_us.capture.open import open_source
from edge_us.errors import EdgeUsError, ExitCode, InputError, UsageError
from edge_us.finding import SourceState
from edge_us.frame import Colorimetry, ColorMatrix, ColorRange, Frame, PixelFormat
from edge_us.inference.backend import BackendName, Precision
from edge_us.phantom.clip import write_phantom_clip
from edge_us.phantom.spec import PhantomSpec
from edge_us.replay import lossless
from edge_us.replay.compare import EXACT, NEAR
from edge_us.replay.lossless import LosslessWriter, read_lossless
from edge_us.replay.reader import read_bundle
from edge_us.replay.replay import judge, open_replay
from edge_us.sinks.feed import BackPressure
from tests.e2e.test_run import command

PHANTOM = "phantom:?probe=linear&lesion=benign&size=640x480&frames=60&fps=30&seed=1"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_phantom_clip(PhantomSpec(frames=60, width=640, height=480), path)
    return path


@pytest.fixture(scope="module")
def bundle(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording, kept by its hash."""
    folder = tmp_path_factory.mktemp("bundle") / "b"
    for _ in edge_us.run(str(clip), bundle=str(folder)):
        pass
    return folder


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in live mode, kept with its frames; on a slow machine it goes on until there is something to see."""
    folder = tmp_path_factory.mktemp("live") / "b"
    running = edge_us.run(PHANTOM, mode="live", loop=True, max_age_ms=5000, bundle=str(folder))
    end, found = time.monotonic() + 60, 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lossless, "QUEUE", 10_000)  # no picture is missing because the encoder is late
        for number, (_, result) in enumerate(running):
            found += bool(result.findings)
            if (number >= 60 and found > 10) or time.monotonic() > end:
                running.stop()
    return folder


def change(folder: Path, to: Path, name: str, edit: Callable[[str], str]) -> Path:
    """A copy of a bundle with one file edited."""
    shutil.copytree(folder, to)
    path = to / name
    path.write_text(edit(path.read_text()))
    return to


def test_a_recording_is_named_by_hash_and_replayed_exactly(bundle: Path) -> None:
    assert not list(bundle.glob("*.mkv")), "the recording itself is there already"
    read = read_bundle(bundle)
    assert read.is_whole
    assert len(read.lines) == 60
    replay = open_replay(bundle)
    assert replay.tolerance == EXACT
    verdict = judge(replay)
    assert (verdict.frames, verdict.differing) == (60, 0)


def test_a_live_run_is_replayed_exactly_skipped_frames_ages_and_all(live: Path) -> None:
    read = read_bundle(live)
    replay = open_replay(live)
    assert replay.tolerance == EXACT
    verdict = judge(replay)
    assert verdict.first is None or verdict.first.difference is None
    assert verdict.frames + read.missing == len(read.lines)
    assert sum(bool(record.findings) for record in read.findings()) > 5, "a run without findings would prove little"


@pytest.mark.parametrize(
    ("backend", "precision"), [(None, Precision.FP32), (BackendName.ONNXRUNTIME, None)], ids=["fp32", "onnxruntime"]
)
def test_another_backend_or_precision_agrees_within_the_stated_tolerance(
    bundle: Path, backend: BackendName | None, precision: Precision | None
) -> None:
    replay = open_replay(bundle, backend, precision)
    if read_bundle(bundle).header.backend.precision != "fp32":
        assert replay.tolerance == NEAR
    assert judge(replay).differing == 0


def test_the_command_says_same_different_or_not_at_all(bundle: Path, tmp_path: Path) -> None:
    same = command("replay", bundle)
    assert (same.returncode, "60 frames, all as they were" in same.stdout) == (0, True), same.stderr

    def move_a_box(text: str) -> str:
        lines = text.splitlines()
        record = json.loads(lines[50])
        record["findings"][0]["box"][0] -= 5
        lines[50] = json.dumps(record)
        return "\n".join(lines) + "\n"

    page = tmp_path / "page.html"
    changed = change(bundle, tmp_path / "changed", "findings.jsonl", move_a_box)
    differs = command("replay", changed, "--html", page)
    assert differs.returncode == 1
    assert "1 of 60 frames differ" in differs.stdout
    assert "first: frame 50 at 1.667 s: track 1: its box moved by 5.00 px" in differs.stdout
    html = page.read_text()
    assert html.count("data:image/png;base64,") == 2
    assert "Research use only" in html
    missing = command("replay", tmp_path / "nothing")
    assert missing.returncode == 2
    assert "is not a bundle" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_a_moved_recording_is_asked_for_and_another_one_refused(bundle: Path, clip: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.mp4"
    shutil.copy(clip, moved)
    lost = change(bundle, tmp_path / "lost", "bundle.json", lambda text: text.replace(str(clip), "/nowhere/clip.mp4"))
    with pytest.raises(InputError, match="is not at /nowhere/"):
        judge(open_replay(lost))
    assert judge(open_replay(lost, source=str(moved))).differing == 0
    with moved.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(InputError, match="another recording"):
        judge(open_replay(lost, source=str(moved)))


def test_another_model_is_told_and_not_compared(bundle: Path, tmp_path: Path) -> None:
    def other(text: str) -> str:
        header = json.loads(text)
        header["model"]["sha256"] = "0" * 64
        return json.dumps(header)

    with pytest.raises(InputError, match=r"the model of the bundle is lesion-fast \(sha256 000000000000…\), not"):
        open_replay(change(bundle, tmp_path / "b", "bundle.json", other))


def test_pixels_that_are_decoded_otherwise_are_told_from_findings_that_differ(live: Path, tmp_path: Path) -> None:
    def other(text: str) -> str:
        lines = text.splitlines()
        number = next(n for n, line in enumerate(lines) if '"crc32"' in line)
        record = json.loads(lines[number])
        record["crc32"] ^= 1
        lines[number] = json.dumps(record)
        return "\n".join(lines) + "\n"

    with pytest.raises(InputError, match="decoded otherwise"):
        judge(open_replay(change(live, tmp_path / "b", "frames.jsonl", other)))


@pytest.mark.parametrize("name", ["bundle.json", "frames.jsonl", "findings.jsonl"])
@pytest.mark.parametrize("damage", ["cut", "noise", "gone", "list"])
def test_a_damaged_bundle_is_one_clear_error_or_what_is_left_of_it(
    bundle: Path, tmp_path: Path, name: str, damage: str
) -> None:
    folder = tmp_path / "b"
    shutil.copytree(bundle, folder)
    path = folder / name
    content = path.read_bytes()
    noise = np.random.default_rng(0).integers(0, 256, 400).astype(np.uint8).tobytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"cut": content[: len(content) // 2], "noise": noise + b"\n", "list": b"[1, 2]\n"}[damage])
    if damage == "cut" and name == "frames.jsonl":  # as a killed process leaves it
        assert 0 < judge(open_replay(folder)).frames < 60
        return
    with pytest.raises(EdgeUsError) as caught:
        judge(open_replay(folder))
    assert caught.value.hint


def test_a_bundle_that_lost_findings_is_never_called_the_same(bundle: Path, tmp_path: Path) -> None:
    lines = (bundle / "findings.jsonl").read_bytes().splitlines(keepends=True)
    for name, left in (("none", []), ("few", lines[:3]), ("more", [*lines, lines[-1]])):
        folder = tmp_path / name
        shutil.copytree(bundle, folder)
        (folder / "findings.jsonl").write_bytes(b"".join(left))
        done = command("replay", folder)
        assert (done.returncode, "lacks" in done.stderr) == (2, True), done.stdout


def test_whatever_happens_in_a_replay_its_exit_code_never_says_that_it_differs(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "far"
    shutil.copytree(bundle, folder)
    records = [json.loads(line) for line in (folder / "findings.jsonl").read_text().splitlines()]
    found = next(record["findings"][0] for record in records if record["findings"])
    found["contour"][0] = [1e9, -1e9]
    (folder / "findings.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    done = command("replay", folder, "--precision", "fp32")
    assert done.returncode == 1, "far away, and so another shape"
    assert "masks overlap" in done.stdout
    done = command("replay", bundle, "--html", tmp_path / "no" / "page.html")
    assert (done.returncode, "does not exist" in done.stderr) == (2, True)


def test_a_bundle_never_overwrites_anything(bundle: Path, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists already"):
        list(edge_us.run(str(clip), bundle=str(bundle)))
    done = command("run", clip, "--bundle", tmp_path / "no" / "folder")
    assert done.returncode == ExitCode.USAGE


def test_a_killed_run_leaves_a_bundle_that_replays_up_to_there(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    # Small pictures: also on a busy machine the encoder keeps up with them.
    source = f"{PHANTOM}&loop=1".replace("640x480", "320x240")
    line = [sys.executable, "-m", "edge_us.cli.main", "run", source, "--mode", "live", "--bundle"]
    process = subprocess.Popen([*line, str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lines, end = folder / "findings.jsonl", time.monotonic() + 60
    while time.monotonic() < end and not (lines.exists() and lines.read_bytes().count(b"\n") > 90):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    read = read_bundle(folder)
    assert not read.is_whole
    verdict = judge(open_replay(folder))
    assert verdict.frames > 40, "all but what the encoder still had"
    assert verdict.differing == 0
    done = command("replay", folder)
    assert (done.returncode, "ends before its run did" in done.stderr) == (0, True)


def noise_frames(layout: PixelFormat, width: int, height: int) -> list[Frame]:
    rng = np.random.default_rng(0)
    shapes = {PixelFormat.GRAY8: (height, width), PixelFormat.BGR: (height, width, 3)}
    shape = shapes.get(layout, (height * 3 // 2, width))
    colours = Colorimetry(ColorRange.LIMITED, ColorMatrix.BT709)
    return [
        Frame(
            rng.integers(0, 256, shape).astype(np.uint8), layout, width, height, index, index * 40_000_000, 0, colours
        )
        for index in range(4)
    ]


@pytest.mark.parametrize("layout", list(PixelFormat))
@pytest.mark.parametrize("size", [(64, 48), (62, 46), (70, 50), (65, 47), (32, 33)])
def test_every_format_and_size_comes_back_bit_by_bit(
    layout: PixelFormat, size: tuple[int, int], tmp_path: Path
) -> None:
    if layout in (PixelFormat.I420, PixelFormat.NV12) and (size[0] % 2 or size[1] % 2):
        pytest.skip("planar frames are even")
    frames = noise_frames(layout, *size)
    writer = LosslessWriter(tmp_path / "frames.mkv", BackPressure.BLOCK, 25.0)
    assert all(writer.write(frame, frame.pts_ns) for frame in frames)
    writer.close()
    back = list(read_lossless(tmp_path / "frames.mkv", iter([layout] * len(frames))))
    for frame, pixels in zip(frames, back, strict=True):
        np.testing.assert_array_equal(pixels, frame.pixels)


def test_a_bundle_of_a_named_region_holds_nothing_else_and_replays(tmp_path: Path) -> None:
    folder = tmp_path / "b"
    for _ in edge_us.run(f"{PHANTOM}&screen=1&seed=3", region="150,80,400,320", bundle=str(folder)):
        pass
    seen = 0
    for _, frame in read_bundle(folder).frames():
        assert frame is not None
        outside = frame.pixels.copy()
        outside[80:400, 150:550] = 0
        assert outside.max() == 0
        seen += int(frame.pixels.max() > 0)
    assert seen == 60
    assert judge(open_replay(folder)).differing == 0


GAP_S = 1.5


def with_a_gap(live: Path, to: Path) -> Path:
    """A bundle whose lines were moved in time, as a source that was lost for a while leaves them."""

    def edit(text: str) -> str:
        lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
        out: list[dict[str, Any]] = []
        for line in lines:
            if "crc32" in line and line["frame"] >= 30:
                if not any(each.get("event") == "source" for each in out):
                    at = line["captured_ns"] + 600_000_000
                    out.append({"event": "source", "state": "stalled", "at_ns": at})
                line["captured_ns"] += round(GAP_S * 1e9)
            out.append(line)
        return "".join(json.dumps(line) + "\n" for line in out)

    return change(live, to, "frames.jsonl", edit)


def test_a_fault_happens_again_when_its_bundle_is_played_in_real_time(live: Path, tmp_path: Path) -> None:
    folder = with_a_gap(live, tmp_path / "fault")
    states: list[SourceState] = []
    times: list[int] = []
    began = time.monotonic_ns()
    with open_source(f"bundle:{folder}", realtime=True) as source:
        while (state := source.state) is not SourceState.ENDED:
            if not states or states[-1] is not state:
                states.append(state)
            frame = source.read(0.1)
            if frame is not None:
                times.append(frame.captured_ns)
    assert states == [SourceState.RUNNING, SourceState.STALLED, SourceState.RUNNING]
    then = [line.captured_ns for line, frame in read_bundle(folder).frames() if frame is not None]
    assert np.diff(times).tolist() == np.diff(then).tolist()
    assert max(np.diff(times)) >= GAP_S * 1e9
    assert time.monotonic_ns() - began >= times[-1] - times[0], "in real time"


def test_a_bundle_is_a_source_like_any_other(live: Path, tmp_path: Path) -> None:
    findings = tmp_path / "f.jsonl"
    done = command("run", f"bundle:{live}", "--findings", findings)
    assert done.returncode == ExitCode.OK, done.stderr
    kept = len(read_bundle(live).lines) - read_bundle(live).missing
    assert len(findings.read_text().splitlines()) == kept
