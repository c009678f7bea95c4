"""Phantom clips give the findings that were recorded; a change of behaviour shows here first."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from edge_us.capture.open import open_source
from edge_us.testing.plugin import Replay

pytest_plugins = ["pytester"]

CLIPS = {
    "linear-benign": "phantom:?probe=linear&lesion=benign&size=640x480&frames=60&fps=30&seed=1",
    "convex-malignant": "phantom:?probe=convex&lesion=malignant&size=640x480&frames=60&fps=30&seed=2",
    "screen-cyst": "phantom:?probe=linear&lesion=cyst&size=800x600&frames=60&fps=30&seed=3&screen=1",
    "no-lesion": "phantom:?probe=linear&lesion=none&size=640x480&frames=40&fps=30&seed=4",
}


@pytest.mark.parametrize("name", list(CLIPS))
def test_a_phantom_clip_gives_the_findings_that_were_recorded(name: str, edge_us_replay: Replay) -> None:
    edge_us_replay(CLIPS[name], golden=f"../golden/replay/{name}.jsonl")


TEST = """
def test_my_stills(edge_us_replay):
    edge_us_replay("images:stills", golden="stills.golden.jsonl", min_score=0.2)
"""


def test_a_users_own_test_records_passes_and_fails_with_the_first_frame(pytester: pytest.Pytester) -> None:
    stills = Path(pytester.path) / "stills"
    stills.mkdir()
    with open_source(CLIPS["linear-benign"]) as source:
        for frame in source:
            if frame.index >= 58:
                cv2.imwrite(str(stills / f"{frame.index}.png"), frame.pixels)
    pytester.makepyfile(TEST)
    missing = pytester.runpytest_inprocess("-q")
    missing.assert_outcomes(failed=1)
    missing.stdout.fnmatch_lines(["*stills.golden.jsonl does not exist*"])
    pytester.runpytest_inprocess("-q", "--edge-us-update-golden").assert_outcomes(passed=1)
    golden = Path(pytester.path) / "stills.golden.jsonl"
    lines = golden.read_text().splitlines()
    assert len(lines) == 2
    assert '"findings":[]' not in lines[-1], "a clip without findings would prove little"
    pytester.runpytest_inprocess("-q").assert_outcomes(passed=1)
    golden.write_text("\n".join([lines[0], lines[1].replace('"box":[', '"box":[1', 1)]) + "\n")
    changed = pytester.runpytest_inprocess("-q")
    changed.assert_outcomes(failed=1)
    changed.stdout.fnmatch_lines(["*frame 1 (59.png): finding 1: its box moved by *; 1 of 2 frames differ*"])
