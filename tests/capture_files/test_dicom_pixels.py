"""Every photometric interpretation and depth, against pixels that are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_us.capture.dicom import open_dicom
from edge_us.frame import Frame, PixelFormat
from tests.capture_files.dicom_files import (
    HEIGHT,
    JPEG_2000,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    RLE,
    WIDTH,
    grey_ramp,
    jpeg,
    smooth_colours,
    write_dicom,
)


def only_frame(path: Path) -> Frame:
    with open_dicom(path) as source:
        frames = list(source)
    assert len(frames) == 1
    assert source.warnings == ()
    return frames[0]


def to_ybr(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """PS3.3 C.7.6.3.1.2, written out."""
    red, green, blue = (rgb[..., channel].astype(float) for channel in range(3))
    y = 0.2990 * red + 0.5870 * green + 0.1140 * blue
    cb = -0.1687 * red - 0.3313 * green + 0.5000 * blue + 128
    cr = 0.5000 * red - 0.4187 * green - 0.0813 * blue + 128
    return np.clip(np.rint(np.stack([y, cb, cr], axis=-1)), 0, 255).astype(np.uint8)


def assert_colour(frame: Frame, rgb: NDArray[np.uint8], tolerance: int) -> None:
    assert frame.format is PixelFormat.BGR
    difference = np.abs(frame.pixels[..., ::-1].astype(int) - rgb)
    assert difference.max() <= tolerance


def test_monochrome2_comes_through_unchanged(tmp_path: Path) -> None:
    frame = only_frame(write_dicom(tmp_path / "a.dcm", grey_ramp().tobytes()))
    assert frame.format is PixelFormat.GRAY8
    assert frame.size == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(frame.pixels, grey_ramp())


def test_monochrome1_is_inverted(tmp_path: Path) -> None:
    frame = only_frame(write_dicom(tmp_path / "a.dcm", grey_ramp().tobytes(), photometric="MONOCHROME1"))
    np.testing.assert_array_equal(frame.pixels, 255 - grey_ramp())


def test_twelve_bits_are_scaled_over_their_range(tmp_path: Path) -> None:
    stored = (grey_ramp().astype(np.uint16) << 4) | 0xF
    frame = only_frame(write_dicom(tmp_path / "a.dcm", stored.tobytes(), bits=12))
    np.testing.assert_array_equal(frame.pixels, np.rint(stored * (255 / 4095)).astype(np.uint8))


def test_signed_values_start_at_black(tmp_path: Path) -> None:
    stored = (grey_ramp().astype(np.int16) * 16 - 2048).astype(np.int16)
    frame = only_frame(write_dicom(tmp_path / "a.dcm", stored.tobytes(), bits=12, PixelRepresentation=1))
    np.testing.assert_array_equal(frame.pixels, np.rint(grey_ramp() * (16 * 255 / 4095)).astype(np.uint8))


def test_the_first_window_says_what_is_black_and_white(tmp_path: Path) -> None:
    path = write_dicom(
        tmp_path / "a.dcm", grey_ramp().tobytes(), WindowCenter=["100.5", "10"], WindowWidth=["101", "5"]
    )
    # PS3.3 C.11.2.1.2: values up to 50 are black, from 150 on white.
    expected = np.clip(np.rint((grey_ramp().astype(float) - 50) * 2.55), 0, 255).astype(np.uint8)
    difference = np.abs(only_frame(path).pixels.astype(int) - expected)
    assert difference.max() <= 1


def test_rgb_is_turned_to_bgr(tmp_path: Path) -> None:
    rgb = smooth_colours()
    assert_colour(
        only_frame(write_dicom(tmp_path / "a.dcm", rgb.tobytes(), photometric="RGB", samples=3)), rgb, tolerance=0
    )


def test_planes_of_colour_are_interleaved(tmp_path: Path) -> None:
    rgb = smooth_colours()
    planes = np.ascontiguousarray(rgb.transpose(2, 0, 1)).tobytes()
    path = write_dicom(tmp_path / "a.dcm", planes, photometric="RGB", samples=3, PlanarConfiguration=1)
    assert_colour(only_frame(path), rgb, tolerance=0)


def test_grey_pixels_in_three_samples_stay_bgr_so_that_the_format_never_changes(tmp_path: Path) -> None:
    rgb = np.repeat(grey_ramp()[..., None], 3, axis=2)
    assert_colour(
        only_frame(write_dicom(tmp_path / "a.dcm", rgb.tobytes(), photometric="RGB", samples=3)), rgb, tolerance=0
    )


def test_ybr_full_is_converted(tmp_path: Path) -> None:
    rgb = smooth_colours()
    path = write_dicom(tmp_path / "a.dcm", to_ybr(rgb).tobytes(), photometric="YBR_FULL", samples=3)
    assert_colour(only_frame(path), rgb, tolerance=2)


def test_ybr_full_422_is_expanded_in_every_frame(tmp_path: Path) -> None:
    rgb = smooth_colours()
    rgb[:, 1::2] = rgb[:, ::2]
    ybr = to_ybr(rgb)
    packed = np.empty((HEIGHT, WIDTH // 2, 4), np.uint8)
    packed[..., 0], packed[..., 1] = ybr[:, ::2, 0], ybr[:, 1::2, 0]
    packed[..., 2], packed[..., 3] = ybr[:, ::2, 1], ybr[:, ::2, 2]
    path = write_dicom(tmp_path / "a.dcm", packed.tobytes() * 3, photometric="YBR_FULL_422", samples=3, frames=3)
    with open_dicom(path) as source:
        frames = list(source)
    assert len(frames) == 3
    for frame in frames:
        assert_colour(frame, rgb, tolerance=2)


def test_jpeg_colour_is_right(tmp_path: Path) -> None:
    rgb = smooth_colours()
    path = write_dicom(
        tmp_path / "a.dcm", [jpeg(rgb)], photometric="YBR_FULL_422", samples=3, syntax=JPEG_BASELINE, frames=1
    )
    assert_colour(only_frame(path), rgb, tolerance=8)


def test_jpeg_grey_is_grey(tmp_path: Path) -> None:
    row = np.linspace(0, 255, WIDTH).astype(np.uint8)
    grey = np.tile(row, (HEIGHT, 1))
    frame = only_frame(write_dicom(tmp_path / "a.dcm", [jpeg(grey)], syntax=JPEG_BASELINE, frames=1))
    assert frame.format is PixelFormat.GRAY8
    assert np.abs(frame.pixels.astype(int) - grey).max() <= 3


@pytest.mark.parametrize(
    ("syntax", "photometric", "tolerance"), [(JPEG_2000_LOSSLESS, "YBR_RCT", 0), (JPEG_2000, "YBR_ICT", 8)]
)
def test_jpeg_2000_colour_transforms_are_undone(tmp_path: Path, syntax: str, photometric: str, tolerance: int) -> None:
    from openjpeg.utils import encode_array

    rgb = smooth_colours()
    ratios = [4.0] if syntax == JPEG_2000 else None
    encoded = encode_array(rgb, photometric_interpretation=1, use_mct=True, compression_ratios=ratios)
    path = write_dicom(
        tmp_path / "a.dcm", [bytes(encoded)], photometric=photometric, samples=3, syntax=syntax, frames=1
    )
    assert_colour(only_frame(path), rgb, tolerance)


def test_run_length_encoding_is_decoded(tmp_path: Path) -> None:
    import pydicom

    path = write_dicom(tmp_path / "a.dcm", grey_ramp().tobytes())
    data = pydicom.dcmread(path)
    data.compress(RLE)
    data.save_as(path)
    np.testing.assert_array_equal(only_frame(path).pixels, grey_ramp())


def palette(red: NDArray[np.int64], green: NDArray[np.int64], blue: NDArray[np.int64]) -> dict[str, Any]:
    tags: dict[str, Any] = {}
    for name, values in (("Red", red), ("Green", green), ("Blue", blue)):
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tags[f"{name}PaletteColorLookupTableData"] = values.astype("<u2").tobytes()
    return tags


@pytest.mark.parametrize("shift", [8, 0])
def test_a_palette_gives_its_colours_whichever_byte_holds_them(tmp_path: Path, shift: int) -> None:
    index = np.arange(256)
    red, green, blue = index, 255 - index, index // 2
    tags = palette(red << shift, green << shift, blue << shift)
    path = write_dicom(tmp_path / "a.dcm", grey_ramp().tobytes(), photometric="PALETTE COLOR", **tags)
    expected = np.stack([red, green, blue], axis=-1).astype(np.uint8)[grey_ramp()]
    assert_colour(only_frame(path), expected, tolerance=0)


def test_a_palette_of_greys_gives_grey(tmp_path: Path) -> None:
    index = np.arange(256)
    tags = palette(*[(255 - index) << 8] * 3)
    path = write_dicom(tmp_path / "a.dcm", grey_ramp().tobytes(), photometric="PALETTE COLOR", **tags)
    frame = only_frame(path)
    assert frame.format is PixelFormat.GRAY8
    np.testing.assert_array_equal(frame.pixels, 255 - grey_ramp())
