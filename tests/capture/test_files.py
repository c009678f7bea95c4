"""Files: codecs, containers, colour range, odd and broken ones."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from edge_us.capture.gst import available_elements
from edge_us.capture.open import open_source
from edge_us.colour import join_planes, to_gray
from edge_us.errors import InputError
from edge_us.finding import SourceState
from edge_us.frame import ColorRange, PixelFormat
from tests.encode import make_clip, noise

NEEDS = {"h264": "x264enc", "h265": "x265enc", "mjpeg": "jpegenc", "mpeg4": "avenc_mpeg4"}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".mov"])
@pytest.mark.parametrize("codec", ["h264", "h265", "mjpeg", "mpeg4"])
def test_every_codec_in_every_container_plays_all_its_frames(tmp_path: Path, codec: str, suffix: str) -> None:
    if NEEDS[codec] not in available_elements():
        pytest.skip(f"no encoder {NEEDS[codec]}")
    if (codec, suffix) in (("h265", ".avi"), ("mjpeg", ".mp4")):
        pytest.skip(f"no muxer puts {codec} into {suffix}")
    shown = noise(12, 160, 120)
    path = make_clip(tmp_path / f"clip{suffix}", shown, codec=codec)
    with open_source(str(path)) as source:
        frames = list(source)
        assert source.state is SourceState.ENDED
        assert source.warnings == ()
    assert [frame.index for frame in frames] == list(range(12))
    assert all(frame.size == (160, 120) for frame in frames)
    assert np.all(np.diff([frame.pts_ns for frame in frames]) > 0)
    for frame, picture in zip(frames, shown, strict=True):
        assert np.abs(to_gray(frame).astype(int) - picture).mean() < 6


@pytest.mark.parametrize(("colorimetry", "span"), [("1:4:0:0", ColorRange.FULL), ("bt709", ColorRange.LIMITED)])
def test_a_grey_ramp_comes_through_within_one_level(tmp_path: Path, colorimetry: str, span: ColorRange) -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    codes = ramp if span is ColorRange.FULL else np.rint(16 + ramp * (219 / 255)).astype(np.uint8)
    half = np.full((32, 128), 128, np.uint8)
    planes = join_planes(codes, half, half)
    path = make_clip(
        tmp_path / "ramp.mkv", [planes] * 3, codec="h264-lossless", colorimetry=colorimetry, pixel_format="I420"
    )
    with open_source(str(path)) as source:
        frame = next(iter(source))
    assert frame.colorimetry.range is span
    assert np.abs(to_gray(frame).astype(int) - ramp).max() <= 1


@pytest.mark.parametrize("size", [(161, 121), (161, 120), (162, 121), (238, 150)])
def test_odd_sizes_keep_their_size_and_content(tmp_path: Path, size: tuple[int, int]) -> None:
    shown = noise(3, *size)
    path = make_clip(tmp_path / "odd.avi", shown, codec="mjpeg")
    with open_source(str(path)) as source:
        frames = list(source)
    assert frames[0].size == size
    assert frames[0].format is (PixelFormat.I420 if size == (238, 150) else PixelFormat.BGR)
    assert np.abs(to_gray(frames[0]).astype(int) - shown[0]).mean() < 4


def test_a_truncated_clip_plays_what_it_can_and_warns(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mkv", noise(50, 160, 120))
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with open_source(str(cut)) as source:
        count = sum(1 for _ in source)
        assert source.state is SourceState.ENDED
        assert source.warnings
    assert 15 <= count < 50


def test_what_is_no_video_is_one_clear_error(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("not a video\n" * 100)
    garbage = tmp_path / "garbage.mkv"
    garbage.write_bytes(os.urandom(20_000))
    headless = tmp_path / "headless.mp4"
    headless.write_bytes(make_clip(tmp_path / "whole.mp4", noise(10, 160, 120)).read_bytes()[:2000])
    empty = tmp_path / "empty.mp4"
    empty.touch()
    for path in (text, garbage, headless, empty, tmp_path / "missing.mp4", tmp_path):
        started = time.monotonic()
        with pytest.raises(InputError) as caught:
            open_source(str(path), connect_timeout_s=5)
        assert str(path) in caught.value.message
        assert caught.value.hint
        assert time.monotonic() - started < 7


def test_sources_that_make_no_sense_name_what_would() -> None:
    for text in ("gopher://x", "rtsp://", "decklink://first"):
        with pytest.raises(InputError) as caught:
            open_source(text)
        assert caught.value.hint


def test_opening_and_closing_leaks_neither_descriptors_nor_threads(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", noise(5, 160, 120))

    def cycle() -> None:
        with open_source(str(path)) as source:
            next(iter(source))

    for _ in range(3):
        cycle()
    before = len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))  # noqa: PTH208
    for _ in range(30):
        cycle()
    after = len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))  # noqa: PTH208
    assert after[0] <= before[0] + 1
    assert after[1] <= before[1] + 2
    assert threading.active_count() == 1


def test_a_paced_file_is_released_at_its_stream_times(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", noise(10, 160, 120), fps=50)
    with open_source(str(path), realtime=True) as source:
        frames = [(frame, time.monotonic_ns()) for frame in source]
    first = frames[0][0]
    for frame, seen_ns in frames:
        due_ns = first.captured_ns + frame.pts_ns - first.pts_ns
        assert frame.captured_ns == due_ns
        assert seen_ns >= due_ns


@pytest.mark.parametrize(
    ("clip", "count", "size"),
    [
        ("Reg_Image_181206_crop.mp4", 495, (234, 234)),
        ("Reg_Image_18122_crop.mp4", 187, (208, 208)),
        ("Reg_Image_182340_crop.mp4", 309, (400, 400)),
    ],
)
def test_real_clips_play_whole(shared_dir: Path, clip: str, count: int, size: tuple[int, int]) -> None:
    with open_source(str(shared_dir / "clips" / "lung" / clip)) as source:
        frames = [(frame.size, frame.pts_ns) for frame in source]
        assert source.warnings == ()
    assert len(frames) == count
    assert {frame[0] for frame in frames} == {size}
    assert np.all(np.diff([frame[1] for frame in frames]) > 0)
