"""What a source text means."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_us.capture.open import open_source
from edge_us.capture.uri import Scheme, parse_source, without_credentials
from edge_us.errors import ExitCode, InputError


@pytest.mark.parametrize(
    ("text", "scheme", "target", "shown"),
    [
        ("v4l2:///dev/video2", Scheme.V4L2, "/dev/video2", "v4l2:///dev/video2"),
        ("decklink://1", Scheme.DECKLINK, "1", "decklink://1"),
        ("gst:shmsrc socket-path=/x", Scheme.GSTREAMER, "shmsrc socket-path=/x", "gst:shmsrc socket-path=/x"),
        (
            "gst:rtspsrc location=rtsp://me:secret@host/live",
            Scheme.GSTREAMER,
            "rtspsrc location=rtsp://me:secret@host/live",
            "gst:rtspsrc location=rtsp://host/live",
        ),
        ("rtsp://h:554/a?x=1", Scheme.RTSP, "rtsp://h:554/a?x=1", "rtsp://h:554/a?x=1"),
        ("RTSP://u:p@h/a", Scheme.RTSP, "RTSP://u:p@h/a", "RTSP://h/a"),
        ("images:some/folder", Scheme.IMAGES, "some/folder", "images:some/folder"),
        ("phantom:?seed=3", Scheme.PHANTOM, "phantom:?seed=3", "phantom:?seed=3"),
    ],
)
def test_every_scheme_is_told_by_its_name(text: str, scheme: Scheme, target: str, shown: str) -> None:
    parsed = parse_source(text)
    assert (parsed.scheme, parsed.target, parsed.shown) == (scheme, target, shown)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".mov", ".MP4", ""])
def test_a_file_is_a_video_unless_it_says_otherwise(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scan 1#%41{suffix}"
    path.write_bytes(b"something")
    assert parse_source(str(path)).scheme is Scheme.VIDEO
    from_uri = parse_source(path.as_uri())
    assert (from_uri.scheme, from_uri.target) == (Scheme.VIDEO, str(path))


def test_dicom_is_known_by_its_magic_and_metaimage_by_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "IM0001").write_bytes(bytes(128) + b"DICM" + bytes(20))
    (tmp_path / "cine.dcm").write_bytes(b"no preamble")
    (tmp_path / "sweep.mha").write_bytes(b"ObjectType = Image")
    (tmp_path / "sweep.mhd").write_bytes(b"ObjectType = Image")
    kinds = {path.name: parse_source(str(path)).scheme for path in tmp_path.iterdir()}
    assert kinds == {
        "IM0001": Scheme.DICOM,
        "cine.dcm": Scheme.DICOM,
        "sweep.mha": Scheme.METAIMAGE,
        "sweep.mhd": Scheme.METAIMAGE,
    }


def test_a_file_name_may_hold_a_colon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("scan:1.mp4").write_bytes(b"something")
    assert parse_source("scan:1.mp4").target == str(tmp_path / "scan:1.mp4")


@pytest.mark.parametrize(
    "text",
    [
        *["", " ", "gopher://x", "http://h/a.mp4", "rtsp://", "rtsp://h:port/a", "v4l2://", "v4l2://video0"],
        *[
            "gst:",
            "gst:  ",
            "decklink://",
            "decklink://first",
            "decklink://-1",
            "images:",
            "missing.mp4",
            "file:///missing.mp4",
            "a\0b",
        ],
    ],
)
def test_a_source_that_makes_no_sense_is_one_clear_error_with_a_hint(text: str) -> None:
    with pytest.raises(InputError) as caught:
        open_source(text)
    assert caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code is ExitCode.INPUT


def test_a_folder_names_the_scheme_for_stills(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        parse_source(str(tmp_path))
    assert f"images:{tmp_path}" in caught.value.hint


def test_a_still_picture_names_the_scheme_for_stills(tmp_path: Path) -> None:
    path = tmp_path / "still.PNG"
    path.write_bytes(b"\x89PNG")
    with pytest.raises(InputError) as caught:
        parse_source(str(path))
    assert f"images:{path}" in caught.value.hint


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    with pytest.raises(InputError, match=r"empty\.mp4 is empty"):
        parse_source(str(path))


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("cannot open rtsp://a:b@host/x now", "cannot open rtsp://host/x now"),
        ("rtsp://a:b@c@host/x", "rtsp://host/x"),
        ("rtsp://host/x@2", "rtsp://host/x@2"),
        ("rtsp://host/x?user=a&password=b&channel=1", "rtsp://host/x?user=***&password=***&channel=1"),
        ("rtsp://host/x?access_token=b", "rtsp://host/x?access_token=***"),
        ("rtsp://host:554/x?channel=1", "rtsp://host:554/x?channel=1"),
        ("rtsp://host/x: [h264 @ 0x55] error", "rtsp://host/x: [h264 @ 0x55] error"),
        ("v4l2src device=/dev/video0 ! x264enc key-int-max=10", "v4l2src device=/dev/video0 ! x264enc key-int-max=10"),
        ("Path/to/scan@2.mp4", "Path/to/scan@2.mp4"),
    ],
)
def test_credentials_are_taken_out_of_any_text(text: str, safe: str) -> None:
    assert without_credentials(text) == safe


SECRETS = [
    "rtsp://us:SECRET@h/x",
    "rtsp://us:a SECRET@h/x",
    "rtsp://us:12/SECRET@h/x",
    "rtsp://us:a@SECRET/b@h/x",
    "rtsp://us:/SECRET@h",
    "rtsp://SECRET@h/x@2",
    "rtsp:/us:SECRET@h/x",
    "rtsp:us:SECRET@h/x",
    "rstp://us:a/SECRET@h/x",
    "rstp:/us:SECRET@h/x",
    "us:SECRET@h/x",
    "//us:a/SECRET@h/x",
    "us:a//SECRET@h/x",
    "rtsp://h/x?user=us&password=SECRET",
    "rtsp://h/x?pw=SECRET",
    "gst:rtspsrc location=rtsp://h/x user-pw=SECRET ! decodebin",
    "gst:rtspsrc location=rtsp://h/x proxy-pw=SECRET proxy-id=SECRET",
    "gst:rtspsrc location=rtsp://us:a/SECRET@h/x",
    'gst:rtspsrc user-pw="a \\" SECRET" name=a',
    'gst:rtspsrc user-pw="a SECRET',
    "gst:rtspsrc user-pw=(string)a&SECRET name=a",
    "gst:a password=SECRET",
    "gst:a passwd=SECRET",
    "gst:a PASSWORD = SECRET",
    "gst:a pw=SECRET",
    "gst:srtsrc passphrase=SECRET",
    "gst:a pass=SECRET",
    "gst:a api-key=SECRET",
    "gst:souphttpsrc cookies=SECRET",
]


@pytest.mark.parametrize("text", SECRETS)
def test_no_secret_of_a_source_shows_however_it_is_written(text: str) -> None:
    assert "SECRET" not in without_credentials(text)
    assert "SECRET" not in without_credentials(f"cannot open {text} now")
    try:
        said = repr(parse_source(text))
    except InputError as error:
        said = f"{error.message} {error.hint}"
    assert "SECRET" not in said


def test_a_secret_shows_nowhere() -> None:
    parsed = parse_source("rtsp://user:secret@host/a?token=secret")
    assert "secret" not in f"{parsed!r} {parsed.shown}"


def test_half_a_password_taken_for_a_port_is_not_repeated() -> None:
    with pytest.raises(InputError) as caught:
        parse_source("rtsp://user:se/secret@host/a")
    assert "se" not in caught.value.message.split("address")[0]
    assert "secret" not in f"{caught.value.message} {caught.value.hint}"
