"""The block that tells of one lesion: what it says, of whom, and where it stands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_us.finding import AiState, Finding, FindingKind, Unknown, Value
from edge_us.frame import Frame, Geometry, Rect
from edge_us.overlay.details import MOST_SHARE, block_mask, chosen, detail_lines, place_block
from edge_us.overlay.hud import layout_for
from edge_us.overlay.labels import overlap
from edge_us.overlay.overlay import Overlay, label_text
from tests.overlay.pictures import HUD, ellipse, found, grey, luma, measured, shown

FINE = Geometry(None, (0.1, 0.1), "")
WORDS: dict[str, Value] = {
    "shape": "oval",
    "orientation": "parallel",
    "margin": "uncertain",
    "echo_pattern": "hypoechoic",
    "posterior_features": "none",
}


def picture(width: int = 640, height: int = 480, geometry: Geometry = FINE) -> Frame:
    return replace(grey(width, height, 60), geometry=geometry)


def lesion(track: int = 1, size: float = 60, x: float = 300, y: float = 200, geometry: Geometry = FINE) -> Finding:
    contour = np.rint(ellipse(x, y, size, 0.6 * size))
    return replace(measured(picture(geometry=geometry), found(contour, track=track)), descriptors=WORDS)


def test_the_block_gives_sizes_with_spread_and_unit_words_and_what_is_open() -> None:
    lines = detail_lines(lesion(track=4))
    assert lines[0] == "#4 largest: mean ± SD"
    assert lines[1].endswith(" mm")
    assert lines[1].count("±") == 2
    assert lines[2].endswith(" sq mm")
    assert lines[3].startswith("depth ")
    assert lines[5:] == ("oval, parallel", "hypoechoic", "no posterior features", "uncertain: margin")


def test_without_a_scale_block_and_label_have_no_millimetre() -> None:
    unscaled = lesion(geometry=Geometry())
    assert "mm" not in " ".join((*detail_lines(unscaled), label_text(unscaled)))
    assert detail_lines(unscaled)[1] == "size: uncalibrated"
    assert detail_lines(unscaled)[2].startswith("height/width 0.6")


def test_descriptors_that_are_not_known_say_why() -> None:
    early = replace(lesion(), descriptors=dict.fromkeys(WORDS, Unknown("too few looks")))
    assert detail_lines(early)[-1] == "descriptors: too few looks"


def test_the_largest_lesion_is_told_of_until_another_is_clearly_larger() -> None:
    small, large = lesion(1, 50), lesion(2, 54)
    assert chosen([small, large], None) is large
    assert chosen([small, large], 1) is small
    assert chosen([small, lesion(2, 80)], 1) is not small
    assert chosen([replace(small, track=None), replace(large, axes=None)], None) is None
    node = replace(lesion(3, 90), kind=FindingKind.NODE)
    assert chosen([small, node], None) is node


def test_the_block_keeps_its_corner_while_it_is_free_and_goes_where_no_lesion_is() -> None:
    area, size = Rect(4, 20, 632, 430), (200, 120)
    first = place_block(size, area, [], None)
    assert first is not None
    assert place_block(size, area, [], 3) == (Rect(4, 20, 200, 120), 3)
    moved = place_block(size, area, [first[0]], first[1])
    assert moved is not None
    assert not overlap(moved[0], first[0])
    assert place_block(size, area, [area], None) is None
    assert place_block((700, 20), area, [], None) is None


@pytest.mark.parametrize("size", [(640, 480), (800, 600), (1280, 720), (1920, 1080)])
def test_the_block_fits_and_covers_neither_lesion_nor_label_nor_notice(size: tuple[int, int]) -> None:
    width, height = size
    frame = picture(width, height)
    finding = lesion(x=width * 0.5, y=height * 0.45)
    assert block_mask(detail_lines(finding), layout_for(*size).font_px).size <= MOST_SHARE * width * height
    bare = replace(finding, measurements={}, descriptors={})
    told, plain = (luma(Overlay().draw(frame, shown(each), HUD)).copy() for each in (finding, bare))
    x1, y1, x2, y2 = (int(side) for side in finding.box)
    assert np.array_equal(told[y1:y2, x1:x2], plain[y1:y2, x1:x2])
    # Most of the block's corner changes, and the notice at the lower left does not.
    assert (told[-height // 4 :, -width // 4 :] != plain[-height // 4 :, -width // 4 :]).mean() > 0.3
    foot = 2 * len(layout_for(*size).notice) * layout_for(*size).notice_px
    assert np.array_equal(told[-foot:, : width // 3], plain[-foot:, : width // 3])


def test_a_small_picture_has_labels_and_no_block() -> None:
    frame = picture(320, 240)
    finding = lesion(x=150, y=110, size=40)
    with_it = luma(Overlay().draw(frame, shown(finding), HUD)).copy()
    bare = luma(Overlay().draw(frame, shown(replace(finding, measurements={})), HUD))
    assert np.array_equal(with_it[150:], bare[150:])


def test_where_nothing_is_concluded_there_are_no_callipers_no_millimetres_and_no_block() -> None:
    frame, finding = picture(), lesion()
    withheld = dict.fromkeys(finding.measurements, Unknown("not analysable: dual view"))
    off = replace(finding, axes=None, measurements=withheld, descriptors=dict.fromkeys(WORDS, Unknown("x")))
    assert "mm" not in label_text(off)
    outline = replace(off, measurements={}, descriptors={})
    drawn, bare = (
        luma(Overlay().draw(frame, shown(each, ai_state=AiState.NOT_ANALYSABLE, reason="dual view"), HUD)).copy()
        for each in (off, outline)
    )
    assert np.array_equal(drawn, bare)
