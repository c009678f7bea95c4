"""One picture against its mask."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_us.errors import InputError
from edge_us.evaluate.manifest import Case
from edge_us.evaluate.matching import lesion_pixels
from edge_us.evaluate.observe import observe, outline_mask, read_mask
from edge_us.finding import Finding, FindingKind

CASE = Case("set", "a.png", Path("a.png"), Path("m.png"), "benign", "g")


def finding(x: int, y: int, side: int, score: float, malignancy: float | None = None) -> Finding:
    """A square lesion: its contour runs through the outermost mask pixels, as the detector's does."""
    last = side - 1
    contour = np.array([[x, y], [x, y + last], [x + last, y + last], [x + last, y]], np.float32)
    box = (float(x), float(y), float(x + side), float(y + side))
    if malignancy is None:
        return Finding(FindingKind.LESION, box, score, contour)
    return Finding(FindingKind.LESION, box, score, contour, malignancy=malignancy)


def square(x: int, y: int, side: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    mask = np.zeros((100, 120), bool)
    mask[y : y + side, x : x + side] = True
    return mask


def test_filling_an_outline_gives_the_mask_back() -> None:
    np.testing.assert_array_equal(outline_mask([finding(10, 20, 30, 0.9)], (120, 100)), square(10, 20, 30))


def test_an_exact_finding_is_a_hit_with_dice_one() -> None:
    result = observe(CASE, (120, 100), square(10, 20, 30), [finding(10, 20, 30, 0.9)], 0.25)
    assert result.hits().tolist() == [True]
    assert (result.dice, result.iou) == (1.0, 1.0)


def test_outlines_below_the_threshold_do_not_count_for_dice_but_are_ranked() -> None:
    result = observe(CASE, (120, 100), square(10, 20, 30), [finding(10, 20, 30, 0.1)], 0.25)
    assert result.dice == 0
    assert result.hits().tolist() == [True]


def test_all_outlines_together_are_compared_with_the_whole_mask() -> None:
    truth = square(10, 20, 30) | square(60, 20, 30)
    result = observe(CASE, (120, 100), truth, [finding(60, 20, 30, 0.5), finding(10, 20, 30, 0.9)], 0.25)
    assert result.dice == 1.0
    assert result.scores.tolist() == [0.9, 0.5]
    assert len(result.lesions) == 2


def test_stricter_overlap_has_fewer_hits() -> None:
    """Shifted by a quarter: IoU 0.6."""
    truth = square(10, 20, 40)
    result = observe(CASE, (120, 100), truth, [finding(20, 20, 40, 0.9)], 0.25)
    assert [bool(result.hits(step)[0]) for step in range(4)] == [True, True, True, False]


def test_a_quiet_normal_picture_agrees_with_its_empty_mask() -> None:
    result = observe(CASE, (120, 100), np.zeros((100, 120), bool), [], 0.25)
    assert (result.dice, result.lesions) == (1.0, ())


def test_probabilities_are_kept_and_unknown_ones_are_nan() -> None:
    found = [finding(10, 20, 30, 0.9, malignancy=0.7), finding(60, 20, 30, 0.5)]
    result = observe(CASE, (120, 100), square(10, 20, 30), found, 0.25)
    np.testing.assert_array_equal(result.malignancy, [0.7, np.nan])


def test_a_mask_of_another_size_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "m.png"
    cv2.imwrite(str(path), square(1, 1, 9).astype(np.uint8) * 255)
    case = Case("set", "a.png", Path("a.png"), path, "benign", "g")
    assert read_mask(case, (120, 100)).sum() == 81
    with pytest.raises(InputError, match="is 120x100, its picture 60x50"):
        read_mask(case, (60, 50))


def test_an_empty_mask_of_a_lesion_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "m.png"
    cv2.imwrite(str(path), np.zeros((100, 120), np.uint8))
    with pytest.raises(InputError, match="is empty"):
        read_mask(Case("set", "a.png", Path("a.png"), path, "benign", "g"), (120, 100))


def test_a_normal_picture_may_have_a_mask_with_nothing_in_it_and_none_with_a_lesion(tmp_path: Path) -> None:
    path = tmp_path / "m.png"
    case = Case("set", "a.png", Path("a.png"), path, "normal", "g", where="row 7 of m.csv")
    cv2.imwrite(str(path), np.zeros((100, 120), np.uint8))
    assert not read_mask(case, (120, 100)).any()
    cv2.imwrite(str(path), square(1, 1, 9).astype(np.uint8) * 255)
    with pytest.raises(
        InputError, match=r"row 7 of m\.csv: the mask m\.png holds a lesion, but a\.png is labelled normal"
    ):
        read_mask(case, (120, 100))


def test_grey_edges_of_a_mask_are_half_inside(tmp_path: Path) -> None:
    """Blurred or saved as JPEG, a mask keeps its area; every value above 0 would make it larger."""
    soft = cv2.GaussianBlur(square(30, 30, 40).astype(np.uint8) * 255, (0, 0), 3)
    for name in ("m.png", "m.jpg"):
        cv2.imwrite(str(tmp_path / name), soft)
        found = read_mask(Case("set", "a.png", Path("a.png"), tmp_path / name, "benign", "g"), (120, 100))
        assert found.sum() == pytest.approx(1600, rel=0.02)
    assert (soft > 0).sum() > 2500


def test_masks_may_number_their_lesions_or_hold_ones() -> None:
    numbered = np.zeros((100, 120), np.uint8)
    numbered[10:20, 10:20], numbered[40:50, 40:50], numbered[70:80, 70:80] = 1, 2, 3
    assert lesion_pixels(numbered).sum() == 300
    assert lesion_pixels(square(1, 1, 9)).sum() == 81
    assert lesion_pixels(np.dstack([numbered * 85] * 3)).sum() == 200


def test_a_second_lesion_can_be_missed() -> None:
    truth = square(10, 20, 30) | square(60, 20, 25)
    result = observe(CASE, (120, 100), truth, [finding(10, 20, 30, 0.9), finding(60, 20, 25, 0.1)], 0.25)
    assert result.missed(0.25) == [1]
    assert result.missed(0.05) == []
