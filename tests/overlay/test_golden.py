"""Golden pictures: whoever changes the overlay looks at the result once, then `EDGE_US_UPDATE_GOLDEN=1 pytest`."""

import math
import os
from dataclasses import replace

import numpy as np
import pytest

from edge_us.finding import AiState, Exam, Finding, FindingKind, FrameResult, SourceState, Unknown, Value
from edge_us.frame import Frame, Geometry, PixelFormat
from edge_us.measure.stage import Measure
from edge_us.nodes.pattern import NodePattern
from edge_us.nodes.stage import ReadNode
from edge_us.overlay.overlay import Overlay
from edge_us.phantom.node import Bulge, Node
from edge_us.phantom.still import NodeStill, render_node
from edge_us.tracking.looks import Looks
from tests.conftest import REPOSITORY
from tests.describe.lesions import contour_of
from tests.overlay.pictures import HUD, ellipse, found, grey, measured, shown

BULGING = Node(
    NodePattern.FOCAL, 0.0, 17.0, 10.5, 4.2, -0.15, 1.9, bulge=Bulge(-math.pi / 2 + 0.3, 1.3, 1.0, 2.0), gate_mm=2.0
)
FOLDER = REPOSITORY / "tests" / "golden" / "overlay"


def lesions() -> tuple[Finding, ...]:
    return (
        found(ellipse(110, 105, 42, 27, lobes=0.12), track=1),
        found(ellipse(240, 75, 20, 14), track=3, score=0.55, unseen=2),
        found(ellipse(250, 165, 18, 26), track=4, score=0.71, kind=FindingKind.NODE),
    )


def calibrated() -> Frame:
    frame = grey(320, 240, 60)
    return Frame(frame.pixels, frame.format, 320, 240, 0, 0, 0, frame.colorimetry, Geometry(None, (0.1, 0.1), ""))


FINE = Geometry(None, (0.1, 0.1), "")


def scan(geometry: Geometry, width: int = 640, height: int = 480) -> Frame:
    return replace(grey(width, height, 60), geometry=geometry)


def described(frame: Frame) -> Finding:
    """A lesion as it leaves all stages, with a word of each kind and one that is open."""
    contour = ellipse(frame.width * 0.45, frame.height * 0.45, 70, 44, lobes=0.06)
    words: dict[str, Value] = {
        "shape": "oval",
        "orientation": "parallel",
        "margin": "uncertain",
        "echo_pattern": "complex cystic and solid",
        "posterior_features": "enhancement",
    }
    return replace(measured(frame, found(contour, track=7, malignancy=0.31)), descriptors=words)


def withheld() -> Finding:
    """What is left of it in a picture that is not analysable."""
    why = Unknown("not analysable: dual view")
    return replace(described(scan(FINE)), axes=None, measurements={"long_axis_mm": why}, malignancy=why)


def node(width: int, height: int, *, scaled: bool = True) -> tuple[Frame, FrameResult]:
    """A phantom node with a focal bulge as it leaves all stages after three looks."""
    still = NodeStill(BULGING, width=width, height=height, seed=4)
    made = render_node(still)
    geometry = Geometry(made.region, (made.mm_per_px, made.mm_per_px), "") if scaled else Geometry()
    frame = Frame(made.image, PixelFormat.GRAY8, width, height, 0, 0, 0, geometry=geometry)
    finding = replace(found(contour_of(made.masks[0]), track=4, kind=FindingKind.NODE), unseen=0)
    stage = Looks(ReadNode(), stills=False, threshold=0.2)
    measure = Measure(stills=False)
    for number in range(4):
        each = replace(frame, index=number, pts_ns=number * 200_000_000)
        read = stage.apply(each, measure.apply(each, [finding], None, None), None, None)
    return each, replace(shown(*read), exam=Exam.AXILLA)


CASES: dict[str, tuple[Frame, FrameResult]] = {
    "on": (grey(320, 240), shown(*lesions())),
    "on_bright": (grey(320, 240, 225), shown(*lesions())),
    "calibrated": (calibrated(), shown(measured(calibrated(), lesions()[0]))),
    "measured": (scan(FINE), shown(described(scan(FINE)), found(ellipse(110, 330, 40, 24), track=8))),
    "uncalibrated": (scan(Geometry()), shown(described(scan(Geometry())))),
    "not_analysable": (scan(FINE), shown(withheld(), ai_state=AiState.NOT_ANALYSABLE, reason="dual view")),
    "measured_1080p": (scan(FINE, 1920, 1080), shown(described(scan(FINE, 1920, 1080)))),
    "node": node(640, 480),
    "node_uncalibrated": node(640, 480, scaled=False),
    "node_1080p": node(1920, 1080),
    "stale": (grey(320, 240), shown(ai_state=AiState.STALE, age_ms=312.0, reason="too old")),
    "off_no_signal": (
        grey(208, 208, 30),
        shown(ai_state=AiState.OFF, reason="the backend failed: out of memory", source_state=SourceState.NO_SIGNAL),
    ),
    "tiny": (grey(96, 64), shown(found(ellipse(60, 28, 10, 6)))),
}


@pytest.mark.parametrize("name", CASES)
def test_the_overlay_looks_as_it_did_when_somebody_last_looked(name: str) -> None:
    import cv2

    frame, result = CASES[name]
    picture = np.asarray(cv2.cvtColor(Overlay().draw(frame, result, HUD).pixels, cv2.COLOR_YUV2BGR_I420))
    path = FOLDER / f"{name}.png"
    if os.environ.get("EDGE_US_UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), picture)
    golden = cv2.imread(str(path))
    assert golden is not None, f"{path} is missing: run with EDGE_US_UPDATE_GOLDEN=1 and look at it"
    assert golden.shape == picture.shape
    difference = np.abs(golden.astype(int) - picture.astype(int))
    # Font and anti-aliasing differ by a few levels between library versions; a missing part differs by far more.
    assert difference.mean() < 1.5
    assert (difference > 60).mean() < 0.004
