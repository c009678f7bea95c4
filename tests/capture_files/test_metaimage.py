"""MetaImage sequences: known pixels in every element type, orientation, times, scale, damage."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_us.capture.metaimage import open_metaimage
from edge_us.capture.metaimage_header import DTYPES, parse_header
from edge_us.capture.open import open_source
from edge_us.errors import EdgeUsError, InputError
from edge_us.frame import Frame, PixelFormat, Rect

HEIGHT, WIDTH = 32, 40


def ramps(frames: int = 3) -> NDArray[np.uint8]:
    """Frames whose pixels tell frame, row and column, and that no flip leaves unchanged."""
    number, row, column = np.mgrid[0:frames, 0:HEIGHT, 0:WIDTH]
    return np.asarray(number * 50 + row * 2 + column * 3, np.uint8)


def write_mha(
    path: Path, pixels: NDArray[np.generic], *, compressed: bool = False, raw: str | None = None, **fields: Any
) -> Path:
    """Write pixels of shape (frames, height, width[, channels])."""
    data = pixels.tobytes()
    data = zlib.compress(data) if compressed else data
    frames, height, width = pixels.shape[:3]
    kinds = {np.dtype(code): name for name, code in reversed(DTYPES.items())}
    lines = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "True" if pixels.dtype.byteorder == ">" else "False",
        "CompressedData": str(compressed),
        "DimSize": f"{width} {height} {frames}",
        "ElementType": kinds[pixels.dtype.newbyteorder("=")],
        "ElementNumberOfChannels": str(pixels.shape[3] if pixels.ndim == 4 else 1),
        "ElementSpacing": "1 1 1",
        **fields,
        "ElementDataFile": raw or "LOCAL",
    }
    header = "".join(f"{name} = {value}\n" for name, value in lines.items()).encode()
    if raw is None:
        path.write_bytes(header + data)
    else:
        path.write_bytes(header)
        (path.parent / raw).write_bytes(data)
    return path


def play(path: Path) -> list[Frame]:
    with open_metaimage(path) as source:
        return list(source)


def stamps(*seconds: float) -> dict[str, Any]:
    return {f"Seq_Frame{number:04}_Timestamp": str(value) for number, value in enumerate(seconds)}


@pytest.mark.parametrize("compressed", [False, True])
def test_grey_frames_come_through_unchanged(tmp_path: Path, compressed: bool) -> None:
    frames = play(write_mha(tmp_path / "a.mha", ramps(), compressed=compressed))
    assert len(frames) == 3
    for frame, expected in zip(frames, ramps(), strict=True):
        assert frame.format is PixelFormat.GRAY8
        np.testing.assert_array_equal(frame.pixels, expected)


def test_pixels_in_a_file_of_their_own_are_found_beside_the_header(tmp_path: Path) -> None:
    path = write_mha(tmp_path / "a.mhd", ramps(), raw="a.raw")
    np.testing.assert_array_equal(play(path)[2].pixels, ramps()[2])


@pytest.mark.parametrize("offset", ["16", "-1"])
def test_a_header_of_the_pixel_file_is_skipped(tmp_path: Path, offset: str) -> None:
    path = write_mha(tmp_path / "a.mhd", ramps(), raw="a.raw", HeaderSize=offset)
    (tmp_path / "a.raw").write_bytes(b"\xff" * 16 + ramps().tobytes())
    np.testing.assert_array_equal(play(path)[0].pixels, ramps()[0])


@pytest.mark.parametrize("dtype", ["i1", "<u2", ">u2", "<i2", ">i2", "<u4", "<i4", "<u8", "<f4", ">f4", "<f8"], ids=str)
def test_other_elements_are_mapped_over_the_range_of_the_first_frame(tmp_path: Path, dtype: str) -> None:
    grey = np.arange(256, dtype=np.int64).reshape(1, 16, 16)
    kind = np.dtype(dtype)
    if kind == np.int8:
        stored = (grey - 128).astype(kind)
    elif kind.kind == "u":
        stored = (grey * 100 + 7).astype(kind)
    else:
        stored = (grey * 100 - 12000).astype(kind)
    frame = play(write_mha(tmp_path / "a.mha", stored))[0]
    np.testing.assert_array_equal(frame.pixels, grey[0])


def test_a_declared_range_comes_before_the_first_frames(tmp_path: Path) -> None:
    stored = np.array([[[0, 100], [200, 400]]], np.uint16).repeat(8, axis=1).repeat(8, axis=2)
    frame = play(write_mha(tmp_path / "a.mha", stored, ElementMin="0", ElementMax="250"))[0]
    assert [int(frame.pixels[row, column]) for row, column in ((0, 0), (0, 8), (8, 0), (8, 8))] == [0, 102, 204, 255]


def test_the_mapping_is_the_same_for_all_frames(tmp_path: Path) -> None:
    stored = np.stack([np.linspace(0, 1000, 256).reshape(16, 16), np.full((16, 16), 500)]).astype(np.float32)
    frames = play(write_mha(tmp_path / "a.mha", stored))
    assert {int(value) for value in np.unique(frames[1].pixels)} == {128}


@pytest.mark.parametrize("channels", [3, 4])
def test_colour_is_turned_to_bgr_and_alpha_dropped(tmp_path: Path, channels: int) -> None:
    rgb = np.zeros((1, HEIGHT, WIDTH, channels), np.uint8)
    rgb[...] = np.array([200, 100, 50, 255][:channels])
    frame = play(write_mha(tmp_path / "a.mha", rgb))[0]
    assert frame.format is PixelFormat.BGR
    assert frame.pixels[3, 4].tolist() == [50, 100, 200]


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        ("MF", lambda upright: upright),
        ("MFA", lambda upright: upright),
        ("MN", lambda upright: upright[::-1]),
        ("UF", lambda upright: upright[:, ::-1]),
        ("UN", lambda upright: upright[::-1, ::-1]),
        ("FM", lambda upright: upright.T),
        ("NU", lambda upright: upright.T[::-1, ::-1]),
        ("NM", lambda upright: upright.T[:, ::-1]),
    ],
)
def test_the_probe_ends_up_at_the_top_whatever_the_orientation(
    tmp_path: Path, orientation: str, stored: object
) -> None:
    upright = ramps(1)[0]
    pixels = np.ascontiguousarray(stored(upright))[None]  # type: ignore[operator]
    frame = play(write_mha(tmp_path / "a.mha", pixels, UltrasoundImageOrientation=orientation))[0]
    np.testing.assert_array_equal(frame.pixels, upright)


def test_an_unknown_orientation_is_shown_as_stored_and_said_so(tmp_path: Path) -> None:
    with open_metaimage(write_mha(tmp_path / "a.mha", ramps(), UltrasoundImageOrientation="AM")) as source:
        np.testing.assert_array_equal(next(iter(source)).pixels, ramps()[0])
    assert any("orientation" in warning for warning in source.warnings)


def test_time_stamps_become_stream_times_from_zero(tmp_path: Path) -> None:
    path = write_mha(tmp_path / "a.mha", ramps(), **stamps(12.5, 12.6, 12.8))
    with open_metaimage(path) as source:
        assert [frame.pts_ns for frame in source] == [0, 100_000_000, 300_000_000]
        assert source.info.fps == pytest.approx(2 / 0.3)
        assert source.warnings == ()


@pytest.mark.parametrize("seconds", [(), (1.0, 2.0), (3.0, 2.0, 1.0), (1.0, 1.0, 2.0), (0.0, float("nan"), 1.0)])
def test_times_that_are_missing_or_do_not_rise_are_replaced_and_said_so(
    tmp_path: Path, seconds: tuple[float, ...]
) -> None:
    with open_metaimage(write_mha(tmp_path / "a.mha", ramps(), **stamps(*seconds))) as source:
        times = [frame.pts_ns for frame in source]
    assert times == sorted(set(times))
    assert source.info.fps is None
    assert any("nominal" in warning for warning in source.warnings)


def test_a_spacing_of_one_is_not_taken_for_millimetres(tmp_path: Path) -> None:
    geometry = play(write_mha(tmp_path / "a.mha", ramps(), ElementSpacing="1 1 1"))[0].geometry
    assert geometry.mm_per_px is None
    assert "PLUS" in geometry.reason


def test_a_true_spacing_is_kept_and_turned_with_the_picture(tmp_path: Path) -> None:
    path = write_mha(tmp_path / "a.mha", ramps(), ElementSpacing="0.1 0.2 1", UltrasoundImageOrientation="FM")
    assert play(path)[0].geometry.mm_per_px == (0.2, 0.1)


def test_a_clip_rectangle_becomes_the_region_and_is_turned_with_the_picture(tmp_path: Path) -> None:
    path = write_mha(
        tmp_path / "a.mha",
        ramps(),
        ClipRectangleOrigin="2 3",
        ClipRectangleSize="20 18",
        UltrasoundImageOrientation="MN",
    )
    assert play(path)[0].geometry.region == Rect(2, HEIGHT - 3 - 18, 20, 18)


def test_frames_whose_status_is_invalid_are_still_shown(tmp_path: Path) -> None:
    path = write_mha(tmp_path / "a.mha", ramps(), Seq_Frame0001_ImageStatus="INVALID")
    assert len(play(path)) == 3


@pytest.mark.parametrize("compressed", [False, True])
def test_a_truncated_sequence_plays_its_whole_frames_and_warns(tmp_path: Path, compressed: bool) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (10, HEIGHT, WIDTH), np.uint8)
    path = write_mha(tmp_path / "a.mha", noise, compressed=compressed)
    path.write_bytes(path.read_bytes()[: -HEIGHT * WIDTH * 5 // 2])
    with open_metaimage(path) as source:
        frames = list(source)
    assert len(frames) == 7
    np.testing.assert_array_equal(frames[6].pixels, noise[6])
    assert any("truncated: 7 of 10" in warning for warning in source.warnings)


def test_damaged_compression_plays_what_comes_before_it(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (200, HEIGHT, WIDTH), np.uint8)
    path = write_mha(tmp_path / "a.mha", noise, compressed=True)
    data = bytearray(path.read_bytes())
    data[-60_000:-59_000] = bytes(1000)
    path.write_bytes(bytes(data))
    with open_metaimage(path) as source:
        frames = list(source)
    assert 0 < len(frames) < 200
    np.testing.assert_array_equal(frames[0].pixels, noise[0])
    assert any("could be read" in warning for warning in source.warnings)


def test_a_header_that_claims_more_than_the_file_holds_costs_no_memory(tmp_path: Path) -> None:
    import tracemalloc

    bomb = zlib.compress(bytes(200_000_000), 9)
    path = write_mha(tmp_path / "a.mha", ramps(1), CompressedData="True", DimSize="64 64 1000000")
    header = path.read_bytes().split(b"LOCAL\n")[0] + b"LOCAL\n"
    path.write_bytes(header + bomb)
    tracemalloc.start()
    with open_metaimage(path) as source:
        for number, _ in enumerate(source):
            if number == 500:
                break
        _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A million stream times are 40 MB of integers; the 200 MB of pixels are never there.
    assert peak < 100_000_000


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"DimSize": "100000 100000 3"}, "impossible"),
        ({"DimSize": "40 32 99999999999"}, "impossible"),
        ({"DimSize": "40 -32 3"}, "declares sizes"),
        ({"DimSize": "forty 32 3"}, "damaged"),
        ({"ElementType": "MET_STRING"}, "MET_STRING"),
        ({"ElementNumberOfChannels": "7"}, "7 channels"),
        ({"UltrasoundImageType": "RF_REAL"}, "radio-frequency"),
        ({"BinaryData": "False"}, "text"),
        ({"ElementSpacing": "a b c"}, "damaged"),
    ],
)
def test_a_header_that_cannot_be_is_one_clear_error(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        open_metaimage(write_mha(tmp_path / "a.mha", ramps(), **fields))


@pytest.mark.parametrize("target", ["LIST", "frame%03d.raw", "absent.raw"])
def test_pixels_that_are_elsewhere_are_one_clear_error(tmp_path: Path, target: str) -> None:
    path = write_mha(tmp_path / "a.mhd", ramps(), raw="a.raw")
    path.write_bytes(path.read_bytes().replace(b"a.raw", target.encode()))
    with pytest.raises(InputError):
        open_metaimage(path)


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 5000, b"ObjectType = Image\n", b"x" * 200_000, b"DimSize = 3 3\n=\n"]
)
def test_what_is_not_a_metaimage_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mha"
    path.write_bytes(content)
    with pytest.raises(InputError):
        open_metaimage(path)


def test_not_one_whole_frame_is_one_clear_error(tmp_path: Path) -> None:
    path = write_mha(tmp_path / "a.mha", ramps())
    path.write_bytes(path.read_bytes()[: -HEIGHT * WIDTH * 3 + 100])
    with pytest.raises(InputError, match="not one whole frame"):
        open_metaimage(path)


NAMES = st.sampled_from(
    [
        "DimSize",
        "NDims",
        "ElementType",
        "ElementNumberOfChannels",
        "ElementSpacing",
        "ElementMin",
        "ElementMax",
        "HeaderSize",
        "UltrasoundImageOrientation",
        "ClipRectangleOrigin",
        "ClipRectangleSize",
        "Kinds",
        "Seq_Frame0000_Timestamp",
        "CompressedData",
        "BinaryData",
    ]
)
VALUES = st.one_of(
    st.text(max_size=20),
    st.lists(st.integers(-(10**30), 10**30).map(str), max_size=5).map(" ".join),
    st.lists(st.floats().map(str), max_size=4).map(" ".join),
    st.sampled_from(["MET_UCHAR", "MET_FLOAT", "True", "False", "MF", "9" * 5000, "1e400 1e400", ""]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(NAMES, VALUES), max_size=12))
def test_no_header_raises_anything_but_our_errors(lines: list[tuple[str, str]]) -> None:
    good = {"DimSize": "4 4 2", "ElementType": "MET_UCHAR"} | dict(lines) | {"ElementDataFile": "LOCAL"}
    text = "".join(f"{name} = {value}\n" for name, value in good.items())
    try:
        header = parse_header(text.encode("latin-1", "replace"))
    except EdgeUsError:
        return
    assert header.width * header.height * header.frames > 0


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_but_our_errors(data: bytes) -> None:
    with pytest.raises(EdgeUsError):
        parse_header(data)


@pytest.mark.parametrize(
    ("name", "size", "frames", "fps"),
    [
        ("BoneUltrasound_L14.igs.mha", (820, 616), 21, 11.63),
        ("USTC_FrameGrabber_ProbeTranslationData.igs.mha", (640, 480), 200, 10.0),
        ("UltrasonixLinearScanConvertedData.igs.mha", (260, 400), 1, None),
    ],
)
def test_real_sequences_play_whole(
    shared_dir: Path, name: str, size: tuple[int, int], frames: int, fps: float | None
) -> None:
    with open_source(str(shared_dir / "clips" / "plus" / name)) as source:
        sizes = [frame.size for frame in source]
    assert sizes == [size] * frames
    assert source.info.fps == (None if fps is None else pytest.approx(fps, abs=0.01))
    assert source.warnings == ()


def test_real_sequences_show_the_probe_at_the_top(shared_dir: Path) -> None:
    """Near tissue is bright, far tissue lies in shadow and noise."""
    for name in ("BoneUltrasound_L14.igs.mha", "UltrasonixLinearScanConvertedData.igs.mha"):
        with open_source(str(shared_dir / "clips" / "plus" / name)) as source:
            pixels = next(iter(source)).pixels
        assert pixels[: len(pixels) // 4].mean() > 1.15 * pixels[-len(pixels) // 4 :].mean()
