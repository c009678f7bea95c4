"""Recording and findings file, with the real encoder and decoder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_us.colour import to_i420
from edge_us.errors import PipelineError
from edge_us.finding import AiState, Finding, FindingKind, FrameResult, SourceState
from edge_us.frame import Frame, PixelFormat
from edge_us.overlay.picture import Picture
from edge_us.schema import schema_path
from edge_us.sinks.feed import BackPressure
from edge_us.sinks.findings_file import FindingsFile, to_record
from edge_us.sinks.recording import Recording, recording_pipeline
from tests.clips import noise

RESULT = FrameResult(None, None, SourceState.RUNNING, AiState.OFF, reason="test", shown_ns=1)


def frames(count: int, width: int = 160, height: int = 120) -> list[Frame]:
    return [
        Frame(pixels, PixelFormat.GRAY8, width, height, index, index * 40_000_000, 0)
        for index, pixels in enumerate(noise(count, width, height))
    ]


def read_back(path: Path) -> list[NDArray[np.generic]]:
    capture = cv2.VideoCapture(str(path))
    pictures: list[NDArray[np.generic]] = []
    while True:
        ok, picture = capture.read()
        if not ok:
            return pictures
        pictures.append(np.asarray(picture))


def record(path: Path, shown: list[Frame]) -> Recording:
    recording = Recording(path, 25, BackPressure.BLOCK)
    for frame in shown:
        recording.write(frame, RESULT, Picture(*to_i420(frame)))
    recording.close()
    return recording


def test_what_was_shown_is_what_is_recorded(tmp_path: Path) -> None:
    shown = frames(30)
    record(tmp_path / "out.mp4", shown)
    pictures = read_back(tmp_path / "out.mp4")
    assert len(pictures) == 30
    for frame, picture in zip(shown, pictures, strict=True):
        error = np.abs(picture[..., 1].astype(int) - frame.pixels)
        assert error.mean() < 3


def test_a_change_of_size_goes_on_in_a_second_file(tmp_path: Path) -> None:
    recording = record(tmp_path / "out.mp4", frames(10) + frames(10, 200, 100))
    assert [path.name for path in recording.paths] == ["out.mp4", "out-2.mp4"]
    assert [len(read_back(path)) for path in recording.paths] == [10, 10]


def test_a_folder_that_does_not_exist_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="cannot write the recording"):
        Recording(tmp_path / "nowhere" / "out.mp4", 25, BackPressure.BLOCK)


def write_until_killed(folder: Path, number: int) -> None:
    """Record at up to four times the speed of the clip's own time, and keep the last frame's number beside it.

    Ends with its parent, should that not come to kill it.
    """
    parent, shown = os.getppid(), frames(50)
    recording = Recording(folder / f"{number}.mp4", 25, BackPressure.BLOCK)
    with (folder / f"{number}.last").open("wb", buffering=0) as last:
        for index in count():
            frame = replace(shown[index % len(shown)], index=index, pts_ns=index * 40_000_000)
            recording.write(frame, RESULT, Picture(*to_i420(frame)))
            last.seek(0)
            last.write(b"%6d" % index)
            time.sleep(0.01)
            if os.getppid() != parent:
                os._exit(1)


KILLER = """
import os, random, signal, sys, time
from pathlib import Path
from tests.sinks.test_sinks import write_until_killed

folder, rng = Path(sys.argv[1]), random.Random(7)
for group in range(10):
    children = []
    for number in range(5 * group, 5 * group + 5):
        child = os.fork()  # GStreamer is not loaded yet
        if child == 0:
            write_until_killed(folder, number)
        children.append((child, number, rng.uniform(0.0, 0.5)))  # four fragments
    for child, number, after_s in children:
        last = folder / f"{number}.last"
        while not (last.exists() and last.stat().st_size and int(last.read_bytes()) > 30):
            time.sleep(0.01)
    begun = time.monotonic()
    for child, _, after_s in sorted(children, key=lambda each: each[2]):
        time.sleep(max(0.0, begun + after_s - time.monotonic()))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
"""


def test_a_recording_killed_at_any_moment_plays_up_to_its_last_second(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLER, str(tmp_path)], timeout=300, check=False)
    assert done.returncode == 0
    lost = {}
    for number in range(50):
        written = int((tmp_path / f"{number}.last").read_bytes()) + 1
        lost[number] = written - len(read_back(tmp_path / f"{number}.mp4"))
    assert max(lost.values()) <= 25, lost


def test_the_encoder_is_picked_from_what_is_there() -> None:
    assert "x264enc" in recording_pipeline(Path("a.mp4"), 30, frozenset({"x264enc", "openh264enc"}))
    assert "openh264enc" in recording_pipeline(Path("a.mp4"), 30, frozenset({"openh264enc"}))
    jetson = frozenset({"nvv4l2h264enc", "x264enc", "nvvidconv"})
    assert "nvvidconv ! video/x-raw(memory:NVMM) ! nvv4l2h264enc" in recording_pipeline(Path("a.mp4"), 30, jetson)


def test_every_line_follows_the_schema_and_is_whole(tmp_path: Path) -> None:
    schema = json.loads(schema_path("findings-1").read_text())
    contour = np.array([[1, 1], [9, 1], [5, 9.123]], np.float32)
    found = Finding(FindingKind.LESION, (1, 1, 9, 9.5), 0.9, contour, track=3, unseen=1)
    on = FrameResult(4, 1_000_000, SourceState.RUNNING, AiState.ON, (found,), shown_ns=9_500_000)
    sink = FindingsFile(tmp_path / "out.jsonl")
    frame = frames(1)[0]
    for result in (on, RESULT):
        sink.write(frame, result, None)
    lines = (tmp_path / "out.jsonl").read_text().splitlines()  # before close: flushed per line
    sink.close()
    records = [json.loads(line) for line in lines]
    assert len(records) == 2
    for each in records:
        jsonschema.validate(each, schema)
    assert records[0]["age_ms"] == 8.5
    assert records[0]["findings"][0]["malignancy"] is None
    assert records[0]["findings"][0]["malignancy_reason"]
    assert records[0]["findings"][0]["contour"][2] == [5, 9.12]
    assert records[1]["ai_reason"] == "test"
    assert to_record(frame, on, deterministic=True)["age_ms"] == 0
