"""The comparison of two backends has something to compare, and sees a difference."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from edge_us.finding import Finding
from edge_us.inference.model import load_model
from edge_us.inference.onnxruntime_backend import OnnxRuntimeBackend
from tests.cuda.agreement import Agreement, assert_same, detect, measured, phantoms

Found = list[tuple[Finding, ...]]


@pytest.fixture(scope="module", params=["lesion-fast", "lesion-accurate"])
def found(request: pytest.FixtureRequest) -> Found:
    model = load_model(request.param)
    with closing(OnnxRuntimeBackend(model)) as backend:
        return detect(model, backend, phantoms())


def test_in_the_phantoms_there_is_something_to_find_and_it_agrees_with_itself(found: Found) -> None:
    assert measured(found, found, 0.0) == Agreement(2 * sum(map(len, found)), 0, 0.0, 0.0, 1.0)
    assert sum(map(len, found)) >= 3
    assert_same(found, found, box_px=0.0, score=0.0)


def test_what_is_apart_is_said_in_px_in_score_and_in_overlap(found: Found) -> None:
    def moved(each: Finding) -> Finding:
        box = (each.box[0] + 2, *each.box[1:])
        return replace(each, box=box, score=each.score - 0.03, contour=each.contour + np.float32(3))

    apart = measured([tuple(map(moved, each)) for each in found], found, 0.0)
    assert apart.alone == 0
    assert apart.box_px == pytest.approx(2, abs=1e-4)
    assert apart.score == pytest.approx(0.03, abs=1e-6)
    assert 0.5 < apart.mask_iou < 0.98


def test_a_finding_without_its_like_is_counted(found: Found) -> None:
    nothing: Found = [()] * len(found)
    assert measured(nothing, found, 0.0).alone == sum(map(len, found))
    with pytest.raises(AssertionError, match="alone="):
        assert_same(nothing, found, box_px=1, score=0.0)
