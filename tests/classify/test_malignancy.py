"""Which findings get a probability, from how many looks, and why the others get none."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_us.classify.malignancy import Malignancy
from edge_us.finding import Finding, FindingKind, Unknown
from edge_us.frame import Frame, PixelFormat, Rect
from edge_us.tracking.looks import LEAST_LOOKS, LOOK_EVERY_NS, Looks, Mean

LESION = Finding(FindingKind.LESION, (10, 10, 40, 40), 0.9, np.zeros((0, 2), np.float32), track=1)


class Recorder:
    """Stands in for the network: gives set logits and keeps what it was asked."""

    def __init__(self, *logits: float) -> None:
        self.logits = list(logits)
        self.boxes: list[tuple[float, float, float, float]] = []

    def logit(self, gray: NDArray[np.uint8], box: tuple[float, float, float, float], bounds: Rect | None) -> float:
        self.boxes.append(box)
        return self.logits[min(len(self.boxes), len(self.logits)) - 1]

    def probability(self, logit: float) -> float:
        return 1 / (1 + math.exp(-logit))


def frame(number: int, step_ns: int = 33_000_000) -> Frame:
    return Frame(np.zeros((64, 64), np.uint8), PixelFormat.GRAY8, 64, 64, number, number * step_ns, 0)


def stage(recorder: Any, *, stills: bool = False) -> Looks[Mean]:
    return Looks(Malignancy(recorder), stills=stills, threshold=0.5)


def test_a_probability_appears_after_enough_looks_and_is_that_of_their_mean() -> None:
    recorder = Recorder(2.0, -1.0, 0.5)
    watching = stage(recorder)
    numbers = range(LEAST_LOOKS + 1)
    shown = [watching.apply(frame(n, LOOK_EVERY_NS), [LESION], None, None)[0].malignancy for n in numbers]
    assert shown[:-1] == [Unknown("too few looks")] * LEAST_LOOKS
    assert shown[-1] == pytest.approx(recorder.probability(0.5))


def test_nobody_waits_for_a_look_and_it_counts_from_the_next_frame_on() -> None:
    recorder = Recorder(1.0)
    watching = stage(recorder)
    for number in range(LEAST_LOOKS):
        (before,) = watching.apply(frame(number, LOOK_EVERY_NS), [LESION], None, None)
        assert (len(recorder.boxes), before.malignancy) == (number, Unknown("too few looks"))
        watching.learn()
        watching.learn()
        assert len(recorder.boxes) == number + 1
    (after,) = watching.apply(replace(frame(0), pts_ns=2 * LOOK_EVERY_NS + 1), [LESION], None, None)
    assert len(recorder.boxes) == LEAST_LOOKS
    assert after.malignancy == pytest.approx(recorder.probability(1.0))


def test_looks_come_at_a_low_cadence_however_fast_the_frames_are() -> None:
    recorder = Recorder(0.0)
    watching = stage(recorder)
    for number in range(60):
        watching.apply(frame(number), [LESION], None, None)
    assert len(recorder.boxes) == pytest.approx(60 * 33_000_000 / LOOK_EVERY_NS, abs=2)


def test_one_track_at_most_is_looked_at_in_a_frame_and_all_get_their_turn() -> None:
    recorder = Recorder(0.0)
    watching = stage(recorder)
    lesions = [replace(LESION, track=n, box=(n, 10, 40, 40)) for n in range(1, 5)]
    for number in range(4):
        watching.apply(frame(number), lesions, None, None)
        watching.learn()
        assert len(recorder.boxes) == number + 1
    assert sorted(box[0] for box in recorder.boxes) == [1, 2, 3, 4]


def test_a_track_that_is_only_held_is_not_looked_at_but_keeps_its_number() -> None:
    recorder = Recorder(1.0)
    watching = stage(recorder)
    for number in range(LEAST_LOOKS):
        watching.apply(frame(number, LOOK_EVERY_NS), [LESION], None, None)
    held = watching.apply(frame(9, LOOK_EVERY_NS), [replace(LESION, unseen=3)], None, None)
    assert len(recorder.boxes) == LEAST_LOOKS
    assert held[0].malignancy == pytest.approx(recorder.probability(1.0))


def test_a_track_that_is_gone_is_forgotten() -> None:
    recorder = Recorder(1.0)
    watching = stage(recorder)
    for number in range(LEAST_LOOKS):
        watching.apply(frame(number, LOOK_EVERY_NS), [LESION], None, None)
    watching.apply(frame(5, LOOK_EVERY_NS), [], None, None)
    assert watching.apply(frame(6, LOOK_EVERY_NS), [LESION], None, None)[0].malignancy == Unknown("too few looks")


def test_nothing_is_concluded_from_a_picture_that_is_not_analysable() -> None:
    recorder = Recorder(1.0)
    watching = stage(recorder)
    for number in range(LEAST_LOOKS):
        watching.apply(frame(number, LOOK_EVERY_NS), [LESION], None, None)
    (found,) = watching.apply(frame(5, LOOK_EVERY_NS), [LESION], None, "frozen picture")
    assert found.malignancy == Unknown("not analysable: frozen picture")
    assert len(recorder.boxes) == LEAST_LOOKS
    # The same track goes on where it was once the picture is live again.
    (after,) = watching.apply(frame(6, LOOK_EVERY_NS), [LESION], None, None)
    assert isinstance(after.malignancy, float)


def test_each_finding_of_a_still_is_looked_at_at_once_but_weak_ones_and_nodes() -> None:
    recorder = Recorder(1.0)
    untracked = replace(LESION, track=None)
    findings = [untracked, replace(untracked, score=0.4), replace(untracked, kind=FindingKind.NODE)]
    first, weak, node = stage(recorder, stills=True).apply(frame(0), findings, None, None)
    assert first.malignancy == pytest.approx(recorder.probability(1.0))
    assert weak.malignancy == Unknown("below the operating threshold")
    assert node.malignancy == Unknown("only lesions are classified")
    assert len(recorder.boxes) == 1
