"""When lesions are looked at, and when they get words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_us.describe import stage as describe_stage
from edge_us.describe.describe import DESCRIPTORS
from edge_us.describe.stage import Describe
from edge_us.finding import Finding, FindingKind, Unknown
from edge_us.frame import Frame, Geometry, PixelFormat
from edge_us.tracking.looks import LEAST_LOOKS, LOOK_EVERY_NS, Looks
from tests.overlay.pictures import ellipse, found

LESION = found(ellipse(150, 120, 40, 25))
NUMBERS = {"height_to_width": 0.6, "ellipse_deviation": 0.05, "axis_ratio": 0.6, "circumscribed_share": 0.9}


class Numbers:
    """Stands in for the look: gives set numbers and keeps whom it was asked for."""

    def __init__(self, *numbers: dict[str, float]) -> None:
        self.numbers = list(numbers) or [NUMBERS]
        self.asked: list[float] = []

    def __call__(self, frame: Frame, contour: object, region: object, skin: float) -> dict[str, float]:
        assert isinstance(contour, np.ndarray)
        self.asked.append(float(contour[:, 0].mean()))
        return self.numbers[min(len(self.asked), len(self.numbers)) - 1]


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Numbers:
    looks = Numbers()
    monkeypatch.setattr(describe_stage, "look", looks)
    return looks


def frame(number: int, step_ns: int = 33_000_000) -> Frame:
    return Frame(np.full((240, 320), 90, np.uint8), PixelFormat.GRAY8, 320, 240, number, number * step_ns, 0)


def test_words_appear_after_enough_looks_and_are_those_of_the_mean(looks: Numbers) -> None:
    looks.numbers = [{**NUMBERS, "height_to_width": value} for value in (0.8, 1.0, 0.6)]
    watching = Looks(Describe(), stills=False, threshold=0.5)
    numbers = range(LEAST_LOOKS + 1)
    *few, said = (watching.apply(frame(n, LOOK_EVERY_NS), [LESION], None, None)[0].descriptors for n in numbers)
    assert [each["shape"] for each in few] == [Unknown("too few looks")] * LEAST_LOOKS
    assert said["orientation"] == "parallel"
    assert said["height_to_width"] == pytest.approx(0.8)
    assert isinstance(said["echo_pattern"], Unknown)


def test_looks_come_at_a_low_cadence_and_one_a_frame_at_most(looks: Numbers) -> None:
    second = found(ellipse(60, 60, 20, 15), track=2)
    watching = Looks(Describe(), stills=False, threshold=0.5)
    for number in range(60):
        before = len(looks.asked)
        watching.apply(frame(number), [LESION, second], None, None)
        assert len(looks.asked) <= before + 1
    shares = [sum(abs(x - middle) < 5 for x in looks.asked) for middle in (150, 60)]
    assert shares == [pytest.approx(60 * 33_000_000 / LOOK_EVERY_NS, abs=2)] * 2


def test_nothing_is_looked_at_in_a_picture_that_is_not_analysable_and_words_come_back_after_it(looks: Numbers) -> None:
    watching = Looks(Describe(), stills=False, threshold=0.5)
    for number in range(LEAST_LOOKS):
        watching.apply(frame(number, LOOK_EVERY_NS), [LESION], None, None)
    (withheld,) = watching.apply(frame(9, LOOK_EVERY_NS), [LESION], None, "frozen picture")
    assert set(withheld.descriptors.values()) == {Unknown("not analysable: frozen picture")}
    assert len(looks.asked) == LEAST_LOOKS
    (again,) = watching.apply(frame(10, LOOK_EVERY_NS), [LESION], None, None)
    assert again.descriptors["shape"] == "oval"


def test_nodes_weak_stills_and_unseen_tracks_are_not_looked_at(looks: Numbers) -> None:
    node = replace(LESION, kind=FindingKind.NODE)
    sequence, stills = (Looks(Describe(), stills=stills, threshold=0.5) for stills in (False, True))
    for stage in (sequence, stills):
        (said,) = stage.apply(frame(0), [node], None, None)
        assert said.descriptors["shape"] == Unknown("only lesions are described")
    (weak,) = stills.apply(frame(0), [replace(LESION, score=0.3)], None, None)
    assert weak.descriptors["shape"] == Unknown("below the operating threshold")
    (unseen,) = sequence.apply(frame(1), [replace(LESION, unseen=1)], None, None)
    assert unseen.descriptors["shape"] == Unknown("too few looks")
    assert not looks.asked
    (still,) = stills.apply(frame(0), [LESION], None, None)
    assert still.descriptors["shape"] == "oval"


def test_a_finding_without_a_contour_gets_reasons() -> None:
    bare = Finding(FindingKind.LESION, (10, 10, 40, 40), 0.9, np.zeros((0, 2), np.float32), track=1)
    (said,) = Looks(Describe(), stills=True, threshold=0.5).apply(frame(0), [bare], None, None)
    assert all(isinstance(said.descriptors[term.name], Unknown) for term in DESCRIPTORS)


def test_words_begin_anew_where_a_pixel_becomes_another_size(looks: Numbers) -> None:
    """Ratios of oblong pixels that were taken for square, and of the same in mm, have no mean."""
    looks.numbers = [{**NUMBERS, "height_to_width": 0.5}] * 4 + [{**NUMBERS, "height_to_width": 1.5}]
    watching = Looks(Describe(), stills=False, threshold=0.5)
    said = []
    for number in range(9):
        geometry = Geometry(mm_per_px=(0.05, 0.15), reason="") if number >= 4 else Geometry()
        each = replace(frame(number, LOOK_EVERY_NS), geometry=geometry)
        (shown,) = watching.apply(each, [LESION], None, None)
        said.append(shown.descriptors["orientation"])
    assert said[3:] == ["parallel", "parallel", *[Unknown("too few looks")] * 2, "not parallel", "not parallel"]
