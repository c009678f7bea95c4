"""Pipelines as text: what they say, without GStreamer and without a card."""

from __future__ import annotations

import pytest

from edge_us.capture.pipelines import FILE_QUEUE, LIVE_QUEUE, build_pipeline, target_caps
from edge_us.capture.uri import Scheme, SourceUri, parse_source

ELEMENTS = frozenset({"deinterlace", "videoconvert"})


def test_files_never_drop_and_decode_ahead_within_a_bound() -> None:
    spec = build_pipeline(SourceUri(Scheme.VIDEO, '/a "b" ! c.mp4', "c.mp4"), ELEMENTS)
    assert f"sync=false emit-signals=false enable-last-sample=false drop=false max-buffers={FILE_QUEUE}" in (
        spec.description
    )
    assert not spec.live


def test_names_of_files_need_no_quoting() -> None:
    spec = build_pipeline(SourceUri(Scheme.VIDEO, '/a "b" ! c.mp4', "c.mp4"), ELEMENTS)
    assert spec.settings == {"location": '/a "b" ! c.mp4'}
    assert "c.mp4" not in spec.description


@pytest.mark.parametrize("text", ["rtsp://h/a", "v4l2:///dev/video0", "decklink://0"])
def test_live_sources_drop_the_oldest_decoded_picture(text: str) -> None:
    spec = build_pipeline(parse_source(text), ELEMENTS)
    assert spec.live
    assert spec.description.endswith(f"drop=true max-buffers={LIVE_QUEUE}")
    assert "leaky" not in spec.description


def test_rtsp_goes_over_tcp_with_a_short_jitter_buffer_and_drops_late_packets() -> None:
    spec = build_pipeline(parse_source("rtsp://host:8554/live"), ELEMENTS)
    assert "protocols=tcp latency=50 drop-on-latency=true" in spec.description
    assert spec.settings == {"location": "rtsp://host:8554/live"}


def test_rtsp_credentials_are_handed_over_apart_and_show_nowhere() -> None:
    spec = build_pipeline(parse_source("rtsp://us%40er:sec%2Fret@host:8554/live?a=1"), ELEMENTS)
    assert spec.settings == {"location": "rtsp://host:8554/live?a=1", "user-id": "us@er", "user-pw": "sec/ret"}
    assert "ret" not in repr(spec).replace("interlace", "").replace("deinterlace", "").replace("max-buffers", "")


def test_v4l2_takes_a_usable_rate_first_raw_before_mjpeg_and_anything_else_last() -> None:
    spec = build_pipeline(parse_source("v4l2:///dev/video2"), ELEMENTS)
    assert spec.settings == {"device": "/dev/video2"}
    formats = spec.description.split('caps="')[1].split('"')[0].split(";")
    assert [text.split(",")[0] for text in formats] == ["video/x-raw", "image/jpeg", "video/x-raw", "image/jpeg"]
    assert [("framerate" in text) for text in formats] == [True, True, False, False]


def test_decklink_finds_the_mode_and_drops_pictures_without_signal() -> None:
    spec = build_pipeline(parse_source("decklink://1"), ELEMENTS)
    assert "decklinkvideosrc name=device mode=auto drop-no-signal-frames=true" in spec.description
    assert spec.settings == {"device-number": 1}


def test_elements_that_are_not_there_are_not_used() -> None:
    source = parse_source("decklink://0")
    assert "deinterlace" in build_pipeline(source, ELEMENTS).description
    assert "deinterlace" not in build_pipeline(source, frozenset()).description


def test_what_gstreamer_does_not_read_is_a_defect() -> None:
    with pytest.raises(ValueError, match="dicom"):
        build_pipeline(SourceUri(Scheme.DICOM, "a", "a"), ELEMENTS)


@pytest.mark.parametrize(
    ("pixel_format", "colorimetry", "interlaced", "wanted"),
    [
        ("I420", "bt709", False, "video/x-raw,format=I420"),
        ("NV12", "1:4:0:0", False, "video/x-raw,format=NV12"),
        ("GRAY8", "1:4:0:0", False, "video/x-raw,format=GRAY8"),
        ("GRAY8", "1:4:0:0", True, "video/x-raw,format=I420,colorimetry=1:4:0:0"),
        ("GRAY16_LE", "1:4:0:0", False, "video/x-raw,format=GRAY8,colorimetry=1:4:0:0"),
        ("BGR", "sRGB", False, "video/x-raw,format=BGR"),
        ("xRGB", "sRGB", False, "video/x-raw,format=BGR,colorimetry=sRGB"),
        ("Y42B", "1:4:0:0", False, "video/x-raw,format=I420,colorimetry=1:4:0:0"),
        ("v210", "bt709", True, "video/x-raw,format=I420,colorimetry=bt709"),
        ("P010_10LE", "bt2020", False, "video/x-raw,format=I420,colorimetry=bt709"),
        ("NV12", "1:6:0:0", False, "video/x-raw,format=NV12,colorimetry=1:3:5:1"),
    ],
)
def test_conversion_keeps_grey_grey_yuv_planar_and_the_range_as_it_is(
    pixel_format: str, colorimetry: str, interlaced: bool, wanted: str
) -> None:
    assert target_caps(pixel_format, colorimetry, interlaced=interlaced) == wanted
