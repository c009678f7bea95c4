"""Files: every codec and container, what is odd, what is cut off, and what is no video."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from edge_us.capture.gst import HINT, available_elements, load_gst
from edge_us.capture.open import open_source
from edge_us.capture.source import SourceKind
from edge_us.colour import to_gray
from edge_us.errors import ExitCode, InputError, MissingDependencyError
from edge_us.finding import SourceState
from edge_us.frame import PixelFormat
from tests.clips import make_clip, noise

NEEDS = {"h264": "x264enc", "h265": "x265enc", "mjpeg": "jpegenc", "mpeg4": "avenc_mpeg4"}
WORST_LEVEL = {"h264": 4, "h265": 6, "mjpeg": 6, "mpeg4": 8}
"""Largest difference that the lossy encoders make on smooth pictures; a range error would make 16 and more."""


CLIPS = [(codec, suffix) for codec in NEEDS for suffix in (".mp4", ".mkv", ".avi", ".mov")]
CLIPS.remove(("h265", ".avi"))  # which no muxer writes


@pytest.mark.parametrize(("codec", "suffix"), CLIPS)
def test_every_codec_in_every_container_plays_all_its_frames(tmp_path: Path, codec: str, suffix: str) -> None:
    if NEEDS[codec] not in available_elements():
        pytest.skip(f"no encoder {NEEDS[codec]}")
    shown = noise(12, 160, 120)
    path = make_clip(tmp_path / f"clip{suffix}", shown, codec=codec)
    with open_source(str(path)) as source:
        assert source.info.kind is SourceKind.FILE
        assert source.info.fps == pytest.approx(25)
        frames = list(source)
        assert source.state is SourceState.ENDED
        assert source.read(0.1) is None
        assert source.warnings == ()
        assert source.dropped == {}
    assert [frame.index for frame in frames] == list(range(12))
    assert {(frame.size, frame.format) for frame in frames} == {((160, 120), PixelFormat.I420)}
    np.testing.assert_allclose([frame.pts_ns for frame in frames], np.arange(12) * 40e6, atol=2e6)
    for frame, picture in zip(frames, shown, strict=True):
        assert np.abs(to_gray(frame).astype(int) - picture).max() <= WORST_LEVEL[codec]


def test_sound_beside_the_picture_is_left_alone(tmp_path: Path) -> None:
    gst = load_gst()
    path = tmp_path / "sound.mkv"
    pipeline = gst.parse_launch(
        "matroskamux name=mux ! filesink name=out "
        "videotestsrc num-buffers=20 ! video/x-raw,width=64,height=48,framerate=25/1 ! x264enc ! mux. "
        "audiotestsrc num-buffers=45 ! audioconvert ! vorbisenc ! mux."
    )
    pipeline.get_by_name("out").set_property("location", str(path))
    pipeline.set_state(gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(20 * gst.SECOND, gst.MessageType.EOS | gst.MessageType.ERROR)
    pipeline.set_state(gst.State.NULL)
    assert message is not None
    assert message.type == gst.MessageType.EOS
    with open_source(str(path)) as source:
        assert sum(1 for _ in source) == 20
        assert source.warnings == ()


@pytest.mark.parametrize("size", [(161, 121), (161, 120), (162, 121), (238, 150)])
def test_odd_sizes_keep_their_size_and_content(tmp_path: Path, size: tuple[int, int]) -> None:
    shown = noise(3, *size)
    # jpegenc (1.22) smears the last columns of widths that are no multiple of its blocks.
    path = make_clip(tmp_path / "odd.avi", shown, codec="avenc_mjpeg", colorimetry="1:4:0:0")
    with open_source(str(path)) as source:
        frames = list(source)
    planar = size[0] % 2 == 0 and size[1] % 2 == 0
    for frame, picture in zip(frames, shown, strict=True):
        assert frame.size == size
        assert frame.format is (PixelFormat.I420 if planar else PixelFormat.BGR)
        assert np.abs(to_gray(frame).astype(int) - picture).max() <= WORST_LEVEL["mjpeg"]


def test_a_change_of_resolution_in_mid_stream_just_yields_frames_of_the_new_size(tmp_path: Path) -> None:
    small, large = noise(10, 160, 120), noise(10, 320, 200)
    path = tmp_path / "both.h264"
    path.write_bytes(
        make_clip(tmp_path / "small.h264", small).read_bytes() + make_clip(tmp_path / "large.h264", large).read_bytes()
    )
    with open_source(str(path)) as source:
        frames = list(source)
    assert [frame.size for frame in frames] == [(160, 120)] * 10 + [(320, 200)] * 10
    assert [frame.index for frame in frames] == list(range(20))
    for frame, picture in zip(frames, [*small, *large], strict=True):
        assert np.abs(to_gray(frame).astype(int) - picture).max() <= WORST_LEVEL["h264"]


@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".mov"])
def test_a_truncated_clip_plays_what_it_can_and_warns(tmp_path: Path, suffix: str) -> None:
    whole = make_clip(tmp_path / f"whole{suffix}", noise(50, 160, 120), codec="mjpeg")
    if suffix == ".mov":  # with the index in front, as cameras that stream their files write it
        whole = _index_first(whole)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with open_source(str(cut)) as source:
        count = sum(1 for _ in source)
        assert source.state is SourceState.ENDED
        assert len(source.warnings) == 1
        assert "is cut off" in source.warnings[0]
        assert f"{count} frames" in source.warnings[0]
    assert 25 <= count <= 31
    with open_source(str(whole)) as source:
        assert sum(1 for _ in source) == 50
        assert source.warnings == ()


def _index_first(path: Path) -> Path:
    gst = load_gst()
    done = path.with_suffix(".mp4")
    pipeline = gst.parse_launch("filesrc name=in ! qtdemux ! qtmux faststart=true ! filesink name=out")
    pipeline.get_by_name("in").set_property("location", str(path))
    pipeline.get_by_name("out").set_property("location", str(done))
    pipeline.set_state(gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(20 * gst.SECOND, gst.MessageType.EOS | gst.MessageType.ERROR)
    pipeline.set_state(gst.State.NULL)
    assert message is not None
    assert message.type == gst.MessageType.EOS
    return done


def test_a_recording_whose_index_was_never_written_is_called_that_at_once(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4", noise(10, 160, 120)).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    started = time.monotonic()
    with pytest.raises(InputError, match=r"no index \(moov box\)"):
        open_source(str(path), connect_timeout_s=60)
    assert time.monotonic() - started < 30, "nothing is waited for"


def test_what_is_no_video_is_one_clear_error_and_never_a_hang(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mkv", noise(10, 160, 120)).read_bytes()
    contents = {
        "text.mp4": b"not a video\n" * 100,
        "zeros.mov": bytes(20_000),
        "garbage.mkv": np.random.default_rng(1).integers(0, 256, 20_000, np.uint8).tobytes(),
        "headless.mkv": whole[200:],
        "headonly.mkv": whole[:100],
        "badindex.mp4": b"\0\0\0\x20ftypmp42" + bytes(20) + b"\0\0\x10\0moov" + b"\x99" * 5000,
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        started = time.monotonic()
        with pytest.raises(InputError) as caught:
            open_source(str(path), connect_timeout_s=3)
        assert str(path) in caught.value.message
        assert caught.value.hint
        assert time.monotonic() - started < 10


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    gst = load_gst()
    for name, muxer in (("sound.mkv", "audioconvert ! vorbisenc ! matroskamux"), ("sound.avi", "wavenc")):
        path = tmp_path / name
        pipeline = gst.parse_launch(f"audiotestsrc num-buffers=50 ! {muxer} ! filesink name=out")
        pipeline.get_by_name("out").set_property("location", str(path))
        pipeline.set_state(gst.State.PLAYING)
        pipeline.get_bus().timed_pop_filtered(20 * gst.SECOND, gst.MessageType.EOS | gst.MessageType.ERROR)
        pipeline.set_state(gst.State.NULL)
        with pytest.raises(InputError) as caught:
            open_source(str(path), connect_timeout_s=3)
        assert name in caught.value.message


def test_a_decoder_that_is_not_installed_is_named_with_what_to_install(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mkv", noise(5, 160, 120), codec="mjpeg")
    gst = load_gst()
    kind = gst.ELEMENT_FACTORY_TYPE_DECODER | gst.ELEMENT_FACTORY_TYPE_PARSER
    factories = gst.ElementFactory.list_get_elements(kind, gst.Rank.MARGINAL)
    hidden = gst.ElementFactory.list_filter(
        factories, gst.Caps.from_string("image/jpeg"), gst.PadDirection.SINK, subsetonly=False
    )
    ranks = [(factory, factory.get_rank()) for factory in hidden]
    assert ranks
    try:
        for factory, _ in ranks:
            factory.set_rank(gst.Rank.NONE)
        with pytest.raises(MissingDependencyError, match="JPEG") as caught:
            open_source(str(path), connect_timeout_s=30)
    finally:
        for factory, rank in ranks:
            factory.set_rank(rank)
    assert caught.value.exit_code is ExitCode.MISSING
    assert "gstreamer1.0-libav" in caught.value.hint


def test_missing_gstreamer_is_said_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    load_gst.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "gi", None)
    try:
        with pytest.raises(MissingDependencyError) as caught:
            load_gst()
    finally:
        monkeypatch.undo()
        load_gst.cache_clear()
        load_gst()
    assert caught.value.hint == HINT
    assert "apt-get install" in HINT
    assert "python3-gi" in HINT


def test_a_file_that_cannot_be_read_is_an_input_error(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    path = make_clip(tmp_path / "clip.mp4", noise(2, 64, 48))
    path.chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        open_source(str(path))


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


def test_a_paced_file_is_released_at_its_stream_times(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", noise(10, 160, 120), fps=50)
    with open_source(str(path), realtime=True) as source:
        frames = [(frame, time.monotonic_ns()) for frame in source]
        # Only a machine that is busy with other things comes too late for a frame.
        assert len(frames) + sum(source.dropped.values()) == 10
    assert all(frame.captured_ns <= seen_ns for frame, seen_ns in frames)
    late_ns = np.diff([frame.captured_ns - frame.pts_ns for frame, _ in frames])
    assert late_ns.min() >= 0, "never faster than recorded"
    assert np.median(late_ns) < 20e6
