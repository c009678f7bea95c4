"""DICOM as a source: times, geometry, damage, video inside, and what must not get in."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_us.capture.dicom import open_dicom, read_header
from edge_us.capture.open import open_source
from edge_us.capture.source import SourceKind
from edge_us.errors import EdgeUsError, InputError
from edge_us.finding import SourceState
from edge_us.frame import PixelFormat, Rect
from tests.capture_files.dicom_files import (
    H264,
    HEIGHT,
    JPEG_BASELINE,
    JPEG_LOSSLESS,
    WIDTH,
    grey_ramp,
    jpeg,
    region,
    write_dicom,
)


def cine(path: Path, frames: int = 5, **tags: Any) -> Path:
    pixels = b"".join(grey_ramp(number).tobytes() for number in range(frames))
    return write_dicom(path, pixels, frames=frames, **tags)


def test_a_cine_plays_frame_by_frame_in_order(tmp_path: Path) -> None:
    with open_dicom(cine(tmp_path / "a.dcm", FrameTime="40")) as source:
        assert source.info.kind is SourceKind.FILE
        assert (source.info.frames, source.info.fps) == (5, 25.0)
        frames = list(source)
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.pts_ns for frame in frames] == [n * 40_000_000 for n in range(5)]
    for number, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.pixels, grey_ramp(number))
    assert source.state is SourceState.ENDED
    assert source.warnings == ()


def test_frame_time_vector_comes_before_frame_time(tmp_path: Path) -> None:
    path = cine(tmp_path / "a.dcm", FrameTimeVector=["0", "10", "20", "30", "40"], FrameTime="40")
    with open_dicom(path) as source:
        assert [frame.pts_ns for frame in source] == [0, 10_000_000, 30_000_000, 60_000_000, 100_000_000]
        assert source.info.fps == 40.0


@pytest.mark.parametrize("tag", ["CineRate", "RecommendedDisplayFrameRate"])
def test_display_rates_serve_where_no_frame_time_is_given(tmp_path: Path, tag: str) -> None:
    with open_dicom(cine(tmp_path / "a.dcm", **{tag: 50})) as source:
        assert source.info.fps == 50.0
        assert [frame.pts_ns for frame in source][1] == 20_000_000


def test_an_unknown_rate_is_unknown_and_said_so(tmp_path: Path) -> None:
    with open_dicom(cine(tmp_path / "a.dcm", FrameTime="0")) as source:
        times = [frame.pts_ns for frame in source]
        assert source.info.fps is None
        assert times == sorted(set(times))
        assert "frame rate" in source.warnings[0]


def geometry_of(path: Path, *regions: Any, **tags: Any) -> Any:
    write_dicom(path, grey_ramp().tobytes(), SequenceOfUltrasoundRegions=list(regions), **tags)
    with open_dicom(path) as source:
        frame = source.read(1.0)
    assert frame is not None
    return frame.geometry


def test_a_region_in_centimetres_gives_mm_per_pixel(tmp_path: Path) -> None:
    geometry = geometry_of(tmp_path / "a.dcm", region(PhysicalDeltaY=-0.01))
    assert geometry.region == Rect(4, 2, 40, 40)
    assert geometry.mm_per_px == pytest.approx((0.2, 0.1))
    assert geometry.reason == ""


def test_units_that_are_no_lengths_give_a_reason_instead_of_a_scale(tmp_path: Path) -> None:
    geometry = geometry_of(tmp_path / "a.dcm", region(PhysicalUnitsXDirection=4))
    assert geometry.region == Rect(4, 2, 40, 40)
    assert geometry.mm_per_px is None
    assert "seconds" in geometry.reason


def test_the_largest_tissue_region_is_chosen_and_all_are_kept(tmp_path: Path) -> None:
    small = region(RegionLocationMaxX1=23, PhysicalDeltaX=0.5)
    spectral = region(RegionSpatialFormat=3, RegionLocationMinX0=0, RegionLocationMaxX1=WIDTH - 1)
    geometry = geometry_of(tmp_path / "a.dcm", small, region(), spectral)
    assert geometry.region == Rect(4, 2, 40, 40)
    assert geometry.mm_per_px == pytest.approx((0.2, 0.1))
    assert [each.is_tissue for each in geometry.regions] == [True, True, False]


def test_a_region_written_for_a_larger_picture_gives_no_scale(tmp_path: Path) -> None:
    shrunk = region(RegionLocationMaxX1=2 * WIDTH - 10, RegionLocationMaxY1=2 * HEIGHT - 10)
    geometry = geometry_of(tmp_path / "a.dcm", shrunk)
    assert geometry.region is None
    assert geometry.mm_per_px is None
    assert "another size" in geometry.reason


def test_a_picture_cropped_at_the_bottom_keeps_its_scale(tmp_path: Path) -> None:
    cropped = region(RegionLocationMaxX1=WIDTH, RegionLocationMaxY1=2 * HEIGHT)
    geometry = geometry_of(tmp_path / "a.dcm", cropped)
    assert geometry.region == Rect(4, 2, WIDTH - 4, HEIGHT - 2)
    assert geometry.mm_per_px == pytest.approx((0.2, 0.1))


def test_pixel_spacing_serves_where_no_region_is_declared(tmp_path: Path) -> None:
    geometry = geometry_of(tmp_path / "a.dcm", PixelSpacing=["0.3", "0.2"])
    assert geometry.mm_per_px == pytest.approx((0.2, 0.3))


def test_no_tag_about_a_person_is_read(tmp_path: Path) -> None:
    header = read_header(cine(tmp_path / "a.dcm")).header
    assert "Rows" in header
    assert not [element for element in header if element.tag.group in (0x0008, 0x0010, 0x0032, 0x0040)]
    assert "Secret" not in str(header)


def test_a_truncated_cine_plays_its_whole_frames_and_warns(tmp_path: Path) -> None:
    path = cine(tmp_path / "a.dcm", FrameTime="40")
    path.write_bytes(path.read_bytes()[: -HEIGHT * WIDTH * 2 - 100])
    with open_dicom(path) as source:
        assert len(list(source)) == 2
    assert any("truncated: 2 of 5" in warning for warning in source.warnings)


@pytest.mark.parametrize("has_offset_table", [True, False])
def test_a_truncated_compressed_cine_plays_its_whole_frames_and_warns(tmp_path: Path, has_offset_table: bool) -> None:
    pictures = [jpeg(grey_ramp(number)) for number in range(4)]
    path = write_dicom(tmp_path / "a.dcm", pictures, frames=4, syntax=JPEG_BASELINE, has_offset_table=has_offset_table)
    path.write_bytes(path.read_bytes()[: -len(pictures[-1]) // 2])
    with open_dicom(path) as source:
        assert len(list(source)) == 3
    assert any("truncated: 3 of 4" in warning for warning in source.warnings)


def test_one_damaged_frame_does_not_end_the_cine(tmp_path: Path) -> None:
    pictures = [jpeg(grey_ramp(number)) for number in range(4)]
    pictures[1] = b"\x00" * len(pictures[1])
    path = write_dicom(tmp_path / "a.dcm", pictures, frames=4, syntax=JPEG_BASELINE, FrameTime="10")
    with open_dicom(path) as source:
        assert [frame.pts_ns for frame in source] == [0, 20_000_000, 30_000_000]
    assert any("1 frames could not be decoded" in warning for warning in source.warnings)


def test_frames_in_several_fragments_are_joined(tmp_path: Path) -> None:
    from pydicom.encaps import encapsulate

    row = np.linspace(0, 255, WIDTH).astype(np.uint8)
    pictures = [np.tile(np.roll(row, 16 * number), (HEIGHT, 1)) for number in range(3)]
    whole = encapsulate([jpeg(picture) for picture in pictures], fragments_per_frame=2, has_bot=False)
    path = write_dicom(tmp_path / "a.dcm", whole, frames=3, syntax=JPEG_BASELINE)
    with open_dicom(path) as source:
        frames = list(source)
    assert len(frames) == 3
    for frame, picture in zip(frames, pictures, strict=True):
        assert np.abs(frame.pixels.astype(int) - picture).mean() < 4


def test_a_transfer_syntax_without_a_decoder_is_named(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", [b"\xff\xd8\xff\xd9"], frames=1, syntax=JPEG_LOSSLESS)
    with pytest.raises(InputError, match="JPEG Lossless") as caught:
        open_dicom(path)
    assert "install" in caught.value.hint


def test_a_file_without_pixels_is_one_clear_error(tmp_path: Path) -> None:
    import pydicom

    path = cine(tmp_path / "a.dcm")
    data = pydicom.dcmread(path)
    del data.PixelData
    data.save_as(path)
    with pytest.raises(InputError, match="no picture"):
        open_dicom(path)


@pytest.mark.parametrize("content", [b"", b"not dicom at all" * 50, bytes(128) + b"DICM", bytes(128) + b"DICM\x02\x00"])
def test_what_is_not_dicom_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(content)
    with pytest.raises(InputError):
        open_dicom(path)


def test_zero_frames_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 frames"):
        open_dicom(cine(tmp_path / "a.dcm", NumberOfFrames=0))


def test_an_impossible_size_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="impossible"):
        open_dicom(cine(tmp_path / "a.dcm", Rows=65535, Columns=65535))


def test_cutting_a_file_anywhere_never_raises_anything_else(tmp_path: Path) -> None:
    whole = write_dicom(
        tmp_path / "a.dcm", [jpeg(grey_ramp(n)) for n in range(2)], frames=2, syntax=JPEG_BASELINE
    ).read_bytes()
    outcomes = set()
    for cut in range(0, len(whole), 37):
        path = tmp_path / "cut.dcm"
        path.write_bytes(whole[:cut])
        try:
            with open_dicom(path) as source:
                outcomes.add(len(list(source)))
        except InputError:
            outcomes.add(-1)
    assert outcomes == {-1, 1} or outcomes == {-1, 1, 2}


def test_no_damaged_byte_raises_anything_but_our_errors(tmp_path: Path) -> None:
    rng = random.Random(7)
    pictures = [jpeg(grey_ramp(number)) for number in range(2)]
    tags: dict[str, Any] = {"SequenceOfUltrasoundRegions": [region()], "WindowCenter": "100", "WindowWidth": "50"}
    files = [
        write_dicom(tmp_path / "jpeg.dcm", pictures, frames=2, syntax=JPEG_BASELINE, FrameTime="40", **tags),
        cine(tmp_path / "native.dcm", 2, FrameTimeVector=["0", "10"], **tags),
    ]
    outcomes = set()
    for whole in (path.read_bytes() for path in files):
        for _ in range(300):
            damaged = bytearray(whole)
            for _ in range(rng.choice([1, 2, 5])):
                damaged[rng.randrange(128, min(len(whole), 1400))] = rng.randrange(256)
            path = tmp_path / "damaged.dcm"
            path.write_bytes(bytes(damaged))
            try:
                with open_dicom(path) as source:
                    outcomes.add(len(list(source)))
            except EdgeUsError:
                outcomes.add(-1)
    assert outcomes >= {-1, 2}


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """DICOM with twelve pictures in H.264."""
    pytest.importorskip("gi")
    launch = shutil.which("gst-launch-1.0")
    if launch is None:
        pytest.skip("gst-launch-1.0 is not installed")
    stream = tmp_path / "stream.mp4"
    caps = "video/x-raw,format=I420,width=160,height=120,framerate=10/1"
    pipeline = f"videotestsrc num-buffers=12 ! {caps} ! x264enc ! h264parse ! mp4mux ! filesink location={stream}"
    subprocess.run([launch, "-q", *pipeline.split()], check=True, timeout=60)
    return write_dicom(
        tmp_path / "a.dcm",
        [stream.read_bytes()],
        photometric="YBR_PARTIAL_420",
        samples=3,
        frames=12,
        syntax=H264,
        Rows=120,
        Columns=160,
        FrameTime="50",
    )


def test_h264_inside_dicom_is_played_with_the_headers_times(video: Path) -> None:
    with open_source(str(video)) as source:
        frames = list(source)
    assert len(frames) == 12
    assert frames[0].size == (160, 120)
    assert [frame.pts_ns for frame in frames] == [n * 50_000_000 for n in range(12)]
    assert source.info.uri == str(video)


PLAYS = """
import sys, time
from edge_us.capture.open import open_source
with open_source(sys.argv[1]) as source:
    assert source.read(10) is not None
    print("playing", flush=True)
    time.sleep(60)
"""


def test_the_stream_inside_dicom_has_no_name_on_disk_and_is_gone_with_a_killed_process(
    video: Path, tmp_path: Path
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    player = subprocess.Popen(
        [sys.executable, "-c", PLAYS, str(video)], stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(temporary)}
    )
    try:
        assert player.stdout is not None
        assert player.stdout.readline() == b"playing\n"
        assert list(temporary.iterdir()) == []
    finally:
        player.kill()
        player.communicate()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "pixel_format", "size", "frames"),
    [
        ("examples_ybr_color.dcm", PixelFormat.BGR, (320, 240), 30),
        ("examples_rgb_color.dcm", PixelFormat.BGR, (320, 240), 1),
        ("examples_jpeg2k.dcm", PixelFormat.BGR, (640, 480), 1),
        ("examples_palette.dcm", PixelFormat.BGR, (800, 350), 1),
    ],
)
def test_real_files_play_whole(
    shared_dir: Path, name: str, pixel_format: PixelFormat, size: tuple[int, int], frames: int
) -> None:
    with open_source(str(shared_dir / "clips" / "dicom" / name)) as source:
        read = list(source)
    assert len(read) == frames
    assert {(frame.format, frame.size) for frame in read} == {(pixel_format, size)}
    assert source.warnings == ()
    assert read[0].pixels.std() > 10


def test_real_colours_are_right(shared_dir: Path) -> None:
    """Known spots: power Doppler is yellow, the header bar of the palette file is dark blue."""
    with open_source(str(shared_dir / "clips" / "dicom" / "examples_jpeg2k.dcm")) as source:
        blue, green, red = (int(value) for value in next(iter(source)).pixels[208:214, 150:160].mean(axis=(0, 1)))
    assert red > 200
    assert green > 150
    assert blue < 60
    with open_source(str(shared_dir / "clips" / "dicom" / "examples_palette.dcm")) as source:
        frame = next(iter(source))
    blue, green, red = (int(value) for value in frame.pixels[3, 300])
    assert blue > green > red


def test_the_real_scale_agrees_with_the_callipers_in_the_picture(shared_dir: Path) -> None:
    with open_source(str(shared_dir / "clips" / "dicom" / "examples_palette.dcm")) as source:
        frame = next(iter(source))
    assert frame.geometry.region == Rect(120, 60, 680, 290)
    assert frame.geometry.mm_per_px is not None
    # The picture shows callipers at (460, 291) and (499, 302), and "1.06 cm" beside them.
    length_mm = float(np.hypot((499 - 460) * frame.geometry.mm_per_px[0], (302 - 291) * frame.geometry.mm_per_px[1]))
    assert length_mm == pytest.approx(10.6, abs=0.3)


def test_a_real_shrunk_picture_gives_no_false_scale(shared_dir: Path) -> None:
    with open_source(str(shared_dir / "clips" / "dicom" / "examples_ybr_color.dcm")) as source:
        frame = next(iter(source))
    assert frame.geometry.mm_per_px is None
    assert "another size" in frame.geometry.reason
    assert source.info.fps == pytest.approx(30, abs=0.01)
