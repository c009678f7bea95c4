from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_us.finding import SHOWING, AiState, FindingKind, SourceState
from edge_us.frame import FULL_RANGE, Colorimetry, ColorMatrix, ColorRange, Frame, Geometry, PixelFormat
from edge_us.overlay.hud import layout_for
from edge_us.overlay.overlay import Overlay, label_text
from edge_us.overlay.picture import Hud
from tests.overlay.pictures import HUD, chroma, ellipse, found, grey, inside, luma, measured, shown

LESION = ellipse(200, 150, 50, 30, lobes=0.1)


def changed(frame: Frame, *findings: object, **states: object) -> NDArray[np.int16]:
    """Luma pixels that differ between a picture with the findings and one without, same HUD."""
    with_them = luma(Overlay().draw(frame, shown(*findings, **states), HUD)).copy()  # type: ignore[arg-type]
    without = luma(Overlay().draw(frame, shown(**states), HUD))  # type: ignore[arg-type]
    difference: NDArray[np.int16] = np.abs(with_them - without)
    return difference


@settings(max_examples=25, deadline=None)
@given(
    cx=st.floats(-20, 420), cy=st.floats(-20, 320), rx=st.floats(1, 90), ry=st.floats(1, 90),
    lobes=st.floats(0, 0.4), unseen=st.sampled_from([0, 2]),
)  # fmt: skip
def test_nothing_is_drawn_on_the_lesion_itself(
    cx: float, cy: float, rx: float, ry: float, lobes: float, unseen: int
) -> None:
    contour = np.clip(ellipse(cx, cy, rx, ry, lobes), 0, (399, 299)).astype(np.float32)
    frame = grey(400, 300)
    plain = Overlay().draw(frame, shown(), HUD).pixels.copy()
    picture = Overlay().draw(frame, shown(found(contour, unseen=unseen)), HUD)
    own = inside(contour, 400, 300)
    assert (picture.pixels[:300] == plain[:300])[own].all()
    cells = own.reshape(150, 2, 200, 2).any(axis=(1, 3))
    for plane, before in zip(chroma(picture), plain[300:].reshape(2, 150, 200), strict=True):
        assert (plane == before)[cells].all()


def test_the_contour_surrounds_the_lesion_two_to_five_pixels_outside() -> None:
    import cv2

    difference = changed(grey(400, 300), found(LESION))
    own = inside(LESION, 400, 300)
    distance = cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, 5)
    # In every direction there is a line, and it lies at the promised distance.
    angle = np.arctan2(*np.mgrid[-150:150, -200:200]).round(1)
    near = (distance > 0) & (distance < 9)
    bright = near & (difference > 40)
    assert set(np.unique(angle[near])) == set(np.unique(angle[bright]))
    assert 2 <= np.median(np.asarray(distance[bright], np.float32)) <= 5
    assert distance[(difference > 0) & near].min() >= 1.0


def test_the_line_reads_on_black_and_on_white_tissue() -> None:
    for level in (16, 235):
        difference = changed(grey(400, 300, level), found(LESION))
        assert difference.max() > 90, f"at level {level}"


def test_findings_are_drawn_only_in_states_that_show_them_and_with_a_known_age() -> None:
    frame = grey(400, 300)
    assert changed(frame, found(LESION)).any()
    assert changed(frame, found(LESION), ai_state=AiState.NOT_ANALYSABLE).any()
    for state in set(AiState) - SHOWING:
        assert not changed(frame, found(LESION), ai_state=state).any()
    picture = luma(Overlay().draw(frame, shown(found(LESION), age_ms=None), HUD))
    assert (picture[80:250] == 90).all()
    assert (picture[:80] != 90).any()  # the HUD says why


def test_a_held_finding_is_dashed_and_dimmer_than_a_fresh_one() -> None:
    frame = grey(400, 300)
    fresh, held = (changed(frame, found(LESION, unseen=unseen))[100:200, 130:245] for unseen in (0, 3))
    assert 0.3 < (held > 20).sum() / (fresh > 20).sum() < 0.85
    assert held.max() < 0.8 * fresh.max()


def test_lesions_and_nodes_differ_in_colour_and_word() -> None:
    frame = grey(400, 300)
    colours = []
    for kind in FindingKind:
        u, v = chroma(Overlay().draw(frame, shown(found(LESION, kind=kind)), HUD))
        colours.append((int(u[50:100, 60:130].min()), int(u[50:100, 60:130].max())))
        assert v.std() > 0
    (lesion_low, _), (_, node_high) = colours
    assert lesion_low < 90  # yellow: little blue
    assert node_high > 150  # blue
    assert label_text(found(LESION, track=4, kind=FindingKind.NODE, score=0.71)) == "node #4 0.71"
    assert label_text(found(LESION, track=3)) == "#3 0.87"
    assert label_text(found(LESION, track=None)) == "0.87"


def test_sizes_are_written_only_where_the_scale_is_known() -> None:
    frame = grey(400, 300)
    geometry = Geometry(mm_per_px=(0.1, 0.1), reason="")
    scaled = Frame(frame.pixels, frame.format, 400, 300, 0, 0, 0, frame.colorimetry, geometry)
    round_lesion = found(ellipse(150, 150, 40, 25))
    unknown, known = (changed(each, measured(each, round_lesion)) for each in (frame, scaled))
    assert (known[:, 200:] > 0).sum() > 1.5 * (unknown[:, 200:] > 0).sum()


def test_labels_stay_off_every_lesion_and_inside_the_picture() -> None:
    lesions = [
        found(ellipse(x, y, 45, 35), track=n) for n, (x, y) in enumerate([(60, 90), (200, 90), (340, 90), (200, 220)])
    ]
    frame = grey(400, 300)
    plain = Overlay().draw(frame, shown(), HUD).pixels.copy()
    picture = Overlay().draw(frame, shown(*lesions), HUD)
    for lesion in lesions:
        own = inside(lesion.contour, 400, 300)
        assert (picture.pixels[:300] == plain[:300])[own].all()


@pytest.mark.parametrize("size", [(64, 48), (96, 64), (208, 208), (800, 600), (1920, 1080)])
@pytest.mark.parametrize("state", [AiState.ON, AiState.OFF])
def test_the_notice_is_in_every_picture_of_every_size_and_state(size: tuple[int, int], state: AiState) -> None:
    width, height = size
    result = shown(found(ellipse(width / 2, height / 2, width * 0.6, height * 0.6)), ai_state=state, reason="because")
    picture = luma(Overlay().draw(grey(width, height, 235), result, Hud(None, 0, 0, "model" * 20)))
    lines = len(layout_for(width, height).notice)
    foot = picture[-lines * height // 12 - 8 :]
    assert foot.min() < 110  # backing
    assert (foot > 200).any()  # ink


@pytest.mark.parametrize(("span", "matrix"), list(product(ColorRange, ColorMatrix)))
def test_white_text_is_white_and_lines_have_their_colour_in_every_colorimetry(
    span: ColorRange, matrix: ColorMatrix
) -> None:
    colorimetry = Colorimetry(span, matrix)
    picture = Overlay().draw(grey(400, 300, 100, colorimetry), shown(found(ellipse(200, 150, 60, 40))), HUD)
    assert picture.colorimetry == colorimetry
    white = 235 if span is ColorRange.LIMITED else 255
    assert white - 3 <= luma(picture)[-20:].max() <= white
    assert abs(chroma(picture)[:, -8:] - 128).max() <= 1
    u, v = chroma(picture)[:, 40:110, 60:140]
    kr, kb = (0.299, 0.114) if matrix is ColorMatrix.BT601 else (0.2126, 0.0722)
    swing = 224 / 255 if span is ColorRange.LIMITED else 1.0
    yellow = kr * 255 + (1 - kr - kb) * 214
    assert u.min() == pytest.approx(max(0, 128 + swing * -yellow / (2 * (1 - kb))), abs=6)
    assert v.max() == pytest.approx(128 + swing * (255 - yellow) / (2 * (1 - kr)), abs=6)


@pytest.mark.parametrize("pixel_format", [PixelFormat.GRAY8, PixelFormat.BGR, PixelFormat.NV12])
def test_other_formats_and_odd_sizes_become_the_same_picture(pixel_format: PixelFormat) -> None:
    width, height = (320, 240) if pixel_format is PixelFormat.NV12 else (319, 239)
    shape = {
        PixelFormat.GRAY8: (height, width),
        PixelFormat.BGR: (height, width, 3),
        PixelFormat.NV12: (height * 3 // 2, width),
    }[pixel_format]
    pixels = np.full(shape, 128, np.uint8)
    frame = Frame(pixels, pixel_format, width, height, 0, 0, 0, FULL_RANGE)
    picture = Overlay().draw(frame, shown(found(ellipse(160, 130, 30, 20))), HUD)
    assert (picture.width, picture.height) == (320, 240)
    assert picture.pixels.shape == (360, 320)
    assert np.ptp(luma(picture)[100:160, 120:200]) > 60  # the contour is there
    assert (pixels == 128).all()


def test_a_frame_is_never_modified_and_the_buffer_is_reused() -> None:
    frame = grey(400, 300)
    before = frame.pixels.copy()
    overlay = Overlay()
    first = overlay.draw(frame, shown(found(LESION)), HUD)
    second = overlay.draw(frame, shown(), HUD)
    assert (frame.pixels == before).all()
    assert first is second
    assert (luma(second)[100:200] == 90).all()  # nothing of the last frame's finding is left
    assert overlay.draw(grey(200, 100), shown(), HUD).pixels.shape == (150, 200)


def test_a_read_only_frame_can_be_drawn() -> None:
    frame = grey(400, 300)
    frame.pixels.setflags(write=False)
    assert (Overlay().draw(frame, shown(found(LESION)), HUD).pixels != frame.pixels).any()


def test_a_finding_without_a_contour_shows_its_box_and_no_callipers() -> None:
    finding = found(LESION)
    boxed = type(finding)(finding.kind, (150.0, 120.0, 250.0, 180.0), 0.5, np.zeros((0, 2), np.float32), track=2)
    difference = changed(grey(400, 300), boxed)
    assert difference[150, 140:150].max() > 40
    assert not difference[120:180, 150:250].any()


def test_state_and_reason_appear_in_the_hud() -> None:
    frame = grey(400, 300)
    plain = luma(Overlay().draw(frame, shown(), HUD)).copy()
    for changes in (
        {"source_state": SourceState.NO_SIGNAL},
        {"ai_state": AiState.OFF, "reason": "no model"},
        {"ai_state": AiState.STALE},
    ):
        picture = Overlay().draw(frame, shown(**changes), HUD)
        assert (luma(picture) != plain)[:60].sum() > 100
        assert chroma(picture)[1][:30].max() > 150  # a status is coloured, not white
