"""Black stays black and white stays white: ranges, pixel formats and fields, with real encoders."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_us.capture.gst import available_elements, load_gst
from edge_us.capture.gst_source import GstSource
from edge_us.capture.open import open_source
from edge_us.capture.pipelines import PipelineSpec, picture_tail
from edge_us.capture.samples import Plane, copy_planes, mapped
from edge_us.colour import to_bgr, to_gray
from edge_us.frame import ColorMatrix, ColorRange, Frame, PixelFormat
from tests.clips import codes, encode, make_clip

Image = NDArray[np.uint8]
RAMP: Image = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
FULL, LIMITED = ColorRange.FULL, ColorRange.LIMITED


def first_frame(path: Path) -> Frame:
    with open_source(str(path)) as source:
        return next(iter(source))


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        *itertools.product(["h264-lossless", "h265-lossless"], [".mp4", ".mov", ".mkv"]),
        *[("h264-lossless", ".avi"), ("ffv1", ".mkv"), ("raw", ".mkv")],
    ],
)
@pytest.mark.parametrize(
    ("colorimetry", "span", "matrix"),
    [
        ("1:4:0:0", FULL, ColorMatrix.BT601),
        ("1:3:5:1", FULL, ColorMatrix.BT709),
        ("bt601", LIMITED, ColorMatrix.BT601),
        ("bt709", LIMITED, ColorMatrix.BT709),
    ],
)
def test_a_grey_ramp_comes_through_within_one_level(
    tmp_path: Path, codec: str, suffix: str, colorimetry: str, span: ColorRange, matrix: ColorMatrix
) -> None:
    if codec == "h265-lossless" and "x265enc" not in available_elements():
        pytest.skip("no encoder x265enc")
    path = make_clip(tmp_path / f"ramp{suffix}", [RAMP] * 3, codec=codec, colorimetry=colorimetry)
    frame = first_frame(path)
    assert (frame.colorimetry.range, frame.colorimetry.matrix) == (span, matrix)
    assert np.array_equal(frame.pixels[:64], codes(RAMP, full=span is FULL))
    assert np.abs(to_gray(frame).astype(int) - RAMP).max() <= 1


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
def test_motion_jpeg_is_full_range(tmp_path: Path, suffix: str) -> None:
    path = make_clip(tmp_path / f"ramp{suffix}", [RAMP] * 2, codec="jpegenc quality=100", colorimetry="1:4:0:0")
    frame = first_frame(path)
    assert frame.colorimetry.range is FULL
    assert np.abs(to_gray(frame).astype(int) - RAMP).max() <= 1


def test_grey_stays_grey(tmp_path: Path) -> None:
    caps = "video/x-raw,format=GRAY8,width=256,height=64,framerate=25/1"
    frame = first_frame(encode(tmp_path / "gray.mkv", caps, [[RAMP]] * 2, "avenc_ffv1"))
    assert frame.format is PixelFormat.GRAY8
    assert np.array_equal(frame.pixels, RAMP)


def play_raw(tmp_path: Path, pixel_format: str, colorimetry: str, data: bytes, extra: str = "") -> Frame:
    """Raw bytes of one picture through the very tail that every source has."""
    path = tmp_path / "picture.raw"
    path.write_bytes(data)
    load_gst()
    parse = (
        f"rawvideoparse use-sink-caps=false width=256 height=64 framerate=25/1 format={pixel_format.lower()} {extra}"
    )
    label = f'capssetter caps="video/x-raw,colorimetry=(string){colorimetry}"'
    text = f"filesrc name=device ! {parse} ! {label} ! {picture_tail(available_elements(), live=False)}"
    with GstSource(PipelineSpec(text, {"location": str(path)}, "raw", live=False), 5.0) as source:
        return next(iter(source))


def as_raw(pixel_format: str, colorimetry: str, luma: Image) -> bytes:
    """A grey picture in any YUV format; GStreamer's conversion between those copies luma."""
    gst = load_gst()
    there = f"video/x-raw,format={pixel_format},colorimetry=(string){colorimetry}"
    here = f"video/x-raw,format=I420,width=256,height=64,framerate=25/1,colorimetry=(string){colorimetry}"
    pipeline = gst.parse_launch(
        f'appsrc name=in format=time caps="{here}" ! videoconvert dither=none ! {there} ! appsink name=out sync=false'
    )
    pipeline.set_state(gst.State.PLAYING)
    data = luma.tobytes() + bytes([128]) * (luma.size // 2)
    pipeline.get_by_name("in").emit("push-buffer", gst.Buffer.new_wrapped(data))
    pipeline.get_by_name("in").emit("end-of-stream")
    buffer = pipeline.get_by_name("out").try_pull_sample(5 * gst.SECOND).get_buffer()
    raw = bytes(buffer.extract_dup(0, buffer.get_size()))
    pipeline.set_state(gst.State.NULL)
    return raw


@pytest.mark.parametrize("colorimetry", ["1:4:0:0", "bt709"])
@pytest.mark.parametrize(
    "pixel_format",
    ["NV12", "YV12", "YUY2", "UYVY", "Y42B", "Y444", "v210", "I420-10LE", "I422-10LE", "P010-10LE"],
)
def test_every_yuv_layout_keeps_its_luma_and_stays_planar(tmp_path: Path, pixel_format: str, colorimetry: str) -> None:
    luma = codes(RAMP, full=colorimetry.startswith("1:"))
    data = as_raw(pixel_format.replace("-", "_"), colorimetry, luma)
    frame = play_raw(tmp_path, pixel_format, colorimetry, data)
    assert frame.format is (PixelFormat.NV12 if pixel_format == "NV12" else PixelFormat.I420)
    assert frame.colorimetry.range is (FULL if colorimetry.startswith("1:") else LIMITED)
    assert np.array_equal(frame.pixels[:64], luma)
    assert np.all(np.abs(frame.pixels[64:].astype(int) - 128) <= 1)


@pytest.mark.parametrize(
    ("pixel_format", "colorimetry", "limited"),
    [("GRAY8", "1:4:0:0", False), ("GRAY8", "2:4:0:0", True), ("BGR", "sRGB", False), ("BGR", "2:1:7:1", True)],
)
def test_grey_and_rgb_of_either_range_arrive_as_full_range(
    tmp_path: Path, pixel_format: str, colorimetry: str, limited: bool
) -> None:
    picture = codes(RAMP, full=not limited)
    data = picture.tobytes() if pixel_format == "GRAY8" else np.repeat(picture, 3, axis=1).tobytes()
    frame = play_raw(tmp_path, pixel_format, colorimetry, data)
    assert frame.format is PixelFormat(pixel_format)
    assert frame.colorimetry.range is FULL
    assert np.abs(to_gray(frame).astype(int) - RAMP).max() <= 1


def test_sixteen_bit_grey_is_scaled_to_eight(tmp_path: Path) -> None:
    frame = play_raw(tmp_path, "GRAY16-LE", "1:4:0:0", (RAMP.astype("<u2") * 257).tobytes())
    assert frame.format is PixelFormat.GRAY8
    assert np.array_equal(frame.pixels, RAMP)


def test_colour_survives_with_red_and_blue_in_their_places(tmp_path: Path) -> None:
    picture = np.zeros((64, 256, 4), np.uint8)
    picture[:, :128] = (200, 40, 20, 0)  # as RGBx: red on the left
    picture[:, 128:] = (20, 40, 200, 0)
    frame = play_raw(tmp_path, "RGBx", "sRGB", picture.tobytes())
    assert frame.format is PixelFormat.BGR
    assert frame.pixels[32, 20].tolist() == [20, 40, 200]
    assert frame.pixels[32, 236].tolist() == [200, 40, 20]


def test_wide_gamut_is_brought_to_a_matrix_that_frames_can_name(tmp_path: Path) -> None:
    red_2020 = np.concatenate([np.full(256 * 64, 74), np.full(64 * 128 // 2, 97), np.full(64 * 128 // 2, 240)])
    frame = play_raw(tmp_path, "I420", "bt2020", red_2020.astype(np.uint8).tobytes())
    assert frame.colorimetry.matrix is ColorMatrix.BT709
    blue, green, red = to_bgr(frame)[32, 128].tolist()
    assert red >= 250
    assert max(blue, green) <= 8


def test_interlaced_pictures_are_deinterlaced(tmp_path: Path) -> None:
    woven = np.full((64, 256), 30, np.uint8)
    woven[0::2, 40:72] = 220  # the bar in the first field ...
    woven[1::2, 100:132] = 220  # ... has moved in the second
    data = woven.tobytes() + bytes([128]) * (woven.size // 2)
    frame = play_raw(tmp_path, "I420", "1:4:0:0", data, "interlaced=true top-field-first=true")
    luma = frame.pixels[:64].astype(int)
    assert np.abs(np.diff(woven.astype(int), axis=0)).max() == 190
    assert np.abs(np.diff(luma, axis=0)).max() <= 2
    assert luma[32, 56] == 220
    assert luma[32, 116] == 30


def test_interlaced_h264_gives_one_whole_picture_per_frame(tmp_path: Path) -> None:
    woven = np.full((64, 256), 30, np.uint8)
    woven[0::2, 40:72] = 220
    woven[1::2, 100:132] = 220
    half = np.full((32, 128), 128, np.uint8)
    caps = (
        "video/x-raw,format=I420,width=256,height=64,framerate=25/1,colorimetry=(string)bt601,"
        "interlace-mode=interleaved,field-order=top-field-first"
    )
    coder = "x264enc interlaced=true pass=quant quantizer=1 speed-preset=ultrafast ! h264parse"
    path = encode(tmp_path / "fields.mp4", caps, [[woven, half, half]] * 6, coder)
    with open_source(str(path)) as source:
        frames = list(source)
    assert len(frames) == 6
    for frame in frames:
        assert np.abs(np.diff(frame.pixels[4:60].astype(int), axis=0)[:, 20:150]).max() <= 12


def test_padded_rows_and_gaps_between_planes_are_left_out() -> None:
    data = np.arange(100, dtype=np.uint8)
    planes = (Plane(3, 10, 4, 2), Plane(40, 7, 2, 3))
    wanted = [3, 4, 5, 6, 13, 14, 15, 16, 40, 41, 47, 48, 54, 55]
    for owned in (True, False):
        copied = copy_planes(data, planes, owned=owned)
        assert copied is not None
        assert copied.tolist() == wanted


def test_a_buffer_smaller_than_its_picture_is_refused() -> None:
    planes = (Plane(0, 10, 10, 10),)
    assert copy_planes(np.zeros(99, np.uint8), planes, owned=True) is None
    assert copy_planes(np.zeros(100, np.uint8), planes, owned=True) is not None


@pytest.mark.parametrize("as_view", [True, False])
def test_pixels_outlive_the_mapping_whichever_way_python_gets_them(as_view: bool) -> None:
    """With python3-gst-1.0 beside PyGObject a mapped buffer is a view of memory that is soon used again."""

    class Info:
        def __init__(self, memory: bytearray) -> None:
            self.data = memoryview(memory) if as_view else bytes(memory)

    class Buffer:
        def __init__(self) -> None:
            self.memory = bytearray(range(12))
            self.mapped = 0

        def map(self, _flags: Any) -> tuple[bool, Info]:
            self.mapped += 1
            return True, Info(self.memory)

        def unmap(self, _info: Info) -> None:
            self.mapped -= 1
            self.memory[:] = bytes(12)

    load_gst()
    buffer = Buffer()
    with mapped(buffer) as (data, owned):
        pixels = copy_planes(data, (Plane(0, 4, 4, 3),), owned=owned)
    assert buffer.mapped == 0
    assert pixels is not None
    assert pixels.tolist() == list(range(12))
