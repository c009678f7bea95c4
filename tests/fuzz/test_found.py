"""Every failure that fuzzing found, and what reading the code for memory found beside it, as a clear refusal."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from edge_us.calibrate.score_calibration import read_score_calibration
from edge_us.capture import container, dicom_frames, dicom_limits, probes
from edge_us.capture.dicom import open_dicom
from edge_us.capture.dicom_frames import index_encapsulated
from edge_us.capture.dicom_limits import HeaderFile
from edge_us.capture.dicom_pixels import converter
from edge_us.capture.gst_source import GstSource
from edge_us.capture.images import read_image
from edge_us.capture.metaimage import open_metaimage
from edge_us.capture.open import open_source
from edge_us.capture.picture_size import is_too_large
from edge_us.capture.pipelines import PipelineSpec, picture_tail
from edge_us.capture.uri import parse_source
from edge_us.config import MAX_FILE_BYTES, RunConfig, load_config
from edge_us.errors import InputError, ModelError, UsageError
from edge_us.inference.model import load_model
from edge_us.inference.registry import checked_file
from edge_us.phantom.spec import parse_uri
from edge_us.runtime.build import check_outputs
from edge_us.runtime.engine import open_engine
from fuzz.onnx_seed import tiny_network
from tests.capture_files.dicom_files import (
    H264,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    RLE,
    grey_ramp,
    write_dicom,
)
from tests.clips import make_clip, noise

ITEM = b"\xfe\xff\x00\xe0"
META = "ObjectType = Image\nNDims = 3\nDimSize = {size}\nElementType = {kind}\n{more}ElementDataFile = {data}\n"


def peak_mb(work: Callable[[], object]) -> float:
    """Highest memory of Python and NumPy during ``work``, in MB."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def refused(kind: type[Exception], work: Callable[[], object], match: str) -> Callable[[], None]:
    def checked() -> None:
        with pytest.raises(kind, match=match):
            work()

    return checked


# Configuration


@pytest.mark.parametrize(
    "text",
    [
        "threads = " + "9" * 5000,
        "source = " + "[" * 5000,
        "a." * 3000 + "a = 1",
        "source = 'a\nb'",
        "\xe9 = 1",
        "#" * (1 << 21),
    ],
    ids=["5000 digits", "nested arrays", "nested keys", "broken text", "latin-1", "too large"],
)
def test_a_toml_file_that_is_none_is_a_usage_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "edge.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError):
        load_config({}, path, environment={})


def test_a_configuration_of_a_terabyte_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert peak_mb(refused(UsageError, lambda: load_config({}, path, environment={}), "larger than")) < 10
    assert peak_mb(refused(InputError, lambda: read_score_calibration(path), "too large")) < 10
    assert MAX_FILE_BYTES < 10e6


@pytest.mark.parametrize("name", ["a\0b.mp4", "a" * 300 + ".mp4", "b" * 5000], ids=["NUL", "long name", "long path"])
@pytest.mark.parametrize("option", ["record", "findings", "report"])
def test_outputs_with_names_that_no_file_can_have_are_usage_errors(option: str, name: str) -> None:
    config = RunConfig.model_validate({"source": "phantom:", option: name})
    with pytest.raises(UsageError, match=f"--{option}"):
        check_outputs(config)


def test_a_source_with_a_name_that_no_file_can_have_does_not_stop_the_check_of_outputs(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.touch()
    check_outputs(RunConfig.model_validate({"source": "x" * 5000, "record": str(out)}))


@pytest.mark.parametrize("text", ["x" * 5000, "odd://" + "x" * 5000, "a\0b", "file:///" + "x" * 300])
def test_a_source_with_a_name_that_no_file_can_have_is_an_input_error(text: str) -> None:
    with pytest.raises(InputError):
        parse_source(text)


@pytest.mark.parametrize("text", ["rtsp://[", "rtsp://[::1/live", "rtsps://user:word@[v1.2/x", "rtsp://a]b/"])
def test_an_address_with_a_broken_bracket_is_an_input_error_without_the_password(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_source(text)
    assert "word" not in caught.value.message


@pytest.mark.parametrize("query", ["size=²x³", "size=" + "9" * 5000 + "x9", "freeze=²-5", "no_contact=1-" + "9" * 5000])
def test_phantom_numbers_are_plain_digits(query: str) -> None:
    with pytest.raises(UsageError):
        parse_uri(f"phantom:?{query}")


# Networks


@pytest.mark.parametrize(
    "names",
    [
        "{0: 'a', 'b': 'c'}",
        "{[]: 'a'}",
        "[" * 2000,
        "-" * 50_000 + "1",
        "(" * 150 + ")" * 150,
        "'" + "a" * 200_000 + "'",
    ],
    ids=["keys of two kinds", "list as key", "open brackets", "minus signs", "nested", "too long"],
)
def test_names_of_classes_that_python_cannot_read_are_numbered_instead(tmp_path: Path, names: str) -> None:
    path = tmp_path / "own.onnx"
    path.write_bytes(tiny_network(names))
    assert load_model(str(path)).classes == ("class 0",)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"{0: 'lesion'}", b"{0: '\xe9esion'}"), (b"kernel_shape", b"kernel_s\x93ape")],
    ids=["metadata", "message of ONNX Runtime"],
)
def test_a_network_with_text_that_is_not_utf8_is_a_model_error(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = tmp_path / "own.onnx"
    path.write_bytes(tiny_network().replace(old, new))
    with pytest.raises(ModelError, match="cannot be read as an ONNX model: "):
        load_model(str(path))


def test_a_network_that_can_be_compiled_but_not_computed_is_a_model_error(tmp_path: Path) -> None:
    path = tmp_path / "own.onnx"
    path.write_bytes(
        tiny_network(channels=1).replace(struct.pack("<3q", 1, 13, 64), struct.pack("<3q", 0x7F000000, 13, 64))
    )
    with pytest.raises(ModelError, match=r"cannot be computed|cannot compile"):
        open_engine(load_model(str(path)), threads=1)


def test_a_network_that_asks_for_pictures_of_terabytes_is_a_model_error(tmp_path: Path) -> None:
    path = tmp_path / "own.onnx"
    side = b"\x0a\x02\x08\x20"  # a dimension of 32
    path.write_bytes(_longer(tiny_network(), side, b"\x0a\x04\x08\x80\x80\x40"))
    with pytest.raises(ModelError):
        load_model(str(path))


def test_a_network_that_may_not_be_read_or_has_no_possible_name_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model"):
        load_model("x" * 5000)
    with pytest.raises(ModelError, match="there is no model"):
        load_model("a\0b")
    path = tmp_path / "own.onnx"
    path.write_bytes(tiny_network())
    if os.geteuid() != 0:
        path.chmod(0)
        with pytest.raises(ModelError, match="Permission denied"):
            load_model(str(path))


def test_the_hash_of_a_large_network_is_taken_piece_by_piece(tmp_path: Path) -> None:
    path = tmp_path / "own.onnx"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    assert peak_mb(lambda: checked_file(str(path), None, "model")) < 10


# Containers and video


def test_a_file_of_nothing_but_empty_boxes_is_not_walked_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "MOST_BOXES", 100)
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"\0\0\0\x08ftyp" + b"\0\0\0\x08free" * 10_000 + b"\0\0\xff\xffmoov")
    assert container.missing_bytes(path) == 0
    assert not container.lacks_index(path)


def test_kinds_of_boxes_are_not_collected(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    boxes = b"".join(struct.pack(">II", 8, 0x20202020 + number) for number in range(50_000))
    path.write_bytes(b"\0\0\0\x08ftyp" + boxes)
    assert peak_mb(lambda: container.lacks_index(path)) < 1


def test_pictures_larger_than_any_screen_are_refused_before_the_queue_fills_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_clip(tmp_path / "clip.mp4", noise(20, 160, 120))
    monkeypatch.setattr(probes, "MAX_FRAME_PIXELS", 160 * 120 - 1)
    with pytest.raises(InputError, match="pictures of 160x120 are too large"):
        open_source(str(path), connect_timeout_s=20)


def test_a_rate_that_no_recording_has_is_unknown() -> None:
    from edge_us.capture.gst import available_elements

    tail = picture_tail(available_elements(), live=False)
    caps = "video/x-raw,width=64,height=48,framerate=2147483647/1"
    with GstSource(
        PipelineSpec(f"videotestsrc num-buffers=2 ! {caps} ! {tail}", {}, "fast", live=False), 5.0
    ) as source:
        assert source.info.fps is None


# MetaImage


def write_meta(path: Path, size: str, kind: str = "MET_UCHAR", more: str = "", data: str = "LOCAL") -> Path:
    path.write_text(META.format(size=size, kind=kind, more=more, data=data), encoding="latin-1")
    return path


@pytest.mark.parametrize("skip", ["9" * 30, "-7", str(1 << 63), "9" * 5000])
def test_pixels_that_begin_where_no_file_reaches_are_refused(tmp_path: Path, skip: str) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(1000))
    with pytest.raises(InputError):
        open_metaimage(write_meta(tmp_path / "a.mhd", "8 8 1", more=f"HeaderSize = {skip}\n", data="a.raw"))


@pytest.mark.parametrize("name", ["x" * 300, "y" * 5000, "a\0b"], ids=["long name", "long path", "NUL"])
def test_pixels_in_a_file_that_cannot_be_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="not beside it"):
        open_metaimage(write_meta(tmp_path / "a.mhd", "8 8 1", data=name))


@pytest.mark.parametrize(
    ("size", "kind", "more"),
    [
        ("8192 8192 1", "MET_UCHAR", ""),
        ("4096 4096 1", "MET_DOUBLE", "ElementNumberOfChannels = 4\n"),
    ],
)
def test_a_metaimage_picture_has_a_largest_size(tmp_path: Path, size: str, kind: str, more: str) -> None:
    with pytest.raises(InputError, match="impossible size"):
        open_metaimage(write_meta(tmp_path / "a.mha", size, kind, more))


def test_a_small_compressed_metaimage_does_not_become_a_gigabyte(tmp_path: Path) -> None:
    path = write_meta(tmp_path / "a.mha", "2048 2048 40", "MET_FLOAT", "CompressedData = True\n")
    with path.open("ab") as file:
        file.write(zlib.compress(bytes(16 << 20), 9))

    def play() -> None:
        with open_metaimage(path) as source:
            assert source.read(0) is not None

    assert path.stat().st_size < 100_000
    assert peak_mb(play) < 90  # a frame has 17 MB in the file, and 4 MB as a picture


def test_time_stamps_closer_than_any_pictures_give_no_rate(tmp_path: Path) -> None:
    more = "Seq_Frame0000_Timestamp = 0\nSeq_Frame0001_Timestamp = 1e-320\n"
    path = write_meta(tmp_path / "a.mha", "8 8 2", more=more)
    with path.open("ab") as file:
        file.write(bytes(128))
    with open_metaimage(path) as source:
        assert source.info.fps is None


# DICOM


def test_a_deflated_dicom_file_is_refused_before_it_is_inflated(tmp_path: Path) -> None:
    path = tmp_path / "bomb.dcm"
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    data.SOPClassUID = data.SOPInstanceUID = "1.2.3"
    data.file_meta.MediaStorageSOPClassUID = data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.save_as(path, enforce_file_format=True)
    inflate = zlib.compressobj(9, wbits=-15)
    with path.open("ab") as file:
        file.write(inflate.compress(bytes(200 << 20)) + inflate.flush())
    assert path.stat().st_size < 1_000_000
    assert peak_mb(refused(InputError, lambda: open_dicom(path), "deflated DICOM is not supported")) < 30


@pytest.mark.parametrize("bits", [1, 32, 64, 65528])
def test_a_palette_has_indices_of_8_or_16_bits(bits: int) -> None:
    header = Dataset()
    header.PhotometricInterpretation, header.SamplesPerPixel, header.BitsStored = "PALETTE COLOR", 1, 8
    header.BitsAllocated = bits
    assert peak_mb(refused(InputError, lambda: converter(header), "palette of")) < 10


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FrameTimeVector", ["1"] * 6000),
        ("PixelSpacing", ["1"] * 6000),
        ("ExtendedOffsetTable", bytes(12_000)),
        ("SequenceOfUltrasoundRegions", [Dataset() for _ in range(2000)]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_values_that_are_longer_than_they_can_be_are_not_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    monkeypatch.setattr(dicom_limits, "MAX_OTHER_BYTES", 10_000)
    monkeypatch.setattr(dicom_limits, "MAX_VALUE_BYTES", dict.fromkeys(dicom_limits.MAX_VALUE_BYTES, 10_000))
    path = write_dicom(tmp_path / "a.dcm", grey_ramp().tobytes(), **{name: value})
    with pytest.raises(InputError, match=f"impossible {name} of [0-9]+ bytes"):
        open_dicom(path)


def test_a_header_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_limits, "MAX_READS", 1000)
    path = write_dicom(tmp_path / "a.dcm", grey_ramp().tobytes())
    whole = path.read_bytes()
    at = whole.index(b"\x28\x00\x02\x00US")
    endless = b"\x18\x00\x11\x60SQ\0\0\xff\xff\xff\xff" + (ITEM + bytes(4)) * 2000
    path.write_bytes(whole[:at] + endless)
    with pytest.raises(InputError, match="header without end"):
        open_dicom(path)


def test_a_header_file_gives_no_more_than_a_header_has() -> None:
    file = HeaderFile(io.BytesIO(bytes(100)), "a.dcm")
    assert file.read(4) == bytes(4)
    assert (file.seek(50), file.tell(), file.seekable(), file.readable()) == (50, 50, True, True)
    with pytest.raises(InputError):
        file.read()


def test_frame_times_closer_than_any_pictures_give_no_rate(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", grey_ramp().tobytes() * 2, frames=2, FrameTimeVector=["0", "1e-300"])
    with open_dicom(path) as source:
        assert source.info.fps is None


def test_a_file_of_nothing_but_empty_fragments_does_not_become_a_list_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_frames, "MAX_ITEMS", 1000)
    data = (ITEM + bytes(4)) * 100_000
    index = index_encapsulated(io.BytesIO(data), len(data), 1_000_000, by_marker=False)
    assert len(index.frames) < 1000
    assert index.is_cut


def test_an_offset_table_is_no_longer_than_there_can_be_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_frames, "MAX_ITEMS", 1000)
    table = np.arange(4_000_000, dtype="<u4").tobytes()
    data = ITEM + struct.pack("<I", len(table)) + table + ITEM + struct.pack("<I", 4) + b"abcd"
    file = io.BytesIO(data)
    assert peak_mb(lambda: index_encapsulated(file, len(data), 1, by_marker=False)) < 5


def test_an_encoded_frame_larger_than_any_picture_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_dicom(tmp_path / "a.dcm", [bytes(3000)], frames=1, syntax=RLE)
    monkeypatch.setattr(dicom_frames, "MAX_FRAME_BYTES", 2000)
    with pytest.raises(InputError, match="not one whole frame"):
        open_dicom(path)


def test_the_stream_of_a_dicom_video_is_copied_piece_by_piece(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", [bytes(60_000_000)], frames=3, syntax=H264)
    assert peak_mb(refused(InputError, lambda: open_dicom(path), "cannot be played|no picture")) < 20


def test_an_encoded_picture_far_larger_than_the_header_says_is_not_decoded(tmp_path: Path) -> None:
    from openjpeg.utils import encode_array

    encoded = bytes(encode_array(grey_ramp()))
    at = encoded.index(b"\xff\x51") + 6
    huge = encoded[:at] + struct.pack(">II", 30_000, 30_000) + encoded[at + 8 :]
    jpeg = b"\xff\xd8\xff\xc0\x00\x0b\x08\x75\x30\x75\x30\x01\x01\x11\x00\xff\xd9"  # 30000x30000, grey
    assert is_too_large(huge)
    assert is_too_large(jpeg)
    assert not is_too_large(encoded)
    path = write_dicom(tmp_path / "a.dcm", [huge], frames=1, syntax=JPEG_2000_LOSSLESS)
    with pytest.raises(InputError, match="not one whole frame"):
        open_dicom(path)


def test_grey_of_16_bits_is_looked_up_a_few_rows_at_a_time() -> None:
    header = Dataset()
    header.PhotometricInterpretation, header.SamplesPerPixel, header.BitsStored = "MONOCHROME2", 1, 16
    convert = converter(header)
    values = np.zeros((2000, 2000), np.uint16)
    assert peak_mb(lambda: convert(values, "MONOCHROME2")) < 15


def test_a_picture_of_more_pixels_than_any_screen_is_refused_by_its_header(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", [bytes(100)], frames=1, syntax=JPEG_BASELINE, Rows=8192, Columns=8192)
    with pytest.raises(InputError, match="impossible 1 frames of 8192x8192"):
        open_dicom(path)


# Stills


def test_a_small_png_of_a_gigapixel_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path = tmp_path / "bomb.png"
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(30_001 * 100), 9)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    with pytest.raises(InputError, match=r"bomb\.png is too large"):
        read_image(path)


def _longer(network: bytes, old: bytes, new: bytes) -> bytes:
    """Replace a side of the input; the lengths around it are then wrong, too, as a fuzzer leaves them."""
    at = network.rindex(old)
    return network[:at] + new + network[at + len(old) :]
