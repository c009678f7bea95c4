"""What leaves the process holds not one pixel from outside the named region."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_us.calibrate.preset import Preset
from edge_us.capture.source import BurnedIn, SourceInfo, SourceKind
from edge_us.colour import to_bgr
from edge_us.errors import UsageError
from edge_us.frame import (
    FULL_RANGE,
    LIMITED_BT601,
    Frame,
    Geometry,
    PixelFormat,
    Rect,
    UltrasoundRegion,
)
from edge_us.privacy.keep import choose_redactor
from edge_us.privacy.redact import Keep, redact

WIDTH, HEIGHT = 64, 48
SHAPES = {
    PixelFormat.GRAY8: (HEIGHT, WIDTH),
    PixelFormat.BGR: (HEIGHT, WIDTH, 3),
    PixelFormat.I420: (HEIGHT * 3 // 2, WIDTH),
    PixelFormat.NV12: (HEIGHT * 3 // 2, WIDTH),
}


def noise(layout: PixelFormat, seed: int = 0) -> Frame:
    """Every pixel says something."""
    pixels = np.random.default_rng(seed).integers(30, 230, SHAPES[layout]).astype(np.uint8)
    colours = LIMITED_BT601 if layout in (PixelFormat.I420, PixelFormat.NV12) else FULL_RANGE
    return Frame(pixels, layout, WIDTH, HEIGHT, 0, 0, 0, colours)


def inside(rects: tuple[Rect, ...]) -> NDArray[np.bool_]:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for x, y, width, height in rects:
        mask[y : y + height, x : x + width] = True
    return mask


rects = st.builds(Rect, st.integers(0, 70), st.integers(0, 50), st.integers(1, 70), st.integers(1, 60))


@given(layout=st.sampled_from(PixelFormat), kept=rects, hidden=rects, seed=st.integers(0, 9))
def test_two_screens_that_differ_outside_alone_leave_as_the_same(
    layout: PixelFormat, kept: Rect, hidden: Rect, seed: int
) -> None:
    one, other = noise(layout, seed), noise(layout, seed + 100)
    keep = Keep((kept,), (hidden,))
    mask = inside((kept,)) & ~inside((hidden,))
    # The other screen gets the first one's kept pixels; where colours are shared by 2 x 2 pixels, theirs too.
    mixed = other.pixels.copy()
    if layout in (PixelFormat.GRAY8, PixelFormat.BGR):
        mixed[mask] = one.pixels[mask]
    else:
        mixed[:HEIGHT][mask] = one.pixels[:HEIGHT][mask]
        whole = mask.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).all(axis=(1, 3))
        if layout is PixelFormat.NV12:
            chroma, source = (pixels[HEIGHT:].reshape(HEIGHT // 2, WIDTH // 2, 2) for pixels in (mixed, one.pixels))
            chroma[whole] = source[whole]
        else:
            planes, sources = (pixels[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2) for pixels in (mixed, one.pixels))
            planes[:, whole] = sources[:, whole]
    again = Frame(mixed, layout, WIDTH, HEIGHT, 0, 0, 0, other.colorimetry)
    np.testing.assert_array_equal(redact(one, keep).pixels, redact(again, keep).pixels)


@pytest.mark.parametrize("layout", list(PixelFormat))
def test_the_region_stays_as_it_was_and_the_rest_is_black(layout: PixelFormat) -> None:
    frame, keep = noise(layout), Keep((Rect(10, 8, 30, 20),), (Rect(12, 10, 4, 4),))
    left = redact(frame, keep)
    mask = inside(keep.rects) & ~inside(keep.hide)
    luma = [each.pixels[:HEIGHT] for each in (left, frame)]
    np.testing.assert_array_equal(luma[0][mask], luma[1][mask])
    assert to_bgr(left)[~inside((Rect(9, 7, 32, 22),))].max() <= 1, "black whatever the range is"
    assert frame.pixels.min() >= 30, "the captured frame is left alone"


def test_a_screen_of_another_size_is_all_black_and_says_why() -> None:
    info = SourceInfo("v4l2:///dev/video0", SourceKind.LIVE, burned_in=BurnedIn.ANYWHERE)
    redactor = choose_redactor(info, region=Rect(8, 8, 40, 30), preset=None, full_screen=False, pixels_leave=True)
    kept, why = redactor.redact(noise(PixelFormat.GRAY8))
    assert kept.pixels.max() > 0
    assert why == ""
    larger = Frame(np.full((96, 128), 99, np.uint8), PixelFormat.GRAY8, 128, 96, 1, 0, 0)
    kept, why = redactor.redact(larger)
    assert kept.pixels.max() == 0
    assert why == "the region was named for 64x48, the picture is 128x96"


def test_a_preset_holds_for_its_screen_alone() -> None:
    info = SourceInfo("v4l2:///dev/video0", SourceKind.LIVE, burned_in=BurnedIn.ANYWHERE)
    preset = Preset(name="", screen=(128, 96), region=(8, 8, 40, 30), hide=())
    redactor = choose_redactor(info, region=None, preset=preset, full_screen=False, pixels_leave=True)
    kept, why = redactor.redact(noise(PixelFormat.BGR))
    assert kept.pixels.max() == 0
    assert "128x96" in why


def test_declared_regions_are_kept_and_nothing_else() -> None:
    info = SourceInfo("scan.dcm", SourceKind.FILE, burned_in=BurnedIn.OUTSIDE_REGIONS)
    redactor = choose_redactor(info, region=None, preset=None, full_screen=False, pixels_leave=True)
    regions = (UltrasoundRegion(Rect(4, 4, 20, 20)), UltrasoundRegion(Rect(40, 4, 20, 40), is_tissue=False))
    frame = noise(PixelFormat.GRAY8)
    declared = Frame(frame.pixels, frame.format, WIDTH, HEIGHT, 0, 0, 0, geometry=Geometry(regions=regions))
    kept, _ = redactor.redact(declared)
    mask = inside(tuple(region.rect for region in regions))
    np.testing.assert_array_equal(kept.pixels[mask], frame.pixels[mask])
    assert kept.pixels[~mask].max() == 0


@pytest.mark.parametrize("burned_in", list(BurnedIn))
@pytest.mark.parametrize("pixels_leave", [True, False])
def test_pixels_leave_a_screen_only_where_somebody_said_which(burned_in: BurnedIn, pixels_leave: bool) -> None:
    info = SourceInfo("source", SourceKind.LIVE, burned_in=burned_in)
    if burned_in is BurnedIn.ANYWHERE and pixels_leave:
        with pytest.raises(UsageError, match="may show a patient's name") as caught:
            choose_redactor(info, region=None, preset=None, full_screen=False, pixels_leave=True)
        assert "--record-full-screen" in caught.value.hint
    else:
        choose_redactor(info, region=None, preset=None, full_screen=False, pixels_leave=pixels_leave)
    frame = noise(PixelFormat.GRAY8)
    whole = choose_redactor(info, region=None, preset=None, full_screen=True, pixels_leave=pixels_leave)
    assert whole.redact(frame)[0] is frame
