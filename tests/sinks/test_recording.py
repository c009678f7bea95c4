"""What a recording keeps (times, colours, sizes) and what it does when the disk or the encoder gives way."""

from __future__ import annotations

import struct
import time
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_us.capture.gst import available_elements, element_opens, load_gst
from edge_us.errors import MissingDependencyError, PipelineError
from edge_us.finding import AiState, FrameResult, SourceState
from edge_us.frame import LIMITED_BT601, Colorimetry, ColorMatrix, ColorRange, Frame, PixelFormat
from edge_us.overlay.picture import Picture
from edge_us.sinks import recording as recording_module
from edge_us.sinks.feed import QUEUE, BackPressure
from edge_us.sinks.recording import Recording, encoders_that_open, recording_pipeline

RESULT = FrameResult(None, None, SourceState.RUNNING, AiState.OFF, reason="test", shown_ns=1)
HD = (1280, 720)


def speckle(size: tuple[int, int], seed: int = 0) -> NDArray[np.uint8]:
    """B-mode-like I420: correlated Rayleigh noise on grey chroma."""
    width, height = size
    noise = np.random.default_rng(seed).rayleigh(60, (height, width)).astype(np.float32)
    pixels = np.full((height * 3 // 2, width), 128, np.uint8)
    pixels[:height] = np.clip(cv2.GaussianBlur(noise, (0, 0), 1.5), 16, 235)
    return pixels


def write(
    recording: Recording, pixels: NDArray[np.uint8], pts_ns: int, colorimetry: Colorimetry = LIMITED_BT601
) -> None:
    height, width = pixels.shape[0] * 2 // 3, pixels.shape[1]
    frame = Frame(pixels, PixelFormat.I420, width, height, 0, pts_ns, 0, colorimetry)
    recording.write(frame, RESULT, Picture(pixels, width, height, colorimetry))


def decoded(path: Path) -> list[tuple[int, NDArray[np.uint8]]]:
    """(time in ns, luma) of every picture, by GStreamer's own decoder."""
    gst = load_gst()
    pipeline = gst.parse_launch(
        f"filesrc location={path} ! qtdemux ! h264parse ! avdec_h264 ! video/x-raw,format=I420 "
        "! appsink name=out sync=false"
    )
    out = pipeline.get_by_name("out")
    pipeline.set_state(gst.State.PLAYING)
    pictures = []
    while (sample := out.try_pull_sample(5 * gst.SECOND)) is not None:
        structure = sample.get_caps().get_structure(0)
        width, height = structure.get_value("width"), structure.get_value("height")
        buffer: Any = sample.get_buffer()
        data = np.frombuffer(buffer.extract_dup(0, buffer.get_size()), np.uint8)
        stride = (width + 3) & ~3
        luma = data[: stride * height].reshape(height, stride)[:, :width]
        pictures.append((buffer.pts, luma))
    pipeline.set_state(gst.State.NULL)
    return pictures


def test_the_times_of_the_frames_are_kept_even_when_they_come_unevenly(tmp_path: Path) -> None:
    times_ms = [5000, 5040, 5050, 5300, 5310, 5900, 5901, 6500]
    recording = Recording(tmp_path / "out.mp4", 25, BackPressure.BLOCK)
    for number, time_ms in enumerate(times_ms):
        write(recording, speckle((160, 120), number), time_ms * 1_000_000)
    recording.close()
    assert [round(pts / 1e6) for pts, _ in decoded(tmp_path / "out.mp4")] == [t - 5000 for t in times_ms]


def test_an_encoder_without_its_device_is_passed_over() -> None:
    """As on a Jetson Orin Nano: the element is there, the encoder is not."""
    nano = frozenset({"nvv4l2h264enc", "x264enc"})
    assert "x264enc" in recording_pipeline(Path("a.mp4"), 30, encoders_that_open(nano, lambda _: False))
    assert "nvv4l2h264enc" in recording_pipeline(Path("a.mp4"), 30, encoders_that_open(nano, lambda _: True))
    software = frozenset({"x264enc"})
    assert encoders_that_open(software, lambda name: pytest.fail(f"{name} was opened for nothing")) == software


def test_whether_a_device_is_there_is_asked_of_the_element_itself() -> None:
    assert element_opens("fakesink")
    assert not element_opens("no-such-element")
    if not Path("/dev/video0").exists():
        assert not element_opens("v4l2src")


def test_a_recording_falls_back_to_software_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder that is installed and cannot be opened, in front of those that can."""
    if Path("/dev/video0").exists():
        pytest.skip("this machine has a camera")
    encoders = {"v4l2src": "identity ! v4l2src", **recording_module.ENCODERS}
    monkeypatch.setattr(recording_module, "ENCODERS", encoders)
    monkeypatch.setattr(recording_module, "HARDWARE", ("v4l2src",))
    recording = Recording(tmp_path / "out.mp4", 25, BackPressure.BLOCK)
    for number in range(3):
        write(recording, speckle((160, 120), number), number * 40_000_000)
    recording.close()
    assert len(decoded(tmp_path / "out.mp4")) == 3


def test_times_that_run_backwards_do_not_break_the_file(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "out.mp4", 25, BackPressure.BLOCK)
    for number, time_ms in enumerate([0, 40, 80, 20, 20, 120, 160]):
        write(recording, speckle((160, 120), number), time_ms * 1_000_000)
    recording.close()
    times = [pts for pts, _ in decoded(tmp_path / "out.mp4")]
    assert len(times) == 7
    assert times == sorted(times)


@pytest.mark.parametrize("span", list(ColorRange))
@pytest.mark.parametrize("matrix", list(ColorMatrix))
def test_the_file_says_what_its_codes_mean(tmp_path: Path, span: ColorRange, matrix: ColorMatrix) -> None:
    recording = Recording(tmp_path / "out.mp4", 25, BackPressure.BLOCK)
    for number in range(3):
        write(recording, speckle((160, 120)), number * 40_000_000, Colorimetry(span, matrix))
    recording.close()
    # ISO 14496-12 `colr` box of type nclx: primaries, transfer, matrix (as ITU-T H.273 numbers them), full-range bit.
    data = (tmp_path / "out.mp4").read_bytes()
    *_, box_matrix, full = struct.unpack_from(">4sHHHB", data, data.index(b"colr") + 4)
    assert bool(full & 0x80) is (span is ColorRange.FULL)
    assert box_matrix == (6 if matrix is ColorMatrix.BT601 else 1)


# 320 fits GStreamer's own row lengths; 234 fits neither in luma nor in chroma, 236 in luma only.
@pytest.mark.parametrize("size", [(320, 240), (234, 234), (236, 178), (1278, 718)])
@pytest.mark.parametrize("encoder", ["x264enc", "openh264enc"])
def test_speckle_of_any_even_size_survives_either_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: str, size: tuple[int, int]
) -> None:
    if encoder not in available_elements():
        pytest.skip(f"{encoder} is not installed")
    monkeypatch.setattr(recording_module, "available_elements", lambda: frozenset({encoder}))
    recording = Recording(tmp_path / "out.mp4", 25, BackPressure.BLOCK)
    source = [speckle(size, number) for number in range(12)]
    for number, pixels in enumerate(source):
        write(recording, pixels, number * 40_000_000)
    recording.close()
    pictures = decoded(tmp_path / "out.mp4")
    assert len(pictures) == len(source)
    for (_, luma), pixels in zip(pictures, source, strict=True):
        error = np.mean((luma.astype(float) - pixels[: size[1]]) ** 2)
        assert 10 * np.log10(255**2 / error) > 34


def test_a_live_recording_never_waits_and_counts_what_it_leaves_out(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "out.mp4", 500, BackPressure.DROP)
    pixels = speckle((1920, 1080))
    took_s, count = [], 60
    for number in range(count):
        start = time.monotonic()
        write(recording, pixels, number * 2_000_000)
        took_s.append(time.monotonic() - start)
    recording.close()
    assert 0 < recording.dropped < count
    assert len(decoded(tmp_path / "out.mp4")) == count - recording.dropped
    assert median(took_s) < 0.25


def test_a_recording_of_every_frame_waits_and_loses_nothing(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "out.mp4", 500, BackPressure.BLOCK)
    pixels = speckle(HD)
    for number in range(8 * QUEUE[BackPressure.BLOCK]):
        write(recording, pixels, number * 2_000_000)
    recording.close()
    assert recording.dropped == 0
    assert len(decoded(tmp_path / "out.mp4")) == 8 * QUEUE[BackPressure.BLOCK]


@pytest.mark.parametrize("policy", list(BackPressure))
def test_a_full_disk_is_a_clear_error_and_never_a_hang(tmp_path: Path, policy: BackPressure) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    path = tmp_path / "out.mp4"
    path.symlink_to("/dev/full")
    recording = Recording(path, 25, policy)
    with pytest.raises(PipelineError, match=r"recording .*out\.mp4"):  # noqa: PT012  (whichever call finds out)
        for number in range(200):
            write(recording, speckle((160, 120)), number * 40_000_000)
            time.sleep(0.001)
        recording.close()
    start = time.monotonic()
    recording.close()  # neither says it again nor waits for an end that cannot come
    assert time.monotonic() - start < 5


def test_a_second_part_never_overwrites_a_file_that_was_there(tmp_path: Path) -> None:
    other = tmp_path / "out-2.mp4"
    other.write_bytes(b"somebody's scan")
    recording = Recording(tmp_path / "out.mp4", 25, BackPressure.BLOCK)
    for number in range(6):
        size = (160, 120) if number < 3 else (200, 100)
        write(recording, speckle(size), number * 40_000_000)
    recording.close()
    assert other.read_bytes() == b"somebody's scan"
    assert [path.name for path in recording.paths] == ["out.mp4", "out-3.mp4"]
    assert [len(decoded(path)) for path in recording.paths] == [3, 3]


def test_no_encoder_is_a_clear_error_and_leaves_an_existing_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_module, "available_elements", frozenset)
    (tmp_path / "out.mp4").write_bytes(b"an older recording")
    with pytest.raises(MissingDependencyError) as error:
        Recording(tmp_path / "out.mp4", 25, BackPressure.BLOCK)
    assert "apt-get install" in error.value.hint
    assert (tmp_path / "out.mp4").read_bytes() == b"an older recording"


def test_an_odd_file_name_stays_a_file_name() -> None:
    text = recording_pipeline(Path('a "b" \\c ! fakesink.mp4'), 30, frozenset({"x264enc"}))
    element = load_gst().parse_launch(text).get_by_name("out")
    assert element.get_property("location") == 'a "b" \\c ! fakesink.mp4'


def test_a_folder_in_the_way_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="cannot write"):
        Recording(tmp_path, 25, BackPressure.BLOCK)
    assert list(tmp_path.iterdir()) == []
