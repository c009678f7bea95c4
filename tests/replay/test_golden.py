"""Phantom clips give the findings that were recorded; a change of behaviour shows here first."""

from __future__ import annotations

from pathlib import Path

import pytest

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
def test_my_clip(edge_us_replay):
    edge_us_replay("{clip}", golden="clip.golden.jsonl", min_score=0.2)
""".replace("{clip}", CLIPS["linear-benign"])


def test_a_users_own_test_records_passes_and_fails_with_the_first_frame(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TEST)
    missing = pytester.runpytest_inprocess("-q")
    missing.assert_outcomes(failed=1)
    missing.stdout.fnmatch_lines(["*clip.golden.jsonl does not exist*"])
    pytester.runpytest_inprocess("-q", "--edge-us-update-golden").assert_outcomes(passed=1)
    golden = Path(pytester.path) / "clip.golden.jsonl"
    assert len(golden.read_text().splitlines()) == 60
    pytester.runpytest_inprocess("-q").assert_outcomes(passed=1)
    lines = golden.read_text().splitlines()
    assert '"findings":[]' not in lines[-1], "a clip without findings would prove little"
    lines[-1] = lines[-1].replace('"box":[', '"box":[1', 1)
    golden.write_text("\n".join(lines) + "\n")
    changed = pytester.runpytest_inprocess("-q")
    changed.assert_outcomes(failed=1)
    changed.stdout.fnmatch_lines(["*frame 59 (1.967 s): track *: its box moved by *; 1 of 60 frames differ*"])
