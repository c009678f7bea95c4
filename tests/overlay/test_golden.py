"""Golden pictures: whoever changes the overlay looks at the result once, then `EDGE_US_UPDATE_GOLDEN=1 pytest`."""

import os
from dataclasses import replace

import numpy as np
import pytest

from edge_us.finding import AiState, Finding, FindingKind, FrameResult, SourceState, Unknown, Value
from edge_us.frame import Frame, Geometry
from edge_us.overlay.overlay import Overlay
from tests.conftest import REPOSITORY
from tests.overlay.pictures import HUD, ellipse, found, grey, measured, shown

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


CASES: dict[str, tuple[Frame, FrameResult]] = {
    "on": (grey(320, 240), shown(*lesions())),
    "on_bright": (grey(320, 240, 225), shown(*lesions())),
    "calibrated": (calibrated(), shown(measured(calibrated(), lesions()[0]))),
    "measured": (scan(FINE), shown(described(scan(FINE)), found(ellipse(110, 330, 40, 24), track=8))),
    "uncalibrated": (scan(Geometry()), shown(described(scan(Geometry())))),
    "not_analysable": (scan(FINE), shown(withheld(), ai_state=AiState.NOT_ANALYSABLE, reason="dual view")),
    "measured_1080p": (scan(FINE, 1920, 1080), shown(described(scan(FINE, 1920, 1080)))),
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
