"""Outputs that fail in the middle of a run stop alone; the picture and all other outputs go on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import edge_us
from edge_us.capture.gst import available_elements
from edge_us.errors import ExitCode
from edge_us.sinks import recording
from tests.e2e.test_run import command, lines

SMALL_DISK = """
mount -t tmpfs -o size=600k none "$1" || exit 99
"$2" -m edge_us.cli.main run phantom: --mode every --max-frames 120 --record "$1/out.mp4" --findings "$1/out.jsonl" \
    --bundle "$1/bundle" --report "$3/report.json"
code=$?
cp -r "$1/." "$3"
exit $code
"""


def test_a_disk_that_fills_up_costs_its_own_outputs_alone_and_what_they_hold_is_whole(tmp_path: Path) -> None:
    small, kept = tmp_path / "small", tmp_path / "kept"
    for folder in (small, kept):
        folder.mkdir()
    words = ["unshare", "-rm", "sh", "-c", SMALL_DISK, "sh", str(small), sys.executable, str(kept)]
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("this system gives no user a file system of their own")
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode == 99:
        pytest.skip("this system lets nobody mount a small disk")
    assert done.returncode == ExitCode.RUNTIME, done.stderr
    assert json.loads((kept / "report.json").read_text())["frames"]["shown"] == 120
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert any("out.mp4" in line for line in errors), errors
    assert len(errors) == len(set(errors)) <= 3
    assert sum("No space left" in line for line in done.stderr.splitlines() if "out.mp4" in line) <= 2
    record = lines(kept / "out.jsonl")
    assert [each["frame"] for each in record] == list(range(len(record)))
    frames = [frame for frame, _ in edge_us.run(str(kept / "out.mp4"), max_frames=5)]
    assert len(frames) == 5
    replayed = command("replay", kept / "bundle")
    assert replayed.returncode == ExitCode.OK, replayed.stderr
    assert "ends before its run did" in replayed.stderr


def test_an_encoder_that_fails_in_the_middle_stops_the_recording_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = next(name for name in recording.ENCODERS if name in available_elements())
    # It passes thirty pictures on, then ends with an error, as an encoder does whose device is gone.
    monkeypatch.setitem(recording.ENCODERS, name, f"identity error-after=30 ! {recording.ENCODERS[name]}")
    run = edge_us.run("phantom:", max_frames=90, record=tmp_path / "out.mp4", findings=tmp_path / "out.jsonl")
    assert len(list(run)) == 90
    (failure,) = run.failures
    assert f"recording {tmp_path / 'out.mp4'} stopped" in failure.message
    assert run.report is not None
    assert run.report["warnings"] == [failure.message]
    assert len(lines(tmp_path / "out.jsonl")) == 90
    assert 1 <= len(list(edge_us.run(str(tmp_path / "out.mp4")))) <= 30
