"""Fragments as GStreamer before 1.22 writes them become readable for FFmpeg, without anything moving in the file."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import pytest

from edge_us.capture.open import open_source
from edge_us.sinks.feed import BackPressure
from edge_us.sinks.fragments import RunMerger, merge_runs
from edge_us.sinks.recording import Recording
from tests.sinks.test_recording import speckle, write

PICTURES = 40


def boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """Kind and bytes of the boxes in a row."""
    found, at = [], 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        found.append((kind, data[at : at + size]))
        at += size
    return found


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def split_runs(trun: bytes, grown: int) -> bytes:
    """One run for each sample, only the first with a data offset, as GStreamer 1.20 writes them."""
    flags, count = int.from_bytes(trun[9:12], "big"), struct.unpack_from(">I", trun, 12)[0]
    at = 16
    offset = struct.unpack_from(">i", trun, at)[0]
    at += 4
    first = b""
    if flags & 0x004:
        first, at = trun[at : at + 4], at + 4
    fields = flags & 0xF00
    each = 4 * bin(fields).count("1")
    runs = []
    for number in range(count):
        sample = trun[at + each * number : at + each * (number + 1)]
        if number:
            runs.append(box(b"trun", struct.pack(">II", fields, 1) + sample))
        else:
            kept = fields | 0x001 | (flags & 0x004)
            runs.append(box(b"trun", struct.pack(">IIi", kept, 1, offset + grown) + first + sample))
    return b"".join(runs)


def spoil(data: bytes) -> bytes:
    """The recording as GStreamer 1.20 would have written it."""
    out = b""
    for kind, whole in boxes(data):
        if kind != b"moof":
            out += whole
            continue
        parts: dict[int, bytes] = {}
        for grown in (0, -1):  # first to learn how much longer it gets, then with the offset moved by that
            length = len(parts[0]) - len(whole) if grown else 0
            moof = b""
            for inner, part in boxes(whole[8:]):
                if inner == b"traf":
                    rows = [split_runs(b, length) if k == b"trun" else b for k, b in boxes(part[8:])]
                    part = box(b"traf", b"".join(rows))
                moof += part
            parts[grown] = box(b"moof", moof)
        out += parts[-1]
    return out


def frames_in(path: Path) -> tuple[int, int]:
    """As FFmpeg and as GStreamer count them."""
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.read()[0]:
        count += 1
    with open_source(str(path)) as source:
        return count, sum(1 for _ in source)


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fragments") / "out.mp4"
    recording = Recording(path, 25, BackPressure.BLOCK)
    for number in range(PICTURES):
        # Uneven times, so that durations stand in the runs.
        write(recording, speckle((160, 120), number), number * 40_000_000 + (number % 3) * 5_000_000)
    recording.close()
    assert frames_in(path) == (PICTURES, PICTURES)
    path.write_bytes(spoil(path.read_bytes()))
    return path


@pytest.fixture
def copy(spoilt: Path, tmp_path: Path) -> Path:
    path = tmp_path / "copy.mp4"
    path.write_bytes(spoilt.read_bytes())
    return path


def test_a_run_for_each_picture_is_what_ffmpeg_cannot_read(spoilt: Path) -> None:
    ffmpeg, gstreamer = frames_in(spoilt)
    assert ffmpeg < PICTURES // 2
    assert gstreamer == PICTURES


def test_merged_runs_are_read_by_all_and_nothing_moves(spoilt: Path, copy: Path) -> None:
    RunMerger(copy).step()
    assert frames_in(copy) == (PICTURES, PICTURES)
    before, after = spoilt.read_bytes(), copy.read_bytes()
    assert [(kind, len(whole)) for kind, whole in boxes(after)] == [(kind, len(whole)) for kind, whole in boxes(before)]
    assert [whole for kind, whole in boxes(after) if kind != b"moof"] == [
        whole for kind, whole in boxes(before) if kind != b"moof"
    ]


def test_times_and_pictures_stay_the_same(spoilt: Path, copy: Path) -> None:
    RunMerger(copy).step()
    with open_source(str(spoilt)) as before, open_source(str(copy)) as after:
        for one, other in zip(before, after, strict=True):
            assert one.pts_ns == other.pts_ns
            assert (one.pixels == other.pixels).all()


def test_a_growing_file_is_followed_without_touching_what_is_not_complete(spoilt: Path, tmp_path: Path) -> None:
    data, path = spoilt.read_bytes(), tmp_path / "growing.mp4"
    path.write_bytes(b"")
    merger = RunMerger(path)
    for end in range(0, len(data) + 4099, 4099):
        written = path.stat().st_size
        with path.open("ab") as file:
            file.write(data[written:end])
        merger.step()
    assert frames_in(path) == (PICTURES, PICTURES)


def test_merging_twice_changes_nothing(copy: Path) -> None:
    RunMerger(copy).step()
    once = copy.read_bytes()
    RunMerger(copy).step()
    assert copy.read_bytes() == once


def test_runs_with_their_own_offsets_are_left_alone() -> None:
    runs = b"".join(box(b"trun", struct.pack(">IIiI", 0x201, 1, offset, 10)) for offset in (100, 110))
    moof = box(b"moof", box(b"traf", box(b"tfhd", struct.pack(">II", 0, 1)) + runs))
    assert merge_runs(moof, {}) == moof


@pytest.mark.parametrize("content", [b"", b"abc", b"\0" * 64, b"\0\0\0\4moof", b"\xff\xff\xff\xffmoof" + b"x" * 50])
def test_what_is_no_fragment_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.mp4"
    path.write_bytes(content)
    RunMerger(path).step()
    assert path.read_bytes() == content
