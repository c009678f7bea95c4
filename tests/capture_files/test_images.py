"""Folders of stills: what is read, in which order, and what becomes a warning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_us.capture.images import open_images, read_image
from edge_us.capture.open import open_source
from edge_us.capture.source import SourceKind
from edge_us.errors import InputError
from edge_us.frame import PixelFormat


def grey(height: int = 31, width: int = 45) -> NDArray[np.uint8]:
    row, column = np.mgrid[0:height, 0:width]
    return np.asarray((row * 5 + column * 3) % 256, np.uint8)


def save(path: Path, pixels: NDArray[np.integer[Any]]) -> Path:
    assert cv2.imwrite(str(path), pixels)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".PNG"])
def test_grey_stills_come_through_unchanged(tmp_path: Path, suffix: str) -> None:
    save(tmp_path / f"a{suffix}", grey())
    with open_images(tmp_path) as source:
        frame = next(iter(source))
    assert (frame.format, frame.size, frame.name) == (PixelFormat.GRAY8, (45, 31), f"a{suffix}")
    np.testing.assert_array_equal(frame.pixels, grey())


def test_jpeg_stills_are_read(tmp_path: Path) -> None:
    smooth = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (33, 1))
    save(tmp_path / "a.jpg", smooth)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - smooth).max() < 12


def test_colour_stays_bgr_and_transparency_is_dropped(tmp_path: Path) -> None:
    colour = np.zeros((16, 17, 4), np.uint8)
    colour[...] = (10, 20, 200, 128)
    save(tmp_path / "a.png", colour)
    save(tmp_path / "b.png", np.ascontiguousarray(colour[..., :3]))
    with open_images(tmp_path) as source:
        frames = list(source)
    assert [frame.format for frame in frames] == [PixelFormat.BGR] * 2
    assert [frame.pixels[3, 3].tolist() for frame in frames] == [[10, 20, 200]] * 2


def test_sixteen_bits_become_eight_over_the_full_range(tmp_path: Path) -> None:
    wide = grey().astype(np.uint16) * 257
    save(tmp_path / "a.png", wide)
    save(tmp_path / "b.tif", wide)
    for name in ("a.png", "b.tif"):
        np.testing.assert_array_equal(read_image(tmp_path / name), grey())


def test_the_order_is_plain_name_order(tmp_path: Path) -> None:
    for name in ("img2.png", "img10.png", "b.png", "A.png"):
        save(tmp_path / name, grey())
    with open_images(tmp_path) as source:
        frames = list(source)
    assert [frame.name for frame in frames] == ["A.png", "b.png", "img10.png", "img2.png"]
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert source.info.kind is SourceKind.STILLS
    assert source.info.frames == 4


def test_an_unreadable_still_is_a_warning_and_not_the_end(tmp_path: Path) -> None:
    save(tmp_path / "a.png", grey())
    (tmp_path / "b.png").write_bytes(b"no picture")
    (tmp_path / "c.png").write_bytes(b"")
    cut = save(tmp_path / "d.jpg", grey(200, 200))
    cut.write_bytes(cut.read_bytes()[:-2000])
    half = save(tmp_path / "e.png", grey(200, 200))
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    save(tmp_path / "f.png", grey())
    with open_images(tmp_path) as source:
        assert [frame.name for frame in source] == ["a.png", "f.png"]
    assert len(source.warnings) == 4
    for name, said in (("b.png", "not a picture"), ("c.png", "empty"), ("d.jpg", "cut off"), ("e.png", "not a")):
        assert any(name in warning and said in warning for warning in source.warnings)


def test_other_files_are_ignored_and_counted(tmp_path: Path) -> None:
    save(tmp_path / "a.png", grey())
    for name in ("notes.txt", ".DS_Store", "._a.png"):
        (tmp_path / name).write_text("x")
    (tmp_path / "folder.png").mkdir()
    with open_images(tmp_path) as source:
        assert len(list(source)) == 1
    assert source.warnings == ("ignored 3 files that are not PNG, JPEG, BMP or TIFF",)


def test_an_empty_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no picture"):
        open_images(tmp_path)


def test_a_missing_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        open_images(tmp_path / "absent")


def test_a_folder_without_a_readable_still_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="none of the 1"):
        open_images(tmp_path)


def test_one_picture_may_be_given_instead_of_a_folder(tmp_path: Path) -> None:
    save(tmp_path / "a.png", grey())
    with open_images(tmp_path / "a.png") as source:
        assert [frame.name for frame in source] == ["a.png"]


def test_the_pixels_of_a_frame_cannot_be_changed(tmp_path: Path) -> None:
    save(tmp_path / "a.png", grey())
    with open_images(tmp_path) as source:
        frame = next(iter(source))
    with pytest.raises(ValueError, match="read-only"):
        frame.pixels[0, 0] = 1


def test_real_stills_are_read(shared_dir: Path) -> None:
    folder = shared_dir / "data" / "bus_uclm" / "images"
    if not folder.is_dir():
        pytest.skip(f"real stills are not at {folder}")
    with open_source(f"images:{folder}") as source:
        frames = [frame for frame, _ in zip(source, range(5), strict=False)]
    assert [frame.name for frame in frames] == sorted(path.name for path in folder.iterdir())[:5]
    assert all(frame.pixels.std() > 10 for frame in frames)
