"""Which decoder is taken, and what happens where a hardware decoder does not start: stand-ins for hardware."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_us.capture import gst_source
from edge_us.capture.decoding import H264, H265, MJPEG, Decoders, best_decoders, software_decoders
from edge_us.capture.gst import available_elements, load_gst, usable_elements
from edge_us.capture.gst_source import GstSource
from edge_us.capture.open import open_source
from edge_us.capture.pipelines import PipelineSpec, build_pipeline
from edge_us.capture.probes import lost_colorimetry
from edge_us.capture.source import Source
from edge_us.capture.uri import Scheme, SourceUri, parse_source
from edge_us.config import load_config
from edge_us.errors import InputError, MissingDependencyError
from edge_us.finding import SourceState
from edge_us.frame import ColorMatrix, ColorRange
from edge_us.log import LogFormat
from edge_us.runtime.run import Run
from edge_us.runtime.telling import tell_events

PC = frozenset({"avdec_h264", "avdec_h265", "openh264dec", "jpegdec", "avdec_mjpeg", "videoconvert", "deinterlace"})
DESKTOP = PC | {"nvh264dec", "nvh265dec"}
JETPACK_6 = PC | {"nvv4l2decoder", "nvvidconv", "nvjpegdec", "nv3dsink"}
JETPACK_7 = PC | {"nvv4l2decoder", "nvvidconv", "nvh264dec", "nvh265dec"}
"""JetPack 7 as on Thor, without nvjpegdec; both NVIDIA families side by side."""
FILE = SourceUri(Scheme.VIDEO, "clip.mp4", "clip.mp4")


@pytest.mark.parametrize(
    ("elements", "h264", "h265", "mjpeg", "from_device"),
    [
        (PC, "avdec_h264", "avdec_h265", "jpegdec", ""),
        (PC - {"avdec_h264"}, "openh264dec", "avdec_h265", "jpegdec", ""),
        (DESKTOP, "nvh264dec", "nvh265dec", "jpegdec", ""),
        (JETPACK_6, "nvv4l2decoder", "nvv4l2decoder", "nvjpegdec", "nvvidconv ! video/x-raw ! "),
        (JETPACK_7, "nvv4l2decoder", "nvv4l2decoder", "jpegdec", "nvvidconv ! video/x-raw ! "),
        (JETPACK_6 - {"nvvidconv"}, "avdec_h264", "avdec_h265", "jpegdec", ""),
    ],
    ids=["pc", "pc without libav's", "desktop GPU", "JetPack 6", "JetPack 7", "no way out of device memory"],
)
def test_nvidias_decoders_come_first_where_they_are(
    elements: frozenset[str], h264: str, h265: str, mjpeg: str, from_device: str
) -> None:
    decoders = best_decoders(elements)
    assert decoders.by_format == {H264: h264, H265: h265, MJPEG: mjpeg}
    assert decoders.from_device == from_device
    assert not software_decoders(elements).hardware


def test_mjpeg_never_goes_to_nvv4l2decoder() -> None:
    for size in range(len(JETPACK_6) + 1):
        for elements in itertools.combinations(sorted(JETPACK_6), size):
            assert best_decoders(frozenset(elements)).by_format.get(MJPEG) != "nvv4l2decoder"


@pytest.mark.parametrize("elements", [JETPACK_6, JETPACK_7], ids=["JetPack 6", "JetPack 7"])
def test_on_a_jetson_decoded_pictures_come_out_of_device_memory_and_the_way_without_stands_beside(
    elements: frozenset[str],
) -> None:
    for source in (FILE, parse_source("rtsp://host/live"), parse_source("gst:udpsrc port=5000")):
        spec = build_pipeline(source, elements)
        assert "caps=video/x-raw(ANY) ! nvvidconv ! video/x-raw ! videoconvert" in spec.description
        assert spec.software is not None
        assert "caps=video/x-raw(ANY) ! videoconvert" in spec.software.description
        assert not spec.software.decoders.hardware
        assert spec.software.software is None
        assert (spec.software.settings, spec.software.live) == (spec.settings, spec.live)


def test_a_grabbers_pictures_never_lie_in_device_memory() -> None:
    """nvvidconv does not take every raw format of a card."""
    for text in ("v4l2:///dev/video0", "decklink://0"):
        assert "nvvidconv" not in build_pipeline(parse_source(text), JETPACK_6).description
    assert build_pipeline(parse_source("v4l2:///dev/video0"), JETPACK_6).decoders.by_format == {MJPEG: "nvjpegdec"}
    assert build_pipeline(parse_source("v4l2:///dev/video0"), JETPACK_7).software is None
    assert build_pipeline(parse_source("decklink://0"), JETPACK_6).software is None


def test_on_a_desktop_the_same_text_has_other_decoders() -> None:
    spec = build_pipeline(FILE, DESKTOP)
    assert spec.description == build_pipeline(FILE, PC).description
    assert spec.decoders.hardware == ("nvh264dec", "nvh265dec")
    assert spec.software == build_pipeline(FILE, PC)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty pictures of H.264."""
    if "x264enc" not in available_elements():
        pytest.skip("no element x264enc")
    gst, path = load_gst(), tmp_path_factory.mktemp("decoding") / "clip.mp4"
    pipeline = gst.parse_launch(
        "videotestsrc num-buffers=30 ! video/x-raw,format=I420,width=64,height=48,framerate=30/1 ! x264enc "
        f"! h264parse ! mp4mux ! filesink location={path}"
    )
    pipeline.set_state(gst.State.PLAYING)
    assert pipeline.get_bus().timed_pop_filtered(20 * gst.SECOND, gst.MessageType.EOS) is not None
    pipeline.set_state(gst.State.NULL)
    return path


def spec_of(clip: Path, **hardware: Any) -> PipelineSpec:
    """A pipeline that stands for one with hardware, with the real one for software beside it."""
    software = build_pipeline(parse_source(str(clip)), PC)
    decoders = Decoders({H264: "nvh264dec"})
    return replace(software, **{"decoders": decoders, "software": software, **hardware})


def count(source: Source) -> int:
    return sum(frame.size == (64, 48) for frame in source)


@pytest.mark.parametrize("name", ["avdec_h264", "openh264dec"])
def test_decodebin_takes_the_decoder_that_it_is_told_whatever_its_rank(clip: Path, name: str) -> None:
    if name not in available_elements():
        pytest.skip(f"no element {name}")
    source = GstSource(spec_of(clip, decoders=Decoders({H264: name})), 10.0)
    with source:
        assert source._pipeline is not None
        assert source._pipeline.tried_decoders == (name,)
        assert count(source) == 30
        assert source.warnings == ()


def test_a_decoder_that_somebody_switched_off_is_not_taken(clip: Path) -> None:
    if not {"avdec_h264", "openh264dec"} <= available_elements():
        pytest.skip("no two decoders for H.264")
    factory = load_gst().ElementFactory.find("avdec_h264")
    rank = factory.get_rank()
    factory.set_rank(0)
    try:
        assert "avdec_h264" not in usable_elements()
        with open_source(str(clip)) as source:
            assert isinstance(source, GstSource)
            assert source._pipeline is not None
            assert source._pipeline.tried_decoders == ("openh264dec",)
            assert count(source) == 30
            assert factory.get_rank() == 0
    finally:
        factory.set_rank(rank)


def between(clip: Path, element: str) -> dict[str, Any]:
    """The software's pipeline with an element more, behind the decoder."""
    text = build_pipeline(parse_source(str(clip)), PC).description.replace(
        "! videoconvert", f"! {element} ! videoconvert"
    )
    return {"description": text, "decoders": Decoders({H264: "avdec_h264", H265: "nvh265dec"})}


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (lambda clip: {}, "missing a plug-in"),
        (lambda clip: between(clip, "capsfilter caps=video/x-raw,format=GRAY10_LE32"), ""),
        (lambda clip: between(clip, "valve drop=true"), "no picture came"),
    ],
    ids=["does not start", "gives pictures that nobody takes", "gives nothing"],
)
def test_where_a_hardware_decoder_gives_no_picture_the_software_takes_over_and_it_is_told(
    clip: Path, broken: Callable[[Path], dict[str, Any]], why: str
) -> None:
    with GstSource(spec_of(clip, **broken(clip)), 2.0) as source:
        assert source.state is SourceState.RUNNING
        assert count(source) == 30
        (warning,) = source.warnings
    assert warning.startswith(f"{clip}: hardware decoding (nvh26")
    assert "did not start (" in warning
    assert why in warning
    assert warning.endswith("it is decoded on the CPU")


@pytest.mark.parametrize(
    ("encoded", "span", "matrix"),
    [
        ("format=I420,colorimetry=bt709 ! x264enc", ColorRange.LIMITED, ColorMatrix.BT709),
        ("format=I420,colorimetry=1:3:5:1 ! x264enc", ColorRange.FULL, ColorMatrix.BT709),
        ("format=I420 ! jpegenc", ColorRange.FULL, ColorMatrix.BT601),
    ],
    ids=["H.264", "H.264 in full range", "MJPEG"],
)
def test_a_decoder_that_loses_range_and_matrix_does_not_change_the_contrast(
    encoded: str, span: ColorRange, matrix: ColorMatrix
) -> None:
    if not {"x264enc", "jpegenc", "capssetter"} <= available_elements():
        pytest.skip("no element x264enc, jpegenc or capssetter")
    text = f"gst:videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=30/1,{encoded}"
    spec = build_pipeline(parse_source(text), PC)
    raw = "video/x-raw,format=I420,width=64,height=48,framerate=30/1"
    silent = f'capssetter replace=true caps="{raw}" ! videoconvert name=convert'
    broken = replace(spec, description=spec.description.replace("videoconvert name=convert", silent), software=None)
    assert "capssetter" in broken.description
    with GstSource(broken, 10.0) as source:
        frame = source.read(3.0)
    assert frame is not None
    assert (frame.colorimetry.range, frame.colorimetry.matrix) == (span, matrix)


@pytest.mark.parametrize(
    ("caps", "lost"),
    [
        ("video/x-raw, format=(string)NV12, width=(int)64", True),
        ("video/x-raw, format=(string)GRAY8", True),
        ("video/x-raw, format=(string)NV12, colorimetry=(string)bt709", False),
        ("video/x-raw, format=(string)BGRx", False),
        ("video/x-raw", False),
    ],
)
def test_only_grey_and_yuv_pictures_can_have_lost_their_range(caps: str, lost: bool) -> None:
    assert lost_colorimetry(caps) is lost


def test_a_run_tells_at_once_and_in_its_report_that_hardware_did_not_start(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "nvh264dec" in available_elements():
        pytest.skip("there is a real one")
    more = available_elements() | {"nvh264dec"}
    monkeypatch.setattr("edge_us.capture.open.usable_elements", lambda: more)
    out = io.StringIO()
    tell_events(LogFormat.JSON, out)
    try:
        run = Run(load_config({"source": str(clip), "classifier": "off", "probe": False}, environment={}))
        frames = [frame.index for frame, _ in run]
    finally:
        tell_events(LogFormat.OFF, out)
    assert frames == list(range(30))
    assert run.report is not None
    (warning,) = run.report["warnings"]
    assert "nvh264dec" in warning
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["reason"] for line in told if line["event"] == "source warning"] == [warning]


def test_the_software_is_tried_once_and_its_own_failure_is_the_error(tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("this is no video " * 100)
    with pytest.raises((InputError, MissingDependencyError), match=r"text\.mp4"):
        GstSource(spec_of(path), 3.0)


def test_an_address_that_does_not_answer_is_not_the_decoders_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = build_pipeline(parse_source("rtsp://127.0.0.1:1/live"), JETPACK_7 - {"nvvidconv"})
    assert spec.software is not None
    monkeypatch.setattr(gst_source, "software_instead", lambda *_: pytest.fail("the address is to blame"))
    with pytest.raises(InputError, match="no picture within 1 s"):
        GstSource(spec, 1.0)
